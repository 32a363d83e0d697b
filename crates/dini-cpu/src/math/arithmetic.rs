//! Arithmetic, comparison and bit operations, element by element: one empty type per operation, implementing
//! [`Unary`], [`Binary`] or [`Ternary`] for the types that it admits. Integers wrap; nothing panics.

use super::{
    loops::{Binary, Product, Ternary, Unary},
    slice::Scalar,
};

macro_rules! unary {
    ($($name:ident { $([$($t:ty)*] -> $out:ident |$x:ident| $e:expr;)* })*) => { $(
        pub(super) struct $name;
        $($(impl Unary<$t> for $name {
            type Out = unary!(@out $out $t);
            #[inline(always)]
            fn at($x: $t) -> Self::Out { $e }
        })*)*
    )* };
    (@out same $t:ty) => { $t };
    (@out bool $t:ty) => { bool };
}

macro_rules! binary {
    ($($name:ident { $([$($t:ty)*] |$x:ident, $y:ident| $e:expr;)* })*) => { $(
        pub(super) struct $name;
        $($(impl Binary<$t> for $name {
            type Out = $t;
            #[inline(always)]
            fn at($x: $t, $y: $t) -> $t { $e }
        })*)*
    )* };
}

macro_rules! comparisons {
    ($($name:ident $op:tt;)*) => { $(
        pub(super) struct $name;
        comparisons! { @impls $name $op bool u8 u32 u64 i32 i64 f32 f64 }
    )* };
    (@impls $name:ident $op:tt $($t:ty)*) => {
        $(impl Binary<$t> for $name {
            type Out = bool;
            #[inline(always)]
            fn at(x: $t, y: $t) -> bool { x $op y }
        })*
    };
}

unary! {
    Neg {
        [f32 f64] -> same |x| -x;
        [u8 u32 u64 i32 i64] -> same |x| x.wrapping_neg();
    }
    Abs {
        [f32 f64] -> same |x| x.abs();
        [u8 u32 u64] -> same |x| x;
        [i32 i64] -> same |x| x.wrapping_abs();
    }
    Sign {
        // Zeros and NaN go through, sign and all.
        [f32 f64] -> same |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x };
        [i32 i64] -> same |x| x.signum();
        [u8 u32 u64] -> same |x| x.min(1);
    }
    Floor { [f32 f64] -> same |x| x.floor(); }
    Ceil { [f32 f64] -> same |x| x.ceil(); }
    Round { [f32 f64] -> same |x| x.round_ties_even(); }
    Sqrt { [f32 f64] -> same |x| x.sqrt(); }
    IsFinite { [f32 f64] -> bool |x| x.is_finite(); }
    Not {
        [u8 u32 u64 i32 i64] -> same |x| !x;
        [bool] -> same |x| !x;
    }
}

binary! {
    Add {
        [f32 f64] |x, y| x + y;
        [u8 u32 u64 i32 i64] |x, y| x.wrapping_add(y);
        [bool] |x, y| x | y;
    }
    Sub {
        [f32 f64] |x, y| x - y;
        [u8 u32 u64 i32 i64] |x, y| x.wrapping_sub(y);
    }
    Mul {
        [f32 f64] |x, y| x * y;
        [u8 u32 u64 i32 i64] |x, y| x.wrapping_mul(y);
        [bool] |x, y| x & y;
    }
    Div {
        [f32 f64] |x, y| x / y;
        [u8 u32 u64 i32 i64] |x, y| if y == 0 { !0 } else { x.wrapping_div(y) };
    }
    Rem {
        [u8 u32 u64 i32 i64] |x, y| if y == 0 { x } else { x.wrapping_rem(y) };
    }
    // The larger of +0 and −0 is +0: equal operands differ in their sign bit at most. The sum carries a NaN.
    Max {
        [f32 f64] |x, y| if x > y {
            x
        } else if y > x {
            y
        } else if x == y {
            if x.is_sign_negative() { y } else { x }
        } else {
            x + y
        };
        [u8 u32 u64 i32 i64] |x, y| x.max(y);
        [bool] |x, y| x | y;
    }
    Min {
        [f32 f64] |x, y| if x < y {
            x
        } else if y < x {
            y
        } else if x == y {
            if x.is_sign_negative() { x } else { y }
        } else {
            x + y
        };
        [u8 u32 u64 i32 i64] |x, y| x.min(y);
        [bool] |x, y| x & y;
    }
    And { [u8 u32 u64 i32 i64 bool] |x, y| x & y; }
    Or { [u8 u32 u64 i32 i64 bool] |x, y| x | y; }
    Xor { [u8 u32 u64 i32 i64 bool] |x, y| x ^ y; }
    // A negative amount is a large one once its sign is read as a bit.
    Shl {
        [u8] |x, y| if y < 8 { x << y } else { 0 };
        [u32] |x, y| if y < 32 { x << y } else { 0 };
        [u64] |x, y| if y < 64 { x << y } else { 0 };
        [i32] |x, y| if (y as u32) < 32 { x << y } else { 0 };
        [i64] |x, y| if (y as u64) < 64 { x << y } else { 0 };
    }
    Shr {
        [u8] |x, y| if y < 8 { x >> y } else { 0 };
        [u32] |x, y| if y < 32 { x >> y } else { 0 };
        [u64] |x, y| if y < 64 { x >> y } else { 0 };
        [i32] |x, y| x >> (y as u32).min(31);
        [i64] |x, y| x >> (y as u64).min(63);
    }
}

