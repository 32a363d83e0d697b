//! Some rows of a Cholesky factor in registers: all that earlier rows contribute is subtracted there, then the rows are
//! solved among themselves. For that their square on the diagonal is factored as M D Mᵀ with M unit lower triangular, so
//! that no square root is waited for.
//!
//! Each element is a sum that begins with the matrix and runs over all rows above, from the first on. So neither cuts
//! between calls nor the columns that are computed together change a bit.

#![expect(clippy::needless_range_loop, reason = "squares and vectors are walked by row and column")]

use crate::linalg::{
    block::{add_products, load, store},
    real::Real,
    vector::Vector,
};

/// What earlier rows contribute: `depth` of them, by factors that stand at `factors`, so far apart from one of the rows to
/// the next and from one earlier row to the next, and by those rows themselves.
#[derive(Clone, Copy)]
pub(super) struct Above<T> {
    pub depth: usize,
    pub factors: *const T,
    pub strides: (usize, usize),
    pub rows: *const T,
}

/// How many elements [`factor_square`] writes for each row of a square of this order.
pub(super) const fn pivots_per_row(n_rows: usize) -> usize {
    n_rows + 1
}

/// Factors the square on the diagonal of some rows, whose upper triangle starts at `square[0]`: Mᵀ row by row, and the
/// reciprocals of the roots of D. Whether D is positive and finite.
#[inline(always)]
pub(super) fn factor_square<T: Real, const ROWS: usize>(square: &[T], stride: usize, pivots: &mut [T]) -> bool {
    let mut rest = [[T::ZERO; ROWS]; ROWS];
    for i in 0..ROWS {
        rest[i][i..].copy_from_slice(&square[i * stride..][i..ROWS]);
    }
    let (factors, reciprocals) = pivots.split_at_mut(ROWS * ROWS);
    let mut are_positive = true;
    for k in 0..ROWS {
        let pivot = rest[k][k];
        are_positive &= pivot > T::ZERO && pivot < T::INFINITY;
        for i in k + 1..ROWS {
            let factor = rest[k][i] / pivot;
            for j in i..ROWS {
                rest[i][j] -= factor * rest[k][j];
            }
            factors[k * ROWS + i] = factor;
        }
    }
    for k in 0..ROWS {
        reciprocals[k] = T::ONE / rest[k][k].root();
    }
    are_positive
}

/// Computes so many vectors of each of some rows, which are `stride` apart, as those above are. The rows are solved if there
/// are pivots.
///
/// # Safety
/// So many elements lie at all places that `above` names and at `rows`, and what [`factor_square`] writes at `pivots`; they
/// are shared with nobody who writes; as for [`Vector`]. To be inlined always, as there.
#[inline(always)]
pub(super) unsafe fn compute<V: Vector<Element: Real>, const ROWS: usize>(
    n_vectors: usize,
    above: Above<V::Element>,
    rows: *mut V::Element,
    stride: usize,
    pivots: Option<&[V::Element]>,
) {
    let (mut above, mut rows) = (above, rows);
    let mut left = n_vectors;
    // SAFETY: promised by the caller. (No closures: they would be compiled for the baseline.)
    unsafe {
        while left > 0 {
            match left {
                1 => compute_vectors::<V, ROWS, 1>(above, rows, stride, pivots),
                2 => compute_vectors::<V, ROWS, 2>(above, rows, stride, pivots),
                _ => compute_vectors::<V, ROWS, 3>(above, rows, stride, pivots),
            }
            let n_done = left.min(3);
            left -= n_done;
            above.rows = above.rows.add(n_done * V::LEN);
            rows = rows.add(n_done * V::LEN);
        }
    }
}

/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn compute_vectors<V: Vector<Element: Real>, const ROWS: usize, const C: usize>(
    above: Above<V::Element>,
    rows: *mut V::Element,
    stride: usize,
    pivots: Option<&[V::Element]>,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = load::<V, ROWS, C>(rows, stride);
        let Above { depth, factors, strides, rows: known } = above;
        add_products::<V, ROWS, C, true>(&mut sums, depth, (factors, strides), (known, stride));
        if let Some(pivots) = pivots {
            let (factors, reciprocals) = pivots[..pivots_per_row(ROWS) * ROWS].split_at(ROWS * ROWS);
            for k in 0..ROWS {
                for r in k + 1..ROWS {
                    let factor = V::splat(factors[k * ROWS + r]);
                    for c in 0..C {
                        sums[r][c] = sums[r][c].minus_product(factor, sums[k][c]);
                    }
                }
            }
            for r in 0..ROWS {
                let factor = V::splat(reciprocals[r]);
                for c in 0..C {
                    sums[r][c] = sums[r][c].times(factor);
                }
            }
        }
        store(&sums, rows, stride);
    }
}
