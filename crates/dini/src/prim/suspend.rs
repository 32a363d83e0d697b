//! `suspend`: a sub-program whose results are constants to differentiation, and `stop_gradient`, the same for a value.

use super::{
    Batch, Form, Higher, Jvp, Lower, Primitive, Rules, Transpose,
    call::{Call, batch_call, dce_call, infer_program},
};
use crate::{ir::Program, lower::eval_erased, trace::bind};
use std::sync::Arc;

/// How many differentiations see constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layers {
    /// Every one.
    All,
    /// The first that reaches it; the ones outside of that see through.
    One,
}

/// A sub-program whose results have derivative exactly zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Suspend {
    /// The sub-program.
    pub program: Arc<Program>,
    /// Which differentiations it stops.
    pub layers: Layers,
}

impl Suspend {
    fn with(&self, program: Arc<Program>) -> Suspend {
        Suspend { program, layers: self.layers }
    }
}

impl Primitive for Suspend {
    const NAME: &'static str = "suspend";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| infer_program(&p.program, avals),
        lower: Lower::Schedule(|p, cx, args, _, _| cx.program(&p.program, args)),
        jvp: Jvp::Joint(|p, xs, _| {
            let outs = match p.layers {
                Layers::All => bind(p.clone(), xs)?,
                Layers::One => bind(Call { program: p.program.clone() }, xs)?,
            };
            let tangents = vec![None; outs.len()];
            Ok((outs, tangents))
        }),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, xs, axes| batch_call(&p.program, size, xs, axes, |program| p.with(program).into())),
        form: Form::Higher(Higher {
            subs: |p| vec![(p.program.label.role, p.program.clone())],
            // Known if all operands are; else unknown whole.
            split: |_, _, _| Ok(None),
            dce: |p, used| Some(dce_call(&p.program, used, |program| p.with(program).into())),
            erase: |p, xs| eval_erased(&p.program, xs),
        }),
        samples: Vec::new,
    };
}

/// The identity, with derivative exactly zero at every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

impl Primitive for StopGradient {
    const NAME: &'static str = "stop_gradient";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| Ok(avals.to_vec()),
        lower: Lower::Compose(|_, xs| Ok(xs.to_vec())),
        jvp: Jvp::Zero,
        // As a map of values it is the identity.
        transpose: Transpose::By(|_, cts, _| Ok(cts.to_vec())),
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || vec![(StopGradient, "f64[3]"), (StopGradient, "i32[2]")],
    };
}
