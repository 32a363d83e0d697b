//! [`Tree`] for the maps of the standard library.
//!
//! Invariants: leaves go by sorted key, so the order does not depend on a hasher; a `BTreeMap` and a `HashMap` with the
//! same keys have the same structure.

use super::{
    Tree,
    def::{Kind, TreeDef},
    erased::Keys,
    mismatch,
};
use crate::{array::Array, error::Result};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    hash::{BuildHasher, Hash},
};

/// What the keys of a map must be able to do for the map to be a tree: they are sorted, kept in the structure, compared,
/// hashed and printed.
///
/// Implemented for every type with these traits.
pub trait MapKey: Ord + Hash + Clone + Display + Send + Sync + 'static {}

impl<K: Ord + Hash + Clone + Display + Send + Sync + 'static> MapKey for K {}

impl<K: MapKey, T: Tree> Tree for BTreeMap<K, T> {
    type Map<L: Tree> = BTreeMap<K, T::Map<L>>;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        flatten_sorted(self.iter(), leaves)
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        entries::<K>(def)?.map(|(key, value)| Ok((key.clone(), T::unflatten_from(value, leaves)?))).collect()
    }
}

impl<K: MapKey, T: Tree, S: BuildHasher + Default> Tree for HashMap<K, T, S> {
    type Map<L: Tree> = HashMap<K, T::Map<L>, S>;

    fn flatten_into(&self, leaves: &mut Vec<Array>) -> TreeDef {
        let mut entries: Vec<(&K, &T)> = self.iter().collect();
        entries.sort_unstable_by_key(|&(key, _)| key);
        flatten_sorted(entries.into_iter(), leaves)
    }

    fn unflatten_from(def: &TreeDef, leaves: &mut dyn Iterator<Item = Array>) -> Result<Self> {
        entries::<K>(def)?.map(|(key, value)| Ok((key.clone(), T::unflatten_from(value, leaves)?))).collect()
    }
}

fn flatten_sorted<'m, K: MapKey, T: Tree + 'm>(
    entries: impl Iterator<Item = (&'m K, &'m T)>,
    leaves: &mut Vec<Array>,
) -> TreeDef {
    let (keys, children) = entries.map(|(key, value)| (key.clone(), value.flatten_into(leaves))).unzip();
    TreeDef::inner(Kind::Map(Keys::new::<K>(keys)), children)
}

/// The keys and children of a map whose keys are `K`s.
fn entries<K: MapKey>(def: &TreeDef) -> Result<impl Iterator<Item = (&K, &TreeDef)>> {
    let wrong = || mismatch(def, format_args!("a map with keys of the type `{}`", std::any::type_name::<K>()));
    let node = def.node().ok_or_else(wrong)?;
    let keys = match &node.kind {
        Kind::Map(keys) => keys.get::<K>(),
        Kind::Tuple | Kind::List | Kind::Array | Kind::None | Kind::Some | Kind::Record(..) => None,
    };
    Ok(keys.ok_or_else(wrong)?.iter().zip(&node.children))
}
