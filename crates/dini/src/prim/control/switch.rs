//! `switch`: runs the branch that an index names. `cond` is a switch of two.
//!
//! Vectorized with one index for all lanes it stays a branch. With an index for each lane every branch runs on all lanes,
//! and results are selected. An operand x enters branch i as `select(taken, x, stop_gradient(x))`: its value is the same,
//! but lanes that do not take the branch contribute exactly 0 to derivatives, never NaN, in both modes.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::{
        Program,
        dce::{CutEqn, dce, keep},
    },
    lower::erase,
    ops,
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose,
        call::{at_front, fits, merge, nonzero, unzip_duals},
        control::{
            drop_inputs,
            guard::{guarded, needs_guard},
        },
        to_front,
    },
    shape::Aval,
    trace::{PartialEval, bind, recorder::eval_program, stage_program},
    transform::derived::{batch_program, jvp_program, split_program, transpose_program},
};
use dini_cpu::{dtype::DType, graph::Op};
use std::sync::Arc;

/// A choice; operands: the index (i32, clamped into range), then the operands of every branch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Switch {
    /// The branches, of equal types.
    pub branches: Vec<Arc<Program>>,
}

impl Primitive for Switch {
    const NAME: &'static str = "switch";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Schedule(|p, cx, args, _, outs| {
            let branches = p.branches.iter().map(|b| cx.subgraph(b)).collect::<Result<Vec<_>>>()?;
            Ok(cx.push(Op::Switch { branches }, args, outs))
        }),
        jvp: Jvp::Joint(switch_jvp),
        transpose: Transpose::By(switch_transpose),
        batch: Batch::By(switch_batch),
        form: Form::Higher(Higher {
            subs: |p| p.branches.iter().map(|b| ("branch", b.clone())).collect(),
            split: switch_split,
            dce: |p, used| Some(switch_dce(p, used)),
            erase: |p, xs| bind(Switch { branches: p.branches.iter().map(erase).collect::<Result<_>>()? }, xs),
        }),
        samples: Vec::new,
    };
}

fn infer(p: &Switch, avals: &[Aval]) -> Result<Vec<Aval>> {
    let Some((index, operands)) = avals.split_first() else {
        return Err(Error::new(ErrorKind::Structure, "takes an index"));
    };
    if *index != Aval::scalar(DType::I32) {
        return Err(Error::new(ErrorKind::DType, format!("the index is {index}, expected i32[]")));
    }
    let Some(first) = p.branches.first() else {
        return Err(Error::new(ErrorKind::Structure, "there are no branches"));
    };
    for branch in &p.branches {
        fits(branch, operands)?;
        if branch.out_avals() != first.out_avals() {
            return Err(Error::new(ErrorKind::Structure, "branches return different types"));
        }
    }
    Ok(first.out_avals())
}

/// One mask for all branches: a result is marked if any branch marks it.
fn union(masks: impl Iterator<Item = Vec<bool>>) -> Vec<bool> {
    masks.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| *a || *b).collect()).unwrap_or_default()
}

fn switch_jvp(p: &Switch, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let varies = nonzero(&ts[1..]);
    let each =
        |force: &[bool]| -> Result<Vec<_>> { p.branches.iter().map(|b| jvp_program(b, &varies, force)).collect() };
    let mask = union(each(&[])?.iter().map(|b| b.nonzero_out.clone()));
    let branches = each(&mask)?.iter().map(|b| b.program.clone()).collect();
    let operands: Vec<Array> = xs.iter().chain(ts[1..].iter().flatten()).cloned().collect();
    Ok(unzip_duals(bind(Switch { branches }, &operands)?, &mask))
}

fn switch_batch(p: &Switch, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let batched: Vec<bool> = axes[1..].iter().map(Option::is_some).collect();
    if axes[0].is_none() {
        let each = |force: &[bool]| -> Result<Vec<_>> {
            p.branches.iter().map(|b| batch_program(b, size, &batched, force)).collect()
        };
        let mask = union(each(&[])?.iter().map(|b| b.batched_out.clone()));
        let branches = each(&mask)?.iter().map(|b| b.program.clone()).collect();
        let outs = bind(Switch { branches }, &at_front(xs, axes, size))?;
        return Ok((outs, mask.iter().map(|b| b.then_some(0)).collect()));
    }
    let n = p.branches.len();
    let index = ops::clamp_index(&to_front(&xs[0], axes[0], size), n);
    let operands: Vec<Array> = xs[1..].iter().zip(&axes[1..]).map(|(x, axis)| to_front(x, *axis, size)).collect();
    let all = vec![true; operands.len()];
    let mut outs: Option<Vec<Array>> = None;
    for (i, branch) in p.branches.iter().enumerate() {
        let force = vec![true; branch.outputs.len()];
        let taken = index.eq(ops::scalar_like(i as f64, &index));
        let masked: Vec<Array> = operands
            .iter()
            .map(|x| match x.dtype().is_inexact() {
                true => ops::select_lanes(&taken, x, &ops::stop_gradient(x)),
                false => x.clone(),
            })
            .collect();
        let own = if needs_guard(branch) {
            let branch = batch_program(&guarded(branch)?, size, &[&[true], &all[..]].concat(), &force)?;
            eval_program(&branch.program, &[std::slice::from_ref(&taken), &masked].concat())?
        } else {
            eval_program(&batch_program(branch, size, &all, &force)?.program, &masked)?
        };
        outs = Some(match outs {
            None => own,
            Some(outs) => outs.iter().zip(&own).map(|(others, own)| ops::select_lanes(&taken, own, others)).collect(),
        });
    }
    let outs = outs.unwrap_or_default();
    let lanes = vec![Some(0); outs.len()];
    Ok((outs, lanes))
}

