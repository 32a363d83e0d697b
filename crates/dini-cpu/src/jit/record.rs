//! Elementary functions as lane IR: handles for which every operation of [`Real`] appends an instruction.
//!
//! Functions are written over values that are copied and combined by operators, so the code under construction stands in
//! a variable of the thread while one is recorded.

use super::{
    encode::Isa,
    lanes::{Kind, Lanes, Op, Predicate, Rounding, Shift, Value},
};
use crate::math::real::{Bits, Mask, Real, Whole, scale_by_two_factors};
use std::{
    cell::RefCell,
    ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub},
};

thread_local! {
    static RECORDER: RefCell<Option<Lanes>> = const { RefCell::new(None) };
}

/// Records what a function does with handles.
pub(super) fn record<T>(lanes: &mut Lanes, function: impl FnOnce() -> T) -> T {
    let idle = Lanes::new(lanes.isa, 8);
    RECORDER.set(Some(std::mem::replace(lanes, idle)));
    let result = function();
    *lanes = RECORDER.take().expect("recordings do not nest");
    result
}

fn with<T>(append: impl FnOnce(&mut Lanes) -> T) -> T {
    RECORDER.with_borrow_mut(|lanes| append(lanes.as_mut().expect("handles are used while recording")))
}

/// A number in each lane.
#[derive(Clone, Copy)]
pub(super) struct Number<const IS_DOUBLE: bool>(pub Value);

/// Its bits.
#[derive(Clone, Copy)]
pub(super) struct Word<const IS_DOUBLE: bool>(Value);

/// A mask.
#[derive(Clone, Copy)]
pub(super) struct Truth(pub Value);

const fn float(is_double: bool) -> Kind {
    if is_double { Kind::F64 } else { Kind::F32 }
}

const fn word(is_double: bool) -> Kind {
    if is_double { Kind::I64 } else { Kind::I32 }
}

macro_rules! operators {
    ($($handle:ident, $kind:ident: $($trait:ident $method:ident $append:ident $op:ident),*;)*) => { $($(
        impl<const D: bool> $trait for $handle<D> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                $handle(with(|lanes| lanes.$append(Op::$op, $kind(D), self.0, other.0)))
            }
        }
    )*)* };
}
operators! {
    Number, float: Add add arithmetic Add, Sub sub arithmetic Sub, Mul mul arithmetic Mul, Div div arithmetic Div;
    Word, word: BitAnd bitand bitwise And, BitOr bitor bitwise Or, BitXor bitxor bitwise Xor;
}

impl<const D: bool> Neg for Number<D> {
    type Output = Self;
    fn neg(self) -> Self {
        Number(with(|lanes| lanes.neg(float(D), self.0)))
    }
}

impl<const D: bool> Number<D> {
    fn compare(self, predicate: Predicate, other: Self) -> Truth {
        Truth(with(|lanes| lanes.compare(predicate, float(D), self.0, other.0)))
    }

    fn push(op: Op, args: &[Value]) -> Self {
        Number(with(|lanes| lanes.push(op, float(D), args)))
    }
}

impl<const D: bool> Real for Number<D> {
    type Bits = Word<D>;
    type Mask = Truth;

    const IS_DOUBLE: bool = D;

    fn of(x: f64) -> Self {
        Number(with(|lanes| lanes.float(x, float(D))))
    }
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Number(with(|lanes| lanes.fma(float(D), self.0, factor.0, addend.0)))
    }
    fn sqrt(self) -> Self {
        Self::push(Op::Sqrt, &[self.0])
    }
    fn scale(self, k: Whole<Self>) -> Self {
        match with(|lanes| lanes.isa) {
            Isa::Avx2 => scale_by_two_factors(self, k),
            Isa::Avx512 => Self::push(Op::Scale, &[self.0, k.value.0]),
        }
    }
    fn round(self) -> Self {
        Self::push(Op::Round(Rounding::Nearest), &[self.0])
    }
    fn at_most(self, high: Self) -> Self {
        Self::push(Op::Min, &[high.0, self.0])
    }
    fn at_least(self, low: Self) -> Self {
        Self::push(Op::Max, &[low.0, self.0])
    }
    fn lt(self, other: Self) -> Truth {
        self.compare(Predicate::Lt, other)
    }
    fn eq(self, other: Self) -> Truth {
        self.compare(Predicate::Eq, other)
    }
    fn select(mask: Truth, x: Self, y: Self) -> Self {
        Number(with(|lanes| lanes.select(float(D), mask.0, x.0, y.0)))
    }
    fn to_bits(self) -> Word<D> {
        Word(self.0)
    }
    fn from_bits(bits: Word<D>) -> Self {
        Number(bits.0)
    }
}

impl<const D: bool> Not for Word<D> {
    type Output = Self;
    fn not(self) -> Self {
        Word(with(|lanes| lanes.not(word(D), self.0)))
    }
}

impl<const D: bool> Bits for Word<D> {
    type Mask = Truth;

    fn of(x: i64) -> Self {
        let bits = if D { x as u64 } else { u64::from(x as u32) };
        Word(with(|lanes| lanes.constant(bits, word(D))))
    }
    fn wrapping_add(self, other: Self) -> Self {
        Word(with(|lanes| lanes.arithmetic(Op::Add, word(D), self.0, other.0)))
    }
    fn wrapping_sub(self, other: Self) -> Self {
        Word(with(|lanes| lanes.arithmetic(Op::Sub, word(D), self.0, other.0)))
    }
    fn shl(self, amount: u32) -> Self {
        Word(with(|lanes| lanes.shift(Shift::Left, word(D), self.0, amount as u8)))
    }
    fn shr(self, amount: u32) -> Self {
        Word(with(|lanes| lanes.shift(Shift::Right, word(D), self.0, amount as u8)))
    }
    fn is_zero(self) -> Truth {
        let zero = Self::of(0);
        Truth(with(|lanes| lanes.compare(Predicate::Eq, word(D), self.0, zero.0)))
    }
}

impl Truth {
    fn combine(self, op: Op, other: Truth) -> Truth {
        Truth(with(|lanes| {
            let kind = lanes.inst(self.0).result();
            lanes.bitwise(op, kind, self.0, other.0)
        }))
    }
}

impl BitAnd for Truth {
    type Output = Truth;
    fn bitand(self, other: Truth) -> Truth {
        self.combine(Op::And, other)
    }
}

impl BitOr for Truth {
    type Output = Truth;
    fn bitor(self, other: Truth) -> Truth {
        self.combine(Op::Or, other)
    }
}

impl Not for Truth {
    type Output = Truth;
    fn not(self) -> Truth {
        Truth(with(|lanes| {
            let kind = lanes.inst(self.0).result();
            lanes.not(kind, self.0)
        }))
    }
}

impl Mask for Truth {}
