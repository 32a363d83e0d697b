//! Prints the time of linear algebra kernels: the best of several runs, one thread.

use dini_cpu::{
    graph::DotAxes,
    linalg::{DotPlan, cholesky, lu, triangular_solve},
    math::Scalar,
};
use std::time::Instant;

/// The shortest of several runs, in microseconds.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let n_runs = (0.3 / start.elapsed().as_secs_f64().max(1e-7)).clamp(5.0, 200_000.0) as usize;
    (0..n_runs).fold(f64::INFINITY, |best, _| {
        let start = Instant::now();
        f();
        best.min(start.elapsed().as_secs_f64() * 1e6)
    })
}

fn main() {
    let noise = |at: usize| (at as f64 * 0.618_033_988_749_895).fract() - 0.5;
    let matrix = |n: usize, diagonal: f64| -> Vec<f64> {
        (0..n * n).map(|at| noise(at * at % 7919) + if at % (n + 1) == 0 { diagonal } else { 0.0 }).collect()
    };
    for n in [4, 8, 16, 32, 64, 128, 256, 500, 1000] {
        let mut symmetric = matrix(n, n as f64);
        for i in 0..n {
            for j in 0..i {
                symmetric[j * n + i] = symmetric[i * n + j];
            }
        }
        let a = matrix(n, 1.0);
        let mut out = vec![0.0; n * n];
        let factor = best(|| cholesky(&symmetric, n, &mut out));
        let (mut pivots, mut permutation) = (vec![0; n], vec![0; n]);
        let eliminate = best(|| lu(&a, n, n, &mut out, &mut pivots, &mut permutation));
        cholesky(&symmetric, n, &mut out);
        let (b, mut y, mut x) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
        let solve = best(|| {
            triangular_solve(&out, &b, n, 1, &mut y, true, false, false);
            triangular_solve(&out, &y, n, 1, &mut x, true, true, false);
        });
        let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
        let plan = DotPlan::new(&[n, n], &[n], &axes);
        let matvec = best(|| plan.run(f64::wrap(&a), f64::wrap(&b), f64::wrap_mut(&mut x)));
        let plan = DotPlan::new(&[n], &[n, n], &DotAxes { lhs_contract: vec![0], ..axes.clone() });
        let vecmat = best(|| plan.run(f64::wrap(&b), f64::wrap(&a), f64::wrap_mut(&mut x)));
        let plan = DotPlan::new(&[n, n], &[n, n], &axes);
        let mut product = vec![0.0; n * n];
        let matmul = best(|| plan.run(f64::wrap(&a), f64::wrap(&symmetric), f64::wrap_mut(&mut product)));
        let (mut many, wide) = (vec![0.0; n * n], matrix(n, 0.0));
        let solve_many = best(|| triangular_solve(&out, &wide, n, n, &mut many, true, false, false));
        println!(
            "n {n:4}: cholesky {factor:9.2} us, lu {eliminate:9.2}, two triangular solves {solve:8.2}, \
             matvec {matvec:8.2}, vecmat {vecmat:8.2}, matmul {matmul:9.2}, triangular solve n×n {solve_many:9.2}"
        );
    }
    for (count, n) in [(10_000, 4), (3_000, 8), (1_000, 16), (300, 32)] {
        let one = matrix(n, n as f64);
        let many = one.repeat(count);
        let mut factors = vec![0.0; many.len()];
        let factor = best(|| cholesky(&many, n, &mut factors));
        let (b, mut x) = (vec![1.0; count * n], vec![0.0; count * n]);
        let forward = best(|| triangular_solve(&factors, &b, n, 1, &mut x, true, false, false));
        let backward = best(|| triangular_solve(&factors, &b, n, 1, &mut x, true, true, false));
        println!("{count:6} of {n:2}: cholesky {factor:8.1} us, solves {forward:8.1} and {backward:8.1}");
    }
    let axes = DotAxes { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![2], rhs_contract: vec![1] };
    for (count, n) in [(10_000, 2), (10_000, 3), (10_000, 4), (5_000, 5), (3_000, 8), (2_000, 10), (1_000, 16)] {
        let (many, vectors) = (matrix(n, 1.0).repeat(count), vec![1.0; count * n]);
        let mut out = vec![0.0; many.len()];
        let plan = DotPlan::new(&[count, n, n], &[count, n, n], &axes);
        let matmul = best(|| plan.run(f64::wrap(&many), f64::wrap(&many), f64::wrap_mut(&mut out)));
        let plan = DotPlan::new(&[count, n, n], &[count, n], &axes);
        let matvec = best(|| plan.run(f64::wrap(&many), f64::wrap(&vectors), f64::wrap_mut(&mut out[..count * n])));
        let plan = DotPlan::new(&[count, n, n], &[count, n], &DotAxes { lhs_contract: vec![1], ..axes.clone() });
        let vecmat = best(|| plan.run(f64::wrap(&many), f64::wrap(&vectors), f64::wrap_mut(&mut out[..count * n])));
        let (many, vectors) = (to_f32(&many), to_f32(&vectors));
        let mut out = vec![0.0; many.len()];
        let plan = DotPlan::new(&[count, n, n], &[count, n, n], &axes);
        let single = best(|| plan.run(f32::wrap(&many), f32::wrap(&many), f32::wrap_mut(&mut out)));
        let plan = DotPlan::new(&[count, n, n], &[count, n], &axes);
        let single_matvec =
            best(|| plan.run(f32::wrap(&many), f32::wrap(&vectors), f32::wrap_mut(&mut out[..count * n])));
        println!(
            "{count:6} of {n:2}: matmul {matmul:8.1} us, matvec {matvec:8.1}, vecmat {vecmat:8.1}, f32 {single:8.1} and \
             {single_matvec:8.1}"
        );
    }
}

fn to_f32(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}
