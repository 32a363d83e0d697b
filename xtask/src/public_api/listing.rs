//! The lines of a snapshot: `path: declaration`, sorted.
//!
//! An item is written out once, at its shortest public path, wherever its private home is; at every other public path
//! stands the re-export. Methods and trait implementations go with their type.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Fields, Generics, ImplItem, Item, ItemImpl, TraitItem, Type};

use super::module_tree::{Import, ModuleIdx, ModuleTree, Target, attributes, is_hidden, is_public, is_test, item_name};
use super::signature::one_line;

/// Macros whose expansion has nothing public.
const PRIVATE_MACROS: &[&str] = &["thread_local", "const_assert", "compile_error"];

/// Attributes that are part of what a user may rely on.
const SHOWN_ATTRIBUTES: &[&str] = &["non_exhaustive", "must_use", "deprecated", "proc_macro_derive", "cfg", "repr"];

/// The snapshot of a crate.
pub fn lines(tree: &ModuleTree) -> Vec<String> {
    let mut visible = Visible { tree, items: BTreeMap::new(), foreign: BTreeSet::new(), modules: BTreeSet::new() };
    visible.visit(ModuleTree::ROOT, &tree.crate_name);

    let homes = visible.homes();
    let mut lines = Vec::new();
    for (path, import) in &visible.foreign {
        lines.push(format!("{path}: pub use {import}"));
    }
    for (path, module) in &visible.modules {
        let kind = if *module == ModuleTree::ROOT { "crate" } else { "pub mod" };
        lines.push(format!("{path}: {kind}"));
        for item in &tree.module(*module).items {
            if let Item::Macro(call) = item
                && call.ident.is_none()
            {
                macro_call_lines(path, &call.mac, &mut lines);
            }
        }
    }
    for (target, paths) in &visible.items {
        let Target::Item(module, item_idx) = *target else {
            continue;
        };
        let home = &homes[target];
        item_lines(home, &tree.module(module).items[item_idx], &mut lines);
        for path in paths.iter().filter(|path| *path != home) {
            lines.push(format!("{path}: pub use {home}"));
        }
    }
    for (module_idx, module) in tree.modules() {
        for item in &module.items {
            if let Item::Impl(block) = item {
                impl_lines(tree, module_idx, block, &homes, &mut lines);
            }
            if let Item::Macro(definition) = item
                && let Some(name) = &definition.ident
                && definition.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
                && !is_hidden(&definition.attrs)
            {
                // Wherever an exported macro stands, users find it at the crate's root.
                lines.push(format!("{}::{name}!: macro_rules", tree.crate_name));
            }
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

/// What can be reached from outside, and under which paths.
struct Visible<'a> {
    tree: &'a ModuleTree,
    /// Only `Target::Item`.
    items: BTreeMap<Target, BTreeSet<String>>,
    /// Re-exports of other crates' items, and of what only a macro's expansion declares: public path and written path.
    foreign: BTreeSet<(String, String)>,
    modules: BTreeSet<(String, ModuleIdx)>,
}

impl Visible<'_> {
    fn visit(&mut self, module_idx: ModuleIdx, path: &str) {
        if !self.modules.insert((path.to_owned(), module_idx)) {
            return;
        }
        let module = self.tree.module(module_idx);
        for (name, (child, is_listed)) in &module.children {
            if *is_listed {
                self.visit(*child, &format!("{path}::{name}"));
            }
        }
        for (item_idx, item) in module.items.iter().enumerate() {
            if let Some(name) = listed_name(item) {
                self.add(Target::Item(module_idx, item_idx), format!("{path}::{name}"));
            }
        }
        for import in module.imports.iter().filter(|import| import.is_public) {
            self.visit_import(module_idx, path, import);
        }
    }

    fn visit_import(&mut self, module_idx: ModuleIdx, path: &str, import: &Import) {
        let targets = self.tree.resolve(module_idx, &import.path);
        match &import.name {
            None => {
                let modules = targets.iter().filter_map(|target| match target {
                    Target::Module(inner) => Some(*inner),
                    Target::Item(..) => None,
                });
                let modules: Vec<ModuleIdx> = modules.collect();
                if modules.is_empty() {
                    self.foreign.insert((format!("{path}::*"), import.path.join("::")));
                }
                for inner in modules {
                    self.visit_glob(inner, path);
                }
            }
            Some(name) => {
                let public_path = format!("{path}::{name}");
                let mut found = false;
                for target in targets {
                    match target {
                        // `pub use scan::scan` may name both; only a public module can be meant.
                        Target::Module(inner) if self.is_listed_module(inner) => {
                            found = true;
                            self.visit(inner, &public_path);
                        }
                        Target::Module(_) => {}
                        Target::Item(owner, item_idx) => {
                            let item = &self.tree.module(owner).items[item_idx];
                            if listed_name(item).is_some() {
                                found = true;
                                self.add(target, public_path.clone());
                            }
                        }
                    }
                }
                if !found {
                    self.foreign.insert((public_path, import.path.join("::")));
                }
            }
        }
    }

    /// `pub use inner::*` at `path`: the public names of `inner`, but not `inner` itself.
    fn visit_glob(&mut self, inner: ModuleIdx, path: &str) {
        let module = self.tree.module(inner);
        for (name, (child, is_listed)) in &module.children {
            if *is_listed {
                self.visit(*child, &format!("{path}::{name}"));
            }
        }
        for (item_idx, item) in module.items.iter().enumerate() {
            if let Some(name) = listed_name(item) {
                self.add(Target::Item(inner, item_idx), format!("{path}::{name}"));
            }
        }
        for import in module.imports.iter().filter(|import| import.is_public) {
            self.visit_import(inner, path, import);
        }
    }

    fn is_listed_module(&self, module_idx: ModuleIdx) -> bool {
        let Some(parent) = self.tree.module(module_idx).parent else {
            return false;
        };
        self.tree.module(parent).children.values().any(|(child, is_listed)| *child == module_idx && *is_listed)
    }

    fn add(&mut self, target: Target, path: String) {
        self.items.entry(target).or_default().insert(path);
    }

    /// The shortest public path of each item; a prelude never is the home of anything.
    fn homes(&self) -> BTreeMap<Target, String> {
        let key = |path: &String| (path.contains("::prelude::"), path.matches("::").count(), path.clone());
        let shortest =
            |paths: &BTreeSet<String>| paths.iter().min_by_key(|path| key(path)).cloned().unwrap_or_default();
        self.items.iter().map(|(target, paths)| (*target, shortest(paths))).collect()
    }
}

/// The item's name if users can see it in a public module.
fn listed_name(item: &Item) -> Option<String> {
    let visibility = match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::TraitAlias(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Union(item) => &item.vis,
        _ => return None,
    };
    (is_public(visibility) && !is_hidden(attributes(item))).then(|| item_name(item)).flatten()
}

fn item_lines(path: &str, item: &Item, lines: &mut Vec<String>) {
    let shown = shown_attributes(attributes(item));
    let mut push = |path: &str, declaration: String| lines.push(format!("{path}: {shown}{declaration}"));
    match item {
        Item::Const(item) => {
            let (ident, ty) = (&item.ident, &item.ty);
            push(path, one_line(&quote!(pub const #ident: #ty)));
        }
        Item::Static(item) => {
            let (ident, ty) = (&item.ident, &item.ty);
            push(path, one_line(&quote!(pub static #ident: #ty)));
        }
        Item::Fn(item) => push(path, format!("pub {}", one_line(&item.sig))),
        Item::Type(item) => {
            let (ident, generics, ty) = (&item.ident, &item.generics, &item.ty);
            push(path, one_line(&quote!(pub type #ident #generics = #ty)));
        }
        Item::Struct(item) => {
            push(path, declaration("struct", &item.ident, &item.generics));
            derive_lines(path, &item.attrs, lines);
            field_lines(path, &item.fields, FieldVisibility::OwnMark, lines);
        }
        Item::Union(item) => {
            push(path, declaration("union", &item.ident, &item.generics));
            derive_lines(path, &item.attrs, lines);
        }
        Item::Enum(item) => {
            push(path, declaration("enum", &item.ident, &item.generics));
            derive_lines(path, &item.attrs, lines);
            for variant in item.variants.iter().filter(|variant| !is_hidden(&variant.attrs)) {
                let path = format!("{path}::{}", variant.ident);
                lines.push(format!(
                    "{path}: {}variant{}",
                    shown_attributes(&variant.attrs),
                    tuple_types(&variant.fields)
                ));
                field_lines(&path, &variant.fields, FieldVisibility::All, lines);
            }
        }
        Item::Trait(item) => {
            let (bounds, unsafety) = (&item.supertraits, &item.unsafety);
            let colon = (!bounds.is_empty()).then(|| quote!(:));
            let (ident, generics, condition) = (&item.ident, &item.generics, &item.generics.where_clause);
            push(path, one_line(&quote!(pub #unsafety trait #ident #generics #colon #bounds #condition)));
            for member in &item.items {
                trait_member_line(path, member, lines);
            }
        }
        // `listed_name` lets nothing else through.
        _ => {}
    }
}

fn declaration(keyword: &str, ident: &syn::Ident, generics: &Generics) -> String {
    let condition = &generics.where_clause;
    format!("pub {keyword} {}", one_line(&quote!(#ident #generics #condition)))
}

/// Which fields to list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldVisibility {
    /// Those that say `pub`: structs.
    OwnMark,
    /// All of them: variants.
    All,
}

fn field_lines(path: &str, fields: &Fields, visibility: FieldVisibility, lines: &mut Vec<String>) {
    for (field_idx, field) in fields.iter().enumerate() {
        let is_tuple_variant = visibility == FieldVisibility::All && field.ident.is_none();
        let is_visible = visibility == FieldVisibility::All || is_public(&field.vis);
        if is_tuple_variant || !is_visible || is_hidden(&field.attrs) {
            continue;
        }
        let name = field.ident.as_ref().map_or_else(|| field_idx.to_string(), syn::Ident::to_string);
        lines.push(format!("{path}::{name}: field {}", one_line(&field.ty)));
    }
}

fn tuple_types(fields: &Fields) -> String {
    match fields {
        Fields::Unnamed(fields) => {
            let types: Vec<String> = fields.unnamed.iter().map(|field| one_line(&field.ty)).collect();
            format!(" ({})", types.join(", "))
        }
        Fields::Named(_) | Fields::Unit => String::new(),
    }
}

fn trait_member_line(path: &str, member: &TraitItem, lines: &mut Vec<String>) {
    let (ident, attrs, text) = match member {
        TraitItem::Fn(method) => {
            let provided = if method.default.is_some() { " { .. }" } else { "" };
            (&method.sig.ident, &method.attrs, format!("{}{provided}", one_line(&method.sig)))
        }
        TraitItem::Const(item) => {
            let (ident, ty) = (&item.ident, &item.ty);
            let provided = if item.default.is_some() { " = .." } else { "" };
            (ident, &item.attrs, format!("{}{provided}", one_line(&quote!(const #ident: #ty))))
        }
        TraitItem::Type(item) => {
            let (ident, generics, bounds) = (&item.ident, &item.generics, &item.bounds);
            let colon = (!bounds.is_empty()).then(|| quote!(:));
            (ident, &item.attrs, one_line(&quote!(type #ident #generics #colon #bounds)))
        }
        // Macro calls, and what `syn` does not read: nothing to name.
        _ => return,
    };
    if !is_hidden(attrs) {
        lines.push(format!("{path}::{ident}: {}{text}", shown_attributes(attrs)));
    }
}

fn derive_lines(path: &str, attributes: &[Attribute], lines: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        // A derive that does not parse would not have compiled.
        let _ = attribute.parse_nested_meta(|derived| {
            names.insert(one_line(&derived.path));
            Ok(())
        });
    }
    if !names.is_empty() {
        lines.push(format!("{path}: derive {}", names.into_iter().collect::<Vec<_>>().join(", ")));
    }
}

fn impl_lines(
    tree: &ModuleTree,
    module: ModuleIdx,
    block: &ItemImpl,
    homes: &BTreeMap<Target, String>,
    lines: &mut Vec<String>,
) {
    if is_hidden(&block.attrs) {
        return;
    }
    let Some(home) = home_of(tree, module, &block.self_ty, homes) else {
        return;
    };
    if block.trait_.is_some() {
        let mut header = block.clone();
        header.items.clear();
        header.attrs.clear();
        lines.push(format!("{home}: {}", one_line(&header).trim_end_matches("{ }").trim_end()));
        return;
    }
    for member in &block.items {
        match member {
            ImplItem::Fn(method) if is_public(&method.vis) && is_listed_member(&method.attrs) => {
                let (name, shown) = (&method.sig.ident, shown_attributes(&method.attrs));
                lines.push(format!("{home}::{name}: {shown}pub {}", one_line(&method.sig)));
            }
            ImplItem::Const(item) if is_public(&item.vis) && is_listed_member(&item.attrs) => {
                let (ident, ty) = (&item.ident, &item.ty);
                lines.push(format!("{home}::{ident}: {}", one_line(&quote!(pub const #ident: #ty))));
            }
            ImplItem::Macro(call) => macro_call_lines(home, &call.mac, lines),
            // Private members, and what `syn` does not read.
            _ => {}
        }
    }
}

fn is_listed_member(attributes: &[Attribute]) -> bool {
    !is_hidden(attributes) && !is_test(attributes)
}

/// The public path of the type that an `impl` is for, looking through references.
fn home_of<'a>(
    tree: &ModuleTree,
    module: ModuleIdx,
    ty: &Type,
    homes: &'a BTreeMap<Target, String>,
) -> Option<&'a String> {
    match ty {
        Type::Reference(reference) => home_of(tree, module, &reference.elem, homes),
        Type::Path(path) => {
            let segments: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            tree.resolve(module, &segments).iter().find_map(|target| homes.get(target))
        }
        _ => None,
    }
}

fn shown_attributes(attributes: &[Attribute]) -> String {
    let shown =
        attributes.iter().filter(|attribute| SHOWN_ATTRIBUTES.iter().any(|name| attribute.path().is_ident(name)));
    shown
        .map(|attribute| {
            let path = one_line(attribute.path());
            match &attribute.meta {
                syn::Meta::List(list) => format!("#[{path}({})] ", one_line(&list.tokens)),
                // The text of `#[must_use = "…"]` is prose.
                syn::Meta::Path(_) | syn::Meta::NameValue(_) => format!("#[{path}] "),
            }
        })
        .collect()
}

/// One line per entry of a macro call, without documentation and code.
fn macro_call_lines(path: &str, call: &syn::Macro, lines: &mut Vec<String>) {
    let name = one_line(&call.path);
    if PRIVATE_MACROS.iter().any(|private| name.ends_with(private)) {
        return;
    }
    let mut entry = TokenStream::new();
    let mut entries = Vec::new();
    for token in without_documentation(call.tokens.clone()) {
        match &token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => entries.push(std::mem::take(&mut entry)),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                entry.extend(quote!({ .. }));
                entries.push(std::mem::take(&mut entry));
            }
            TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                entry.extend([token]);
            }
        }
    }
    entries.push(entry);
    for entry in entries.into_iter().filter(|entry| !entry.is_empty()) {
        lines.push(format!("{path}: {name}! {}", one_line(&entry.to_token_stream())));
    }
}

/// Top-level tokens without attributes and string literals.
fn without_documentation(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let after_hash = matches!(kept.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == '#');
        match &token {
            TokenTree::Group(group) if after_hash && group.delimiter() == Delimiter::Bracket => {
                kept.pop();
            }
            TokenTree::Literal(literal) if literal.to_string().starts_with(['"', 'r']) => {}
            TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => kept.push(token),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lines(&ModuleTree::parse("sample", text)), expected);
    }

    #[test]
    fn functions_and_modules() {
        check(
            "pub fn f(x: f64) -> f64 { x } fn g() {} pub(crate) fn h() {} #[doc(hidden)] pub fn i() {}
             pub mod a { #[must_use = \"why\"] pub fn f() {} } mod b { pub fn f() {} } #[doc(hidden)] pub mod c { pub fn f() {} }
             #[cfg(test)] pub mod tests { pub fn f() {} }",
            &[
                "sample: crate",
                "sample::a: pub mod",
                "sample::a::f: #[must_use] pub fn f()",
                "sample::f: pub fn f(x: f64) -> f64",
            ],
        );
    }

    #[test]
    fn private_homes_are_listed_where_they_are_re_exported() {
        check(
            "mod array { pub struct Array { pub len: usize, data: u8 } impl Array { pub fn new() -> Self { todo() } fn x() {} } }
             mod ops { use crate::array::Array; impl std::ops::Neg for &Array { type Output = Array; } }
             pub use array::Array; pub mod prelude { pub use crate::Array; pub use std::fmt::Display as Show; }",
            &[
                "sample: crate",
                "sample::Array: impl std::ops::Neg for &Array",
                "sample::Array: pub struct Array",
                "sample::Array::len: field usize",
                "sample::Array::new: pub fn new() -> Self",
                "sample::prelude: pub mod",
                "sample::prelude::Array: pub use sample::Array",
                "sample::prelude::Show: pub use std::fmt::Display",
            ],
        );
    }

    #[test]
    fn enums_traits_and_macros() {
        check(
            "#[derive(Clone, Debug)] #[non_exhaustive] pub enum Kind { A, B(u8, Vec<u8>), C { x: f64 } }
             pub trait Tree: Clone { type Map<L: Tree>: Tree; const N: usize; fn f(&self); fn g() {} }
             #[macro_export] macro_rules! m { () => {} }
             unary! { /// Sine.
                      sin => Sin, cos => Cos { 1 } }",
            &[
                "sample: crate",
                "sample: unary! cos => Cos { .. }",
                "sample: unary! sin => Sin",
                "sample::Kind: #[non_exhaustive] pub enum Kind",
                "sample::Kind: derive Clone, Debug",
                "sample::Kind::A: variant",
                "sample::Kind::B: variant (u8, Vec<u8>)",
                "sample::Kind::C: variant",
                "sample::Kind::C::x: field f64",
                "sample::Tree: pub trait Tree: Clone",
                "sample::Tree::Map: type Map<L: Tree>: Tree",
                "sample::Tree::N: const N: usize",
                "sample::Tree::f: fn f(&self)",
                "sample::Tree::g: fn g() { .. }",
                "sample::m!: macro_rules",
            ],
        );
    }

    #[test]
    fn a_private_module_of_the_same_name_is_not_public() {
        check(
            "mod scan { pub fn scan() {} pub fn other() {} } pub use scan::scan;",
            &["sample: crate", "sample::scan: pub fn scan()"],
        );
    }
}
