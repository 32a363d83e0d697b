//! Triangular systems with one right-hand side, some rows of the matrix at a time: their square on the diagonal is solved
//! element by element, while what the other elements of the rows contribute runs in vectors beside it.
//!
//! Rows are contiguous, so what is known contributes by inner products; if the matrix is transposed, what a block finds
//! is subtracted from what is left as multiples of rows.

use super::Triangle;
use crate::linalg::{
    real::{Real, Ring},
    vector::{Kernel, Vector, by_level},
};
use std::ops::Range;

/// Rows of a block: enough to hide the latency of their sums, and a multiple of the elements of a vector.
const ROWS: usize = 8;

/// Solves A x = b, or Aᵀ x = b, in place of b.
pub(super) fn solve<T: Real>(a: &[T], n: usize, x: &mut [T], triangle: Triangle) {
    assert!(a.len() == n * n && x.len() == n);
    by_level(Solve { a, n, x, triangle });
}

struct Solve<'a, T> {
    a: &'a [T],
    n: usize,
    x: &'a mut [T],
    triangle: Triangle,
}

/// Some rows of the matrix, so far apart.
#[derive(Clone, Copy)]
struct Rows<T> {
    start: *const T,
    stride: usize,
}

impl<T: Real> Kernel<T> for Solve<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const SUMS: usize>(self) {
        // SAFETY: promised by the caller: the same instruction set.
        unsafe {
            match self.triangle.is_forward() {
                true => self.in_order::<V::AtMostEight, true>(),
                false => self.in_order::<V::AtMostEight, false>(),
            }
        }
    }
}

impl<T: Real> Solve<'_, T> {
    /// # Safety
    /// As for [`Kernel::run`], here and below.
    #[inline(always)]
    unsafe fn in_order<V: Vector<Element = T>, const FORWARD: bool>(self) {
        const { assert!(ROWS.is_multiple_of(V::LEN)) }
        let Solve { a, n, x, triangle } = self;
        let x = x.as_mut_ptr();
        let mut n_done = 0;
        while n_done < n {
            // The products of a block with the elements of others fill whole vectors: the block that is smaller has none,
            // and is the last to be solved or, transposed, the first.
            let n_rows = match n % ROWS {
                rest if triangle.transpose && n_done == 0 && rest > 0 => rest,
                _ => ROWS.min(n - n_done),
            };
            let first = if FORWARD { n_done } else { n - n_done - n_rows };
            let others = if triangle.lower { 0..first } else { first + n_rows..n };
            let rows = Rows { start: a[first * n..].as_ptr(), stride: n };
            // SAFETY: elements of rows of the matrix and of x, inside of the slices.
            unsafe {
                let square = Rows { start: rows.start.add(first), ..rows };
                let solve_square = |x| match n_rows {
                    ROWS => solve_square::<T, FORWARD>(square, x, triangle),
                    _ => solve_part_of_square::<T, FORWARD>(square, n_rows, x, triangle),
                };
                if triangle.transpose {
                    solve_square(x.add(first));
                    match n_rows {
                        ROWS => subtract_multiples::<V>(rows, ROWS, x, first, others),
                        _ => subtract_multiples::<V>(rows, n_rows, x, first, others),
                    }
                } else {
                    match n_rows {
                        ROWS => subtract_products::<V, ROWS>(rows, x, first, others),
                        _ => {
                            for row in 0..n_rows {
                                let rows = Rows { start: rows.start.add(row * n), ..rows };
                                subtract_products::<V, 1>(rows, x, first + row, others.clone());
                            }
                        }
                    }
                    solve_square(x.add(first));
                }
            }
            n_done += n_rows;
        }
    }
}

/// Subtracts from the elements of some rows the inner products of these with known elements of x.
///
/// # Safety
/// Columns of the rows and elements of x that fill vectors; as for [`Vector`]. To be inlined always, here and below.
#[inline(always)]
unsafe fn subtract_products<V: Vector<Element: Real>, const N: usize>(
    rows: Rows<V::Element>,
    x: *mut V::Element,
    first: usize,
    known: Range<usize>,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [V::splat(V::Element::ZERO); N];
        for column in known.step_by(V::LEN) {
            let x = V::load(x.add(column));
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = sum.plus_product(V::load(rows.start.add(r * rows.stride + column)), x);
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            *x.add(first + r) -= sum.sum();
        }
    }
}

/// Subtracts from elements of x the multiples of some rows by elements that are known.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn subtract_multiples<V: Vector<Element: Real>>(
    rows: Rows<V::Element>,
    n_rows: usize,
    x: *mut V::Element,
    first: usize,
    unknown: Range<usize>,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut factors = [V::splat(V::Element::ZERO); ROWS];
        for (r, factor) in factors[..n_rows].iter_mut().enumerate() {
            *factor = V::splat(*x.add(first + r));
        }
        for column in unknown.step_by(V::LEN) {
            let mut left = V::load(x.add(column));
            for (r, factor) in factors[..n_rows].iter().enumerate() {
                left = left.minus_product(*factor, V::load(rows.start.add(r * rows.stride + column)));
            }
            left.store(x.add(column));
        }
    }
}

