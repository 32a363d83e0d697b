//! Chains of transformations on flat functions, each with a reference that does not use it.

use super::program::Program;
use dini::prelude::*;
use dini_cpu::fuzz::Choices;
use std::rc::Rc;

/// A function on flat lists of f64 arrays.
pub type Flat = Rc<dyn Fn(Vec<Array>) -> Result<Vec<Array>>>;

/// A transformation, and the same without it.
type Transformation = fn(Flat, &[bool]) -> Flat;

/// Name, transformation, reference.
const FORWARD: &[(&str, Transformation, Transformation)] = &[
    ("jit", |f, _| Rc::new(jit(move |x: Vec<Array>| f(x))), |f, _| f),
    ("checkpoint", |f, _| Rc::new(checkpoint(move |x: Vec<Array>| f(x))), |f, _| f),
    ("vmap", vectorized, looped),
    ("jvp", pushed, pushed),
    ("linearize", linearized, pushed),
];

const REVERSE: &[(&str, Transformation, Transformation)] = &[("grad", gradient, gradient)];

/// Up to three transformations of a program: their names, outermost first, the function, and its reference.
pub fn random(choices: &mut Choices, program: &Rc<Program>) -> (String, Flat, Flat) {
    let base: Flat = {
        let program = program.clone();
        Rc::new(move |x| program.call(x))
    };
    let usable = if program.has_while { FORWARD.to_vec() } else { [FORWARD, REVERSE].concat() };
    let (mut names, mut transformed, mut reference) = (String::from("the program"), base.clone(), base);
    for _ in 0..choices.below(4) {
        let (name, transformation, plain) = *choices.pick(&usable);
        // At least one operand has lanes.
        let has_lanes: Vec<bool> = (0..program.inputs.len()).map(|i| i == 0 || choices.below(3) > 0).collect();
        names = match name {
            "vmap" => format!("vmap (lanes of operands: {has_lanes:?}) of {names}"),
            _ => format!("{name} of {names}"),
        };
        transformed = transformation(transformed, &has_lanes);
        reference = plain(reference, &has_lanes);
    }
    (names, transformed, reference)
}

/// The second lane of an operand; the first is the operand itself.
fn second_lane(x: &Array) -> Array {
    x * 0.5 + 0.1
}

fn vectorized(f: Flat, has_lanes: &[bool]) -> Flat {
    let has_lanes = has_lanes.to_vec();
    Rc::new(move |x| {
        let stacked = x.iter().zip(&has_lanes).filter(|(_, has)| **has);
        let stacked: Vec<Array> = stacked.map(|(x, _)| stack(&[x, &second_lane(x)], 0)).collect();
        // What has no lanes is closed over.
        let lanes = |given: Vec<Array>| {
            let mut given = given.into_iter();
            f(x.iter()
                .zip(&has_lanes)
                .filter_map(|(x, has)| if *has { given.next() } else { Some(x.clone()) })
                .collect())
        };
        vmap(lanes)(stacked)
    })
}

fn looped(f: Flat, has_lanes: &[bool]) -> Flat {
    let has_lanes = has_lanes.to_vec();
    Rc::new(move |x| {
        let second = x.iter().zip(&has_lanes).map(|(x, has)| if *has { second_lane(x) } else { x.clone() }).collect();
        let (first, second) = (f(x)?, f(second)?);
        Ok(first.iter().zip(&second).map(|(a, b)| stack(&[a, b], 0)).collect())
    })
}

fn pushed(f: Flat, _: &[bool]) -> Flat {
    Rc::new(move |x| {
        let v = direction(&x, 0.7);
        jvp(&*f, x, v).map(|(_, t)| t)
    })
}

fn linearized(f: Flat, _: &[bool]) -> Flat {
    Rc::new(move |x| {
        let v = direction(&x, 0.7);
        let (_, tangent) = linearize(&*f, x)?;
        tangent(v)
    })
}

fn gradient(f: Flat, _: &[bool]) -> Flat {
    Rc::new(grad(move |x: Vec<Array>| -> Result<Array> {
        let y = f(x)?;
        let w = direction(&y, 0.2);
        Ok(dot(&y, &w))
    }))
}

/// Fixed arrays of the shapes of `xs`.
pub fn direction(xs: &[Array], seed: f64) -> Vec<Array> {
    let element = |i: usize, k: usize| (seed + 1.3 * i as f64 + 0.9 * k as f64).cos();
    xs.iter()
        .enumerate()
        .map(|(i, x)| Array::new((0..x.len()).map(|k| element(i, k)).collect::<Vec<f64>>(), x.shape()))
        .collect()
}

/// ⟨x, y⟩ over all leaves.
pub fn dot(xs: &[Array], ys: &[Array]) -> Array {
    xs.iter().zip(ys).fold(Array::from(0.0), |sum, (x, y)| sum + (x * y).sum())
}
