//! Python for the tasks that need it: throw-away virtual environments under the target folder, with pinned packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The folder of build output.
pub fn target_folder(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Makes the environment `name` if it is not there, installs the pinned packages, and returns its interpreter.
pub fn virtual_environment(root: &Path, name: &str, requirements: &Path) -> Result<PathBuf, Failure> {
    let environment = target_folder(root).join(name);
    let python = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let python = environment.join(python);
    if !python.exists() {
        let system_python = if cfg!(windows) { "python" } else { "python3" };
        succeed(Command::new(system_python).args(["-m", "venv"]).arg(&environment))?;
    }
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(python)
}

/// A run of an interpreter in which JAX computes on the CPU, in f64 where nothing else is asked for.
pub fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env("JAX_ENABLE_X64", "1").env("JAX_PLATFORMS", "cpu");
    // Leave no compiled copies beside the scripts.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs a command to its end; a failure of it is ours.
pub fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|cause| Failure::new(format!("cannot start {command:?}: {cause}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{command:?} ended with {status}"))) }
}
