//! Operations on registers, in the forms of each instruction set.

use super::{Cold, Emitter, INDEX, TABLE};
use crate::jit::{
    encode::{self as e, Condition, FmaOrder, Form, Isa, Length, MaskOp, Masking, Memory, Rm},
    lanes::{Inst, Kind, Op, Predicate, Shift, Value},
    registers::{Place, scratch},
};

impl Emitter<'_> {
    pub(super) fn inst(&mut self, value: Value, to: u8, args: &[Place; 4]) {
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
                let from = self.only(operand);
                self.uniform(self.lanes.operands[operand as usize].dtype, to, from);
            }
            Op::Element(element) => {
                let from = self.element(element);
                self.uniform(self.lanes.elements[element as usize].dtype, to, from);
            }
            Op::Load(operand, group) => {
                let from = self.operand(operand, group);
                self.load(self.lanes.operands[operand as usize].dtype, kind, to, from, self.group);
            }
            Op::Point => {
                self.vector(e::LOAD_4, Length::L128, to, 0, Rm::Register(INDEX as u8), None);
                self.broadcast(false, length, to, Rm::Register(to));
                let numbers = Rm::Memory(self.pooled_numbers());
                self.vector(e::ADD_I32, length, to, to, numbers, None);
            }
            Op::Number(entry) => {
                let from = Rm::Memory(Memory::Base(TABLE, 8 * entry as i32));
                self.broadcast(false, length, to, from);
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
            | Op::Scale
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
            Op::Gather(table) => self.gather(&inst, table, to, register(0), register(2)),
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
            Predicate::Disjoint => return self.vector(e::TEST_NONE.wide(is_wide), length, to, x, y, None),
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
}

fn is_register(place: Place, register: u8) -> bool {
    place == Place::Register(register)
}

/// Forms of operations on two vectors.
fn binary_form(inst: &Inst) -> Form {
    let is_wide = inst.kind.is_wide();
    if inst.op == Op::Scale {
        return e::SCALE.wide(is_wide);
    }
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
