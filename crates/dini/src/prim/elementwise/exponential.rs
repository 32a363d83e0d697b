//! Exponentials, logarithms and the logistic function.

use super::{elementwise, infer_float};
use crate::{
    ops,
    prim::{Jvp, Transpose},
};
use dini_cpu::scalar::ScalarOp;
use std::f64::consts::LN_2;

elementwise! {
    /// eˣ
    Exp "exp" = ScalarOp::Exp, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| y.clone())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]"];
    /// 2ˣ
    Exp2 "exp2" = ScalarOp::Exp2, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| y * LN_2)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// eˣ − 1
    Expm1 "expm1" = ScalarOp::Expm1, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| y + 1.0)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// ln x
    Log "log" = ScalarOp::Log, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / &x[0])]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2", "f32[2,3]@0.5..2"];
    /// log₂ x
    Log2 "log2" = ScalarOp::Log2, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / (&x[0] * LN_2))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2"];
    /// ln(1 + x)
    Log1p "log1p" = ScalarOp::Log1p, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / (&x[0] + 1.0))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-0.5..2"];
    /// 1/(1 + e⁻ˣ)
    Logistic "logistic" = ScalarOp::Logistic, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, _, y| y * (ops::scalar_like(1.0, y) - y))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]"];
}
