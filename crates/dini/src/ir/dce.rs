//! Dead-code removal, through sub-programs: an unused loop carry or solver output goes, with all that only it needed.

use super::{Atom, Derived, Eqn, MemoKey, Program, renumber};
use smallvec::SmallVec;
use std::{convert::Infallible, sync::Arc};

/// A program cut down to the outputs in use, and which inputs it still takes.
#[derive(Debug)]
pub(crate) struct Cut {
    pub program: Arc<Program>,
    pub used_inputs: Vec<bool>,
}

/// An equation cut down by its primitive's own rule: what to run instead, on which operands, for which results.
pub(crate) struct CutEqn {
    pub prim: crate::prim::Prim,
    pub keep_inputs: Vec<bool>,
    pub keep_outputs: Vec<bool>,
}

/// Keeps what the marked outputs and effects need. Inputs that nothing uses are dropped unless `keep_inputs`.
pub(crate) fn dce(program: &Arc<Program>, used_outputs: &[bool], keep_inputs: bool) -> Cut {
    debug_assert_eq!(used_outputs.len(), program.outputs.len());
    let key = MemoKey::new("dce", [used_outputs, &[keep_inputs]], 0);
    let known: Result<_, Infallible> = program.memo(key, || {
        let Cut { program: cut, used_inputs } = cut(program, used_outputs, keep_inputs, true);
        Ok((Derived::new(cut, program), used_inputs))
    });
    match known {
        Ok(known) => Cut { program: known.0.get(program), used_inputs: known.1.clone() },
    }
}

/// The marked outputs alone, with every input and without the effects that they do not depend on: for a part that runs
/// next to the program, which has the effects already.
pub(crate) fn without_effects(program: &Arc<Program>, used_outputs: &[bool]) -> Arc<Program> {
    cut(program, used_outputs, true, false).program
}

/// An equation that stays.
enum Kept<'a> {
    Whole(&'a Eqn),
    Cut(Box<Eqn>),
}

impl Kept<'_> {
    fn eqn(&self) -> &Eqn {
        match self {
            Kept::Whole(eqn) => eqn,
            Kept::Cut(eqn) => eqn,
        }
    }

    fn into_eqn(self) -> Eqn {
        match self {
            Kept::Whole(eqn) => eqn.clone(),
            Kept::Cut(eqn) => *eqn,
        }
    }
}

fn cut(program: &Arc<Program>, used_outputs: &[bool], keep_inputs: bool, keep_effects: bool) -> Cut {
    let mut live = vec![false; program.avals.len()];
    let mark = |a: &Atom, live: &mut Vec<bool>| {
        if let Atom::Var(v) = a {
            live[v.0 as usize] = true;
        }
    };
    for (a, _) in program.outputs.iter().zip(used_outputs).filter(|(_, used)| **used) {
        mark(a, &mut live);
    }
    let mut kept = Vec::with_capacity(program.eqns.len());
    let mut is_whole = keep_effects && !used_outputs.contains(&false);
    for eqn in program.eqns.iter().rev() {
        let used: SmallVec<[bool; 8]> = eqn.outputs.iter().map(|v| live[v.0 as usize]).collect();
        let is_needed = used.contains(&true) || (keep_effects && eqn.prim.has_effect());
        if !is_needed {
            is_whole = false;
            continue;
        }
        let eqn = match eqn.prim.dce(&used) {
            None => Kept::Whole(eqn),
            Some(cut) => Kept::Cut(Box::new(Eqn {
                prim: cut.prim,
                inputs: keep(&eqn.inputs, &cut.keep_inputs).into(),
                outputs: keep(&eqn.outputs, &cut.keep_outputs).into(),
                at: eqn.at,
            })),
        };
        is_whole &= matches!(eqn, Kept::Whole(_));
        for a in &eqn.eqn().inputs {
            mark(a, &mut live);
        }
        kept.push(eqn);
    }
    let used_inputs: Vec<bool> = program.inputs.iter().map(|v| keep_inputs || live[v.0 as usize]).collect();
    if is_whole && !used_inputs.contains(&false) {
        return Cut { program: program.clone(), used_inputs };
    }
    let kept = kept.into_iter().rev().map(Kept::into_eqn).collect();
    let outputs = keep(&program.outputs, used_outputs);
    let inputs = keep(&program.inputs, &used_inputs);
    Cut { program: Arc::new(renumber(&program.avals, inputs, kept, outputs, program.label)), used_inputs }
}

/// The marked items.
pub(crate) fn keep<T: Clone>(items: &[T], mask: &[bool]) -> Vec<T> {
    debug_assert_eq!(items.len(), mask.len());
    items.iter().zip(mask).filter(|(_, k)| **k).map(|(x, _)| x.clone()).collect()
}
