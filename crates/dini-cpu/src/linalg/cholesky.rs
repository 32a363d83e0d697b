//! Cholesky factorization.
//!
//! With A = [A₀₀ ·; A₁₀ A₁₁] and L alike: L₀₀ = chol(A₀₀), L₁₀ = A₁₀ L₀₀⁻ᵀ, L₁₁ = chol(A₁₁ − L₁₀ L₁₀ᵀ); recursively by
//! halves, so that nearly all the work is in matrix products.

use super::{loops::inner, real::Real};
use crate::math::level::multiversion;
use faer::{
    Accum, MatMut, Par,
    linalg::{
        matmul::triangular::{BlockStructure, matmul},
        triangular_solve::solve_lower_triangular_in_place,
    },
    reborrow::*,
};

/// Largest order that is factored row by row.
const BASE: usize = 48;

/// The lower factor L of a symmetric positive-definite A = L Lᵀ, both n × n and row-major.
///
/// Reads the lower triangle of `a` only and zeroes the upper one of `out`. If A is not positive definite, or not finite,
/// all of `out` is NaN.
///
/// # Panics
/// If a slice has not n² elements.
///
/// ```
/// let mut factor = [0.0; 4];
/// dini_cpu::linalg::cholesky(&[4.0, 0.0, 2.0, 5.0], 2, &mut factor);
/// assert_eq!(factor, [2.0, 0.0, 1.0, 2.0]);
/// ```
pub fn cholesky<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    assert!(a.len() == n * n && out.len() == n * n, "`cholesky` of order {n} given {} elements", a.len());
    for row_idx in 0..n {
        let (read, zero) = out[row_idx * n..][..n].split_at_mut(row_idx + 1);
        read.copy_from_slice(&a[row_idx * n..][..row_idx + 1]);
        zero.fill(T::ZERO);
    }
    if !factor(out, n, 0, n) {
        out.fill(T::NAN);
    }
}

/// Factors the diagonal block of rows and columns `start..end`; says whether all its pivots were positive.
fn factor<T: Real>(a: &mut [T], n: usize, start: usize, end: usize) -> bool {
    if end - start <= BASE {
        return factor_by_rows(a, n, start, end);
    }
    // A multiple of the vector width keeps the blocks aligned.
    let middle = start + (end - start).div_ceil(2).next_multiple_of(16).min(end - start - 1);
    if !factor(a, n, start, middle) {
        return false;
    }
    let block = MatMut::from_row_major_slice_mut(&mut *a, n, n).get_mut(start..end, start..end);
    let (a00, _, mut a10, a11) = block.split_at_mut(middle - start, middle - start);
    solve_lower_triangular_in_place(a00.rb(), a10.rb_mut().transpose_mut(), Par::Seq);
    let a10 = a10.rb();
    matmul(
        a11,
        BlockStructure::TriangularLower,
        Accum::Add,
        a10,
        BlockStructure::Rectangular,
        a10.transpose(),
        BlockStructure::Rectangular,
        T::ZERO - T::ONE,
        Par::Seq,
    );
    factor(a, n, middle, end)
}

multiversion! {
    /// L[i][j] = (A[i][j] − Σₖ L[i][k] L[j][k]) / L[j][j], by rows: every sum runs along two of them.
    fn factor_by_rows<T: Real>(a: &mut [T], n: usize, start: usize, end: usize) -> bool {
        for i in start..end {
            let (above, row) = a.split_at_mut(i * n);
            let row = &mut row[start..=i];
            for j in start..i {
                let other = &above[j * n + start..=j * n + j];
                let j = j - start;
                row[j] = (row[j] - inner(&row[..j], &other[..j])) / other[j];
            }
            let i = i - start;
            let pivot = row[i] - inner(&row[..i], &row[..i]);
            let is_positive = pivot > T::ZERO;
            if !is_positive {
                return false;
            }
            row[i] = pivot.root();
        }
        true
    }
}
