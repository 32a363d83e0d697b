//! Large triangles and many right-hand sides: by halves, the second one after the product that the first contributes; a
//! few unknowns at last in registers.
//!
//! Invariant: the order in which products are subtracted from an element depends on the order of the triangle alone, so
//! neither other right-hand sides nor threads, among which these are divided, change a bit.

#![expect(clippy::needless_range_loop, reason = "blocks are walked by row and column")]

use crate::{
    interrupt,
    linalg::{
        block::{add_products, load, store},
        matmul::{Matmul, Matrix, Update},
        real::Real,
        vector::{Kernel, MAX_LEN, Vector, by_level},
    },
    pool,
};
use std::ops::Range;

/// So many unknowns are solved without products of matrices: their part of the triangle stays in the first-level cache.
const FEW: usize = 32;

/// Right-hand sides that threads take together.
const TOGETHER: usize = 3 * MAX_LEN;

/// About how long a product and a difference take, in nanoseconds.
const NS_PER_PRODUCT: f64 = 0.04;

/// T X = B for a triangle T, with X in the place of B.
#[derive(Clone, Copy)]
pub(in crate::linalg) struct Solve<T> {
    pub n: usize,
    pub n_rhs: usize,
    pub triangle: Matrix<T>,
    /// From the first unknown on, which is to say that the triangle is a lower one.
    pub is_forward: bool,
    /// Ones are taken for the diagonal.
    pub unit_diagonal: bool,
    /// Rows are contiguous and so many elements apart.
    pub x: *mut T,
    pub x_stride: usize,
}

// SAFETY: whoever runs it promises that nobody else uses X or changes the triangle.
unsafe impl<T: Send + Sync> Sync for Solve<T> {}

impl<T: Real> Solve<T> {
    /// Solves, on several threads where that pays.
    ///
    /// # Safety
    /// The triangle and X lie in memory that can be read, and written; they are apart, and nobody else uses X or changes the
    /// triangle meanwhile.
    pub unsafe fn run(&self) {
        let ns = (self.n * self.n / 2) as f64 * NS_PER_PRODUCT;
        pool::for_ranges(self.n_rhs, TOGETHER, ns, &|from, to| {
            let part = Solve { n_rhs: to - from, x: self.x.wrapping_add(from), ..*self };
            // SAFETY: promised by the caller; ranges do not overlap.
            unsafe { part.unknowns(0..self.n) }
        });
    }

    /// Solves for these unknowns, from which all that others contribute is subtracted.
    ///
    /// # Safety
    /// As for [`Solve::run`].
    unsafe fn unknowns(&self, which: Range<usize>) {
        if interrupt::is_cut() {
            return;
        }
        let Range { start, end } = which;
        let row = |at: usize| self.x.wrapping_add(at * self.x_stride);
        if end - start <= FEW {
            return by_level(Few(Solve {
                n: end - start,
                triangle: self.triangle.at(start, start),
                x: row(start),
                ..*self
            }));
        }
        let middle = start + ((end - start) / 2).next_multiple_of(FEW);
        let (first, second) = if self.is_forward { (start..middle, middle..end) } else { (middle..end, start..middle) };
        // SAFETY: promised by the caller; rows of X are apart.
        unsafe {
            self.unknowns(first.clone());
            let product = Matmul {
                n_rows: second.len(),
                depth: first.len(),
                n_columns: self.n_rhs,
                a: self.triangle.at(second.start, first.start),
                b: Matrix { start: row(first.start), strides: (self.x_stride, 1) },
                c: row(second.start),
                c_stride: self.x_stride,
                update: Update::Subtract,
            };
            product.run_alone();
            self.unknowns(second);
        }
    }
}

/// A few unknowns.
struct Few<T>(Solve<T>);

impl<T: Real> Kernel<T> for Few<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) {
        let Solve { n, n_rhs, x, is_forward, .. } = self.0;
        assert!(n <= FEW && V::LEN <= MAX_LEN);
        let mut edge = [[T::ZERO; MAX_LEN]; FEW];
        let mut column = 0;
        while column < n_rhs {
            let n_vectors = ((n_rhs - column) / V::LEN).min(3);
            let few = Few(Solve { x: x.wrapping_add(column), ..self.0 });
            // SAFETY: promised by the caller.
            unsafe {
                match (n_vectors, is_forward) {
                    (0, _) => few.edge::<V, ROWS>(n_rhs - column, &mut edge),
                    (1, true) => few.forward::<V, ROWS, 1>(),
                    (2, true) => few.forward::<V, ROWS, 2>(),
                    (_, true) => few.forward::<V, ROWS, 3>(),
                    (1, false) => few.backward::<V, ROWS, 1>(),
                    (2, false) => few.backward::<V, ROWS, 2>(),
                    (_, false) => few.backward::<V, ROWS, 3>(),
                }
            }
            column += n_vectors.max(1) * V::LEN;
        }
    }
}

impl<T: Real> Few<T> {
    /// Less right-hand sides than a vector has elements: in memory of their own.
    ///
    /// # Safety
    /// As for [`Solve::run`] and [`Vector`]. To be inlined always, here and below.
    #[inline(always)]
    unsafe fn edge<V: Vector<Element = T>, const ROWS: usize>(&self, n_columns: usize, edge: &mut [[T; MAX_LEN]; FEW]) {
        let Solve { n, x, x_stride, is_forward, .. } = self.0;
        // SAFETY: promised by the caller.
        unsafe {
            for row in 0..n {
                for column in 0..n_columns {
                    edge[row][column] = *x.add(row * x_stride + column);
                }
            }
            let few = Few(Solve { x: edge.as_mut_ptr().cast(), x_stride: MAX_LEN, ..self.0 });
            match is_forward {
                true => few.forward::<V, ROWS, 1>(),
                false => few.backward::<V, ROWS, 1>(),
            }
            for row in 0..n {
                for column in 0..n_columns {
                    *x.add(row * x_stride + column) = edge[row][column];
                }
            }
        }
    }

