//! Where and how two structures differ, in words.

use super::{
    def::{Kind, Node, TreeDef},
    derive::{Layout, Role},
    erased::StaticValue,
};

impl TreeDef {
    /// The first place where this structure (what was got) differs from `other` (what was expected), as a sentence; `None`
    /// if they are equal.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = || Array::from(1.0);
    /// let got = dini::tree::structure(&(x(), vec![x()]));
    /// let expected = dini::tree::structure(&(x(), vec![(x(), x())]));
    /// assert_eq!(got.first_difference(&expected).unwrap(), "at `.1[0]`: a leaf, expected a tuple of 2");
    /// assert_eq!(got.first_difference(&got), None);
    /// ```
    pub fn first_difference(&self, other: &TreeDef) -> Option<String> {
        if self == other { None } else { difference(self, other, &mut String::new()) }
    }
}

/// `at .layers[2].w` in backticks; the root has no path to show.
pub(super) fn place(path: &str) -> String {
    if path.is_empty() { "at the root".to_owned() } else { format!("at `{path}`") }
}

fn difference(got: &TreeDef, expected: &TreeDef, path: &mut String) -> Option<String> {
    let (got_node, expected_node) = match (got.node(), expected.node()) {
        (None, None) => return None,
        (Some(got_node), Some(expected_node)) => (got_node, expected_node),
        (None, Some(_)) | (Some(_), None) => return Some(sentence(path, describe(got), describe(expected))),
    };
    if let Some(here) = difference_here(got_node, expected_node, path) {
        return Some(here);
    }
    let len = path.len();
    got_node.children.iter().zip(&expected_node.children).enumerate().find_map(|(idx, (got_child, expected_child))| {
        path.push_str(&got.child_key(idx));
        let found = difference(got_child, expected_child, path);
        path.truncate(len);
        found
    })
}

/// A difference of the nodes themselves, their children aside.
fn difference_here(got: &Node, expected: &Node, path: &str) -> Option<String> {
    if let (Kind::Record(layout, statics), Kind::Record(expected_layout, expected_statics)) =
        (&got.kind, &expected.kind)
        && layout == expected_layout
    {
        let field_idx = statics.iter().zip(expected_statics).position(|(a, b)| a != b)?;
        let name = layout.fields.iter().filter(|field| field.role == Role::Static).nth(field_idx)?.name;
        let [value, expected_value] = [statics, expected_statics].map(|all| static_value(&all[field_idx]));
        return Some(sentence(&format!("{path}.{name}"), value, expected_value));
    }
    if got.kind == expected.kind && got.children.len() == expected.children.len() {
        return None;
    }
    let [mut left, mut right] = [got, expected].map(describe_node);
    if left == right {
        // Two types of one name, or keys that print alike.
        [left, right] = [got, expected].map(describe_fields);
    }
    Some(sentence(path, left, right))
}

fn sentence(path: &str, got: String, expected: String) -> String {
    if got == expected {
        // Types of one name and shape from different modules: all that is printed is equal.
        return format!("{}: {got}, expected another type of that name", place(path));
    }
    format!("{}: {got}, expected {expected}", place(path))
}

fn static_value(value: &StaticValue) -> String {
    format!("the static value `{value:?}`")
}

/// The outermost level of a structure in words: "a leaf", "a tuple of 2", "`Params`".
pub(super) fn describe(def: &TreeDef) -> String {
    def.node().map_or_else(|| "a leaf".to_owned(), describe_node)
}

fn describe_node(node: &Node) -> String {
    let n_children = node.children.len();
    match &node.kind {
        Kind::Tuple if n_children == 0 => "`()`".to_owned(),
        Kind::Tuple => format!("a tuple of {n_children}"),
        Kind::List => format!("a list of {n_children}"),
        Kind::Array => format!("an array of {n_children}"),
        Kind::Map(_) if n_children == 0 => "an empty map".to_owned(),
        Kind::Map(keys) => {
            let labels: Vec<String> = (0..n_children).map(|idx| keys.label(idx)).collect();
            format!("a map with the keys {}", labels.join(", "))
        }
        Kind::None => "`None`".to_owned(),
        Kind::Some => "`Some`".to_owned(),
        Kind::Record(layout, _) => format!("`{layout}`"),
    }
}

fn describe_fields(node: &Node) -> String {
    let fields = |layout: &Layout| layout.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
    match &node.kind {
        Kind::Record(layout, _) => format!("`{layout}` with the fields `{}`", fields(layout)),
        Kind::Tuple | Kind::List | Kind::Array | Kind::Map(_) | Kind::None | Kind::Some => describe_node(node),
    }
}
