//! Programs over single elements: kernels of one point, and the loops and branches around them, as code for a register
//! machine. A loop of a few scalar operations would spend most of its time on launching kernels otherwise.
//!
//! A register is a cell of eight bytes that holds an element in its first bytes. Slots that the program touches have a
//! register each: loaded at the start, stored at the end, and traded where the schedule trades slots. Arithmetic that
//! every machine does alike runs here; everything else calls the precompiled loops, so results are the same bits as
//! those of tile programs.

mod compile;

use super::frame::{self, Frame, Needs};
use crate::{
    dtype::{DType, Element},
    executable::RunError,
    interrupt, math,
    scalar::ScalarOp,
    schedule::SlotId,
};

pub(super) use compile::is_scalar;

/// Code and what it touches.
#[derive(Debug, Default)]
pub(super) struct ScalarProgram {
    loads: Vec<Transfer>,
    constants: Vec<(CellId, u64)>,
    code: Vec<Instruction>,
    /// Precompiled loops that the code calls.
    kernels: Vec<CalledKernel>,
    /// Jump targets of switches.
    targets: Vec<u32>,
    loops: Vec<Repeated>,
    stores: Vec<Transfer>,
    n_cells: usize,
}

/// A loop of the code.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    /// Instructions of a round, those of inner loops apart.
    cost: usize,
    /// The front end's number of its node.
    origin: u32,
}

/// Instructions after which code asks whether it should stop: some 0.1 ms.
const BUDGET: usize = 20_000;

/// Names a register.
type CellId = u16;

/// Moves one element between a slot and a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transfer {
    slot: SlotId,
    /// Bytes into the slot.
    offset: usize,
    /// Bytes of the element.
    size: usize,
    cell: CellId,
}

#[derive(Clone, Copy, Debug)]
struct CalledKernel {
    kernel: math::Kernel,
    n_args: u8,
    args: [DType; 3],
    to: DType,
}

/// One operation: registers `a`, `b` and `c` to register `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: Code,
    a: CellId,
    b: CellId,
    c: CellId,
    to: CellId,
    /// Jump target, position in a table, or number of targets.
    index: u32,
}

/// The registers of a run: as many as the program needs.
struct Cells<'a>(&'a mut [u64]);

impl Cells<'_> {
    #[inline(always)]
    fn get(&self, id: CellId) -> u64 {
        debug_assert!((id as usize) < self.0.len());
        // SAFETY: the compiler names only cells below `n_cells`, and `ScalarProgram::run` takes that many.
        unsafe { *self.0.get_unchecked(id as usize) }
    }

    #[inline(always)]
    fn set(&mut self, id: CellId, bits: u64) {
        debug_assert!((id as usize) < self.0.len());
        // SAFETY: as in `get`.
        unsafe { *self.0.get_unchecked_mut(id as usize) = bits }
    }
}

/// An element that fits a register.
trait Cell: Element {
    fn get(cell: u64) -> Self;
    fn put(self) -> u64;
}

macro_rules! cells {
    ($($t:ty)*) => { $(impl Cell for $t {
        #[inline(always)]
        fn get(cell: u64) -> Self {
            let bytes = cell.to_ne_bytes();
            <$t>::from_ne_bytes(*bytes.first_chunk().expect("elements fit a cell"))
        }
        #[inline(always)]
        fn put(self) -> u64 {
            let mut bytes = [0; 8];
            *bytes.first_chunk_mut().expect("elements fit a cell") = self.to_ne_bytes();
            u64::from_ne_bytes(bytes)
        }
    })* };
}
cells! { i32 i64 f32 f64 }

impl Cell for bool {
    #[inline(always)]
    fn get(cell: u64) -> bool {
        cell.to_ne_bytes()[0] != 0
    }
    #[inline(always)]
    fn put(self) -> u64 {
        u64::from_ne_bytes([self as u8, 0, 0, 0, 0, 0, 0, 0])
    }
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Arithmetic(Arithmetic),
    /// `to` = `a` or `b`, as the `bool` in `c` says.
    Select,
    Move,
    Swap,
    Jump,
    /// Jumps unless the `bool` in `a` holds.
    JumpUnless,
    /// Jumps to one of the `index & 0xffff` targets from position `index >> 16` on, as the `i32` in `a` says.
    Switch,
    /// Calls a precompiled loop.
    Call,
    /// `to` = the number of rounds that no loop reaches.
    Limit,
    /// Counts `to` down for the loop at position `index`; stops at 0, or if asked to.
    Round,
    Stop,
}

