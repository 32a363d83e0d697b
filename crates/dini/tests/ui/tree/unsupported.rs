//! Unions, and options that do not exist or stand at the wrong place.

use dini::prelude::*;

#[derive(Tree)]
union Bits {
    whole: u64,
}

#[derive(Tree)]
struct Misspelled {
    #[tree(statik)]
    n: usize,
}

#[derive(Tree)]
#[tree(static)]
struct WrongPlace {
    n: Array,
}

#[derive(Tree)]
#[tree(rename = "P")]
struct Unknown {
    n: Array,
}

#[derive(Tree)]
enum Variants {
    #[tree(static)]
    First,
}

fn main() {}
