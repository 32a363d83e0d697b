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

mod reference;
mod wide;

use reference::reference;

const DATA: &str = include_str!("../data/scalar.txt");

/// One line of the data.
struct Sample {
    arguments: Vec<f64>,
    value: f64,
    /// What the true value has beyond `value`, in ulp of it.
    rest: f64,
}

/// What a function promises, and where a sweep asks it.
struct Promise {
    op: ScalarOp,
    /// The largest error in ulp.
    ulp: f64,
    floor: Threshold,
    /// Ranges of an argument, or of both. Those without 0 that span more than 10³ are run through by magnitude.
    ranges: &'static [Range],
}

/// Below this the result's ulp is not counted: near zeros between poles only the absolute error is small.
#[derive(Clone, Copy, PartialEq)]
enum Threshold {
    Zero,
    One,
    /// 1 or the function at 1 − x, which is one of the terms for negative x.
    AtMirror,
}

impl Threshold {
    fn of(self, op: ScalarOp, x: &[f64]) -> Vec<f64> {
        match self {
            Threshold::Zero => vec![0.0; x.len()],
            Threshold::One => vec![1.0; x.len()],
            Threshold::AtMirror => {
                let terms = results(op, &[x.iter().map(|x| 1.0 - x).collect::<Vec<f64>>()]);
                terms.into_iter().map(|term| term.abs().max(1.0)).collect()
            }
        }
    }
}

type Range = (f64, f64);
const SMALL: Range = (1e-20, 1.0);
const POSITIVE: Range = (1e-300, 1e300);

fn promise(name: &str) -> Promise {
    use ScalarOp::*;
    use Threshold::*;
    let (op, ulp, floor, ranges): (_, _, _, &[Range]) = match name {
        "exp" => (Exp, 1.0, Zero, &[(-670.0, 709.0), (-2.0, 2.0), SMALL]),
        "exp2" => (Exp2, 1.0, Zero, &[(-960.0, 1023.0), (-2.0, 2.0), SMALL]),
        "expm1" => (Expm1, 1.0, Zero, &[(-40.0, 709.0), (-3.0, 3.0), SMALL]),
        "log" => (Log, 1.0, Zero, &[POSITIVE, (0.4, 2.5)]),
        "log2" => (Log2, 1.0, Zero, &[POSITIVE, (0.4, 2.5)]),
        "log1p" => (Log1p, 1.0, Zero, &[(-0.999, 3.0), (1e-20, 1e300), (-0.9, -1e-20)]),
        "sin" => (Sin, 1.0, Zero, &[(-10.0, 10.0), (-1e6, 1e6), SMALL]),
        "cos" => (Cos, 1.0, Zero, &[(-10.0, 10.0), (-1e6, 1e6), SMALL]),
        "tan" => (Tan, 1.0, Zero, &[(-10.0, 10.0), (-1e6, 1e6), SMALL]),
        "asin" => (Asin, 2.5, Zero, &[(-1.0, 1.0), SMALL]),
        "acos" => (Acos, 2.5, Zero, &[(-1.0, 1.0), SMALL]),
        "atan" => (Atan, 2.5, Zero, &[(-3.0, 3.0), (1e-20, 1e20)]),
        "sinh" => (Sinh, 2.5, Zero, &[(-709.0, 709.0), (-3.0, 3.0), SMALL]),
        "cosh" => (Cosh, 2.5, Zero, &[(-709.0, 709.0), (-3.0, 3.0)]),
        "tanh" => (Tanh, 2.5, Zero, &[(-25.0, 25.0), (-2.0, 2.0), SMALL]),
        "asinh" => (Asinh, 2.5, Zero, &[(-4.0, 4.0), (1e-20, 1e300)]),
        "acosh" => (Acosh, 2.5, Zero, &[(1.0, 4.0), (1.001, 1e300)]),
        "atanh" => (Atanh, 2.5, Zero, &[(-1.0, 1.0), SMALL]),
        "sqrt" => (Sqrt, 1.0, Zero, &[POSITIVE, (0.1, 10.0)]),
        "rsqrt" => (Rsqrt, 1.0, Zero, &[POSITIVE, (0.1, 10.0)]),
        "cbrt" => (Cbrt, 1.0, Zero, &[POSITIVE, (-10.0, 10.0)]),
        "logistic" => (Logistic, 2.5, Zero, &[(-670.0, 40.0), (-4.0, 4.0), SMALL]),
        "erf" => (Erf, 2.5, Zero, &[(-6.0, 6.0), SMALL]),
        "erfc" => (Erfc, 2.5, Zero, &[(-6.0, 25.0), (-1.0, 3.0)]),
        "erf_inv" => (ErfInv, 2.5, Zero, &[(-1.0, 1.0), SMALL]),
        "lgamma" => (Lgamma, 2.5, Zero, &[(0.0, 4.0), (3.0, 200.0), (1e-20, 1e300)]),
        "lgamma_negative" => (Lgamma, 2.5, AtMirror, &[(-4.0, 0.0), (-200.0, 0.0), (-1.0, -1e-20)]),
        "digamma" => (Digamma, 2.5, Zero, &[(0.0, 4.0), (3.0, 30.0), (1e-20, 1e300)]),
        "digamma_negative" => (Digamma, 2.5, AtMirror, &[(-4.0, 0.0), (-2000.0, 0.0), (-1.0, -1e-20)]),
        "pow" => (Pow, 1.0, Zero, &[(1e-3, 1e3), (-90.0, 90.0)]),
        "atan2" => (Atan2, 2.5, Zero, &[(-3.0, 3.0), (-3.0, 3.0)]),
        "polygamma" => (Polygamma, 2.5, Zero, &[]),
        "polygamma_negative" => (Polygamma, 2.5, One, &[]),
        _ => panic!("no promise for {name}"),
    };
    Promise { op, ulp, floor, ranges }
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
    let (got, floors) = (results(promise.op, &columns), promise.floor.of(promise.op, &columns[0]));
    got.iter().zip(samples).zip(floors).fold(0.0, |worst: f64, ((&got, sample), floor)| {
        let unit = ulp(sample.value);
        worst.max(error(got, sample.value, sample.rest, unit) * unit / unit.max(ulp(floor)))
    })
}

