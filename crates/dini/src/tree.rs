//! Trees: the nested values that functions take and return, and their run-time structure.
//!
//! A tree is an [`Array`], or a container of trees: tuples, arrays, `Vec`, `Option`, `Box`, maps, and structs and enums
//! with `#[derive(Tree)]`. Transformations work on the flat list of leaves; a [`TreeDef`] remembers the rest, so that
//! the typed value can be built again.
//!
//! Invariants: `unflatten` after `flatten` gives the value back; the order of leaves depends on the structure alone (maps
//! go by sorted key); whatever a tree holds besides arrays is in its `TreeDef` and takes part in its equality and hash.
//!
//! This module must not know of tracing, derivatives or programs.

mod axes;
mod def;
#[doc(hidden)]
pub mod derive;
mod difference;
mod erased;
mod impls;
mod leaves;
mod map;
mod outcome;
mod print;

pub use axes::{Axes, IntoAxes};
pub use def::TreeDef;
pub use dini_derive::Tree;
pub use erased::StaticField;
pub(crate) use leaves::Leaves;
pub use map::MapKey;
pub use outcome::Outcome;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
};

/// A value that consists of arrays: what a transformed function takes and returns.
///
/// Implemented for [`Array`], `()`, tuples of up to 12 trees, `[T; N]`, `Vec<T>`, `Option<T>`, `Box<T>`, `BTreeMap` and
/// `HashMap` with values that are trees, and `PhantomData`. For structs and enums there is `#[derive(Tree)]`; a field
/// that is no tree (a size, a name, an activation function's tag) is marked `#[tree(static)]` and becomes part of the
/// structure.
///
/// ```
/// use dini::prelude::*;
///
/// #[derive(Tree)]
/// struct Layer {
///     w: Array,
///     b: Option<Array>,
///     #[tree(static)]
///     name: &'static str,
/// }
///
/// let layer = Layer { w: Array::from(vec![1.0, 2.0]), b: None, name: "first" };
/// let (leaves, def) = dini::tree::flatten(&layer);
/// assert_eq!(leaves.len(), 1);
/// assert_eq!(def.to_string(), r#"Layer { w: *, b: None, name: "first" }"#);
/// ```
///
/// # The derive
///
/// `#[derive(Tree)]` on `P` also declares `PMap<L>`, which is `P` with every array replaced by an `L`, with the same
/// field names, variants and visibility: a Jacobian with respect to a `P` is read as `jacobian.w.b`. It implements
/// `Tree`, `Clone` and `Debug`. A type without a single tree field is its own map.
///
/// | attribute | on | meaning |
/// | --- | --- | --- |
/// | `#[tree(static)]` | a field | part of the structure, not a leaf; its type implements [`StaticField`] |
/// | `#[tree(map = Name)]` | the type | calls the companion `Name` instead of `PMap` |
/// | `#[tree(bound = "K: MapKey, T: Tree")]` | the type | replaces the derived bounds of type parameters |
/// | `#[tree(crate = path)]` | the type | where this crate is, if not at `::dini` |
///
/// Without `bound`, a type parameter that occurs in a tree field gets the bound `Tree`, and one that occurs in a static
/// field the bound `StaticField`; parameters inside `PhantomData` get none.
///
/// # Writing it by hand
///
/// The three items must agree: `unflatten_from` consumes exactly the leaves that `flatten_into` appended, and
/// `Self::Map<L>` unflattens from the structure in which each leaf is replaced by the structure of an `L`
/// ([`TreeDef::compose`]).
///
/// ```
/// use dini::prelude::*;
/// use dini::tree::TreeDef;
///
/// struct Interval<T> {
///     low: T,
///     high: T,
/// }
///
/// impl<T: Tree> Tree for Interval<T> {
///     type Map<L: Tree> = Interval<T::Map<L>>;
///
///     fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
///         TreeDef::tuple(vec![self.low.flatten_into(leaves), self.high.flatten_into(leaves)])
///     }
///
///     fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
///         let (low, high) = <(T, T)>::unflatten_from(def, leaves)?;
///         Ok(Interval { low, high })
///     }
/// }
///
/// let interval = Interval { low: Array::from(0.0), high: Array::from(1.0) };
/// assert_eq!(dini::tree::structure(&interval).n_leaves(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tree of arrays",
    label = "`Tree` is not implemented for `{Self}`",
    note = "a tree is an `Array`, or tuples, `Vec`s, `Option`s, maps and structs of trees",
    note = "for a struct or an enum of your own, add `#[derive(Tree)]` to it",
    note = "for a field that is a setting and not a value to differentiate, add `#[tree(static)]` to the field"
)]
pub trait Tree: Sized {
    /// The same structure with every leaf replaced by an `L`: what a Jacobian needs.
    type Map<L: Tree>: Tree;

    /// Appends the leaves in order and returns the structure.
    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef;

    /// [`Tree::flatten_into`] of a value that is given away: afterwards no other handle to its arrays is left of it.
    fn into_leaves(self, leaves: &mut Vec<Array>) -> TreeDef {
        self.flatten_into(leaves)
    }

    /// Rebuilds a value of the structure `def` from leaves in order.
    ///
    /// # Errors
    ///
    /// If `def` is not a structure of this type, or `leaves` ends early.
    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self>;
}

