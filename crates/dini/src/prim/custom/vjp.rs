//! `custom_vjp`: a function with a reverse rule of the user's.
//!
//! Differentiation runs the forward part, which gives results and residuals, and records [`CustomVjpBackward`]: a linear
//! map from tangents of the arguments to tangents of the results that is only known by its transpose. Forward mode
//! uses the user's own forward rule if there is one; else it is an error, raised only if that tangent is needed.
//!
//! Captures are treated as by `custom_jvp`: the function's own derivative counts for what it captures, a rule's captures
//! are values at this order.

use super::{add_tangents, tangents_of};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::Program,
    lower::eval_erased,
    ops,
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Primitive, Rules, Transpose,
        call::{at_front, fits, transpose_call},
        late_error::{late_error, tangents_and_values},
        to_front,
    },
    shape::Aval,
    trace::{bind, calls::Calls, here, recorder::eval_program, stage_program},
    transform::derived::batch_program,
};
use std::sync::Arc;

/// A function and its rules; operands: captures of the function, of `forward`, of `backward`, of `jvp`, then arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomVjp {
    /// (its captures, arguments) → results
    pub function: Arc<Program>,
    /// (its captures, arguments) → results, residuals
    pub forward: Arc<Program>,
    /// (its captures, residuals, cotangents of the results) → cotangents of the arguments
    pub backward: Arc<Program>,
    /// (its captures, arguments, tangents) → tangents of the results
    pub jvp: Option<Arc<Program>>,
    /// Numbers of captures: function, forward, backward, jvp.
    pub captures: [usize; 4],
}

impl CustomVjp {
    fn groups<'a, T>(&self, xs: &'a [T]) -> [&'a [T]; 5] {
        let [a, b, c, d] = self.captures;
        let (function, rest) = xs.split_at(a);
        let (forward, rest) = rest.split_at(b);
        let (backward, rest) = rest.split_at(c);
        let (jvp, args) = rest.split_at(d);
        [function, forward, backward, jvp, args]
    }

    fn function_inputs<T: Clone>(&self, xs: &[T]) -> Vec<T> {
        let [function, _, _, _, args] = self.groups(xs);
        [function, args].concat()
    }
}

impl Primitive for CustomVjp {
    const NAME: &'static str = "custom_vjp";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            fits(&p.function, &p.function_inputs(avals))?;
            Ok(p.function.out_avals())
        },
        lower: Lower::Schedule(|p, cx, args, _, _| cx.program(&p.function, &p.function_inputs(args))),
        jvp: Jvp::Joint(jvp),
        transpose: Transpose::By(|p, cts, xs| {
            let own = transpose_call(&p.function, cts, &p.function_inputs(xs))?;
            let n = p.captures[0];
            let others = p.captures[1..].iter().sum();
            Ok([&own[..n], &vec![None; others], &own[n..]].concat())
        }),
        batch: Batch::By(batch),
        form: Form::Higher(Higher {
            subs: |p| {
                let mut subs = vec![
                    ("function", p.function.clone()),
                    ("vjp forward rule", p.forward.clone()),
                    ("vjp backward rule", p.backward.clone()),
                ];
                subs.extend(p.jvp.iter().map(|j| ("jvp rule", j.clone())));
                subs
            },
            split: |_, _, _| Ok(None),
            dce: |_, _| None,
            erase: |p, xs| eval_erased(&p.function, &p.function_inputs(xs)),
        }),
        samples: Vec::new,
    };
}

fn jvp(p: &CustomVjp, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let [_, forward, backward, jvp, args] = p.groups(xs);
    let [function_ts, _, _, _, arg_ts] = p.groups(ts);
    let n_out = p.function.outputs.len();
    let out_avals = p.function.out_avals();
    let (outs, by_rule) = if arg_ts.iter().any(Option::is_some) {
        let mut outs = eval_program(&p.forward, &[forward, args].concat())?;
        let residuals = outs.split_off(n_out);
        let varying: Vec<bool> = args.iter().map(|x| x.aval().dtype.is_inexact()).collect();
        let tangents: Vec<Array> = args
            .iter()
            .zip(arg_ts)
            .filter(|(x, _)| x.aval().dtype.is_inexact())
            .map(|(x, t)| t.clone().unwrap_or_else(|| ops::zeros_of(x.aval())))
            .collect();
        let prim = CustomVjpBackward {
            backward: p.backward.clone(),
            jvp: p.jvp.clone(),
            counts: [backward.len(), residuals.len(), jvp.len(), args.len()],
            varying,
            outs: out_avals.clone(),
            calls: Calls::to_note(),
        };
        let tangents = bind(prim, &[backward, &residuals, jvp, args, &tangents].concat())?;
        let mut tangents = tangents.into_iter();
        let tangents = out_avals.iter().map(|a| if a.dtype.is_inexact() { tangents.next() } else { None }).collect();
        (outs, tangents)
    } else {
        (bind(p.clone(), xs)?, vec![None; n_out])
    };
    let captured: Vec<Option<Array>> = function_ts.iter().cloned().chain(vec![None; args.len()]).collect();
    let own = tangents_of(&p.function, &p.function_inputs(xs), &captured)?;
    Ok((outs, add_tangents(by_rule, own)))
}

