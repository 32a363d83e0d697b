//! Development tasks of the workspace: `cargo run -p xtask -- <task>`.
//!
//! Each task is one file with one public `run` function, which prints what it did and returns a [`Failure`] that `main`
//! turns into exit status 1. Tasks need nothing but the Rust toolchain; `golden` and `bench` also need
//! Python 3 and the network.

mod bench;
mod files;
mod fuzz;
mod golden;
mod licences;
mod public_api;
mod python;
mod tidy;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Development tasks of the dini workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check file headers, file sizes, forbidden macros, `unsafe`, white space and local markdown links
    Tidy,
    /// Check the licences of all dependencies, and that no crate is built in two versions
    Licences,
    /// Write docs/public-api/*.txt, one line per public item of each published crate
    PublicApi {
        /// Change nothing; print the difference and fail if there is one
        #[arg(long)]
        check: bool,
    },
    /// Measure the workloads beside another library's, print the ratios, and write docs/benchmarks.md
    Bench(bench::Options),
    /// Check random graphs and programs until the time is over or one fails; prints the simplest failing one and its seed
    Fuzz(fuzz::Options),
    /// Compute the golden data of the tests and the power-flow cases with JAX and PYPOWER
    Golden {
        /// Run only the scripts with these names, for example `linalg`
        scripts: Vec<String>,
    },
}

/// Why a task failed, in words for the person who ran it.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure with the message `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }

    /// For `map_err` on a file operation: names the file, then the cause.
    pub fn at<E: fmt::Display>(path: &Path) -> impl FnOnce(E) -> Failure {
        move |cause| Failure(format!("{}: {cause}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn main() -> ExitCode {
    let root = workspace_root();
    let done = match Arguments::parse().task {
        Task::Tidy => tidy::run(&root),
        Task::Licences => licences::run(&root),
        Task::PublicApi { check } => public_api::run(&root, check),
        Task::Bench(options) => bench::run(&root, &options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Golden { scripts } => golden::run(&root, &scripts),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace's `Cargo.toml`. Cargo names it at run time; the compiled-in path serves a binary that is
/// started by hand.
fn workspace_root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")), //
        PathBuf::from,
    );
    manifest_dir.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
