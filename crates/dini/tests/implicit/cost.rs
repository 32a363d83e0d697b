//! What implicit differentiation costs, counted: factorizations, triangular solves, products, bytes, traces.

use super::harness::{bisect, divide};
use dini::{cholesky, cholesky_solve, prelude::*};

const N: usize = 6;

fn matrix() -> Array {
    let rows: Vec<f64> =
        (0..N * N).map(|k| if k / N == k % N { 4.0 + (k / N) as f64 } else { 1.0 / (1.0 + k as f64 % 5.0) }).collect();
    let a = Array::new::<f64>(rows, &[N, N]);
    (&a + a.transpose()) * 0.5
}

fn rhs() -> Array {
    Array::from((0..N).map(|k| 1.0 + k as f64).collect::<Vec<f64>>())
}

/// xᵀ x for A x = b, with the factor kept.
fn loss((a, b): (Array, Array)) -> Result<Array> {
    let factor = cholesky(&stop_gradient(&a));
    let options = LinearSolveOptions::new().symmetric();
    custom_linear_solve_with(options, |x: Array| a.dot(&x), b, |_, b| cholesky_solve(&factor, &b))
        .map(|x| (&x * &x).sum())
}

/// The factor of the differentiated matrix: what runs is the same, since a capture of `solve` has no derivative.
fn loss_without_stop((a, b): (Array, Array)) -> Result<Array> {
    let factor = cholesky(&a);
    let options = LinearSolveOptions::new().symmetric();
    custom_linear_solve_with(options, |x: Array| a.dot(&x), b, |_, b| cholesky_solve(&factor, &b))
        .map(|x| (&x * &x).sum())
}

type Pair = (Array, Array);

fn ones() -> Pair {
    (&matrix() * 0.0 + 1.0, &rhs() * 0.0 + 1.0)
}

/// Factorizations and pairs of triangular solves of one call, after a first one that may compile.
fn counted<T: Tree>(f: impl Fn(Pair) -> Result<T>) -> (u64, u64) {
    f((matrix(), rhs())).unwrap();
    let counters = Counters::start();
    f((matrix(), rhs())).unwrap();
    let solves = counters.calls_of("triangular_solve");
    assert_eq!(solves % 2, 0);
    (counters.factorizations(), solves / 2)
}

#[test]
fn factorizations_and_triangular_solves() {
    let forward = |x: Pair| jvp(loss, x, ones());
    let product = |x: Pair| jvp(grad(loss), x, ones());
    let twice = |x: Pair| jvp(|x| jvp(loss, x, ones()).map(|(_, t)| t), x, ones());
    assert_eq!(counted(loss), (1, 1), "value");
    assert_eq!(counted(value_and_grad(loss)), (1, 2), "value_and_grad");
    assert_eq!(counted(forward), (1, 2), "jvp");
    assert_eq!(counted(product), (1, 4), "Hessian-vector product");
    assert_eq!(counted(jit(loss)), (1, 1), "value, compiled");
    assert_eq!(counted(jit(value_and_grad(loss))), (1, 2), "value_and_grad, compiled");
    assert_eq!(counted(jit(forward)), (1, 2), "jvp, compiled");
    assert_eq!(counted(jit(product)), (1, 4), "Hessian-vector product, compiled");
    assert_eq!(counted(jit(twice)).0, 1, "second forward derivative, compiled");
    assert_eq!(counted(jit(value_and_grad(loss_without_stop))), (1, 2), "nothing stopped, compiled");
    assert_eq!(counted(jit(|x| jvp(grad(loss_without_stop), x, ones()))), (1, 4), "nothing stopped, second order");
}

/// As a custom root, with the factor captured by both solvers.
#[test]
fn one_factorization_of_a_root() {
    let root = |(a, b): Pair| {
        let factor = cholesky(&a);
        custom_root(
            |x: Array| a.dot(&x) - &b,
            &b * 0.0,
            |_, _| cholesky_solve(&factor, &b),
            |_, b| cholesky_solve(&factor, &b),
        )
        .map(|x| (&x * &x).sum())
    };
    let product = |x: Pair| jvp(grad(root), x, ones());
    assert_eq!(counted(jit(root)), (1, 1));
    assert_eq!(counted(jit(value_and_grad(root))), (1, 2));
    assert_eq!(counted(jit(product)).0, 1);
    assert_eq!(counted(value_and_grad(root)).0, 1);
    assert_eq!(counted(product).0, 1);
}

