//! Structural primitives: they move, repeat, join or drop elements and compute nothing with them.
//!
//! All are linear in what they move, so one derivative rule serves them (`Jvp::Linear`); what differs is the transpose.
//! Parameters name axes by normalized positions; negative axes end at the user functions in `ops/`.

pub(crate) mod broadcast;
pub(crate) mod concatenate;
pub(crate) mod iota;
pub(crate) mod pad;
pub(crate) mod permute;
pub(crate) mod reshape;
pub(crate) mod reverse;
pub(crate) mod slice;

use crate::{
    error::{Error, ErrorKind, Result},
    shape::Aval,
};
use dini_cpu::dtype::DType;

/// The operand of a primitive that takes one.
pub(crate) fn only_operand(avals: &[Aval]) -> Result<&Aval> {
    match avals {
        [x] => Ok(x),
        _ => Err(Error::new(ErrorKind::Structure, format!("takes one operand, got {}", avals.len()))),
    }
}

/// Refuses shapes whose elements (those along empty axes aside) an address could not count.
pub(crate) fn check_extents(shape: &[usize]) -> Result<()> {
    let mut size: usize = 1;
    for &n in shape {
        size = size.checked_mul(n.max(1)).filter(|&size| size <= isize::MAX as usize / 16).ok_or_else(|| {
            Error::new(ErrorKind::Shape, format!("an array of shape {shape:?} does not fit the address space"))
        })?;
    }
    Ok(())
}

/// Refuses axes that are not strictly ascending or not below `ndim`.
pub(crate) fn check_axes(axes: &[usize], ndim: usize) -> Result<()> {
    if let Some(axis) = axes.iter().find(|&&axis| axis >= ndim) {
        return Err(Error::new(ErrorKind::Index, format!("axis {axis} is out of range for {ndim} axes")));
    }
    if !axes.is_sorted_by(|a, b| a < b) {
        return Err(Error::new(ErrorKind::Index, format!("axes {axes:?} are not strictly ascending")));
    }
    Ok(())
}

/// Whether an integer type holds every index below `n`; floating-point types count as far as anyone does.
pub(crate) fn holds_index(dtype: DType, n: usize) -> bool {
    let largest = n.saturating_sub(1) as u64;
    match dtype {
        DType::U8 => u8::try_from(largest).is_ok(),
        DType::U32 => u32::try_from(largest).is_ok(),
        DType::I32 => i32::try_from(largest).is_ok(),
        DType::I64 => i64::try_from(largest).is_ok(),
        DType::U64 => true,
        other => other.is_float(),
    }
}

/// Where an axis of one lane stands in an array that has its lanes on axis `lanes`.
pub(crate) fn beside(axis: usize, lanes: usize) -> usize {
    axis + usize::from(axis >= lanes)
}
