//! A block of some rows and a few vectors of each, in registers: what the innermost loops of products and factorizations
//! work on.
//!
//! An element is a sum that runs over its products in their order, one at a time. So the columns that are computed
//! together, and where a sum is interrupted, do not change a bit.

#![expect(clippy::needless_range_loop, reason = "blocks are walked by row and column")]

use super::vector::Vector;

/// # Safety
/// `C` vectors can be read at each of `ROWS` rows, so far apart; as for [`Vector`]. To be inlined always, here and below.
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const ROWS: usize, const C: usize>(
    from: *const V::Element,
    stride: usize,
) -> [[V; C]; ROWS] {
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
/// As for [`load`], and the vectors can be written.
#[inline(always)]
pub(super) unsafe fn store<V: Vector, const ROWS: usize, const C: usize>(
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

/// Adds, or subtracts, the products of `depth` factors of each row with vectors of as many rows. Factors are so far apart
/// from one row to the next and from one product to the next, vectors from one product to the next.
///
/// # Safety
/// All of that can be read.
#[inline(always)]
pub(super) unsafe fn add_products<V: Vector, const ROWS: usize, const C: usize, const SUBTRACT: bool>(
    sums: &mut [[V; C]; ROWS],
    depth: usize,
    (mut factors, strides): (*const V::Element, (usize, usize)),
    (mut vectors, stride): (*const V::Element, usize),
) {
    for _ in 0..depth {
        // SAFETY: promised by the caller; behind the last product pointers are only computed.
        unsafe {
            let [row] = load::<V, 1, C>(vectors, stride);
            for r in 0..ROWS {
                let factor = V::splat(*factors.add(r * strides.0));
                for c in 0..C {
                    sums[r][c] = if SUBTRACT {
                        sums[r][c].minus_product(factor, row[c])
                    } else {
                        sums[r][c].plus_product(factor, row[c])
                    };
                }
            }
            (factors, vectors) = (factors.wrapping_add(strides.1), vectors.wrapping_add(stride));
        }
    }
}
