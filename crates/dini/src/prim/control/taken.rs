//! `taken`: an operand of a branch that runs for all lanes although only some take it.

use crate::{
    error::{Error, ErrorKind},
    ops,
    prim::{Batch, Form, Jvp, Lower, Operand, Primitive, Rules, Transpose},
};
use dini_cpu::dtype::DType;

/// The identity in its second operand; where the mask, the first one, does not hold the result is a constant to
/// derivatives.
///
/// So whatever a branch computes for lanes that do not take it contributes exactly 0, in both modes. `stop_gradient` and
/// `select` do not give that: a branch that is linear already has its lanes without derivatives in the values themselves,
/// and transposition would let 0/0 through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Taken;

impl Primitive for Taken {
    const NAME: &'static str = "taken";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| match avals {
            [mask, x] if mask.dtype == DType::Bool && mask.shape == x.shape => Ok(vec![x.clone()]),
            _ => Err(Error::new(ErrorKind::Structure, "takes a mask and an operand of one shape")),
        },
        lower: Lower::Compose(|_, xs| Ok(vec![xs[1].clone()])),
        jvp: Jvp::By(|_, xs, _, ts| {
            Ok(vec![ts[1].as_ref().map(|t| ops::select(&xs[0], t, &ops::scalar_like(0.0, t)))])
        }),
        transpose: Transpose::By(|_, cts, xs| {
            let mask = xs[0].known()?;
            let x = cts[0].as_ref().filter(|_| Operand::is_linear(&xs[1]));
            Ok(vec![None, x.map(|ct| ops::select(mask, ct, &ops::scalar_like(0.0, ct)))])
        }),
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || vec![(Taken, "bool[3] f64[3]"), (Taken, "bool[2,2] f64[2,2]"), (Taken, "bool[2] i32[2]")],
    };
}
