//! `fuzz`: random graphs and programs (`dini-fuzz`) by seed, until the time is over or a case fails.
//!
//! A worker process checks the cases and says which one it begins. So wrong machine code that kills the process, and code
//! that never ends, are failures with a seed like any other; only they are not made simpler.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use dini_cpu::Executor;
use dini_cpu::fuzz::Choices;
use dini_fuzz::Kind;
use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;

/// A failing case is made simpler for at most this long.
const SHRINKING: Duration = Duration::from_secs(60);
/// After this time without a word a case is said to hang.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Args)]
pub struct Options {
    /// How long to go on
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// The first seed; the others follow. Without it the clock gives one
    #[arg(long)]
    seed: Option<u64>,
    /// Compare only this with the interpreter, and let it run the programs; without it, every executor of this machine
    #[arg(long, value_enum)]
    jit: Option<Jit>,
    /// Check only cases of this kind
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Check cases in this process
    #[arg(long, hide = true)]
    worker: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Jit {
    Avx512,
    Avx2,
    Off,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Only {
    Graphs,
    Programs,
}

impl Jit {
    fn executor(self) -> Executor {
        match self {
            Jit::Avx512 => Executor::Avx512,
            Jit::Avx2 => Executor::Avx2,
            Jit::Off => Executor::Interpreter,
        }
    }
}

impl Only {
    fn kind(self) -> Kind {
        match self {
            Only::Graphs => Kind::Graphs,
            Only::Programs => Kind::Programs,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Only::Graphs => "graphs",
            Only::Programs => "programs",
        }
    }
}

/// Starts the worker and watches it, or is the worker.
pub fn run(options: &Options) -> Result<(), Failure> {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() << 16);
    let first_seed = options.seed.unwrap_or_else(clock);
    if options.worker { work(options, first_seed) } else { watch(options, first_seed) }
}

/// The cases of a seed: many graphs take as long as a program, so most seeds have a graph only.
fn kinds(options: &Options, seed: u64) -> Vec<Only> {
    match options.only {
        Some(only) => vec![only],
        None if seed.is_multiple_of(64) => vec![Only::Graphs, Only::Programs],
        None => vec![Only::Graphs],
    }
}

fn work(options: &Options, first_seed: u64) -> Result<(), Failure> {
    let executors = match options.jit {
        Some(jit) => vec![jit.executor()],
        None => Executor::available(),
    };
    // Panics are told with their case.
    std::panic::set_hook(Box::new(|_| ()));
    let deadline = Instant::now() + Duration::from_secs_f64(60.0 * options.minutes);
    for seed in first_seed.. {
        for only in kinds(options, seed) {
            println!("{BEGINS}{} {seed}", only.name());
            std::io::stdout().flush().map_err(|cause| Failure::new(cause.to_string()))?;
            if let Err(failure) = only.kind().check(seed, &executors, SHRINKING) {
                println!("{failure}");
                return Err(Failure::new("a case fails"));
            }
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(())
}

/// What a worker says before the name of a case.
const BEGINS: &str = "begins: ";

fn start(options: &Options, first_seed: u64) -> Result<Child, Failure> {
    let this = std::env::current_exe().map_err(|cause| Failure::new(cause.to_string()))?;
    let mut command = Command::new(this);
    command.args(["fuzz", "--worker", "--seed", &first_seed.to_string(), "--minutes", &options.minutes.to_string()]);
    if let Some(jit) = options.jit {
        command.args(["--jit", jit.executor().name()]).env("DINI_JIT", jit.executor().name());
    }
    if let Some(only) = options.only {
        command.args(["--only", only.name()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|cause| Failure::new(format!("cannot start {command:?}: {cause}")))
}

fn watch(options: &Options, first_seed: u64) -> Result<(), Failure> {
    let jit = options.jit.map_or_else(String::new, |jit| format!(" --jit {}", jit.executor().name()));
    println!("from seed {first_seed}{jit}");
    let mut worker = start(options, first_seed)?;
    let output = worker.stdout.take().expect("its output is piped");
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let style = ProgressStyle::with_template("{elapsed} {pos} cases: {msg}");
    let bar = ProgressBar::no_length().with_style(style.map_err(|cause| Failure::new(cause.to_string()))?);
    let (mut case, mut told) = (None, String::new());
    let hangs = loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => match line.strip_prefix(BEGINS) {
                Some(begun) => {
                    bar.inc(1);
                    bar.set_message(begun.to_owned());
                    case = begun.split_once(' ').map(|(kind, seed)| (kind.to_owned(), seed.to_owned()));
                }
                None => told = told + &line + "\n",
            },
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    let n_cases = bar.position();
    bar.finish_and_clear();
    if hangs {
        worker.kill().map_err(|cause| Failure::new(cause.to_string()))?;
    }
    let status = worker.wait().map_err(|cause| Failure::new(cause.to_string()))?;
    if status.success() {
        println!("{n_cases} cases, no failure");
        return Ok(());
    }
    let Some((kind, seed)) = case else { return Err(Failure::new(format!("the worker ended with {status}: {told}"))) };
    if told.is_empty() {
        let what = if hangs { "does not end".to_owned() } else { format!("ended the process with {status}") };
        let only = Only::from_str(&kind, false).map_err(Failure::new)?;
        let seed = seed.parse().map_err(|cause| Failure::new(format!("{seed}: {cause}")))?;
        told = format!("seed {seed}: it {what}\n\n{}", only.kind().describe(&mut Choices::from_seed(seed)));
    }
    println!("{told}");
    let again = format!("cargo run --release -p xtask -- fuzz --only {kind} --seed {seed}{jit}");
    Err(Failure::new(format!("case {n_cases} fails; again: {again}")))
}
