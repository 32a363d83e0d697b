//! Boxes of fixed extents whose place is known only at run time.

use super::{require_integer, shape_error, wrap, wrap_all};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops::{self, attempt, reshape},
    prim::index::{dynamic_slice::dynamic_slice, dynamic_update_slice::dynamic_update_slice},
    shape::{Aval, normalize_axis},
};
use dini_cpu::dtype::DType;

/// Where a dynamic slice begins: one integer scalar for each axis, or one integer vector.
#[derive(Clone, Debug)]
pub enum Starts {
    /// One entry for each axis.
    Vector(Array),
    /// One scalar for each axis; all of one type.
    Scalars(Vec<Array>),
}

impl From<&Array> for Starts {
    fn from(vector: &Array) -> Starts {
        Starts::Vector(vector.clone())
    }
}

impl From<Array> for Starts {
    fn from(vector: Array) -> Starts {
        Starts::Vector(vector)
    }
}

impl From<&[Array]> for Starts {
    fn from(scalars: &[Array]) -> Starts {
        Starts::Scalars(scalars.to_vec())
    }
}

impl<const N: usize> From<&[Array; N]> for Starts {
    fn from(scalars: &[Array; N]) -> Starts {
        Starts::Scalars(scalars.to_vec())
    }
}

impl<const N: usize> From<[Array; N]> for Starts {
    fn from(scalars: [Array; N]) -> Starts {
        Starts::Scalars(scalars.to_vec())
    }
}

impl From<Vec<Array>> for Starts {
    fn from(scalars: Vec<Array>) -> Starts {
        Starts::Scalars(scalars)
    }
}

impl Starts {
    /// One integer vector, wrapped into axes of these extents.
    fn vector(&self, x: &Aval) -> Result<Array> {
        let n = x.ndim();
        match self {
            Starts::Vector(vector) => {
                let aval = vector.try_aval()?;
                require_integer(aval)?;
                if aval.shape[..] != [n] {
                    return Err(shape_error(format!("got starts of type {aval}, expected shape [{n}] for {x}")));
                }
                wrap_all(vector, &x.shape)
            }
            Starts::Scalars(scalars) => {
                if scalars.len() != n {
                    return Err(shape_error(format!("got {} starts for the {n} axes of {x}", scalars.len())));
                }
                let mut entries = Vec::with_capacity(n);
                for (start, &extent) in scalars.iter().zip(&x.shape) {
                    let aval = start.try_aval()?;
                    require_integer(aval)?;
                    if aval.ndim() > 0 {
                        return Err(shape_error(format!("got a start of type {aval}, expected a scalar")));
                    }
                    entries.push(reshape(&wrap(start, extent)?, &[1]));
                }
                let types: Vec<DType> = entries.iter().map(Array::dtype).collect();
                if let Some(other) = types.iter().find(|&&t| t != types[0]) {
                    return Err(Error::new(
                        ErrorKind::DType,
                        format!("the starts have dtypes {} and {other}", types[0]),
                    )
                    .help(format!("convert them with `.cast(DType::{:?})`", types[0])));
                }
                if entries.is_empty() {
                    return Ok(ops::zeros_of(&Aval::new(DType::I32, &[0])));
                }
                Ok(ops::join(&entries, 0))
            }
        }
    }

    /// The start along one axis, zeros along the others.
    fn along(i: &Array, axis: usize, n: usize) -> Result<Starts> {
        let aval = i.try_aval()?;
        require_integer(aval)?;
        if aval.ndim() > 0 {
            return Err(shape_error(format!("got an index of type {aval}, expected a scalar")));
        }
        let zero = ops::zeros_of(aval);
        Ok(Starts::Scalars((0..n).map(|k| if k == axis { i.clone() } else { zero.clone() }).collect()))
    }
}

