//! Conversion between element types: floats to integers truncate and saturate, integers wrap, `bool` is `!= 0`.

use super::{
    loops::{Loop, Unary, unary_plain},
    slice::Scalar,
};
use crate::dtype::DType;
use std::marker::PhantomData;

struct To<T>(PhantomData<T>);

macro_rules! casts {
    ($($from:ty: [$($to:ty)*])*) => { $($(
        impl Unary<$from> for To<$to> {
            type Out = $to;
            #[inline(always)]
            fn at(x: $from) -> $to {
                x as $to
            }
        }
    )*)* };
}
macro_rules! numbers {
    ($($from:ty)*) => {
        casts! { $($from: [u8 u32 u64 i32 i64 f32 f64])* }
        $(
            impl Unary<$from> for To<bool> {
                type Out = bool;
                #[inline(always)]
                fn at(x: $from) -> bool {
                    x != 0 as $from
                }
            }
            impl Unary<bool> for To<$from> {
                type Out = $from;
                #[inline(always)]
                fn at(x: bool) -> $from {
                    u8::from(x) as $from
                }
            }
        )*
    };
}
numbers! { u8 u32 u64 i32 i64 f32 f64 }

impl Unary<bool> for To<bool> {
    type Out = bool;
    #[inline(always)]
    fn at(x: bool) -> bool {
        x
    }
}

/// The loop of a conversion; `None` for types without arithmetic.
pub(super) fn cast(from: DType, to: DType) -> Option<Loop> {
    match from {
        DType::Bool => cast_from::<bool>(to),
        DType::U8 => cast_from::<u8>(to),
        DType::U32 => cast_from::<u32>(to),
        DType::U64 => cast_from::<u64>(to),
        DType::I32 => cast_from::<i32>(to),
        DType::I64 => cast_from::<i64>(to),
        DType::F32 => cast_from::<f32>(to),
        DType::F64 => cast_from::<f64>(to),
        DType::C64 | DType::C128 | DType::Float0 => None,
    }
}

fn cast_from<A: Scalar>(to: DType) -> Option<Loop>
where
    To<bool>: Unary<A>,
    To<u8>: Unary<A>,
    To<u32>: Unary<A>,
    To<u64>: Unary<A>,
    To<i32>: Unary<A>,
    To<i64>: Unary<A>,
    To<f32>: Unary<A>,
    To<f64>: Unary<A>,
{
    match to {
        DType::Bool => Some(unary_plain::<To<bool>, A>()),
        DType::U8 => Some(unary_plain::<To<u8>, A>()),
        DType::U32 => Some(unary_plain::<To<u32>, A>()),
        DType::U64 => Some(unary_plain::<To<u64>, A>()),
        DType::I32 => Some(unary_plain::<To<i32>, A>()),
        DType::I64 => Some(unary_plain::<To<i64>, A>()),
        DType::F32 => Some(unary_plain::<To<f32>, A>()),
        DType::F64 => Some(unary_plain::<To<f64>, A>()),
        DType::C64 | DType::C128 | DType::Float0 => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        math::{Scalar, apply},
        scalar::ScalarOp,
    };

    #[track_caller]
    fn check<A: Scalar, R: Scalar>(x: A, expected: R) {
        let mut out = [R::default(); 3];
        apply(ScalarOp::Cast(R::DTYPE), &[A::wrap(&[x])], R::wrap_mut(&mut out));
        assert!(out == [expected; 3], "{x:?} cast: got {out:?}, expected {expected:?}");
    }

    #[test]
    fn corners() {
        check(f64::NAN, 0i32);
        check(f64::INFINITY, i64::MAX);
        check(-3.9f64, -3i32);
        check(-1.0f32, 0u8);
        check(300.0f32, 255u8);
        check(-1i32, u64::MAX);
        check(257i64, 1u8);
        check(f32::NAN, true);
        check(-0.0f64, false);
        check(true, 1.0f32);
        check(u64::MAX, 18446744073709551616.0f64);
        check(1e300f64, f32::INFINITY);
        check(true, true);
    }
}
