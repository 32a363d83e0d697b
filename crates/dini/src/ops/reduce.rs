//! Reductions over axes, running combinations, and the statistics composed of them.
//!
//! The functions in this file are thin over the primitives and take ascending axes below the rank: rules and other
//! operations use them. Users call the methods in the files below, in three forms each: over all elements, over one axis
//! (`…_axis`), over several (`…_axes`). Reduced axes disappear.

mod cumulative;
mod extremum;
mod logic;
mod stable;
mod statistics;

use crate::{
    array::Array,
    error::Result,
    ops::structural::{attempt, normalize_axes},
    prim::{
        Prim,
        reduce::{
            cumulative::CumSum,
            extremum::{ReduceMax, ReduceMin},
            logic::{ReduceAnd, ReduceOr},
            prod::ReduceProd,
            sum::ReduceSum,
        },
    },
    shape::{Aval, Shape},
    trace::bind1,
};

/// Binds a reduction unless there is nothing to reduce.
#[track_caller]
fn reduce(x: &Array, axes: &[usize], prim: impl Into<Prim>) -> Array {
    if axes.is_empty() { x.clone() } else { bind1(prim, std::slice::from_ref(x)) }
}

/// Σ x over axes.
#[track_caller]
pub fn reduce_sum(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceSum { axes: axes.to_vec() })
}

/// Π x over axes.
#[track_caller]
pub fn reduce_prod(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceProd { axes: axes.to_vec() })
}

/// max x over axes.
#[track_caller]
pub fn reduce_max(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceMax { axes: axes.to_vec() })
}

/// min x over axes.
#[track_caller]
pub fn reduce_min(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceMin { axes: axes.to_vec() })
}

/// Bitwise (logical) and over axes.
#[track_caller]
pub fn reduce_and(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceAnd { axes: axes.to_vec() })
}

/// Bitwise (logical) or over axes.
#[track_caller]
pub fn reduce_or(x: &Array, axes: &[usize]) -> Array {
    reduce(x, axes, ReduceOr { axes: axes.to_vec() })
}

/// Running sum along an axis, each result including its own element.
#[track_caller]
pub fn running_sum(x: &Array, axis: usize, reverse: bool) -> Array {
    bind1(CumSum { axis, reverse }, std::slice::from_ref(x))
}

/// Which axes a method reduces.
#[derive(Clone, Copy)]
enum Over<'a> {
    All,
    Axes(&'a [isize]),
}

/// Runs a reduction over axes given in a user's form.
#[track_caller]
fn over(op: &str, x: &Array, axes: Over<'_>, body: impl FnOnce(&Array, &[usize]) -> Result<Array>) -> Array {
    attempt(op, &[x], || {
        let aval = x.try_aval()?;
        let axes = match axes {
            Over::All => (0..aval.ndim()).collect(),
            Over::Axes(axes) => normalize_axes(axes, aval.ndim())?,
        };
        body(x, &axes)
    })
}

/// The shape with reduced axes kept at extent 1, so that a result broadcasts against the operand.
fn kept_shape(x: &Aval, axes: &[usize]) -> Shape {
    x.shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n }).collect()
}

/// Declares the three forms of a reduction.
macro_rules! reductions {
    ($($(#[$doc:meta])* $all:ident, $one:ident, $several:ident = $body:expr;)*) => {
        impl Array { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $all(&self) -> Array {
                $crate::ops::reduce::over(stringify!($all), self, $crate::ops::reduce::Over::All, $body)
            }

            #[doc = concat!("[`Array::", stringify!($all), "`] over one axis, which disappears; negative axes count from the end.")]
            #[track_caller]
            pub fn $one(&self, axis: isize) -> Array {
                let axes = [axis];
                $crate::ops::reduce::over(stringify!($one), self, $crate::ops::reduce::Over::Axes(&axes), $body)
            }

            #[doc = concat!("[`Array::", stringify!($all), "`] over several axes, which disappear; negative axes count from the end.")]
            #[track_caller]
            pub fn $several(&self, axes: &[isize]) -> Array {
                $crate::ops::reduce::over(stringify!($several), self, $crate::ops::reduce::Over::Axes(axes), $body)
            }
        )* }
    };
}
use reductions;

/// Numbers as they are, truth values counted.
fn counted(x: &Array) -> Array {
    match x.dtype() {
        dini_cpu::dtype::DType::Bool => x.cast(dini_cpu::dtype::DType::I64),
        _ => x.clone(),
    }
}

reductions! {
    /// Sum of the elements, in a fixed order; of no elements 0. A `bool` array is counted, in `i64`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum().item::<f64>()?, 10.0);
    /// assert_eq!(x.sum_axis(0).to_vec::<f64>()?, [4.0, 6.0]);
    /// assert_eq!(x.sum_axes(&[0, -1]).item::<f64>()?, 10.0);
    /// # Ok::<(), Error>(())
    /// ```
    sum, sum_axis, sum_axes = |x, axes| Ok(reduce_sum(&counted(x), axes));
    /// Product of the elements; of no elements 1. A `bool` array is taken as 0 and 1, in `i64`. The derivative is right
    /// at zeros too.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::from([[1.0, 2.0], [3.0, 0.0]]);
    /// assert_eq!(x.prod_axis(1).to_vec::<f64>()?, [2.0, 0.0]);
    /// let d = grad(|x: Array| x.prod())(x)?;
    /// assert_eq!(d.to_vec::<f64>()?, [0.0, 0.0, 0.0, 6.0]);
    /// # Ok::<(), Error>(())
    /// ```
    prod, prod_axis, prod_axes = |x, axes| Ok(reduce_prod(&counted(x), axes));
}
