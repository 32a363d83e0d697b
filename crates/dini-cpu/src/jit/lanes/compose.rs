//! Appending what an instruction set has no single instruction for, and what is known before the code runs.

use super::{Function, Inst, Kind, Lanes, Op, Predicate, Shift, Value};
use crate::jit::encode::Isa;

impl Lanes {
    pub fn constant(&mut self, bits: u64, kind: Kind) -> Value {
        self.push(Op::Constant(bits), kind.bits(), &[])
    }

    pub fn float(&mut self, x: f64, kind: Kind) -> Value {
        let bits = if kind == Kind::F64 { x.to_bits() } else { u64::from((x as f32).to_bits()) };
        self.constant(bits, kind)
    }

    fn as_constant(&self, value: Value) -> Option<u64> {
        match self.inst(value).op {
            Op::Constant(bits) => Some(bits),
            _ => None,
        }
    }

    /// The sign bit of floats.
    fn sign_bit(kind: Kind) -> u64 {
        1 << (8 * kind.size() - 1)
    }

    /// The argument of a negation.
    fn negated(&self, value: Value, kind: Kind) -> Option<Value> {
        let inst = self.inst(value);
        let is_negation = inst.op == Op::Xor && self.as_constant(inst.args[1]) == Some(Lanes::sign_bit(kind));
        is_negation.then_some(inst.args[0])
    }

    /// Bitwise operation on lanes of one width, or on masks.
    pub fn bitwise(&mut self, op: Op, kind: Kind, x: Value, y: Value) -> Value {
        if kind.is_mask() {
            return self.push(op, kind, &[x, y]);
        }
        let (x, y) = if op != Op::AndNot && self.as_constant(x).is_some() { (y, x) } else { (x, y) };
        if let (Some(x), Some(y)) = (self.as_constant(x), self.as_constant(y)) {
            let bits = match op {
                Op::And => x & y,
                Op::AndNot => !x & y,
                Op::Or => x | y,
                _ => x ^ y,
            };
            return self.constant(if kind.is_wide() { bits } else { bits & 0xffff_ffff }, kind);
        }
        self.push(op, kind.bits(), &[x, y])
    }

    pub fn not(&mut self, kind: Kind, x: Value) -> Value {
        if kind.is_mask() {
            return self.push(Op::Not, kind, &[x]);
        }
        let ones = self.constant(if kind.is_wide() { u64::MAX } else { 0xffff_ffff }, kind);
        self.bitwise(Op::Xor, kind, x, ones)
    }

    /// −x of floats: the sign bit turned.
    pub fn neg(&mut self, kind: Kind, x: Value) -> Value {
        let sign = self.constant(Lanes::sign_bit(kind), kind);
        self.bitwise(Op::Xor, kind, x, sign)
    }

    pub fn abs(&mut self, kind: Kind, x: Value) -> Value {
        let others = self.constant(Lanes::sign_bit(kind) - 1, kind);
        self.bitwise(Op::And, kind, x, others)
    }

    /// x·y + z, rounded once; negations of operands are part of the instruction.
    pub fn fma(&mut self, kind: Kind, x: Value, y: Value, z: Value) -> Value {
        let (mut x, mut y, mut z) = (x, y, z);
        let (mut negate_product, mut negate_addend) = (false, false);
        for factor in [&mut x, &mut y] {
            if let Some(positive) = self.negated(*factor, kind) {
                *factor = positive;
                negate_product = !negate_product;
            }
        }
        if let Some(positive) = self.negated(z, kind) {
            z = positive;
            negate_addend = true;
        }
        self.push(Op::Fma { negate_product, negate_addend }, kind, &[x, y, z])
    }

    /// Sum, difference or product of integers or floats.
    pub fn arithmetic(&mut self, op: Op, kind: Kind, x: Value, y: Value) -> Value {
        if kind.is_float() {
            return self.push(op, kind, &[x, y]);
        }
        if let (Some(x), Some(y)) = (self.as_constant(x), self.as_constant(y)) {
            let bits = match op {
                Op::Add => x.wrapping_add(y),
                Op::Sub => x.wrapping_sub(y),
                _ => x.wrapping_mul(y),
            };
            return self.constant(if kind.is_wide() { bits } else { bits & 0xffff_ffff }, kind);
        }
        if (op, kind, self.isa) == (Op::Mul, Kind::I64, Isa::Avx2) {
            // x y = x₀ y₀ + 2³² (x₁ y₀ + x₀ y₁), modulo 2⁶⁴
            let low = self.push(Op::MulHalves, kind, &[x, y]);
            let (x_high, y_high) = (self.shift(Shift::Right, kind, x, 32), self.shift(Shift::Right, kind, y, 32));
            let (a, b) = (self.push(Op::MulHalves, kind, &[x_high, y]), self.push(Op::MulHalves, kind, &[x, y_high]));
            let sum = self.push(Op::Add, kind, &[a, b]);
            let high = self.shift(Shift::Left, kind, sum, 32);
            return self.push(Op::Add, kind, &[low, high]);
        }
        self.push(op, kind, &[x, y])
    }

