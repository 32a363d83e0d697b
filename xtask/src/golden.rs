//! `golden`: runs the Python scripts of `xtask/golden/` in a throw-away virtual environment under `target/`.
//!
//! The scripts write the reference values that the tests compare with (`crates/dini/tests/golden/*.json`) and the
//! power-flow cases of the examples. Their results are committed, so neither tests nor CI need Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// Runs all scripts, or those named in `only`, and lists what they wrote.
pub fn run(root: &Path, only: &[String]) -> Result<(), Failure> {
    let folder = root.join("xtask/golden");
    let scripts = scripts_in(&folder, only)?;
    let python = virtual_environment(root, &folder.join("requirements.txt"))?;
    for script in &scripts {
        println!("running {}", script.display());
        let mut command = Command::new(&python);
        // f64 everywhere, and the same numbers whether or not the machine has an accelerator.
        command.arg(script).env("JAX_ENABLE_X64", "1").env("JAX_PLATFORMS", "cpu").current_dir(root);
        // Leave no compiled copies beside the scripts.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        succeed(&mut command)?;
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

/// Makes the environment if it is not there, installs the pinned packages, and returns its interpreter.
fn virtual_environment(root: &Path, requirements: &Path) -> Result<PathBuf, Failure> {
    let target = root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let environment = target.join("golden-venv");
    let python = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let python = environment.join(python);
    if !python.exists() {
        let system_python = if cfg!(windows) { "python" } else { "python3" };
        succeed(Command::new(system_python).args(["-m", "venv"]).arg(&environment))?;
    }
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|cause| Failure::new(format!("cannot start {command:?}: {cause}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{command:?} ended with {status}"))) }
}
