//! Kernel IR: one pass over an iteration space of `len` points, in row-major order, with any number of results.
//!
//! A body in single-assignment form computes one register per instruction at each point; stores write registers to
//! operands, point by point or reduced. Operands are numbered; what storage stands behind them is the schedule's
//! business.
//!
//! Invariants ([`Kernel::check`]): registers are defined before their uses; an access visits exactly `len` places in the
//! order of the points; a reduction covers the space; every written operand is written by one store.

mod access;
mod padded;
mod print;

pub(crate) use access::Access;
pub(crate) use padded::Padded;

use crate::{dtype::DType, element::ElementBytes, graph::Combine, math, scalar::ScalarOp};
use smallvec::SmallVec;
use std::ops::Range;

/// Where the points of a result stand in a run, floats are combined by so many accumulators, which the points of a tile
/// take in turns.
pub(crate) const N_ACCUMULATORS: usize = 16;

/// Points of a tile of kernels that combine: the same for all, so that the order of sums depends on shapes alone.
pub(crate) const REDUCTION_TILE: usize = 512;

/// A register: the position of the instruction that defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reg(pub u32);

/// An operand: a position in [`Kernel::operands`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Operand(pub u32);

/// Element type and length of a dense operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperandType {
    pub dtype: DType,
    pub len: usize,
}

/// One pass over an iteration space.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// Number of points.
    pub len: usize,
    /// How the space divides, if there are reductions.
    pub reduction: Option<ReductionSpace>,
    /// What is read and written.
    pub operands: Vec<OperandType>,
    /// One register each.
    pub body: Vec<Instruction>,
    /// What becomes of the registers.
    pub stores: Vec<Store>,
}

/// The space of a reduction: `outer × reduced × inner` points, of which `outer × inner` results remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReductionSpace {
    pub outer: usize,
    pub reduced: usize,
    pub inner: usize,
    /// Whether cumulative results begin with the last place of the reduced axis. There are no others then.
    pub backward: bool,
}

/// Computes one register at every point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Instruction {
    /// Reads an operand.
    Load { operand: Operand, access: Access },
    /// The place itself, as a number: the operand that holds 0, 1, 2, … without storing it.
    Count { dtype: DType, access: Access },
    /// Reads a part of an operand at places that a register names.
    Gather(Gather),
    /// A scalar operation.
    Map { op: ScalarOp, args: SmallVec<[Reg; 4]>, dtype: DType },
}

/// Reads elements of an operand at the indices, counted from the start of a part of it, that a register of integers holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gather {
    pub operand: Operand,
    /// Where the part stands; it is not empty.
    pub part: Range<usize>,
    pub index: Reg,
    /// What an index outside of the part reads, a negative one too; without, indices are clamped into it.
    pub outside: Option<ElementBytes>,
}

impl Instruction {
    /// The operand that is read.
    pub fn operand(&self) -> Option<Operand> {
        match self {
            Instruction::Load { operand, .. } | Instruction::Gather(Gather { operand, .. }) => Some(*operand),
            Instruction::Count { .. } | Instruction::Map { .. } => None,
        }
    }

    /// The registers that it computes with.
    pub fn args(&self) -> &[Reg] {
        match self {
            Instruction::Load { .. } | Instruction::Count { .. } => &[],
            Instruction::Gather(gather) => std::slice::from_ref(&gather.index),
            Instruction::Map { args, .. } => args,
        }
    }
}

/// Writes a register to an operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Each point to its own place, densely.
    Write { from: Reg, to: Operand },
    /// Combined over the reduced axis of [`Kernel::reduction`].
    Reduce { combine: Combine, from: Reg, to: Operand },
    /// Combined with all that come before along the reduced axis, one after the other: each point to its own place, densely.
    Cumulative { combine: Combine, from: Reg, to: Operand },
}

impl Store {
    /// The register that is written.
    pub fn from(&self) -> Reg {
        match self {
            Store::Write { from, .. } | Store::Reduce { from, .. } | Store::Cumulative { from, .. } => *from,
        }
    }