    pub fn shift(&mut self, shift: Shift, kind: Kind, x: Value, amount: u8) -> Value {
        let kind = kind.bits();
        if let (Some(x), Shift::Left | Shift::Right) = (self.as_constant(x), shift) {
            let bits = if shift == Shift::Left { x << amount } else { x >> amount };
            return self.constant(if kind.is_wide() { bits } else { bits & 0xffff_ffff }, kind);
        }
        if (shift, kind, self.isa) == (Shift::Signed, Kind::I64, Isa::Avx2) {
            // The sign comes in by adding and subtracting its place after the shift.
            let shifted = self.shift(Shift::Right, kind, x, amount);
            let sign = self.constant(1 << (63 - amount), kind);
            let turned = self.bitwise(Op::Xor, kind, shifted, sign);
            return self.arithmetic(Op::Sub, kind, turned, sign);
        }
        self.push(Op::Shift(shift, amount), kind, &[x])
    }

    /// Comparison of lanes; the mask has their width.
    pub fn compare(&mut self, predicate: Predicate, kind: Kind, x: Value, y: Value) -> Value {
        if (predicate, self.isa) == (Predicate::Eq, Isa::Avx512) && self.as_constant(y) == Some(0) {
            let Inst { op, args: [first, second, ..], .. } = *self.inst(x);
            if op == Op::And && !kind.is_float() {
                return self.push(Op::Compare(Predicate::Disjoint), kind, &[first, second]);
            }
        }
        if kind.is_float() || self.isa == Isa::Avx512 {
            return self.push(Op::Compare(predicate), kind, &[x, y]);
        }
        // AVX2 has `==` and signed `>` of integers.
        let mask = kind.mask();
        match predicate {
            Predicate::Eq | Predicate::Gt => self.push(Op::Compare(predicate), kind, &[x, y]),
            Predicate::Lt => self.push(Op::Compare(Predicate::Gt), kind, &[y, x]),
            Predicate::Ne => {
                let equal = self.compare(Predicate::Eq, kind, x, y);
                self.not(mask, equal)
            }
            Predicate::Le => {
                let greater = self.compare(Predicate::Lt, kind, y, x);
                self.not(mask, greater)
            }
            Predicate::LtUnsigned | Predicate::LeUnsigned => {
                let sign = self.constant(Lanes::sign_bit(kind), kind);
                let (x, y) = (self.bitwise(Op::Xor, kind, x, sign), self.bitwise(Op::Xor, kind, y, sign));
                let signed = if predicate == Predicate::LtUnsigned { Predicate::Lt } else { Predicate::Le };
                self.compare(signed, kind, x, y)
            }
            Predicate::Disjoint => unreachable!("comes from `==` with AVX-512 only"),
        }
    }

    /// A mask of any width as one for lanes of a kind.
    pub fn mask_for(&mut self, kind: Kind, mask: Value) -> Value {
        let (from, to) = (self.inst(mask).result(), kind.mask());
        if self.isa == Isa::Avx512 || from == to { mask } else { self.push(Op::Convert(from), to, &[mask]) }
    }

    /// Lanes of x where the mask holds, of y elsewhere.
    pub fn select(&mut self, kind: Kind, mask: Value, x: Value, y: Value) -> Value {
        if x == y {
            return x;
        }
        let mask = self.mask_for(kind, mask);
        if !kind.is_mask() {
            let (mask, x) = self.merged_choice(kind, mask, x, y);
            return self.push(Op::Select, kind, &[mask, x, y]);
        }
        let (x, y) = (self.mask_for(kind, x), self.mask_for(kind, y));
        let (kept, others) = (self.push(Op::And, kind, &[mask, x]), self.push(Op::AndNot, kind, &[mask, y]));
        self.push(Op::Or, kind, &[kept, others])
    }

    /// A mask and a value that give the same choice with y elsewhere, where x itself is a choice between something and y:
    /// one mask more is cheaper than one choice more.
    fn merged_choice(&mut self, kind: Kind, mask: Value, x: Value, y: Value) -> (Value, Value) {
        let Inst { op, kind: of, args: [inner, first, second, _] } = *self.inst(x);
        if op != Op::Select || of.is_wide() != kind.is_wide() {
            return (mask, x);
        }
        match (first == y, second == y) {
            (false, true) => (self.bitwise(Op::And, kind.mask(), mask, inner), first),
            (true, false) => (self.bitwise(Op::AndNot, kind.mask(), inner, mask), second),
            (_, _) => (mask, x),
        }
    }

    /// Extrema of integers.
    pub fn extremum(&mut self, op: Op, kind: Kind, x: Value, y: Value) -> Value {
        if kind == Kind::I64 && self.isa == Isa::Avx2 {
            let (predicate, x, y) = match op {
                Op::Min => (Predicate::Lt, x, y),
                Op::Max => (Predicate::Lt, y, x),
                Op::MinUnsigned => (Predicate::LtUnsigned, x, y),
                _ => (Predicate::LtUnsigned, y, x),
            };
            let is_less = self.compare(predicate, kind, x, y);
            return match op {
                Op::Min | Op::MinUnsigned => self.select(kind, is_less, x, y),
                _ => self.select(kind, is_less, y, x),
            };
        }
        self.push(op, kind, &[x, y])
    }

    /// Hands lanes to a precompiled function.
    pub fn call(&mut self, function: Function, args: &[Value]) -> Value {
        let kind = Kind::of(function.to);
        self.functions.push(function);
        self.push(Op::Call(self.functions.len() as u32 - 1), kind, args)
    }

    /// A value where the mask does not hold, a precompiled function's result where it does.
    pub fn rare(&mut self, function: Function, mask: Value, value: Value, args: &[Value]) -> Value {
        let kind = Kind::of(function.to);
        self.functions.push(function);
        let op = Op::Rare(self.functions.len() as u32 - 1);
        self.push(op, kind, &[&[mask, value], args].concat())
    }
}
