//! Columns of the factor U with Uᵀ U = A that are computed together: all rows down to the diagonal, in strips.
//!
//! A strip holds three of the widest vectors of each row, one row after another: what the innermost loop reads is
//! contiguous whatever the order of the matrix, and no two rows compete for places in the cache. A panel takes its columns
//! from the matrix; subtracts what all columns before contribute, which stand transposed as rows of L in the result; and
//! leaves its own columns there.

use super::kernel::{Above, compute, factor_square, pivots_per_row};
use crate::{
    interrupt,
    linalg::{
        parts::Parts,
        real::Real,
        scratch::Scratch,
        transpose::{LANES, columns_of_symmetric_part, columns_to_runs},
        vector::{Kernel, Vector, by_level},
    },
    pool,
};
use std::ops::Range;

/// Rows are filled up to a multiple of so many, which `ROWS` of all kernels divide.
const UNIT: usize = 8;

/// Columns of a strip: three of the longest vectors.
const fn width<T>() -> usize {
    3 * 64 / size_of::<T>()
}

/// A panel of at most so many bytes is left in the second-level cache by what else is read.
const BYTES: usize = 512 * 1024;

/// Least number of strips: rows of L are read once for all of them. There is one for each thread at least.
const N_STRIPS: usize = 4;

/// Earlier rows whose contributions to all others are subtracted together: three vectors of each fit that cache beside
/// others.
const DEPTH: usize = 256;

/// Rows that are transposed while they are at hand, a multiple of [`LANES`].
const TILE: usize = 64;

/// About how long a product and a difference take, in nanoseconds.
pub(super) const NS_PER_PRODUCT: f64 = 0.04;

/// Room for panels of matrices of order n.
pub(super) struct Panel<T> {
    n: usize,
    /// Rows of strips: the order, rounded up.
    n_rows: usize,
    n_strips: usize,
    elements: Scratch<T>,
    /// Those of all squares on the diagonal.
    pivots: Scratch<T>,
}

impl<T: Real> Panel<T> {
    pub fn new(n: usize) -> Panel<T> {
        let strip_bytes = n * width::<T>() * size_of::<T>();
        Panel::with_strips(n, (BYTES / strip_bytes).max(N_STRIPS).max(pool::num_threads()))
    }

    /// With at most so many strips at once.
    fn with_strips(n: usize, n_strips: usize) -> Panel<T> {
        let n_rows = n.next_multiple_of(UNIT);
        let n_strips = n_strips.min(n.div_ceil(width::<T>()));
        let elements = Scratch::new(n_strips * n_rows * width::<T>());
        Panel { n, n_rows, n_strips, elements, pivots: Scratch::new(n_rows * pivots_per_row(UNIT)) }
    }

    /// Columns that are computed together.
    pub fn width(&self) -> usize {
        self.n_strips * width::<T>()
    }

    /// Computes the rows of L that are the columns of U from `first` on, all before being done. Beside them there are zeros,
    /// or without these anything.
    /// Whether the matrix is positive definite and finite as far as seen; there is no factor else.
    pub fn factor(&mut self, a: &[T], first: usize, l: &mut [T], with_zeros: bool) -> bool {
        let (n, n_rows, width) = (self.n, self.n_rows, width::<T>());
        let strip_len = n_rows * width;
        let end = n.min(first + self.width());
        let n_strips = (end - first).div_ceil(width);
        let strips = &mut self.elements[..n_strips * strip_len];
        let pivots = &*self.pivots;
        let ns = (first * first * width) as f64 * NS_PER_PRODUCT;
        let (done, rows) = l[..end * n].split_at_mut(first * n);
        let (shared, rows) = (Parts::new(strips, strip_len), Parts::new(rows, n));
        // The rows above the panel's square on the diagonal, each strip for itself.
        pool::for_ranges(n_strips, 1, ns, &|from, to| {
            // SAFETY: ranges do not overlap, nor do the rows of different strips.
            let (strips, rows) =
                unsafe { (shared.take(from..to), rows.take(from * width..(to * width).min(end - first))) };
            let start = first + from * width;
            for (idx, strip) in strips.chunks_exact_mut(strip_len).enumerate() {
                read(a, n, start + idx * width, strip);
            }
            by_level(Subtract { n, n_rows, l: done, n_done: first, rows: 0..first, start, strips, pivots });
            for (idx, (strip, rows)) in strips.chunks_exact(strip_len).zip(rows.chunks_mut(width * n)).enumerate() {
                write(strip, start + idx * width, 0..first, rows, n);
                if with_zeros && end < n {
                    rows.chunks_exact_mut(n).for_each(|row| row[end..].fill(T::ZERO));
                }
            }
        });
        // What they contribute to the square, of which a strip needs those of other strips: they stand in L by now. The last
        // strip has the most rows there and comes first, so that threads end at about the same time.
        let done = &l[..end * n];
        pool::for_ranges(n_strips, 1, ns / n_strips as f64, &|from, to| {
            let (from, to) = (n_strips - to, n_strips - from);
            // SAFETY: ranges do not overlap.
            let strips = unsafe { shared.take(from..to) };
            let (rows, start) = (first..n_rows, first + from * width);
            by_level(Subtract { n, n_rows, l: done, n_done: first, rows, start, strips, pivots });
        });
        if !by_level(Factor { first, n_rows, strips, strip_len, pivots: &mut self.pivots }) {
            return false;
        }
        let rows = l[first * n..end * n].chunks_mut(width * n);
        for (idx, (strip, rows)) in strips.chunks_exact(strip_len).zip(rows).enumerate() {
            let start = first + idx * width;
            write(strip, start, first..end, rows, n);
            if with_zeros {
                for (row_idx, row) in rows.chunks_exact_mut(n).enumerate() {
                    row[start + row_idx + 1..end].fill(T::ZERO);
                }
            }
        }
        true
    }
}

