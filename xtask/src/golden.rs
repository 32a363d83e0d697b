//! `golden`: runs the Python scripts of `xtask/golden/` in a throw-away virtual environment under `target/`.
//!
//! The scripts write the reference values that the tests compare with (`crates/dini/tests/golden/*.json`) and the
//! power-flow cases of the examples. Their results are committed, so neither tests nor CI need Python.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Failure, python};

/// Runs all scripts, or those named in `only`, and lists what they wrote.
pub fn run(root: &Path, only: &[String]) -> Result<(), Failure> {
    let folder = root.join("xtask/golden");
    let scripts = scripts_in(&folder, only)?;
    let python = python::virtual_environment(root, "golden-venv", &folder.join("requirements.txt"))?;
    for script in &scripts {
        println!("running {}", script.display());
        python::succeed(python::command(&python).arg(script).current_dir(root))?;
    }
    Ok(())
}

/// The scripts of the folder, sorted; a name that begins with `_` is a module that the others import.
fn scripts_in(folder: &Path, only: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::at(folder))? {
        let path = entry.map_err(Failure::at(folder))?.path();
        let is_python = path.extension().is_some_and(|extension| extension == "py");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if is_python && !stem.starts_with('_') && (only.is_empty() || only.contains(&stem)) {
            scripts.push((stem, path));
        }
    }
    if let Some(missing) = only.iter().find(|name| scripts.iter().all(|(stem, _)| stem != *name)) {
        return Err(Failure::new(format!("there is no script `{missing}.py` in {}", folder.display())));
    }
    scripts.sort();
    Ok(scripts.into_iter().map(|(_, path)| path).collect())
}
