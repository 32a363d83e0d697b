//! Small programs as machine code.

use super::frame::{Frame, Needs};
use crate::{
    counters,
    executable::RunError,
    interrupt,
    jit::{Assembly, Machine, Single},
    schedule::{KernelStep, Needed, Slot, Step},
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
        Needs { n_bases: self.single.table.len() + 1, n_cells: self.single.tallies.len(), ..Needs::default() }
    }

    /// Runs the program.
    ///
    /// # Safety
    /// The slots must hold what the schedule says.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        let Single { table, origins, tallies } = &self.single;
        frame.n_kernels += 1;
        for (i, &slot) in table.iter().enumerate() {
            frame.bases[i] = frame.address(slot);
        }
        // To fill nothing is not free: it may touch the place where nothing is.
        if !tallies.is_empty() {
            frame.cells[..tallies.len()].fill(0);
        }
        frame.bases[table.len()] = frame.cells.as_mut_ptr().cast();
        // SAFETY: promised by the caller; the table holds what the code was made for.
        let outcome = unsafe { self.machine.run_once(&frame.bases[..=table.len()], 0) };
        for (name, &n) in tallies.iter().zip(&frame.cells) {
            counters::add_calls(name, n);
        }
        outcome.map_err(|at| interrupt::stopped(origins[at]))
    }
}
