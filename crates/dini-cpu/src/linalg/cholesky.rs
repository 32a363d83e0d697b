//! Cholesky factorization.
//!
//! Small matrices by [`super::small`], large ones by `faer`. That works on columns: what it calls the lower triangle is
//! the upper one of row-major storage, so it is given Lᵀ to be, and the factor is transposed in place.

use super::{
    real::Real,
    small::{self, MAX_ORDER},
    transpose::{LANES, columns_to_runs},
};
use crate::math::level::multiversion;
use faer::{
    MatMut, Par,
    dyn_stack::{MemBuffer, MemStack},
    linalg::cholesky::llt::factor as faer_factor,
};

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
    let mut strip = vec![T::ZERO; LANES * strip_stride(n)];
    write_symmetric_part(a, n, &mut strip, out);
    let columns = MatMut::from_column_major_slice_mut(&mut *out, n, n);
    let needed = faer_factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(needed);
    let stack = MemStack::new(&mut memory);
    match faer_factor::cholesky_in_place(columns, Default::default(), Par::Seq, stack, Default::default()) {
        Ok(_) => turn_over(n, &mut strip, out),
        Err(faer_factor::LltError::NonPositivePivot { .. }) => out[n * n - 1] = T::NAN,
    }
}

/// Runs of so many elements, and a few more: a power of two between them would be the same place in the cache.
fn strip_stride(n: usize) -> usize {
    n.next_multiple_of(LANES) + LANES
}

/// The upper triangle of (A + Aᵀ)/2; what is below does not matter.
fn write_symmetric_part<T: Real>(a: &[T], n: usize, strip: &mut [T], out: &mut [T]) {
    let stride = strip_stride(n);
    for start in (0..n).step_by(LANES) {
        // The last strip begins earlier, so that it has eight columns too.
        let start = start.min(n - LANES);
        columns_to_runs(a, n, start..n, start, strip, stride);
        for (row_idx, column) in (start..start + LANES).zip(strip.chunks_exact(stride)) {
            let row = row_idx * n + start..(row_idx + 1) * n;
            mean(&a[row.clone()], column, &mut out[row]);
        }
    }
}

multiversion! {
    /// (x + y)/2
    fn mean<T: Real>(x: &[T], y: &[T], out: &mut [T]) {
        for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *out = (x + y) * T::HALF;
        }
    }
}

/// Turns an upper triangle into its transpose, with zeros above.
fn turn_over<T: Real>(n: usize, strip: &mut [T], out: &mut [T]) {
    let stride = strip_stride(n);
    let mut end = n;
    // From the last rows on: earlier ones need nothing of them.
    while end > 0 {
        let start = end.saturating_sub(LANES);
        columns_to_runs(out, n, 0..end, start, strip, stride);
        for (row_idx, column) in (start..end).zip(strip.chunks_exact(stride)) {
            let (lower, upper) = out[row_idx * n..][..n].split_at_mut(row_idx + 1);
            lower.copy_from_slice(&column[..=row_idx]);
            upper.fill(T::ZERO);
        }
        end = start;
    }
}
