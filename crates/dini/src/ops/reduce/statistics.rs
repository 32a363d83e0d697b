//! Mean, variance, standard deviation and the Euclidean norm.

use super::{kept_shape, reduce_sum, reductions};
use crate::{array::Array, ops};
use dini_cpu::dtype::DType;

reductions! {
    /// Arithmetic mean; of no elements NaN. Integers and `bool` are averaged in `f64`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 2.0], [3.0, 6.0]]);
    /// assert_eq!(x.mean().item::<f64>()?, 3.0);
    /// assert_eq!(x.mean_axis(0).to_vec::<f64>()?, [2.0, 4.0]);
    /// # Ok::<(), Error>(())
    /// ```
    mean, mean_axis, mean_axes = |x, axes| Ok(mean(&inexact(x), axes));
    /// Variance: the mean squared distance from the mean (no correction of the number of elements). Integers and `bool`
    /// in `f64`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1.0, 3.0]).var().item::<f64>()?, 1.0);
    /// # Ok::<(), Error>(())
    /// ```
    var, var_axis, var_axes = |x, axes| Ok(variance(&inexact(x), axes));
    /// Standard deviation: the square root of [`Array::var`]. Its derivative at variance 0 is not finite.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1.0, 3.0]).std().item::<f64>()?, 1.0);
    /// # Ok::<(), Error>(())
    /// ```
    std, std_axis, std_axes = |x, axes| Ok(variance(&inexact(x), axes).sqrt());
    /// Euclidean norm √Σx². Integers and `bool` in `f64`. Its derivative at 0 is not finite.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([3.0, 4.0]).norm().item::<f64>()?, 5.0);
    /// # Ok::<(), Error>(())
    /// ```
    norm, norm_axis, norm_axes = |x, axes| {
        let x = inexact(x);
        Ok(reduce_sum(&(&x * &x), axes).sqrt())
    };
}

fn inexact(x: &Array) -> Array {
    if x.dtype().is_inexact() { x.clone() } else { x.cast(DType::F64) }
}

fn mean(x: &Array, axes: &[usize]) -> Array {
    let n: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    reduce_sum(x, axes) / ops::scalar_like(n as f64, x)
}

fn variance(x: &Array, axes: &[usize]) -> Array {
    let center = ops::reshape(&mean(x, axes), &kept_shape(x.aval(), axes));
    let distance = x - ops::broadcast_to(&center, x.shape());
    mean(&(&distance * &distance), axes)
}
