//! Reductions and running combinations.
//!
//! Over no elements a sum is 0, a product 1, an `and` true, an `or` false, a maximum the type's smallest value (−∞ for
//! floating point) and a minimum its largest; the index of an extreme among none is an error.

pub(crate) mod arg;
pub(crate) mod cumulative;
pub(crate) mod extremum;
pub(crate) mod logic;
pub(crate) mod prod;
pub(crate) mod sum;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    prim::structural::{beside, check_axes, only_operand},
    shape::Aval,
};
use dini_cpu::dtype::DType;

pub(crate) fn is_number(d: DType) -> bool {
    d.is_integer() || d.is_float()
}

pub(crate) fn is_real(d: DType) -> bool {
    is_number(d) || d == DType::Bool
}

pub(crate) fn is_bits(d: DType) -> bool {
    d.is_integer() || d == DType::Bool
}

pub(crate) fn expect_dtype(x: &Aval, admits: fn(DType) -> bool, what: &str) -> Result<()> {
    if admits(x.dtype) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::DType, format!("got {}, expected {what}", x.dtype)))
    }
}

/// The operand's type without the axes.
pub(crate) fn infer_reduction(
    axes: &[usize],
    avals: &[Aval],
    admits: fn(DType) -> bool,
    what: &str,
) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    expect_dtype(x, admits, what)?;
    check_axes(axes, x.ndim())?;
    Ok(vec![x.with_shape(&kept_axes(axes, x.ndim()).iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>())])
}

/// The axes below `ndim` that are not reduced.
pub(crate) fn kept_axes(axes: &[usize], ndim: usize) -> Vec<usize> {
    (0..ndim).filter(|axis| !axes.contains(axis)).collect()
}

/// The reduced axes in an operand with lanes, and where the lanes are in the result.
pub(crate) fn batched_axes(axes: &[usize], lanes: usize) -> (Vec<usize>, usize) {
    let axes: Vec<usize> = axes.iter().map(|&axis| beside(axis, lanes)).collect();
    let before = axes.iter().filter(|&&axis| axis < lanes).count();
    (axes, lanes - before)
}

/// A value for each slice that was reduced, back at all of the slice's places.
pub(crate) fn spread(y: &Array, axes: &[usize], x: &Aval) -> Array {
    crate::ops::broadcast_in_dim(y, &x.shape, &kept_axes(axes, x.ndim()))
}

/// Declares a reduction over axes: type, printed name, combination, admissible element types, derivative, transpose and
/// samples.
macro_rules! reduction {
    (
        $(#[$doc:meta])*
        $name:ident $text:literal = $combine:expr, admits: ($admits:expr, $what:literal), jvp: $jvp:expr,
        transpose: $transpose:expr, samples: [$(($axes:expr, $sample:literal)),* $(,)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            /// The axes that disappear, strictly ascending.
            pub axes: Vec<usize>,
        }

        impl $crate::prim::Primitive for $name {
            const NAME: &'static str = $text;
            const RULES: $crate::prim::Rules<Self> = $crate::prim::Rules {
                infer: |p, avals| $crate::prim::reduce::infer_reduction(&p.axes, avals, $admits, $what),
                lower: $crate::prim::Lower::Loops(|p, cx, args, _, outs| {
                    let op = dini_cpu::graph::Op::Reduce { combine: $combine, axes: p.axes.clone() };
                    Ok(vec![cx.push1(op, args, &outs[0])])
                }),
                jvp: $jvp,
                transpose: $transpose,
                batch: $crate::prim::Batch::By(|p, _, values, axes| {
                    let Some(lanes) = axes[0] else {
                        return Ok(($crate::trace::bind(p.clone(), values)?, vec![None]));
                    };
                    let (axes, to) = $crate::prim::reduce::batched_axes(&p.axes, lanes);
                    Ok(($crate::trace::bind($name { axes }, values)?, vec![Some(to)]))
                }),
                form: $crate::prim::Form::First,
                samples: || vec![$(($name { axes: $axes.to_vec() }, $sample)),*],
            };
        }
    };
}
pub(crate) use reduction;