/// The operations that are done in place, by name, scalar operation and operand type.
macro_rules! operations {
    ($($name:ident: $op:ident($t:ty) $args:tt $e:expr;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Arithmetic { $($name,)* }

        impl Arithmetic {
            /// The operation on operands of one type, if it is done in place.
            fn of(op: ScalarOp, dtype: DType) -> Option<Arithmetic> {
                $(if op == ScalarOp::$op && dtype == <$t as Element>::DTYPE {
                    return Some(Arithmetic::$name);
                })*
                None
            }

            #[inline(always)]
            fn run(self, i: &Instruction, cells: &Cells<'_>) -> u64 {
                match self {
                    $(Arithmetic::$name => operations!(@run $t, $args, $e, i, cells),)*
                }
            }
        }
    };
    (@run $t:ty, ($x:ident), $e:expr, $i:ident, $cells:ident) => {{
        let $x = <$t as Cell>::get($cells.get($i.a));
        $e.put()
    }};
    (@run $t:ty, ($x:ident, $y:ident), $e:expr, $i:ident, $cells:ident) => {{
        let ($x, $y) = (<$t as Cell>::get($cells.get($i.a)), <$t as Cell>::get($cells.get($i.b)));
        $e.put()
    }};
}
operations! {
    AddF64: Add(f64) (x, y) (x + y);
    SubF64: Sub(f64) (x, y) (x - y);
    MulF64: Mul(f64) (x, y) (x * y);
    DivF64: Div(f64) (x, y) (x / y);
    NegF64: Neg(f64) (x) (-x);
    AbsF64: Abs(f64) (x) (x.abs());
    SqrtF64: Sqrt(f64) (x) (x.sqrt());
    LtF64: Lt(f64) (x, y) (x < y);
    LeF64: Le(f64) (x, y) (x <= y);
    GtF64: Gt(f64) (x, y) (x > y);
    GeF64: Ge(f64) (x, y) (x >= y);
    EqF64: Eq(f64) (x, y) (x == y);
    NeF64: Ne(f64) (x, y) (x != y);
    AddF32: Add(f32) (x, y) (x + y);
    SubF32: Sub(f32) (x, y) (x - y);
    MulF32: Mul(f32) (x, y) (x * y);
    DivF32: Div(f32) (x, y) (x / y);
    NegF32: Neg(f32) (x) (-x);
    AbsF32: Abs(f32) (x) (x.abs());
    SqrtF32: Sqrt(f32) (x) (x.sqrt());
    LtF32: Lt(f32) (x, y) (x < y);
    LeF32: Le(f32) (x, y) (x <= y);
    GtF32: Gt(f32) (x, y) (x > y);
    GeF32: Ge(f32) (x, y) (x >= y);
    AddI32: Add(i32) (x, y) (x.wrapping_add(y));
    SubI32: Sub(i32) (x, y) (x.wrapping_sub(y));
    MulI32: Mul(i32) (x, y) (x.wrapping_mul(y));
    LtI32: Lt(i32) (x, y) (x < y);
    LeI32: Le(i32) (x, y) (x <= y);
    GtI32: Gt(i32) (x, y) (x > y);
    GeI32: Ge(i32) (x, y) (x >= y);
    EqI32: Eq(i32) (x, y) (x == y);
    NeI32: Ne(i32) (x, y) (x != y);
    AddI64: Add(i64) (x, y) (x.wrapping_add(y));
    SubI64: Sub(i64) (x, y) (x.wrapping_sub(y));
    MulI64: Mul(i64) (x, y) (x.wrapping_mul(y));
    LtI64: Lt(i64) (x, y) (x < y);
    LeI64: Le(i64) (x, y) (x <= y);
    GtI64: Gt(i64) (x, y) (x > y);
    GeI64: Ge(i64) (x, y) (x >= y);
    EqI64: Eq(i64) (x, y) (x == y);
    And: And(bool) (x, y) (x & y);
    Or: Or(bool) (x, y) (x | y);
    Xor: Xor(bool) (x, y) (x ^ y);
    Not: Not(bool) (x) (!x);
}

impl ScalarProgram {
    pub fn needs(&self) -> Needs {
        Needs { n_cells: self.n_cells, ..Needs::default() }
    }

    /// Runs the program.
    ///
    /// # Safety
    /// The slots must hold what the schedule says.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        frame.n_kernels += 1;
        for load in &self.loads {
            let from = frame.address(load.slot).wrapping_add(load.offset);
            // SAFETY: promised by the caller; slots are aligned to the elements they hold.
            frame.cells[load.cell as usize] = unsafe {
                match load.size {
                    1 => u64::from_ne_bytes([*from, 0, 0, 0, 0, 0, 0, 0]),
                    4 => f32::put(*from.cast::<f32>()),
                    _ => *from.cast::<u64>(),
                }
            };
        }
        let mut cells = Cells(&mut frame.cells[..self.n_cells]);
        for &(cell, bits) in &self.constants {
            cells.set(cell, bits);
        }
        self.execute(&mut cells)?;
        for store in &self.stores {
            let to = frame.address(store.slot).wrapping_add(store.offset);
            let cell = frame.cells[store.cell as usize];
            // SAFETY: promised by the caller.
            unsafe { to.copy_from_nonoverlapping(cell.to_ne_bytes().as_ptr(), store.size) }
        }
        Ok(())
    }

    fn execute(&self, cells: &mut Cells<'_>) -> Result<(), RunError> {
        let code = &self.code[..];
        let mut budget = BUDGET;
        let mut at = 0;
        loop {
            let i = &code[at];
            at += 1;
            match i.code {
                Code::Arithmetic(op) => cells.set(i.to, op.run(i, cells)),
                Code::Select => {
                    let (x, y) = (cells.get(i.a), cells.get(i.b));
                    cells.set(i.to, if bool::get(cells.get(i.c)) { x } else { y });
                }
                Code::Move => cells.set(i.to, cells.get(i.a)),
                Code::Swap => {
                    let (x, y) = (cells.get(i.a), cells.get(i.to));
                    cells.set(i.a, y);
                    cells.set(i.to, x);
                }
                Code::Jump => at = i.index as usize,
                Code::JumpUnless => {
                    if !bool::get(cells.get(i.a)) {
                        at = i.index as usize;
                    }
                }
                Code::Switch => {
                    let (first, n) = ((i.index >> 16) as usize, (i.index & 0xffff) as usize);
                    let chosen = i32::get(cells.get(i.a)).max(0).unsigned_abs() as usize;
                    at = self.targets[first + chosen.min(n - 1)] as usize;
                }
                Code::Call => self.kernels[i.index as usize].run(i, cells),
                Code::Limit => cells.set(i.to, interrupt::limit()),
                Code::Round => {
                    let Repeated { cost, origin } = self.loops[i.index as usize];
                    let rounds_left = cells.get(i.to) - 1;
                    cells.set(i.to, rounds_left);
                    let is_time = budget < cost;
                    budget = if is_time { BUDGET } else { budget - cost };
                    if rounds_left == 0 || (is_time && interrupt::must_stop()) {
                        return Err(interrupt::stopped(origin));
                    }
                }
                Code::Stop => return Ok(()),
            }
        }
    }
}

impl CalledKernel {
    fn run(&self, i: &Instruction, cells: &mut Cells<'_>) {
        // Copies, because the result may replace an operand.
        let operands = [cells.get(i.a), cells.get(i.b), cells.get(i.c)];
        let mut result = 0u64;
        // SAFETY: a cell holds an element of the operand's type in its first bytes and is aligned to all of them.
        unsafe {
            let arg = |k: usize| frame::elements((&raw const operands[k]).cast(), self.args[k], 1);
            let to = frame::elements_mut((&raw mut result).cast(), self.to, 1);
            match self.n_args {
                1 => self.kernel.run(&[arg(0)], to),
                2 => self.kernel.run(&[arg(0), arg(1)], to),
                _ => self.kernel.run(&[arg(0), arg(1), arg(2)], to),
            }
        }
        cells.set(i.to, result);
    }
}
