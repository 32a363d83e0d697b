//! Accuracy of the scalar functions, against values of many digits, made by `xtask/reference/scalar.py`, and in single
//! precision also against the double-precision functions over all of the range.
//!
//! The largest errors stand in `docs/accuracy.md`; `UPDATE_EXPECT=1 cargo test -p dini-cpu --test accuracy` writes it.
//! Results are the same bits on every machine, so the table is, too.

use dini_cpu::{
    math::{Scalar, kernel},
    scalar::ScalarOp,
};
use expect_test::expect_file;
use std::{collections::BTreeMap, fmt::Write};

const DATA: &str = include_str!("data/scalar.txt");

/// One line of the data.
struct Sample {
    arguments: Vec<f64>,
    value: f64,
    /// What the true value has beyond `value`, in ulp of it.
    rest: f64,
}

/// What a function promises.
struct Promise {
    op: ScalarOp,
    /// The largest error in ulp, for `f64` and `f32`.
    ulp: [f64; 2],
    /// Below this the result's ulp is not counted: near zeros between poles only the absolute error is small.
    floor: f64,
}

fn promise(name: &str) -> Promise {
    use ScalarOp::*;
    let (op, ulp, floor) = match name {
        "exp" => (Exp, [1.0, 1.0], 0.0),
        "exp2" => (Exp2, [1.0, 1.0], 0.0),
        "expm1" => (Expm1, [2.5, 2.5], 0.0),
        "log" => (Log, [1.0, 1.0], 0.0),
        "log2" => (Log2, [1.0, 1.0], 0.0),
        "log1p" => (Log1p, [1.0, 1.0], 0.0),
        "sin" => (Sin, [1.0, 1.0], 0.0),
        "cos" => (Cos, [1.0, 1.0], 0.0),
        "tan" => (Tan, [2.5, 2.5], 0.0),
        "asin" => (Asin, [2.5, 2.5], 0.0),
        "acos" => (Acos, [2.5, 2.5], 0.0),
        "atan" => (Atan, [2.5, 2.5], 0.0),
        "sinh" => (Sinh, [2.5, 2.5], 0.0),
        "cosh" => (Cosh, [2.5, 2.5], 0.0),
        "tanh" => (Tanh, [2.5, 2.5], 0.0),
        "asinh" => (Asinh, [2.5, 2.5], 0.0),
        "acosh" => (Acosh, [2.5, 2.5], 0.0),
        "atanh" => (Atanh, [2.5, 2.5], 0.0),
        "sqrt" => (Sqrt, [1.0, 1.0], 0.0),
        "rsqrt" => (Rsqrt, [1.0, 1.0], 0.0),
        "cbrt" => (Cbrt, [1.0, 1.0], 0.0),
        "logistic" => (Logistic, [2.5, 2.5], 0.0),
        "erf" => (Erf, [2.5, 2.5], 0.0),
        "erfc" => (Erfc, [2.5, 2.5], 0.0),
        "erf_inv" => (ErfInv, [2.5, 2.5], 0.0),
        "lgamma" => (Lgamma, [2.5, 1.0], 0.0),
        "lgamma_negative" => (Lgamma, [4.0, 1.0], 4.0),
        "digamma" => (Digamma, [2.5, 1.0], 0.0),
        "digamma_negative" => (Digamma, [3.0, 1.0], 4.0),
        "pow" => (Pow, [1.0, 1.0], 0.0),
        "atan2" => (Atan2, [2.5, 2.5], 0.0),
        "polygamma" => (Polygamma, [5.0, 1.0], 0.0),
        "polygamma_negative" => (Polygamma, [8.0, 1.0], 1.0),
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

/// The largest error of the samples in `f64`.
fn error_double(promise: &Promise, samples: &[Sample]) -> f64 {
    let columns: Vec<Vec<f64>> =
        (0..samples[0].arguments.len()).map(|i| samples.iter().map(|sample| sample.arguments[i]).collect()).collect();
    let got = results(promise.op, &columns);
    got.iter().zip(samples).fold(0.0, |worst: f64, (&got, sample)| {
        let unit = ulp(sample.value);
        let relative = error(got, sample.value, sample.rest, unit) * unit / unit.max(ulp(promise.floor));
        worst.max(relative)
    })
}

/// The largest error in `f32` for arguments and true values.
fn error_single(promise: &Promise, arguments: &[Vec<f32>], values: &[f64]) -> f64 {
    let got = results(promise.op, arguments);
    got.iter().zip(values).fold(0.0, |worst: f64, (&got, &value)| {
        let nearest = value as f32;
        let unit = f64::from(ulp_single(nearest)).max(if promise.floor > 0.0 { 1e-7 } else { 0.0 });
        worst.max(error(f64::from(got), if nearest.is_finite() { value } else { nearest.into() }, 0.0, unit))
    })
}

/// The largest error in `f32` of the samples whose arguments it can represent.
fn error_single_of_samples(promise: &Promise, samples: &[Sample]) -> f64 {
    let is_single = |x: f64| f64::from(x as f32) == x || x.is_nan();
    let samples: Vec<&Sample> =
        samples.iter().filter(|sample| sample.arguments.iter().all(|&x| is_single(x))).collect();
    let arguments: Vec<Vec<f32>> =
        (0..promise.op.arity()).map(|i| samples.iter().map(|sample| sample.arguments[i] as f32).collect()).collect();
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    error_single(promise, &arguments, &values)
}

/// The largest error in `f32` over a million or two arguments from the whole range, against the results in `f64`.
fn error_single_of_sweep(promise: &Promise) -> f64 {
    let numbers = |stride: usize| (0..=u32::MAX).step_by(stride).map(f32::from_bits);
    let arguments: Vec<Vec<f32>> = match promise.op.arity() {
        1 => vec![numbers(2039).collect()],
        // The second runs through its range while the first moves on a little, and is of the size of 1 or 30.
        2 => {
            let second = numbers(4_000_037).map(|y| y.to_bits() % 0x0300_0000 + 0x3f00_0000);
            let second: Vec<f32> =
                second.enumerate().map(|(i, bits)| f32::from_bits(bits | (i as u32 % 2) << 31)).collect();
            let pairs = numbers(4_000_039).flat_map(|x| second.iter().map(move |&y| (x, y)));
            let (first, second) = pairs.unzip();
            vec![first, second]
        }
        n => panic!("no sweep over {n} arguments"),
    };
    let wide: Vec<Vec<f64>> = arguments.iter().map(|column| column.iter().map(|&x| f64::from(x)).collect()).collect();
    error_single(promise, &arguments, &results(promise.op, &wide))
}

#[test]
fn errors_are_within_the_promise() {
    let mut table = String::from(HEADER);
    let mut broken = Vec::new();
    for (name, samples) in samples() {
        let promise = promise(name);
        let double = error_double(&promise, &samples);
        let mut single = error_single_of_samples(&promise, &samples);
        // What has no single-precision version would be compared with itself.
        if !matches!(promise.op, ScalarOp::Lgamma | ScalarOp::Digamma | ScalarOp::Polygamma) {
            single = single.max(error_single_of_sweep(&promise));
        }
        let (name, range) = name.split_once('_').filter(|(_, range)| *range == "negative").unwrap_or((name, ""));
        let range = if range.is_empty() { "" } else { ", x < 0" };
        let up = |error: f64| (error * 100.0).ceil() / 100.0;
        let [double_limit, single_limit] = promise.ulp;
        writeln!(
            table,
            "| `{name}`{range} | {:.2} | {double_limit} | {:.2} | {single_limit} |",
            up(double),
            up(single)
        )
        .expect("a string takes all text");
        if double > double_limit || single > single_limit {
            broken.push((name, double, single));
        }
    }
    assert!(broken.is_empty(), "errors above the promise: {broken:?}");
    expect_file!["../../../docs/accuracy.md"].assert_eq(&table);
}

const HEADER: &str = "\
# Accuracy

The largest error of each elementary function of `dini-cpu` in units of the last place of the true value, measured, and
the bound that the tests hold it to. Double precision is compared with values of 90 digits at hundreds of arguments,
corners and huge ones among them; single precision with those and, at about a million arguments from all of the range,
with double precision. Results are the same bits on every processor, so these numbers hold for all. Between the poles of
the gamma functions errors near the zeros are relative to 1 or 4.

Written by `UPDATE_EXPECT=1 cargo test -p dini-cpu --test accuracy`.

| function | f64 | at most | f32 | at most |
| --- | --- | --- | --- | --- |
";
