//! Combining elements in a fixed order.
//!
//! The order depends on the shape alone. Floats are added in many short sums instead of one long one: within a tile by
//! [`N_ACCUMULATORS`] that elements take in turns, between tiles by a [`Cascade`], so that the rounding error grows with
//! the logarithm of the length, as in pairwise summation (Higham, "The accuracy of floating point summation", 1993).

mod runs;

use super::{
    places,
    running::{self, Running},
};
use crate::{
    dtype::DType,
    graph::Combine,
    kernel::N_ACCUMULATORS,
    math::{Scalar, Slice, SliceMut, level::multiversion},
    schedule::Places,
};
use runs::{even_runs_of, joined, run_of, runs_abreast_of, short_runs_of, uneven_runs_of};
use std::marker::PhantomData;

/// Number of partial results that one level of a cascade combines one after the other.
const RADIX: u32 = 16;

/// Levels of a cascade: enough for 2⁶⁴ partial results.
pub(super) const MAX_LEVELS: usize = 16;

/// The loops that combine elements of one type in one way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folds {
    /// All elements to one, into the result.
    pub run: fn(Slice<'_>, SliceMut<'_>),
    /// Row by row of the result's length (the last may be shorter), into the result.
    pub rows: fn(Slice<'_>, SliceMut<'_>),
    /// Blocks of `reduced × inner` elements to `inner` each, replacing the result.
    pub blocks: fn(Slice<'_>, SliceMut<'_>, usize, usize),
    /// Accumulators to one, into the result; they are cleared.
    pub join: fn(SliceMut<'_>, SliceMut<'_>),
    /// Fills with the result of combining nothing.
    pub clear: fn(SliceMut<'_>),
    /// For levels of a width, one after the other: combines one into the next and clears it.
    spill_level: fn(SliceMut<'_>, usize, usize),
    /// Cumulative combinations.
    pub running: Running,
    /// Combines rows named by indices with updates.
    pub scatter: fn(Slice<'_>, Slice<'_>, &Places, SliceMut<'_>),
}

/// A way to combine elements of one type.
pub(super) trait Fold<T> {
    /// What combining nothing gives.
    const IDENTITY: T;
    /// What changes nothing that is combined with it.
    const NEUTRAL: T = Self::IDENTITY;
    /// Whether it takes so long that the processor should combine several runs at a time.
    const IS_SLOW: bool = false;
    fn fold(a: T, b: T) -> T;
}

struct Add;
struct Mul;
struct Max;
struct Min;
struct And;
struct Or;

macro_rules! fold {
    ($($name:ident { $([$($t:ty)*] $identity:expr, |$a:ident, $b:ident| $e:expr;)* })*) => { $($($(
        impl Fold<$t> for $name {
            const IDENTITY: $t = $identity;
            #[inline(always)]
            fn fold($a: $t, $b: $t) -> $t { $e }
        }
    )*)*)* };
}
fold! {
    Add {
        [u8 u32 u64 i32 i64] 0, |a, b| a.wrapping_add(b);
        [bool] false, |a, b| a | b;
    }
    Mul {
        [f32 f64] 1.0, |a, b| a * b;
        [u8 u32 u64 i32 i64] 1, |a, b| a.wrapping_mul(b);
        [bool] true, |a, b| a & b;
    }
    Max {
        [u8 u32 u64] 0, |a, b| a.max(b);
        [i32] i32::MIN, |a, b| a.max(b);
        [i64] i64::MIN, |a, b| a.max(b);
        [bool] false, |a, b| a | b;
    }
    Min {
        [u8] u8::MAX, |a, b| a.min(b);
        [u32] u32::MAX, |a, b| a.min(b);
        [u64] u64::MAX, |a, b| a.min(b);
        [i32] i32::MAX, |a, b| a.min(b);
        [i64] i64::MAX, |a, b| a.min(b);
        [bool] true, |a, b| a & b;
    }
    And {
        [u8 u32 u64 i32 i64] !0, |a, b| a & b;
        [bool] true, |a, b| a & b;
    }
    Or {
        [u8 u32 u64 i32 i64] 0, |a, b| a | b;
        [bool] false, |a, b| a | b;
    }
}

macro_rules! sums_of_floats {
    ($($t:ty)*) => { $(
        impl Fold<$t> for Add {
            const IDENTITY: $t = 0.0;
            // 0 would make 0 of −0.
            const NEUTRAL: $t = -0.0;
            #[inline(always)]
            fn fold(a: $t, b: $t) -> $t { a + b }
        }
    )* };
}
sums_of_floats! { f32 f64 }

/// The larger zero is the positive one; NaN wins. By selections alone, so that vectors of accumulators are joined.
macro_rules! extrema_of_floats {
    ($($t:ty)*) => { $(
        impl Fold<$t> for Max {
            const IDENTITY: $t = <$t>::NEG_INFINITY;
            const IS_SLOW: bool = true;
            #[inline(always)]
            fn fold(a: $t, b: $t) -> $t {
                let of_equals = if b.is_sign_negative() { a } else { b };
                let larger = if a > b { a } else { b };
                let larger = if a == b { of_equals } else { larger };
                if a.is_nan() { a } else { larger }
            }
        }
        impl Fold<$t> for Min {
            const IDENTITY: $t = <$t>::INFINITY;
            const IS_SLOW: bool = true;
            #[inline(always)]
            fn fold(a: $t, b: $t) -> $t {
                let of_equals = if a.is_sign_negative() { a } else { b };
                let smaller = if a < b { a } else { b };
                let smaller = if a == b { of_equals } else { smaller };
                if a.is_nan() { a } else { smaller }
            }
        }
    )* };
}
extrema_of_floats! { f32 f64 }

#[inline(always)]
fn rows_of<T: Scalar, F: Fold<T>>(x: &[T], out: &mut [T]) {
    for row in x.chunks(out.len()) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out = F::fold(*out, x);
        }
    }
}

