//! Forms of vector instructions: opcodes as the manual lists them.

/// An instruction's opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::jit) struct Form {
    /// 0, 1 (66), 2 (F3) or 3 (F2).
    pub(super) prefix: u8,
    /// 1 (0F), 2 (0F 38) or 3 (0F 3A).
    pub(super) map: u8,
    pub(super) opcode: u8,
    /// W of EVEX, and of VEX where it matters.
    pub(super) wide: bool,
    /// Whether a memory operand is as long as the vector.
    pub(super) full: bool,
}

impl Form {
    pub(super) const fn new(prefix: u8, map: u8, opcode: u8, wide: u8) -> Form {
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
pub(in crate::jit) const fn float(opcode: u8, is_double: bool) -> Form {
    Form::new(is_double as u8, 1, opcode, is_double as u8)
}

pub(in crate::jit) const ADD: u8 = 0x58;
pub(in crate::jit) const MUL: u8 = 0x59;
pub(in crate::jit) const SUB: u8 = 0x5c;
pub(in crate::jit) const MIN: u8 = 0x5d;
pub(in crate::jit) const DIV: u8 = 0x5e;
pub(in crate::jit) const MAX: u8 = 0x5f;
pub(in crate::jit) const SQRT: u8 = 0x51;
/// Moves of whole registers, of any type; loads and stores that are masked need the `float` form of their lanes.
pub(in crate::jit) const MOVE: u8 = 0x28;
pub(in crate::jit) const LOAD: u8 = 0x10;
pub(in crate::jit) const STORE: u8 = 0x11;
/// Stores that bypass the caches, to places that are multiples of the vector.
pub(in crate::jit) const STREAM: u8 = 0x2b;
/// Loads and stores of bytes (EVEX; masked by byte).
pub(in crate::jit) const LOAD_BYTES: Form = Form::new(3, 1, 0x6f, 0);
pub(in crate::jit) const STORE_BYTES: Form = Form::new(3, 1, 0x7f, 0);
/// Loads and stores of lanes under a vector mask (VEX).
pub(in crate::jit) const LOAD_MASKED: Form = Form::new(1, 2, 0x2c, 0);
pub(in crate::jit) const STORE_MASKED: Form = Form::new(1, 2, 0x2e, 0);
pub(in crate::jit) const LOAD_MASKED_WIDE: Form = Form::new(1, 2, 0x2d, 0);
pub(in crate::jit) const STORE_MASKED_WIDE: Form = Form::new(1, 2, 0x2f, 0);
/// Low 4 and 8 bytes between memory and a register.
pub(in crate::jit) const LOAD_4: Form = Form::part(1, 1, 0x6e, 0);
pub(in crate::jit) const LOAD_8: Form = Form::part(1, 1, 0x6e, 1);
pub(in crate::jit) const STORE_4: Form = Form::part(1, 1, 0x7e, 0);
pub(in crate::jit) const STORE_8: Form = Form::part(1, 1, 0x7e, 1);
/// From memory to all lanes; W of the 64-bit one is for EVEX only.
pub(in crate::jit) const BROADCAST_4: Form = Form::part(1, 2, 0x58, 0);
pub(in crate::jit) const BROADCAST_8: Form = Form::part(1, 2, 0x59, 1);
/// Elements at indices of 32 and of 64 bits, under a mask that becomes zero; W tells the elements' width.
pub(in crate::jit) const GATHER_BY_4: Form = Form::part(1, 2, 0x90, 0);
pub(in crate::jit) const GATHER_BY_8: Form = Form::part(1, 2, 0x91, 0);
/// Copies bits of the integer unit: lanes under a mask.
pub(in crate::jit) const BLEND_4: Form = Form::new(1, 2, 0x64, 0);
pub(in crate::jit) const BLEND_8: Form = Form::new(1, 2, 0x64, 1);
/// VEX: lanes whose mask register has the sign bit come from the second source.
pub(in crate::jit) const BLENDV_4: Form = Form::new(1, 3, 0x4a, 0);
pub(in crate::jit) const BLENDV_8: Form = Form::new(1, 3, 0x4b, 0);
pub(in crate::jit) const ROUND_4: Form = Form::new(1, 3, 0x08, 0);
pub(in crate::jit) const ROUND_8: Form = Form::new(1, 3, 0x09, 1);
pub(in crate::jit) const COMPARE: u8 = 0xc2;
/// Bit operations; EVEX tells 32-bit from 64-bit lanes by W.
pub(in crate::jit) const AND: Form = Form::new(1, 1, 0xdb, 0);
pub(in crate::jit) const AND_NOT: Form = Form::new(1, 1, 0xdf, 0);
pub(in crate::jit) const OR: Form = Form::new(1, 1, 0xeb, 0);
pub(in crate::jit) const XOR: Form = Form::new(1, 1, 0xef, 0);
pub(in crate::jit) const ADD_I32: Form = Form::new(1, 1, 0xfe, 0);
pub(in crate::jit) const ADD_I64: Form = Form::new(1, 1, 0xd4, 1);
pub(in crate::jit) const SUB_I32: Form = Form::new(1, 1, 0xfa, 0);
pub(in crate::jit) const SUB_I64: Form = Form::new(1, 1, 0xfb, 1);
pub(in crate::jit) const MUL_I32: Form = Form::new(1, 2, 0x40, 0);
/// EVEX only.
pub(in crate::jit) const MUL_I64: Form = Form::new(1, 2, 0x40, 1);
/// Products of the low halves of 64-bit lanes.
pub(in crate::jit) const MUL_HALVES: Form = Form::new(1, 1, 0xf4, 1);
/// Extrema of integers; of 64-bit lanes EVEX only.
pub(in crate::jit) const MIN_SIGNED: Form = Form::new(1, 2, 0x39, 0);
pub(in crate::jit) const MAX_SIGNED: Form = Form::new(1, 2, 0x3d, 0);
pub(in crate::jit) const MIN_UNSIGNED: Form = Form::new(1, 2, 0x3b, 0);
pub(in crate::jit) const MAX_UNSIGNED: Form = Form::new(1, 2, 0x3f, 0);
/// VEX: comparisons of integers.
pub(in crate::jit) const EQUAL_I32: Form = Form::new(1, 1, 0x76, 0);
pub(in crate::jit) const EQUAL_I64: Form = Form::new(1, 2, 0x29, 0);
pub(in crate::jit) const GREATER_I32: Form = Form::new(1, 1, 0x66, 0);
pub(in crate::jit) const GREATER_I64: Form = Form::new(1, 2, 0x37, 0);
/// EVEX: comparisons of integers by predicate.
pub(in crate::jit) const COMPARE_SIGNED: Form = Form::new(1, 3, 0x1f, 0);
pub(in crate::jit) const COMPARE_UNSIGNED: Form = Form::new(1, 3, 0x1e, 0);
/// EVEX: which lanes have no bit in common.
pub(in crate::jit) const TEST_NONE: Form = Form::new(2, 2, 0x27, 0);
/// EVEX: `x · 2ʸ` of floats.
pub(in crate::jit) const SCALE: Form = Form::new(1, 2, 0x2c, 0);
/// EVEX: which bytes are not zero.
pub(in crate::jit) const TEST_BYTES: Form = Form::new(1, 2, 0x26, 0);
/// Shifts of lanes by a constant: opcode and the extension of the opcode.
pub(in crate::jit) const SHIFT_I32: Form = Form::new(1, 1, 0x72, 0);
pub(in crate::jit) const SHIFT_I64: Form = Form::new(1, 1, 0x73, 1);
/// The arithmetic one of 64-bit lanes, EVEX only.
pub(in crate::jit) const SHIFT_I64_SIGNED: Form = Form::new(1, 1, 0x72, 1);
pub(in crate::jit) const SHIFT_RIGHT: u8 = 2;
pub(in crate::jit) const SHIFT_SIGNED: u8 = 4;
pub(in crate::jit) const SHIFT_LEFT: u8 = 6;
/// Shifts by lanes; of 64-bit lanes the arithmetic one is EVEX only.
pub(in crate::jit) const SHIFT_LEFT_BY: Form = Form::new(1, 2, 0x47, 0);
pub(in crate::jit) const SHIFT_RIGHT_BY: Form = Form::new(1, 2, 0x45, 0);
pub(in crate::jit) const SHIFT_SIGNED_BY: Form = Form::new(1, 2, 0x46, 0);
/// Conversions; the vector length is that of the longer side.
pub(in crate::jit) const F32_TO_F64: Form = Form::part(0, 1, 0x5a, 0);
pub(in crate::jit) const F64_TO_F32: Form = Form::new(1, 1, 0x5a, 1);
pub(in crate::jit) const I32_TO_F32: Form = Form::new(0, 1, 0x5b, 0);
pub(in crate::jit) const I32_TO_F64: Form = Form::part(2, 1, 0xe6, 0);
pub(in crate::jit) const F32_TO_I32: Form = Form::new(2, 1, 0x5b, 0);
pub(in crate::jit) const F64_TO_I32: Form = Form::new(1, 1, 0xe6, 1);
/// EVEX only.
pub(in crate::jit) const I64_TO_F64: Form = Form::new(2, 1, 0xe6, 1);
pub(in crate::jit) const I64_TO_F32: Form = Form::new(0, 1, 0x5b, 1);
pub(in crate::jit) const F64_TO_I64: Form = Form::new(1, 1, 0x7a, 1);
pub(in crate::jit) const F32_TO_I64: Form = Form::part(1, 1, 0x7a, 0);
pub(in crate::jit) const SIGN_EXTEND_4_8: Form = Form::part(1, 2, 0x25, 0);
pub(in crate::jit) const ZERO_EXTEND_4_8: Form = Form::part(1, 2, 0x35, 0);
pub(in crate::jit) const ZERO_EXTEND_1_4: Form = Form::part(1, 2, 0x31, 0);
pub(in crate::jit) const ZERO_EXTEND_1_8: Form = Form::part(1, 2, 0x32, 0);
/// EVEX: truncations; the register operand is the source.
pub(in crate::jit) const NARROW_8_4: Form = Form::part(2, 2, 0x35, 0);
pub(in crate::jit) const NARROW_4_1: Form = Form::part(2, 2, 0x31, 0);
/// Even 32-bit lanes of two registers, with immediate 0x88.
pub(in crate::jit) const SHUFFLE_4: Form = Form::new(0, 1, 0xc6, 0);
pub(in crate::jit) const EXTRACT_HIGH: Form = Form::new(1, 3, 0x39, 0);
pub(in crate::jit) const PACK_4_2: Form = Form::new(1, 1, 0x6b, 0);
pub(in crate::jit) const PACK_4_2_UNSIGNED: Form = Form::new(1, 2, 0x2b, 0);
pub(in crate::jit) const PACK_2_1: Form = Form::new(1, 1, 0x63, 0);
pub(in crate::jit) const PACK_2_1_UNSIGNED: Form = Form::new(1, 1, 0x67, 0);
/// VEX: sign bits of lanes to a general-purpose register.
pub(in crate::jit) const SIGNS_4: Form = Form::new(0, 1, 0x50, 0);
pub(in crate::jit) const SIGNS_8: Form = Form::new(1, 1, 0x50, 0);

/// Fused products: `a·b + c` with the result in the place of an operand, the orders named as in the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::jit) enum FmaOrder {
    O132 = 0x90,
    O213 = 0xa0,
    O231 = 0xb0,
}

pub(in crate::jit) const fn fma(order: FmaOrder, negate_product: bool, negate_addend: bool, is_double: bool) -> Form {
    let kind = match (negate_product, negate_addend) {
        (false, false) => 0x8,
        (false, true) => 0xa,
        (true, false) => 0xc,
        (true, true) => 0xe,
    };
    Form::new(1, 2, order as u8 + kind, is_double as u8)
}
