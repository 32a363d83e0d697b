//! Logarithms.
//!
//! x = 2ᵏ m with m in [√½, √2) and f = m − 1. In double precision s = f/(2 + f), and with z = s²
//! ln m = f − f²/2 + s (f²/2 + z L(z)), where z L(z) = ln((1 + s)/(1 − s))/s − 2 (Tang; FreeBSD's msun); in single
//! precision ln m = f − f²/2 + f³ P(f). The leading terms are exact or nearly so, and the others are small.

use super::{
    exponential::{LN_2_SHORT, SMALL},
    real::{Bits, Each, Real, polynomial},
};
use std::f64::consts::FRAC_1_SQRT_2;

/// 1/ln 2 to twice the precision.
const LOG2_E: Each<[f64; 2]> = Each {
    single: [1.442_695_021_629_333_5, 1.925_963_033_500_011e-8],
    double: [std::f64::consts::LOG2_E, 2.035_527_374_093_103_3e-17],
};

/// L(z) on 0 ≤ z ≤ ((√2 − 1)/(√2 + 1))², to 2⁻⁵¹, which z and s make small.
const REMAINDER: [f64; 7] = [
    0.666_666_666_666_667,
    0.399_999_999_998_972_6,
    0.285_714_286_269_336_26,
    0.222_222_109_858_509_76,
    0.181_828_995_407_972_53,
    0.153_313_872_974_245_92,
    0.146_204_587_130_158_55,
];

/// P(f) on √½ ≤ 1 + f ≤ √2, to 2⁻²⁵, which f² makes small.
const CUBIC: [f64; 9] = [
    0.333_333_312_565_827_77,
    -0.249_999_811_527_702_23,
    0.200_006_887_707_634_7,
    -0.166_691_534_322_527_8,
    0.142_511_377_181_818_75,
    -0.123_966_488_474_108_57,
    0.116_347_646_469_538_6,
    -0.116_602_805_613_847_73,
    0.073_327_064_561_336_32,
];

/// (k, m − 1) for a positive normal x = 2ᵏ m.
#[inline(always)]
fn split_normal<R: Real>(x: R, bias: R) -> (R, R) {
    let (one, root_half) = (R::of(1.0).to_bits(), R::of(FRAC_1_SQRT_2).to_bits());
    // With 1 − √½ added, the exponent field steps at √½ 2ᵏ instead of at 2ᵏ.
    let shifted = x.to_bits().wrapping_add(one.wrapping_sub(root_half));
    let mantissa = shifted & R::Bits::of((1 << R::MANTISSA_BITS) - 1);
    let m = R::from_bits(mantissa.wrapping_add(root_half));
    // A small integer becomes a number by standing in the mantissa of a large one.
    let exponent = R::from_bits(shifted.shr(R::MANTISSA_BITS) | R::of(large::<R>()).to_bits());
    (exponent - bias, m - R::of(1.0))
}

/// The number whose mantissa counts whole ones.
fn large<R: Real>() -> f64 {
    (1_u64 << R::MANTISSA_BITS) as f64
}

/// (k, m − 1) for a positive normal or subnormal x = 2ᵏ m.
#[inline(always)]
pub(super) fn split<R: Real>(x: R) -> (R, R) {
    let factor = 4.0 * large::<R>();
    let is_subnormal = x.lt(R::of(R::MIN_POSITIVE));
    let bias = large::<R>() + R::BIAS as f64;
    let subnormal_bias = bias + f64::from(R::MANTISSA_BITS + 2);
    split_normal(
        R::select(is_subnormal, x * R::of(factor), x),
        R::select(is_subnormal, R::of(subnormal_bias), R::of(bias)),
    )
}

