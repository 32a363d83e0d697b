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
        let error = Error::new(ErrorKind::DType, format!("got {}, expected {what}", x.dtype));
        Err(if admits(DType::F64) { error.help("convert with `.cast(DType::F64)`") } else { error })
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

#[cfg(test)]
mod tests {
    use crate::{array::Array, transform::grad::grad};
    use dini_cpu::dtype::DType;

    #[track_caller]
    fn check(x: Array, expected: &[f64]) {
        assert_eq!(x.cast(DType::F64).to_vec::<f64>().unwrap(), expected);
    }

    fn none(dtype: DType) -> Array {
        Array::zeros(&[0], dtype)
    }

    #[test]
    fn reductions_of_nothing_are_neutral() {
        check(none(DType::F64).sum(), &[0.0]);
        check(none(DType::I32).prod(), &[1.0]);
        check(none(DType::F64).amax(), &[f64::NEG_INFINITY]);
        check(none(DType::F32).amin(), &[f64::INFINITY]);
        check(none(DType::I32).amax(), &[f64::from(i32::MIN)]);
        check(none(DType::U8).amin(), &[255.0]);
        check(none(DType::Bool).all(), &[1.0]);
        check(none(DType::Bool).any(), &[0.0]);
        check(Array::zeros(&[2, 0], DType::F64).sum_axis(1), &[0.0, 0.0]);
        check(Array::zeros(&[0, 2], DType::F64).sum_axis(1), &[]);
        assert!(none(DType::F64).argmax().check().is_err());
        check(Array::zeros(&[0, 2], DType::F64).argmax_axis(1), &[]);
    }

    #[test]
    fn a_nan_wins() {
        let x = Array::from([1.0, f64::NAN, 3.0, f64::NAN]);
        assert!(x.amax().item::<f64>().unwrap().is_nan());
        assert!(x.amin().item::<f64>().unwrap().is_nan());
        check(x.argmax(), &[1.0]);
        check(x.argmin(), &[1.0]);
        check(x.cummax(0).is_finite(), &[1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_first_of_equals_is_found() {
        check(Array::from([2, 5, 5, 2]).argmax(), &[1.0]);
        check(Array::from([2, 5, 5, 2]).argmin(), &[0.0]);
    }

    #[test]
    fn ties_share_the_derivative() {
        let d = grad(|x: Array| x.amax())(Array::from([3.0, 1.0, 3.0, 3.0])).unwrap();
        let third = 1.0 / 3.0;
        check(d, &[third, 0.0, third, third]);
    }

    #[test]
    fn products_differentiate_twice_at_zeros() {
        // ∂²/∂xᵢ∂xⱼ of x₀x₁x₂x₃ is the product of the other two.
        let x = [0.0, 2.0, 0.0, 5.0];
        let second = |i: isize, j: isize, f: fn(&Array) -> Array| {
            let first = move |x: Array| grad(move |x: Array| f(&x))(x).map(|d| d.index(i));
            grad(first)(Array::from(x)).unwrap().index(j).item::<f64>().unwrap()
        };
        for f in [|x: &Array| x.prod(), |x: &Array| x.cumprod(0).index(-1), |x: &Array| x.cumprod_reverse(0).index(0)] {
            assert_eq!(second(0, 2, f), 10.0);
            assert_eq!(second(0, 1, f), 0.0);
            assert_eq!(second(1, 1, f), 0.0);
        }
    }

    #[test]
    fn errors_name_axis_and_type() {
        let message = |x: Array| x.check().unwrap_err().to_string();
        assert!(message(Array::from([1.0]).sum_axis(1)).contains("axis 1 is out of range"));
        assert!(message(Array::from([1.0]).sum_axes(&[0, -1])).contains("axis 0 is named twice"));
        assert!(message(Array::from(1.0).cumsum(0)).contains("axis 0 is out of range"));
        assert!(message(Array::zeros(&[2], DType::Float0).sum()).contains("expected a number"));
    }
}
