//! The operations that are neither kernels nor library calls, as loops over slices. Nothing here knows of slots.

use super::strided;
use crate::{
    element::index_at,
    graph::Strided,
    math::{Scalar, Slice, SliceMut},
    schedule::{Axis, Window},
};

/// Runs the body with the element type of a slice.
macro_rules! by_type {
    ($dispatch:expr, $t:ident => $body:expr) => {{
        use crate::dtype::DType;
        match $dispatch {
            DType::Bool => {
                type $t = bool;
                $body
            }
            DType::U8 => {
                type $t = u8;
                $body
            }
            DType::U32 => {
                type $t = u32;
                $body
            }
            DType::U64 => {
                type $t = u64;
                $body
            }
            DType::I32 => {
                type $t = i32;
                $body
            }
            DType::I64 => {
                type $t = i64;
                $body
            }
            DType::F32 => {
                type $t = f32;
                $body
            }
            DType::F64 => {
                type $t = f64;
                $body
            }
            other @ (DType::C64 | DType::C128 | DType::Float0) => unreachable!("no arithmetic on {other}"),
        }
    }};
}

/// Index of the first largest or smallest element along an axis; a NaN wins.
pub(super) fn arg_reduce(x: Slice<'_>, axis: Axis, largest: bool, mut out: SliceMut<'_>) {
    fn best<T: Scalar>(x: &[T], axis: Axis, largest: bool, mut put: impl FnMut(usize, usize)) {
        // Only NaN differs from itself.
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        for block in 0..axis.outer {
            for i in 0..axis.inner {
                let start = block * axis.len * axis.inner + i;
                let (mut best, mut best_x) = (0, x[start]);
                for k in 1..axis.len {
                    if is_nan(best_x) {
                        break;
                    }
                    let x = x[start + k * axis.inner];
                    if is_nan(x) || if largest { x > best_x } else { x < best_x } {
                        (best, best_x) = (k, x);
                    }
                }
                put(block * axis.inner + i, best);
            }
        }
    }
    let dtype = x.dtype();
    by_type!(dtype, T => best::<T>(x.typed(), axis, largest, |i, k| match &mut out {
        SliceMut::U8(out) => out[i] = k as u8,
        SliceMut::U32(out) => out[i] = k as u32,
        SliceMut::U64(out) => out[i] = k as u64,
        SliceMut::I32(out) => out[i] = k as i32,
        SliceMut::I64(out) => out[i] = k as i64,
        SliceMut::Bool(_) | SliceMut::F32(_) | SliceMut::F64(_) => unreachable!("an index is an integer"),
    }));
}

/// Fills, then writes parts to their boxes.
pub(super) fn assemble<'a, T: Copy + 'a>(fill: T, parts: impl Iterator<Item = (&'a [T], &'a Strided)>, out: &mut [T]) {
    out.fill(fill);
    for (part, strided) in parts {
        strided::write(strided, part, out);
    }
}

/// Where the box of one batch starts.
fn window_start(window: &Window, starts: Slice<'_>, batch: usize) -> usize {
    let rank = window.sizes.len();
    let mut place = batch * window.batch_len;
    for axis in 0..rank {
        let start = index_at(starts, batch * rank + axis).clamp(0, window.max_starts[axis] as i64);
        place += start as usize * window.strides[axis];
    }
    place
}

/// Calls `visit` with box index, tensor index and length of each run of neighbours of the boxes.
fn for_each_window_run(window: &Window, starts: Slice<'_>, mut visit: impl FnMut(usize, usize, usize)) {
    // Trailing axes that the box spans wholly continue the run.
    let rank = window.sizes.len();
    let mut n_outer = rank;
    let mut run = 1;
    while n_outer > 0 {
        n_outer -= 1;
        run *= window.sizes[n_outer];
        if window.max_starts[n_outer] > 0 {
            break;
        }
    }
    let n_runs: usize = window.sizes[..n_outer].iter().product();
    if run == 0 {
        return;
    }
    let mut done = 0;
    for batch in 0..window.n_batches {
        let start = window_start(window, starts, batch);
        for i in 0..n_runs {
            let (mut rest, mut place) = (i, start);
            for axis in (0..n_outer).rev() {
                place += rest % window.sizes[axis] * window.strides[axis];
                rest /= window.sizes[axis];
            }
            visit(done, place, run);
            done += run;
        }
    }
}

pub(super) fn dynamic_slice<T: Copy>(x: &[T], starts: Slice<'_>, window: &Window, out: &mut [T]) {
    for_each_window_run(window, starts, |i, place, n| out[i..i + n].copy_from_slice(&x[place..place + n]));
}

pub(super) fn dynamic_update<T: Copy>(update: &[T], starts: Slice<'_>, window: &Window, out: &mut [T]) {
    for_each_window_run(window, starts, |i, place, n| out[place..place + n].copy_from_slice(&update[i..i + n]));
}
