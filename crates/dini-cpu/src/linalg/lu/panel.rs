//! A few columns of an LU factorization, moved to memory of their own where each is contiguous: pivots are sought, and
//! multiples of columns subtracted, by whole vectors.

use crate::{
    linalg::{
        loops::subtract_multiple,
        real::Real,
        transpose::{LANES, columns_to_runs, runs_to_columns},
    },
    math::level::multiversion,
};
use std::ops::Range;

/// Largest number of columns.
pub(super) const WIDTH: usize = 16;

/// Rows whose sums are kept in registers: four of the widest vectors.
const CHUNK: usize = 32;

/// Elements from one column to the next. Not a power of two, which would be the same place in the cache.
fn stride(n_rows: usize) -> usize {
    n_rows.next_multiple_of(LANES) + LANES
}

/// How much memory the columns of a matrix with `m` rows need.
pub(super) fn len(m: usize) -> usize {
    WIDTH * stride(m)
}

/// Factors these columns of a row-major m × n matrix from row `columns.start` on, and swaps whole rows. Row i was swapped
/// with row `pivots[i]`.
pub(super) fn factor<T: Real>(
    a: &mut [T],
    (m, n): (usize, usize),
    columns: Range<usize>,
    pivots: &mut [i32],
    memory: &mut [T],
) {
    let Range { start, end } = columns;
    if start == end {
        return;
    }
    let stride = stride(m - start);
    // Eight columns at once; what they have beyond the last one comes back as it was.
    let n_moved = if n - start < LANES { 0 } else { (end - start).next_multiple_of(LANES) };
    let n_moved = if start + n_moved > n { n_moved - LANES } else { n_moved };
    for column in (0..n_moved).step_by(LANES) {
        columns_to_runs(a, n, start..m, start + column, &mut memory[column * stride..], stride);
    }
    for column in n_moved..end - start {
        for row in 0..m - start {
            memory[column * stride + row] = a[(start + row) * n + start + column];
        }
    }
    factor_columns(memory, stride, m - start, &mut pivots[start..end]);
    for column in (0..n_moved).step_by(LANES) {
        runs_to_columns(&memory[column * stride..], stride, a, n, start..m, start + column);
    }
    for column in n_moved..end - start {
        for row in 0..m - start {
            a[(start + row) * n + start + column] = memory[column * stride + row];
        }
    }
    for (row, pivot) in (start..end).zip(&mut pivots[start..end]) {
        *pivot += start as i32;
        let pivot = *pivot as usize;
        if pivot != row {
            let (upper, lower) = a.split_at_mut(pivot * n);
            let (upper, lower) = (&mut upper[row * n..][..n], &mut lower[..n]);
            upper[..start].swap_with_slice(&mut lower[..start]);
            upper[end..].swap_with_slice(&mut lower[end..]);
        }
    }
}

multiversion! {
    /// Column by column: subtracts what the columns before contribute, all at once; then seeks the pivot and divides by it.
    /// Pivots are counted from the first row.
    fn factor_columns<T: Real>(columns: &mut [T], stride: usize, n_rows: usize, pivots: &mut [i32]) {
        for j in 0..pivots.len() {
            let (done, column) = columns.split_at_mut(j * stride);
            for k in 0..j {
                let (factor, below) = column[k..j].split_first_mut().expect("k is below j");
                subtract_multiple(*factor, &done[k * stride..][k + 1..j], below);
            }
            let (factors, rows) = column[..stride].split_at_mut(j);
            let mut row = 0;
            while row + CHUNK <= n_rows - j {
                subtract_products::<T, CHUNK>(factors, done, stride, j + row, &mut rows[row..]);
                row += CHUNK;
            }
            // Up to seven rows more than there are: the columns have room for them, and nobody looks.
            while row < n_rows - j {
                subtract_products::<T, LANES>(factors, done, stride, j + row, &mut rows[row..]);
                row += LANES;
            }
            let place = largest(&rows[..n_rows - j]);
            pivots[j] = (j + place) as i32;
            // Otherwise all of the column is zero: nothing to eliminate.
            if rows[place] != T::ZERO {
                for k in 0..pivots.len() {
                    columns.swap(k * stride + j, k * stride + j + place);
                }
                let (pivot, below) = columns[j * stride..][j..n_rows].split_first_mut().expect("a row for each pivot");
                for x in below {
                    *x /= *pivot;
                }
            }
        }
    }
}

/// x -= Σₖ y[k] factors[k] for the first `N` elements of x and those from `row` on of columns y, `stride` apart.
#[inline(always)]
fn subtract_products<T: Real, const N: usize>(factors: &[T], y: &[T], stride: usize, row: usize, x: &mut [T]) {
    let x = x.first_chunk_mut::<N>().expect("columns are longer than they have rows");
    let mut sums = *x;
    for (k, &factor) in factors.iter().enumerate() {
        let y = &y[k * stride + row..][..N];
        for i in 0..N {
            sums[i] -= y[i] * factor;
        }
    }
    *x = sums;
}

/// The first place of the largest magnitude; NaN counts less than any number.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> usize {
    let (chunks, tail) = x.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for x in chunks {
        for l in 0..LANES {
            let magnitude = x[l].magnitude();
            lanes[l] = if magnitude > lanes[l] { magnitude } else { lanes[l] };
        }
    }
    let mut largest = T::ZERO;
    for magnitude in lanes.into_iter().chain(tail.iter().map(|x| x.magnitude())) {
        largest = if magnitude > largest { magnitude } else { largest };
    }
    x.iter().position(|x| x.magnitude() == largest).unwrap_or(0)
}
