//! Lane IR: what machine code is made from. Single-assignment code over vectors of so many lanes, run once for each
//! group of neighbouring points.
//!
//! Values have no type but a width (32 or 64 bits, or one truth per lane); the [`Kind`] of an instruction says how it
//! reads them, so that reinterpreting bits costs nothing. The IR is made for one instruction set: what that has no
//! instruction for is composed of others by the methods of [`Lanes`] that append. Equal instructions are merged.
//!
//! Loops are stretches of the code, properly nested: what a loop changes are its [`Phi`]s. A branch is a loop of at most
//! one round.

mod compose;

use super::encode::Isa;
use crate::{dtype::DType, math};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// The result of an instruction: its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(pub u32);

impl Value {
    /// Fills places of arguments that are not there.
    pub const NONE: Value = Value(u32::MAX);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How an instruction reads lanes. Masks of both widths are one kind of register with AVX-512, and lanes of ones and zeros
/// with AVX2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    F32,
    F64,
    I32,
    I64,
    Mask32,
    Mask64,
}

impl Kind {
    /// The kind that lanes of elements have; `U8` is held zero-extended, masks as those of 32-bit lanes.
    pub fn of(dtype: DType) -> Kind {
        match dtype {
            DType::Bool => Kind::Mask32,
            DType::U8 | DType::U32 | DType::I32 => Kind::I32,
            DType::U64 | DType::I64 => Kind::I64,
            DType::F32 => Kind::F32,
            DType::F64 => Kind::F64,
            DType::C64 | DType::C128 | DType::Float0 => unreachable!("the checker admits no arithmetic on {dtype}"),
        }
    }

    /// Whether lanes hold elements of a type.
    pub fn holds(dtype: DType) -> bool {
        !matches!(dtype, DType::C64 | DType::C128 | DType::Float0)
    }

    pub fn is_mask(self) -> bool {
        matches!(self, Kind::Mask32 | Kind::Mask64)
    }

    /// Whether lanes have 64 bits.
    pub fn is_wide(self) -> bool {
        matches!(self, Kind::F64 | Kind::I64 | Kind::Mask64)
    }

    pub fn is_float(self) -> bool {
        matches!(self, Kind::F32 | Kind::F64)
    }

    /// Bytes of a lane.
    pub fn size(self) -> usize {
        if self.is_wide() { 8 } else { 4 }
    }

    /// The mask that comparing such lanes gives.
    pub fn mask(self) -> Kind {
        if self.is_wide() { Kind::Mask64 } else { Kind::Mask32 }
    }

    /// Integers of the same width.
    pub fn bits(self) -> Kind {
        if self.is_wide() { Kind::I64 } else { Kind::I32 }
    }
}

