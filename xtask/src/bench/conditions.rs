//! What a measurement was made on: processor, versions, and whether the machine was quiet. Nothing that names a machine.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Failure;

/// Gives the process that starts this one the last processors it may use. Its later children inherit them.
const PIN_PARENT: &str = "\
import os, sys
processors = sorted(os.sched_getaffinity(0))[-int(sys.argv[1]):]
os.sched_setaffinity(os.getppid(), processors)
print(len(processors))";

/// The conditions of one run.
pub struct Conditions {
    pub samples: u32,
    /// For example `AMD EPYC, family 25, model 17, 2 cores, AVX-512`.
    pub processor: String,
    pub versions: String,
    /// How many processors the workers are held on; none where the system cannot do that.
    pub pinned_to: Option<u32>,
    /// Processes that wanted to run before measuring began, on average over a minute, where the system tells.
    pub load: Option<f64>,
}

impl Conditions {
    /// Finds them out, and holds this process and what it starts on `threads` processors.
    pub fn of_this_machine(python: &Path, threads: u32, samples: u32) -> Result<Conditions, Failure> {
        let rustc = first_line(Command::new("rustc").arg("--version")).unwrap_or_else(|| "rustc unknown".to_owned());
        let versions = "import jax, jaxlib, platform; \
                        print(f'JAX {jax.__version__}, jaxlib {jaxlib.__version__}, Python {platform.python_version()}')";
        let theirs = first_line(Command::new(python).args(["-c", versions]))
            .ok_or_else(|| Failure::new("JAX cannot be imported in its virtual environment"))?;
        let load = fs::read_to_string("/proc/loadavg").ok();
        let pinned = first_line(Command::new(python).args(["-c", PIN_PARENT, &threads.to_string()]));
        Ok(Conditions {
            samples,
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            versions: format!("dini {}, {}; {theirs}", env!("CARGO_PKG_VERSION"), without_hash(&rustc)),
            pinned_to: pinned.and_then(|count| count.parse().ok()),
            load: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        })
    }
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// `rustc 1.95.0 (hash date)` without what stands in brackets.
fn without_hash(version: &str) -> &str {
    version.split(" (").next().unwrap_or(version)
}

/// A generic description from Linux's `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let Some(model_name) = field("model name") else {
        return std::env::consts::ARCH.to_owned();
    };
    let mut text = model_name.to_owned();
    if let (Some(family), Some(model)) = (field("cpu family"), field("model")) {
        let _ = write!(text, ", family {family}, model {model}");
    }
    let n_cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let _ = write!(text, ", {n_cores} cores");
    let flags: Vec<&str> = field("flags").unwrap_or_default().split(' ').collect();
    let widest = [("avx512f", "AVX-512"), ("avx2", "AVX2")].iter().find(|(flag, _)| flags.contains(flag));
    if let Some((_, name)) = widest {
        let _ = write!(text, ", {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_described_by_family() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: sse avx2 avx512f\n\
                       \nprocessor\t: 1\ncpu family\t: 25\n";
        assert_eq!(processor(cpuinfo), "AMD EPYC, family 25, model 17, 2 cores, AVX-512");
        assert_eq!(processor(""), std::env::consts::ARCH);
        assert_eq!(without_hash("rustc 1.95.0 (abc 2026-01-01)"), "rustc 1.95.0");
    }
}
