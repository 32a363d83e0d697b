//! Which slots steps need from before.

use super::{KernelStep, SlotId, Step, Tensor};
use std::collections::HashSet;

/// Slots whose contents some step may read before any step is sure to have written them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed(HashSet<SlotId>);

/// What a step reads before it writes it, and what it is sure to write.
#[derive(Debug)]
pub(crate) struct Effect {
    reads: HashSet<SlotId>,
    writes: HashSet<SlotId>,
}

impl Effect {
    pub fn of(step: &Step<KernelStep>) -> Effect {
        let mut effect = Effect { reads: HashSet::new(), writes: HashSet::new() };
        visit(step, &mut effect.reads, &mut effect.writes);
        effect
    }

    /// Whether a slot is read before it is written.
    #[allow(dead_code, reason = "only a compiler asks, which not every machine has")]
    pub fn reads(&self, slot: SlotId) -> bool {
        self.reads.contains(&slot)
    }
}

impl Needed {
    /// What results stand in is needed in the end.
    pub fn by_outputs(outputs: &[Tensor]) -> Needed {
        Needed(outputs.iter().map(|output| output.slot).collect())
    }

    #[allow(dead_code, reason = "only a compiler asks, which not every machine has")]
    pub fn contains(&self, slot: SlotId) -> bool {
        self.0.contains(&slot)
    }

    /// From what is needed after a step to what is needed before it.
    pub fn step_back(&mut self, effect: &Effect) {
        self.0.retain(|slot| !effect.writes.contains(slot));
        self.0.extend(&effect.reads);
    }

    /// What is needed after the steps inside of a loop or branch, of what is needed after that: also what the next round
    /// reads, and what the loop itself does between rounds.
    pub fn inside(&self, step: &Step<KernelStep>) -> Needed {
        let mut all = self.0.clone();
        all.extend(Effect::of(step).reads);
        match step {
            Step::While { flag, body, swaps, .. } => {
                let (mut reads, mut writes) = (HashSet::new(), HashSet::new());
                body.iter().for_each(|step| visit(step, &mut reads, &mut writes));
                all.extend(reads);
                all.extend(swaps.iter().flat_map(|&(a, b)| [a, b]).chain([*flag]));
            }
            Step::Scan { windows, swaps, .. } => {
                all.extend(swaps.iter().flat_map(|&(a, b)| [a, b]));
                all.extend(windows.iter().map(|moving| moving.window));
            }
            _ => {}
        }
        Needed(all)
    }
}

fn visit_kernel(KernelStep { kernel, slots }: &KernelStep, access: &mut impl FnMut(&[SlotId], &[SlotId])) {
    for instruction in &kernel.body {
        if let Some(operand) = instruction.operand() {
            access(&[slots[operand.0 as usize]], &[]);
        }
    }
    kernel.stores.iter().for_each(|store| access(&[], &[slots[store.to().0 as usize]]));
}

/// Adds what a step reads unless it was written, and what it is sure to write.
fn visit(step: &Step<KernelStep>, reads: &mut HashSet<SlotId>, writes: &mut HashSet<SlotId>) {
    let mut access = |read: &[SlotId], written: &[SlotId]| {
        reads.extend(read.iter().filter(|slot| !writes.contains(slot)));
        writes.extend(written);
    };
    match step {
        Step::Kernel(kernel) => visit_kernel(kernel, &mut access),
        Step::Strips { kernels, strips } => {
            kernels.iter().for_each(|kernel| visit_kernel(kernel, &mut access));
            // They have nothing to do with what stood there, and leave nothing.
            writes.retain(|slot| strips.local.iter().all(|(local, _)| local != slot));
        }
        Step::Copy { from, to } => access(&[from.slot], &[*to]),
        Step::Assemble { fill, parts, to } => {
            parts.iter().for_each(|(part, _)| access(&[*part], &[]));
            access(&[*fill], &[to.slot]);
        }
        Step::ArgReduce { from, to, .. } => access(&[from.slot], &[to.slot]),
        Step::DynamicSlice { from, starts, to, .. } => access(&[from.slot, starts.slot], &[*to]),
        Step::DynamicUpdate { update, starts, to, .. } => access(&[*update, starts.slot, to.slot], &[to.slot]),
        Step::Gather { from, indices, to, .. } => access(&[from.slot, indices.slot], &[*to]),
        Step::Scatter { indices, updates, to, .. } => access(&[indices.slot, *updates, to.slot], &[to.slot]),
        Step::Dot { a, b, to, .. } => access(&[a.slot, b.slot], &[to.slot]),
        Step::Call { args, outs, .. } => {
            args.iter().for_each(|(arg, _)| access(&[*arg], &[]));
            outs.iter().for_each(|(out, _)| access(&[], &[*out]));
        }
        Step::While { cond, flag, body, swaps, .. } => {
            cond.iter().for_each(|step| visit(step, reads, writes));
            let mut in_body = writes.clone();
            body.iter().for_each(|step| visit(step, reads, &mut in_body));
            let traded = swaps.iter().flat_map(|&(a, b)| [a, b]);
            reads.extend(traded.chain([*flag]).filter(|slot| !in_body.contains(slot)));
        }
        Step::Switch { index, branches } => {
            access(&[*index], &[]);
            for branch in branches {
                let mut in_branch = writes.clone();
                branch.iter().for_each(|step| visit(step, reads, &mut in_branch));
            }
        }
        Step::Scan { windows, body, swaps, .. } => {
            let mut in_body = writes.clone();
            reads.extend(windows.iter().map(|moving| moving.over).filter(|slot| !in_body.contains(slot)));
            in_body.extend(windows.iter().map(|moving| moving.window));
            body.iter().for_each(|step| visit(step, reads, &mut in_body));
            reads.extend(swaps.iter().flat_map(|&(a, b)| [a, b]).filter(|slot| !in_body.contains(slot)));
        }
    }
}
