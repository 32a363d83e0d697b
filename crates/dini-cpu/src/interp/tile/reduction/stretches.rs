//! Parts of a reduction that several threads combine.
//!
//! A *stretch* is as many neighbouring tiles of a part as fill some levels of the [`Cascade`]. Whoever combines one, from
//! clear levels, leaves what the highest of these holds: what one thread alone would combine into the next level then. So
//! combining these in order gives the same bits at every number of threads.

use super::{Plan, Reduction, Sink, Tiles};
use crate::{
    interp::{
        reduce::{Cascade, n_levels, reach},
        tile::TileProgram,
    },
    kernel::ReductionSpace,
};

/// Stretches of the tiles of all parts, one after the other.
#[derive(Clone, Copy, Debug)]
pub(in crate::interp::tile) struct Stretches {
    /// Levels of the cascade that a stretch fills.
    pub(super) n_levels: usize,
    /// Tiles of all but the last of a part.
    pub n_tiles: usize,
    per_part: usize,
    pub n: usize,
}

/// Parts are divided if there are fewer than this, into about as many stretches at least.
const MIN_STRETCHES: usize = 16;

impl Stretches {
    pub(super) fn new(plan: Plan, space: ReductionSpace, n_parts: usize) -> Option<Stretches> {
        let n_tiles = plan.tiles_per_part(space);
        if n_parts >= MIN_STRETCHES || n_tiles <= reach(1) {
            return None;
        }
        let of = |n_levels: usize| {
            let per_part = n_tiles.div_ceil(reach(n_levels));
            Stretches { n_levels, n_tiles: reach(n_levels), per_part, n: n_parts * per_part }
        };
        // The longest of which there are enough: the less is left to combine.
        let longest = (1..n_levels(n_tiles)).rev().map(of).find(|stretches| stretches.n >= MIN_STRETCHES);
        Some(longest.unwrap_or_else(|| of(1)))
    }

    /// The tiles of one.
    pub fn tiles(self, reduction: &Reduction, stretch: usize) -> Tiles {
        let whole = reduction.whole_part(stretch / self.per_part);
        let start = stretch % self.per_part * self.n_tiles;
        let tiles = start..whole.tiles.end.min(start + self.n_tiles);
        Tiles { tiles, stretch: Some((self, stretch)), ..whole }
    }
}

impl TileProgram {
    /// Puts what a stretch combined to beside what others did.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn leave_stretch(
        &self,
        reduction: &Reduction,
        bases: &[*mut u8],
        width: usize,
        n_levels: usize,
        stretch: usize,
    ) {
        for Sink { folds, levels, stretches, .. } in &reduction.sinks {
            // SAFETY: promised by the caller; there is room for each stretch, and this thread alone writes there.
            unsafe {
                // After the last stretch of a part lower levels hold something.
                folds.spill(levels.write(bases, 0, n_levels * width), width, n_levels - 1);
                let top = levels.by_elements().address(bases, (n_levels - 1) * width);
                let to = stretches.address(bases, stretch * reduction.width());
                to.copy_from_nonoverlapping(top, width * levels.dtype.size());
            }
        }
    }

    /// Combines what all stretches have left.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(in crate::interp::tile) unsafe fn join_stretches(
        &self,
        reduction: &Reduction,
        stretches: Stretches,
        bases: &mut [*mut u8],
    ) {
        for first in (0..stretches.n).step_by(stretches.per_part) {
            let part = reduction.part(self.tile, first / stretches.per_part);
            let (full, width) = (stretches.n_levels, part.width);
            let n_levels = n_levels(part.n_tiles) - full;
            let mut cascade = Cascade::default();
            // SAFETY: promised by the caller; levels have room for the widest part.
            unsafe {
                self.open_part(reduction, bases, part);
                for stretch in first..first + stretches.per_part {
                    let n_full = cascade.push(n_levels);
                    for Sink { folds, levels, stretches, .. } in &reduction.sinks {
                        let left = stretches.read(bases, stretch * reduction.width(), width);
                        (folds.rows)(left, levels.by_elements().write(bases, full * width, width));
                        let above = levels.by_elements().write(bases, full * width, n_levels * width);
                        folds.spill(above, width, n_full);
                    }
                }
                self.close_part(reduction, bases, part);
            }
        }
    }
}
