//! Writing at lists of places.

use super::{require_integer, shape_error, wrap, wrap_places};
use crate::{
    array::Array,
    error::Result,
    ops::{attempt, linalg::same_dtype, reshape},
    prim::index::{self, scatter::ScatterKind},
    shape::broadcast_shapes,
};

/// Writing at lists of places.
impl Array {
    /// The array with the entries of the leading axis at integer indices replaced.
    ///
    /// The updates broadcast to `indices.shape + self.shape[1..]`. A negative index counts from the end; updates that are
    /// outside even then are dropped. Of several updates of one entry the last in row-major order wins, also in
    /// derivatives. Differentiable in `self` and `updates`.
    ///
    /// # Errors
    /// An array of rank 0; indices that are no integers; updates of another element type, or that do not broadcast.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// let y = x.scatter_set(&Array::from(vec![0, -1, 0]), &Array::from(vec![5.0, 6.0, 7.0]));
    /// assert_eq!(y.to_vec::<f64>()?, [7.0, 2.0, 6.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_set(&self, indices: &Array, updates: &Array) -> Array {
        attempt("scatter_set", &[self, indices, updates], || scatter_rows(self, indices, updates, ScatterKind::Set))
    }

    /// The array with updates added to the entries of the leading axis at integer indices; otherwise as
    /// [`Array::scatter_set`]. Updates of one entry add up.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let counts = Array::from(vec![0, 0, 0]).scatter_add(&Array::from(vec![2, 0, 2]), &Array::from(1));
    /// assert_eq!(counts.to_vec::<i32>()?, [1, 0, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, indices: &Array, updates: &Array) -> Array {
        attempt("scatter_add", &[self, indices, updates], || scatter_rows(self, indices, updates, ScatterKind::Add))
    }

    /// The array with the entries of the leading axis at integer indices multiplied by updates; otherwise as
    /// [`Array::scatter_set`]. Updates of one entry multiply.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// let y = x.scatter_mul(&Array::from(vec![2, 0, 2]), &Array::from(10.0));
    /// assert_eq!(y.to_vec::<f64>()?, [10.0, 2.0, 300.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_mul(&self, indices: &Array, updates: &Array) -> Array {
        attempt("scatter_mul", &[self, indices, updates], || scatter_rows(self, indices, updates, ScatterKind::Mul))
    }

    /// The array with the entries of the leading axis at integer indices lowered to updates that are smaller; otherwise
    /// as [`Array::scatter_set`]. NaN wins; derivatives of equal candidates are shared equally.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// let y = x.scatter_min(&Array::from(vec![2, 0, 2]), &Array::from(1.5));
    /// assert_eq!(y.to_vec::<f64>()?, [1.0, 2.0, 1.5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_min(&self, indices: &Array, updates: &Array) -> Array {
        attempt("scatter_min", &[self, indices, updates], || scatter_rows(self, indices, updates, ScatterKind::Min))
    }

    /// The array with the entries of the leading axis at integer indices raised to updates that are larger; otherwise as
    /// [`Array::scatter_min`].
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// let y = x.scatter_max(&Array::from(vec![2, 0, 2]), &Array::from(1.5));
    /// assert_eq!(y.to_vec::<f64>()?, [1.5, 2.0, 3.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_max(&self, indices: &Array, updates: &Array) -> Array {
        attempt("scatter_max", &[self, indices, updates], || scatter_rows(self, indices, updates, ScatterKind::Max))
    }
}

fn scatter_rows(x: &Array, indices: &Array, updates: &Array, kind: ScatterKind) -> Result<Array> {
    let (aval, i, u) = (x.try_aval()?, indices.try_aval()?, updates.try_aval()?);
    require_integer(i)?;
    let Some((&extent, rest)) = aval.shape.split_first() else {
        return Err(shape_error(format!("got {aval}, which has no axis to index")));
    };
    same_dtype(aval, u)?;
    let expected = [&i.shape[..], rest].concat();
    if broadcast_shapes(&u.shape, &expected).ok().is_none_or(|shape| shape[..] != expected[..]) {
        return Err(shape_error(format!(
            "got updates {u}, which do not broadcast to shape {expected:?}: indices {i} and the other axes of {aval}"
        )));
    }
    let column = reshape(&wrap(indices, extent)?, &[&i.shape[..], &[1]].concat());
    Ok(index::scatter::scatter(x, &column, &updates.broadcast_to(&expected), 0, kind))
}

/// Updates at a list of places: x of shape `batch + [n₁ … n_k] + rest` changed at integer indices of shape
/// `batch + places + [k]` by updates of shape `batch + places + rest`, with `n_batch` batch axes.
///
/// A negative index counts from the end; updates that are outside even then are dropped. Where places repeat, updates
/// land in row-major order. Differentiable in x and the updates.
///
/// # Errors
/// Indices that are no integers; updates of another element type; shapes that do not fit this scheme.
///
/// ```
/// use dini::{prelude::*, scatter, ScatterKind};
/// let x = Array::from([[1, 2], [3, 4]]);
/// let places = Array::from([[0, 1], [1, 0], [0, 1]]);
/// let y = scatter(&x, &places, &Array::from(vec![10, 20, 30]), ScatterKind::Add, 0);
/// assert_eq!(y.to_vec::<i32>()?, [1, 42, 23, 4]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn scatter(x: &Array, indices: &Array, updates: &Array, kind: ScatterKind, n_batch: usize) -> Array {
    attempt("scatter", &[x, indices, updates], || {
        let indices = wrap_places(x.try_aval()?, indices, n_batch)?;
        Ok(index::scatter::scatter(x, &indices, updates, n_batch, kind))
    })
}
