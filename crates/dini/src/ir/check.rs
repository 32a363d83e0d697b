//! The executable definition of a well-formed program. Debug builds run it on every program that a pass builds.

use super::{Atom, Program};

/// Says what is wrong with a program, if anything is. Sub-programs were checked when they were built.
pub fn check(program: &Program) -> Result<(), String> {
    let mut defined = vec![false; program.avals.len()];
    let define = |v: super::Var, what: &str, defined: &mut Vec<bool>| -> Result<(), String> {
        match defined.get_mut(v.0 as usize) {
            None => Err(format!("{what} {v} has no type")),
            Some(true) => Err(format!("{v} is defined twice")),
            Some(slot) => {
                *slot = true;
                Ok(())
            }
        }
    };
    for &v in &program.inputs {
        define(v, "input", &mut defined)?;
    }
    for (i, eqn) in program.eqns.iter().enumerate() {
        for a in &eqn.inputs {
            if let Atom::Var(v) = a
                && !defined.get(v.0 as usize).copied().unwrap_or(false)
            {
                return Err(format!("equation {i} (`{}`) uses {v} before its definition", eqn.prim.name()));
            }
        }
        let avals: Vec<_> = eqn.inputs.iter().map(|&a| program.atom_aval(a)).collect();
        let inferred = eqn.prim.infer(&avals).map_err(|e| format!("equation {i} (`{}`): {e}", eqn.prim.name()))?;
        if inferred.len() != eqn.outputs.len() {
            return Err(format!("equation {i} (`{}`) has a wrong number of results", eqn.prim.name()));
        }
        for (&v, aval) in eqn.outputs.iter().zip(&inferred) {
            define(v, "result", &mut defined)?;
            if program.aval(v) != aval {
                return Err(format!(
                    "equation {i} (`{}`): result {v} is {}, inferred {aval}",
                    eqn.prim.name(),
                    program.aval(v)
                ));
            }
        }
    }
    for a in &program.outputs {
        if let Atom::Var(v) = a
            && !defined.get(v.0 as usize).copied().unwrap_or(false)
        {
            return Err(format!("output {v} is not defined"));
        }
    }
    Ok(())
}
