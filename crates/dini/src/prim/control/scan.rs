//! `scan`: a loop of fixed length with a carry, stacked inputs and stacked outputs. It differentiates in both modes.

use super::{Places, count, drop_inputs, fixpoint, rewire, while_loop::position};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::{
        Atom, Program,
        dce::{CutEqn, dce, keep, without_effects},
    },
    lower::erase,
    ops,
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose,
        call::{Call, merge, nonzero},
        instantiate, to_front,
    },
    shape::Aval,
    trace::{bind, recorder::eval_program, stage_program},
    transform::derived::{batch_program, jvp_program, split_program, transpose_program},
};
use dini_cpu::graph::Op;
use std::sync::Arc;

/// A loop of fixed length; operands: captures, carry, stacked inputs; results: carry, stacked outputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// (captures, carry, one of each stacked input) → (carry, one of each stacked output)
    pub body: Arc<Program>,
    /// Number of captures.
    pub n_captures: usize,
    /// Number of carried values.
    pub n_carry: usize,
    /// Number of steps.
    pub length: usize,
    /// From the last step to the first.
    pub reverse: bool,
    /// Steps per round of the loop; does not change results.
    pub unroll: usize,
}

impl Scan {
    /// The first stacked operand.
    fn first_stacked(&self) -> usize {
        self.n_captures + self.n_carry
    }

    fn with(&self, body: Arc<Program>, n_captures: usize, n_carry: usize) -> Scan {
        Scan { body, n_captures, n_carry, ..self.clone() }
    }

    fn stacked(&self, aval: &Aval) -> Aval {
        aval.batched(0, self.length)
    }
}

impl Primitive for Scan {
    const NAME: &'static str = "scan";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Schedule(|p, cx, args, _, outs| {
            let op = Op::Scan {
                body: cx.subgraph(&p.body)?,
                n_captures: p.n_captures,
                n_carry: p.n_carry,
                length: p.length,
                reverse: p.reverse,
            };
            Ok(cx.push(op, args, outs))
        }),
        jvp: Jvp::Joint(scan_jvp),
        transpose: Transpose::By(scan_transpose),
        batch: Batch::By(scan_batch),
        form: Form::Higher(Higher {
            subs: |p| vec![("body", p.body.clone())],
            split: |p, cx, xs| {
                let unknown: Vec<bool> = xs.iter().map(|x| cx.is_unknown(x)).collect();
                let halves = divide(p, &unknown)?;
                let (known, operands) = run_known(p, &halves, xs, &unknown)?;
                let recorded = cx.record(halves.unknown.clone(), &operands)?;
                Ok(Some(merge(&halves.unknown_out, known, recorded)))
            },
            dce: |p, used| Some(scan_dce(p, used)),
            erase: |p, xs| unrolled(&Scan { body: erase(&p.body)?, ..p.clone() }, xs),
        }),
        samples: Vec::new,
    };
}

fn infer(p: &Scan, avals: &[Aval]) -> Result<Vec<Aval>> {
    let n = p.first_stacked();
    let wants = p.body.in_avals();
    let gives = p.body.out_avals();
    let bad = |what: String| Err(Error::new(ErrorKind::Structure, what));
    if avals.len() != wants.len() || gives.len() < p.n_carry {
        return bad(format!("the body takes {} values, got {}", wants.len(), avals.len()));
    }
    for (i, (aval, want)) in avals.iter().zip(&wants).enumerate() {
        let fits = if i < n { aval == want } else { *aval == p.stacked(want) };
        if !fits {
            return bad(format!("operand {i} is {aval}, the body takes {want}"));
        }
    }
    if gives[..p.n_carry] != avals[p.n_captures..n] {
        return bad("the body must return the carry's types".into());
    }
    Ok(gives.iter().enumerate().map(|(i, a)| if i < p.n_carry { a.clone() } else { p.stacked(a) }).collect())
}

/// One slice along the leading axis, which disappears.
fn step_of(x: &Array, k: usize) -> Array {
    ops::slice_axis(x, k, k + 1, 1, 0).reshape(&x.shape()[1..])
}

/// Slices along a new leading axis.
fn stack_steps(ys: &[Array]) -> Array {
    let rows: Vec<Array> = ys.iter().map(|y| y.reshape(&[&[1], y.shape()].concat())).collect();
    ops::join(&rows, 0)
}