/// What an instruction does. Arguments have the instruction's kind unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// The same bits in all lanes.
    Constant(u64),
    /// The operand's first element in all lanes.
    Uniform(u32),
    /// The operand's elements at the points of a group, by number in the round.
    Load(u32, u8),
    /// A mask, lanes, and indices of either width: the operand's elements where the mask holds, the lanes elsewhere.
    Gather(u32),
    /// The numbers of the points of a round's first group, modulo 2³².
    Point,
    /// The low half of an entry of the table of addresses, which holds a number instead, in all lanes.
    Number(u32),
    /// A single element in all lanes, by position in [`Lanes::elements`].
    Element(u32),
    /// The state of a loop, by a number of its own; where it comes from is in [`Loop::phis`].
    Phi(u32),
    Add,
    Sub,
    Mul,
    Div,
    /// Signed; of floats `x < y ? x : y`.
    Min,
    /// Signed; of floats `x > y ? x : y`.
    Max,
    MinUnsigned,
    MaxUnsigned,
    /// Products of the low halves of 64-bit lanes.
    MulHalves,
    Sqrt,
    /// x times 2 to the power of the whole number y, rounded once; AVX-512 only.
    Scale,
    Round(Rounding),
    /// ±(x·y) ± z, rounded once.
    Fma {
        negate_product: bool,
        negate_addend: bool,
    },
    And,
    /// Not the first, and the second.
    AndNot,
    Or,
    Xor,
    /// Of masks only.
    Not,
    Shift(Shift, u8),
    /// By lanes; amounts not less than the width give the fill.
    ShiftBy(Shift),
    /// Two lanes of the kind to a mask of its width.
    Compare(Predicate),
    /// Mask (of the kind's width), lane where it holds, lane elsewhere.
    Select,
    /// From another kind. Floats to integers truncate; what does not fit becomes the minimum.
    Convert(Kind),
    /// From unsigned 32 to 64 bits.
    ZeroExtend,
    /// A precompiled function on all lanes, by position in [`Lanes::functions`].
    Call(u32),
    /// A mask, and a value with what the lanes of the mask have replaced by a function's result on the other arguments.
    Rare(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rounding {
    Nearest = 0,
    Down = 1,
    Up = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shift {
    Left,
    Right,
    /// The sign comes in.
    Signed,
}

/// Comparisons; of integers signed unless named otherwise; of floats false with NaN, except `Ne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    Eq,
    Ne,
    Lt,
    Le,
    /// What AVX2 has for integers.
    Gt,
    LtUnsigned,
    LeUnsigned,
    /// Whether integers have no bit in common; AVX-512 only.
    Disjoint,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inst {
    pub op: Op,
    /// The kind of the result; for comparisons that of the arguments.
    pub kind: Kind,
    pub args: [Value; 4],
}

impl Inst {
    /// The arguments that are there.
    pub fn args(&self) -> impl Iterator<Item = Value> {
        self.args.into_iter().take_while(|&arg| arg != Value::NONE)
    }

    /// The kind of register that holds the result.
    pub fn result(&self) -> Kind {
        match self.op {
            Op::Compare(_) => self.kind.mask(),
            _ => self.kind,
        }
    }
}

/// The state of a loop: what it is at first, and what each round makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phi {
    pub value: Value,
    pub init: Value,
    pub next: Value,
}

/// A loop over instructions `start..end`.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub start: usize,
    pub end: usize,
    pub rounds: Rounds,
    pub phis: Vec<Phi>,
}

impl Loop {
    /// What must hold for a round.
    pub fn test(&self) -> Option<Test> {
        match self.rounds {
            Rounds::While(test) | Rounds::If(test) => Some(test),
            Rounds::Times(_) => None,
        }
    }
}

/// How often a loop runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rounds {
    While(Test),
    /// Once at most.
    If(Test),
    /// So often, and at least once.
    Times(usize),
}

/// A loop is left before instruction `at` if the mask does not hold in lane 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub mask: Value,
    pub at: usize,
}

/// What happens between two instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The loop of that position begins.
    Start(usize),
    /// It is left if its test does not hold.
    Test(usize),
    End(usize),
    /// By position in [`Lanes::writes`].
    Write(usize),
    /// One is added to the count of that number.
    Tally(u32),
}

/// A single element in memory: so many bytes from an address on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub of: Address,
    pub offset: usize,
    pub dtype: DType,
}

/// Where elements stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A position in the table of addresses.
    Table(u32),
    /// A position in [`Lanes::windows`].
    Window(u32),
}

/// An address that moves by a row after each round of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub of: usize,
    /// Where the rows stand; the first one that is used is so many bytes from there on.
    pub over: Address,
    pub first: usize,
    /// Bytes from one round to the next.
    pub row: isize,
}

/// Writes a value to an element, by position in [`Lanes::elements`], before instruction `at`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub from: Value,
    pub to: u32,
    pub at: usize,
}

/// A function that lanes of elements are handed to, in memory.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub kernel: math::Kernel,
    /// Types of the operands and of the result.
    pub args: Vec<DType>,
    pub to: DType,
}

/// Writes a value to an operand, at the points of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    pub from: Value,
    pub to: u32,
    pub group: u8,
}

/// What code reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Operand {
    /// Position in the table of addresses.
    pub base: u32,
    pub dtype: DType,
    pub walk: Walk,
}

/// Where the element for a point stands, from the address on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Walk {
    /// By the point's number.
    Points,
    /// By the number of points of the run before it.
    Run,
    /// The same, modulo the number of accumulators.
    Accumulators,
    /// The same, modulo the length of a row, [`Lanes::row`].
    Row,
    /// By an index.
    Indexed,
}

