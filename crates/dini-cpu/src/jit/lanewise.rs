//! Loops whose states are arrays of one length, each element of which has a loop of its own: as `vmap` makes of a
//! conditional loop. Instead of one pass over all elements for each round, a chunk of neighbours runs all its rounds with
//! its states in registers.
//!
//! The states are a mask of running lanes and others; `cond` is whether any lane runs. A lane that has stopped keeps all
//! its states: the next mask is the old one `and` something, every other next state a choice between the new one and the
//! old one by the mask. So chunks may stop one by one, and a lane may run again after it has stopped.

use super::{
    encode::Isa,
    lanes::{Event, Kind, Lanes, Loop, Op, Operand, Phi, Rounds, Store as LaneStore, Test, Value, Walk},
    operations,
    registers::{N_MASKS, n_vectors},
};
use crate::{
    dtype::DType,
    graph::Combine,
    kernel::{Access, Instruction, Kernel, Reg, Store},
    scalar::ScalarOp,
    schedule::{KernelStep, SlotId, Step},
};

/// A conditional loop of that kind.
#[derive(Debug)]
pub(super) struct Lanewise<'a> {
    body: &'a KernelStep,
    /// The slots of the states, with the registers of the next ones; the mask comes first.
    states: Vec<(SlotId, Reg)>,
    /// Number of elements.
    pub len: usize,
}

/// A register that reads an operand element by element: its slot.
fn loaded(KernelStep { kernel, slots, .. }: &KernelStep, reg: Reg) -> Option<SlotId> {
    match &kernel.body[reg.0 as usize] {
        Instruction::Load { operand, access } if *access == Access::IDENTITY => {
            (kernel.operands[operand.0 as usize].len == kernel.len).then_some(slots[operand.0 as usize])
        }
        Instruction::Load { .. } | Instruction::Count { .. } | Instruction::Gather(_) | Instruction::Map { .. } => None,
    }
}

