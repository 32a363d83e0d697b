//! Making arrays, changing their shape, joining and taking them apart.
//!
//! The functions in this file are thin over the primitives and take normalized axes: rules and other operations use them.
//! What users call is in the files below: negative axes, NumPy broadcasting, static indices.
//!
//! Invariant: nothing here panics. A wrong argument gives a poisoned array with the caller's line.

mod construct;
mod index;
mod join;
mod layout;
#[cfg(test)]
mod tests;

pub use construct::{full_like, ones_like, zeros_like};
pub use index::{Indices, NewAxis, Pick};
pub use join::{concatenate, stack};
pub use layout::broadcast_to;

use crate::{
    array::{Array, Origin, Scalar},
    error::{Error, ErrorKind, Loc, Result},
    prim::structural::{
        broadcast::Broadcast, concatenate::Concatenate, pad::Pad, permute::Transpose, reshape::Reshape,
        reverse::Reverse, slice::Slice,
    },
    shape::{Aval, Shape, normalize_axis},
    trace::{self, bind1, here, recorder::blame},
};
use dini_cpu::{buffer::Buffer, dtype::DType};
use std::sync::Arc;

/// Runs the body of a composed operation, every part of it attributed to the caller's line; a failure becomes the
/// result's poison and names the operation and where its operands come from.
#[track_caller]
pub(crate) fn attempt(op: &str, operands: &[&Array], body: impl FnOnce() -> Result<Array>) -> Array {
    let at = here();
    // A part whose shape is asked for may be poisoned: by types that nothing checked before, or for want of memory.
    let result = trace::with_location(at, || {
        trace::unpoisoned(|| {
            let result = body()?;
            result.check()?;
            Ok(result)
        })
    });
    whole(result, op, operands, at).unwrap_or_else(Array::poison)
}

/// An empty list with room for `n` arrays.
fn room_for(n: usize) -> Result<Vec<Array>> {
    let mut room = Vec::new();
    match room.try_reserve_exact(n) {
        Ok(()) => Ok(room),
        Err(_) => Err(Error::new(ErrorKind::OutOfMemory, format!("there is no memory for {n} arrays"))),
    }
}

/// A failure of the operation as a whole: that of a part of it, at its line, is its own. An operand's failure stays what
/// it is.
fn whole<T>(result: Result<T>, op: &str, operands: &[&Array], at: Loc) -> Result<T> {
    result.map_err(|e| {
        let is_of_part =
            e.location() == Some(at) && !operands.iter().any(|x| x.as_poison().is_some_and(|own| own.same(&e)));
        match is_of_part {
            true => e.of_whole(op, operands.iter().map(|x| x.provenance())),
            false => blame(e, op, operands.iter().copied(), at),
        }
    })
}

/// Like [`attempt`] for a known number of results, each of which carries the error.
#[track_caller]
pub(crate) fn attempt_many(
    op: &str,
    n: usize,
    operands: &[&Array],
    body: impl FnOnce() -> Result<Vec<Array>>,
) -> Vec<Array> {
    let at = here();
    let results = trace::with_location(at, || {
        trace::unpoisoned(|| {
            let results = body()?;
            results.iter().try_for_each(|x| x.check().map(|_| ()))?;
            Ok(results)
        })
    });
    whole(results, op, operands, at).unwrap_or_else(|e| {
        // More than memory holds are one.
        let (mut failed, n) = room_for(n).map_or((Vec::new(), 1), |room| (room, n));
        failed.resize(n, Array::poison(e));
        failed
    })
}

/// Axes counted from either end as ascending ones below `ndim`.
pub(crate) fn normalize_axes(axes: &[isize], ndim: usize) -> Result<Vec<usize>> {
    let mut normalized = axes.iter().map(|&axis| normalize_axis(axis, ndim)).collect::<Result<Vec<_>>>()?;
    normalized.sort_unstable();
    match normalized.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::new(ErrorKind::Index, format!("axis {} is named twice in {axes:?}", pair[0]))),
        None => Ok(normalized),
    }
}

/// Repeats `x` along new axes: axis k of `x` becomes axis `dims[k]` of the result, whose shape is `shape`. Extents do
/// not change, see [`broadcast_to`] for NumPy's rules.
///
/// `dims` ascends; an error otherwise, and where extents differ.
#[track_caller]
pub fn broadcast_in_dim(x: &Array, shape: &[usize], dims: &[usize]) -> Array {
    if x.try_shape().is_ok_and(|own| own == shape) && dims.iter().copied().eq(0..shape.len()) {
        return x.clone();
    }
    bind1(Broadcast { shape: Shape::from_slice(shape), dims: dims.to_vec() }, std::slice::from_ref(x))
}

/// Repeats a scalar to the shape of `like`; an array of that shape stays as it is.
#[track_caller]
pub fn broadcast_like(x: &Array, like: &Array) -> Array {
    match (x.try_aval(), like.try_aval()) {
        (Ok(own), Ok(like)) if own.shape == like.shape => x.clone(),
        (Ok(_), Ok(like)) => broadcast_in_dim(x, &like.shape, &[]),
        (Err(e), _) | (_, Err(e)) => Array::poison(e),
    }
}

