//! Elements between memory and lanes: whole groups, the masked tail, single elements.

use super::{ACCUMULATOR, COUNTER, Emitter, Group, INDEX, TABLE};
use crate::{
    dtype::DType,
    jit::{
        encode::{self as e, Condition, Isa, Length, Masking, Memory, Rm},
        lanes::{Inst, Kind},
        registers::{TAIL_MASK, scratch},
    },
};

impl Emitter<'_> {
    /// One element to all lanes.
    pub(super) fn uniform(&mut self, dtype: DType, to: u8, from: Memory) {
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
    pub(super) fn load(&mut self, dtype: DType, kind: Kind, to: u8, from: Memory, group: Group) {
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

    /// Elements of an operand at indices, in the lanes of a mask; other lanes stay. The instruction clears its mask.
    pub(super) fn gather(&mut self, inst: &Inst, operand: u32, to: u8, mask: u8, index: u8) {
        let (is_wide, of_index) = (inst.kind.is_wide(), self.lanes.inst(inst.args[2]).kind);
        let form = if of_index.is_wide() { e::GATHER_BY_8 } else { e::GATHER_BY_4 }.wide(is_wide);
        let length = self.length(inst.kind).max(self.length(of_index));
        let from = Rm::Memory(Memory::Gathered(self.base(operand), index, inst.kind.size() as u8));
        match self.isa() {
            Isa::Avx512 => {
                // Register 0 masks nothing, but keeps it meanwhile.
                self.assembler.mask_load(0, Rm::Register(mask));
                self.masked(form, length, to, from, Masking::Merge(mask));
                self.assembler.mask_load(mask, Rm::Register(0));
            }
            Isa::Avx2 => {
                let copy = scratch(Isa::Avx2);
                self.vector(e::float(e::MOVE, false), length, copy, 0, Rm::Register(mask), None);
                self.assembler.vex(form, length, to, copy, from, None);
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
    pub(super) fn tail_bytes(&mut self, operand: Memory, is_load: bool) -> Memory {
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
    pub(super) fn store(&mut self, dtype: DType, kind: Kind, from: u8, to: Memory, group: Group) {
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

    /// Writes a whole group past the caches.
    pub(super) fn stream(&mut self, kind: Kind, from: u8, to: Memory) {
        let form = e::float(e::STREAM, kind.is_wide());
        self.vector(form, self.length(kind), from, 0, Rm::Memory(to), None);
    }

    /// Sixteen bytes of 1.
    pub(super) fn pooled_ones(&mut self) -> Memory {
        let at = self.pooled_ones.unwrap_or_else(|| self.pooled_bytes(&[1; 16]));
        self.pooled_ones = Some(at);
        Memory::Pool(at)
    }

    /// The numbers of lanes.
    pub(super) fn pooled_numbers(&mut self) -> Memory {
        let at = self.pooled_numbers.unwrap_or_else(|| {
            let numbers: Vec<u8> = (0..self.lanes.n_lanes as u32).flat_map(u32::to_le_bytes).collect();
            self.pooled_bytes(&numbers)
        });
        self.pooled_numbers = Some(at);
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
}
