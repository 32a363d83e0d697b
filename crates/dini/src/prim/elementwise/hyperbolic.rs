//! Hyperbolic functions and their inverses.

use super::{elementwise, infer_float};
use crate::{
    ops,
    prim::{Jvp, Transpose},
};
use dini_cpu::scalar::ScalarOp;

elementwise! {
    /// sinh x
    Sinh "sinh" = ScalarOp::Sinh, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| x[0].cosh())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// cosh x
    Cosh "cosh" = ScalarOp::Cosh, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| x[0].sinh())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// tanh x; derivative (1 + y)(1 − y)
    Tanh "tanh" = ScalarOp::Tanh, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, _, y| (y + 1.0) * (ops::scalar_like(1.0, y) - y))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2,3]"];
    /// arsinh x
    Asinh "asinh" = ScalarOp::Asinh, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| (&x[0] * &x[0] + 1.0).rsqrt())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// arcosh x; two roots instead of one of (x − 1)(x + 1), whose second derivative at 1 is ∞ · 0
    Acosh "acosh" = ScalarOp::Acosh, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| (&x[0] - 1.0).rsqrt() * (&x[0] + 1.0).rsqrt())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@1.5..3"];
    /// artanh x
    Atanh "atanh" = ScalarOp::Atanh, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / (1.0 - &x[0] * &x[0]))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-0.8..0.8"];
}
