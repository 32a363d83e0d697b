//! Programs over single elements as machine code.

use super::frame::{Frame, Needs};
use crate::{
    jit::{Assembly, Key, Machine},
    schedule::{KernelStep, Needed, Step},
};

/// Machine code and the places it touches.
#[derive(Debug)]
pub(super) struct SingleProgram {
    machine: Machine,
    table: Vec<Key>,
}

impl SingleProgram {
    /// Compiles scalar steps, of which what is `needed` counts; `None` if the code does not handle them.
    pub fn new(steps: &[Step<KernelStep>], needed: &Needed, assembly: &mut Assembly) -> Option<SingleProgram> {
        let (machine, table) = assembly.single(steps, needed)?;
        Some(SingleProgram { machine, table })
    }

    pub fn needs(&self) -> Needs {
        Needs { n_bases: self.table.len(), ..Needs::default() }
    }

    /// Runs the program.
    ///
    /// # Safety
    /// The slots must hold what the schedule says.
    pub unsafe fn run(&self, frame: &mut Frame) {
        frame.n_kernels += 1;
        for (i, &(slot, offset)) in self.table.iter().enumerate() {
            frame.bases[i] = frame.address(slot).wrapping_add(offset);
        }
        // SAFETY: promised by the caller; the table holds what the code was made for.
        unsafe { self.machine.run(&frame.bases[..self.table.len()], 0, 0, 0) }
    }
}
