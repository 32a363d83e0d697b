//! Loops with a fixed number of steps: an ordinary differential equation, and conjugate gradients on a grid.

use crate::{
    inputs::uniform,
    workload::{Workload, call},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    let contract = || Jit::new().contract();
    let start = || ([Array::from(1.0), Array::from(2.0), Array::from(20.0)], Array::from(28.0));
    let mut all = vec![
        // XLA contracts products and sums unasked.
        Workload::new("lorenz/value", move || call(jit_with(contract(), lorenz), start_of(start()))),
        Workload::new("lorenz/gradient", move || call(jit_with(contract(), grad(lorenz)), start_of(start()))),
    ];
    for n in [64, 256, 512] {
        let field = move || (uniform(3, &[n, n], 0.05, 0.15), uniform(4, &[n, n], 0.0, 1.0));
        all.push(Workload::new(format!("stencil/value/{n}"), move || call(jit(energy), field())));
        all.push(Workload::new(format!("stencil/gradient/{n}"), move || call(jit(grad(energy)), field())));
    }
    all
}

type State = (Array, Array, Array);

fn start_of(([x, y, z], rho): ([Array; 3], Array)) -> (State, Array) {
    ((x, y, z), rho)
}

/// x + y + z of the Lorenz system after 1,000 steps of 0.01 by the classical Runge-Kutta method.
fn lorenz((start, rho): (State, Array)) -> Result<Array> {
    const STEP: f64 = 0.01;
    let slope = |(x, y, z): &State| ((y - x) * 10.0, x * (&rho - z) - y, x * y - z * (8.0 / 3.0));
    let moved = |s: &State, d: &State, h: f64| (&s.0 + &d.0 * h, &s.1 + &d.1 * h, &s.2 + &d.2 * h);
    let step = |s: State, (): ()| {
        let k1 = slope(&s);
        let k2 = slope(&moved(&s, &k1, STEP / 2.0));
        let k3 = slope(&moved(&s, &k2, STEP / 2.0));
        let k4 = slope(&moved(&s, &k3, STEP));
        let mean = |a: Array, b: Array, c: Array, d: Array| (a + (b + c) * 2.0 + d) / 6.0;
        let k = (mean(k1.0, k2.0, k3.0, k4.0), mean(k1.1, k2.1, k3.1, k4.1), mean(k1.2, k2.2, k3.2, k4.2));
        (moved(&s, &k, STEP), ())
    };
    let ((x, y, z), ()) = scan_with(ScanOptions::new().length(1000), step, start, ())?;
    Ok(x + y + z)
}

/// Σ u² of the solution u of (4 + θ) u − (sum of the four neighbours of u) = b on a square grid, with u = 0 around it.
fn energy((theta, b): (Array, Array)) -> Result<Array> {
    let n = b.shape()[0];
    let stencil = |u: Array| {
        let wide = u.pad(&[(1, 1), (1, 1)], 0.0);
        let inner = 1..n + 1;
        let neighbours = wide.slice(&[0..n, inner.clone()])
            + wide.slice(&[2..n + 2, inner.clone()])
            + wide.slice(&[inner.clone(), 0..n])
            + wide.slice(&[inner.clone(), 2..n + 2]);
        (&theta + 4.0) * u - neighbours
    };
    let u = custom_linear_solve_with(LinearSolveOptions::new().symmetric(), stencil, b, conjugate_gradients)?;
    Ok((&u * &u).sum())
}

/// 100 steps of the method of conjugate gradients from 0. Source: Hestenes and Stiefel, "Methods of Conjugate Gradients
/// for Solving Linear Systems", Journal of Research of the National Bureau of Standards 49 (1952).
fn conjugate_gradients(matvec: &dyn Fn(Array) -> Result<Array>, b: Array) -> Result<Array> {
    let step = |_, (x, r, p, rr): (Array, Array, Array, Array)| -> Result<(Array, Array, Array, Array)> {
        let ap = matvec(p.clone())?;
        let alpha = &rr / (&p * &ap).sum();
        let x = x + &alpha * &p;
        let r = r - alpha * ap;
        let next = (&r * &r).sum();
        let p = &r + (&next / rr) * p;
        Ok((x, r, p, next))
    };
    let start = (zeros_like(&b), b.clone(), b.clone(), (&b * &b).sum());
    Ok(fori_loop(0, 100, step, start)?.0)
}
