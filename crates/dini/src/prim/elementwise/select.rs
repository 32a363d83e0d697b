//! Choice by a mask, clamping, and conversion between element types.
//!
//! `clamp` passes its tangent strictly inside the bounds; a bound's tangent passes where it is strictly active, the lower
//! one's only below the upper bound. At a tie nothing passes, as in JAX.

use super::{common_shape, elementwise, infer_real, unbroadcast};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{Batch, Form, Jvp, Lower, Operand, Primitive, Rules, Transpose},
    shape::Aval,
};
use dini_cpu::{dtype::DType, scalar::ScalarOp};

elementwise! {
    /// min(max(x, lo), hi)
    Clamp "clamp" = ScalarOp::Clamp, infer: infer_real,
        jvp: Jvp::Elementwise(&[
            Some(|_, x, y| mask(&(x[0].gt(&x[1]) & x[0].lt(&x[2])), y)),
            Some(|_, x, y| mask(&(x[1].gt(&x[0]) & x[1].lt(&x[2])), y)),
            Some(|_, x, y| mask(&x[2].lt(&x[1]), y)),
        ]),
        transpose: Transpose::NotLinear, samples: ["f64[]@-0.5..-0.4 f64[5] f64[]@0.4..0.5", "f64[3]@-1..-0.9 f64[3] f64[3]@0.9..1"];
    /// Where the mask holds the second operand, else the third
    Select "select" = ScalarOp::Select, infer: infer_select, jvp: Jvp::By(|_, x, y, t| Ok(vec![select_jvp(x, &y[0], t)])),
        transpose: Transpose::By(select_transpose),
        samples: ["bool[3] f64[3] f64[3]", "bool[] f64[3] f64[3]", "bool[3] f64[] f64[3]", "bool[2] i32[2] i32[2]"];
}

fn mask(p: &Array, y: &Array) -> Array {
    ops::select(p, &ops::scalar_like(1.0, y), &ops::scalar_like(0.0, y))
}

fn infer_select(_: &Select, avals: &[Aval]) -> Result<Vec<Aval>> {
    let [p, x, y] = avals else {
        return Err(Error::new(ErrorKind::Structure, "takes three operands"));
    };
    if p.dtype != DType::Bool {
        return Err(Error::new(ErrorKind::DType, format!("got a mask of {}, expected bool", p.dtype)));
    }
    if x.dtype != y.dtype {
        return Err(Error::new(ErrorKind::DType, format!("the choices have dtypes {} and {}", x.dtype, y.dtype)));
    }
    if x.dtype == DType::Float0 {
        return Err(Error::new(ErrorKind::DType, "got choices of float0, expected numbers or bool"));
    }
    Ok(vec![Aval { dtype: x.dtype, shape: common_shape(avals)? }])
}

fn select_jvp(x: &[Array], y: &Array, t: &[Option<Array>]) -> Option<Array> {
    let zero = || ops::scalar_like(0.0, y);
    let (a, b) = match (&t[1], &t[2]) {
        (None, None) => return None,
        (Some(a), None) => (a.clone(), zero()),
        (None, Some(b)) => (zero(), b.clone()),
        (Some(a), Some(b)) => (a.clone(), b.clone()),
    };
    Some(ops::broadcast_like(&ops::select(&x[0], &a, &b), y))
}

fn select_transpose(_: &Select, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let p = xs[0].known()?;
    let Some(ct) = &ct[0] else { return Ok(vec![None; 3]) };
    let zero = ops::scalar_like(0.0, ct);
    let part = |i: usize, picked: Array| xs[i].is_linear().then(|| unbroadcast(&picked, &xs[i].aval()));
    Ok(vec![None, part(1, ops::select(p, ct, &zero)), part(2, ops::select(p, &zero, ct))])
}

/// Conversion to another element type
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// The element type of the result.
    pub to: DType,
}

impl Primitive for Cast {
    const NAME: &'static str = "cast";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let from = avals[0].dtype;
            let usable = |d: DType| d.is_integer() || d.is_float() || d == DType::Bool;
            if usable(from) && usable(p.to) {
                Ok(vec![avals[0].with_dtype(p.to)])
            } else {
                Err(Error::new(ErrorKind::DType, format!("no conversion from {from} to {}", p.to)))
            }
        },
        lower: Lower::Scalar(|p| ScalarOp::Cast(p.to)),
        jvp: Jvp::By(|p, x, _, t| {
            Ok(vec![t[0].as_ref().filter(|_| p.to.is_inexact() && x[0].dtype().is_inexact()).map(|t| t.cast(p.to))])
        }),
        transpose: Transpose::By(|_, ct, xs| {
            let from = xs[0].aval().dtype;
            Ok(vec![ct[0].as_ref().map(|ct| ct.cast(from))])
        }),
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || {
            vec![
                (Cast { to: DType::F32 }, "f64[3]"),
                (Cast { to: DType::F64 }, "f32[2]"),
                (Cast { to: DType::I32 }, "f64[3]"),
                (Cast { to: DType::F64 }, "i64[3]"),
                (Cast { to: DType::Bool }, "i32[3]"),
            ]
        },
    };
}