/// Random arguments of a range.
fn points(range: Range, n: usize, seed: u64) -> impl Iterator<Item = f64> {
    let (low, high) = range;
    let (start, end) = (low.abs().ln(), high.abs().ln());
    let is_by_magnitude =
        low.signum() == high.signum() && low != 0.0 && high != 0.0 && (end - start).abs() > 1e3f64.ln();
    let mut state = seed;
    (0..n).map(move |_| {
        // Knuth's generator, whose high bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (state >> 11) as f64 / (1_u64 << 53) as f64;
        if is_by_magnitude { low.signum() * (start + (end - start) * part).exp() } else { low + (high - low) * part }
    })
}

/// The largest error in `f64` over many random arguments, against numbers of twice the precision.
fn error_double_of_sweep(promise: &Promise, n: usize) -> f64 {
    let columns: Vec<Vec<f64>> = match (promise.op.arity(), promise.ranges) {
        (2, &[first, second]) => vec![points(first, n, 1).collect(), points(second, n, 2).collect()],
        (2, _) => return 0.0,
        (_, ranges) => vec![ranges.iter().flat_map(|&range| points(range, n / ranges.len(), 3)).collect()],
    };
    let (got, floors) = (results(promise.op, &columns), promise.floor.of(promise.op, &columns[0]));
    got.iter().zip(floors).enumerate().fold(0.0, |worst: f64, (i, (&got, floor))| {
        let (x, y) = (columns[0][i], columns[columns.len() - 1][i]);
        let expected = reference(promise.op, x, y).expect("there is a reference for what has ranges");
        let unit = ulp(expected.high).max(ulp(floor));
        let error = ((got - expected.high) - expected.low).abs() / unit;
        assert!(!error.is_nan(), "{:?} of {x}, {y}: {got}, expected {expected:?}", promise.op);
        worst.max(error)
    })
}

