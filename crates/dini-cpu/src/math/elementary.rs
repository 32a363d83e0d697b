//! Real functions as operations of loops: one empty type per function.
//!
//! Nearly all are written over [`Real`] and vectorize in both precisions. `polygamma` runs element by element in `f64`,
//! and so do the rare arguments of others; `f32` results are those of `f64` then, rounded.

use super::{
    error_function as ef, exponential as ex, gamma, hyperbolic as hy, inverse_trigonometric as it, logarithm as ln,
    loops::{Binary, Float, Guarded, GuardedBinary, Unary},
    polygamma, power,
    real::Real,
    remainder, root, trigonometric as tr,
};

macro_rules! functions {
    ($($name:ident = $function:path;)*) => { $(
        pub(super) struct $name;
        impl<A: Float> Unary<A> for $name {
            type Out = A;
            #[inline(always)]
            fn at(x: A) -> A {
                $function(x)
            }
        }
    )* };
}

macro_rules! guarded {
    ($($name:ident = $common:path, unless $is_rare:path, then $rare:path;)*) => { $(
        pub(super) struct $name;
        impl Guarded for $name {
            #[inline(always)]
            fn common<R: Real>(x: R) -> R {
                $common(x)
            }
            #[inline(always)]
            fn is_rare<R: Real>(x: R) -> R::Mask {
                $is_rare(x)
            }
            #[cold]
            fn rare(x: f64) -> f64 {
                $rare(x)
            }
        }
    )* };
}

macro_rules! guarded_of_two {
    ($($name:ident = $common:path, unless $is_rare:path, then $rare:path;)*) => { $(
        pub(super) struct $name;
        impl GuardedBinary for $name {
            #[inline(always)]
            fn common<R: Real>(x: R, y: R) -> R {
                $common(x, y)
            }
            #[inline(always)]
            fn is_rare<R: Real>(x: R, y: R) -> R::Mask {
                $is_rare(x, y)
            }
            #[cold]
            fn rare(x: f64, y: f64) -> f64 {
                $rare(x, y)
            }
        }
    )* };
}

functions! {
    Exp = ex::exp;
    Exp2 = ex::exp2;
    Expm1 = ex::expm1;
    Log = ln::log;
    Log2 = ln::log2;
    Log1p = ln::log1p;
    Sinh = hy::sinh;
    Cosh = hy::cosh;
    Tanh = hy::tanh;
    Asinh = hy::asinh;
    Acosh = hy::acosh;
    Atanh = hy::atanh;
    Logistic = ex::logistic;
    Asin = it::asin;
    Acos = it::acos;
    Atan = it::atan;
    Rsqrt = root::rsqrt;
    Cbrt = root::cbrt;
    Erf = ef::erf;
    Erfc = ef::erfc;
    ErfInv = ef::erf_inv;
    Lgamma = gamma::lgamma;
    Digamma = gamma::digamma;
}

guarded! {
    Sin = tr::sin, unless tr::is_rare, then libm::sin;
    Cos = tr::cos, unless tr::is_rare, then libm::cos;
    Tan = tr::tan, unless tr::is_rare, then libm::tan;
}

guarded_of_two! {
    Pow = power::pow, unless power::is_rare, then libm::pow;
    Rem = remainder::rem, unless remainder::is_rare, then f64_remainder;
    Atan2 = it::atan2, unless it::is_rare, then libm::atan2;
}

/// Exact, so that of widened numbers is theirs.
fn f64_remainder(x: f64, y: f64) -> f64 {
    x % y
}

pub(super) struct Polygamma;

impl<A: Float> Binary<A> for Polygamma {
    type Out = A;
    #[inline(always)]
    fn at(n: A, x: A) -> A {
        A::narrow(polygamma::polygamma(n.widen(), x.widen()))
    }
}
