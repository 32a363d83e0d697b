//! Schedules: a graph as steps over slots of memory, loops and branches included.
//!
//! A slot is a piece of memory that holds one value at a time. All nested steps share one table of slots. A loop's
//! state lives in slots that its body reads and (other ones, or the same) that it writes; between two steps of the
//! loop slots trade their memory instead of copying it.
//!
//! Invariant: a step writes only slots that hold nothing that a later step reads, except in place, where the step is the
//! last reader. Whatever only a graph knows (types, scoping) was resolved before; whatever depends on addresses comes
//! later.

mod blocks;
mod check;
mod live;
mod lower;
mod print;
mod slots;
mod strips;
#[cfg(test)]
mod tests;

use crate::{
    dtype::DType,
    graph::{Call, Graph, OutOfBounds, ScatterKind, Strided, TensorType},
    kernel::Kernel,
    linalg::DotPlan,
};
use std::sync::Arc;

pub(crate) use live::{Effect, Needed};
pub(crate) use slots::{Slot, SlotId};
pub(crate) use strips::{MAX_KERNELS, Strips};

/// A graph ready to be executed.
#[derive(Clone, Debug)]
pub(crate) struct Schedule<K> {
    /// The memory.
    pub slots: Vec<Slot>,
    /// What to do.
    pub steps: Vec<Step<K>>,
    /// Where the results stand at the end; several may share a slot.
    pub outputs: Vec<Tensor>,
}

/// A dense tensor in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub slot: SlotId,
    pub dtype: DType,
    pub len: usize,
}

impl Tensor {
    /// Size in bytes.
    pub fn bytes(self) -> usize {
        self.len * self.dtype.size()
    }
}

/// A kernel and the slots of its operands.
#[derive(Clone, Debug)]
pub(crate) struct KernelStep {
    /// Shared by a program over precompiled loops and what machine code is made from.
    pub kernel: Arc<Kernel>,
    pub slots: Vec<SlotId>,
    /// The front end's number of the node that computes its last result.
    pub origin: u32,
}

/// One axis of a tensor among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Number of elements of the axes before.
    pub outer: usize,
    /// Extent.
    pub len: usize,
    /// Number of elements of the axes after.
    pub inner: usize,
}

impl Axis {
    pub fn new(shape: &[usize], axis: usize) -> Axis {
        let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Axis { outer, len: shape[axis], inner }
    }
}

/// A box of fixed size that starts anywhere in a dense tensor, for each batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub n_batches: usize,
    /// Elements per batch of the tensor.
    pub batch_len: usize,
    /// Extent of the box along each axis.
    pub sizes: Vec<usize>,
    /// Stride of each axis of the tensor.
    pub strides: Vec<usize>,
    /// Largest start along each axis.
    pub max_starts: Vec<usize>,
}

impl Window {
    /// Number of elements of all boxes.
    pub fn len(&self) -> usize {
        self.n_batches * self.sizes.iter().product::<usize>()
    }
}

/// Which rows of a dense tensor indices name, for each batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub n_batches: usize,
    /// Rows picked per batch.
    pub n_places: usize,
    /// Extents of the indexed axes; their product is the number of rows per batch.
    pub indexed: Vec<usize>,
    /// Elements per row.
    pub row_len: usize,
}

impl Places {
    /// Number of elements picked.
    pub fn len(&self) -> usize {
        self.n_batches * self.n_places * self.row_len
    }
}

/// A slot that points into another one, moved before each step of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moving {
    pub window: SlotId,
    pub over: SlotId,
    /// Bytes per row.
    pub row: usize,
}

