//! Encoding of instructions: the vector forms of AVX2 with FMA (VEX) and of AVX-512 (EVEX), and the few scalar ones that
//! loops need. One [`Form`] per instruction serves both prefixes wherever the manual gives them the same opcode.
//!
//! Knows bytes only: which register holds what is the allocator's business.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (chapters 2.3 and 2.7).

mod form;
#[cfg(test)]
mod tests;

pub(super) use form::*;

/// Instruction sets that code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Isa {
    /// 256-bit vectors, 16 registers, masks in vector registers.
    Avx2,
    /// 512-bit vectors, 32 registers, masks in registers of their own.
    Avx512,
}

/// A general-purpose register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(super) enum Gpr { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 }

/// The length of a vector operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Length {
    L128,
    L256,
    L512,
}

impl Length {
    /// The shortest vector of at least so many bytes.
    pub fn of(bytes: usize) -> Length {
        match bytes {
            0..=16 => Length::L128,
            17..=32 => Length::L256,
            _ => Length::L512,
        }
    }

    pub fn bytes(self) -> usize {
        16 << self as usize
    }
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Register plus displacement.
    Base(Gpr, i32),
    /// Register plus scaled register (the scale is 1, 2, 4 or 8) plus displacement.
    Indexed(Gpr, Gpr, u8, i32),
    /// Register plus, for each lane, the scaled index in a vector register.
    Gathered(Gpr, u8, u8),
    /// Bytes into the constants behind the code.
    Pool(u32),
}

/// The operand that may stand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rm {
    Register(u8),
    Memory(Memory),
    /// One element in memory for all lanes (EVEX only).
    Broadcast(Memory),
}

/// Which lanes an instruction writes (EVEX only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masking {
    None,
    /// Other lanes become zero.
    Zero(u8),
    /// Other lanes stay.
    Merge(u8),
}
/// Operations on 16-bit mask registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MaskOp {
    And = 0x41,
    /// The second and not the first.
    AndNot = 0x42,
    Or = 0x45,
    Xor = 0x47,
}

/// Conditions of jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    AboveOrEqual = 3,
    Zero = 4,
    NotZero = 5,
    BelowOrEqual = 6,
    Above = 7,
    Negative = 8,
}

/// A place in the code that jumps name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(u32);

/// Code in the making.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    pub code: Vec<u8>,
    /// Where labels stand.
    labels: Vec<usize>,
    /// Jump displacements to fill in: their place and the label.
    jumps: Vec<(usize, Label)>,
    /// Displacements to the pool: their place, the end of the instruction and bytes into the pool.
    pool_uses: Vec<(usize, usize, u32)>,
}

const UNBOUND: usize = usize::MAX;

/// The byte of a scaled index.
fn sib(base: u8, index: u8, scale: u8) -> u8 {
    (scale.trailing_zeros() as u8) << 6 | (index & 7) << 3 | base
}

impl Assembler {
    fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    /// ModRM, SIB and displacement. `unit` is what an 8-bit displacement counts; none if there is no such form.
    /// `n_immediate` is how many bytes follow.
    fn modrm(&mut self, reg: u8, rm: Rm, unit: Option<i32>, n_immediate: usize) {
        let reg = (reg & 7) << 3;
        let memory = match rm {
            Rm::Register(rm) => return self.code.push(0xc0 | reg | (rm & 7)),
            Rm::Memory(memory) | Rm::Broadcast(memory) => memory,
        };
        match memory {
            Memory::Pool(offset) => {
                self.code.push(reg | 5);
                let at = self.code.len();
                self.pool_uses.push((at, at + 4 + n_immediate, offset));
                self.bytes(&[0; 4]);
            }
            Memory::Base(base, displacement) => {
                let base = base as u8 & 7;
                // Base 4 needs a SIB byte.
                let sib = (base == 4).then_some(0x24);
                self.displaced(reg, base, base, sib, displacement, unit);
            }
            Memory::Indexed(base, index, scale, displacement) => {
                let base = base as u8 & 7;
                self.displaced(reg, 4, base, Some(sib(base, index as u8, scale)), displacement, unit);
            }
            Memory::Gathered(base, index, scale) => {
                let base = base as u8 & 7;
                self.displaced(reg, 4, base, Some(sib(base, index, scale)), 0, unit);
            }
        }
    }

