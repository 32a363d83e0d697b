//! What the code of `#[derive(Tree)]` calls. Not for use by hand, and free to change in any release.
//!
//! It must not know of single types: a derived implementation is a static [`Layout`] and calls of these functions.

pub use super::erased::{StaticField, StaticValue};
pub use crate::{array::Array, error::Result};

use super::{
    Tree,
    def::{Kind, TreeDef},
    flatten, structure_error,
};
use crate::error::Error;
use std::{
    any::{Any, type_name},
    fmt,
    hash::{Hash, Hasher},
};

/// The names of a struct, or of one variant of an enum.
#[derive(Debug, Eq)]
pub struct Layout {
    /// The type's name, without path and parameters.
    pub type_name: &'static str,
    /// The variant, for an enum.
    pub variant: Option<&'static str>,
    /// How the fields are written.
    pub style: Style,
    /// The fields in order.
    pub fields: &'static [Field],
}

// Structures are hashed and compared on every call of a compiled function. Nearly always both sides have the same static,
// and types of one name but different fields are rare enough to share a hash.
impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        let parts = |layout: &Layout| (layout.type_name, layout.variant, layout.style, layout.fields);
        std::ptr::eq(self, other) || parts(self) == parts(other)
    }
}

impl Hash for Layout {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.type_name.hash(state);
        self.variant.hash(state);
    }
}

/// How the fields of a struct or variant are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `P { w: … }`
    Named,
    /// `P(…)`
    Tuple,
    /// `P`
    Unit,
}

/// One field of a [`Layout`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// The name, or the position of a field without one.
    pub name: &'static str,
    /// Whether it holds leaves.
    pub role: Role,
}

/// What a field is to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A subtree.
    Tree,
    /// A part of the structure.
    Static,
}

/// The structure of a derived type: `statics` and `children` are the values of the static and of the tree fields.
pub fn record(layout: &'static Layout, statics: Vec<StaticValue>, children: Vec<TreeDef>) -> TreeDef {
    TreeDef::inner(Kind::Record(layout, statics.into()), children)
}

/// The parts of the structure of a derived type.
pub struct Parts<'d> {
    layout: &'static Layout,
    statics: &'d [StaticValue],
    children: &'d [TreeDef],
}

/// The parts of `def` if it has this layout.
pub fn parts<'d>(def: &'d TreeDef, layout: &'static Layout) -> Option<Parts<'d>> {
    let node = def.node()?;
    match &node.kind {
        Kind::Record(found, statics) if *found == layout => Some(Parts { layout, statics, children: &node.children }),
        Kind::Record(..) | Kind::Tuple | Kind::List | Kind::Array | Kind::Map(_) | Kind::None | Kind::Some => None,
    }
}

impl<'d> Parts<'d> {
    /// The structure of the tree field number `idx`, static fields not counted.
    pub fn child(&self, idx: usize) -> &'d TreeDef {
        &self.children[idx]
    }

    /// The value of the static field number `idx`, tree fields not counted.
    ///
    /// # Errors
    ///
    /// If `def` is of another type with the same names.
    // The bound of `StaticValue::new` is enough: a second one would say every compile error twice.
    pub fn value<T: Any + Clone>(&self, idx: usize) -> Result<T> {
        self.statics[idx].get().cloned().ok_or_else(|| {
            let message = format!(
                "the static value `{:?}` in a structure of `{}` is not a `{}`",
                self.statics[idx],
                self.layout,
                type_name::<T>()
            );
            structure_error("unflatten", message)
        })
    }
}

/// The error for a structure that belongs to another type.
pub fn mismatch(def: &TreeDef, type_name: &str) -> Error {
    super::mismatch(def, format_args!("`{type_name}`"))
}

/// Clones any tree through its leaves: the companion types cannot derive `Clone`, because no bound says that
/// `T::Map<L>` is `Clone`.
pub fn duplicate<T: Tree>(tree: &T) -> T {
    let (leaves, def) = flatten(tree);
    T::unflatten_from(&def, &mut leaves.into_iter()).expect("a `Tree` implementation must unflatten what it flattened")
}

/// Prints any tree as `derive(Debug)` would, for the reason for which there is [`duplicate`].
pub fn debug<T: Tree>(tree: &T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (leaves, def) = flatten(tree);
    fmt::Debug::fmt(&Filled { def: &def, leaves: &leaves }, f)
}

/// A structure together with its leaves.
struct Filled<'a> {
    def: &'a TreeDef,
    leaves: &'a [Array],
}

impl<'a> Filled<'a> {
    fn children(&self) -> impl Iterator<Item = Filled<'a>> {
        self.def.children().iter().scan(self.leaves, |rest, def| {
            let (leaves, after) = rest.split_at(def.n_leaves());
            *rest = after;
            Some(Filled { def, leaves })
        })
    }
}

impl fmt::Debug for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(node) = self.def.node() else {
            return self.leaves.iter().try_for_each(|leaf| leaf.fmt(f));
        };
        match &node.kind {
            Kind::Tuple => {
                let mut tuple = f.debug_tuple("");
                self.children().for_each(|child| _ = tuple.field(&child));
                if node.children.is_empty() { f.write_str("()") } else { tuple.finish() }
            }
            Kind::List | Kind::Array => f.debug_list().entries(self.children()).finish(),
            Kind::Map(keys) => {
                let labels = (0..node.children.len()).map(|idx| keys.label(idx));
                f.debug_map().entries(labels.map(Verbatim).zip(self.children())).finish()
            }
            Kind::None => f.write_str("None"),
            Kind::Some => {
                let mut some = f.debug_tuple("Some");
                self.children().for_each(|child| _ = some.field(&child));
                some.finish()
            }
            Kind::Record(layout, statics) => self.fmt_record(f, layout, statics),
        }
    }
}

impl Filled<'_> {
    fn fmt_record(&self, f: &mut fmt::Formatter<'_>, layout: &Layout, statics: &[StaticValue]) -> fmt::Result {
        let (mut statics, mut children) = (statics.iter(), self.children());
        let fields = layout.fields.iter().filter_map(|field| {
            let value: Box<dyn fmt::Debug> = match field.role {
                Role::Tree => Box::new(children.next()?),
                Role::Static => Box::new(statics.next()?.clone()),
            };
            Some((field.name, value))
        });
        let name = layout.variant.unwrap_or(layout.type_name);
        match layout.style {
            Style::Named => {
                let mut out = f.debug_struct(name);
                fields.for_each(|(name, value)| _ = out.field(name, &*value));
                out.finish()
            }
            Style::Tuple => {
                let mut out = f.debug_tuple(name);
                fields.for_each(|(_, value)| _ = out.field(&*value));
                out.finish()
            }
            Style::Unit => f.write_str(name),
        }
    }
}

/// Text that is already as it should print.
struct Verbatim(String);

impl fmt::Debug for Verbatim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
