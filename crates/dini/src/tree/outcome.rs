//! [`Outcome`]: what a function that is transformed may return.

use super::Tree;
use crate::error::{Error, Result};

/// What a transformed function returns: a tree, or a `Result` of one.
///
/// ```
/// use dini::prelude::*;
/// use dini::tree::Outcome;
///
/// fn call<R: Outcome>(f: impl Fn(Array) -> R) -> Result<R::Tree> {
///     f(Array::from(1.0)).into_result()
/// }
///
/// let plain = call(|x: Array| (x.clone(), x))?;
/// let fallible = call(|x: Array| -> Result<Array> { Ok(x) })?;
/// assert_eq!(plain.0.item::<f64>()?, fallible.item::<f64>()?);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a function that is transformed",
    label = "expected a tree of arrays, or a `dini::Result` of one",
    note = "a tree is an `Array`, or tuples, `Vec`s, `Option`s, maps and structs with `#[derive(Tree)]` of trees",
    note = "another error type is converted by `.map_err(Error::user)`"
)]
pub trait Outcome {
    /// The tree that is returned in the end.
    type Tree: Tree;

    /// The tree, or the error.
    ///
    /// # Errors
    ///
    /// The one that the function returned.
    fn into_result(self) -> Result<Self::Tree>;
}

impl<T: Tree> Outcome for T {
    type Tree = T;

    fn into_result(self) -> Result<T> {
        Ok(self)
    }
}

// Coherent with the implementation above because `Result` is not a tree, and only this crate could make it one.
impl<T: Tree> Outcome for Result<T, Error> {
    type Tree = T;

    fn into_result(self) -> Result<T> {
        self
    }
}
