//! Reading at lists of places.

use super::{require_integer, shape_error, wrap, wrap_places};
use crate::{
    array::Array,
    error::Result,
    ops::{self, attempt, reshape},
    prim::{index, move_axis},
    shape::{broadcast_shapes, normalize_axis},
};
use dini_cpu::graph::OutOfBounds;

/// Reading at lists of places.
impl Array {
    /// The entries of one axis at integer indices of any shape, which replaces that axis (NumPy's `take`).
    ///
    /// A negative index counts from the end. One that is outside even then reads NaN (signed integers: the minimum,
    /// unsigned: the maximum, `bool`: false), with derivative zero; [`Array::take_with`] has other choices.
    ///
    /// # Errors
    /// An axis out of range; indices that are no integers.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// assert_eq!(x.take(&Array::from(vec![2, 0, -1]), 0).to_vec::<f64>()?, [3.0, 1.0, 3.0]);
    /// assert!(x.take(&Array::from(7), 0).item::<f64>()?.is_nan());
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, indices: &Array, axis: isize) -> Array {
        attempt("take", &[self, indices], || take(self, indices, axis, OutOfBounds::Fill))
    }

    /// [`Array::take`] with a choice of what an index outside of the axis reads.
    ///
    /// ```
    /// use dini::{OutOfBounds, prelude::*};
    /// let x = Array::from(vec![1.0, 2.0, 3.0]);
    /// assert_eq!(x.take_with(&Array::from(7), 0, OutOfBounds::Clip).item::<f64>()?, 3.0);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn take_with(&self, indices: &Array, axis: isize, mode: OutOfBounds) -> Array {
        attempt("take", &[self, indices], || take(self, indices, axis, mode))
    }

    /// Along one axis, the entries at indices that differ from place to place: `y[i, j] = x[indices[i, j], j]` for axis 0
    /// (NumPy's `take_along_axis`).
    ///
    /// The indices have as many axes as the array; the other axes broadcast. Outside indices as for [`Array::take`].
    ///
    /// # Errors
    /// An axis out of range; indices that are no integers, or whose other axes do not broadcast.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.take_along_axis(&Array::from([[1, 0]]), 0).to_vec::<i32>()?, [3, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn take_along_axis(&self, indices: &Array, axis: isize) -> Array {
        attempt("take_along_axis", &[self, indices], || {
            let (x, i) = (self.try_aval()?, indices.try_aval()?);
            require_integer(i)?;
            let axis = normalize_axis(axis, x.ndim())?;
            if i.ndim() != x.ndim() {
                return Err(shape_error(format!("got indices {i} for {x}: expected as many axes")));
            }
            let last = x.ndim() - 1;
            let (x, i) = (move_axis(self, axis, last), move_axis(indices, axis, last));
            let (n, m) = (x.shape()[last], i.shape()[last]);
            let batch = broadcast_shapes(&x.shape()[..last], &i.shape()[..last])?;
            let x = x.broadcast_to(&[&batch[..], &[n]].concat());
            let i = wrap(&i, n)?.broadcast_to(&[&batch[..], &[m]].concat());
            let i = reshape(&i, &[&batch[..], &[m, 1]].concat());
            let y = index::gather::gather(&x, &i, last, OutOfBounds::Fill);
            Ok(move_axis(y.check()?, last, axis))
        })
    }
}

fn take(x: &Array, indices: &Array, axis: isize, mode: OutOfBounds) -> Result<Array> {
    let (aval, i) = (x.try_aval()?, indices.try_aval()?);
    require_integer(i)?;
    let axis = normalize_axis(axis, aval.ndim())?;
    let column = reshape(&wrap(indices, aval.shape[axis])?, &[&i.shape[..], &[1]].concat());
    let picked = index::gather::gather(&move_axis(x, axis, 0), &column, 0, mode);
    // The places lead; they belong where the axis was.
    let n_places = i.ndim();
    let before = n_places..n_places + axis;
    let behind = n_places + axis..n_places + aval.ndim() - 1;
    let order: Vec<usize> = before.chain(0..n_places).chain(behind).collect();
    Ok(if axis == 0 { picked } else { ops::permute(&picked, &order) })
}