/// Blocks of rows of so few elements that their results stay in registers.
#[inline(always)]
fn narrow_blocks_of<T: Scalar, F: Fold<T>, const N: usize>(x: &[T], out: &mut [T], reduced: usize) {
    for (out, block) in out.as_chunks_mut::<N>().0.iter_mut().zip(x.chunks_exact(reduced * N)) {
        let mut results = [F::IDENTITY; N];
        for row in block.as_chunks::<N>().0 {
            for (result, &x) in results.iter_mut().zip(row) {
                *result = F::fold(*result, x);
            }
        }
        *out = results;
    }
}

/// Blocks of longer rows, a few columns after the other.
#[inline(always)]
fn wide_blocks_of<T: Scalar, F: Fold<T>>(x: &[T], out: &mut [T], reduced: usize, inner: usize) {
    for (out, block) in out.chunks_exact_mut(inner).zip(x.chunks_exact(reduced * inner)) {
        let mut column = 0;
        while column < inner {
            column += match inner - column {
                16.. => columns_of::<T, F, 16>(block, out, column),
                4.. => columns_of::<T, F, 4>(block, out, column),
                _ => columns_of::<T, F, 1>(block, out, column),
            };
        }
    }
}

/// So many columns of a block from one on, whose results stay in registers; gives their number.
#[inline(always)]
fn columns_of<T: Scalar, F: Fold<T>, const N: usize>(block: &[T], out: &mut [T], column: usize) -> usize {
    let mut results = [F::IDENTITY; N];
    for row in block.chunks_exact(out.len()) {
        for (result, &x) in results.iter_mut().zip(&row[column..column + N]) {
            *result = F::fold(*result, x);
        }
    }
    out[column..column + N].copy_from_slice(&results);
    N
}

/// A way to combine elements of one type, as one parameter.
pub(super) trait Folding {
    type Element: Scalar;
    type Fold: Fold<Self::Element>;
}

struct Of<T, F>(PhantomData<(T, F)>);

impl<T: Scalar, F: Fold<T>> Folding for Of<T, F> {
    type Element = T;
    type Fold = F;
}

