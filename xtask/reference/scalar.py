"""Writes reference values of scalar functions, for crates/dini-cpu/tests/accuracy.

Needs mpmath:   python3 -m venv target/venv && target/venv/bin/pip install mpmath
Run from the repository's root:   target/venv/bin/python xtask/reference/scalar.py

Each line is a function's name, its arguments and the correctly rounded f64 value, all as the hexadecimal bits of an f64,
and by how many thousandths of an ulp the true value is larger. Half of the arguments are representable in f32.
"""

import math
import random
import struct

import mpmath
from mpmath import mp, mpf

mp.prec = 300
random.seed(20)
INF, NAN = math.inf, math.nan
TINY = 2.0**-1074
HUGE = 2.0**1023


def bits(x):
    return "%x" % struct.unpack("<Q", struct.pack("<d", x))[0]


def single(x):
    """The nearest f32, or x itself if that is out of range or one of the places where functions end."""
    try:
        rounded = struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return x
    return x if rounded in (-1.0, 0.0, 1.0) else rounded


def magnitudes(low, high, n):
    """Numbers of both signs, logarithmically uniform from 10^low to 10^high."""
    return [random.choice([-1, 1]) * 10.0 ** random.uniform(low, high) for _ in range(n)]


def uniform(low, high, n):
    return [random.uniform(low, high) for _ in range(n)]


def halves(xs):
    return [single(x) if i % 2 else x for i, x in enumerate(xs)]


def log_gamma(x):
    return mp.log(abs(mp.gamma(x))) if x < 1e5 else mp.loggamma(x)


def erf_inv(x):
    # mpmath's own takes long near 1: solve for the complement there.
    if abs(x) < 0.9:
        return mp.erfinv(x)
    q = 1 - abs(x)
    y = mp.sqrt(-mp.log(q))
    for _ in range(200):
        step = (mp.erfc(y) - q) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y += step / (1 - y * step)
        if abs(step) < mpf(2) ** -200:
            break
    return mp.sign(x) * y


def polygamma(n, x):
    return mp.polygamma(int(n), x)


def cbrt(x):
    return mp.sign(x) * mp.cbrt(abs(x))


def power(x, y):
    return (-1 if x < 0 and y % 2 == 1 else 1) * abs(x) ** y


def atan2(y, x):
    return mp.atan2(y, x)


