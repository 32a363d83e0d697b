//! Products of small matrices with matrices and vectors.
//!
//! An element's sum runs in one of the orders that single products have (see [`Order`]), so many give the bits of one.

use super::{pack, room, unpack};
use crate::{
    linalg::{
        parts::Parts,
        real::Real,
        transpose::{LANES, Part},
    },
    math::level::multiversion,
    pool,
};
use std::ops::RangeInclusive;

/// Operands and results have at most so many elements: what moves to lanes and back stays in the first-level cache.
const MAX_SIZE: usize = 256;

/// Multiplications of a matrix by a vector that take longer than moving both to lanes, and for which single products do not
/// have whole vectors themselves (measured).
const WITH_VECTOR: RangeInclusive<usize> = 16..=128;

/// Rows and columns of a tile of sums in registers.
const TILE: (usize, usize) = (4, 2);

/// Partial sums of [`Order::ByEights`].
const EIGHT: usize = 8;

/// An inner product in [`Order::ByEights`] is shorter than this.
const MAX_DEPTH_BY_EIGHTS: usize = 32;

/// In which order the products of an element are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linalg) enum Order {
    /// From zero, one after another.
    InTurn,
    /// As a row by a vector, less than 32 of them: [`crate::linalg::loops::inner`].
    ByEights,
    /// As columns by the elements of a vector: [`crate::linalg::loops::matvec_by_columns`].
    ByFours,
}

/// The shape of products and where the elements of their operands stand, each operand in one piece.
#[derive(Clone, Copy, Debug)]
pub(in crate::linalg) struct Product {
    pub n_rows: usize,
    pub depth: usize,
    pub n_columns: usize,
    /// From row to row of the left operand, and along the sum.
    pub a_strides: (usize, usize),
    /// Along the sum in the right operand, and from column to column.
    pub b_strides: (usize, usize),
    pub order: Order,
}

impl Product {
    /// Whether many such products gain from lanes.
    pub fn is_small(&self) -> bool {
        let is_short = self.order != Order::ByEights || self.depth < MAX_DEPTH_BY_EIGHTS;
        let gains = self.n_columns > 1 || WITH_VECTOR.contains(&(self.n_rows * self.depth));
        is_short && gains && self.sizes().into_iter().all(|size| size <= MAX_SIZE)
    }

    /// Elements of both operands and of the result.
    fn sizes(&self) -> [usize; 3] {
        [self.n_rows * self.depth, self.depth * self.n_columns, self.n_rows * self.n_columns]
    }
}

/// Products of matrices that follow one another in `a` and `b`, row-major, to `out`.
pub(in crate::linalg) fn products<T: Real>(a: &[T], b: &[T], product: &Product, out: &mut [T]) {
    let [a_size, b_size, size] = product.sizes();
    // Measured: 11 ns for matrices of order 4, 80 ns for those of order 10.
    let ns = 3.0 + (a_size + b_size + size) as f64 * 0.1 + (size * product.depth) as f64 * 0.05;
    let results = Parts::new(out, size);
    pool::for_batches(a.len() / a_size, LANES, ns, &|first, end| {
        let (a, b) = (&a[first * a_size..end * a_size], &b[first * b_size..end * b_size]);
        // SAFETY: ranges do not overlap.
        let out = unsafe { results.take(first..end) };
        let mut scratch = room(a_size + b_size + size);
        let (a_lanes, rest) = scratch.as_chunks_mut().0.split_at_mut(a_size);
        let (b_lanes, out_lanes) = rest.split_at_mut(b_size);
        let groups = a.chunks(LANES * a_size).zip(b.chunks(LANES * b_size)).zip(out.chunks_mut(LANES * size));
        for ((a, b), out) in groups {
            pack(a, a_size, Part::All, a_lanes);
            pack(b, b_size, Part::All, b_lanes);
            multiply(a_lanes, b_lanes, product, &mut out_lanes[..size]);
            unpack(out_lanes, size, out);
        }
    });
}

multiversion! {
    /// The elements of the result, tile by tile.
    fn multiply<T: Real>(a: &[[T; LANES]], b: &[[T; LANES]], product: &Product, out: &mut [[T; LANES]]) {
        // Loops of constant length are unrolled: of the smallest orders these take the most time.
        let Product { n_rows, depth, n_columns, a_strides, b_strides, order } = *product;
        match (order, n_rows, depth, n_columns) {
            (Order::ByEights, ..) => by_eights(a, b, product, out),
            (Order::ByFours, ..) => by_fours(a, b, product, out),
            (Order::InTurn, 2, 2, 2) => in_turn((2, 2, 2), a, a_strides, b, b_strides, out),
            (Order::InTurn, 3, 3, 3) => in_turn((3, 3, 3), a, a_strides, b, b_strides, out),
            (Order::InTurn, 4, 4, 4) => in_turn((4, 4, 4), a, a_strides, b, b_strides, out),
            (Order::InTurn, ..) => in_turn((n_rows, depth, n_columns), a, a_strides, b, b_strides, out),
        }
    }
}

