//! Hyperbolic functions and their inverses, free of branches and tables for all but huge arguments.

use super::{
    exponential::{exp, expm1, limit},
    logarithm::log1p,
};

/// tanh x = (e²ˣ − 1)/(e²ˣ + 1), to 2 ulp.
#[inline(always)]
pub(super) fn tanh(x: f64) -> f64 {
    let t = expm1(limit(2.0 * x.abs(), 0.0, 60.0));
    (t / (t + 2.0)).copysign(x)
}

/// Whether [`sinh`] and [`cosh`] do not overflow on the way.
#[inline(always)]
pub(super) fn is_exponential_rare(x: f64) -> bool {
    x.abs() > 709.0
}

/// sinh x, to 2 ulp, if not rare.
#[inline(always)]
pub(super) fn sinh(x: f64) -> f64 {
    let t = expm1(x.abs());
    (0.5 * (t + t / (t + 1.0))).copysign(x)
}

/// cosh x, to 1.5 ulp, if not rare.
#[inline(always)]
pub(super) fn cosh(x: f64) -> f64 {
    let e = exp(x.abs());
    0.5 * e + 0.5 / e
}

/// Whether [`asinh`] and [`acosh`] do not overflow on the way.
#[inline(always)]
pub(super) fn is_square_rare(x: f64) -> bool {
    x.abs() > 1e150
}

/// asinh x = ln(1 + x + x²/(1 + √(1 + x²))) for x ≥ 0, to 2 ulp, if not rare.
#[inline(always)]
pub(super) fn asinh(x: f64) -> f64 {
    let t = x.abs();
    let square = t * t;
    log1p(t + square / (1.0 + (1.0 + square).sqrt())).copysign(x)
}

/// acosh x = ln(1 + t + √(t (t + 2))) with t = x − 1, to 2 ulp, if not rare.
#[inline(always)]
pub(super) fn acosh(x: f64) -> f64 {
    let t = x - 1.0;
    log1p(t + (t * (t + 2.0)).sqrt())
}

/// atanh x = ½ ln(1 + 2x + 2x²/(1 − x)) for x ≥ 0, to 2 ulp.
#[inline(always)]
pub(super) fn atanh(x: f64) -> f64 {
    let t = x.abs();
    let double = 2.0 * t;
    (0.5 * log1p(double + double * t / (1.0 - t))).copysign(x)
}
