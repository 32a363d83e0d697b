//! Roots of several unknowns: vectors, trees, factorizations captured by the callables.

use super::harness::{Closed, check, check_forward, dense, newton};
use dini::{cholesky, cholesky_solve, lu, lu_solve, prelude::*, solve as solve_dense, stack};
use std::collections::BTreeMap;

/// u² = x² and u w = x³: the root is (x, x²), and the sum of its parts x + x².
const PARABOLA: Closed = [|x| x + x * x, |x| 1.0 + 2.0 * x, |_| 2.0];

fn vector_residual(u: &Array, x: &Array) -> Array {
    let (a, b) = (u.index(0), u.index(1));
    stack(&[&a * &a - x * x, a * b - x.powi(3)], 0)
}

fn vector_root(x: Array) -> Result<Array> {
    custom_root(|u: Array| vector_residual(&u, &x), Array::from(vec![1.0, 1.0]), newton, dense)
}

#[test]
fn a_vector_by_newton_with_its_own_jacobian() {
    check(|x| vector_root(x).map(|u| u.sum()), PARABOLA);
}

#[test]
fn a_vector_whose_jacobian_comes_from_captures() {
    // The matrix of the tangent equation is written down from the root and the parameter.
    let f = |x: Array| {
        let tangent_solve = |_: &dyn Fn(Array) -> Result<Array>, b: Array| {
            let zero = &x * 0.0;
            let rows = [stack(&[&x * 2.0, zero], 0), stack(&[&x * &x, x.clone()], 0)];
            solve_dense(&stack(&rows, 0), &b)
        };
        custom_root(|u: Array| vector_residual(&u, &x), Array::from(vec![1.0, 1.0]), newton, tangent_solve)
            .map(|u| u.sum())
    };
    check(f, PARABOLA);
}

type Unknowns = BTreeMap<&'static str, Array>;

/// Leaves of unequal shape: p² = x, and q = x p (1, 2, 3).
#[test]
fn a_tree_of_leaves_of_unequal_shape() {
    let f = |x: Array| {
        let counts = || Array::from(vec![1.0, 2.0, 3.0]);
        let residual = |u: Unknowns| {
            let (p, q) = (&u["p"], &u["q"]);
            Unknowns::from([("p", p * p - &x), ("q", q - &x * p * counts())])
        };
        let solve = |_: &dyn Fn(Unknowns) -> Result<Unknowns>, guess: Unknowns| {
            let p = newton(&|p: Array| Ok(&p * &p - &x), guess["p"].reshape(&[1]))?.reshape(&[]);
            let q = &x * &p * counts();
            Ok::<_, Error>(Unknowns::from([("p", p), ("q", q)]))
        };
        let tangent_solve = |g: &dyn Fn(Unknowns) -> Result<Unknowns>, b: Unknowns| {
            let unit = g(Unknowns::from([("p", Array::from(1.0)), ("q", counts() * 0.0)]))?;
            let p = &b["p"] / &unit["p"];
            let q = &b["q"] - &unit["q"] * &p;
            Ok::<_, Error>(Unknowns::from([("p", p), ("q", q)]))
        };
        let guess = Unknowns::from([("p", Array::from(1.0)), ("q", counts())]);
        let u = custom_root(residual, guess, solve, tangent_solve)?;
        Ok(&u["p"] + u["q"].sum())
    };
    // √x + 6 x√x
    let closed: Closed = [
        |x| x.sqrt() + 6.0 * x.powf(1.5),
        |x| 0.5 / x.sqrt() + 9.0 * x.sqrt(),
        |x| -0.25 * x.powf(-1.5) + 4.5 / x.sqrt(),
    ];
    check(f, closed);
}

fn symmetric(x: &Array) -> Array {
    Array::from([[2.0, 1.0], [1.0, 3.0]]) * (x * x + 1.0)
}

/// The sum of [[2, 1], [1, 3]]⁻¹ (1, 2) is 0.8.
fn right_hand_side() -> Array {
    Array::from(vec![1.25, 2.5])
}

/// The factor of the differentiated matrix, captured by `solve` and by `tangent_solve`: its own derivative counts at the
/// second order.
#[test]
fn a_captured_factorization() {
    let f = |x: Array| {
        let a = symmetric(&x);
        let factor = cholesky(&a);
        custom_root(
            |u: Array| a.dot(&u) - right_hand_side(),
            Array::from(vec![0.0, 0.0]),
            |_, _| cholesky_solve(&factor, &right_hand_side()),
            |_, b| cholesky_solve(&factor, &b),
        )
        .map(|u| u.sum())
    };
    check(f, super::harness::rational());
}

