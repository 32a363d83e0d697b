//! Kernels that run strip by strip: see [`crate::schedule::Strips`].

use super::{Base, TileProgram, compile::CELL_ALIGNMENT, reduction::Reduction, threads::with_scratch};
use crate::{
    executable::RunError,
    interp::{
        frame::{Addresses, Frame, Needs},
        reduce::Cascade,
    },
    interrupt,
    jit::Machine,
    pool,
    schedule::{MAX_KERNELS, SlotId, Strips},
};
use std::ops::Range;

/// Kernels ready to run together.
#[derive(Debug)]
pub(in crate::interp) struct StripProgram {
    programs: Vec<TileProgram>,
    n_rows: usize,
    per_strip: usize,
    local: Vec<Local>,
    needs: Needs,
    /// Rows that a thread may take without the others.
    per_group: Option<usize>,
}

/// A slot that holds one strip, in the scratch space.
#[derive(Debug)]
struct Local {
    slot: SlotId,
    row_bytes: usize,
    /// Where it begins.
    at: usize,
}

/// Rows that pass through all kernels strip by strip: all of them, or a group that a thread takes.
struct Rows {
    rows: Range<usize>,
    group: Option<usize>,
}

impl StripProgram {
    /// Whether machine code does most of the work of a kernel.
    pub fn has_machine_code(&self) -> bool {
        self.programs.iter().any(TileProgram::has_machine_code)
    }

    /// Puts compiled kernels together.
    pub fn new(mut programs: Vec<TileProgram>, strips: &Strips) -> StripProgram {
        let mut needs = Needs::default();
        for program in &mut programs {
            (program.first_base, program.first_scratch) = (needs.n_bases, needs.scratch_bytes);
            // What is computed once must stay where it is, and the slots do not.
            program.apart_from = None;
            // The next kernel reads it.
            program.machine.iter_mut().for_each(Machine::keep_in_caches);
            let own = program.needs();
            needs.n_bases += own.n_bases;
            needs.scratch_bytes += own.scratch_bytes.next_multiple_of(CELL_ALIGNMENT);
        }
        let mut place = |&(slot, row_bytes): &(SlotId, usize)| {
            let at = needs.scratch_bytes;
            needs.scratch_bytes += (strips.per_strip * row_bytes).next_multiple_of(CELL_ALIGNMENT);
            Local { slot, row_bytes, at }
        };
        let local = strips.local.iter().map(&mut place).collect();
        let Strips { n_rows, per_strip, .. } = *strips;
        let per_group = rows_per_group(&programs, n_rows, per_strip);
        StripProgram { programs, n_rows, per_strip, local, needs, per_group }
    }

    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// About how long it takes.
    pub fn ns(&self) -> f64 {
        self.programs.iter().map(TileProgram::ns).sum()
    }

