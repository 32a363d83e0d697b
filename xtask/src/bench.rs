//! `bench`: each workload in our worker process and in another library's, in turns, and the ratios of the medians.
//!
//! Both workers speak one line protocol (`bench/worker.rs`), prove by their results that they compute the same, and run
//! on the same processors. A time without an equal result is never printed. The rows and what they must reach are data,
//! in `bench/rows.rs`; what bounds a row that falls short is written by hand beside the workloads.

mod conditions;
mod report;
mod rows;
mod sample;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{Failure, python};
use conditions::Conditions;
use report::{Measured, Outcome, Reported, Side};
use rows::Row;
use sample::{Quartiles, next_count};
use worker::Worker;

/// What bounds rows that fall short, relative to the root.
const NOTES: &str = "crates/dini/benches/workloads/bounds.txt";

#[derive(Args)]
pub struct Options {
    /// The library to compare with; it is installed in a throw-away virtual environment
    #[arg(long, value_enum)]
    against: Against,
    /// Measure only workloads whose names contain this, and leave docs/benchmarks.md alone
    #[arg(long, default_value = "")]
    only: String,
    /// Samples of each workload in each library; medians count
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Processors for each library
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2))]
    threads: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Against {
    Jax,
}

/// Commands that start what is measured.
struct Programs {
    ours: PathBuf,
    python: PathBuf,
    scripts: PathBuf,
    threads: u32,
}

impl Programs {
    fn limited(&self, mut command: Command) -> Command {
        for variable in ["DINI_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(variable, self.threads.to_string());
        }
        command
    }

    fn ours(&self, mode: &str) -> Command {
        let mut command = Command::new(&self.ours);
        command.arg(mode);
        self.limited(command)
    }

    fn theirs(&self, script: &str) -> Command {
        let mut command = python::command(&self.python);
        command.arg(self.scripts.join(script));
        self.limited(command)
    }
}

/// Measures, prints and, unless rows were selected, writes docs/benchmarks.md.
pub fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let Against::Jax = options.against;
    let scripts = root.join("xtask/bench");
    let python = python::virtual_environment(root, "bench-venv", &scripts.join("requirements.txt"))?;
    let programs = Programs { ours: build_workloads(root)?, python, scripts, threads: options.threads };
    let conditions = Conditions::of_this_machine(&programs.python, options.threads, options.samples)?;

    let mut ours = Worker::start("dini", programs.ours("serve"))?;
    let mut theirs = Worker::start("JAX", programs.theirs("worker.py"))?;
    let rows = rows::rows();
    rows::check_names(&rows, &ours.list()?, &theirs.list()?)?;
    let selected: Vec<&Row> = rows.iter().filter(|row| row.name.contains(&options.only)).collect();

    let n_measured = selected.len() as u64;
    let bar = progress_bar(n_measured * u64::from(options.samples))?;
    let mut outcomes = Vec::new();
    for row in selected {
        bar.set_message(row.name);
        let outcome = match measure(row, &mut ours, &mut theirs, options.samples, &bar) {
            Ok(measured) => Outcome::Measured(measured),
            Err(failure) => {
                // A worker may have died over it.
                ours = Worker::start("dini", programs.ours("serve"))?;
                theirs = Worker::start("JAX", programs.theirs("worker.py"))?;
                Outcome::Failed(failure.to_string())
            }
        };
        outcomes.push(Reported { row, outcome });
    }
    bar.finish_and_clear();
    drop((ours, theirs));
    print!("{}", report::terminal_table(&outcomes));

    if options.only.is_empty() {
        let from_start = first_gradients(&programs, options.samples)?;
        println!("\nfirst gradient from the start of the process: JAX {}, dini {}", from_start.theirs, from_start.ours);
        let notes_path = root.join(NOTES);
        let notes = report::notes(&fs::read_to_string(&notes_path).map_err(Failure::at(&notes_path))?)?;
        let path = root.join("docs/benchmarks.md");
        let old = fs::read_to_string(&path).unwrap_or_default();
        let section = report::section(&conditions, &outcomes, &from_start, &notes);
        fs::write(&path, report::document(&old, options.threads, &section)).map_err(Failure::at(&path))?;
        println!("wrote {}", path.display());
    }
    let n_failed = outcomes.iter().filter(|reported| matches!(reported.outcome, Outcome::Failed(_))).count();
    if n_failed == 0 { Ok(()) } else { Err(Failure::new(format!("{n_failed} workloads failed or gave other results"))) }
}

