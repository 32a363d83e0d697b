//! Reading and writing at places that are known only at run time.
//!
//! In all four primitives the batch axes lead, the indexed axes follow, and the last axis of the starts or indices names
//! the indexed axes. Nothing wraps here: a negative index is outside (`ops` wraps what users write).

pub(crate) mod dynamic_slice;
pub(crate) mod dynamic_update_slice;
pub(crate) mod gather;
pub(crate) mod scatter;

use crate::{
    array::{Array, Scalar},
    error::{Error, ErrorKind, Result},
    ops,
    prim::{elementwise::select::Clamp, structural::iota::Iota},
    shape::{Aval, Shape},
    trace::{bind1, here},
};
use dini_cpu::dtype::DType;

/// The operands, if there are as many as the primitive takes.
pub(crate) fn operands<const N: usize>(avals: &[Aval]) -> Result<&[Aval; N]> {
    avals.try_into().map_err(|_| Error::new(ErrorKind::Structure, format!("takes {N} operands, got {}", avals.len())))
}

fn shape_error(message: String) -> Error {
    Error::new(ErrorKind::Shape, message)
}

fn check_integer(what: &str, aval: &Aval) -> Result<()> {
    if aval.dtype.is_integer() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::DType, format!("{what} have dtype {}, expected an integer type", aval.dtype))
            .help("convert them with `.cast(DType::I32)`"))
    }
}

fn check_same_dtype(x: &Aval, other: &Aval, what: &str) -> Result<()> {
    if x.dtype == other.dtype {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::DType, format!("{what} have dtype {}, expected {}", other.dtype, x.dtype))
            .help(format!("convert them with `.cast(DType::{:?})`", x.dtype)))
    }
}

/// Checks that boxes of extents `sizes` with these starts can be taken from x.
fn check_box(x: &Aval, starts: &Aval, sizes: &[usize], n_batch: usize) -> Result<()> {
    check_integer("the starts", starts)?;
    if n_batch + sizes.len() != x.ndim() {
        return Err(shape_error(format!(
            "{} box extents and {n_batch} batch axes do not make up the {} axes of {x}",
            sizes.len(),
            x.ndim()
        )));
    }
    if let Some(axis) = (0..sizes.len()).find(|&i| sizes[i] > x.shape[n_batch + i]) {
        return Err(shape_error(format!(
            "the box {sizes:?} does not fit: its extent {} on axis {} is larger than that of {x}",
            sizes[axis],
            n_batch + axis
        )));
    }
    let mut expected = x.shape[..n_batch].to_vec();
    expected.push(sizes.len());
    if starts.shape[..] == expected[..] {
        Ok(())
    } else {
        Err(shape_error(format!("the starts have type {starts}, expected shape {expected:?}: one for each axis")))
    }
}

/// Checks that x can be indexed so; gives the shape of what is picked: `batch + places + rest`.
fn check_places(x: &Aval, indices: &Aval, n_batch: usize) -> Result<Vec<usize>> {
    check_integer("the indices", indices)?;
    let Some((&n_indexed, places)) = indices.shape.split_last().filter(|(_, places)| places.len() >= n_batch) else {
        return Err(shape_error(format!(
            "indices {indices} need {n_batch} batch axes and a last axis, with one entry for each indexed axis"
        )));
    };
    if n_batch + n_indexed > x.ndim() {
        return Err(shape_error(format!("{n_indexed} indices into {x} with {n_batch} batch axes")));
    }
    if places[..n_batch] != x.shape[..n_batch] {
        return Err(shape_error(format!("the {n_batch} batch axes of the indices {indices} differ from those of {x}")));
    }
    Ok(places.iter().chain(&x.shape[n_batch + n_indexed..]).copied().collect())
}

/// Number of indexed axes, and of axes that enumerate places, of operand types that passed [`check_places`].
fn count_axes(indices: &[usize], n_batch: usize) -> (usize, usize) {
    (indices[indices.len() - 1], indices.len() - 1 - n_batch)
}

