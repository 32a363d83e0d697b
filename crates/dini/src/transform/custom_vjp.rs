//! `custom_vjp` for users.

use super::{Flat, custom_jvp::tangent_leaves, sound};
use crate::{
    array::Array,
    error::{Loc, Result},
    implicit::expect_like,
    prim::custom::vjp::CustomVjp,
    shape::Aval,
    trace::{Staged, bind_at, location_or, stage},
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::{cell::RefCell, panic::Location};

/// A function with its own reverse rule: `forward(x)` returns the result and residuals, `backward(residuals, ȳ)` the
/// cotangent of x. `backward` must be linear in ȳ.
///
/// Captures are treated as by [`custom_jvp`](crate::custom_jvp). In forward mode it is an error, raised only if that
/// tangent is needed; [`custom_vjp_with_jvp`] gives it a forward rule too.
///
/// # Errors
/// A rule that returns another structure; it is named.
///
/// ```
/// use dini::prelude::*;
/// let clipped = |x: Array| {
///     custom_vjp(
///         |x: Array| x,
///         |x: Array| (x, ()),
///         |(), ct: Array| ct.clamp(-1.0, 1.0),
///     )(x)
/// };
/// assert_eq!(grad(|x: Array| clipped(x).map(|y| y * 100.0))(Array::from(1.0))?.item::<f64>()?, 1.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_vjp<In, Res, R, RF, RB>(
    f: impl Fn(In) -> R,
    forward: impl Fn(In) -> RF,
    backward: impl Fn(Res, R::Tree) -> RB,
) -> impl Fn(In) -> Result<R::Tree>
where
    In: Tree,
    Res: Tree,
    R: Outcome,
    RF: Outcome<Tree = (R::Tree, Res)>,
    RB: Outcome<Tree = In>,
{
    let at = Location::caller();
    move |x| run(at, &f, &forward, &backward, None, &x)
}

/// [`custom_vjp`] that also has a forward rule, `jvp(x, ẋ)`, which returns the tangent of the result.
///
/// ```
/// use dini::prelude::*;
/// let square = custom_vjp_with_jvp(
///     |x: Array| &x * &x,
///     |x: Array| (&x * &x, x),
///     |x: Array, ct: Array| x * 2.0 * ct,
///     |x: Array, t: Array| x * 2.0 * t,
/// );
/// let (_, dy) = jvp(square, Array::from(3.0), Array::from(1.0))?;
/// assert_eq!(dy.item::<f64>()?, 6.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_vjp_with_jvp<In, Res, R, RF, RB, RJ>(
    f: impl Fn(In) -> R,
    forward: impl Fn(In) -> RF,
    backward: impl Fn(Res, R::Tree) -> RB,
    jvp: impl Fn(In, In) -> RJ,
) -> impl Fn(In) -> Result<R::Tree>
where
    In: Tree,
    Res: Tree,
    R: Outcome,
    RF: Outcome<Tree = (R::Tree, Res)>,
    RB: Outcome<Tree = In>,
    RJ: Outcome<Tree = R::Tree>,
{
    let at = Location::caller();
    move |x| run(at, &f, &forward, &backward, Some(&|x, t| jvp(x, t).into_result()), &x)
}

type ForwardRule<'a, In, Out> = &'a dyn Fn(In, In) -> Result<Out>;

fn run<In, Res, R, RF, RB>(
    at: Loc,
    f: &impl Fn(In) -> R,
    forward: &impl Fn(In) -> RF,
    backward: &impl Fn(Res, R::Tree) -> RB,
    jvp: Option<ForwardRule<'_, In, R::Tree>>,
    x: &In,
) -> Result<R::Tree>
where
    In: Tree,
    Res: Tree,
    R: Outcome,
    RF: Outcome<Tree = (R::Tree, Res)>,
    RB: Outcome<Tree = In>,
{
    const NAME: &str = "custom_vjp";
    let (leaves, in_def) = flatten(x);
    let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    let unpack = |xs: &[Array]| In::unflatten_from(&in_def, &mut xs.iter().cloned());
    let flat = Flat::new(f, &in_def);
    let function = stage("custom_vjp function", at, &avals, |xs| flat.call(xs))?;
    let out_def = flat.out_def();
    let out_avals = function.program.out_avals();
    let n_out = out_avals.len();
    let residual_def: RefCell<Option<TreeDef>> = RefCell::new(None);
    let forward = stage("custom_vjp forward", at, &avals, |xs| {
        let (y, residuals) = forward(unpack(xs)?).into_result()?;
        let (mut outs, y_def) = flatten(&y);
        expect_like(NAME, "forward", at, (&outs, &y_def), (&out_avals, &out_def), "the function's result")?;
        let (residuals, own) = flatten(&residuals);
        outs.extend(residuals);
        *residual_def.borrow_mut() = Some(own);
        Ok(outs)
    })?;
    let residual_def = residual_def.take().unwrap_or_else(|| flatten(&()).1);
    let residual_avals = forward.program.out_avals()[n_out..].to_vec();
    let cts: Vec<Aval> = out_avals.iter().map(Aval::tangent).collect();
    let backward = stage("custom_vjp backward", at, &[&residual_avals[..], &cts].concat(), |xs| {
        let (residuals, cts) = xs.split_at(residual_avals.len());
        let residuals = Res::unflatten_from(&residual_def, &mut residuals.iter().cloned())?;
        let ct = <R::Tree as Tree>::unflatten_from(&out_def, &mut cts.iter().cloned())?;
        let back = backward(residuals, ct).into_result()?;
        tangent_leaves(NAME, "backward", at, &back, &avals, &in_def)
    })?;
    let jvp: Option<Staged> = match jvp {
        None => None,
        Some(jvp) => {
            let tangents: Vec<Aval> = avals.iter().map(Aval::tangent).collect();
            Some(stage("custom_vjp jvp", at, &[&avals[..], &tangents].concat(), |xs| {
                let (x, t) = xs.split_at(avals.len());
                let t = jvp(unpack(x)?, unpack(t)?)?;
                tangent_leaves(NAME, "jvp", at, &t, &out_avals, &out_def)
            })?)
        }
    };
    let mut operands = Vec::new();
    let captures = [
        function.append(&mut operands),
        forward.append(&mut operands),
        backward.append(&mut operands),
        jvp.as_ref().map_or(0, |j| j.append(&mut operands)),
    ];
    operands.extend(leaves);
    let prim = CustomVjp {
        function: function.program,
        forward: forward.program,
        backward: backward.program,
        jvp: jvp.map(|j| j.program),
        captures,
    };
    unflatten(&out_def, sound(bind_at(&prim.into(), &operands, location_or(at))?)?)
}
