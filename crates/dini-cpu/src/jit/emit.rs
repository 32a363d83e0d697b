//! From allocated code to bytes.
//!
//! A function `extern "sysv64" fn(operands, start, end, done)` runs over points `start..end` of a run, of which `done`
//! points came before, whole groups first. The group that is left takes a second copy of the code, whose loads and stores
//! are masked. Code for rounds of several groups leaves what is less than a round to code for one. Calls of precompiled functions for
//! rare arguments stand behind both, out of the way.

use super::{
    encode::{self as e, Assembler, Condition, FmaOrder, Form, Gpr, Isa, Label, Length, MaskOp, Masking, Memory, Rm},
    lanes::{Function, Inst, Kind, Lanes, Op, Operand, Predicate, Shift, Value, vector_bytes},
    registers::{Allocation, Place, Saved, Step, TAIL_MASK, scratch},
};
use crate::{dtype::DType, interp::frame};
use std::{collections::HashMap, sync::Arc};

/// Points per round.
pub(super) fn round(lanes: &Lanes) -> usize {
    lanes.n_lanes * lanes.n_groups as usize
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
    bytes: usize,
}

impl Frame {
    fn new(isa: Isa, allocation: &Allocation) -> Frame {
        let width = vector_bytes(isa);
        let vectors = allocation.n_slots * width;
        let (n_saved, n_buffers) = if allocation.has_calls { (32, 4) } else { (0, 0) };
        let masks = vectors + n_saved * width;
        let gprs = masks + 64;
        let buffers = gprs + 64;
        let tail = buffers + n_buffers * BUFFER_BYTES;
        Frame { vectors, masks, gprs, buffers, tail, bytes: tail + 192 }
    }
}

/// Frames are at most this large, so that few pages must be touched.
const MAX_FRAME: usize = 64 << 10;
const PAGE: usize = 4 << 10;

/// Whether the code gets by with a small part of the stack.
pub(super) fn fits(isa: Isa, allocation: &Allocation) -> bool {
    Frame::new(isa, allocation).bytes <= MAX_FRAME
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
    /// For each operand the register with its address.
    pointers: Vec<Option<Gpr>>,
    colds: Vec<Cold>,
    group: Group,
    /// Of the next call.
    saved: Saved,
    /// Head and exit of the loops around.
    loops: Vec<(Label, Label)>,
}

/// Appends a function to the code; `functions` must stay where they are as long as the code.
pub(super) fn emit(
    lanes: &Lanes,
    allocation: &Allocation,
    functions: &[Arc<Function>],
    over_points: bool,
    assembler: &mut Assembler,
) {
    let group = if over_points { Group::Whole } else { Group::Single };
    let frame = Frame::new(lanes.isa, allocation);
    let mut emitter = Emitter {
        lanes,
        assembler,
        functions,
        frame,
        pool: vec![],
        pooled: HashMap::new(),
        pooled_ones: None,
        pointers: vec![None; lanes.operands.len()],
        colds: vec![],
        group,
        saved: Saved::default(),
        loops: vec![],
    };
    emitter.function(&allocation.steps);
    let pool = std::mem::take(&mut emitter.pool);
    assembler.finish(&pool);
}