/// ln(1 + f) − f
#[inline(always)]
fn bend<R: Real>(f: R) -> R {
    if R::IS_DOUBLE {
        let half_square = R::of(0.5) * f * f;
        let s = f / (R::of(2.0) + f);
        let z = s * s;
        s.mul_sub(z.mul_add(polynomial(z, &REMAINDER), half_square), half_square)
    } else {
        f * f * f.mul_add(polynomial(f, &CUBIC), R::of(-0.5))
    }
}

/// k ln 2 + ln(1 + f) + rest as a sum.
#[inline(always)]
pub(super) fn in_two<R: Real>(k: R, f: R, rest: R) -> (R, R) {
    let [ln_2, ln_2_rest] = LN_2_SHORT.of::<R>();
    let sum = k.mul_add(R::of(ln_2), f);
    let rounding = k.mul_sub(R::of(ln_2), sum) + f;
    (sum, k.mul_add(R::of(ln_2_rest), rounding) + (bend(f) + rest))
}

/// k ln 2 + ln(1 + f) + rest
#[inline(always)]
pub(super) fn joined<R: Real>(k: R, f: R, rest: R) -> R {
    let (high, low) = in_two(k, f, rest);
    high + low
}

/// What all logarithms have in common at the edges of their domain, x being the argument of ln.
#[inline(always)]
pub(super) fn edges<R: Real>(x: R, value: R) -> R {
    // Infinity and NaN.
    let value = R::select(x.lt(R::of(f64::INFINITY)), value, x);
    let value = R::select(x.lt(R::of(0.0)), R::of(f64::NAN), value);
    R::select(x.eq(R::of(0.0)), R::of(f64::NEG_INFINITY), value)
}

/// ln x, to 1 ulp.
#[inline(always)]
pub(super) fn log<R: Real>(x: R) -> R {
    let (k, f) = split(x);
    edges(x, joined(k, f, R::of(0.0)))
}

/// ln x / ln 2, to 1 ulp; exact at powers of 2.
#[inline(always)]
pub(super) fn log2<R: Real>(x: R) -> R {
    let (k, f) = split(x);
    let bend = bend(f);
    let high = f + bend;
    let low = (f - high) + bend;
    let [log2_e, log2_e_rest] = LOG2_E.of::<R>();
    let product = high * R::of(log2_e);
    let rounding = high.mul_sub(R::of(log2_e), product);
    let product_low = low.mul_add(R::of(log2_e), high.mul_add(R::of(log2_e_rest), rounding));
    let sum = k + product;
    // |k| ≥ |product| unless k is 0, and then the sum is exact.
    edges(x, sum + (((k - sum) + product) + product_low))
}

/// 1/u for positive normal u, to 2%.
#[inline(always)]
fn rough_inverse<R: Real>(u: R) -> R {
    // For u = 2ᵏ m with 1 ≤ m < 2 this is 2⁻ᵏ (3 − m)/2, at most an eighth too large.
    let one = R::of(1.0).to_bits();
    let inverse = R::from_bits(one.wrapping_add(one).wrapping_sub(u.to_bits()));
    inverse * u.neg_mul_add(inverse, R::of(2.0))
}

/// ln(1 + x), to 1 ulp.
#[inline(always)]
pub(super) fn log1p<R: Real>(x: R) -> R {
    // 1 + x = u + rounding exactly; ln(u + rounding) ≈ ln u + rounding/u.
    let one = R::of(1.0);
    let u = one + x;
    let x_part = u - one;
    let rounding = (one - (u - x_part)) + (x - x_part);
    let (k, f) = split_normal(u, R::of(large::<R>() + R::BIAS as f64));
    // Where u has exponent 0, x itself is f, with all its bits; where u is large there is no rounding.
    let is_near = k.eq(R::of(0.0));
    let f = R::select(is_near, x, f);
    let correction = R::select(is_near, R::of(0.0), rounding * rough_inverse(u.at_most(R::of(1e15))));
    let value = edges(u, joined(k, f, correction));
    // Keeps −0 and subnormal numbers.
    R::select(x.abs().lt(R::of(SMALL.of::<R>())), x, value)
}
