//! Effects inside sub-programs: masked where only some lanes count, silenced where a program is computed again.

use super::{masked_lanes, running_lanes};
use crate::{
    array::Array,
    error::Result,
    ir::{Atom, Eqn, Program, Var, renumber},
    prim::{
        Prim,
        call::Call,
        control::{scan::Scan, switch::Switch, while_loop::While},
        custom::checkpoint::Checkpoint,
        suspend::Suspend,
    },
    shape::Aval,
    trace::{recorder::eval_program, stage_program},
};
use std::sync::Arc;

/// What runs instead of an equation with effects inside [`masked_lanes`]: its sub-programs take the mask as one more
/// operand. `None` where nothing changes.
pub(crate) fn masked(prim: &Prim, inputs: &mut Vec<Array>) -> Result<Option<Prim>> {
    let Some(mask) = running_lanes().filter(|_| prim.has_effect()) else {
        return Ok(None);
    };
    let under = |program: &Arc<Program>| with_mask(program, mask.aval());
    Ok(match prim {
        Prim::Ensure(_) => {
            inputs[0] = super::mask_condition(&mask, &inputs[0]);
            None
        }
        Prim::Scan(p) => {
            inputs.insert(0, mask.clone());
            Some(Scan { body: under(&p.body)?, n_captures: p.n_captures + 1, ..p.clone() }.into())
        }
        Prim::While(p) => {
            inputs.insert(p.n_cond, mask.clone());
            inputs.insert(0, mask.clone());
            let (cond, body) = (under(&p.cond)?, under(&p.body)?);
            Some(While { cond, body, n_cond: p.n_cond + 1, n_body: p.n_body + 1 }.into())
        }
        Prim::Switch(p) => {
            inputs.insert(1, mask.clone());
            Some(Switch { branches: p.branches.iter().map(under).collect::<Result<_>>()? }.into())
        }
        Prim::Call(p) => {
            inputs.insert(0, mask.clone());
            Some(Call { program: under(&p.program)? }.into())
        }
        Prim::Checkpoint(p) => {
            inputs.insert(0, mask.clone());
            Some(Checkpoint { program: under(&p.program)?, ..p.clone() }.into())
        }
        Prim::Suspend(p) => {
            inputs.insert(0, mask.clone());
            Some(Suspend { program: under(&p.program)?, ..p.clone() }.into())
        }
        // Values that are shown are shown for all lanes; the rest has no sub-program that takes operands at will.
        _ => None,
    })
}

/// (mask, inputs) → results, with effects in masked lanes alone.
fn with_mask(program: &Arc<Program>, mask: &Aval) -> Result<Arc<Program>> {
    let avals = [std::slice::from_ref(mask), &program.in_avals()].concat();
    let staged =
        stage_program(program.label, &avals, |args| masked_lanes(&args[0], || eval_program(program, &args[1..])))?;
    Ok(staged.program)
}

/// The same values without effects: what a program becomes where it is computed again.
pub(crate) fn silent(program: &Arc<Program>) -> Arc<Program> {
    if !program.has_effect() {
        return program.clone();
    }
    let mut renamed: Vec<Atom> = (0..program.avals.len() as u32).map(|i| Atom::Var(Var(i))).collect();
    let look = |a: &Atom, renamed: &[Atom]| match a {
        Atom::Var(v) => renamed[v.0 as usize],
        Atom::Literal(_) => *a,
    };
    let mut eqns = Vec::with_capacity(program.eqns.len());
    for eqn in &program.eqns {
        let inputs: Vec<Atom> = eqn.inputs.iter().map(|a| look(a, &renamed)).collect();
        match &eqn.prim {
            Prim::Ensure(_) => {}
            Prim::Inspect(_) => {
                for (v, x) in eqn.outputs.iter().zip(inputs) {
                    renamed[v.0 as usize] = x;
                }
            }
            prim => {
                eqns.push(Eqn { prim: silent_subs(prim), inputs, outputs: eqn.outputs.clone(), at: eqn.at });
            }
        }
    }
    let outputs = program.outputs.iter().map(|a| look(a, &renamed)).collect();
    Arc::new(renumber(&program.avals, program.inputs.clone(), eqns, outputs, program.label))
}

/// The same operation without effects in its sub-programs.
pub(crate) fn silent_subs(prim: &Prim) -> Prim {
    match prim {
        Prim::Scan(p) => Scan { body: silent(&p.body), ..p.clone() }.into(),
        Prim::While(p) => While { cond: silent(&p.cond), body: silent(&p.body), ..p.clone() }.into(),
        Prim::Switch(p) => Switch { branches: p.branches.iter().map(silent).collect() }.into(),
        Prim::Call(p) => Call { program: silent(&p.program) }.into(),
        Prim::Checkpoint(p) => Checkpoint { program: silent(&p.program), ..p.clone() }.into(),
        Prim::Suspend(p) => Suspend { program: silent(&p.program), ..p.clone() }.into(),
        // The sub-programs of custom rules and solvers keep theirs: which of them runs is not known here.
        other => other.clone(),
    }
}
