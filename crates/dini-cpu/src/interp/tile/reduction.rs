//! Reductions at the end of a kernel.
//!
//! The space is `outer × reduced × inner` points in row-major order. Depending on how these compare with a tile, one
//! tile covers many results, or many rows of one result, or a part of a row; in each case the tile is a run of
//! neighbouring points, so that the kernel's other stores need not care. Machine code may combine by itself: all points of a
//! tile, or row by row, in the same order.
//!
//! Tiles that combine to the same results make up a *part*. Parts are independent of each other; where they are few,
//! threads divide them into [`stretches`]. [`cumulative`] results go along.

mod cumulative;
mod stretches;

use super::{Base, Place, TileProgram, compile::CELL_ALIGNMENT};
use crate::{
    dtype::DType,
    graph::Combine,
    interp::{
        reduce::{self, Cascade, Folds, n_levels},
        running::ABREAST,
    },
    interrupt,
    kernel::{N_ACCUMULATORS, REDUCTION_TILE, ReductionSpace},
};
use cumulative::{Cumulative, in_order};
use std::ops::Range;
pub(super) use stretches::Stretches;

/// Short rows are folded several at a time, into an accumulator of about this many elements.
const MIN_WIDTH: usize = 64;

/// Machine code combines the rows of a block that fits a tile itself, one block at a time, if they have so many points.
/// Several blocks at a time are left to precompiled loops, which find them in the first-level cache: beside operations
/// that only store their results, these take 0.01 to 0.1 ns more for a point (Zen 4, rows of 8 to 100 points).
const MIN_INNER: usize = 128;

/// Tiles between questions whether to go on: a question after each would take longer than a fiftieth of a short one.
const TILES_BETWEEN: usize = 16;

/// How a kernel's tiles reduce.
#[derive(Debug)]
pub(super) struct Reduction {
    space: ReductionSpace,
    plan: Plan,
    /// Whether machine code combines rows from the last one of a tile to the first.
    is_combined_backward: bool,
    sinks: Vec<Sink>,
    cumulative: Vec<Cumulative>,
    /// How parts are divided, if there are few.
    stretches: Option<Stretches>,
}

/// Tiles that are reduced one after the other: a whole part, or a stretch of one.
#[derive(Clone, Debug)]
pub(super) struct Tiles {
    part: usize,
    pub tiles: Range<usize>,
    /// Which one.
    stretch: Option<(Stretches, usize)>,
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    /// Nothing to combine, or no result.
    Empty,
    /// Tiles of this many whole blocks of `reduced × inner` points.
    Blocks { per_tile: usize },
    /// Results are single runs of points, most of them longer than a tile of this many.
    Runs { per_tile: usize },
    /// Tiles of this many rows of `inner` points of one block, folded `group` rows at a time.
    Rows { per_tile: usize, group: usize },
    /// Tiles of this many points of one row.
    Columns { per_tile: usize },
    /// Cumulative results alone, of long rows side by side.
    Abreast,
}

/// What a tile leaves to be combined.
#[derive(Clone, Copy, Debug)]
pub(super) enum Partial {
    /// All its points.
    Points(Place),
    /// Accumulators that machine code combined them into; they are clear before each tile.
    Accumulators(Place),
    /// Nothing: machine code combines rows with the lowest level of the accumulator, which stands at this base.
    Combined { base: u32 },
}

/// A reduction to be planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub combine: Combine,
    pub from: Partial,
    pub to: Place,
    /// Whether all results on the way are wanted.
    pub is_cumulative: bool,
}

