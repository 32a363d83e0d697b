"""Prints the fitted coefficients of crates/dini-cpu/src/math, lowest order first, with the error of each fit.

Needs mpmath; see scalar.py. Fits are Chebyshev series in 200 bits, turned into powers.
"""

from mpmath import (chebyfit, erfc, erfinv, exp, expm1, factorial, findroot, floor, log, mp, mpf, nstr, pi, psi,
                    sqrt)

mp.prec = 200


def fit(name, function, low, high, n):
    coefficients, error = chebyfit(function, [low, high], n, error=True)
    print(f"{name}: error 2^{nstr(log(error, 2), 4)}")
    print("    " + ",\n    ".join(repr(float(c)) for c in coefficients[::-1]))


def parts(name, value, widths):
    """Splits a constant into parts of so many bits."""
    out = []
    for width in widths:
        unit = mpf(2) ** (floor(log(abs(value), 2)) + 1 - width)
        part = floor(value / unit + mpf("0.5")) * unit
        out.append(repr(float(part)))
        value -= part
    print(f"{name}: {out}")


# exponential.rs
half_ln_2 = log(2) / 2 * mpf("1.0005")
fit("SECOND_ORDER", lambda r: sum(r**k / factorial(k + 2) for k in range(40)), -half_ln_2, half_ln_2, 11)
parts("LN_2 long", log(2), [41, 53])
parts("LN_2 short", log(2), [26, 53])

# logarithm.rs
largest = ((sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.001")) ** 2
fit("REMAINDER", lambda z: sum(2 * z**k / (2 * k + 3) for k in range(60)), 0, largest, 7)
parts("LOG2_E", 1 / log(2), [26, 53])

# trigonometric.rs
largest = (pi / 4 * mpf("1.001")) ** 2
fit("SIN", lambda z: sum((-1) ** (k + 1) * z**k / factorial(2 * k + 3) for k in range(30)), 0, largest, 7)
fit("COS", lambda z: sum((-1) ** k * z**k / factorial(2 * k + 4) for k in range(30)), 0, largest, 6)
parts("HALF_PI", pi / 2, [40, 40, 53])


# error_function.rs
def inverse_center(w):
    if w < mpf("1e-40"):
        return sqrt(pi) / 2
    x = sqrt(-expm1(-w))
    return erfinv(x) / x


def inverse_tail(root_w):
    # 1 - x^2 = e^-w, so the complement is e^-w/(1 + x).
    x = sqrt(1 - exp(-(root_w**2)))
    complement = exp(-(root_w**2)) / (1 + x)
    y = findroot(lambda y: log(erfc(y)) - log(complement), root_w * mpf("0.9") + mpf("0.01"))
    return y / x


fit("CENTER", inverse_center, 0, mpf("6.25"), 10)
fit("TAIL", inverse_tail, mpf("2.5"), mpf("6.1"), 10)

# gamma.rs
zero = findroot(lambda x: psi(0, x), mpf("1.46"))
parts("ZERO", zero, [53, 53])


def slope_from_zero(x):
    return psi(1, zero) if abs(x - zero) < mpf("1e-20") else psi(0, x) / (x - zero)


fit("NEAR_ZERO", lambda t: slope_from_zero(t + mpf("1.5")), mpf("-0.5"), mpf("0.5"), 22)
fit("MIDDLE", lambda t: psi(0, t + 3), -1, 1, 22)

# power.rs
largest = ((sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.001")) ** 2
parts("TWO_THIRDS", mpf(2) / 3, [53, 53])
fit("REMAINDER of power.rs", lambda z: sum(2 * z**k / (2 * k + 5) for k in range(60)), 0, largest, 8)