    /// ModRM with a base register, SIB, and the shortest displacement.
    fn displaced(&mut self, reg: u8, rm: u8, base: u8, sib: Option<u8>, displacement: i32, unit: Option<i32>) {
        let short = unit.filter(|unit| displacement % unit == 0).map(|unit| displacement / unit);
        let short = short.and_then(|d| i8::try_from(d).ok());
        // Base 5 has no form without displacement.
        let mode = match short {
            _ if displacement == 0 && base != 5 => 0,
            Some(_) => 0x40,
            None => 0x80,
        };
        self.code.push(mode | reg | rm);
        self.code.extend(sib);
        match (mode, short) {
            (0, _) => {}
            (0x40, Some(d)) => self.code.push(d as u8),
            (_, _) => self.bytes(&displacement.to_le_bytes()),
        }
    }

    /// The extension bits of the registers in a memory operand: index and base.
    fn extensions(rm: Rm) -> (u8, u8) {
        match rm {
            Rm::Register(rm) => (rm >> 4 & 1, rm >> 3 & 1),
            Rm::Memory(memory) | Rm::Broadcast(memory) => match memory {
                Memory::Base(base, _) => (0, base as u8 >> 3),
                Memory::Indexed(base, index, ..) => (index as u8 >> 3, base as u8 >> 3),
                Memory::Gathered(base, index, _) => (index >> 3 & 1, base as u8 >> 3),
                Memory::Pool(_) => (0, 0),
            },
        }
    }

