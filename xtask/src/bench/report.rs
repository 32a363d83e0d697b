//! What is told of a run: a table for the terminal, and a section of docs/benchmarks.md for each number of processors.

use std::fmt::Write as _;

use super::FromStart;
use super::conditions::Conditions;
use super::rows::Row;
use super::sample::{Quartiles, three_digits, time};
use crate::Failure;

/// How a row went.
pub enum Outcome {
    Measured(Measured),
    /// A worker failed, or the results differ.
    Failed(String),
}

pub struct Measured {
    pub ours: Side,
    pub theirs: Side,
}

/// One library's times.
pub struct Side {
    pub first_call_ns: f64,
    pub call: Quartiles,
}

/// A row and its outcome.
pub struct Reported<'a> {
    pub row: &'a Row,
    pub outcome: Outcome,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.theirs.call.median / self.ours.call.median
    }
}

impl Reported<'_> {
    fn target(&self) -> String {
        self.row.target.map_or_else(|| "–".to_owned(), |target| target.to_string())
    }

    /// Whether the target is met; nothing where there is none, or no ratio.
    fn is_met(&self) -> Option<bool> {
        match (&self.outcome, self.row.target) {
            (Outcome::Measured(measured), Some(target)) => Some(measured.ratio() >= target),
            (Outcome::Measured(_), None) | (Outcome::Failed(_), _) => None,
        }
    }

    fn verdict(&self) -> &str {
        match (&self.outcome, self.is_met()) {
            (Outcome::Failed(_), _) => "failed",
            (Outcome::Measured(_), Some(true)) => "met",
            (Outcome::Measured(_), Some(false)) => "short",
            (Outcome::Measured(_), None) => "–",
        }
    }
}

/// Columns of text as wide as their widest cell, the first to the left, the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let n_columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<String>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The table for the terminal: medians with quartiles, ratio, target, verdict; then what was not measured, and why.
pub fn terminal_table(outcomes: &[Reported<'_>]) -> String {
    let words = |words: [&str; 6]| words.map(str::to_owned).to_vec();
    let mut lines = vec![words(["workload", "JAX", "dini", "ratio", "at least", ""])];
    for reported in outcomes {
        let (theirs, ours, ratio) = match &reported.outcome {
            Outcome::Measured(m) => (m.theirs.call.to_string(), m.ours.call.to_string(), three_digits(m.ratio())),
            Outcome::Failed(_) => ("–".to_owned(), "–".to_owned(), "–".to_owned()),
        };
        let (target, verdict) = (reported.target(), reported.verdict().to_owned());
        lines.push(vec![reported.row.name.to_owned(), theirs, ours, ratio, target, verdict]);
    }
    let mut text = aligned(&lines);
    for reported in outcomes {
        match &reported.outcome {
            Outcome::Measured(_) => {}
            Outcome::Failed(reason) => writeln!(text, "{}: {reason}", reported.row.name).unwrap_or_default(),
        }
    }
    text
}

/// What bounds rows whose names begin with `prefix`.
#[derive(Debug, PartialEq)]
pub struct Note {
    prefix: String,
    text: String,
}

/// Notes from their file: `prefix: text` on a line, which lines that begin with a blank continue; `#` begins a comment.
pub fn notes(file: &str) -> Result<Vec<Note>, Failure> {
    let mut notes: Vec<Note> = Vec::new();
    for (line_idx, line) in file.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match (line.starts_with(' '), notes.last_mut(), line.split_once(": ")) {
            (true, Some(note), _) => {
                note.text.push(' ');
                note.text.push_str(line.trim());
            }
            (false, _, Some((prefix, text))) => {
                notes.push(Note { prefix: prefix.to_owned(), text: text.trim().to_owned() });
            }
            (true, None, _) | (false, _, None) => {
                return Err(Failure::new(format!("line {} of the notes is no `name: text`: {line}", line_idx + 1)));
            }
        }
    }
    Ok(notes)
}

/// The most specific note on a row.
fn note_on<'a>(notes: &'a [Note], name: &str) -> Option<&'a Note> {
    notes.iter().filter(|note| name.starts_with(&note.prefix)).max_by_key(|note| note.prefix.len())
}

/// Newton steps, each with one LU solve, that the power flow of the 118-bus case takes from a flat start.
const NEWTON_STEPS: f64 = 4.0;