/// The gradient holds no product with A: every `dot` of the program is the outer product that is A's cotangent.
#[test]
fn no_product_with_the_matrix() {
    let program = compiled_program_of(value_and_grad(loss), &(matrix(), rhs())).unwrap();
    let a = program.inputs()[0];
    assert_eq!(program.aval(a).shape[..], [N, N]);
    // Everything that is A in another layout.
    let mut layouts = vec![a];
    for eqn in program.eqns() {
        let of_a = eqn.inputs.iter().any(|x| matches!(x, dini::Atom::Var(v) if layouts.contains(v)));
        let text = format!("{:?}", eqn.prim).to_lowercase();
        assert!(!(of_a && text.starts_with("dot")), "a product with A:\n{program}");
        if of_a && ["reshape", "transpose", "broadcast"].iter().any(|p| text.starts_with(p)) {
            layouts.extend(&eqn.outputs);
        }
    }
    let n_dots = program.counts().get("dot").copied().unwrap_or(0);
    assert!(n_dots <= 1, "{program}");
}

/// The Jacobian in b is one solve of all its columns.
#[test]
fn the_jacobian_is_one_multi_column_solve() {
    let solution = |(a, b): Pair| {
        let factor = cholesky(&a);
        let options = LinearSolveOptions::new().symmetric();
        let solve =
            |b: Array| custom_linear_solve_with(options, |x: Array| a.dot(&x), b, |_, b| cholesky_solve(&factor, &b));
        solve(b)
    };
    let in_b = |(a, b): Pair| jacrev(|b: Array| solution((a.clone(), b)))(b);
    let forward_in_b = |(a, b): Pair| jacfwd(|b: Array| solution((a.clone(), b)))(b);
    for (factorizations, pairs) in
        [counted(in_b), counted(forward_in_b), counted(jit(in_b)), counted(jit(forward_in_b))]
    {
        // One pair for the value, which the Jacobian alone need not compute, one for all columns.
        assert_eq!(factorizations, 1);
        assert!(pairs <= 2, "{pairs} pairs");
    }
    let j = in_b((matrix(), rhs())).unwrap();
    let identity = matrix().matmul(&j).to_vec::<f64>().unwrap();
    for (k, x) in identity.iter().enumerate() {
        assert!((x - f64::from(u8::from(k / N == k % N))).abs() < 1e-12);
    }
}

/// Bytes allocated by the gradient of a root do not grow with the number of iterations.
#[test]
fn memory_does_not_grow_with_iterations() {
    let bytes = |steps: i64| {
        let f = move |x: Array| {
            let newton = |f: &dyn Fn(Array) -> Result<Array>, guess: Array| {
                fori_loop(0, steps, |_, y: Array| Ok::<_, Error>(&y - f(y.clone())? / (&y * 2.0)), guess)
            };
            custom_root(|y: Array| &y * &y - x.powi(3), &x * 0.0 + 1.0, newton, divide).map(|y| y.sum())
        };
        let df = jit(grad(f));
        let x = Array::linspace(1.0, 2.0, 64);
        df(x.clone()).unwrap();
        let counters = Counters::start();
        df(x).unwrap();
        counters.bytes_allocated()
    };
    assert_eq!(bytes(10), bytes(10_000));
}

#[test]
fn a_cache_hit_traces_nothing() {
    let f =
        |x: Array| custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), |f, _| bisect(f, 0.0, 9.0), divide);
    let d = jit(vmap(grad(f)));
    d(Array::from(vec![1.0, 2.0])).unwrap();
    let counters = Counters::start();
    d(Array::from(vec![3.0, 4.0])).unwrap();
    assert_eq!((counters.traces(), counters.compiles()), (0, 0));
    d(Array::from(vec![3.0, 4.0, 4.1])).unwrap();
    assert_eq!((counters.traces(), counters.compiles()), (1, 1));
}