/// Several steps as one, where that is asked for and divides the length.
fn unrolled(p: &Scan, xs: &[Array]) -> Result<Vec<Array>> {
    let u = p.unroll.min(p.length);
    if u <= 1 || !p.length.is_multiple_of(u) {
        return bind(Scan { unroll: 1, ..p.clone() }, xs);
    }
    let (n, n_out) = (p.first_stacked(), p.body.outputs.len() - p.n_carry);
    let mut avals = p.body.in_avals();
    for a in &mut avals[n..] {
        *a = a.batched(0, u);
    }
    let steps = stage_program(p.body.label, &avals, |args| {
        let mut carry = args[p.n_captures..n].to_vec();
        let mut stacks: Vec<Vec<Array>> = vec![Vec::new(); n_out];
        for k in 0..u {
            let k = if p.reverse { u - 1 - k } else { k };
            let slices: Vec<Array> = args[n..].iter().map(|x| step_of(x, k)).collect();
            let outs = eval_program(&p.body, &[&args[..p.n_captures], &carry[..], &slices].concat())?;
            carry = outs[..p.n_carry].to_vec();
            for (stack, y) in stacks.iter_mut().zip(&outs[p.n_carry..]) {
                stack.push(y.clone());
            }
        }
        let stacked = stacks.into_iter().map(|mut ys| {
            if p.reverse {
                ys.reverse();
            }
            stack_steps(&ys)
        });
        Ok(carry.into_iter().chain(stacked).collect())
    })?;
    let mut operands = xs[..n].to_vec();
    operands.extend(xs[n..].iter().map(|x| {
        let shape = [&[p.length / u, u], &x.shape()[1..]].concat();
        x.reshape(&shape)
    }));
    let new = Scan { body: steps.program, length: p.length / u, unroll: 1, ..p.clone() };
    let mut outs = bind(new, &operands)?;
    for y in &mut outs[p.n_carry..] {
        let shape = [&[p.length], &y.shape()[2..]].concat();
        *y = y.reshape(&shape);
    }
    Ok(outs)
}

fn scan_jvp(p: &Scan, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let (c, n) = (p.n_captures, p.first_stacked());
    let varies = nonzero(ts);
    let (caps, stacked) = (&varies[..c], &varies[n..]);
    let (body, carry) = fixpoint(varies[c..n].to_vec(), |carry| {
        let jvp = jvp_program(&p.body, &[caps, carry, stacked].concat(), carry)?;
        let out = jvp.nonzero_out[..p.n_carry].to_vec();
        Ok((jvp, out))
    })?;
    // Inputs: each group of primals is followed by its tangents.
    let avals = body.program.in_avals();
    let mut old = Places::new();
    let primals = (old.take(c), old.take(p.n_carry), old.take(xs.len() - n));
    let tangents = (old.take(count(caps)), old.take(count(&carry)), old.take(count(stacked)));
    let order = [primals.0, tangents.0, primals.1, tangents.1, primals.2, tangents.2].concat();
    let inputs: Vec<Aval> = order.iter().map(|&i| avals[i].clone()).collect();
    let picks: Vec<usize> = (0..avals.len()).map(|i| position(&order, i)).collect();
    // Results likewise.
    let n_out = p.body.outputs.len();
    let ys = &body.nonzero_out[p.n_carry..];
    let mut old = Places::new();
    let (y_carry, y_stacked) = (old.take(p.n_carry), old.take(n_out - p.n_carry));
    let (t_carry, t_stacked) = (old.take(count(&carry)), old.take(count(ys)));
    let n_new_carry = y_carry.len() + t_carry.len();
    let outs = [y_carry, t_carry, y_stacked, t_stacked].concat();
    let new_body = rewire(&body.program, &inputs, &picks, &outs);
    let mut operands = xs[..c].to_vec();
    operands.extend(ts[..c].iter().flatten().cloned());
    operands.extend_from_slice(&xs[c..n]);
    for ((x, t), v) in xs[c..n].iter().zip(&ts[c..n]).zip(&carry) {
        if *v {
            operands.push(instantiate(t.as_ref(), x));
        }
    }
    operands.extend_from_slice(&xs[n..]);
    operands.extend(ts[n..].iter().flatten().cloned());
    let results = bind(p.with(new_body, c + count(caps), n_new_carry), &operands)?;
    let mut sorted: Vec<Option<Array>> = vec![None; results.len()];
    for (i, y) in outs.into_iter().zip(results) {
        sorted[i] = Some(y);
    }
    let mask = [&carry[..], ys].concat();
    Ok(crate::prim::call::unzip_duals(sorted.into_iter().flatten().collect(), &mask))
}

