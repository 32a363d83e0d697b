//! Diagonal blocks of a Cholesky factorization, and solves with their factors: what matrix products leave to do.
//!
//! The factor of a block A is the upper triangular U with Uᵀ U = A. A few of its rows, `ROWS` of [`Kernel`], are computed
//! together, some vectors of each row at a time: all that earlier rows contribute is subtracted in registers, then the rows
//! are solved among themselves. For that their square on the diagonal is factored as M D Mᵀ with M unit lower triangular,
//! so that no square root is waited for.

#![expect(clippy::needless_range_loop, reason = "squares and vectors are walked by row and column")]

use crate::linalg::{
    real::Real,
    scratch::Scratch,
    vector::{Kernel, Vector, by_level},
};
use std::ops::Range;

/// Largest order of a block.
pub(super) const ORDER: usize = 256;

/// Blocks are filled up to a multiple of so many rows, which `ROWS` of all kernels divide.
const UNIT: usize = 8;

/// Elements of the longest vector. Those of the last columns stick out by less.
const LONGEST: usize = 16;

/// Right-hand sides that are solved at once: whole vectors of each kind, three at a time.
const N_SIDES: usize = 3 * LONGEST;

/// A block, row-major and filled up with rows and columns of the identity.
pub(super) struct Block<T> {
    n: usize,
    stride: usize,
    elements: Scratch<T>,
}

impl<T: Real> Block<T> {
    /// Room for blocks of orders up to n.
    pub fn new(n: usize) -> Block<T> {
        let n_rows = n.next_multiple_of(UNIT);
        // An odd multiple of eight: rows that are a power of two apart would share few places in the cache.
        let stride = (((n_rows + LONGEST) / UNIT) | 1) * UNIT;
        Block { n: 0, stride, elements: Scratch::new(n_rows * stride) }
    }

    /// The elements of a block of order n, to be written on and above the diagonal, and the distance between its rows.
    pub fn start(&mut self, n: usize) -> (&mut [T], usize) {
        self.n = n;
        let n_rows = n.next_multiple_of(UNIT);
        assert!(n_rows + LONGEST <= self.stride, "a block of order {n} where rows have {}", self.stride);
        for (i, row) in self.elements.chunks_exact_mut(self.stride).take(n_rows).enumerate() {
            // A constant length, which is a few stores; what may stick out beyond is of no account.
            row[n..][..LONGEST].fill(T::ZERO);
            if i >= n {
                row[i] = T::ONE;
            }
        }
        (&mut self.elements, self.stride)
    }

    /// Takes the upper triangle of the square on the diagonal of `a`, a row-major matrix with n columns, in these rows.
    pub fn load(&mut self, a: &[T], n: usize, rows: Range<usize>) {
        let (elements, stride) = self.start(rows.len());
        for (i, row) in rows.clone().enumerate() {
            elements[i * stride..][i..rows.len()].copy_from_slice(&a[row * n..][row..rows.end]);
        }
    }

    /// Brings it back.
    pub fn store(&self, a: &mut [T], n: usize, rows: Range<usize>) {
        for (i, row) in rows.clone().enumerate() {
            a[row * n..][row..rows.end].copy_from_slice(&self.elements[i * self.stride..][i..rows.len()]);
        }
    }

    /// The elements of the factor, and the distance between its rows.
    pub fn factor(&self) -> (&[T], usize) {
        (&self.elements, self.stride)
    }

    /// Computes U in place of A. Whether A is positive definite and finite; there is no factor else.
    pub fn decompose(&mut self) -> bool {
        let n_rows = self.n.next_multiple_of(UNIT);
        by_level(Decompose { n_rows, stride: self.stride, elements: &mut self.elements })
    }

    /// Solves Uᵀ X = B for some columns of the same rows of the matrix that U comes from.
    pub fn solve(&self, a: &mut [T], n: usize, rows: Range<usize>, columns: Range<usize>) {
        let n_rows = self.n.next_multiple_of(UNIT);
        let mut sides = Scratch::new(n_rows * N_SIDES);
        for start in columns.clone().step_by(N_SIDES) {
            let end = columns.end.min(start + N_SIDES);
            for (row, side) in rows.clone().zip(sides.chunks_exact_mut(N_SIDES)) {
                side[..end - start].copy_from_slice(&a[row * n..][start..end]);
            }
            by_level(Solve { n_rows, u: &self.elements, stride: self.stride, sides: &mut sides });
            for (row, side) in rows.clone().zip(sides.chunks_exact(N_SIDES)) {
                a[row * n..][start..end].copy_from_slice(&side[..end - start]);
            }
        }
    }
}

/// Computes U.
struct Decompose<'a, T> {
    n_rows: usize,
    stride: usize,
    elements: &'a mut [T],
}