/// Code for the points of one round.
#[derive(Debug)]
pub(super) struct Lanes {
    pub isa: Isa,
    /// Points per group.
    pub n_lanes: usize,
    /// Groups per round: several take turns where one alone would wait for its own results.
    pub n_groups: u8,
    /// Points after which operands that are walked by rows start over.
    pub row: Option<usize>,
    pub operands: Vec<Operand>,
    pub insts: Vec<Inst>,
    /// For each instruction, whether it gives the same at every point.
    pub is_invariant: Vec<bool>,
    pub stores: Vec<Store>,
    /// Whether stores of whole groups to the points of operands bypass the caches.
    pub streams: bool,
    pub functions: Vec<Function>,
    pub loops: Vec<Loop>,
    pub elements: Vec<Element>,
    pub windows: Vec<Window>,
    pub writes: Vec<Write>,
    /// The position in the table of addresses of what [`Event::Tally`] counts: eight bytes each.
    pub tallies: u32,
    /// In order, with the instruction that comes next.
    pub events: Vec<(usize, Event)>,
    known: HashMap<Inst, Value, BuildHasherDefault<Mixer>>,
}

/// A hash of a few words: multiply and fold.
#[derive(Default)]
pub(super) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }
    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }
    fn write_u32(&mut self, x: u32) {
        self.write_u64(u64::from(x));
    }
    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
    fn write_u64(&mut self, x: u64) {
        let product = u128::from(self.0 ^ x ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Lanes {
    /// No code yet, for vectors whose widest lanes have `widest` bytes.
    pub fn new(isa: Isa, widest: usize) -> Lanes {
        Lanes {
            isa,
            n_lanes: vector_bytes(isa) / widest,
            n_groups: 1,
            row: None,
            operands: vec![],
            insts: vec![],
            is_invariant: vec![],
            stores: vec![],
            streams: false,
            functions: vec![],
            loops: vec![],
            elements: vec![],
            windows: vec![],
            writes: vec![],
            tallies: 0,
            events: vec![],
            known: HashMap::default(),
        }
    }

    pub fn inst(&self, value: Value) -> &Inst {
        &self.insts[value.index()]
    }

    /// Appends an instruction, or finds the same one.
    pub fn push(&mut self, op: Op, kind: Kind, args: &[Value]) -> Value {
        let mut all = [Value::NONE; 4];
        all[..args.len()].copy_from_slice(args);
        let inst = Inst { op, kind, args: all };
        let next = Value(self.insts.len() as u32);
        let value = *self.known.entry(inst).or_insert(next);
        if value == next {
            let is_invariant = match op {
                Op::Load(..) | Op::Point | Op::Element(_) | Op::Phi(_) => false,
                _ => args.iter().all(|arg| self.is_invariant[arg.index()]),
            };
            self.is_invariant.push(is_invariant);
            self.insts.push(inst);
        }
        value
    }

    /// Forgets instructions from one on, so that none is found where it has not run.
    pub fn forget_since(&mut self, start: usize) {
        for inst in self.insts[start..].iter().filter(|inst| !matches!(inst.op, Op::Constant(_))) {
            self.known.remove(inst);
        }
    }

    /// For each instruction the innermost loop around it, and for each loop the one around that.
    pub fn nesting(&self) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let mut innermost: Vec<Option<usize>> = vec![None; self.insts.len()];
        // Inner loops come later.
        let nest = |(of, l): (usize, &Loop)| {
            let around = innermost.get(l.start).copied().flatten();
            innermost[l.start..l.end].fill(Some(of));
            around
        };
        let around = self.loops.iter().enumerate().map(nest).collect();
        (innermost, around)
    }

    /// Notes what happens before the next instruction.
    pub fn event(&mut self, event: Event) {
        self.events.push((self.insts.len(), event));
    }

    /// A read of an element, which finds no earlier one.
    pub fn element(&mut self, element: Element) -> Value {
        self.elements.push(element);
        self.push(Op::Element(self.elements.len() as u32 - 1), Kind::of(element.dtype), &[])
    }

    /// The state of a loop, of its own.
    pub fn phi(&mut self, kind: Kind) -> Value {
        self.push(Op::Phi(self.insts.len() as u32), kind, &[])
    }

    /// Writes an element now.
    pub fn write(&mut self, from: Value, to: Element) {
        self.elements.push(to);
        self.writes.push(Write { from, to: self.elements.len() as u32 - 1, at: self.insts.len() });
        self.event(Event::Write(self.writes.len() - 1));
    }

    /// Counts now.
    pub fn tally(&mut self, count: u32) {
        self.event(Event::Tally(count));
    }
}

/// Bytes of a vector register.
pub(super) fn vector_bytes(isa: Isa) -> usize {
    match isa {
        Isa::Avx2 => 32,
        Isa::Avx512 => 64,
    }
}
