//! Control flow: branches and loops with sub-programs.

pub(crate) mod guard;
pub(crate) mod scan;
pub(crate) mod switch;
pub(crate) mod taken;
pub(crate) mod while_loop;

use crate::{
    ir::{Atom, Program, Var, renumber},
    shape::Aval,
};
use std::sync::Arc;

/// A program with other inputs and results: input `picks[i]` of the new one is input i of `program`, further ones are
/// ignored, and the results are those at `outs`.
pub(crate) fn rewire(program: &Program, inputs: &[Aval], picks: &[usize], outs: &[usize]) -> Arc<Program> {
    let mut avals = program.avals.clone();
    let mut vars: Vec<Option<Var>> = vec![None; inputs.len()];
    for (v, &to) in program.inputs.iter().zip(picks) {
        debug_assert!(vars[to].is_none(), "an input is picked twice");
        vars[to] = Some(*v);
    }
    let vars = vars
        .into_iter()
        .zip(inputs)
        .map(|(v, aval)| {
            v.unwrap_or_else(|| {
                avals.push(aval.clone());
                Var(avals.len() as u32 - 1)
            })
        })
        .collect();
    let outputs: Vec<Atom> = outs.iter().map(|&i| program.outputs[i]).collect();
    Arc::new(renumber(&avals, vars, program.eqns.clone(), outputs, program.label))
}

/// The same program without the inputs that are not marked, which nothing uses.
pub(crate) fn drop_inputs(program: &Program, keep: &[bool]) -> Arc<Program> {
    let inputs = crate::ir::dce::keep(&program.inputs, keep);
    Arc::new(renumber(&program.avals, inputs, program.eqns.clone(), program.outputs.clone(), program.label))
}

/// Grows a mask until `step` adds nothing to it: how "varies", "has lanes" and "is unknown" spread through a carry.
pub(crate) fn fixpoint<T>(
    mut mask: Vec<bool>,
    mut step: impl FnMut(&[bool]) -> crate::error::Result<(T, Vec<bool>)>,
) -> crate::error::Result<(T, Vec<bool>)> {
    loop {
        let (result, next) = step(&mask)?;
        let grown: Vec<bool> = mask.iter().zip(&next).map(|(a, b)| *a || *b).collect();
        if grown == mask {
            return Ok((result, mask));
        }
        mask = grown;
    }
}

/// Positions in a concatenation of groups: counts upwards.
pub(crate) struct Places(usize);

impl Places {
    pub fn new() -> Places {
        Places(0)
    }

    /// The next `n` positions.
    pub fn take(&mut self, n: usize) -> Vec<usize> {
        self.0 += n;
        (self.0 - n..self.0).collect()
    }
}

/// How many are marked.
pub(crate) fn count(mask: &[bool]) -> usize {
    mask.iter().filter(|m| **m).count()
}