impl<T: Real> Kernel<T> for Decompose<'_, T> {
    type Output = bool;

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) -> bool {
        let Decompose { n_rows, stride, elements } = self;
        assert!(n_rows.is_multiple_of(ROWS) && n_rows + LONGEST <= stride && V::LEN <= LONGEST);
        assert!(n_rows * stride <= elements.len());
        let block = elements.as_mut_ptr();
        let mut is_definite = true;
        for first in (0..n_rows).step_by(ROWS) {
            let mut pivots: Option<Pivots<T, ROWS>> = None;
            let mut column = first;
            while column < n_rows {
                // SAFETY: the rows lie in the slice with vectors that begin before `n_rows`; the caller promises the
                // instruction set.
                unsafe {
                    let above =
                        Above { depth: first, u: block.add(first), u_stride: stride, x: block.add(column), stride };
                    let rows = block.add(first * stride + column);
                    let n_vectors = (n_rows - column).div_ceil(V::LEN).min(3);
                    match n_vectors {
                        1 => compute::<V, ROWS, 1>(above, rows, &mut pivots),
                        2 => compute::<V, ROWS, 2>(above, rows, &mut pivots),
                        _ => compute::<V, ROWS, 3>(above, rows, &mut pivots),
                    }
                    column += n_vectors * V::LEN;
                }
            }
            is_definite &= pivots.is_some_and(|pivots| pivots.are_positive);
        }
        is_definite
    }
}

/// Solves with U for [`N_SIDES`] right-hand sides, row-major.
struct Solve<'a, T> {
    n_rows: usize,
    u: &'a [T],
    stride: usize,
    sides: &'a mut [T],
}

impl<T: Real> Kernel<T> for Solve<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) {
        let Solve { n_rows, u, stride, sides } = self;
        assert!(n_rows.is_multiple_of(ROWS) && n_rows <= stride && N_SIDES.is_multiple_of(3 * V::LEN));
        assert!(n_rows * stride <= u.len() && n_rows * N_SIDES <= sides.len());
        for first in (0..n_rows).step_by(ROWS) {
            let mut pivots = Some(Pivots::of_factor(&u[first * (stride + 1)..], stride));
            for column in (0..N_SIDES).step_by(3 * V::LEN) {
                // SAFETY: all rows up to `n_rows` lie in the slices; the caller promises the instruction set.
                unsafe {
                    let x = sides.as_mut_ptr().add(column);
                    let above = Above { depth: first, u: u.as_ptr().add(first), u_stride: stride, x, stride: N_SIDES };
                    compute::<V, ROWS, 3>(above, x.add(first * N_SIDES), &mut pivots);
                }
            }
        }
    }
}

/// What is known above some rows: `depth` rows of U's columns below which they are, and of their own columns.
struct Above<T> {
    depth: usize,
    u: *const T,
    u_stride: usize,
    x: *const T,
    stride: usize,
}

/// The square on the diagonal of some rows: M, transposed, and the reciprocals of the roots of D.
struct Pivots<T, const ROWS: usize> {
    factors: [[T; ROWS]; ROWS],
    reciprocals: [T; ROWS],
    /// And finite.
    are_positive: bool,
}

impl<T: Real, const ROWS: usize> Pivots<T, ROWS> {
    /// Factors the square that starts at `rows[0]`.
    #[inline(always)]
    fn new(rows: &[T], stride: usize) -> Self {
        let mut square = [[T::ZERO; ROWS]; ROWS];
        let mut pivots = Pivots { factors: square, reciprocals: [T::ONE; ROWS], are_positive: true };
        for i in 0..ROWS {
            square[i][i..].copy_from_slice(&rows[i * stride..][i..ROWS]);
        }
        for k in 0..ROWS {
            let pivot = square[k][k];
            pivots.are_positive &= pivot > T::ZERO && pivot < T::INFINITY;
            for i in k + 1..ROWS {
                let factor = square[k][i] / pivot;
                for j in i..ROWS {
                    square[i][j] -= factor * square[k][j];
                }
                pivots.factors[k][i] = factor;
            }
        }
        for k in 0..ROWS {
            pivots.reciprocals[k] = T::ONE / square[k][k].root();
        }
        pivots
    }

    /// Those of the factor U, whose square on the diagonal starts at `u[0]`.
    #[inline(always)]
    fn of_factor(u: &[T], stride: usize) -> Self {
        let mut pivots = Pivots { factors: [[T::ZERO; ROWS]; ROWS], reciprocals: [T::ONE; ROWS], are_positive: true };
        for k in 0..ROWS {
            let row = &u[k * stride..][..ROWS];
            pivots.reciprocals[k] = T::ONE / row[k];
            for i in k + 1..ROWS {
                pivots.factors[k][i] = row[i] * pivots.reciprocals[k];
            }
        }
        pivots
    }
}

