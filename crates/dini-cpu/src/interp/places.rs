//! Rows at indices: gather and scatter.
//!
//! What bounds these is how many reads of far memory the processor waits for at once, so loops over places are short.
//! Single elements by one index each are moved in one loop for each type of index. Other rows are found for a chunk of
//! places at a time, and loops that know nothing of indices move their elements.

use super::reduce::Fold;
use crate::{
    interrupt,
    math::{Scalar, Slice, SliceMut},
    pool,
    schedule::Places,
};
use std::ops::Range;

/// Places whose rows are found together.
const CHUNK: usize = 256;

/// Places of single elements between questions whether to go on.
const MANY: usize = 1 << 14;

/// The row of an index that is outside: beyond those of any tensor.
const OUTSIDE: usize = usize::MAX;

/// An integer that names a row.
trait Index: Copy {
    /// The index; what is beyond `i64` becomes its largest value.
    fn index(self) -> i64;
}

macro_rules! index {
    ($($t:ty: |$i:ident| $index:expr;)*) => { $(
        impl Index for $t {
            #[inline(always)]
            fn index(self) -> i64 {
                let $i = self;
                $index
            }
        }
    )* };
}
index! {
    u8: |i| i64::from(i);
    u32: |i| i64::from(i);
    u64: |i| i.min(i64::MAX as u64) as i64;
    i32: |i| i64::from(i);
    i64: |i| i;
}

/// The place of an index on an axis of extent `n`.
#[inline(always)]
fn place_on_axis<const CLIP: bool>(index: i64, n: usize) -> Option<usize> {
    let index = if CLIP { index.min(n as i64 - 1).max(0) } else { index };
    // A negative index is beyond all extents as an unsigned number: one comparison.
    ((index as u64) < n as u64).then_some(index as usize)
}

/// Runs the body with the typed indices and whether they are clipped to the axis, as a constant.
macro_rules! by_index {
    ($slice:expr, $clip:expr, |$indices:ident, $is_clipped:ident| $body:expr) => {{
        macro_rules! with {
            ($typed:expr) => {{
                let $indices = $typed;
                if $clip {
                    const $is_clipped: bool = true;
                    $body
                } else {
                    const $is_clipped: bool = false;
                    $body
                }
            }};
        }
        match $slice {
            Slice::U8(indices) => with!(indices),
            Slice::U32(indices) => with!(indices),
            Slice::U64(indices) => with!(indices),
            Slice::I32(indices) => with!(indices),
            Slice::I64(indices) => with!(indices),
            Slice::Bool(_) | Slice::F32(_) | Slice::F64(_) => unreachable!("indices of type {}", $slice.dtype()),
        }
    }};
}

/// The extent of the axis, if each index names one element.
fn single_axis(places: &Places) -> Option<usize> {
    match (&places.indexed[..], places.n_batches, places.row_len) {
        (&[n], 1, 1) => Some(n),
        _ => None,
    }
}

/// The rows that the places from `start` on name.
#[inline(always)]
fn find_rows<I: Index, const CLIP: bool>(indices: &[I], places: &Places, start: usize, rows: &mut [usize]) {
    if let ([n], 1) = (&places.indexed[..], places.n_batches) {
        for (row, &index) in rows.iter_mut().zip(&indices[start..]) {
            *row = place_on_axis::<CLIP>(index.index(), *n).unwrap_or(OUTSIDE);
        }
        return;
    }
    let k = places.indexed.len();
    let (mut batch, mut left) = (start / places.n_places, places.n_places - start % places.n_places);
    for (i, row) in rows.iter_mut().enumerate() {
        let index = &indices[(start + i) * k..(start + i + 1) * k];
        let mut axes = index.iter().zip(&places.indexed);
        let found = axes.try_fold(batch, |row, (index, &n)| Some(row * n + place_on_axis::<CLIP>(index.index(), n)?));
        *row = found.unwrap_or(OUTSIDE);
        left -= 1;
        if left == 0 {
            (batch, left) = (batch + 1, places.n_places);
        }
    }
}

