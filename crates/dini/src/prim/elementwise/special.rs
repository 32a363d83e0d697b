//! Error functions and the gamma family.

use super::{elementwise, infer_float};
use crate::{
    ops,
    prim::{Jvp, Transpose},
};
use dini_cpu::scalar::ScalarOp;
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

elementwise! {
    /// erf x; derivative 2/√π · e^(−x²)
    Erf "erf" = ScalarOp::Erf, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| (-(&x[0] * &x[0])).exp() * FRAC_2_SQRT_PI)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2]"];
    /// 1 − erf x
    Erfc "erfc" = ScalarOp::Erfc, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| (-(&x[0] * &x[0])).exp() * -FRAC_2_SQRT_PI)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]"];
    /// The inverse of erf; derivative √π/2 · e^(y²)
    ErfInv "erf_inv" = ScalarOp::ErfInv, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, _, y| (y * y).exp() * (PI.sqrt() / 2.0))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@-0.8..0.8"];
    /// ln |Γ(x)|
    Lgamma "lgamma" = ScalarOp::Lgamma, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, _| x[0].digamma())]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..3"];
    /// ψ(x), the derivative of ln Γ
    Digamma "digamma" = ScalarOp::Digamma, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| ops::polygamma(&ops::scalar_like(1.0, &x[0]), &x[0]))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..3"];
    /// The n-th derivative of ψ; n is a whole number and carries no derivative
    Polygamma "polygamma" = ScalarOp::Polygamma, infer: infer_float,
        jvp: Jvp::Elementwise(&[None, Some(|_, x, _| ops::polygamma(&(&x[0] + 1.0), &x[1]))]),
        transpose: Transpose::NotLinear, samples: [];
}
