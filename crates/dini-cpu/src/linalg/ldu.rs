//! LDU factorization that shows the rank of a matrix, as far as pivots show it.
//!
//! Partial pivoting keeps L small and lets U's rows be what they are: one with a small pivot has a large quotient, and a
//! column without a pivot ends the factorization's use. Complete pivoting (Wilkinson 1961) divides by the largest element
//! that is left, so that both triangles stay small and pivots that vanish come last. It costs a search per pivot, so it is
//! made only where the pivots of LU spread.

use super::real::Real;

/// Where [`ldu`] writes the factors of matrices of order n, one after another.
#[derive(Debug)]
pub struct LduMut<'a, T> {
    /// L below the diagonal, U above it, ones on it; n × n each.
    pub triangles: &'a mut [T],
    /// D's diagonal; n each.
    pub pivots: &'a mut [T],
    /// Row i of P A Q is row `rows[i]` of A; n each.
    pub rows: &'a mut [i32],
    /// Column j of P A Q is column `columns[j]` of A; n each.
    pub columns: &'a mut [i32],
    /// det P · det Q, which is 1 or −1; one each.
    pub sign: &'a mut [T],
}

/// P A Q = L D U for each row-major matrix of order `n` in `a`, one after another: L unit lower, U unit upper, D diagonal.
///
/// `lu` and `permutation` are what [`lu`](super::lu()) gives for `a`. Its pivots serve where the smallest is at least ε^¼ of
/// the largest (Q = I); otherwise A is factored with complete pivoting, and zeros of D are the last pivots. A matrix with an
/// element that is not finite keeps the factors of [`lu`](super::lu()), which are not finite either.
///
/// # Panics
/// If the slices do not hold the same number of matrices.
///
/// ```
/// use dini_cpu::linalg::{LduMut, ldu, lu};
/// let a = [0.0, 1.0, 0.0, 2.0];
/// let (mut factors, mut swaps, mut permutation) = ([0.0; 4], [0; 2], [0; 2]);
/// lu(&a, 2, 2, &mut factors, &mut swaps, &mut permutation);
/// let (mut triangles, mut pivots, mut rows, mut columns, mut sign) = ([0.0; 4], [0.0; 2], [0; 2], [0; 2], [0.0]);
/// let out = LduMut {
///     triangles: &mut triangles,
///     pivots: &mut pivots,
///     rows: &mut rows,
///     columns: &mut columns,
///     sign: &mut sign,
/// };
/// ldu(&a, 2, &factors, &permutation, out);
/// assert_eq!((triangles, pivots, rows, columns, sign), ([1.0, 0.0, 0.5, 1.0], [2.0, 0.0], [1, 0], [1, 0], [1.0]));
/// ```
pub fn ldu<T: Real>(a: &[T], n: usize, lu: &[T], permutation: &[i32], out: LduMut<'_, T>) {
    let (size, n_matrices) = (n * n, out.sign.len());
    assert!(
        [a.len(), lu.len(), out.triangles.len()] == [n_matrices * size; 3]
            && [permutation.len(), out.pivots.len(), out.rows.len(), out.columns.len()] == [n_matrices * n; 4],
        "`ldu` of {n_matrices} {n} × {n} matrices given slices of other lengths"
    );
    for idx in 0..n_matrices {
        let (a, lu) = (&a[idx * size..][..size], &lu[idx * size..][..size]);
        let triangles = &mut out.triangles[idx * size..][..size];
        let [rows, columns] = [&mut *out.rows, &mut *out.columns].map(|order| &mut order[idx * n..][..n]);
        let pivots = &mut out.pivots[idx * n..][..n];
        for (j, column) in columns.iter_mut().enumerate() {
            *column = j as i32;
        }
        if is_steady(lu, n) || !a.iter().all(|&x| is_finite(x)) {
            triangles.copy_from_slice(lu);
            rows.copy_from_slice(&permutation[idx * n..][..n]);
        } else {
            triangles.copy_from_slice(a);
            for (i, row) in rows.iter_mut().enumerate() {
                *row = i as i32;
            }
            eliminate(triangles, n, rows, columns);
        }
        for (i, (row, pivot)) in triangles.chunks_exact_mut(n).zip(pivots).enumerate() {
            *pivot = std::mem::replace(&mut row[i], T::ONE);
            if *pivot != T::ZERO {
                row[i + 1..].iter_mut().for_each(|x| *x /= *pivot);
            }
        }
        out.sign[idx] = if is_odd(rows) == is_odd(columns) { T::ONE } else { T::ZERO - T::ONE };
    }
}

fn is_finite<T: Real>(x: T) -> bool {
    x.magnitude() < T::INFINITY
}

/// Whether quotients by these pivots are harmless: none is small beside another.
fn is_steady<T: Real>(lu: &[T], n: usize) -> bool {
    let pivots = || lu.iter().step_by(n + 1).map(|x| x.magnitude());
    let largest = pivots().fold(T::ZERO, |max, x| if x > max { x } else { max });
    let least = largest * T::EPSILON.root().root();
    is_finite(largest) && pivots().all(|x| x >= least && x > T::ZERO)
}

/// Gaussian elimination with complete pivoting, in place: L below the diagonal, D U on and above it. Ends where all that is
/// left is zero.
fn eliminate<T: Real>(a: &mut [T], n: usize, rows: &mut [i32], columns: &mut [i32]) {
    for k in 0..n {
        let (mut largest, mut at) = (T::ZERO, (k, k));
        for i in k..n {
            for (j, x) in a[i * n..][..n].iter().enumerate().skip(k) {
                if x.magnitude() > largest {
                    (largest, at) = (x.magnitude(), (i, j));
                }
            }
        }
        if largest == T::ZERO {
            return;
        }
        rows.swap(k, at.0);
        columns.swap(k, at.1);
        for j in 0..n {
            a.swap(k * n + j, at.0 * n + j);
        }
        for row in a.chunks_exact_mut(n) {
            row.swap(k, at.1);
        }
        let (done, left) = a.split_at_mut((k + 1) * n);
        let pivot_row = &done[k * n..];
        for row in left.chunks_exact_mut(n) {
            let quotient = row[k] / pivot_row[k];
            row[k] = quotient;
            for (x, &p) in row[k + 1..].iter_mut().zip(&pivot_row[k + 1..]) {
                *x -= quotient * p;
            }
        }
    }
}

/// Whether an odd number of swaps makes this order: each cycle of an even length is an odd one.
fn is_odd(order: &[i32]) -> bool {
    let mut visited = vec![false; order.len()];
    let mut is_odd = false;
    for start in 0..order.len() {
        let mut at = start;
        while !std::mem::replace(&mut visited[at], true) {
            at = order[at] as usize;
            is_odd ^= at != start;
        }
    }
    is_odd
}