/// Calls `visit` with the first place of each chunk of a range, and the rows of its places.
#[inline(always)]
fn for_each_chunk(
    places: &Places,
    range: Range<usize>,
    indices: Slice<'_>,
    clip: bool,
    mut visit: impl FnMut(usize, &[usize]),
) {
    let mut all = [OUTSIDE; CHUNK];
    for start in range.clone().step_by(CHUNK) {
        let rows = &mut all[..CHUNK.min(range.end - start)];
        if interrupt::must_cut((ns_per_row(places.row_len) * rows.len() as f64) as u32) {
            return;
        }
        by_index!(indices, clip, |indices, CLIP| find_rows::<_, CLIP>(indices, places, start, rows));
        visit(start, rows);
    }
}

/// About how long the element of a row takes, and a row beside, in nanoseconds: it is where no other one was.
const NS_PER_ELEMENT: f64 = 0.2;
const NS_PER_ROW: f64 = 2.0;

fn ns_per_row(len: usize) -> f64 {
    NS_PER_ROW + NS_PER_ELEMENT * len as f64
}

/// Rows at indices, on several threads where that pays.
pub(super) fn gather<T: Copy + Send + Sync>(
    x: &[T],
    indices: Slice<'_>,
    places: &Places,
    clip: bool,
    outside: T,
    out: &mut [T],
) {
    if let Some(n) = single_axis(places) {
        let x = &x[..n];
        return pool::for_pieces(out, 1, CHUNK, NS_PER_ROW, &|first, out| {
            for (chunk_idx, out) in out.chunks_mut(MANY).enumerate() {
                if interrupt::must_cut((NS_PER_ROW * out.len() as f64) as u32) {
                    return;
                }
                by_index!(indices, clip, |indices, CLIP| {
                    for (out, index) in out.iter_mut().zip(&indices[first + chunk_idx * MANY..]) {
                        *out = place_on_axis::<CLIP>(index.index(), n).map_or(outside, |place| x[place]);
                    }
                });
            }
        });
    }
    let n = places.row_len;
    pool::for_pieces(out, n, CHUNK, ns_per_row(n), &|first, out| {
        for_each_chunk(places, first..first + out.len() / n, indices, clip, |start, rows| {
            let out = &mut out[(start - first) * n..(start - first + rows.len()) * n];
            if n == 1 {
                for (out, &row) in out.iter_mut().zip(rows) {
                    *out = x.get(row).copied().unwrap_or(outside);
                }
                return;
            }
            for (out, &row) in out.chunks_exact_mut(n).zip(rows) {
                match row {
                    OUTSIDE => out.fill(outside),
                    row => out.copy_from_slice(&x[row * n..(row + 1) * n]),
                }
            }
        });
    });
}

/// Brings updates to rows at indices, in order.
#[inline(always)]
fn scatter<T: Copy>(
    indices: Slice<'_>,
    updates: &[T],
    places: &Places,
    out: &mut [T],
    mut update: impl FnMut(&mut T, T),
) {
    if let Some(n) = single_axis(places) {
        let out = &mut out[..n];
        return by_index!(indices, false, |indices, CLIP| {
            for (updates, indices) in updates.chunks(MANY).zip(indices.chunks(MANY)) {
                if interrupt::must_cut((NS_PER_ROW * updates.len() as f64) as u32) {
                    return;
                }
                for (&x, index) in updates.iter().zip(indices) {
                    if let Some(place) = place_on_axis::<CLIP>(index.index(), n) {
                        update(&mut out[place], x);
                    }
                }
            }
        });
    }
    let n = places.row_len;
    for_each_chunk(places, 0..places.n_batches * places.n_places, indices, false, |start, rows| {
        let updates = &updates[start * n..(start + rows.len()) * n];
        if n == 1 {
            for (&x, &row) in updates.iter().zip(rows) {
                if let Some(out) = out.get_mut(row) {
                    update(out, x);
                }
            }
            return;
        }
        for (updates, &row) in updates.chunks_exact(n).zip(rows).filter(|(_, row)| **row != OUTSIDE) {
            out[row * n..(row + 1) * n].iter_mut().zip(updates).for_each(|(out, &x)| update(out, x));
        }
    });
}

