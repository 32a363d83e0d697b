//! Functions on flat lists of arrays, and their comparison.

use dini::{ErrorKind, prelude::*};
use std::rc::Rc;

/// A function on flat lists. Results may be fed to any transformation: all leaves are f64.
pub type Flat = Rc<dyn Fn(Vec<Array>) -> Result<Vec<Array>>>;

/// Makes a flat function.
pub fn flat(f: impl Fn(Vec<Array>) -> Result<Vec<Array>> + 'static) -> Flat {
    Rc::new(f)
}

/// What every base function takes: a scalar and a vector.
pub fn inputs() -> Vec<Array> {
    vec![Array::from(0.7), Array::from(vec![0.4, 0.9])]
}

/// A fixed combination of all elements, in which no two have the same weight.
pub fn weighted(ys: &[Array]) -> Array {
    let mut sum = Array::from(0.0);
    for (i, y) in ys.iter().enumerate() {
        let weights: Vec<f64> = (0..y.len()).map(|k| 1.0 + 0.3 * k as f64 + 0.7 * i as f64).collect();
        sum += (y.reshape(&[y.len()]) * Array::from(weights)).sum();
    }
    sum
}

/// Direction `seed` in the space of `xs`.
pub fn direction(xs: &[Array], seed: f64) -> Vec<Array> {
    xs.iter()
        .enumerate()
        .map(|(i, x)| {
            let values = (0..x.len()).map(|k| (seed + 1.3 * i as f64 + 0.9 * k as f64).cos()).collect();
            Array::new::<f64>(values, x.shape())
        })
        .collect()
}

/// All elements of all results.
pub fn numbers(ys: &[Array]) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for y in ys {
        all.extend(y.to_vec::<f64>()?);
    }
    Ok(all)
}

/// How a composition ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Values(Vec<f64>),
    Failed(ErrorKind, String),
}

/// Runs a flat function at [`inputs`].
pub fn run(f: &Flat) -> Outcome {
    match f(inputs()).and_then(|ys| numbers(&ys)) {
        Ok(values) => Outcome::Values(values),
        Err(e) => Outcome::Failed(e.kind(), e.to_string()),
    }
}

/// Whether two results agree, up to the rounding of iterative solutions.
pub fn agree(got: &[f64], want: &[f64]) -> bool {
    got.len() == want.len()
        && got.iter().zip(want).all(|(a, b)| (a - b).abs() <= 1e-8 * (1.0 + b.abs()) && a.is_finite() && b.is_finite())
}
