//! `DINI_DEBUG_NANS=1`: every operation runs on its own and its results are looked at, so that the first one that makes a
//! NaN from operands without any is reported by its line.
//!
//! Compiled functions are interpreted then, loops and branches step by step. What runs is what would run otherwise (the
//! erased program), except that nothing is fused; so it is slow. Both branches of a vectorized `cond` run, as always, and a
//! NaN in the one that is not taken is reported too.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    eval,
    ir::Program,
    lower, ops,
    prim::{
        Prim,
        control::{scan::Scan, switch::Switch, while_loop::While},
    },
    shape::Aval,
    trace::{recorder::read, with_location},
};
use dini_cpu::{buffer::Buffer, dtype::DType};
use std::sync::{Arc, LazyLock};

/// Whether the variable is set, to anything but `0`.
pub(crate) fn enabled() -> bool {
    static ENABLED: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("DINI_DEBUG_NANS").is_some_and(|v| !v.is_empty() && v != "0"));
    *ENABLED
}

/// Runs a traced program equation by equation; for results that depend on a late error, that error.
pub(crate) fn run(program: &Arc<Program>, inputs: &[Array]) -> Result<Vec<Array>> {
    interpret(&*lower::erase(program)?, inputs)
}

fn interpret(program: &Program, args: &[Array]) -> Result<Vec<Array>> {
    let mut env: Vec<Option<Array>> = vec![None; program.avals.len()];
    for (v, x) in program.inputs.iter().zip(args) {
        env[v.0 as usize] = Some(x.clone());
    }
    for eqn in &program.eqns {
        let inputs: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
        let outs = match inputs.iter().find_map(|x| x.as_poison()) {
            Some(e) => vec![Array::poison(e.clone()); eqn.outputs.len()],
            None => eval(&eqn.prim, &inputs, eqn.at)?,
        };
        for (v, x) in eqn.outputs.iter().zip(outs) {
            env[v.0 as usize] = Some(x);
        }
    }
    Ok(program.outputs.iter().map(|&a| read(&env, a, program.label.at)).collect())
}

/// One operation on concrete operands, with its results looked at.
pub(crate) fn eval(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    if let Prim::While(p) = prim {
        return while_loop(p, inputs);
    }
    if let Prim::Scan(p) = prim
        && p.length > 0
    {
        return with_location(at, || scan(p, inputs));
    }
    if let Prim::Switch(p) = prim {
        return switch(p, inputs);
    }
    let whole = matches!(prim, Prim::Scan(_));
    let outs = match if whole { None } else { with_location(at, || prim.erase(inputs))? } {
        // Other operations take its place, each looked at in its turn.
        Some(outs) => return Ok(outs),
        None => eval::eval_whole(prim, inputs, at)?,
    };
    if outs.iter().any(has_nan) && !inputs.is_empty() && !inputs.iter().any(has_nan) {
        let mut error = Error::new(ErrorKind::Value, "makes a NaN from operands that have none").op(prim.name()).at(at);
        for (i, x) in inputs.iter().enumerate() {
            error = error.operand(i, format!("{}{}", x.provenance(), shown(x)));
        }
        return Err(error.help("`DINI_DEBUG_NANS` is set: unset it to let NaN through"));
    }
    Ok(outs)
}

fn while_loop(p: &While, xs: &[Array]) -> Result<Vec<Array>> {
    let (cond, body) = (lower::erase(&p.cond)?, lower::erase(&p.body)?);
    let mut xs = xs.to_vec();
    loop {
        let goes_on = interpret(&cond, &p.cond_inputs(&xs))?;
        if !truth(&goes_on[0])? {
            return Ok(xs.split_off(p.n_captures()));
        }
        let next = interpret(&body, &p.body_inputs(&xs))?;
        xs.truncate(p.n_captures());
        xs.extend(next);
    }
}

fn truth(x: &Array) -> Result<bool> {
    x.check()?;
    Ok(x.as_concrete().is_some_and(|c| c.data.as_slice::<bool>()[0]))
}

fn scan(p: &Scan, xs: &[Array]) -> Result<Vec<Array>> {
    let outs = p.body.out_avals();
    let body = lower::erase(&p.body)?;
    let first_stacked = p.n_captures + p.n_carry;
    let mut carry = xs[p.n_captures..first_stacked].to_vec();
    let mut stacked: Vec<Vec<Option<Array>>> = vec![vec![None; p.length]; outs.len() - p.n_carry];
    for step in 0..p.length {
        let i = if p.reverse { p.length - 1 - step } else { step };
        let slices = xs[first_stacked..].iter().map(|x| slice(x, i));
        let args: Vec<Array> = xs[..p.n_captures].iter().chain(&carry).cloned().chain(slices).collect();
        let mut next = interpret(&body, &args)?;
        for (rows, y) in stacked.iter_mut().zip(next.split_off(p.n_carry)) {
            rows[i] = Some(y);
        }
        carry = next;
    }
    let rows = stacked.into_iter().zip(&outs[p.n_carry..]).map(|(rows, aval)| stack(rows, aval));
    Ok(carry.into_iter().chain(rows).collect())
}

/// Slice `i` along the leading axis.
fn slice(x: &Array, i: usize) -> Array {
    let row = ops::slice_axis(x, i, i + 1, 1, 0);
    ops::reshape(&row, &x.aval().shape[1..])
}

/// One array of the rows, or the error of the first that failed.
fn stack(rows: Vec<Option<Array>>, aval: &Aval) -> Array {
    let shape = aval.batched(0, 1).shape;
    let rows: Vec<Array> = rows.into_iter().flatten().map(|y| ops::reshape(&y, &shape)).collect();
    ops::join(&rows, 0)
}

fn switch(p: &Switch, xs: &[Array]) -> Result<Vec<Array>> {
    let index = xs[0].as_concrete().map_or(0, |c| c.data.as_slice::<i32>()[0]);
    let last = p.branches.len() - 1;
    let taken = usize::try_from(index).unwrap_or(0).min(last);
    interpret(&*lower::erase(&p.branches[taken])?, &xs[1..])
}

fn has_nan(x: &Array) -> bool {
    x.as_concrete().is_some_and(|c| any(&c.data, f64::is_nan))
}

/// A scalar's value, or that there is an infinity: what makes a NaN is often that.
fn shown(x: &Array) -> String {
    let Some(c) = x.as_concrete() else { return String::new() };
    match c.aval.size() {
        1 => format!(", {x}"),
        _ if any(&c.data, f64::is_infinite) => ", with an infinity".to_string(),
        _ => String::new(),
    }
}

fn any(data: &Buffer, is: fn(f64) -> bool) -> bool {
    match data.dtype() {
        DType::F64 => data.as_slice::<f64>().iter().any(|x| is(*x)),
        DType::F32 => data.as_slice::<f32>().iter().any(|x| is(f64::from(*x))),
        _ => false,
    }
}
