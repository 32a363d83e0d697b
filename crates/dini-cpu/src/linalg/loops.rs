//! Loops over contiguous vectors: the inner product in a fixed order, and what is built on it. All are inlined into
//! functions that are compiled for several instruction sets.

use super::real::{Real, Ring};
use crate::math::level::multiversion;

/// Partial sums of a long inner product: enough to hide the latency of additions on 512-bit vectors.
const LANES: usize = 32;

/// Partial sums of a short inner product.
const FEW_LANES: usize = 8;

/// Σ x[i] y[i] in an order that depends on the length only.
#[inline(always)]
pub(super) fn inner<T: Ring>(x: &[T], y: &[T]) -> T {
    let n = x.len().min(y.len());
    let ((x_chunks, x), (y_chunks, y)) = (x[..n].as_chunks::<LANES>(), y[..n].as_chunks::<LANES>());
    let mut sums = [T::ZERO; LANES];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            sums[lane] = sums[lane].plus(x[lane].times(y[lane]));
        }
    }
    finish(&sums, x, y)
}

/// The sum of an inner product's partial sums and of what is left, less than [`LANES`] elements.
#[inline(always)]
fn finish<T: Ring>(sums: &[T; LANES], x: &[T], y: &[T]) -> T {
    let mut few = [T::ZERO; FEW_LANES];
    for lane in 0..FEW_LANES {
        few[lane] = (sums[lane].plus(sums[lane + 8])).plus(sums[lane + 16].plus(sums[lane + 24]));
    }
    let ((x_chunks, x), (y_chunks, y)) = (x.as_chunks::<FEW_LANES>(), y.as_chunks::<FEW_LANES>());
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..FEW_LANES {
            few[lane] = few[lane].plus(x[lane].times(y[lane]));
        }
    }
    let mut tail = T::ZERO;
    for (&x, &y) in x.iter().zip(y) {
        tail = tail.plus(x.times(y));
    }
    let evens = (few[0].plus(few[4])).plus(few[2].plus(few[6]));
    let odds = (few[1].plus(few[5])).plus(few[3].plus(few[7]));
    evens.plus(odds).plus(tail)
}

/// The inner products of two rows with y, each in the order of [`inner`]: y is loaded once for both.
///
/// Written out for two: the compiler does not keep arrays that are indexed by a row in registers.
#[inline(always)]
fn inner_of_two<T: Ring>(first: &[T], second: &[T], y: &[T]) -> [T; 2] {
    let n_long = y.len() - y.len() % LANES;
    let (mut sums, mut second_sums) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let chunks = first.as_chunks::<LANES>().0.iter().zip(second.as_chunks::<LANES>().0).zip(y.as_chunks::<LANES>().0);
    for ((x, z), y) in chunks {
        for lane in 0..LANES {
            sums[lane] = sums[lane].plus(x[lane].times(y[lane]));
        }
        for lane in 0..LANES {
            second_sums[lane] = second_sums[lane].plus(z[lane].times(y[lane]));
        }
    }
    [finish(&sums, &first[n_long..], &y[n_long..]), finish(&second_sums, &second[n_long..], &y[n_long..])]
}

/// y += a x
#[inline(always)]
pub(super) fn add_multiple<T: Ring>(a: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = y.plus(a.times(x));
    }
}

/// y -= a x
#[inline(always)]
pub(super) fn subtract_multiple<T: Real>(a: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y -= a * x;
    }
}

multiversion! {
    /// out = A x for the matrix with contiguous rows that starts at `a[0]`.
    pub(super) fn matvec_by_rows<T: Ring>(a: &[T], row_stride: usize, x: &[T], out: &mut [T]) {
        let row = |row_idx: usize| &a[row_idx * row_stride..][..x.len()];
        let (pairs, last) = out.as_chunks_mut::<2>();
        let n_pairs = pairs.len();
        for (pair_idx, out) in pairs.iter_mut().enumerate() {
            *out = inner_of_two(row(2 * pair_idx), row(2 * pair_idx + 1), x);
        }
        if let [out] = last {
            *out = inner(row(2 * n_pairs), x);
        }
    }

    /// out = A x for the matrix with contiguous columns that starts at `a[0]`; `x_stride` apart are the elements of x.
    /// Four columns at a time, so that `out` is read and written less often.
    pub(super) fn matvec_by_columns<T: Ring>(
        a: &[T],
        column_stride: usize,
        x: &[T],
        x_stride: usize,
        n_columns: usize,
        out: &mut [T],
    ) {
        out.fill(T::ZERO);
        let n_rows = out.len();
        let mut column_idx = 0;
        while column_idx + 4 <= n_columns {
            let column = |i: usize| &a[(column_idx + i) * column_stride..][..n_rows];
            let x: [T; 4] = std::array::from_fn(|i| x[(column_idx + i) * x_stride]);
            let (c0, c1, c2, c3) = (column(0), column(1), column(2), column(3));
            for ((((out, &c0), &c1), &c2), &c3) in out.iter_mut().zip(c0).zip(c1).zip(c2).zip(c3) {
                let products = (c0.times(x[0]).plus(c1.times(x[1]))).plus(c2.times(x[2]).plus(c3.times(x[3])));
                *out = out.plus(products);
            }
            column_idx += 4;
        }
        for column_idx in column_idx..n_columns {
            add_multiple(x[column_idx * x_stride], &a[column_idx * column_stride..][..n_rows], out);
        }
    }

    /// out = A B, row by row of out; the rows of B are contiguous, A has any strides.
    pub(super) fn matmul_by_rows<T: Ring>(
        a: &[T],
        a_strides: (usize, usize),
        b: &[T],
        b_row_stride: usize,
        depth: usize,
        n_columns: usize,
        out: &mut [T],
    ) {
        for (row_idx, out) in out.chunks_exact_mut(n_columns).enumerate() {
            out.fill(T::ZERO);
            for k in 0..depth {
                let factor = a[row_idx * a_strides.0 + k * a_strides.1];
                add_multiple(factor, &b[k * b_row_stride..][..n_columns], out);
            }
        }
    }
}

/// out = A B with any strides, element by element: for sizes where setting anything up costs more.
pub(super) fn matmul_by_elements<T: Ring>(
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    b_strides: (usize, usize),
    depth: usize,
    n_columns: usize,
    out: &mut [T],
) {
    for (row_idx, out) in out.chunks_exact_mut(n_columns).enumerate() {
        for (column_idx, out) in out.iter_mut().enumerate() {
            let mut sum = T::ZERO;
            for k in 0..depth {
                let x = a[row_idx * a_strides.0 + k * a_strides.1];
                let y = b[k * b_strides.0 + column_idx * b_strides.1];
                sum = sum.plus(x.times(y));
            }
            *out = sum;
        }
    }
}