    /// The operand that is written.
    pub fn to(&self) -> Operand {
        match self {
            Store::Write { to, .. } | Store::Reduce { to, .. } | Store::Cumulative { to, .. } => *to,
        }
    }
}

impl Kernel {
    /// The element type of an instruction's register.
    pub fn dtype(&self, reg: Reg) -> DType {
        match &self.body[reg.0 as usize] {
            Instruction::Load { operand, .. } | Instruction::Gather(Gather { operand, .. }) => {
                self.operands[operand.0 as usize].dtype
            }
            Instruction::Count { dtype, .. } | Instruction::Map { dtype, .. } => *dtype,
        }
    }

    /// For each register, whether it is the same at every point (of more than one).
    pub fn uniform(&self) -> Vec<bool> {
        let mut uniform: Vec<bool> = Vec::with_capacity(self.body.len());
        for instruction in &self.body {
            uniform.push(match instruction {
                Instruction::Load { access, .. } | Instruction::Count { access, .. } => {
                    matches!(access, Access::Uniform { .. })
                }
                Instruction::Gather(_) | Instruction::Map { .. } => {
                    instruction.args().iter().all(|arg| uniform[arg.0 as usize])
                }
            });
        }
        uniform
    }

    /// Verifies the invariants.
    pub fn check(&self) -> Result<(), String> {
        let operand = |o: &Operand| self.operands.get(o.0 as usize).ok_or(format!("no operand {}", o.0));
        for (i, instruction) in self.body.iter().enumerate() {
            if let Some(arg) = instruction.args().iter().find(|arg| arg.0 as usize >= i) {
                return Err(format!("r{i} uses r{} before its definition", arg.0));
            }
            match instruction {
                Instruction::Load { operand: from, access } => access.check(self.len, operand(from)?.len),
                Instruction::Count { access, .. } => access.check(self.len, usize::MAX),
                Instruction::Gather(Gather { operand: from, part, index, outside: _ }) => {
                    let (n, dtype) = (operand(from)?.len, self.dtype(*index));
                    let fits = dtype.is_integer() && !part.is_empty() && part.end <= n;
                    if fits { Ok(()) } else { Err(format!("gather of {part:?} of {n} elements by {dtype}")) }
                }
                Instruction::Map { op, args, dtype } => {
                    let dtypes: Vec<DType> = args.iter().map(|&arg| self.dtype(arg)).collect();
                    let fits = math::kernel(*op, &dtypes).is_some() && op.result(&dtypes) == *dtype;
                    if fits { Ok(()) } else { Err(format!("{op:?} of {dtypes:?} as {dtype}")) }
                }
            }
            .map_err(|message| format!("r{i}: {message}"))?;
        }
        if let Some(ReductionSpace { outer, reduced, inner, .. }) = self.reduction
            && outer * reduced * inner != self.len
        {
            return Err(format!("reduction {outer}×{reduced}×{inner} of {} points", self.len));
        }
        let mut is_written = vec![false; self.operands.len()];
        for store in &self.stores {
            let (from, to) = (store.from(), store.to());
            let target = operand(&to)?;
            let len = match (store, self.reduction) {
                (Store::Write { .. }, _) | (Store::Cumulative { .. }, Some(_)) => self.len,
                (Store::Reduce { .. }, Some(space)) if space.backward => return Err("reduction backward".into()),
                (Store::Reduce { .. }, Some(space)) => space.outer * space.inner,
                (Store::Reduce { .. } | Store::Cumulative { .. }, None) => {
                    return Err("reduction without a space".into());
                }
            };
            if from.0 as usize >= self.body.len() || target.dtype != self.dtype(from) || target.len != len {
                return Err(format!("store of r{} to operand {} does not fit", from.0, to.0));
            }
            if std::mem::replace(&mut is_written[to.0 as usize], true) {
                return Err(format!("operand {} is written twice", to.0));
            }
        }
        Ok(())
    }
}
