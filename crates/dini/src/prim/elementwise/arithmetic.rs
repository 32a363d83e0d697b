//! Sums, products, quotients, extremes, and the roundings.
//!
//! At ties `max` and `min` give half of the tangent to each operand; `abs` has derivative 1 at 0 and at −0, as in JAX; `sign` and the roundings
//! have derivative 0 everywhere; `rem(x, y)` has ∂/∂y = −trunc(x/y).

use super::{elementwise, infer_float, infer_number, infer_real, unbroadcast};
use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{Jvp, Operand, Operands, Transpose},
};
use dini_cpu::scalar::ScalarOp;

elementwise! {
    /// −x
    Neg "neg" = ScalarOp::Neg, infer: infer_number, jvp: Jvp::Linear(Operands::All),
        transpose: Transpose::By(|_, ct, _| Ok(vec![ct[0].as_ref().map(|ct| -ct)])),
        samples: ["f64[3]", "f32[2,3]", "i32[4]"];
    /// |x|
    Abs "abs" = ScalarOp::Abs, infer: infer_number, jvp: Jvp::Elementwise(&[Some(|_, x, _| slope_of_abs(&x[0]))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]", "i64[4]"];
    /// −1, 0 or 1
    Sign "sign" = ScalarOp::Sign, infer: infer_number, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3]", "i32[4]"];
    /// ⌊x⌋
    Floor "floor" = ScalarOp::Floor, infer: infer_float, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3]"];
    /// ⌈x⌉
    Ceil "ceil" = ScalarOp::Ceil, infer: infer_float, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3]"];
    /// To the nearest whole number, ties to even.
    Round "round" = ScalarOp::Round, infer: infer_float, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3]"];
    /// x + y
    Add "add" = ScalarOp::Add, infer: infer_number, jvp: Jvp::By(|_, _, y, t| Ok(vec![add_tangents(y, t, 1.0)])),
        transpose: Transpose::By(|_, ct, xs| Ok(add_transpose(ct, xs, false))),
        samples: ["f64[3] f64[3]", "f32[2,3] f32[]", "f64[] f64[2]", "i32[4] i32[4]", "u8[2] u8[2]"];
    /// x − y
    Sub "sub" = ScalarOp::Sub, infer: infer_number, jvp: Jvp::By(|_, _, y, t| Ok(vec![add_tangents(y, t, -1.0)])),
        transpose: Transpose::By(|_, ct, xs| Ok(add_transpose(ct, xs, true))),
        samples: ["f64[3] f64[3]", "f32[2,3] f32[]", "f64[] f64[2]", "i32[4] i32[4]"];
    /// x · y
    Mul "mul" = ScalarOp::Mul, infer: infer_number,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| x[1].clone()), Some(|_, x, _| x[0].clone())]),
        transpose: Transpose::By(|_, ct, xs| mul_transpose(ct, xs)),
        samples: ["f64[3] f64[3]", "f32[2,3] f32[]", "f64[] f64[2]", "i32[4] i32[4]"];
    /// x / y; integers truncate
    Div "div" = ScalarOp::Div, infer: infer_number,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| ops::one_of(&x[1]) / &x[1]), Some(|_, x, y| -(y / &x[1]))]),
        transpose: Transpose::By(|_, ct, xs| {
            let divisor = xs[1].known()?;
            Ok(vec![ct[0].as_ref().map(|ct| unbroadcast(&(ct / divisor), &xs[0].aval())), None])
        }),
        samples: ["f64[3] f64[3]@0.5..2", "f32[2,3] f32[]@0.5..2", "f64[] f64[2]@-2..-0.5", "i32[4] i32[4]"];
    /// Remainder with the sign of x
    Rem "rem" = ScalarOp::Rem, infer: infer_number,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| ops::one_of(&x[0])), Some(|_, x, _| {
            let q = &x[0] / &x[1];
            -(q.sign() * q.abs().floor())
        })]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@4.2..4.8 f64[3]@2.5..3", "i32[4] i32[4]"];
    /// The larger one
    Max "max" = ScalarOp::Max, infer: infer_real,
        jvp: Jvp::Elementwise(&[Some(|_, x, y| share(&x[0], &x[1], y)), Some(|_, x, y| share(&x[1], &x[0], y))]),
        transpose: Transpose::NotLinear, samples: ["f64[3] f64[3]", "f64[3] f64[]", "i32[4] i32[4]", "bool[2] bool[2]"];
    /// The smaller one
    Min "min" = ScalarOp::Min, infer: infer_real,
        jvp: Jvp::Elementwise(&[Some(|_, x, y| share(&x[0], &x[1], y)), Some(|_, x, y| share(&x[1], &x[0], y))]),
        transpose: Transpose::NotLinear, samples: ["f64[3] f64[3]", "f64[3] f64[]", "i32[4] i32[4]", "bool[2] bool[2]"];
}

/// ẋ ± ẏ, leaving out zeros.
fn add_tangents(y: &[Array], t: &[Option<Array>], sign: f64) -> Option<Array> {
    let sum = match (&t[0], &t[1]) {
        (Some(a), Some(b)) if sign > 0.0 => a + b,
        (Some(a), Some(b)) => a - b,
        (Some(a), None) => a.clone(),
        (None, Some(b)) if sign > 0.0 => b.clone(),
        (None, Some(b)) => -b,
        (None, None) => return None,
    };
    Some(ops::broadcast_like(&sum, &y[0]))
}

fn add_transpose(ct: &[Option<Array>], xs: &[Operand], negate: bool) -> Vec<Option<Array>> {
    let part = |i: usize| {
        let ct = ct[0].as_ref().filter(|_| xs[i].is_linear())?;
        let ct = unbroadcast(ct, &xs[i].aval());
        Some(if i == 1 && negate { -ct } else { ct })
    };
    vec![part(0), part(1)]
}

fn mul_transpose(ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let Some(ct) = &ct[0] else { return Ok(vec![None, None]) };
    if xs[0].is_linear() {
        let factor = xs[1].known()?;
        Ok(vec![Some(unbroadcast(&(ct * factor), &xs[0].aval())), None])
    } else {
        Ok(vec![None, Some(unbroadcast(&(ct * xs[0].known()?), &xs[1].aval()))])
    }
}

/// 1 where `x` ≥ 0, else −1.
fn slope_of_abs(x: &Array) -> Array {
    ops::select(&x.ge(ops::scalar_like(0.0, x)), &ops::scalar_like(1.0, x), &ops::scalar_like(-1.0, x))
}

/// 1 where `x` alone is the extreme value `y`, ½ where `other` is too, else 0.
fn share(x: &Array, other: &Array, y: &Array) -> Array {
    let (zero, half, one) = (ops::scalar_like(0.0, y), ops::scalar_like(0.5, y), ops::scalar_like(1.0, y));
    let winner = ops::select(&other.eq(y), &half, &one);
    ops::select(&x.eq(y), &winner, &zero)
}
