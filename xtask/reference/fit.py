"""Prints the fitted coefficients of crates/dini-cpu/src/math, lowest order first, with the error of each fit.

Needs mpmath; see scalar.py. Fits are minimax polynomials on a grid of Chebyshev points (Remez's second algorithm) in 200
bits, then rounded; of those for single precision the digits of a double are printed, which the program rounds.
"""

from mpmath import (asin, atan, bernoulli, cos, erf, erfc, erfinv, euler, exp, expm1, factorial, fdot, findroot, floor,
                    log, loggamma, lu_solve, matrix, mp, mpf, nint, nstr, pi, psi, sign, sqrt, zeta)

mp.prec = 200


def minimax(function, low, high, n, weight):
    """The n coefficients that make the largest |weight (function - polynomial)| smallest, and that."""
    low, high = mpf(low), mpf(high)
    n_intervals = 16 * n
    points = [(low + high) / 2 - (high - low) / 2 * cos(pi * k / n_intervals) for k in range(n_intervals + 1)]
    values = [function(x) for x in points]
    weights = [weight(x) for x in points]
    rows = [chebyshev((2 * x - low - high) / (high - low), n) for x in points]
    reference = [int(nint(mpf(n_intervals) * k / n)) for k in range(n + 1)]
    while True:
        system, right = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for row, i in enumerate(reference):
            for column in range(n):
                system[row, column] = rows[i][column]
            system[row, n] = (-1) ** row / weights[i]
            right[row] = values[i]
        solution = lu_solve(system, right)
        errors = [w * (f - fdot(row, solution[:n])) for w, f, row in zip(weights, values, rows)]
        largest = max(abs(error) for error in errors)
        reference = alternating(errors, n + 1)
        if reference is None or largest < abs(solution[n]) * mpf("1.02"):
            return powers(solution[:n], low, high), largest


def chebyshev(u, n):
    """The first n Chebyshev polynomials at u."""
    row = [mpf(1), u]
    while len(row) < n:
        row.append(2 * u * row[-1] - row[-2])
    return row[:n]


def alternating(errors, count):
    """The places of so many extrema of alternating sign, among them the largest; None if there are fewer."""
    places = []
    for i, error in enumerate(errors):
        if not places or sign(error) != sign(errors[places[-1]]):
            places.append(i)
        elif abs(error) > abs(errors[places[-1]]):
            places[-1] = i
    if len(places) < count:
        return None
    while len(places) > count:
        if len(places) == count + 1:
            places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
            continue
        # Two neighbours go together, so that signs go on alternating.
        pairs = range(len(places) - 1)
        j = min(pairs, key=lambda j: max(abs(errors[places[j]]), abs(errors[places[j + 1]])))
        if j == 0:
            places.pop(0)
        elif j == len(places) - 2:
            places.pop()
        else:
            del places[j : j + 2]
    return places


def powers(series, low, high):
    """From coefficients of Chebyshev polynomials on an interval to those of powers of x."""
    scale, shift = 2 / (high - low), -(high + low) / (high - low)
    basis = [[mpf(1)], [shift, scale]]
    while len(basis) < len(series):
        last, before = basis[-1], basis[-2]
        row = [mpf(0)] * (len(last) + 1)
        for i, c in enumerate(last):
            row[i] += 2 * shift * c
            row[i + 1] += 2 * scale * c
        for i, c in enumerate(before):
            row[i] -= c
        basis.append(row)
    return [sum(c * row[k] for c, row in zip(series, basis) if k < len(row)) for k in range(len(series))]


def fit(name, function, low, high, n, weight=lambda x: mpf(1)):
    coefficients, error = minimax(function, low, high, n, weight)
    print(f"{name}: error 2^{nstr(log(error, 2), 4)}")
    print("    " + ",\n    ".join(repr(float(c)) for c in coefficients))
    return coefficients


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
half_ln_2 = log(2) / 2 * mpf("1.001")
second_order = lambda r: sum(r**k / factorial(k + 2) for k in range(40))
fit("SECOND_ORDER single", second_order, -half_ln_2, half_ln_2, 5)
fit("SECOND_ORDER double", second_order, -half_ln_2, half_ln_2, 10)
third_order = lambda r: sum(r**k / factorial(k + 3) for k in range(40))
fit("THIRD_ORDER single", third_order, -half_ln_2, half_ln_2, 5)
fit("THIRD_ORDER double", third_order, -half_ln_2, half_ln_2, 10)
parts("LN_2_SHORT single", log(2), [15, 24])
parts("LN_2_SHORT double", log(2), [41, 53])
parts("LN_2 single", log(2), [24, 24])
parts("LN_2 double", log(2), [53, 53])

