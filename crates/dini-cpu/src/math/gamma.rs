//! Derivatives of ln Γ.

use super::{exponential::exp, logarithm::log1p, real::horner};
use std::f64::consts::PI;

/// The positive zero of ψ, most significant part first.
const ZERO: [f64; 2] = [1.461_632_144_968_362_2, 9.549_995_429_965_697e-17];

/// ψ(x)/(x − zero) in x − 1.5 on [1, 2], to 2⁻⁵⁵.
const NEAR_ZERO: [f64; 22] = [
    0.951_055_876_031_833,
    -0.423_627_421_281_460_7,
    0.240_542_484_240_773_9,
    -0.148_404_923_053_849_64,
    0.094_988_724_454_983_6,
    -0.061_922_133_278_187_77,
    0.040_760_833_810_220_394,
    -0.026_975_796_552_939_826,
    0.017_907_252_497_178_95,
    -0.011_908_222_431_417_224,
    0.007_926_943_778_878_176,
    -0.005_279_906_824_677_262,
    0.003_519_014_324_453_645,
    -0.002_345_744_373_278_944_5,
    0.001_556_587_015_515_107_1,
    -0.001_035_165_303_908_701,
    0.000_723_479_123_734_090_9,
    -0.000_490_057_867_032_091_5,
    0.000_226_945_505_234_025_02,
    -0.000_137_504_462_844_562_93,
    0.000_259_915_348_233_223_7,
    -0.000_183_782_225_055_186_76,
];

/// ψ(x) in x − 3 on [2, 4], to 2⁻⁵⁶.
const MIDDLE: [f64; 22] = [
    0.922_784_335_098_467_1,
    0.394_934_066_848_226_5,
    -0.077_056_903_159_591_9,
    0.019_823_233_711_132_003,
    -0.005_677_755_143_464_522,
    0.001_718_061_984_597_105_8,
    -0.000_536_777_380_458_478,
    0.000_171_106_196_303_738_86,
    -5.526_783_768_325_598e-5,
    1.801_263_795_671_858_7e-5,
    -5.907_300_655_489_447e-6,
    1.945_889_968_701_415e-6,
    -6.431_880_481_684_81e-7,
    2.130_718_749_189_405e-7,
    -7.037_892_835_119_116e-8,
    2.332_277_703_273_801_4e-8,
    -8.126_922_669_736_136e-9,
    2.747_192_123_549_461e-9,
    -6.361_051_722_772_514e-10,
    1.925_096_196_378_991_6e-10,
    -1.814_752_993_370_200_4e-10,
    6.412_819_041_077_476e-11,
];

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

/// ψ(x), to 2.5 ulp for x > 0; NaN at 0, −1, −2, … Between those poles the absolute error is small, not the relative one
/// near the zeros.
///
/// x ≥ 7: the asymptotic series ln x − 1/(2x) − Σ B₂ₖ/(2k x²ᵏ); from 4 on ψ(x) = ψ(x + 1) − 1/x leads there. On [1, 4]
/// fits; the lower one keeps the relative precision at the zero. Below 1 the recurrence leads to them.
/// Negative x: the reflection ψ(x) = ψ(1 − x) − π cot πx.
#[inline(always)]
pub(super) fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        // x minus the nearest integer is exact, and all that the cotangent depends on.
        let angle = PI * (x - x.round_ties_even());
        return digamma_positive(1.0 - x) - PI / libm::tan(angle);
    }
    digamma_positive(x)
}

#[inline(always)]
fn digamma_positive(x: f64) -> f64 {
    if x < 1.0 {
        return digamma_fit(x + 1.0) - 1.0 / x;
    }
    if x <= 2.0 {
        return digamma_fit(x);
    }
    if x <= 4.0 {
        return horner(x - 3.0, &MIDDLE);
    }
    let mut shifted = x;
    let mut sum = 0.0;
    while shifted < 7.0 {
        sum += 1.0 / shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = if shifted < 1e17 { square * horner(square, &BERNOULLI) } else { 0.0 };
    libm::log(shifted) - (0.5 * inverse + (series + sum))
}

#[inline(always)]
fn digamma_fit(x: f64) -> f64 {
    ((x - ZERO[0]) - ZERO[1]) * horner(x - 1.5, &NEAR_ZERO)
}

/// The n-th derivative of ψ at x; NaN if n is not a whole number ≥ 0. At x = 0, −1, … it is ∞ for odd n, where the pole
/// has one sign, else NaN. To 5 ulp for x > 0 and n ≤ 1000; for negative x relative to the sum's larger half.
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
    let ratio = hurwitz_ratio(n + 1.0, x);
    if n > 1000.0 {
        return libm::exp(libm::lgamma(n + 1.0) - (n + 1.0) * libm::log(x)) * ratio;
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
    libm::scalbn((factorial + rest) * power * ratio, exponent.clamp(-5000, 5000) as i32)
}

/// xˢ ζ(s, x) for s ≥ 2 and x > 0, by summing ten terms or until they vanish, and the Euler-Maclaurin formula for the
/// rest from a on: a¹⁻ˢ/(s − 1) + a⁻ˢ/2 + Σ B₂ₖ/(2k)! s (s + 1) … (s + 2k − 2) a^(1−s−2k). For large s either the terms
/// vanish soon or a is of the size of s, and the series converges.
#[inline(always)]
fn hurwitz_ratio(s: f64, x: f64) -> f64 {
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
            return sum + lost;
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
    sum + (lost + last * rest)
}
