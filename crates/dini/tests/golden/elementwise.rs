//! Elementwise operations: values, first and second derivatives at ordinary points, ties, signed zeros, infinities, NaN
//! and the edges of domains.

use super::record::{MODES, Report, TOLERANCE, elements, is_close, list, number, numbers, records, text};
use dini::prelude::*;
use serde_json::Value;

/// An elementwise operation.
type Operation = Box<dyn Fn(&[Array]) -> Array>;

/// Where a quantity (`value`; `d0`: first derivative by operand 0; `dd0`: second) is not compared.
struct Exempt {
    op: &'static str,
    quantities: &'static [&'static str],
    args: &'static [f64],
    reason: &'static str,
}

const fn exempt(
    op: &'static str,
    quantities: &'static [&'static str],
    args: &'static [f64],
    reason: &'static str,
) -> Exempt {
    Exempt { op, quantities, args, reason }
}

const EXEMPT: &[Exempt] = &[
    exempt("exp2", &["d0", "dd0"], &[1024.0], "2^x overflows where ln 2 · 2^x does not yet; JAX overflows too"),
    exempt("acosh", &["dd0"], &[f64::INFINITY], "the limit, 0; JAX has NaN"),
    exempt("acosh", &["d0", "dd0"], &[-1.0], "outside the domain: NaN, where JAX's formula is even in x"),
    exempt("atanh", &["dd0"], &[1.0], "the limit, +∞; JAX has NaN"),
    exempt("atanh", &["dd0"], &[-1.0], "the limit, −∞; JAX has NaN"),
    exempt("atanh", &["dd0"], &[f64::INFINITY], "outside the domain: NaN, where JAX has 0"),
    exempt("lgamma", &["dd0"], &[f64::INFINITY], "the limit, 0; JAX has NaN"),
    exempt("pow", &["d0", "dd0"], &[0.0, 0.0], "x⁰ is constant; JAX has 0 · ∞"),
    exempt("pow", &["dd0"], &[0.0, 1.0], "x¹ is linear; JAX has 0 · ∞"),
    exempt("pow", &["dd0"], &[f64::NAN, 1.0], "x¹ is linear; JAX has 0 · NaN"),
];

#[test]
fn elementwise_operations_agree() {
    let mut report = Report::default();
    for record in records("elementwise") {
        match operation(text(&record["op"]), &record["params"]) {
            Some(f) => check(&mut report, &record, &f),
            None => report.fail(text(&record["op"]), "no transcription"),
        }
    }
    report.finish();
}

fn check(report: &mut Report, record: &Value, f: &Operation) {
    let args: Vec<Array> = list(&record["args"]).iter().map(operand).collect();
    for mode in MODES {
        let value = mode.run(|args: Vec<Array>| Ok(f(&args)), args.clone());
        compare(report, record, &format!("value {mode:?}"), value, &expected(record, "value", 0));
        for i in (0..args.len()).filter(|&i| !record["d"][i].is_null()) {
            let one = |x: Array| {
                let mut args = args.clone();
                args[i] = x;
                f(&args)
            };
            let forward = |x: Array| jvp(one, x.clone(), ones_like(&x)).map(|(_, tangent)| tangent);
            // Elements do not see each other: the gradient of the sum has each element's derivative.
            let df = grad(|x: Array| one(x).sum());
            let ddf = grad(|x: Array| -> Result<Array> { Ok(df(x)?.sum()) });
            let (d, dd, x) = (expected(record, "d", i), expected(record, "dd", i), &args[i]);
            compare(report, record, &format!("d{i} forward {mode:?}"), mode.run(forward, x.clone()), &d);
            compare(report, record, &format!("d{i} reverse {mode:?}"), mode.run(&df, x.clone()), &d);
            compare(report, record, &format!("dd{i} {mode:?}"), mode.run(&ddf, x.clone()), &dd);
        }
    }
}

fn operand(values: &Value) -> Array {
    let numbers = Array::from(numbers(values));
    if list(values).iter().all(Value::is_boolean) { numbers.cast(DType::Bool) } else { numbers }
}

/// The operands of one lane.
fn lane(record: &Value, at: usize) -> Vec<f64> {
    list(&record["args"]).iter().map(|arg| number(&arg[at])).collect()
}

/// A number to compare with, or to differ from on purpose.
struct Expected {
    number: f64,
    exempt: Option<&'static Exempt>,
}

