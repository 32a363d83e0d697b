//! Cholesky and LU factorizations, and systems that are solved with their factors.

use super::{shape_error, sides::Sides, spread, square};
use crate::{
    array::Array,
    ops::{self, attempt, reshape},
    prim::{
        index::{
            gather::gather,
            scatter::{ScatterKind, scatter},
        },
        linalg::{
            cholesky::cholesky as factor_cholesky, lu::Lu, triangular_solve::triangular_solve as solve_triangular,
        },
    },
    trace::bind,
};
use dini_cpu::graph::OutOfBounds;

/// The lower triangular L with A = L Lᵀ for symmetric positive-definite matrices `[.., n, n]`.
///
/// The symmetric part (A + Aᵀ)/2 is factored, so that derivatives with respect to A are symmetric. Where a matrix is not
/// positive definite, its factor is NaN.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{cholesky, prelude::*};
/// let a = Array::from([[4.0, 2.0], [2.0, 5.0]]);
/// assert_eq!(cholesky(&a).to_vec::<f64>()?, [2.0, 0.0, 1.0, 2.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn cholesky(a: &Array) -> Array {
    attempt("cholesky", &[a], || {
        square(a.try_aval()?)?;
        Ok(factor_cholesky(a))
    })
}

/// Solves A x = b given the lower factor L = [`cholesky`]\(A\), by a pair of triangular solves.
///
/// b is a vector `[n]` or matrices `[.., n, k]`; leading axes broadcast. Differentiable in both.
///
/// # Errors
/// Other shapes; different element types.
///
/// ```
/// use dini::{cholesky, cholesky_solve, prelude::*};
/// let a = Array::from([[4.0, 2.0], [2.0, 5.0]]);
/// let x = cholesky_solve(&cholesky(&a), &Array::from(vec![8.0, 8.0]));
/// assert_eq!(x.to_vec::<f64>()?, [1.5, 1.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn cholesky_solve(l: &Array, b: &Array) -> Array {
    attempt("cholesky_solve", &[l, b], || {
        let sides = Sides::new(l.try_aval()?, b)?;
        let l = spread(l, &sides.batch, 2);
        let half = solve_triangular(&l, &sides.columns, true, false, false);
        Ok(sides.restore(&solve_triangular(&l, &half, true, true, false)))
    })
}

/// P A = L U with partial pivoting, for matrices `[.., m, n]`: the factors in one array of A's shape (L is unit lower
/// triangular, U upper), the pivots `i32[.., min(m, n)]` and the permutation `i32[.., m]`.
///
/// Row i was swapped with row `pivots[i]`, in order; row i of L U is row `permutation[i]` of A. A singular matrix leaves a
/// zero on U's diagonal. Differentiable where the choice of pivots does not change.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{lu, prelude::*};
/// let (factors, _, permutation) = lu(&Array::from([[1.0, 2.0], [4.0, 4.0]]));
/// assert_eq!(factors.to_vec::<f64>()?, [4.0, 4.0, 0.25, 1.0]);
/// assert_eq!(permutation.to_vec::<i32>()?, [1, 0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn lu(a: &Array) -> (Array, Array, Array) {
    match bind(Lu, std::slice::from_ref(a)).as_deref() {
        Ok([factors, pivots, permutation]) => (factors.clone(), pivots.clone(), permutation.clone()),
        Ok(_) => unreachable!("`lu` has three results"),
        Err(e) => (Array::poison(e.clone()), Array::poison(e.clone()), Array::poison(e.clone())),
    }
}

/// Solves A x = b, or Aᵀ x = b if `transposed`, given the factors and the permutation of [`lu`]\(A\).
///
/// b is a vector `[n]` or matrices `[.., n, k]`; leading axes broadcast. Differentiable in the factors and b.
///
/// # Errors
/// Other shapes; different element types.
///
/// ```
/// use dini::{lu, lu_solve, prelude::*};
/// let (factors, _, permutation) = lu(&Array::from([[1.0, 2.0], [4.0, 4.0]]));
/// let b = Array::from(vec![3.0, 8.0]);
/// assert_eq!(lu_solve(&factors, &permutation, &b, false).to_vec::<f64>()?, [1.0, 1.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn lu_solve(lu: &Array, permutation: &Array, b: &Array, transposed: bool) -> Array {
    attempt("lu_solve", &[lu, permutation, b], || {
        let (factors, order) = (lu.try_aval()?, permutation.try_aval()?);
        if !order.dtype.is_integer() || order.shape[..] != factors.shape[..factors.ndim().saturating_sub(1)] {
            return Err(shape_error(format!("got the permutation {order} for the factors {factors}"))
                .help("give the third result of `lu`"));
        }
        let sides = Sides::new(factors, b)?;
        let n_batch = sides.batch.len();
        let lu = spread(lu, &sides.batch, 2);
        let rows = spread(permutation, &sides.batch, 1);
        let rows = reshape(&rows, &[rows.shape(), &[1]].concat());
        let x = if transposed {
            // A = Pᵀ L U, so Aᵀ x = Uᵀ Lᵀ P x = b; row i of P x is row permutation[i] of x. Each row is hit once, so that
            // adding to zeros puts it there.
            let half = solve_triangular(&lu, &sides.columns, false, true, false);
            let permuted = solve_triangular(&lu, &half, true, true, true);
            scatter(&ops::zeros_of(permuted.try_aval()?), &rows, &permuted, n_batch, ScatterKind::Add)
        } else {
            let permuted = gather(&sides.columns, &rows, n_batch, OutOfBounds::Zero);
            let half = solve_triangular(&lu, &permuted, true, false, true);
            solve_triangular(&lu, &half, false, false, false)
        };
        Ok(sides.restore(&x))
    })
}

/// Solves A x = b, or Aᵀ x = b if `transpose`, for triangular matrices `[.., n, n]`; b is a vector `[n]` or matrices
/// `[.., n, k]`; leading axes broadcast.
///
/// Only A's lower triangle is read if `lower`, else the upper one; with `unit_diagonal` its diagonal is taken as ones. A
/// zero on the diagonal gives infinities and NaN. Differentiable in both.
///
/// # Errors
/// Other shapes; different element types.
///
/// ```
/// use dini::{prelude::*, triangular_solve};
/// let a = Array::from([[2.0, 0.0], [1.0, 4.0]]);
/// let x = triangular_solve(&a, &Array::from(vec![2.0, 9.0]), true, false, false);
/// assert_eq!(x.to_vec::<f64>()?, [1.0, 2.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn triangular_solve(a: &Array, b: &Array, lower: bool, transpose: bool, unit_diagonal: bool) -> Array {
    attempt("triangular_solve", &[a, b], || {
        let sides = Sides::new(a.try_aval()?, b)?;
        let a = spread(a, &sides.batch, 2);
        Ok(sides.restore(&solve_triangular(&a, &sides.columns, lower, transpose, unit_diagonal)))
    })
}
