//! Reductions at the end of a kernel.
//!
//! The space is `outer × reduced × inner` points in row-major order. Depending on how these compare with a tile, one
//! tile covers many results, or many rows of one result, or a part of a row; in each case the tile is a run of
//! neighbouring points, so that the kernel's other stores need not care. Machine code may combine by itself: all points of a
//! tile, or row by row, in the same order.

use super::{Base, Place, TileProgram, compile::CELL_ALIGNMENT};
use crate::{
    graph::Combine,
    interp::reduce::{self, Cascade, Folds, n_levels},
    kernel::{N_ACCUMULATORS, ReductionSpace},
};
use std::ops::Range;

/// Short rows are folded several at a time, into an accumulator of about this many elements.
const MIN_WIDTH: usize = 64;

/// How a kernel's tiles reduce.
#[derive(Debug)]
pub(super) struct Reduction {
    space: ReductionSpace,
    plan: Plan,
    /// Whether the body combines each row of points as wide as the accumulator with its lowest level.
    is_combined: bool,
    sinks: Vec<Sink>,
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    /// Nothing to combine, or no result.
    Empty,
    /// Tiles of this many whole blocks of `reduced × inner` points.
    Blocks { per_tile: usize },
    /// Results are single runs of points, longer than a tile.
    Runs,
    /// Tiles of this many rows of `inner` points of one block, folded `group` rows at a time.
    Rows { per_tile: usize, group: usize },
    /// Tiles of this many points of one row.
    Columns { per_tile: usize },
}

/// What a tile leaves to be combined.
#[derive(Clone, Copy, Debug)]
pub(super) enum Partial {
    /// All its points.
    Points(Place),
    /// Accumulators that machine code combined them into; they are clear before each tile.
    Accumulators(Place),
    /// Nothing: machine code combines each row with the lowest level of the accumulator, which stands at this base.
    Combined { base: u32 },
}

/// A reduction to be planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub combine: Combine,
    pub from: Partial,
    pub to: Place,
}

#[derive(Debug)]
struct Sink {
    folds: Folds,
    from: Partial,
    to: Place,
    /// Accumulators, one per level of the cascade.
    levels: Place,
}

/// Neighbouring points that combine to neighbouring results, one tile after the other.
#[derive(Clone, Copy)]
struct Part {
    /// The first point of the first tile.
    first: usize,
    /// Points from one tile to the next.
    stride: usize,
    n_tiles: usize,
    /// Points per tile; the last may be shorter.
    tile: usize,
    last_tile: usize,
    /// Elements of the accumulator: a multiple of the results.
    width: usize,
    /// The first result and their number.
    result: usize,
    n_results: usize,
}

impl Plan {
    fn new(space: ReductionSpace, tile: usize, folds: &[Fold]) -> Plan {
        let has_accumulators = folds.iter().any(|fold| matches!(fold.from, Partial::Accumulators(_)));
        let is_combined = folds.iter().any(|fold| matches!(fold.from, Partial::Combined { .. }));
        let ReductionSpace { outer, reduced, inner } = space;
        let block = reduced * inner;
        if outer == 0 || block == 0 {
            Plan::Empty
        } else if has_accumulators {
            Plan::Runs
        } else if block <= tile && is_combined {
            Plan::Rows { per_tile: reduced, group: 1 }
        } else if block <= tile {
            Plan::Blocks { per_tile: tile / block }
        } else if inner == 1 {
            Plan::Runs
        } else if inner <= tile {
            let group = (MIN_WIDTH.min(tile) / inner).clamp(1, reduced);
            Plan::Rows { per_tile: tile / (group * inner) * group, group }
        } else {
            Plan::Columns { per_tile: tile }
        }
    }

    /// Elements of all levels of an accumulator.
    fn accumulator(self, space: ReductionSpace, tile: usize) -> usize {
        match self {
            Plan::Empty | Plan::Blocks { .. } => 0,
            Plan::Runs => n_levels(space.reduced.div_ceil(tile)),
            Plan::Rows { per_tile, group } => n_levels(space.reduced.div_ceil(per_tile)) * group * space.inner,
            Plan::Columns { per_tile } => n_levels(space.reduced) * per_tile,
        }
    }
}

