//! Single elements of a type known at run time: indices and fill values.

use crate::{dtype::DType, graph::OutOfBounds, math::Slice};

/// The bytes of one element, in the machine's byte order; the first `dtype.size()` count.
pub(crate) type ElementBytes = [u8; 16];

/// The bytes of an element, padded.
pub(crate) fn bytes<const N: usize>(native: [u8; N]) -> ElementBytes {
    let mut out = [0; 16];
    out[..N].copy_from_slice(&native);
    out
}

/// What a read outside of the operand gives; `None` if the index is clamped instead.
pub(crate) fn outside(mode: OutOfBounds, dtype: DType) -> Option<ElementBytes> {
    match mode {
        OutOfBounds::Clip => None,
        OutOfBounds::Zero => Some([0; 16]),
        OutOfBounds::Fill => Some(match dtype {
            DType::Bool | DType::Float0 => [0; 16],
            DType::U8 => bytes(u8::MAX.to_ne_bytes()),
            DType::U32 => bytes(u32::MAX.to_ne_bytes()),
            DType::U64 => bytes(u64::MAX.to_ne_bytes()),
            DType::I32 => bytes(i32::MIN.to_ne_bytes()),
            DType::I64 => bytes(i64::MIN.to_ne_bytes()),
            DType::F32 => bytes(f32::NAN.to_ne_bytes()),
            DType::F64 => bytes(f64::NAN.to_ne_bytes()),
            DType::C64 => {
                let mut both = bytes(f32::NAN.to_ne_bytes());
                both.copy_within(0..4, 4);
                both
            }
            DType::C128 => {
                let mut both = bytes(f64::NAN.to_ne_bytes());
                both.copy_within(0..8, 8);
                both
            }
        }),
    }
}

/// A whole number as an element.
pub(crate) fn count(n: usize, dtype: DType) -> ElementBytes {
    match dtype {
        DType::Bool => bytes([(n != 0) as u8]),
        DType::U8 => bytes((n as u8).to_ne_bytes()),
        DType::U32 => bytes((n as u32).to_ne_bytes()),
        DType::U64 => bytes((n as u64).to_ne_bytes()),
        DType::I32 => bytes((n as i32).to_ne_bytes()),
        DType::I64 => bytes((n as i64).to_ne_bytes()),
        DType::F32 => bytes((n as f32).to_ne_bytes()),
        DType::F64 => bytes((n as f64).to_ne_bytes()),
        DType::C64 | DType::C128 | DType::Float0 => [0; 16],
    }
}

/// Element `i` of an integer slice as an index; those beyond `i64` become its largest value.
///
/// # Panics
/// If the elements are not integers.
pub(crate) fn index_at(indices: Slice<'_>, i: usize) -> i64 {
    match indices {
        Slice::U8(s) => i64::from(s[i]),
        Slice::U32(s) => i64::from(s[i]),
        Slice::U64(s) => s[i].min(i64::MAX as u64) as i64,
        Slice::I32(s) => i64::from(s[i]),
        Slice::I64(s) => s[i],
        Slice::Bool(_) | Slice::F32(_) | Slice::F64(_) => panic!("indices of type {}", indices.dtype()),
    }
}
