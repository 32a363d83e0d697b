//! Whether all or any elements hold.

use super::{reduce_and, reduce_or, reductions};
use crate::array::Array;
use dini_cpu::dtype::DType;

reductions! {
    /// Whether every element is true, numbers where they are not 0; of no elements true.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[true, true], [true, false]]);
    /// assert!(!x.all().item::<bool>()?);
    /// assert_eq!(x.all_axis(1).to_vec::<bool>()?, [true, false]);
    /// # Ok::<(), Error>(())
    /// ```
    all, all_axis, all_axes = |x, axes| Ok(reduce_and(&truth(x), axes));
    /// Whether some element is true, numbers where they are not 0; of no elements false.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[0, 2], [0, 0]]);
    /// assert!(x.any().item::<bool>()?);
    /// assert_eq!(x.any_axis(1).to_vec::<bool>()?, [true, false]);
    /// # Ok::<(), Error>(())
    /// ```
    any, any_axis, any_axes = |x, axes| Ok(reduce_or(&truth(x), axes));
}

fn truth(x: &Array) -> Array {
    match x.dtype() {
        DType::Bool => x.clone(),
        _ => x.cast(DType::Bool),
    }
}