#[derive(Debug)]
struct Sink {
    folds: Folds,
    from: Partial,
    to: Place,
    /// Accumulators, one per level of the cascade.
    levels: Place,
    /// What stretches leave, one after the other.
    stretches: Place,
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

/// Whether machine code combines rows of points with rows of accumulators.
fn is_combined(folds: &[Fold]) -> bool {
    folds.iter().any(|fold| matches!(fold.from, Partial::Combined { .. }))
}

/// Points that are combined side by side, with accumulators of their own, where machine code does that: a row of results
/// or several, for which cumulative results have no room.
pub(super) fn row(space: ReductionSpace, len: usize, is_cumulative: bool) -> Option<usize> {
    match Plan::new(space, REDUCTION_TILE.min(len), &[]) {
        Plan::Rows { group, .. } if is_cumulative && group > 1 => None,
        plan @ (Plan::Rows { .. } | Plan::Columns { .. }) => Some(plan.width(space)),
        Plan::Blocks { .. } if space.inner >= MIN_INNER => Some(space.inner),
        Plan::Empty | Plan::Blocks { .. } | Plan::Runs { .. } | Plan::Abreast => None,
    }
}

impl Plan {
    fn new(space: ReductionSpace, tile: usize, folds: &[Fold]) -> Plan {
        let has_accumulators = folds.iter().any(|fold| matches!(fold.from, Partial::Accumulators(_)));
        let is_combined = is_combined(folds);
        let ReductionSpace { outer, reduced, inner, .. } = space;
        let block = reduced * inner;
        if outer == 0 || block == 0 {
            Plan::Empty
        } else if has_accumulators {
            Plan::Runs { per_tile: tile }
        } else if block <= tile && is_combined {
            Plan::Rows { per_tile: reduced, group: 1 }
        } else if block <= tile {
            Plan::Blocks { per_tile: tile / block }
        } else if inner == 1 && outer > 1 && folds.iter().all(|fold| fold.is_cumulative) {
            Plan::Abreast
        } else if inner == 1 {
            Plan::Runs { per_tile: tile }
        } else if inner <= tile {
            let group = (MIN_WIDTH.min(tile) / inner).clamp(1, reduced);
            Plan::Rows { per_tile: tile / (group * inner) * group, group }
        } else {
            Plan::Columns { per_tile: tile }
        }
    }

    /// Tiles that combine to the same results.
    fn tiles_per_part(self, space: ReductionSpace) -> usize {
        match self {
            Plan::Empty | Plan::Blocks { .. } | Plan::Abreast => 0,
            Plan::Runs { per_tile } | Plan::Rows { per_tile, .. } => space.reduced.div_ceil(per_tile),
            Plan::Columns { .. } => space.reduced,
        }
    }

