//! The checker of schedules: every tensor fits its slot, nothing writes memory of others, and slots that trade are of one
//! size.

use super::{KernelStep, MAX_KERNELS, Schedule, Slot, SlotId, Step, Tensor};
use crate::kernel::{Access, Gather, Instruction};

type Checked = Result<(), String>;

impl Schedule<KernelStep> {
    /// Verifies the schedule.
    pub fn check(&self) -> Checked {
        check_steps(&self.slots, &self.steps)?;
        self.outputs.iter().try_for_each(|output| fits(&self.slots, output.slot, output.bytes()))
    }
}

/// Whether a tensor of so many bytes may stand in a slot. Inputs and windows are as large as their tensors.
fn fits(slots: &[Slot], slot: SlotId, bytes: usize) -> Checked {
    let room = match &slots[slot.0 as usize] {
        Slot::Input(_) | Slot::Window => usize::MAX,
        Slot::Constant(value) => value.bytes().len(),
        Slot::Temporary { bytes } | Slot::Result { bytes } | Slot::Donated { bytes, .. } => *bytes,
        Slot::Empty => 0,
    };
    if bytes <= room { Ok(()) } else { Err(format!("{bytes} bytes in {slot} of {room}")) }
}

fn may_write(slots: &[Slot], slot: SlotId, bytes: usize) -> Checked {
    match &slots[slot.0 as usize] {
        Slot::Input(_) | Slot::Constant(_) => Err(format!("{slot} is written, but belongs to others")),
        Slot::Temporary { .. } | Slot::Result { .. } | Slot::Donated { .. } | Slot::Window | Slot::Empty => {
            fits(slots, slot, bytes)
        }
    }
}

/// Checks that a step reads and writes different slots; tensors without bytes share one.
fn distinct(slots: &[Slot], reads: &[SlotId], to: SlotId) -> Checked {
    if reads.contains(&to) && !matches!(slots[to.0 as usize], Slot::Empty) {
        Err(format!("{to} is read and written at once"))
    } else {
        Ok(())
    }
}

fn check_swaps(slots: &[Slot], swaps: &[(SlotId, SlotId)]) -> Checked {
    swaps.iter().try_for_each(|&(a, b)| {
        let bytes = |slot: SlotId| slots[slot.0 as usize].bytes();
        if bytes(a) == bytes(b) && bytes(a) > 0 { Ok(()) } else { Err(format!("{a} cannot trade with {b}")) }
    })
}

