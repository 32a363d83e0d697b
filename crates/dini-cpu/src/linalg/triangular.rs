//! Solving with triangular matrices.
//!
//! One right-hand side: A's rows are walked contiguously in all four cases, by inner products if x is needed in A's row
//! order and by subtracting multiples of rows if transposed. Several: rows of X are combined instead of elements.

use super::{
    loops::{inner, subtract_multiple},
    real::Real,
};
use crate::math::level::multiversion;
use faer::{MatMut, MatRef, Par, linalg::triangular_solve as faer_solve};

/// Solves A X = B, or Aᵀ X = B if `transpose`, for a triangular A: n × n, B and X (`out`): n × `n_rhs`, all row-major.
///
/// Reads A's lower triangle only if `lower`, else the upper one only, and with `unit_diagonal` takes ones for its
/// diagonal without reading it. A zero on the diagonal gives infinities and NaN.
///
/// # Panics
/// If a slice has another length than stated.
///
/// ```
/// let mut x = [0.0; 2];
/// dini_cpu::linalg::triangular_solve(&[2.0, 0.0, 1.0, 4.0], &[2.0, 9.0], 2, 1, &mut x, true, false, false);
/// assert_eq!(x, [1.0, 2.0]);
/// ```
#[expect(clippy::too_many_arguments, reason = "the interface that the engine's callers agreed on")]
pub fn triangular_solve<T: Real>(
    a: &[T],
    b: &[T],
    n: usize,
    n_rhs: usize,
    out: &mut [T],
    lower: bool,
    transpose: bool,
    unit_diagonal: bool,
) {
    assert!(
        a.len() == n * n && b.len() == n * n_rhs && out.len() == n * n_rhs,
        "`triangular_solve` of order {n} with {n_rhs} right-hand sides given {} and {} elements",
        a.len(),
        b.len()
    );
    out.copy_from_slice(b);
    if n == 0 || n_rhs == 0 {
        return;
    }
    if n >= 32 && n_rhs >= 8 {
        return solve_blocked(a, n, n_rhs, out, lower, transpose, unit_diagonal);
    }
    match (n_rhs, transpose) {
        (1, false) => solve_vector(a, n, out, lower, unit_diagonal),
        (1, true) => solve_vector_transposed(a, n, out, lower, unit_diagonal),
        (_, false) => solve_rows(a, n, n_rhs, out, lower, unit_diagonal),
        (_, true) => solve_rows_transposed(a, n, n_rhs, out, lower, unit_diagonal),
    }
}

/// Through `faer`: blocks and matrix products.
fn solve_blocked<T: Real>(
    a: &[T],
    n: usize,
    n_rhs: usize,
    x: &mut [T],
    lower: bool,
    transpose: bool,
    unit_diagonal: bool,
) {
    let a = MatRef::from_row_major_slice(a, n, n);
    let a = if transpose { a.transpose() } else { a };
    let x = MatMut::from_row_major_slice_mut(x, n, n_rhs);
    match (lower != transpose, unit_diagonal) {
        (true, false) => faer_solve::solve_lower_triangular_in_place(a, x, Par::Seq),
        (true, true) => faer_solve::solve_unit_lower_triangular_in_place(a, x, Par::Seq),
        (false, false) => faer_solve::solve_upper_triangular_in_place(a, x, Par::Seq),
        (false, true) => faer_solve::solve_unit_upper_triangular_in_place(a, x, Par::Seq),
    }
}

multiversion! {
    fn solve_vector<T: Real>(a: &[T], n: usize, x: &mut [T], lower: bool, unit_diagonal: bool) {
        for step in 0..n {
            let i = if lower { step } else { n - 1 - step };
            let row = &a[i * n..][..n];
            let sum = if lower { inner(&row[..i], &x[..i]) } else { inner(&row[i + 1..], &x[i + 1..]) };
            let rest = x[i] - sum;
            x[i] = if unit_diagonal { rest } else { rest / row[i] };
        }
    }

    fn solve_vector_transposed<T: Real>(a: &[T], n: usize, x: &mut [T], lower: bool, unit_diagonal: bool) {
        for step in 0..n {
            let i = if lower { n - 1 - step } else { step };
            let row = &a[i * n..][..n];
            if !unit_diagonal {
                x[i] /= row[i];
            }
            let solved = x[i];
            if lower {
                subtract_multiple(solved, &row[..i], &mut x[..i]);
            } else {
                subtract_multiple(solved, &row[i + 1..], &mut x[i + 1..]);
            }
        }
    }

    fn solve_rows<T: Real>(a: &[T], n: usize, n_rhs: usize, x: &mut [T], lower: bool, unit_diagonal: bool) {
        for step in 0..n {
            let i = if lower { step } else { n - 1 - step };
            let row = &a[i * n..][..n];
            let (before, rest) = x.split_at_mut(i * n_rhs);
            let (x_row, after) = rest.split_at_mut(n_rhs);
            let (factors, solved) = if lower { (&row[..i], &*before) } else { (&row[i + 1..], &*after) };
            for (&factor, solved) in factors.iter().zip(solved.chunks_exact(n_rhs)) {
                subtract_multiple(factor, solved, x_row);
            }
            if !unit_diagonal {
                divide(x_row, row[i]);
            }
        }
    }

    fn solve_rows_transposed<T: Real>(a: &[T], n: usize, n_rhs: usize, x: &mut [T], lower: bool, unit_diagonal: bool) {
        for step in 0..n {
            let i = if lower { n - 1 - step } else { step };
            let row = &a[i * n..][..n];
            let (before, rest) = x.split_at_mut(i * n_rhs);
            let (x_row, after) = rest.split_at_mut(n_rhs);
            if !unit_diagonal {
                divide(x_row, row[i]);
            }
            let (factors, unsolved) = if lower { (&row[..i], before) } else { (&row[i + 1..], after) };
            for (&factor, unsolved) in factors.iter().zip(unsolved.chunks_exact_mut(n_rhs)) {
                subtract_multiple(factor, x_row, unsolved);
            }
        }
    }
}

#[inline(always)]
fn divide<T: Real>(x: &mut [T], divisor: T) {
    for x in x {
        *x /= divisor;
    }
}
