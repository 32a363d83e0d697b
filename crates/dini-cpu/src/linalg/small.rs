//! Many small problems: eight at a time, each in a lane of the vectors.
//!
//! A kernel is written for one problem whose elements are `[T; W]`. With W = 8 the eight elements at one place of eight
//! matrices stand side by side, so every operation serves eight problems however small they are; with W = 1 it is the
//! plain kernel, for a problem that is alone. Both do the same operations in the same order.
//!
//! Invariant: the result of a problem does not depend on how many there are, on its place among them, nor on the
//! others. So problems can be divided among threads at will.

pub(super) mod cholesky;
pub(super) mod lu;
pub(super) mod product;
pub(super) mod triangular;

use super::{
    real::Real,
    scratch::Scratch,
    transpose::{LANES, Part, Vectors, tiles},
};

/// Largest order of matrices that are treated here.
pub(super) const MAX_ORDER: usize = 32;

/// Brings a part of 1 to 8 problems of `size` elements to lanes; lanes that are left repeat the last problem.
fn pack<T: Real>(problems: &[T], size: usize, part: Part, lanes: &mut [[T; LANES]]) {
    let last = check(problems.len(), size, lanes.len()) - 1;
    let problem = |l: usize| problems[l.min(last) * size..].as_ptr().cast_mut();
    // SAFETY: as many elements as `size` stand at each place, by the check; the problems are only read.
    unsafe { tiles::<T, true>(std::array::from_fn(problem), vectors(lanes), size, part) }
}

/// Brings 1 to 8 problems back. Lanes that are left must hold what the last problem's lane does.
fn unpack<T: Real>(lanes: &mut [[T; LANES]], size: usize, problems: &mut [T]) {
    let last = check(problems.len(), size, lanes.len()) - 1;
    let start = problems.as_mut_ptr();
    // SAFETY: as many elements as `size` stand at each place, by the check; the lanes are only read.
    unsafe {
        let problem = |l: usize| start.add(l.min(last) * size);
        tiles::<T, false>(std::array::from_fn(problem), vectors(lanes), size, Part::All);
    }
}

/// Room for so many elements of each lane.
fn room<T: Real>(n: usize) -> Scratch<T> {
    Scratch::new(n * LANES)
}

fn vectors<T>(lanes: &mut [[T; LANES]]) -> Vectors<T> {
    Vectors { start: lanes.as_mut_ptr().cast(), stride: LANES }
}

/// The number of problems that have so many elements together.
fn check(len: usize, size: usize, n_lanes: usize) -> usize {
    let n_problems = len / size;
    assert!(
        len == n_problems * size && (1..=LANES).contains(&n_problems) && n_lanes >= size,
        "a group of {len} / {size}"
    );
    n_problems
}

/// x -= y z
#[inline(always)]
fn subtract_product<T: Real, const W: usize>(x: &mut [T; W], y: &[T; W], z: &[T; W]) {
    for l in 0..W {
        x[l] -= y[l] * z[l];
    }
}
