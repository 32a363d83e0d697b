//! Transformations of programs, for primitives that hold sub-programs: the interpreters of `trace/` run over the
//! program's equations while a new program is recorded. Results are kept with the program, by masks.

use super::transpose::{Input, backward};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::{Atom, MemoKey, Program, Var, dce::dce},
    prim::{instantiate, to_front},
    shape::Aval,
    trace::{jvp_flat, partial_eval, recorder::eval_program, stage_program, vmap_flat},
};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

fn key(what: &'static str, a: &[bool], b: &[bool], size: usize) -> MemoKey {
    MemoKey::new(what, [a, b], size)
}

fn closed(program: &Program, avals: &[Aval], f: impl FnOnce(&[Array]) -> Result<Vec<Array>>) -> Result<Arc<Program>> {
    let staged = stage_program(program.label, avals, f)?;
    if staged.n_captures() > 0 {
        return Err(Error::new(ErrorKind::Internal, "a closed program captured a value"));
    }
    Ok(staged.program)
}

/// A program of primal inputs and the tangents of the marked ones; results are all primals, then the nonzero tangents.
#[derive(Debug)]
pub(crate) struct JvpProgram {
    pub program: Arc<Program>,
    pub nonzero_out: Vec<bool>,
}

/// Differentiates a program forward. `force` marks results whose tangents are wanted even where zero (if inexact).
pub(crate) fn jvp_program(p: &Arc<Program>, nonzero: &[bool], force: &[bool]) -> Result<Arc<JvpProgram>> {
    p.memo(key("jvp", nonzero, force, 0), || {
        let mut avals = p.in_avals();
        let tangents: Vec<Aval> = avals.iter().zip(nonzero).filter(|(_, n)| **n).map(|(a, _)| a.clone()).collect();
        let n = avals.len();
        avals.extend(tangents);
        let mask = RefCell::new(Vec::new());
        let program = closed(p, &avals, |args| {
            let mut rest = args[n..].iter();
            let tangents: Vec<Option<Array>> =
                nonzero.iter().map(|nz| if *nz { rest.next().cloned() } else { None }).collect();
            let (mut outs, tangents) = jvp_flat("jvp", p.label.at, &args[..n], &tangents, |xs| eval_program(p, xs))?;
            let mut extra = Vec::new();
            for (i, (y, t)) in outs.iter().zip(tangents).enumerate() {
                let forced = force.get(i).copied().unwrap_or(false) && y.try_aval()?.dtype.is_inexact();
                let keep = forced || t.is_some();
                mask.borrow_mut().push(keep);
                if keep {
                    extra.push(instantiate(t.as_ref(), y));
                }
            }
            outs.extend(extra);
            Ok(outs)
        })?;
        Ok(JvpProgram { program, nonzero_out: mask.take() })
    })
}

/// A program whose marked inputs and results have lanes on their leading axis.
#[derive(Debug)]
pub(crate) struct BatchProgram {
    pub program: Arc<Program>,
    pub batched_out: Vec<bool>,
}

/// Vectorizes a program. `force` marks results that are wanted with lanes even where all are equal.
pub(crate) fn batch_program(
    p: &Arc<Program>,
    size: usize,
    batched: &[bool],
    force: &[bool],
) -> Result<Arc<BatchProgram>> {
    p.memo(key("batch", batched, force, size), || {
        let avals: Vec<Aval> =
            p.in_avals().iter().zip(batched).map(|(a, b)| if *b { a.batched(0, size) } else { a.clone() }).collect();
        let axes: Vec<Option<usize>> = batched.iter().map(|b| b.then_some(0)).collect();
        let mask = RefCell::new(Vec::new());
        let program = closed(p, &avals, |args| {
            let (outs, axes) = vmap_flat("vmap", p.label.at, size, args, &axes, |xs| eval_program(p, xs))?;
            Ok(outs
                .into_iter()
                .zip(axes)
                .enumerate()
                .map(|(i, (y, axis))| {
                    let lanes = axis.is_some() || force.get(i).copied().unwrap_or(false);
                    mask.borrow_mut().push(lanes);
                    if lanes && y.as_poison().is_none() { to_front(&y, axis, size) } else { y }
                })
                .collect())
        })?;
        Ok(BatchProgram { program, batched_out: mask.take() })
    })
}

/// A program divided in two.
#[derive(Debug)]
pub(crate) struct SplitProgram {
    /// Known inputs → known results, then residuals.
    pub known: Arc<Program>,
    /// Residuals, then unknown inputs → unknown results.
    pub unknown: Arc<Program>,
    /// Which results are unknown.
    pub unknown_out: Vec<bool>,
    pub n_residuals: usize,
}

/// Where a residual of a divided program can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residual {
    /// It is a known input as it stands.
    Input(usize),
    /// It is a result of the program that [`SplitProgram::forwarding`] gives.
    Result(usize),
}

impl SplitProgram {
    /// The number of known results.
    pub fn n_known(&self) -> usize {
        self.known.outputs.len() - self.n_residuals
    }

