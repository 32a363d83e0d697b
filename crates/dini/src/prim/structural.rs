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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{prim::Prim, shape::Shape};

    const HUGE: usize = usize::MAX;

    /// What `infer` says of wrong parameters and operands.
    #[track_caller]
    fn refuses(prim: impl Into<Prim>, avals: &[(DType, &[usize])], expected: &str) {
        let avals: Vec<Aval> = avals.iter().map(|(dtype, shape)| Aval::new(*dtype, shape)).collect();
        let prim = prim.into();
        let error = prim.infer(&avals).expect_err("the operands are wrong").to_string();
        assert!(error.contains(expected), "{error}");
        // No number of operands makes it panic.
        let _ = prim.infer(&[]);
        let _ = prim.infer(&[&avals[..], &avals[..]].concat());
    }

    const F: DType = DType::F64;

    #[test]
    fn wrong_broadcasts_are_refused() {
        let to = |shape: &[usize], dims: &[usize]| broadcast::Broadcast {
            shape: Shape::from_slice(shape),
            dims: dims.to_vec(),
        };
        refuses(to(&[3], &[]), &[(F, &[3])], "0 result axes for f64[3], expected 1");
        refuses(to(&[3, 3], &[1, 0]), &[(F, &[3, 3])], "not strictly ascending");
        refuses(to(&[3], &[1]), &[(F, &[3])], "axis 1 is out of range");
        refuses(to(&[3], &[0]), &[(F, &[1])], "axis 0 of f64[1] has extent 1");
        refuses(to(&[HUGE, HUGE], &[]), &[(F, &[])], "does not fit the address space");
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let to = |shape: &[usize]| reshape::Reshape { shape: Shape::from_slice(shape) };
        refuses(to(&[4]), &[(F, &[3])], "f64[3] has 3 elements, shape [4] has 4");
        refuses(to(&[HUGE, 2, 0]), &[(F, &[0])], "does not fit the address space");
        refuses(permute::Transpose { order: vec![0, 0] }, &[(F, &[2, 2])], "not a permutation");
        refuses(permute::Transpose { order: vec![] }, &[(F, &[2])], "not a permutation");
        refuses(reverse::Reverse { axes: vec![1] }, &[(F, &[2])], "axis 1 is out of range");
        refuses(reverse::Reverse { axes: vec![0, 0] }, &[(F, &[2])], "not strictly ascending");
    }

    #[test]
    fn wrong_slices_are_refused() {
        let part = |start, limit, stride| slice::Slice { start: vec![start], limit: vec![limit], stride: vec![stride] };
        refuses(part(2, 1, 1), &[(F, &[3])], "ends before it starts");
        refuses(part(0, 4, 1), &[(F, &[3])], "leaves its extent 3");
        refuses(part(0, 3, 0), &[(F, &[3])], "stride 0");
        refuses(part(0, 3, HUGE), &[(F, &[3])], "too large");
        refuses(part(0, 3, 1), &[(F, &[3, 3])], "expected 2 each");
    }

    #[test]
    fn wrong_paddings_are_refused() {
        let by = |lo, hi, interior| pad::Pad { lo: vec![lo], hi: vec![hi], interior: vec![interior] };
        refuses(by(-2, -2, 0), &[(F, &[3]), (F, &[])], "crops more than axis 0");
        refuses(by(isize::MAX, isize::MAX, HUGE), &[(F, &[3]), (F, &[])], "too large");
        refuses(by(isize::MIN, isize::MAX, 0), &[(F, &[3]), (F, &[])], "too large");
        refuses(by(0, 0, 0), &[(F, &[3]), (F, &[1])], "expected a scalar");
        refuses(by(0, 0, 0), &[(F, &[3]), (DType::F32, &[])], "the fill f32");
        refuses(by(0, 0, 0), &[(F, &[]), (F, &[])], "1 paddings for f64[], expected 0");
    }

    #[test]
    fn wrong_lists_are_refused() {
        let along = |axis| concatenate::Concatenate { axis };
        refuses(along(0), &[(F, &[])], "axis 0 is out of range for f64[]");
        refuses(along(0), &[(F, &[2]), (DType::I32, &[2])], "operand 1 has i32");
        refuses(along(0), &[(F, &[2, 2]), (F, &[2, 3])], "differ apart from axis 0");
        refuses(along(0), &[(F, &[2]), (F, &[2, 3])], "differ apart from axis 0");
        let none = Prim::from(along(0)).infer(&[]).expect_err("nothing to join").to_string();
        assert!(none.contains("at least one array"), "{none}");
    }

    #[test]
    fn counts_must_fit_their_type() {
        let count =
            |dtype, n| Prim::from(iota::Iota { dtype, shape: Shape::from_slice(&[n]), axis: 0 }).infer(&[]).map(|_| ());
        assert!(count(DType::U8, 256).is_ok());
        assert!(count(DType::U8, 257).is_err_and(|e| e.to_string().contains("u8 cannot count to 256")));
        assert!(count(DType::Bool, 2).is_err());
        assert!(count(DType::I32, 0).is_ok());
    }
}
