//! Common subexpressions: of equal pure equations the first stays.

use super::{Atom, Eqn, Program, Var, renumber};
use crate::prim::Prim;
use std::{collections::HashMap, sync::Arc};

/// Merges equal equations. Sub-programs are left as they are: they were built through the same pass where it pays.
#[expect(clippy::mutable_key_type, reason = "hash and equality of programs ignore their memo")]
pub(crate) fn cse(program: &Program) -> Arc<Program> {
    let mut renamed: Vec<Atom> = (0..program.avals.len() as u32).map(|i| Atom::Var(Var(i))).collect();
    let mut seen: HashMap<(&Prim, Vec<Atom>), Vec<Var>> = HashMap::new();
    let mut eqns = Vec::with_capacity(program.eqns.len());
    let look = |a: &Atom, renamed: &[Atom]| match a {
        Atom::Var(v) => renamed[v.0 as usize],
        Atom::Literal(_) => *a,
    };
    for eqn in &program.eqns {
        let inputs: Vec<Atom> = eqn.inputs.iter().map(|a| look(a, &renamed)).collect();
        if !eqn.prim.has_effect() {
            let key = (&eqn.prim, inputs.clone());
            if let Some(first) = seen.get(&key) {
                for (out, same) in eqn.outputs.iter().zip(first) {
                    renamed[out.0 as usize] = Atom::Var(*same);
                }
                continue;
            }
            seen.insert(key, eqn.outputs.clone());
        }
        eqns.push(Eqn { prim: eqn.prim.clone(), inputs, outputs: eqn.outputs.clone(), at: eqn.at });
    }
    let outputs = program.outputs.iter().map(|a| look(a, &renamed)).collect();
    Arc::new(renumber(&program.avals, program.inputs.clone(), eqns, outputs, program.label))
}
