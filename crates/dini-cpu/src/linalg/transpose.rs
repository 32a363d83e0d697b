//! Between rows and columns, and between problems one after another and lanes: 8 × 8 transposes.
//!
//! Eight *runs* of neighbours, wherever they are, hold the same elements as a row of *vectors*, each with one element of
//! every run. On x86-64 they go through registers; the compiler would move element by element, which takes four times as
//! long. What becomes vectors is stored in one piece where it can be: a later load of all of it would wait else.

use super::real::Real;
use crate::math::level::{Level, level};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::ops::Range;

/// Elements of a vector, and runs.
pub(crate) const LANES: usize = 8;

/// Which elements of the runs count.
#[derive(Clone, Copy)]
pub(super) enum Part {
    All,
    /// The runs are matrices of this order: the lower triangle.
    Lower(usize),
    /// The upper triangle.
    Upper(usize),
}

impl Part {
    /// Whether any of the eight elements from here on counts.
    #[inline(always)]
    fn touches(self, at: usize) -> bool {
        match self {
            Part::All => true,
            Part::Lower(n) => at % n <= at / n || at % n + LANES > n,
            Part::Upper(n) => at % n + LANES > at / n || at % n + LANES > n,
        }
    }
}

/// Vectors, so many elements apart.
#[derive(Clone, Copy)]
pub(super) struct Vectors<T> {
    pub start: *mut T,
    pub stride: usize,
}

/// Copies eight columns of some rows of a row-major matrix of `n` columns, each to a run in `runs`, `stride` apart.
pub(super) fn columns_to_runs<T: Copy>(
    matrix: &[T],
    n: usize,
    rows: Range<usize>,
    first_column: usize,
    runs: &mut [T],
    stride: usize,
) {
    check(matrix, n, &rows, first_column, runs, stride);
    let runs = runs.as_mut_ptr();
    let start = matrix[rows.start * n + first_column..].as_ptr().cast_mut();
    // SAFETY: all elements lie in their slices, by the check; the matrix is only read.
    unsafe {
        let runs = std::array::from_fn(|l| runs.add(l * stride));
        tiles::<T, false>(runs, Vectors { start, stride: n }, rows.len(), Part::All);
    }
}

/// Copies runs back to the columns of a matrix.
pub(crate) fn runs_to_columns<T: Copy>(
    runs: &[T],
    stride: usize,
    matrix: &mut [T],
    n: usize,
    rows: Range<usize>,
    first_column: usize,
) {
    check(matrix, n, &rows, first_column, runs, stride);
    let runs = runs.as_ptr().cast_mut();
    let start = matrix[rows.start * n + first_column..].as_mut_ptr();
    // SAFETY: as above; the runs are only read.
    unsafe {
        let runs = std::array::from_fn(|l| runs.add(l * stride));
        tiles::<T, true>(runs, Vectors { start, stride: n }, rows.len(), Part::All);
    }
}

/// Up to eight columns of some rows of (A + Aᵀ)/2, each row to `out`, `stride` apart; A is row-major of order n. What follows
/// there up to the eighth element of a row becomes anything.
///
/// # Panics
/// If there are no rows, or anything lies outside of its slice.
pub(super) fn columns_of_symmetric_part<T: Real>(
    a: &[T],
    n: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [T],
    stride: usize,
) {
    let n_columns = columns.len();
    assert!(
        a.len() == n * n && rows.end <= n && columns.end <= n && (1..=LANES).contains(&n_columns),
        "columns {columns:?} of rows {rows:?} of a matrix of order {n}, of which there are {} elements",
        a.len()
    );
    assert!(!rows.is_empty() && stride >= LANES && (rows.len() - 1) * stride + LANES <= out.len());
    // Eight elements of the last row of A may end behind it.
    let whole = if columns.start + LANES <= n { rows.clone() } else { rows.start..rows.end.min(n - 1) };
    let mut rest = rows.clone();
    if whole.len() >= LANES {
        let from = |row: usize, column: usize| a[row * n + column..].as_ptr();
        let runs = std::array::from_fn(|l| from(columns.start + l.min(n_columns - 1), rows.start));
        let beside = Vectors { start: from(rows.start, columns.start).cast_mut(), stride: n };
        // SAFETY: rows of A from there on, of which eight elements lie in its slice, and as many of `out`, by the checks.
        unsafe { means(runs, beside, Vectors { start: out.as_mut_ptr(), stride }, whole.len()) }
        rest.start = whole.end;
    }
    for row in rest {
        for column in columns.clone() {
            let mean = (a[row * n + column] + a[column * n + row]) * T::HALF;
            out[(row - rows.start) * stride + column - columns.start] = mean;
        }
    }
}

