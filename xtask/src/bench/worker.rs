//! A worker process and what is said to it: one request per line, one answer per line, both JSON.
//!
//! The table of requests is in `crates/dini/benches/workloads/serve.rs`. This side knows nothing of what the names mean.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Failure;

#[derive(Serialize)]
#[serde(tag = "request", rename_all = "lowercase")]
enum Request<'a> {
    List,
    Prepare { name: &'a str },
    Run { name: &'a str, n: u64 },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Failed { error: String },
    Given(T),
}

#[derive(Deserialize)]
struct Names {
    names: Vec<String>,
}

/// A workload's first call: tracing, compiling, running.
#[derive(Deserialize)]
pub struct FirstCall {
    pub first_call_ns: u64,
    pub results: Vec<Digest>,
}

/// What is told of one result.
#[derive(Clone, Debug, Deserialize)]
pub struct Digest {
    len: usize,
    mean: f64,
    mean_abs: f64,
    /// Elements at even distances.
    elements: Vec<f64>,
}

#[derive(Deserialize)]
struct Ran {
    ns: u64,
}

/// A process that answers; it ends when this is dropped.
pub struct Worker {
    library: &'static str,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(library: &'static str, mut command: Command) -> Result<Worker, Failure> {
        let cannot =
            |cause: &dyn std::fmt::Display| Failure::new(format!("cannot start the worker of {library}: {cause}"));
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|cause| cannot(&cause))?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or_else(|| cannot(&"it has no output"))?;
        Ok(Worker { library, process, input, output: BufReader::new(output) })
    }

    /// The names of its workloads.
    pub fn list(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask::<Names>(&Request::List)?.names)
    }

    /// Makes a workload's inputs, then calls it for the first time.
    pub fn prepare(&mut self, name: &str) -> Result<FirstCall, Failure> {
        self.ask(&Request::Prepare { name })
    }

    /// Calls the prepared workload `n` times; in nanoseconds.
    pub fn run(&mut self, name: &str, n: u64) -> Result<u64, Failure> {
        Ok(self.ask::<Ran>(&Request::Run { name, n })?.ns)
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request<'_>) -> Result<T, Failure> {
        let library = self.library;
        let failed = |cause: String| Failure::new(format!("{library}: {cause}"));
        let mut line = serde_json::to_string(request).map_err(|cause| failed(cause.to_string()))?;
        line.push('\n');
        let input = self.input.as_mut().ok_or_else(|| failed("the worker has no input".to_owned()))?;
        input.write_all(line.as_bytes()).map_err(|cause| failed(cause.to_string()))?;
        line.clear();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(failed("the worker ended".to_owned())),
            Ok(_) => understand(&line).map_err(failed),
            Err(cause) => Err(failed(cause.to_string())),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The worker ends with its input; how it ends no longer matters.
        self.input = None;
        let _ = self.process.wait();
    }
}

fn understand<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    match serde_json::from_str(line) {
        Ok(Answer::Given(given)) => Ok(given),
        Ok(Answer::Failed { error }) => Err(error),
        // A result that is not finite is no JSON number and ends here too.
        Err(cause) => Err(format!("the answer is not understood ({cause}): {}", line.trim_end())),
    }
}

/// The largest difference of two lists of results, relative to the larger of the two numbers and to the mean magnitude of
/// the result that they belong to. Or the reason why they cannot be compared.
pub fn difference(ours: &[Digest], theirs: &[Digest]) -> Result<f64, String> {
    if ours.len() != theirs.len() {
        return Err(format!("{} results and {}", ours.len(), theirs.len()));
    }
    let mut largest = 0.0_f64;
    for (a, b) in ours.iter().zip(theirs) {
        if (a.len, a.elements.len()) != (b.len, b.elements.len()) {
            return Err(format!("{} elements and {}", a.len, b.len));
        }
        let summary = [(a.mean, b.mean), (a.mean_abs, b.mean_abs)];
        for (x, y) in a.elements.iter().copied().zip(b.elements.iter().copied()).chain(summary) {
            let scale = x.abs().max(y.abs()).max(a.mean_abs);
            largest = largest.max(if x == y { 0.0 } else { (x - y).abs() / scale });
        }
    }
    Ok(largest)
}

/// Starts a process and waits for the line with its one number: nanoseconds, and the number.
pub fn time_to_first_line(mut command: Command) -> Result<(f64, f64), Failure> {
    let cannot = |cause: &dyn std::fmt::Display| Failure::new(format!("no first gradient: {cause}"));
    let started = Instant::now();
    let mut process = command.stdout(Stdio::piped()).spawn().map_err(|cause| cannot(&cause))?;
    let output = process.stdout.take().ok_or_else(|| cannot(&"the process has no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(|cause| cannot(&cause))?;
    let ns = started.elapsed().as_nanos() as f64;
    process.wait().map_err(|cause| cannot(&cause))?;
    Ok((ns, line.trim().parse().map_err(|cause| cannot(&cause))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_lines_of_json() {
        let line = |request: &Request<'_>| serde_json::to_string(request).unwrap();
        assert_eq!(line(&Request::List), r#"{"request":"list"}"#);
        assert_eq!(line(&Request::Prepare { name: "a/b" }), r#"{"request":"prepare","name":"a/b"}"#);
        assert_eq!(line(&Request::Run { name: "a", n: 3 }), r#"{"request":"run","name":"a","n":3}"#);
    }

    #[test]
    fn answers_are_given_or_failed_or_not_understood() {
        assert_eq!(understand::<Ran>("{\"ns\": 12}\n").map(|ran| ran.ns), Ok(12));
        assert_eq!(understand::<Ran>(r#"{"error": "no"}"#).map(|ran| ran.ns), Err("no".to_owned()));
        let not_finite = r#"{"first_call_ns": 1, "results": [{"len": 1, "mean": NaN}]}"#;
        assert!(understand::<FirstCall>(not_finite).is_err_and(|e| e.contains("NaN")));
    }

    fn digest(elements: &[f64]) -> Digest {
        let mean = |of: fn(f64) -> f64| elements.iter().map(|x| of(*x)).sum::<f64>() / elements.len() as f64;
        Digest { len: elements.len(), mean: mean(|x| x), mean_abs: mean(f64::abs), elements: elements.to_vec() }
    }

    #[test]
    fn differences_are_relative() {
        let check = |a: &[f64], b: &[f64]| difference(&[digest(a)], &[digest(b)]);
        assert_eq!(check(&[1.0, 2.0], &[1.0, 2.0]), Ok(0.0));
        assert_eq!(check(&[100.0], &[101.0]), Ok(1.0 / 101.0));
        // Beside large elements a small one counts for little.
        assert!(check(&[1e-20, 2.0], &[0.0, 2.0]).is_ok_and(|found| found < 1e-19));
        assert_eq!(check(&[0.0], &[0.0]), Ok(0.0));
        assert_eq!(check(&[1.0], &[1.0, 1.0]), Err("1 elements and 2".to_owned()));
        assert_eq!(difference(&[], &[digest(&[1.0])]), Err("0 results and 1".to_owned()));
    }
}
