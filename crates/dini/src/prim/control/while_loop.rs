//! `while_loop`: repeats a body while a condition on the carry holds.
//!
//! Forward mode differentiates body and carry together. Reverse mode does not exist: the number of steps is not known
//! before the loop has run, so intermediate carries have no place to be kept.

use super::{
    Places, count, drop_inputs, fixpoint,
    guard::{guarded, needs_guard},
    rewire,
};
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
        call::{Call, at_front, fits, merge, nonzero},
        instantiate,
        late_error::{cotangents_and_values, late_error},
    },
    prim::{all_to_front, effects::silent::silent, to_front},
    shape::Aval,
    trace::{PartialEval, bind, here, recorder::eval_program, stage_program},
    transform::derived::{batch_program, jvp_program, split_program},
};
use dini_cpu::{dtype::DType, graph::Op};
use std::sync::Arc;

/// A loop; operands: captures of the condition, captures of the body, carry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct While {
    /// (its captures, carry) → bool
    pub cond: Arc<Program>,
    /// (its captures, carry) → carry
    pub body: Arc<Program>,
    /// Number of captures of the condition.
    pub n_cond: usize,
    /// Number of captures of the body.
    pub n_body: usize,
}

impl While {
    pub(crate) fn n_captures(&self) -> usize {
        self.n_cond + self.n_body
    }

    /// The operands that the body takes.
    pub(crate) fn body_inputs<T: Clone>(&self, xs: &[T]) -> Vec<T> {
        xs[self.n_cond..].to_vec()
    }

    /// The operands that the condition takes.
    pub(crate) fn cond_inputs<T: Clone>(&self, xs: &[T]) -> Vec<T> {
        [&xs[..self.n_cond], &xs[self.n_captures()..]].concat()
    }
}

impl Primitive for While {
    const NAME: &'static str = "while_loop";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Schedule(|p, cx, args, _, outs| {
            let op = Op::While {
                cond: cx.subgraph(&p.cond)?,
                body: cx.subgraph(&p.body)?,
                n_cond_captures: p.n_cond,
                n_body_captures: p.n_body,
            };
            Ok(cx.push(op, args, outs))
        }),
        jvp: Jvp::Joint(while_jvp),
        transpose: Transpose::By(while_transpose),
        batch: Batch::By(while_batch),
        form: Form::Higher(Higher {
            subs: |p| vec![("cond", p.cond.clone()), ("body", p.body.clone())],
            split: while_split,
            dce: |p, used| Some(while_dce(p, used)),
            erase: |p, xs| bind(While { cond: erase(&p.cond)?, body: erase(&p.body)?, ..p.clone() }, xs),
        }),
        samples: Vec::new,
    };
}

fn infer(p: &While, avals: &[Aval]) -> Result<Vec<Aval>> {
    fits(&p.body, &p.body_inputs(avals))?;
    fits(&p.cond, &p.cond_inputs(avals))?;
    let carry = &avals[p.n_captures()..];
    if p.cond.out_avals() != [Aval::scalar(DType::Bool)] || p.body.out_avals() != carry {
        return Err(Error::new(ErrorKind::Structure, "the body must return the carry's types, the condition a bool"));
    }
    Ok(carry.to_vec())
}

fn while_jvp(p: &While, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let n = p.n_captures();
    let captures = nonzero(&ts[p.n_cond..n]);
    let (body, varies) = fixpoint(nonzero(&ts[n..]), |varies| {
        let jvp = jvp_program(&p.body, &[&captures[..], varies].concat(), varies)?;
        let out = jvp.nonzero_out.clone();
        Ok((jvp, out))
    })?;
    let n_carry = varies.len();
    // The new body: (captures, their tangents, carry, its tangents).
    let avals = body.program.in_avals();
    let mut old = Places::new();
    let (caps, carry, cap_ts, carry_ts) =
        (old.take(p.n_body), old.take(n_carry), old.take(count(&captures)), old.take(count(&varies)));
    let order = [&caps[..], &cap_ts, &carry, &carry_ts].concat();
    let inputs: Vec<Aval> = order.iter().map(|&i| avals[i].clone()).collect();
    let picks: Vec<usize> = (0..avals.len()).map(|i| position(&order, i)).collect();
    let all: Vec<usize> = (0..n_carry + count(&varies)).collect();
    let new_body = rewire(&body.program, &inputs, &picks, &all);
    // The condition ignores tangents.
    let mut cond_avals = p.cond.in_avals();
    let picks: Vec<usize> = (0..cond_avals.len()).collect();
    cond_avals.extend(carry_ts.iter().map(|&i| avals[i].clone()));
    let cond = rewire(&p.cond, &cond_avals, &picks, &[0]);
    let mut operands = xs[..n].to_vec();
    operands.extend(ts[p.n_cond..n].iter().flatten().cloned());
    operands.extend_from_slice(&xs[n..]);
    for ((x, t), varies) in xs[n..].iter().zip(&ts[n..]).zip(&varies) {
        if *varies {
            operands.push(instantiate(t.as_ref(), x));
        }
    }
    let new = While { cond, body: new_body, n_cond: p.n_cond, n_body: p.n_body + cap_ts.len() };
    Ok(crate::prim::call::unzip_duals(bind(new, &operands)?, &varies))
}