fn check<T>(matrix: &[T], n: usize, rows: &Range<usize>, first_column: usize, runs: &[T], stride: usize) {
    assert!(
        !rows.is_empty() && first_column + LANES <= n && rows.end * n <= matrix.len(),
        "eight columns from {first_column} on of rows {rows:?} in {} elements of {n} columns",
        matrix.len()
    );
    let fits = rows.len() <= stride && (LANES - 1) * stride + rows.len() <= runs.len();
    assert!(fits, "runs of {} in {}", rows.len(), runs.len());
}

/// Moves eight runs of `len` elements to vectors, or from there if not `TO_VECTORS`.
///
/// # Safety
/// There are `len` elements at each run, and eight at each of as many vectors; what is written is not shared, except that
/// runs may be the same if their lanes are equal.
pub(super) unsafe fn tiles<T: Copy, const TO_VECTORS: bool>(
    runs: [*mut T; LANES],
    vectors: Vectors<T>,
    len: usize,
    part: Part,
) {
    // SAFETY: promised by the caller; `level` has found the instruction set on this processor.
    unsafe {
        match level() {
            Level::Baseline => body::<T, TO_VECTORS>(runs, vectors, len, part, |from, to| portable(from, to)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => tiles_avx2::<T, TO_VECTORS>(runs, vectors, len, part),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => tiles_avx512::<T, TO_VECTORS>(runs, vectors, len, part),
        }
    }
}

/// # Safety
/// As for [`tiles`]; and the processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn tiles_avx2<T: Copy, const TO_VECTORS: bool>(
    runs: [*mut T; LANES],
    vectors: Vectors<T>,
    len: usize,
    part: Part,
) {
    // SAFETY: promised by the caller.
    unsafe { body::<T, TO_VECTORS>(runs, vectors, len, part, |from, to| avx2(from, to)) }
}

/// # Safety
/// As for [`tiles`]; and the processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f")]
unsafe fn tiles_avx512<T: Copy, const TO_VECTORS: bool>(
    runs: [*mut T; LANES],
    vectors: Vectors<T>,
    len: usize,
    part: Part,
) {
    // SAFETY: promised by the caller.
    unsafe {
        if size_of::<T>() == 8 && (LANES / 2..LANES).contains(&len) {
            let vectors = Vectors { start: vectors.start.cast(), stride: vectors.stride };
            return half_tiles::<TO_VECTORS>(runs.map(<*mut T>::cast), vectors, len);
        }
        body::<T, TO_VECTORS>(runs, vectors, len, part, |from, to| avx512(from, to));
    }
}

/// The means of what eight runs of `len` elements, at least eight, hold and of as many vectors.
///
/// # Safety
/// There are `len` elements at each run, and eight at each vector; what is written is not shared.
unsafe fn means<T: Real>(runs: [*const T; LANES], beside: Vectors<T>, to: Vectors<T>, len: usize) {
    // SAFETY: promised by the caller; `level` has found the instruction set on this processor.
    unsafe {
        match level() {
            Level::Baseline => means_in_tiles(runs, beside, to, len, |from, to| portable(from, to)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => means_avx2(runs, beside, to, len),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => means_avx512(runs, beside, to, len),
        }
    }
}

/// # Safety
/// As for [`means`]; and the processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn means_avx2<T: Real>(runs: [*const T; LANES], beside: Vectors<T>, to: Vectors<T>, len: usize) {
    // SAFETY: promised by the caller.
    unsafe { means_in_tiles(runs, beside, to, len, |from, to| avx2(from, to)) }
}

/// # Safety
/// As for [`means`]; and the processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f")]
unsafe fn means_avx512<T: Real>(runs: [*const T; LANES], beside: Vectors<T>, to: Vectors<T>, len: usize) {
    if size_of::<T>() != size_of::<f64>() {
        // SAFETY: promised by the caller.
        return unsafe { means_in_tiles(runs, beside, to, len, |from, to| avx512(from, to)) };
    }
    for at in (0..len).step_by(LANES) {
        // The last one overlaps the one before, here and below.
        let at = at.min(len - LANES);
        // SAFETY: promised by the caller; the elements are `f64`.
        unsafe {
            let mut columns = transposed_doubles(load_doubles(runs.map(|run| run.add(at).cast())));
            for (k, column) in columns.iter_mut().enumerate() {
                let beside = _mm512_loadu_pd(beside.start.add((at + k) * beside.stride).cast());
                *column = _mm512_mul_pd(_mm512_add_pd(beside, *column), _mm512_set1_pd(0.5));
            }
            store_doubles(columns, std::array::from_fn(|k| to.start.add((at + k) * to.stride).cast()));
        }
    }
}