/// The factor of the stopped matrix serves every order, where the tangent equation is a linear solve of its own.
#[test]
fn a_captured_factorization_of_the_stopped_matrix() {
    let f = |x: Array| {
        let a = symmetric(&x);
        let factor = cholesky(&stop_gradient(&a));
        let by_factor = |b: Array| cholesky_solve(&factor, &b);
        custom_root(
            |u: Array| a.dot(&u) - right_hand_side(),
            Array::from(vec![0.0, 0.0]),
            |_, _| by_factor(right_hand_side()),
            |g, b| {
                let options = LinearSolveOptions::new().symmetric();
                custom_linear_solve_with(options, g, b, |_, b| by_factor(b))
            },
        )
        .map(|u| u.sum())
    };
    check(f, super::harness::rational());
}

#[test]
fn lu_with_a_transposed_solve() {
    // The sum of [[2, 1], [−1, 3]]⁻¹ (1, 2) is 6/7.
    let f = |x: Array| {
        let a = Array::from([[2.0, 1.0], [-1.0, 3.0]]) * (&x * &x + 1.0);
        let (factors, _, permutation) = lu(&stop_gradient(&a));
        let b = Array::from(vec![7.0 / 6.0, 14.0 / 6.0]);
        custom_linear_solve_transposable(
            |u: Array| a.dot(&u),
            b,
            |_, b: Array| lu_solve(&factors, &permutation, &b, false),
            |_, b: Array| lu_solve(&factors, &permutation, &b, true),
        )
        .map(|u| u.sum())
    };
    check(f, super::harness::rational());
}

/// Richardson's iteration uses the products that it is given, transposed ones for the transposed system.
#[test]
fn richardson_with_the_given_products() {
    let step = |matvec: &dyn Fn(Array) -> Result<Array>, b: Array| {
        fori_loop(0, 400, |_, u: Array| Ok::<_, Error>(&u + (&b - matvec(u.clone())?) * 0.03), &b * 0.0)
    };
    let matrix = |x: &Array| Array::from([[2.0, 1.0], [-1.0, 3.0]]) * (x * x + 1.0);
    let b = || Array::from(vec![7.0 / 6.0, 14.0 / 6.0]);
    let both = |x: Array| {
        let a = matrix(&x);
        custom_linear_solve_transposable(|u: Array| a.dot(&u), b(), step, step).map(|u| u.sum())
    };
    check(both, super::harness::rational());
    let forward = |x: Array| {
        let a = matrix(&x);
        custom_linear_solve(|u: Array| a.dot(&u), b(), step).map(|u| u.sum())
    };
    check_forward(forward, super::harness::rational());
    for e in [grad(forward)(Array::from(1.0)), jit(grad(forward))(Array::from(1.0))] {
        let e = e.unwrap_err();
        assert_eq!(e.kind(), dini::ErrorKind::MissingRule);
        assert!(e.to_string().contains("transpose_solve"), "{e}");
        assert!(e.to_string().contains("systems.rs"), "{e}");
    }
}

/// A residual whose root is a solution of another root's, with another parameter captured on each level.
#[test]
fn a_vector_root_inside_a_vector_root() {
    let f = |x: Array| {
        // u = (x, x²); then w with w² = u elementwise.
        let residual = |w: Array| -> Result<Array> { Ok(&w * &w - vector_root(x.clone())?) };
        let solve = |_: &dyn Fn(Array) -> Result<Array>, _: Array| vector_root(x.clone()).map(|u| u.sqrt());
        custom_root(residual, Array::from(vec![1.0, 1.0]), solve, dense).map(|w| w.sum())
    };
    let closed: Closed = [|x| x.sqrt() + x, |x| 0.5 / x.sqrt() + 1.0, |x| -0.25 * x.powf(-1.5)];
    check(f, closed);
}

/// The Jacobians in forward and reverse mode of a vector root in a vector parameter.
#[test]
fn jacobians() {
    let f = |p: Array| {
        custom_root(
            |u: Array| &u * &u - p.cumsum(0),
            Array::from(vec![1.0, 1.0, 1.0]),
            |_, _| p.cumsum(0).sqrt(),
            dense,
        )
    };
    let p = Array::from(vec![1.0, 3.0, 5.0]);
    let sums: [f64; 3] = [1.0, 4.0, 9.0];
    let want: Vec<f64> = (0..9).map(|k| if k % 3 <= k / 3 { 0.5 / sums[k / 3].sqrt() } else { 0.0 }).collect();
    let near = |j: Result<Array>| {
        let j = j.unwrap();
        assert_eq!(j.shape(), [3, 3]);
        for (a, b) in j.to_vec::<f64>().unwrap().iter().zip(&want) {
            assert!((a - b).abs() < 1e-12, "{j}");
        }
    };
    near(jacfwd(f)(p.clone()));
    near(jacrev(f)(p.clone()));
    near(jit(jacfwd(f))(p.clone()));
    near(jit(jacrev(f))(p));
}
