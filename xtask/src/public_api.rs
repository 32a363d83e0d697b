//! `public-api`: a text snapshot of what each published crate offers, one line per item, in `docs/public-api/`.
//!
//! A change of these files is a change of the public interface and is reviewed as one. The snapshot is read from the
//! source, not from the compiler: it needs no nightly toolchain and no build, but it sees macro calls, not what they
//! expand to. Such a call is listed with its arguments, so a new entry in it still shows.

mod listing;
mod module_tree;
mod signature;

use std::cmp::Ordering;
use std::fs;
use std::path::Path;

use crate::Failure;

/// Folder under `crates/` of each published crate; the crate's name is the same with `_`.
const PUBLISHED: &[&str] = &["dini", "dini-cpu", "dini-derive"];

/// Writes the snapshots, or, with `check_only`, compares them with the source.
pub fn run(root: &Path, check_only: bool) -> Result<(), Failure> {
    let folder = root.join("docs/public-api");
    let mut stale = Vec::new();
    for crate_folder in PUBLISHED {
        let source_root = root.join("crates").join(crate_folder).join("src/lib.rs");
        let tree = module_tree::ModuleTree::read(&crate_folder.replace('-', "_"), &source_root)?;
        let now = listing::lines(&tree);
        let snapshot = folder.join(format!("{crate_folder}.txt"));
        if check_only {
            let before = fs::read_to_string(&snapshot).unwrap_or_default();
            let difference = difference(&before.lines().collect::<Vec<_>>(), &now);
            if !difference.is_empty() {
                println!("docs/public-api/{crate_folder}.txt:\n{}", difference.join("\n"));
                stale.push(*crate_folder);
            }
        } else {
            fs::create_dir_all(&folder).map_err(Failure::at(&folder))?;
            let text: String = now.iter().map(|line| format!("{line}\n")).collect();
            fs::write(&snapshot, text).map_err(Failure::at(&snapshot))?;
        }
        println!("public-api: {crate_folder} has {} lines", now.len());
    }
    if stale.is_empty() {
        return Ok(());
    }
    let stale = stale.join(", ");
    Err(Failure::new(format!(
        "the public interface of {stale} changed; run `cargo run -p xtask -- public-api`, review"
    )))
}

/// Lines of `before` that are gone (`-`) and of `now` that are new (`+`), both sorted.
fn difference(before: &[&str], now: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut old, mut new) = (before.iter().peekable(), now.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return lines,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => (**a).cmp(b.as_str()),
        };
        let gone = if order.is_le() { old.next() } else { None };
        let added = if order.is_ge() { new.next() } else { None };
        if order.is_ne() {
            lines.extend(gone.map(|line| format!("- {line}")));
            lines.extend(added.map(|line| format!("+ {line}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[&str], now: &[&str], expected: &[&str]) {
        let now: Vec<String> = now.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(difference(before, &now), expected);
    }

    #[test]
    fn differences_of_sorted_lines() {
        check(&["a", "b"], &["a", "b"], &[]);
        check(&["a", "c"], &["a", "b", "c"], &["+ b"]);
        check(&["a", "b", "c"], &["b", "d"], &["- a", "- c", "+ d"]);
        check(&[], &["a"], &["+ a"]);
        check(&["a"], &[], &["- a"]);
    }
}
