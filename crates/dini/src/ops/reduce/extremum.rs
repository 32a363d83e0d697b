//! Largest and smallest elements, and where they are.

use super::{reduce_max, reduce_min, reductions};
use crate::{
    array::Array,
    error::Result,
    ops::{self, structural::attempt},
    prim::{
        Prim,
        reduce::arg::{ArgMax, ArgMin},
    },
    shape::normalize_axis,
    trace::bind1,
};
use dini_cpu::dtype::DType;

reductions! {
    /// The largest element; a NaN wins. Of no elements −∞, or the smallest value of an integer type.
    ///
    /// The derivative goes to the largest element, in equal parts to all of them at a tie. (`max` compares two arrays.)
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 5.0], [3.0, 4.0]]);
    /// assert_eq!(x.amax().item::<f64>()?, 5.0);
    /// assert_eq!(x.amax_axis(-1).to_vec::<f64>()?, [5.0, 4.0]);
    /// # Ok::<(), Error>(())
    /// ```
    amax, amax_axis, amax_axes = |x, axes| Ok(reduce_max(x, axes));
    /// The smallest element; a NaN wins. Of no elements +∞, or the largest value of an integer type.
    ///
    /// The derivative goes to the smallest element, in equal parts to all of them at a tie. (`min` compares two arrays.)
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 5.0], [3.0, 4.0]]);
    /// assert_eq!(x.amin().item::<f64>()?, 1.0);
    /// assert_eq!(x.amin_axis(0).to_vec::<f64>()?, [1.0, 4.0]);
    /// # Ok::<(), Error>(())
    /// ```
    amin, amin_axis, amin_axes = |x, axes| Ok(reduce_min(x, axes));
}

/// Along one axis, or through all elements in row-major order.
#[track_caller]
fn arg(op: &str, x: &Array, axis: Option<isize>, prim: impl FnOnce(usize) -> Prim) -> Array {
    attempt(op, &[x], || -> Result<Array> {
        let (x, axis) = match axis {
            Some(axis) => (x.clone(), normalize_axis(axis, x.try_aval()?.ndim())?),
            None => (ops::reshape(x, &[x.try_aval()?.size()]), 0),
        };
        Ok(bind1(prim(axis), &[x]))
    })
}

impl Array {
    /// Place of the first largest element in row-major order, as `i64`; a NaN counts as largest. An error if there are
    /// no elements.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 5.0], [5.0, 4.0]]);
    /// assert_eq!(x.argmax().item::<i64>()?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> Array {
        arg("argmax", self, None, |axis| ArgMax { axis, dtype: DType::I64 }.into())
    }

    /// Index of the first largest element along an axis, which disappears, as `i64`; a NaN counts as largest. An error
    /// if the axis is empty.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 5.0], [5.0, 4.0]]);
    /// assert_eq!(x.argmax_axis(1).to_vec::<i64>()?, [1, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn argmax_axis(&self, axis: isize) -> Array {
        arg("argmax_axis", self, Some(axis), |axis| ArgMax { axis, dtype: DType::I64 }.into())
    }

    /// Place of the first smallest element in row-major order, as `i64`; a NaN counts as smallest. An error if there
    /// are no elements.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([3, 1, 2]).argmin().item::<i64>()?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn argmin(&self) -> Array {
        arg("argmin", self, None, |axis| ArgMin { axis, dtype: DType::I64 }.into())
    }

    /// Index of the first smallest element along an axis, which disappears, as `i64`; a NaN counts as smallest. An error
    /// if the axis is empty.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[3, 1], [2, 4]]).argmin_axis(0).to_vec::<i64>()?, [1, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn argmin_axis(&self, axis: isize) -> Array {
        arg("argmin_axis", self, Some(axis), |axis| ArgMin { axis, dtype: DType::I64 }.into())
    }
}