fn batch(p: &CustomVjp, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let [_, forward_b, backward_b, jvp_b, args_b] = p.groups(&batched);
    let n_out = p.function.outputs.len();
    let function = batch_program(&p.function, size, &p.function_inputs(&batched), &vec![true; n_out])?;
    let forward = batch_program(&p.forward, size, &[forward_b, args_b].concat(), &vec![true; n_out])?;
    let residuals_b = &forward.batched_out[n_out..];
    let cts: Vec<bool> = vec![true; p.backward.inputs.len() - backward_b.len() - residuals_b.len()];
    let backward = batch_program(&p.backward, size, &[backward_b, residuals_b, &cts].concat(), &[])?;
    let backward = fit_lanes(size, &backward.program, &backward.batched_out, args_b)?;
    let jvp = match &p.jvp {
        None => None,
        Some(jvp) => {
            let mask = [jvp_b, args_b, args_b].concat();
            Some(batch_program(jvp, size, &mask, &vec![true; n_out])?.program.clone())
        }
    };
    let new = CustomVjp {
        function: function.program.clone(),
        forward: forward.program.clone(),
        backward,
        jvp,
        captures: p.captures,
    };
    Ok((bind(new, &at_front(xs, axes, size))?, vec![Some(0); n_out]))
}

/// A batched backward rule whose cotangents fit the arguments: summed over lanes where an argument has none, repeated
/// where a cotangent does not depend on the lane.
fn fit_lanes(size: usize, backward: &Arc<Program>, has: &[bool], wants: &[bool]) -> Result<Arc<Program>> {
    let staged = stage_program(backward.label, &backward.in_avals(), |xs| {
        let outs = eval_program(backward, xs)?;
        Ok(outs
            .into_iter()
            .zip(has.iter().zip(wants))
            .map(|(ct, pair)| match pair {
                // Cotangents of discrete arguments are never read.
                _ if !ct.dtype().is_inexact() => ct,
                (true, false) => ops::reduce_sum(&ct, &[0]),
                (false, true) => to_front(&ct, None, size),
                (true, true) | (false, false) => ct,
            })
            .collect())
    })?;
    Ok(staged.program)
}

/// The linear map of a `custom_vjp` at a point; operands: captures of `backward`, residuals, captures of `jvp`,
/// arguments, tangents of the varying arguments. Linear in the tangents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomVjpBackward {
    /// See [`CustomVjp::backward`].
    pub backward: Arc<Program>,
    /// See [`CustomVjp::jvp`].
    pub jvp: Option<Arc<Program>>,
    /// Numbers of: captures of `backward`, residuals, captures of `jvp`, arguments.
    pub counts: [usize; 4],
    /// Which arguments are inexact.
    pub varying: Vec<bool>,
    /// Types of the function's results.
    pub outs: Vec<Aval>,
    /// The calls that asked for it: an error that shows when it runs, after they have returned, notes them.
    pub calls: Calls,
}

impl CustomVjpBackward {
    fn groups<'a, T>(&self, xs: &'a [T]) -> [&'a [T]; 5] {
        let [a, b, c, d] = self.counts;
        let (backward, rest) = xs.split_at(a);
        let (residuals, rest) = rest.split_at(b);
        let (jvp, rest) = rest.split_at(c);
        let (args, tangents) = rest.split_at(d);
        [backward, residuals, jvp, args, tangents]
    }

    fn missing(&self, depends: &[Array]) -> Result<Vec<Array>> {
        let error = Error::new(ErrorKind::MissingRule, "has no forward rule, and forward-mode differentiation needs one")
            .op(CustomVjp::NAME)
            .at(here())
            .help("use reverse mode (`grad`, `vjp`, `jacrev`), give it a rule with `custom_vjp_with_jvp`, or use `custom_jvp`");
        let error = self.calls.note(error);
        Ok(self.outs.iter().filter(|a| a.dtype.is_inexact()).map(|a| late_error(error.clone(), a, depends)).collect())
    }

    fn forward(
        &self,
        jvp: &Program,
        xs: &[Array],
        run: fn(&Program, &[Array]) -> Result<Vec<Array>>,
    ) -> Result<Vec<Array>> {
        let [_, _, captures, args, tangents] = self.groups(xs);
        let mut given = tangents.iter();
        let all: Vec<Array> = args
            .iter()
            .zip(&self.varying)
            .map(|(x, v)| match v.then(|| given.next()).flatten() {
                Some(t) => t.clone(),
                None => ops::zeros_of(&x.aval().tangent()),
            })
            .collect();
        let outs = run(jvp, &[captures, args, &all].concat())?;
        Ok(outs.into_iter().zip(&self.outs).filter(|(_, a)| a.dtype.is_inexact()).map(|(t, _)| t).collect())
    }
}