/// Called by the code: runs a function on lanes in memory, behind the place for its result.
///
/// # Safety
/// The buffers must hold that many elements of the function's operand types.
unsafe extern "sysv64" fn call_function(function: &Function, buffers: *mut u8, n_lanes: usize) {
    // SAFETY: promised by the caller; buffers do not overlap and are aligned to all element types.
    unsafe {
        let arg = |k: usize| frame::elements(buffers.add((k + 1) * BUFFER_BYTES), function.args[k], n_lanes);
        let to = frame::elements_mut(buffers, function.to, n_lanes);
        match function.args.len() {
            1 => function.kernel.run(&[arg(0)], to),
            2 => function.kernel.run(&[arg(0), arg(1)], to),
            _ => function.kernel.run(&[arg(0), arg(1), arg(2)], to),
        }
    }
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

    /// The length of what moves between registers and slots.
    fn whole(&self) -> Length {
        match self.group {
            Group::Single => Length::L128,
            Group::Whole | Group::Tail => Length::of(vector_bytes(self.isa())),
        }
    }

    /// Whether values of the kind stand in mask registers.
    fn is_in_mask(&self, kind: Kind) -> bool {
        kind.is_mask() && self.isa() == Isa::Avx512
    }

    fn copy(&mut self, value: Value, from: Place, to: Place) {
        if !self.is_in_mask(self.lanes.inst(value).result()) {
            return match (from, to) {
                (Place::Slot(_) | Place::Constant(_), Place::Slot(_)) => self.copy_through(from, to),
                (_, _) => self.copy_vector(from, to),
            };
        }
        match (from, to) {
            (Place::Register(from), Place::Register(to)) => self.assembler.mask_load(to, Rm::Register(from)),
            (Place::Slot(from), Place::Register(to)) => {
                let from = self.slot(from);
                self.assembler.mask_load(to, Rm::Memory(from));
            }
            (Place::Register(from), Place::Slot(to)) => {
                let to = self.slot(to);
                self.assembler.mask_store(from, to);
            }
            (Place::Slot(_), Place::Slot(_)) => self.copy_through(from, to),
            (from, to) => unreachable!("no way for a mask from {from:?} to {to:?}"),
        }
    }

    /// Copies from memory to memory.
    fn copy_through(&mut self, from: Place, to: Place) {
        let through = Place::Register(scratch(self.isa()));
        self.copy_vector(from, through);
        self.copy_vector(through, to);
    }

    /// Copies a whole vector, whatever it holds.
    fn copy_vector(&mut self, from: Place, to: Place) {
        let whole = self.whole();
        match (from, to) {
            (Place::Register(from), Place::Register(to)) => {
                self.vector(e::float(e::MOVE, false), whole, to, 0, Rm::Register(from), None);
            }
            (Place::Constant(constant), Place::Register(to)) => {
                let (memory, is_wide) = self.constant(constant);
                match self.isa() {
                    Isa::Avx2 => self.vector(e::float(e::LOAD, false), whole, to, 0, Rm::Memory(memory), None),
                    Isa::Avx512 => self.broadcast(is_wide, whole, to, Rm::Memory(memory)),
                }
            }
            (Place::Slot(from), Place::Register(to)) => {
                let from = Rm::Memory(self.slot(from));
                self.vector(e::float(e::LOAD, false), whole, to, 0, from, None);
            }
            (Place::Register(from), Place::Slot(to)) => {
                let to = Rm::Memory(self.slot(to));
                self.vector(e::float(e::STORE, false), whole, from, 0, to, None);
            }
            (from, to) => unreachable!("no way from {from:?} to {to:?}"),
        }
    }

    fn broadcast(&mut self, is_wide: bool, length: Length, to: u8, from: Rm) {
        let form = if is_wide { e::BROADCAST_8 } else { e::BROADCAST_4 };
        // W is not free to choose with VEX.
        let form = if self.isa() == Isa::Avx2 { form.wide(false) } else { form };
        self.vector(form, length, to, 0, from, None);
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
    fn element(&mut self, operand: u32) -> Memory {
        Memory::Base(self.base(operand), 0)
    }

    /// Where an operand's elements at the points of a group stand.
    fn operand(&mut self, operand: u32, group: u8) -> Memory {
        let base = self.base(operand);
        let Operand { dtype, is_cell, .. } = self.lanes.operands[operand as usize];
        let offset = group as usize * self.lanes.n_lanes * dtype.size();
        Memory::Indexed(base, if is_cell { DONE } else { INDEX }, dtype.size() as u8, offset as i32)
    }

    fn function(&mut self, steps: &[Step]) {
        // The operands that the code names most have their address in a register.
        let mut counts = vec![0u32; self.pointers.len()];
        for inst in &self.lanes.insts {
            if let Op::Load(operand, _) = inst.op {
                counts[operand as usize] += 1;
            }
        }
        self.lanes.stores.iter().for_each(|store| counts[store.to as usize] += 1);
        let mut used: Vec<usize> = (0..counts.len()).filter(|&i| counts[i] > 0).collect();
        used.sort_by_key(|&i| (std::cmp::Reverse(counts[i]), i));
        used.truncate(POINTERS.len());
        let saved: Vec<Gpr> = POINTERS[..used.len()].iter().skip(N_OWN_POINTERS).copied().collect();

        self.assembler.push(Gpr::Rbp);
        self.assembler.copy(Gpr::Rbp, Gpr::Rsp);
        saved.iter().for_each(|&r| self.assembler.push(r));
        // Page by page, so that a guard page below the stack is not stepped over.
        for page in 1..=self.frame.bytes / PAGE {
            self.assembler.store(TABLE, Memory::Base(Gpr::Rsp, -((page * PAGE) as i32)));
        }
        self.assembler.add(Gpr::Rsp, -(self.frame.bytes as i32));
        self.assembler.and(Gpr::Rsp, -64);
        self.assembler.copy(DONE, COUNTER);
        for (&operand, &pointer) in used.iter().zip(&POINTERS) {
            let address = self.address(operand);
            self.assembler.load(pointer, address);
            self.pointers[operand] = Some(pointer);
        }

        let points = steps.iter().position(|step| matches!(step, Step::Points));
        match points {
            None => self.steps(steps),
            Some(at) => {
                self.steps(&steps[..at]);
                self.points(&steps[at + 1..]);
            }
        }

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
    }

    /// The body over all points.
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
                        Group::Single => self.element(store.to),
                        Group::Whole | Group::Tail => self.operand(store.to, store.group),
                    };
                    self.store(self.lanes.operands[store.to as usize].dtype, kind, *from, to, self.group);
                }
                Step::Save(saved) => self.saved = *saved,
                Step::Points => unreachable!("there is one loop over the points"),
                Step::Loop => {
                    let (head, exit) = (self.assembler.label(), self.assembler.label());
                    self.assembler.bind(head);
                    self.loops.push((head, exit));
                }
                Step::Test { of, mask } => {
                    let exit = self.loops[self.loops.len() - 1].1;
                    let kind = self.lanes.inst(self.lanes.loops[*of].test).result();
                    self.mask_bits(kind, *mask);
                    self.assembler.jump_if(Condition::Zero, exit);
                }
                Step::Again(_) => {
                    let (head, exit) = self.loops.pop().expect("the loop began");
                    self.assembler.jump(head);
                    self.assembler.bind(exit);
                }
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

    fn inst(&mut self, value: Value, to: u8, args: &[Place; 4]) {
        let inst = *self.lanes.inst(value);
        let kind = inst.kind;
        let (length, is_wide) = (self.length(kind), kind.is_wide());
        let register = |k: usize| match args[k] {
            Place::Register(register) => register,
            place => unreachable!("argument {k} of {inst:?} stands in {place:?}"),
        };
        match inst.op {
            Op::Constant(_) | Op::Phi(_) => unreachable!("no code of its own"),
            Op::Uniform(operand) => {
                let from = self.element(operand);
                self.uniform(self.lanes.operands[operand as usize].dtype, to, from);
            }
            Op::Load(operand, group) => {
                let from = self.operand(operand, group);
                self.load(self.lanes.operands[operand as usize].dtype, kind, to, from, self.group);
            }
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Min
            | Op::Max
            | Op::MinUnsigned
            | Op::MaxUnsigned
            | Op::MulHalves
            | Op::ShiftBy(_) => {
                let rm = self.rm(args[1]);
                self.vector(binary_form(&inst), length, to, register(0), rm, None);
            }
            Op::Sqrt => {
                let rm = self.rm(args[0]);
                self.vector(e::float(e::SQRT, is_wide), length, to, 0, rm, None);
            }
            Op::Round(rounding) => {
                let form = if is_wide { e::ROUND_8 } else { e::ROUND_4 };
                let rm = self.rm(args[0]);
                self.vector(form, length, to, 0, rm, Some(rounding as u8 | 8));
            }
            Op::Fma { negate_product, negate_addend } => {
                let form = |order| e::fma(order, negate_product, negate_addend, is_wide);
                let (order, second, rm) = match (args[0], args[1], args[2]) {
                    (x, y, Place::Register(addend)) if addend == to && !is_register(x, to) && !is_register(y, to) => {
                        let (x, y) = if matches!(x, Place::Register(_)) { (x, y) } else { (y, x) };
                        (FmaOrder::O231, x, y)
                    }
                    (_, y @ Place::Register(_), z) => (FmaOrder::O213, y, z),
                    (_, y, z) => (FmaOrder::O132, z, y),
                };
                let Place::Register(second) = second else { unreachable!("one argument stands in memory") };
                let rm = self.rm(rm);
                self.vector(form(order), length, to, second, rm, None);
            }
            Op::And | Op::AndNot | Op::Or | Op::Xor if self.is_in_mask(kind) => {
                let op = match inst.op {
                    Op::And => MaskOp::And,
                    Op::AndNot => MaskOp::AndNot,
                    Op::Or => MaskOp::Or,
                    _ => MaskOp::Xor,
                };
                self.assembler.mask(op, to, register(0), register(1));
            }
            Op::And | Op::AndNot | Op::Or | Op::Xor => {
                let form = match inst.op {
                    Op::And => e::AND,
                    Op::AndNot => e::AND_NOT,
                    Op::Or => e::OR,
                    _ => e::XOR,
                };
                let rm = self.rm(args[1]);
                self.vector(form.wide(is_wide && self.isa() == Isa::Avx512), length, to, register(0), rm, None);
            }
            Op::Not if self.is_in_mask(kind) => self.assembler.mask_not(to, register(0)),
            Op::Not => {
                let ones = scratch(self.isa());
                self.vector(e::EQUAL_I32, length, ones, ones, Rm::Register(ones), None);
                self.vector(e::XOR, length, to, ones, Rm::Register(register(0)), None);
            }
            Op::Shift(shift, amount) => {
                let form = match (is_wide, shift) {
                    (false, _) => e::SHIFT_I32,
                    (true, Shift::Left | Shift::Right) => e::SHIFT_I64,
                    (true, Shift::Signed) => e::SHIFT_I64_SIGNED,
                };
                let extension = match shift {
                    Shift::Left => e::SHIFT_LEFT,
                    Shift::Right => e::SHIFT_RIGHT,
                    Shift::Signed => e::SHIFT_SIGNED,
                };
                self.vector(form, length, extension, to, Rm::Register(register(0)), Some(amount));
            }
            Op::Compare(predicate) => {
                let rm = self.rm(args[1]);
                self.compare(predicate, kind, to, register(0), rm);
            }
            Op::Select => {
                let rm = self.rm(args[1]);
                let (mask, others) = (register(0), register(2));
                match self.isa() {
                    Isa::Avx512 => {
                        let form = if is_wide { e::BLEND_8 } else { e::BLEND_4 };
                        self.assembler.evex(form, length, to, others, rm, Masking::Merge(mask), None);
                    }
                    Isa::Avx2 => {
                        let form = if is_wide { e::BLENDV_8 } else { e::BLENDV_4 };
                        self.assembler.vex(form, length, to, others, rm, Some(mask << 4));
                    }
                }
            }
            Op::Convert(from) => self.convert(from, kind, to, register(0)),
            Op::ZeroExtend => self.vector(e::ZERO_EXTEND_4_8, length, to, 0, Rm::Register(register(0)), None),
            Op::Call(_) => {
                let saved = self.saved;
                self.call(value, to, args, saved);
            }
            Op::Rare(_) => {
                let (entry, back) = (self.assembler.label(), self.assembler.label());
                let mask_kind = self.lanes.inst(inst.args[0]).result();
                self.mask_bits(mask_kind, register(0));
                self.assembler.jump_if(Condition::NotZero, entry);
                self.assembler.bind(back);
                let (saved, group) = (self.saved, self.group);
                self.colds.push(Cold { entry, back, value, to, args: *args, saved, group });
            }
        }
    }

    fn compare(&mut self, predicate: Predicate, kind: Kind, to: u8, x: u8, y: Rm) {
        let (length, is_wide) = (self.length(kind), kind.is_wide());
        let code = match predicate {
            Predicate::Eq => 0,
            Predicate::Lt | Predicate::LtUnsigned => 1,
            Predicate::Le | Predicate::LeUnsigned => 2,
            Predicate::Ne => 4,
            Predicate::Gt => 6,
        };
        if kind.is_float() {
            return self.vector(e::float(e::COMPARE, is_wide), length, to, x, y, Some(code));
        }
        match self.isa() {
            Isa::Avx512 => {
                let is_unsigned = matches!(predicate, Predicate::LtUnsigned | Predicate::LeUnsigned);
                let form = if is_unsigned { e::COMPARE_UNSIGNED } else { e::COMPARE_SIGNED };
                self.vector(form.wide(is_wide), length, to, x, y, Some(code));
            }
            Isa::Avx2 => {
                let form = match (predicate, is_wide) {
                    (Predicate::Eq, false) => e::EQUAL_I32,
                    (Predicate::Eq, true) => e::EQUAL_I64,
                    (Predicate::Gt, false) => e::GREATER_I32,
                    (Predicate::Gt, true) => e::GREATER_I64,
                    (_, _) => unreachable!("composed of others"),
                };
                self.vector(form, length, to, x, y, None);
            }
        }
    }

    fn convert(&mut self, from: Kind, kind: Kind, to: u8, x: u8) {
        let longer = if from.is_wide() { from } else { kind };
        let length = self.length(longer);
        let form = match (from, kind) {
            (Kind::F32, Kind::F64) => e::F32_TO_F64,
            (Kind::F64, Kind::F32) => e::F64_TO_F32,
            (Kind::I32, Kind::F32) => e::I32_TO_F32,
            (Kind::I32, Kind::F64) => e::I32_TO_F64,
            (Kind::F32, Kind::I32) => e::F32_TO_I32,
            (Kind::F64, Kind::I32) => e::F64_TO_I32,
            (Kind::I64, Kind::F64) => e::I64_TO_F64,
            (Kind::I64, Kind::F32) => e::I64_TO_F32,
            (Kind::F64, Kind::I64) => e::F64_TO_I64,
            (Kind::F32, Kind::I64) => e::F32_TO_I64,
            (Kind::I32, Kind::I64) | (Kind::Mask32, Kind::Mask64) => e::SIGN_EXTEND_4_8,
            (Kind::I64, Kind::I32) | (Kind::Mask64, Kind::Mask32) => match self.isa() {
                Isa::Avx512 => return self.vector(e::NARROW_8_4, length, x, 0, Rm::Register(to), None),
                Isa::Avx2 => return self.narrow(length, to, x),
            },
            (from, to) => unreachable!("no conversion from {from:?} to {to:?}"),
        };
        self.vector(form, length, to, 0, Rm::Register(x), None);
    }

    /// The low halves of 64-bit lanes, with AVX2.
    fn narrow(&mut self, length: Length, to: u8, x: u8) {
        let high = if length == Length::L256 {
            let temporary = scratch(Isa::Avx2);
            self.vector(e::EXTRACT_HIGH, Length::L256, x, 0, Rm::Register(temporary), Some(1));
            temporary
        } else {
            x
        };
        self.vector(e::SHUFFLE_4, Length::L128, to, x, Rm::Register(high), Some(0x88));
    }

    /// One element to all lanes.
    fn uniform(&mut self, dtype: DType, to: u8, from: Memory) {
        let whole = self.whole();
        match dtype.size() {
            8 => self.broadcast(true, whole, to, Rm::Memory(from)),
            4 => self.broadcast(false, whole, to, Rm::Memory(from)),
            _ => {
                self.assembler.load_byte(ACCUMULATOR, from);
                if dtype == DType::Bool {
                    self.assembler.negate(ACCUMULATOR);
                    if self.isa() == Isa::Avx512 {
                        return self.assembler.mask_from_gpr(to, ACCUMULATOR);
                    }
                }
                self.vector(e::LOAD_4, Length::L128, to, 0, Rm::Register(ACCUMULATOR as u8), None);
                self.broadcast(false, whole, to, Rm::Register(to));
            }
        }
    }

    /// A group of elements.
    fn load(&mut self, dtype: DType, kind: Kind, to: u8, from: Memory, group: Group) {
        let length = self.length(kind);
        let n = self.lanes.n_lanes;
        match self.isa() {
            Isa::Avx512 => {
                let masking = if group == Group::Tail { Masking::Zero(TAIL_MASK) } else { Masking::None };
                match dtype {
                    DType::Bool => {
                        let temporary = scratch(Isa::Avx512);
                        match (group, n) {
                            (Group::Tail, _) | (_, 16) => {
                                self.masked(e::LOAD_BYTES, Length::L128, temporary, Rm::Memory(from), masking);
                            }
                            (_, 8) => self.vector(e::LOAD_8, Length::L128, temporary, 0, Rm::Memory(from), None),
                            (_, _) => self.vector(e::LOAD_4, Length::L128, temporary, 0, Rm::Memory(from), None),
                        }
                        self.vector(e::TEST_BYTES, Length::L128, to, temporary, Rm::Register(temporary), None);
                    }
                    DType::U8 => self.masked(e::ZERO_EXTEND_1_4, length, to, Rm::Memory(from), masking),
                    _ => self.masked(e::float(e::LOAD, kind.is_wide()), length, to, Rm::Memory(from), masking),
                }
            }
            Isa::Avx2 => {
                if dtype.size() == 1 {
                    let from = if group == Group::Tail { self.tail_bytes(from, true) } else { from };
                    let form = if kind.is_wide() { e::ZERO_EXTEND_1_8 } else { e::ZERO_EXTEND_1_4 };
                    self.vector(form, length, to, 0, Rm::Memory(from), None);
                    if dtype == DType::Bool {
                        // 0 − 1 is all ones.
                        let zero = scratch(Isa::Avx2);
                        self.vector(e::XOR, length, zero, zero, Rm::Register(zero), None);
                        self.vector(e::SUB_I32, length, to, zero, Rm::Register(to), None);
                    }
                } else if group == Group::Tail {
                    let mask = self.tail_vector(kind);
                    let form = if kind.is_wide() { e::LOAD_MASKED_WIDE } else { e::LOAD_MASKED };
                    self.vector(form, length, to, mask, Rm::Memory(from), None);
                } else {
                    self.vector(e::float(e::LOAD, false), length, to, 0, Rm::Memory(from), None);
                }
            }
        }
    }

    /// Lanes of the tail as a vector mask.
    fn tail_vector(&mut self, kind: Kind) -> u8 {
        let mask = scratch(Isa::Avx2);
        let from = Rm::Memory(self.stack(self.frame.tail + 32 * kind.is_wide() as usize));
        self.vector(e::float(e::LOAD, false), Length::L256, mask, 0, from, None);
        mask
    }

    /// Moves the bytes of the tail's points one by one, from an operand to the stack or back. Returns the place there.
    fn tail_bytes(&mut self, operand: Memory, is_load: bool) -> Memory {
        let place = self.stack(self.frame.tail + 128);
        let again = self.assembler.label();
        // Operand and place in registers of their own: the counter may hold the operand's address.
        self.assembler.address(ACCUMULATOR, operand);
        self.assembler.store(INDEX, self.stack(self.frame.gprs));
        self.assembler.store(TABLE, self.stack(self.frame.gprs + 8));
        self.assembler.address(TABLE, place);
        self.assembler.load(COUNTER, self.stack(self.frame.tail + 64));
        let (from, to) = if is_load { (ACCUMULATOR, TABLE) } else { (TABLE, ACCUMULATOR) };
        self.assembler.bind(again);
        self.assembler.load_byte(INDEX, Memory::Base(from, 0));
        self.assembler.store_byte(INDEX, Memory::Base(to, 0));
        self.assembler.add(from, 1);
        self.assembler.add(to, 1);
        self.assembler.add(COUNTER, -1);
        self.assembler.jump_if(Condition::NotZero, again);
        self.assembler.load(INDEX, self.stack(self.frame.gprs));
        self.assembler.load(TABLE, self.stack(self.frame.gprs + 8));
        place
    }

    /// Writes lanes as elements.
    fn store(&mut self, dtype: DType, kind: Kind, from: u8, to: Memory, group: Group) {
        if group == Group::Single {
            return self.store_single(dtype, kind, from, to);
        }
        let length = self.length(kind);
        match self.isa() {
            Isa::Avx512 => {
                let masking = if group == Group::Tail { Masking::Merge(TAIL_MASK) } else { Masking::None };
                match dtype {
                    DType::Bool => {
                        let temporary = scratch(Isa::Avx512);
                        let ones = Rm::Memory(self.pooled_ones());
                        self.masked(e::LOAD_BYTES, Length::L128, temporary, ones, Masking::Zero(from));
                        match (group, self.lanes.n_lanes) {
                            (Group::Tail, _) | (_, 16) => {
                                self.masked(e::STORE_BYTES, Length::L128, temporary, Rm::Memory(to), masking);
                            }
                            (_, 8) => self.vector(e::STORE_8, Length::L128, temporary, 0, Rm::Memory(to), None),
                            (_, _) => self.vector(e::STORE_4, Length::L128, temporary, 0, Rm::Memory(to), None),
                        }
                    }
                    DType::U8 => self.masked(e::NARROW_4_1, length, from, Rm::Memory(to), masking),
                    _ => self.masked(e::float(e::STORE, kind.is_wide()), length, from, Rm::Memory(to), masking),
                }
            }
            Isa::Avx2 => {
                if dtype.size() == 1 {
                    self.store_bytes(dtype, kind, from, to, group);
                } else if group == Group::Tail {
                    let mask = self.tail_vector(kind);
                    let form = if kind.is_wide() { e::STORE_MASKED_WIDE } else { e::STORE_MASKED };
                    self.vector(form, length, from, mask, Rm::Memory(to), None);
                } else {
                    self.vector(e::float(e::STORE, false), length, from, 0, Rm::Memory(to), None);
                }
            }
        }
    }

    /// Sixteen bytes of 1.
    fn pooled_ones(&mut self) -> Memory {
        let at = self.pooled_ones.unwrap_or_else(|| self.pooled_bytes(&[1; 16]));
        self.pooled_ones = Some(at);
        Memory::Pool(at)
    }

    /// Lanes as bytes, with AVX2.
    fn store_bytes(&mut self, dtype: DType, kind: Kind, from: u8, to: Memory, group: Group) {
        let t = scratch(Isa::Avx2);
        let length = self.length(kind);
        let is_bool = dtype == DType::Bool;
        let high = if length == Length::L256 {
            self.vector(e::EXTRACT_HIGH, Length::L256, from, 0, Rm::Register(t), Some(1));
            t
        } else {
            from
        };
        let mut low = from;
        if kind.is_wide() {
            self.vector(e::SHUFFLE_4, Length::L128, t, from, Rm::Register(high), Some(0x88));
            low = t;
        }
        let second = if kind.is_wide() { t } else { high };
        let (words, bytes) =
            if is_bool { (e::PACK_4_2, e::PACK_2_1) } else { (e::PACK_4_2_UNSIGNED, e::PACK_2_1_UNSIGNED) };
        self.vector(words, Length::L128, t, low, Rm::Register(second), None);
        self.vector(bytes, Length::L128, t, t, Rm::Register(t), None);
        if is_bool {
            let ones = Rm::Memory(self.pooled_ones());
            self.vector(e::AND, Length::L128, t, t, ones, None);
        }
        let place = if group == Group::Tail { self.stack(self.frame.tail + 128) } else { to };
        let form = if self.lanes.n_lanes == 8 { e::STORE_8 } else { e::STORE_4 };
        self.vector(form, Length::L128, t, 0, Rm::Memory(place), None);
        if group == Group::Tail {
            self.tail_bytes(to, false);
        }
    }

    /// Writes the first lane.
    fn store_single(&mut self, dtype: DType, kind: Kind, from: u8, to: Memory) {
        match dtype.size() {
            8 => self.vector(e::STORE_8, Length::L128, from, 0, Rm::Memory(to), None),
            4 => self.vector(e::STORE_4, Length::L128, from, 0, Rm::Memory(to), None),
            _ => {
                if self.is_in_mask(kind) {
                    self.assembler.mask_to_gpr(ACCUMULATOR, from);
                } else {
                    self.vector(e::STORE_4, Length::L128, from, 0, Rm::Register(ACCUMULATOR as u8), None);
                }
                if dtype == DType::Bool {
                    self.assembler.and(ACCUMULATOR, 1);
                }
                self.assembler.store_byte(ACCUMULATOR, to);
            }
        }
    }

    /// Runs a precompiled function on lanes.
    fn call(&mut self, value: Value, to: u8, args: &[Place], saved: Saved) {
        let (Op::Call(index) | Op::Rare(index)) = self.lanes.inst(value).op else { unreachable!("calls nothing") };
        let lanes = self.lanes;
        let function = &self.functions[index as usize];
        let skipped = if matches!(lanes.inst(value).op, Op::Rare(_)) { 2 } else { 0 };
        let address: *const Function = Arc::as_ptr(function);
        let (whole, width) = (self.whole(), vector_bytes(self.isa()));
        let (load, store) = (e::float(e::LOAD, false), e::float(e::STORE, false));
        let masks = saved.masks | if self.group == Group::Tail { 1 << TAIL_MASK } else { 0 };
        let has_masks = self.isa() == Isa::Avx512;
        for r in (0..32u8).filter(|r| saved.vectors >> r & 1 == 1) {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(store, whole, r, 0, place, None);
        }
        for r in (0..8u8).filter(|r| has_masks && masks >> r & 1 == 1) {
            let place = self.stack(self.frame.masks + r as usize * 8);
            self.assembler.mask_store(r, place);
        }
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            let place = self.stack(self.frame.gprs + 8 * k);
            self.assembler.store(gpr, place);
        }
        let group = if self.group == Group::Single { Group::Single } else { Group::Whole };
        for (k, place) in args.iter().enumerate().filter(|(_, place)| **place != Place::None) {
            let Place::Register(register) = *place else { unreachable!("arguments of calls stand in registers") };
            let kind = lanes.inst(lanes.inst(value).args[k + skipped]).result();
            let buffer = self.stack(self.frame.buffers + (k + 1) * BUFFER_BYTES);
            self.store(function.args[k], kind, register, buffer, group);
        }
        self.assembler.constant(Gpr::Rdi, address as u64);
        self.assembler.address(Gpr::Rsi, self.stack(self.frame.buffers));
        self.assembler.constant(Gpr::Rdx, if group == Group::Single { 1 } else { lanes.n_lanes as u64 });
        self.assembler.constant(Gpr::Rax, call_function as *const () as u64);
        self.assembler.zero_upper();
        self.assembler.call(Gpr::Rax);
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            let place = self.stack(self.frame.gprs + 8 * k);
            self.assembler.load(gpr, place);
        }
        for r in (0..8u8).filter(|r| has_masks && masks >> r & 1 == 1) {
            let place = self.stack(self.frame.masks + r as usize * 8);
            self.assembler.mask_load(r, Rm::Memory(place));
        }
        for r in (0..32u8).filter(|r| saved.vectors >> r & 1 == 1) {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(load, whole, r, 0, place, None);
        }
        let result = self.stack(self.frame.buffers);
        let kind = lanes.inst(value).result();
        match group {
            Group::Single => self.uniform(function.to, to, result),
            _ => self.load(function.to, kind, to, result, Group::Whole),
        }
    }
}