# hyperbolic.rs
largest = (log(2) / 4 * mpf("1.001")) ** 2
tangent = lambda z: sum(4**k * (4**k - 1) * bernoulli(2 * k) / factorial(2 * k) * z ** (k - 2) for k in range(2, 60))
fit("TANH single", tangent, 0, largest, 3)
fit("TANH double", tangent, 0, largest, 6)

# logarithm.rs
largest = ((sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.001")) ** 2
fit("REMAINDER", lambda z: sum(2 * z**k / (2 * k + 3) for k in range(60)), 0, largest, 7)
fit("CUBIC", lambda f: sum((-f) ** k / (k + 3) for k in range(160)), 1 / sqrt(2) - 1, sqrt(2) - 1, 9)
parts("LOG2_E single", 1 / log(2), [24, 24])
parts("LOG2_E double", 1 / log(2), [53, 53])

# trigonometric.rs
largest = (pi / 4 * mpf("1.001")) ** 2
sine = lambda z: sum((-1) ** k * z**k / factorial(2 * k + 3) for k in range(30))
cosine = lambda z: sum((-1) ** k * z**k / factorial(2 * k + 4) for k in range(30))
fit("SIN single", sine, 0, largest, 4)
fit("SIN double", sine, 0, largest, 6, weight=lambda z: z + mpf("0.05"))
fit("COS single", cosine, 0, largest, 3)
fit("COS double", cosine, 0, largest, 6)
parts("HALF_PI single", pi / 2, [11, 24, 24, 24])
parts("HALF_PI double", pi / 2, [33, 53, 53])

# inverse_trigonometric.rs
small = mpf("1e-20")
arcsine = lambda z: mpf(1) / 6 if z < small else (asin(sqrt(z)) / sqrt(z) - 1) / z
arctangent = lambda z: -mpf(1) / 3 if z < small else (atan(sqrt(z)) / sqrt(z) - 1) / z
fit("ASIN single", arcsine, 0, mpf("0.2501"), 6)
fit("ASIN double", arcsine, 0, mpf("0.2501"), 12)
largest = (sqrt(2) - 1) ** 2 * mpf("1.001")
fit("ATAN single", arctangent, 0, largest, 5)
fit("ATAN double", arctangent, 0, largest, 11)
parts("QUARTER_PI single", pi / 4, [24, 24])
parts("QUARTER_PI double", pi / 4, [53, 53])

# root.rs
third = mpf(1) / 3
fit("INVERSE", lambda m: m**-third, 1 / sqrt(2), sqrt(2), 4, weight=lambda m: m**third)
print("THIRDS:", [1.0, float((2**-third - 2**third) / 2), float((2**-third + 2**third) / 2 - 1)])

# power.rs
largest = ((sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.001")) ** 2
remainder = lambda z: sum(2 * z**k / (2 * k + 5) for k in range(60))
parts("TWO_THIRDS single", mpf(2) / 3, [24, 24])
parts("TWO_THIRDS double", mpf(2) / 3, [53, 53])
fit("REMAINDER of power.rs single", remainder, 0, largest, 3)
fit("REMAINDER of power.rs double", remainder, 0, largest, 8)


# error_function.rs
def slope(x):
    return 2 / sqrt(pi) - 1 if x < small else -log(erfc(x)) / x - 1


def slope_weight(x):
    """How much of a relative error in erf x comes from an absolute one in its slope."""
    return sqrt(pi) / 2 if x < small else x * erfc(x) / erf(x)


fit("SLOPE single", slope, 0, mpf("3.95"), 10, weight=slope_weight)
fit("SLOPE double", slope, 0, 6, 26, weight=slope_weight)

series = lambda z: 2 / sqrt(pi) * sum((-z) ** k / factorial(k) / (2 * k + 1) for k in range(40)) - 1
fit("SERIES single", series, 0, mpf("0.361"), 6)
fit("SERIES double", series, 0, mpf("0.361"), 10)


def complement(u):
    x = 3 * (1 + u) / (1 - u)
    if x < 25:
        return erfc(x) * exp(x * x) * (x + 3)
    term, total = mpf(1), mpf(1)
    for k in range(1, 60):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * sqrt(pi)) * (x + 3)


for name, largest, n, width in (("single", 11, 10, 24), ("double", 28, 24, 53)):
    end = mpf(largest - 3) / (largest + 3)
    constant = fit(f"COMPLEMENT {name}", complement, -1, end, n, weight=lambda u: 1 / complement(u))[0]
    parts("its constant term", constant, [width, 53])


def inverse_center(w):
    if w < mpf("1e-40"):
        return sqrt(pi) / 2
    x = sqrt(-expm1(-w))
    return erfinv(x) / x


def inverse_tail(v):
    root_w = v + 3
    # 1 - x^2 = e^-w, so the complement is e^-w/(1 + x).
    x = sqrt(1 - exp(-(root_w**2)))
    rest = exp(-(root_w**2)) / (1 + x)
    y = findroot(lambda y: log(erfc(y)) - log(rest), root_w * mpf("0.9") + mpf("0.01"))
    return y / x


fit("CENTER single", inverse_center, 0, 5, 11)
fit("CENTER double", inverse_center, 0, mpf("6.25"), 10)
fit("TAIL single", inverse_tail, mpf("-0.764"), mpf("1.01"), 11)
fit("TAIL double", inverse_tail, mpf("-0.5"), mpf("3.1"), 10)

# gamma.rs
def possibly_at(zero, limit, function):
    """The function, and its limit where it would be 0/0."""
    return lambda x: limit if abs(x - zero) < mpf("1e-20") else function(x)


SHIFT, LGAMMA_END, DIGAMMA_END = mpf("1.75"), mpf(3), mpf("2.5")
u_of = lambda x: (x - SHIFT) / (x + SHIFT)
x_of = lambda u: SHIFT * (1 + u) / (1 - u)

near_one = possibly_at(1, euler, lambda x: loggamma(x) / ((x - 1) * (x - 2)))
center = possibly_at(2, 1 - euler, near_one)
for name, n in (("single", 9), ("double", 20)):
    fit(f"LGAMMA_CENTER {name}", lambda u: center(x_of(u)), u_of(mpf(1)), u_of(LGAMMA_END), n, lambda u: 1 / center(x_of(u)))


def stirling(z):
    """What Stirling's formula lacks, times x, in 1/x^2."""
    if z < mpf("1e-6"):
        return sum(bernoulli(2 * k) / (2 * k * (2 * k - 1)) * z ** (k - 1) for k in range(1, 12))
    x = 1 / sqrt(z)
    return (loggamma(x) - ((x - mpf(1) / 2) * log(x) - x + log(2 * pi) / 2)) * x


def of_large(z):
    return (log(1 / sqrt(z)) - sqrt(z) / 2 - psi(0, 1 / sqrt(z))) / z if z > mpf("1e-6") else sum(
        bernoulli(2 * k) / (2 * k) * z ** (k - 1) for k in range(1, 12))


at_least = lambda z: max(z, mpf("1e-30"))
for name, n in (("single", 3), ("double", 11)):
    weight = lambda z: sqrt(at_least(z)) / loggamma(1 / sqrt(at_least(z)))
    fit(f"STIRLING {name}", stirling, 0, 1 / LGAMMA_END**2, n, weight)

print("HALF_LOG_TAU - 1/2:", float((log(2 * pi) - 1) / 2))

zero = findroot(lambda x: psi(0, x), mpf("1.46"))
parts("ZERO single", zero, [24, 24])
parts("ZERO double", zero, [53, 53])
parts("ZERO - 1 single", zero - 1, [24, 24])
parts("ZERO - 1 double", zero - 1, [53, 53])
slope = possibly_at(zero, psi(1, zero), lambda x: psi(0, x) / (x - zero))
for name, n in (("single", 10), ("double", 20)):
    fit(f"DIGAMMA_CENTER {name}", lambda u: slope(x_of(u)), u_of(mpf(1)), u_of(DIGAMMA_END), n, lambda u: 1 / slope(x_of(u)))
for name, n in (("single", 4), ("double", 13)):
    weight = lambda z: at_least(z) / psi(0, 1 / sqrt(at_least(z)))
    fit(f"DIGAMMA_LARGE {name}", of_large, 0, 1 / DIGAMMA_END**2, n, weight)

quarter = mpf("0.2501")
sine = lambda z: sum((-1) ** k * pi ** (2 * k) * z ** (k - 1) / factorial(2 * k + 1) for k in range(1, 30))
cotangent = lambda z: sum(2 * zeta(2 * k) * z ** (k - 1) for k in range(1, 140)) - mpf("3.25")
for name, n_sine, n_cotangent in (("single", 5, 8), ("double", 9, 15)):
    fit(f"SINE {name}", sine, 0, quarter, n_sine)
    fit(f"COTANGENT {name}", cotangent, 0, quarter, n_cotangent)
