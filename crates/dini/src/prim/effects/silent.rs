//! Programs without their effects, for where they are computed again.

use crate::{
    ir::{Atom, Eqn, Program, Var, renumber},
    prim::{
        Prim,
        call::Call,
        control::{scan::Scan, switch::Switch, while_loop::While},
        custom::checkpoint::Checkpoint,
        suspend::Suspend,
    },
};
use smallvec::SmallVec;
use std::sync::Arc;

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
        let inputs: SmallVec<[Atom; 2]> = eqn.inputs.iter().map(|a| look(a, &renamed)).collect();
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
