//! LU factorizations of small matrices.

use super::{MAX_ORDER, pack, room, subtract_product, unpack};
use crate::{
    linalg::{
        parts::Parts,
        real::Real,
        transpose::{LANES, Part},
    },
    math::level::multiversion,
    pool,
};

/// Factors matrices of `m` rows and `n` columns, both up to [`MAX_ORDER`], one after another, and says which row each row
/// was swapped with, in order.
pub(in crate::linalg) fn lu<T: Real>(a: &[T], (m, n): (usize, usize), out: &mut [T], pivots: &mut [i32]) {
    let (size, rank) = (m * n, m.min(n));
    if a.len() == size {
        out.copy_from_slice(a);
        return factor(out.as_chunks_mut::<1>().0, m, n, pivots.as_chunks_mut::<1>().0);
    }
    let ns = 10.0 + size as f64 * n as f64 / 30.0;
    let (factors, all_pivots) = (Parts::new(out, size), Parts::new(pivots, rank));
    pool::for_batches(a.len() / size, LANES, ns, &|first, end| {
        let a = &a[first * size..end * size];
        // SAFETY: ranges do not overlap.
        let (out, pivots) = unsafe { (factors.take(first..end), all_pivots.take(first..end)) };
        let mut scratch = room(size);
        let lanes = &mut scratch.as_chunks_mut().0[..size];
        let mut rows = [[0; LANES]; MAX_ORDER];
        let groups = a.chunks(LANES * size).zip(out.chunks_mut(LANES * size)).zip(pivots.chunks_mut(LANES * rank));
        for ((a, out), pivots) in groups {
            pack(a, size, Part::All, lanes);
            factor(lanes, m, n, &mut rows[..rank]);
            unpack(lanes, size, out);
            for (l, pivots) in pivots.chunks_exact_mut(rank).enumerate() {
                pivots.iter_mut().zip(&rows).for_each(|(pivot, row)| *pivot = row[l]);
            }
        }
    });
}

multiversion! {
    /// Column after column: seeks the pivot of each lane, swaps rows lane by lane, eliminates.
    fn factor<T: Real, const W: usize>(a: &mut [[T; W]], m: usize, n: usize, pivots: &mut [[i32; W]]) {
        let a = &mut a[..m * n];
        for (k, pivots) in pivots.iter_mut().enumerate() {
            *pivots = pivot_rows(a, m, n, k);
            for l in 0..W {
                let pivot = pivots[l] as usize;
                if pivot != k {
                    for j in 0..n {
                        let x = a[k * n + j][l];
                        a[k * n + j][l] = a[pivot * n + j][l];
                        a[pivot * n + j][l] = x;
                    }
                }
            }
            let (upper, lower) = a.split_at_mut((k + 1) * n);
            let (pivot, pivot_row) = upper[k * n + k..].split_first().expect("a pivot for each column");
            for row in lower.chunks_exact_mut(n) {
                let (factor, row) = row[k..].split_first_mut().expect("columns up to the rank");
                for l in 0..W {
                    // Where all of the column is zero there is nothing to eliminate.
                    factor[l] = if pivot[l] == T::ZERO { factor[l] } else { factor[l] / pivot[l] };
                }
                for (x, pivot) in row.iter_mut().zip(pivot_row) {
                    subtract_product(x, factor, pivot);
                }
            }
        }
    }
}

/// For each lane the first row from `k` on with the largest magnitude in column `k`.
#[inline(always)]
fn pivot_rows<T: Real, const W: usize>(a: &[[T; W]], m: usize, n: usize, k: usize) -> [i32; W] {
    let (mut rows, mut largest) = ([k as i32; W], [T::ZERO; W]);
    for l in 0..W {
        largest[l] = a[k * n + k][l].magnitude();
    }
    for i in k + 1..m {
        let x = &a[i * n + k];
        for l in 0..W {
            let magnitude = x[l].magnitude();
            let is_larger = magnitude > largest[l];
            largest[l] = if is_larger { magnitude } else { largest[l] };
            rows[l] = if is_larger { i as i32 } else { rows[l] };
        }
    }
    rows
}
