//! Encoding of instructions: the vector forms of AVX2 with FMA (VEX) and of AVX-512 (EVEX), and the few scalar ones that
//! loops need. One [`Form`] per instruction serves both prefixes wherever the manual gives them the same opcode.
//!
//! Knows bytes only: which register holds what is the allocator's business.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (chapters 2.3 and 2.7).

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

/// An instruction's opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// 0, 1 (66), 2 (F3) or 3 (F2).
    prefix: u8,
    /// 1 (0F), 2 (0F 38) or 3 (0F 3A).
    map: u8,
    opcode: u8,
    /// W of EVEX, and of VEX where it matters.
    wide: bool,
    /// Whether a memory operand is as long as the vector.
    full: bool,
}

impl Form {
    const fn new(prefix: u8, map: u8, opcode: u8, wide: u8) -> Form {
        Form { prefix, map, opcode, wide: wide != 0, full: true }
    }

    /// A form whose memory operand is shorter than the vector.
    const fn part(prefix: u8, map: u8, opcode: u8, wide: u8) -> Form {
        Form { prefix, map, opcode, wide: wide != 0, full: false }
    }

    /// The same for 64-bit lanes, where only W tells.
    pub const fn wide(self, wide: bool) -> Form {
        Form { wide, ..self }
    }
}

/// Arithmetic of packed numbers: of `f32` without prefix, of `f64` with 66 and W.
pub(super) const fn float(opcode: u8, is_double: bool) -> Form {
    Form::new(is_double as u8, 1, opcode, is_double as u8)
}

