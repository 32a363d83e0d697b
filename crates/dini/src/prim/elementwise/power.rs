//! Powers and roots.
//!
//! `powi(0)` has derivative 0. `pow`: ∂/∂x = y·x^(y−1), and 0 where y = 0; ∂/∂y = x^y·ln x with ln 0 taken as 0, so that the
//! derivative at x = 0 is 0. `sqrt` and `cbrt` have derivative +∞ at 0, as in JAX.

use super::{elementwise, infer_float, is_number, same};
use crate::{
    ops,
    prim::{Batch, Form, Jvp, Lower, Primitive, Rules, Transpose},
};
use dini_cpu::scalar::ScalarOp;

elementwise! {
    /// x^y
    Pow "pow" = ScalarOp::Pow, infer: infer_float,
        jvp: Jvp::Elementwise(&[Some(|_, x, _| {
            let (b, e) = (&x[0], &x[1]);
            let none = e.eq(ops::scalar_like(0.0, e));
            let one = ops::scalar_like(1.0, e);
            let lowered = ops::select(&none, &one, &(e - &one));
            ops::select(&none, &ops::scalar_like(0.0, e), &(e * b.pow(&lowered)))
        }), Some(|_, x, y| {
            let b = &x[0];
            ops::select(&b.eq(ops::scalar_like(0.0, b)), &ops::scalar_like(1.0, b), b).log() * y
        })]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2 f64[3]", "f32[2]@0.5..2 f32[]", "f64[]@0.5..2 f64[2]"];
    /// √x
    Sqrt "sqrt" = ScalarOp::Sqrt, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| 0.5 / y)]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2", "f32[2,3]@0.5..2"];
    /// 1/√x
    Rsqrt "rsqrt" = ScalarOp::Rsqrt, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, x, y| -0.5 * (y / &x[0]))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2"];
    /// ∛x
    Cbrt "cbrt" = ScalarOp::Cbrt, infer: infer_float, jvp: Jvp::Elementwise(&[Some(|_, _, y| y.powi(-2) * (1.0 / 3.0))]),
        transpose: Transpose::NotLinear, samples: ["f64[3]@0.5..2", "f64[3]@-2..-0.5"];
}

/// xⁿ for a fixed whole n
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Powi {
    /// The exponent.
    pub n: i32,
}

impl Primitive for Powi {
    const NAME: &'static str = "powi";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            if p.n < 0 { infer_float(p, avals) } else { same(avals, is_number, "a number") }
        },
        lower: Lower::Scalar(|p| ScalarOp::Powi(p.n)),
        jvp: Jvp::Elementwise(&[Some(|p, x, _| match p.n {
            0 => ops::scalar_like(0.0, &x[0]),
            1 => ops::scalar_like(1.0, &x[0]),
            2 => &x[0] * 2.0,
            n => x[0].powi(n - 1) * f64::from(n),
        })]),
        transpose: Transpose::NotLinear,
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || {
            vec![
                (Powi { n: 0 }, "f64[3]"),
                (Powi { n: 1 }, "f64[3]"),
                (Powi { n: 2 }, "f64[3]"),
                (Powi { n: 3 }, "f64[2,3]"),
                (Powi { n: -2 }, "f64[3]@0.5..2"),
                (Powi { n: 2 }, "i32[4]"),
            ]
        },
    };
}
