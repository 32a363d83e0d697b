//! Runs of neighbours, each combined to one element.
//!
//! The loops are small functions that end in functions of their own for each kind: how wide the vectors are in which the
//! compiler holds accumulators depends on what else a function does.

use super::{Fold, narrow_blocks_of};
use crate::{kernel::N_ACCUMULATORS, math::Scalar};

/// Element i to accumulator i modulo their number, as far as the last of these gets as many as the first.
#[inline(always)]
fn accumulated<T: Scalar, F: Fold<T>>(x: &[T]) -> [T; N_ACCUMULATORS] {
    let mut accumulators = [F::IDENTITY; N_ACCUMULATORS];
    for chunk in x.as_chunks::<N_ACCUMULATORS>().0 {
        for (accumulator, &x) in accumulators.iter_mut().zip(chunk) {
            *accumulator = F::fold(*accumulator, x);
        }
    }
    accumulators
}

/// All elements, then the accumulators together.
#[inline(always)]
pub(super) fn run_of<T: Scalar, F: Fold<T>>(x: &[T]) -> T {
    let mut accumulators = accumulated::<T, F>(x);
    for (accumulator, &x) in accumulators.iter_mut().zip(x.as_chunks::<N_ACCUMULATORS>().1) {
        *accumulator = F::fold(*accumulator, x);
    }
    joined::<T, F>(accumulators)
}

/// Runs of so many elements, one after the other, which leave nothing.
#[inline(always)]
pub(super) fn even_runs_of<T: Scalar, F: Fold<T>>(x: &[T], out: &mut [T], len: usize) {
    for (out, run) in out.iter_mut().zip(x.chunks_exact(len)) {
        *out = joined::<T, F>(accumulated::<T, F>(run));
    }
}

/// Runs of so many elements: what is left of one is read with the beginning of the next.
#[inline(always)]
pub(super) fn uneven_runs_of<T: Scalar, F: Fold<T>>(x: &[T], out: &mut [T], len: usize) {
    let (n_whole, n_rest) = (len - len % N_ACCUMULATORS, len % N_ACCUMULATORS);
    // Those that are followed by enough.
    let n_first = out.len().min((x.len() + len).saturating_sub(n_whole + N_ACCUMULATORS) / len);
    let (first, last) = out.split_at_mut(n_first);
    for (i, out) in first.iter_mut().enumerate() {
        let (whole, rest) = x[i * len..i * len + n_whole + N_ACCUMULATORS].split_at(n_whole);
        let mut accumulators = accumulated::<T, F>(whole);
        for (k, (accumulator, &x)) in accumulators.iter_mut().zip(rest).enumerate() {
            *accumulator = F::fold(*accumulator, if k < n_rest { x } else { F::NEUTRAL });
        }
        *out = joined::<T, F>(accumulators);
    }
    for (out, run) in last.iter_mut().zip(x[n_first * len..].chunks_exact(len)) {
        *out = run_of::<T, F>(run);
    }
}

/// Runs of so few elements, each combined in order.
#[inline(always)]
pub(super) fn short_runs_of<T: Scalar, F: Fold<T>, const N: usize>(x: &[T], out: &mut [T]) {
    for (out, run) in out.iter_mut().zip(x.as_chunks::<N>().0) {
        *out = run.iter().fold(F::IDENTITY, |so_far, &x| F::fold(so_far, x));
    }
}

/// Short runs, each combined in order, several side by side.
#[inline(always)]
pub(super) fn runs_abreast_of<T: Scalar, F: Fold<T>>(x: &[T], out: &mut [T], len: usize) {
    const ABREAST: usize = 8;
    let (together, rest) = out.as_chunks_mut::<ABREAST>();
    let (of_together, of_rest) = x.split_at(together.len() * ABREAST * len);
    for (out, x) in together.iter_mut().zip(of_together.chunks_exact(ABREAST * len)) {
        let runs: [&[T]; ABREAST] = std::array::from_fn(|i| &x[i * len..(i + 1) * len]);
        let mut results = [F::IDENTITY; ABREAST];
        for k in 0..len {
            let next = runs.map(|run| run[k]);
            for (result, x) in results.iter_mut().zip(next) {
                *result = F::fold(*result, x);
            }
        }
        *out = results;
    }
    narrow_blocks_of::<T, F, 1>(of_rest, rest, len);
}

/// The upper half into the lower one, until one is left.
#[inline(always)]
pub(super) fn joined<T: Scalar, F: Fold<T>>(mut accumulators: [T; N_ACCUMULATORS]) -> T {
    let mut half = N_ACCUMULATORS / 2;
    while half > 0 {
        for i in 0..half {
            accumulators[i] = F::fold(accumulators[i], accumulators[i + half]);
        }
        half /= 2;
    }
    accumulators[0]
}
