//! Records of single operations: result, forward derivative, reverse derivative.

use super::record::{MODES, Report, array, arrays, records, text};
use dini::prelude::*;
use serde_json::Value;

/// An operation on all the operands of a record.
pub type Operation = Box<dyn Fn(&[Array]) -> Array>;

/// Operations that this library does not have yet, and why.
const OUTSIDE: &[(&str, &str)] = &[
    ("eigvalsh", "eigenvalues belong to the linear algebra library to come"),
    ("eigh_function", "eigenvalues belong to the linear algebra library to come"),
    ("singular_values", "singular values belong to the linear algebra library to come"),
    ("qr_projector", "the QR factorization belongs to the linear algebra library to come"),
];

/// Compares every record of a file with its operation.
#[track_caller]
pub fn check_file(file: &str, operation: fn(&str, &Value) -> Option<Operation>) {
    let mut report = Report::default();
    for record in records(file) {
        let name = text(&record["name"]);
        let is_outside = OUTSIDE.iter().any(|(outside, _)| *outside == name);
        match operation(name, &record["params"]) {
            Some(_) if is_outside => report.fail(name, "has a transcription and is listed in `OUTSIDE`"),
            Some(operation) => check(&mut report, &record, &operation),
            None if is_outside => {}
            None => report.fail(name, "no transcription"),
        }
    }
    report.finish();
}

/// The operation as a function of the operands that have derivatives, the others fixed.
struct Varied<'a> {
    operation: &'a Operation,
    inputs: Vec<Array>,
    varies: Vec<bool>,
}

impl Varied<'_> {
    fn call(&self, varying: &[Array]) -> Result<Array> {
        let mut given = varying.iter();
        let all: Vec<Array> = self
            .inputs
            .iter()
            .zip(&self.varies)
            .map(|(x, varies)| given.next_if(*varies).unwrap_or(x).clone())
            .collect();
        (self.operation)(&all).check().cloned()
    }
}

/// `next` under a condition.
trait NextIf: Iterator {
    fn next_if(&mut self, condition: bool) -> Option<Self::Item> {
        if condition { self.next() } else { None }
    }
}
impl<I: Iterator> NextIf for I {}

fn check(report: &mut Report, record: &Value, operation: &Operation) {
    let inputs: Vec<Array> = arrays(&record["inputs"]).into_iter().flatten().collect();
    for mode in MODES {
        let what = format!("{} {} {mode:?}", text(&record["name"]), record["params"]);
        let value = |xs: Vec<Array>| operation(&xs).check().cloned();
        compare(report, &what, mode.run(value, inputs.clone()), std::slice::from_ref(&record["output"]));
        let Some(tangents) = record["tangents"].as_array() else { continue };
        let varies: Vec<bool> = tangents.iter().map(|t| !t.is_null()).collect();
        let point: Vec<Array> = inputs.iter().zip(&varies).filter(|(_, v)| **v).map(|(x, _)| x.clone()).collect();
        let varied = Varied { operation, inputs: inputs.clone(), varies };
        if !record["jvp"].is_null() {
            let tangents: Vec<Array> = tangents.iter().filter(|t| !t.is_null()).map(array).collect();
            let forward = |(x, t): (Vec<Array>, Vec<Array>)| jvp(|x: Vec<Array>| varied.call(&x), x, t).map(|y| y.1);
            let got = mode.run(forward, (point.clone(), tangents));
            compare(report, &format!("jvp of {what}"), got, std::slice::from_ref(&record["jvp"]));
        }
        if let Some(want) = record["vjp"].as_array() {
            let reverse = |(x, ct): (Vec<Array>, Array)| vjp(|x: Vec<Array>| varied.call(&x), x)?.1(ct);
            let got = mode.run(reverse, (point, array(&record["cotangent"])));
            let want: Vec<Value> = want.iter().filter(|ct| !ct.is_null()).cloned().collect();
            compare(report, &format!("vjp of {what}"), got, &want);
        }
    }
}

fn compare(report: &mut Report, what: &str, got: Result<Vec<Array>>, want: &[Value]) {
    match got {
        Err(e) => report.fail(what, e),
        Ok(got) => {
            assert_eq!(got.len(), want.len(), "{what}: number of results");
            got.iter().zip(want).for_each(|(got, want)| report.compare_array(what, got, want));
        }
    }
}
