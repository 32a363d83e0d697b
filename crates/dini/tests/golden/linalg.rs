//! Dense linear algebra.

use super::{
    operations::{Operation, check_file},
    record::text,
};
use dini::{cholesky, cholesky_solve, det, inv, lu, prelude::*, slogdet, solve, triangular_solve};
use serde_json::Value;

#[test]
fn linear_algebra_agrees() {
    check_file("linalg", operation);
}

fn transposed(x: &Array) -> Array {
    x.swap_axes(-1, -2)
}

/// What JAX does without `symmetrize_input`: L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ), with Φ the lower triangle and half of the diagonal, for
/// tangents Ȧ that need not be symmetric. No function of the whole matrix has this derivative, so it is a custom rule.
fn cholesky_of_any_tangent(a: &Array) -> Array {
    let rule = |a: Array, t: Array| {
        let l = cholesky(&a);
        let by_l = |x: &Array| triangular_solve(&l, x, true, false, false);
        let x = transposed(&by_l(&transposed(&by_l(&t))));
        let phi = (x.tril(0) + x.tril(-1)) * 0.5;
        (l.clone(), l.matmul(&phi))
    };
    custom_jvp(|a: Array| cholesky(&a), rule)(a.clone()).unwrap_or_else(|e| panic!("{e}"))
}

/// JAX's solve of a definite system: the factorization sees a symmetric matrix, derivatives the whole one.
fn definite_solve(a: &Array, b: &Array) -> Array {
    let factor = cholesky(a);
    let options = LinearSolveOptions::new().symmetric();
    custom_linear_solve_with(options, |x: Array| a.matmul(&x), b.clone(), |_, b: Array| cholesky_solve(&factor, &b))
        .unwrap_or_else(|e| panic!("{e}"))
}

fn operation(name: &str, params: &Value) -> Option<Operation> {
    let flag = |name: &str| params[name].as_bool().unwrap_or_else(|| panic!("no flag `{name}` in {params}"));
    Some(match name {
        "cholesky" if flag("symmetrize_input") => Box::new(|x| cholesky(&x[0])),
        "cholesky" => Box::new(|x| cholesky_of_any_tangent(&x[0])),
        "cholesky_logdet" => Box::new(|x| cholesky(&x[0]).diagonal().log().sum_axis(-1) * 2.0),
        "lu" => match text(&params["result"]) {
            "lu" => Box::new(|x| lu(&x[0]).0),
            "pivots" => Box::new(|x| lu(&x[0]).1),
            "permutation" => Box::new(|x| lu(&x[0]).2),
            other => panic!("`lu` has no result `{other}`"),
        },
        "triangular_solve" => {
            let (lower, transpose, unit) = (flag("lower"), flag("transpose_a"), flag("unit_diagonal"));
            if flag("left_side") {
                Box::new(move |x| triangular_solve(&x[0], &x[1], lower, transpose, unit))
            } else {
                // X A = B is Aᵀ Xᵀ = Bᵀ.
                Box::new(move |x| transposed(&triangular_solve(&x[0], &transposed(&x[1]), lower, !transpose, unit)))
            }
        }
        "solve" => Box::new(|x| solve(&x[0], &x[1])),
        "cholesky_solve" => Box::new(|x| definite_solve(&x[0], &x[1])),
        "inv" => Box::new(|x| inv(&x[0])),
        "det" | "det_singular" => Box::new(|x| det(&x[0])),
        "slogdet" => match text(&params["result"]) {
            "sign" => Box::new(|x| slogdet(&x[0]).0),
            "logabsdet" => Box::new(|x| slogdet(&x[0]).1),
            other => panic!("`slogdet` has no result `{other}`"),
        },
        _ => return None,
    })
}