/// The expected numbers, exact ones where there are.
fn expected(record: &Value, quantity: &str, i: usize) -> Vec<Expected> {
    let (theirs, name) = match quantity {
        "value" => (&record["value"], quantity.to_string()),
        _ => (&record[quantity][i], format!("{quantity}{i}")),
    };
    let exact = |at: usize| Some(&record["exact"][quantity][at]).filter(|x| !x.is_null()).map(number);
    let is_same = |(x, y): (&f64, &f64)| x == y || (x.is_nan() && y.is_nan());
    let of_lane = |at: usize, x: f64| Expected {
        number: with_sign_of(exact(at).unwrap_or(x), x),
        exempt: EXEMPT.iter().find(|e| {
            let is_there = || e.args.iter().zip(&lane(record, at)).all(is_same);
            e.op == text(&record["op"]) && e.quantities.contains(&name.as_str()) && is_there()
        }),
    };
    numbers(theirs).into_iter().enumerate().map(|(at, x)| of_lane(at, x)).collect()
}

/// Exact zeros have no sign; they take that of the record.
fn with_sign_of(exact: f64, x: f64) -> f64 {
    if exact == 0.0 && x == 0.0 { x } else { exact }
}

/// Compares every element. Values agree relative to their size, and zeros in their sign; an exempt element that agrees has
/// no business in the table.
fn compare(report: &mut Report, record: &Value, what: &str, got: Result<Vec<Array>>, want: &[Expected]) {
    let is_value = what.starts_with("value");
    let what = format!("{} {} {what}", text(&record["op"]), record["params"]);
    let got = match got.and_then(|y| elements(&y[0])) {
        Ok(got) => got,
        Err(e) => return report.fail(&what, e),
    };
    let agrees = |got: f64, want: f64| {
        let same_zero = !is_value || want != 0.0 || got.is_sign_negative() == want.is_sign_negative();
        let same_size = !is_value || !want.is_finite() || (got - want).abs() <= TOLERANCE * want.abs();
        is_close(got, want) && same_zero && same_size
    };
    assert_eq!(got.len(), want.len(), "{what}: number of elements");
    for (at, (&got, want)) in got.iter().zip(want).enumerate() {
        report.count(1);
        match (agrees(got, want.number), want.exempt) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => {
                report.fail(&what, format!("at {:?}: {got:e}, expected {:e}", lane(record, at), want.number));
            }
            (true, Some(e)) => report.fail(&what, format!("agrees at {:?} and is exempt: {}", e.args, e.reason)),
        }
    }
}

fn operation(op: &str, params: &Value) -> Option<Operation> {
    let unary: Option<fn(&Array) -> Array> = match op {
        "neg" => Some(|x| -x),
        "abs" => Some(Array::abs),
        "sign" => Some(Array::sign),
        "floor" => Some(Array::floor),
        "ceil" => Some(Array::ceil),
        "round" => Some(Array::round),
        "exp" => Some(Array::exp),
        "exp2" => Some(Array::exp2),
        "expm1" => Some(Array::expm1),
        "log" => Some(Array::log),
        "log2" => Some(Array::log2),
        "log1p" => Some(Array::log1p),
        "sin" => Some(Array::sin),
        "cos" => Some(Array::cos),
        "tan" => Some(Array::tan),
        "asin" => Some(Array::asin),
        "acos" => Some(Array::acos),
        "atan" => Some(Array::atan),
        "sinh" => Some(Array::sinh),
        "cosh" => Some(Array::cosh),
        "tanh" => Some(Array::tanh),
        "asinh" => Some(Array::asinh),
        "acosh" => Some(Array::acosh),
        "atanh" => Some(Array::atanh),
        "sqrt" => Some(Array::sqrt),
        "rsqrt" => Some(Array::rsqrt),
        "cbrt" => Some(Array::cbrt),
        "logistic" => Some(Array::logistic),
        "erf" => Some(Array::erf),
        "erfc" => Some(Array::erfc),
        "erf_inv" => Some(Array::erf_inv),
        "lgamma" => Some(Array::lgamma),
        "digamma" => Some(Array::digamma),
        _ => None,
    };
    if let Some(f) = unary {
        return Some(Box::new(move |x| f(&x[0])));
    }
    let binary: Option<fn(&Array, &Array) -> Array> = match op {
        "add" => Some(|x, y| x + y),
        "sub" => Some(|x, y| x - y),
        "mul" => Some(|x, y| x * y),
        "div" => Some(|x, y| x / y),
        "rem" => Some(|x, y| x % y),
        "pow" => Some(|x, y| x.pow(y)),
        "atan2" => Some(|x, y| x.atan2(y)),
        "max" => Some(|x, y| x.max(y)),
        "min" => Some(|x, y| x.min(y)),
        _ => None,
    };
    if let Some(f) = binary {
        return Some(Box::new(move |x| f(&x[0], &x[1])));
    }
    Some(match op {
        "powi" => {
            let n = params["n"].as_i64()? as i32;
            Box::new(move |x| x[0].powi(n))
        }
        "select" => Box::new(|x| select(&x[0], &x[1], &x[2])),
        "clamp" => Box::new(|x| x[1].clamp(&x[0], &x[2])),
        _ => return None,
    })
}
