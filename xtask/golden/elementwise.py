"""Elementwise operations at ordinary points, ties, signed zeros, infinities, NaN and the edges of their domains.

Record: {"op", "args": [[...] per operand], "value": [...], "d": [[...] per operand], "dd": [[...] per operand]}, where
`d` is the partial derivative by each operand (a JVP with a tangent of ones) and `dd` the second partial derivative by
the same operand (reverse over reverse). Entries are null for operands without derivative.

JAX is not exact: near the ends of the range some of its values are hundreds of units in the last place off, and some
derivatives cancel. Functions of one operand therefore have `exact` too, {"value", "d", "dd"}, lists computed with 120
digits and rounded once; an element is null where the argument is not finite, the function is singular or the result is
complex. Where both exist, a test should prefer `exact`; the script prints where they differ.
"""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from jax import lax

from _record import flat, is_float, plain, write

INF, NAN = np.inf, np.nan

ORDINARY = [-2.5, -1.5, -1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 10.0]
SPECIAL = [0.0, -0.0, 1e-8, -1e-8, 1e-300, INF, -INF, NAN]
LARGE = [1e5, -1e5, 1e22, 1e300]
INSIDE_ONE = [-1.0, -0.999, -0.75, -0.5, -1e-8, -0.0, 0.0, 1e-8, 0.25, 0.5, 0.9, 0.999, 1.0, 1.5, -2.0, INF, NAN]
POSITIVE = [
    1e-300,
    1e-8,
    0.1,
    0.5,
    0.9999999,
    1.0,
    1.0000001,
    2.0,
    np.e,
    10.0,
    1e5,
    1e300,
    0.0,
    -0.0,
    -1.0,
    INF,
    -INF,
    NAN,
]
GAMMA = [1e-8, 0.1, 0.5, 0.9, 1.0, 1.4616, 1.5, 2.0, 2.5, 3.0, 7.5, 12.0, 40.0, 171.5, 1e5, -0.5, -1.5, -2.3, -7.7, NAN]

UNARY = {
    "neg": (lax.neg, ORDINARY + SPECIAL),
    "abs": (lax.abs, ORDINARY + SPECIAL),
    "sign": (lax.sign, ORDINARY + SPECIAL),
    "floor": (lax.floor, ORDINARY + SPECIAL),
    "ceil": (lax.ceil, ORDINARY + SPECIAL),
    "round": (
        lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
        ORDINARY + SPECIAL + [4.5, -3.5, 0.49999999999999994],
    ),
    "exp": (lax.exp, ORDINARY + SPECIAL + [100.0, -100.0, 709.0, 710.0, -745.0, -750.0]),
    "exp2": (lax.exp2, ORDINARY + SPECIAL + [100.0, 1023.0, 1024.0, -1022.0, -1080.0]),
    "expm1": (lax.expm1, ORDINARY + SPECIAL + [100.0, -100.0, 709.0, 710.0]),
    "log": (lax.log, POSITIVE),
    "log2": (jnp.log2, POSITIVE + [8.0]),
    "log1p": (lax.log1p, ORDINARY[3:] + SPECIAL + [-0.999, -1.0, -1.5, 1e300]),
    "sin": (lax.sin, ORDINARY + SPECIAL + LARGE[:3] + [np.pi, np.pi / 2]),
    "cos": (lax.cos, ORDINARY + SPECIAL + LARGE[:3] + [np.pi, np.pi / 2]),
    "tan": (lax.tan, ORDINARY + SPECIAL + LARGE[:2] + [np.pi / 4]),
    "asin": (lax.asin, INSIDE_ONE),
    "acos": (lax.acos, INSIDE_ONE),
    "atan": (lax.atan, ORDINARY + SPECIAL + LARGE),
    "sinh": (lax.sinh, ORDINARY + SPECIAL + [100.0, -100.0, 710.0]),
    "cosh": (lax.cosh, ORDINARY + SPECIAL + [100.0, -100.0, 710.0]),
    "tanh": (lax.tanh, ORDINARY + SPECIAL + [20.0, -20.0, 1000.0]),
    "asinh": (lax.asinh, ORDINARY + SPECIAL + [1e5, -1e5]),
    "acosh": (lax.acosh, [1.0, 1.0000001, 1.5, 2.0, 10.0, 1e5, 0.5, -1.0, INF, NAN]),
    "atanh": (lax.atanh, INSIDE_ONE),
    "sqrt": (lax.sqrt, POSITIVE),
    "rsqrt": (lax.rsqrt, POSITIVE),
    "cbrt": (lax.cbrt, ORDINARY + [8.0, -27.0, 1e-8, 1e5, 0.0, -0.0, INF, -INF, NAN]),
    "logistic": (lax.logistic, ORDINARY + SPECIAL + [40.0, -40.0, 800.0, -800.0]),
    "erf": (lax.erf, ORDINARY + SPECIAL + [6.0, -6.0]),
    "erfc": (lax.erfc, ORDINARY + SPECIAL + [6.0, -6.0, 20.0]),
    "erf_inv": (lax.erf_inv, INSIDE_ONE),
    "lgamma": (lax.lgamma, GAMMA + [0.0, -1.0, -2.0, INF]),
    "digamma": (lax.digamma, GAMMA),
}