/// Solves with the square on the diagonal of a block. Each element waits for the one before, so products with reciprocals
/// stand for the divisions, unless a reciprocal leaves the range of normal numbers.
///
/// # Safety
/// As many columns of the rows as there are rows, and elements of x.
#[inline(always)]
unsafe fn solve_square<T: Real, const FORWARD: bool>(square: Rows<T>, x: *mut T, triangle: Triangle) {
    // SAFETY: promised by the caller.
    unsafe {
        if triangle.unit_diagonal {
            return eliminate::<T, FORWARD>(square, x, triangle.transpose, |_, x| x);
        }
        let divisors: [T; ROWS] = std::array::from_fn(|k| *square.start.add(k * square.stride + k));
        if divisors.iter().fold(true, |all, divisor| all & divisor.has_normal_reciprocal()) {
            let reciprocals = divisors.map(|divisor| T::ONE / divisor);
            eliminate::<T, FORWARD>(square, x, triangle.transpose, |k, x| x * reciprocals[k]);
        } else {
            eliminate::<T, FORWARD>(square, x, triangle.transpose, |k, x| x / divisors[k]);
        }
    }
}

/// Solves for one element after another, each divided by an element of the diagonal.
///
/// # Safety
/// As for [`solve_square`].
#[inline(always)]
unsafe fn eliminate<T: Real, const FORWARD: bool>(
    square: Rows<T>,
    x: *mut T,
    transpose: bool,
    divided: impl Fn(usize, T) -> T,
) {
    // SAFETY: promised by the caller.
    let x = unsafe { &mut *x.cast::<[T; ROWS]>() };
    let strides = if transpose { (1, square.stride) } else { (square.stride, 1) };
    let mut left = *x;
    for step in 0..ROWS {
        let k = if FORWARD { step } else { ROWS - 1 - step };
        left[k] = divided(k, left[k]);
        for step in step + 1..ROWS {
            let i = if FORWARD { step } else { ROWS - 1 - step };
            // SAFETY: as above.
            left[i] -= left[k] * unsafe { *square.start.add(i * strides.0 + k * strides.1) };
        }
    }
    *x = left;
}

/// A square of less rows: the others are those of the identity, and solved last.
///
/// # Safety
/// As for [`solve_square`].
#[inline(always)]
unsafe fn solve_part_of_square<T: Real, const FORWARD: bool>(
    square: Rows<T>,
    n_rows: usize,
    x: *mut T,
    triangle: Triangle,
) {
    let offset = if FORWARD { 0 } else { ROWS - n_rows };
    let (mut all, mut left) = ([[T::ZERO; ROWS]; ROWS], [T::ZERO; ROWS]);
    (0..ROWS).for_each(|k| all[k][k] = T::ONE);
    // SAFETY: promised by the caller.
    unsafe {
        let x = std::slice::from_raw_parts_mut(x, n_rows);
        for (row, all) in all[offset..][..n_rows].iter_mut().enumerate() {
            let row = std::slice::from_raw_parts(square.start.add(row * square.stride), n_rows);
            all[offset..][..n_rows].copy_from_slice(row);
        }
        left[offset..][..n_rows].copy_from_slice(x);
        let all = Rows { start: all.as_flattened().as_ptr(), stride: ROWS };
        solve_square::<T, FORWARD>(all, left.as_mut_ptr(), triangle);
        x.copy_from_slice(&left[offset..][..n_rows]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::level::at_each_level;

    /// Element by element, in the order of the unknowns.
    fn one_by_one(a: &[f64], n: usize, b: &[f64], triangle: Triangle) -> Vec<f64> {
        let mut x = b.to_vec();
        for step in 0..n {
            let i = if triangle.is_forward() { step } else { n - 1 - step };
            let solved = if triangle.is_forward() { 0..i } else { i + 1..n };
            let factor = |j: usize| if triangle.transpose { a[j * n + i] } else { a[i * n + j] };
            x[i] -= solved.map(|j| factor(j) * x[j]).sum::<f64>();
            if !triangle.unit_diagonal {
                x[i] /= a[i * n + i];
            }
        }
        x
    }

    /// With the elements of the diagonal as large as that, and numbers that must not be read.
    #[track_caller]
    fn check(n: usize, size: f64) {
        for options in 0..8 {
            let triangle =
                Triangle { lower: options & 1 > 0, transpose: options & 2 > 0, unit_diagonal: options & 4 > 0 };
            let element = |at: usize| match (at / n, at % n) {
                (i, j) if i == j => {
                    if triangle.unit_diagonal {
                        f64::NAN
                    } else {
                        (2.0 + (i as f64).sin()) * size
                    }
                }
                (i, j) if (j < i) == triangle.lower => (at as f64 * 0.7).sin() / n as f64 * size.min(1.0),
                _ => f64::NAN,
            };
            let a: Vec<f64> = (0..n * n).map(element).collect();
            let b: Vec<f64> = (0..n).map(|i| (i as f64 * 0.3).cos() * size.min(1.0)).collect();
            let (mut x, expected) = (b.clone(), one_by_one(&a, n, &b, triangle));
            solve(&a, n, &mut x, triangle);
            let largest = expected.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            for (x, expected) in x.iter().zip(&expected) {
                // Not so if one of them is not a number.
                let is_near = (x - expected).abs() <= 1e-13 * largest;
                assert!(is_near, "order {n}, {triangle:?}, diagonal of {size:e}: {x:e} instead of {expected:e}");
            }
        }
    }

    #[test]
    fn all_orders_on_all_processors() {
        at_each_level(|| (1..50).for_each(|n| check(n, 1.0)));
    }

    #[test]
    fn divisors_without_normal_reciprocals() {
        at_each_level(|| {
            for n in [3, 8, 20, 41] {
                check(n, f64::MAX / 4.0);
                // Their reciprocals are infinite.
                check(n, 2f64.powi(-1027));
            }
        });
    }
}