wide = lambda: magnitudes(-20, 20, 120) + uniform(-3, 3, 120)
# name: (function of mpf, arguments, corners)
UNARY = {
    "exp": (mp.exp, uniform(-745, 710, 150) + uniform(-2, 2, 150) + magnitudes(-20, 1, 60),
            [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e300, INF), (-1e300, 0.0), (709.8, INF), (-746.0, 0.0)]),
    "exp2": (lambda x: mpf(2) ** x, uniform(-1074, 1024, 150) + uniform(-2, 2, 150) + magnitudes(-20, 1, 60),
             [(0.0, 1.0), (INF, INF), (-INF, 0.0), (1024.0, INF), (-1074.0, TINY), (-1080.0, 0.0), (10.0, 1024.0), (1e300, INF)]),
    "expm1": (mp.expm1, uniform(-40, 709, 100) + uniform(-3, 3, 250) + magnitudes(-20, 1, 120),
              [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (TINY, TINY), (-1e300, -1.0), (1e300, INF)]),
    "log": (mp.log, [abs(x) for x in magnitudes(-307, 308, 150)] + uniform(0.4, 2.5, 250) + [5e-324, 3e-310, 1e-320],
            [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN)]),
    "log2": (lambda x: mp.log(x) / mp.log(2),
             [abs(x) for x in magnitudes(-307, 308, 150)] + uniform(0.4, 2.5, 250) + [5e-324, 3e-310],
             [(0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (1024.0, 10.0), (TINY, -1074.0), (0.125, -3.0)]),
    "log1p": (mp.log1p, [abs(x) for x in magnitudes(-20, 308, 150)] + uniform(-0.99, 3, 300) + magnitudes(-20, -1, 100)
              + [math.nextafter(-1, 0)],
              [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-2.0, NAN), (-INF, NAN), (TINY, TINY)]),
    "sin": (mp.sin, uniform(-10, 10, 200) + uniform(-12500, 12500, 150) + magnitudes(-20, 3, 100)
            + magnitudes(4, 300, 60) + [k * math.pi / 2 for k in (1, 2, 3, 4, 7, 710, 7000)],
            [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (TINY, TINY)]),
    "cos": (mp.cos, uniform(-10, 10, 200) + uniform(-12500, 12500, 150) + magnitudes(-20, 3, 100)
            + magnitudes(4, 300, 60) + [k * math.pi / 2 for k in (1, 2, 3, 4, 7, 710, 7000)],
            [(0.0, 1.0), (INF, NAN), (-INF, NAN), (TINY, 1.0)]),
    "tan": (mp.tan, uniform(-10, 10, 200) + magnitudes(-20, 5, 100) + magnitudes(5, 300, 30),
            [(0.0, 0.0), (-0.0, -0.0), (INF, NAN)]),
    "asin": (mp.asin, uniform(-1, 1, 200) + magnitudes(-20, 0, 60) + [0.9999999, -0.9999999999, math.nextafter(1, 0)],
             [(0.0, 0.0), (-0.0, -0.0), (1.5, NAN), (INF, NAN), (1.0, math.pi / 2)]),
    "acos": (mp.acos, uniform(-1, 1, 200) + magnitudes(-20, 0, 60) + [0.9999999, -0.9999999999, math.nextafter(1, 0)],
             [(1.0, 0.0), (1.5, NAN), (-1.0, math.pi), (INF, NAN)]),
    "atan": (mp.atan, wide(), [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2)]),
    "sinh": (mp.sinh, uniform(-710, 710, 100) + uniform(-3, 3, 200) + magnitudes(-20, 1, 100) + [710.2, -709.9],
             [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e300, INF), (TINY, TINY)]),
    "cosh": (mp.cosh, uniform(-710, 710, 100) + uniform(-3, 3, 200) + magnitudes(-20, 1, 60) + [710.2, -709.9],
             [(0.0, 1.0), (INF, INF), (-INF, INF), (-1e300, INF)]),
    "tanh": (mp.tanh, uniform(-25, 25, 100) + uniform(-2, 2, 250) + magnitudes(-20, 1, 100),
             [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (TINY, TINY), (-1e300, -1.0)]),
    "asinh": (mp.asinh, wide() + magnitudes(-2, 2, 150) + magnitudes(100, 308, 20),
              [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)]),
    "acosh": (mp.acosh, uniform(1, 4, 200) + [1 + abs(x) for x in magnitudes(-15, 20, 100)] + [1e200, 1e308],
              [(1.0, 0.0), (0.5, NAN), (INF, INF), (-INF, NAN), (-1e18, NAN), (-HUGE, NAN)]),
    "atanh": (mp.atanh, uniform(-1, 1, 250) + magnitudes(-20, -0.01, 150) + [math.nextafter(1, 0), 0.9999999],
              [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (INF, NAN), (1e18, NAN), (-HUGE, NAN)]),
    "sqrt": (mp.sqrt, [abs(x) for x in magnitudes(-307, 308, 200)],
             [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, NAN)]),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), [abs(x) for x in magnitudes(-307, 308, 200)] + uniform(0.1, 10, 200) + [5e-324],
              [(0.0, INF), (-0.0, -INF), (INF, 0.0), (-1.0, NAN)]),
    "cbrt": (cbrt, magnitudes(-307, 308, 200) + uniform(-10, 10, 150) + [5e-324],
             [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-27.0, -3.0)]),
    "logistic": (lambda x: 1 / (1 + mp.exp(-x)), uniform(-745, 40, 150) + uniform(-4, 4, 250) + magnitudes(-20, 1, 60),
                 [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e300, 1.0), (-1e300, 0.0)]),
    "erf": (mp.erf, uniform(-6, 6, 250) + magnitudes(-20, 0, 120),
            [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (30.0, 1.0)]),
    "erfc": (mp.erfc, uniform(-6, 26.5, 300) + uniform(-1, 3, 150) + magnitudes(-20, 0, 60),
             [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (30.0, 0.0)]),
    "erf_inv": (erf_inv, uniform(-1, 1, 300) + magnitudes(-20, 0, 120)
                + [1 - 10.0**-k for k in range(1, 16)] + [10.0**-k - 1 for k in range(1, 16)] + [math.nextafter(1, 0)],
                [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (INF, NAN)]),
    "lgamma": (log_gamma, uniform(0, 4, 250) + uniform(0, 200, 100) + [abs(x) for x in magnitudes(-20, 300, 100)],
               [(0.0, INF), (1.0, 0.0), (2.0, 0.0), (INF, INF), (-INF, INF), (-1.0, INF), (-3.0, INF)]),
    "lgamma_negative": (log_gamma, uniform(-20, 0, 150) + uniform(-200, 0, 50), []),
    "digamma": (lambda x: mp.psi(0, x), uniform(0, 4, 250) + uniform(0, 30, 150) + [abs(x) for x in magnitudes(-20, 300, 100)],
                [(0.0, NAN), (-1.0, NAN), (-5.0, NAN), (INF, INF), (-INF, NAN)]),
    "digamma_negative": (lambda x: mp.psi(0, x), uniform(-20, 0, 150) + uniform(-2000, 0, 50), []),
}

