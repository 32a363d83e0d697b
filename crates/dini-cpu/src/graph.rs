//! Tensor graphs: what the front end asks the engine to compute. A graph is typed, in topological order and free of
//! side effects except for calls marked so; [`crate::Executable::compile`] turns it into kernels and a schedule.
//!
//! Invariant: a value is defined once, before its uses; every operand's type fits its operation ([`Graph::check`]).

mod build;
mod check;
mod contract;
mod expand;
mod print;
mod rewrite;
mod routine;
pub(crate) mod strided;

use crate::{buffer::Buffer, dtype::DType, scalar::ScalarOp};
pub use routine::Routine;
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

/// Extent of each axis.
pub type Shape = SmallVec<[usize; 4]>;

/// Element type and shape of a value. Values are dense and row-major wherever they are materialized.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Extent of each axis.
    pub shape: Shape,
}

impl TensorType {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Names one value of a graph: the inputs first, then each node's results in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// A program over tensors.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Number of leading values that are inputs.
    pub n_inputs: usize,
    /// Inputs whose memory the run may keep and overwrite ("donated").
    pub donated: Vec<Value>,
    /// Type of every value, indexed by [`Value`].
    pub types: Vec<TensorType>,
    /// Operations in execution order.
    pub nodes: Vec<Node>,
    /// Results; a value may occur several times, and may be an input.
    pub outputs: Vec<Value>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// What to compute.
    pub op: Op,
    /// Operands.
    pub args: SmallVec<[Value; 4]>,
    /// First result; the others follow it.
    pub first_out: Value,
    /// Number of results.
    pub n_outs: usize,
    /// The front end's number for whatever this node came from; reported with run-time failures.
    pub origin: u32,
}

/// How reductions, cumulative operations and scatters combine two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// Sum, from 0.
    Add,
    /// Product, from 1.
    Mul,
    /// Maximum, from the type's smallest value (−∞ for floats, `false`); NaN wins.
    Max,
    /// Minimum, from the type's largest value (+∞ for floats, `true`); NaN wins.
    Min,
    /// Bitwise (logical) and, from all ones.
    And,
    /// Bitwise (logical) or, from 0.
    Or,
}

/// What a read outside of the operand gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutOfBounds {
    /// NaN for floats, the minimum for signed integers, the maximum for unsigned ones, `false` for `bool`.
    Fill,
    /// Zero.
    Zero,
    /// The index is clamped into range.
    Clip,
}

/// How a scatter treats an element that is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScatterKind {
    /// The last update in row-major order of the updates wins.
    Set,
    /// Combined with what is there, in row-major order of the updates.
    Combine(Combine),
}

/// A strided box inside a row-major tensor: element (i₀, i₁, …) stands at `offset + Σ iₖ·strides[k]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Strided {
    /// Extent of each axis of the box.
    pub shape: Vec<usize>,
    /// Distance in elements between neighbours along each axis; may be 0 or negative.
    pub strides: Vec<isize>,
    /// Where the first element stands.
    pub offset: usize,
}