/// Axis k of the result is axis `order[k]` of `x`; an error if `order` is not a permutation.
#[track_caller]
pub fn permute(x: &Array, order: &[usize]) -> Array {
    if x.try_aval().is_ok_and(|aval| order.iter().copied().eq(0..aval.ndim())) {
        return x.clone();
    }
    bind1(Transpose { order: order.to_vec() }, std::slice::from_ref(x))
}

/// The elements in row-major order under another shape; an error if their number differs.
#[track_caller]
pub fn reshape(x: &Array, shape: &[usize]) -> Array {
    if x.try_shape().is_ok_and(|own| own == shape) {
        return x.clone();
    }
    bind1(Reshape { shape: Shape::from_slice(shape) }, std::slice::from_ref(x))
}

/// Reverses the order of elements along each of the axes, which ascend.
#[track_caller]
pub fn reverse(x: &Array, axes: &[usize]) -> Array {
    if axes.is_empty() {
        return x.clone();
    }
    bind1(Reverse { axes: axes.to_vec() }, std::slice::from_ref(x))
}

/// The elements at `start + i · stride` below `limit` along each axis.
///
/// An error if the lists do not have one entry for each axis, or a range leaves its axis.
#[track_caller]
pub fn slice(x: &Array, start: &[usize], limit: &[usize], stride: &[usize]) -> Array {
    let whole = |x: &Aval| {
        start.iter().all(|&n| n == 0) && limit == &x.shape[..] && stride.iter().all(|&n| n == 1) && {
            start.len() == x.ndim() && stride.len() == x.ndim()
        }
    };
    if x.try_aval().is_ok_and(whole) {
        return x.clone();
    }
    let slice = Slice { start: start.to_vec(), limit: limit.to_vec(), stride: stride.to_vec() };
    bind1(slice, std::slice::from_ref(x))
}

/// [`slice()`] along one axis, whole along the others.
#[track_caller]
pub(crate) fn slice_axis(x: &Array, start: usize, limit: usize, stride: usize, axis: usize) -> Array {
    let Ok(aval) = x.try_aval() else { return x.clone() };
    let mut starts = vec![0; aval.ndim()];
    let mut limits = aval.shape.to_vec();
    let mut strides = vec![1; aval.ndim()];
    if axis < aval.ndim() {
        (starts[axis], limits[axis], strides[axis]) = (start, limit, stride);
    }
    slice(x, &starts, &limits, &strides)
}

/// Arrays one after the other along an axis.
#[track_caller]
pub(crate) fn join(arrays: &[Array], axis: usize) -> Array {
    match arrays {
        [x] => x.clone(),
        _ => bind1(Concatenate { axis }, arrays),
    }
}

/// Pads each axis with `(before, behind, between neighbours)` places that hold the scalar `fill`; negative edges crop.
///
/// An error if the element types differ, if there is not one entry for each axis, or if more is cropped than there is.
#[track_caller]
pub fn pad(x: &Array, fill: &Array, config: &[(isize, isize, usize)]) -> Array {
    if config.iter().all(|&entry| entry == (0, 0, 0))
        && x.try_aval().is_ok_and(|x| config.len() == x.ndim())
        && fill.try_aval().is_ok_and(|fill| fill.ndim() == 0 && x.try_aval().is_ok_and(|x| x.dtype == fill.dtype))
    {
        return x.clone();
    }
    let pad = Pad {
        lo: config.iter().map(|entry| entry.0).collect(),
        hi: config.iter().map(|entry| entry.1).collect(),
        interior: config.iter().map(|entry| entry.2).collect(),
    };
    bind1(pad, &[x.clone(), fill.clone()])
}

/// Zeros of a type, also of `float0`.
#[track_caller]
pub(crate) fn zeros_of(aval: &Aval) -> Array {
    let origin = Origin { what: "array", at: here() };
    if aval.dtype == DType::Float0 {
        return Array::concrete(aval.clone(), Arc::new(Buffer::zeros(DType::Float0, aval.size())), origin);
    }
    let zero = Array::concrete(Aval::scalar(aval.dtype), Arc::new(Buffer::zeros(aval.dtype, 1)), origin);
    broadcast_in_dim(&zero, &aval.shape, &[])
}

/// A scalar of the element type of `like`; of `bool`, whether the value is not 0.
#[track_caller]
pub(crate) fn scalar_like(value: f64, like: &Array) -> Array {
    match like.try_aval() {
        Ok(like) => scalar_of(value, like.dtype),
        Err(e) => Array::poison(e),
    }
}

#[track_caller]
fn scalar_of(value: f64, dtype: DType) -> Array {
    let scalar = match dtype {
        DType::Bool => Scalar::Bool(value != 0.0),
        _ => Scalar::Float(value),
    };
    scalar.array(dtype, here())
}

/// The scalar 1 of the element type of `like`.
#[track_caller]
pub(crate) fn one_of(like: &Array) -> Array {
    scalar_like(1.0, like)
}
