//! The modules of one crate, parsed, and name lookup through them.
//!
//! Lookup knows modules, items, renamed and glob imports: what it takes to follow a `pub use` to its item. It ignores
//! privacy, because the compiler has checked that already. Items under `#[cfg(test)]` are not there at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, UseTree, Visibility};

use crate::Failure;

/// Index of a module in its [`ModuleTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleIdx(usize);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A module of this crate.
    Module(ModuleIdx),
    /// The item with this index in a module of this crate.
    Item(ModuleIdx, usize),
}

/// One name that a `use` declaration brings in.
#[derive(Clone, Debug)]
pub struct Import {
    /// The segments as written, without the alias.
    pub path: Vec<String>,
    /// The name in the importing module; `None` for a glob.
    pub name: Option<String>,
    /// Whether the declaration is `pub use`.
    pub is_public: bool,
}

/// One module.
pub struct Module {
    /// The enclosing module; `None` for the crate root.
    pub parent: Option<ModuleIdx>,
    /// Child modules by name, with whether each is `pub` and not `#[doc(hidden)]`.
    pub children: BTreeMap<String, (ModuleIdx, bool)>,
    /// Everything in it except modules and imports.
    pub items: Vec<Item>,
    /// Its `use` declarations, flattened.
    pub imports: Vec<Import>,
}

/// All modules of a crate; the root comes first.
pub struct ModuleTree {
    /// As code writes it: with `_`.
    pub crate_name: String,
    modules: Vec<Module>,
}

impl ModuleTree {
    /// The crate's root module.
    pub const ROOT: ModuleIdx = ModuleIdx(0);

    /// Parses `source_root` (a `lib.rs`) and the files of its modules.
    pub fn read(crate_name: &str, source_root: &Path) -> Result<Self, Failure> {
        let mut tree = ModuleTree { crate_name: crate_name.to_owned(), modules: Vec::new() };
        let items = parse_file(source_root)?;
        let folder = source_root.parent().unwrap_or(Path::new(".")).to_path_buf();
        tree.add(None, items, &folder)?;
        Ok(tree)
    }

    /// Parses a crate that is a single text; its modules are all inline.
    #[cfg(test)]
    pub fn parse(crate_name: &str, text: &str) -> Self {
        let mut tree = ModuleTree { crate_name: crate_name.to_owned(), modules: Vec::new() };
        let items = syn::parse_file(text).expect("test source").items;
        tree.add(None, items, Path::new("no such folder")).expect("test source");
        tree
    }

    /// The module with this index.
    pub fn module(&self, idx: ModuleIdx) -> &Module {
        &self.modules[idx.0]
    }

    /// All modules, the root first.
    pub fn modules(&self) -> impl Iterator<Item = (ModuleIdx, &Module)> {
        self.modules.iter().enumerate().map(|(idx, module)| (ModuleIdx(idx), module))
    }

    /// `folder` is where the files of the module's children lie.
    fn add(&mut self, parent: Option<ModuleIdx>, items: Vec<Item>, folder: &Path) -> Result<ModuleIdx, Failure> {
        let idx = ModuleIdx(self.modules.len());
        self.modules.push(Module { parent, children: BTreeMap::new(), items: Vec::new(), imports: Vec::new() });
        for item in items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => {}
                Item::Mod(module) => {
                    let name = name_of(&module.ident);
                    let child_folder = folder.join(&name);
                    let items = match module.content {
                        Some((_, items)) => items,
                        None => parse_file(&module_file(folder, &name, &module.attrs))?,
                    };
                    let is_listed = is_public(&module.vis) && !is_hidden(&module.attrs);
                    let child = self.add(Some(idx), items, &child_folder)?;
                    self.modules[idx.0].children.insert(name, (child, is_listed));
                }
                Item::Use(import) if is_test(&import.attrs) => {}
                Item::Use(import) => {
                    let is_listed = is_public(&import.vis) && !is_hidden(&import.attrs);
                    flatten(&import.tree, &mut Vec::new(), is_listed, &mut self.modules[idx.0].imports);
                }
                other if is_test(attributes(&other)) => {}
                other => self.modules[idx.0].items.push(other),
            }
        }
        Ok(idx)
    }

    /// Everything that `path`, written in module `from`, may mean: a name can stand for a module, a function and a type
    /// at once. Empty if it leads out of the crate.
    pub fn resolve(&self, from: ModuleIdx, path: &[String]) -> Vec<Target> {
        self.resolve_path(from, path, &mut Vec::new())
    }

    fn resolve_path(&self, from: ModuleIdx, path: &[String], visiting: &mut Vec<(ModuleIdx, String)>) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else {
            return vec![Target::Module(from)];
        };
        let starts = match first.as_str() {
            "crate" | "$crate" => vec![Target::Module(Self::ROOT)],
            "self" => vec![Target::Module(from)],
            "super" => self.module(from).parent.map(Target::Module).into_iter().collect(),
            name => self.resolve_name(from, name, visiting),
        };
        if rest.is_empty() {
            return starts;
        }
        let mut found = Vec::new();
        for start in starts {
            match start {
                Target::Module(module) if rest[0] == "super" || rest[0] == "self" => {
                    found.extend(self.resolve_path(module, rest, visiting));
                }
                Target::Module(module) => {
                    let next = self.resolve_name(module, &rest[0], visiting);
                    if rest.len() == 1 {
                        found.extend(next);
                        continue;
                    }
                    for target in next {
                        match target {
                            Target::Module(inner) => found.extend(self.resolve_path(inner, &rest[1..], visiting)),
                            // A variant or an associated item: it belongs to its type.
                            Target::Item(..) => {}
                        }
                    }
                }
                Target::Item(..) => {}
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn resolve_name(&self, from: ModuleIdx, name: &str, visiting: &mut Vec<(ModuleIdx, String)>) -> Vec<Target> {
        let module = self.module(from);
        let mut found: Vec<Target> =
            module.children.get(name).map(|(idx, _)| Target::Module(*idx)).into_iter().collect();
        let is_wanted = |item: &Item| item_name(item).as_deref() == Some(name);
        let items = module.items.iter().enumerate().filter(|(_, item)| is_wanted(item));
        found.extend(items.map(|(item_idx, _)| Target::Item(from, item_idx)));
        // `use scan::scan` asks for `scan` while it is being looked up: the module of that name answers, no import does.
        let key = (from, name.to_owned());
        if visiting.contains(&key) {
            return found;
        }
        visiting.push(key);
        for import in module.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            found.extend(self.resolve_path(from, &import.path, visiting));
        }
        if found.is_empty() {
            // Explicit names shadow globs.
            for import in module.imports.iter().filter(|import| import.name.is_none()) {
                for target in self.resolve_path(from, &import.path, visiting) {
                    match target {
                        Target::Module(inner) => found.extend(self.resolve_name(inner, name, visiting)),
                        Target::Item(..) => {}
                    }
                }
            }
        }
        visiting.pop();
        found.sort();
        found.dedup();
        found
    }
}

