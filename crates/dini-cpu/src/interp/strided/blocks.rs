//! Boxes whose rows are short, read by blocks: the points of the innermost axes, which stand at the same distances from
//! each other in every block. A call, or a walk to the next place, for each row would take several times as long as its
//! elements.

use super::{Axes, for_each_run, read_run};
use crate::{
    graph::Strided,
    linalg::{LANES, runs_to_columns},
    math::level::multiversion,
};

/// Rows of at least so many points are read one by one.
const LONG_ROW: usize = 64;

/// Blocks have at most so many points, unless they are rows.
const MAX_BLOCK: usize = 64;

/// Blocks that repeat are copied from what was read before, so many points at least.
const MIN_COPIED: usize = 64;

/// Elements that are moved together.
const WIDE: usize = 8;

/// The innermost axes of a box, if it had better be read by blocks.
#[derive(Clone, Copy)]
pub(super) struct Inner {
    n_axes: usize,
    /// Points of a block.
    len: usize,
    /// From one block to the next of the axis around them.
    step: isize,
    kind: Kind,
}

/// How the points of a block stand.
#[derive(Clone, Copy)]
enum Kind {
    /// Side by side.
    Row,
    /// At one place.
    Element,
    /// So far apart, while those of the next block stand beside them.
    Column(isize),
    /// Anywhere.
    Scattered,
}

impl Inner {
    /// How to read a box.
    pub fn of(Strided { shape, strides, .. }: &Strided) -> Option<Inner> {
        let ([.., n_rows, row], [.., step, stride]) = (&shape[..], &strides[..]) else { return None };
        if !(2..LONG_ROW).contains(row) {
            return None;
        }
        let has_many_rows = *n_rows >= MAX_BLOCK / row;
        let kind = match (stride, step) {
            (1, _) => Kind::Row,
            (0, _) => Kind::Element,
            (_, 1) => Kind::Column(*stride),
            (_, _) => Kind::Scattered,
        };
        if has_many_rows {
            return Some(Inner { n_axes: 1, len: *row, step: *step, kind });
        }
        let (mut n_axes, mut len) = (1, *row);
        while n_axes + 1 < shape.len() && len * shape[shape.len() - 1 - n_axes] <= MAX_BLOCK {
            len *= shape[shape.len() - 1 - n_axes];
            n_axes += 1;
        }
        Some(Inner {
            n_axes,
            len,
            step: strides[shape.len() - 1 - n_axes],
            kind: if n_axes == 1 { kind } else { Kind::Scattered },
        })
    }
}

/// Where the points of a block stand, from the first one on.
struct Offsets([isize; MAX_BLOCK]);

impl Offsets {
    fn new(strided: &Strided, inner: Inner) -> Offsets {
        let first = strided.shape.len() - inner.n_axes;
        let mut offsets = [0; MAX_BLOCK];
        let mut n = 1;
        for (&extent, &stride) in strided.shape[first..].iter().zip(&strided.strides[first..]) {
            // Each place becomes as many as the axis has; the last first, so that none is lost.
            for i in (0..n).rev() {
                for k in (0..extent).rev() {
                    offsets[i * extent + k] = offsets[i] + k as isize * stride;
                }
            }
            n *= extent;
        }
        Offsets(offsets)
    }
}

/// Reads the points `start..start + out.len()` of a box.
pub(super) fn read<T: Copy>(strided: &Strided, inner: Inner, from: &[T], start: usize, out: &mut [T]) {
    let offsets = match inner.kind {
        Kind::Scattered => Offsets::new(strided, inner),
        Kind::Row | Kind::Element | Kind::Column(_) => Offsets([0; MAX_BLOCK]),
    };
    // Points of a block from a column on.
    let part = |place: usize, column: usize, out: &mut [T]| match inner.kind {
        Kind::Row => read_run(from, place + column, 1, out),
        Kind::Element => read_run(from, place, 0, out),
        Kind::Column(stride) => read_run(from, place.wrapping_add_signed(column as isize * stride), stride, out),
        Kind::Scattered => {
            for (out, offset) in out.iter_mut().zip(&offsets.0[column..]) {
                *out = from[place.wrapping_add_signed(*offset)];
            }
        }
    };
    let whole = |place: usize, out: &mut [T]| {
        let Inner { len, step, .. } = inner;
        match inner.kind {
            Kind::Row => rows(from, place, step, len, out),
            Kind::Element => elements(from, place, step, len, out),
            Kind::Column(stride) => columns(from, place, stride, len, out),
            Kind::Scattered => scattered(from, place, step, &offsets.0[..len], out),
        }
    };
    let len = inner.len;
    let (mut column, mut done) = (start % len, 0);
    let n_blocks = (column + out.len()).div_ceil(len);
    for_each_run(Axes::around(strided, inner.n_axes), start / len, n_blocks, |mut place, mut n_blocks| {
        let mut out = &mut out[done..];
        out = out.split_at_mut(out.len().min(n_blocks * len - column)).0;
        done += out.len();
        if column > 0 {
            let (first, others) = out.split_at_mut(out.len().min(len - column));
            part(place, column, first);
            (out, column) = (others, 0);
            (place, n_blocks) = (place.wrapping_add_signed(inner.step), n_blocks - 1);
        }
        let (blocks, last) = out.split_at_mut(out.len() / len * len);
        if inner.step == 0 {
            repeat(blocks, len, |blocks| whole(place, blocks));
        } else {
            whole(place, blocks);
        }
        if !last.is_empty() {
            part(place.wrapping_add_signed((n_blocks - 1) as isize * inner.step), 0, last);
        }
    });
}

