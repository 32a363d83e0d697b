//! xʸ = e^(y ln x) for finite arguments.
//!
//! The exponent may be as large as the logarithm of the largest number, so its absolute error, which is the relative
//! error of the result, asks for ln x to some ten bits more than the precision. It is carried as a sum of two numbers,
//! and fused multiply-adds give the roundings of the products on the way.

use super::{
    exponential::{LN_2_SHORT, Scaled},
    logarithm::split,
    real::{Each, Real, polynomial},
};

/// 2/3 in two parts.
const TWO_THIRDS: Each<[f64; 2]> = Each {
    single: [0.666_666_686_534_881_6, -1.986_821_551_724_915_5e-8],
    double: [0.666_666_666_666_666_6, 3.700_743_415_417_188e-17],
};

/// (ln((1 + s)/(1 − s))/s − 2 − 2z/3)/z² in z = s², for |s| ≤ (√2 − 1)/(√2 + 1).
const REMAINDER: Each<&[f64]> = Each {
    single: &[0.400_000_153_357_240_54, 0.285_621_479_146_402_46, 0.230_516_381_827_676],
    double: &[
        0.4,
        0.285_714_285_714_293_86,
        0.222_222_222_216_446_58,
        0.181_818_183_378_298_28,
        0.153_845_947_115_926_86,
        0.133_348_179_106_466_74,
        0.117_058_921_973_400_27,
        0.117_266_892_855_532_05,
    ],
};

/// Whether an argument is infinite or NaN.
#[inline(always)]
pub(super) fn is_rare<R: Real>(x: R, y: R) -> R::Mask {
    let infinity = R::of(f64::INFINITY);
    !(x.abs().lt(infinity) & y.abs().lt(infinity))
}

/// ln x for positive finite x as a sum of two.
///
/// As in [`super::logarithm`], but with ln m = 2s + s z (2/3 + z R(z)).
#[inline(always)]
pub(super) fn log_in_two<R: Real>(x: R) -> (R, R) {
    let (k, f) = split(x);
    // s = f/(2 + f), and the rest of that from its residual.
    let two = R::of(2.0);
    let divisor = two + f;
    let divisor_low = f - (divisor - two);
    let inverse = R::of(1.0) / divisor;
    let s = f * inverse;
    let s_low = s.neg_mul_add(divisor_low, s.neg_mul_add(divisor, f)) * inverse;
    let z = s * s;
    let z_low = s.mul_add(two * s_low, s.mul_sub(s, z));
    // 2/3 + z R(z)
    let [two_thirds, two_thirds_low] = TWO_THIRDS.of::<R>();
    let rest = z * polynomial(z, REMAINDER.of::<R>());
    let factor = R::of(two_thirds) + rest;
    let factor_low = ((R::of(two_thirds) - factor) + rest) + R::of(two_thirds_low);
    // s z times that.
    let (product, product_low) = times((z, z_low), (factor, factor_low));
    let (cubic, cubic_low) = times((s, s_low), (product, product_low));
    // Leading terms first: k ln 2, 2s, the cubic one.
    let double = two * s;
    let mantissa = double + cubic;
    let mantissa_low = ((double - mantissa) + cubic) + s_low.mul_add(two, cubic_low);
    let [ln_2, ln_2_low] = LN_2_SHORT.of::<R>();
    let exponent = k * R::of(ln_2);
    let sum = exponent + mantissa;
    let low = ((exponent - sum) + mantissa) + k.mul_add(R::of(ln_2_low), mantissa_low);
    let high = sum + low;
    (high, (sum - high) + low)
}

/// The product of two sums as a sum.
#[inline(always)]
fn times<R: Real>(x: (R, R), y: (R, R)) -> (R, R) {
    let product = x.0 * y.0;
    (product, x.0.mul_sub(y.0, product) + x.0.mul_add(y.1, x.1 * y.0))
}

/// xʸ, to 1 ulp, if not rare.
#[inline(always)]
pub(super) fn pow<R: Real>(x: R, y: R) -> R {
    // Beyond the limits the result is infinity or 0.
    const LIMITS: Each<[f64; 2]> = Each { single: [-105.0, 89.0], double: [-746.0, 710.0] };
    // More than the rounding of an exponent within the limits.
    const ROUNDING: Each<f64> = Each { single: 1e-4, double: 1e-12 };
    // Times the smallest logarithm besides 0 this is beyond the limits, and times the largest it is finite.
    const LARGEST: Each<f64> = Each { single: 1e10, double: 1e20 };
    let (log, log_low) = log_in_two(x.abs());
    let limited = y.at_most(R::of(LARGEST.of::<R>())).at_least(R::of(-LARGEST.of::<R>()));
    let product = limited * log;
    let product_low = limited.mul_add(log_low, limited.mul_sub(log, product));
    let [lowest, highest] = LIMITS.of::<R>();
    let exponent = (product + product_low).at_most(R::of(highest)).at_least(R::of(lowest));
    // Beyond the limits the rest means nothing.
    let exponent_low = (product - exponent) + product_low;
    let is_within = exponent_low.abs().lt(R::of(ROUNDING.of::<R>()));
    let exponent_low = R::select(is_within, exponent_low, R::of(0.0));
    of_zero_and_negative(x, y, Scaled::natural(exponent, exponent_low).value())
}

/// xʸ, `value` being |x|ʸ unless x is zero.
#[inline(always)]
fn of_zero_and_negative<R: Real>(x: R, y: R, value: R) -> R {
    let zero = R::of(0.0);
    let of_zero = R::select(y.lt(zero), R::of(f64::INFINITY), R::select(y.eq(zero), R::of(1.0), zero));
    let value = R::select(x.eq(zero), of_zero, value);
    let half = R::of(0.5) * y;
    let is_whole = y.round().eq(y);
    let is_odd = is_whole & !half.round().eq(half);
    let value = R::select(is_odd, value.copysign(x), value);
    R::select(x.lt(zero) & !is_whole, R::of(f64::NAN), value)
}
