//! Stopping derivatives: of a value, of what a function captures, of one layer of differentiation.

use crate::{
    array::Array,
    error::{Loc, Result},
    ops,
    prim::suspend::{Layers, Suspend},
    trace::{bind_at, here, stage},
    transform::sound,
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::{cell::RefCell, panic::Location};

/// The same values, with derivative exactly zero at every order.
///
/// ```
/// use dini::prelude::*;
/// let df = grad(|x: Array| &x * stop_gradient(&x));
/// assert_eq!(df(Array::from(3.0))?.item::<f64>()?, 3.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn stop_gradient<T: Tree>(x: &T) -> T {
    let at = here();
    let (leaves, def) = flatten(x);
    let stopped = leaves.iter().map(|x| crate::trace::with_location(at, || ops::stop_gradient(x))).collect();
    unflatten(&def, stopped).expect("the structure is that of the argument")
}

/// A function whose captures have derivative exactly zero; its argument is differentiated as usual.
///
/// ```
/// use dini::prelude::*;
/// let df = grad(|a: Array| {
///     let scaled = stop_gradient_fn(|x: Array| x * &a);
///     scaled(&a * 2.0)
/// });
/// assert_eq!(df(Array::from(3.0))?.item::<f64>()?, 6.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn stop_gradient_fn<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    let at = Location::caller();
    move |x| {
        let (leaves, def) = flatten(&x);
        let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
        let out_def: RefCell<Option<TreeDef>> = RefCell::new(None);
        let staged = stage("stop_gradient_fn", at, &avals, |xs| {
            let (outs, own) = flatten(&f(In::unflatten_from(&def, &mut xs.iter().cloned())?).into_result()?);
            *out_def.borrow_mut() = Some(own);
            Ok(outs)
        })?;
        let mut operands: Vec<Array> = staged.captures.iter().map(ops::stop_gradient).collect();
        operands.extend(leaves);
        let call = crate::prim::call::Call { program: staged.program.clone() };
        let outs = bind_at(&call.into(), &operands, at)?;
        let out_def = out_def.take().unwrap_or_else(|| flatten(&()).1);
        unflatten(&out_def, sound(outs)?)
    }
}

/// Runs `f` with exactly one layer of differentiation removed: the innermost one around it, or, inside a staged function
/// without one, the first that is applied to that function. Outer layers, and gradients taken inside `f`, work as usual.
///
/// ```
/// use dini::prelude::*;
/// let df = grad(|x: Array| without_gradients(|| &x * &x));
/// assert_eq!(df(Array::from(3.0))?.item::<f64>()?, 0.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn without_gradients<R: Outcome>(f: impl Fn() -> R) -> Result<R::Tree> {
    let at: Loc = Location::caller();
    let out_def: RefCell<Option<TreeDef>> = RefCell::new(None);
    let staged = stage("without_gradients", at, &[], |_| {
        let (outs, own) = flatten(&f().into_result()?);
        *out_def.borrow_mut() = Some(own);
        Ok(outs)
    })?;
    let suspend = Suspend { program: staged.program, layers: Layers::One };
    let outs = bind_at(&suspend.into(), &staged.captures, at)?;
    let out_def = out_def.take().unwrap_or_else(|| flatten(&()).1);
    unflatten(&out_def, sound(outs)?)
}
