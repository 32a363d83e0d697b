//! Logarithms, free of branches and tables so that loops over them vectorize.
//!
//! x = 2ᵏ m with m in [√½, √2); f = m − 1, s = f/(2 + f), and with z = s²
//! ln m = f − f²/2 + s (f²/2 + z L(z)), where z L(z) = ln((1 + s)/(1 − s))/s − 2. The leading terms are exact or nearly
//! so, and the others are small.

use super::exponential::{LN_2_HIGH, LN_2_LOW, polynomial};
use std::f64::consts::LOG2_E;

/// 1/ln 2 in two parts; the first has 26 bits.
const LOG2_E_SHORT: f64 = 1.442_695_051_431_655_9;
const LOG2_E_REST: f64 = -1.054_269_247_642_913_8e-8;

/// L(z) on 0 ≤ z ≤ ((√2 − 1)/(√2 + 1))², to 2⁻⁵¹, which z and s make small.
const REMAINDER: [f64; 7] = [
    0.666_666_666_666_667,
    0.399_999_999_998_982_7,
    0.285_714_286_265_336_2,
    0.222_222_110_437_768_57,
    0.181_828_957_501_191_93,
    0.153_315_016_111_453_3,
    0.146_191_661_348_879_7,
];

const ONE: u64 = 1.0f64.to_bits();
const ROOT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
const MANTISSA: u64 = (1 << 52) - 1;

/// (k, m − 1) for a positive normal or subnormal x = 2ᵏ m.
#[inline(always)]
pub(super) fn split(x: f64) -> (f64, f64) {
    let is_subnormal = x < f64::MIN_POSITIVE;
    let x = if is_subnormal { x * 18_014_398_509_481_984.0 } else { x };
    // With 1 − √½ added, the exponent field steps at √½ 2ᵏ instead of at 2ᵏ.
    let shifted = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    let m = f64::from_bits((shifted & MANTISSA) + ROOT_HALF);
    // An integer below 2⁵² becomes a float by standing in the mantissa of 2⁵².
    let biased = f64::from_bits((shifted >> 52) | (1075 << 52)) - 4_503_599_627_370_496.0;
    (biased - if is_subnormal { 1077.0 } else { 1023.0 }, m - 1.0)
}

/// For f = m − 1: (f²/2, s (f²/2 + z L(z))), so that ln m = f − first + second.
#[inline(always)]
fn terms(f: f64) -> (f64, f64) {
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    (half_square, s * (half_square + z * polynomial(z, REMAINDER)))
}

/// What all logarithms have in common at the edges of their domain, x being the argument of ln.
#[inline(always)]
fn edges(x: f64, value: f64) -> f64 {
    if x > 0.0 && x < f64::INFINITY {
        value
    } else if x == 0.0 {
        f64::NEG_INFINITY
    } else if x < 0.0 {
        f64::NAN
    } else {
        // Infinity and NaN.
        x
    }
}

/// ln x, to 0.85 ulp.
#[inline(always)]
pub(super) fn log(x: f64) -> f64 {
    let (k, f) = split(x);
    let (half_square, rest) = terms(f);
    edges(x, k * LN_2_HIGH - ((half_square - (rest + k * LN_2_LOW)) - f))
}

/// ln x / ln 2, to 0.8 ulp; exact at powers of 2.
#[inline(always)]
pub(super) fn log2(x: f64) -> f64 {
    let (k, f) = split(x);
    let (half_square, rest) = terms(f);
    // ln m = high + low, the first short enough for its product with the short 1/ln 2 to be exact.
    let high = f64::from_bits((f - half_square).to_bits() & !0x7ff_ffff);
    let low = ((f - high) - half_square) + rest;
    let product = high * LOG2_E_SHORT;
    let product_low = low * LOG2_E + high * LOG2_E_REST;
    let sum = k + product;
    // |k| ≥ |product| unless k is 0, and then the sum is exact.
    edges(x, sum + (((k - sum) + product) + product_low))
}

/// ln(1 + x), to 0.9 ulp.
#[inline(always)]
pub(super) fn log1p(x: f64) -> f64 {
    // 1 + x = u + rounding exactly; ln(u + rounding) ≈ ln u + rounding/u.
    let u = 1.0 + x;
    let x_part = u - 1.0;
    let rounding = (1.0 - (u - x_part)) + (x - x_part);
    let (k, f) = split(u);
    // Where u has exponent 0, x itself is f, with all its bits.
    let (f, correction) = if k == 0.0 { (x, 0.0) } else { (f, rounding / u) };
    let (half_square, rest) = terms(f);
    let value = k * LN_2_HIGH - ((half_square - (rest + (k * LN_2_LOW + correction))) - f);
    // Keeps −0 and subnormal numbers.
    if x.abs() < 1e-17 { x } else { edges(u, value) }
}
