//! Triangular solves of small matrices with few right-hand sides.

use super::{pack, room, subtract_product, unpack};
use crate::{
    linalg::{
        parts::Parts,
        real::Real,
        transpose::{LANES, Part},
        triangular::Triangle,
    },
    math::level::multiversion,
    pool,
};

/// Rows that are solved together: as many sums run side by side, so that none waits for the one before.
const TILE: usize = 4;

/// Solves as [`crate::linalg::triangular_solve`] does, for orders `n` up to [`super::MAX_ORDER`].
pub(in crate::linalg) fn triangular_solve<T: Real>(
    a: &[T],
    b: &[T],
    n: usize,
    n_rhs: usize,
    x: &mut [T],
    triangle: Triangle,
) {
    let (size, sides) = (n * n, n * n_rhs);
    if a.len() == size {
        x.copy_from_slice(b);
        return solve(a.as_chunks::<1>().0, n, n_rhs, x.as_chunks_mut::<1>().0, triangle);
    }
    let part = if triangle.lower { Part::Lower(n) } else { Part::Upper(n) };
    // Measured: 9 ns for a side of order 4, 0.2 µs for one of order 32.
    let ns = 5.0 + (size * n_rhs) as f64 / 5.0;
    let solutions = Parts::new(x, sides);
    pool::for_batches(a.len() / size, LANES, ns, &|first, end| {
        let (a, b) = (&a[first * size..end * size], &b[first * sides..end * sides]);
        // SAFETY: ranges do not overlap.
        let x = unsafe { solutions.take(first..end) };
        let mut scratch = room(size + sides);
        let (a_lanes, x_lanes) = scratch.as_chunks_mut().0.split_at_mut(size);
        let problems = a.chunks(LANES * size).zip(b.chunks(LANES * sides)).zip(x.chunks_mut(LANES * sides));
        for ((a, b), x) in problems {
            pack(a, size, part, a_lanes);
            pack(b, sides, Part::All, x_lanes);
            solve(a_lanes, n, n_rhs, &mut x_lanes[..sides], triangle);
            unpack(x_lanes, sides, x);
        }
    });
}

multiversion! {
    /// x[i] = (b[i] − Σₖ A[i][k] x[k]) / A[i][i] over the k that are solved, in the order in which they were.
    fn solve<T: Real, const W: usize>(a: &[[T; W]], n: usize, n_rhs: usize, x: &mut [[T; W]], triangle: Triangle) {
        // Loops of constant length are unrolled: of the smallest orders these take the most time.
        match (n, n_rhs) {
            (2, 1) => solve_order(a, 2, 1, x, triangle),
            (3, 1) => solve_order(a, 3, 1, x, triangle),
            (4, 1) => solve_order(a, 4, 1, x, triangle),
            _ => solve_order(a, n, n_rhs, x, triangle),
        }
    }
}

#[inline(always)]
fn solve_order<T: Real, const W: usize>(a: &[[T; W]], n: usize, n_rhs: usize, x: &mut [[T; W]], triangle: Triangle) {
    let (a, x) = (&a[..n * n], &mut x[..n * n_rhs]);
    let n_tiled = n - n % TILE;
    for rhs_idx in 0..n_rhs {
        for first in (0..n_tiled).step_by(TILE) {
            solve_rows::<T, W, TILE>(a, n, (n_rhs, rhs_idx), x, first, triangle);
        }
        for first in n_tiled..n {
            solve_rows::<T, W, 1>(a, n, (n_rhs, rhs_idx), x, first, triangle);
        }
    }
}

/// Solves the `R` unknowns from `first` on, counted in the order of solving, of one right-hand side.
#[inline(always)]
fn solve_rows<T: Real, const W: usize, const R: usize>(
    a: &[[T; W]],
    n: usize,
    (n_rhs, rhs_idx): (usize, usize),
    x: &mut [[T; W]],
    first: usize,
    triangle: Triangle,
) {
    // Row i and column k, counted so too, meet at this place.
    let (by_row, by_column) = if triangle.transpose { (1, n) } else { (n, 1) };
    let place = |i: usize, k: usize| match triangle.is_forward() {
        true => i * by_row + k * by_column,
        false => (n - 1 - i) * by_row + (n - 1 - k) * by_column,
    };
    let side = |i: usize| if triangle.is_forward() { i } else { n - 1 - i } * n_rhs + rhs_idx;
    let (mut sums, mut places) = ([[T::ZERO; W]; R], [0; R]);
    for r in 0..R {
        sums[r] = x[side(first + r)];
        places[r] = place(first + r, 0);
    }
    let (step, side_step) = match triangle.is_forward() {
        true => (by_column, n_rhs),
        false => (by_column.wrapping_neg(), n_rhs.wrapping_neg()),
    };
    let mut solved_place = side(0);
    for _ in 0..first {
        let solved = &x[solved_place];
        solved_place = solved_place.wrapping_add(side_step);
        for r in 0..R {
            subtract_product(&mut sums[r], &a[places[r]], solved);
            places[r] = places[r].wrapping_add(step);
        }
    }
    // Inner loops of constant length, so that all is unrolled and the sums stay in registers.
    for k in 0..R {
        if !triangle.unit_diagonal {
            let divisor = &a[place(first + k, first + k)];
            for l in 0..W {
                sums[k][l] /= divisor[l];
            }
        }
        let solved = sums[k];
        x[side(first + k)] = solved;
        for r in 0..R {
            if r > k {
                subtract_product(&mut sums[r], &a[place(first + r, first + k)], &solved);
            }
        }
    }
}