/// Replaces rows at indices, in order.
pub(super) fn scatter_set<T: Copy>(indices: Slice<'_>, updates: &[T], places: &Places, out: &mut [T]) {
    scatter(indices, updates, places, out, |out, x| *out = x);
}

/// Combines rows at indices with updates, in order.
pub(super) fn scatter_combine<T: Scalar, F: Fold<T>>(
    indices: Slice<'_>,
    updates: Slice<'_>,
    places: &Places,
    out: SliceMut<'_>,
) {
    scatter(indices, updates.typed(), places, out.typed(), |out: &mut T, x| *out = F::fold(*out, x));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gathers, and scatters ones, more places than a chunk has; compares with one place after the other.
    #[track_caller]
    fn check(places: &Places, clip: bool) {
        let (k, n_places) = (places.indexed.len(), places.n_batches * places.n_places);
        let widest = places.indexed.iter().max().copied().unwrap_or(0) as i64;
        // Some are outside on either side.
        let indices: Vec<i64> = (0..(n_places * k) as i64).map(|i| i * 7919 % (widest + 4) - 2).collect();
        let n_rows: usize = places.n_batches * places.indexed.iter().product::<usize>();
        let x: Vec<u32> = (0..(n_rows * places.row_len) as u32).map(|i| i + 1).collect();
        let (mut expected, mut expected_counts) = (vec![], vec![0u32; x.len()]);
        for place in 0..n_places {
            let mut row = Some(place / places.n_places);
            for (&index, &n) in indices[place * k..].iter().zip(&places.indexed) {
                let index = if clip { index.clamp(0, n as i64 - 1) } else { index };
                row = row.filter(|_| (0..n as i64).contains(&index)).map(|row| row * n + index as usize);
            }
            for i in 0..places.row_len {
                expected.push(row.map_or(0, |row| x[row * places.row_len + i]));
                row.into_iter().for_each(|row| expected_counts[row * places.row_len + i] += 1);
            }
        }
        let mut out = vec![9; expected.len()];
        gather(&x, Slice::I64(&indices), places, clip, 0, &mut out);
        assert_eq!(out, expected);
        let narrow: Vec<i32> = indices.iter().map(|&i| i as i32).collect();
        let mut counts = vec![0u32; x.len()];
        scatter(Slice::I32(&narrow), &vec![1; expected.len()], places, &mut counts, |out, x| *out += x);
        if !clip {
            assert_eq!(counts, expected_counts);
        }
    }

    #[test]
    fn rows_of_any_length_in_any_number_of_axes_and_batches() {
        for row_len in [1, 3] {
            for n_batches in [1, 5] {
                for indexed in [vec![], vec![7], vec![300], vec![3, 4]] {
                    for clip in [false, true] {
                        check(&Places { n_batches, n_places: 321, indexed: indexed.clone(), row_len }, clip);
                    }
                }
            }
        }
    }

    #[test]
    fn indices_beyond_all_extents_are_outside() {
        let places = Places { n_batches: 1, n_places: 3, indexed: vec![2], row_len: 1 };
        let mut out = [0u32; 3];
        gather(&[4, 5], Slice::U64(&[u64::MAX, 1, 1 << 63]), &places, false, 9, &mut out);
        assert_eq!(out, [9, 5, 9]);
        gather(&[4, 5], Slice::U64(&[u64::MAX, 0, 1 << 63]), &places, true, 9, &mut out);
        assert_eq!(out, [5, 4, 5]);
    }
}