    /// Known inputs → known results, then the residuals that are neither inputs nor results already; and where each
    /// residual comes from.
    pub fn forwarding(&self) -> (Arc<Program>, Vec<Residual>) {
        let (known, n) = (&self.known, self.n_known());
        let mut kept = vec![true; n];
        // Position of each variable among the results that are kept.
        let mut places: HashMap<Var, usize> = HashMap::new();
        let mut n_kept = n;
        for (i, a) in known.outputs[..n].iter().enumerate() {
            if let Atom::Var(v) = a {
                places.entry(*v).or_insert(i);
            }
        }
        let inputs: HashMap<Var, usize> = known.inputs.iter().enumerate().map(|(i, v)| (*v, i)).collect();
        let residuals = known.outputs[n..]
            .iter()
            .map(|a| {
                let var = if let Atom::Var(v) = a { Some(*v) } else { None };
                let found = var.and_then(|v| {
                    let input = inputs.get(&v).map(|&i| Residual::Input(i));
                    input.or_else(|| places.get(&v).map(|&i| Residual::Result(i)))
                });
                kept.push(found.is_none());
                found.unwrap_or_else(|| {
                    n_kept += 1;
                    if let Some(v) = var {
                        places.insert(v, n_kept - 1);
                    }
                    Residual::Result(n_kept - 1)
                })
            })
            .collect();
        let computing = match kept.contains(&false) {
            true => dce(known, &kept, true).program,
            false => known.clone(),
        };
        (computing, residuals)
    }
}

/// Divides a program by which inputs are unknown. `force` marks results to be treated as unknown.
pub(crate) fn split_program(p: &Arc<Program>, unknown: &[bool], force: &[bool]) -> Result<Arc<SplitProgram>> {
    p.memo(key("split", unknown, force, 0), || {
        let avals = p.in_avals();
        let known_avals: Vec<Aval> = avals.iter().zip(unknown).filter(|(_, u)| !**u).map(|(a, _)| a.clone()).collect();
        let divided = RefCell::new(None);
        let known = closed(p, &known_avals, |args| {
            let mut knowns = args.iter();
            let args: Vec<std::result::Result<Array, Aval>> = avals
                .iter()
                .zip(unknown)
                .map(|(a, u)| match knowns.next_if_known(*u) {
                    Some(x) => Ok(x),
                    None => Err(a.clone()),
                })
                .collect();
            let d = partial_eval(p.label, &args, force, |xs| eval_program(p, xs))?;
            let outs =
                d.outs.iter().filter_map(|o| o.as_ref().ok().cloned()).chain(d.unknown.captures.clone()).collect();
            *divided.borrow_mut() = Some(d);
            Ok(outs)
        })?;
        let d = divided.take().ok_or_else(|| Error::new(ErrorKind::Internal, "nothing was divided"))?;
        Ok(SplitProgram {
            known,
            unknown_out: d.outs.iter().map(|o| o.is_err()).collect(),
            n_residuals: d.unknown.n_captures(),
            unknown: d.unknown.program,
        })
    })
}

trait NextIfKnown {
    fn next_if_known(&mut self, unknown: bool) -> Option<Array>;
}

impl NextIfKnown for std::slice::Iter<'_, Array> {
    fn next_if_known(&mut self, unknown: bool) -> Option<Array> {
        if unknown { None } else { self.next().cloned() }
    }
}

/// The transpose of a program in its linear inputs.
#[derive(Debug)]
pub(crate) struct TransposeProgram {
    /// Known inputs, then the cotangents of the marked results → the nonzero cotangents of the linear inputs.
    pub program: Arc<Program>,
    /// Which linear inputs (in order) have a cotangent.
    pub nonzero_out: Vec<bool>,
}

/// Transposes a program. `nonzero` marks the results with a cotangent, `force` the linear inputs (in order) whose
/// cotangent is wanted even where zero.
pub(crate) fn transpose_program(
    p: &Arc<Program>,
    linear: &[bool],
    nonzero: &[bool],
    force: bool,
) -> Result<Arc<TransposeProgram>> {
    p.memo(key("transpose", linear, nonzero, usize::from(force)), || {
        let ins = p.in_avals();
        let mut avals: Vec<Aval> = ins.iter().zip(linear).filter(|(_, l)| !**l).map(|(a, _)| a.clone()).collect();
        let n_known = avals.len();
        avals.extend(p.out_avals().into_iter().zip(nonzero).filter(|(_, n)| **n).map(|(a, _)| a));
        let mask = RefCell::new(Vec::new());
        let program = closed(p, &avals, |args| {
            let mut known = args[..n_known].iter();
            let inputs: Vec<Input> = ins
                .iter()
                .zip(linear)
                .map(|(a, l)| match known.next_if_known(*l) {
                    Some(x) => Input::Known(x),
                    None => Input::Linear(a.clone()),
                })
                .collect();
            let mut given = args[n_known..].iter();
            let cts: Vec<Option<Array>> = nonzero.iter().map(|n| given.next_if_known(!*n)).collect();
            let cts = backward(p, &inputs, cts)?;
            let mut outs = Vec::new();
            for (input, ct) in inputs.iter().zip(cts) {
                if let Input::Linear(aval) = input {
                    let ct = if force { Some(super::concrete_tangent(ct, aval)) } else { ct };
                    mask.borrow_mut().push(ct.is_some());
                    outs.extend(ct);
                }
            }
            Ok(outs)
        })?;
        Ok(TransposeProgram { program, nonzero_out: mask.take() })
    })
}