/// Lanes are on axis 0 of captures and carry, and on axis 1, behind the steps, of what is stacked.
fn scan_batch(p: &Scan, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (c, n) = (p.n_captures, p.first_stacked());
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let (body, carry) = fixpoint(batched[c..n].to_vec(), |carry| {
        let batch = batch_program(&p.body, size, &[&batched[..c], carry, &batched[n..]].concat(), carry)?;
        let out = batch.batched_out[..p.n_carry].to_vec();
        Ok((batch, out))
    })?;
    let operands: Vec<Array> = xs
        .iter()
        .zip(axes)
        .enumerate()
        .map(|(i, (x, axis))| match axis {
            Some(axis) if i >= n => crate::prim::move_axis(x, *axis, 1),
            Some(_) => to_front(x, *axis, size),
            None if (c..n).contains(&i) && carry[i - c] => to_front(x, None, size),
            None => x.clone(),
        })
        .collect();
    let outs = bind(p.with(body.program.clone(), c, p.n_carry), &operands)?;
    let axes = body.batched_out.iter().enumerate().map(|(i, b)| b.then_some(usize::from(i >= p.n_carry))).collect();
    Ok((outs, axes))
}

/// Where a residual of the divided body comes from.
enum Residual {
    /// It does not change from step to step: result i of the hoisted program, run once.
    Hoisted(usize),
    /// It is a known stacked operand as it stands: known input i of the body.
    Stacked(usize),
    /// Result i of the known half, stacked.
    Step(usize),
}

/// A scan divided in two.
struct Halves {
    /// Results: known carry, known stacked outputs, stacked residuals.
    known: Scan,
    /// The known captures → residuals that do not change.
    hoisted: Arc<Program>,
    residuals: Vec<Residual>,
    unknown: Scan,
    unknown_out: Vec<bool>,
    /// Which carries are unknown: also ones whose initial value is known.
    carry: Vec<bool>,
}

fn divide(p: &Scan, unknown: &[bool]) -> Result<Halves> {
    let (c, n) = (p.n_captures, p.first_stacked());
    let (split, carry) = fixpoint(unknown[c..n].to_vec(), |carry| {
        let mask = [&unknown[..c], carry, &unknown[n..]].concat();
        let split = split_program(&p.body, &mask, carry)?;
        let out = split.unknown_out[..p.n_carry].to_vec();
        Ok((split, out))
    })?;
    let body = &split.known;
    let n_known_outs = body.outputs.len() - split.n_residuals;
    let n_caps = c - count(&unknown[..c]);
    let n_carry = p.n_carry - count(&carry);
    // A value is constant if it depends on captures alone.
    let mut constant = vec![false; body.avals.len()];
    for v in &body.inputs[..n_caps] {
        constant[v.0 as usize] = true;
    }
    let fixed = |a: &Atom, constant: &[bool]| match a {
        Atom::Var(v) => constant[v.0 as usize],
        Atom::Literal(_) => true,
    };
    for eqn in &body.eqns {
        if eqn.inputs.iter().all(|a| fixed(a, &constant)) && !eqn.prim.has_effect() {
            eqn.outputs.iter().for_each(|v| constant[v.0 as usize] = true);
        }
    }
    let (mut hoisted, mut stepped) = (vec![false; body.outputs.len()], vec![false; body.outputs.len()]);
    stepped[..n_known_outs].fill(true);
    let mut residuals = Vec::new();
    for (i, a) in body.outputs.iter().enumerate().skip(n_known_outs) {
        let input = match a {
            Atom::Var(v) => body.inputs.iter().position(|w| w == v),
            Atom::Literal(_) => None,
        };
        residuals.push(if fixed(a, &constant) {
            hoisted[i] = true;
            Residual::Hoisted(count(&hoisted) - 1)
        } else if let Some(j) = input.filter(|j| *j >= n_caps + n_carry) {
            Residual::Stacked(j)
        } else if let Some(j) = (n_carry..i).find(|&j| stepped[j] && body.outputs[j] == *a) {
            Residual::Step(count(&stepped[..j]))
        } else {
            stepped[i] = true;
            Residual::Step(count(&stepped) - 1)
        });
    }
    // What is constant has no effect, so those of the body stay with the steps.
    let only_caps: Vec<bool> = (0..body.inputs.len()).map(|i| i < n_caps).collect();
    let hoisted = drop_inputs(&without_effects(body, &hoisted), &only_caps);
    let known = p.with(dce(body, &stepped, true).program, n_caps, n_carry);

    // Unknown body: (hoisted residuals, unknown captures | unknown carry | other residuals, unknown stacked).
    let avals = split.unknown.in_avals();
    let mut old = Places::new();
    let res = old.take(split.n_residuals);
    let (u_caps, u_carry, u_stacked) =
        (old.take(count(&unknown[..c])), old.take(count(&carry)), old.take(count(&unknown[n..])));
    let is_hoisted = |i: &&usize| matches!(residuals[**i], Residual::Hoisted(_));
    let fixed: Vec<usize> = res.iter().filter(is_hoisted).copied().collect();
    let moving: Vec<usize> = res.iter().filter(|i| !is_hoisted(i)).copied().collect();
    let order = [&fixed[..], &u_caps, &u_carry, &moving, &u_stacked].concat();
    let inputs: Vec<Aval> = order.iter().map(|&i| avals[i].clone()).collect();
    let picks: Vec<usize> = (0..avals.len()).map(|i| position(&order, i)).collect();
    let outs: Vec<usize> = (0..split.unknown.outputs.len()).collect();
    let unknown_body = rewire(&split.unknown, &inputs, &picks, &outs);
    let unknown_scan = p.with(unknown_body, fixed.len() + u_caps.len(), u_carry.len());
    Ok(Halves { known, hoisted, residuals, unknown: unknown_scan, unknown_out: split.unknown_out.clone(), carry })
}

