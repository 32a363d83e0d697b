//! Cholesky factorization.
//!
//! Small matrices are factored by [`super::small`], others by [`panel`]s of neighbouring columns of U with Uᵀ U = A, from
//! left to right (the left-looking variant, Golub and Van Loan 2013, §4.2). A panel is taken from the matrix in a layout of
//! its own and leaves its columns as rows of L, so nothing else is moved, transposed or kept.

mod kernel;
mod panel;

use super::{
    parts::Parts,
    real::Real,
    small::{self, MAX_ORDER},
};
use crate::{interrupt, pool};
use panel::{NS_PER_PRODUCT, Panel};

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
    factors(a, n, out, true);
}

/// [`cholesky`] without the zeros: what is above the diagonals becomes anything.
pub(crate) fn cholesky_lower<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    factors(a, n, out, false);
}

fn factors<T: Real>(a: &[T], n: usize, out: &mut [T], with_zeros: bool) {
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
            let mut panel = Panel::new(n);
            let panel_width = panel.width();
            for (a, out) in a.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
                let ns = |first: usize| (first * first * panel_width) as f64 * NS_PER_PRODUCT;
                let mut panels = (0..n).step_by(panel_width);
                let is_factor = panels
                    .all(|first| !interrupt::must_cut(ns(first) as u32) && panel.factor(a, first, out, with_zeros));
                if !is_factor {
                    out.fill(T::NAN);
                }
            }
        });
    }
}
