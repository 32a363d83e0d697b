//! Changing the shape: the elements stay, or are repeated.

use super::attempt;
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops::{self, elementwise::IntoOperand},
    shape::{Shape, normalize_axis},
    trace::here,
};

/// See [`Array::broadcast_to`].
#[track_caller]
pub fn broadcast_to(x: &Array, shape: &[usize]) -> Array {
    if x.try_shape().is_ok_and(|own| own == shape) {
        return x.clone();
    }
    attempt("broadcast_to", &[x], || {
        let own = x.try_shape()?;
        let fault = || Error::new(ErrorKind::Shape, format!("shape {own:?} does not broadcast to {shape:?}"));
        let new = shape.len().checked_sub(own.len()).ok_or_else(fault)?;
        let mut kept = Shape::new();
        let mut dims = Vec::new();
        for (axis, (&n, &m)) in own.iter().zip(&shape[new..]).enumerate() {
            if n == m {
                kept.push(n);
                dims.push(new + axis);
            } else if n != 1 {
                return Err(fault());
            }
        }
        Ok(ops::broadcast_in_dim(&ops::reshape(x, &kept), shape, &dims))
    })
}

impl Array {
    /// The elements in row-major order under another shape; an error if their number differs.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::arange(6, DType::I32).reshape(&[2, 3]);
    /// assert_eq!(x.shape(), [2, 3]);
    /// assert!(x.reshape(&[4]).check().is_err());
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Array {
        ops::reshape(self, shape)
    }

    /// All elements in row-major order along one axis.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).flatten().shape(), [4]);
    /// ```
    #[track_caller]
    pub fn flatten(&self) -> Array {
        match self.try_aval() {
            Ok(aval) => ops::reshape(self, &[aval.size()]),
            Err(e) => Array::poison(e),
        }
    }

    /// Another name of [`Array::flatten`]: arrays never share elements that change, so nothing tells the two apart.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1, 2]]).ravel().to_vec::<i32>()?, [1, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn ravel(&self) -> Array {
        self.flatten()
    }

    /// Repeats to a shape by NumPy's rules: axes are matched from the last one, axes of extent 1 grow, missing leading
    /// axes are added.
    ///
    /// An error if another extent differs, or if the shape has fewer axes.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let column = Array::from([[1.0], [2.0]]);
    /// assert_eq!(column.broadcast_to(&[2, 2]).to_vec::<f64>()?, [1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn broadcast_to(&self, shape: &[usize]) -> Array {
        broadcast_to(self, shape)
    }

    /// All axes in reverse order: the transpose of a matrix.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).transpose().to_vec::<i32>()?, [1, 3, 2, 4]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn transpose(&self) -> Array {
        match self.try_aval() {
            Ok(aval) => ops::permute(self, &(0..aval.ndim()).rev().collect::<Vec<_>>()),
            Err(e) => Array::poison(e),
        }
    }

    /// Axis k of the result is axis `order[k]`; an error if that is not a permutation of all axes.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::zeros(&[2, 3, 4], DType::F64);
    /// assert_eq!(x.permute(&[2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(&self, order: &[isize]) -> Array {
        attempt("permute", &[self], || {
            let ndim = self.try_aval()?.ndim();
            let order = order.iter().map(|&axis| normalize_axis(axis, ndim)).collect::<Result<Vec<_>>>()?;
            Ok(ops::permute(self, &order))
        })
    }

    /// Exchanges two axes.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::zeros(&[2, 3, 4], DType::F64);
    /// assert_eq!(x.swap_axes(0, -1).shape(), [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn swap_axes(&self, a: isize, b: isize) -> Array {
        attempt("swap_axes", &[self], || {
            let ndim = self.try_aval()?.ndim();
            let mut order: Vec<usize> = (0..ndim).collect();
            order.swap(normalize_axis(a, ndim)?, normalize_axis(b, ndim)?);
            Ok(ops::permute(self, &order))
        })
    }

    /// Moves one axis to another place; the others keep their order.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::zeros(&[2, 3, 4], DType::F64);
    /// assert_eq!(x.move_axis(0, -1).shape(), [3, 4, 2]);
    /// ```
    #[track_caller]
    pub fn move_axis(&self, from: isize, to: isize) -> Array {
        attempt("move_axis", &[self], || {
            let ndim = self.try_aval()?.ndim();
            Ok(crate::prim::move_axis(self, normalize_axis(from, ndim)?, normalize_axis(to, ndim)?))
        })
    }

    /// Reverses the order of elements along an axis.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2, 3]).flip(0).to_vec::<i32>()?, [3, 2, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Array {
        attempt("flip", &[self], || Ok(ops::reverse(self, &[normalize_axis(axis, self.try_aval()?.ndim())?])))
    }

    /// Inserts an axis of extent 1 that becomes axis `axis` of the result.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2]).expand_dims(0).shape(), [1, 2]);
    /// assert_eq!(Array::from([1, 2]).expand_dims(-1).shape(), [2, 1]);
    /// ```
    #[track_caller]
    pub fn expand_dims(&self, axis: isize) -> Array {
        attempt("expand_dims", &[self], || {
            let mut shape = self.try_aval()?.shape.clone();
            shape.insert(normalize_axis(axis, shape.len() + 1)?, 1);
            Ok(ops::reshape(self, &shape))
        })
    }

    /// Drops an axis of extent 1; an error if its extent is another.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1, 2]]);
    /// assert_eq!(x.squeeze(0).shape(), [2]);
    /// assert!(x.squeeze(1).check().is_err());
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Array {
        attempt("squeeze", &[self], || {
            let aval = self.try_aval()?;
            let axis = normalize_axis(axis, aval.ndim())?;
            if aval.shape[axis] != 1 {
                let message = format!("axis {axis} of {aval} has extent {}, expected 1", aval.shape[axis]);
                return Err(Error::new(ErrorKind::Shape, message));
            }
            Ok(ops::reshape(self, &aval.unbatched(axis).shape))
        })
    }

    /// Adds `(before, behind)` places that hold `value`, a scalar, to each axis; negative numbers crop.
    ///
    /// An error if there is not one entry for each axis, or if more is cropped than there is.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2]).pad(&[(1, 2)], 0).to_vec::<i32>()?, [0, 1, 2, 0, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn pad(&self, widths: &[(isize, isize)], value: impl IntoOperand) -> Array {
        let config: Vec<(isize, isize, usize)> = widths.iter().map(|&(lo, hi)| (lo, hi, 0)).collect();
        ops::pad(self, &value.operand(self, here()), &config)
    }

    /// [`Array::pad`] that adds places between neighbours too: `(before, behind, between)` for each axis.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let y = Array::from([1, 2, 3]).pad_interior(&[(1, -1, 1)], 0);
    /// assert_eq!(y.to_vec::<i32>()?, [0, 1, 0, 2, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn pad_interior(&self, config: &[(isize, isize, usize)], value: impl IntoOperand) -> Array {
        ops::pad(self, &value.operand(self, here()), config)
    }
}
