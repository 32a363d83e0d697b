//! LU factorization with partial pivoting.
//!
//! Recursively by halves of the columns (Toledo 1997): factor the left half, solve with its unit lower triangle for the
//! upper right block, update the lower right block by a product, factor that. A few columns at a time are factored as
//! columns by [`panel`]. Small matrices are factored by [`super::small`].

mod panel;

use super::{
    matmul::{Matmul, Matrix, Update},
    parts::Parts,
    real::Real,
    small,
    triangular::blocked::Solve,
};
use crate::{interrupt, pool};
use std::ops::Range;

/// About how long a product and a difference take, in nanoseconds.
const NS_PER_PRODUCT: f64 = 0.03;

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
        let ns = (size * rank) as f64 * NS_PER_PRODUCT;
        let (factors, all_pivots) = (Parts::new(lu, size), Parts::new(pivots, rank));
        pool::for_ranges(n_matrices, 1, ns, &|first, end| {
            // SAFETY: ranges do not overlap.
            let (lu, pivots) = unsafe { (factors.take(first..end), all_pivots.take(first..end)) };
            lu.copy_from_slice(&a[first * size..end * size]);
            let mut memory = vec![T::ZERO; panel::len(m)];
            for (lu, pivots) in lu.chunks_exact_mut(size).zip(pivots.chunks_exact_mut(rank)) {
                factor(lu, (m, n), 0..rank, pivots, &mut memory);
                eliminate(lu, (m, n), 0..rank, rank..n);
            }
        });
    }
    if interrupt::is_cut() {
        // Of matrices that were left out there are no pivots: nothing is swapped.
        pivots.iter_mut().enumerate().for_each(|(i, pivot)| *pivot = (i % rank) as i32);
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
    if interrupt::must_cut(((end - start) * (shape.0 - start)) as u32) {
        // Nothing is swapped.
        return (start..end).for_each(|i| pivots[i] = i as i32);
    }
    if end - start <= panel::WIDTH {
        return panel::factor(a, shape, columns, pivots, memory);
    }
    let middle = start + (end - start).div_ceil(2).next_multiple_of(panel::WIDTH).min(end - start - 1);
    factor(a, shape, start..middle, pivots, memory);
    eliminate(a, shape, start..middle, middle..end);
    factor(a, shape, middle..end, pivots, memory);
}

/// Multiplies `right` columns by the inverse of the factored `left` ones, which end where the others begin: rows of U, and
/// what is left of the rows below.
fn eliminate<T: Real>(a: &mut [T], (m, n): (usize, usize), left: Range<usize>, right: Range<usize>) {
    assert!(left.end <= right.start && right.end <= n && left.end <= m && a.len() == m * n);
    if right.is_empty() {
        return;
    }
    let start = a.as_mut_ptr();
    let at = |row: usize, column: usize| start.wrapping_add(row * n + column);
    let matrix = |row: usize, column: usize| Matrix { start: at(row, column).cast_const(), strides: (n, 1) };
    let upper = Solve {
        n: left.len(),
        n_rhs: right.len(),
        triangle: matrix(left.start, left.start),
        is_forward: true,
        unit_diagonal: true,
        x: at(left.start, right.start),
        x_stride: n,
    };
    let lower = Matmul {
        n_rows: m - left.end,
        depth: left.len(),
        n_columns: right.len(),
        a: matrix(left.end, left.start),
        b: matrix(left.start, right.start),
        c: at(left.end, right.start),
        c_stride: n,
        update: Update::Subtract,
    };
    // SAFETY: blocks of the matrix, which is borrowed exclusively; those that are written are apart from the others.
    unsafe {
        upper.run();
        lower.run();
    }
}
