//! From allocated code to bytes.
//!
//! A function `extern "sysv64" fn(operands, start, end, done, row)` runs over points `start..end` of a run, of which `done`
//! points came before, and `row` of the first point's row, where there are rows: whole groups first. The group that is left
//! (in each row) takes a second copy of the code, whose loads and stores are masked. Code for rounds of several groups
//! leaves what is less than a round to code for one. Calls of precompiled functions for rare arguments stand behind both,
//! out of the way.
//!
//! Here: frames and loops over points; [`instruction`] emits operations, [`moves`] copies, [`access`] what touches operands,
//! [`mod@call`] calls, [`control`] the loops inside of code that runs once. Such code returns 0, or the position of a loop
//! that was stopped plus 1.

mod access;
mod call;
mod control;
mod instruction;
mod moves;

use super::{
    encode::{self as e, Assembler, Condition, Form, Gpr, Isa, Label, Length, Masking, Memory, Rm},
    lanes::{Address, Function, Kind, Lanes, Op, Operand, Value, Walk, vector_bytes},
    registers::{Allocation, Place, Saved, Step, TAIL_MASK, scratch},
};
use crate::kernel::N_ACCUMULATORS;
use control::{Cursors, Home, Open, Pause};
use std::{collections::HashMap, sync::Arc};

/// Points per round.
pub(super) fn round(lanes: &Lanes) -> usize {
    lanes.n_lanes * lanes.n_groups as usize
}

/// Whether elements can go to an operand past the caches: bytes cannot.
pub(super) fn streams(operand: &Operand) -> bool {
    operand.walk == Walk::Points && operand.dtype.size() >= 4
}

/// How often the code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// For each round of points.
    Points,
    /// For one round of points, from `start` on.
    Round,
    /// Once, on single elements.
    Once,
}

/// Which part of the code is emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// All lanes are points.
    Whole,
    /// Only the first lanes are.
    Tail,
    /// There are no points: operands are single elements, which all lanes hold.
    Single,
}

/// Addresses of the operands.
const TABLE: Gpr = Gpr::Rdi;
/// The group's first point.
const INDEX: Gpr = Gpr::Rsi;
const END: Gpr = Gpr::Rdx;
/// The number of points of the run before the group.
const DONE: Gpr = Gpr::R8;
/// For the moment. The second brings `done`.
const ACCUMULATOR: Gpr = Gpr::Rax;
const COUNTER: Gpr = Gpr::Rcx;
/// The number of points of the row before the group, where there are rows. The third operand of the function brings it.
const ROW: Gpr = Gpr::R15;
const FIRST_ROW: Gpr = Gpr::R8;

/// Registers for the addresses of operands; from the fourth on they are the caller's.
const POINTERS: [Gpr; 8] = [Gpr::R9, Gpr::R10, Gpr::R11, Gpr::Rbx, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];
const N_OWN_POINTERS: usize = 3;

/// What functions may change.
const CALLER_SAVED: [Gpr; 7] = [TABLE, INDEX, END, DONE, Gpr::R9, Gpr::R10, Gpr::R11];

/// Bytes of one operand of a called function.
const BUFFER_BYTES: usize = 64;

/// Offsets in the stack frame.
struct Frame {
    vectors: usize,
    masks: usize,
    gprs: usize,
    /// The result and the operands of a called function.
    buffers: usize,
    /// Masks of the tail for 32-bit and 64-bit lanes, its number of points, and bytes on their way.
    tail: usize,
    /// What loops count, and addresses that move, eight bytes each.
    cursors: usize,
    /// The end of all points, while a row ends before.
    end: usize,
    bytes: usize,
}

impl Frame {
    fn new(lanes: &Lanes, allocation: &Allocation) -> Frame {
        let isa = lanes.isa;
        let width = vector_bytes(isa);
        let vectors = allocation.n_slots * width;
        let n_saved = if allocation.has_calls || !lanes.loops.is_empty() { 32 } else { 0 };
        let n_buffers = if allocation.has_calls { 4 } else { 0 };
        let masks = vectors + n_saved * width;
        let gprs = masks + 64;
        let buffers = gprs + 64;
        let tail = buffers + n_buffers * BUFFER_BYTES;
        let cursors = tail + 192;
        let end = cursors + 8 * Cursors::most(lanes);
        Frame { vectors, masks, gprs, buffers, tail, cursors, end, bytes: end + 8 }
    }
}