comparisons! {
    Eq ==;
    Ne !=;
    Lt <;
    Le <=;
    Gt >;
    Ge >=;
}

/// min(max(x, low), high)
pub(super) struct Clamp;

impl<A: Scalar> Ternary<A> for Clamp
where
    Max: Binary<A, Out = A>,
    Min: Binary<A, Out = A>,
{
    #[inline(always)]
    fn at(low: A, x: A, high: A) -> A {
        Min::at(Max::at(x, low), high)
    }
}

/// x·y + z, rounded once.
pub(super) struct MulAdd;

impl Ternary<f32> for MulAdd {
    #[inline(always)]
    fn at(x: f32, y: f32, z: f32) -> f32 {
        x.mul_add(y, z)
    }
}

impl Ternary<f64> for MulAdd {
    #[inline(always)]
    fn at(x: f64, y: f64, z: f64) -> f64 {
        x.mul_add(y, z)
    }
}

macro_rules! products {
    ($($t:ty: $times:expr, $reciprocal:expr;)*) => { $(
        impl Product for $t {
            const ONE: $t = 1 as $t;
            #[inline(always)]
            fn times(self, other: $t) -> $t {
                $times(self, other)
            }
            #[inline(always)]
            fn reciprocal(self) -> $t {
                $reciprocal(self)
            }
        }
    )* };
}
// `kernel` admits no negative power of integers, so their reciprocal is never asked.
products! {
    f32: |x: f32, y: f32| x * y, |x: f32| 1.0 / x;
    f64: |x: f64, y: f64| x * y, |x: f64| 1.0 / x;
    u8: u8::wrapping_mul, |x| x;
    u32: u32::wrapping_mul, |x| x;
    u64: u64::wrapping_mul, |x| x;
    i32: i32::wrapping_mul, |x| x;
    i64: i64::wrapping_mul, |x| x;
}

#[cfg(test)]
mod tests {
    use crate::{
        math::{Scalar, apply},
        scalar::ScalarOp,
    };

    #[track_caller]
    fn check<A: Scalar, R: Scalar>(op: ScalarOp, x: A, y: A, expected: R) {
        let mut out = [R::default()];
        apply(op, &[A::wrap(&[x]), A::wrap(&[y])], R::wrap_mut(&mut out));
        assert!(out[0] == expected, "{op:?} of {x:?} and {y:?}: got {:?}, expected {expected:?}", out[0]);
    }

    #[test]
    fn integer_corners() {
        check(ScalarOp::Div, 7i32, -2, -3i32);
        check(ScalarOp::Div, 7i32, 0, -1i32);
        check(ScalarOp::Div, 7u8, 0, 255u8);
        check(ScalarOp::Div, i64::MIN, -1, i64::MIN);
        check(ScalarOp::Rem, -7i32, 2, -1i32);
        check(ScalarOp::Rem, -7i32, 0, -7i32);
        check(ScalarOp::Rem, i32::MIN, -1, 0i32);
        check(ScalarOp::Add, 250u8, 10, 4u8);
        check(ScalarOp::Sub, 0u64, 1, u64::MAX);
        check(ScalarOp::Mul, i32::MIN, -1, i32::MIN);
        check(ScalarOp::Shl, 1i32, -1, 0i32);
        check(ScalarOp::Shl, 1i32, 31, i32::MIN);
        check(ScalarOp::Shl, 1i32, 32, 0i32);
        check(ScalarOp::Shr, -8i64, 1, -4i64);
        check(ScalarOp::Shr, -8i64, 64, -1i64);
        check(ScalarOp::Shr, -8i64, -1, -1i64);
        check(ScalarOp::Shr, 8u8, 200, 0u8);
    }

    #[test]
    fn booleans_are_a_lattice() {
        for (x, y) in [(false, false), (false, true), (true, false), (true, true)] {
            check(ScalarOp::Add, x, y, x | y);
            check(ScalarOp::Mul, x, y, x & y);
            check(ScalarOp::Max, x, y, x | y);
            check(ScalarOp::Min, x, y, x & y);
            check(ScalarOp::Xor, x, y, x ^ y);
            check(ScalarOp::Lt, x, y, !x & y);
            check(ScalarOp::Ge, x, y, x | !y);
        }
    }

    #[test]
    fn extrema_of_floats() {
        let bits = |op, x: f64, y: f64| {
            let mut out = [0.0];
            apply(op, &[f64::wrap(&[x]), f64::wrap(&[y])], f64::wrap_mut(&mut out));
            out[0]
        };
        assert!(bits(ScalarOp::Max, -0.0, 0.0).is_sign_positive());
        assert!(bits(ScalarOp::Max, 0.0, -0.0).is_sign_positive());
        assert!(bits(ScalarOp::Min, 0.0, -0.0).is_sign_negative());
        assert!(bits(ScalarOp::Max, f64::NAN, 1.0).is_nan());
        assert!(bits(ScalarOp::Min, 1.0, f64::NAN).is_nan());
        assert_eq!(bits(ScalarOp::Max, f64::INFINITY, f64::INFINITY), f64::INFINITY);
        assert_eq!(bits(ScalarOp::Min, f64::NEG_INFINITY, 3.0), f64::NEG_INFINITY);
    }
}
