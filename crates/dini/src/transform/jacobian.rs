//! Jacobians and Hessians of trees: `jacrev(f)` has the result's structure with the argument's at each leaf, and each
//! block has the result's shape followed by the argument's.

use super::{
    Flat, all_inexact,
    grad::grad_as,
    jvp::jvp_as,
    linearize::{Linearized, inexact, linearize_flat},
    sound,
};
use crate::{
    array::Array,
    error::{Loc, Result},
    ops,
    prim::{broadcast_lanes, move_axis},
    shape::Aval,
    trace::{calls::during, vmap_flat, with_location},
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::panic::Location;

/// The unit vectors of a leaf's type, stacked on axis 0.
fn basis(aval: &Aval) -> Array {
    let n = aval.size();
    let mut shape = vec![n];
    shape.extend_from_slice(&aval.shape);
    Array::eye(n, aval.dtype).reshape(&shape)
}

/// The blocks of a Jacobian, result-major, from a function that maps one unit vector of leaf `i` through the
/// linearization. `rows` says that unit vectors are those of results (reverse mode).
fn blocks(at: Loc, name: &'static str, lin: &Linearized, rows: bool) -> Result<Vec<Array>> {
    let out_avals: Vec<Aval> = lin.outs.iter().map(|y| y.try_aval().cloned()).collect::<Result<_>>()?;
    let (from, to) = if rows { (&out_avals, &lin.in_avals) } else { (&lin.in_avals, &out_avals) };
    // table[i][j]: unit vectors of `from[i]` on axis 0, then the shape of `to[j]`.
    let mut table: Vec<Vec<Array>> = Vec::new();
    for (i, aval) in from.iter().enumerate() {
        let size = aval.size();
        let (outs, axes) = vmap_flat(name, at, size, &[basis(aval)], &[Some(0)], |unit| {
            let mut seeds = vec![None; from.len()];
            seeds[i] = Some(unit[0].clone());
            let outs = match rows {
                true => lin.transpose(&seeds)?,
                false => lin.apply(&seeds)?,
            };
            Ok(outs.into_iter().zip(to).map(|(t, a)| t.unwrap_or_else(|| ops::zeros_of(a))).collect())
        })?;
        table.push(
            sound(outs)?
                .iter()
                .zip(axes)
                .map(|(y, axis)| match axis {
                    Some(axis) => move_axis(y, axis, 0),
                    None => broadcast_lanes(y, size, 0),
                })
                .collect(),
        );
    }
    let mut blocks = Vec::new();
    for (j_out, out) in out_avals.iter().enumerate() {
        for (j_in, inp) in lin.in_avals.iter().enumerate() {
            let mut shape = out.shape.to_vec();
            shape.extend_from_slice(&inp.shape);
            blocks.push(if rows {
                table[j_out][j_in].reshape(&shape)
            } else {
                // From (units of in, out) to (out, units of in).
                let block = &table[j_in][j_out];
                move_axis(block, 0, out.ndim()).reshape(&shape)
            });
        }
    }
    Ok(blocks)
}

fn jacobian<In: Tree, R: Outcome>(
    name: &'static str,
    at: Loc,
    f: &impl Fn(In) -> R,
    x: &In,
    rows: bool,
) -> Result<<R::Tree as Tree>::Map<In>> {
    let (leaves, in_def) = flatten(x);
    let flat = Flat::new(f, &in_def);
    let varies = inexact(&leaves)?;
    let lin = linearize_flat(name, at, &leaves, &varies, &|xs| flat.call(xs))?;
    let out_def = flat.out_def();
    let outs = sound(lin.outs.clone())?;
    let out_avals: Vec<Aval> = outs.iter().map(|y| y.aval().clone()).collect();
    all_inexact(name, at, "the argument", &lin.in_avals, &in_def, "a Jacobian")?;
    all_inexact(name, at, "the result", &out_avals, &out_def, "a Jacobian")?;
    let blocks = during(name, at, || with_location(at, || blocks(at, name, &lin, rows)))?;
    unflatten(&out_def.compose(&in_def), sound(blocks)?)
}

/// The Jacobian by forward mode, one column at a time, all at once: best for few inputs.
///
/// A block has the result's shape, then the argument's.
///
/// ```
/// use dini::prelude::*;
/// let j = jacfwd(|x: Array| &x * &x)(Array::from(vec![1.0, 2.0]))?;
/// assert_eq!(j.to_vec::<f64>()?, [2.0, 0.0, 0.0, 4.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn jacfwd<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<<R::Tree as Tree>::Map<In>> {
    let at = Location::caller();
    move |x| jacobian("jacfwd", at, &f, &x, false)
}

/// The Jacobian by reverse mode, one row at a time, all at once: best for few results.
///
/// A block has the result's shape, then the argument's.
///
/// ```
/// use dini::prelude::*;
/// let j = jacrev(|(a, b): (Array, Array)| a * b)((Array::from(2.0), Array::from(3.0)))?;
/// assert_eq!((j.0.item::<f64>()?, j.1.item::<f64>()?), (3.0, 2.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn jacrev<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<<R::Tree as Tree>::Map<In>> {
    let at = Location::caller();
    move |x| jacobian("jacrev", at, &f, &x, true)
}

/// The matrix of second derivatives of a function with a scalar result: forward over reverse.
///
/// ```
/// use dini::prelude::*;
/// let h = hessian(|x: Array| x.powi(3).sum())(Array::from(vec![1.0, 2.0]))?;
/// assert_eq!(h.to_vec::<f64>()?, [6.0, 0.0, 0.0, 12.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn hessian<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<In::Map<In>> {
    let at = Location::caller();
    let df = grad_as("hessian", at, f);
    move |x| jacobian("hessian", at, &|x: In| df(x), &x, false)
}

/// The Hessian of a function with a scalar result times a vector, at the cost of a few gradients.
///
/// ```
/// use dini::prelude::*;
/// let v = hvp(|x: Array| x.powi(3).sum(), Array::from(vec![1.0, 2.0]), Array::from(vec![1.0, 1.0]))?;
/// assert_eq!(v.to_vec::<f64>()?, [6.0, 12.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn hvp<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: In, v: In) -> Result<In> {
    let at = Location::caller();
    jvp_as("hvp", at, grad_as("hvp", at, f), x, v).map(|(_, hv)| hv)
}