pub(super) fn position(order: &[usize], i: usize) -> usize {
    order.iter().position(|&o| o == i).expect("a permutation has every place")
}

fn while_transpose(_: &While, cts: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let error = Error::new(
        ErrorKind::MissingRule,
        "reverse-mode differentiation of a loop whose number of steps is not fixed does not exist",
    )
    .op(While::NAME)
    .at(here())
    .help(
        "use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if \
         the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`",
    );
    let depends = cotangents_and_values(cts, xs);
    Ok(xs.iter().map(|x| x.is_linear().then(|| late_error(error.clone(), &x.aval(), &depends))).collect())
}

/// With one condition for all lanes the loop stays a loop of batched bodies. With a condition for each lane, the carry
/// gains the mask of running lanes: the loop goes on while any runs, and a lane that has stopped keeps its carry.
fn while_batch(p: &While, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let n = p.n_captures();
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let (cond_caps, body_caps) = (&batched[..p.n_cond], &batched[p.n_cond..n]);
    let (body, carry) = fixpoint(batched[n..].to_vec(), |carry| {
        let body = batch_program(&p.body, size, &[body_caps, carry].concat(), carry)?;
        let out = body.batched_out.clone();
        Ok((body, out))
    })?;
    let cond = batch_program(&p.cond, size, &[cond_caps, &carry].concat(), &[])?;
    let lanes = |mask: &[bool]| -> Vec<Option<usize>> { mask.iter().map(|b| b.then_some(0)).collect() };
    let mut operands = at_front(&xs[..n], &axes[..n], size);
    if !cond.batched_out[0] {
        for ((x, axis), has) in xs[n..].iter().zip(&axes[n..]).zip(&carry) {
            operands.push(if *has { to_front(x, *axis, size) } else { x.clone() });
        }
        let new = While { cond: cond.program.clone(), body: body.program.clone(), n_cond: p.n_cond, n_body: p.n_body };
        return Ok((bind(new, &operands)?, lanes(&carry)));
    }
    let all = vec![true; carry.len()];
    // Lanes that have stopped go through the body too: whatever loops there must stand still for them.
    let guards = needs_guard(&p.body);
    let body = match guards {
        true => batch_program(&guarded(&p.body)?, size, &[&[true], body_caps, &all].concat(), &all)?,
        false => batch_program(&p.body, size, &[body_caps, &all].concat(), &all)?,
    };
    let cond = batch_program(&p.cond, size, &[cond_caps, &all].concat(), &[true])?;
    let init: Vec<Array> = all_to_front(&xs[n..], &axes[n..], size);
    let cond_operands: Vec<Array> = operands[..p.n_cond].iter().chain(&init).cloned().collect();
    let running = bind(Call { program: cond.program.clone() }, &cond_operands)?;
    let mask = Aval::new(DType::Bool, &[size]);
    let carry_avals: Vec<Aval> = init.iter().map(|x| x.aval().clone()).collect();
    let caps_avals: Vec<Aval> = operands.iter().map(|x| x.aval().clone()).collect();
    let cond_avals = [std::slice::from_ref(&mask), &carry_avals].concat();
    let any = stage_program(p.cond.label, &cond_avals, |xs| Ok(vec![ops::reduce_or(&xs[0], &[0])]))?;
    let body_avals = [&caps_avals[..], &cond_avals].concat();
    let step = stage_program(p.body.label, &body_avals, |xs| {
        let (running, old) = (&xs[n], &xs[n + 1..]);
        let guard = if guards { std::slice::from_ref(running) } else { &[] };
        let new = eval_program(&body.program, &[guard, &xs[p.n_cond..n], old].concat())?;
        let next: Vec<Array> = old.iter().zip(&new).map(|(old, new)| ops::select_lanes(running, new, old)).collect();
        let goes_on = eval_program(&cond.program, &[&xs[..p.n_cond], &next[..]].concat())?;
        Ok([vec![running & &goes_on[0]], next].concat())
    })?;
    operands.extend(running);
    operands.extend(init);
    let new = While { cond: any.program, body: step.program, n_cond: 0, n_body: n };
    let outs = bind(new, &operands)?;
    Ok((outs[1..].to_vec(), lanes(&all)))
}