/// Computes `C` vectors of each of some rows. The pivots are those of the first ones, if there are none yet.
///
/// # Safety
/// So many elements lie at all places, `rows` being as far from the next as `above.x`, and shared with nobody; and as for
/// [`Kernel::run`].
#[inline(always)]
unsafe fn compute<V: Vector<Element: Real>, const ROWS: usize, const C: usize>(
    above: Above<V::Element>,
    rows: *mut V::Element,
    pivots: &mut Option<Pivots<V::Element, ROWS>>,
) {
    // SAFETY: promised by the caller. (No closures: they would be compiled for the baseline.)
    unsafe {
        let Above { depth, mut u, u_stride, mut x, stride } = above;
        let mut sums = load::<V, ROWS, C>(rows, stride);
        for _ in 0..depth {
            let [known] = load::<V, 1, C>(x, stride);
            for r in 0..ROWS {
                let factor = V::splat(*u.add(r));
                for c in 0..C {
                    sums[r][c] = sums[r][c].minus_product(factor, known[c]);
                }
            }
            (u, x) = (u.add(u_stride), x.add(stride));
        }
        let pivots = match pivots {
            Some(pivots) => pivots,
            None => {
                store(&sums, rows, stride);
                let square = std::slice::from_raw_parts(rows, (ROWS - 1) * stride + ROWS);
                pivots.insert(Pivots::new(square, stride))
            }
        };
        for k in 0..ROWS {
            for r in k + 1..ROWS {
                let factor = V::splat(pivots.factors[k][r]);
                for c in 0..C {
                    sums[r][c] = sums[r][c].minus_product(factor, sums[k][c]);
                }
            }
        }
        for r in 0..ROWS {
            let factor = V::splat(pivots.reciprocals[r]);
            for c in 0..C {
                sums[r][c] = sums[r][c].times(factor);
            }
        }
        store(&sums, rows, stride);
    }
}

/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn load<V: Vector, const ROWS: usize, const C: usize>(from: *const V::Element, stride: usize) -> [[V; C]; ROWS] {
    // SAFETY: promised by the caller.
    unsafe {
        let mut vectors = [[V::load(from); C]; ROWS];
        for r in 0..ROWS {
            for c in 0..C {
                vectors[r][c] = V::load(from.add(r * stride + c * V::LEN));
            }
        }
        vectors
    }
}

/// # Safety
/// As for [`compute`].
#[inline(always)]
unsafe fn store<V: Vector, const ROWS: usize, const C: usize>(
    vectors: &[[V; C]; ROWS],
    to: *mut V::Element,
    stride: usize,
) {
    for r in 0..ROWS {
        for c in 0..C {
            // SAFETY: promised by the caller.
            unsafe { vectors[r][c].store(to.add(r * stride + c * V::LEN)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::level::{FORCED, supported};

    /// Blocks of some orders, one after another in the same memory, and sides beside them: Uᵀ U = A and Uᵀ X = B.
    #[track_caller]
    fn check<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, epsilon: f64) {
        let mut block = Block::new(ORDER);
        for n in [ORDER, 1, 7, 8, 9, 20, 33, 100, 129] {
            let n_columns = n + 50;
            let mut wave = (0..n * n_columns).map(|i| (i as f64 * 0.7).sin()).collect::<Vec<f64>>();
            (0..n).for_each(|i| wave[i * n_columns + i] += n as f64);
            let a: Vec<T> = wave.iter().map(|&x| convert(x)).collect();
            let mut u = a.clone();
            block.load(&u, n_columns, 0..n);
            assert!(block.decompose(), "order {n}");
            block.store(&mut u, n_columns, 0..n);
            block.solve(&mut u, n_columns, 0..n, n..n_columns);
            for i in 0..n {
                for j in i..n_columns {
                    let terms = (0..=i).map(|k| widen(u[k * n_columns + i]) * widen(u[k * n_columns + j]));
                    let difference = terms.sum::<f64>() - widen(a[i * n_columns + j]);
                    // Each of n terms of a size up to n is rounded.
                    let bound = epsilon * ((n + 8) * (n + 8)) as f64;
                    assert!(difference.abs() < bound, "order {n} at {i}, {j}: {difference}");
                }
            }
        }
    }

    #[test]
    fn on_all_processors() {
        for level in supported() {
            FORCED.set(Some(level));
            check(|x| x, |x| x, f64::EPSILON);
            check(|x| x as f32, f64::from, f32::EPSILON.into());
        }
        FORCED.set(None);
    }
}
