//! Loops with a loop of its own for each element, as machine code that runs chunk by chunk, on several threads if the first
//! chunk takes long enough.

use super::frame::{Addresses, Frame, Needs};
use crate::{
    executable::RunError,
    interrupt,
    jit::{Assembly, Lanewise, Machine},
    pool,
    schedule::{KernelStep, Needed, Step},
};
use std::time::Instant;

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
        let shared = Addresses(&frame.bases[..table.len()]);
        let run = |start: usize| {
            let shared = &shared;
            // SAFETY: promised by the caller; the table holds what the code was made for, and a chunk fits.
            if unsafe { self.machine.run_once(shared.0, start) }.is_err() {
                interrupt::cut();
            }
        };
        let n_chunks = len / chunk;
        // How long a chunk takes shows when one has run.
        let started = Instant::now();
        run(0);
        let ns = started.elapsed().as_nanos() as f64;
        pool::for_ranges(n_chunks - 1, 1, ns, &|first, end| {
            (first + 1..end + 1).take_while(|_| !interrupt::is_cut()).for_each(|i| run(i * chunk));
        });
        if !len.is_multiple_of(*chunk) && !interrupt::is_cut() {
            // The last chunk ends where the elements do. What it shares with the one before has stopped, and stays.
            run(len - chunk);
        }
        interrupt::finish(*origin)
    }
}
