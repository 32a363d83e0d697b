//! Runs without a frame: programs that are one piece of machine code over inputs, constants and results.
//!
//! What such a run needs stands on the stack, so a call costs little more than the code itself and the memory of its
//! results.

use super::{Launch, single::SingleProgram};
use crate::{
    buffer::Buffer,
    counters,
    dtype::DType,
    executable::RunError,
    schedule::{Slot, SlotId, Step, Tensor},
};
use smallvec::SmallVec;
use std::{ptr::null_mut, sync::Arc};

/// What the stack has room for.
const MOST_ADDRESSES: usize = 16;
const MOST_RESULTS: usize = 8;
const MOST_CELLS: usize = 4;

/// Where each address and each output of such a program comes from.
pub(super) struct DirectProgram {
    table: Vec<Place>,
    results: Vec<(DType, usize)>,
    outputs: Vec<Place>,
}

#[derive(Clone, Copy)]
enum Place {
    Input(usize),
    /// The slot with this number.
    Constant(usize),
    /// By position in [`DirectProgram::results`].
    Result(usize),
}

impl DirectProgram {
    /// `None` if the program is more than one piece of machine code, or needs more memory than its results.
    pub fn new(slots: &[Slot], steps: &[Step<Launch>], outputs: &[Tensor]) -> Option<DirectProgram> {
        let [Step::Kernel(Launch::Single { program, .. })] = steps else { return None };
        let mut owners: Vec<SlotId> = vec![];
        let mut results = vec![];
        for out in outputs {
            if let Slot::Result { bytes } = slots[out.slot.0 as usize] {
                if owners.contains(&out.slot) || bytes != out.bytes() {
                    return None;
                }
                owners.push(out.slot);
                results.push((out.dtype, out.len));
            }
        }
        let place = |slot: SlotId| match &slots[slot.0 as usize] {
            Slot::Input(position) => Some(Place::Input(*position)),
            Slot::Constant(_) => Some(Place::Constant(slot.0 as usize)),
            Slot::Result { .. } => owners.iter().position(|owner| *owner == slot).map(Place::Result),
            Slot::Donated { .. } | Slot::Temporary { .. } | Slot::Window | Slot::Empty => None,
        };
        let gives_away = slots.iter().any(|slot| matches!(slot, Slot::Donated { .. }));
        let fits = program.table().len() < MOST_ADDRESSES
            && results.len() <= MOST_RESULTS
            && program.n_cells() <= MOST_CELLS
            && !gives_away;
        let table = program.table().iter().map(|&slot| place(slot)).collect::<Option<_>>()?;
        let outputs = outputs.iter().map(|out| place(out.slot)).collect::<Option<_>>()?;
        fits.then_some(DirectProgram { table, results, outputs })
    }

    /// Runs the code on inputs of the right types, and gives the outputs in order.
    ///
    /// # Safety
    /// The code and the slots must be those that this was made for.
    pub unsafe fn run<'a>(
        &self,
        program: &SingleProgram,
        slots: &[Slot],
        input: impl Fn(usize) -> &'a Arc<Buffer>,
        mut output: impl FnMut(Arc<Buffer>),
    ) -> Result<(), RunError> {
        let mut results = SmallVec::<[Arc<Buffer>; MOST_RESULTS]>::new();
        for &(dtype, len) in &self.results {
            // SAFETY: the code writes all of it before anybody sees it.
            results.push(unsafe { Buffer::any_shared(dtype, len) }?);
        }
        let mut table = [null_mut(); MOST_ADDRESSES];
        for (address, place) in table.iter_mut().zip(&self.table) {
            *address = match *place {
                Place::Input(i) => input(i).as_ptr(),
                Place::Constant(slot) => constant(slots, slot).as_ptr(),
                Place::Result(i) => results[i].as_ptr(),
            };
        }
        counters::add_kernels(1);
        // SAFETY: the table holds what the schedule says.
        unsafe { program.enter(&mut table[..=self.table.len()], &mut [0; MOST_CELLS]) }?;
        // They leave in order.
        let mut results = results.drain(..);
        for place in &self.outputs {
            output(match *place {
                Place::Input(i) => input(i).clone(),
                Place::Constant(slot) => constant(slots, slot).clone(),
                Place::Result(_) => results.next().expect("leaves once"),
            });
        }
        Ok(())
    }
}

fn constant(slots: &[Slot], slot: usize) -> &Arc<Buffer> {
    match &slots[slot] {
        Slot::Constant(value) => value,
        _ => unreachable!("the slot of a constant"),
    }
}