fn is_register(place: Place, register: u8) -> bool {
    place == Place::Register(register)
}

/// Forms of operations on two vectors.
fn binary_form(inst: &Inst) -> Form {
    let is_wide = inst.kind.is_wide();
    if inst.kind.is_float() {
        let opcode = match inst.op {
            Op::Add => e::ADD,
            Op::Sub => e::SUB,
            Op::Mul => e::MUL,
            Op::Div => e::DIV,
            Op::Min => e::MIN,
            _ => e::MAX,
        };
        return e::float(opcode, is_wide);
    }
    match (inst.op, is_wide) {
        (Op::Add, false) => e::ADD_I32,
        (Op::Add, true) => e::ADD_I64,
        (Op::Sub, false) => e::SUB_I32,
        (Op::Sub, true) => e::SUB_I64,
        (Op::Mul, false) => e::MUL_I32,
        (Op::Mul, true) => e::MUL_I64,
        (Op::MulHalves, _) => e::MUL_HALVES,
        (Op::Min, _) => e::MIN_SIGNED.wide(is_wide),
        (Op::Max, _) => e::MAX_SIGNED.wide(is_wide),
        (Op::MinUnsigned, _) => e::MIN_UNSIGNED.wide(is_wide),
        (Op::MaxUnsigned, _) => e::MAX_UNSIGNED.wide(is_wide),
        (Op::ShiftBy(Shift::Left), _) => e::SHIFT_LEFT_BY.wide(is_wide),
        (Op::ShiftBy(Shift::Right), _) => e::SHIFT_RIGHT_BY.wide(is_wide),
        (Op::ShiftBy(Shift::Signed), _) => e::SHIFT_SIGNED_BY.wide(is_wide),
        (op, _) => unreachable!("{op:?} is no operation on two integers"),
    }
}
