//! `call`: a program in line (a nested `jit`), and the rules that every primitive with one such sub-program shares.

use super::{Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Operand, Prim, Primitive, Rules, Transpose, to_front};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::{
        Program,
        dce::{CutEqn, dce, keep},
    },
    lower::eval_erased,
    shape::Aval,
    trace::{PartialEval, bind},
    transform::derived::{Residual, batch_program, jvp_program, split_program, transpose_program},
};
use std::sync::Arc;

/// A program in line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The program.
    pub program: Arc<Program>,
}

impl Primitive for Call {
    const NAME: &'static str = "call";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| infer_program(&p.program, avals),
        lower: Lower::Schedule(|p, cx, args, _, _| cx.program(&p.program, args)),
        jvp: Jvp::Joint(|p, xs, ts| jvp_call(&p.program, xs, ts, |program| Call { program }.into())),
        transpose: Transpose::By(|p, cts, xs| transpose_call(&p.program, cts, xs)),
        batch: Batch::By(|p, size, xs, axes| batch_call(&p.program, size, xs, axes, |program| Call { program }.into())),
        form: Form::Higher(Higher {
            subs: |p| vec![("program", p.program.clone())],
            split: |p, cx, xs| split_call(&p.program, cx, xs).map(Some),
            dce: |p, used| Some(dce_call(&p.program, used, |program| Call { program }.into())),
            erase: |p, xs| eval_erased(&p.program, xs),
        }),
        samples: Vec::new,
    };
}

/// The result types, if the operands fit the inputs.
pub(crate) fn infer_program(program: &Program, avals: &[Aval]) -> Result<Vec<Aval>> {
    fits(program, avals)?;
    Ok(program.out_avals())
}

/// Whether operands of the given types fit a sub-program's inputs.
pub(crate) fn fits(program: &Program, avals: &[Aval]) -> Result<()> {
    let wants = program.in_avals();
    if wants != avals {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("the sub-program `{}` takes {wants:?}, got {avals:?}", program.label.role),
        ));
    }
    Ok(())
}

/// Which tangents are not zero.
pub(crate) fn nonzero(ts: &[Option<Array>]) -> Vec<bool> {
    ts.iter().map(Option::is_some).collect()
}

/// Results with one tangent for each marked one appended, as results and optional tangents.
pub(crate) fn unzip_duals(mut outs: Vec<Array>, mask: &[bool]) -> Duals {
    let mut tangents = outs.split_off(mask.len()).into_iter();
    let tangents = mask.iter().map(|nz| if *nz { tangents.next() } else { None }).collect();
    (outs, tangents)
}

pub(crate) fn jvp_call(
    program: &Arc<Program>,
    xs: &[Array],
    ts: &[Option<Array>],
    make: impl Fn(Arc<Program>) -> Prim,
) -> Result<Duals> {
    let jvp = jvp_program(program, &nonzero(ts), &[])?;
    let operands: Vec<Array> = xs.iter().chain(ts.iter().flatten()).cloned().collect();
    Ok(unzip_duals(bind(make(jvp.program.clone()), &operands)?, &jvp.nonzero_out))
}

pub(crate) fn batch_call(
    program: &Arc<Program>,
    size: usize,
    xs: &[Array],
    axes: &[Option<usize>],
    make: impl Fn(Arc<Program>) -> Prim,
) -> Result<Lanes> {
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let batch = batch_program(program, size, &batched, &[])?;
    let outs = bind(make(batch.program.clone()), &at_front(xs, axes, size))?;
    Ok((outs, batch.batched_out.iter().map(|b| b.then_some(0)).collect()))
}

/// Operands that have lanes get them on the leading axis; the others stay.
pub(crate) fn at_front(xs: &[Array], axes: &[Option<usize>], size: usize) -> Vec<Array> {
    xs.iter().zip(axes).map(|(x, axis)| if axis.is_some() { to_front(x, *axis, size) } else { x.clone() }).collect()
}

pub(crate) fn transpose_call(
    program: &Arc<Program>,
    cts: &[Option<Array>],
    xs: &[Operand],
) -> Result<Vec<Option<Array>>> {
    let linear: Vec<bool> = xs.iter().map(Operand::is_linear).collect();
    let transposed = transpose_program(program, &linear, &nonzero(cts), false)?;
    let mut operands = Vec::new();
    for x in xs.iter().filter(|x| !x.is_linear()) {
        operands.push(x.known()?.clone());
    }
    operands.extend(cts.iter().flatten().cloned());
    let mut outs = bind(Call { program: transposed.program.clone() }, &operands)?.into_iter();
    let mut mask = transposed.nonzero_out.iter();
    Ok(linear.iter().map(|l| if *l && mask.next().copied().unwrap_or(false) { outs.next() } else { None }).collect())
}

/// Runs the known part at once and records the unknown part, both as `call`.
pub(crate) fn split_call(program: &Arc<Program>, cx: &PartialEval<'_>, xs: &[Array]) -> Result<Vec<Array>> {
    let unknown: Vec<bool> = xs.iter().map(|x| cx.is_unknown(x)).collect();
    let split = split_program(program, &unknown, &[])?;
    let known_operands: Vec<Array> = xs.iter().zip(&unknown).filter(|(_, u)| !**u).map(|(x, _)| x.clone()).collect();
    let (computing, residuals) = split.forwarding();
    let mut known = bind_unless_idle(computing, &known_operands)?;
    let residuals: Vec<Array> = residuals
        .into_iter()
        .map(|residual| match residual {
            Residual::Input(i) => known_operands[i].clone(),
            Residual::Result(i) => known[i].clone(),
        })
        .collect();
    known.truncate(split.n_known());
    let operands: Vec<Array> = residuals.into_iter().chain(keep(xs, &unknown)).collect();
    let recorded = cx.record(Call { program: split.unknown.clone() }, &operands)?;
    Ok(merge(&split.unknown_out, known, recorded))
}

/// Runs a program that is known, unless there is nothing to be had from it.
fn bind_unless_idle(program: Arc<Program>, xs: &[Array]) -> Result<Vec<Array>> {
    match program.outputs.is_empty() && !program.has_effect() {
        true => Ok(Vec::new()),
        false => bind(Call { program }, xs),
    }
}

/// Interleaves: the marked places take from `unknown`, the others from `known`.
pub(crate) fn merge(mask: &[bool], known: Vec<Array>, unknown: Vec<Array>) -> Vec<Array> {
    let (mut known, mut unknown) = (known.into_iter(), unknown.into_iter());
    mask.iter().filter_map(|u| if *u { unknown.next() } else { known.next() }).collect()
}

pub(crate) fn dce_call(program: &Arc<Program>, used: &[bool], make: impl Fn(Arc<Program>) -> Prim) -> CutEqn {
    let cut = dce(program, used, false);
    CutEqn { prim: make(cut.program), keep_inputs: cut.used_inputs, keep_outputs: used.to_vec() }
}