/// Builds our worker and asks Cargo where it is.
fn build_workloads(root: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--package", "dini", "--bench", "workloads", "--message-format", "json"]);
    command.current_dir(root).stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(|cause| Failure::new(format!("cannot start {command:?}: {cause}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{command:?} ended with {}", output.status)));
    }
    executable_of("workloads", &String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Failure::new("cargo built no executable `workloads`"))
}

/// The executable of a target, from Cargo's messages: one JSON object per line.
fn executable_of(target: &str, messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let artifacts = messages.filter(|message| message["target"]["name"] == target);
    artifacts.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back()
}

fn progress_bar(n_samples: u64) -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} samples, {eta} left: {msg}");
    Ok(ProgressBar::new(n_samples).with_style(style.map_err(|cause| Failure::new(cause.to_string()))?))
}

/// First calls, the comparison of their results, then samples in turns.
fn measure(
    row: &Row,
    ours: &mut Worker,
    theirs: &mut Worker,
    samples: u32,
    bar: &ProgressBar,
) -> Result<Measured, Failure> {
    let our_first = ours.prepare(row.name)?;
    let their_first = theirs.prepare(row.name)?;
    let difference = worker::difference(&our_first.results, &their_first.results)
        .map_err(|reason| Failure::new(format!("the results differ: {reason}")))?;
    if difference > row.tolerance {
        let tolerance = row.tolerance;
        return Err(Failure::new(format!("the results differ by {difference:.1e}, accepted are {tolerance:.0e}")));
    }
    let our_count = calibrate(ours, row.name)?;
    let their_count = calibrate(theirs, row.name)?;
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        our_times.push(ours.run(row.name, our_count)? as f64 / our_count as f64);
        their_times.push(theirs.run(row.name, their_count)? as f64 / their_count as f64);
        bar.inc(1);
    }
    Ok(Measured {
        ours: Side { first_call_ns: our_first.first_call_ns as f64, call: Quartiles::of(our_times) },
        theirs: Side { first_call_ns: their_first.first_call_ns as f64, call: Quartiles::of(their_times) },
    })
}

/// How many calls make a sample long enough.
fn calibrate(worker: &mut Worker, name: &str) -> Result<u64, Failure> {
    let mut count = 1;
    loop {
        match next_count(count, worker.run(name, count)?) {
            Some(more) => count = more,
            None => return Ok(count),
        }
    }
}

/// Both libraries' times from the start of a process to its first gradient.
struct FromStart {
    ours: Quartiles,
    theirs: Quartiles,
}

fn first_gradients(programs: &Programs, samples: u32) -> Result<FromStart, Failure> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        let (our_time, our_value) = worker::time_to_first_line(programs.ours("first-gradient"))?;
        let (their_time, their_value) = worker::time_to_first_line(programs.theirs("first_gradient.py"))?;
        if (our_value - their_value).abs() > 1e-12 {
            return Err(Failure::new(format!("first gradients differ: {our_value} and {their_value}")));
        }
        our_times.push(our_time);
        their_times.push(their_time);
    }
    Ok(FromStart { ours: Quartiles::of(our_times), theirs: Quartiles::of(their_times) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"dini\"},\"executable\":null}\n",
            "not JSON\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"workloads\"},\"executable\":\"/a/workloads-1\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable_of("workloads", messages), Some(PathBuf::from("/a/workloads-1")));
        assert_eq!(executable_of("other", messages), None);
    }
}