/// Boxes at run-time places.
impl Array {
    /// The box of extents `sizes` that begins at `starts`: integer scalars, one for each axis, or one integer vector.
    ///
    /// A negative start counts from the end; then the box is moved inwards until it fits. Differentiable in `self`.
    ///
    /// # Errors
    /// Another number of starts or sizes than axes; starts that are no integers; a box larger than the array.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.dynamic_slice([Array::from(1)], &[2]).to_vec::<f64>()?, [2.0, 3.0]);
    /// assert_eq!(x.dynamic_slice([Array::from(9)], &[2]).to_vec::<f64>()?, [3.0, 4.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_slice(&self, starts: impl Into<Starts>, sizes: &[usize]) -> Array {
        let starts = starts.into();
        attempt("dynamic_slice", &[self], || {
            let starts = starts.vector(self.try_aval()?)?;
            Ok(dynamic_slice(self, &starts, sizes, 0))
        })
    }

    /// The array with the box that begins at `starts` replaced by `update`, which has as many axes; see
    /// [`Array::dynamic_slice`].
    ///
    /// Differentiable in `self` and `update`.
    ///
    /// # Errors
    /// As for [`Array::dynamic_slice`]; an update of another element type.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from(vec![1.0, 2.0, 3.0, 4.0]);
    /// let y = x.dynamic_update_slice(&Array::from(vec![0.5, 0.5]), [Array::from(-2)]);
    /// assert_eq!(y.to_vec::<f64>()?, [1.0, 2.0, 0.5, 0.5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_update_slice(&self, update: &Array, starts: impl Into<Starts>) -> Array {
        let starts = starts.into();
        attempt("dynamic_update_slice", &[self, update], || {
            let starts = starts.vector(self.try_aval()?)?;
            Ok(dynamic_update_slice(self, update, &starts, 0))
        })
    }

    /// `size` entries of one axis from `start`, an integer scalar; otherwise as [`Array::dynamic_slice`].
    ///
    /// # Errors
    /// An axis out of range; a start that is no integer scalar; more entries than there are.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.dynamic_slice_in_dim(&Array::from(1), 2, -1).to_vec::<i32>()?, [2, 3, 5, 6]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_slice_in_dim(&self, start: &Array, size: usize, axis: isize) -> Array {
        attempt("dynamic_slice_in_dim", &[self, start], || {
            let x = self.try_aval()?;
            let axis = normalize_axis(axis, x.ndim())?;
            let mut sizes = x.shape.to_vec();
            sizes[axis] = size;
            Ok(self.dynamic_slice(Starts::along(start, axis, x.ndim())?, &sizes))
        })
    }

    /// The entry at `i`, an integer scalar, of one axis, which disappears. A negative index counts from the end; one that
    /// is outside even then reads the nearest entry.
    ///
    /// # Errors
    /// An axis out of range or without entries; an index that is no integer scalar.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.dynamic_index(&Array::from(1), 0).to_vec::<i32>()?, [4, 5, 6]);
    /// assert_eq!(x.dynamic_index(&Array::from(-1), 1).to_vec::<i32>()?, [3, 6]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_index(&self, i: &Array, axis: isize) -> Array {
        attempt("dynamic_index", &[self, i], || {
            let x = self.try_aval()?;
            let axis = normalize_axis(axis, x.ndim())?;
            let mut sizes = x.shape.to_vec();
            sizes[axis] = 1;
            let picked = self.dynamic_slice(Starts::along(i, axis, x.ndim())?, &sizes);
            sizes.remove(axis);
            Ok(reshape(picked.check()?, &sizes))
        })
    }

    /// The array with the entry at `i`, an integer scalar, of one axis replaced by `update`, which lacks that axis; see
    /// [`Array::dynamic_index`].
    ///
    /// # Errors
    /// As for [`Array::dynamic_index`]; an update of another shape or element type.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// let y = x.dynamic_update_index(&Array::from(vec![7, 8, 9]), &Array::from(0), 0);
    /// assert_eq!(y.to_vec::<i32>()?, [7, 8, 9, 4, 5, 6]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_update_index(&self, update: &Array, i: &Array, axis: isize) -> Array {
        attempt("dynamic_update_index", &[self, update, i], || {
            let (x, u) = (self.try_aval()?, update.try_aval()?);
            let axis = normalize_axis(axis, x.ndim())?;
            let mut shape = x.shape.to_vec();
            shape.remove(axis);
            if u.shape[..] != shape[..] {
                return Err(shape_error(format!("got an update {u}, expected shape {shape:?} for axis {axis} of {x}")));
            }
            shape.insert(axis, 1);
            Ok(self.dynamic_update_slice(&reshape(update, &shape), Starts::along(i, axis, x.ndim())?))
        })
    }
}
