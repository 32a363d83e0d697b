//! Reverse mode: linearize, then transpose. `grad` is `vjp` with the cotangent 1.

use super::{
    Flat, FlatFn, all_inexact, concrete_tangents, given_tangent,
    linearize::{Linearized, inexact, linearize_flat},
    same_structure, sound,
};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    ops,
    shape::Aval,
    trace::calls::during,
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::panic::Location;

/// The value of `f` at `x`, and the function from cotangents of the result to cotangents of the argument.
///
/// Cotangents of integer and boolean leaves are `float0`. The function can be called any number of times; `f` does not
/// run again.
///
/// ```
/// use dini::prelude::*;
/// let (y, pullback) = vjp(|(a, b): (Array, Array)| a * b, (Array::from(2.0), Array::from(3.0)))?;
/// let (da, db) = pullback(Array::from(1.0))?;
/// assert_eq!((y.item::<f64>()?, da.item::<f64>()?, db.item::<f64>()?), (6.0, 3.0, 2.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn vjp<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: In) -> Result<(R::Tree, impl Fn(R::Tree) -> Result<In>)> {
    let (y, pullback, ()) = vjp_aux(Location::caller(), &|x| f(x).into_result().map(|y| (y, ())), &x)?;
    Ok((y, move |ct: R::Tree| pullback.apply(&ct)))
}

/// [`vjp`] of a function that returns a pair; the second part is passed through without a derivative.
///
/// ```
/// use dini::prelude::*;
/// let (_, pullback, aux) = vjp_with_aux(|x: Array| (&x * &x, x.sin()), Array::from(0.0))?;
/// assert_eq!(aux.item::<f64>()?, 0.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn vjp_with_aux<In: Tree, R: Outcome<Tree = (Y, A)>, Y: Tree, A: Tree>(
    f: impl Fn(In) -> R,
    x: In,
) -> Result<(Y, impl Fn(Y) -> Result<In>, A)> {
    let (y, pullback, aux) = vjp_aux(Location::caller(), &|x| f(x).into_result(), &x)?;
    Ok((y, move |ct: Y| pullback.apply(&ct), aux))
}

/// What [`vjp`] keeps of a function at a point.
struct Pullback {
    at: Loc,
    linearized: Linearized,
    in_def: TreeDef,
    y_def: TreeDef,
}

impl Pullback {
    fn apply<In: Tree, Y: Tree>(&self, ct: &Y) -> Result<In> {
        let (given, def) = flatten(ct);
        same_structure("vjp", self.at, "the cotangent", &def, &self.y_def)?;
        let mut cts = given
            .iter()
            .zip(&self.linearized.outs)
            .zip(self.y_def.leaf_paths())
            .map(|((ct, y), path)| given_tangent("vjp", self.at, "the cotangent", &path, ct, y.aval()))
            .collect::<Result<Vec<_>>>()?;
        cts.resize(self.linearized.outs.len(), None);
        let cts = during("vjp", self.at, || self.linearized.transpose(&cts))?;
        let outs = concrete_tangents(self.at, cts, &self.linearized.in_avals);
        unflatten(&self.in_def, sound(outs).map_err(|e| e.inside("vjp", self.at))?)
    }
}

fn vjp_aux<In: Tree, Y: Tree, A: Tree>(at: Loc, f: &dyn Fn(In) -> Result<(Y, A)>, x: &In) -> Result<(Y, Pullback, A)> {
    let (leaves, in_def) = flatten(x);
    let flat = Flat::new(&f, &in_def);
    let linearized = linearize_flat("vjp", at, &leaves, &inexact(&leaves)?, &|xs| flat.call(xs))?;
    let (y_def, aux_def) = pair(&flat.out_def());
    let outs = sound(linearized.outs.clone())?;
    let n = y_def.n_leaves();
    let y = unflatten(&y_def, outs[..n].to_vec())?;
    let aux = unflatten(&aux_def, outs[n..].to_vec())?;
    Ok((y, Pullback { at, linearized, in_def: in_def.clone(), y_def }, aux))
}

/// The two parts of a pair's structure.
pub(crate) fn pair(def: &TreeDef) -> (TreeDef, TreeDef) {
    match def.children() {
        [a, b] => (a.clone(), b.clone()),
        _ => unreachable!("a pair has two parts"),
    }
}

