//! Hyperbolic functions and their inverses.

use super::{
    exponential::{SMALL, quarter_of_exp, scaled_expm1},
    logarithm::log1p,
    real::{Each, Real},
};
use std::f64::consts::LN_2;

/// tanh x = (e²ˣ − 1)/(e²ˣ + 1), to 2.5 ulp.
#[inline(always)]
pub(super) fn tanh<R: Real>(x: R) -> R {
    // Beyond, the result is 1.
    const LARGEST: Each<f64> = Each { single: 10.0, double: 22.0 };
    let t = scaled_expm1(R::of(2.0) * x.abs().at_most(R::of(LARGEST.of::<R>())), -1);
    (t / (t + R::of(1.0))).copysign(x)
}

/// sinh x, to 2.5 ulp.
#[inline(always)]
pub(super) fn sinh<R: Real>(x: R) -> R {
    // With t = eˣ − 1 it is ½ (t + t/(t + 1)), and a quarter of t does not overflow before.
    let quarter = scaled_expm1(x.abs(), -2);
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
