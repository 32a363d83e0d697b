//! The worker's side of the protocol: one request per line, one answer per line, both JSON. `xtask/src/bench/worker.rs`
//! is the other side, `xtask/bench/worker.py` JAX's worker.
//!
//! | request | answer |
//! | --- | --- |
//! | `{"request": "list"}` | `{"names": […]}` |
//! | `{"request": "prepare", "name": …}` | `{"first_call_ns": …, "results": […]}` |
//! | `{"request": "run", "name": …, "n": …}` | `{"ns": …}` for `n` calls |
//!
//! `prepare` drops what was prepared before. A failure is `{"error": …}`.

use crate::workload::{Prepared, Workload};
use dini::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, Write, stdin, stdout},
    time::Instant,
};

#[derive(Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
enum Request {
    List,
    Prepare { name: String },
    Run { name: String, n: u64 },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Names { names: Vec<String> },
    Prepared { first_call_ns: u64, results: Vec<Digest> },
    Ran { ns: u64 },
    Failed { error: String },
}

/// What is told of one result: enough to see whether two results are the same.
#[derive(Serialize)]
struct Digest {
    len: usize,
    mean: f64,
    mean_abs: f64,
    /// Elements at even distances, the first among them.
    elements: Vec<f64>,
}

/// Answers until the input ends.
pub fn run(workloads: &[Workload]) -> Result<()> {
    let mut prepared: Option<(String, Box<dyn Prepared>)> = None;
    for line in stdin().lock().lines() {
        let line = line.map_err(Error::user)?;
        let answer =
            answer(workloads, &mut prepared, &line).unwrap_or_else(|e| Answer::Failed { error: e.to_string() });
        let mut out = stdout().lock();
        serde_json::to_writer(&mut out, &answer).map_err(Error::user)?;
        writeln!(out).and_then(|()| out.flush()).map_err(Error::user)?;
    }
    Ok(())
}

fn answer(workloads: &[Workload], prepared: &mut Option<(String, Box<dyn Prepared>)>, line: &str) -> Result<Answer> {
    match serde_json::from_str(line).map_err(Error::user)? {
        Request::List => Ok(Answer::Names { names: workloads.iter().map(|w| w.name.clone()).collect() }),
        Request::Prepare { name } => {
            *prepared = None;
            let workload = workloads.iter().find(|w| w.name == name);
            let workload = workload.ok_or_else(|| Error::message(format!("there is no workload `{name}`")))?;
            let built = (workload.prepare)()?;
            let started = Instant::now();
            let results = built.results()?;
            let first_call_ns = started.elapsed().as_nanos() as u64;
            *prepared = Some((name, built));
            Ok(Answer::Prepared { first_call_ns, results: results.iter().map(digest).collect::<Result<_>>()? })
        }
        Request::Run { name, n } => match prepared {
            Some((ready, built)) if *ready == name => Ok(Answer::Ran { ns: built.run(n)?.as_nanos() as u64 }),
            Some(_) | None => Err(Error::message(format!("`{name}` is not prepared"))),
        },
    }
}

fn digest(x: &Array) -> Result<Digest> {
    const MOST_ELEMENTS: usize = 16;
    let x = x.cast(DType::F64).to_vec::<f64>()?;
    let len = x.len();
    let mean = |of: fn(&f64) -> f64| x.iter().map(of).sum::<f64>() / len as f64;
    let elements = x.iter().step_by(len.div_ceil(MOST_ELEMENTS).max(1)).copied().collect();
    Ok(Digest { len, mean: mean(|x| *x), mean_abs: mean(|x| x.abs()), elements })
}
