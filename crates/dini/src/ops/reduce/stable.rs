//! Sums of exponentials that do not overflow: log-sum-exp and softmax.
//!
//! With m = max x, Σ eˣ = eᵐ Σ eˣ⁻ᵐ, whose exponents are at most 0. The result does not depend on m, so the derivative
//! does not go through it.

use super::{kept_shape, reduce_max, reduce_sum, reductions};
use crate::{
    array::Array,
    error::Result,
    ops::{self, structural::attempt},
    prim::suspend::StopGradient,
    shape::normalize_axis,
    trace::bind1,
};

reductions! {
    /// ln Σ eˣ, without overflow; of no elements −∞. Floating point only.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([1000.0, 1000.0]);
    /// assert!((x.logsumexp().item::<f64>()? - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
    /// # Ok::<(), Error>(())
    /// ```
    logsumexp, logsumexp_axis, logsumexp_axes = |x, axes| Ok(logsumexp(x, axes));
}

impl Array {
    /// eˣ / Σ eˣ along an axis, without overflow: positive weights that sum to 1. Floating point only.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([3.0, 3.0]).softmax(0).to_vec::<f64>()?, [0.5, 0.5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Array {
        attempt("softmax", &[self], || -> Result<Array> {
            let axis = normalize_axis(axis, self.try_aval()?.ndim())?;
            let weights = (self - spread(&largest(self, &[axis]), self, &[axis])).exp();
            Ok(&weights / spread(&reduce_sum(&weights, &[axis]), self, &[axis]))
        })
    }

    /// The logarithm of [`Array::softmax`], without its underflow: x − ln Σ eˣ.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([0.0, -2000.0]).log_softmax(0).to_vec::<f64>()?, [0.0, -2000.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Array {
        attempt("log_softmax", &[self], || -> Result<Array> {
            let axis = normalize_axis(axis, self.try_aval()?.ndim())?;
            let shifted = self - spread(&largest(self, &[axis]), self, &[axis]);
            let total = reduce_sum(&shifted.exp(), &[axis]).log();
            Ok(&shifted - spread(&total, self, &[axis]))
        })
    }
}

fn logsumexp(x: &Array, axes: &[usize]) -> Array {
    let m = largest(x, axes);
    reduce_sum(&(x - spread(&m, x, axes)).exp(), axes).log() + m
}

/// The largest element of each slice, as a constant; 0 where it is infinite (or NaN), so that ∞ − ∞ does not appear.
fn largest(x: &Array, axes: &[usize]) -> Array {
    let m = bind1(StopGradient, &[reduce_max(x, axes)]);
    ops::select(&m.is_finite(), &m, &ops::scalar_like(0.0, x))
}

/// A value for each slice, at all of its places.
fn spread(y: &Array, x: &Array, axes: &[usize]) -> Array {
    ops::broadcast_to(&ops::reshape(y, &kept_shape(x.aval(), axes)), x.shape())
}