impl<'a> Lanewise<'a> {
    /// Recognizes such a loop.
    pub fn new(step: &'a Step<KernelStep>) -> Option<Lanewise<'a>> {
        let Step::While { cond, flag, body, swaps, origin: _ } = step else { return None };
        let ([Step::Kernel(cond)], [Step::Kernel(body)]) = (&cond[..], &body[..]) else { return None };
        let mask = any(cond, *flag)?;
        let kernel = &body.kernel;
        let is_handled = |instruction: &Instruction| match instruction {
            Instruction::Load { access, .. } => {
                *access == Access::IDENTITY || *access == (Access::Uniform { offset: 0 })
            }
            Instruction::Map { .. } => true,
            Instruction::Count { .. } | Instruction::Gather(_) => false,
        };
        let is_elementwise = kernel.len == cond.kernel.len && kernel.reduction.is_none();
        let holds = kernel.operands.iter().all(|operand| Kind::holds(operand.dtype));
        if !is_elementwise || !holds || !kernel.body.iter().all(is_handled) {
            return None;
        }
        // Where the results stand after the slots have traded, and which slot each came from.
        let mut standing: Vec<(SlotId, Reg)> =
            kernel.stores.iter().map(|store| (body.slots[store.to().0 as usize], store.from())).collect();
        for &(a, b) in swaps {
            for (slot, _) in &mut standing {
                *slot = if *slot == a {
                    b
                } else if *slot == b {
                    a
                } else {
                    *slot
                };
            }
        }
        let keeps = |slot: SlotId, next: Reg| match &kernel.body[next.0 as usize] {
            Instruction::Map { op: ScalarOp::And, args, .. } if slot == mask => {
                args.iter().any(|&arg| loaded(body, arg) == Some(mask))
            }
            Instruction::Map { op: ScalarOp::Select, args, .. } if slot != mask => {
                loaded(body, args[0]) == Some(mask) && loaded(body, args[2]) == Some(slot)
            }
            Instruction::Map { .. } | Instruction::Load { .. } | Instruction::Count { .. } | Instruction::Gather(_) => {
                false
            }
        };
        let is_whole = standing.iter().all(|&(slot, next)| keeps(slot, next));
        standing.sort_by_key(|&(slot, _)| (slot != mask, slot));
        let has_mask = standing.first().is_some_and(|&(slot, _)| slot == mask);
        (is_whole && has_mask).then_some(Lanewise { body, states: standing, len: kernel.len })
    }

    /// The slots that the loop leaves its states in.
    pub fn states(&self) -> impl Iterator<Item = SlotId> {
        self.states.iter().map(|&(slot, _)| slot)
    }

    /// The loop of one chunk, and the slots whose addresses the table must hold.
    pub fn lower(&self, isa: Isa) -> (Lanes, Vec<SlotId>) {
        let KernelStep { kernel, slots, .. } = self.body;
        let dtypes = (0..kernel.body.len()).map(|i| kernel.dtype(Reg(i as u32)));
        let widest = dtypes.map(|dtype| Kind::of(dtype).size()).max().unwrap_or(4);
        let mut lanes = Lanes::new(isa, widest);
        lanes.n_groups = self.n_groups(isa);
        let mut table: Vec<SlotId> = vec![];
        for (slot, dtype) in kernel.operands.iter().zip(slots).map(|(operand, &slot)| (slot, operand.dtype)) {
            let base = table.iter().position(|other| *other == slot).unwrap_or_else(|| {
                table.push(slot);
                table.len() - 1
            });
            lanes.operands.push(Operand { base: base as u32, dtype, walk: Walk::Points });
        }
        let groups = 0..lanes.n_groups;
        // What is not changed is read once.
        let mut fixed: Vec<Vec<Option<Value>>> = vec![];
        let mut inits: Vec<Vec<Value>> = vec![];
        for group in groups.clone() {
            fixed.push(self.fixed(&mut lanes, group));
            let init = |&(slot, next): &(SlotId, Reg)| self.init(&mut lanes, slot, kernel.dtype(next), group);
            inits.push(self.states.iter().map(init).collect());
        }
        let start = lanes.insts.len();
        lanes.event(Event::Start(0));
        let mut phis: Vec<Vec<Phi>> = vec![];
        for inits in &inits {
            let phi = |(&init, &(_, next)): (&Value, &(SlotId, Reg))| {
                let value = lanes.phi(Kind::of(kernel.dtype(next)));
                Phi { value, init, next: value }
            };
            phis.push(inits.iter().zip(&self.states).map(phi).collect());
        }
        let masks: Vec<Value> = phis.iter().map(|phis| phis[0].value).collect();
        let mask = masks[1..].iter().fold(masks[0], |any, &mask| lanes.bitwise(Op::Or, Kind::Mask32, any, mask));
        let test = Test { mask, at: lanes.insts.len() };
        lanes.event(Event::Test(0));
        self.round(&mut lanes, &fixed, &mut phis);
        lanes.event(Event::End(0));
        let end = lanes.insts.len();
        for (group, phis) in groups.zip(&phis) {
            for (phi, &(slot, next)) in phis.iter().zip(&self.states) {
                let base = table.iter().position(|other| *other == slot).unwrap_or_else(|| {
                    table.push(slot);
                    table.len() - 1
                });
                let operand = Operand { base: base as u32, dtype: kernel.dtype(next), walk: Walk::Points };
                lanes.operands.push(operand);
                let to = lanes.operands.len() as u32 - 1;
                lanes.stores.push(LaneStore { from: phi.value, to, group });
            }
        }
        let phis = phis.into_iter().flatten().collect();
        lanes.loops.push(Loop { start, end, rounds: Rounds::While(test), phis });
        (lanes, table)
    }

    /// So many groups that what a group holds through all rounds leaves registers for what a round computes.
    fn n_groups(&self, isa: Isa) -> u8 {
        let is_held = |instruction: &&Instruction| match instruction {
            Instruction::Load { access, .. } => *access == Access::IDENTITY,
            Instruction::Count { .. } | Instruction::Gather(_) | Instruction::Map { .. } => false,
        };
        let n_held = self.body.kernel.body.iter().filter(is_held).count().max(1);
        let fitting = n_vectors(isa) * 2 / 3 / n_held;
        let n_masks = self.states.iter().filter(|(_, next)| self.body.kernel.dtype(*next) == DType::Bool).count();
        let fitting = match isa {
            Isa::Avx2 => fitting,
            Isa::Avx512 => fitting.min(N_MASKS * 2 / 3 / n_masks),
        };
        fitting.clamp(1, 4) as u8
    }

    /// The registers that are the same in each round.
    fn fixed(&self, lanes: &mut Lanes, group: u8) -> Vec<Option<Value>> {
        let KernelStep { kernel, slots, .. } = self.body;
        let is_state = |slot: SlotId| self.states().any(|state| state == slot);
        let mut fixed: Vec<Option<Value>> = vec![];
        for (i, instruction) in kernel.body.iter().enumerate() {
            fixed.push(match instruction {
                Instruction::Load { operand, access } if !is_state(slots[operand.0 as usize]) => {
                    let kind = Kind::of(kernel.dtype(Reg(i as u32)));
                    let op = match access {
                        Access::Uniform { .. } => Op::Uniform(operand.0),
                        Access::Contiguous { .. } | Access::Strided(_) | Access::Padded(_) => {
                            Op::Load(operand.0, group)
                        }
                    };
                    Some(lanes.push(op, kind, &[]))
                }
                Instruction::Map { op, args, .. } => {
                    let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
                    let args: Option<Vec<Value>> = args.iter().map(|arg| fixed[arg.0 as usize]).collect();
                    args.map(|args| operations::map(lanes, *op, &dtypes, &args))
                }
                Instruction::Load { .. } | Instruction::Count { .. } | Instruction::Gather(_) => None,
            });
        }
        fixed
    }

    /// A state at first.
    fn init(&self, lanes: &mut Lanes, slot: SlotId, dtype: DType, group: u8) -> Value {
        let KernelStep { slots, .. } = self.body;
        let operand = slots.iter().position(|other| *other == slot).expect("states are read");
        lanes.push(Op::Load(operand as u32, group), Kind::of(dtype), &[])
    }

    /// The instructions of a round, group by group: the processor looks far enough ahead, and few masks are in use at a
    /// time.
    fn round(&self, lanes: &mut Lanes, fixed: &[Vec<Option<Value>>], phis: &mut [Vec<Phi>]) {
        let KernelStep { kernel, slots, .. } = self.body;
        for (fixed, phis) in fixed.iter().zip(phis) {
            let mut values: Vec<Value> = vec![];
            for (instruction, fixed) in kernel.body.iter().zip(fixed) {
                values.push(match (fixed, instruction) {
                    (Some(value), _) => *value,
                    (None, Instruction::Load { operand, .. }) => {
                        let slot = slots[operand.0 as usize];
                        let state = self.states().position(|state| state == slot);
                        phis[state.expect("it is fixed or a state")].value
                    }
                    (None, Instruction::Map { op, args, .. }) => {
                        let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
                        let args: Vec<Value> = args.iter().map(|arg| values[arg.0 as usize]).collect();
                        operations::map(lanes, *op, &dtypes, &args)
                    }
                    (None, Instruction::Count { .. } | Instruction::Gather(_)) => {
                        unreachable!("not recognized as such a loop")
                    }
                });
            }
            for (phi, &(_, next)) in phis.iter_mut().zip(&self.states) {
                let next = values[next.0 as usize];
                let is_mask = lanes.inst(next).result().is_mask();
                phi.next = if is_mask { lanes.mask_for(Kind::Mask32, next) } else { next };
            }
        }
    }
}

/// The slot of a mask, if the kernel says whether it holds anywhere.
fn any(step: &KernelStep, flag: SlotId) -> Option<SlotId> {
    let KernelStep { kernel, slots, .. } = step;
    let Kernel { reduction, stores, body, .. } = &**kernel;
    let space = (*reduction)?;
    match &stores[..] {
        [Store::Reduce { combine: Combine::Or | Combine::Max | Combine::Add, from, to }]
            if slots[to.0 as usize] == flag && space.outer * space.inner == 1 && body.len() == 1 =>
        {
            loaded(step, *from)
        }
        _ => None,
    }
}
