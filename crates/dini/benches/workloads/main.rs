//! The programs that are measured beside JAX, through the public interface alone: one short function for each, one file
//! for each topic. Their counterparts are in `xtask/bench/workloads.py`, under the same names and with the same inputs.
//!
//! `cargo run --release -p xtask -- bench --against jax` measures; it starts this program with `serve`. Started by
//! `cargo bench -p dini --bench workloads`, with a part of a name or without, it runs each workload once and says how
//! long that took.

// Where the network, a file of the example, expects its neighbour.
#[expect(dead_code, reason = "the example reads files and limits of buses, which nothing here needs")]
#[path = "../../examples/power_flow/case.rs"]
mod case;
mod elementwise;
mod indexing;
mod inputs;
mod linalg;
mod loops;
#[expect(dead_code, reason = "the example also asks which buses are controlled")]
#[path = "../../examples/power_flow/network.rs"]
mod network;
mod overhead;
mod power_flow;
mod roots;
mod serve;
mod workload;

use dini::Result;
use std::{process::ExitCode, time::Instant};
use workload::Workload;

/// All workloads, in the order of the table.
fn workloads() -> Vec<Workload> {
    [
        overhead::workloads(),
        roots::workloads(),
        loops::workloads(),
        elementwise::workloads(),
        indexing::workloads(),
        linalg::workloads(),
        power_flow::workloads(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> ExitCode {
    // `cargo bench` adds an option of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.first().map(String::as_str) {
        Some("serve") => serve::run(&workloads()),
        Some("first-gradient") => overhead::first_gradient(),
        Some(part) => run_once(part),
        None => run_once(""),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the workloads whose names contain `part`, once after the first call.
fn run_once(part: &str) -> Result<()> {
    println!("{:<32} {:>14} {:>14}", "", "first call", "next call");
    for workload in workloads().iter().filter(|workload| workload.name.contains(part)) {
        let prepared = (workload.prepare)()?;
        let started = Instant::now();
        prepared.results()?;
        let first = started.elapsed();
        println!("{:<32} {:>14} {:>14}", workload.name, format!("{first:.1?}"), format!("{:.1?}", prepared.run(1)?));
    }
    Ok(())
}
