//! Loops with a loop of its own for each element, as machine code that runs chunk by chunk.

use super::frame::{Frame, Needs};
use crate::{
    executable::RunError,
    interrupt,
    jit::{Assembly, Lanewise, Machine},
    schedule::{KernelStep, Needed, Step},
};

/// Machine code and what it touches.
#[derive(Debug)]
pub(super) struct LanewiseProgram {
    machine: Machine,
    lanewise: Lanewise,
}

impl LanewiseProgram {
    /// Compiles such a loop, of which what is `needed` counts; `None` for other steps.
    pub fn new(step: &Step<KernelStep>, needed: &Needed, assembly: &mut Assembly) -> Option<LanewiseProgram> {
        let (machine, lanewise) = assembly.lanewise(step, needed)?;
        Some(LanewiseProgram { machine, lanewise })
    }

    pub fn needs(&self) -> Needs {
        Needs { n_bases: self.lanewise.table.len(), ..Needs::default() }
    }

    /// Runs the loop.
    ///
    /// # Safety
    /// The slots must hold what the schedule says.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        let Lanewise { table, len, chunk, origin } = &self.lanewise;
        frame.n_kernels += 1;
        for (i, &slot) in table.iter().enumerate() {
            frame.bases[i] = frame.address(slot);
        }
        for start in (0..*len).step_by(*chunk) {
            // The last chunk ends where the elements do. What it shares with the one before has stopped, and stays.
            let start = start.min(len - chunk);
            // SAFETY: promised by the caller; the table holds what the code was made for, and a chunk fits.
            unsafe { self.machine.run_once(&frame.bases[..table.len()], start) }
                .map_err(|_| interrupt::stopped(*origin))?;
        }
        Ok(())
    }
}
