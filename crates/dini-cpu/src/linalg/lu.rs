//! LU factorization with partial pivoting.
//!
//! Recursively by halves of the columns (Toledo 1997): factor the left half, solve with its unit lower triangle for the
//! upper right block, update the lower right block by a product, factor that. Rows are swapped whole as soon as a pivot
//! is known: they are contiguous.

use super::real::Real;
use crate::math::level::multiversion;
use faer::{
    Accum, MatMut, Par,
    linalg::{matmul::matmul, triangular_solve::solve_unit_lower_triangular_in_place},
    reborrow::*,
};

/// Largest number of columns that are eliminated one by one.
const BASE: usize = 16;

/// P A = L U for the row-major m × n matrix `a`: unit lower and upper factor packed into `lu`.
///
/// Row i was swapped with row `pivots[i]`, for the min(m, n) rows in order; `permutation` (m entries) is the result of
/// all swaps: row i of L U is row `permutation[i]` of A. A column without a nonzero pivot leaves a zero on U's diagonal.
///
/// # Panics
/// If a slice has another length than stated.
///
/// ```
/// let (mut lu, mut pivots, mut permutation) = ([0.0; 4], [0; 2], [0; 2]);
/// dini_cpu::linalg::lu(&[1.0, 2.0, 4.0, 4.0], 2, 2, &mut lu, &mut pivots, &mut permutation);
/// assert_eq!((lu, pivots, permutation), ([4.0, 4.0, 0.25, 1.0], [1, 1], [1, 0]));
/// ```
pub fn lu<T: Real>(a: &[T], m: usize, n: usize, lu: &mut [T], pivots: &mut [i32], permutation: &mut [i32]) {
    let rank = m.min(n);
    assert!(a.len() == m * n && lu.len() == m * n, "`lu` of a {m} × {n} matrix given {} elements", a.len());
    assert!(
        pivots.len() == rank && permutation.len() == m,
        "`lu` of a {m} × {n} matrix given room for {} pivots and a permutation of {}",
        pivots.len(),
        permutation.len()
    );
    lu.copy_from_slice(a);
    factor(lu, (m, n), 0, rank, pivots);
    if n > m {
        let matrix = MatMut::from_row_major_slice_mut(lu, m, n);
        let (left, right) = matrix.split_at_col_mut(m);
        solve_unit_lower_triangular_in_place(left.rb(), right, Par::Seq);
    }
    for (i, place) in permutation.iter_mut().enumerate() {
        *place = i as i32;
    }
    for (i, &pivot) in pivots.iter().enumerate() {
        permutation.swap(i, pivot as usize);
    }
}

/// Factors columns `start..end` of the rows from `start` on, all columns before being done.
fn factor<T: Real>(a: &mut [T], shape: (usize, usize), start: usize, end: usize, pivots: &mut [i32]) {
    if end - start <= BASE {
        return factor_columns(a, shape, start, end, pivots);
    }
    let middle = start + (end - start).div_ceil(2).next_multiple_of(BASE).min(end - start - 1);
    factor(a, shape, start, middle, pivots);
    let block = MatMut::from_row_major_slice_mut(&mut *a, shape.0, shape.1).get_mut(start.., start..end);
    let (a00, mut a01, a10, a11) = block.split_at_mut(middle - start, middle - start);
    solve_unit_lower_triangular_in_place(a00.rb(), a01.rb_mut(), Par::Seq);
    matmul(a11, Accum::Add, a10.rb(), a01.rb(), T::ZERO - T::ONE, Par::Seq);
    factor(a, shape, middle, end, pivots);
}

multiversion! {
    fn factor_columns<T: Real>(
        a: &mut [T],
        shape: (usize, usize),
        start: usize,
        end: usize,
        pivots: &mut [i32],
    ) {
        let (m, n) = shape;
        for j in start..end {
            let mut pivot = j;
            let mut largest = a[j * n + j].magnitude();
            for i in j + 1..m {
                let magnitude = a[i * n + j].magnitude();
                if magnitude > largest {
                    (pivot, largest) = (i, magnitude);
                }
            }
            pivots[j] = pivot as i32;
            if pivot != j {
                let (upper, lower) = a.split_at_mut(pivot * n);
                upper[j * n..][..n].swap_with_slice(&mut lower[..n]);
            }
            // The whole column is zero: nothing to eliminate.
            if largest == T::ZERO {
                continue;
            }
            let (upper, lower) = a.split_at_mut((j + 1) * n);
            let pivot_row = &upper[j * n + j..j * n + end];
            for row in lower.chunks_exact_mut(n) {
                let row = &mut row[j..end];
                row[0] /= pivot_row[0];
                let factor = row[0];
                for (x, &p) in row[1..].iter_mut().zip(&pivot_row[1..]) {
                    *x -= factor * p;
                }
            }
        }
    }
}