impl Reduction {
    /// Plans a reduction of registers to operands; adds what it needs to the bases and the scratch space.
    pub fn new(
        space: ReductionSpace,
        tile: usize,
        folds: Vec<Fold>,
        bases: &mut Vec<Base>,
        scratch_bytes: &mut usize,
    ) -> Reduction {
        let plan = Plan::new(space, tile, &folds);
        let is_combined = folds.iter().any(|fold| matches!(fold.from, Partial::Combined { .. }));
        let sink = |Fold { combine, from, to }: Fold| {
            let base = match from {
                Partial::Combined { base } => base,
                Partial::Points(_) | Partial::Accumulators(_) => {
                    bases.push(Base::Scratch { offset: usize::MAX });
                    bases.len() as u32 - 1
                }
            };
            bases[base as usize] = Base::Scratch { offset: *scratch_bytes };
            let levels = Place { base, dtype: to.dtype, advance: 0, is_uniform: false };
            let bytes = plan.accumulator(space, tile) * to.dtype.size();
            *scratch_bytes += bytes.next_multiple_of(CELL_ALIGNMENT);
            Sink { folds: reduce::folds(combine, to.dtype), from, to, levels }
        };
        Reduction { space, plan, is_combined, sinks: folds.into_iter().map(sink).collect() }
    }
}

