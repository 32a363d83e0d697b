//! Systems with general square matrices, and inverses.

use super::{
    factor::{lu, lu_solve},
    sides::Sides,
    spread, square,
};
use crate::{
    array::Array,
    error::Result,
    implicit::linear_solve::custom_linear_solve_transposable,
    ops::{attempt, stop_gradient},
    prim::linalg::{identity_like, product},
    shape::Aval,
    trace::{here, with_location},
};

/// Solves A x = b for general square matrices `[.., n, n]` by LU factorization with partial pivoting; b is a vector `[n]`
/// or matrices `[.., n, k]`; leading axes broadcast.
///
/// A singular matrix gives infinities or NaN. Differentiable in both; values and derivatives of every order, forward and
/// reverse, share one factorization.
///
/// # Errors
/// Other shapes; different element types.
///
/// ```
/// use dini::{prelude::*, solve};
/// let a = Array::from([[1.0, 2.0], [4.0, 4.0]]);
/// assert_eq!(solve(&a, &Array::from(vec![3.0, 8.0])).to_vec::<f64>()?, [1.0, 1.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn solve(a: &Array, b: &Array) -> Array {
    let at = here();
    let prepared = with_location(at, || -> Result<_> {
        let sides = Sides::new(a.try_aval()?, b)?;
        // The factors only compute the solution: its derivatives come from A X = B.
        let (factors, _, permutation) = lu(&stop_gradient(a));
        let factors = spread(factors.check()?, &sides.batch, 2);
        let permutation = spread(&permutation, &sides.batch, 1);
        Ok((sides, factors, permutation))
    });
    let (sides, factors, permutation) = match prepared.map_err(|e| e.op("solve").at(at)) {
        Ok(prepared) => prepared,
        Err(e) => return Array::poison(e),
    };
    let by_factors = |b: &Array, transposed: bool| with_location(at, || lu_solve(&factors, &permutation, b, transposed));
    // Values without a trace have no derivatives to come: the plain solve is the same and costs less.
    let x = if a.is_concrete() && b.is_concrete() {
        by_factors(&sides.columns, false)
    } else {
        Array::from_result(custom_linear_solve_transposable(
            |x: Array| with_location(at, || product(&spread(a, &sides.batch, 2), &x)),
            sides.columns.clone(),
            |_, b: Array| by_factors(&b, false),
            |_, b: Array| by_factors(&b, true),
        ))
    };
    with_location(at, || Array::from_result(x.check().map(|x| sides.restore(x))))
}

/// The inverse of square matrices `[.., n, n]`. To solve a system, [`solve`] is faster and more accurate.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{inv, prelude::*};
/// assert_eq!(inv(&Array::from([[1.0, 1.0], [0.0, 2.0]])).to_vec::<f64>()?, [1.0, -0.5, 0.0, 0.5]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn inv(a: &Array) -> Array {
    let identity = attempt("inv", || {
        let aval = a.try_aval()?;
        let (_, n) = square(aval)?;
        Ok(identity_like(&Aval::new(aval.dtype, &[n, n])))
    });
    match identity.check() {
        Ok(identity) => solve(a, identity),
        Err(e) => Array::poison(e),
    }
}
