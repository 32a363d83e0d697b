//! The AC power flow of an electrical grid, differentiated through its solver.
//!
//! Newton's method solves the published IEEE 14-, 57- and 118-bus cases. Because the solution is a [`custom_root`], it has
//! derivatives: how losses and voltages depend on every load and every set-point, for one linear system each. They are
//! checked against finite differences, computed again for a thousand scenarios, and followed downhill.
//!
//! Begin with `power_flow/network.rs`, the function; `power_flow/study.rs` is what its derivatives are good for.
//!
//! ```text
//! cargo run --release --example power_flow -- --case 57 --scenarios 200 --out picture.svg
//! ```
//!
//! [`custom_root`]: dini::custom_root

#[path = "power_flow/case.rs"]
mod case;
#[path = "power_flow/network.rs"]
mod network;
#[path = "power_flow/picture.rs"]
mod picture;
#[path = "power_flow/report.rs"]
mod report;
#[path = "power_flow/study.rs"]
mod study;
#[path = "power_flow/table.rs"]
mod table;

use clap::Parser;
use std::{fs, path::PathBuf, process::ExitCode};
use study::{Outcome, Study};

/// Solves AC power flows, and differentiates through the solver.
#[derive(Parser)]
struct Options {
    /// 14, 57 or 118 for an IEEE test case, or the path of a MATPOWER case file [default: check all three, study 118]
    #[arg(long)]
    case: Option<String>,
    /// How many load scenarios to solve and differentiate
    #[arg(long, default_value_t = 1000)]
    scenarios: usize,
    /// Where to write the picture
    #[arg(long, default_value = "power_flow.svg")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The library's errors begin with their kind.
            match error.downcast_ref::<dini::Error>() {
                Some(error) => eprintln!("{error}"),
                None => eprintln!("error: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<()> {
    if options.case.is_none() {
        Study::new("14")?.compare_with_published()?;
        Study::new("57")?.compare_with_published()?;
    }
    let study = Study::new(options.case.as_deref().unwrap_or("118"))?;
    study.compare_with_published()?;
    let sensitivities = study.sensitivities()?;
    study.check_by_differences(&sensitivities)?;
    print!("{}", report::tables(&study.case, &study.network.controlled, &study.voltages, &sensitivities)?);
    study.scenarios(options.scenarios)?;
    let improved = study.lower_losses()?;

    let picture = report::picture(&study.name, &study.case, &study.voltages, &improved, &sensitivities)?;
    fs::write(&options.out, picture)
        .map_err(|e| format!("{}: cannot write the picture: {e}", options.out.display()))?;
    println!("\npicture: {}", options.out.display());
    if let Some(megabytes) = peak_memory() {
        println!("peak memory: {megabytes:.0} MB");
    }
    Ok(())
}

/// The most memory that this process has held, in MB, where the system tells (Linux).
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1000.0)
}