/// Where the file of `mod name;` lies.
fn module_file(folder: &Path, name: &str, attributes: &[Attribute]) -> PathBuf {
    for attribute in attributes {
        if let syn::Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("path")
            && let syn::Expr::Lit(literal) = &meta.value
            && let syn::Lit::Str(path) = &literal.lit
        {
            return folder.join(path.value());
        }
    }
    let flat = folder.join(format!("{name}.rs"));
    if flat.exists() { flat } else { folder.join(name).join("mod.rs") }
}

fn parse_file(path: &Path) -> Result<Vec<Item>, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::at(path))?;
    let file = syn::parse_file(&text).map_err(|error| {
        Failure::new(format!("{}:{}: {error}", path.display(), error.span().start().line)) //
    })?;
    Ok(file.items)
}

fn flatten(tree: &UseTree, prefix: &mut Vec<String>, is_public: bool, imports: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(name_of(&path.ident));
            flatten(&path.tree, prefix, is_public, imports);
            prefix.pop();
        }
        UseTree::Name(name) => push_import(prefix, &name_of(&name.ident), None, is_public, imports),
        UseTree::Rename(rename) => {
            push_import(prefix, &name_of(&rename.ident), Some(name_of(&rename.rename)), is_public, imports);
        }
        UseTree::Glob(_) => imports.push(Import { path: prefix.clone(), name: None, is_public }),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix, is_public, imports);
            }
        }
    }
}

fn push_import(prefix: &[String], last: &str, alias: Option<String>, is_public: bool, imports: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    // `use a::{self}` imports `a`.
    if last != "self" || path.is_empty() {
        path.push(last.to_owned());
    }
    let name = alias.or_else(|| path.last().cloned());
    imports.push(Import { path, name, is_public });
}

/// An identifier without the `r#` of raw ones, which file names do not have.
pub fn name_of(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// Whether the visibility is plain `pub`.
pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether there is a `#[doc(hidden)]`.
pub fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "hidden")
    })
}

/// Whether there is a `#[cfg(test)]`.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
    })
}

/// The attributes of an item; none for those that we never list.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        // `syn::Item` is not exhaustive; what is left has no place in a public interface of ours.
        _ => &[],
    }
}

/// The name that an item declares in its module.
pub fn item_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name_of(ident))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str, expected: &[&str]) {
        let tree = ModuleTree::parse("sample", text);
        let path: Vec<String> = path.split("::").map(str::to_owned).collect();
        let found = tree.resolve(ModuleTree::ROOT, &path);
        let describe = |target: &Target| match target {
            Target::Module(_) => "module".to_owned(),
            Target::Item(module, item_idx) => item_name(&tree.module(*module).items[*item_idx]).unwrap_or_default(),
        };
        assert_eq!(found.iter().map(describe).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn follows_modules_imports_and_globs() {
        check("mod a { pub fn f() {} }", "a::f", &["f"]);
        check("mod a { pub fn f() {} } use a::f as g;", "g", &["f"]);
        check("mod a { pub fn f() {} } use self::a::*;", "crate::f", &["f"]);
        check("mod a { pub mod b { pub use super::f; } fn f() {} }", "a::b::f", &["f"]);
        check("use std::fmt;", "fmt", &[]);
    }

    #[test]
    fn a_module_and_a_function_may_share_a_name() {
        check("mod scan { pub fn scan() {} } pub use scan::scan;", "scan", &["module", "scan"]);
    }

    #[test]
    fn circular_globs_end() {
        check("mod a { pub use crate::b::*; } mod b { pub use crate::a::*; }", "a::f", &[]);
    }

    #[test]
    fn tests_are_not_there() {
        check("#[cfg(test)] mod a { pub fn f() {} }", "a::f", &[]);
    }
}
