//! Trigonometric functions and their inverses; angles in radians.

use super::{elementwise, infer_float};
use crate::prim::{Jvp, Transpose};
use dini_cpu::scalar::ScalarOp;

elementwise! {
    /// sin x
    Sin "sin" = ScalarOp::Sin, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| x[0].cos())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]"];
    /// cos x
    Cos "cos" = ScalarOp::Cos, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| -x[0].sin())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]"];
    /// tan x
    Tan "tan" = ScalarOp::Tan, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| y * y + 1.0)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-1..1"];
    /// arcsin x
    Asin "asin" = ScalarOp::Asin, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| (1.0 - &x[0] * &x[0]).rsqrt())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-0.8..0.8"];
    /// arccos x
    Acos "acos" = ScalarOp::Acos, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| -(1.0 - &x[0] * &x[0]).rsqrt())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-0.8..0.8"];
    /// arctan x
    Atan "atan" = ScalarOp::Atan, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / (&x[0] * &x[0] + 1.0))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// The angle of the point (x₁, x₀)
    Atan2 "atan2" = ScalarOp::Atan2, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| &x[1] / (&x[0] * &x[0] + &x[1] * &x[1])), Some(|_, x, _| -(&x[0] / (&x[0] * &x[0] + &x[1] * &x[1])))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2 f64[3]@0.5..2", "f64[3]@-2..-0.5 f64[]@-2..-0.5"];
}