/// One thing to do; `K` is how kernels are held.
#[derive(Clone, Debug)]
pub(crate) enum Step<K> {
    Kernel(K),
    /// Kernels that share rows, a few rows of each in turn.
    Strips {
        kernels: Vec<K>,
        strips: Strips,
    },
    /// Whole tensors; the slots differ.
    Copy {
        from: Tensor,
        to: SlotId,
    },
    /// Fills with one element, then writes parts to their boxes.
    Assemble {
        fill: SlotId,
        parts: Vec<(SlotId, Strided)>,
        to: Tensor,
    },
    ArgReduce {
        from: Tensor,
        to: Tensor,
        axis: Axis,
        largest: bool,
    },
    DynamicSlice {
        from: Tensor,
        starts: Tensor,
        to: SlotId,
        window: Window,
    },
    /// In place: `to` holds the tensor to update.
    DynamicUpdate {
        update: SlotId,
        starts: Tensor,
        to: Tensor,
        window: Window,
    },
    Gather {
        from: Tensor,
        indices: Tensor,
        to: SlotId,
        places: Places,
        mode: OutOfBounds,
        origin: u32,
    },
    /// In place: `to` holds the tensor to update.
    Scatter {
        indices: Tensor,
        updates: SlotId,
        to: Tensor,
        places: Places,
        kind: ScatterKind,
        origin: u32,
    },
    Dot {
        a: Tensor,
        b: Tensor,
        plan: DotPlan,
        to: Tensor,
        origin: u32,
    },
    Call {
        call: Call,
        origin: u32,
        args: Vec<(SlotId, TensorType)>,
        outs: Vec<(SlotId, TensorType)>,
    },
    /// While `flag` holds after `cond`: `body`, then the swaps.
    While {
        cond: Vec<Step<K>>,
        flag: SlotId,
        body: Vec<Step<K>>,
        swaps: Vec<(SlotId, SlotId)>,
        origin: u32,
    },
    Switch {
        index: SlotId,
        branches: Vec<Vec<Step<K>>>,
    },
    /// For each row: move the windows, then `body`, then the swaps.
    Scan {
        length: usize,
        reverse: bool,
        windows: Vec<Moving>,
        body: Vec<Step<K>>,
        swaps: Vec<(SlotId, SlotId)>,
        origin: u32,
    },
}

/// Fuses a graph and plans its memory.
pub(crate) fn schedule(graph: &Graph) -> Schedule<KernelStep> {
    let expanded = graph.has_compositions().then(|| graph.expanded());
    let mut schedule = lower::lower(expanded.as_ref().unwrap_or(graph));
    let needed = Needed::by_outputs(&schedule.outputs);
    schedule.steps = strips::group(std::mem::take(&mut schedule.steps), &schedule.slots, needed);
    debug_assert_eq!(schedule.check(), Ok(()), "\n{graph}\n{schedule}");
    schedule
}

impl<K> Step<K> {
    /// The nested steps, block by block.
    pub fn blocks(&self) -> Vec<&[Step<K>]> {
        match self {
            Step::While { cond, body, .. } => vec![cond, body],
            Step::Scan { body, .. } => vec![body],
            Step::Switch { branches, .. } => branches.iter().map(Vec::as_slice).collect(),
            Step::Kernel(_)
            | Step::Strips { .. }
            | Step::Copy { .. }
            | Step::Assemble { .. }
            | Step::ArgReduce { .. }
            | Step::DynamicSlice { .. }
            | Step::DynamicUpdate { .. }
            | Step::Gather { .. }
            | Step::Scatter { .. }
            | Step::Dot { .. }
            | Step::Call { .. } => vec![],
        }
    }

    /// Whether it repeats anything.
    pub fn has_loops(&self) -> bool {
        matches!(self, Step::While { .. } | Step::Scan { .. })
            || self.blocks().into_iter().flatten().any(Step::has_loops)
    }

    /// The same step with its kernel, or its nested steps, held in another way.
    pub fn map<L>(
        self,
        kernel: &mut dyn FnMut(K) -> L,
        nested: &mut dyn FnMut(Vec<Step<K>>) -> Vec<Step<L>>,
    ) -> Step<L> {
        match self {
            Step::Kernel(k) => Step::Kernel(kernel(k)),
            Step::Strips { kernels, strips } => {
                Step::Strips { kernels: kernels.into_iter().map(kernel).collect(), strips }
            }
            Step::Copy { from, to } => Step::Copy { from, to },
            Step::Assemble { fill, parts, to } => Step::Assemble { fill, parts, to },
            Step::ArgReduce { from, to, axis, largest } => Step::ArgReduce { from, to, axis, largest },
            Step::DynamicSlice { from, starts, to, window } => Step::DynamicSlice { from, starts, to, window },
            Step::DynamicUpdate { update, starts, to, window } => Step::DynamicUpdate { update, starts, to, window },
            Step::Gather { from, indices, to, places, mode, origin } => {
                Step::Gather { from, indices, to, places, mode, origin }
            }
            Step::Scatter { indices, updates, to, places, kind, origin } => {
                Step::Scatter { indices, updates, to, places, kind, origin }
            }
            Step::Dot { a, b, plan, to, origin } => Step::Dot { a, b, plan, to, origin },
            Step::Call { call, origin, args, outs } => Step::Call { call, origin, args, outs },
            Step::While { cond, flag, body, swaps, origin } => {
                Step::While { cond: nested(cond), flag, body: nested(body), swaps, origin }
            }
            Step::Switch { index, branches } => {
                Step::Switch { index, branches: branches.into_iter().map(nested).collect() }
            }
            Step::Scan { length, reverse, windows, body, swaps, origin } => {
                Step::Scan { length, reverse, windows, body: nested(body), swaps, origin }
            }
        }
    }
}
