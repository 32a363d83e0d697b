//! Dense linear algebra: products, factorizations with solves, many small systems, and a differentiated solve.

use crate::{
    inputs::{positive_definite, uniform},
    workload::{Workload, call},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    let mut all = Vec::new();
    for (name, dtype) in [("f32", DType::F32), ("f64", DType::F64)] {
        for n in [64, 256, 1024, 2048] {
            let x = move |seed| uniform(seed, &[n, n], -1.0, 1.0).cast(dtype);
            let product = |(a, b): (Array, Array)| a.matmul(&b);
            all.push(Workload::new(format!("matmul/{name}/{n}"), move || call(jit(product), (x(15), x(16)))));
        }
    }
    for n in [64, 256, 1024] {
        let system = move || (positive_definite(17, &[], n), uniform(18, &[n], -1.0, 1.0));
        all.push(Workload::new(format!("cholesky-solve/{n}"), move || call(jit(solve_by_cholesky), system())));
    }
    for n in [64, 256, 1024] {
        let system = move || (uniform(19, &[n, n], -1.0, 1.0), uniform(18, &[n], -1.0, 1.0));
        all.push(Workload::new(format!("lu-solve/{n}"), move || call(jit(solve_by_lu), system())));
    }
    for (count, n) in [(10_000, 4), (1_000, 16)] {
        let systems = move || (positive_definite(20, &[count], n), uniform(21, &[count, n], -1.0, 1.0));
        all.push(Workload::new(format!("cholesky-many/{n}"), move || call(jit(vmap(solve_by_cholesky)), systems())));
    }
    for n in [100, 500, 1000] {
        all.push(Workload::new(format!("symmetric-solve/{n}"), move || {
            let matrix = positive_definite(22, &[], n);
            call(jit(value_and_grad(move |theta: Array| loss(&matrix, &theta))), Array::linspace(0.5, 1.0, n))
        }));
    }
    all
}

fn solve_by_cholesky((a, b): (Array, Array)) -> Array {
    cholesky_solve(&cholesky(&a), &b)
}

fn solve_by_lu((a, b): (Array, Array)) -> Array {
    solve(&a, &b)
}

/// x · x of the solution of (M + diag(θ²)) x = 1 + θ, by one factor for all derivatives.
fn loss(matrix: &Array, theta: &Array) -> Result<Array> {
    let a = matrix + Array::eye(theta.len(), DType::F64) * (theta * theta);
    let factor = cholesky(&stop_gradient(&a));
    let x = custom_linear_solve_with(
        LinearSolveOptions::new().symmetric(),
        |x: Array| a.matmul(&x),
        theta + 1.0,
        |_matvec, b: Array| cholesky_solve(&factor, &b),
    )?;
    Ok((&x * &x).sum())
}
