//! Forward mode for users.

use super::{Flat, concrete_tangents, given_tangent, same_structure, sound};
use crate::{
    array::Array,
    error::{Loc, Result},
    trace::{call_user, jvp_flat},
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::panic::Location;

/// The value of `f` at `x` and its derivative along `tangent`.
///
/// Tangents have the structure, shapes and dtypes of their primals; those of integer and boolean leaves are `float0`.
///
/// ```
/// use dini::prelude::*;
/// let (y, dy) = jvp(|x: Array| x.sin(), Array::from(0.0), Array::from(2.0))?;
/// assert_eq!((y.item::<f64>()?, dy.item::<f64>()?), (0.0, 2.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn jvp<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: In, tangent: In) -> Result<(R::Tree, R::Tree)> {
    let at = Location::caller();
    jvp_as("jvp", at, |x| f(x).into_result(), x, tangent)
}

/// [`jvp`] for the call of a user to `name`.
pub(super) fn jvp_as<In: Tree, Y: Tree>(
    name: &'static str,
    at: Loc,
    f: impl Fn(In) -> Result<Y>,
    x: In,
    tangent: In,
) -> Result<(Y, Y)> {
    let (y, t, ()) = jvp_aux(name, at, |x| f(x).map(|y| (y, ())), x, tangent)?;
    Ok((y, t))
}

/// [`jvp`] of a function that returns a pair; the second part is passed through without a tangent.
///
/// ```
/// use dini::prelude::*;
/// let (y, dy, aux) = jvp_with_aux(|x: Array| (x.sin(), &x * 3.0), Array::from(0.0), Array::from(2.0))?;
/// assert_eq!(aux.item::<f64>()?, 0.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn jvp_with_aux<In: Tree, R: Outcome<Tree = (Y, A)>, Y: Tree, A: Tree>(
    f: impl Fn(In) -> R,
    x: In,
    tangent: In,
) -> Result<(Y, Y, A)> {
    jvp_aux("jvp", Location::caller(), |x| f(x).into_result(), x, tangent)
}

fn jvp_aux<In: Tree, Y: Tree, A: Tree>(
    name: &'static str,
    at: Loc,
    f: impl Fn(In) -> Result<(Y, A)>,
    x: In,
    tangent: In,
) -> Result<(Y, Y, A)> {
    let (primals, def) = flatten(&x);
    let (given, given_def) = flatten(&tangent);
    same_structure(name, at, "the tangent", &given_def, &def)?;
    let tangents = given
        .iter()
        .zip(&primals)
        .zip(def.leaf_paths())
        .map(|((t, x), path)| given_tangent(name, at, "the tangent", &path, t, x.try_aval()?))
        .collect::<Result<Vec<_>>>()?;
    let flat = Flat::new(&f, &def);
    primals.iter().try_for_each(|x| x.check().map(|_| ()))?;
    let (outs, tangents) = jvp_flat(name, at, &primals, &tangents, |xs| call_user(name, at, || sound(flat.call(xs)?)))?;
    let out_def = flat.out_def();
    let [y_def, aux_def] = out_def.children() else { unreachable!("a pair has two parts") };
    let outs = sound(outs)?;
    let n = y_def.n_leaves();
    let tangents = concrete_tangents(at, tangents, outs[..n].iter().map(Array::aval));
    Ok((
        unflatten(y_def, outs[..n].to_vec())?,
        unflatten(y_def, sound(tangents).map_err(|e| e.inside(name, at))?)?,
        unflatten(aux_def, outs[n..].to_vec())?,
    ))
}