/// The share of LU solves in one power flow, where both were measured: the other library's, and ours.
fn lu_shares(outcomes: &[Reported<'_>]) -> Option<[f64; 2]> {
    let measured = |name: &str| {
        outcomes.iter().find_map(|reported| match &reported.outcome {
            Outcome::Measured(measured) if reported.row.name == name => Some(measured),
            Outcome::Measured(_) | Outcome::Failed(_) => None,
        })
    };
    let (whole, lu) = (measured("power-flow/value")?, measured("power-flow/lu")?);
    let share = |lu: &Side, whole: &Side| NEWTON_STEPS * lu.call.median / whole.call.median;
    Some([share(&lu.theirs, &whole.theirs), share(&lu.ours, &whole.ours)])
}

/// One run as Markdown, without its heading.
pub fn section(conditions: &Conditions, outcomes: &[Reported<'_>], from_start: &FromStart, notes: &[Note]) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("{}. {}.", conditions.processor, conditions.versions));
    line(format!("Medians of {} samples in turns, lower and upper quartile in brackets.", conditions.samples));
    line(match conditions.pinned_to {
        Some(1) => "Both libraries were held on the same single processor.".to_owned(),
        Some(count) => format!("Both libraries were held on the same {count} processors."),
        None => "The libraries could not be held on chosen processors: the numbers of threads may differ.".to_owned(),
    });
    if let Some(load) = conditions.load.filter(|load| *load > 0.5) {
        line(format!(
            "**The machine was busy with other work** (load average {load:.1} at the start): these numbers show the order \
             of magnitude and are to be measured again on a quiet machine."
        ));
    }
    let verdicts = |wanted: bool| outcomes.iter().filter(|reported| reported.is_met() == Some(wanted)).count();
    let (n_met, n_short) = (verdicts(true), verdicts(false));
    line(String::new());
    line(format!("{n_met} of {} rows reach what they must.", n_met + n_short));
    line(String::new());
    line("| workload | JAX | dini | ratio | at least | | first call: JAX | dini |".to_owned());
    line("| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |".to_owned());
    let mut what = "";
    for reported in outcomes {
        let (name, target, verdict) = (reported.row.name, reported.target(), reported.verdict());
        if reported.row.what != what {
            what = reported.row.what;
            line(format!("| *{what}* | | | | | | | |"));
        }
        line(match &reported.outcome {
            Outcome::Measured(m) => format!(
                "| `{name}` | {} | {} | {} | {target} | {verdict} | {} | {} |",
                m.theirs.call,
                m.ours.call,
                three_digits(m.ratio()),
                time(m.theirs.first_call_ns),
                time(m.ours.first_call_ns),
            ),
            Outcome::Failed(_) => {
                format!("| `{name}` | – | – | – | {target} | {verdict} | – | – |")
            }
        });
    }
    line(String::new());
    let ratio = three_digits(from_start.theirs.median / from_start.ours.median);
    line("From the start of a process to its first compiled gradient:".to_owned());
    line(format!("JAX {}, dini {}, ratio {ratio}.", from_start.theirs, from_start.ours));
    if let Some([theirs, ours]) = lu_shares(outcomes) {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        line(format!(
            "LU solves make up {} of JAX's time for one power flow and {} of ours.",
            percent(theirs),
            percent(ours)
        ));
    }

    let not_measured: Vec<String> = outcomes.iter().filter_map(reason).collect();
    if !not_measured.is_empty() {
        line("\n### Not measured\n".to_owned());
        not_measured.into_iter().for_each(&mut line);
    }
    let short: Vec<&str> = outcomes.iter().filter(|r| r.is_met() == Some(false)).map(|r| r.row.name).collect();
    if !short.is_empty() {
        line("\n### What bounds the rows that fall short\n".to_owned());
        bounds(&short, notes).into_iter().for_each(&mut line);
    }
    text
}

fn reason(reported: &Reported<'_>) -> Option<String> {
    let name = reported.row.name;
    match &reported.outcome {
        Outcome::Measured(_) => None,
        Outcome::Failed(reason) => Some(format!("- `{name}`: {reason}")),
    }
}

/// One line for each note, after the rows that it is on; rows without a note come last.
fn bounds(names: &[&str], notes: &[Note]) -> Vec<String> {
    let listed = |names: Vec<&&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ");
    let mut lines = Vec::new();
    for note in notes {
        let covered: Vec<&&str> = names.iter().filter(|name| note_on(notes, name) == Some(note)).collect();
        if !covered.is_empty() {
            lines.push(format!("- {}: {}", listed(covered), note.text));
        }
    }
    let others: Vec<&&str> = names.iter().filter(|name| note_on(notes, name).is_none()).collect();
    if !others.is_empty() {
        lines.push(format!("- {}: not profiled yet.", listed(others)));
    }
    lines
}

const HEAD: &str = "\
# Benchmarks

Written by `cargo run --release -p xtask -- bench --against jax`, with `--threads 2` for the second table. Notes on what
bounds a row come from `crates/dini/benches/workloads/bounds.txt`.

**What is measured.** The programs in `crates/dini/benches/workloads`, through dini's public interface, beside the same
programs as a user of JAX writes them, in `xtask/bench/workloads.py`. Both are compiled; inputs are the same to the last
bit; results are compared before anything is timed, to 1e-9 in f64 and 1e-5 in f32, relative to the size of the result.
A ratio is JAX's time divided by ours: above 1 dini is faster.

**How.** Two worker processes on the same processors answer one request at a time. A sample is as many calls as take
20 ms, at least one; samples alternate between the two. Each call is waited for, so JAX's times contain its dispatch from
Python and the wait, as its users see them. A first call is tracing, compiling and running; it is measured once. In the
rows `compile` and `first-run` every call compiles a program that has a constant that was not seen before.
";

/// The heading of the section of a number of processors.
fn heading(threads: u32) -> &'static str {
    if threads == 1 { "## One thread" } else { "## Two threads" }
}

/// The document with the section of `threads` replaced and the other one kept.
pub fn document(old: &str, threads: u32, section: &str) -> String {
    let kept = |threads: u32| {
        let (_, rest) = old.split_once(&format!("{}\n", heading(threads)))?;
        Some(rest.split("\n## ").next().unwrap_or(rest).trim().to_owned())
    };
    let mut text = HEAD.to_owned();
    for count in [1, 2] {
        let body = if count == threads { Some(section.trim().to_owned()) } else { kept(count) };
        if let Some(body) = body {
            let _ = write!(text, "\n{}\n\n{body}\n", heading(count));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, target: f64) -> Row {
        Row { name, what: "a program", target: Some(target), tolerance: 0.0 }
    }

    fn exactly(ns: f64) -> Quartiles {
        Quartiles { lower: ns, median: ns, upper: ns }
    }

    fn measured(theirs: f64, ours: f64) -> Outcome {
        let side = |ns: f64| Side { first_call_ns: 1e6 * ns, call: exactly(ns) };
        Outcome::Measured(Measured { theirs: side(theirs), ours: side(ours) })
    }

    #[test]
    fn table_for_the_terminal() {
        let (a, b, c) = (row("a/long/name", 2.0), row("b", 4.0), row("c", 1.0));
        let outcomes = [
            Reported { row: &a, outcome: measured(20.0, 5.0) },
            Reported { row: &b, outcome: measured(2500.0, 1000.0) },
            Reported { row: &c, outcome: Outcome::Failed("there is no c".to_owned()) },
        ];
        let expected = "\
workload                           JAX                       dini  ratio  at least
a/long/name  20.0 ns (20.0 ns–20.0 ns)  5.00 ns (5.00 ns–5.00 ns)   4.00         2     met
b            2.50 µs (2.50 µs–2.50 µs)  1.00 µs (1.00 µs–1.00 µs)   2.50         4   short
c                                    –                          –      –         1  failed
c: there is no c
";
        assert_eq!(terminal_table(&outcomes), expected);
    }

    #[test]
    fn section_with_notes_and_reasons() {
        let (a, b, c) = (row("a/1", 2.0), row("a/2", 4.0), row("c", 1.0));
        let outcomes = [
            Reported { row: &a, outcome: measured(20.0, 5.0) },
            Reported { row: &b, outcome: measured(20.0, 10.0) },
            Reported { row: &c, outcome: Outcome::Failed("the results differ".to_owned()) },
        ];
        let conditions = Conditions {
            samples: 3,
            processor: "A processor".to_owned(),
            versions: "Versions".to_owned(),
            pinned_to: Some(1),
            load: Some(3.04),
        };
        let from_start = FromStart { ours: exactly(1e6), theirs: exactly(5e8) };
        let text = section(&conditions, &outcomes, &from_start, &notes("a: bytes.\n").unwrap());
        let has = |part: &str| assert!(text.contains(part), "`{part}` is not in\n{text}");
        has("A processor. Versions.\n");
        has("load average 3.0 at the start");
        has("1 of 2 rows reach what they must.");
        has(
            "| `a/2` | 20.0 ns (20.0 ns–20.0 ns) | 10.0 ns (10.0 ns–10.0 ns) | 2.00 | 4 | short | 20.0 ms | 10.0 ms |\n",
        );
        has("| *a program* | | | | | | | |\n| `a/1` |");
        has("| `c` | – | – | – | 1 | failed | – | – |\n");
        has("ratio 500.\n");
        has("- `c`: the results differ\n");
        has("### What bounds the rows that fall short\n\n- `a/2`: bytes.\n");
    }

    #[test]
    fn notes_are_found_by_the_longest_prefix() {
        let notes = notes("# comment\na: of a,\n  continued\n\na/b: of a/b\n").unwrap();
        assert_eq!(note_on(&notes, "a/c").map(|note| note.text.as_str()), Some("of a, continued"));
        assert_eq!(note_on(&notes, "a/b/1").map(|note| note.text.as_str()), Some("of a/b"));
        assert_eq!(note_on(&notes, "c"), None);
        assert_eq!(
            bounds(&["a/x", "a/b/1", "a/y", "z"], &notes),
            ["- `a/x`, `a/y`: of a, continued", "- `a/b/1`: of a/b", "- `z`: not profiled yet."]
        );
        assert!(super::notes("no colon\n").is_err());
    }

    #[test]
    fn sections_replace_their_own() {
        let first = document("", 2, "two");
        assert_eq!(first, format!("{HEAD}\n## Two threads\n\ntwo\n"));
        let both = document(&first, 1, "one\n\n### detail\n");
        assert_eq!(both, format!("{HEAD}\n## One thread\n\none\n\n### detail\n\n## Two threads\n\ntwo\n"));
        let again = document(&both, 2, "new");
        assert_eq!(again, format!("{HEAD}\n## One thread\n\none\n\n### detail\n\n## Two threads\n\nnew\n"));
    }
}
