//! Records of programs: every stored transformation of a function of several arrays.

use super::record::{MODES, Mode, Report, array, elements, list, numbers, records, text};
use dini::{prelude::*, tree::Outcome};
use serde_json::Value;

/// A program on flat lists of arrays.
pub type Program = Box<dyn Fn(Vec<Array>) -> Result<Vec<Array>>>;

/// A function of N arrays as a program.
pub fn program<const N: usize, R: Outcome>(f: impl Fn([Array; N]) -> R + 'static) -> Program {
    Box::new(move |xs| {
        let n = xs.len();
        let xs = xs.try_into().map_err(|_| Error::message(format!("got {n} inputs, expected {N}")))?;
        Ok(dini::tree::flatten(&f(xs).into_result()?).0)
    })
}

/// The programs of the named functions.
macro_rules! programs {
    ($($name:ident),* $(,)?) => { vec![$((stringify!($name), $crate::programs::program($name))),*] };
}
pub(crate) use programs;

/// Compares every record of a file with its program; `others` are records that a test of their own consumes.
#[track_caller]
pub fn check_file(file: &str, programs: Vec<(&'static str, Program)>, others: &[&str]) {
    let mut report = Report::default();
    let records = records(file);
    for record in &records {
        let name = text(&record["name"]);
        match programs.iter().find(|(own, _)| *own == name) {
            Some((_, f)) => check(&mut report, record, f),
            None if others.contains(&name) => {}
            None => report.fail(name, "no transcription"),
        }
    }
    for (name, _) in &programs {
        if !records.iter().any(|record| text(&record["name"]) == *name) {
            report.fail(name, "no record");
        }
    }
    report.finish();
}

fn check(report: &mut Report, record: &Value, f: &Program) {
    let results = record["results"].as_object().expect("a record of a program has results");
    for (kind, want) in results {
        for mode in MODES {
            let what = format!("{kind} of {} {mode:?}", text(&record["name"]));
            let got = compute(mode, kind, f, record);
            let got = got.and_then(|leaves| leaves.iter().map(elements).collect::<Result<Vec<_>>>());
            match got {
                Err(e) => report.fail(&what, e),
                Ok(got) => {
                    let want = leaf_lists(want);
                    assert_eq!(got.len(), want.len(), "{what}: number of blocks");
                    for (i, (got, want)) in got.into_iter().zip(want).enumerate() {
                        report.compare(&format!("{what}, block {i}"), Ok(got), &want);
                    }
                }
            }
        }
    }
}

/// The flat lists of numbers inside of nested ones, in order.
fn leaf_lists(value: &Value) -> Vec<Vec<f64>> {
    let items = list(value);
    if items.iter().all(Value::is_array) { items.iter().flat_map(leaf_lists).collect() } else { vec![numbers(value)] }
}

/// One stored result, as its blocks in order.
fn compute(mode: Mode, kind: &str, f: &Program, record: &Value) -> Result<Vec<Array>> {
    let given = |role: &str| -> Vec<Array> { list(&record[role]).iter().map(array).collect() };
    let (x, tangents, batch) = (given("inputs"), given("tangents"), given("batch"));
    let total =
        |x: Vec<Array>| -> Result<Array> { Ok(f(x)?.iter().fold(Array::from(0.0), |total, y| total + y.sum())) };
    let forward = |x: Vec<Array>| jvp(f, x, tangents.clone()).map(|(_, t)| t);
    match kind {
        "value" => mode.run(f, x),
        "jvp" => mode.run(forward, x),
        "jacfwd" => mode.run(jacfwd(f), x),
        "jacrev" => mode.run(jacrev(f), x),
        "grad" => mode.run(grad(total), x),
        "hessian" => mode.run(hessian(total), x),
        "hessian_forward" => mode.run(jacfwd(jacfwd(total)), x),
        "vmap_value" => mode.run(vmap(f), batch),
        "vmap_grad" => mode.run(vmap(grad(total)), batch),
        "vmap_jvp" => mode.run(vmap(forward), batch),
        other => Err(Error::message(format!("no result is called `{other}`"))),
    }
}
