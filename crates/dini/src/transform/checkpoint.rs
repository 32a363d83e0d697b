//! `checkpoint` for users: trade computation for memory in reverse mode.

use super::{Flat, sound};
use crate::{
    array::Array,
    error::Result,
    prim::custom::checkpoint::{Checkpoint, Name, Policy},
    trace::{bind_at, bind1, location_or, stage},
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::panic::Location;

/// A function whose intermediate values are not kept for reverse mode but computed again.
///
/// ```
/// use dini::prelude::*;
/// let df = grad(checkpoint(|x: Array| x.sin().sin()));
/// assert_eq!(df(Array::from(0.0))?.item::<f64>()?, 1.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn checkpoint<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    checkpoint_with(Policy::Nothing, f)
}

/// [`checkpoint`] with a policy of what may be kept.
///
/// ```
/// use dini::prelude::*;
/// let f = |x: Array| checkpoint_name(&x.sin(), "s").cos();
/// let df = grad(checkpoint_with(Policy::Names(vec!["s".into()]), f));
/// assert_eq!(df(Array::from(0.0))?.item::<f64>()?, 0.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn checkpoint_with<In: Tree, R: Outcome>(policy: Policy, f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    let at = Location::caller();
    move |x| {
        let (leaves, in_def) = flatten(&x);
        let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
        let flat = Flat::new(&f, &in_def);
        let staged = stage("checkpoint", at, &avals, |xs| flat.call(xs))?;
        let operands = staged.operands(&leaves);
        let prim = Checkpoint { program: staged.program, policy: policy.clone() };
        unflatten(&flat.out_def(), sound(bind_at(&prim.into(), &operands, location_or(at))?)?)
    }
}

/// The same value, with a name that [`Policy::Names`] can keep.
#[track_caller]
pub fn checkpoint_name(x: &Array, name: &str) -> Array {
    bind1(Name { name: name.to_string() }, std::slice::from_ref(x))
}