    /// Runs all kernels over all rows.
    ///
    /// # Safety
    /// As for [`TileProgram::run`], for each of the kernels.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        frame.n_kernels += self.programs.len() as u64;
        self.programs.iter().for_each(|program| program.bind(frame));
        let scratch = frame.scratch();
        let bases = &mut frame.bases[..self.needs.n_bases];
        let ns = self.ns();
        let n_groups = self.per_group.map_or(1, |per_group| self.n_rows.div_ceil(per_group));
        if n_groups == 1 || ns < pool::WORTHWHILE || pool::num_threads() == 1 {
            // SAFETY: promised by the caller.
            unsafe { self.run_rows(bases, scratch, &Rows { rows: 0..self.n_rows, group: None }) }
            return self.finish();
        }
        let per_group = self.per_group.unwrap_or(self.n_rows);
        let shared = Addresses(bases);
        pool::for_ranges(n_groups, 1, ns / n_groups as f64, &|start, end| {
            let shared = &shared;
            with_scratch(self.needs.scratch_bytes, |scratch| {
                let mut bases = shared.0.to_vec();
                for group in start..end {
                    let rows = group * per_group..self.n_rows.min((group + 1) * per_group);
                    // SAFETY: promised by the caller; groups have rows of their own, and threads scratch space.
                    unsafe { self.run_rows(&mut bases, scratch, &Rows { rows, group: Some(group) }) }
                }
            });
        });
        for program in &self.programs {
            if let Some(reduction) = total(program)
                && let Some(stretches) = reduction.stretches()
            {
                let bases = &mut bases[program.first_base..][..program.bases.len()];
                // SAFETY: promised by the caller; each group was a stretch.
                unsafe { program.join_stretches(reduction, stretches, bases) }
            }
        }
        self.finish()
    }

    /// An error if the run was stopped meanwhile.
    fn finish(&self) -> Result<(), RunError> {
        interrupt::finish(self.programs.last().map_or(0, |program| program.origin))
    }

    /// Runs all kernels over some rows, strip by strip, with scratch space at an address.
    ///
    /// # Safety
    /// As for [`TileProgram::run`], for each of the kernels.
    unsafe fn run_rows(&self, bases: &mut [*mut u8], scratch: *mut u8, all: &Rows) {
        let mut cascades: [Cascade; MAX_KERNELS] = Default::default();
        let mut start = all.rows.start;
        while start < all.rows.end && !interrupt::must_cut(0) {
            let rows = start..all.rows.end.min(start + self.per_strip);
            for (program, cascade) in self.programs.iter().zip(&mut cascades) {
                let bases = &mut bases[program.first_base..][..program.bases.len()];
                self.place(program, bases, scratch, start);
                // SAFETY: promised by the caller; what the rows of a strip read, earlier kernels have written.
                unsafe {
                    if start == all.rows.start {
                        program.begin(bases);
                    }
                    program.run_strip(bases, rows.clone(), self.n_rows, all, cascade);
                }
            }
            start = rows.end;
        }
    }

    /// Points a program at scratch space, and at what the strip that begins at a row has there.
    fn place(&self, program: &TileProgram, bases: &mut [*mut u8], scratch: *mut u8, row: usize) {
        for (address, base) in bases.iter_mut().zip(&program.bases) {
            match *base {
                Base::Scratch { offset } => *address = scratch.wrapping_add(program.first_scratch + offset),
                Base::Slot { slot, offset } => {
                    if let Some(local) = self.local.iter().find(|local| local.slot == slot) {
                        let first = scratch.wrapping_add(local.at).wrapping_sub(row * local.row_bytes);
                        *address = first.wrapping_add(offset);
                    }
                }
                Base::Shared { .. } | Base::Row | Base::Choice => {}
            }
        }
    }
}

/// The reduction of a kernel that combines all its points to one result.
fn total(program: &TileProgram) -> Option<&Reduction> {
    program.reduction.as_deref().filter(|reduction| reduction.is_one_run())
}

/// How many rows a thread takes: a strip, or as many as make up a stretch of each total; `None` if there is no such number.
fn rows_per_group(programs: &[TileProgram], n_rows: usize, per_strip: usize) -> Option<usize> {
    let mut rows = programs.iter().filter_map(|program| {
        let stretches = total(program)?.stretches();
        let points = stretches.map_or(0, |stretches| stretches.n_tiles * program.tile);
        let per_row = program.len / n_rows;
        Some((points / per_row, points > 0 && points.is_multiple_of(per_row)))
    });
    match rows.next() {
        None => Some(per_strip),
        Some((first, is_whole)) => (is_whole && rows.all(|other| other == (first, true))).then_some(first),
    }
}

impl TileProgram {
    /// Runs over the points of a strip; all strips of some rows in order.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn run_strip(
        &self,
        bases: &mut [*mut u8],
        strip: Range<usize>,
        n_rows: usize,
        all: &Rows,
        cascade: &mut Cascade,
    ) {
        let points = self.len / n_rows;
        // SAFETY: promised by the caller.
        unsafe {
            match &self.reduction {
                None => self.run_points(bases, strip.start * points, strip.end * points),
                Some(reduction) if reduction.is_one_run() => {
                    let tiles = match all.group.zip(reduction.stretches()) {
                        None => reduction.whole_part(0),
                        Some((group, stretches)) => stretches.tiles(reduction, group),
                    };
                    // Strips end where tiles do, but for the last.
                    let of_strip = strip.start * points / self.tile..(strip.end * points).div_ceil(self.tile);
                    self.reduce_tiles(reduction, bases, of_strip, &tiles, cascade);
                }
                Some(reduction) => {
                    let per_row = reduction.n_units() / n_rows;
                    self.reduce(reduction, bases, strip.start * per_row..strip.end * per_row);
                }
            }
        }
    }
}