/// Linearizes at floating-point arguments, checks that the first result is a scalar, and pulls 1 back.
fn value_and_grad_flat(
    name: &'static str,
    at: Loc,
    leaves: &[Array],
    in_def: &TreeDef,
    f: FlatFn<'_>,
    n_results: &dyn Fn() -> usize,
) -> Result<(Vec<Array>, Vec<Array>)> {
    let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    all_inexact(name, at, "the argument", &avals, in_def, "a gradient").map_err(|e| {
        e.help("capture what is not to be differentiated, or use `vjp`, whose cotangent for it is `float0`")
    })?;
    let linearized: Linearized = linearize_flat(name, at, leaves, &vec![true; leaves.len()], f)?;
    let outs = sound(linearized.outs.clone())?;
    let avals: Vec<Aval> = outs[..n_results()].iter().map(|y| y.aval().clone()).collect();
    let [aval] = &avals[..] else {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("the function returns {} arrays, expected one scalar", avals.len()),
        )
        .op(name)
        .at(at)
        .help("use `jacrev` or `vjp` for results of other structures"));
    };
    if aval.ndim() != 0 || !aval.dtype.is_inexact() {
        return Err(Error::new(
            ErrorKind::Shape,
            format!("the function returns {aval}, expected a floating-point scalar"),
        )
        .op(name)
        .at(at)
        .help("reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`"));
    }
    let mut cts = vec![None; outs.len()];
    cts[0] = Some(ops::scalar_like(1.0, &outs[0]));
    let cts = during(name, at, || linearized.transpose(&cts))?;
    let grads = concrete_tangents(at, cts, &linearized.in_avals);
    Ok((outs, sound(grads).map_err(|e| e.inside(name, at))?))
}

fn gradient<In: Tree, Y: Tree, A: Tree>(
    name: &'static str,
    at: Loc,
    f: &impl Fn(In) -> Result<(Y, A)>,
    x: &In,
) -> Result<((Y, A), In)> {
    let (leaves, in_def) = flatten(x);
    let flat = Flat::new(f, &in_def);
    let n_results = || pair(&flat.out_def()).0.n_leaves();
    let (outs, grads) = value_and_grad_flat(name, at, &leaves, &in_def, &|xs| flat.call(xs), &n_results)?;
    let out = unflatten(&flat.out_def(), outs)?;
    Ok((out, unflatten(&in_def, grads)?))
}

/// The gradient of a function with a scalar result, with respect to its whole argument.
///
/// Takes and returns trees: `grad(|(w, b): (Array, Array)| …)` gives a pair. What the function needs besides it captures.
///
/// # Errors
/// Integer or boolean leaves in the argument; a result that is not one floating-point scalar.
///
/// ```
/// use dini::prelude::*;
/// let df = grad(|x: Array| x.powi(3));
/// assert_eq!(df(Array::from(2.0))?.item::<f64>()?, 12.0);
/// let ddf = grad(grad(|x: Array| x.powi(3)));
/// assert_eq!(ddf(Array::from(2.0))?.item::<f64>()?, 12.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn grad<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<In> {
    grad_as("grad", Location::caller(), f)
}

/// [`grad`] for the call of a user to `name`.
pub(super) fn grad_as<In: Tree, R: Outcome>(
    name: &'static str,
    at: Loc,
    f: impl Fn(In) -> R,
) -> impl Fn(In) -> Result<In> {
    move |x| gradient(name, at, &|x| f(x).into_result().map(|y| (y, ())), &x).map(|(_, g)| g)
}

/// [`grad`] of a function that returns a pair: the scalar, and values that are passed through.
///
/// ```
/// use dini::prelude::*;
/// let df = grad_with_aux(|x: Array| (&x * &x, x.sin()));
/// let (g, aux) = df(Array::from(0.0))?;
/// assert_eq!((g.item::<f64>()?, aux.item::<f64>()?), (0.0, 0.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn grad_with_aux<In: Tree, R: Outcome<Tree = (Y, A)>, Y: Tree, A: Tree>(
    f: impl Fn(In) -> R,
) -> impl Fn(In) -> Result<(In, A)> {
    let at = Location::caller();
    move |x| gradient("grad", at, &|x| f(x).into_result(), &x).map(|((_, aux), g)| (g, aux))
}

/// The value and the gradient of a function with a scalar result, in one pass.
///
/// ```
/// use dini::prelude::*;
/// let (y, g) = value_and_grad(|x: Array| x.powi(2))(Array::from(3.0))?;
/// assert_eq!((y.item::<f64>()?, g.item::<f64>()?), (9.0, 6.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn value_and_grad<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<(R::Tree, In)> {
    let at = Location::caller();
    move |x| gradient("value_and_grad", at, &|x| f(x).into_result().map(|y| (y, ())), &x).map(|((y, ()), g)| (y, g))
}

/// [`value_and_grad`] of a function that returns a pair: the scalar, and values that are passed through.
///
/// ```
/// use dini::prelude::*;
/// let ((y, aux), g) = value_and_grad_with_aux(|x: Array| (x.powi(2), x.cos()))(Array::from(0.0))?;
/// assert_eq!(aux.item::<f64>()?, 1.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn value_and_grad_with_aux<In: Tree, R: Outcome<Tree = (Y, A)>, Y: Tree, A: Tree>(
    f: impl Fn(In) -> R,
) -> impl Fn(In) -> Result<((Y, A), In)> {
    let at = Location::caller();
    move |x| gradient("value_and_grad", at, &|x| f(x).into_result(), &x)
}
