//! The error points at the type of the field and names the way out.

use dini::prelude::*;

#[derive(Tree)]
struct Params {
    w: Array,
    n_steps: usize,
}

enum Activation {
    Tanh,
}

#[derive(Tree)]
struct Layer<T> {
    inner: T,
    activation: Activation,
    bounds: Vec<(f64, f64)>,
}

fn main() {}
