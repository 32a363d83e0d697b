//! Small programs as machine code.

use super::frame::{Frame, Needs};
use crate::{
    counters,
    executable::RunError,
    interrupt,
    jit::{Assembly, Machine, Single},
    schedule::{KernelStep, Needed, Slot, SlotId, Step},
};

/// Machine code and what it touches.
#[derive(Debug)]
pub(super) struct SingleProgram {
    machine: Machine,
    single: Single,
}

impl SingleProgram {
    /// Compiles small steps, of which what is `needed` counts; `None` if the code does not handle them.
    pub fn new(
        steps: &[Step<KernelStep>],
        slots: &[Slot],
        needed: &Needed,
        assembly: &mut Assembly,
    ) -> Option<SingleProgram> {
        let (machine, single) = assembly.single(steps, slots, needed)?;
        Some(SingleProgram { machine, single })
    }

    pub fn needs(&self) -> Needs {
        Needs { n_bases: self.single.table.len() + 1, n_cells: self.n_cells(), ..Needs::default() }
    }

    /// The slots whose addresses the code takes.
    pub fn table(&self) -> &[SlotId] {
        &self.single.table
    }

    /// How many numbers the code counts in.
    pub fn n_cells(&self) -> usize {
        self.single.tallies.len()
    }

    /// Runs the program.
    ///
    /// # Safety
    /// The slots must hold what the schedule says.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        frame.n_kernels += 1;
        let table = self.table();
        for (i, &slot) in table.iter().enumerate() {
            frame.bases[i] = frame.address(slot);
        }
        // SAFETY: promised by the caller.
        unsafe { self.enter(&mut frame.bases[..=table.len()], &mut frame.cells) }
    }

    /// Runs the code on a table of addresses, which has one place more than there are slots, and cells to count in.
    ///
    /// # Safety
    /// The addresses must be of memory that holds what the schedule says.
    pub unsafe fn enter(&self, table: &mut [*mut u8], cells: &mut [u64]) -> Result<(), RunError> {
        let Single { origins, tallies, .. } = &self.single;
        // To fill nothing is not free: it may touch the place where nothing is.
        if !tallies.is_empty() {
            cells[..tallies.len()].fill(0);
        }
        *table.last_mut().expect("has a place for the cells") = cells.as_mut_ptr().cast();
        // SAFETY: promised by the caller; the table holds what the code was made for.
        let outcome = unsafe { self.machine.run_once(table, 0) };
        for (name, &n) in tallies.iter().zip(&*cells) {
            counters::add_calls(name, n);
        }
        outcome.map_err(|at| interrupt::stopped(origins[at]))
    }
}
