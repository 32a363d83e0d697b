//! Register allocation: one pass over the code that keeps every value in a register, a stack slot or both, and evicts
//! the value whose next use is farthest (Belady's rule, on straight-line code optimal up to the cost of stores).
//!
//! At the head of a loop every live value either is *pinned*, so that it keeps its register until the loop ends, or
//! stands in memory. So whatever a round does, the next one finds all as the first did. The most used values are pinned,
//! as many as the loop's own values leave room for. The next state of a loop takes the register of the state where nothing
//! reads that any more, so that nothing need be moved at the end of the round.
//!
//! Constants stand in the pool behind the code and need no slot.

mod instruction;
mod loops;
#[cfg(test)]
mod tests;

use super::{
    encode::Isa,
    lanes::{Event, Inst, Kind, Lanes, Loop, Op, Value},
};

/// Where an argument stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// There is no such argument.
    None,
    Register(u8),
    /// A vector on the stack.
    Slot(u32),
    /// In the pool.
    Constant(Value),
}

/// Registers in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub vectors: u32,
    pub masks: u8,
}

/// One thing to emit.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Runs an instruction. If it works in place, one of its arguments stands in the register `to`.
    Inst { value: Value, to: u8, args: [Place; 4] },
    /// Moves a value.
    Copy { value: Value, from: Place, to: Place },
    /// The state of a loop stands where its initial state was copied to.
    Become { value: Value, at: Place },
    /// Writes a value to an operand, by position in [`Lanes::stores`].
    Store { store: usize, from: u8 },
    /// Writes a value to an element, by position in [`Lanes::writes`].
    Write { write: usize, from: u8 },
    /// Adds one to a count.
    Tally(u32),
    /// The next step calls a function: these registers hold what is needed later.
    Save(Saved),
    /// What is above runs once, what is below for each group of points.
    Points,
    /// A loop, by position in [`Lanes::loops`], begins.
    Loop(usize),
    /// The loop is left if the mask does not hold.
    Test { of: usize, mask: u8 },
    /// The loop goes on from its head, if it has another round.
    Again(usize),
}

/// Code with registers.
#[derive(Debug)]
pub(super) struct Allocation {
    pub steps: Vec<Step>,
    pub n_slots: usize,
    pub has_calls: bool,
}

/// The register that emission uses for itself.
pub(super) fn scratch(isa: Isa) -> u8 {
    n_vectors(isa) as u8
}

/// Mask registers for values are numbered from 1 to 6.
pub(super) const N_MASKS: usize = 7;

/// The mask register with the lanes of an incomplete group.
pub(super) const TAIL_MASK: u8 = 7;

/// Vector registers for values.
pub(super) fn n_vectors(isa: Isa) -> usize {
    match isa {
        Isa::Avx2 => 15,
        Isa::Avx512 => 31,
    }
}

/// Registers that a loop's own values have at least.
const MIN_FREE: usize = 8;
const MIN_FREE_MASKS: usize = 2;

/// Registers or what stands for none.
const NONE: u8 = u8::MAX;
const NO_SLOT: u32 = u32::MAX;
const FREE: Value = Value::NONE;

/// Which arguments may stand in memory: none, or one of them.
fn memory_argument(isa: Isa, inst: &Inst) -> Option<usize> {
    let is_mask = inst.kind.is_mask();
    match inst.op {
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Min
        | Op::Max
        | Op::MinUnsigned
        | Op::MaxUnsigned
        | Op::MulHalves
        | Op::Scale
        | Op::ShiftBy(_)
        | Op::Compare(_) => Some(1),
        Op::And | Op::AndNot | Op::Or | Op::Xor if !is_mask || isa == Isa::Avx2 => Some(1),
        Op::Sqrt | Op::Round(_) => Some(0),
        Op::Select => Some(1),
        Op::And | Op::AndNot | Op::Or | Op::Xor => None,
        // Any of them but the one that is replaced.
        Op::Fma { .. } => None,
        Op::Shift(..) | Op::Not | Op::Convert(_) | Op::ZeroExtend => None,
        // What is replaced only.
        Op::Gather(_) | Op::Call(_) | Op::Rare(_) => None,
        Op::Constant(_) | Op::Uniform(_) | Op::Number(_) | Op::Load(..) | Op::Point | Op::Element(_) | Op::Phi(_) => {
            None
        }
    }
}

