//! A symmetric positive-definite system that is factored once, whatever is differentiated how often.
//!
//! The Cholesky factor is computed outside of the solve and captured by it. [`custom_linear_solve_with`] differentiates the
//! equation A x = b instead of the algorithm: derivatives of any order, in both modes, are more solves with the same factor.
//!
//! The second part measures what that is worth: value and gradient by this rule, and value and gradient through the
//! factorization itself, side by side.
//!
//! ```text
//! cargo run --release --example symmetric_solve -- --largest 500
//! ```

use clap::Parser;
use dini::prelude::*;
use std::time::{Duration, Instant};

/// Solves a symmetric positive-definite system, differentiates it, and measures.
#[derive(Parser)]
struct Options {
    /// Skip orders above this one in the measurement
    #[arg(long, default_value_t = 1000)]
    largest: usize,
    /// How often each function is timed; the median counts
    #[arg(long, default_value_t = 7)]
    repeats: usize,
}

/// Solves A x = b by a factor that every derivative uses again.
fn implicit_solve(a: &Array, b: &Array) -> Result<Array> {
    let factor = cholesky(&stop_gradient(a));
    custom_linear_solve_with(
        LinearSolveOptions::new().symmetric(),
        |x: Array| a.matmul(&x),
        b.clone(),
        |_matvec, b: Array| cholesky_solve(&factor, &b),
    )
}

/// Solves A x = b by operations that are differentiated one by one.
fn explicit_solve(a: &Array, b: &Array) -> Result<Array> {
    Ok(cholesky_solve(&cholesky(a), b))
}

/// A system with parameters θ: A(θ) = M + diag(θ²), b(θ) = 1 + θ. The loss is x · x.
struct System {
    matrix: Array,
}

impl System {
    /// M = I + KᵀK / n with entries of K that look random and are the same on every run.
    fn new(n: usize) -> System {
        let entry = |i: usize| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453;
        let k = Array::new((0..n * n).map(|i| entry(i) - entry(i).floor() - 0.5).collect(), &[n, n]);
        System { matrix: Array::eye(n, DType::F64) + k.transpose().matmul(&k) / n as f64 }
    }

    fn loss(&self, solve: impl Fn(&Array, &Array) -> Result<Array>, theta: &Array) -> Result<Array> {
        let n = theta.len();
        let a = &self.matrix + Array::eye(n, DType::F64) * (theta * theta);
        let x = solve(&a, &(theta + 1.0))?;
        Ok((&x * &x).sum())
    }
}

/// Factorizations and pairs of triangular solves of one call of each function.
fn count(n: usize) -> Result<()> {
    let system = System::new(n);
    let theta = Array::linspace(0.5, 1.0, n);
    let loss = |theta: Array| system.loss(implicit_solve, &theta);
    println!("n = {n}, counted:                 factorizations  pairs of triangular solves");
    let counted = |name: &str, expected_pairs: u64, run: &dyn Fn() -> Result<()>| -> Result<()> {
        let counters = Counters::start();
        run()?;
        let (factorizations, solves) = (counters.factorizations(), counters.calls_of("triangular_solve"));
        println!("  {name:<30} {factorizations:>14} {:>27}", solves as f64 / 2.0);
        if (factorizations, solves) == (1, 2 * expected_pairs) {
            Ok(())
        } else {
            Err(Error::message(format!("{name}: expected 1 factorization and {expected_pairs} pairs of solves")))
        }
    };
    let at = || theta.clone();
    counted("value", 1, &|| loss(at()).map(|_| ()))?;
    counted("value and gradient", 2, &|| value_and_grad(loss)(at()).map(|_| ()))?;
    counted("jvp", 2, &|| jvp(loss, at(), at()).map(|_| ()))?;
    counted("Hessian-vector product", 4, &|| jvp(grad(loss), at(), at()).map(|_| ()))?;
    let names = compiled_program_of(grad(loss), &at())?.counts();
    println!("  products in the gradient's program: {}\n", names.get("dot_general").copied().unwrap_or(0));
    Ok(())
}

/// The middle of the times, in milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn measure(n: usize, repeats: usize) -> Result<()> {
    let system = System::new(n);
    let theta = Array::linspace(0.5, 1.0, n);
    let value = jit(|t: Array| system.loss(implicit_solve, &t));
    let implicit = jit(value_and_grad(|t: Array| system.loss(implicit_solve, &t)));
    let explicit = jit(value_and_grad(|t: Array| system.loss(explicit_solve, &t)));

    // The first calls compile; they also show that both ways agree.
    value(theta.clone())?;
    let (_, by_rule) = implicit(theta.clone())?;
    let (_, by_steps) = explicit(theta.clone())?;
    let gap = ((&by_rule - by_steps).abs().amax() / by_rule.abs().amax()).item::<f64>()?;
    if gap.is_nan() || gap > 1e-9 {
        return Err(Error::message(format!("the two gradients differ by {gap:.1e}")));
    }

    // Interleaved, so that a machine that is busy for a while is busy for all three.
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..repeats.max(1) {
        let started = Instant::now();
        value(theta.clone())?;
        times[0].push(started.elapsed());
        let started = Instant::now();
        implicit(theta.clone())?;
        times[1].push(started.elapsed());
        let started = Instant::now();
        explicit(theta.clone())?;
        times[2].push(started.elapsed());
    }
    let [value, implicit, explicit] = times.map(median);
    println!(
        "{n:>5} {value:>12.2} {implicit:>12.2} {explicit:>12.2} {:>16.2} {:>20.2} {gap:>12.0e}",
        implicit / value,
        explicit / implicit
    );
    Ok(())
}

fn main() -> Result<()> {
    let options = Options::parse();
    count(50)?;
    println!("milliseconds, medians of {} interleaved runs:", options.repeats.max(1));
    println!("    n        value     implicit      through  implicit / value   through / implicit   difference");
    for n in [100, 300, 500, 1000] {
        if n <= options.largest {
            measure(n, options.repeats)?;
        }
    }
    Ok(())
}
