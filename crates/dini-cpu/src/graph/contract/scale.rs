//! Constant factors and divisors that follow one another, as one.

use crate::{buffer::Buffer, dtype::DType};
use std::sync::Arc;

/// A value is multiplied by one constant and divided by another, each rounded to the type of the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    times: f64,
    over: f64,
}

/// The element of a buffer of one floating-point number.
pub(super) fn constant(buffer: &Buffer) -> Option<f64> {
    match buffer.dtype() {
        DType::F32 => Some(buffer.as_slice::<f32>()[0].into()),
        DType::F64 => Some(buffer.as_slice::<f64>()[0]),
        _ => None,
    }
}

/// A product or a quotient of two numbers of a type, rounded to it. (Of f32 the product is exact in f64, and the
/// quotient has more than twice as many bits: it is rounded twice as if once.)
fn rounded(x: f64, dtype: DType) -> f64 {
    if dtype == DType::F32 { (x as f32).into() } else { x }
}

impl Scale {
    pub fn times(by: f64, dtype: DType) -> Option<Scale> {
        Scale { times: by, over: 1.0 }.checked(dtype)
    }

    pub fn over(by: f64, dtype: DType) -> Option<Scale> {
        Scale { times: 1.0, over: by }.checked(dtype)
    }

    /// One scale after the other.
    pub fn then(self, other: Scale, dtype: DType) -> Option<Scale> {
        let [times, over] = [self.times * other.times, self.over * other.over].map(|x| rounded(x, dtype));
        Scale { times, over }.checked(dtype)
    }

    /// The scale, if none of its numbers loses bits beyond the rounding, at the ends of the type's range.
    fn checked(self, dtype: DType) -> Option<Scale> {
        let is_normal = |x: f64| if dtype == DType::F32 { (x as f32).is_normal() } else { x.is_normal() };
        [self.times, self.over, self.as_factor(dtype)].into_iter().all(is_normal).then_some(self)
    }

    pub fn negative(self) -> Scale {
        Scale { times: -self.times, ..self }
    }

    fn as_factor(self, dtype: DType) -> f64 {
        rounded(self.times / self.over, dtype)
    }

    /// The whole as one factor.
    pub fn factor(self, dtype: DType) -> Arc<Buffer> {
        let factor = self.as_factor(dtype);
        Arc::new(if dtype == DType::F32 { Buffer::scalar(factor as f32) } else { Buffer::scalar(factor) })
    }
}