/// Frames are at most this large, so that few pages must be touched.
const MAX_FRAME: usize = 64 << 10;
const PAGE: usize = 4 << 10;

/// Whether the code gets by with a small part of the stack.
pub(super) fn fits(lanes: &Lanes, allocation: &Allocation) -> bool {
    Frame::new(lanes, allocation).bytes <= MAX_FRAME
}

/// A call that stands behind the code.
struct Cold {
    entry: Label,
    back: Label,
    value: Value,
    to: u8,
    args: [Place; 4],
    saved: Saved,
    group: Group,
}

struct Emitter<'a> {
    lanes: &'a Lanes,
    assembler: &'a mut Assembler,
    functions: &'a [Arc<Function>],
    frame: Frame,
    pool: Vec<u8>,
    /// Constants in it, by bits and whether they have 64.
    pooled: HashMap<(u64, bool), u32>,
    /// Sixteen bytes of 1 in it.
    pooled_ones: Option<u32>,
    /// The numbers of lanes in it.
    pooled_numbers: Option<u32>,
    /// For each operand the register with its address.
    pointers: Vec<Option<Gpr>>,
    colds: Vec<Cold>,
    group: Group,
    /// Of the next call.
    saved: Saved,
    cursors: Cursors,
    /// The loops around.
    loops: Vec<Open>,
    pauses: Vec<Pause>,
    /// Where the code returns from.
    end: Label,
}

/// Appends a function to the code; `functions` must stay where they are as long as the code.
pub(super) fn emit(
    lanes: &Lanes,
    allocation: &Allocation,
    functions: &[Arc<Function>],
    extent: Extent,
    assembler: &mut Assembler,
) {
    let group = if extent == Extent::Once { Group::Single } else { Group::Whole };
    let frame = Frame::new(lanes, allocation);
    let end = assembler.label();
    let mut emitter = Emitter {
        lanes,
        assembler,
        functions,
        frame,
        pool: vec![],
        pooled: HashMap::new(),
        pooled_ones: None,
        pooled_numbers: None,
        pointers: vec![None; lanes.operands.len()],
        colds: vec![],
        group,
        saved: Saved::default(),
        cursors: Cursors::new(lanes),
        loops: vec![],
        pauses: vec![],
        end,
    };
    emitter.function(&allocation.steps);
    let pool = std::mem::take(&mut emitter.pool);
    assembler.finish(&pool);
}

