//! Random programs under random compositions of transformations, through the public API alone.
//!
//! A program is a straight line of 20 to 60 steps (`steps`) on arrays of up to three axes, extents 0 and 1 included, with
//! loops, branches and solves among them (`program`). A chain of transformations is applied to it (`chain`) and checked:
//! compiled = evaluated, vectorized = stacked loop, reverse = forward (⟨J v, w⟩ = ⟨v, Jᵀ w⟩).
//!
//! The test runs a fixed slice of seeds. `DINI_RANDOM_PROGRAMS=1000..5000` in the environment runs others; a failure prints
//! its seed and its program.

mod chain;
mod program;
mod random;
mod steps;

use chain::{Flat, direction, dot};
use dini::prelude::*;
use program::Program;
use random::Random;
use std::{ops::Range, rc::Rc};

/// The seeds of an ordinary run: a few seconds.
const SEEDS: Range<u64> = 0..24;

#[test]
fn random_programs_agree() {
    let seeds = std::env::var("DINI_RANDOM_PROGRAMS").map_or(SEEDS, |given| {
        let (from, to) = given.split_once("..").unwrap_or_else(|| panic!("expected `from..to`, got `{given}`"));
        let parse = |n: &str| n.parse().unwrap_or_else(|e| panic!("`{n}`: {e}"));
        parse(from)..parse(to)
    });
    let (mut n_telling, mut failures) = (0, Vec::new());
    for seed in seeds.clone() {
        match check(seed) {
            Ok(is_telling) => n_telling += usize::from(is_telling),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{} failures:\n\n{}", failures.len(), failures.join("\n\n"));
    let n = seeds.count();
    assert!(
        2 * n_telling >= n,
        "only {n_telling} of {n} programs have results that are not 0: they would show nothing"
    );
}

/// All checks of one seed, and whether there was a number to compare that is not 0; an error has everything needed to look
/// into it.
fn check(seed: u64) -> Result<bool, String> {
    let mut random = Random::new(seed);
    // Every third program has while loops, which reverse mode cannot pass.
    let program = Rc::new(Program::random(&mut random, seed.is_multiple_of(3)));
    let (names, transformed, reference) = chain::random(&mut random, &program);
    let x = program.inputs.clone();
    let outcome = agree(&transformed, &reference, &x, !program.has_while);
    outcome.map_err(|why| format!("seed {seed}, {}: {why}\n{program}", names.join(" of ")))
}

fn agree(transformed: &Flat, reference: &Flat, x: &[Array], reverses: bool) -> Result<bool, String> {
    let run = |what: &str, f: &Flat| f(x.to_vec()).map_err(|e| format!("{what}: {e}"));
    let expected = run("reference", reference)?;
    let compiled: Flat = {
        let f = transformed.clone();
        Rc::new(jit(move |x: Vec<Array>| f(x)))
    };
    close("transformed", &run("transformed", transformed)?, &expected)?;
    close("compiled", &run("compiled", &compiled)?, &expected)?;
    if reverses {
        let (v, w) = (direction(x, 0.3), direction(&expected, 1.1));
        let forward = || -> Result<Array> { Ok(dot(&jvp(&**transformed, x.to_vec(), v.clone())?.1, &w)) };
        let reverse = || -> Result<Array> { Ok(dot(&vjp(&**transformed, x.to_vec())?.1(w.clone())?, &v)) };
        let [forward, reverse] = [forward(), reverse()].map(|y| y.map_err(|e| format!("derivative: {e}")));
        close("reverse and forward", &[reverse?], &[forward?])?;
    }
    let is_telling = |y: &Array| y.to_vec::<f64>().is_ok_and(|y| y.iter().any(|x| x.abs() > 1e-6));
    Ok(expected.iter().any(is_telling))
}

/// Compares relative to the largest element.
fn close(what: &str, got: &[Array], want: &[Array]) -> Result<(), String> {
    let shapes = |ys: &[Array]| -> Vec<Vec<usize>> { ys.iter().map(|y| y.shape().to_vec()).collect() };
    if shapes(got) != shapes(want) {
        return Err(format!("{what}: shapes {:?}, expected {:?}", shapes(got), shapes(want)));
    }
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let numbers = |y: &Array| y.to_vec::<f64>().map_err(|e| format!("{what}: {e}"));
        let (got, want) = (numbers(got)?, numbers(want)?);
        let scale = want.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
        if let Some(x) = want.iter().find(|x| !x.is_finite()) {
            return Err(format!("{what}: output {i} has {x}: the steps are to keep numbers in bounds"));
        }
        if let Some(at) = (0..want.len()).find(|&at| (got[at] - want[at]).abs() > 1e-9 * scale || got[at].is_nan()) {
            return Err(format!("{what}: output {i}, element {at} is {:e}, expected {:e}", got[at], want[at]));
        }
    }
    Ok(())
}
