//! Simplification of programs: algebra, by identities that hold exactly, bit for bit, for every value; and of equal pure
//! equations the first stays. One pass, forwards.

use super::{Atom, Literal, Program, Var, dce::keep, renumber};
use crate::{prim::Prim, shape::Aval};
use dini_cpu::dtype::DType;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHasher};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Removes operations that change nothing and those that were done before. Large arrays are left alone: only scalar
/// literals fold. Sub-programs are left as they are: they were built through the same pass where it pays.
pub(crate) fn simplify(program: &Arc<Program>) -> Arc<Program> {
    let mut renamed = Renamed { atoms: Vec::new() };
    // Positions by hash. Of two equations with the same hash that are not equal, the first is remembered.
    let mut seen: FxHashMap<u64, usize> = FxHashMap::with_capacity_and_hasher(program.eqns.len(), FxBuildHasher);
    let mut is_kept = vec![true; program.eqns.len()];
    for (i, eqn) in program.eqns.iter().enumerate() {
        if let [out] = eqn.outputs[..]
            && let Some(same) = identity(program, &eqn.prim, &renamed, &eqn.inputs, program.aval(out))
        {
            renamed.set(program, out, same);
            is_kept[i] = false;
            continue;
        }
        if eqn.prim.has_effect() {
            continue;
        }
        let mut hasher = FxHasher::default();
        eqn.prim.hash(&mut hasher);
        eqn.inputs.iter().for_each(|&a| renamed.look(a).hash(&mut hasher));
        let first = *seen.entry(hasher.finish()).or_insert(i);
        let before = &program.eqns[first];
        let is_same = first != i
            && before.prim == eqn.prim
            && before.inputs.len() == eqn.inputs.len()
            && before.inputs.iter().zip(&eqn.inputs).all(|(&a, &b)| renamed.look(a) == renamed.look(b));
        if is_same {
            eqn.outputs
                .iter()
                .zip(&before.outputs)
                .for_each(|(out, same)| renamed.set(program, *out, Atom::Var(*same)));
            is_kept[i] = false;
        }
    }
    if renamed.atoms.is_empty() {
        return program.clone();
    }
    let mut eqns = keep(&program.eqns, &is_kept);
    let mut outputs = program.outputs.clone();
    let atoms = eqns.iter_mut().flat_map(|eqn| &mut eqn.inputs).chain(&mut outputs);
    atoms.for_each(|a| *a = renamed.look(*a));
    Arc::new(renumber(&program.avals, program.inputs.clone(), eqns, outputs, program.label))
}

/// What stands for each variable; no list as long as each stands for itself.
struct Renamed {
    atoms: Vec<Atom>,
}

impl Renamed {
    fn look(&self, a: Atom) -> Atom {
        match a {
            Atom::Var(v) => self.atoms.get(v.0 as usize).copied().unwrap_or(a),
            Atom::Literal(_) => a,
        }
    }

    fn set(&mut self, program: &Program, v: Var, to: Atom) {
        if self.atoms.is_empty() {
            self.atoms = (0..program.avals.len() as u32).map(|i| Atom::Var(Var(i))).collect();
        }
        self.atoms[v.0 as usize] = to;
    }
}

/// The operand that an operation gives back unchanged, if it does.
fn identity(program: &Program, prim: &Prim, renamed: &Renamed, inputs: &[Atom], out: &Aval) -> Option<Atom> {
    let fits = |a: Atom| program.atom_aval(a) == *out;
    let is = |a: Atom, value: f64| matches!(a, Atom::Literal(l) if exactly(l, value));
    let input = |i: usize| renamed.look(inputs[i]);
    let first = renamed.look(*inputs.first()?);
    let same = match prim {
        Prim::Mul(_) if is(input(1), 1.0) => first,
        Prim::Mul(_) if is(first, 1.0) => input(1),
        Prim::Div(_) if is(input(1), 1.0) => first,
        // x − 0 = x for every x; x + 0 is not x for x = −0, but x + (−0) is.
        Prim::Sub(_) if is(input(1), 0.0) && positive_zero(input(1)) => first,
        Prim::Add(_) if integer_zero(input(1)) => first,
        Prim::Add(_) if integer_zero(first) => input(1),
        Prim::Powi(p) if p.n == 1 => first,
        Prim::Select(_) if input(1) == input(2) => input(1),
        Prim::Select(_) => match first {
            Atom::Literal(l) if l.bits != 0 => input(1),
            Atom::Literal(_) => input(2),
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
