//! `late_error`: a missing derivative, raised only if its value is needed.
//!
//! It is an equation whose operands are what the missing rule would have used: tangents or cotangents, and values. So it
//! is reached like any linear operation, has a derivative of its own that is an error too, and survives compilation, loops,
//! vectorization, differentiation and transposition. Before execution, results that depend on one are found by
//! [`reaching`] and come out poisoned; the rest runs normally.

use super::{Batch, Form, Jvp, Lower, Operand, Prim, Primitive, Rules, Transpose};
use crate::{
    array::Array,
    error::Error,
    ir::{Atom, Program},
    shape::Aval,
    trace::{Kind, bind1, calls::Calls, current},
};

/// A value that does not exist, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LateError {
    /// What is raised if the value is needed.
    pub error: Error,
    /// The type that the value would have.
    pub aval: Aval,
}

impl Primitive for LateError {
    const NAME: &'static str = "late_error";
    const RULES: Rules<Self> = Rules {
        infer: |p, _| Ok(vec![p.aval.clone()]),
        lower: Lower::Loops(|p, _, _, _, _| Err(p.error.clone())),
        jvp: Jvp::Joint(|p, xs, ts| {
            let depends = tangents_and_values(ts, xs);
            let tangent = p.aval.dtype.is_inexact().then(|| late_error(p.error.clone(), &p.aval, &depends));
            Ok((vec![late_error(p.error.clone(), &p.aval, xs)], vec![tangent]))
        }),
        transpose: Transpose::By(|p, cts, xs| {
            let depends = cotangents_and_values(cts, xs);
            Ok(xs.iter().map(|x| x.is_linear().then(|| late_error(p.error.clone(), &x.aval(), &depends))).collect())
        }),
        batch: Batch::By(|p, _, xs, _| Ok((vec![late_error(p.error.clone(), &p.aval, xs)], vec![None]))),
        form: Form::First,
        samples: Vec::new,
    };
}

/// What a missing tangent would have been computed from.
pub(crate) fn tangents_and_values(ts: &[Option<Array>], xs: &[Array]) -> Vec<Array> {
    ts.iter().flatten().chain(xs).cloned().collect()
}

/// What a missing cotangent would have been computed from.
pub(crate) fn cotangents_and_values(cts: &[Option<Array>], xs: &[Operand]) -> Vec<Array> {
    let values = xs.iter().filter_map(|x| match x {
        Operand::Known(x) => Some(x),
        Operand::Linear(_) => None,
    });
    cts.iter().flatten().chain(values).cloned().collect()
}

/// A value of the given type that raises `error` where it is needed. `depends` is what it would have been computed from:
/// without the tangents or cotangents partial evaluation would take it for a constant, and transposition would lose it;
/// without the values its own derivative would be taken for zero.
pub(crate) fn late_error(error: Error, aval: &Aval, depends: &[Array]) -> Array {
    // Plain evaluation has no equations: the value is the poison itself.
    if matches!(current().kind, Kind::Eval | Kind::Suspended) {
        return Array::poison(error);
    }
    // Raised when the program runs, after the calls have returned: they cannot add their notes then.
    let error = Calls::to_note().note(error);
    bind1(LateError { error, aval: aval.clone() }, depends)
}

/// For each result the error that it depends on, if any: by dataflow, through sub-programs and loop carries.
pub(crate) fn reaching(program: &Program) -> Vec<Option<Error>> {
    let mut has_errors = false;
    program.visit(&mut |eqn| has_errors |= matches!(eqn.prim, Prim::LateError(_)));
    if has_errors { flow(program, &vec![None; program.inputs.len()]) } else { vec![None; program.outputs.len()] }
}

fn flow(program: &Program, inputs: &[Option<Error>]) -> Vec<Option<Error>> {
    let mut errors: Vec<Option<Error>> = vec![None; program.avals.len()];
    for (v, e) in program.inputs.iter().zip(inputs) {
        errors[v.0 as usize] = e.clone();
    }
    let of = |a: &Atom, errors: &[Option<Error>]| match a {
        Atom::Var(v) => errors[v.0 as usize].clone(),
        Atom::Literal(_) => None,
    };
    for eqn in &program.eqns {
        let ins: Vec<Option<Error>> = eqn.inputs.iter().map(|a| of(a, &errors)).collect();
        let any = || ins.iter().flatten().next().cloned();
        let outs: Vec<Option<Error>> = match &eqn.prim {
            Prim::LateError(p) => vec![Some(p.error.clone())],
            Prim::While(p) => loop_flow(ins.clone(), p.n_captures(), |ins| {
                let mut carry = flow(&p.body, &p.body_inputs(ins));
                // A predicate that does not exist makes the number of steps, so every result, unknown.
                if let Some(e) = flow(&p.cond, &p.cond_inputs(ins)).into_iter().next().flatten() {
                    carry.iter_mut().for_each(|c| *c = Some(e.clone()));
                }
                carry
            }),
            Prim::Scan(p) => scan_flow(p, ins.clone()),
            Prim::Switch(p) => {
                let mut outs = vec![None; eqn.outputs.len()];
                for branch in &p.branches {
                    for (out, e) in outs.iter_mut().zip(flow(branch, &ins[1..])) {
                        *out = out.take().or(e).or(ins[0].clone());
                    }
                }
                outs
            }
            _ => vec![any(); eqn.outputs.len()],
        };
        for (v, e) in eqn.outputs.iter().zip(outs) {
            errors[v.0 as usize] = e;
        }
    }
    program.outputs.iter().map(|a| of(a, &errors)).collect()
}

/// The errors of a loop's carry: repeated until nothing new comes in.
fn loop_flow(
    mut ins: Vec<Option<Error>>,
    n_captures: usize,
    step: impl Fn(&[Option<Error>]) -> Vec<Option<Error>>,
) -> Vec<Option<Error>> {
    loop {
        let next = step(&ins);
        let mut changed = false;
        for (have, new) in ins[n_captures..].iter_mut().zip(next) {
            if have.is_none() && new.is_some() {
                *have = new;
                changed = true;
            }
        }
        if !changed {
            return ins[n_captures..].to_vec();
        }
    }
}

fn scan_flow(p: &super::control::scan::Scan, mut ins: Vec<Option<Error>>) -> Vec<Option<Error>> {
    let carry = p.n_captures..p.n_captures + p.n_carry;
    loop {
        let outs = flow(&p.body, &ins);
        let mut changed = false;
        for (have, new) in ins[carry.clone()].iter_mut().zip(&outs) {
            if have.is_none() && new.is_some() {
                *have = new.clone();
                changed = true;
            }
        }
        if !changed {
            return outs
                .into_iter()
                .enumerate()
                .map(|(i, e)| if i < p.n_carry { ins[p.n_captures + i].clone() } else { e })
                .collect();
        }
    }
}
