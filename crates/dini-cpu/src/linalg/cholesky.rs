//! Cholesky factorization.
//!
//! Small matrices are factored by [`super::small`], others as [`block`]s: the upper triangle of row-major storage becomes U
//! with Uᵀ U = A, and is transposed to L at the end. Large ones recursively by halves (Gustavson 1997): factor the first
//! half of the diagonal, solve with its factor for the rows beside it, subtract their product from the upper triangle of
//! the other half, factor that.

mod block;

use super::{
    parts::Parts,
    real::Real,
    small::{self, MAX_ORDER},
    transpose::{LANES, columns_to_runs},
};
use crate::{math::level::multiversion, pool};
use block::Block;
use faer::{
    Accum, MatMut, Par,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
    reborrow::*,
};
use std::ops::Range;

/// The lower factor L of the symmetric part (A + Aᵀ)/2 = L Lᵀ of each matrix in `a`, n × n and row-major, one after
/// another; zeros above its diagonal.
///
/// Where that is not positive definite, or not finite, all of L is NaN.
///
/// # Panics
/// If the slices are not equally long, or hold no whole number of matrices.
///
/// ```
/// let mut factor = [0.0; 4];
/// dini_cpu::linalg::cholesky(&[4.0, 2.0, 2.0, 5.0], 2, &mut factor);
/// assert_eq!(factor, [2.0, 0.0, 1.0, 2.0]);
/// ```
pub fn cholesky<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    let size = n * n;
    assert!(
        a.len() == out.len() && (a.is_empty() || size > 0 && a.len().is_multiple_of(size)),
        "`cholesky` of order {n} given {} and {} elements",
        a.len(),
        out.len()
    );
    if a.is_empty() {
        return;
    }
    if n <= MAX_ORDER {
        small::cholesky::cholesky(a, n, out);
        for out in out.chunks_exact_mut(size) {
            // What is not finite spreads to the last pivot.
            let pivot = out[size - 1];
            let is_factor = pivot > T::ZERO && pivot < T::INFINITY;
            if !is_factor {
                out.fill(T::NAN);
            }
        }
    } else {
        let ns = size as f64 * n as f64 / 100.0;
        let factors = Parts::new(out, size);
        pool::for_ranges(a.len() / size, 1, ns, &|first, end| {
            // SAFETY: ranges do not overlap.
            let (a, out) = (&a[first * size..end * size], unsafe { factors.take(first..end) });
            let mut block = Block::new(n.min(block::ORDER));
            for (a, out) in a.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
                let is_factor =
                    if n <= block::ORDER { factor_block(a, n, out, &mut block) } else { factor(a, n, out, &mut block) };
                if !is_factor {
                    out.fill(T::NAN);
                }
            }
        });
    }
}

/// One factor of an order up to that of blocks, if there is one.
fn factor_block<T: Real>(a: &[T], n: usize, out: &mut [T], block: &mut Block<T>) -> bool {
    let (elements, stride) = block.start(n);
    write_symmetric_part(a, n, elements, stride);
    if !block.decompose() {
        return false;
    }
    let (factor, stride) = block.factor();
    for start in (0..n).step_by(LANES) {
        // The last rows begin earlier, so that they are eight too.
        let start = start.min(n - LANES);
        columns_to_runs(factor, stride, 0..start + LANES, start, &mut out[start * n..], n);
    }
    for (i, row) in out.chunks_exact_mut(n).enumerate() {
        row[i + 1..].fill(T::ZERO);
    }
    true
}

/// One large factor, if there is one.
fn factor<T: Real>(a: &[T], n: usize, out: &mut [T], block: &mut Block<T>) -> bool {
    write_symmetric_part(a, n, out, n);
    let is_definite = decompose(out, n, 0..n, block);
    if is_definite {
        turn_over(n, out);
    }
    is_definite
}