/// Fills with blocks that are all the same, by way of something that reads a few.
fn repeat<T: Copy>(out: &mut [T], len: usize, read: impl FnOnce(&mut [T])) {
    let mut done = out.len().min(MIN_COPIED.next_multiple_of(len));
    read(&mut out[..done]);
    while done < out.len() {
        let n = done.min(out.len() - done);
        out.copy_within(..n, done);
        done += n;
    }
}

/// The place of each block.
#[inline(always)]
fn places(first: usize, step: isize) -> impl Iterator<Item = usize> {
    (0..).map(move |i: isize| first.wrapping_add_signed(i * step))
}

/// Calls a function for a length below [`WIDE`] as a constant.
macro_rules! by_length {
    ($len:expr, $short:ident($($arg:expr),*), else $long:expr) => {
        match $len {
            1 => $short::<_, 1>($($arg),*),
            2 => $short::<_, 2>($($arg),*),
            3 => $short::<_, 3>($($arg),*),
            4 => $short::<_, 4>($($arg),*),
            5 => $short::<_, 5>($($arg),*),
            6 => $short::<_, 6>($($arg),*),
            7 => $short::<_, 7>($($arg),*),
            _ => $long,
        }
    };
}

#[inline(always)]
fn short_rows<T: Copy, const N: usize>(from: &[T], place: usize, step: isize, out: &mut [T]) {
    for (out, place) in out.as_chunks_mut::<N>().0.iter_mut().zip(places(place, step)) {
        *out = *from[place..].first_chunk().expect("a row is inside");
    }
}

#[inline(always)]
fn short_elements<T: Copy, const N: usize>(from: &[T], place: usize, step: isize, out: &mut [T]) {
    for (out, place) in out.as_chunks_mut::<N>().0.iter_mut().zip(places(place, step)) {
        *out = [from[place]; N];
    }
}

#[inline(always)]
fn short_columns<T: Copy, const N: usize>(from: &[T], place: usize, stride: isize, out: &mut [T]) {
    let n = out.len() / N;
    let columns: [&[T]; N] = std::array::from_fn(|i| &from[place.wrapping_add_signed(i as isize * stride)..][..n]);
    for (i, out) in out.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        // Not as one array: its elements would take the way over the stack.
        for (out, column) in out.iter_mut().zip(columns) {
            *out = column[i];
        }
    }
}

#[inline(always)]
fn short_scattered<T: Copy, const N: usize>(from: &[T], place: usize, step: isize, offsets: &[isize], out: &mut [T]) {
    let offsets: &[isize; N] = offsets.first_chunk().expect("one for each point");
    for (out, place) in out.as_chunks_mut::<N>().0.iter_mut().zip(places(place, step)) {
        for (out, &offset) in out.iter_mut().zip(offsets) {
            *out = from[place.wrapping_add_signed(offset)];
        }
    }
}

/// Blocks of at least eight elements so far apart, each beside that of the block before.
fn transpose<T: Copy>(from: &[T], place: usize, stride: isize, len: usize, out: &mut [T]) {
    let n_blocks = out.len() / len;
    match usize::try_from(stride) {
        Ok(stride) if stride >= n_blocks && n_blocks >= LANES => {
            for column in (0..len).step_by(LANES) {
                // The last columns overlap those before.
                let column = column.min(len - LANES);
                runs_to_columns(&from[place + column * stride..], stride, out, len, 0..n_blocks, column);
            }
        }
        Ok(_) | Err(_) => {
            for (i, out) in out.chunks_exact_mut(len).enumerate() {
                for (out, place) in out.iter_mut().zip(places(place + i, stride)) {
                    *out = from[place];
                }
            }
        }
    }
}

multiversion! {
    /// Blocks of neighbours.
    fn rows<T: Copy>(from: &[T], place: usize, step: isize, len: usize, out: &mut [T]) {
        by_length!(len, short_rows(from, place, step, out), else {
            for (out, place) in out.chunks_exact_mut(len).zip(places(place, step)) {
                let row = &from[place..place + len];
                for (out, row) in out.as_chunks_mut::<WIDE>().0.iter_mut().zip(row.as_chunks::<WIDE>().0) {
                    *out = *row;
                }
                // What is left, with some of what is done.
                if let (Some(out), Some(row)) = (out.last_chunk_mut::<WIDE>(), row.last_chunk::<WIDE>()) {
                    *out = *row;
                }
            }
        })
    }

    /// Blocks of one element.
    fn elements<T: Copy>(from: &[T], place: usize, step: isize, len: usize, out: &mut [T]) {
        by_length!(len, short_elements(from, place, step, out), else {
            for (out, place) in out.chunks_exact_mut(len).zip(places(place, step)) {
                let wide = [from[place]; WIDE];
                out.as_chunks_mut::<WIDE>().0.fill(wide);
                if let Some(out) = out.last_chunk_mut() {
                    *out = wide;
                }
            }
        })
    }

    /// Blocks of elements so far apart, each beside that of the block before.
    fn columns<T: Copy>(from: &[T], place: usize, stride: isize, len: usize, out: &mut [T]) {
        by_length!(len, short_columns(from, place, stride, out), else {
            transpose(from, place, stride, len, out);
        })
    }

    /// Blocks of elements anywhere.
    fn scattered<T: Copy>(from: &[T], place: usize, step: isize, offsets: &[isize], out: &mut [T]) {
        by_length!(offsets.len(), short_scattered(from, place, step, offsets, out), else {
            for (out, place) in out.chunks_exact_mut(offsets.len()).zip(places(place, step)) {
                for (out, &offset) in out.iter_mut().zip(offsets) {
                    *out = from[place.wrapping_add_signed(offset)];
                }
            }
        })
    }
}