/// The columns of (A + Aᵀ)/2 from `start` on, all rows down to the diagonal and some below, as a strip. What the matrix
/// does not have is filled up with rows and columns of the identity.
fn read<T: Real>(a: &[T], n: usize, start: usize, strip: &mut [T]) {
    let width = width::<T>();
    let end = n.min(start + width);
    for first in (0..end).step_by(TILE) {
        // Some are read once more rather than one by one.
        let rows = first.min(end.saturating_sub(LANES))..end.min(first + TILE);
        for column in (start..end).step_by(LANES) {
            let strip = &mut strip[rows.start * width + column - start..rows.end * width];
            columns_of_symmetric_part(a, n, rows.clone(), column..end.min(column + LANES), strip, width);
        }
    }
    let n_columns = end - start;
    if n_columns < width {
        strip[..end * width].chunks_exact_mut(width).for_each(|row| row[n_columns..].fill(T::ZERO));
        for (idx, row) in
            strip[end * width..].chunks_exact_mut(width).enumerate().take(end.next_multiple_of(UNIT) - end)
        {
            row.fill(T::ZERO);
            row[n_columns + idx] = T::ONE;
        }
    }
}

/// Some elements of each column of a strip, as far as they are not below the diagonal, to the row that it is in L.
fn write<T: Real>(strip: &[T], start: usize, elements: Range<usize>, rows: &mut [T], n: usize) {
    if elements.is_empty() {
        return;
    }
    let width = width::<T>();
    let n_columns = rows.len() / n;
    let whole = n_columns - n_columns % LANES;
    for column in (0..whole).step_by(LANES) {
        let elements = elements.start..elements.end.min(start + column + LANES);
        columns_to_runs(strip, width, elements.clone(), column, &mut rows[column * n + elements.start..], n);
    }
    for column in whole..n_columns {
        for at in elements.start..elements.end.min(start + column + 1) {
            rows[column * n + at] = strip[at * width + column];
        }
    }
}

/// Subtracts from some rows of strips what the first `n_done` rows of L contribute, and solves those of them that are
/// among these.
struct Subtract<'a, T> {
    n: usize,
    n_rows: usize,
    l: &'a [T],
    n_done: usize,
    rows: Range<usize>,
    /// The first column of the strips.
    start: usize,
    strips: &'a mut [T],
    pivots: &'a [T],
}

impl<T: Real> Kernel<T> for Subtract<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) {
        let Subtract { n, n_rows, l, n_done, rows, start, strips, pivots } = self;
        let width = width::<T>();
        assert!(width.is_multiple_of(V::LEN) && n_rows.is_multiple_of(ROWS) && rows.end <= n_rows);
        for first in (0..n_done).step_by(DEPTH) {
            let last = n_done.min(first + DEPTH);
            if interrupt::must_cut(((rows.end - rows.start) * (last - first) * width) as u32) {
                return;
            }
            for row in (rows.start.max(first)..rows.end).step_by(ROWS) {
                let pivots = (row < last).then(|| &pivots[row * pivots_per_row(ROWS)..]);
                for (idx, strip) in strips.chunks_exact_mut(n_rows * width).enumerate() {
                    let start = start + idx * width;
                    let end = n_rows.min(start + width);
                    if row >= end {
                        continue;
                    }
                    let strip = strip.as_mut_ptr();
                    // SAFETY: rows of the strip up to `n_rows`, which it has; rows of L that are done.
                    unsafe {
                        let (factors, strides, column) = match row.checked_sub(start) {
                            Some(own) => {
                                (strip.add(first * width + own).cast_const(), (1, width), own / V::LEN * V::LEN)
                            }
                            None => (l[row * n..][..ROWS * n].as_ptr().add(first), (n, 1), 0),
                        };
                        let rows = strip.add(first * width + column);
                        let above = Above { depth: last.min(row) - first, factors, strides, rows };
                        let n_vectors = (end - start - column).div_ceil(V::LEN);
                        compute::<V, ROWS>(n_vectors, above, strip.add(row * width + column), width, pivots);
                    }
                }
            }
        }
    }
}

/// Computes the square of U on the diagonal that begins at this row, where all that rows above contribute is subtracted.
struct Factor<'a, T> {
    first: usize,
    n_rows: usize,
    strips: &'a mut [T],
    strip_len: usize,
    pivots: &'a mut [T],
}

