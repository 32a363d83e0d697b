//! From a graph to steps: where each value lives, and for how long.
//!
//! One [`Block`] lowers one graph (the whole one, a loop body, a branch). It walks the steps in order, gives each
//! stored value a slot, and gives the slot back after the last step that reads it. A value may take over the slot of an
//! operand that dies at its step.

use super::{
    KernelStep, Schedule, SlotId, Step, Tensor,
    slots::{Slot, Slots},
};
use crate::{
    fuse::{self, Fused, Item},
    graph::{Graph, Value},
    kernel::{Access, Gather, Instruction, Kernel, Store},
};
use rustc_hash::FxHashMap;
use std::sync::Arc;

pub(super) type Steps = Vec<Step<KernelStep>>;

/// Lowers a whole graph.
pub(super) fn lower(graph: &Graph) -> Schedule<KernelStep> {
    let mut slots = Slots::default();
    let given = |i: usize| {
        let (value, t) = (Value(i as u32), &graph.types[i]);
        let bytes = t.len() * t.dtype.size();
        match graph.donated.contains(&value) {
            true if bytes > 0 => Held { slot: slots.donated(i, bytes), by: By::Block },
            true => Held { slot: slots.donated(i, bytes), by: By::Others },
            false => Held { slot: slots.add(Slot::Input(i)), by: By::Others },
        }
    };
    let given: Vec<Held> = (0..graph.n_inputs).map(given).collect();
    let wants = vec![Want::Exclusive; graph.outputs.len()];
    let (steps, homes) = Block::lower(&mut slots, graph, given, vec![], wants);
    let outputs: Vec<Tensor> = graph
        .outputs
        .iter()
        .zip(homes)
        .map(|(&value, held)| {
            let t = graph.type_of(value);
            Tensor { slot: held.slot, dtype: t.dtype, len: t.len() }
        })
        .collect();
    outputs.iter().for_each(|output| slots.make_result(output.slot));
    Schedule { slots: slots.all, steps, outputs }
}

/// Where an output of a block should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Anywhere.
    Anywhere,
    /// In a temporary of exactly its size, which leaves with the result.
    Exclusive,
    /// In the slot of this loop's carry at this position or in one of the same size, to trade with.
    Carry(usize),
    /// In this slot, a temporary of exactly its size.
    Slot(SlotId),
    /// In this slot, which is a window: memory that cannot be traded.
    Window(SlotId),
}

/// What a step asks of the memory that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Any memory.
    Memory,
    /// A buffer of its own, not a window.
    Own,
    /// A buffer of exactly the value's size, to trade with others.
    Exact,
}

/// Who may reuse a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Belongs to an enclosing block, the caller or the schedule: never written.
    Others,
    /// This block: free after the value's last use.
    Block,
    /// The loop around the block: another value of the block may take it over, then it waits for the carry at this
    /// position.
    Loop(usize),
}

/// A value's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub slot: SlotId,
    pub by: By,
}

/// The state of lowering one graph.
pub(super) struct Block<'a> {
    pub slots: &'a mut Slots,
    pub graph: &'a Graph,
    fused: Fused,
    /// Slots of the stored values.
    held: FxHashMap<Value, Held>,
    /// For each stored value the last item that reads it; outputs are read after all.
    last_reads: FxHashMap<Value, usize>,
    /// The values that each item reads last.
    deaths: Vec<Vec<Value>>,
    /// Values stored by the item being lowered.
    births: Vec<Value>,
    wants: FxHashMap<Value, Want>,
    /// The slots of the loop's carries, and whether a value holds them now.
    carries: Vec<(SlotId, bool)>,
    pub steps: Steps,
    /// The item being lowered and how often it reads each value.
    now: usize,
    reads: Vec<Value>,
}