positive = lambda low, high, n: [abs(x) for x in magnitudes(low, high, n)]
order = lambda n: [float(random.choice([0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 10, 15, 20, 30])) for _ in range(n)]
BINARY = {
    "pow": (power, list(zip(positive(-3, 3, 250), uniform(-100, 100, 250))) + list(zip(uniform(0.5, 2, 150), uniform(-1000, 1000, 150)))
            + list(zip(positive(-300, 300, 100), uniform(-2, 2, 100))) + [(-x, float(k)) for x in (0.3, 1.7, 12.5) for k in range(-9, 10)],
            [((0.0, 0.0), 1.0), ((NAN, 0.0), 1.0), ((1.0, NAN), 1.0), ((-1.0, INF), 1.0), ((0.0, -1.0), INF), ((-0.0, -1.0), -INF), ((-0.0, 3.0), -0.0), ((-2.0, 0.5), NAN), ((INF, -1.0), 0.0), ((0.5, INF), 0.0), ((2.0, INF), INF), ((-INF, 3.0), -INF), ((10.0, 400.0), INF), ((10.0, -400.0), 0.0), ((2.0, NAN), NAN), ((3.0, HUGE), INF), ((-3.0, HUGE), INF), ((3.0, -HUGE), 0.0), ((0.5, HUGE), 0.0), ((1.0, HUGE), 1.0)]),
    "atan2": (atan2, list(zip(magnitudes(-3, 3, 300), magnitudes(-3, 3, 300))) + list(zip(magnitudes(-300, 300, 60), magnitudes(-300, 300, 60))),
              [((0.0, 1.0), 0.0), ((-0.0, 1.0), -0.0), ((0.0, -1.0), math.pi), ((-0.0, -1.0), -math.pi), ((0.0, 0.0), 0.0), ((1.0, 0.0), math.pi / 2), ((-1.0, 0.0), -math.pi / 2), ((INF, INF), math.pi / 4), ((INF, -INF), 3 * math.pi / 4), ((1.0, -INF), math.pi), ((NAN, 1.0), NAN)]),
    "polygamma": (polygamma, list(zip(order(250), uniform(0, 5, 250))) + list(zip(order(150), uniform(5, 100, 150)))
                  + list(zip(order(100), positive(-8, 8, 100))) + [(100.0, 30.0), (150.0, 2.5), (200.0, 150.0), (300.0, 400.0)],
                  [((1.0, 0.0), INF), ((2.0, 0.0), NAN), ((1.0, -3.0), INF), ((-1.0, 2.0), NAN), ((1.5, 2.0), NAN), ((1.0, INF), 0.0), ((0.0, INF), INF), ((3.0, NAN), NAN), ((1.0, -INF), NAN)]),
    "polygamma_negative": (polygamma, list(zip(order(150), uniform(-15, 0, 150))) + list(zip(order(30), uniform(-300, 0, 30))), []),
}


def write(out, name, arguments, value):
    """One line, unless the value is out of range or hardly representable."""
    if abs(value) > mpf(2) ** 1023 or (value != 0 and abs(value) < mpf(2) ** -1060):
        return
    rounded = float(value)
    exponent = math.frexp(rounded)[1] if rounded else -1073
    ulp = mpf(2) ** max(exponent - 53, -1074)
    rest = int(mp.nint((value - mpf(rounded)) / ulp * 1000))
    out.write(" ".join([name, *map(bits, arguments), bits(rounded), str(rest)]) + "\n")


with open("crates/dini-cpu/tests/data/scalar.txt", "w") as out:
    for name, (function, points, corners) in UNARY.items():
        for x in halves(points):
            write(out, name, [x], mp.mpf(function(mpf(x))))
        for x, y in [*corners, (NAN, NAN)]:
            out.write(" ".join([name, bits(x), bits(y), "0"]) + "\n")
    for name, (function, points, corners) in BINARY.items():
        for i, (x, y) in enumerate(points):
            x, y = (single(x), single(y)) if i % 2 else (x, y)
            write(out, name, [x, y], mp.mpf(mp.re(function(mpf(x), mpf(y)))))
        for (x, y), z in corners:
            out.write(" ".join([name, bits(x), bits(y), bits(z), "0"]) + "\n")
