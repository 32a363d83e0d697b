//! `custom_jvp`: a function with a forward rule of the user's. Reverse mode follows by transposing the rule.
//!
//! The derivative is the rule on the explicit arguments, plus the function's own derivative with respect to what it
//! captures. The rule's own captures are values at this order; the expression it returns is differentiated again at the
//! next, captures included.

use super::{add_tangents, tangents_of};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::{Program, dce::dce},
    lower::eval_erased,
    ops,
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Primitive, Rules, Transpose,
        call::{fits, transpose_call},
        to_front,
    },
    shape::Aval,
    trace::{bind, recorder::eval_program},
    transform::derived::batch_program,
};
use std::sync::Arc;

/// A function and its rule; operands: captures of the function, captures of the rule, arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomJvp {
    /// (its captures, arguments) → results
    pub function: Arc<Program>,
    /// (its captures, arguments, tangents) → results, tangents
    pub rule: Arc<Program>,
    /// Number of captures of the function.
    pub n_function: usize,
    /// Number of captures of the rule.
    pub n_rule: usize,
}

impl CustomJvp {
    fn function_inputs<T: Clone>(&self, xs: &[T]) -> Vec<T> {
        [&xs[..self.n_function], &xs[self.n_function + self.n_rule..]].concat()
    }
}

impl Primitive for CustomJvp {
    const NAME: &'static str = "custom_jvp";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            fits(&p.function, &p.function_inputs(avals))?;
            let outs = p.function.out_avals();
            let duals: Vec<Aval> = outs.iter().cloned().chain(outs.iter().map(Aval::tangent)).collect();
            if p.rule.out_avals() != duals {
                return Err(Error::new(ErrorKind::Structure, "the rule must return the results and their tangents"));
            }
            Ok(outs)
        },
        lower: Lower::Schedule(|p, cx, args, _, _| cx.program(&p.function, &p.function_inputs(args))),
        jvp: Jvp::Joint(jvp),
        transpose: Transpose::By(|p, cts, xs| {
            let (n, m) = (p.n_function, p.n_rule);
            let own = transpose_call(&p.function, cts, &p.function_inputs(xs))?;
            Ok([&own[..n], &vec![None; m], &own[n..]].concat())
        }),
        batch: Batch::By(batch),
        form: Form::Higher(Higher {
            subs: |p| vec![("function", p.function.clone()), ("jvp rule", p.rule.clone())],
            split: |_, _, _| Ok(None),
            dce: |_, _| None,
            erase: |p, xs| eval_erased(&p.function, &p.function_inputs(xs)),
        }),
        samples: Vec::new,
    };
}

fn jvp(p: &CustomJvp, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let (n, m) = (p.n_function, p.n_function + p.n_rule);
    let args = &xs[m..];
    let n_out = p.function.outputs.len();
    let inexact: Vec<bool> = p.function.out_avals().iter().map(|a| a.dtype.is_inexact()).collect();
    // The value comes from the primitive itself, so that its derivative at the next order is by the rule too.
    let outs = bind(p.clone(), xs)?;
    let by_rule = if ts[m..].iter().any(Option::is_some) {
        let tangents: Vec<Array> = args
            .iter()
            .zip(&ts[m..])
            .map(|(x, t)| t.clone().unwrap_or_else(|| ops::zeros_of(&x.aval().tangent())))
            .collect();
        let wanted: Vec<bool> = (0..2 * n_out).map(|i| i >= n_out).collect();
        let rule = dce(&p.rule, &wanted, true);
        let tangents = eval_program(&rule.program, &[&xs[n..m], args, &tangents].concat())?;
        tangents.into_iter().zip(&inexact).map(|(t, i)| i.then_some(t)).collect()
    } else {
        vec![None; n_out]
    };
    let captured: Vec<Option<Array>> = ts[..n].iter().cloned().chain(vec![None; args.len()]).collect();
    let own = tangents_of(&p.function, &p.function_inputs(xs), &captured)?;
    Ok((outs, add_tangents(by_rule, own)))
}

fn batch(p: &CustomJvp, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (n, m) = (p.n_function, p.n_function + p.n_rule);
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let args = &batched[m..];
    let n_out = p.function.outputs.len();
    let function = batch_program(&p.function, size, &p.function_inputs(&batched), &vec![true; n_out])?;
    // Discrete arguments have float0 tangents, which have lanes like their primals.
    let rule_mask = [&batched[n..m], args, args].concat();
    let rule = batch_program(&p.rule, size, &rule_mask, &vec![true; 2 * n_out])?;
    let operands: Vec<Array> =
        xs.iter().zip(axes).map(|(x, a)| if a.is_some() { to_front(x, *a, size) } else { x.clone() }).collect();
    let new = CustomJvp { function: function.program.clone(), rule: rule.program.clone(), ..p.clone() };
    Ok((bind(new, &operands)?, vec![Some(0); n_out]))
}
