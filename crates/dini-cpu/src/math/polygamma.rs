//! Derivatives of ψ, of any order.
//!
//! These run element by element in `f64`. The order is an operand like the other, so lanes differ in the length of their
//! factorials, in the number of terms before the asymptotic series, up to some hundreds, and in that of the series: a
//! vector would run as long as the slowest lane through all of these, and the fits that replace them for ψ itself exist
//! for one order only.

use super::{exponential::exp, gamma::digamma, logarithm::log1p};

/// B₂ₖ/(2k) for k = 1, 2, …
const BERNOULLI: [f64; 13] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32_760.0,
    1.0 / 12.0,
    -3617.0 / 8160.0,
    43_867.0 / 14_364.0,
    -174_611.0 / 6600.0,
    77_683.0 / 276.0,
    -236_364_091.0 / 65_520.0,
    657_931.0 / 12.0,
];

/// The n-th derivative of ψ at x; NaN if n is not a whole number ≥ 0. At x = 0, −1, … it is ∞ for odd n, where the pole
/// has one sign, else NaN. To 2.5 ulp for x > 0 and n ≤ 1000; for negative x relative to the sum's larger half.
///
/// ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! Σᵢ (x + i)⁻ˢ with s = n + 1, a Hurwitz zeta function. For negative x = u − m with u in (0, 1) the
/// sum over i < m runs downwards from 1 − u, so that with v = 1 − u the whole is
/// ζ(s, u) + (−1)ˢ (ζ(s, v) − ζ(s, 1 − x)).
#[inline(always)]
pub(super) fn polygamma(n: f64, x: f64) -> f64 {
    if n.is_nan() || n < 0.0 || n != n.floor() || x.is_nan() || n == f64::INFINITY {
        return f64::NAN;
    }
    if n == 0.0 {
        return digamma(x);
    }
    let is_odd = n % 2.0 == 1.0;
    let sign = if is_odd { 1.0 } else { -1.0 };
    if x == f64::INFINITY {
        return sign * 0.0;
    }
    if x > 0.0 {
        return sign * factorial_times_zeta(n, x);
    }
    if x == x.floor() {
        return if is_odd && x.is_finite() { f64::INFINITY } else { f64::NAN };
    }
    let (u, v) = (x - x.floor(), x.ceil() - x);
    let below = factorial_times_zeta(n, v) - factorial_times_zeta(n, 1.0 - x);
    // (−1)ˢ is that sign as well.
    sign * (factorial_times_zeta(n, u) + sign * below)
}

/// n! ζ(n + 1, x) for whole n ≥ 1 and x > 0.
///
/// The factors may be out of range where the product is not: with x = 2ᵉ m all but small factors are powers of 2, whose
/// exponents are added. Above n = 1000 logarithms do, to fewer digits.
#[inline(always)]
fn factorial_times_zeta(n: f64, x: f64) -> f64 {
    let (ratio, ratio_rest) = hurwitz_ratio(n + 1.0, x);
    if n > 1000.0 {
        return libm::exp(libm::lgamma(n + 1.0) - (n + 1.0) * libm::log(x)) * (ratio + ratio_rest);
    }
    let (mut factorial, mut exponent) = (1.0, 0);
    // What rounding has taken from the factorial.
    let mut rest = 0.0;
    for i in 2..=n as u32 {
        let i = f64::from(i);
        let product = factorial * i;
        rest = rest * i + factorial.mul_add(i, -product);
        factorial = product;
        if factorial > 1e100 {
            let scale = f64::from_bits((1023 - 332) << 52);
            (factorial, rest, exponent) = (factorial * scale, rest * scale, exponent + 332);
        }
    }
    let (m, x_exponent) = libm::frexp(x);
    // m in [½, 1): the power is below 2¹⁰⁰¹, and only its product with the factorial may be more.
    let power = libm::pow(m, -(n + 1.0)) * f64::from_bits((1023 - 600) << 52);
    let exponent = i64::from(exponent) + 600 - i64::from(x_exponent) * (n as i64 + 1);
    // A large argument's ratio is about as large.
    let (ratio, ratio_exponent) = libm::frexp(ratio);
    let ratio_rest = libm::scalbn(ratio_rest, -ratio_exponent);
    let exponent = exponent + i64::from(ratio_exponent);
    // Both products with what their rounding takes.
    let scaled = factorial * power;
    let scaled_rest = rest.mul_add(power, factorial.mul_add(power, -scaled));
    let product = scaled * ratio;
    let product_rest = scaled.mul_add(ratio, -product) + scaled_rest.mul_add(ratio, scaled * ratio_rest);
    libm::scalbn(product + product_rest, exponent.clamp(-5000, 5000) as i32)
}

/// xˢ ζ(s, x) and what its rounding takes, for s ≥ 2 and x > 0, by summing ten terms or until they vanish, and the Euler-Maclaurin formula for the
/// rest from a on: a¹⁻ˢ/(s − 1) + a⁻ˢ/2 + Σ B₂ₖ/(2k)! s (s + 1) … (s + 2k − 2) a^(1−s−2k). For large s either the terms
/// vanish soon or a is of the size of s, and the series converges.
#[inline(always)]
fn hurwitz_ratio(s: f64, x: f64) -> (f64, f64) {
    // ((x + i)/x)⁻ˢ; of the sum itself the rounding would count s times.
    let term = |i: f64| exp(-s * log1p(i / x));
    let mut sum = 1.0;
    // What rounding has taken from the sum; its terms fall.
    let mut lost = 0.0;
    let mut last = 1.0;
    let mut i = 0.0;
    while i < 10.0 || x + i <= 10.0 {
        i += 1.0;
        last = term(i);
        let next = sum + last;
        lost += last - (next - sum);
        sum = next;
        if last < 1e-17 * sum {
            return (sum, lost);
        }
    }
    let a = x + i;
    let mut rest = a / (s - 1.0) - 0.5;
    // s (s + 1) … (s + 2k − 2)/((2k − 1)! a²ᵏ⁻¹), to be multiplied by B₂ₖ/(2k).
    let mut factor = s / a;
    let mut order = 0.0;
    for bernoulli in BERNOULLI {
        rest += factor * bernoulli;
        if (factor * bernoulli).abs() < 1e-17 * rest.abs() {
            break;
        }
        order += 2.0;
        factor *= (s + order - 1.0) * (s + order) / (order * (order + 1.0) * a * a);
    }
    // The tail may be larger than what was summed so far.
    let tail = lost + last * rest;
    let whole = sum + tail;
    let rounding = if sum > tail { (sum - whole) + tail } else { (tail - whole) + sum };
    (whole, rounding)
}

#[cfg(test)]
mod tests {
    use super::polygamma;

    /// n! ζ(n + 1, x) tends to (n − 1)!/xⁿ.
    #[test]
    fn huge_arguments_vanish() {
        assert_eq!(polygamma(1.0, 1e308), 1e-308);
        assert_eq!(polygamma(2.0, 1e150), -1e-300);
        for n in 2..=1200 {
            assert_eq!(polygamma(f64::from(n), 1e308), 0.0, "order {n}");
        }
    }
}