impl<'a> Block<'a> {
    /// Lowers a graph whose inputs stand in the given slots; `carries` are the slots of the loop's state, if it is a
    /// loop's body. Returns the steps and where the outputs stand, as near to the wanted places as they got.
    pub fn lower(
        slots: &'a mut Slots,
        graph: &'a Graph,
        given: Vec<Held>,
        carries: Vec<SlotId>,
        wants: Vec<Want>,
    ) -> (Steps, Vec<Held>) {
        let fused = fuse::fuse(graph);
        let mut last_reads = FxHashMap::default();
        for (i, item) in fused.items.iter().enumerate() {
            reads_of(graph, &fused, item).into_iter().for_each(|value| {
                last_reads.insert(value, i);
            });
        }
        let mut wanted = FxHashMap::default();
        for (&output, want) in graph.outputs.iter().zip(wants) {
            let home = fused.home(output);
            last_reads.insert(home, usize::MAX);
            wanted.entry(home).or_insert(want);
        }
        let mut deaths = vec![vec![]; fused.items.len()];
        for (&value, &last) in last_reads.iter().filter(|(_, last)| **last != usize::MAX) {
            deaths[last].push(value);
        }
        // Hash order must not decide which slot is used next.
        deaths.iter_mut().for_each(|values| values.sort_unstable());
        let held = given.into_iter().enumerate().map(|(i, held)| (Value(i as u32), held)).collect();
        let mut block = Block {
            slots,
            graph,
            fused,
            held,
            last_reads,
            deaths,
            births: vec![],
            wants: wanted,
            carries: carries.into_iter().map(|slot| (slot, true)).collect(),
            steps: vec![],
            now: 0,
            reads: vec![],
        };
        block.release_unread_inputs();
        for (i, item) in std::mem::take(&mut block.fused.items).into_iter().enumerate() {
            block.now = i;
            block.reads = reads_of(graph, &block.fused, &item);
            match item {
                Item::Kernel { kernel, operands } => block.kernel(kernel, operands),
                Item::Node(position) => block.node(position),
            }
            block.release_dead();
        }
        let outputs = graph.outputs.iter().map(|&output| block.held[&block.fused.home(output)]).collect();
        (block.steps, outputs)
    }

    fn release(&mut self, held: Held) {
        match held.by {
            By::Others => {}
            By::Block => self.slots.release(held.slot),
            By::Loop(position) => self.carries[position].1 = false,
        }
    }

    fn release_unread_inputs(&mut self) {
        for input in (0..self.graph.n_inputs as u32).map(Value) {
            if !self.last_reads.contains_key(&input)
                && let Some(held) = self.held.remove(&input)
            {
                self.release(held);
            }
        }
    }

    /// Gives back the slots of values that nothing reads after the item being lowered.
    fn release_dead(&mut self) {
        let mut dead = std::mem::take(&mut self.deaths[self.now]);
        dead.extend(self.births.drain(..).filter(|value| !self.last_reads.contains_key(value)));
        for value in dead {
            if let Some(held) = self.held.remove(&value) {
                self.release(held);
            }
        }
    }

    pub fn tensor(&self, value: Value, slot: SlotId) -> Tensor {
        let t = self.graph.type_of(value);
        Tensor { slot, dtype: t.dtype, len: t.len() }
    }

    pub fn bytes(&self, value: Value) -> usize {
        let t = self.graph.type_of(value);
        t.len() * t.dtype.size()
    }

    /// The tensor that an operand of a node stands in.
    pub fn operand(&self, value: Value) -> Tensor {
        self.tensor(value, self.held[&self.fused.home(value)].slot)
    }

    /// The slot of an operand that dies at this step and has exactly this many bytes: another value may take it over.
    pub fn dying(&self, home: Value, bytes: usize) -> Option<Held> {
        let held = self.held.get(&home).copied()?;
        let is_last = self.last_reads.get(&home) == Some(&self.now);
        let reads_once = self.reads.iter().filter(|&&read| read == home).count() == 1;
        let is_free = is_last && reads_once && held.by != By::Others && self.slots.bytes(held.slot) == bytes;
        is_free.then_some(held)
    }

    /// Whether an operand stands in the slot of the loop's carry at a position.
    pub fn is_in_carry(&self, home: Value, position: usize) -> bool {
        self.held[&home].by == By::Loop(position)
    }

    pub fn home(&self, value: Value) -> Value {
        self.fused.home(value)
    }

    pub fn want(&self, value: Value) -> Want {
        self.wants.get(&value).copied().unwrap_or(Want::Anywhere)
    }

    /// Notes where a value is stored.
    pub fn hold(&mut self, value: Value, held: Held) {
        if let By::Loop(position) = held.by {
            self.carries[position].1 = true;
        }
        self.held.insert(value, held);
        self.births.push(value);
    }

    /// Hands a dying operand's slot over to a value.
    pub fn take_over(&mut self, from: Value, to: Value) -> SlotId {
        let held = self.held.remove(&from).expect("a dying operand has a slot");
        if self.want(to) == Want::Exclusive {
            self.slots.fix(held.slot);
        }
        self.hold(to, held);
        held.slot
    }

