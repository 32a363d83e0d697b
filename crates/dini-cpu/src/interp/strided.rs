//! Copies between dense runs and strided boxes: row by row, or where rows are short [block by block](blocks).

mod blocks;

use crate::{
    graph::Strided,
    kernel::Padded,
    math::{Scalar, SliceMut},
};
use blocks::Inner;

/// Boxes of at most this rank are walked without allocating.
const STACK_RANK: usize = 8;

/// The axes of a box, or those around the innermost ones.
#[derive(Clone, Copy)]
struct Axes<'a> {
    shape: &'a [usize],
    strides: &'a [isize],
    offset: usize,
}

impl<'a> Axes<'a> {
    /// Those of a box but for so many of the innermost.
    fn around(strided: &'a Strided, n_inner: usize) -> Axes<'a> {
        let n = strided.shape.len() - n_inner;
        Axes { shape: &strided.shape[..n], strides: &strided.strides[..n], offset: strided.offset }
    }
}

/// Calls `visit` with place and number of points of each run along the innermost axis, over the points
/// `start..start + n`.
#[inline(always)]
fn for_each_run(axes: Axes<'_>, start: usize, n: usize, mut visit: impl FnMut(usize, usize)) {
    if n == 0 {
        return;
    }
    let Axes { shape, strides, offset } = axes;
    let Some(last) = shape.len().checked_sub(1) else { return visit(offset, n) };
    let (mut on_stack, mut on_heap) = ([0; STACK_RANK], vec![]);
    let at: &mut [usize] = if shape.len() <= STACK_RANK {
        &mut on_stack[..shape.len()]
    } else {
        on_heap.resize(shape.len(), 0);
        &mut on_heap
    };
    let (mut rest, mut place) = (start, offset as isize);
    for axis in (0..shape.len()).rev() {
        at[axis] = rest % shape[axis];
        rest /= shape[axis];
        place += at[axis] as isize * strides[axis];
    }
    let mut left = n;
    loop {
        let run = left.min(shape[last] - at[last]);
        visit(place as usize, run);
        left -= run;
        if left == 0 {
            return;
        }
        place -= at[last] as isize * strides[last];
        at[last] = 0;
        let mut axis = last;
        loop {
            axis -= 1;
            at[axis] += 1;
            place += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            place -= at[axis] as isize * strides[axis];
            at[axis] = 0;
        }
    }
}

/// Reads the points `start..start + out.len()` of a box of a tensor.
pub(super) fn read<T: Copy>(strided: &Strided, from: &[T], start: usize, out: &mut [T]) {
    if let Some(inner) = Inner::of(strided) {
        return blocks::read(strided, inner, from, start, out);
    }
    let stride = strided.strides.last().copied().unwrap_or(0);
    let mut done = 0;
    for_each_run(Axes::around(strided, 0), start, out.len(), |place, n| {
        read_run(from, place, stride, &mut out[done..done + n]);
        done += n;
    });
}

/// Reads elements that stand a stride apart, of which there is at least one.
#[inline(always)]
fn read_run<T: Copy>(from: &[T], place: usize, stride: isize, out: &mut [T]) {
    match stride {
        1 => out.copy_from_slice(&from[place..place + out.len()]),
        0 => out.fill(from[place]),
        2.. => {
            for (out, x) in out.iter_mut().zip(from[place..].iter().step_by(stride as usize)) {
                *out = *x;
            }
        }
        -1 => {
            for (out, x) in out.iter_mut().zip(from[..=place].iter().rev()) {
                *out = *x;
            }
        }
        ..-1 => {
            for (out, x) in out.iter_mut().zip(from[..=place].iter().rev().step_by(stride.unsigned_abs())) {
                *out = *x;
            }
        }
    }
}

/// Reads the points `start..start + out.len()` of a box that reaches beyond a tensor.
pub(super) fn read_padded<T: Copy>(padded: &Padded, from: &[T], fill: T, start: usize, out: &mut [T]) {
    read_padded_rows(padded, start / padded.row(), start % padded.row(), from, fill, out);
}

/// Reads points of such a box, from a column of a row on.
#[inline]
pub(super) fn read_padded_rows<T: Copy>(
    padded: &Padded,
    mut row: usize,
    mut column: usize,
    from: &[T],
    fill: T,
    mut out: &mut [T],
) {
    while !out.is_empty() {
        let row_len = padded.row();
        let n_whole = if column == 0 && padded.has_rows_side_by_side() { out.len() / row_len } else { 0 };
        let n_rows = if n_whole > 1 { padded.alike(row).min(n_whole) } else { 1 };
        let n = if n_rows > 1 { n_rows * row_len } else { out.len().min(row_len - column) };
        let (part, rest) = out.split_at_mut(n);
        let place = padded.row_place(row);
        if n_rows > 1 {
            read_rows_side_by_side(padded, place, from, fill, part);
        } else {
            read_padded_row(padded, place, column, from, fill, part);
        }
        out = rest;
        (row, column) = (row + n_rows, 0);
    }
}

/// Reads whole rows that stand side by side, all of them inside or none: one copy, and what is beyond it afterwards.
fn read_rows_side_by_side<T: Copy>(padded: &Padded, first: Option<isize>, from: &[T], fill: T, out: &mut [T]) {
    let (columns, row_len) = (padded.columns(), padded.row());
    let Some(first) = first.filter(|_| !columns.is_empty()) else { return out.fill(fill) };
    let whole = columns.start..out.len() - row_len + columns.end;
    let place = (first + columns.start as isize) as usize;
    out[whole.clone()].copy_from_slice(&from[place..place + whole.len()]);
    for row in out.chunks_exact_mut(row_len) {
        row[..columns.start].fill(fill);
        row[columns.end..].fill(fill);
    }
}

/// Reads points of one row, from a column on.
fn read_padded_row<T: Copy>(padded: &Padded, row: Option<isize>, column: usize, from: &[T], fill: T, out: &mut [T]) {
    let (columns, stride) = (padded.columns(), padded.strides[padded.strides.len() - 1]);
    let first = columns.start.clamp(column, column + out.len()) - column;
    let end = columns.end.clamp(column, column + out.len()) - column;
    match row {
        Some(place) if first < end => {
            out[..first].fill(fill);
            out[end..].fill(fill);
            let place = place + (column + first) as isize * stride;
            read_run(from, place as usize, stride, &mut out[first..end]);
        }
        Some(_) | None => out.fill(fill),
    }
}

/// Writes a dense tensor to a box of another one.
pub(super) fn write<T: Copy>(strided: &Strided, from: &[T], to: &mut [T]) {
    let stride = strided.strides.last().copied().unwrap_or(0);
    let mut done = 0;
    for_each_run(Axes::around(strided, 0), 0, from.len(), |place, n| {
        let from = &from[done..done + n];
        match stride {
            1 => to[place..place + n].copy_from_slice(from),
            0 => to[place] = from[n - 1],
            2.. => {
                for (to, x) in to[place..].iter_mut().step_by(stride as usize).zip(from) {
                    *to = *x;
                }
            }
            ..0 => {
                for (to, x) in to[..=place].iter_mut().rev().step_by(stride.unsigned_abs()).zip(from) {
                    *to = *x;
                }
            }
        }
        done += n;
    });
}

/// Writes the places of the points `start..start + out.len()` of a box, as numbers.
pub(super) fn count(strided: &Strided, start: usize, out: SliceMut<'_>) {
    fn fill<T: Scalar>(strided: &Strided, start: usize, out: &mut [T], number: impl Fn(usize) -> T) {
        let stride = strided.strides.last().copied().unwrap_or(0);
        let mut done = 0;
        for_each_run(Axes::around(strided, 0), start, out.len(), |place, n| {
            for (i, out) in out[done..done + n].iter_mut().enumerate() {
                *out = number(place.wrapping_add_signed(i as isize * stride));
            }
            done += n;
        });
    }
    match out {
        SliceMut::Bool(out) => fill(strided, start, out, |n| n != 0),
        SliceMut::U8(out) => fill(strided, start, out, |n| n as u8),
        SliceMut::U32(out) => fill(strided, start, out, |n| n as u32),
        SliceMut::U64(out) => fill(strided, start, out, |n| n as u64),
        SliceMut::I32(out) => fill(strided, start, out, |n| n as i32),
        SliceMut::I64(out) => fill(strided, start, out, |n| n as i64),
        SliceMut::F32(out) => fill(strided, start, out, |n| n as f32),
        SliceMut::F64(out) => fill(strided, start, out, |n| n as f64),
    }
}

/// Calls the function with the unsigned type of the same size as elements of this type; nothing for types without
/// bytes.
macro_rules! with_bits {
    ($dtype:expr, $bits:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $bits = u8;
                $body
            }
            4 => {
                type $bits = u32;
                $body
            }
            8 => {
                type $bits = u64;
                $body
            }
            16 => {
                type $bits = u128;
                $body
            }
            _ => {}
        }
    };
}
pub(super) use with_bits;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: &[usize], strides: &[isize], offset: usize) {
        let strided = Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset };
        let from: Vec<u32> = (0..400).collect();
        let mut expected = vec![];
        strided.for_each_index(|i| expected.push(i as u32));
        for start in 0..expected.len() {
            for end in start..=expected.len() {
                let mut out = vec![99; end - start];
                read(&strided, &from, start, &mut out);
                assert_eq!(out, expected[start..end]);
                let mut counted = vec![99.0; end - start];
                count(&strided, start, SliceMut::F64(&mut counted));
                assert!(counted.iter().zip(&out).all(|(c, x)| *c == f64::from(*x)));
            }
        }
        let parts: Vec<u32> = (100..100 + expected.len() as u32).collect();
        let mut to = from.clone();
        write(&strided, &parts, &mut to);
        let mut expected_to = from;
        expected.iter().zip(&parts).for_each(|(&i, &part)| expected_to[i as usize] = part);
        assert_eq!(to, expected_to);
    }

    #[track_caller]
    fn check_padded(padded: &Padded, expected: &[u32]) {
        let from: Vec<u32> = (100..130).collect();
        for start in 0..expected.len() {
            for end in start..=expected.len() {
                let mut out = vec![0; end - start];
                read_padded(padded, &from, 9, start, &mut out);
                assert_eq!(out, expected[start..end], "{start}..{end}");
            }
        }
    }

    #[test]
    fn runs_beyond_a_tensor() {
        let padded =
            Padded { shape: vec![3, 5], strides: vec![-3, 2], offset: 4, inside: vec![1..3, 1..4], fill: [0; 16] };
        check_padded(&padded, &[9, 9, 9, 9, 9, 9, 103, 105, 107, 9, 9, 100, 102, 104, 9]);
    }

    #[test]
    fn runs_of_rows_side_by_side() {
        let padded = Padded {
            shape: vec![2, 4, 3],
            strides: vec![12, 3, 1],
            offset: 1,
            inside: vec![0..2, 1..3, 0..2],
            fill: [0; 16],
        };
        let one = |first: u32| [9, 9, 9, first, first + 1, 9, first + 3, first + 4, 9, 9, 9, 9];
        check_padded(&padded, &[one(104), one(116)].concat());
        // The first and the last row outside, and the row between whole.
        let inside = vec![1..2, 0..4, 0..3];
        let padded = Padded { shape: vec![3, 4, 3], offset: -9, inside, ..padded };
        check_padded(&padded, &[vec![9; 12], (103..115).collect(), vec![9; 12]].concat());
    }

    #[test]
    fn runs() {
        check(&[4], &[1], 3);
        check(&[3, 4], &[1, 3], 0);
        check(&[3, 4], &[-4, -1], 20);
        check(&[2, 3, 2], &[0, 7, 2], 1);
        check(&[3, 2], &[1, 0], 5);
        check(&[2; 9], &[0, 0, 0, 1, 2, 4, 8, 16, 0], 0);
    }

    /// Rows of any short length: the same ones, parts of longer ones, single elements, columns and backward.
    #[test]
    fn short_rows() {
        for row in (2..10).chain([17, 31, 63, 64]) {
            let n = (150 / row).max(3);
            let across = n as isize;
            check(&[n, row], &[0, 1], 3);
            check(&[n, row], &[row as isize + 1, 1], 3);
            check(&[n, row], &[-1, 0], n);
            check(&[n, row], &[1, across], 3);
            check(&[n, row], &[row as isize, -1], row);
            check(&[n, row], &[0, 2], 3);
        }
    }

    #[test]
    fn short_blocks() {
        check(&[40, 2, 3], &[6, 1, 2], 1);
        check(&[40, 3, 2], &[0, 1, 3], 1);
        check(&[3, 20, 4], &[4, 0, 1], 2);
        check(&[3, 20, 4], &[20, 1, 0], 2);
        check(&[3, 2, 2, 2, 2, 2, 2], &[100, 1, 2, 4, 8, 16, 32], 0);
        check(&[2, 5, 7, 3], &[105, 21, -1, 7], 8);
    }
}
