//! The element types of linear algebra.

use super::vector::Vectors;
use crate::math::Scalar;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Sub, SubAssign};

/// An element type with sums and products: wrapping for integers, `or` and `and` for `bool`.
pub trait Ring: Scalar {
    /// The neutral element of sums.
    const ZERO: Self;
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The product.
    fn times(self, other: Self) -> Self;
}

macro_rules! rings {
    ($($t:ty: $zero:expr, $plus:expr, $times:expr;)*) => { $(
        impl Ring for $t {
            const ZERO: $t = $zero;
            #[inline(always)]
            fn plus(self, other: $t) -> $t {
                $plus(self, other)
            }
            #[inline(always)]
            fn times(self, other: $t) -> $t {
                $times(self, other)
            }
        }
    )* };
}
rings! {
    bool: false, |x, y| x | y, |x, y| x & y;
    u8: 0, u8::wrapping_add, u8::wrapping_mul;
    u32: 0, u32::wrapping_add, u32::wrapping_mul;
    u64: 0, u64::wrapping_add, u64::wrapping_mul;
    i32: 0, i32::wrapping_add, i32::wrapping_mul;
    i64: 0, i64::wrapping_add, i64::wrapping_mul;
    f32: 0.0, |x, y| x + y, |x, y| x * y;
    f64: 0.0, |x, y| x + y, |x, y| x * y;
}

/// A floating-point type that matrices can be factored in: `f32` or `f64`.
pub trait Real:
    Ring
    + Vectors
    + Add<Output = Self>
    + Mul<Output = Self>
    + Sub<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + MulAssign
    + SubAssign
    + DivAssign
{
    /// Not a number.
    const NAN: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The number 1.
    const ONE: Self;
    /// The number 1/2.
    const HALF: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The square root.
    fn root(self) -> Self;
    /// The absolute value.
    fn magnitude(self) -> Self;
    /// Whether 1/self has as many digits as the type, and is finite.
    fn has_normal_reciprocal(self) -> bool;
}

macro_rules! reals {
    ($($t:ty)*) => { $(
        impl Real for $t {
            const NAN: $t = <$t>::NAN;
            const INFINITY: $t = <$t>::INFINITY;
            const ONE: $t = 1.0;
            const HALF: $t = 0.5;
            const EPSILON: $t = <$t>::EPSILON;
            #[inline(always)]
            fn root(self) -> $t {
                self.sqrt()
            }
            #[inline(always)]
            fn magnitude(self) -> $t {
                self.abs()
            }
            #[inline(always)]
            fn has_normal_reciprocal(self) -> bool {
                // The product of the largest number and the least normal one is a little less than 4.
                (<$t>::MIN_POSITIVE..=0.25 / <$t>::MIN_POSITIVE).contains(&self.abs())
            }
        }
    )* };
}
reals! { f32 f64 }