/// The operations.
#[derive(Clone, Debug)]
pub enum Op {
    /// A fixed value; no operands.
    Const(Arc<Buffer>),
    /// Element by element; every operand has the result's shape or rank 0 (read for every element).
    Map(ScalarOp),
    /// The elements of the operand's row-major storage that the box visits (broadcast, transpose, slice, reverse,
    /// reshape). Never moves data by itself unless it is an output.
    View(Strided),
    /// 0, 1, 2, … along one axis; no operands.
    Iota {
        /// The axis along which values grow.
        axis: usize,
    },
    /// Combine along axes, which disappear. Float sums use a fixed order that does not depend on threads.
    Reduce {
        /// How elements combine.
        combine: Combine,
        /// The axes that disappear, ascending.
        axes: Vec<usize>,
    },
    /// Index (result type: the value's integer dtype) of the first largest or smallest element along an axis, which
    /// disappears; a NaN wins.
    ArgReduce {
        /// Largest instead of smallest.
        largest: bool,
        /// The axis.
        axis: usize,
    },
    /// Inclusive running combination along one axis.
    Cumulative {
        /// How elements combine.
        combine: Combine,
        /// The axis.
        axis: usize,
        /// From the last element to the first.
        reverse: bool,
    },
    /// Operand 0, of rank 0, fills the result; each further operand is then written, in order, to its box of the
    /// result (concatenate, pad with interior and edge padding). Boxes lie inside the result.
    Assemble {
        /// Where operands 1, 2, … go; shape equals that operand's.
        boxes: Vec<Strided>,
    },
    /// `(x, starts)`: x has `n_batch` leading batch axes and k more; starts is an integer tensor of shape
    /// `batch + [k]`; the result has shape `batch + sizes`. Starts are clamped so that the box fits.
    DynamicSlice {
        /// Number of leading batch axes.
        n_batch: usize,
        /// Extent of the box along each of the k axes.
        sizes: Vec<usize>,
    },
    /// `(x, update, starts)`: x with a box replaced by `update` (shape `batch + sizes`); starts as in
    /// [`Op::DynamicSlice`].
    DynamicUpdate {
        /// Number of leading batch axes.
        n_batch: usize,
    },
    /// `(x, indices)`: x of shape `batch + [n₁ … n_k] + rest`, integer indices of shape `batch + places + [k]`; the
    /// result of shape `batch + places + rest` holds x at each index.
    Gather {
        /// Number of leading batch axes.
        n_batch: usize,
        /// What an index outside of x reads (negative ones are outside too).
        mode: OutOfBounds,
    },
    /// `(x, indices, updates)`: x of shape `batch + [n₁ … n_k] + rest`, indices of shape `batch + places + [k]`,
    /// updates of shape `batch + places + rest`; updates outside of x are dropped.
    Scatter {
        /// Number of leading batch axes.
        n_batch: usize,
        /// How updates land.
        kind: ScatterKind,
    },
    /// `(a, b)`: sum of products over the contracted axes; result axes: batch, free of a, free of b.
    Dot(DotAxes),
    /// A library or host function.
    Call(Call),
    /// `(cond captures, body captures, carry)`; `cond: (cond captures, carry) → bool`, `body: (body captures, carry) →
    /// carry`; results: the carry.
    While {
        /// Whether to go on.
        cond: Arc<Graph>,
        /// One step.
        body: Arc<Graph>,
        /// Number of leading operands for `cond` alone.
        n_cond_captures: usize,
        /// Number of operands after those for `body` alone.
        n_body_captures: usize,
    },
    /// `(index: i32, operands)`: runs the branch named by the index, clamped into range, on all the operands.
    Switch {
        /// The branches; all have the same types.
        branches: Vec<Arc<Graph>>,
    },
    /// `(captures, carry, stacked)`; `body: (captures, carry, one of each stacked) → (carry, one of each output)`;
    /// results: the last carry, then each output stacked along a new leading axis.
    Scan {
        /// One step.
        body: Arc<Graph>,
        /// Number of leading operands that every step sees.
        n_captures: usize,
        /// Number of operands after those that are carried.
        n_carry: usize,
        /// Number of steps (may be 0).
        length: usize,
        /// Run (and stack) from the last step to the first.
        reverse: bool,
    },
}

/// Axes of a [`Op::Dot`], in pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DotAxes {
    /// Batch axes of a.
    pub lhs_batch: Vec<usize>,
    /// Batch axes of b, in the order of a's.
    pub rhs_batch: Vec<usize>,
    /// Contracted axes of a.
    pub lhs_contract: Vec<usize>,
    /// Contracted axes of b, in the order of a's.
    pub rhs_contract: Vec<usize>,
}

/// What a called function reports when it fails; reaches the caller of [`crate::Executable::run`].
pub type CallError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a [`Call`]: reads the operands, fills every result. Results are dense, row-major and not cleared.
pub type CallFn = dyn Fn(&[TensorRef<'_>], &mut [TensorMut<'_>]) -> Result<(), CallError> + Send + Sync;

/// A function that the engine calls without knowing what it does.
#[derive(Clone)]
pub struct Call {
    /// Counted by this name in [`crate::counters`].
    pub name: &'static str,
    /// The function.
    pub function: Arc<CallFn>,
    /// Must run exactly as often as the program says, in order with the other effectful calls.
    pub effect: bool,
    /// What it computes, if the engine may compute it in its own way: to the same bits as [`crate::linalg`].
    pub routine: Option<Routine>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.name)
    }
}

/// A dense row-major operand of a called function.
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a> {
    /// Extent of each axis.
    pub shape: &'a [usize],
    /// The elements.
    pub data: &'a Buffer,
}

/// A dense row-major result of a called function.
#[derive(Debug)]
pub struct TensorMut<'a> {
    /// Extent of each axis.
    pub shape: &'a [usize],
    /// The elements, to be overwritten.
    pub data: &'a mut Buffer,
}
