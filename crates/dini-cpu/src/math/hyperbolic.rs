//! Hyperbolic functions and their inverses.

use super::{
    exponential::{LN_2_SHORT, SMALL, quarter_of_exp, scaled_expm1},
    logarithm::log1p,
    real::{Each, Real, nearest_power, polynomial},
};
use std::f64::consts::{LN_2, LOG2_E};

/// (tanh r / r − 1)/r² in r² on |r| ≤ ¼ ln 2, to 2⁻²⁵ and 2⁻⁵⁰, which r² makes small.
const TANH: Each<&[f64]> = Each {
    single: &[-0.333_333_315_163_694_47, 0.133_322_419_396_981_3, -0.052_995_574_403_481_73],
    double: &[
        -0.333_333_333_333_332_8,
        0.133_333_333_332_121_22,
        -0.053_968_253_497_224_53,
        0.021_869_421_554_500_026,
        -0.008_858_923_997_467_145,
        0.003_463_730_625_370_56,
    ],
};

/// tanh x, to 2.5 ulp.
///
/// |x| = k ½ ln 2 + r with |r| ≤ ¼ ln 2. The hyperbolic tangent of the first term is T = (2ᵏ − 1)/(2ᵏ + 1), that of the
/// second is t, an odd function of which few terms count, and that of both is
/// (T + t)/(1 + T t) = (2ᵏ − 1 + (2ᵏ + 1) t)/(2ᵏ + 1 + (2ᵏ − 1) t).
#[inline(always)]
pub(super) fn tanh<R: Real>(x: R) -> R {
    // Beyond, the result is 1.
    const LARGEST: Each<f64> = Each { single: 10.0, double: 22.0 };
    let size = x.abs().at_most(R::of(LARGEST.of::<R>()));
    let (k, power) = nearest_power(size, R::of(2.0 * LOG2_E), 0);
    let [ln_2, ln_2_rest] = LN_2_SHORT.of::<R>();
    let r = k.neg_mul_add(R::of(0.5 * ln_2_rest), k.neg_mul_add(R::of(0.5 * ln_2), size));
    let z = r * r;
    let t = (r * z).mul_add(polynomial(z, TANH.of::<R>()), r);
    let (less, more) = (power - R::of(1.0), power + R::of(1.0));
    (more.mul_add(t, less) / less.mul_add(t, more)).xor_sign(x.sign())
}

/// sinh x, to 2.5 ulp.
#[inline(always)]
pub(super) fn sinh<R: Real>(x: R) -> R {
    // With t = eˣ − 1 it is ½ (t + t/(t + 1)), and a quarter of t does not overflow before.
    let quarter = scaled_expm1(x.abs(), -2, false);
    let value = R::of(2.0) * (quarter + quarter / quarter.mul_add(R::of(4.0), R::of(1.0)));
    // Keeps subnormal numbers.
    R::select(x.abs().lt(R::of(SMALL.of::<R>())), x, value.copysign(x))
}

/// cosh x, to 2.5 ulp.
#[inline(always)]
pub(super) fn cosh<R: Real>(x: R) -> R {
    let quarter = quarter_of_exp(x.abs());
    quarter.mul_add(R::of(2.0), R::of(0.125) / quarter)
}

/// Beyond this, the inverses are ln 2x, and 1 does not count beside x.
const LARGE: Each<f64> = Each { single: 1_073_741_824.0, double: 1_152_921_504_606_846_976.0 };

/// ln 2x for large x, else ln(1 + argument).
#[inline(always)]
fn log_twice_or<R: Real>(x: R, argument: R) -> R {
    let is_large = x.gt(R::of(LARGE.of::<R>()));
    log1p(R::select(is_large, x, argument)) + R::select(is_large, R::of(LN_2), R::of(0.0))
}

/// asinh x = ln(1 + x + x²/(1 + √(1 + x²))) for x ≥ 0, to 2.5 ulp.
#[inline(always)]
pub(super) fn asinh<R: Real>(x: R) -> R {
    let t = x.abs();
    let root = t.mul_add(t, R::of(1.0)).sqrt();
    let argument = t + t * t / (R::of(1.0) + root);
    log_twice_or(t, argument).copysign(x)
}

/// acosh x = ln(1 + t + √(t (t + 2))) with t = x − 1, to 2.5 ulp.
#[inline(always)]
pub(super) fn acosh<R: Real>(x: R) -> R {
    let t = x - R::of(1.0);
    let value = log_twice_or(x, t + (t * (t + R::of(2.0))).sqrt());
    R::select(x.lt(R::of(1.0)), R::of(f64::NAN), value)
}

/// atanh x = ½ ln(1 + 2x + 2x²/(1 − x)) for x ≥ 0, to 2.5 ulp.
#[inline(always)]
pub(super) fn atanh<R: Real>(x: R) -> R {
    let t = x.abs();
    let double = R::of(2.0) * t;
    let value = R::of(0.5) * log1p(double + double * t / (R::of(1.0) - t));
    // Far beyond 1 the argument has no digits left.
    R::select(t.gt(R::of(1.0)), R::of(f64::NAN), value).copysign(x)
}