    /// Elements of an accumulator.
    fn width(self, space: ReductionSpace) -> usize {
        match self {
            Plan::Empty | Plan::Blocks { .. } => 0,
            Plan::Runs { .. } => 1,
            Plan::Rows { group, .. } => group * space.inner,
            Plan::Columns { per_tile } => per_tile,
            Plan::Abreast => ABREAST,
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
        shared_bytes: &mut usize,
    ) -> Reduction {
        let plan = Plan::new(space, tile, &folds);
        let is_combined_backward = space.backward && is_combined(&folds);
        let (sinks, cumulative) = (vec![], vec![]);
        let mut reduction = Reduction { space, plan, is_combined_backward, sinks, cumulative, stretches: None };
        let (cumulative, folds): (Vec<Fold>, Vec<Fold>) = folds.into_iter().partition(|fold| fold.is_cumulative);
        if cumulative.is_empty() {
            reduction.stretches = Stretches::new(plan, space, reduction.n_units());
        }
        let n_levels = n_levels(plan.tiles_per_part(space));
        let n_stretches = reduction.stretches.map_or(0, |stretches| stretches.n);
        let mut place = |known: Option<u32>, base: fn(usize) -> Base, n: usize, dtype: DType, bytes: &mut usize| {
            let offset = *bytes;
            *bytes += (n * reduction.width() * dtype.size()).next_multiple_of(CELL_ALIGNMENT);
            let at = known.unwrap_or_else(|| {
                bases.push(Base::Row);
                bases.len() as u32 - 1
            });
            bases[at as usize] = base(offset);
            Place { base: at, dtype, advance: 0, is_uniform: false }
        };
        let base = |from: Partial| if let Partial::Combined { base } = from { Some(base) } else { None };
        let of_results = cumulative.into_iter().map(|Fold { combine, from, to, .. }| {
            let state = place(base(from), |offset| Base::Scratch { offset }, 1, to.dtype, scratch_bytes);
            Cumulative::new(reduce::folds(combine, to.dtype).running, from, to, state)
        });
        let cumulative = of_results.collect();
        let sink = |Fold { combine, from, to, .. }: Fold| {
            let known = base(from);
            let levels = place(known, |offset| Base::Scratch { offset }, n_levels, to.dtype, scratch_bytes);
            let stretches = place(None, |offset| Base::Shared { offset }, n_stretches, to.dtype, shared_bytes);
            Sink { folds: reduce::folds(combine, to.dtype), from, to, levels, stretches: stretches.by_elements() }
        };
        let sinks = folds.into_iter().map(sink).collect();
        Reduction { sinks, cumulative, ..reduction }
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

    /// Runs the body over all tiles of some [units](Reduction::n_units), and reduces.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn reduce(&self, reduction: &Reduction, bases: &mut [*mut u8], units: Range<usize>) {
        let ReductionSpace { outer: _, reduced, inner, backward: _ } = reduction.space;
        match reduction.plan {
            Plan::Empty => {
                for sink in &reduction.sinks {
                    // SAFETY: promised by the caller.
                    (sink.folds.clear)(unsafe { sink.to.write(bases, units.start * inner, units.len() * inner) });
                }
            }
            Plan::Blocks { per_tile } => {
                for block in units.clone().step_by(per_tile) {
                    if interrupt::must_cut(self.ns_per_tile) {
                        return;
                    }
                    let n = per_tile.min(units.end - block);
                    let (start, n_points) = (block * reduced * inner, n * reduced * inner);
                    // SAFETY: promised by the caller; whole blocks of points give as many rows of results.
                    unsafe {
                        self.run_tile(bases, start, n_points);
                        for sink in &reduction.sinks {
                            let Partial::Points(from) = sink.from else { unreachable!("no blocks of accumulators") };
                            let out = sink.to.write(bases, block * inner, n * inner);
                            (sink.folds.blocks)(from.read(bases, start, n_points), out, reduced, inner);
                        }
                        self.accumulate_blocks(reduction, bases, start, n_points);
                    }
                }
            }
            // SAFETY: promised by the caller.
            Plan::Abreast => unsafe { self.accumulate_abreast(reduction, bases, units) },
            Plan::Runs { .. } | Plan::Rows { .. } | Plan::Columns { .. } => {
                for part in units.take_while(|_| !interrupt::must_cut(0)) {
                    let all = reduction.whole_part(part);
                    // SAFETY: promised by the caller.
                    unsafe { self.reduce_tiles(reduction, bases, all.tiles.clone(), &all, &mut Cascade::default()) }
                }
            }
        }
    }

    /// Reduces some of the tiles `all`, which are a whole part or a stretch of one; all of them in order, in any number of
    /// calls.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    pub(super) unsafe fn reduce_tiles(
        &self,
        reduction: &Reduction,
        bases: &mut [*mut u8],
        tiles: Range<usize>,
        all: &Tiles,
        cascade: &mut Cascade,
    ) {
        let part = reduction.part(self.tile, all.part);
        let n_levels = all.stretch.map_or(n_levels(part.n_tiles), |(stretches, _)| stretches.n_levels);
        // SAFETY: promised by the caller.
        unsafe {
            if tiles.start == all.tiles.start {
                self.open_part(reduction, bases, part);
            }
            self.fold_tiles(reduction, bases, part, tiles.clone(), n_levels, cascade);
            if tiles.end == all.tiles.end {
                match all.stretch {
                    None => self.close_part(reduction, bases, part),
                    Some((_, stretch)) => self.leave_stretch(reduction, bases, part.width, n_levels, stretch),
                }
            }
        }
    }

    /// Clears the levels.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn open_part(&self, reduction: &Reduction, bases: &[*mut u8], part: Part) {
        // SAFETY: promised by the caller.
        unsafe { self.restart(reduction, bases, part) }
        for sink in &reduction.sinks {
            // SAFETY: promised by the caller; levels have room for the widest part.
            (sink.folds.clear)(unsafe { sink.levels.write(bases, 0, n_levels(part.n_tiles) * part.width) });
        }
    }

