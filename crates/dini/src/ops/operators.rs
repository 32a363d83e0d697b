//! Rust's operators on arrays: NumPy broadcasting; scalars adapt to the array's element type.
//!
//! Scalars are `f64`, `i64` and `bool` only: with one type per kind of literal `(x * 2.0).sin()` needs no annotation.

use super::elementwise::{binary, named};
use crate::{
    array::{Array, Scalar},
    prim::{
        Prim,
        elementwise::{
            arithmetic::{Add, Div, Mul, Neg, Rem, Sub},
            logic::{And, Not, Or, Shl, Shr, Xor},
        },
    },
    trace::{bind1, here},
};
use std::ops;

/// `array op scalar` or `scalar op array`.
#[track_caller]
fn with_scalar(prim: impl Into<Prim>, array: &Array, scalar: Scalar, scalar_first: bool) -> Array {
    let prim = prim.into();
    let dtype = match array.try_aval() {
        Ok(aval) => aval.dtype,
        Err(e) => return Array::poison(e),
    };
    let scalar = named(prim.name(), array, scalar.array(dtype, here()));
    if scalar.as_poison().is_some() {
        return scalar;
    }
    if scalar_first { bind1(prim, &[scalar, array.clone()]) } else { bind1(prim, &[array.clone(), scalar]) }
}

macro_rules! operators {
    ($($trait:ident $method:ident $prim:expr, [$($scalar:ty),*];)*) => { $(
        operators!(@arrays $trait $method $prim, Array, Array; Array, &Array; &Array, Array; &Array, &Array);
        $(
            impl ops::$trait<$scalar> for Array {
                type Output = Array;
                #[track_caller]
                fn $method(self, rhs: $scalar) -> Array {
                    with_scalar($prim, &self, Scalar::from(rhs), false)
                }
            }
            impl ops::$trait<$scalar> for &Array {
                type Output = Array;
                #[track_caller]
                fn $method(self, rhs: $scalar) -> Array {
                    with_scalar($prim, self, Scalar::from(rhs), false)
                }
            }
            impl ops::$trait<Array> for $scalar {
                type Output = Array;
                #[track_caller]
                fn $method(self, rhs: Array) -> Array {
                    with_scalar($prim, &rhs, Scalar::from(self), true)
                }
            }
            impl ops::$trait<&Array> for $scalar {
                type Output = Array;
                #[track_caller]
                fn $method(self, rhs: &Array) -> Array {
                    with_scalar($prim, rhs, Scalar::from(self), true)
                }
            }
        )*
    )* };
    (@arrays $trait:ident $method:ident $prim:expr, $($lhs:ty, $rhs:ty);*) => { $(
        impl ops::$trait<$rhs> for $lhs {
            type Output = Array;
            #[track_caller]
            fn $method(self, rhs: $rhs) -> Array {
                binary($prim, &self, &rhs)
            }
        }
    )* };
}

operators! {
    Add add Add, [f64, i64];
    Sub sub Sub, [f64, i64];
    Mul mul Mul, [f64, i64];
    Div div Div, [f64, i64];
    Rem rem Rem, [f64, i64];
    BitAnd bitand And, [bool, i64];
    BitOr bitor Or, [bool, i64];
    BitXor bitxor Xor, [bool, i64];
    Shl shl Shl, [i64];
    Shr shr Shr, [i64];
}

macro_rules! assign {
    ($($trait:ident $method:ident $op:ident $op_method:ident;)*) => { $(
        impl<T> ops::$trait<T> for Array
        where
            for<'a> &'a Array: ops::$op<T, Output = Array>,
        {
            #[track_caller]
            fn $method(&mut self, rhs: T) {
                *self = ops::$op::$op_method(&*self, rhs);
            }
        }
    )* };
}

assign! {
    AddAssign add_assign Add add;
    SubAssign sub_assign Sub sub;
    MulAssign mul_assign Mul mul;
    DivAssign div_assign Div div;
}

impl ops::Neg for Array {
    type Output = Array;
    #[track_caller]
    fn neg(self) -> Array {
        bind1(Neg, &[self])
    }
}

impl ops::Neg for &Array {
    type Output = Array;
    #[track_caller]
    fn neg(self) -> Array {
        bind1(Neg, std::slice::from_ref(self))
    }
}

impl ops::Not for Array {
    type Output = Array;
    #[track_caller]
    fn not(self) -> Array {
        bind1(Not, &[self])
    }
}

impl ops::Not for &Array {
    type Output = Array;
    #[track_caller]
    fn not(self) -> Array {
        bind1(Not, std::slice::from_ref(self))
    }
}