impl<T: Real> Kernel<T> for Factor<'_, T> {
    type Output = bool;

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) -> bool {
        let Factor { first, n_rows, strips, strip_len, pivots } = self;
        let width = width::<T>();
        assert!(n_rows.is_multiple_of(ROWS) && n_rows * width <= strip_len && width.is_multiple_of(V::LEN));
        let n_strips = strips.len() / strip_len;
        let strips = strips.as_mut_ptr();
        let mut is_definite = true;
        for row in (first..n_rows.min(first + n_strips * width)).step_by(ROWS) {
            let own = (row - first) / width;
            let start = first + own * width;
            let column = (row - start) / V::LEN * V::LEN;
            let n_vectors = ((n_rows - start).min(width) - column).div_ceil(V::LEN);
            let pivots = &mut pivots[row * pivots_per_row(ROWS)..];
            // SAFETY: rows up to `n_rows`, which all strips have, of their own columns.
            unsafe {
                let strip = strips.add(own * strip_len);
                let factors = strip.add(first * width + row - start).cast_const();
                let known = strip.add(first * width + column).cast_const();
                let above = Above { depth: row - first, factors, strides: (1, width), rows: known };
                let rows = strip.add(row * width + column);
                compute::<V, ROWS>(n_vectors, above, rows, width, None);
                let square = strip.add(row * width + row - start);
                let square = std::slice::from_raw_parts(square, (ROWS - 1) * width + ROWS);
                is_definite &= factor_square::<T, ROWS>(square, width, pivots);
                // The others first: the processor takes their products while it waits for the square.
                for idx in own + 1..n_strips {
                    let n_vectors = (n_rows - first - idx * width).min(width).div_ceil(V::LEN);
                    let strip = strips.add(idx * strip_len);
                    let above = Above { rows: strip.add(first * width), ..above };
                    compute::<V, ROWS>(n_vectors, above, strip.add(row * width), width, Some(pivots));
                }
                compute::<V, ROWS>(n_vectors, Above { depth: 0, ..above }, rows, width, Some(pivots));
            }
        }
        is_definite
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::level::at_each_level;

    /// Orders around the widths of strips, of vectors and of units, and one that has several of each.
    const ORDERS: [usize; 15] = [1, 7, 8, 9, 23, 24, 25, 47, 48, 49, 100, 129, 193, 260, 550];

    /// The factor, with so many strips at once.
    #[track_caller]
    fn factor<T: Real>(a: &[T], n: usize, n_strips: usize) -> Vec<T> {
        let mut panel = Panel::with_strips(n, n_strips);
        // Whatever stood in the memory is of no account.
        panel.elements.fill(T::NAN);
        let mut l = vec![T::NAN; n * n];
        for first in (0..n).step_by(panel.width()) {
            assert!(panel.factor(a, first, &mut l, true), "order {n}, {n_strips} strips");
        }
        l
    }

    fn matrix<T: Real>(n: usize, convert: impl Fn(f64) -> T) -> Vec<T> {
        let mut a: Vec<T> = (0..n * n).map(|i| convert((i as f64 * 0.7).sin())).collect();
        (0..n).for_each(|i| a[i * n + i] = convert(n as f64));
        a
    }

    /// L Lᵀ = A. With one strip, so that everything runs on this thread, and for the processor that it stands for.
    #[track_caller]
    fn check<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, epsilon: f64) {
        for n in ORDERS {
            let a = matrix(n, &convert);
            let l = factor(&a, n, 1);
            for i in 0..n {
                for j in 0..=i {
                    let terms = (0..=j).map(|k| widen(l[i * n + k]) * widen(l[j * n + k]));
                    let mean = (widen(a[i * n + j]) + widen(a[j * n + i])) / 2.0;
                    let difference = terms.sum::<f64>() - mean;
                    // Each of n terms of a size up to n is rounded.
                    let bound = epsilon * ((n + 8) * (n + 8)) as f64;
                    assert!(difference.abs() < bound, "order {n} at {i}, {j}: {difference}");
                }
                assert!(l[i * n..][i + 1..n].iter().all(|&x| x == T::ZERO), "order {n}, row {i}");
            }
        }
    }

    #[test]
    fn on_all_processors() {
        at_each_level(|| {
            check(|x| x, |x| x, f64::EPSILON);
            check(|x| x as f32, f64::from, f32::EPSILON.into());
        });
    }

    #[test]
    fn any_number_of_strips_gives_the_same_bits() {
        for n in ORDERS {
            let (a, single) = (matrix(n, |x| x), matrix(n, |x| x as f32));
            let (l, single_l) = (factor(&a, n, 1), factor(&single, n, 1));
            for n_strips in [2, 3, 40] {
                assert!(factor(&a, n, n_strips) == l, "order {n}, {n_strips} strips");
                assert!(factor(&single, n, n_strips) == single_l, "order {n} in f32, {n_strips} strips");
            }
        }
    }
}