    /// A slot for a value.
    pub fn place(&mut self, value: Value, need: Need) -> SlotId {
        let bytes = self.bytes(value);
        let held = if bytes == 0 {
            Held { slot: self.slots.empty(), by: By::Others }
        } else {
            match (self.want(value), need) {
                (Want::Slot(slot), _) | (Want::Window(slot), Need::Memory) => Held { slot, by: By::Others },
                (Want::Carry(position), _) if !self.carries[position].1 => {
                    Held { slot: self.carries[position].0, by: By::Loop(position) }
                }
                (Want::Carry(_) | Want::Exclusive, _) | (Want::Anywhere | Want::Window(_), Need::Exact) => {
                    Held { slot: self.slots.take_fixed(bytes), by: By::Block }
                }
                (Want::Anywhere, Need::Memory | Need::Own) | (Want::Window(_), Need::Own) => {
                    Held { slot: self.slots.take(bytes), by: By::Block }
                }
            }
        };
        self.hold(value, held);
        held.slot
    }

    fn kernel(&mut self, kernel: Kernel, operands: Vec<Value>) {
        let mut slots: Vec<Option<SlotId>> =
            operands.iter().map(|value| self.held.get(value).map(|held| held.slot)).collect();
        for store in &kernel.stores {
            let to = store.to().0 as usize;
            let heir = match store {
                Store::Write { .. } | Store::Cumulative { .. } => self.heritage(&kernel, &operands, operands[to]),
                Store::Reduce { .. } => None,
            };
            slots[to] = Some(match heir {
                Some(from) => self.take_over(from, operands[to]),
                None => self.place(operands[to], Need::Memory),
            });
        }
        let slots: Vec<SlotId> =
            slots.into_iter().map(|slot| slot.expect("operands are held before they are read")).collect();
        if kernel.stores.iter().any(|store| self.bytes(operands[store.to().0 as usize]) > 0) {
            let last = kernel.stores.last().map_or(Value(0), |store| operands[store.to().0 as usize]);
            let origin = self.graph.node_of(last).map_or(0, |node| node.origin);
            self.steps.push(Step::Kernel(KernelStep { kernel: Arc::new(kernel), slots, origin }));
        }
    }

    /// An operand of a kernel whose slot the written value may take over: it dies here, and each of its elements is read
    /// at the very point, and from the very bytes, where the value's is written.
    fn heritage(&self, kernel: &Kernel, operands: &[Value], value: Value) -> Option<Value> {
        let bytes = self.bytes(value);
        let want = self.want(value);
        if bytes == 0 || matches!(want, Want::Slot(_) | Want::Window(_)) {
            return None;
        }
        let is_stored = |reg: usize| kernel.stores.iter().any(|store| store.from().0 as usize == reg);
        let is_read_in_place = |operand: usize| {
            kernel.body.iter().enumerate().all(|(reg, instruction)| match instruction {
                // A register that is only loaded is no copy: stores would read what others have overwritten.
                Instruction::Load { operand: from, access } => {
                    from.0 as usize != operand || (*access == Access::IDENTITY && !is_stored(reg))
                }
                Instruction::Gather(Gather { operand: from, .. }) => from.0 as usize != operand,
                Instruction::Count { .. } | Instruction::Map { .. } => true,
            })
        };
        let size = self.graph.type_of(value).dtype.size();
        let candidates = (0..operands.len()).filter(|&operand| {
            kernel.operands[operand].len == kernel.len
                && kernel.operands[operand].dtype.size() == size
                && self.dying(operands[operand], bytes).is_some()
                && is_read_in_place(operand)
        });
        let mut candidates = candidates.map(|operand| operands[operand]);
        match want {
            // The carry's own slot saves the trade.
            Want::Carry(position) => candidates.find(|&operand| self.is_in_carry(operand, position)),
            Want::Anywhere | Want::Exclusive | Want::Slot(_) | Want::Window(_) => candidates.next(),
        }
    }
}

/// The stored values that an item reads, once per operand.
fn reads_of(graph: &Graph, fused: &Fused, item: &Item) -> Vec<Value> {
    match item {
        Item::Kernel { kernel, operands } => {
            let is_written = |i: usize| kernel.stores.iter().any(|store| store.to().0 as usize == i);
            (0..operands.len()).filter(|&i| !is_written(i)).map(|i| operands[i]).collect()
        }
        Item::Node(position) => graph.nodes[*position].args.iter().map(|&arg| fused.home(arg)).collect(),
    }
}
