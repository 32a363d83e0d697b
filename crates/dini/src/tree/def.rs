//! [`TreeDef`]: the structure of a tree at run time.
//!
//! Invariants: a leaf holds no allocation; `n_leaves` is the sum over the children; a record has one child per tree field
//! and one static value per static field of its layout.

use super::{
    derive::{Layout, Role},
    erased::{Keys, StaticValue},
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The structure of a tree: everything but the leaves.
///
/// Cheap to clone. Two trees have equal structures if they consist of the same containers with the same lengths, map
/// keys, variants and static fields.
///
/// It prints with a star for each leaf:
///
/// ```
/// use dini::prelude::*;
/// use std::collections::BTreeMap;
/// let x = || Array::from(1.0);
/// let tree = (x(), vec![x(), x()], [x(), x()], BTreeMap::from([("a", x())]), None::<Array>);
/// let def = dini::tree::structure(&tree);
/// assert_eq!(def.to_string(), r#"(*, [*, *], [*, *; 2], {"a": *}, None)"#);
/// ```
#[derive(Clone)]
pub struct TreeDef {
    /// `None` is a leaf.
    node: Option<Arc<Node>>,
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) children: Box<[TreeDef]>,
    n_leaves: usize,
}

/// What an inner node is, apart from its children.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A tuple; the empty one is also the structure of types without content.
    Tuple,
    /// A `Vec`.
    List,
    /// A `[T; N]`.
    Array,
    /// A map, by sorted key.
    Map(Keys),
    /// An `Option` without a value.
    None,
    /// An `Option` with a value.
    Some,
    /// A derived struct, or one variant of a derived enum.
    Record(&'static Layout, Box<[StaticValue]>),
}

impl TreeDef {
    /// The structure of a single array.
    ///
    /// ```
    /// use dini::tree::TreeDef;
    /// assert_eq!(TreeDef::leaf().to_string(), "*");
    /// ```
    pub const fn leaf() -> TreeDef {
        TreeDef { node: None }
    }

    /// The structure of a tuple with these parts, for code that has no typed value at hand.
    ///
    /// ```
    /// use dini::prelude::*;
    /// use dini::tree::TreeDef;
    /// let def = TreeDef::tuple(vec![TreeDef::leaf(), TreeDef::tuple(vec![])]);
    /// assert_eq!(def, dini::tree::structure(&(Array::from(1.0), ())));
    /// ```
    pub fn tuple(children: Vec<TreeDef>) -> TreeDef {
        TreeDef::inner(Kind::Tuple, children)
    }

    pub(super) fn inner(kind: Kind, children: Vec<TreeDef>) -> TreeDef {
        let n_leaves = children.iter().map(TreeDef::n_leaves).sum();
        TreeDef { node: Some(Arc::new(Node { kind, children: children.into(), n_leaves })) }
    }

    /// The inner node, or `None` for a leaf.
    pub(super) fn node(&self) -> Option<&Node> {
        self.node.as_deref()
    }

    /// Whether this is a single array.
    ///
    /// ```
    /// use dini::tree::TreeDef;
    /// assert!(TreeDef::leaf().is_leaf());
    /// assert!(!TreeDef::tuple(vec![]).is_leaf());
    /// ```
    pub fn is_leaf(&self) -> bool {
        self.node.is_none()
    }

    /// The number of leaves.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let tree = (Array::from(1.0), [Array::from(2.0), Array::from(3.0)]);
    /// assert_eq!(dini::tree::structure(&tree).n_leaves(), 3);
    /// ```
    pub fn n_leaves(&self) -> usize {
        match &self.node {
            None => 1,
            Some(node) => node.n_leaves,
        }
    }

    /// The structures of the direct parts: tuple elements, list items, map values, tree fields. A leaf has none.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let def = dini::tree::structure(&(Array::from(1.0), vec![Array::from(2.0)]));
    /// assert_eq!(def.children()[1].to_string(), "[*]");
    /// ```
    pub fn children(&self) -> &[TreeDef] {
        match &self.node {
            None => &[],
            Some(node) => &node.children,
        }
    }

    /// How each of [`children`](TreeDef::children) is reached, as a piece of a path: `.w`, `.0`, `[2]`, `["key"]`. The
    /// value of an `Option` adds nothing to the path.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let def = dini::tree::structure(&(Array::from(1.0), vec![Array::from(2.0)]));
    /// assert_eq!(def.child_keys(), [".0", ".1"]);
    /// assert_eq!(def.children()[1].child_keys(), ["[0]"]);
    /// ```
    pub fn child_keys(&self) -> Vec<String> {
        (0..self.children().len()).map(|idx| self.child_key(idx)).collect()
    }

    pub(super) fn child_key(&self, idx: usize) -> String {
        let Some(node) = &self.node else { return String::new() };
        match &node.kind {
            Kind::Tuple => format!(".{idx}"),
            Kind::List | Kind::Array => format!("[{idx}]"),
            Kind::Map(keys) => format!("[{}]", keys.label(idx)),
            Kind::None | Kind::Some => String::new(),
            Kind::Record(layout, _) => {
                let field = layout.fields.iter().filter(|field| field.role == Role::Tree).nth(idx);
                field.map_or_else(String::new, |field| format!(".{}", field.name))
            }
        }
    }

    /// Where each leaf is, in order: `.layers[2].w`, `.0[1]`, `["key"]`; empty for a tree that is a single array.
    ///
    /// ```
    /// use dini::prelude::*;
    /// use std::collections::BTreeMap;
    /// let tree = (Array::from(1.0), BTreeMap::from([("bias", vec![Array::from(2.0)])]));
    /// assert_eq!(dini::tree::structure(&tree).leaf_paths(), [".0", r#".1["bias"][0]"#]);
    /// ```
    pub fn leaf_paths(&self) -> Vec<String> {
        let mut paths = Vec::with_capacity(self.n_leaves());
        self.push_leaf_paths(&mut String::new(), &mut paths);
        paths
    }

    fn push_leaf_paths(&self, path: &mut String, paths: &mut Vec<String>) {
        if self.is_leaf() {
            paths.push(path.clone());
        }
        let len = path.len();
        for (idx, child) in self.children().iter().enumerate() {
            path.push_str(&self.child_key(idx));
            child.push_leaf_paths(path, paths);
            path.truncate(len);
        }
    }

    /// This structure with `inner` in the place of every leaf: the structure of a Jacobian, output first.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let outer = dini::tree::structure(&vec![Array::from(1.0), Array::from(2.0)]);
    /// let inner = dini::tree::structure(&(Array::from(1.0), ()));
    /// assert_eq!(outer.compose(&inner).to_string(), "[(*, ()), (*, ())]");
    /// ```
    pub fn compose(&self, inner: &TreeDef) -> TreeDef {
        let Some(node) = &self.node else { return inner.clone() };
        if node.n_leaves == 0 || inner.is_leaf() {
            return self.clone();
        }
        let children = node.children.iter().map(|child| child.compose(inner)).collect();
        TreeDef::inner(node.kind.clone(), children)
    }
}

impl PartialEq for TreeDef {
    fn eq(&self, other: &TreeDef) -> bool {
        match (&self.node, &other.node) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                Arc::ptr_eq(a, b) || (a.n_leaves == b.n_leaves && a.kind == b.kind && a.children == b.children)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl Eq for TreeDef {}

impl Hash for TreeDef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_leaf().hash(state);
        if let Some(node) = &self.node {
            node.kind.hash(state);
            node.children.hash(state);
        }
    }
}
