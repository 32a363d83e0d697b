//! LU factorization with partial pivoting.
//!
//! Recursively by halves of the columns (Toledo 1997): factor the left half, solve with its unit lower triangle for the
//! upper right block, update the lower right block by a product, factor that. A few columns at a time are factored as
//! columns by [`panel`]. Small matrices are factored by [`super::small`].

mod panel;

use super::{real::Real, small};
use faer::{
    Accum, MatMut, Par,
    linalg::{matmul::matmul, triangular_solve::solve_unit_lower_triangular_in_place},
    reborrow::*,
};
use std::ops::Range;

/// P A = L U for each row-major m × n matrix in `a`, one after another: unit lower and upper factor packed into `lu`.
///
/// Row i was swapped with row `pivots[i]`, for the min(m, n) rows of each matrix in order; `permutation` (m entries) is
/// the result of all swaps: row i of L U is row `permutation[i]` of A. A column without a nonzero pivot leaves a zero on
/// U's diagonal.
///
/// # Panics
/// If the slices do not hold the same whole number of matrices.
///
/// ```
/// let (mut lu, mut pivots, mut permutation) = ([0.0; 4], [0; 2], [0; 2]);
/// dini_cpu::linalg::lu(&[1.0, 2.0, 4.0, 4.0], 2, 2, &mut lu, &mut pivots, &mut permutation);
/// assert_eq!((lu, pivots, permutation), ([4.0, 4.0, 0.25, 1.0], [1, 1], [1, 0]));
/// ```
pub fn lu<T: Real>(a: &[T], m: usize, n: usize, lu: &mut [T], pivots: &mut [i32], permutation: &mut [i32]) {
    let (size, rank) = (m * n, m.min(n));
    let n_matrices = permutation.len().checked_div(m).unwrap_or(0);
    assert!(
        a.len() == n_matrices * size && lu.len() == a.len(),
        "`lu` of {n_matrices} {m} × {n} matrices given {} and {} elements",
        a.len(),
        lu.len()
    );
    assert!(
        pivots.len() == n_matrices * rank && permutation.len() == n_matrices * m,
        "`lu` of {n_matrices} {m} × {n} matrices given room for {} pivots and {} rows",
        pivots.len(),
        permutation.len()
    );
    if a.is_empty() {
        // No columns: nothing is swapped.
    } else if m.max(n) <= small::MAX_ORDER {
        small::lu::lu(a, (m, n), lu, pivots);
    } else {
        let mut memory = vec![T::ZERO; panel::len(m)];
        let matrices = a.chunks_exact(size).zip(lu.chunks_exact_mut(size)).zip(pivots.chunks_exact_mut(rank));
        for ((a, lu), pivots) in matrices {
            lu.copy_from_slice(a);
            factor(lu, (m, n), 0..rank, pivots, &mut memory);
            if n > m {
                let (left, right) = MatMut::from_row_major_slice_mut(lu, m, n).split_at_col_mut(m);
                solve_unit_lower_triangular_in_place(left.rb(), right, Par::Seq);
            }
        }
    }
    for idx in 0..n_matrices {
        let permutation = &mut permutation[idx * m..][..m];
        for (i, place) in permutation.iter_mut().enumerate() {
            *place = i as i32;
        }
        for (i, &pivot) in pivots[idx * rank..][..rank].iter().enumerate() {
            permutation.swap(i, pivot as usize);
        }
    }
}

/// Factors these columns of the rows from the first of them on, all columns before being done.
fn factor<T: Real>(a: &mut [T], shape: (usize, usize), columns: Range<usize>, pivots: &mut [i32], memory: &mut [T]) {
    let Range { start, end } = columns;
    if end - start <= panel::WIDTH {
        return panel::factor(a, shape, columns, pivots, memory);
    }
    let middle = start + (end - start).div_ceil(2).next_multiple_of(panel::WIDTH).min(end - start - 1);
    factor(a, shape, start..middle, pivots, memory);
    let block = MatMut::from_row_major_slice_mut(&mut *a, shape.0, shape.1).get_mut(start.., start..end);
    let (a00, mut a01, a10, a11) = block.split_at_mut(middle - start, middle - start);
    solve_unit_lower_triangular_in_place(a00.rb(), a01.rb_mut(), Par::Seq);
    matmul(a11, Accum::Add, a10.rb(), a01.rb(), T::ZERO - T::ONE, Par::Seq);
    factor(a, shape, middle..end, pivots, memory);
}