    /// A vector instruction with VEX prefix. Unused `second` is 0.
    pub fn vex(&mut self, form: Form, length: Length, reg: u8, second: u8, rm: Rm, immediate: Option<u8>) {
        debug_assert!(reg < 16 && second < 16 && !matches!(rm, Rm::Register(16..) | Rm::Broadcast(_)));
        let (x, b) = Assembler::extensions(rm);
        let (r, l) = (reg >> 3, (length as u8) << 2);
        let low = (!second & 15) << 3 | l | form.prefix;
        // W is ignored where the two prefixes differ in it, and kept otherwise.
        if form.map == 1 && x == 0 && b == 0 && !form.wide {
            self.bytes(&[0xc5, (r ^ 1) << 7 | low]);
        } else {
            let high = (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | form.map;
            self.bytes(&[0xc4, high, (form.wide as u8) << 7 | low]);
        }
        self.code.push(form.opcode);
        self.modrm(reg, rm, Some(1), immediate.is_some() as usize);
        self.code.extend(immediate);
    }

    /// A vector instruction with EVEX prefix. Unused `second` is 0.
    #[expect(clippy::too_many_arguments, reason = "the fields of the prefix")]
    pub fn evex(
        &mut self,
        form: Form,
        length: Length,
        reg: u8,
        second: u8,
        rm: Rm,
        masking: Masking,
        immediate: Option<u8>,
    ) {
        let (x, b) = Assembler::extensions(rm);
        let (zeroing, mask) = match masking {
            Masking::None => (0, 0),
            Masking::Zero(mask) => (1, mask),
            Masking::Merge(mask) => (0, mask),
        };
        let is_broadcast = matches!(rm, Rm::Broadcast(_));
        // What has an index for each lane has no second source, whose highest bit is that of the index then.
        let second = if let Rm::Memory(Memory::Gathered(_, index, _)) = rm { index & 16 } else { second };
        let high = (reg >> 3 & 1 ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (reg >> 4 ^ 1) << 4 | form.map;
        let middle = (form.wide as u8) << 7 | (!second & 15) << 3 | 4 | form.prefix;
        let low = zeroing << 7 | (length as u8) << 5 | (is_broadcast as u8) << 4 | (second >> 4 ^ 1) << 3 | mask;
        self.bytes(&[0x62, high, middle, low, form.opcode]);
        let unit = match (is_broadcast, form.full) {
            (true, _) => Some(if form.wide { 8 } else { 4 }),
            (false, true) => Some(length.bytes() as i32),
            (false, false) => None,
        };
        self.modrm(reg, rm, unit, immediate.is_some() as usize);
        self.code.extend(immediate);
    }

    /// Mask register from two others.
    pub fn mask(&mut self, op: MaskOp, to: u8, first: u8, second: u8) {
        self.bytes(&[0xc5, 0x80 | (!first & 15) << 3 | 4, op as u8, 0xc0 | to << 3 | second]);
    }

    /// Complement of a mask register.
    pub fn mask_not(&mut self, to: u8, from: u8) {
        self.bytes(&[0xc5, 0xf8, 0x44, 0xc0 | to << 3 | from]);
    }

    /// Mask register from a mask register or two bytes in memory.
    pub fn mask_load(&mut self, to: u8, from: Rm) {
        self.vex(Form::new(0, 1, 0x90, 0), Length::L128, to, 0, from, None);
    }

    /// Mask register to two bytes in memory.
    pub fn mask_store(&mut self, from: u8, to: Memory) {
        self.vex(Form::new(0, 1, 0x91, 0), Length::L128, from, 0, Rm::Memory(to), None);
    }

    pub fn mask_from_gpr(&mut self, to: u8, from: Gpr) {
        self.vex(Form::new(0, 1, 0x92, 0), Length::L128, to, 0, Rm::Register(from as u8), None);
    }

    pub fn mask_to_gpr(&mut self, to: Gpr, from: u8) {
        self.vex(Form::new(0, 1, 0x93, 0), Length::L128, to as u8, 0, Rm::Register(from), None);
    }

    /// The low `n` bits of a 32-bit register, others zero.
    pub fn low_bits(&mut self, to: Gpr, from: Gpr, n: Gpr) {
        self.vex(Form::new(0, 2, 0xf5, 0), Length::L128, to as u8, n as u8, Rm::Register(from as u8), None);
    }

    /// One opcode byte with REX.W and a memory or register operand.
    fn rex(&mut self, opcode: u8, reg: u8, rm: Rm, n_immediate: usize) {
        let (x, b) = Assembler::extensions(rm);
        self.bytes(&[0x48 | (reg >> 3) << 2 | x << 1 | b, opcode]);
        self.modrm(reg, rm, Some(1), n_immediate);
    }

    pub fn load(&mut self, to: Gpr, from: Memory) {
        self.rex(0x8b, to as u8, Rm::Memory(from), 0);
    }

    pub fn store(&mut self, from: Gpr, to: Memory) {
        self.rex(0x89, from as u8, Rm::Memory(to), 0);
    }

    pub fn copy(&mut self, to: Gpr, from: Gpr) {
        self.rex(0x8b, to as u8, Rm::Register(from as u8), 0);
    }

    /// The address itself.
    pub fn address(&mut self, to: Gpr, of: Memory) {
        self.rex(0x8d, to as u8, Rm::Memory(of), 0);
    }

    pub fn add(&mut self, to: Gpr, n: i32) {
        self.rex(0x81, 0, Rm::Register(to as u8), 4);
        self.bytes(&n.to_le_bytes());
    }

    /// Adds to eight bytes in memory.
    pub fn add_to(&mut self, to: Memory, n: i32) {
        self.rex(0x81, 0, Rm::Memory(to), 4);
        self.bytes(&n.to_le_bytes());
    }

    pub fn and(&mut self, to: Gpr, n: i32) {
        self.rex(0x81, 4, Rm::Register(to as u8), 4);
        self.bytes(&n.to_le_bytes());
    }

    pub fn add_register(&mut self, to: Gpr, other: Gpr) {
        self.rex(0x03, to as u8, Rm::Register(other as u8), 0);
    }

    pub fn subtract(&mut self, to: Gpr, other: Gpr) {
        self.rex(0x2b, to as u8, Rm::Register(other as u8), 0);
    }

    pub fn negate(&mut self, to: Gpr) {
        self.rex(0xf7, 3, Rm::Register(to as u8), 0);
    }

    pub fn compare(&mut self, a: Gpr, b: Gpr) {
        self.rex(0x3b, a as u8, Rm::Register(b as u8), 0);
    }

    /// Sets flags by the common bits of a register's low half and a constant.
    pub fn test(&mut self, a: Gpr, bits: u32) {
        self.rex(0xf7, 0, Rm::Register(a as u8), 4);
        self.bytes(&bits.to_le_bytes());
    }

    pub fn constant(&mut self, to: Gpr, value: u64) {
        match u32::try_from(value) {
            Ok(value) => {
                self.bytes(&[0x40 | to as u8 >> 3, 0xb8 | to as u8 & 7]);
                self.bytes(&value.to_le_bytes());
            }
            Err(_) => {
                self.bytes(&[0x48 | to as u8 >> 3, 0xb8 | to as u8 & 7]);
                self.bytes(&value.to_le_bytes());
            }
        }
    }

    /// Low byte from memory, zero-extended.
    pub fn load_byte(&mut self, to: Gpr, from: Memory) {
        let (x, b) = Assembler::extensions(Rm::Memory(from));
        self.bytes(&[0x40 | (to as u8 >> 3) << 2 | x << 1 | b, 0x0f, 0xb6]);
        self.modrm(to as u8, Rm::Memory(from), Some(1), 0);
    }

    /// Low byte to memory.
    pub fn store_byte(&mut self, from: Gpr, to: Memory) {
        let (x, b) = Assembler::extensions(Rm::Memory(to));
        self.bytes(&[0x40 | (from as u8 >> 3) << 2 | x << 1 | b, 0x88]);
        self.modrm(from as u8, Rm::Memory(to), Some(1), 0);
    }

    pub fn push(&mut self, r: Gpr) {
        self.bytes(&[0x40 | r as u8 >> 3, 0x50 | r as u8 & 7]);
    }

    pub fn pop(&mut self, r: Gpr) {
        self.bytes(&[0x40 | r as u8 >> 3, 0x58 | r as u8 & 7]);
    }

    pub fn call(&mut self, r: Gpr) {
        self.bytes(&[0x40 | r as u8 >> 3, 0xff, 0xd0 | r as u8 & 7]);
    }

    pub fn zero_upper(&mut self) {
        self.bytes(&[0xc5, 0xf8, 0x77]);
    }

    /// Waits for stores that bypass the caches.
    pub fn store_fence(&mut self) {
        self.bytes(&[0x0f, 0xae, 0xf8]);
    }

    pub fn ret(&mut self) {
        self.code.push(0xc3);
    }

    /// A label that stands nowhere yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// Puts a label here.
    pub fn bind(&mut self, label: Label) {
        debug_assert!(self.labels[label.0 as usize] == UNBOUND, "{label:?} stands in two places");
        self.labels[label.0 as usize] = self.code.len();
    }

    pub fn jump(&mut self, to: Label) {
        self.code.push(0xe9);
        self.displacement(to);
    }

    pub fn jump_if(&mut self, condition: Condition, to: Label) {
        self.bytes(&[0x0f, 0x80 | condition as u8]);
        self.displacement(to);
    }

    fn displacement(&mut self, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.bytes(&[0; 4]);
    }

    /// Starts a function: on a cache line of its own.
    pub fn align(&mut self) -> usize {
        self.code.resize(self.code.len().next_multiple_of(64), 0xcc);
        self.code.len()
    }

    /// Appends the pool and fills in all displacements.
    pub fn finish(&mut self, pool: &[u8]) {
        for (at, label) in self.jumps.drain(..) {
            let target = self.labels[label.0 as usize];
            assert!(target != UNBOUND, "{label:?} stands nowhere");
            let displacement = (target as i64 - (at as i64 + 4)) as i32;
            self.code[at..at + 4].copy_from_slice(&displacement.to_le_bytes());
        }
        self.labels.clear();
        let start = self.align();
        for (at, end, offset) in self.pool_uses.drain(..) {
            let displacement = (start + offset as usize - end) as i32;
            self.code[at..at + 4].copy_from_slice(&displacement.to_le_bytes());
        }
        self.bytes(pool);
    }
}