pub(super) const ADD: u8 = 0x58;
pub(super) const MUL: u8 = 0x59;
pub(super) const SUB: u8 = 0x5c;
pub(super) const MIN: u8 = 0x5d;
pub(super) const DIV: u8 = 0x5e;
pub(super) const MAX: u8 = 0x5f;
pub(super) const SQRT: u8 = 0x51;
/// Moves of whole registers, of any type; loads and stores that are masked need the `float` form of their lanes.
pub(super) const MOVE: u8 = 0x28;
pub(super) const LOAD: u8 = 0x10;
pub(super) const STORE: u8 = 0x11;
/// Loads and stores of bytes (EVEX; masked by byte).
pub(super) const LOAD_BYTES: Form = Form::new(3, 1, 0x6f, 0);
pub(super) const STORE_BYTES: Form = Form::new(3, 1, 0x7f, 0);
/// Loads and stores of lanes under a vector mask (VEX).
pub(super) const LOAD_MASKED: Form = Form::new(1, 2, 0x2c, 0);
pub(super) const STORE_MASKED: Form = Form::new(1, 2, 0x2e, 0);
pub(super) const LOAD_MASKED_WIDE: Form = Form::new(1, 2, 0x2d, 0);
pub(super) const STORE_MASKED_WIDE: Form = Form::new(1, 2, 0x2f, 0);
/// Low 4 and 8 bytes between memory and a register.
pub(super) const LOAD_4: Form = Form::part(1, 1, 0x6e, 0);
pub(super) const LOAD_8: Form = Form::part(1, 1, 0x6e, 1);
pub(super) const STORE_4: Form = Form::part(1, 1, 0x7e, 0);
pub(super) const STORE_8: Form = Form::part(1, 1, 0x7e, 1);
/// From memory to all lanes; W of the 64-bit one is for EVEX only.
pub(super) const BROADCAST_4: Form = Form::part(1, 2, 0x58, 0);
pub(super) const BROADCAST_8: Form = Form::part(1, 2, 0x59, 1);
/// Copies bits of the integer unit: lanes under a mask.
pub(super) const BLEND_4: Form = Form::new(1, 2, 0x64, 0);
pub(super) const BLEND_8: Form = Form::new(1, 2, 0x64, 1);
/// VEX: lanes whose mask register has the sign bit come from the second source.
pub(super) const BLENDV_4: Form = Form::new(1, 3, 0x4a, 0);
pub(super) const BLENDV_8: Form = Form::new(1, 3, 0x4b, 0);
pub(super) const ROUND_4: Form = Form::new(1, 3, 0x08, 0);
pub(super) const ROUND_8: Form = Form::new(1, 3, 0x09, 1);
pub(super) const COMPARE: u8 = 0xc2;
/// Bit operations; EVEX tells 32-bit from 64-bit lanes by W.
pub(super) const AND: Form = Form::new(1, 1, 0xdb, 0);
pub(super) const AND_NOT: Form = Form::new(1, 1, 0xdf, 0);
pub(super) const OR: Form = Form::new(1, 1, 0xeb, 0);
pub(super) const XOR: Form = Form::new(1, 1, 0xef, 0);
pub(super) const ADD_I32: Form = Form::new(1, 1, 0xfe, 0);
pub(super) const ADD_I64: Form = Form::new(1, 1, 0xd4, 1);
pub(super) const SUB_I32: Form = Form::new(1, 1, 0xfa, 0);
pub(super) const SUB_I64: Form = Form::new(1, 1, 0xfb, 1);
pub(super) const MUL_I32: Form = Form::new(1, 2, 0x40, 0);
/// EVEX only.
pub(super) const MUL_I64: Form = Form::new(1, 2, 0x40, 1);
/// Products of the low halves of 64-bit lanes.
pub(super) const MUL_HALVES: Form = Form::new(1, 1, 0xf4, 1);
/// Extrema of integers; of 64-bit lanes EVEX only.
pub(super) const MIN_SIGNED: Form = Form::new(1, 2, 0x39, 0);
pub(super) const MAX_SIGNED: Form = Form::new(1, 2, 0x3d, 0);
pub(super) const MIN_UNSIGNED: Form = Form::new(1, 2, 0x3b, 0);
pub(super) const MAX_UNSIGNED: Form = Form::new(1, 2, 0x3f, 0);
/// VEX: comparisons of integers.
pub(super) const EQUAL_I32: Form = Form::new(1, 1, 0x76, 0);
pub(super) const EQUAL_I64: Form = Form::new(1, 2, 0x29, 0);
pub(super) const GREATER_I32: Form = Form::new(1, 1, 0x66, 0);
pub(super) const GREATER_I64: Form = Form::new(1, 2, 0x37, 0);
/// EVEX: comparisons of integers by predicate.
pub(super) const COMPARE_SIGNED: Form = Form::new(1, 3, 0x1f, 0);
pub(super) const COMPARE_UNSIGNED: Form = Form::new(1, 3, 0x1e, 0);
/// EVEX: which bytes are not zero.
pub(super) const TEST_BYTES: Form = Form::new(1, 2, 0x26, 0);
/// Shifts of lanes by a constant: opcode and the extension of the opcode.
pub(super) const SHIFT_I32: Form = Form::new(1, 1, 0x72, 0);
pub(super) const SHIFT_I64: Form = Form::new(1, 1, 0x73, 1);
/// The arithmetic one of 64-bit lanes, EVEX only.
pub(super) const SHIFT_I64_SIGNED: Form = Form::new(1, 1, 0x72, 1);
pub(super) const SHIFT_RIGHT: u8 = 2;
pub(super) const SHIFT_SIGNED: u8 = 4;
pub(super) const SHIFT_LEFT: u8 = 6;
/// Shifts by lanes; of 64-bit lanes the arithmetic one is EVEX only.
pub(super) const SHIFT_LEFT_BY: Form = Form::new(1, 2, 0x47, 0);
pub(super) const SHIFT_RIGHT_BY: Form = Form::new(1, 2, 0x45, 0);
pub(super) const SHIFT_SIGNED_BY: Form = Form::new(1, 2, 0x46, 0);
/// Conversions; the vector length is that of the longer side.
pub(super) const F32_TO_F64: Form = Form::part(0, 1, 0x5a, 0);
pub(super) const F64_TO_F32: Form = Form::new(1, 1, 0x5a, 1);
pub(super) const I32_TO_F32: Form = Form::new(0, 1, 0x5b, 0);
pub(super) const I32_TO_F64: Form = Form::part(2, 1, 0xe6, 0);
pub(super) const F32_TO_I32: Form = Form::new(2, 1, 0x5b, 0);
pub(super) const F64_TO_I32: Form = Form::new(1, 1, 0xe6, 1);
/// EVEX only.
pub(super) const I64_TO_F64: Form = Form::new(2, 1, 0xe6, 1);
pub(super) const I64_TO_F32: Form = Form::new(0, 1, 0x5b, 1);
pub(super) const F64_TO_I64: Form = Form::new(1, 1, 0x7a, 1);
pub(super) const F32_TO_I64: Form = Form::part(1, 1, 0x7a, 0);
pub(super) const SIGN_EXTEND_4_8: Form = Form::part(1, 2, 0x25, 0);
pub(super) const ZERO_EXTEND_4_8: Form = Form::part(1, 2, 0x35, 0);
pub(super) const ZERO_EXTEND_1_4: Form = Form::part(1, 2, 0x31, 0);
pub(super) const ZERO_EXTEND_1_8: Form = Form::part(1, 2, 0x32, 0);
/// EVEX: truncations; the register operand is the source.
pub(super) const NARROW_8_4: Form = Form::part(2, 2, 0x35, 0);
pub(super) const NARROW_4_1: Form = Form::part(2, 2, 0x31, 0);
/// Even 32-bit lanes of two registers, with immediate 0x88.
pub(super) const SHUFFLE_4: Form = Form::new(0, 1, 0xc6, 0);
pub(super) const EXTRACT_HIGH: Form = Form::new(1, 3, 0x39, 0);
pub(super) const PACK_4_2: Form = Form::new(1, 1, 0x6b, 0);
pub(super) const PACK_4_2_UNSIGNED: Form = Form::new(1, 2, 0x2b, 0);
pub(super) const PACK_2_1: Form = Form::new(1, 1, 0x63, 0);
pub(super) const PACK_2_1_UNSIGNED: Form = Form::new(1, 1, 0x67, 0);
/// VEX: sign bits of lanes to a general-purpose register.
pub(super) const SIGNS_4: Form = Form::new(0, 1, 0x50, 0);
pub(super) const SIGNS_8: Form = Form::new(1, 1, 0x50, 0);

