//! Linearization: forward-mode differentiation under partial evaluation. Primals run at once; what acts on tangents is
//! recorded as a linear program, which can be applied, vectorized and transposed without running the function again.

use super::{
    Flat, FlatFn, concrete_tangents, given_tangent, same_structure, sound,
    transpose::{Input, backward_pass},
};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    ir::Label,
    ops,
    shape::Aval,
    trace::{Staged, call_user, calls::during, jvp_flat, partial_eval, recorder::eval_program},
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::{cell::RefCell, panic::Location};

/// A function at a point: its results, and the linear program of its tangents.
pub(crate) struct Linearized {
    pub outs: Vec<Array>,
    pub in_avals: Vec<Aval>,
    /// Inputs: residuals, then the tangents of the inputs that vary.
    linear: Staged,
    /// Which inputs vary.
    varies: Vec<bool>,
    tangents: Vec<Tangent>,
}

/// Where the tangent of a result comes from.
enum Tangent {
    Zero,
    /// Independent of the input tangents: a late error, or what a custom rule made constant.
    Fixed(Array),
    /// A result of the linear program.
    Output(usize),
}

/// Linearizes `f` at `primals`, in the inputs that are marked as varying.
pub(crate) fn linearize_flat(
    name: &'static str,
    at: Loc,
    primals: &[Array],
    varies: &[bool],
    f: FlatFn<'_>,
) -> Result<Linearized> {
    let in_avals = primals.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    let n = primals.len();
    let mut args: Vec<std::result::Result<Array, Aval>> = primals.iter().cloned().map(Ok).collect();
    args.extend(in_avals.iter().zip(varies).filter(|(_, v)| **v).map(|(a, _)| Err(a.clone())));
    let nonzero = RefCell::new(Vec::new());
    let divided = partial_eval(Label { role: name, at }, &args, &[], |values| {
        let mut given = values[n..].iter();
        let tangents: Vec<Option<Array>> =
            varies.iter().map(|v| if *v { given.next().cloned() } else { None }).collect();
        let (mut outs, tangents) =
            jvp_flat(name, at, &values[..n], &tangents, |xs| call_user(name, at, || sound(f(xs)?)))?;
        *nonzero.borrow_mut() = tangents.iter().map(Option::is_some).collect();
        outs.extend(tangents.into_iter().flatten());
        Ok(outs)
    })?;
    let nonzero = nonzero.take();
    let mut outs = divided.outs.into_iter();
    let primals_out = outs
        .by_ref()
        .take(nonzero.len())
        .map(|o| o.map_err(|_| Error::new(ErrorKind::Internal, "a primal depends on a tangent").op(name).at(at)))
        .collect::<Result<Vec<_>>>()?;
    let tangents = nonzero
        .iter()
        .map(|nz| match nz.then(|| outs.next()).flatten() {
            None => Tangent::Zero,
            Some(Ok(fixed)) => Tangent::Fixed(fixed),
            Some(Err(i)) => Tangent::Output(i),
        })
        .collect();
    Ok(Linearized { outs: primals_out, in_avals, linear: divided.unknown, varies: varies.to_vec(), tangents })
}

impl Linearized {
    /// Tangents of the results along tangents of the inputs (those that do not vary are ignored).
    pub fn apply(&self, tangents: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        let mut args = self.linear.captures.clone();
        for ((t, aval), varies) in tangents.iter().zip(&self.in_avals).zip(&self.varies) {
            if *varies {
                args.push(t.clone().unwrap_or_else(|| ops::zeros_of(aval)));
            }
        }
        let outs = match args.iter().find_map(|x| x.as_poison()) {
            Some(e) => return Err(e.clone()),
            None => eval_program(&self.linear.program, &args)?,
        };
        Ok(self
            .tangents
            .iter()
            .map(|t| match t {
                Tangent::Zero => None,
                Tangent::Fixed(x) => Some(x.clone()),
                Tangent::Output(i) => Some(outs[*i].clone()),
            })
            .collect())
    }

    /// Cotangents of the inputs from cotangents of the results.
    pub fn transpose(&self, cts: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
        let mut of_outputs: Vec<Option<Array>> = vec![None; self.linear.program.outputs().len()];
        let mut late = None;
        for (t, ct) in self.tangents.iter().zip(cts) {
            match (t, ct) {
                (Tangent::Output(i), Some(ct)) => of_outputs[*i] = Some(ct.clone()),
                (Tangent::Fixed(x), Some(_)) => late = late.or(x.as_poison().cloned()),
                (Tangent::Zero, _) | (_, None) => {}
            }
        }
        if let Some(e) = late {
            return Err(e);
        }
        let varying = self.in_avals.iter().zip(&self.varies).filter(|(_, v)| **v).map(|(a, _)| a);
        let inputs: Vec<Input> =
            self.linear.captures.iter().cloned().map(Input::Known).chain(varying.cloned().map(Input::Linear)).collect();
        let back = backward_pass(&self.linear.program, &inputs, of_outputs)?;
        let mut back = back.into_iter().skip(self.linear.n_captures());
        Ok(self.varies.iter().map(|v| if *v { back.next().flatten() } else { None }).collect())
    }
}

/// Which leaves can vary.
pub(crate) fn inexact(leaves: &[Array]) -> Result<Vec<bool>> {
    leaves.iter().map(|x| Ok(x.try_aval()?.dtype.is_inexact())).collect()
}

/// The value of `f` at `x`, and its derivative there as a linear function of the tangent.
///
/// The linear function can be called any number of times, vectorized with [`vmap`](crate::vmap) and transposed with
/// [`linear_transpose`](crate::linear_transpose); `f` does not run again.
///
/// ```
/// use dini::prelude::*;
/// let (y, df) = linearize(|x: Array| x.powi(3), Array::from(2.0))?;
/// assert_eq!(y.item::<f64>()?, 8.0);
/// assert_eq!(df(Array::from(1.0))?.item::<f64>()?, 12.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn linearize<In: Tree, R: Outcome>(
    f: impl Fn(In) -> R,
    x: In,
) -> Result<(R::Tree, impl Fn(In) -> Result<R::Tree>)> {
    let at = Location::caller();
    let (leaves, in_def) = flatten(&x);
    let (linearized, out_def) = {
        let flat = Flat::new(&f, &in_def);
        let linearized = linearize_flat("linearize", at, &leaves, &inexact(&leaves)?, &|xs| flat.call(xs))?;
        (linearized, flat.out_def())
    };
    let y = unflatten(&out_def, sound(linearized.outs.clone())?)?;
    let out_avals: Vec<Aval> = linearized.outs.iter().map(|y| y.aval().clone()).collect();
    let df = move |t: In| {
        let (leaves, def) = flatten(&t);
        same_structure("linearize", at, "the tangent", &def, &in_def)?;
        let tangents = leaves
            .iter()
            .zip(&linearized.in_avals)
            .zip(in_def.leaf_paths())
            .map(|((t, x), path)| given_tangent("linearize", at, "the tangent", &path, t, x))
            .collect::<Result<Vec<_>>>()?;
        let outs = during("linearize", at, || linearized.apply(&tangents))?;
        let outs = concrete_tangents(at, outs, &out_avals);
        unflatten(&out_def, sound(outs).map_err(|e| e.inside("linearize", at))?)
    };
    Ok((y, df))
}