/// Tile by tile through memory of this function.
///
/// # Safety
/// As for [`means`].
#[inline(always)]
unsafe fn means_in_tiles<T: Real>(
    runs: [*const T; LANES],
    beside: Vectors<T>,
    to: Vectors<T>,
    len: usize,
    transpose: impl Fn([*const T; LANES], [*mut T; LANES]),
) {
    for at in (0..len).step_by(LANES) {
        let at = at.min(len - LANES);
        let mut tile = [[T::ZERO; LANES]; LANES];
        // SAFETY: promised by the caller.
        unsafe {
            transpose(runs.map(|run| run.add(at)), tile.each_mut().map(|row| row.as_mut_ptr()));
            for (k, row) in tile.into_iter().enumerate() {
                let beside = *beside.start.add((at + k) * beside.stride).cast::<[T; LANES]>();
                let to = &mut *to.start.add((at + k) * to.stride).cast::<[T; LANES]>();
                for l in 0..LANES {
                    to[l] = (beside[l] + row[l]) * T::HALF;
                }
            }
        }
    }
}

/// Short runs, of four to seven elements: four at a time of runs l and l + 4 stand side by side in a register.
///
/// # Safety
/// As for [`tiles`]; and the processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f")]
unsafe fn half_tiles<const TO_VECTORS: bool>(runs: [*mut f64; LANES], vectors: Vectors<f64>, len: usize) {
    const HALF: usize = LANES / 2;
    for at in (0..len).step_by(HALF) {
        // The last one overlaps the one before, as for whole tiles.
        let at = at.min(len - HALF);
        let mut rows = [_mm512_setzero_pd(); HALF];
        // SAFETY: promised by the caller.
        unsafe {
            for (k, row) in rows.iter_mut().enumerate() {
                *row = if TO_VECTORS {
                    let low = _mm512_castpd256_pd512(_mm256_loadu_pd(runs[k].add(at)));
                    _mm512_insertf64x4::<1>(low, _mm256_loadu_pd(runs[k + HALF].add(at)))
                } else {
                    _mm512_loadu_pd(vectors.start.add((at + k) * vectors.stride))
                };
            }
            let [a, b, c, d] = rows;
            let (ab_even, ab_odd) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let (cd_even, cd_odd) = (_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            // The first pairs of each half of two registers, and the second ones.
            let first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            let columns = [
                _mm512_permutex2var_pd(ab_even, first, cd_even),
                _mm512_permutex2var_pd(ab_odd, first, cd_odd),
                _mm512_permutex2var_pd(ab_even, second, cd_even),
                _mm512_permutex2var_pd(ab_odd, second, cd_odd),
            ];
            for (k, column) in columns.into_iter().enumerate() {
                if TO_VECTORS {
                    _mm512_storeu_pd(vectors.start.add((at + k) * vectors.stride), column);
                } else {
                    _mm256_storeu_pd(runs[k].add(at), _mm512_castpd512_pd256(column));
                    _mm256_storeu_pd(runs[k + HALF].add(at), _mm512_extractf64x4_pd::<1>(column));
                }
            }
        }
    }
}

/// The last tile overlaps the one before if `len` is no multiple of eight, and moves the same elements once more.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn body<T: Copy, const TO_VECTORS: bool>(
    runs: [*mut T; LANES],
    vectors: Vectors<T>,
    len: usize,
    part: Part,
    transpose: impl Fn([*const T; LANES], [*mut T; LANES]),
) {
    // SAFETY: promised by the caller: places up to `len` are moved.
    unsafe {
        if len < LANES {
            for at in 0..len {
                let vector = vectors.start.add(at * vectors.stride).cast::<[T; LANES]>();
                if TO_VECTORS {
                    *vector = runs.map(|run| *run.add(at));
                } else {
                    runs.into_iter().zip(*vector).for_each(|(run, x)| *run.add(at) = x);
                }
            }
            return;
        }
        for tile_idx in 0..len.div_ceil(LANES) {
            let at = (tile_idx * LANES).min(len - LANES);
            if !part.touches(at) {
                continue;
            }
            let runs = runs.map(|run| run.add(at));
            let vectors: [*mut T; LANES] = std::array::from_fn(|k| vectors.start.add((at + k) * vectors.stride));
            if TO_VECTORS {
                transpose(runs.map(|run| run.cast_const()), vectors);
            } else {
                transpose(vectors.map(|vector| vector.cast_const()), runs);
            }
        }
    }
}

