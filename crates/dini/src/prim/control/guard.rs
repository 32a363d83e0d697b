//! Programs under a condition: where it does not hold, loops take no step, `ensure` asks for nothing, and host functions are
//! not called.
//!
//! Vectorization runs branches that a lane does not take, and bodies of loops that a lane has left, on values that they
//! were not written for. Selection afterwards drops the results; this keeps what happens on the way harmless: such a
//! loop might never end, such a check would fail.

use crate::{
    array::Array,
    error::Result,
    implicit::{implicit::Implicit, linear_solve::LinearSolve},
    ir::{MemoKey, Program},
    prim::{
        Prim,
        call::Call,
        control::{scan::Scan, switch::Switch, while_loop::While},
        custom::{checkpoint::Checkpoint, jvp::CustomJvp, vjp::CustomVjp},
        host::HostCall,
        suspend::Suspend,
    },
    shape::Aval,
    trace::{bind_at, recorder::read, stage_program, with_location},
};
use dini_cpu::dtype::DType;
use std::sync::Arc;

/// Whether a program holds anything that a condition changes.
pub(crate) fn needs_guard(program: &Program) -> bool {
    program.eqns.iter().any(|eqn| is_guarded(&eqn.prim))
}

fn is_guarded(prim: &Prim) -> bool {
    matches!(prim, Prim::Ensure(_) | Prim::While(_) | Prim::HostCall(_))
        || prim.subs().iter().any(|(_, sub)| needs_guard(sub))
}

/// (condition, inputs) → results.
pub(crate) fn guarded(program: &Arc<Program>) -> Result<Arc<Program>> {
    derived(program, "guard", |go, args| eval_guarded(program, go, args))
}

/// The condition of a loop, false where the guard is.
fn guarded_condition(program: &Arc<Program>) -> Result<Arc<Program>> {
    derived(program, "guarded condition", |go, args| Ok(vec![go & &eval_guarded(program, go, args)?[0]]))
}

fn derived(
    program: &Arc<Program>,
    what: &'static str,
    f: impl FnOnce(&Array, &[Array]) -> Result<Vec<Array>>,
) -> Result<Arc<Program>> {
    let key = MemoKey::new(what, [&[], &[]], 0);
    let made = program.memo(key, || -> Result<Arc<Program>> {
        let avals = [vec![Aval::scalar(DType::Bool)], program.in_avals()].concat();
        Ok(stage_program(program.label, &avals, |args| f(&args[0], &args[1..]))?.program)
    })?;
    Ok((*made).clone())
}

fn eval_guarded(program: &Program, go: &Array, args: &[Array]) -> Result<Vec<Array>> {
    let mut env: Vec<Option<Array>> = vec![None; program.avals.len()];
    for (v, x) in program.inputs.iter().zip(args) {
        env[v.0 as usize] = Some(x.clone());
    }
    for eqn in &program.eqns {
        let mut inputs: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
        let outs = with_location(eqn.at, || match guard(&eqn.prim, go, &mut inputs)? {
            Some(prim) => bind_at(&prim, &inputs, eqn.at),
            None => bind_at(&eqn.prim, &inputs, eqn.at),
        })?;
        for (v, x) in eqn.outputs.iter().zip(outs) {
            env[v.0 as usize] = Some(x);
        }
    }
    Ok(program.outputs.iter().map(|&a| read(&env, a, program.label.at)).collect())
}

/// What runs instead of an operation, where that is another: its sub-programs take the condition as one more capture.
fn guard(prim: &Prim, go: &Array, inputs: &mut Vec<Array>) -> Result<Option<Prim>> {
    if !is_guarded(prim) {
        return Ok(None);
    }
    // Later places first, so that earlier ones stay where they are.
    let mut capture = |places: &[usize]| places.iter().for_each(|&i| inputs.insert(i, go.clone()));
    let option = |p: &Option<Arc<Program>>| p.as_ref().map(guarded).transpose();
    Ok(Some(match prim {
        Prim::Ensure(_) => {
            inputs[0] = &inputs[0] | !go;
            return Ok(None);
        }
        // One that is guarded already runs under both conditions.
        Prim::HostCall(p) if p.is_guarded => {
            inputs[0] = &inputs[0] & go;
            return Ok(None);
        }
        Prim::HostCall(p) => {
            capture(&[0]);
            let lanes = p.lanes.iter().map(|(n, has)| (*n, [&[false], &has[..]].concat())).collect();
            HostCall { is_guarded: true, lanes, ..p.clone() }.into()
        }
        Prim::While(p) => {
            capture(&[p.n_cond, 0]);
            let (cond, body) = (guarded_condition(&p.cond)?, guarded(&p.body)?);
            While { cond, body, n_cond: p.n_cond + 1, n_body: p.n_body + 1 }.into()
        }
        Prim::Scan(p) => {
            capture(&[0]);
            Scan { body: guarded(&p.body)?, n_captures: p.n_captures + 1, ..p.clone() }.into()
        }
        Prim::Switch(p) => {
            capture(&[1]);
            Switch { branches: p.branches.iter().map(guarded).collect::<Result<_>>()? }.into()
        }
        Prim::Call(p) => {
            capture(&[0]);
            Call { program: guarded(&p.program)? }.into()
        }
        Prim::Checkpoint(p) => {
            capture(&[0]);
            Checkpoint { program: guarded(&p.program)?, ..p.clone() }.into()
        }
        Prim::Suspend(p) => {
            capture(&[0]);
            Suspend { program: guarded(&p.program)?, ..p.clone() }.into()
        }
        Prim::CustomJvp(p) => {
            capture(&[p.n_function, 0]);
            CustomJvp {
                function: guarded(&p.function)?,
                rule: guarded(&p.rule)?,
                n_function: p.n_function + 1,
                n_rule: p.n_rule + 1,
            }
            .into()
        }
        Prim::CustomVjp(p) => {
            let [a, b, c, d] = p.captures;
            if p.jvp.is_some() {
                capture(&[a + b + c]);
            }
            capture(&[a + b, a, 0]);
            CustomVjp {
                function: guarded(&p.function)?,
                forward: guarded(&p.forward)?,
                backward: guarded(&p.backward)?,
                jvp: option(&p.jvp)?,
                captures: [a + 1, b + 1, c + 1, d + usize::from(p.jvp.is_some())],
            }
            .into()
        }
        Prim::LinearSolve(p) => {
            let [a, b, c] = p.captures;
            if p.transpose_solve.is_some() {
                capture(&[a + b]);
            }
            capture(&[a]);
            LinearSolve {
                solve: guarded(&p.solve)?,
                transpose_solve: option(&p.transpose_solve)?,
                captures: [a, b + 1, c + usize::from(p.transpose_solve.is_some())],
                ..p.clone()
            }
            .into()
        }
        // f is the derivative's, at a point that `tangent_solve` shares.
        Prim::Implicit(p) => {
            capture(&[p.n_x + p.n_f]);
            Implicit { tangent_solve: guarded(&p.tangent_solve)?, ..p.clone() }.into()
        }
        _ => return Ok(None),
    }))
}
