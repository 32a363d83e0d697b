//! Custom derivative rules and checkpointing: primitives around a sub-program.

pub(crate) mod checkpoint;
pub(crate) mod jvp;
pub(crate) mod vjp;

use crate::{
    array::Array,
    error::Result,
    ir::{MemoKey, Program, dce::dce},
    trace::recorder::eval_program,
    transform::derived::jvp_program,
};
use std::sync::Arc;

/// The program of the tangents alone: (primals, tangents of the marked inputs) → tangents of all inexact results.
pub(crate) fn tangent_program(p: &Arc<Program>, varies: &[bool]) -> Result<Arc<Program>> {
    let key = MemoKey::new("tangent", [varies, &[]], 0);
    let made = p.memo(key, || -> Result<Arc<Program>> {
        let n = p.outputs.len();
        let jvp = jvp_program(p, varies, &vec![true; n])?;
        let tangents: Vec<bool> = (0..jvp.program.outputs.len()).map(|i| i >= n).collect();
        Ok(dce(&jvp.program, &tangents, true).program)
    })?;
    Ok((*made).clone())
}

/// Tangents of a program's results along those of its marked inputs, `None` where nothing varies or the result is
/// discrete.
pub(crate) fn tangents_of(p: &Arc<Program>, xs: &[Array], ts: &[Option<Array>]) -> Result<Option<Vec<Option<Array>>>> {
    if ts.iter().all(Option::is_none) {
        return Ok(None);
    }
    let varies: Vec<bool> = ts.iter().map(Option::is_some).collect();
    let operands: Vec<Array> = xs.iter().chain(ts.iter().flatten()).cloned().collect();
    let mut outs = eval_program(&*tangent_program(p, &varies)?, &operands)?.into_iter();
    Ok(Some(p.out_avals().iter().map(|a| if a.dtype.is_inexact() { outs.next() } else { None }).collect()))
}

/// Sums of optional tangents.
pub(crate) fn add_tangents(a: Vec<Option<Array>>, b: Option<Vec<Option<Array>>>) -> Vec<Option<Array>> {
    match b {
        None => a,
        Some(b) => a
            .into_iter()
            .zip(b)
            .map(|pair| match pair {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            })
            .collect(),
    }
}