impl TileProgram {
    /// Prepares the accumulators of a reduction.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn clear_accumulators(&self, reduction: &Reduction, bases: &[*mut u8]) {
        for sink in &reduction.sinks {
            if let Partial::Accumulators(accumulators) = sink.from {
                // SAFETY: promised by the caller.
                (sink.folds.clear)(unsafe { accumulators.write(bases, 0, N_ACCUMULATORS) });
            }
        }
    }

    /// Runs the body over all tiles of a range of the outer axis, and reduces.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn reduce(&self, reduction: &Reduction, bases: &mut [*mut u8], blocks: Range<usize>) {
        let ReductionSpace { outer: _, reduced, inner } = reduction.space;
        match reduction.plan {
            Plan::Empty => {
                for sink in &reduction.sinks {
                    // SAFETY: promised by the caller.
                    (sink.folds.clear)(unsafe { sink.to.write(bases, blocks.start * inner, blocks.len() * inner) });
                }
            }
            Plan::Blocks { per_tile } => {
                for block in blocks.clone().step_by(per_tile) {
                    let n = per_tile.min(blocks.end - block);
                    let (start, n_points) = (block * reduced * inner, n * reduced * inner);
                    // SAFETY: promised by the caller; whole blocks of points give as many rows of results.
                    unsafe {
                        self.run_tile(bases, start, n_points);
                        for sink in &reduction.sinks {
                            let Partial::Points(from) = sink.from else { unreachable!("no blocks of accumulators") };
                            let out = sink.to.write(bases, block * inner, n * inner);
                            (sink.folds.blocks)(from.read(bases, start, n_points), out, reduced, inner);
                        }
                    }
                }
            }
            Plan::Runs => {
                for block in blocks {
                    // SAFETY: promised by the caller.
                    unsafe { self.reduce_part(reduction, bases, self.run_part(reduced, block)) }
                }
            }
            Plan::Rows { per_tile, group } => {
                let n_tiles = reduced.div_ceil(per_tile);
                let last_tile = (reduced - (n_tiles - 1) * per_tile) * inner;
                for block in blocks {
                    let part = Part {
                        first: block * reduced * inner,
                        stride: per_tile * inner,
                        n_tiles,
                        tile: per_tile * inner,
                        last_tile,
                        width: group * inner,
                        result: block * inner,
                        n_results: inner,
                    };
                    // SAFETY: promised by the caller.
                    unsafe { self.reduce_part(reduction, bases, part) }
                }
            }
            Plan::Columns { per_tile } => {
                for block in blocks {
                    for column in (0..inner).step_by(per_tile) {
                        let n = per_tile.min(inner - column);
                        let part = Part {
                            first: block * reduced * inner + column,
                            stride: inner,
                            n_tiles: reduced,
                            tile: n,
                            last_tile: n,
                            width: n,
                            result: block * inner + column,
                            n_results: n,
                        };
                        // SAFETY: promised by the caller.
                        unsafe { self.reduce_part(reduction, bases, part) }
                    }
                }
            }
        }
    }

    /// A single run of points.
    fn run_part(&self, reduced: usize, block: usize) -> Part {
        let n_tiles = reduced.div_ceil(self.tile);
        Part {
            first: block * reduced,
            stride: self.tile,
            n_tiles,
            tile: self.tile,
            last_tile: reduced - (n_tiles - 1) * self.tile,
            width: 1,
            result: block,
            n_results: 1,
        }
    }

    /// Reduces some tiles of a kernel with one result, whose points are one run; all tiles in order, in any number of
    /// calls.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn reduce_tiles(
        &self,
        reduction: &Reduction,
        bases: &mut [*mut u8],
        tiles: Range<usize>,
        cascade: &mut Cascade,
    ) {
        let part = self.run_part(reduction.space.reduced, 0);
        // SAFETY: promised by the caller.
        unsafe {
            if tiles.start == 0 {
                self.open_part(reduction, bases, part);
            }
            self.fold_tiles(reduction, bases, part, tiles.clone(), cascade);
            if tiles.end == part.n_tiles {
                self.close_part(reduction, bases, part);
            }
        }
    }

    /// Reduces one part of the space to its results.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn reduce_part(&self, reduction: &Reduction, bases: &mut [*mut u8], part: Part) {
        // SAFETY: promised by the caller.
        unsafe {
            self.open_part(reduction, bases, part);
            self.fold_tiles(reduction, bases, part, 0..part.n_tiles, &mut Cascade::default());
            self.close_part(reduction, bases, part);
        }
    }

    /// Clears the levels.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn open_part(&self, reduction: &Reduction, bases: &[*mut u8], part: Part) {
        for sink in &reduction.sinks {
            // SAFETY: promised by the caller; levels have room for the widest part.
            (sink.folds.clear)(unsafe { sink.levels.write(bases, 0, n_levels(part.n_tiles) * part.width) });
        }
    }

    /// Runs the body over tiles and combines them.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn fold_tiles(
        &self,
        reduction: &Reduction,
        bases: &mut [*mut u8],
        part: Part,
        tiles: Range<usize>,
        cascade: &mut Cascade,
    ) {
        let (n_levels, width) = (n_levels(part.n_tiles), part.width);
        for tile in tiles {
            let start = part.first + tile * part.stride;
            let n_points = if tile + 1 == part.n_tiles { part.last_tile } else { part.tile };
            // SAFETY: promised by the caller; levels have room for the widest part.
            unsafe {
                let row = if reduction.is_combined { width } else { n_points };
                for from in (start..start + n_points).step_by(row) {
                    self.run_tile(bases, from, row.min(start + n_points - from));
                }
                let n_full = cascade.push(n_levels);
                for sink in &reduction.sinks {
                    let level = sink.levels.write(bases, 0, width);
                    match sink.from {
                        Partial::Accumulators(from) => (sink.folds.join)(from.write(bases, 0, N_ACCUMULATORS), level),
                        Partial::Points(from) => {
                            let fold = if width == 1 { sink.folds.run } else { sink.folds.rows };
                            fold(from.read(bases, start, n_points), level);
                        }
                        Partial::Combined { .. } => {}
                    }
                    sink.folds.spill(sink.levels.write(bases, 0, n_levels * width), width, n_full);
                }
            }
        }
    }

    /// Combines the levels to the results.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn close_part(&self, reduction: &Reduction, bases: &[*mut u8], part: Part) {
        let (n_levels, width) = (n_levels(part.n_tiles), part.width);
        for sink in &reduction.sinks {
            // SAFETY: promised by the caller; levels have room for the widest part.
            unsafe {
                sink.folds.spill(sink.levels.write(bases, 0, n_levels * width), width, n_levels - 1);
                let top = Place { advance: sink.levels.dtype.size() as u32, ..sink.levels };
                let out = sink.to.write(bases, part.result, part.n_results);
                // The accumulator's groups of rows, in order.
                let n_groups = width / part.n_results;
                (sink.folds.blocks)(top.read(bases, (n_levels - 1) * width, width), out, n_groups, part.n_results);
            }
        }
    }
}

impl Reduction {
    /// Whether the kernel has one result of a single run of points, which [`TileProgram::reduce_tiles`] can take tile by
    /// tile.
    pub fn is_one_run(&self) -> bool {
        matches!(self.plan, Plan::Runs) && self.space.outer == 1
    }

    /// The extent of the outer axis.
    pub fn outer(&self) -> usize {
        self.space.outer
    }
}
