//! Random elements.

use super::choices::{Choices, SplitMix};
use crate::{
    buffer::Buffer,
    dtype::DType::{self, Bool, F32, F64, I32, I64, U8, U32, U64},
    graph::TensorType,
    math::SliceMut,
};

/// Which numbers a graph computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Small whole numbers, with operations whose results are exact: their order does not matter.
    Whole,
    /// Any bits, with any operation.
    Any,
}

impl Numbers {
    pub fn dtypes(self) -> &'static [DType] {
        match self {
            Numbers::Whole => &[F64, F64, F32, I32, U8, Bool],
            Numbers::Any => &[F64, F64, F64, F32, F32, I32, I64, Bool, U8, U32, U64],
        }
    }
}

/// Random elements; the simplest are 0, 1, 2, ….
pub(crate) fn elements(t: &TensorType, numbers: Numbers, choices: &mut Choices) -> Buffer {
    let mut out = Buffer::zeros(t.dtype, t.len());
    let seed = choices.below(1 << 16);
    let mut stream = SplitMix::new(seed as u64);
    macro_rules! fill {
        ($out:expr, $whole:expr, $any:expr) => {
            for (i, x) in $out.iter_mut().enumerate() {
                *x = match numbers {
                    _ if seed == 0 => $whole(i % 9),
                    Numbers::Whole => $whole(stream.below(9)),
                    Numbers::Any => $any(&mut stream),
                }
            }
        };
    }
    /// A corner of the type, a small number, or any bits.
    macro_rules! integer {
        ($out:expr, $t:ty) => {
            fill!($out, |k| k as $t, |stream: &mut SplitMix| match stream.below(8) {
                0 => *[<$t>::MIN, <$t>::MAX, 0, 1].get(stream.below(4)).unwrap_or(&0),
                1 => stream.bits() as $t,
                _ => (stream.below(23) as i8 - 7) as $t,
            })
        };
    }
    macro_rules! float {
        ($out:expr, $t:ty) => {
            fill!($out, |k| k as $t - 4.0, |stream: &mut SplitMix| match stream.below(16) {
                0 => {
                    let corners = [0.0, -0.0, 1.0, -1.0, 0.5, 1e30, <$t>::NAN, <$t>::INFINITY, <$t>::NEG_INFINITY];
                    corners[stream.below(corners.len())]
                }
                1 => <$t>::from_bits(stream.bits() as _),
                2 => (stream.below(19) as $t - 9.0) * 0.5,
                3 => (stream.signed() * 1e4) as $t,
                _ => (stream.signed() * 3.0) as $t,
            })
        };
    }
    match out.elements_mut() {
        SliceMut::Bool(out) => fill!(out, |k| k % 2 == 1, |stream: &mut SplitMix| stream.below(2) == 1),
        SliceMut::U8(out) => integer!(out, u8),
        SliceMut::U32(out) => integer!(out, u32),
        SliceMut::U64(out) => integer!(out, u64),
        SliceMut::I32(out) => integer!(out, i32),
        SliceMut::I64(out) => integer!(out, i64),
        SliceMut::F32(out) => float!(out, f32),
        SliceMut::F64(out) => float!(out, f64),
    }
    out
}
