//! Type-erased values inside of a structure: static fields and map keys.
//!
//! Invariant: erased values compare and hash as the values do, and values of different types are different.

use super::map::MapKey;
use std::{
    any::Any,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What the type of a `#[tree(static)]` field must be able to do: the field becomes part of the tree's structure, which
/// is compared and hashed (a compiled function is kept per structure) and printed.
///
/// Implemented for every type with these traits. `f64` lacks `Eq`: make such a field an [`Array`](crate::array::Array),
/// or keep its bits (`f64::to_bits`).
#[diagnostic::on_unimplemented(
    message = "a `#[tree(static)]` field cannot have the type `{Self}`",
    label = "must be `Clone + Eq + Hash + Debug + Send + Sync + 'static`",
    note = "static fields are part of the structure by which compiled functions are found again"
)]
pub trait StaticField: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> StaticField for T {}

/// The value of a static field.
#[derive(Clone)]
pub struct StaticValue(Arc<dyn ErasedStatic>);

trait ErasedStatic: Any + fmt::Debug + Send + Sync {
    fn same(&self, other: &dyn ErasedStatic) -> bool;
    fn hash_into(&self, state: &mut dyn Hasher);
}

impl<T: StaticField> ErasedStatic for T {
    fn same(&self, other: &dyn ErasedStatic) -> bool {
        (other as &dyn Any).downcast_ref::<T>() == Some(self)
    }

    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }
}

impl StaticValue {
    /// Erases a value.
    pub fn new<T: StaticField>(value: T) -> StaticValue {
        StaticValue(Arc::new(value))
    }

    /// The value, if it is a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        let erased: &dyn ErasedStatic = &*self.0;
        (erased as &dyn Any).downcast_ref()
    }
}

impl PartialEq for StaticValue {
    fn eq(&self, other: &StaticValue) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.same(&*other.0)
    }
}

impl Eq for StaticValue {}

impl Hash for StaticValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

impl fmt::Debug for StaticValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The keys of a map in sorted order.
#[derive(Clone)]
pub(super) struct Keys(Arc<dyn ErasedKeys>);

struct KeyList<K>(Vec<K>);

trait ErasedKeys: Any + Send + Sync {
    fn label(&self, idx: usize) -> String;
    fn same(&self, other: &dyn ErasedKeys) -> bool;
    fn hash_into(&self, state: &mut dyn Hasher);
}

impl<K: MapKey> ErasedKeys for KeyList<K> {
    fn label(&self, idx: usize) -> String {
        let key = &self.0[idx];
        // Quotes tell the key "0" from the key 0, and show where a key with spaces ends.
        let any: &dyn Any = key;
        if any.is::<String>() || any.is::<&'static str>() || any.is::<Box<str>>() || any.is::<Arc<str>>() {
            format!("{:?}", key.to_string())
        } else {
            key.to_string()
        }
    }

    fn same(&self, other: &dyn ErasedKeys) -> bool {
        (other as &dyn Any).downcast_ref::<KeyList<K>>().is_some_and(|other| other.0 == self.0)
    }

    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.0.hash(&mut state);
    }
}

impl Keys {
    pub(super) fn new<K: MapKey>(sorted: Vec<K>) -> Keys {
        Keys(Arc::new(KeyList(sorted)))
    }

    /// The keys, if they are `K`s.
    pub(super) fn get<K: MapKey>(&self) -> Option<&[K]> {
        let erased: &dyn ErasedKeys = &*self.0;
        (erased as &dyn Any).downcast_ref::<KeyList<K>>().map(|list| &*list.0)
    }

    /// A key as it is printed.
    pub(super) fn label(&self, idx: usize) -> String {
        self.0.label(idx)
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.same(&*other.0)
    }
}

impl Eq for Keys {}

impl Hash for Keys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}
