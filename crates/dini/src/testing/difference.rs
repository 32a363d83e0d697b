//! Finite differences, and the comparison of arrays with numbers.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    shape::Aval,
    transform::{FlatFn, sound},
};
use dini_cpu::dtype::DType;

/// How finely a function can be probed: that depends on the coarsest floating-point type on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precision {
    /// Step of the finite differences along a direction of unit size.
    pub step: f64,
    /// Admissible difference from 1, and so of larger numbers in proportion.
    pub tolerance: f64,
}

impl Precision {
    /// For a function between arrays of these types. Higher orders differentiate larger derivatives numerically.
    pub fn of<'a>(avals: impl IntoIterator<Item = &'a Aval>, order: usize) -> Precision {
        let order = 10f64.powi(order.saturating_sub(1).min(3) as i32);
        // The five-point stencil errs by step⁴ f⁽⁵⁾ / 30 and by rounding / step.
        if avals.into_iter().any(|a| a.dtype == DType::F32) {
            Precision { step: 1.0 / 64.0, tolerance: 2e-3 * order }
        } else {
            Precision { step: 1e-4, tolerance: 1e-6 * order }
        }
    }
}

/// The elements as `f64`.
pub(crate) fn numbers(x: &Array) -> Result<Vec<f64>> {
    match x.try_aval()?.dtype {
        DType::F64 => x.to_vec(),
        DType::Float0 => Ok(Vec::new()),
        _ => x.cast(DType::F64).to_vec(),
    }
}

/// Derivatives of the results of `f` at `xs` along `ts`, by the five-point stencil; `None` for discrete results.
///
/// f′ ≈ (8 (f(x + h ẋ) − f(x − h ẋ)) − (f(x + 2h ẋ) − f(x − 2h ẋ))) / 12h
pub(crate) fn differences(
    f: FlatFn<'_>,
    xs: &[Array],
    ts: &[Option<Array>],
    step: f64,
) -> Result<Vec<Option<Vec<f64>>>> {
    let at = |k: f64| -> Result<Vec<Array>> {
        let moved: Vec<Array> = xs
            .iter()
            .zip(ts)
            .map(|(x, t)| match t {
                Some(t) => x + t * (k * step),
                None => x.clone(),
            })
            .collect();
        sound(f(&moved)?)
    };
    let (near, far) = ((at(1.0)?, at(-1.0)?), (at(2.0)?, at(-2.0)?));
    let mut derivatives = Vec::new();
    for i in 0..near.0.len() {
        derivatives.push(if near.0[i].dtype().is_inexact() {
            let [a, b, c, d] = [&near.0[i], &near.1[i], &far.0[i], &far.1[i]].map(numbers);
            let (a, b, c, d) = (a?, b?, c?, d?);
            Some((0..a.len()).map(|j| (8.0 * (a[j] - b[j]) - (c[j] - d[j])) / (12.0 * step)).collect())
        } else {
            None
        });
    }
    Ok(derivatives)
}

/// Whether two numbers agree; NaN agrees with NaN, and infinity with itself.
pub(crate) fn agree(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

/// Compares elements. The error names the first one that differs, as an element of `what`; `by` says what gave `want`.
pub(crate) fn compare(what: &str, shape: &[usize], got: &[f64], by: &str, want: &[f64], tolerance: f64) -> Result<()> {
    for (i, (&a, &b)) in got.iter().zip(want).enumerate() {
        if !agree(a, b, tolerance) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "{what}{} is {a:?}, {by} {b:?}: they differ by {:.1e}, the tolerance is {tolerance:.0e} (1 + |value|)",
                    element(i, shape),
                    (a - b).abs(),
                ),
            ));
        }
    }
    Ok(())
}

/// "[1, 2]", the index of a flat position; nothing for a scalar.
fn element(mut i: usize, shape: &[usize]) -> String {
    if shape.is_empty() {
        return String::new();
    }
    let mut index = vec![0; shape.len()];
    for (k, n) in shape.iter().enumerate().rev() {
        index[k] = i % n;
        i /= n;
    }
    format!("{index:?}")
}

/// ⟨a, b⟩ over the leaves that both have, and the sum of the products' magnitudes.
pub(crate) fn inner(a: &[Option<Array>], b: &[Option<Array>]) -> Result<(f64, f64)> {
    let (mut sum, mut size) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        if let (Some(a), Some(b)) = (a, b) {
            for (x, y) in numbers(a)?.iter().zip(numbers(b)?) {
                sum += x * y;
                size += (x * y).abs();
            }
        }
    }
    Ok((sum, size))
}
