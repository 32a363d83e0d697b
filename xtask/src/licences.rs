//! `licences`: every dependency may be used under a licence that we accept, and no crate is built in two versions.
//!
//! Reads `cargo metadata`, so dependencies of every platform count, not only those of the machine at hand.

mod expression;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Failure;
use expression::Expression;

/// Licences that ask for no more than a notice.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may appear in several versions, each with the reason why it cannot be helped.
const SEVERAL_VERSIONS: &[(&str, &str)] =
    &[("syn", "derive macros of dependencies move from one major version to the next at their own pace")];

/// One package of the dependency graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The SPDX expression of the manifest; `None` if the package names only a licence file, or nothing.
    licence: Option<String>,
}

/// Checks the whole dependency graph of the workspace.
pub fn run(root: &Path) -> Result<(), Failure> {
    let packages = packages(&metadata(root)?)?;
    let (accepted_duplicates, mut problems) = duplicates(&packages);
    problems.extend(packages.iter().filter_map(licence_problem));
    for line in accepted_duplicates {
        println!("{line}");
    }
    if problems.is_empty() {
        println!("licences: {} packages, all acceptable", packages.len());
        return Ok(());
    }
    Err(Failure::new(format!("licences:\n  {}", problems.join("\n  "))))
}

fn metadata(root: &Path) -> Result<Value, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|cause| Failure::new(format!("cannot start cargo: {cause}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr))));
    }
    serde_json::from_slice(&output.stdout).map_err(|cause| Failure::new(format!("cargo metadata: {cause}")))
}

fn packages(metadata: &Value) -> Result<Vec<Package>, Failure> {
    let entries = metadata["packages"].as_array().ok_or_else(|| Failure::new("cargo metadata has no `packages`"))?;
    let mut packages: Vec<Package> = entries
        .iter()
        .map(|entry| Package {
            name: entry["name"].as_str().unwrap_or_default().to_owned(),
            version: entry["version"].as_str().unwrap_or_default().to_owned(),
            licence: entry["license"].as_str().map(str::to_owned),
        })
        .collect();
    packages.sort();
    Ok(packages)
}

fn licence_problem(package: &Package) -> Option<String> {
    let Package { name, version, licence } = package;
    let Some(licence) = licence else {
        return Some(format!("{name} {version} states no licence expression"));
    };
    match Expression::parse(licence) {
        Err(cause) => Some(format!("{name} {version}: cannot read licence `{licence}`: {cause}")),
        Ok(expression) if expression.is_satisfied_by(&|id| ACCEPTED.contains(&id)) => None,
        Ok(_) => Some(format!("{name} {version} is under `{licence}`, which is not accepted")),
    }
}

/// Crates in several versions: lines about those that [`SEVERAL_VERSIONS`] names, and problems for the others.
fn duplicates(packages: &[Package]) -> (Vec<String>, Vec<String>) {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let (mut accepted, mut problems) = (Vec::new(), Vec::new());
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
        match SEVERAL_VERSIONS.iter().find(|(accepted, _)| *accepted == name) {
            Some((_, reason)) => accepted.push(format!("{name} is built in versions {versions}: {reason}")),
            None => problems.push(format!("{name} is built in versions {versions}; use one, or give a reason here")),
        }
    }
    (accepted, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: Option<&str>) -> Package {
        Package { name: name.to_owned(), version: version.to_owned(), licence: licence.map(str::to_owned) }
    }

    #[test]
    fn accepts_by_choice_and_refuses_by_need() {
        assert_eq!(licence_problem(&package("a", "1.0.0", Some("MPL-2.0 OR MIT"))), None);
        assert_eq!(
            licence_problem(&package("a", "1.0.0", Some("MPL-2.0"))).as_deref(),
            Some("a 1.0.0 is under `MPL-2.0`, which is not accepted")
        );
        assert_eq!(
            licence_problem(&package("b", "2.0.0", None)).as_deref(),
            Some("b 2.0.0 states no licence expression")
        );
    }

    #[test]
    fn finds_two_versions() {
        let packages = [package("a", "1.0.0", None), package("a", "2.0.0", None), package("syn", "2.0.0", None)];
        let (accepted, problems) = duplicates(&packages);
        assert!(accepted.is_empty());
        assert_eq!(problems, ["a is built in versions 1.0.0, 2.0.0; use one, or give a reason here"]);
    }
}
