//! A static field is compared, which `f64` cannot be.

use dini::prelude::*;

#[derive(Tree)]
struct Params {
    w: Array,
    #[tree(static)]
    rate: f64,
}

fn main() {}