PAIRS = [
    (1.5, 2.5), (-1.5, 2.5), (2.5, -1.5), (-3.0, -0.5), (0.5, 0.5), (-2.0, -2.0), (1e-8, 1e8),
    (0.0, 0.0), (-0.0, 0.0), (0.0, -0.0), (-0.0, -0.0), (0.0, 2.0), (2.0, 0.0), (-2.0, 0.0), (0.0, -2.0),
    (INF, 1.0), (1.0, INF), (-INF, 2.0), (2.0, -INF), (INF, INF), (INF, -INF), (NAN, 1.0), (1.0, NAN), (0.0, INF),
]  # fmt: skip
POWERS = PAIRS + [
    (0.0, 1.0),
    (0.0, 0.5),
    (0.0, 3.0),
    (2.0, 3.0),
    (2.0, -2.0),
    (-2.0, 3.0),
    (-2.0, 2.0),
    (-8.0, 1 / 3),
    (1.0, 1e5),
    (4.0, 0.5),
]
REMAINDERS = PAIRS + [(5.5, 2.0), (-5.5, 2.0), (5.5, -2.0), (4.0, 2.0), (-4.0, 2.0), (7.0, 0.1)]

BINARY = {
    "add": (lax.add, PAIRS),
    "sub": (lax.sub, PAIRS),
    "mul": (lax.mul, PAIRS),
    "div": (lax.div, PAIRS),
    "rem": (lax.rem, REMAINDERS),
    "pow": (lax.pow, POWERS),
    "atan2": (lax.atan2, PAIRS),
    "max": (lax.max, PAIRS),
    "min": (lax.min, PAIRS),
}

POWI = [2, 3, -1, -2, 0, 1]


EXACT = {
    "exp": mpmath.exp,
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log2": lambda x: mpmath.log(x, 2),
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "acosh": mpmath.acosh,
    "atanh": mpmath.atanh,
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erf_inv": mpmath.erfinv,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "digamma": mpmath.digamma,
}
mpmath.mp.dps = 120


def is_singular(op, x):
    """Where the derivatives are infinite although differences are not."""
    return (op == "cbrt" and x == 0) or (op in ("lgamma", "digamma") and x <= 0 and x == np.floor(x))


def exact_at(op, x, order):
    """The derivative of this order, correctly rounded, or None."""
    if not np.isfinite(x) or is_singular(op, x) or (order > 0 and 0 < abs(x) < 1e-100):
        return None
    f = EXACT[op]
    point, step = mpmath.mpf(float(x)), mpmath.mpf(10) ** -30 * (abs(float(x)) or 1)
    try:
        value = f(point) if order == 0 else mpmath.diff(f, point, order, h=step)
    except (ValueError, ZeroDivisionError, OverflowError, mpmath.libmp.NoConvergence):
        return None
    if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value):
        return None
    return float(value)


def with_exact(entry):
    if entry["op"] not in EXACT:
        return entry
    points = [float(str(x)) for x in entry["args"][0]]
    computed = {
        key: [exact_at(entry["op"], x, order) for x in points] for order, key in enumerate(["value", "d", "dd"])
    }
    for key, ours in computed.items():
        theirs = entry["value"] if key == "value" else entry[key][0]
        for x, a, b in zip(points, ours, theirs):
            if a is not None and not abs(a - float(str(b))) <= 1e-14 * abs(a) and not (a == 0 or a == float(str(b))):
                print(f"  {entry['op']} {key} at {x!r}: exactly {a!r}, JAX has {b!r}")
    return entry | {"exact": {key: plain(values) for key, values in computed.items()}}


def columns(rows):
    return [np.array(column) for column in zip(*rows)]


def record(op, f, args, params=None):
    args = [np.asarray(a) for a in args]

    def partials(order):
        found = []
        for i, x in enumerate(args):
            if not is_float(x):
                found.append(None)
                continue

            def of_one(v, lane, i=i):
                return f(*[v if j == i else lane[j] for j in range(len(args))])

            if order == 1:
                _, derivative = jax.jvp(
                    lambda v, i=i: f(*[v if j == i else a for j, a in enumerate(args)]), [x], [np.ones_like(x)]
                )
            else:
                second = jax.grad(jax.grad(of_one))
                derivative = jnp.stack([second(x[n], [jnp.asarray(a[n]) for a in args]) for n in range(len(x))])
            found.append(flat(derivative))
        return found

    entry = {"op": op} | ({"params": params} if params else {})
    return entry | {"args": [flat(a) for a in args], "value": flat(f(*args)), "d": partials(1), "dd": partials(2)}


def main():
    records = [with_exact(record(op, f, [np.array(points)])) for op, (f, points) in UNARY.items()]
    records += [record(op, f, columns(points)) for op, (f, points) in BINARY.items()]
    powi_points = np.array([-2.5, -1.0, 0.5, 1.0, 2.0, 10.0, 0.0, -0.0, INF, -INF, NAN])
    for n in POWI:
        records.append(record("powi", lambda x, n=n: lax.integer_pow(x, n), [powi_points], {"n": n}))
    selected = [
        np.array([True, False, True, False, True, False]),
        np.array([1.0, 2.0, NAN, NAN, -0.0, INF]),
        np.array([NAN, 3.0, 1.0, 2.0, INF, -0.0]),
    ]
    records.append(record("select", lax.select, selected))
    clamped = [
        (0.0, -1.0, 2.0),
        (0.0, 0.0, 2.0),
        (0.0, 1.0, 2.0),
        (0.0, 2.0, 2.0),
        (0.0, 5.0, 2.0),
        (0.0, NAN, 2.0),
        (0.0, INF, 2.0),
        (-INF, 3.0, INF),
        (2.0, 1.0, 0.0),
        (NAN, 1.0, 2.0),
    ]
    records.append(record("clamp", lax.clamp, columns(clamped)))
    write("elementwise", records)


if __name__ == "__main__":
    main()
