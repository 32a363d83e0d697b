//! Reading golden files, and comparing with what they hold.

use dini::prelude::*;
use serde_json::Value;

/// How far a number may be off, relative to the larger of 1 and the expected number.
pub const TOLERANCE: f64 = 1e-10;

/// Whether a function runs operation by operation or as one compiled program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Eager,
    Compiled,
}

pub const MODES: [Mode; 2] = [Mode::Eager, Mode::Compiled];

impl Mode {
    /// The leaves of `f(x)`.
    pub fn run<In: Tree, Out: Tree>(self, f: impl Fn(In) -> Result<Out>, x: In) -> Result<Vec<Array>> {
        let y = match self {
            Mode::Eager => f(x)?,
            Mode::Compiled => jit(f)(x)?,
        };
        Ok(dini::tree::flatten(&y).0)
    }
}

/// The records of a golden file.
pub fn records(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The items of a JSON list.
#[track_caller]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("expected a list, got {value}"))
}

/// A text field.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected a string, got {value}"))
}

/// A list of extents or axes.
#[track_caller]
pub fn sizes(value: &Value) -> Vec<usize> {
    list(value).iter().map(|n| n.as_u64().unwrap_or_else(|| panic!("expected an extent, got {n}")) as usize).collect()
}

/// A number, also one that JSON does not have; truth values are 0 and 1.
#[track_caller]
pub fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        Some(_) | None => value
            .as_f64()
            .or(value.as_bool().map(f64::from))
            .unwrap_or_else(|| panic!("expected a number, got {value}")),
    }
}

/// A flat list of numbers.
#[track_caller]
pub fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

/// An array of the recorded shape and element type.
#[track_caller]
pub fn array(record: &Value) -> Array {
    let (data, shape) = (numbers(&record["data"]), sizes(&record["shape"]));
    let dtype = match text(&record["dtype"]) {
        "f64" => DType::F64,
        "i64" => DType::I64,
        "i32" => DType::I32,
        "bool" => DType::Bool,
        other => panic!("no test needs arrays of {other} yet"),
    };
    // Whole numbers in these files are small, or powers of two: f64 holds them.
    Array::new(data, &shape).cast(dtype)
}

/// Arrays, some of which may be null.
#[track_caller]
pub fn arrays(value: &Value) -> Vec<Option<Array>> {
    list(value).iter().map(|x| (!x.is_null()).then(|| array(x))).collect()
}

/// All elements as f64.
pub fn elements(x: &Array) -> Result<Vec<f64>> {
    x.cast(DType::F64).to_vec::<f64>()
}

/// Whether two numbers agree: NaN with NaN, an infinity with itself.
pub fn is_close(got: f64, want: f64) -> bool {
    got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= TOLERANCE * want.abs().max(1.0)
}

/// What went wrong so far; a test reports all of it at once.
#[derive(Default)]
pub struct Report {
    failures: Vec<String>,
    n_compared: usize,
}

impl Report {
    /// Notes a failure.
    pub fn fail(&mut self, what: &str, why: impl std::fmt::Display) {
        self.failures.push(format!("{what}: {why}"));
    }

    /// Counts numbers that a test compared on its own.
    pub fn count(&mut self, n: usize) {
        self.n_compared += n;
    }

    /// Compares all elements of a result with the expected ones.
    pub fn compare(&mut self, what: &str, got: Result<Vec<f64>>, want: &[f64]) {
        self.n_compared += want.len();
        match got {
            Err(e) => self.fail(what, e),
            Ok(got) if got.len() != want.len() => {
                self.fail(what, format!("{} numbers, expected {}", got.len(), want.len()));
            }
            Ok(got) => {
                if let Some(at) = (0..want.len()).find(|&i| !is_close(got[i], want[i])) {
                    let why = format!("element {at} is {:e}, expected {:e}", got[at], want[at]);
                    self.fail(what, format!("{why}\n    got      {got:?}\n    expected {want:?}"));
                }
            }
        }
    }

    /// Compares an array with a recorded one, shape and element type included.
    pub fn compare_array(&mut self, what: &str, got: &Array, want: &Value) {
        match got.try_shape() {
            Ok(shape) if shape == sizes(&want["shape"]) && got.dtype().to_string() == text(&want["dtype"]) => {
                self.compare(what, elements(got), &numbers(&want["data"]));
            }
            Ok(shape) => {
                let want = format!("{}{}", text(&want["dtype"]), want["shape"]);
                self.fail(what, format!("got {}{shape:?}, expected {want}", got.dtype()));
            }
            Err(e) => self.fail(what, e),
        }
    }

    /// Panics with every failure.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.failures.is_empty(), "{} failures:\n{}", self.failures.len(), self.failures.join("\n"));
        assert!(self.n_compared > 0, "nothing was compared");
    }
}