/// Whether the order of the first two arguments does not matter. (It does for the sum of two NaNs, which are all alike.)
fn is_commutative(inst: &Inst) -> bool {
    matches!(inst.op, Op::Add | Op::Mul | Op::MulHalves | Op::And | Op::Or | Op::Xor)
}

/// Classes of registers.
const VECTOR: usize = 0;
const MASK: usize = 1;

/// What a loop found when it began.
#[derive(Default)]
struct Outside {
    /// Those that keep their register until it ends.
    pinned: Vec<Value>,
    /// Those in memory.
    others: Vec<Value>,
}

/// The state of a loop that its next one may replace in its register, from the last instruction on that reads it.
#[derive(Clone, Copy)]
struct Replaced {
    state: Value,
    /// Where the round ends.
    end: u32,
}

struct Allocator<'a> {
    lanes: &'a Lanes,
    steps: Vec<Step>,
    /// What each register holds, by class.
    owners: [Vec<Value>; 2],
    /// For each value: its register, its slot, its uses.
    register: Vec<u8>,
    slot: Vec<u32>,
    is_pinned: Vec<bool>,
    /// Positions where values are used: `uses[first_use[v]..first_use[v + 1]]`.
    uses: Vec<u32>,
    first_use: Vec<u32>,
    /// How many of them are over.
    n_past: Vec<u32>,
    /// The position after which the value is not needed.
    last_use: Vec<u32>,
    free_slots: Vec<u32>,
    /// Free once the instruction that is being placed has read them.
    slots_to_free: Vec<u32>,
    n_slots: u32,
    position: u32,
    has_calls: bool,
    /// Values that come from outside of the loops around, a list for each.
    outside: Vec<Outside>,
    is_live: Vec<bool>,
    /// For each value the state that it may replace; empty without loops.
    replaces: Vec<Option<Replaced>>,
    /// How many of the events of [`Lanes::events`] are over.
    n_events: usize,
    /// Zeros, to count in.
    counts: Vec<u32>,
}

/// Allocates registers. Without `over_points` the code runs once.
pub(super) fn allocate(lanes: &Lanes, over_points: bool) -> Allocation {
    let n = lanes.insts.len();
    let is_live = live(lanes);
    let is_code = |i: &usize| is_live[*i] && !matches!(lanes.insts[*i].op, Op::Constant(_));
    // What is the same at every point runs before the others.
    let is_first = |i: &usize| over_points && lanes.is_invariant[*i];
    let mut order: Vec<usize> = (0..n).filter(is_code).filter(is_first).collect();
    let body = order.len();
    order.extend((0..n).filter(is_code).filter(|i| !is_first(i)));
    let mut allocator = Allocator::new(lanes, &order, is_live);
    let end = order.len() as u32;
    if over_points {
        allocator.extend_uses(body as u32, end + 1, &order, &|value| lanes.is_invariant[value.index()]);
    }
    for (position, &i) in order.iter().enumerate() {
        if over_points && position == body {
            allocator.position = position as u32;
            allocator.enter(&order[body..], &[]);
            allocator.steps.push(Step::Points);
        }
        allocator.loop_events(i, position as u32, &order);
        allocator.inst(Value(i as u32));
    }
    if over_points && body == order.len() {
        allocator.position = end;
        allocator.enter(&[], &[]);
        allocator.steps.push(Step::Points);
    }
    allocator.loop_events(n, end, &order);
    for (i, store) in lanes.stores.iter().enumerate() {
        let from = allocator.in_register(store.from, &[]);
        allocator.steps.push(Step::Store { store: i, from });
        allocator.use_value(store.from);
    }
    Allocation { steps: allocator.steps, n_slots: allocator.n_slots as usize, has_calls: allocator.has_calls }
}

/// Which values anything depends on. States of loops that only they themselves depend on are none of these.
fn live(lanes: &Lanes) -> Vec<bool> {
    let mut is_live = vec![false; lanes.insts.len()];
    let tests = lanes.loops.iter().filter_map(Loop::test).map(|test| test.mask);
    let written = lanes.stores.iter().map(|store| store.from).chain(lanes.writes.iter().map(|write| write.from));
    written.chain(tests).for_each(|value| is_live[value.index()] = true);
    loop {
        for i in (0..lanes.insts.len()).rev() {
            if is_live[i] {
                lanes.insts[i].args().for_each(|arg| is_live[arg.index()] = true);
            }
        }
        let mut has_grown = false;
        for phi in lanes.loops.iter().flat_map(|l| &l.phis) {
            if is_live[phi.value.index()] {
                for value in [phi.init, phi.next] {
                    has_grown |= !std::mem::replace(&mut is_live[value.index()], true);
                }
            }
        }
        if !has_grown {
            return is_live;
        }
    }
}

