//! What the interpreter asks of the compiler.

use crate::{
    kernel::{Kernel, Reg},
    schedule::SlotId,
};

/// A place in memory: slot and bytes into it.
pub(crate) type Key = (SlotId, usize);

/// How code comes by a register of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From memory, point by point: position in the table of addresses.
    Points(u32),
    /// The same, where the table has the address of the run's first point.
    Cell(u32),
    /// From memory, one element for all points.
    Uniform(u32),
    /// The instruction computes it.
    Computed,
}

/// What machine code computes of a kernel.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub kernel: &'a Kernel,
    /// For each register.
    pub sources: &'a [Source],
    /// Registers to write, and where to: points or a cell.
    pub stores: &'a [(Reg, Source)],
}