/// Runs the known half; gives its results and the operands of the unknown half.
fn run_known(p: &Scan, halves: &Halves, xs: &[Array], unknown: &[bool]) -> Result<(Vec<Array>, Vec<Array>)> {
    let (c, n) = (p.n_captures, p.first_stacked());
    let is_unknown = |i: usize| if (c..n).contains(&i) { halves.carry[i - c] } else { unknown[i] };
    let known: Vec<Array> = (0..xs.len()).filter(|&i| !is_unknown(i)).map(|i| xs[i].clone()).collect();
    let hoisted = match halves.hoisted.outputs.is_empty() {
        true => Vec::new(),
        false => bind(Call { program: halves.hoisted.clone() }, &known[..halves.known.n_captures])?,
    };
    let outs = match halves.known.body.outputs.is_empty() && !halves.known.body.has_effect() {
        true => Vec::new(),
        false => bind(halves.known.clone(), &known)?,
    };
    let n_results = halves.unknown_out.len() - count(&halves.unknown_out);
    let residual = |r: &Residual| match r {
        Residual::Hoisted(i) => hoisted[*i].clone(),
        Residual::Stacked(i) => known[*i].clone(),
        Residual::Step(i) => outs[*i].clone(),
    };
    let (fixed, moving): (Vec<&Residual>, Vec<&Residual>) =
        halves.residuals.iter().partition(|r| matches!(r, Residual::Hoisted(_)));
    let group = |range: std::ops::Range<usize>| range.filter(|&i| is_unknown(i)).map(|i| xs[i].clone());
    let operands = fixed
        .into_iter()
        .map(residual)
        .chain(group(0..c))
        .chain(group(c..n))
        .chain(moving.into_iter().map(residual))
        .chain(group(n..xs.len()))
        .collect();
    Ok((outs[..n_results].to_vec(), operands))
}

