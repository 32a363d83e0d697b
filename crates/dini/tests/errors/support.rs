//! The one check of this test: a failure's message, with places replaced by the source text that stands there.

use dini::prelude::*;
use expect_test::Expect;

/// A vector of three.
#[track_caller]
pub fn three() -> Array {
    Array::from(vec![1.0, 2.0, 3.0])
}

/// Compares the message of a failure with a snapshot.
#[track_caller]
pub fn check<T>(result: Result<T>, want: Expect) {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => want.assert_eq(&show(&error)),
    }
}

/// The message with every `file:line:column` of these tests replaced by the text that starts there.
#[track_caller]
pub fn show(error: &Error) -> String {
    let message = error.to_string();
    assert!(!message.contains("dini/src"), "names an internal place:\n{message}");
    let mut shown = String::new();
    let mut rest = message.as_str();
    while let Some(start) = rest.find("crates/dini/tests/") {
        let (before, place) = rest.split_at(start);
        let end = place.find(|c: char| c.is_whitespace() || c == ',' || c == ')').unwrap_or(place.len());
        shown.push_str(before);
        shown.push_str(&source(&place[..end]));
        rest = &place[end..];
    }
    shown.push_str(rest);
    shown
}

/// The source text at `file:line:column`, up to the end of the line: as it was compiled, since an update of the snapshots
/// changes the files while the tests run.
fn source(place: &str) -> String {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<usize>().ok()).expect("a number in a place");
    let text = match file.rsplit('/').next().unwrap_or_default() {
        "closures.rs" => include_str!("closures.rs"),
        "composed.rs" => include_str!("composed.rs"),
        "control.rs" => include_str!("control.rs"),
        "escape.rs" => include_str!("escape.rs"),
        "implicit.rs" => include_str!("implicit.rs"),
        "late.rs" => include_str!("late.rs"),
        "operators.rs" => include_str!("operators.rs"),
        "support.rs" => include_str!("support.rs"),
        "transforms.rs" => include_str!("transforms.rs"),
        _ => panic!("`{place}` is no place of these tests"),
    };
    let line = text.lines().nth(number(line) - 1).expect("the line of a place");
    let rest: String = line.chars().skip(number(column) - 1).collect();
    // Without what formatting may move to another line.
    let rest = rest.split(", expect!").next().unwrap_or_default();
    format!("«{}»", rest.trim_end_matches([' ', ',', ';', ')']))
}

/// An error type of the user's own.
#[derive(Debug)]
pub struct Own(pub &'static str);

impl std::fmt::Display for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "own error `{}`", self.0)
    }
}

impl std::error::Error for Own {}

/// An `Err` with the user's own error.
#[track_caller]
pub fn own<T>(name: &'static str) -> Result<T> {
    Err(Error::user(Own(name)))
}
