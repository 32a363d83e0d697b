//! Kernels that run strip by strip: see [`crate::schedule::Strips`].

use super::{TileProgram, compile::CELL_ALIGNMENT};
use crate::{
    interp::{
        frame::{Frame, Needs},
        reduce::Cascade,
    },
    jit::Machine,
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
}

/// A slot that holds one strip, in the scratch space.
#[derive(Debug)]
struct Local {
    slot: SlotId,
    row_bytes: usize,
    /// Where it begins.
    at: usize,
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
        StripProgram { programs, n_rows: strips.n_rows, per_strip: strips.per_strip, local, needs }
    }

    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Runs all kernels over all rows.
    ///
    /// # Safety
    /// As for [`TileProgram::run`], for each of the kernels.
    pub unsafe fn run(&self, frame: &mut Frame) {
        frame.n_kernels += self.programs.len() as u64;
        let mut cascades: [Cascade; MAX_KERNELS] = Default::default();
        let mut start = 0;
        while start < self.n_rows {
            let rows = start..self.n_rows.min(start + self.per_strip);
            for local in &self.local {
                let address = frame.scratch().wrapping_add(local.at).wrapping_sub(start * local.row_bytes);
                frame.lend(local.slot, address);
            }
            for (program, cascade) in self.programs.iter().zip(&mut cascades) {
                program.bind(frame);
                let bases = &mut frame.bases[program.first_base..][..program.bases.len()];
                // SAFETY: promised by the caller; what the rows of a strip read, earlier strips and kernels have written.
                unsafe {
                    if start == 0 {
                        program.begin(bases);
                    }
                    program.run_rows(bases, rows.clone(), self.n_rows, cascade);
                }
            }
            start = rows.end;
        }
        self.local.iter().for_each(|local| frame.restore(local.slot));
    }
}

impl TileProgram {
    /// Runs over the points of some rows; all rows in order, in any number of calls.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn run_rows(&self, bases: &mut [*mut u8], rows: Range<usize>, n_rows: usize, cascade: &mut Cascade) {
        let points = self.len / n_rows;
        // SAFETY: promised by the caller.
        unsafe {
            match &self.reduction {
                None => self.run_points(bases, rows.start * points, rows.end * points),
                Some(reduction) if reduction.is_one_run() => {
                    let end = rows.end * points;
                    // Strips end where tiles do, but for the last.
                    self.reduce_tiles(
                        reduction,
                        bases,
                        rows.start * points / self.tile..end.div_ceil(self.tile),
                        cascade,
                    );
                }
                Some(reduction) => {
                    let per_row = reduction.outer() / n_rows;
                    self.reduce(reduction, bases, rows.start * per_row..rows.end * per_row);
                }
            }
        }
    }
}
