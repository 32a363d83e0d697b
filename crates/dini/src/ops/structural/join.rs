//! Joining arrays, repeating them, and taking them apart.

use super::{attempt, attempt_many, room_for};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::structural::check_extents,
    shape::{Aval, Shape, normalize_axis},
};
use std::{borrow::Borrow, ops::Range};

/// The type of the first array, which the others must fit.
fn first(arrays: &[Array]) -> Result<&Aval> {
    match arrays.first() {
        Some(x) => x.try_aval(),
        None => Err(Error::new(ErrorKind::Structure, "takes at least one array, got none")),
    }
}

/// Arrays of one element type, whose shapes agree apart from `axis`, one after the other along it.
///
/// ```
/// use dini::prelude::*;
/// let (x, y) = (Array::from([1, 2]), Array::from([3]));
/// assert_eq!(concatenate(&[&x, &y], 0).to_vec::<i32>()?, [1, 2, 3]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn concatenate(arrays: &[impl Borrow<Array>], axis: isize) -> Array {
    let arrays: Vec<Array> = arrays.iter().map(|x| x.borrow().clone()).collect();
    attempt("concatenate", &[], || {
        let axis = normalize_axis(axis, first(&arrays)?.ndim())?;
        Ok(ops::join(&arrays, axis))
    })
}

/// Arrays of one type one after the other along a new axis.
///
/// ```
/// use dini::prelude::*;
/// let (x, y) = (Array::from([1, 2]), Array::from([3, 4]));
/// assert_eq!(stack(&[&x, &y], 0).shape(), [2, 2]);
/// assert_eq!(stack(&[&x, &y], -1).to_vec::<i32>()?, [1, 3, 2, 4]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn stack(arrays: &[impl Borrow<Array>], axis: isize) -> Array {
    let arrays: Vec<Array> = arrays.iter().map(|x| x.borrow().clone()).collect();
    attempt("stack", &[], || {
        let one = first(&arrays)?.clone();
        let axis = normalize_axis(axis, one.ndim() + 1)?;
        let mut expanded = Vec::with_capacity(arrays.len());
        for (i, x) in arrays.iter().enumerate() {
            let aval = x.try_aval()?;
            if *aval != one {
                let message = format!("operand 0 is {one}, operand {i} is {aval}; stacked arrays have one type");
                return Err(Error::new(ErrorKind::Shape, message)
                    .operand(0, arrays[0].provenance())
                    .operand(i, x.provenance()));
            }
            expanded.push(ops::reshape(x, &aval.batched(axis, 1).shape));
        }
        Ok(ops::join(&expanded, axis))
    })
}

