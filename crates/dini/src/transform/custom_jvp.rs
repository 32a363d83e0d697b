//! `custom_jvp` for users.

use super::{Flat, sound};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    implicit::expect_like,
    prim::custom::jvp::CustomJvp,
    shape::Aval,
    trace::{bind_at, location_or, stage},
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::panic::Location;

/// A function with its own forward rule: `rule(x, ẋ)` returns the value and the tangent, linear in ẋ. Reverse mode
/// transposes the rule.
///
/// The function and the rule may capture traced values. What the function captures is differentiated through the
/// function itself; what the rule captures counts as a value at this order, and is differentiated at the next.
///
/// # Errors
/// A rule that returns another structure than (result, tangent of the result).
///
/// ```
/// use dini::prelude::*;
/// // ln(1 + eˣ), with a derivative that does not overflow
/// let softplus = |x: Array| {
///     custom_jvp(|x: Array| x.exp().log1p(), |x: Array, t: Array| (x.exp().log1p(), x.logistic() * t))(x)
/// };
/// assert_eq!(grad(softplus)(Array::from(1000.0))?.item::<f64>()?, 1.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_jvp<In: Tree, R: Outcome, RR: Outcome<Tree = (R::Tree, R::Tree)>>(
    f: impl Fn(In) -> R,
    rule: impl Fn(In, In) -> RR,
) -> impl Fn(In) -> Result<R::Tree> {
    let at = Location::caller();
    move |x| {
        let (leaves, in_def) = flatten(&x);
        let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
        let flat = Flat::new(&f, &in_def);
        let function = stage("custom_jvp function", at, &avals, |xs| flat.call(xs))?;
        let out_def = flat.out_def();
        let out_avals = function.program.out_avals();
        let tangents: Vec<Aval> = avals.iter().map(Aval::tangent).collect();
        let rule_avals = [&avals[..], &tangents].concat();
        let rule = stage("custom_jvp rule", at, &rule_avals, |xs| {
            let (x, t) = xs.split_at(avals.len());
            let unpack = |xs: &[Array]| In::unflatten_from(&in_def, &mut xs.iter().cloned());
            let (y, t) = rule(unpack(x)?, unpack(t)?).into_result()?;
            dual_leaves("custom_jvp", "rule", at, (&y, &t), &out_avals, &out_def)
        })?;
        let operands = [&function.captures[..], &rule.captures, &leaves].concat();
        let prim = CustomJvp {
            n_function: function.n_captures(),
            n_rule: rule.n_captures(),
            function: function.program,
            rule: rule.program,
        };
        unflatten(&out_def, sound(bind_at(&prim.into(), &operands, location_or(at))?)?)
    }
}

/// The leaves of a value and its tangent, checked against the function's results. A tangent of a discrete leaf may be
/// anything; it becomes `float0`.
fn dual_leaves<T: Tree>(
    name: &str,
    callable: &str,
    at: Loc,
    (y, t): (&T, &T),
    avals: &[Aval],
    def: &TreeDef,
) -> Result<Vec<Array>> {
    let (mut outs, y_def) = flatten(y);
    expect_like(name, callable, at, (&outs, &y_def), (avals, def), "the function's result")?;
    outs.extend(tangent_leaves(name, callable, at, t, avals, def)?);
    Ok(outs)
}

/// The leaves of a tangent (or cotangent), with `float0` where the primal is discrete.
pub(super) fn tangent_leaves<T: Tree>(
    name: &str,
    callable: &str,
    at: Loc,
    t: &T,
    avals: &[Aval],
    def: &TreeDef,
) -> Result<Vec<Array>> {
    let (leaves, own) = flatten(t);
    let like = if callable == "backward" { "the argument" } else { "the function's result" };
    if let Some(difference) = own.first_difference(def) {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("`{callable}` returned a tangent of structure {own}, expected {def}; {difference}"),
        )
        .op(name)
        .at(at));
    }
    let leaves: Vec<Array> = leaves
        .into_iter()
        .zip(avals)
        .map(|(t, a)| if a.dtype.is_inexact() { t } else { crate::ops::zeros_of(&a.tangent()) })
        .collect();
    let tangents: Vec<Aval> = avals.iter().map(Aval::tangent).collect();
    expect_like(name, callable, at, (&leaves, def), (&tangents, def), like)?;
    Ok(leaves)
}