/// Computes U for this square on the diagonal of a matrix with n columns, all rows above being done.
fn decompose<T: Real>(a: &mut [T], n: usize, rows: Range<usize>, block: &mut Block<T>) -> bool {
    let Range { start, end } = rows;
    let Some(middle) = middle(&rows) else {
        block.load(a, n, start..end);
        let is_definite = block.decompose();
        block.store(a, n, start..end);
        return is_definite;
    };
    if !decompose(a, n, start..middle, block) {
        return false;
    }
    solve(a, n, start..middle, middle..end, block);
    let (upper, lower) = a.split_at_mut(middle * n);
    let beside = MatMut::from_row_major_slice_mut(&mut upper[start * n..], middle - start, n);
    let beside = beside.into_const().subcols(middle, end - middle);
    let rest = MatMut::from_row_major_slice_mut(&mut lower[..(end - middle) * n], end - middle, n);
    triangular::matmul(
        rest.subcols_mut(middle, end - middle),
        BlockStructure::TriangularUpper,
        Accum::Add,
        beside.transpose(),
        BlockStructure::Rectangular,
        beside,
        BlockStructure::Rectangular,
        T::ZERO - T::ONE,
        Par::Seq,
    );
    decompose(a, n, middle..end, block)
}

/// Solves Uᵀ X = B for these columns, with the U that stands in these rows.
fn solve<T: Real>(a: &mut [T], n: usize, rows: Range<usize>, columns: Range<usize>, block: &mut Block<T>) {
    let Range { start, end } = rows;
    let Some(middle) = middle(&rows) else {
        block.load(a, n, rows.clone());
        return block.solve(a, n, rows, columns);
    };
    solve(a, n, start..middle, columns.clone(), block);
    let all = MatMut::from_row_major_slice_mut(&mut a[start * n..end * n], end - start, n);
    let (first, second) = all.split_at_row_mut(middle - start);
    let first = first.into_const();
    matmul(
        second.subcols_mut(columns.start, columns.len()),
        Accum::Add,
        first.subcols(middle, end - middle).transpose(),
        first.subcols(columns.start, columns.len()),
        T::ZERO - T::ONE,
        Par::Seq,
    );
    solve(a, n, middle..end, columns, block);
}

/// Where a range of rows is divided, if it is longer than a block.
fn middle(rows: &Range<usize>) -> Option<usize> {
    (rows.len() > block::ORDER).then(|| rows.start + (rows.len() / 2).next_multiple_of(LANES))
}

/// Rows and columns that are transposed while their pages are at hand, a multiple of [`LANES`].
const TILE: usize = 64;

/// The upper triangle of (A + Aᵀ)/2, to rows that are `out_stride` apart; what is below does not matter.
fn write_symmetric_part<T: Real>(a: &[T], n: usize, out: &mut [T], out_stride: usize) {
    let mut columns = [T::ZERO; LANES * TILE];
    for first in (0..n).step_by(TILE) {
        for left in (first..n).step_by(TILE) {
            let right = n.min(left + TILE);
            for row in (first..n.min(first + TILE)).step_by(LANES) {
                // The last rows begin earlier, so that they are eight too.
                let row = row.min(n - LANES);
                let left = left.max(row);
                if left < right {
                    columns_to_runs(a, n, left..right, row, &mut columns, TILE);
                    let out = &mut out[row * out_stride + left..];
                    means(&a[row * n + left..], n, &columns, TILE, right - left, out, out_stride);
                }
            }
        }
    }
}

multiversion! {
    /// (x + y)/2 of eight rows of `len` elements, so far apart from each other.
    fn means<T: Real>(x: &[T], x_stride: usize, y: &[T], y_stride: usize, len: usize, out: &mut [T], out_stride: usize) {
        for i in 0..LANES {
            let (x, y) = (&x[i * x_stride..][..len], &y[i * y_stride..][..len]);
            for ((out, &x), &y) in out[i * out_stride..][..len].iter_mut().zip(x).zip(y) {
                *out = (x + y) * T::HALF;
            }
        }
    }
}

/// Turns an upper triangle into its transpose, with zeros above.
fn turn_over<T: Real>(n: usize, out: &mut [T]) {
    let mut end = n;
    // From the last rows on, since zeros take the place of what they are made of.
    while end > 0 {
        let first = end.saturating_sub(TILE);
        let whole = end - (end - first) % LANES;
        for left in (0..whole).step_by(TILE) {
            for row in (first..whole).step_by(LANES) {
                let right = row.min(left + TILE);
                if left < right {
                    let (above, rows) = out.split_at_mut(row * n);
                    columns_to_runs(above, n, left..right, row, &mut rows[left..], n);
                }
            }
        }
        for row in first..end {
            // The square on the diagonal; of the last rows, which are less than eight, all.
            let left = if row < whole { row - (row - first) % LANES } else { 0 };
            for column in left..row {
                out[row * n + column] = out[column * n + row];
            }
        }
        for row in first..end {
            out[row * n..][row + 1..n].fill(T::ZERO);
        }
        end = first;
    }
}
