//! Roots by iteration and their implicit derivatives: bisection of one equation, Newton's method for three.

use crate::{
    inputs::uniform,
    workload::{Workload, call},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    let points = || uniform(2, &[10_000], 0.5, 90.0);
    vec![
        Workload::new("bisection/value", || call(jit(sqrt_cubed), Array::from(4.0))),
        Workload::new("bisection/gradient", || call(jit(grad(sqrt_cubed)), Array::from(4.0))),
        Workload::new("bisection-1e4/value", move || call(jit(vmap(sqrt_cubed)), points())),
        Workload::new("bisection-1e4/gradient", move || call(jit(vmap(grad(sqrt_cubed))), points())),
        Workload::new("newton-3/value", || call(jit(sum_of_roots), Array::from([0.5, 81.0, 20.0]))),
        Workload::new("newton-3/gradient", || call(jit(grad(sum_of_roots)), Array::from([0.5, 81.0, 20.0]))),
    ]
}

/// y with y² = x³.
fn sqrt_cubed(x: Array) -> Result<Array> {
    custom_root(
        |y: Array| &y * &y - x.powi(3),
        Array::from(1.0),
        |f, _guess| bisect(f, 0.0, 1000.0),
        |g, b| Ok(b / g(Array::from(1.0))?),
    )
}

/// The root of an increasing function between `low` and `high`, to the last few bits.
fn bisect(f: &dyn Fn(Array) -> Result<Array>, low: f64, high: f64) -> Result<Array> {
    let (low, high) = while_loop(
        |(low, high): (Array, Array)| (&high - &low).gt(&high * 1e-15),
        |(low, high): (Array, Array)| -> Result<(Array, Array)> {
            let middle = (&low + &high) * 0.5;
            let is_right = f(middle.clone())?.lt(0.0);
            Ok((select(&is_right, &middle, &low), select(&is_right, &high, &middle)))
        },
        (Array::from(low), Array::from(high)),
    )?;
    Ok((low + high) * 0.5)
}

/// The sum of the unknowns that solve three equations with parameters p. Source of the equations: Burden and Faires,
/// "Numerical Analysis", section 10.2, example 2, with its constants 1/2, 81 and 20 as p.
fn sum_of_roots(p: Array) -> Result<Array> {
    let equations = |x: Array| {
        let [x0, x1, x2] = [0, 1, 2].map(|i: isize| x.index(i));
        let [p0, p1, p2] = [0, 1, 2].map(|i: isize| p.index(i));
        let first = &x0 * 3.0 - (&x1 * &x2).cos() - p0;
        let second = &x0 * &x0 - p1 * (&x1 + 0.1) * (&x1 + 0.1) + x2.sin() + 1.06;
        let third = (-(x0 * x1)).exp() + p2 * x2 + (10.0 * std::f64::consts::PI - 3.0) / 3.0;
        stack(&[first, second, third], 0)
    };
    let x =
        custom_root(equations, Array::from([0.1, 0.1, -0.1]), newton, |g, b| Ok(solve(&jacfwd(g)(b.clone())?, &b)))?;
    Ok(x.sum())
}

/// 20 steps of x ← x − J⁻¹ f(x).
fn newton(f: &dyn Fn(Array) -> Result<Array>, guess: Array) -> Result<Array> {
    fori_loop(0, 20, |_, x: Array| Ok(&x - solve(&jacfwd(f)(x.clone())?, &f(x.clone())?)), guess)
}
