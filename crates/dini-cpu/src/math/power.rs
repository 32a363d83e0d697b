//! xʸ = e^(y ln x), free of branches and tables for positive x and finite y.
//!
//! The exponent may be as large as 745, so its absolute error, which is the relative error of the result, asks for ln x to
//! some 66 bits. It is carried as a sum of two numbers; where a product must be exact, its factors are cut to 26 bits and
//! what is cut off joins the lower part.

use super::{
    exponential::{LN_2_HIGH, LN_2_LOW, Scaled, exp, limit, polynomial},
    logarithm::{log, split},
};

/// 2/3 in two parts.
const TWO_THIRDS: [f64; 2] = [0.666_666_666_666_666_6, 3.700_743_415_417_188e-17];

/// (ln((1 + s)/(1 − s))/s − 2 − 2z/3)/z² in z = s², for |s| ≤ (√2 − 1)/(√2 + 1).
const REMAINDER: [f64; 8] = [
    0.4,
    0.285_714_285_714_293_75,
    0.222_222_222_216_492_77,
    0.181_818_183_368_893_24,
    0.153_845_948_027_72,
    0.133_348_133_736_870_13,
    0.117_060_041_280_168_17,
    0.117_256_045_364_754_13,
];

/// Whether an argument needs the slow way.
#[inline(always)]
pub(super) fn is_rare(x: f64, y: f64) -> bool {
    let is_common = x > 0.0 && x < f64::INFINITY && y.abs() < f64::INFINITY;
    !is_common
}

/// The leading 26 bits.
#[inline(always)]
fn short(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & !0x7ff_ffff)
}

/// ln x for positive finite x as a sum of two, to 2⁻⁶⁴ relatively.
///
/// As in [`super::logarithm`], but with ln m = 2s + s z (2/3 + z R(z)).
#[inline(always)]
fn log_in_two(x: f64) -> (f64, f64) {
    let (k, f) = split(x);
    // s = f/(2 + f): a short quotient, and the rest from its residual.
    let divisor = 2.0 + f;
    let inverse = 1.0 / divisor;
    let s_high = short(f * inverse);
    let divisor_high = short(divisor);
    let divisor_low = (2.0 - divisor_high) + f;
    let s_low = ((f - s_high * divisor_high) - s_high * divisor_low) * inverse;
    // z = s², exactly in its upper part, which then is cut as well.
    let square = s_high * s_high;
    let square_low = s_low * (s_high + (s_high + s_low));
    let z = square + square_low;
    let z_high = short(square);
    let z_low = (square - z_high) + square_low;
    // 2/3 + z R(z)
    let rest = z * polynomial(z, REMAINDER);
    let factor_high = short(TWO_THIRDS[0] + rest);
    let factor_low = ((TWO_THIRDS[0] - factor_high) + rest) + TWO_THIRDS[1];
    // z (2/3 + z R(z)), then s times that.
    let product = z_high * factor_high;
    let product_low = z_high * factor_low + z_low * (factor_high + factor_low);
    let product_high = short(product);
    let product_low = (product - product_high) + product_low;
    let cubic = s_high * product_high;
    let cubic_low = s_high * product_low + s_low * (product_high + product_low);
    // Leading terms first: k ln 2, 2s, the cubic one.
    let double = 2.0 * s_high;
    let mantissa = double + cubic;
    let mantissa_low = ((double - mantissa) + cubic) + (2.0 * s_low + cubic_low);
    let exponent = k * LN_2_HIGH;
    let sum = exponent + mantissa;
    let low = ((exponent - sum) + mantissa) + (mantissa_low + k * LN_2_LOW);
    let high = sum + low;
    (high, (sum - high) + low)
}

/// xʸ, to 1 ulp, if not rare.
#[inline(always)]
pub(super) fn pow(x: f64, y: f64) -> f64 {
    let (log, log_low) = log_in_two(x);
    let log_high = short(log);
    let log_low = (log - log_high) + log_low;
    let y_high = short(y);
    let product = y_high * log_high;
    let product_low = y_high * log_low + (y - y_high) * (log_high + log_low);
    let exponent = limit(product + product_low, -746.0, 710.0);
    // Beyond the limits the rest means nothing.
    let exponent_low = (product - exponent) + product_low;
    let exponent_low = if exponent_low.abs() < 1e-10 { exponent_low } else { 0.0 };
    let mut scaled = Scaled::natural(exponent);
    scaled.low += exponent_low * (1.0 + (scaled.high + scaled.low));
    scaled.value()
}

/// xʸ for arguments of precision f32, to a little more than that, if not rare.
#[inline(always)]
pub(super) fn pow_single(x: f64, y: f64) -> f64 {
    exp(y * log(x))
}