/// Elements, or whole sub-arrays, at a list of places: x of shape `batch + [n₁ … n_k] + rest` at integer indices of shape
/// `batch + places + [k]`, with `n_batch` batch axes; the result has shape `batch + places + rest`.
///
/// A negative index counts from the end. One that is outside even then reads NaN (signed integers: the minimum, unsigned:
/// the maximum, `bool`: false), with derivative zero. Differentiable in x.
///
/// # Errors
/// Indices that are no integers; shapes that do not fit this scheme.
///
/// ```
/// use dini::{gather, prelude::*};
/// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
/// let places = Array::from([[0, 2], [1, -3]]);
/// assert_eq!(gather(&x, &places, 0).to_vec::<i32>()?, [3, 4]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn gather(x: &Array, indices: &Array, n_batch: usize) -> Array {
    gather_with(x, indices, n_batch, OutOfBounds::Fill)
}

/// [`gather`] with a choice of what an index outside of x reads.
///
/// ```
/// use dini::{gather_with, OutOfBounds, prelude::*};
/// let x = Array::from(vec![1.0, 2.0, 3.0]);
/// let places = Array::from([[1], [9]]);
/// assert_eq!(gather_with(&x, &places, 0, OutOfBounds::Zero).to_vec::<f64>()?, [2.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn gather_with(x: &Array, indices: &Array, n_batch: usize, mode: OutOfBounds) -> Array {
    attempt("gather", &[x, indices], || {
        let indices = wrap_places(x.try_aval()?, indices, n_batch)?;
        Ok(index::gather::gather(x, &indices, n_batch, mode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{grad, vmap};

    fn numbered(shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        Array::new((0..n).map(|i| i as f64).collect::<Vec<_>>(), shape)
    }

    #[test]
    fn taken_places_replace_the_axis() {
        let y = numbered(&[2, 3, 2]).take(&Array::from([[2], [-3]]), 1);
        assert_eq!(y.shape(), [2, 2, 1, 2]);
        assert_eq!(y.to_vec::<f64>().unwrap(), [4.0, 5.0, 0.0, 1.0, 10.0, 11.0, 6.0, 7.0]);
    }

    #[test]
    fn outside_reads_fill_and_have_no_derivative() {
        let x = numbered(&[3]);
        let i = Array::from(vec![1, 3, -4, 1]);
        let y = x.take(&i, 0).to_vec::<f64>().unwrap();
        assert_eq!((y[0], y[1].is_nan(), y[2].is_nan(), y[3]), (1.0, true, true, 1.0));
        assert_eq!(Array::from(vec![1, 2]).take(&Array::from(5), 0).item::<i32>().unwrap(), i32::MIN);
        let slopes = |mode: OutOfBounds| {
            grad(|x: Array| x.take_with(&i, 0, mode).sum())(x.clone()).unwrap().to_vec::<f64>().unwrap()
        };
        assert_eq!(slopes(OutOfBounds::Fill), [0.0, 2.0, 0.0]);
        assert_eq!(slopes(OutOfBounds::Clip), [1.0, 2.0, 1.0]);
    }

    #[test]
    fn a_start_per_lane_does_not_repeat_the_array() {
        let x = numbered(&[4, 2]);
        let rows = vmap(|i: Array| x.dynamic_index(&i, 0))(Array::from(vec![3, 0, -2])).unwrap();
        assert_eq!(rows.to_vec::<f64>().unwrap(), [6.0, 7.0, 0.0, 1.0, 4.0, 5.0]);
        let lanes = |i: Array| vmap(|i: Array| x.dynamic_index(&i, 0))(i);
        let counts = crate::program_of(lanes, &Array::from(vec![3, 0])).unwrap().counts();
        assert_eq!((counts.get("gather"), counts.get("dynamic_slice")), (Some(&1), None));
    }
}
