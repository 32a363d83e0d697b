//! Copies between dense runs and strided boxes.

use crate::{
    graph::Strided,
    kernel::Padded,
    math::{Scalar, SliceMut},
};

/// Boxes of at most this rank are walked without allocating.
const STACK_RANK: usize = 8;

/// Calls `visit` with place and number of points of each run along the innermost axis, over the points
/// `start..start + n` of a box.
#[inline(always)]
fn for_each_run(strided: &Strided, start: usize, n: usize, mut visit: impl FnMut(usize, usize)) {
    if n == 0 {
        return;
    }
    let (shape, strides) = (&strided.shape[..], &strided.strides[..]);
    let Some(last) = shape.len().checked_sub(1) else { return visit(strided.offset, n) };
    let (mut on_stack, mut on_heap) = ([0; STACK_RANK], vec![]);
    let at: &mut [usize] = if shape.len() <= STACK_RANK {
        &mut on_stack[..shape.len()]
    } else {
        on_heap.resize(shape.len(), 0);
        &mut on_heap
    };
    let (mut rest, mut place) = (start, strided.offset as isize);
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
    let stride = strided.strides.last().copied().unwrap_or(0);
    let mut done = 0;
    for_each_run(strided, start, out.len(), |place, n| {
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
        ..0 => {
            for (out, x) in out.iter_mut().zip(from[..=place].iter().rev().step_by(stride.unsigned_abs())) {
                *out = *x;
            }
        }
    }
}

/// Reads the points `start..start + out.len()` of a box that reaches beyond a tensor.
pub(super) fn read_padded<T: Copy>(padded: &Padded, from: &[T], fill: T, start: usize, out: &mut [T]) {
    let (mut row, mut column, mut done) = (start / padded.row(), start % padded.row(), 0);
    while done < out.len() {
        let n = (out.len() - done).min(padded.row() - column);
        read_padded_row(padded, padded.row_place(row), column, from, fill, &mut out[done..done + n]);
        done += n;
        (row, column) = (row + 1, 0);
    }
}

/// Reads points of one row of such a box, from a column on.
#[inline]
pub(super) fn read_padded_row<T: Copy>(
    padded: &Padded,
    row: Option<isize>,
    column: usize,
    from: &[T],
    fill: T,
    out: &mut [T],
) {
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
    for_each_run(strided, 0, from.len(), |place, n| {
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
        for_each_run(strided, start, out.len(), |place, n| {
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
        let from: Vec<u32> = (0..60).collect();
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

    #[test]
    fn runs_beyond_a_tensor() {
        let padded =
            Padded { shape: vec![3, 5], strides: vec![-3, 2], offset: 4, inside: vec![1..3, 1..4], fill: [0; 16] };
        let from: Vec<u32> = (100..130).collect();
        let expected = [9, 9, 9, 9, 9, 9, 103, 105, 107, 9, 9, 100, 102, 104, 9];
        for start in 0..expected.len() {
            for end in start..=expected.len() {
                let mut out = vec![0; end - start];
                read_padded(&padded, &from, 9, start, &mut out);
                assert_eq!(out, expected[start..end]);
            }
        }
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
}