    /// `C` vectors of right-hand sides, from the first unknown on.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn forward<V: Vector<Element = T>, const ROWS: usize, const C: usize>(&self) {
        let n = self.0.n;
        // SAFETY: promised by the caller.
        unsafe {
            for row in (0..n - n % ROWS).step_by(ROWS) {
                self.rows::<V, ROWS, C, true>(row, 0..row);
            }
            for row in n - n % ROWS..n {
                self.rows::<V, 1, C, true>(row, 0..row);
            }
        }
    }

    /// From the last one on.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn backward<V: Vector<Element = T>, const ROWS: usize, const C: usize>(&self) {
        let n = self.0.n;
        // SAFETY: promised by the caller.
        unsafe {
            for row in (n - n % ROWS..n).rev() {
                self.rows::<V, 1, C, false>(row, row + 1..n);
            }
            for row in (0..n - n % ROWS).step_by(ROWS).rev() {
                self.rows::<V, ROWS, C, false>(row, row + ROWS..n);
            }
        }
    }

    /// `R` unknowns of `C` vectors of right-hand sides, given which are solved.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn rows<V: Vector<Element = T>, const R: usize, const C: usize, const FORWARD: bool>(
        &self,
        row: usize,
        solved: Range<usize>,
    ) {
        let Solve { triangle, unit_diagonal, x, x_stride, .. } = self.0;
        // SAFETY: promised by the caller.
        unsafe {
            let own = x.add(row * x_stride);
            let mut sums = load::<V, R, C>(own, x_stride);
            let factors = triangle.at(row, solved.start);
            let known = x.wrapping_add(solved.start * x_stride).cast_const();
            add_products::<V, R, C, true>(&mut sums, solved.len(), (factors.start, factors.strides), (known, x_stride));
            for step in 0..R {
                let k = if FORWARD { step } else { R - 1 - step };
                if !unit_diagonal {
                    let divisor = V::splat(*triangle.at(row + k, row + k).start);
                    for c in 0..C {
                        sums[k][c] = sums[k][c].over(divisor);
                    }
                }
                for r in if FORWARD { k + 1..R } else { 0..k } {
                    let factor = V::splat(*triangle.at(row + r, row + k).start);
                    for c in 0..C {
                        sums[r][c] = sums[r][c].minus_product(factor, sums[k][c]);
                    }
                }
            }
            store(&sums, own, x_stride);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::level::at_each_level;

    /// T X = B on the processor that the level stands for, and the same bits in parts of the right-hand sides.
    #[track_caller]
    fn check<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, tolerance: f64) {
        for n in [1, 7, 8, 9, 31, 32, 33, 64, 65, 100, 193] {
            for n_rhs in [1, 8, 9, 30, 49] {
                for options in 0..8 {
                    let (is_forward, unit_diagonal, is_transposed) =
                        (options & 1 > 0, options & 2 > 0, options & 4 > 0);
                    let strides = if is_transposed { (1, n) } else { (n, 1) };
                    // What must not be read is no number.
                    let mut t = vec![T::NAN; n * n];
                    for i in 0..n {
                        for j in if is_forward { 0..i } else { i + 1..n } {
                            t[i * strides.0 + j * strides.1] = convert(((i * n + j) as f64 * 0.7).sin() / n as f64);
                        }
                        if !unit_diagonal {
                            t[i * n + i] = convert(2.0 + (i as f64).cos());
                        }
                    }
                    let b: Vec<T> = (0..n * n_rhs).map(|i| convert((i as f64 * 1.3).sin())).collect();
                    let solve = |x: &mut [T], columns: Range<usize>| {
                        let solve = Solve {
                            n,
                            n_rhs: columns.len(),
                            triangle: Matrix { start: t.as_ptr(), strides },
                            is_forward,
                            unit_diagonal,
                            x: x[columns.start..].as_mut_ptr(),
                            x_stride: n_rhs,
                        };
                        // SAFETY: columns of a matrix with so many rows; a triangle of that order.
                        unsafe { solve.unknowns(0..n) }
                    };
                    let (mut x, mut parts) = (b.clone(), b.clone());
                    solve(&mut x, 0..n_rhs);
                    solve(&mut parts, 0..n_rhs / 3);
                    solve(&mut parts, n_rhs / 3..n_rhs);
                    assert!(x == parts, "{n} × {n_rhs} in parts, options {options}");
                    for (at, &right) in b.iter().enumerate() {
                        let (i, rhs) = (at / n_rhs, at % n_rhs);
                        let own = if unit_diagonal { 1.0 } else { widen(t[i * n + i]) };
                        let mut sum = own * widen(x[at]);
                        for j in if is_forward { 0..i } else { i + 1..n } {
                            sum += widen(t[i * strides.0 + j * strides.1]) * widen(x[j * n_rhs + rhs]);
                        }
                        let difference = (sum - widen(right)).abs();
                        assert!(difference < tolerance, "{n} × {n_rhs}, options {options}: {difference}");
                    }
                }
            }
        }
    }

    #[test]
    fn on_all_processors() {
        at_each_level(|| {
            check(|x| x, |x| x, 1e-14);
            check(|x| x as f32, f64::from, 1e-5);
        });
    }
}
