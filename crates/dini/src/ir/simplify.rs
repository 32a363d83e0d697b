//! Constant folding and algebra on programs: identities that hold exactly, bit for bit, for every value.

use super::{Atom, Eqn, Literal, Program, Var, renumber};
use crate::{prim::Prim, shape::Aval};
use dini_cpu::dtype::DType;
use std::sync::Arc;

/// Removes operations that change nothing. Large arrays are left alone: only scalar literals fold.
pub(crate) fn simplify(program: &Program) -> Arc<Program> {
    let mut renamed: Vec<Atom> = (0..program.avals.len() as u32).map(|i| Atom::Var(Var(i))).collect();
    let look = |a: &Atom, renamed: &[Atom]| match a {
        Atom::Var(v) => renamed[v.0 as usize],
        Atom::Literal(_) => *a,
    };
    let mut eqns = Vec::with_capacity(program.eqns.len());
    for eqn in &program.eqns {
        let inputs: Vec<Atom> = eqn.inputs.iter().map(|a| look(a, &renamed)).collect();
        if let [out] = eqn.outputs[..]
            && let Some(same) = identity(program, &eqn.prim, &inputs, program.aval(out))
        {
            renamed[out.0 as usize] = same;
            continue;
        }
        eqns.push(Eqn { prim: eqn.prim.clone(), inputs, outputs: eqn.outputs.clone(), at: eqn.at });
    }
    let outputs = program.outputs.iter().map(|a| look(a, &renamed)).collect();
    Arc::new(renumber(&program.avals, program.inputs.clone(), eqns, outputs, program.label))
}

/// The operand that an operation gives back unchanged, if it does.
fn identity(program: &Program, prim: &Prim, inputs: &[Atom], out: &Aval) -> Option<Atom> {
    let fits = |a: Atom| program.atom_aval(a) == *out;
    let is = |a: Atom, value: f64| matches!(a, Atom::Literal(l) if exactly(l, value));
    let first = *inputs.first()?;
    let same = match prim {
        Prim::Mul(_) if is(inputs[1], 1.0) => first,
        Prim::Mul(_) if is(first, 1.0) => inputs[1],
        Prim::Div(_) if is(inputs[1], 1.0) => first,
        // x − 0 = x for every x; x + 0 is not x for x = −0, but x + (−0) is.
        Prim::Sub(_) if is(inputs[1], 0.0) && positive_zero(inputs[1]) => first,
        Prim::Add(_) if integer_zero(inputs[1]) => first,
        Prim::Add(_) if integer_zero(first) => inputs[1],
        Prim::Powi(p) if p.n == 1 => first,
        Prim::Select(_) if inputs[1] == inputs[2] => inputs[1],
        Prim::Select(_) => match first {
            Atom::Literal(l) if l.bits != 0 => inputs[1],
            Atom::Literal(_) => inputs[2],
            Atom::Var(_) => return None,
        },
        Prim::Reshape(_) | Prim::Broadcast(_) | Prim::Slice(_) => first,
        Prim::Transpose(p) if p.order.iter().enumerate().all(|(i, o)| i == *o) => first,
        Prim::Cast(_) => first,
        _ => return None,
    };
    fits(same).then_some(same)
}

fn exactly(l: Literal, value: f64) -> bool {
    l.dtype != DType::Bool && l.value() == Some(value)
}

fn positive_zero(a: Atom) -> bool {
    matches!(a, Atom::Literal(l) if l.bits == 0)
}

fn integer_zero(a: Atom) -> bool {
    matches!(a, Atom::Literal(l) if l.dtype.is_integer() && l.bits == 0)
}
