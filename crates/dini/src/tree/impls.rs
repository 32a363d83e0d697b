//! [`Tree`] for arrays and for the containers of the standard library, maps aside.

use super::{
    Tree,
    def::{Kind, TreeDef},
    mismatch, structure_error,
};
use crate::{array::Array, error::Result};
use std::marker::PhantomData;

impl Tree for Array {
    type Map<L: Tree> = L;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        leaves.push(self.clone());
        TreeDef::leaf()
    }

    fn into_leaves(self, leaves: &mut Vec<Array>) -> TreeDef {
        leaves.push(self);
        TreeDef::leaf()
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        if !def.is_leaf() {
            return Err(mismatch(def, "a leaf"));
        }
        leaves.next().ok_or_else(|| structure_error("unflatten", "there are fewer leaves than the structure has"))
    }
}

/// The children of a node of this kind.
fn children<'d>(def: &'d TreeDef, kind: &Kind) -> Option<&'d [TreeDef]> {
    def.node().filter(|node| node.kind == *kind).map(|node| &*node.children)
}

/// The children of a tuple or array of `N`.
fn exactly<'d, const N: usize>(def: &'d TreeDef, kind: &Kind) -> Option<&'d [TreeDef; N]> {
    children(def, kind)?.try_into().ok()
}

macro_rules! tuple_tree {
    ($n:literal: $($T:ident $x:ident)*) => {
        impl<$($T: Tree),*> Tree for ($($T,)*) {
            type Map<L: Tree> = ($($T::Map<L>,)*);

            fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
                let ($($x,)*) = self;
                TreeDef::tuple(vec![$($x.flatten_into(leaves)),*])
            }

            fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
                let Some([$($x),*]) = exactly(def, &Kind::Tuple) else {
                    return Err(mismatch(def, format_args!("a tuple of {}", $n)));
                };
                Ok(($($T::unflatten_from($x, leaves)?,)*))
            }
        }
    };
}

tuple_tree!(1: A a);
tuple_tree!(2: A a B b);
tuple_tree!(3: A a B b C c);
tuple_tree!(4: A a B b C c D d);
tuple_tree!(5: A a B b C c D d E e);
tuple_tree!(6: A a B b C c D d E e F f);
tuple_tree!(7: A a B b C c D d E e F f G g);
tuple_tree!(8: A a B b C c D d E e F f G g H h);
tuple_tree!(9: A a B b C c D d E e F f G g H h I i);
tuple_tree!(10: A a B b C c D d E e F f G g H h I i J j);
tuple_tree!(11: A a B b C c D d E e F f G g H h I i J j K k);
tuple_tree!(12: A a B b C c D d E e F f G g H h I i J j K k M m);

/// Types without content have the structure of the empty tuple and are their own map.
macro_rules! empty_tree {
    ([$($generics:tt)*] $T:ty, $value:expr) => {
        impl<$($generics)*> Tree for $T {
            type Map<L: Tree> = $T;

            fn flatten_into(&self, _leaves: &mut Vec<Array>) -> TreeDef {
                TreeDef::tuple(Vec::new())
            }

            fn unflatten_from(def: &TreeDef, _leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
                match exactly::<0>(def, &Kind::Tuple) {
                    Some([]) => Ok($value),
                    None => Err(mismatch(def, "`()`")),
                }
            }
        }
    };
}

empty_tree!([](), ());
empty_tree!([T: ?Sized] PhantomData<T>, PhantomData);

impl<T: Tree> Tree for Vec<T> {
    type Map<L: Tree> = Vec<T::Map<L>>;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        TreeDef::inner(Kind::List, self.iter().map(|item| item.flatten_into(leaves)).collect())
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        let items = children(def, &Kind::List).ok_or_else(|| mismatch(def, "a list"))?;
        items.iter().map(|item| T::unflatten_from(item, leaves)).collect()
    }
}

impl<T: Tree, const N: usize> Tree for [T; N] {
    type Map<L: Tree> = [T::Map<L>; N];

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        TreeDef::inner(Kind::Array, self.iter().map(|item| item.flatten_into(leaves)).collect())
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        let wrong = || mismatch(def, format_args!("an array of {N}"));
        let items: &[TreeDef; N] = exactly(def, &Kind::Array).ok_or_else(wrong)?;
        let built = items.iter().map(|item| T::unflatten_from(item, leaves)).collect::<Result<Vec<T>>>()?;
        built.try_into().map_err(|_| wrong())
    }
}

impl<T: Tree> Tree for Option<T> {
    type Map<L: Tree> = Option<T::Map<L>>;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        match self {
            None => TreeDef::inner(Kind::None, Vec::new()),
            Some(value) => TreeDef::inner(Kind::Some, vec![value.flatten_into(leaves)]),
        }
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        if let Some([value]) = exactly(def, &Kind::Some) {
            return T::unflatten_from(value, leaves).map(Some);
        }
        match exactly::<0>(def, &Kind::None) {
            Some([]) => Ok(None),
            None => Err(mismatch(def, "an `Option`")),
        }
    }
}

/// A box has the structure of what is in it.
impl<T: Tree> Tree for Box<T> {
    type Map<L: Tree> = Box<T::Map<L>>;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        T::flatten_into(self, leaves)
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        T::unflatten_from(def, leaves).map(Box::new)
    }
}