    /// Runs the body over tiles and combines them, in so many levels.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn fold_tiles(
        &self,
        reduction: &Reduction,
        bases: &mut [*mut u8],
        part: Part,
        tiles: Range<usize>,
        n_levels: usize,
        cascade: &mut Cascade,
    ) {
        let width = part.width;
        for tile in in_order(tiles, reduction.space.backward) {
            if tile.is_multiple_of(TILES_BETWEEN) && interrupt::must_cut(TILES_BETWEEN as u32 * self.ns_per_tile) {
                return;
            }
            let start = part.first + tile * part.stride;
            let n_points = if tile + 1 == part.n_tiles { part.last_tile } else { part.tile };
            // SAFETY: promised by the caller; levels have room for the widest part.
            unsafe {
                let row = if reduction.is_combined_backward { width } else { n_points };
                for row_idx in (0..n_points.div_ceil(row)).rev() {
                    let before = row_idx * row;
                    self.run_tile(bases, start + before, row.min(n_points - before));
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
                self.accumulate(reduction, bases, part, start, n_points);
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
                let top = sink.levels.by_elements();
                let out = sink.to.write(bases, part.result, part.n_results);
                // The accumulator's groups of rows, in order.
                let n_groups = width / part.n_results;
                (sink.folds.blocks)(top.read(bases, (n_levels - 1) * width, width), out, n_groups, part.n_results);
            }
        }
    }
}

impl Place {
    /// The same place, where elements are found by their number.
    fn by_elements(self) -> Place {
        Place { advance: self.dtype.size() as u32, ..self }
    }
}

impl Reduction {
    /// Whether the kernel has one result of a single run of points.
    pub fn is_one_run(&self) -> bool {
        matches!(self.plan, Plan::Runs { .. }) && self.space.outer == 1
    }

    /// What is reduced independently of each other: parts, or blocks where several make up a tile.
    pub fn n_units(&self) -> usize {
        self.space.outer * self.units_per_block()
    }

    /// Units for each place of the outer axis.
    pub fn units_per_block(&self) -> usize {
        match self.plan {
            Plan::Empty | Plan::Blocks { .. } | Plan::Runs { .. } | Plan::Rows { .. } | Plan::Abreast => 1,
            Plan::Columns { per_tile } => self.space.inner.div_ceil(per_tile),
        }
    }

    /// How many units go together at least.
    pub fn units_together(&self) -> usize {
        if matches!(self.plan, Plan::Abreast) { ABREAST } else { 1 }
    }

    /// How parts are divided, if there are few.
    pub fn stretches(&self) -> Option<Stretches> {
        self.stretches
    }

    /// All tiles of a part.
    pub fn whole_part(&self, part: usize) -> Tiles {
        Tiles { part, tiles: 0..self.plan.tiles_per_part(self.space), stretch: None }
    }

    /// Elements of the accumulator of the widest part.
    fn width(&self) -> usize {
        self.plan.width(self.space)
    }

    fn part(&self, tile: usize, part: usize) -> Part {
        let ReductionSpace { outer: _, reduced, inner, backward: _ } = self.space;
        let n_tiles = self.plan.tiles_per_part(self.space);
        match self.plan {
            Plan::Empty | Plan::Blocks { .. } | Plan::Abreast => unreachable!("not reduced by parts"),
            Plan::Runs { .. } => Part {
                first: part * reduced,
                stride: tile,
                n_tiles,
                tile,
                last_tile: reduced - (n_tiles - 1) * tile,
                width: 1,
                result: part,
                n_results: 1,
            },
            Plan::Rows { per_tile, .. } => Part {
                first: part * reduced * inner,
                stride: per_tile * inner,
                n_tiles,
                tile: per_tile * inner,
                last_tile: (reduced - (n_tiles - 1) * per_tile) * inner,
                width: self.width(),
                result: part * inner,
                n_results: inner,
            },
            Plan::Columns { per_tile } => {
                let (block, column) = (part / self.units_per_block(), part % self.units_per_block() * per_tile);
                let n = per_tile.min(inner - column);
                Part {
                    first: block * reduced * inner + column,
                    stride: inner,
                    n_tiles,
                    tile: n,
                    last_tile: n,
                    width: n,
                    result: block * inner + column,
                    n_results: n,
                }
            }
        }
    }
}
