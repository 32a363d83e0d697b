//! Which slots steps need from before.

use super::{KernelStep, SlotId, Step, Tensor};
use rustc_hash::FxHashSet;

/// Slots whose contents some step may read before any step is sure to have written them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed(FxHashSet<SlotId>);

/// What a step reads before it writes it, and what it is sure to write.
#[derive(Debug)]
pub(crate) struct Effect {
    reads: FxHashSet<SlotId>,
    writes: FxHashSet<SlotId>,
}

impl Effect {
    pub fn of(step: &Step<KernelStep>) -> Effect {
        let (mut reads, mut writes) = (FxHashSet::default(), Writes::default());
        visit(step, &mut reads, &mut writes);
        Effect { reads, writes: writes.all }
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
        effect.writes.iter().for_each(|slot| {
            self.0.remove(slot);
        });
        self.0.extend(&effect.reads);
    }

    /// What is needed after the steps inside of a loop or branch, of what is needed after that: also what the next round
    /// reads, and what the loop itself does between rounds.
    pub fn inside(&self, step: &Step<KernelStep>) -> Needed {
        let mut all = self.0.clone();
        all.extend(Effect::of(step).reads);
        match step {
            Step::While { flag, body, swaps, .. } => {
                let (mut reads, mut writes) = (FxHashSet::default(), Writes::default());
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

fn visit_kernel(KernelStep { kernel, slots, .. }: &KernelStep, access: &mut impl FnMut(&[SlotId], &[SlotId])) {
    for instruction in &kernel.body {
        if let Some(operand) = instruction.operand() {
            access(&[slots[operand.0 as usize]], &[]);
        }
    }
    kernel.stores.iter().for_each(|store| access(&[], &[slots[store.to().0 as usize]]));
}

/// The slots that are written for sure.
#[derive(Default)]
struct Writes {
    all: FxHashSet<SlotId>,
    /// What came in (or went, if not), in order.
    changes: Vec<(SlotId, bool)>,
}

impl Writes {
    fn contains(&self, slot: SlotId) -> bool {
        self.all.contains(&slot)
    }

    fn add(&mut self, slot: SlotId) {
        if self.all.insert(slot) {
            self.changes.push((slot, true));
        }
    }

    fn remove(&mut self, slot: SlotId) {
        if self.all.remove(&slot) {
            self.changes.push((slot, false));
        }
    }

    /// Runs `inside` on steps that may not run: what they write counts for them alone.
    fn with(&mut self, inside: impl FnOnce(&mut Writes)) {
        let n_changes = self.changes.len();
        inside(self);
        for (slot, came_in) in self.changes.drain(n_changes..).rev() {
            match came_in {
                true => self.all.remove(&slot),
                false => self.all.insert(slot),
            };
        }
    }
}

/// Adds what a step reads unless it was written, and what it is sure to write.
fn visit(step: &Step<KernelStep>, reads: &mut FxHashSet<SlotId>, writes: &mut Writes) {
    let mut access = |read: &[SlotId], written: &[SlotId]| {
        reads.extend(read.iter().filter(|slot| !writes.contains(**slot)));
        written.iter().for_each(|slot| writes.add(*slot));
    };
    match step {
        Step::Kernel(kernel) => visit_kernel(kernel, &mut access),
        Step::Strips { kernels, strips } => {
            kernels.iter().for_each(|kernel| visit_kernel(kernel, &mut access));
            // They have nothing to do with what stood there, and leave nothing.
            strips.local.iter().for_each(|(local, _)| writes.remove(*local));
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
            writes.with(|writes| {
                body.iter().for_each(|step| visit(step, reads, writes));
                let traded = swaps.iter().flat_map(|&(a, b)| [a, b]);
                reads.extend(traded.chain([*flag]).filter(|slot| !writes.contains(*slot)));
            });
        }
        Step::Switch { index, branches } => {
            access(&[*index], &[]);
            for branch in branches {
                writes.with(|writes| branch.iter().for_each(|step| visit(step, reads, writes)));
            }
        }
        Step::Scan { windows, body, swaps, .. } => writes.with(|writes| {
            reads.extend(windows.iter().map(|moving| moving.over).filter(|slot| !writes.contains(*slot)));
            windows.iter().for_each(|moving| writes.add(moving.window));
            body.iter().for_each(|step| visit(step, reads, writes));
            reads.extend(swaps.iter().flat_map(|&(a, b)| [a, b]).filter(|slot| !writes.contains(*slot)));
        }),
    }
}
