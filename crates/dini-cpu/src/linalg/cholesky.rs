//! Cholesky factorization.
//!
//! Small matrices by [`super::small`], large ones by `faer`. That works on columns: what it calls the lower triangle is
//! the upper one of row-major storage, so it is given Lᵀ to be, and the factor is transposed in place.

use super::{
    real::Real,
    small::{self, MAX_ORDER},
};
use crate::math::level::multiversion;
use faer::{
    MatMut, Par,
    dyn_stack::{MemBuffer, MemStack},
    linalg::cholesky::llt::factor as faer_factor,
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
    } else {
        a.chunks_exact(size).zip(out.chunks_exact_mut(size)).for_each(|(a, out)| factor(a, n, out));
    }
    for out in out.chunks_exact_mut(size) {
        // What is not finite spreads to the last pivot.
        let pivot = out[size - 1];
        let is_factor = pivot > T::ZERO && pivot < T::INFINITY;
        if !is_factor {
            out.fill(T::NAN);
        }
    }
}

/// One large factor. Where there is none, the last element is not a positive number.
fn factor<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    write_symmetric_part(a, n, out);
    let columns = MatMut::from_column_major_slice_mut(&mut *out, n, n);
    let needed = faer_factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(needed);
    let stack = MemStack::new(&mut memory);
    match faer_factor::cholesky_in_place(columns, Default::default(), Par::Seq, stack, Default::default()) {
        Ok(_) => turn_over(n, out),
        Err(faer_factor::LltError::NonPositivePivot { .. }) => out[n * n - 1] = T::NAN,
    }
}

/// Rows and columns of the blocks that matrices are transposed by: a cache line of `f64`.
const BLOCK: usize = 8;

/// The blocks of a matrix that lie on or above its diagonal.
#[inline(always)]
fn upper_blocks(n: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let starts = move |from: usize| (from..n).step_by(BLOCK);
    let block = move |start: usize| start..n.min(start + BLOCK);
    starts(0).flat_map(move |i| starts(i).map(move |j| (block(i), block(j))))
}

multiversion! {
    /// The upper triangle of (A + Aᵀ)/2; what is below does not matter.
    fn write_symmetric_part<T: Real>(a: &[T], n: usize, out: &mut [T]) {
        for (rows, columns) in upper_blocks(n) {
            for i in rows {
                for j in columns.clone() {
                    out[i * n + j] = (a[i * n + j] + a[j * n + i]) * T::HALF;
                }
            }
        }
    }

    /// Turns an upper triangle into its transpose, with zeros above.
    fn turn_over<T: Real>(n: usize, out: &mut [T]) {
        for (rows, columns) in upper_blocks(n) {
            for i in rows {
                for j in columns.start.max(i + 1)..columns.end {
                    out[j * n + i] = out[i * n + j];
                    out[i * n + j] = T::ZERO;
                }
            }
        }
    }
}
