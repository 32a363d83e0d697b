//! Making arrays: constants, ranges, identity matrices.

use super::{attempt, scalar_of, zeros_of};
use crate::{
    array::{Array, Scalar},
    ops,
    prim::structural::{check_extents, iota::Iota},
    shape::{Aval, Shape},
    trace::{bind1, here},
};
use dini_cpu::dtype::DType;

impl Array {
    /// Zeros (`false` for `bool`).
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::zeros(&[2], DType::F64).to_vec::<f64>()?, [0.0, 0.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn zeros(shape: &[usize], dtype: DType) -> Array {
        attempt("zeros", &[], || {
            check_extents(shape)?;
            Ok(zeros_of(&Aval::new(dtype, shape)))
        })
    }

    /// Ones (`true` for `bool`).
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::ones(&[3], DType::I32).to_vec::<i32>()?, [1, 1, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn ones(shape: &[usize], dtype: DType) -> Array {
        attempt("ones", &[], || Ok(ops::broadcast_in_dim(scalar_of(1.0, dtype).check()?, shape, &[])))
    }

    /// An array filled with one value; an error if the element type cannot represent it.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::full(&[2], 7, DType::F32).to_vec::<f32>()?, [7.0, 7.0]);
    /// assert!(Array::full(&[2], 0.5, DType::I32).check().is_err());
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn full(shape: &[usize], value: impl Into<Scalar>, dtype: DType) -> Array {
        let value = value.into();
        attempt("full", &[], || Ok(ops::broadcast_in_dim(value.array(dtype, here()).check()?, shape, &[])))
    }

    /// 0, 1, …, n − 1; an error if an integer type cannot count that far.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::arange(4, DType::I64).to_vec::<i64>()?, [0, 1, 2, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn arange(n: usize, dtype: DType) -> Array {
        attempt("arange", &[], || Ok(bind1(Iota { dtype, shape: Shape::from_slice(&[n]), axis: 0 }, &[])))
    }

    /// The index along `axis` at every place of the shape.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::iota(&[2, 3], -1, DType::U8).to_vec::<u8>()?, [0, 1, 2, 0, 1, 2]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn iota(shape: &[usize], axis: isize, dtype: DType) -> Array {
        attempt("iota", &[], || {
            let axis = crate::shape::normalize_axis(axis, shape.len())?;
            Ok(bind1(Iota { dtype, shape: Shape::from_slice(shape), axis }, &[]))
        })
    }

    /// `n` values of type `f64` from `lo` to `hi`, both included, at equal distances; a single one is `lo`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::linspace(0.0, 1.0, 5).to_vec::<f64>()?, [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn linspace(lo: f64, hi: f64, n: usize) -> Array {
        let step = (hi - lo) / n.saturating_sub(1).max(1) as f64;
        let mut values: Vec<f64> = (0..n).map(|i| lo + i as f64 * step).collect();
        // Rounding must not miss the end.
        if let [_, .., last] = &mut values[..] {
            *last = hi;
        }
        Array::new(values, &[n])
    }

    /// The n × n identity matrix.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::eye(2, DType::F64).to_vec::<f64>()?, [1.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn eye(n: usize, dtype: DType) -> Array {
        attempt("eye", &[], || {
            let index = |axis| Array::iota(&[n, n], axis, DType::I64);
            Ok(index(0).eq(index(1)).cast(dtype))
        })
    }
}

/// Zeros of the shape and element type of `x`.
///
/// ```
/// use dini::prelude::*;
/// assert_eq!(zeros_like(&Array::from([1.5, 2.5])).to_vec::<f64>()?, [0.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn zeros_like(x: &Array) -> Array {
    match x.try_aval() {
        Ok(aval) => zeros_of(aval),
        Err(e) => Array::poison(e),
    }
}

/// Ones of the shape and element type of `x`.
///
/// ```
/// use dini::prelude::*;
/// assert_eq!(ones_like(&Array::from([5, 6])).to_vec::<i32>()?, [1, 1]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn ones_like(x: &Array) -> Array {
    attempt("ones_like", &[x], || Ok(ops::broadcast_like(&ops::one_of(x), x)))
}

/// An array of the shape and element type of `x` filled with one value; an error if the type cannot represent it.
///
/// ```
/// use dini::prelude::*;
/// assert_eq!(full_like(&Array::from([5, 6]), 9).to_vec::<i32>()?, [9, 9]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn full_like(x: &Array, value: impl Into<Scalar>) -> Array {
    let value = value.into();
    attempt("full_like", &[x], || {
        let aval = x.try_aval()?;
        Ok(ops::broadcast_in_dim(value.array(aval.dtype, here()).check()?, &aval.shape, &[]))
    })
}