/// Fused products: `a·b + c` with the result in the place of an operand, the orders named as in the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FmaOrder {
    O132 = 0x90,
    O213 = 0xa0,
    O231 = 0xb0,
}

pub(super) const fn fma(order: FmaOrder, negate_product: bool, negate_addend: bool, is_double: bool) -> Form {
    let kind = match (negate_product, negate_addend) {
        (false, false) => 0x8,
        (false, true) => 0xa,
        (true, false) => 0xc,
        (true, true) => 0xe,
    };
    Form::new(1, 2, order as u8 + kind, is_double as u8)
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
                let (base, index) = (base as u8 & 7, index as u8 & 7);
                let sib = (scale.trailing_zeros() as u8) << 6 | index << 3 | base;
                self.displaced(reg, 4, base, Some(sib), displacement, unit);
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

    pub fn and(&mut self, to: Gpr, n: i32) {
        self.rex(0x81, 4, Rm::Register(to as u8), 4);
        self.bytes(&n.to_le_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter};

    /// Compares instructions with what a disassembler reads.
    #[track_caller]
    fn check(emit: impl FnOnce(&mut Assembler), expected: &[&str]) {
        let mut assembler = Assembler::default();
        emit(&mut assembler);
        assembler.finish(&[]);
        let mut formatter = NasmFormatter::new();
        let mut found = vec![];
        for instruction in Decoder::with_ip(64, &assembler.code, 0, DecoderOptions::NONE) {
            let mut text = String::new();
            formatter.format(&instruction, &mut text);
            found.push(text);
        }
        while found.last().is_some_and(|text| text == "int3") {
            found.pop();
        }
        assert_eq!(found, expected);
    }

    /// Both encodings of a form: on registers with high numbers, a register and memory, and with EVEX in all ways that
    /// its prefix can say.
    #[track_caller]
    fn check_form(form: Form, vex: &str, evex: &str) {
        let far = Rm::Memory(Memory::Indexed(Gpr::R13, Gpr::R12, 8, 0));
        if !vex.is_empty() {
            let expected = [
                format!("{vex} ymm1,ymm2,ymm3"),
                format!("{vex} ymm9,ymm10,ymm11"),
                format!("{vex} xmm9,xmm10,[r13+r12*8]"),
            ];
            let expected: Vec<&str> = expected.iter().map(|text| &text[..]).collect();
            check(
                |a| {
                    a.vex(form, Length::L256, 1, 2, Rm::Register(3), None);
                    a.vex(form, Length::L256, 9, 10, Rm::Register(11), None);
                    a.vex(form, Length::L128, 9, 10, far, None);
                },
                &expected,
            );
        }
        if !evex.is_empty() {
            let width = if form.wide { 8 } else { 4 };
            let expected = [
                format!("{evex} zmm1,zmm10,zmm19"),
                format!("{evex} zmm17{{k1}}{{z}},zmm26,zmm11"),
                format!("{evex} ymm9{{k2}},ymm2,[rsp+40h]"),
                format!("{evex} zmm31,zmm30,[rsp+1040h]"),
                format!("{evex} xmm9,xmm2,[r13+r12*8]"),
                format!("{evex} zmm9,zmm2,[rax+{width}]{{1to{}}}", 64 / width),
            ];
            let expected: Vec<&str> = expected.iter().map(|text| &text[..]).collect();
            check(
                |a| {
                    a.evex(form, Length::L512, 1, 10, Rm::Register(19), Masking::None, None);
                    a.evex(form, Length::L512, 17, 26, Rm::Register(11), Masking::Zero(1), None);
                    a.evex(form, Length::L256, 9, 2, Rm::Memory(Memory::Base(Gpr::Rsp, 64)), Masking::Merge(2), None);
                    let stack = Rm::Memory(Memory::Base(Gpr::Rsp, 0x1040));
                    a.evex(form, Length::L512, 31, 30, stack, Masking::None, None);
                    a.evex(form, Length::L128, 9, 2, far, Masking::None, None);
                    let one = Rm::Broadcast(Memory::Base(Gpr::Rax, width));
                    a.evex(form, Length::L512, 9, 2, one, Masking::None, None);
                },
                &expected,
            );
        }
    }

    #[test]
    fn forms_of_two_operands() {
        for (opcode, name) in [(ADD, "vadd"), (SUB, "vsub"), (MUL, "vmul"), (DIV, "vdiv"), (MIN, "vmin"), (MAX, "vmax")]
        {
            for (is_double, suffix) in [(false, "ps"), (true, "pd")] {
                let name = format!("{name}{suffix}");
                check_form(float(opcode, is_double), &name, &name);
            }
        }
        for (form, vex, evex) in [
            (AND, "vpand", "vpandd"),
            (AND_NOT, "vpandn", "vpandnd"),
            (OR, "vpor", "vpord"),
            (XOR, "vpxor", "vpxord"),
            (AND.wide(true), "", "vpandq"),
            (XOR.wide(true), "", "vpxorq"),
            (ADD_I32, "vpaddd", "vpaddd"),
            (ADD_I64, "vpaddq", "vpaddq"),
            (SUB_I32, "vpsubd", "vpsubd"),
            (SUB_I64, "vpsubq", "vpsubq"),
            (MUL_I32, "vpmulld", "vpmulld"),
            (MUL_I64, "", "vpmullq"),
            (MUL_HALVES, "vpmuludq", "vpmuludq"),
            (MIN_SIGNED, "vpminsd", "vpminsd"),
            (MAX_SIGNED, "vpmaxsd", "vpmaxsd"),
            (MIN_UNSIGNED, "vpminud", "vpminud"),
            (MAX_UNSIGNED, "vpmaxud", "vpmaxud"),
            (MIN_SIGNED.wide(true), "", "vpminsq"),
            (MAX_UNSIGNED.wide(true), "", "vpmaxuq"),
            (EQUAL_I32, "vpcmpeqd", ""),
            (EQUAL_I64, "vpcmpeqq", ""),
            (GREATER_I32, "vpcmpgtd", ""),
            (GREATER_I64, "vpcmpgtq", ""),
            (SHIFT_LEFT_BY, "vpsllvd", "vpsllvd"),
            (SHIFT_RIGHT_BY.wide(true), "vpsrlvq", "vpsrlvq"),
            (SHIFT_SIGNED_BY, "vpsravd", "vpsravd"),
            (SHIFT_SIGNED_BY.wide(true), "", "vpsravq"),
            (BLEND_4, "", "vpblendmd"),
            (BLEND_8, "", "vpblendmq"),
            (PACK_4_2, "vpackssdw", ""),
            (PACK_4_2_UNSIGNED, "vpackusdw", ""),
            (PACK_2_1, "vpacksswb", ""),
            (PACK_2_1_UNSIGNED, "vpackuswb", ""),
        ] {
            check_form(form, vex, evex);
        }
        for (order, digits) in [(FmaOrder::O132, 132), (FmaOrder::O213, 213), (FmaOrder::O231, 231)] {
            for (product, addend, name) in
                [(false, false, "vfmadd"), (false, true, "vfmsub"), (true, false, "vfnmadd"), (true, true, "vfnmsub")]
            {
                for (is_double, suffix) in [(false, "ps"), (true, "pd")] {
                    let name = format!("{name}{digits}{suffix}");
                    check_form(fma(order, product, addend, is_double), &name, &name);
                }
            }
        }
    }

    #[test]
    fn other_vector_forms() {
        let x = |r| Rm::Register(r);
        let at = |d| Rm::Memory(Memory::Base(Gpr::Rbp, d));
        let (l128, l256, l512) = (Length::L128, Length::L256, Length::L512);
        check(
            |a| {
                a.vex(float(SQRT, true), l256, 1, 0, x(2), None);
                a.vex(ROUND_4, l256, 1, 0, x(2), Some(9));
                a.vex(ROUND_8, l128, 1, 0, at(0), Some(8));
                a.vex(BLENDV_4, l256, 1, 2, x(3), Some(0x40));
                a.vex(BLENDV_8, l256, 1, 2, x(3), Some(0x40));
                a.vex(SHIFT_I32, l256, SHIFT_LEFT, 1, x(2), Some(3));
                a.vex(SHIFT_I32, l256, SHIFT_SIGNED, 1, x(2), Some(3));
                a.vex(SHIFT_I64, l256, SHIFT_RIGHT, 1, x(2), Some(3));
                a.vex(float(COMPARE, true), l256, 1, 2, x(3), Some(1));
                a.vex(float(COMPARE, false), l256, 1, 2, x(3), Some(4));
                a.vex(BROADCAST_4, l256, 1, 0, at(4), None);
                a.vex(BROADCAST_8.wide(false), l256, 1, 0, x(2), None);
                a.vex(LOAD_MASKED, l256, 1, 2, at(4), None);
                a.vex(STORE_MASKED_WIDE, l256, 1, 2, at(4), None);
                a.vex(ZERO_EXTEND_1_4, l256, 1, 0, at(4), None);
                a.vex(SHUFFLE_4, l128, 1, 2, x(3), Some(0x88));
                a.vex(EXTRACT_HIGH, l256, 1, 0, x(3), Some(1));
                a.vex(SIGNS_4, l256, 0, 0, x(3), None);
                a.vex(SIGNS_8, l128, 0, 0, x(3), None);
            },
            &[
                "vsqrtpd ymm1,ymm2",
                "vroundps ymm1,ymm2,9",
                "vroundpd xmm1,[rbp],8",
                "vblendvps ymm1,ymm2,ymm3,ymm4",
                "vblendvpd ymm1,ymm2,ymm3,ymm4",
                "vpslld ymm1,ymm2,3",
                "vpsrad ymm1,ymm2,3",
                "vpsrlq ymm1,ymm2,3",
                "vcmpltpd ymm1,ymm2,ymm3",
                "vcmpneqps ymm1,ymm2,ymm3",
                "vpbroadcastd ymm1,[rbp+4]",
                "vpbroadcastq ymm1,xmm2",
                "vmaskmovps ymm1,ymm2,[rbp+4]",
                "vmaskmovpd [rbp+4],ymm2,ymm1",
                "vpmovzxbd ymm1,[rbp+4]",
                "vshufps xmm1,xmm2,xmm3,88h",
                "vextracti128 xmm3,ymm1,1",
                "vmovmskps eax,ymm3",
                "vmovmskpd eax,xmm3",
            ],
        );
        let z = Masking::Zero(7);
        check(
            |a| {
                a.evex(ROUND_8, l512, 17, 0, x(18), Masking::None, Some(10));
                let part = Memory::Indexed(Gpr::Rax, Gpr::Rsi, 8, 128);
                a.evex(float(LOAD, true), l512, 17, 0, Rm::Memory(part), Masking::None, None);
                a.evex(SHIFT_I64, l512, SHIFT_LEFT, 17, x(18), Masking::None, Some(52));
                a.evex(SHIFT_I64_SIGNED, l512, SHIFT_SIGNED, 17, x(18), Masking::None, Some(5));
                a.evex(float(COMPARE, true), l512, 3, 18, x(19), Masking::None, Some(2));
                a.evex(COMPARE_SIGNED, l512, 3, 18, x(19), Masking::None, Some(1));
                a.evex(COMPARE_UNSIGNED.wide(true), l512, 3, 18, x(19), Masking::None, Some(2));
                a.evex(float(LOAD, true), l512, 17, 0, at(64), z, None);
                a.evex(float(STORE, false), l512, 17, 0, at(64), Masking::Merge(7), None);
                a.evex(LOAD_BYTES, l128, 17, 0, at(5), z, None);
                a.evex(STORE_BYTES, l128, 17, 0, at(5), Masking::Merge(7), None);
                a.evex(TEST_BYTES, l128, 2, 17, x(17), Masking::None, None);
                a.evex(NARROW_8_4, l512, 17, 0, x(18), Masking::None, None);
                a.evex(NARROW_4_1, l512, 17, 0, at(5), Masking::Merge(7), None);
                a.evex(ZERO_EXTEND_4_8, l512, 17, 0, x(18), Masking::None, None);
                a.evex(F32_TO_F64, l512, 17, 0, x(18), Masking::None, None);
                a.evex(F64_TO_F32, l512, 17, 0, x(18), Masking::None, None);
                a.evex(F64_TO_I32, l512, 17, 0, x(18), Masking::None, None);
                a.evex(I32_TO_F64, l512, 17, 0, x(18), Masking::None, None);
                a.evex(I64_TO_F32, l512, 17, 0, x(18), Masking::None, None);
                a.evex(F32_TO_I64, l512, 17, 0, x(18), Masking::None, None);
                a.evex(BROADCAST_8, l512, 17, 0, at(5), Masking::None, None);
                a.evex(LOAD_8, l128, 17, 0, at(5), Masking::None, None);
                a.evex(STORE_4, l128, 17, 0, x(0), Masking::None, None);
            },
            &[
                "vrndscalepd zmm17,zmm18,0Ah",
                "vmovupd zmm17,[rax+rsi*8+80h]",
                "vpsllq zmm17,zmm18,34h",
                "vpsraq zmm17,zmm18,5",
                "vcmplepd k3,zmm18,zmm19",
                "vpcmpltd k3,zmm18,zmm19",
                "vpcmpleuq k3,zmm18,zmm19",
                "vmovupd zmm17{k7}{z},[rbp+40h]",
                "vmovups [rbp+40h]{k7},zmm17",
                "vmovdqu8 xmm17{k7}{z},[rbp+5]",
                "vmovdqu8 [rbp+5]{k7},xmm17",
                "vptestmb k2,xmm17,xmm17",
                "vpmovqd ymm18,zmm17",
                "vpmovdb [rbp+5]{k7},zmm17",
                "vpmovzxdq zmm17,ymm18",
                "vcvtps2pd zmm17,ymm18",
                "vcvtpd2ps ymm17,zmm18",
                "vcvttpd2dq ymm17,zmm18",
                "vcvtdq2pd zmm17,ymm18",
                "vcvtqq2ps ymm17,zmm18",
                "vcvttps2qq zmm17,ymm18",
                "vpbroadcastq zmm17,[rbp+5]",
                "vmovq xmm17,[rbp+5]",
                "vmovd eax,xmm17",
            ],
        );
    }

    #[test]
    fn masks_and_scalars() {
        check(
            |a| {
                a.mask(MaskOp::And, 1, 2, 3);
                a.mask(MaskOp::AndNot, 1, 2, 3);
                a.mask(MaskOp::Or, 1, 2, 3);
                a.mask(MaskOp::Xor, 1, 2, 3);
                a.mask_not(4, 5);
                a.mask_load(4, Rm::Register(5));
                a.mask_load(4, Rm::Memory(Memory::Base(Gpr::Rsp, 8)));
                a.mask_store(4, Memory::Base(Gpr::Rsp, 8));
                a.mask_from_gpr(7, Gpr::Rax);
                a.mask_to_gpr(Gpr::Rcx, 3);
                a.low_bits(Gpr::Rax, Gpr::Rax, Gpr::Rcx);
                a.load(Gpr::R9, Memory::Base(Gpr::Rdi, 8));
                a.store(Gpr::R9, Memory::Base(Gpr::Rsp, 800));
                a.copy(Gpr::Rbp, Gpr::Rsp);
                a.address(Gpr::Rax, Memory::Indexed(Gpr::R13, Gpr::Rsi, 1, 0));
                a.add(Gpr::Rsi, 8);
                a.and(Gpr::Rsp, -64);
                a.subtract(Gpr::Rcx, Gpr::Rsi);
                a.negate(Gpr::Rcx);
                a.compare(Gpr::Rax, Gpr::Rdx);
                a.test(Gpr::Rax, 255);
                a.constant(Gpr::R9, 7);
                a.constant(Gpr::Rax, 1 << 40);
                a.load_byte(Gpr::Rsi, Memory::Base(Gpr::R9, 0));
                a.store_byte(Gpr::Rsi, Memory::Base(Gpr::R9, 0));
                a.push(Gpr::R12);
                a.pop(Gpr::Rbp);
                a.call(Gpr::Rax);
                a.zero_upper();
                a.ret();
            },
            &[
                "kandw k1,k2,k3",
                "kandnw k1,k2,k3",
                "korw k1,k2,k3",
                "kxorw k1,k2,k3",
                "knotw k4,k5",
                "kmovw k4,k5",
                "kmovw k4,[rsp+8]",
                "kmovw [rsp+8],k4",
                "kmovw k7,eax",
                "kmovw ecx,k3",
                "bzhi eax,eax,ecx",
                "mov r9,[rdi+8]",
                "mov [rsp+320h],r9",
                "mov rbp,rsp",
                "lea rax,[r13+rsi]",
                "add rsi,8",
                "and rsp,0FFFFFFFFFFFFFFC0h",
                "sub rcx,rsi",
                "neg rcx",
                "cmp rax,rdx",
                "test rax,0FFh",
                "mov r9d,7",
                "mov rax,10000000000h",
                "movzx esi,byte [r9]",
                "mov [r9],sil",
                "push r12",
                "pop rbp",
                "call rax",
                "vzeroupper",
                "ret",
            ],
        );
    }

    #[test]
    fn jumps_and_pool() {
        let mut assembler = Assembler::default();
        let (head, end) = (assembler.label(), assembler.label());
        assembler.bind(head);
        assembler.jump_if(Condition::Zero, end);
        assembler.evex(float(ADD, true), Length::L512, 1, 2, Rm::Broadcast(Memory::Pool(8)), Masking::None, None);
        assembler.vex(ROUND_8, Length::L256, 1, 0, Rm::Memory(Memory::Pool(0)), Some(8));
        assembler.jump(head);
        assembler.bind(end);
        assembler.ret();
        assembler.finish(&[1; 16]);
        let decoded: Vec<_> = Decoder::with_ip(64, &assembler.code, 0, DecoderOptions::NONE).iter().take(5).collect();
        assert_eq!(decoded[0].near_branch_target(), decoded[4].ip());
        assert_eq!(decoded[1].memory_displacement64(), 64 + 8);
        assert_eq!(decoded[2].memory_displacement64(), 64);
        assert_eq!(decoded[3].near_branch_target(), 0);
    }
}
