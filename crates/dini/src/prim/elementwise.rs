//! Elementwise primitives: one result; every operand has the result's shape or rank 0.
//!
//! Derivatives at ties, at zero and at infinity follow JAX's choices; each file states them.

pub(crate) mod arithmetic;
pub(crate) mod exponential;
pub(crate) mod hyperbolic;
pub(crate) mod logic;
pub(crate) mod power;
pub(crate) mod select;
pub(crate) mod special;
pub(crate) mod trigonometric;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    shape::Aval,
};
use dini_cpu::dtype::DType;

/// The common shape of the operands: rank 0 fits every shape.
pub(crate) fn common_shape(avals: &[Aval]) -> Result<crate::shape::Shape> {
    let mut shape: Option<&Aval> = None;
    for a in avals.iter().filter(|a| a.ndim() > 0) {
        match shape {
            None => shape = Some(a),
            Some(s) if s.shape == a.shape => {}
            Some(s) => {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("operands have shapes {:?} and {:?}", &s.shape[..], &a.shape[..]),
                ));
            }
        }
    }
    Ok(shape.map(|a| a.shape.clone()).unwrap_or_default())
}

fn one_dtype(avals: &[Aval], admissible: fn(DType) -> bool, what: &str) -> Result<DType> {
    let dtype = avals[0].dtype;
    if let Some(other) = avals.iter().find(|a| a.dtype != dtype) {
        return Err(Error::new(ErrorKind::DType, format!("operands have dtypes {dtype} and {}", other.dtype))
            .help(format!("convert one with `.cast(DType::{dtype:?})`")));
    }
    if !admissible(dtype) {
        let error = Error::new(ErrorKind::DType, format!("got {dtype}, expected {what}"));
        return Err(if admissible(DType::F64) { error.help("convert with `.cast(DType::F64)`") } else { error });
    }
    Ok(dtype)
}

fn same(avals: &[Aval], admissible: fn(DType) -> bool, what: &str) -> Result<Vec<Aval>> {
    let dtype = one_dtype(avals, admissible, what)?;
    Ok(vec![Aval { dtype, shape: common_shape(avals)? }])
}

fn is_number(d: DType) -> bool {
    d.is_integer() || d.is_float()
}

fn is_real(d: DType) -> bool {
    is_number(d) || d == DType::Bool
}

fn is_bits(d: DType) -> bool {
    d.is_integer() || d == DType::Bool
}

pub(crate) fn infer_float<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    same(avals, DType::is_float, "a floating-point type")
}

pub(crate) fn infer_number<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    same(avals, is_number, "a number")
}

pub(crate) fn infer_real<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    same(avals, is_real, "a number or bool")
}

pub(crate) fn infer_bits<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    same(avals, is_bits, "an integer or bool")
}

pub(crate) fn infer_integer<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    same(avals, DType::is_integer, "an integer")
}

pub(crate) fn infer_compare<P>(_: &P, avals: &[Aval]) -> Result<Vec<Aval>> {
    Ok(vec![same(avals, is_real, "a number or bool")?[0].with_dtype(DType::Bool)])
}

/// The cotangent of an operand that may have been repeated from rank 0.
pub(crate) fn unbroadcast(ct: &Array, operand: &Aval) -> Array {
    if operand.ndim() == 0 && ct.ndim() > 0 {
        let axes: Vec<usize> = (0..ct.ndim()).collect();
        ops::reduce_sum(ct, &axes)
    } else {
        ct.clone()
    }
}

/// Declares elementwise primitives: type, printed name, scalar operation, inference, derivative and samples; each also
/// gives its transpose.
macro_rules! elementwise {
    ($(
        $(#[$doc:meta])*
        $name:ident $text:literal = $op:expr, infer: $infer:expr, jvp: $jvp:expr, transpose: $transpose:expr,
        samples: [$($sample:literal),* $(,)?];
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name;

        impl $crate::prim::Primitive for $name {
            const NAME: &'static str = $text;
            const RULES: $crate::prim::Rules<Self> = $crate::prim::Rules {
                infer: $infer,
                lower: $crate::prim::Lower::Scalar(|_| $op),
                jvp: $jvp,
                transpose: $transpose,
                batch: $crate::prim::Batch::Elementwise,
                form: $crate::prim::Form::First,
                samples: || vec![$(($name, $sample)),*],
            };
        }
    )* };
}
pub(crate) use elementwise;
