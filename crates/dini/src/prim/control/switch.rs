//! `switch`: runs the branch that an index names. `cond` is a switch of two.
//!
//! Vectorized with one index for all lanes it stays a branch. With an index for each lane every branch runs on all lanes,
//! and results are selected. An operand enters a branch through [`Taken`](super::taken::Taken): its value is the same, but
//! lanes that do not take the branch contribute exactly 0 to derivatives, never NaN, in both modes.

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
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Operand, Prim, Primitive, Rules, Transpose, all_to_front,
        call::{at_front, fits, merge, nonzero, unzip_duals},
        control::{
            count, drop_inputs,
            guard::{guarded, needs_guard},
        },
        to_front,
    },
    shape::Aval,
    trace::{PartialEval, bind, recorder::eval_program, stage_program},
    transform::derived::{Residual, batch_program, jvp_program, split_program, transpose_program},
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
    let operands: Vec<Array> = all_to_front(&xs[1..], &axes[1..], size);
    let all = vec![true; operands.len()];
    let mut outs: Option<Vec<Array>> = None;
    for (i, branch) in p.branches.iter().enumerate() {
        let force = vec![true; branch.outputs.len()];
        let taken = index.eq(ops::scalar_like(i as f64, &index));
        let masked: Vec<Array> = operands
            .iter()
            .map(|x| match x.dtype().is_inexact() {
                true => ops::taken_lanes(&taken, x),
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
    let n_known = mask.len() - count(&mask);
    let known_mask: Vec<bool> = unknown.iter().map(|u| !u).collect();
    let known_operands = keep(&xs[1..], &known_mask);
    let (computing, residuals): (Vec<Arc<Program>>, Vec<Vec<Residual>>) = splits.iter().map(|s| s.forwarding()).unzip();
    // What only one branch computes.
    let own: Vec<Vec<Aval>> = computing.iter().map(|c| c.out_avals()[n_known..].to_vec()).collect();
    let known = computing.iter().enumerate().map(|(i, c)| side_by_side(c, n_known, &own, i)).collect::<Result<_>>()?;
    let known = Switch { branches: known };
    let mut outs = match n_known == 0 && own.iter().all(Vec::is_empty) && !Prim::from(known.clone()).has_effect() {
        true => Vec::new(),
        false => bind(known, &[&xs[..1], &known_operands].concat())?,
    };
    // The operands of the rest: every residual of every branch, those that are operands or results already once each.
    let mut kept: Vec<Residual> = Vec::new();
    let mut place = |residual: Residual| {
        kept.iter().position(|r| *r == residual).unwrap_or_else(|| {
            kept.push(residual);
            kept.len() - 1
        })
    };
    let wanted: Vec<Vec<usize>> = residuals
        .into_iter()
        .enumerate()
        .map(|(i, residuals)| {
            let start: usize = n_known + own[..i].iter().map(Vec::len).sum::<usize>();
            let beside = |r: Residual| match r {
                Residual::Result(j) if j >= n_known => Residual::Result(start + j - n_known),
                r => r,
            };
            residuals.into_iter().map(|r| place(beside(r))).collect()
        })
        .collect();
    let kept: Vec<Array> = kept
        .iter()
        .map(|r| match *r {
            Residual::Input(i) => known_operands[i].clone(),
            Residual::Result(i) => outs[i].clone(),
        })
        .collect();
    let kept_avals = kept.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<Aval>>>()?;
    let rest_avals = [kept_avals, keep(&p.branches[0].in_avals(), &unknown)].concat();
    let rest = splits
        .iter()
        .zip(&wanted)
        .map(|(s, wanted)| {
            let staged = stage_program(s.unknown.label, &rest_avals, |args| {
                let own = wanted.iter().map(|&i| args[i].clone());
                eval_program(&s.unknown, &own.chain(args[kept.len()..].iter().cloned()).collect::<Vec<Array>>())
            })?;
            Ok(staged.program)
        })
        .collect::<Result<_>>()?;
    outs.truncate(n_known);
    let operands = [&xs[..1], &kept, &keep(&xs[1..], &unknown)].concat();
    let recorded = cx.record(Switch { branches: rest }, &operands)?;
    Ok(Some(merge(&mask, outs, recorded)))
}

/// The program of branch `i` with zeros for what other branches compute beyond the results that all have.
fn side_by_side(program: &Arc<Program>, n_shared: usize, own: &[Vec<Aval>], i: usize) -> Result<Arc<Program>> {
    let staged = stage_program(program.label, &program.in_avals(), |args| {
        let outs = eval_program(program, args)?;
        let mut all = outs[..n_shared].to_vec();
        for (j, avals) in own.iter().enumerate() {
            match i == j {
                true => all.extend_from_slice(&outs[n_shared..]),
                false => all.extend(avals.iter().map(ops::zeros_of)),
            }
        }
        Ok(all)
    })?;
    Ok(staged.program)
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
    let inputs = union(cuts.into_iter().map(|c| c.used_inputs));
    let branches = p.branches.iter().map(|b| drop_inputs(&dce(b, used, true).program, &inputs)).collect();
    CutEqn {
        prim: Switch { branches }.into(),
        keep_inputs: [&[true], &inputs[..]].concat(),
        keep_outputs: used.to_vec(),
    }
}