/// Known carries run at once, in a loop of their own; the unknown part repeats the whole loop. Nothing can be kept per
/// step, since the number of steps is not known.
fn while_split(p: &While, cx: &PartialEval<'_>, xs: &[Array]) -> Result<Option<Vec<Array>>> {
    let n = p.n_captures();
    let unknown: Vec<bool> = xs.iter().map(|x| cx.is_unknown(x)).collect();
    let (split, carry) = fixpoint(unknown[n..].to_vec(), |carry| {
        let split = split_program(&p.body, &[&unknown[p.n_cond..n], carry].concat(), carry)?;
        let out = split.unknown_out.clone();
        Ok((split, out))
    })?;
    let cond_unknown = [&unknown[..p.n_cond], &carry].concat();
    let cond = dce(&p.cond, &[true], false);
    let depends = cond.used_inputs.iter().zip(&cond_unknown).any(|(used, unknown)| *used && *unknown);
    if depends || !carry.contains(&false) {
        return Ok(None);
    }
    let known: Vec<bool> = carry.iter().map(|u| !u).collect();
    let n_known = count(&known);
    let results: Vec<bool> = (0..n_known + split.n_residuals).map(|i| i < n_known).collect();
    let body = dce(&split.known, &results, true);
    // The condition may name unknown carries as inputs although it does not use them.
    let keep_cond: Vec<bool> = cond_unknown.iter().map(|u| !u).collect();
    let known_cond = drop_inputs(&dce(&p.cond, &[true], true).program, &keep_cond);
    let pick = |range: std::ops::Range<usize>| -> Vec<Array> {
        range.filter(|&i| !unknown[i] && (i < n || known[i - n])).map(|i| xs[i].clone()).collect()
    };
    let (cond_caps, body_caps, init) = (pick(0..p.n_cond), pick(p.n_cond..n), pick(n..xs.len()));
    let new = While { cond: known_cond, body: body.program, n_cond: cond_caps.len(), n_body: body_caps.len() };
    let known_outs = bind(new, &[cond_caps, body_caps, init].concat())?;
    // The known loop has shown its values already.
    let again = While { cond: silent(&p.cond), body: silent(&p.body), ..p.clone() };
    let recorded = cx.record(again, xs)?;
    Ok(Some(merge(&carry, known_outs, keep(&recorded, &carry))))
}

fn while_dce(p: &While, used: &[bool]) -> CutEqn {
    let cond = dce(&p.cond, &[true], false);
    let mut live: Vec<bool> = used.iter().zip(&cond.used_inputs[p.n_cond..]).map(|(a, b)| *a || *b).collect();
    let body = loop {
        let body = dce(&p.body, &live, false);
        let grown: Vec<bool> = live.iter().zip(&body.used_inputs[p.n_body..]).map(|(a, b)| *a || *b).collect();
        if grown == live {
            break body;
        }
        live = grown;
    };
    let body_caps = &body.used_inputs[..p.n_body];
    let cond_caps = &cond.used_inputs[..p.n_cond];
    let new_body = drop_inputs(&dce(&p.body, &live, true).program, &[body_caps, &live].concat());
    let new_cond = drop_inputs(&dce(&p.cond, &[true], true).program, &[cond_caps, &live].concat());
    CutEqn {
        prim: While { cond: new_cond, body: new_body, n_cond: count(cond_caps), n_body: count(body_caps) }.into(),
        keep_inputs: [cond_caps, body_caps, &live].concat(),
        keep_outputs: live,
    }
}