impl Emitter<'_> {
    fn isa(&self) -> Isa {
        self.lanes.isa
    }

    fn length(&self, kind: Kind) -> Length {
        Length::of(self.lanes.n_lanes * kind.size())
    }

    /// Bit for each lane that is one.
    fn lane_bits(&self) -> u32 {
        if self.group == Group::Single { 1 } else { (1 << self.lanes.n_lanes) - 1 }
    }

    fn stack(&self, offset: usize) -> Memory {
        Memory::Base(Gpr::Rsp, offset as i32)
    }

    fn slot(&self, slot: u32) -> Memory {
        self.stack(slot as usize * vector_bytes(self.isa()))
    }

    /// A vector instruction in the encoding of the instruction set.
    fn vector(&mut self, form: Form, length: Length, reg: u8, second: u8, rm: Rm, immediate: Option<u8>) {
        match self.isa() {
            Isa::Avx2 => self.assembler.vex(form, length, reg, second, rm, immediate),
            Isa::Avx512 => self.assembler.evex(form, length, reg, second, rm, Masking::None, immediate),
        }
    }

    fn masked(&mut self, form: Form, length: Length, reg: u8, rm: Rm, masking: Masking) {
        self.assembler.evex(form, length, reg, 0, rm, masking, None);
    }

    /// The place of bytes in the pool.
    fn pooled_bytes(&mut self, bytes: &[u8]) -> u32 {
        let at = self.pool.len().next_multiple_of(bytes.len().next_power_of_two());
        self.pool.resize(at, 0);
        self.pool.extend_from_slice(bytes);
        at as u32
    }

    /// The place of a constant in the pool: one lane with AVX-512, all of them with AVX2.
    fn pooled(&mut self, bits: u64, is_wide: bool) -> Memory {
        if let Some(&at) = self.pooled.get(&(bits, is_wide)) {
            return Memory::Pool(at);
        }
        let n = if self.isa() == Isa::Avx2 { vector_bytes(self.isa()) } else { 8 >> (!is_wide) as u32 };
        let lane = bits.to_le_bytes();
        let size = if is_wide { 8 } else { 4 };
        let bytes: Vec<u8> = (0..n).map(|i| lane[i % size]).collect();
        let at = self.pooled_bytes(&bytes);
        self.pooled.insert((bits, is_wide), at);
        Memory::Pool(at)
    }

    fn constant(&mut self, value: Value) -> (Memory, bool) {
        let inst = self.lanes.inst(value);
        let Op::Constant(bits) = inst.op else { unreachable!("{value:?} is no constant") };
        (self.pooled(bits, inst.kind.is_wide()), inst.kind.is_wide())
    }

    /// An argument that may stand in memory.
    fn rm(&mut self, place: Place) -> Rm {
        match place {
            Place::Register(register) => Rm::Register(register),
            Place::Slot(slot) => Rm::Memory(self.slot(slot)),
            Place::Constant(value) => {
                let (memory, _) = self.constant(value);
                if self.isa() == Isa::Avx2 { Rm::Memory(memory) } else { Rm::Broadcast(memory) }
            }
            Place::None => unreachable!("there is no such argument"),
        }
    }

    /// Where the table holds an operand's address.
    fn address(&self, operand: usize) -> Memory {
        Memory::Base(TABLE, 8 * self.lanes.operands[operand].base as i32)
    }

    /// The register with an operand's address.
    fn base(&mut self, operand: u32) -> Gpr {
        self.pointers[operand as usize].unwrap_or_else(|| {
            let address = self.address(operand as usize);
            self.assembler.load(COUNTER, address);
            COUNTER
        })
    }

    /// Where an operand's only element stands.
    fn only(&mut self, operand: u32) -> Memory {
        Memory::Base(self.base(operand), 0)
    }

    /// Where a single element stands, by position in [`Lanes::elements`].
    fn element(&mut self, element: u32) -> Memory {
        let element = self.lanes.elements[element as usize];
        Memory::Base(self.pointer(element.of, COUNTER), element.offset as i32)
    }

    /// A register that holds an address: its own, or else the one given.
    fn pointer(&mut self, address: Address, or: Gpr) -> Gpr {
        match address {
            Address::Table(base) => self.assembler.load(or, Memory::Base(TABLE, 8 * base as i32)),
            Address::Window(window) => match self.cursors.windows[window as usize] {
                Home::Register(register) => return register,
                Home::Stack(cursor) => self.assembler.load(or, self.cursor(cursor)),
            },
        }
        or
    }

    /// Where an operand's elements at the points of a group stand.
    fn operand(&mut self, operand: u32, group: u8) -> Memory {
        let base = self.base(operand);
        let Operand { dtype, walk, .. } = self.lanes.operands[operand as usize];
        let offset = (group as usize * self.lanes.n_lanes * dtype.size()) as i32;
        let index = match walk {
            Walk::Points => INDEX,
            Walk::Run => DONE,
            Walk::Row => ROW,
            Walk::Indexed => unreachable!("lanes have places of their own"),
            // Every round begins with the first one.
            Walk::Accumulators if round(self.lanes) >= N_ACCUMULATORS => return Memory::Base(base, offset),
            Walk::Accumulators => {
                self.assembler.copy(ACCUMULATOR, DONE);
                self.assembler.and(ACCUMULATOR, N_ACCUMULATORS as i32 - 1);
                ACCUMULATOR
            }
        };
        Memory::Indexed(base, index, dtype.size() as u8, offset)
    }

    fn function(&mut self, steps: &[Step]) {
        // The operands that the code names most have their address in a register.
        let mut counts = vec![0u32; self.pointers.len()];
        for inst in &self.lanes.insts {
            if let Op::Load(operand, _) | Op::Gather(operand) = inst.op {
                counts[operand as usize] += 1;
            }
        }
        self.lanes.stores.iter().for_each(|store| counts[store.to as usize] += 1);
        let mut used: Vec<usize> = (0..counts.len()).filter(|&i| counts[i] > 0).collect();
        used.sort_by_key(|&i| (std::cmp::Reverse(counts[i]), i));
        // Those that neither cursors nor rows have.
        let (n_cursors, n_rows) = (self.cursors.n_registers(), usize::from(self.lanes.row.is_some()));
        let pointers = &POINTERS[n_cursors..POINTERS.len() - n_rows];
        used.truncate(pointers.len());
        let mut saved: Vec<Gpr> = POINTERS[..n_cursors + used.len()].iter().skip(N_OWN_POINTERS).copied().collect();
        saved.extend((n_rows > 0).then_some(ROW));

        self.assembler.push(Gpr::Rbp);
        self.assembler.copy(Gpr::Rbp, Gpr::Rsp);
        saved.iter().for_each(|&r| self.assembler.push(r));
        // Page by page, so that a guard page below the stack is not stepped over.
        for page in 1..=self.frame.bytes / PAGE {
            self.assembler.store(TABLE, Memory::Base(Gpr::Rsp, -((page * PAGE) as i32)));
        }
        self.assembler.add(Gpr::Rsp, -(self.frame.bytes as i32));
        self.assembler.and(Gpr::Rsp, -64);
        if n_rows > 0 {
            self.assembler.copy(ROW, FIRST_ROW);
        }
        self.assembler.copy(DONE, COUNTER);
        for (&operand, &pointer) in used.iter().zip(pointers) {
            let address = self.address(operand);
            self.assembler.load(pointer, address);
            self.pointers[operand] = Some(pointer);
        }

        let points = steps.iter().position(|step| matches!(step, Step::Points));
        match points {
            None => {
                self.begin_loops();
                self.steps(steps);
                self.assembler.constant(ACCUMULATOR, 0);
            }
            Some(at) => {
                self.steps(&steps[..at]);
                match self.lanes.row {
                    None => self.points(&steps[at + 1..]),
                    Some(row) => self.rows(row, &steps[at + 1..]),
                }
            }
        }

        if self.lanes.streams {
            self.assembler.store_fence();
        }
        self.assembler.bind(self.end);
        self.assembler.address(Gpr::Rsp, Memory::Base(Gpr::Rbp, -8 * saved.len() as i32));
        saved.iter().rev().for_each(|&r| self.assembler.pop(r));
        self.assembler.pop(Gpr::Rbp);
        self.assembler.zero_upper();
        self.assembler.ret();
        for cold in std::mem::take(&mut self.colds) {
            self.group = cold.group;
            self.assembler.bind(cold.entry);
            self.call(cold.value, cold.to, &cold.args[2..], cold.saved);
            self.assembler.jump(cold.back);
        }
        for pause in std::mem::take(&mut self.pauses) {
            self.pause(pause);
        }
    }

    /// The body over all points, row by row.
    fn rows(&mut self, row: usize, body: &[Step]) {
        let end_of_all = self.stack(self.frame.end);
        let (next, begin, done) = (self.assembler.label(), self.assembler.label(), self.assembler.label());
        self.assembler.copy(ACCUMULATOR, END);
        self.assembler.store(END, end_of_all);
        self.assembler.bind(next);
        // Where the row ends, or all points do.
        self.assembler.address(END, Memory::Base(INDEX, row as i32));
        self.assembler.subtract(END, ROW);
        self.assembler.compare(END, ACCUMULATOR);
        self.assembler.jump_if(Condition::BelowOrEqual, begin);
        self.assembler.copy(END, ACCUMULATOR);
        self.assembler.bind(begin);
        self.points(body);
        self.assembler.load(ACCUMULATOR, end_of_all);
        self.assembler.compare(END, ACCUMULATOR);
        self.assembler.jump_if(Condition::AboveOrEqual, done);
        // Those of the last group.
        self.assembler.add_register(DONE, END);
        self.assembler.subtract(DONE, INDEX);
        self.assembler.copy(INDEX, END);
        self.assembler.constant(ROW, 0);
        self.assembler.jump(next);
        self.assembler.bind(done);
    }

    /// The body over all points up to the end.
    fn points(&mut self, body: &[Step]) {
        let n_points = round(self.lanes) as i32;
        let (head, tail, done) = (self.assembler.label(), self.assembler.label(), self.assembler.label());
        self.assembler.address(ACCUMULATOR, Memory::Base(INDEX, n_points));
        self.assembler.compare(ACCUMULATOR, END);
        self.assembler.jump_if(Condition::Above, tail);
        self.assembler.bind(head);
        self.steps(body);
        self.assembler.add(INDEX, n_points);
        self.assembler.add(DONE, n_points);
        if self.lanes.row.is_some() {
            self.assembler.add(ROW, n_points);
        }
        self.assembler.address(ACCUMULATOR, Memory::Base(INDEX, n_points));
        self.assembler.compare(ACCUMULATOR, END);
        self.assembler.jump_if(Condition::BelowOrEqual, head);
        self.assembler.bind(tail);
        if self.lanes.n_groups == 1 {
            self.assembler.compare(INDEX, END);
            self.assembler.jump_if(Condition::AboveOrEqual, done);
            self.group = Group::Tail;
            self.tail_mask();
            self.steps(body);
        }
        self.assembler.bind(done);
    }

    /// Prepares the masks of the last group.
    fn tail_mask(&mut self) {
        self.assembler.copy(COUNTER, END);
        self.assembler.subtract(COUNTER, INDEX);
        match self.isa() {
            Isa::Avx512 => {
                self.assembler.constant(ACCUMULATOR, u64::from(u32::MAX));
                self.assembler.low_bits(ACCUMULATOR, ACCUMULATOR, COUNTER);
                self.assembler.mask_from_gpr(TAIL_MASK, ACCUMULATOR);
            }
            Isa::Avx2 => {
                let count = self.stack(self.frame.tail + 64);
                self.assembler.store(COUNTER, count);
                self.assembler.negate(COUNTER);
                // Ones, then zeros: a vector that starts so many lanes before the zeros.
                let ones_then_zeros: Vec<u8> = (0..64).map(|i| if i < 32 { 0xff } else { 0 }).collect();
                let at = self.pooled_bytes(&ones_then_zeros);
                self.assembler.address(ACCUMULATOR, Memory::Pool(at + 32));
                let temporary = scratch(Isa::Avx2);
                for (k, size) in [4, 8].into_iter().enumerate() {
                    if self.lanes.n_lanes * size > 32 {
                        continue;
                    }
                    let from = Rm::Memory(Memory::Indexed(ACCUMULATOR, COUNTER, size as u8, 0));
                    let to = Rm::Memory(self.stack(self.frame.tail + 32 * k));
                    self.vector(e::float(e::LOAD, false), Length::L256, temporary, 0, from, None);
                    self.vector(e::float(e::STORE, false), Length::L256, temporary, 0, to, None);
                }
            }
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Inst { value, to, args } => self.inst(*value, *to, args),
                Step::Copy { value, from, to } => self.copy(*value, *from, *to),
                Step::Become { .. } => {}
                Step::Store { store, from } => {
                    let store = self.lanes.stores[*store];
                    let kind = self.lanes.inst(store.from).result();
                    let to = match self.group {
                        Group::Single => self.only(store.to),
                        Group::Whole | Group::Tail => self.operand(store.to, store.group),
                    };
                    let operand = self.lanes.operands[store.to as usize];
                    match self.group {
                        Group::Whole if self.lanes.streams && streams(&operand) => self.stream(kind, *from, to),
                        _ => self.store(operand.dtype, kind, *from, to, self.group),
                    }
                }
                Step::Write { write, from } => {
                    let write = self.lanes.writes[*write];
                    let kind = self.lanes.inst(write.from).result();
                    let to = self.element(write.to);
                    self.store(self.lanes.elements[write.to as usize].dtype, kind, *from, to, self.group);
                }
                Step::Tally(count) => {
                    self.assembler.load(COUNTER, Memory::Base(TABLE, 8 * self.lanes.tallies as i32));
                    self.assembler.add_to(Memory::Base(COUNTER, 8 * *count as i32), 1);
                }
                Step::Save(saved) => self.saved = *saved,
                Step::Points => unreachable!("there is one loop over the points"),
                Step::Loop(of) => self.open(*of),
                Step::Test { of, mask } => self.test(*of, *mask),
                Step::Again(of) => self.close(*of),
            }
        }
    }

    /// Sets the zero flag if a mask holds in no lane.
    fn mask_bits(&mut self, kind: Kind, mask: u8) {
        match self.isa() {
            Isa::Avx512 => self.assembler.mask_to_gpr(ACCUMULATOR, mask),
            Isa::Avx2 => {
                let form = if kind.is_wide() { e::SIGNS_8 } else { e::SIGNS_4 };
                let length = self.length(kind);
                self.vector(form, length, ACCUMULATOR as u8, 0, Rm::Register(mask), None);
            }
        }
        let bits = self.lane_bits();
        self.assembler.test(ACCUMULATOR, bits);
    }
}
