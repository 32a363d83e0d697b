//! `tidy`: rules of the repository that neither rustfmt nor clippy knows. Problems print as `path:line: message`.
//!
//! Rust files are looked at as tokens, not as lines, so a rule never trips over a comment or a string.

mod links;
mod tokens;

use std::fmt;
use std::path::Path;

use crate::Failure;
use crate::files::{self, TextFile};

/// Above this a file is listed: is it still one concept?
const LONG_FILE: usize = 800;
/// Above this a file is refused.
const TOO_LONG_FILE: usize = 1_500;

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// Counted from 1.
    line: usize,
    message: String,
}

impl Problem {
    fn new(file: &TextFile, line: usize, message: impl Into<String>) -> Self {
        Problem { path: file.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks all files of the repository.
pub fn run(root: &Path) -> Result<(), Failure> {
    let files = files::read_all(root, is_checked)?;
    let problems = check_all(root, &files);
    let rust_files: Vec<&TextFile> = files.iter().filter(|file| file.extension() == "rs").collect();
    for file in rust_files.iter().filter(|file| file.text.lines().count() > LONG_FILE) {
        println!("note: {} has {} lines (more than {LONG_FILE})", file.path, file.text.lines().count());
    }
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        return Err(Failure::new(format!("tidy: {} problems", problems.len())));
    }
    println!("tidy: {} files, median Rust file {} lines", files.len(), median_lines(&rust_files));
    Ok(())
}

fn is_checked(path: &str) -> bool {
    let checked_endings = [".rs", ".md", ".toml", ".py", ".yml", ".sh"];
    checked_endings.iter().any(|ending| path.ends_with(ending)) || path == ".ci/run"
}

fn check_all(root: &Path, files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        white_space(file, &mut problems);
        match file.extension() {
            "rs" => rust_file(file, &mut problems),
            "md" => links::check(file, &|target| root.join(target).exists(), &mut problems),
            _ => {}
        }
    }
    problems
}

fn white_space(file: &TextFile, problems: &mut Vec<Problem>) {
    for (line_idx, line) in file.text.lines().enumerate() {
        if line.contains('\t') {
            problems.push(Problem::new(file, line_idx + 1, "tab; indent with spaces"));
        }
        if line.ends_with([' ', '\t', '\r']) {
            problems.push(Problem::new(file, line_idx + 1, "white space at the end of the line"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        problems.push(Problem::new(file, file.text.lines().count(), "no newline at the end of the file"));
    }
}

fn rust_file(file: &TextFile, problems: &mut Vec<Problem>) {
    if !file.text.starts_with("//!") {
        problems.push(Problem::new(
            file,
            1,
            "the file does not begin with `//!`: say what it is and what it must not know",
        ));
    }
    let n_lines = file.text.lines().count();
    if n_lines > TOO_LONG_FILE {
        problems.push(Problem::new(
            file,
            n_lines,
            format!("{n_lines} lines, more than {TOO_LONG_FILE}; split the file"),
        ));
    }
    tokens::check(file, problems);
}

fn median_lines(files: &[&TextFile]) -> usize {
    let mut counts: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let found: Vec<String> = check_all(Path::new("."), &[file]).iter().map(Problem::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn header_and_white_space() {
        check("crates/a/src/a.rs", "//! A.\n", &[]);
        check(
            "crates/a/src/a.rs",
            "//! A.\nfn f() {} \n",
            &["crates/a/src/a.rs:2: white space at the end of the line"],
        );
        check("a.py", "x = 1\n\ty\n", &["a.py:2: tab; indent with spaces"]);
        check("a.toml", "x = 1", &["a.toml:1: no newline at the end of the file"]);
    }

    #[test]
    fn missing_header_and_length() {
        let long = "\n".repeat(TOO_LONG_FILE + 1);
        check(
            "a.rs",
            &long,
            &[
                "a.rs:1: the file does not begin with `//!`: say what it is and what it must not know",
                "a.rs:1501: 1501 lines, more than 1500; split the file",
            ],
        );
    }

    #[test]
    fn median_of_lengths() {
        let file = |n_lines| TextFile { path: String::new(), text: "\n".repeat(n_lines) };
        let files = [file(9), file(1), file(5)];
        assert_eq!(median_lines(&files.iter().collect::<Vec<_>>()), 5);
        assert_eq!(median_lines(&[]), 0);
    }
}