impl<'a> Allocator<'a> {
    fn new(lanes: &'a Lanes, order: &[usize], is_live: Vec<bool>) -> Allocator<'a> {
        let n = lanes.insts.len();
        let end = order.len() as u32;
        let mut allocator = Allocator {
            lanes,
            steps: Vec::with_capacity(2 * n),
            owners: [vec![FREE; n_vectors(lanes.isa)], vec![FREE; N_MASKS]],
            register: vec![NONE; n],
            slot: vec![NO_SLOT; n],
            is_pinned: vec![false; n],
            uses: vec![],
            first_use: vec![0; n + 1],
            n_past: vec![0; n],
            last_use: vec![0; n],
            free_slots: vec![],
            slots_to_free: vec![],
            n_slots: 0,
            position: 0,
            has_calls: false,
            outside: vec![],
            is_live,
            replaces: vec![],
            n_events: 0,
            counts: vec![0; n],
        };
        // Mask register 0 cannot mask.
        allocator.owners[MASK][0] = Value(u32::MAX - 1);
        // Loops in terms of instructions become loops in terms of positions.
        let position_of = |i: usize| order.partition_point(|&other| other < i) as u32;
        let mut all: Vec<(Value, u32)> = vec![];
        for (position, &i) in order.iter().enumerate() {
            all.extend(lanes.insts[i].args().map(|arg| (arg, position as u32)));
        }
        all.extend(lanes.stores.iter().map(|store| (store.from, end)));
        all.extend(lanes.writes.iter().map(|write| (write.from, position_of(write.at))));
        for l in &lanes.loops {
            all.extend(l.test().map(|test| (test.mask, position_of(test.at))));
            for phi in l.phis.iter().filter(|phi| allocator.is_live[phi.value.index()]) {
                all.push((phi.init, position_of(l.start)));
                all.push((phi.next, position_of(l.end)));
                all.push((phi.value, position_of(l.end)));
            }
        }
        all.iter().for_each(|(value, _)| allocator.first_use[value.index() + 1] += 1);
        for v in 0..n {
            allocator.first_use[v + 1] += allocator.first_use[v];
        }
        allocator.uses = vec![0; all.len()];
        let mut filled = allocator.first_use.clone();
        if !lanes.loops.is_empty() {
            all.sort_by_key(|&(_, position)| position);
            allocator.replaces = loops::replaced(lanes, &allocator.is_live, &position_of);
        }
        for (value, position) in all {
            let at = &mut filled[value.index()];
            allocator.uses[*at as usize] = position;
            *at += 1;
            allocator.last_use[value.index()] = position;
        }
        for l in lanes.loops.iter().rev() {
            // What comes from outside is needed until the last round ends. Inner loops first.
            let is_outside = |value: Value| value.index() < l.start;
            allocator.extend_uses(position_of(l.start), position_of(l.end), order, &is_outside);
        }
        allocator.extend_loops(&position_of);
        allocator
    }

    /// What is defined before a loop and used in it is needed until it ends.
    fn extend_uses(&mut self, start: u32, end: u32, order: &[usize], is_outside: &dyn Fn(Value) -> bool) {
        for &i in &order[start as usize..(end as usize).min(order.len())] {
            for arg in self.lanes.insts[i].args() {
                if is_outside(arg) {
                    self.last_use[arg.index()] = self.last_use[arg.index()].max(end);
                }
            }
        }
        if end as usize > order.len() {
            for store in &self.lanes.stores {
                if self.lanes.is_invariant[store.from.index()] {
                    self.last_use[store.from.index()] = end;
                }
            }
        }
    }

    /// The same for what loops and writes use beside instructions, in all loops around them.
    fn extend_loops(&mut self, position_of: &dyn Fn(usize) -> u32) {
        let lanes = self.lanes;
        let mut around: Vec<&Loop> = vec![];
        let mut extend = |value: Value, around: &[&Loop]| {
            for l in around.iter().filter(|l| value.index() < l.start) {
                let last_use = &mut self.last_use[value.index()];
                *last_use = position_of(l.end).max(*last_use);
            }
        };
        for (_, event) in &lanes.events {
            match *event {
                Event::Start(of) => {
                    let l = &lanes.loops[of];
                    l.phis.iter().for_each(|phi| extend(phi.init, &around));
                    around.push(l);
                    let nexts = l.phis.iter().map(|phi| phi.next);
                    nexts.chain(l.test().map(|test| test.mask)).for_each(|value| extend(value, &around));
                }
                Event::End(_) => {
                    around.pop();
                }
                Event::Write(write) => extend(lanes.writes[write].from, &around),
                Event::Test(_) | Event::Tally(_) => {}
            }
        }
    }

    fn is_constant(&self, value: Value) -> bool {
        matches!(self.lanes.inst(value).op, Op::Constant(_))
    }

    fn class(&self, value: Value) -> usize {
        match (self.lanes.isa, self.lanes.inst(value).result()) {
            (Isa::Avx512, Kind::Mask32 | Kind::Mask64) => MASK,
            (_, _) => VECTOR,
        }
    }

    /// Where the value is used next.
    fn next_use(&self, value: Value) -> u32 {
        let v = value.index();
        let at = self.first_use[v] + self.n_past[v];
        if at < self.first_use[v + 1] { self.uses[at as usize] } else { self.last_use[v] }
    }

    fn is_over(&self, value: Value) -> bool {
        let v = value.index();
        self.last_use[v] <= self.position && self.first_use[v] + self.n_past[v] >= self.first_use[v + 1]
    }

    /// Notes one use and frees what is not needed any more.
    fn use_value(&mut self, value: Value) {
        self.n_past[value.index()] += 1;
        if self.is_over(value) && !self.is_pinned[value.index()] {
            self.release(value);
        }
    }

    fn release(&mut self, value: Value) {
        let v = value.index();
        if self.register[v] != NONE {
            let class = self.class(value);
            self.owners[class][self.register[v] as usize] = FREE;
            self.register[v] = NONE;
        }
        if self.slot[v] != NO_SLOT {
            self.slots_to_free.push(self.slot[v]);
            self.slot[v] = NO_SLOT;
        }
    }

    fn place(&self, value: Value) -> Place {
        let v = value.index();
        match (self.register[v], self.slot[v]) {
            (NONE, NO_SLOT) if self.is_constant(value) => Place::Constant(value),
            (NONE, NO_SLOT) => unreachable!("{value:?} is nowhere at {}", self.position),
            (NONE, slot) => Place::Slot(slot),
            (register, _) => Place::Register(register),
        }
    }

    fn free_slot(&mut self) -> u32 {
        self.free_slots.pop().unwrap_or_else(|| {
            self.n_slots += 1;
            self.n_slots - 1
        })
    }

    /// Puts a value that stands in a register into a slot as well.
    fn spill(&mut self, value: Value) {
        let v = value.index();
        if self.slot[v] == NO_SLOT && !self.is_constant(value) {
            let slot = self.free_slot();
            self.steps.push(Step::Copy { value, from: Place::Register(self.register[v]), to: Place::Slot(slot) });
            self.slot[v] = slot;
        }
    }

    /// A free register, after an eviction if need be. Vectors in `locked` stay.
    fn free_register(&mut self, class: usize, locked: &[u8]) -> u8 {
        // Registers of both classes have the same numbers. No instruction has so many masks that they compete.
        let locked = if class == VECTOR { locked } else { &[] };
        let owners = &self.owners[class];
        if let Some(free) = (0..owners.len()).find(|&r| owners[r] == FREE && !locked.contains(&(r as u8))) {
            return free as u8;
        }
        let candidates = (0..owners.len()).filter(|&r| {
            let owner = owners[r];
            !locked.contains(&(r as u8)) && owner.index() < self.register.len() && !self.is_pinned[owner.index()]
        });
        let victim = candidates.max_by_key(|&r| self.next_use(owners[r])).expect("loops pin few registers");
        let owner = owners[victim];
        self.spill(owner);
        self.register[owner.index()] = NONE;
        self.owners[class][victim] = FREE;
        victim as u8
    }

    fn assign(&mut self, value: Value, register: u8) {
        let class = self.class(value);
        debug_assert!(self.owners[class][register as usize] == FREE, "register {register} is taken");
        self.owners[class][register as usize] = value;
        self.register[value.index()] = register;
    }

    /// The register of a value, which is loaded if need be.
    fn in_register(&mut self, value: Value, locked: &[u8]) -> u8 {
        match self.place(value) {
            Place::Register(register) => register,
            from => {
                let register = self.free_register(self.class(value), locked);
                self.steps.push(Step::Copy { value, from, to: Place::Register(register) });
                self.assign(value, register);
                register
            }
        }
    }
}