multiversion! {
    fn run<P: Folding>(x: Slice<'_>, out: SliceMut<'_>) {
        let out = &mut out.typed::<P::Element>()[0];
        *out = P::Fold::fold(*out, run_of::<P::Element, P::Fold>(x.typed()));
    }

    fn rows<P: Folding>(x: Slice<'_>, out: SliceMut<'_>) {
        rows_of::<P::Element, P::Fold>(x.typed(), out.typed());
    }

    /// Runs of fewer elements than there are accumulators.
    fn short_runs<P: Folding>(x: Slice<'_>, out: SliceMut<'_>, len: usize) {
        let (x, out) = (x.typed::<P::Element>(), out.typed::<P::Element>());
        match len {
            2 => short_runs_of::<_, P::Fold, 2>(x, out),
            3 => short_runs_of::<_, P::Fold, 3>(x, out),
            4 => short_runs_of::<_, P::Fold, 4>(x, out),
            5 => short_runs_of::<_, P::Fold, 5>(x, out),
            6 => short_runs_of::<_, P::Fold, 6>(x, out),
            7 => short_runs_of::<_, P::Fold, 7>(x, out),
            _ if P::Fold::IS_SLOW => runs_abreast_of::<_, P::Fold>(x, out, len),
            _ => narrow_blocks_of::<_, P::Fold, 1>(x, out, len),
        }
    }

    fn even_runs<P: Folding>(x: Slice<'_>, out: SliceMut<'_>, len: usize) {
        even_runs_of::<P::Element, P::Fold>(x.typed(), out.typed(), len);
    }

    fn uneven_runs<P: Folding>(x: Slice<'_>, out: SliceMut<'_>, len: usize) {
        uneven_runs_of::<P::Element, P::Fold>(x.typed(), out.typed(), len);
    }

    /// Blocks of rows.
    fn blocks_of_rows<P: Folding>(x: Slice<'_>, out: SliceMut<'_>, reduced: usize, inner: usize) {
        let (x, out) = (x.typed::<P::Element>(), out.typed::<P::Element>());
        match inner {
            2 => narrow_blocks_of::<_, P::Fold, 2>(x, out, reduced),
            3 => narrow_blocks_of::<_, P::Fold, 3>(x, out, reduced),
            4 => narrow_blocks_of::<_, P::Fold, 4>(x, out, reduced),
            5 => narrow_blocks_of::<_, P::Fold, 5>(x, out, reduced),
            6 => narrow_blocks_of::<_, P::Fold, 6>(x, out, reduced),
            7 => narrow_blocks_of::<_, P::Fold, 7>(x, out, reduced),
            8 => narrow_blocks_of::<_, P::Fold, 8>(x, out, reduced),
            _ => wide_blocks_of::<_, P::Fold>(x, out, reduced, inner),
        }
    }
}

/// Each kind of block in a function of its own: beside others, the compiler holds the accumulators of runs in shorter
/// vectors, and sums of 16 to 128 elements take up to 1.9 times as long.
fn blocks<P: Folding>(x: Slice<'_>, out: SliceMut<'_>, reduced: usize, inner: usize) {
    match inner {
        1 if reduced < N_ACCUMULATORS => short_runs::<P>(x, out, reduced),
        1 if reduced.is_multiple_of(N_ACCUMULATORS) => even_runs::<P>(x, out, reduced),
        1 => uneven_runs::<P>(x, out, reduced),
        _ => blocks_of_rows::<P>(x, out, reduced, inner),
    }
}

fn join<T: Scalar, F: Fold<T>>(accumulators: SliceMut<'_>, out: SliceMut<'_>) {
    let accumulators = accumulators.typed::<T>().first_chunk_mut::<N_ACCUMULATORS>().expect("there are all of them");
    let out = &mut out.typed::<T>()[0];
    *out = F::fold(*out, joined::<T, F>(*accumulators));
    accumulators.fill(F::IDENTITY);
}

fn clear<T: Scalar, F: Fold<T>>(out: SliceMut<'_>) {
    out.typed::<T>().fill(F::IDENTITY);
}

fn spill_level<T: Scalar, F: Fold<T>>(levels: SliceMut<'_>, width: usize, level: usize) {
    let (low, high) = levels.typed::<T>()[level * width..(level + 2) * width].split_at_mut(width);
    for (high, low) in high.iter_mut().zip(low) {
        *high = F::fold(*high, *low);
        *low = F::IDENTITY;
    }
}

fn folds_of<T: Scalar, F: Fold<T>>() -> Folds {
    Folds {
        run: run::<Of<T, F>>,
        rows: rows::<Of<T, F>>,
        blocks: blocks::<Of<T, F>>,
        join: join::<T, F>,
        clear: clear::<T, F>,
        spill_level: spill_level::<T, F>,
        running: running::loops::<Of<T, F>>(),
        scatter: places::scatter_combine::<T, F>,
    }
}

