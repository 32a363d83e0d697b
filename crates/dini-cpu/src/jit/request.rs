//! What the interpreter asks of the compiler.

use crate::{
    dtype::DType,
    graph::Combine,
    kernel::{Kernel, Reg},
    schedule::SlotId,
};

/// What code for single elements goes with.
#[derive(Debug)]
pub(crate) struct Single {
    /// Slots whose addresses the table holds; then comes that of the tallies.
    pub table: Vec<SlotId>,
    /// For each loop, the front end's number of its node.
    pub origins: Vec<u32>,
    /// The library functions that the code stands in for, which it counts: eight bytes each.
    pub tallies: Vec<&'static str>,
}

/// What code for a loop with a loop of its own for each element goes with.
#[derive(Debug)]
pub(crate) struct Lanewise {
    /// Slots whose addresses the table holds.
    pub table: Vec<SlotId>,
    /// Number of elements, at least those of a chunk.
    pub len: usize,
    /// Elements that run together.
    pub chunk: usize,
    /// The front end's number of the loop's node.
    pub origin: u32,
}

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
    /// The instruction reads the elements whose first one stands at that position in the table.
    Gathered(u32),
    /// The point's number, counted from an offset.
    Count { offset: u32 },
    /// A number that an entry of the table holds in place of an address; with `moves` the point's number is added. All
    /// modulo 2³², to less than 2³¹.
    RowCount { entry: u32, moves: bool },
}

impl Source {
    /// Whether the code does more than read memory.
    pub fn is_computed(self) -> bool {
        match self {
            Source::Computed | Source::Gathered(_) | Source::Count { .. } | Source::RowCount { .. } => true,
            Source::Points(_) | Source::Cell(_) | Source::Uniform(_) => false,
        }
    }
}

/// Whether machine code reads elements of a type, so many of them, by indices: what is shorter than 32 bits has no
/// instruction, and indices of 32 bits are signed.
pub(crate) fn gathers(dtype: DType, n: usize) -> bool {
    accumulates(dtype) && i32::try_from(n).is_ok()
}

/// Whether machine code combines elements of a type.
pub(crate) fn accumulates(dtype: DType) -> bool {
    match dtype {
        DType::F32 | DType::F64 | DType::I32 | DType::I64 | DType::U32 | DType::U64 => true,
        DType::Bool | DType::U8 | DType::C64 | DType::C128 | DType::Float0 => false,
    }
}

/// What machine code computes of a kernel.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub kernel: &'a Kernel,
    /// The most points that it runs over at a time.
    pub run: usize,
    /// For each register.
    pub sources: &'a [Source],
    /// Registers to write, and where to: points or a cell.
    pub stores: &'a [(Reg, Source)],
    /// Registers to combine with accumulators.
    pub folds: &'a [Fold],
    /// If what is written had better not displace other things in the caches: the entry of the table that says whether it
    /// can go past them.
    pub past_caches: Option<u32>,
}

/// A register whose points are combined with accumulators in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold {
    pub combine: Combine,
    pub from: Reg,
    /// Where they stand: position in the table of addresses.
    pub to: u32,
    pub accumulators: Accumulators,
    /// Where what each point makes of its accumulator goes too.
    pub results: Option<Source>,
}

/// Which accumulator the point i of a run is combined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulators {
    /// That with the number i modulo [`N_ACCUMULATORS`](crate::kernel::N_ACCUMULATORS): all points together give one result.
    InTurns,
    /// That with the number i modulo the length of a row: the points of a row are parts of results of their own, and those
    /// of the next row parts of the same results.
    OfEach { row: usize },
}