fn check_steps(slots: &[Slot], steps: &[Step<KernelStep>]) -> Checked {
    let read = |tensor: &Tensor| fits(slots, tensor.slot, tensor.bytes());
    let write = |tensor: &Tensor| may_write(slots, tensor.slot, tensor.bytes());
    for step in steps {
        match step {
            Step::Kernel(step) => check_kernel(slots, step)?,
            Step::Strips { kernels, strips } => {
                kernels.iter().try_for_each(|step| check_kernel(slots, step))?;
                strips.local.iter().try_for_each(|&(slot, row)| may_write(slots, slot, row * strips.n_rows))?;
                if kernels.len() > MAX_KERNELS || strips.per_strip == 0 {
                    return Err(format!("{} kernels in strips of {} rows", kernels.len(), strips.per_strip));
                }
            }
            Step::Copy { from, to } => {
                read(from)?;
                may_write(slots, *to, from.bytes())?;
                distinct(slots, &[from.slot], *to)?;
            }
            Step::Assemble { fill, parts, to } => {
                write(to)?;
                distinct(slots, &[*fill], to.slot)?;
                for (part, strided) in parts {
                    fits(slots, *part, strided.len() * to.dtype.size())?;
                    distinct(slots, &[*part], to.slot)?;
                }
            }
            Step::ArgReduce { from, to, .. } => {
                read(from)?;
                write(to)?;
                distinct(slots, &[from.slot], to.slot)?;
            }
            Step::DynamicSlice { from, starts, to, window } => {
                read(from)?;
                read(starts)?;
                may_write(slots, *to, window.len() * from.dtype.size())?;
                distinct(slots, &[from.slot, starts.slot], *to)?;
            }
            Step::DynamicUpdate { update, starts, to, window } => {
                fits(slots, *update, window.len() * to.dtype.size())?;
                read(starts)?;
                write(to)?;
                distinct(slots, &[*update, starts.slot], to.slot)?;
            }
            Step::Gather { from, indices, to, places, mode: _, origin: _ } => {
                read(from)?;
                read(indices)?;
                may_write(slots, *to, places.len() * from.dtype.size())?;
                distinct(slots, &[from.slot, indices.slot], *to)?;
            }
            Step::Scatter { indices, updates, to, places, kind: _, origin: _ } => {
                fits(slots, *updates, places.len() * to.dtype.size())?;
                read(indices)?;
                write(to)?;
                distinct(slots, &[*updates, indices.slot], to.slot)?;
            }
            Step::Dot { a, b, plan: _, to, origin: _ } => {
                read(a)?;
                read(b)?;
                write(to)?;
                distinct(slots, &[a.slot, b.slot], to.slot)?;
            }
            Step::Call { call: _, origin: _, args, outs } => {
                for (slot, t) in args {
                    fits(slots, *slot, t.len() * t.dtype.size())?;
                }
                for (slot, t) in outs.iter().filter(|(_, t)| t.len() * t.dtype.size() > 0) {
                    may_write(slots, *slot, t.len() * t.dtype.size())?;
                    let reads: Vec<SlotId> = args.iter().map(|(arg, _)| *arg).collect();
                    distinct(slots, &reads, *slot)?;
                }
            }
            Step::While { cond, flag, body, swaps, origin: _ } => {
                check_steps(slots, cond)?;
                fits(slots, *flag, 1)?;
                check_steps(slots, body)?;
                check_swaps(slots, swaps)?;
            }
            Step::Switch { index, branches } => {
                fits(slots, *index, size_of::<i32>())?;
                branches.iter().try_for_each(|branch| check_steps(slots, branch))?;
            }
            Step::Scan { length, reverse: _, windows, body, swaps, origin: _ } => {
                for moving in windows {
                    fits(slots, moving.over, moving.row * length)?;
                }
                check_steps(slots, body)?;
                check_swaps(slots, swaps)?;
            }
        }
    }
    Ok(())
}

fn check_kernel(slots: &[Slot], KernelStep { kernel, slots: operands, .. }: &KernelStep) -> Checked {
    kernel.check()?;
    let bytes = |i: usize| kernel.operands[i].len * kernel.operands[i].dtype.size();
    for instruction in &kernel.body {
        if let Some(operand) = instruction.operand() {
            fits(slots, operands[operand.0 as usize], bytes(operand.0 as usize))?;
        }
    }
    let written: Vec<usize> = kernel.stores.iter().map(|store| store.to().0 as usize).collect();
    for (i, &to) in written.iter().enumerate() {
        may_write(slots, operands[to], bytes(to))?;
        let others = written[..i].iter().map(|&other| operands[other]).collect::<Vec<_>>();
        distinct(slots, &others, operands[to])?;
    }
    for instruction in &kernel.body {
        let (operand, is_by_points) = match instruction {
            Instruction::Load { operand, access } => (operand, *access == Access::IDENTITY),
            Instruction::Gather(Gather { operand, .. }) => (operand, false),
            Instruction::Count { .. } | Instruction::Map { .. } => continue,
        };
        let (from, slot) = (operand.0 as usize, operands[operand.0 as usize]);
        let size = |i: usize| kernel.operands[i].dtype.size();
        let in_place = |to: usize| is_by_points && size(to) == size(from);
        let mut overwritten = written.iter().filter(|&&to| operands[to] == slot && bytes(to) > 0);
        if overwritten.any(|&to| !in_place(to)) {
            return Err(format!("{slot} is written at other places than it is read from"));
        }
    }
    Ok(())
}
