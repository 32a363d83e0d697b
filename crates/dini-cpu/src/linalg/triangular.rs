//! Solving with triangular matrices.
//!
//! Small matrices with few right-hand sides by [`super::small`]; others with one by [`vector`]. With several, rows of X are
//! combined instead of elements, and large triangles go through products of matrices ([`blocked`]).

pub(super) mod blocked;
mod vector;

use super::{loops::subtract_multiple, matmul::Matrix, real::Real, small};
use crate::math::level::multiversion;
use blocked::Solve;

/// How a triangular matrix is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triangle {
    /// The lower triangle instead of the upper one.
    pub lower: bool,
    /// Transposed.
    pub transpose: bool,
    /// With ones for its diagonal.
    pub unit_diagonal: bool,
}

impl Triangle {
    /// Whether the first unknown is solved first.
    #[inline(always)]
    pub fn is_forward(self) -> bool {
        self.lower != self.transpose
    }
}

/// Least number of right-hand sides whose rows fill vectors.
const WIDE: usize = 8;

/// Solves A X = B, or Aᵀ X = B if `transpose`, for triangular matrices A: n × n, B and X (`out`): n × `n_rhs`, all
/// row-major; any number of such problems, one after another.
///
/// Reads A's lower triangle only if `lower`, else the upper one only, and with `unit_diagonal` takes ones for its
/// diagonal without reading it. A zero on the diagonal gives infinities and NaN.
///
/// # Panics
/// If the slices do not hold the same whole number of problems.
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
    let (size, sides) = (n * n, n * n_rhs);
    let n_problems = a.len().checked_div(size).unwrap_or(0);
    assert!(
        a.len() == n_problems * size && b.len() == n_problems * sides && out.len() == b.len(),
        "`triangular_solve` of order {n} with {n_rhs} right-hand sides given {} and {} elements",
        a.len(),
        b.len()
    );
    if b.is_empty() {
        return;
    }
    let triangle = Triangle { lower, transpose, unit_diagonal };
    if n <= small::MAX_ORDER && n_rhs < WIDE {
        return small::triangular::triangular_solve(a, b, n, n_rhs, out, triangle);
    }
    out.copy_from_slice(b);
    for (a, x) in a.chunks_exact(size).zip(out.chunks_exact_mut(sides)) {
        match (n_rhs, transpose) {
            (WIDE.., _) if n >= small::MAX_ORDER => solve_blocked(a, n, n_rhs, x, triangle),
            (1, _) => vector::solve(a, n, x, triangle),
            (_, false) => solve_rows(a, n, n_rhs, x, triangle),
            (_, true) => solve_rows_transposed(a, n, n_rhs, x, triangle),
        }
    }
}

fn solve_blocked<T: Real>(a: &[T], n: usize, n_rhs: usize, x: &mut [T], triangle: Triangle) {
    assert!(a.len() == n * n && x.len() == n * n_rhs);
    let strides = if triangle.transpose { (1, n) } else { (n, 1) };
    let solve = Solve {
        n,
        n_rhs,
        triangle: Matrix { start: a.as_ptr(), strides },
        is_forward: triangle.is_forward(),
        unit_diagonal: triangle.unit_diagonal,
        x: x.as_mut_ptr(),
        x_stride: n_rhs,
    };
    // SAFETY: both lie in their slices, by the check, which are borrowed, that of X exclusively.
    unsafe { solve.run() }
}

multiversion! {
    fn solve_rows<T: Real>(a: &[T], n: usize, n_rhs: usize, x: &mut [T], triangle: Triangle) {
        let Triangle { lower, unit_diagonal, .. } = triangle;
        for step in 0..n {
            let i = if lower { step } else { n - 1 - step };
            let row = &a[i * n..][..n];
            let (before, rest) = x.split_at_mut(i * n_rhs);
            let (x_row, after) = rest.split_at_mut(n_rhs);
            // In the order of solving, as small problems do.
            for step in 0..step {
                let (k, solved) = if lower { (step, &before[step * n_rhs..]) } else { (n - 1 - step, &after[(n - 2 - step - i) * n_rhs..]) };
                subtract_multiple(row[k], &solved[..n_rhs], x_row);
            }
            if !unit_diagonal {
                divide(x_row, row[i]);
            }
        }
    }

    fn solve_rows_transposed<T: Real>(a: &[T], n: usize, n_rhs: usize, x: &mut [T], triangle: Triangle) {
        let Triangle { lower, unit_diagonal, .. } = triangle;
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