impl Array {
    /// The part between two places of each axis; the axes that no range names stay whole.
    ///
    /// An error if a range leaves its axis. [`Array::index`] also counts from the end and drops axes.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::arange(6, DType::I32).reshape(&[2, 3]);
    /// assert_eq!(x.slice(&[0..2, 1..3]).to_vec::<i32>()?, [1, 2, 4, 5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn slice(&self, ranges: &[Range<usize>]) -> Array {
        attempt("slice", &[self], || {
            let aval = self.try_aval()?;
            if ranges.len() > aval.ndim() {
                let message = format!("{} ranges for {aval}, expected {} at most", ranges.len(), aval.ndim());
                return Err(Error::new(ErrorKind::Index, message));
            }
            let mut start = vec![0; aval.ndim()];
            let mut limit = aval.shape.to_vec();
            for (axis, range) in ranges.iter().enumerate() {
                (start[axis], limit[axis]) = (range.start, range.end);
            }
            Ok(ops::slice(self, &start, &limit, &vec![1; aval.ndim()]))
        })
    }

    /// The elements at `start`, `start + stride`, … below `limit` along one axis; an error if they leave it.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::arange(7, DType::I32);
    /// assert_eq!(x.slice_in_dim(1, 7, 2, 0).to_vec::<i32>()?, [1, 3, 5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn slice_in_dim(&self, start: usize, limit: usize, stride: usize, axis: isize) -> Array {
        attempt("slice_in_dim", &[self], || {
            let axis = normalize_axis(axis, self.try_aval()?.ndim())?;
            Ok(ops::slice_axis(self, start, limit, stride, axis))
        })
    }

    /// Equal parts along an axis; an error in each of them if its extent does not divide.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let halves = Array::arange(6, DType::I32).split(2, 0);
    /// assert_eq!(halves[1].to_vec::<i32>()?, [3, 4, 5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn split(&self, parts: usize, axis: isize) -> Vec<Array> {
        attempt_many("split", parts, &[self], || {
            let aval = self.try_aval()?;
            let axis = normalize_axis(axis, aval.ndim())?;
            let n = aval.shape[axis];
            if parts == 0 || n % parts != 0 {
                let message = format!("axis {axis} of {aval} does not divide into {parts} equal parts");
                return Err(Error::new(ErrorKind::Shape, message)
                    .help("`split_at` takes the places of the cuts and gives parts of any extents"));
            }
            let step = n / parts;
            let mut all = room_for(parts)?;
            all.extend((0..parts).map(|i| ops::slice_axis(self, i * step, (i + 1) * step, 1, axis)));
            Ok(all)
        })
    }

    /// The parts between the given cuts along an axis, one more than there are cuts; an error in each of them if the
    /// cuts descend or leave the axis.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let parts = Array::arange(6, DType::I32).split_at(&[1, 4], 0);
    /// assert_eq!(parts.len(), 3);
    /// assert_eq!(parts[1].to_vec::<i32>()?, [1, 2, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn split_at(&self, cuts: &[usize], axis: isize) -> Vec<Array> {
        attempt_many("split_at", cuts.len() + 1, &[self], || {
            let aval = self.try_aval()?;
            let axis = normalize_axis(axis, aval.ndim())?;
            let n = aval.shape[axis];
            if !cuts.is_sorted() || cuts.last().is_some_and(|&last| last > n) {
                let message = format!("cuts {cuts:?} descend or leave axis {axis} of {aval}");
                return Err(Error::new(ErrorKind::Index, message));
            }
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().chain([n]);
            Ok(starts.zip(ends).map(|(start, end)| ops::slice_axis(self, start, end, 1, axis)).collect())
        })
    }

    /// The array `counts[k]` times after itself along axis k; counts and axes are matched from the last one, as in
    /// NumPy.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2]).tile(&[2]).to_vec::<i32>()?, [1, 2, 1, 2]);
    /// assert_eq!(Array::from([1, 2]).tile(&[3, 1]).shape(), [3, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn tile(&self, counts: &[usize]) -> Array {
        attempt("tile", &[self], || {
            let own = self.try_shape()?;
            let ndim = own.len().max(counts.len());
            let padded = |list: &[usize]| {
                let mut full = vec![1; ndim - list.len()];
                full.extend_from_slice(list);
                full
            };
            let (extents, counts) = (padded(own), padded(counts));
            // Each axis behind a new one that repeats it, then both as one.
            let pairs: Shape = counts.iter().zip(&extents).flat_map(|(&count, &n)| [count, n]).collect();
            check_extents(&pairs)?;
            let dims: Vec<usize> = (0..ndim).map(|axis| 2 * axis + 1).collect();
            let repeated = ops::broadcast_in_dim(&ops::reshape(self, &extents), &pairs, &dims);
            let shape: Vec<usize> = counts.iter().zip(&extents).map(|(count, n)| count * n).collect();
            Ok(ops::reshape(&repeated, &shape))
        })
    }

    /// Each element `n` times in a row along an axis.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2]).repeat(2, 0).to_vec::<i32>()?, [1, 1, 2, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn repeat(&self, n: usize, axis: isize) -> Array {
        attempt("repeat", &[self], || {
            let aval = self.try_aval()?;
            let axis = normalize_axis(axis, aval.ndim())?;
            let pairs = aval.batched(axis + 1, n).shape;
            check_extents(&pairs)?;
            let dims: Vec<usize> = (0..pairs.len()).filter(|&i| i != axis + 1).collect();
            let mut shape = aval.shape.clone();
            shape[axis] *= n;
            Ok(ops::reshape(&ops::broadcast_in_dim(self, &pairs, &dims), &shape))
        })
    }
}
