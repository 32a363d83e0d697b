//! Real functions: one empty type per operation. `f32` results are those of `f64`, rounded.
//!
//! What `libm` computes runs element by element; the others vectorize.

use super::{
    error_function as ef, exponential as ex, gamma, hyperbolic as hy, logarithm as ln,
    loops::{Binary, Guarded, GuardedBinary, Unary},
    power, trigonometric as tr,
};

macro_rules! functions {
    ($($name:ident = $function:path;)*) => { $(
        pub(super) struct $name;
        impl Unary<f64> for $name {
            type Out = f64;
            #[inline(always)]
            fn at(x: f64) -> f64 {
                $function(x)
            }
        }
        impl Unary<f32> for $name {
            type Out = f32;
            #[inline(always)]
            fn at(x: f32) -> f32 {
                $function(f64::from(x)) as f32
            }
        }
    )* };
}

macro_rules! functions_of_two {
    ($($name:ident = $function:path;)*) => { $(
        pub(super) struct $name;
        impl Binary<f64> for $name {
            type Out = f64;
            #[inline(always)]
            fn at(x: f64, y: f64) -> f64 {
                $function(x, y)
            }
        }
        impl Binary<f32> for $name {
            type Out = f32;
            #[inline(always)]
            fn at(x: f32, y: f32) -> f32 {
                $function(f64::from(x), f64::from(y)) as f32
            }
        }
    )* };
}

macro_rules! guarded {
    ($($name:ident = $common:path, unless $is_rare:path, then $rare:path;)*) => { $(
        pub(super) struct $name;
        impl Guarded for $name {
            #[inline(always)]
            fn common(x: f64) -> f64 {
                $common(x)
            }
            #[inline(always)]
            fn is_rare(x: f64) -> bool {
                $is_rare(x)
            }
            #[cold]
            fn rare(x: f64) -> f64 {
                $rare(x)
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
    Tanh = hy::tanh;
    Logistic = ex::logistic;
    Tan = libm::tan;
    Asin = libm::asin;
    Acos = libm::acos;
    Atan = libm::atan;
    Atanh = hy::atanh;
    Cbrt = libm::cbrt;
    Erf = libm::erf;
    Erfc = libm::erfc;
    ErfInv = ef::erf_inv;
    Lgamma = libm::lgamma;
    Digamma = gamma::digamma;
}

functions_of_two! {
    Atan2 = libm::atan2;
    Polygamma = gamma::polygamma;
}

guarded! {
    Sin = tr::sin, unless tr::is_rare, then libm::sin;
    Cos = tr::cos, unless tr::is_rare, then libm::cos;
    Sinh = hy::sinh, unless hy::is_exponential_rare, then libm::sinh;
    Cosh = hy::cosh, unless hy::is_exponential_rare, then libm::cosh;
    Asinh = hy::asinh, unless hy::is_square_rare, then libm::asinh;
    Acosh = hy::acosh, unless hy::is_square_rare, then libm::acosh;
}

pub(super) struct Pow;

impl GuardedBinary<f64> for Pow {
    #[inline(always)]
    fn common(x: f64, y: f64) -> f64 {
        power::pow(x, y)
    }
    #[inline(always)]
    fn is_rare(x: f64, y: f64) -> bool {
        power::is_rare(x, y)
    }
    #[cold]
    fn rare(x: f64, y: f64) -> f64 {
        libm::pow(x, y)
    }
}

impl GuardedBinary<f32> for Pow {
    #[inline(always)]
    fn common(x: f32, y: f32) -> f32 {
        power::pow_single(f64::from(x), f64::from(y)) as f32
    }
    #[inline(always)]
    fn is_rare(x: f32, y: f32) -> bool {
        power::is_rare(f64::from(x), f64::from(y))
    }
    #[cold]
    fn rare(x: f32, y: f32) -> f32 {
        libm::pow(f64::from(x), f64::from(y)) as f32
    }
}