#[inline(always)]
fn in_turn<T: Real>(
    shape: (usize, usize, usize),
    a: &[[T; LANES]],
    a_strides: (usize, usize),
    b: &[[T; LANES]],
    b_strides: (usize, usize),
    out: &mut [[T; LANES]],
) {
    let (n_rows, depth, n_columns) = shape;
    let (rows_tiled, columns_tiled) = (n_rows - n_rows % TILE.0, n_columns - n_columns % TILE.1);
    for row in (0..rows_tiled).step_by(TILE.0) {
        let a = &a[row * a_strides.0..];
        let out = &mut out[row * n_columns..];
        for column in (0..columns_tiled).step_by(TILE.1) {
            let b = &b[column * b_strides.1..];
            tile::<T, { TILE.0 }, { TILE.1 }>(depth, a, a_strides, b, b_strides, &mut out[column..], n_columns);
        }
        for column in columns_tiled..n_columns {
            let b = &b[column * b_strides.1..];
            tile::<T, { TILE.0 }, 1>(depth, a, a_strides, b, b_strides, &mut out[column..], n_columns);
        }
    }
    for row in rows_tiled..n_rows {
        let a = &a[row * a_strides.0..];
        let out = &mut out[row * n_columns..];
        for column in (0..columns_tiled).step_by(TILE.1) {
            let b = &b[column * b_strides.1..];
            tile::<T, 1, { TILE.1 }>(depth, a, a_strides, b, b_strides, &mut out[column..], n_columns);
        }
        for column in columns_tiled..n_columns {
            tile::<T, 1, 1>(depth, a, a_strides, &b[column * b_strides.1..], b_strides, &mut out[column..], n_columns);
        }
    }
}

/// `R` × `C` elements.
#[inline(always)]
fn tile<T: Real, const R: usize, const C: usize>(
    depth: usize,
    a: &[[T; LANES]],
    a_strides: (usize, usize),
    b: &[[T; LANES]],
    b_strides: (usize, usize),
    out: &mut [[T; LANES]],
    out_stride: usize,
) {
    let mut sums = [[[T::ZERO; LANES]; C]; R];
    for k in 0..depth {
        for r in 0..R {
            let x = &a[r * a_strides.0 + k * a_strides.1];
            for c in 0..C {
                add_product(&mut sums[r][c], x, &b[k * b_strides.0 + c * b_strides.1]);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            out[r * out_stride + c] = sums[r][c];
        }
    }
}

/// A x for rows of A that are contiguous.
#[inline(always)]
fn by_eights<T: Real>(a: &[[T; LANES]], x: &[[T; LANES]], product: &Product, out: &mut [[T; LANES]]) {
    let Product { depth, a_strides, b_strides, .. } = *product;
    let n_chunked = depth - depth % EIGHT;
    for (row, out) in out.iter_mut().enumerate() {
        let mut sums = [[T::ZERO; LANES]; EIGHT];
        let mut tail = [T::ZERO; LANES];
        for first in (0..n_chunked).step_by(EIGHT) {
            for k in 0..EIGHT {
                add_product(&mut sums[k], &a[row * a_strides.0 + first + k], &x[(first + k) * b_strides.0]);
            }
        }
        for k in n_chunked..depth {
            add_product(&mut tail, &a[row * a_strides.0 + k], &x[k * b_strides.0]);
        }
        for l in 0..LANES {
            let evens = (sums[0][l] + sums[4][l]) + (sums[2][l] + sums[6][l]);
            let odds = (sums[1][l] + sums[5][l]) + (sums[3][l] + sums[7][l]);
            out[l] = evens + odds + tail[l];
        }
    }
}

/// A x for columns of A that are contiguous.
#[inline(always)]
fn by_fours<T: Real>(a: &[[T; LANES]], x: &[[T; LANES]], product: &Product, out: &mut [[T; LANES]]) {
    let Product { depth, a_strides, b_strides, .. } = *product;
    let n_chunked = depth - depth % 4;
    for (row, out) in out.iter_mut().enumerate() {
        let mut sum = [T::ZERO; LANES];
        for first in (0..n_chunked).step_by(4) {
            let mut products = [[T::ZERO; LANES]; 4];
            for k in 0..4 {
                let (a, x) = (&a[row * a_strides.0 + (first + k) * a_strides.1], &x[(first + k) * b_strides.0]);
                for l in 0..LANES {
                    products[k][l] = a[l] * x[l];
                }
            }
            for l in 0..LANES {
                sum[l] += (products[0][l] + products[1][l]) + (products[2][l] + products[3][l]);
            }
        }
        for k in n_chunked..depth {
            add_product(&mut sum, &a[row * a_strides.0 + k * a_strides.1], &x[k * b_strides.0]);
        }
        *out = sum;
    }
}

/// x += y z, both rounded.
#[inline(always)]
fn add_product<T: Real>(x: &mut [T; LANES], y: &[T; LANES], z: &[T; LANES]) {
    for l in 0..LANES {
        x[l] += y[l] * z[l];
    }
}