/// Residuals of all branches stand side by side; a branch gives zeros for those of the others.
fn switch_split(p: &Switch, cx: &PartialEval<'_>, xs: &[Array]) -> Result<Option<Vec<Array>>> {
    if cx.is_unknown(&xs[0]) {
        return Ok(None);
    }
    let unknown: Vec<bool> = xs[1..].iter().map(|x| cx.is_unknown(x)).collect();
    let each =
        |force: &[bool]| -> Result<Vec<_>> { p.branches.iter().map(|b| split_program(b, &unknown, force)).collect() };
    let mask = union(each(&[])?.iter().map(|b| b.unknown_out.clone()));
    let splits = each(&mask)?;
    let n_known = mask.iter().filter(|u| !**u).count();
    let residuals: Vec<Vec<Aval>> = splits.iter().map(|s| s.known.out_avals()[n_known..].to_vec()).collect();
    let known_ins: Vec<Aval> = splits[0].known.in_avals();
    let unknown_ins: Vec<Aval> =
        p.branches[0].in_avals().into_iter().zip(&unknown).filter(|(_, u)| **u).map(|(a, _)| a).collect();
    let known = splits
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let staged = stage_program(s.known.label, &known_ins, |args| {
                let outs = eval_program(&s.known, args)?;
                let mut all = outs[..n_known].to_vec();
                for (j, avals) in residuals.iter().enumerate() {
                    if i == j {
                        all.extend_from_slice(&outs[n_known..]);
                    } else {
                        all.extend(avals.iter().map(ops::zeros_of));
                    }
                }
                Ok(all)
            })?;
            Ok(staged.program)
        })
        .collect::<Result<Vec<_>>>()?;
    let all_residuals: Vec<Aval> = residuals.concat();
    let rest = splits
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let start: usize = residuals[..i].iter().map(Vec::len).sum();
            let avals = [&all_residuals[..], &unknown_ins].concat();
            let staged = stage_program(s.unknown.label, &avals, |args| {
                let own = &args[start..start + residuals[i].len()];
                eval_program(&s.unknown, &[own, &args[all_residuals.len()..]].concat())
            })?;
            Ok(staged.program)
        })
        .collect::<Result<Vec<_>>>()?;
    let known_mask: Vec<bool> = unknown.iter().map(|u| !u).collect();
    let known_operands: Vec<Array> = std::iter::once(xs[0].clone()).chain(keep(&xs[1..], &known_mask)).collect();
    let mut outs = bind(Switch { branches: known }, &known_operands)?;
    let kept = outs.split_off(n_known);
    let operands: Vec<Array> = std::iter::once(xs[0].clone()).chain(kept).chain(keep(&xs[1..], &unknown)).collect();
    let recorded = cx.record(Switch { branches: rest }, &operands)?;
    Ok(Some(merge(&mask, outs, recorded)))
}

fn switch_transpose(p: &Switch, cts: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let index = xs[0].known()?;
    let linear: Vec<bool> = xs[1..].iter().map(Operand::is_linear).collect();
    let branches = p
        .branches
        .iter()
        .map(|b| Ok(transpose_program(b, &linear, &nonzero(cts), true)?.program.clone()))
        .collect::<Result<Vec<_>>>()?;
    let mut operands = vec![index.clone()];
    for x in xs[1..].iter().filter(|x| !x.is_linear()) {
        operands.push(x.known()?.clone());
    }
    operands.extend(cts.iter().flatten().cloned());
    let mut outs = bind(Switch { branches }, &operands)?.into_iter();
    Ok(std::iter::once(None).chain(linear.iter().map(|l| if *l { outs.next() } else { None })).collect())
}

fn switch_dce(p: &Switch, used: &[bool]) -> CutEqn {
    let cuts: Vec<_> = p.branches.iter().map(|b| dce(b, used, false)).collect();
    let inputs = union(cuts.iter().map(|c| c.used_inputs.clone()));
    let branches = p.branches.iter().map(|b| drop_inputs(&dce(b, used, true).program, &inputs)).collect();
    CutEqn {
        prim: Switch { branches }.into(),
        keep_inputs: [&[true], &inputs[..]].concat(),
        keep_outputs: used.to_vec(),
    }
}