/// 0, 1, 2, … along an axis.
pub(crate) fn iota(dtype: DType, shape: &[usize], axis: usize) -> Array {
    bind1(Iota { dtype, shape: Shape::from_slice(shape), axis }, &[])
}

/// The smallest of the usual index types that counts up to `n`.
pub(crate) fn index_dtype(n: usize) -> DType {
    if i32::try_from(n).is_ok() { DType::I32 } else { DType::I64 }
}

/// Clamped between 0 and `largest`, or the largest value of the type.
fn clamp_index(i: &Array, largest: usize) -> Array {
    let bound = match i.dtype() {
        DType::U8 => u8::MAX.into(),
        DType::U32 => u32::MAX.into(),
        DType::I32 => i32::MAX as u64,
        DType::U64 => u64::MAX,
        _ => i64::MAX as u64,
    };
    let scalar = |value: u64| Scalar::Uint(value).array(i.dtype(), here());
    bind1(Clamp, &[scalar(0), i.clone(), scalar(bound.min(largest as u64))])
}

/// Changes each entry of the last axis (one for each indexed axis).
pub(crate) fn map_columns(indices: &Array, f: impl Fn(usize, Array) -> Array) -> Array {
    let axis = indices.ndim() - 1;
    let columns: Vec<Array> =
        (0..indices.shape()[axis]).map(|k| f(k, ops::slice_axis(indices, k, k + 1, 1, axis))).collect();
    if columns.is_empty() { indices.clone() } else { ops::join(&columns, axis) }
}

/// Indices clamped into axes of these extents; an axis of extent 0 has no index inside.
fn clip(indices: &Array, extents: &[usize]) -> Array {
    map_columns(indices, |k, column| if extents[k] == 0 { column } else { clamp_index(&column, extents[k] - 1) })
}

/// Starts with one more entry, a 0, at position `at` of their last axis.
fn insert_zero(starts: &Array, at: usize) -> Array {
    let axis = starts.ndim() - 1;
    let n = starts.shape()[axis];
    let mut column = starts.aval().clone();
    column.shape[axis] = 1;
    let mut parts = vec![ops::zeros_of(&column)];
    if at > 0 {
        parts.insert(0, ops::slice_axis(starts, 0, at, 1, axis));
    }
    if at < n {
        parts.push(ops::slice_axis(starts, at, n, 1, axis));
    }
    ops::join(&parts, axis)
}

/// The smallest number of leading axes that a box of these extents restricts; of the others it takes everything.
fn n_restricted(extents: &[usize], sizes: &[usize]) -> usize {
    (0..sizes.len()).rev().find(|&i| sizes[i] < extents[i]).map_or(0, |i| i + 1)
}

/// The index of every element of a box: from starts `lead + [k]` the indices `lead + sizes + [k]`, with starts clamped so
/// that the box fits. Only the leading `sizes.len()` axes count.
fn box_indices(starts: &Array, extents: &[usize], sizes: &[usize]) -> Array {
    let n_lead = starts.ndim() - 1;
    let dtype = index_dtype(extents.iter().copied().max().unwrap_or(0));
    let mut shape = starts.shape()[..n_lead].to_vec();
    shape.extend_from_slice(sizes);
    shape.push(1);
    let lead: Vec<usize> = (0..n_lead).collect();
    let columns: Vec<Array> = sizes
        .iter()
        .zip(extents)
        .enumerate()
        .map(|(k, (size, extent))| {
            let start = clamp_index(&ops::slice_axis(starts, k, k + 1, 1, n_lead), extent - size).cast(dtype);
            let start = ops::reshape(&start, &starts.shape()[..n_lead]);
            ops::broadcast_in_dim(&start, &shape, &lead) + iota(dtype, &shape, n_lead + k)
        })
        .collect();
    ops::join(&columns, shape.len() - 1)
}