/// The largest error in `f32` for arguments and true values.
fn error_single(promise: &Promise, arguments: &[Vec<f32>], values: &[f64]) -> f64 {
    let first: Vec<f64> = arguments[0].iter().map(|&x| x.into()).collect();
    let (got, floors) = (results(promise.op, arguments), promise.floor.of(promise.op, &first));
    got.iter().zip(values).zip(floors).fold(0.0, |worst: f64, ((&got, &value), floor)| {
        let nearest = value as f32;
        let unit = f64::from(ulp_single(nearest).max(ulp_single(floor as f32)));
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

/// The largest error in `f32` over arguments from the whole range, against the results in `f64`.
fn error_single_of_sweep(name: &str, promise: &Promise, stride: usize) -> f64 {
    let numbers = |stride: usize| (0..=u32::MAX).step_by(stride).map(f32::from_bits);
    let arguments: Vec<Vec<f32>> = match promise.op.arity() {
        1 => {
            let is_asked = |x: &f32| match promise.op {
                ScalarOp::Lgamma | ScalarOp::Digamma => (*x < 0.0) == name.ends_with("_negative"),
                _ => true,
            };
            vec![numbers(stride).filter(is_asked).collect()]
        }
        // The second runs through its range while the first moves on a little, and is of the size of 1 or 30.
        2 => {
            let second = numbers(4_000_037).map(|y| y.to_bits() % 0x0300_0000 + 0x3f00_0000);
            let second: Vec<f32> =
                second.enumerate().map(|(i, bits)| f32::from_bits(bits | (i as u32 % 2) << 31)).collect();
            let pairs = numbers(1963 * stride).flat_map(|x| second.iter().map(move |&y| (x, y)));
            let (first, second) = pairs.unzip();
            vec![first, second]
        }
        n => panic!("no sweep over {n} arguments"),
    };
    let wide: Vec<Vec<f64>> = arguments.iter().map(|column| column.iter().map(|&x| f64::from(x)).collect()).collect();
    error_single(promise, &arguments, &results(promise.op, &wide))
}

/// How dense sweeps are: `DINI_ACCURACY=n` makes them n times as dense as in the tests.
fn density() -> usize {
    std::env::var("DINI_ACCURACY").map_or(1, |word| word.parse().expect("DINI_ACCURACY is a whole number"))
}

#[test]
fn references_agree_with_the_samples() {
    for (name, samples) in samples() {
        let Promise { op, ranges, .. } = promise(name);
        for Sample { arguments, value, rest } in samples {
            let (x, y) = (arguments[0], arguments[arguments.len() - 1]);
            let is_inside = |x: f64, (low, high): Range| low < x && x < high;
            let is_swept = match (op.arity(), ranges) {
                (2, &[first, second]) => is_inside(x, first) && is_inside(y, second),
                (2, _) => false,
                (_, ranges) => ranges.iter().any(|&range| is_inside(x, range)),
            };
            // Corners are not said to more than the digits of `f64`.
            if is_swept && value.abs() > 1e-290 && x != 0.0 && y != 0.0 {
                let expected = reference(op, x, y).expect("there is a reference for what has ranges");
                let distance = ((value - expected.high) - expected.low) / ulp(value) + rest;
                assert!(distance.abs() < 0.002, "{name} at {x}, {y}: {expected:?} differs by {distance} ulp");
            }
        }
    }
}

#[test]
fn errors_are_within_the_promise() {
    let mut table = String::from(HEADER);
    let mut broken = Vec::new();
    let density = density();
    for (name, samples) in samples() {
        let promise = promise(name);
        let double = error_double(&promise, &samples).max(error_double_of_sweep(&promise, 100_000 * density));
        let mut single = error_single_of_samples(&promise, &samples);
        // What has no single-precision version would be compared with itself.
        if promise.op != ScalarOp::Polygamma {
            single = single.max(error_single_of_sweep(name, &promise, (2039 / density).max(1)));
        }
        let (name, range) = name.split_once('_').filter(|(_, range)| *range == "negative").unwrap_or((name, ""));
        let range = if range.is_empty() { "" } else { ", x < 0" };
        let up = |error: f64| (error * 100.0).ceil() / 100.0;
        let row = format!("| `{name}`{range} | {:.2} | {:.2} | {} |", up(double), up(single), promise.ulp);
        writeln!(table, "{row}").expect("a string takes all text");
        if double > promise.ulp || single > promise.ulp {
            broken.push(row);
        }
    }
    assert!(broken.is_empty(), "errors above the promise: {broken:#?}");
    if density == 1 {
        expect_file!["../../../../docs/accuracy.md"].assert_eq(&table);
    } else {
        println!("{table}");
    }
}

const HEADER: &str = "\
# Accuracy

The largest error of each elementary function of `dini-cpu` in units of the last place of the true value, measured, and
the bound that the tests hold it to. Double precision is compared with values of 90 digits at hundreds of arguments,
corners and huge ones among them, and at 100,000 random arguments with arithmetic of twice the precision; single
precision with the former and, at some two million arguments from all of the range, with double precision. Results are
the same bits on every processor, so these numbers hold for all.

Between their poles the functions of the gamma function have zeros, next to which errors are relative to the terms that
cancel: to 1 or the function at 1 − x, if that is larger (`polygamma`: to 1).

Written by `UPDATE_EXPECT=1 cargo test -p dini-cpu --test accuracy`; with `DINI_ACCURACY=50` the sweeps are as many times
as dense, and the table is printed instead.

| function | f64 | f32 | at most |
| --- | --- | --- | --- |
";
