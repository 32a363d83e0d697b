//! Cumulative results: loops combine an operand's points, or what the body has written to where the results go, while that
//! is in the cache. Machine code combines long rows by itself.

use super::{Part, Partial, Reduction};
use crate::{
    interp::{
        running::{ABREAST, Running},
        tile::{Place, TileProgram},
    },
    interrupt,
    kernel::ReductionSpace,
    math::Slice,
};
use std::ops::Range;

/// The results of one register.
#[derive(Debug)]
pub(super) struct Cumulative {
    loops: Running,
    /// What combines, unless it stands where the results go.
    from: Option<Place>,
    to: Place,
    /// What the elements of the next row continue.
    state: Place,
    /// Whether the body combines by itself.
    is_combined: bool,
}

/// Points of each of the rows that run abreast: short enough that all stay in the first-level cache.
pub(super) const PER_TILE: usize = 256;

impl Cumulative {
    /// Puts a plan's loops together; the state is as wide as the plan's accumulators.
    pub fn new(loops: Running, from: Partial, to: Place, state: Place) -> Cumulative {
        let (from, is_combined) = match from {
            Partial::Points(from) => ((from.base != to.base).then_some(from), false),
            Partial::Combined { .. } => (None, true),
            Partial::Accumulators(_) => unreachable!("each result is wanted"),
        };
        Cumulative { loops, from, to, state, is_combined }
    }

    /// What combines.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn read<'a>(&self, bases: &[*mut u8], start: usize, n: usize) -> Option<Slice<'a>> {
        // SAFETY: promised by the caller.
        self.from.map(|from| unsafe { from.read(bases, start, n) })
    }
}

/// Numbers in order, or from the end.
pub(super) fn in_order(range: Range<usize>, backward: bool) -> impl Iterator<Item = usize> {
    let Range { start, end } = range;
    range.map(move |i| if backward { start + end - 1 - i } else { i })
}

impl TileProgram {
    /// Starts a part anew.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn restart(&self, reduction: &Reduction, bases: &[*mut u8], part: Part) {
        for Cumulative { loops, state, .. } in &reduction.cumulative {
            // SAFETY: promised by the caller; the state has room for the widest part.
            (loops.restart)(unsafe { state.write(bases, 0, part.n_results) });
        }
    }

    /// Combines the points of a tile, which the body has written.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn accumulate(
        &self,
        reduction: &Reduction,
        bases: &[*mut u8],
        part: Part,
        start: usize,
        n_points: usize,
    ) {
        let backward = reduction.space.backward;
        for of in reduction.cumulative.iter().filter(|of| !of.is_combined) {
            let Cumulative { loops, to, state, .. } = of;
            // SAFETY: promised by the caller.
            let (x, out, state) = unsafe {
                let out = to.write(bases, start, n_points);
                (of.read(bases, start, n_points), out, state.write(bases, 0, part.n_results))
            };
            match part.n_results {
                1 => (loops.abreast)(x, out, n_points, n_points, state, backward),
                _ => (loops.rows)(x, out, state, backward),
            }
        }
    }

    /// Combines whole blocks.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn accumulate_blocks(
        &self,
        reduction: &Reduction,
        bases: &[*mut u8],
        start: usize,
        n_points: usize,
    ) {
        let ReductionSpace { outer: _, reduced, inner, backward } = reduction.space;
        for of in &reduction.cumulative {
            // SAFETY: promised by the caller.
            let (x, out) = unsafe { (of.read(bases, start, n_points), of.to.write(bases, start, n_points)) };
            (of.loops.blocks)(x, out, reduced, inner, backward);
        }
    }

    /// Runs the body over some long rows, several of them side by side, and combines each.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn accumulate_abreast(&self, reduction: &Reduction, bases: &mut [*mut u8], rows: Range<usize>) {
        let ReductionSpace { outer: _, reduced, inner: _, backward } = reduction.space;
        for first in rows.clone().step_by(ABREAST) {
            let n_rows = ABREAST.min(rows.end - first);
            // SAFETY: promised by the caller; states have room for all rows, and nobody else writes to these.
            unsafe {
                for Cumulative { loops, state, .. } in &reduction.cumulative {
                    (loops.restart)(state.write(bases, 0, n_rows));
                }
                for tile in in_order(0..reduced.div_ceil(PER_TILE), backward) {
                    if interrupt::must_cut(self.ns_per_tile) {
                        return;
                    }
                    let column = tile * PER_TILE;
                    let n = PER_TILE.min(reduced - column);
                    for row in first..first + n_rows {
                        self.run_tile(bases, row * reduced + column, n);
                    }
                    for of in &reduction.cumulative {
                        let (start, n_points) = (first * reduced + column, (n_rows - 1) * reduced + n);
                        let (x, out) = (of.read(bases, start, n_points), of.to.write(bases, start, n_points));
                        (of.loops.abreast)(x, out, reduced, n, of.state.write(bases, 0, n_rows), backward);
                    }
                }
            }
        }
    }
}