/// With step t of a linear scan (a', y) = L_t(a, x; residuals), cotangents run backwards: (ā, x̄, c̄ += …) = L_tᵀ(ā', ȳ),
/// where c̄ sums up the cotangents of linear captures. A scan with a part that does not depend on the linear operands is
/// divided first.
fn scan_transpose(p: &Scan, cts: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let (c, n) = (p.n_captures, p.first_stacked());
    let unknown: Vec<bool> = xs.iter().map(Operand::is_linear).collect();
    let halves = divide(p, &unknown)?;
    // Known places hold values; linear ones are never read.
    let values: Vec<Array> = xs
        .iter()
        .map(|x| match x {
            Operand::Known(x) => x.clone(),
            Operand::Linear(aval) => ops::zeros_of(aval),
        })
        .collect();
    let (_, operands) = run_known(p, &halves, &values, &unknown)?;
    let u = &halves.unknown;
    let n_lin_caps = count(&unknown[..c]);
    let n_fixed = u.n_captures - n_lin_caps;
    let n_lin_stacked = count(&unknown[n..]);
    let first = u.first_stacked();
    let n_moving = u.body.inputs.len() - first - n_lin_stacked;
    let linear: Vec<bool> =
        (0..u.body.inputs.len()).map(|i| (n_fixed..first).contains(&i) || i >= first + n_moving).collect();
    let out_cts: Vec<Option<Array>> = keep(cts, &halves.unknown_out);
    let mut given = vec![true; u.n_carry];
    given.extend(out_cts[u.n_carry..].iter().map(Option::is_some));
    let t = transpose_program(&u.body, &linear, &given, true)?;
    // Transposed step: (fixed | ct carry, sums of captures | moving, ct outputs) → (ct carry, sums | ct stacked).
    let body_ins = u.body.in_avals();
    let cap_avals = body_ins[n_fixed..u.n_captures].to_vec();
    let carry_avals = body_ins[u.n_captures..first].to_vec();
    let t_ins = t.program.in_avals();
    let ct_out_avals = t_ins[n_fixed + n_moving + u.n_carry..].to_vec();
    let avals =
        [&body_ins[..n_fixed], &carry_avals, &cap_avals, &body_ins[first..first + n_moving], &ct_out_avals].concat();
    let step = stage_program(u.body.label, &avals, |args| {
        let (fixed, rest) = args.split_at(n_fixed);
        let (ct_carry, rest) = rest.split_at(u.n_carry);
        let (sums, rest) = rest.split_at(n_lin_caps);
        let (moving, ct_outs) = rest.split_at(n_moving);
        let outs = eval_program(&t.program, &[fixed, moving, ct_carry, ct_outs].concat())?;
        // Results: ct of linear captures, of the carry, of the linear stacked inputs.
        let (d_caps, rest) = outs.split_at(n_lin_caps);
        let (ct_carry, ct_stacked) = rest.split_at(u.n_carry);
        let sums: Vec<Array> = sums.iter().zip(d_caps).map(|(s, d)| s + d).collect();
        Ok([ct_carry, &sums, ct_stacked].concat())
    })?;
    let mut new_operands = operands[..n_fixed].to_vec();
    for (ct, aval) in out_cts[..u.n_carry].iter().zip(&carry_avals) {
        new_operands.push(ct.clone().unwrap_or_else(|| ops::zeros_of(aval)));
    }
    new_operands.extend(cap_avals.iter().map(ops::zeros_of));
    new_operands.extend_from_slice(&operands[first..first + n_moving]);
    new_operands.extend(out_cts[u.n_carry..].iter().flatten().cloned());
    let new = Scan { reverse: !p.reverse, ..p.with(step.program, n_fixed, u.n_carry + n_lin_caps) };
    let outs = bind(new, &new_operands)?;
    let (ct_carry, rest) = outs.split_at(u.n_carry);
    let (sums, ct_stacked) = rest.split_at(n_lin_caps);
    let (mut carry, mut sums, mut stacked) = (ct_carry.iter(), sums.iter(), ct_stacked.iter());
    Ok((0..xs.len())
        .map(|i| {
            if i < c {
                if unknown[i] { sums.next().cloned() } else { None }
            } else if i < n {
                // A known initial value may still be carried on as unknown.
                let ct = if halves.carry[i - c] { carry.next().cloned() } else { None };
                ct.filter(|_| unknown[i])
            } else if unknown[i] {
                stacked.next().cloned()
            } else {
                None
            }
        })
        .collect())
}

fn scan_dce(p: &Scan, used: &[bool]) -> CutEqn {
    let (c, n) = (p.n_captures, p.first_stacked());
    let mut live = used[..p.n_carry].to_vec();
    let cut = loop {
        let cut = dce(&p.body, &[&live, &used[p.n_carry..]].concat(), false);
        let grown: Vec<bool> = live.iter().zip(&cut.used_inputs[c..n]).map(|(a, b)| *a || *b).collect();
        if grown == live {
            break cut;
        }
        live = grown;
    };
    let outs = [&live, &used[p.n_carry..]].concat();
    let inputs = [&cut.used_inputs[..c], &live, &cut.used_inputs[n..]].concat();
    let body = drop_inputs(&dce(&p.body, &outs, true).program, &inputs);
    CutEqn {
        prim: p.with(body, count(&cut.used_inputs[..c]), count(&live)).into(),
        keep_inputs: inputs,
        keep_outputs: outs,
    }
}