/// Element k of run l becomes element l of run k.
///
/// # Safety
/// Eight elements can be read at each place of `from` and written at each of `to`.
#[inline(always)]
unsafe fn portable<T: Copy>(from: [*const T; LANES], to: [*mut T; LANES]) {
    for (k, to) in to.into_iter().enumerate() {
        for (l, from) in from.into_iter().enumerate() {
            // SAFETY: promised by the caller.
            unsafe { to.add(l).write(from.add(k).read()) }
        }
    }
}

/// The same.
///
/// # Safety
/// As for [`portable`]; and the processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn avx2<T: Copy>(from: [*const T; LANES], to: [*mut T; LANES]) {
    // SAFETY: promised by the caller; only bits move.
    unsafe {
        match size_of::<T>() {
            4 => singles(from.map(<*const T>::cast), to.map(<*mut T>::cast)),
            8 => doubles_by_fours(from.map(<*const T>::cast), to.map(<*mut T>::cast)),
            _ => portable(from, to),
        }
    }
}

/// The same.
///
/// # Safety
/// As for [`portable`]; and the processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f")]
#[inline]
unsafe fn avx512<T: Copy>(from: [*const T; LANES], to: [*mut T; LANES]) {
    // SAFETY: promised by the caller; only bits move.
    unsafe {
        match size_of::<T>() {
            4 => singles(from.map(<*const T>::cast), to.map(<*mut T>::cast)),
            8 => doubles(from.map(<*const T>::cast), to.map(<*mut T>::cast)),
            _ => portable(from, to),
        }
    }
}

/// Four blocks of 4 × 4: by pairs, then fours.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn doubles_by_fours(from: [*const f64; LANES], to: [*mut f64; LANES]) {
    for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
        // SAFETY: promised by the caller: four of the eight elements of each run.
        unsafe {
            let (a, b) = (_mm256_loadu_pd(from[row].add(column)), _mm256_loadu_pd(from[row + 1].add(column)));
            let (c, d) = (_mm256_loadu_pd(from[row + 2].add(column)), _mm256_loadu_pd(from[row + 3].add(column)));
            let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            _mm256_storeu_pd(to[column].add(row), _mm256_permute2f128_pd::<0x20>(ab_even, cd_even));
            _mm256_storeu_pd(to[column + 1].add(row), _mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd));
            _mm256_storeu_pd(to[column + 2].add(row), _mm256_permute2f128_pd::<0x31>(ab_even, cd_even));
            _mm256_storeu_pd(to[column + 3].add(row), _mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd));
        }
    }
}

