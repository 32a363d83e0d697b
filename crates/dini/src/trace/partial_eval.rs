//! Partial evaluation: what is known runs in the parent, what depends on an unknown is recorded.
//!
//! Known values that a recorded equation uses become captures of the recorded program: the residuals. An equation of a
//! higher-order primitive is divided by its own `split` rule.

use super::{
    Kind, Outs, Payload, Trace, argument, enter,
    recorder::{self, Recorder, Staged},
    with_location, with_trace,
};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Label, Var},
    prim::Prim,
    shape::Aval,
};
use std::{cell::RefCell, rc::Rc};

/// What a `split` rule works with: the parent is current, and `record` writes into the unknown part.
pub(crate) struct PartialEval<'a> {
    trace: &'a Rc<Trace>,
    recorder: &'a RefCell<Recorder>,
    at: Loc,
}

impl PartialEval<'_> {
    /// Whether a value is unknown here.
    pub fn is_unknown(&self, x: &Array) -> bool {
        x.payload_of(self.trace.tag).is_some()
    }

    /// Records an equation of the unknown part; its results are unknown.
    pub fn record(&self, prim: impl Into<Prim>, inputs: &[Array]) -> Result<Vec<Array>> {
        recorder::record(self.trace, self.recorder, &prim.into(), inputs, self.at).map(Outs::into_vec)
    }
}

pub(super) fn process(
    trace: &Rc<Trace>,
    recorder: &RefCell<Recorder>,
    prim: &Prim,
    inputs: &[Array],
    at: Loc,
) -> Result<Outs> {
    let parent = trace.parent.as_ref().expect("a partial evaluation has a parent");
    let cx = PartialEval { trace, recorder, at };
    match with_trace(parent, || with_location(at, || prim.split(&cx, inputs)))? {
        Some(outs) => Ok(outs.into()),
        None => recorder::record(trace, recorder, prim, inputs, at),
    }
}

/// The result of [`partial_eval`].
pub(crate) struct Divided {
    /// Each output: `Ok(value)` where known, `Err(i)` where it is output i of the unknown part.
    pub outs: Vec<std::result::Result<Array, usize>>,
    /// The unknown part: inputs are its captures (residuals), then the unknown arguments.
    pub unknown: Staged,
}

/// Runs `f` on arguments of which some are unknown (`Err` gives their type).
pub(crate) fn partial_eval(
    label: Label,
    args: &[std::result::Result<Array, Aval>],
    force_unknown: &[bool],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<Divided> {
    let (divided, _) = enter(Kind::PartialEval(RefCell::default()), label.role, label.at, |trace| {
        let Kind::PartialEval(recorder) = &trace.kind else {
            return Err(Error::new(ErrorKind::Internal, "partial evaluation without a recorder"));
        };
        let mut vars: Vec<Var> = Vec::new();
        let values: Vec<Array> = args
            .iter()
            .map(|arg| match arg {
                Ok(x) => x.clone(),
                Err(aval) => {
                    let v = recorder.borrow_mut().fresh(aval.clone());
                    vars.push(v);
                    argument(trace, aval.clone(), Payload::Var(v))
                }
            })
            .collect();
        let outs = f(&values)?;
        let mut unknown = Vec::new();
        let outs = outs
            .into_iter()
            .enumerate()
            .map(|(i, y)| {
                let forced = force_unknown.get(i).copied().unwrap_or(false);
                if y.as_poison().is_none() && (forced || y.payload_of(trace.tag).is_some()) {
                    unknown.push(y);
                    Err(unknown.len() - 1)
                } else {
                    Ok(y)
                }
            })
            .collect();
        let unknown = recorder::finish(trace, recorder, &vars, &unknown, label)?;
        Ok(Divided { outs, unknown })
    })?;
    Ok(divided)
}
