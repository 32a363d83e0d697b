//! Accuracy of the scalar functions against values of many digits, made by `xtask/reference/scalar.py`.
//!
//! `cargo test -p dini-cpu --test accuracy -- --nocapture` prints the table of the largest errors.

use dini_cpu::{
    math::{Scalar, kernel},
    scalar::ScalarOp,
};
use std::collections::BTreeMap;

const DATA: &str = include_str!("data/scalar.txt");

/// One line of the data.
struct Sample {
    arguments: Vec<f64>,
    value: f64,
    /// What the true value has beyond `value`, in ulp of it.
    rest: f64,
}

/// What a function promises: the operation, its largest error in ulp for `f64`, and a floor below which the result's
/// ulp is not counted: near zeros between poles only the absolute error is small.
struct Promise {
    op: ScalarOp,
    ulp: f64,
    floor: f64,
}

fn promise(name: &str) -> Promise {
    use ScalarOp::*;
    let (op, ulp, floor) = match name {
        "exp" => (Exp, 0.65, 0.0),
        "exp2" => (Exp2, 0.65, 0.0),
        "expm1" => (Expm1, 0.8, 0.0),
        "log" => (Log, 0.85, 0.0),
        "log2" => (Log2, 0.8, 0.0),
        "log1p" => (Log1p, 0.9, 0.0),
        "sin" => (Sin, 0.8, 0.0),
        "cos" => (Cos, 0.8, 0.0),
        "tan" => (Tan, 1.0, 0.0),
        "asin" => (Asin, 1.0, 0.0),
        "acos" => (Acos, 1.0, 0.0),
        "atan" => (Atan, 1.0, 0.0),
        "sinh" => (Sinh, 2.0, 0.0),
        "cosh" => (Cosh, 1.5, 0.0),
        "tanh" => (Tanh, 2.0, 0.0),
        "asinh" => (Asinh, 2.0, 0.0),
        "acosh" => (Acosh, 2.0, 0.0),
        "atanh" => (Atanh, 2.0, 0.0),
        "sqrt" => (Sqrt, 0.501, 0.0),
        "rsqrt" => (Rsqrt, 1.5, 0.0),
        "cbrt" => (Cbrt, 1.0, 0.0),
        "logistic" => (Logistic, 2.0, 0.0),
        "erf" => (Erf, 1.0, 0.0),
        "erfc" => (Erfc, 2.5, 0.0),
        "erf_inv" => (ErfInv, 2.0, 0.0),
        "lgamma" => (Lgamma, 2.5, 0.0),
        "lgamma_negative" => (Lgamma, 4.0, 4.0),
        "digamma" => (Digamma, 2.5, 0.0),
        "digamma_negative" => (Digamma, 3.0, 4.0),
        "pow" => (Pow, 0.75, 0.0),
        "atan2" => (Atan2, 1.5, 0.0),
        "polygamma" => (Polygamma, 5.0, 0.0),
        "polygamma_negative" => (Polygamma, 8.0, 1.0),
        _ => panic!("no promise for {name}"),
    };
    Promise { op, ulp, floor }
}

fn samples() -> BTreeMap<&'static str, Vec<Sample>> {
    let float = |hexadecimal: &str| f64::from_bits(u64::from_str_radix(hexadecimal, 16).unwrap());
    let mut by_name: BTreeMap<_, Vec<Sample>> = BTreeMap::new();
    for line in DATA.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, arguments @ .., value, rest] = &fields[..] else { panic!("line {line}") };
        by_name.entry(*name).or_default().push(Sample {
            arguments: arguments.iter().copied().map(float).collect(),
            value: float(value),
            rest: rest.parse::<f64>().unwrap() / 1000.0,
        });
    }
    by_name
}

/// The kernel's results, computed as one long vector, so that the vector path is what is tested.
fn results<T: Scalar>(op: ScalarOp, columns: &[Vec<T>]) -> Vec<T> {
    let kernel = kernel(op, &vec![T::DTYPE; columns.len()]).unwrap();
    let mut out = vec![T::default(); columns[0].len()];
    let columns: Vec<_> = columns.iter().map(|column| T::wrap(column)).collect();
    kernel.run(&columns, T::wrap_mut(&mut out));
    out
}

/// The distance between a result and the true value in units of the last place; corners must match, zeros' signs too.
fn error(got: f64, expected: f64, rest: f64, ulp: f64) -> f64 {
    if expected.is_nan() || expected.is_infinite() || expected == 0.0 || !got.is_finite() {
        let is_same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
        return if is_same { 0.0 } else { f64::INFINITY };
    }
    ((got - expected) / ulp - rest).abs()
}

fn ulp(x: f64) -> f64 {
    let x = x.abs();
    if x < f64::MIN_POSITIVE { 5e-324 } else { f64::from_bits(x.to_bits() + 1) - x }
}

fn ulp_single(x: f32) -> f32 {
    let x = x.abs();
    if x < f32::MIN_POSITIVE { 1e-45 } else { f32::from_bits(x.to_bits() + 1) - x }
}

/// Largest error and where.
fn worst(errors: impl Iterator<Item = f64>, samples: &[Sample]) -> (f64, Vec<f64>) {
    errors.zip(samples).fold((0.0, Vec::new()), |(worst, at), (error, sample)| {
        if error > worst { (error, sample.arguments.clone()) } else { (worst, at) }
    })
}

#[test]
fn errors_are_within_the_promise() {
    let mut broken = Vec::new();
    println!("{:18} {:>5} {:>9} {:>9}   worst at", "function", "count", "f64 ulp", "f32 ulp");
    for (name, samples) in samples() {
        let Promise { op, ulp: limit, floor } = promise(name);
        let n_arguments = samples[0].arguments.len();
        let columns: Vec<Vec<f64>> =
            (0..n_arguments).map(|i| samples.iter().map(|sample| sample.arguments[i]).collect()).collect();
        let got = results(op, &columns);
        let errors = got.iter().zip(&samples).map(|(&got, sample)| {
            let unit = ulp(sample.value);
            error(got, sample.value, sample.rest, unit) * unit / unit.max(ulp(floor))
        });
        let (error_double, place) = worst(errors, &samples);
        // f32: where the arguments are representable and the result is a normal number.
        let is_single = |x: f64| f64::from(x as f32) == x || x.is_nan();
        let single: Vec<&Sample> = samples
            .iter()
            .filter(|sample| sample.arguments.iter().all(|&x| is_single(x)))
            .filter(|sample| !(sample.value != 0.0 && sample.value.abs() < 1e-37))
            .collect();
        let columns: Vec<Vec<f32>> =
            (0..n_arguments).map(|i| single.iter().map(|sample| sample.arguments[i] as f32).collect()).collect();
        let got = results(op, &columns);
        let error_single = got.iter().zip(&single).fold(0.0, |worst: f64, (&got, sample)| {
            let nearest = sample.value as f32;
            let unit = f64::from(ulp_single(nearest)).max(if floor > 0.0 { 1e-7 } else { 0.0 });
            worst.max(error(f64::from(got), if nearest.is_finite() { sample.value } else { nearest.into() }, 0.0, unit))
        });
        println!("{name:18} {:5} {error_double:9.3} {error_single:9.3}   {place:?}", samples.len());
        if error_double > limit || error_single > 1.0 {
            broken.push(name);
        }
    }
    assert!(broken.is_empty(), "errors above the promise: {broken:?}");
}