/// (No closures, here and below: those with instruction sets of their own are not inlined.)
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn doubles(from: [*const f64; LANES], to: [*mut f64; LANES]) {
    // SAFETY: promised by the caller.
    unsafe { store_doubles(transposed_doubles(load_doubles(from)), to) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load_doubles(from: [*const f64; LANES]) -> [__m512d; LANES] {
    let mut rows = [_mm512_setzero_pd(); LANES];
    for (row, from) in rows.iter_mut().zip(from) {
        // SAFETY: promised by the caller.
        *row = unsafe { _mm512_loadu_pd(from) };
    }
    rows
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store_doubles(columns: [__m512d; LANES], to: [*mut f64; LANES]) {
    for (column, to) in columns.into_iter().zip(to) {
        // SAFETY: promised by the caller.
        unsafe { _mm512_storeu_pd(to, column) }
    }
}

/// By pairs, then fours, then eights.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_doubles(rows: [__m512d; LANES]) -> [__m512d; LANES] {
    let [a, b, c, d, e, f, g, h] = rows;
    let mut columns = [_mm512_setzero_pd(); LANES];
    for odd in [0, 1] {
        // The even, or odd, columns of two rows; then columns k and k + 4 of four rows.
        let (ab, cd, ef, gh) = if odd == 0 {
            (_mm512_unpacklo_pd(a, b), _mm512_unpacklo_pd(c, d), _mm512_unpacklo_pd(e, f), _mm512_unpacklo_pd(g, h))
        } else {
            (_mm512_unpackhi_pd(a, b), _mm512_unpackhi_pd(c, d), _mm512_unpackhi_pd(e, f), _mm512_unpackhi_pd(g, h))
        };
        let (first, first_of_lower) = (_mm512_shuffle_f64x2::<0x88>(ab, cd), _mm512_shuffle_f64x2::<0x88>(ef, gh));
        let (second, second_of_lower) = (_mm512_shuffle_f64x2::<0xdd>(ab, cd), _mm512_shuffle_f64x2::<0xdd>(ef, gh));
        columns[odd] = _mm512_shuffle_f64x2::<0x88>(first, first_of_lower);
        columns[odd + 2] = _mm512_shuffle_f64x2::<0x88>(second, second_of_lower);
        columns[odd + 4] = _mm512_shuffle_f64x2::<0xdd>(first, first_of_lower);
        columns[odd + 6] = _mm512_shuffle_f64x2::<0xdd>(second, second_of_lower);
    }
    columns
}

/// By pairs, then fours, then eights.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn singles(from: [*const f32; LANES], to: [*mut f32; LANES]) {
    let mut fours = [_mm256_setzero_ps(); LANES];
    for (half, fours) in fours.chunks_exact_mut(4).enumerate() {
        // SAFETY: promised by the caller.
        let (a, b) = unsafe { (_mm256_loadu_ps(from[4 * half]), _mm256_loadu_ps(from[4 * half + 1])) };
        // SAFETY: as above.
        let (c, d) = unsafe { (_mm256_loadu_ps(from[4 * half + 2]), _mm256_loadu_ps(from[4 * half + 3])) };
        // Elements 0, 1, 4 and 5 of two rows in turns, and elements 2, 3, 6 and 7.
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        // Columns 0 to 3 of four rows, each beside the column that is four further.
        fours[0] = _mm256_shuffle_ps::<0x44>(ab_low, cd_low);
        fours[1] = _mm256_shuffle_ps::<0xee>(ab_low, cd_low);
        fours[2] = _mm256_shuffle_ps::<0x44>(ab_high, cd_high);
        fours[3] = _mm256_shuffle_ps::<0xee>(ab_high, cd_high);
    }
    for k in 0..4 {
        // SAFETY: promised by the caller.
        unsafe {
            _mm256_storeu_ps(to[k], _mm256_permute2f128_ps::<0x20>(fours[k], fours[k + 4]));
            _mm256_storeu_ps(to[k + 4], _mm256_permute2f128_ps::<0x31>(fours[k], fours[k + 4]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Scalar, level::at_each_level};

    #[track_caller]
    fn check<T: Scalar>(number: impl Fn(usize) -> T) {
        let from: Vec<T> = (0..64).map(number).collect();
        let run = |transpose: unsafe fn([*const T; LANES], [*mut T; LANES])| {
            let mut to = from.clone();
            let start = to.as_mut_ptr();
            // SAFETY: runs of eight inside of 64 elements.
            unsafe {
                transpose(std::array::from_fn(|l| from.as_ptr().add(8 * l)), std::array::from_fn(|k| start.add(8 * k)));
            }
            (0..64).for_each(|at| assert_eq!(to[at], from[at % 8 * 8 + at / 8]));
        };
        run(portable);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            run(avx2);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            run(avx512);
        }
    }

    #[test]
    fn short_and_long_runs_and_back() {
        at_each_level(|| {
            for len in 1..30 {
                let from: Vec<f64> = (0..LANES * len).map(|at| at as f64).collect();
                let (mut lanes, mut back) = (vec![0.0; len * LANES], vec![0.0; LANES * len]);
                let vectors = Vectors { start: lanes.as_mut_ptr(), stride: LANES };
                let (from_start, back_start) = (from.as_ptr().cast_mut(), back.as_mut_ptr());
                // SAFETY: runs of `len` and as many vectors of eight; `from` is only read.
                unsafe {
                    tiles::<f64, true>(std::array::from_fn(|l| from_start.add(l * len)), vectors, len, Part::All);
                    tiles::<f64, false>(std::array::from_fn(|l| back_start.add(l * len)), vectors, len, Part::All);
                }
                (0..len * LANES).for_each(|at| assert_eq!(lanes[at], from[at % LANES * len + at / LANES]));
                assert_eq!(back, from);
            }
        });
    }

    #[test]
    fn both_sizes() {
        check(|at| at as f32);
        check(|at| at as f64);
    }
}
