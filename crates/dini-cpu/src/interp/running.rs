//! Cumulative combinations: each element becomes the combination of all up to it, one after the other. They read elements
//! of their own, or in place what they write.
//!
//! Along the innermost axis every element waits for the one before. So several rows run abreast, as many as it takes for
//! the processor not to wait; along other axes neighbours run together in vectors.

use super::reduce::{Fold, Folding};
use crate::math::{Scalar, Slice, SliceMut, level::multiversion};

/// Rows that run abreast, which hide the latency of a sum. More are too many streams to fetch ahead of (of 1000 × 1000 `f64`
/// on Zen 4, four take about half as long as one, eight longer).
pub(super) const ABREAST: usize = 4;

/// The loops for elements of one type that combine in one way. `bool`s say whether they begin at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// Fills a state with what changes nothing that is combined with it.
    pub restart: fn(SliceMut<'_>),
    /// Rows as long as the state, which each of them continues.
    pub rows: fn(Option<Slice<'_>>, SliceMut<'_>, SliceMut<'_>, bool),
    /// Runs of so many neighbours, that stand so far apart: each continues an element of the state.
    pub abreast: fn(Option<Slice<'_>>, SliceMut<'_>, usize, usize, SliceMut<'_>, bool),
    /// Blocks of so many rows of so many elements each, which continue nothing.
    pub blocks: fn(Option<Slice<'_>>, SliceMut<'_>, usize, usize, bool),
}

pub(super) fn loops<P: Folding>() -> Running {
    Running { restart: restart::<P>, rows: rows::<P>, abreast: abreast::<P>, blocks: blocks::<P> }
}

fn restart<P: Folding>(state: SliceMut<'_>) {
    state.typed::<P::Element>().fill(P::Fold::NEUTRAL);
}

/// Where elements to combine come from.
trait Source<T>: Copy {
    /// Those of a part.
    fn part(self, from: usize, n: usize) -> Self;
    /// One, of which the place that it goes to holds something.
    fn get(self, i: usize, there: T) -> T;
}

impl<T> Source<T> for () {
    #[inline(always)]
    fn part(self, _: usize, _: usize) {}
    #[inline(always)]
    fn get(self, _: usize, there: T) -> T {
        there
    }
}

impl<T: Copy> Source<T> for &[T] {
    #[inline(always)]
    fn part(self, from: usize, n: usize) -> Self {
        &self[from..from + n]
    }
    #[inline(always)]
    fn get(self, i: usize, _: T) -> T {
        self[i]
    }
}

/// Calls `step` with the numbers below `n`, from either end.
#[inline(always)]
fn for_each(n: usize, backward: bool, step: impl FnMut(usize)) {
    if backward { (0..n).rev().for_each(step) } else { (0..n).for_each(step) }
}

/// As many runs as there are states.
#[inline(always)]
fn runs_of<T: Scalar, F: Fold<T>, const N: usize>(
    x: impl Source<T>,
    out: &mut [T],
    stride: usize,
    len: usize,
    state: &mut [T; N],
    backward: bool,
) {
    let mut runs = out.chunks_mut(stride);
    let mut runs: [&mut [T]; N] = std::array::from_fn(|_| &mut runs.next().expect("there are all of them")[..len]);
    let x: [_; N] = std::array::from_fn(|run| x.part(run * stride, len));
    let mut so_far = *state;
    for_each(len, backward, |k| {
        for run in 0..N {
            so_far[run] = F::fold(so_far[run], x[run].get(k, runs[run][k]));
            runs[run][k] = so_far[run];
        }
    });
    *state = so_far;
}

#[inline(always)]
fn all_runs_of<T: Scalar, F: Fold<T>>(
    x: impl Source<T>,
    out: &mut [T],
    stride: usize,
    len: usize,
    state: &mut [T],
    backward: bool,
) {
    // Where the runs up to one begin, or else end with the last one.
    let n_states = state.len();
    let part = |first: usize, n: usize| {
        let end = if first + n == n_states { (n_states - 1) * stride + len } else { (first + n) * stride };
        (first * stride, end - first * stride)
    };
    let (chunks, rest) = state.as_chunks_mut::<ABREAST>();
    let n_abreast = chunks.len() * ABREAST;
    for (i, state) in chunks.iter_mut().enumerate() {
        let (from, n) = part(i * ABREAST, ABREAST);
        runs_of::<T, F, ABREAST>(x.part(from, n), &mut out[from..from + n], stride, len, state, backward);
    }
    for (i, state) in rest.iter_mut().enumerate() {
        let (from, n) = part(n_abreast + i, 1);
        let state = std::array::from_mut(state);
        runs_of::<T, F, 1>(x.part(from, n), &mut out[from..from + n], stride, len, state, backward);
    }
}

#[inline(always)]
fn rows_of<T: Scalar, F: Fold<T>>(x: impl Source<T>, out: &mut [T], state: &mut [T], backward: bool) {
    let n = state.len();
    for_each(out.len() / n, backward, |k| {
        let (x, out) = (x.part(k * n, n), &mut out[k * n..(k + 1) * n]);
        for i in 0..n {
            state[i] = F::fold(state[i], x.get(i, out[i]));
            out[i] = state[i];
        }
    });
}

/// The first row of a block stays what it is. The processor begins with short runs before it is done with those before.
#[inline(always)]
fn blocks_of<T: Scalar, F: Fold<T>>(x: impl Source<T>, out: &mut [T], reduced: usize, inner: usize, backward: bool) {
    if inner == 1 {
        for start in (0..out.len()).step_by(reduced) {
            let (x, out) = (x.part(start, reduced), &mut out[start..start + reduced]);
            let mut so_far = F::NEUTRAL;
            for_each(reduced, backward, |k| {
                so_far = F::fold(so_far, x.get(k, out[k]));
                out[k] = so_far;
            });
        }
        return;
    }
    for start in (0..out.len()).step_by(reduced * inner) {
        let (x, out) = (x.part(start, reduced * inner), &mut out[start..start + reduced * inner]);
        for_each(reduced, backward, |k| {
            let (at, is_first) = (k * inner, k == if backward { reduced - 1 } else { 0 });
            let x = x.part(at, inner);
            if is_first {
                (0..inner).for_each(|i| out[at + i] = x.get(i, out[at + i]));
                return;
            }
            let (low, high) = out.split_at_mut(if backward { at + inner } else { at });
            let (now, before) =
                if backward { (&mut low[at..], &high[..inner]) } else { (&mut high[..inner], &low[at - inner..]) };
            for i in 0..inner {
                now[i] = F::fold(before[i], x.get(i, now[i]));
            }
        });
    }
}

multiversion! {
    fn rows<P: Folding>(x: Option<Slice<'_>>, out: SliceMut<'_>, state: SliceMut<'_>, backward: bool) {
        let (out, state) = (out.typed::<P::Element>(), state.typed::<P::Element>());
        match x {
            Some(x) => rows_of::<_, P::Fold>(x.typed(), out, state, backward),
            None => rows_of::<_, P::Fold>((), out, state, backward),
        }
    }

    fn blocks<P: Folding>(x: Option<Slice<'_>>, out: SliceMut<'_>, reduced: usize, inner: usize, backward: bool) {
        let out = out.typed::<P::Element>();
        match x {
            Some(x) => blocks_of::<_, P::Fold>(x.typed(), out, reduced, inner, backward),
            None => blocks_of::<_, P::Fold>((), out, reduced, inner, backward),
        }
    }
}

/// For one instruction set: with wide vectors the compiler would put them together from elements of all runs.
fn abreast<P: Folding>(
    x: Option<Slice<'_>>,
    out: SliceMut<'_>,
    stride: usize,
    len: usize,
    state: SliceMut<'_>,
    backward: bool,
) {
    let (out, state) = (out.typed::<P::Element>(), state.typed::<P::Element>());
    match x {
        Some(x) => all_runs_of::<_, P::Fold>(x.typed(), out, stride, len, state, backward),
        None => all_runs_of::<_, P::Fold>((), out, stride, len, state, backward),
    }
}
