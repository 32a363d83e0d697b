//! Indexing at places that are known only at run time: dynamic slices, gathers and scatters.
//!
//! Everywhere a negative index counts from the end (unsigned types have none). After that, slices and their updates are
//! moved inwards until they fit, reads outside give a fill value, and writes outside are dropped: no index is an error.

mod dynamic;
mod gather;
mod scatter;

pub use crate::prim::index::scatter::ScatterKind;
pub use dini_cpu::graph::OutOfBounds;
pub use dynamic::Starts;
pub use gather::{gather, gather_with};
pub use scatter::scatter;

use crate::{
    array::{Array, Scalar},
    error::{Error, ErrorKind, Result},
    ops::{self, attempt},
    prim::index::{iota, map_columns},
    shape::Aval,
    trace::here,
};
use dini_cpu::dtype::DType;

fn shape_error(message: String) -> Error {
    Error::new(ErrorKind::Shape, message)
}

fn require_integer(aval: &Aval) -> Result<()> {
    if aval.dtype.is_integer() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::DType, format!("got indices of type {aval}, expected an integer type"))
            .help("convert them with `.cast(DType::I32)`"))
    }
}

/// Negative indices counted from the end of an axis.
fn wrap(i: &Array, extent: usize) -> Result<Array> {
    let dtype = i.try_aval()?.dtype;
    if !dtype.is_signed_integer() {
        return Ok(i.clone());
    }
    let extent = Scalar::Uint(extent as u64).array(dtype, here());
    let wrapped = ops::select(&i.lt(ops::scalar_like(0.0, i)), &(i + extent), i);
    wrapped.check().cloned()
}

/// The same for an index that names several axes along its last one.
fn wrap_all(indices: &Array, extents: &[usize]) -> Result<Array> {
    match extents {
        [] => Ok(indices.clone()),
        [extent] => wrap(indices, *extent),
        _ => map_columns(indices, |k, column| Array::from_result(wrap(&column, extents[k]))).check().cloned(),
    }
}

/// Wraps indices `batch + places + [k]` into the axes of x that they name; what does not fit is left to the primitive,
/// which says so.
fn wrap_places(x: &Aval, indices: &Array, n_batch: usize) -> Result<Array> {
    let i = indices.try_aval()?;
    require_integer(i)?;
    let n_indexed = i.shape.last().copied().unwrap_or(0);
    match x.shape.get(n_batch..n_batch.saturating_add(n_indexed)) {
        Some(extents) if i.ndim() > 0 => wrap_all(indices, extents),
        _ => Ok(indices.clone()),
    }
}

/// 1 at the place that each index names along a new last axis of extent `n`, 0 elsewhere; all 0 for an index outside of
/// `0..n`. The result has shape `indices.shape + [n]`.
///
/// # Errors
/// Indices that are no integers.
///
/// ```
/// use dini::{one_hot, prelude::*};
/// assert_eq!(one_hot(&Array::from(vec![1, 0, 7]), 2, DType::F64).to_vec::<f64>()?, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn one_hot(indices: &Array, n: usize, dtype: DType) -> Array {
    attempt("one_hot", &[indices], || {
        let i = indices.try_aval()?;
        require_integer(i)?;
        let shape = [&i.shape[..], &[n]].concat();
        // Counted in i64: the type of the indices may be too small for n.
        let dims: Vec<usize> = (0..i.ndim()).collect();
        let places = iota(DType::I64, &shape, i.ndim());
        Ok(ops::broadcast_in_dim(&indices.cast(DType::I64), &shape, &dims).eq(&places).cast(dtype))
    })
}
