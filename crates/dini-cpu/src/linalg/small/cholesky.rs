//! Cholesky factors of small matrices.

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

/// Rows and columns of a tile: four sums in registers, for two loads each. Tiles of three and four spill.
const TILE: usize = 2;

/// The lower factors of the symmetric parts of matrices of order `n` up to [`super::MAX_ORDER`], one after another; zeros
/// above. Where a matrix is not positive definite, or not finite, the last element is not a positive number.
pub(in crate::linalg) fn cholesky<T: Real>(a: &[T], n: usize, out: &mut [T]) {
    let size = n * n;
    if a.len() == size {
        out.copy_from_slice(a);
        return factor(out.as_chunks_mut::<1>().0, n, &mut [[T::ZERO]; MAX_ORDER]);
    }
    // Measured: 17 ns for a matrix of order 4, 0.8 µs for one of order 32.
    let ns = 15.0 + size as f64 * n as f64 / 40.0;
    let factors = Parts::new(out, size);
    pool::for_batches(a.len() / size, LANES, ns, &|first, end| {
        // SAFETY: ranges do not overlap.
        let (a, out) = (&a[first * size..end * size], unsafe { factors.take(first..end) });
        let mut scratch = room(size + n);
        let (lanes, reciprocals) = scratch.as_chunks_mut().0.split_at_mut(size);
        for (a, out) in a.chunks(LANES * size).zip(out.chunks_mut(LANES * size)) {
            pack(a, size, Part::All, lanes);
            factor(lanes, n, reciprocals);
            unpack(lanes, size, out);
        }
    });
}

multiversion! {
    /// L[i][j] = (A[i][j] − Σₖ L[i][k] L[j][k]) / L[j][j], tile by tile, row after row.
    /// The reciprocals of the diagonal are kept, so that there is one division for a row.
    fn factor<T: Real, const W: usize>(a: &mut [[T; W]], n: usize, reciprocals: &mut [[T; W]]) {
        // Loops of constant length are unrolled: of the smallest orders these take the most time.
        match n {
            2 => factor_order(a, 2, reciprocals),
            3 => factor_order(a, 3, reciprocals),
            4 => factor_order(a, 4, reciprocals),
            _ => factor_order(a, n, reciprocals),
        }
    }
}

#[inline(always)]
fn factor_order<T: Real, const W: usize>(a: &mut [[T; W]], n: usize, reciprocals: &mut [[T; W]]) {
    let (a, reciprocals) = (&mut a[..n * n], &mut reciprocals[..n]);
    let mut doubt = [T::ZERO; W];
    let n_tiled = n - n % TILE;
    for i in (0..n_tiled).step_by(TILE) {
        for j in (0..i).step_by(TILE) {
            below_diagonal::<T, W, TILE>(a, n, (i, j), reciprocals);
        }
        on_diagonal::<T, W, TILE>(a, n, i, reciprocals, &mut doubt);
    }
    for i in n_tiled..n {
        for j in (0..n_tiled).step_by(TILE) {
            below_diagonal::<T, W, 1>(a, n, (i, j), reciprocals);
        }
        on_diagonal::<T, W, 1>(a, n, i, reciprocals, &mut doubt);
    }
    if let Some(last) = a.last_mut() {
        for l in 0..W {
            last[l] += doubt[l];
        }
    }
}

/// (A + Aᵀ)/2 in the tile of `R` rows from i on and `C` columns from j on.
#[inline(always)]
fn symmetric_part<T: Real, const W: usize, const R: usize, const C: usize>(
    a: &[[T; W]],
    n: usize,
    (i, j): (usize, usize),
) -> [[[T; W]; C]; R] {
    // Loops, here and below: closures would be functions of their own, compiled for the baseline.
    let mut tile = [[[T::ZERO; W]; C]; R];
    for r in 0..R {
        for c in 0..C {
            let (x, y) = (&a[(i + r) * n + j + c], &a[(j + c) * n + i + r]);
            for l in 0..W {
                tile[r][c][l] = (x[l] + y[l]) * T::HALF;
            }
        }
    }
    tile
}

/// The tile of `R` rows from i on and [`TILE`] columns from j on.
#[expect(clippy::needless_range_loop, reason = "tiles are walked by row and column")]
#[inline(always)]
fn below_diagonal<T: Real, const W: usize, const R: usize>(
    a: &mut [[T; W]],
    n: usize,
    (i, j): (usize, usize),
    reciprocals: &[[T; W]],
) {
    let mut sums: [[[T; W]; TILE]; R] = symmetric_part(a, n, (i, j));
    let rows: [&[[T; W]]; R] = std::array::from_fn(|r| &a[(i + r) * n..][..j]);
    let columns: [&[[T; W]]; TILE] = std::array::from_fn(|c| &a[(j + c) * n..][..j]);
    for k in 0..j {
        for r in 0..R {
            for c in 0..TILE {
                subtract_product(&mut sums[r][c], &rows[r][k], &columns[c][k]);
            }
        }
    }
    for c in 0..TILE {
        for r in 0..R {
            for k in 0..c {
                let solved = sums[r][k];
                subtract_product(&mut sums[r][c], &solved, &a[(j + c) * n + j + k]);
            }
            for l in 0..W {
                sums[r][c][l] *= reciprocals[j + c][l];
            }
        }
    }
    for r in 0..R {
        for c in 0..TILE {
            a[(i + r) * n + j + c] = sums[r][c];
            a[(j + c) * n + i + r] = [T::ZERO; W];
        }
    }
}

/// The tile of `R` rows and columns from i on; notes the reciprocals of its diagonal. `doubt` stays zero while all is finite.
#[expect(clippy::needless_range_loop, reason = "tiles are walked by row and column")]
#[inline(always)]
fn on_diagonal<T: Real, const W: usize, const R: usize>(
    a: &mut [[T; W]],
    n: usize,
    i: usize,
    reciprocals: &mut [[T; W]],
    doubt: &mut [T; W],
) {
    let mut sums: [[[T; W]; R]; R] = symmetric_part(a, n, (i, i));
    let rows: [&[[T; W]]; R] = std::array::from_fn(|r| &a[(i + r) * n..][..i]);
    for k in 0..i {
        for r in 0..R {
            for c in 0..=r {
                subtract_product(&mut sums[r][c], &rows[r][k], &rows[c][k]);
            }
        }
    }
    for c in 0..R {
        for l in 0..W {
            // NaN for infinity. What is not positive becomes NaN or infinite and spreads to all that comes later.
            let pivot = sums[c][c][l];
            doubt[l] += pivot * T::ZERO;
            sums[c][c][l] = pivot.root();
            reciprocals[i + c][l] = T::ONE / sums[c][c][l];
        }
        for r in c + 1..R {
            for l in 0..W {
                sums[r][c][l] *= reciprocals[i + c][l];
            }
            for k in c + 1..=r {
                let (x, y) = (sums[r][c], sums[k][c]);
                subtract_product(&mut sums[r][k], &x, &y);
            }
        }
    }
    for r in 0..R {
        for c in 0..R {
            a[(i + r) * n + i + c] = if c <= r { sums[r][c] } else { [T::ZERO; W] };
        }
    }
}