/// The leaves of a tree in order, and its structure.
///
/// ```
/// use dini::prelude::*;
/// let tree = (Array::from(1.0), vec![Array::from(2.0), Array::from(3.0)]);
/// let (leaves, def) = dini::tree::flatten(&tree);
/// assert_eq!(leaves.len(), 3);
/// assert_eq!(def.to_string(), "(*, [*, *])");
/// ```
pub fn flatten<T: Tree>(tree: &T) -> (Vec<Array>, TreeDef) {
    let mut leaves = vec![];
    let def = append(&mut leaves, |leaves| tree.flatten_into(leaves));
    (leaves, def)
}

/// [`flatten`] of a value that is given away, into a list that is used again.
pub(crate) fn into_leaves<T: Tree>(tree: T) -> (Leaves, TreeDef) {
    let mut leaves = Leaves::new();
    let def = append(&mut leaves, |leaves| tree.into_leaves(leaves));
    (leaves, def)
}

/// What a `Tree` implementation does with an empty list, checked in debug builds.
fn append(leaves: &mut Vec<Array>, implementation: impl FnOnce(&mut Vec<Array>) -> TreeDef) -> TreeDef {
    let def = implementation(leaves);
    debug_assert_eq!(leaves.len(), def.n_leaves(), "a `Tree` implementation must append the leaves of its structure");
    def
}

/// Builds the tree of the structure `def` from its leaves: the inverse of [`flatten`].
///
/// # Errors
///
/// If the number of leaves is not [`TreeDef::n_leaves`], or `def` is not a structure of a `T`.
///
/// ```
/// use dini::prelude::*;
/// let (leaves, def) = dini::tree::flatten(&(Array::from(1.0), Array::from(2.0)));
/// let list = dini::tree::unflatten::<(Array, Array)>(&def, leaves)?;
/// assert_eq!(list.1.item::<f64>()?, 2.0);
///
/// let error = dini::tree::unflatten::<(Array, Array)>(&def, vec![]).unwrap_err();
/// assert!(error.to_string().contains("the number of leaves is 0, expected 2"));
/// # Ok::<(), Error>(())
/// ```
pub fn unflatten<T: Tree>(def: &TreeDef, leaves: Vec<Array>) -> Result<T> {
    unflatten_from(def, leaves.into_iter())
}

/// [`unflatten`] of leaves that stand in a list of any kind.
pub(crate) fn unflatten_from<T: Tree>(def: &TreeDef, mut leaves: impl ExactSizeIterator<Item = Array>) -> Result<T> {
    if leaves.len() != def.n_leaves() {
        let message =
            format!("the number of leaves is {}, expected {} for the structure `{def}`", leaves.len(), def.n_leaves());
        return Err(structure_error("unflatten", message));
    }
    T::unflatten_from(def, &mut leaves)
}

/// Applies `f` to every leaf.
///
/// # Errors
///
/// Only if the `Tree` implementation of `T` cannot rebuild what it flattened.
///
/// ```
/// use dini::prelude::*;
/// let tree = vec![Array::from(1.0), Array::from(2.0)];
/// let doubled = dini::tree::map(&tree, |leaf| leaf * 2.0)?;
/// assert_eq!(doubled[1].item::<f64>()?, 4.0);
/// # Ok::<(), Error>(())
/// ```
pub fn map<T: Tree>(tree: &T, f: impl FnMut(Array) -> Array) -> Result<T> {
    let (leaves, def) = flatten(tree);
    T::unflatten_from(&def, &mut leaves.into_iter().map(f))
}

/// Combines two trees of the same structure leaf by leaf.
///
/// # Errors
///
/// If the structures differ; the error names the first place where they do.
///
/// ```
/// use dini::prelude::*;
/// let a = (Array::from(1.0), vec![Array::from(2.0)]);
/// let b = (Array::from(10.0), vec![Array::from(20.0)]);
/// let sum = dini::tree::zip(&a, &b, |x, y| x + y)?;
/// assert_eq!(sum.1[0].item::<f64>()?, 22.0);
///
/// let longer = (Array::from(10.0), vec![Array::from(20.0), Array::from(30.0)]);
/// let error = dini::tree::zip(&a, &longer, |x, y| x + y).unwrap_err();
/// assert!(error.to_string().contains("at `.1`: a list of 2, expected a list of 1"));
/// # Ok::<(), Error>(())
/// ```
pub fn zip<T: Tree>(a: &T, b: &T, mut f: impl FnMut(Array, Array) -> Array) -> Result<T> {
    let (a_leaves, a_def) = flatten(a);
    let (b_leaves, b_def) = flatten(b);
    if let Some(difference) = b_def.first_difference(&a_def) {
        let message = format!("the second tree differs from the first {difference}");
        return Err(structure_error("zip", message));
    }
    T::unflatten_from(&a_def, &mut a_leaves.into_iter().zip(b_leaves).map(|(x, y)| f(x, y)))
}

/// The structure of a tree, without its leaves.
///
/// ```
/// use dini::prelude::*;
/// let def = dini::tree::structure(&(Array::from(1.0), Some(Array::from(2.0))));
/// assert_eq!(def.leaf_paths(), [".0", ".1"]);
/// ```
pub fn structure<T: Tree>(tree: &T) -> TreeDef {
    flatten(tree).1
}

fn structure_error(op: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Structure, message).op(op)
}

/// The error of an implementation of [`Tree::unflatten_from`] that was given a structure of another type.
fn mismatch(def: &TreeDef, expected: impl std::fmt::Display) -> Error {
    let message = format!("got {}, expected {expected}", difference::describe(def));
    structure_error("unflatten", message).help("take the structure from a value of the type that is built")
}
