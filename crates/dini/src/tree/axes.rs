//! Which axis of each leaf a transformation maps over: prefix trees of axes.

use super::{
    def::{Kind, TreeDef},
    difference::{describe, place},
};
use crate::error::{Error, ErrorKind, Result};

/// Axes for the leaves of a tree, given for the whole tree or part by part, to any depth.
///
/// Anything that is written with numbers, `None`, tuples, arrays and vectors converts ([`IntoAxes`]): `0` for all leaves,
/// `(0, None)` for a pair, `(Some(1), (0, None))` deeper down. A negative axis counts from the end.
///
/// ```
/// use dini::prelude::*;
/// use dini::tree::{Axes, IntoAxes};
/// let x = || Array::from(1.0);
/// let def = dini::tree::structure(&(vec![x(), x()], x()));
/// assert_eq!((0, None).into_axes().broadcast(&def, "vmap")?, [Some(0), Some(0), None]);
/// assert_eq!(Axes::All(Some(-1)).broadcast(&def, "vmap")?, [Some(-1); 3]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Axes {
    /// The same axis for every leaf; `None`: not mapped.
    All(Option<isize>),
    /// One entry for each direct part.
    Each(Vec<Axes>),
}

impl Axes {
    /// One axis per leaf of `def`.
    ///
    /// The value of an `Option` has the axes of the `Option` itself, and to an absent value any axes fit: whether it is
    /// there must not change how axes are written.
    ///
    /// # Errors
    ///
    /// If the axes are finer than the tree, or have another number of parts; the error names the place. `what` is the
    /// name of the option or operation in the message.
    pub fn broadcast(&self, def: &TreeDef, what: &str) -> Result<Vec<Option<isize>>> {
        let mut axes = Vec::with_capacity(def.n_leaves());
        self.push(def, what, &mut String::new(), &mut axes)?;
        Ok(axes)
    }

    fn push(&self, def: &TreeDef, what: &str, path: &mut String, axes: &mut Vec<Option<isize>>) -> Result<()> {
        let parts = match self {
            Axes::All(axis) => {
                axes.extend(std::iter::repeat_n(*axis, def.n_leaves()));
                return Ok(());
            }
            Axes::Each(parts) => parts,
        };
        match def.node().map(|node| &node.kind) {
            Some(Kind::None) => return Ok(()),
            Some(Kind::Some) => return self.push(&def.children()[0], what, path, axes),
            Some(Kind::Tuple | Kind::List | Kind::Array | Kind::Map(_) | Kind::Record(..)) => {}
            None => return Err(misfit(parts.len(), def, what, path)),
        }
        if parts.len() != def.children().len() {
            return Err(misfit(parts.len(), def, what, path));
        }
        let len = path.len();
        for (idx, (part, child)) in parts.iter().zip(def.children()).enumerate() {
            path.push_str(&def.child_key(idx));
            part.push(child, what, path, axes)?;
            path.truncate(len);
        }
        Ok(())
    }
}

fn misfit(n_parts: usize, def: &TreeDef, what: &str, path: &str) -> Error {
    let noun = if n_parts == 1 { "part" } else { "parts" };
    let message = format!("axes {}: got axes for {n_parts} {noun}, expected axes for {}", place(path), describe(def));
    let help = if def.is_leaf() {
        "a single array has a single axis: give a number, or `None` for an array that is not mapped"
    } else {
        "give one entry per part, or a single one for all of them"
    };
    Error::new(ErrorKind::Structure, message).op(what).help(help)
}

/// What can be written for [`Axes`].
///
/// Numbers, `None` and `Some` of a number stand for all leaves below; tuples (of up to 12), arrays and vectors for the
/// parts of a tree: elements, items, map values by sorted key, tree fields in order.
///
/// ```
/// use dini::tree::{Axes, IntoAxes};
/// let deep = (Some(1), (0, None)).into_axes();
/// let parts = vec![Axes::All(Some(0)), Axes::All(None)];
/// assert_eq!(deep, Axes::Each(vec![Axes::All(Some(1)), Axes::Each(parts)]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as axes",
    note = "axes are numbers, `None`, and tuples, arrays and `Vec`s of those; `Some` holds an `i32`"
)]
pub trait IntoAxes {
    /// The axes.
    fn into_axes(self) -> Axes;
}

impl IntoAxes for Axes {
    fn into_axes(self) -> Axes {
        self
    }
}

impl IntoAxes for i32 {
    fn into_axes(self) -> Axes {
        Some(self).into_axes()
    }
}

impl IntoAxes for isize {
    fn into_axes(self) -> Axes {
        Axes::All(Some(self))
    }
}

impl IntoAxes for usize {
    fn into_axes(self) -> Axes {
        // No array has that many axes: the bound is reported as out of range, like the number itself would be.
        Axes::All(Some(isize::try_from(self).unwrap_or(isize::MAX)))
    }
}

// The only implementation for an `Option`: with a second one, the literal `None` would need an annotation.
impl IntoAxes for Option<i32> {
    fn into_axes(self) -> Axes {
        Axes::All(self.map(|axis| isize::try_from(axis).unwrap_or(isize::MAX)))
    }
}

impl<T: IntoAxes> IntoAxes for Vec<T> {
    fn into_axes(self) -> Axes {
        Axes::Each(self.into_iter().map(T::into_axes).collect())
    }
}

impl<T: IntoAxes, const N: usize> IntoAxes for [T; N] {
    fn into_axes(self) -> Axes {
        Axes::Each(self.into_iter().map(T::into_axes).collect())
    }
}

macro_rules! tuple_axes {
    ($($T:ident $x:ident)*) => {
        impl<$($T: IntoAxes),*> IntoAxes for ($($T,)*) {
            fn into_axes(self) -> Axes {
                let ($($x,)*) = self;
                Axes::Each(vec![$($x.into_axes()),*])
            }
        }
    };
}

tuple_axes!();
tuple_axes!(A a);
tuple_axes!(A a B b);
tuple_axes!(A a B b C c);
tuple_axes!(A a B b C c D d);
tuple_axes!(A a B b C c D d E e);
tuple_axes!(A a B b C c D d E e F f);
tuple_axes!(A a B b C c D d E e F f G g);
tuple_axes!(A a B b C c D d E e F f G g H h);
tuple_axes!(A a B b C c D d E e F f G g H h I i);
tuple_axes!(A a B b C c D d E e F f G g H h I i J j);
tuple_axes!(A a B b C c D d E e F f G g H h I i J j K k);
tuple_axes!(A a B b C c D d E e F f G g H h I i J j K k M m);