/// The loops for one combination and type.
///
/// # Panics
/// If the type does not admit the combination; the graph's checker excludes it.
pub(super) fn folds(combine: Combine, dtype: DType) -> Folds {
    macro_rules! number {
        ($fold:ty) => {
            match dtype {
                DType::F32 => folds_of::<f32, $fold>(),
                DType::F64 => folds_of::<f64, $fold>(),
                DType::Bool | DType::U8 | DType::U32 | DType::U64 | DType::I32 | DType::I64 => bits!($fold),
                DType::C64 | DType::C128 | DType::Float0 => panic!("{combine:?} is not defined for {dtype}"),
            }
        };
    }
    macro_rules! bits {
        ($fold:ty) => {
            match dtype {
                DType::Bool => folds_of::<bool, $fold>(),
                DType::U8 => folds_of::<u8, $fold>(),
                DType::U32 => folds_of::<u32, $fold>(),
                DType::U64 => folds_of::<u64, $fold>(),
                DType::I32 => folds_of::<i32, $fold>(),
                DType::I64 => folds_of::<i64, $fold>(),
                DType::F32 | DType::F64 | DType::C64 | DType::C128 | DType::Float0 => {
                    panic!("{combine:?} is not defined for {dtype}")
                }
            }
        };
    }
    match combine {
        Combine::Add => number!(Add),
        Combine::Mul => number!(Mul),
        Combine::Max => number!(Max),
        Combine::Min => number!(Min),
        Combine::And => bits!(And),
        Combine::Or => bits!(Or),
    }
}

/// Number of levels that `n` partial results need.
pub(super) fn n_levels(n: usize) -> usize {
    let mut levels = 1;
    let mut reach = RADIX as usize;
    while reach < n && levels < MAX_LEVELS {
        levels += 1;
        reach = reach.saturating_mul(RADIX as usize);
    }
    levels
}

/// Partial results after which so many levels are full.
pub(super) fn reach(n_levels: usize) -> usize {
    (RADIX as usize).saturating_pow(n_levels as u32)
}

/// Combines a sequence of partial results (vectors of one length) level by level: each level combines up to [`RADIX`]
/// of those from the level below. The caller combines into level 0; the levels stand one after the other.
#[derive(Default)]
pub(super) struct Cascade {
    counts: [u32; MAX_LEVELS],
}

impl Cascade {
    /// Notes that level 0 took one more partial result. Returns how many levels are full and must be spilled now.
    pub fn push(&mut self, n_levels: usize) -> usize {
        for level in 0..n_levels - 1 {
            self.counts[level] += 1;
            if self.counts[level] < RADIX {
                return level;
            }
            self.counts[level] = 0;
        }
        n_levels - 1
    }
}

impl Folds {
    /// Combines each of the first `n` levels into the next and clears it.
    pub fn spill(&self, mut levels: SliceMut<'_>, width: usize, n: usize) {
        for level in 0..n {
            (self.spill_level)(levels.reborrow(), width, level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extrema_order_zeros_and_keep_nan() {
        let max = |a: f64, b: f64| <Max as Fold<f64>>::fold(a, b);
        let min = |a: f64, b: f64| <Min as Fold<f64>>::fold(a, b);
        assert!(max(-0.0, 0.0).is_sign_positive() && max(0.0, -0.0).is_sign_positive());
        assert!(min(-0.0, 0.0).is_sign_negative() && min(0.0, -0.0).is_sign_negative());
        assert!(
            [max(f64::NAN, 1.0), max(1.0, f64::NAN), min(f64::NAN, 1.0), min(1.0, f64::NAN)].iter().all(|x| x.is_nan())
        );
    }

    #[test]
    fn cascades_combine_everything_once() {
        for n in [1, 2, 15, 16, 17, 255, 256, 257, 5000] {
            let folds = folds(Combine::Add, DType::I64);
            let n_levels = n_levels(n);
            let mut levels = vec![0i64; 2 * n_levels];
            let mut cascade = Cascade::default();
            for i in 0..n as i64 {
                (folds.rows)(Slice::I64(&[i, 1]), SliceMut::I64(&mut levels[..2]));
                folds.spill(SliceMut::I64(&mut levels), 2, cascade.push(n_levels));
            }
            folds.spill(SliceMut::I64(&mut levels), 2, n_levels - 1);
            let sum = n as i64 * (n as i64 - 1) / 2;
            assert_eq!(levels[levels.len() - 2..], [sum, n as i64]);
        }
    }
}
