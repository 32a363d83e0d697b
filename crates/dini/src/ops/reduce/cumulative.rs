//! Running combinations along an axis.

use super::counted;
use crate::{
    array::Array,
    ops::structural::attempt,
    prim::{
        Prim,
        reduce::cumulative::{CumMax, CumMin, CumProd, CumSum},
    },
    shape::normalize_axis,
    trace::bind1,
};

#[track_caller]
fn cumulative(op: &str, x: &Array, axis: isize, prim: impl FnOnce(usize) -> Prim) -> Array {
    attempt(op, &[x], || {
        let axis = normalize_axis(axis, x.try_aval()?.ndim())?;
        Ok(bind1(prim(axis), std::slice::from_ref(x)))
    })
}

macro_rules! running {
    ($($(#[$doc:meta])* $forward:ident, $backward:ident: $prim:ident, $operand:expr;)*) => {
        impl Array { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $forward(&self, axis: isize) -> Array {
                cumulative(stringify!($forward), &$operand(self), axis, |axis| $prim { axis, reverse: false }.into())
            }

            #[doc = concat!("[`Array::", stringify!($forward), "`] from the last element to the first.")]
            #[track_caller]
            pub fn $backward(&self, axis: isize) -> Array {
                cumulative(stringify!($backward), &$operand(self), axis, |axis| $prim { axis, reverse: true }.into())
            }
        )* }
    };
}

/// `bool` as numbers; an array that carries an error as it is.
#[track_caller]
fn numbers(x: &Array) -> Array {
    if x.try_aval().is_ok() { counted(x) } else { x.clone() }
}

running! {
    /// Running sum along an axis, each result including its own element. `bool` is counted, in `i64`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([1, 2, 3]);
    /// assert_eq!(x.cumsum(0).to_vec::<i32>()?, [1, 3, 6]);
    /// assert_eq!(x.cumsum_reverse(0).to_vec::<i32>()?, [6, 5, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    cumsum, cumsum_reverse: CumSum, numbers;
    /// Running product along an axis, each result including its own element. The derivative is right at zeros too.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 2, 3]).cumprod(0).to_vec::<i32>()?, [1, 2, 6]);
    /// # Ok::<(), Error>(())
    /// ```
    cumprod, cumprod_reverse: CumProd, numbers;
    /// Running maximum along an axis, each result including its own element; a NaN wins from its place on.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([1, 3, 2]).cummax(0).to_vec::<i32>()?, [1, 3, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    cummax, cummax_reverse: CumMax, Array::clone;
    /// Running minimum along an axis, each result including its own element; a NaN wins from its place on.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([3, 1, 2]).cummin(0).to_vec::<i32>()?, [3, 1, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    cummin, cummin_reverse: CumMin, Array::clone;
}