impl Primitive for CustomVjpBackward {
    const NAME: &'static str = "custom_vjp_backward";
    const RULES: Rules<Self> = Rules {
        infer: |p, _| Ok(p.outs.iter().filter(|a| a.dtype.is_inexact()).cloned().collect()),
        lower: Lower::Schedule(|_, _, _, _, _| Err(Error::new(ErrorKind::Internal, "was not erased before lowering"))),
        jvp: Jvp::By(|p, xs, outs, ts| {
            let n: usize = p.counts.iter().sum();
            if let Some(jvp) = &p.jvp {
                // The forward rule is an expression like any other.
                let staged =
                    stage_program(jvp.label, &xs.iter().map(|x| x.aval().clone()).collect::<Vec<_>>(), |xs| {
                        p.forward(jvp, xs, eval_program)
                    })?;
                // A rule may use `float0` zeros, which are captured.
                let ts = [&vec![None; staged.n_captures()], ts].concat();
                let tangents = tangents_of(&staged.program, &staged.operands(xs), &ts)?;
                return Ok(tangents.unwrap_or_else(|| vec![None; outs.len()]));
            }
            if ts[..n].iter().any(Option::is_some) {
                return Ok(p.missing(&tangents_and_values(ts, xs))?.into_iter().map(Some).collect());
            }
            let tangents: Vec<Array> = ts[n..]
                .iter()
                .zip(&xs[n..])
                .map(|(t, x)| t.clone().unwrap_or_else(|| ops::zeros_of(x.aval())))
                .collect();
            Ok(bind(p.clone(), &[&xs[..n], &tangents].concat())?.into_iter().map(Some).collect())
        }),
        transpose: Transpose::By(|p, cts, xs| {
            let [backward, residuals, _, _, _] = p.groups(xs);
            let mut operands = Vec::new();
            for x in backward.iter().chain(residuals) {
                operands.push(x.known()?.clone());
            }
            let mut given = cts.iter();
            for aval in &p.outs {
                let ct = if aval.dtype.is_inexact() { given.next().cloned().flatten() } else { None };
                operands.push(ct.unwrap_or_else(|| ops::zeros_of(&aval.tangent())));
            }
            let back = eval_program(&p.backward, &operands)?;
            let n: usize = p.counts.iter().sum();
            let of_args = back.into_iter().zip(&p.varying).filter(|(_, v)| **v).map(|(ct, _)| Some(ct));
            Ok(vec![None; n].into_iter().chain(of_args).collect())
        }),
        batch: Batch::By(|p, size, xs, axes| {
            let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
            let [backward_b, residuals_b, jvp_b, args_b, tangents_b] = p.groups(&batched);
            let mask = [backward_b, residuals_b, &vec![true; p.outs.len()]].concat();
            let backward = batch_program(&p.backward, size, &mask, &[])?;
            let mut lanes = tangents_b.iter();
            let wants: Vec<bool> = p.varying.iter().map(|v| *v && lanes.next().copied().unwrap_or(false)).collect();
            let backward = fit_lanes(size, &backward.program, &backward.batched_out, &wants)?;
            let jvp = match &p.jvp {
                None => None,
                Some(jvp) => {
                    // The tangents of discrete arguments are made there, with the lanes of their primals.
                    let lanes = p.varying.iter().zip(&wants).zip(args_b).map(|((v, w), b)| if *v { *w } else { *b });
                    let mask = [jvp_b, args_b, &lanes.collect::<Vec<_>>()].concat();
                    Some(batch_program(jvp, size, &mask, &vec![true; p.outs.len()])?.program.clone())
                }
            };
            let outs = p.outs.iter().map(|a| a.batched(0, size)).collect();
            let new = CustomVjpBackward { backward, jvp, outs, ..p.clone() };
            let outs = bind(new, &at_front(xs, axes, size))?;
            let lanes = vec![Some(0); outs.len()];
            Ok((outs, lanes))
        }),
        form: Form::Higher(Higher {
            subs: |p| vec![("vjp backward rule", p.backward.clone())],
            split: |_, _, _| Ok(None),
            dce: |_, _| None,
            erase: |p, xs| match &p.jvp {
                Some(jvp) => p.forward(jvp, xs, eval_erased),
                None => p.missing(xs),
            },
        }),
        samples: Vec::new,
    };
}
