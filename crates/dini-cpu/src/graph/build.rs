//! Building graphs, one value at a time.

use crate::{
    dtype::DType,
    graph::{Graph, Node, Op, Shape, TensorType, Value},
};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

impl TensorType {
    /// A tensor of the given shape.
    pub fn new(dtype: DType, shape: &[usize]) -> TensorType {
        TensorType { dtype, shape: Shape::from_slice(shape) }
    }

    /// A tensor of rank 0.
    pub fn scalar(dtype: DType) -> TensorType {
        TensorType::new(dtype, &[])
    }
}

impl TensorType {
    /// The type with some axes (ascending) taken out.
    pub fn without_axes(&self, axes: &[usize]) -> TensorType {
        let kept = self.shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        TensorType { dtype: self.dtype, shape: kept.map(|(_, &n)| n).collect() }
    }
}

impl Graph {
    /// A graph without values.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Appends an input.
    ///
    /// # Panics
    /// If the graph has operations already: inputs come first.
    pub fn input(&mut self, input: TensorType) -> Value {
        assert!(self.nodes.is_empty(), "inputs come before the first operation");
        self.n_inputs += 1;
        self.types.push(input);
        Value(self.types.len() as u32 - 1)
    }

    /// Appends an operation with one result of each given type and returns the first; the others follow it.
    pub fn push(
        &mut self,
        op: Op,
        args: &[Value],
        out_types: impl IntoIterator<Item = TensorType>,
        origin: u32,
    ) -> Value {
        let first_out = Value(self.types.len() as u32);
        self.types.extend(out_types);
        let n_outs = self.types.len() - first_out.0 as usize;
        self.nodes.push(Node { op, args: args.into(), first_out, n_outs, origin });
        first_out
    }

    /// The type of a value.
    pub fn type_of(&self, value: Value) -> &TensorType {
        &self.types[value.0 as usize]
    }

    /// The node that a value is a result of; `None` for inputs.
    pub(crate) fn node_of(&self, value: Value) -> Option<&Node> {
        let n_before = self.nodes.partition_point(|node| node.first_out <= value);
        self.nodes[..n_before].last()
    }

    /// The types of the inputs.
    pub fn input_types(&self) -> &[TensorType] {
        &self.types[..self.n_inputs]
    }

    /// The types of the outputs.
    pub fn output_types(&self) -> impl ExactSizeIterator<Item = &TensorType> {
        self.outputs.iter().map(|&v| self.type_of(v))
    }
}

impl Node {
    /// The results.
    pub fn outs(&self) -> impl ExactSizeIterator<Item = Value> + use<> {
        let first = self.first_out.0;
        (first..first + self.n_outs as u32).map(Value)
    }
}

impl Op {
    /// The graphs inside.
    pub(crate) fn nested(&self) -> SmallVec<[&Arc<Graph>; 2]> {
        match self {
            Op::While { cond, body, .. } => smallvec![cond, body],
            Op::Switch { branches } => branches.iter().collect(),
            Op::Scan { body, .. } => smallvec![body],
            Op::Const(_)
            | Op::Map(_)
            | Op::View(_)
            | Op::Iota { .. }
            | Op::Reduce { .. }
            | Op::ArgReduce { .. }
            | Op::Cumulative { .. }
            | Op::Assemble { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdate { .. }
            | Op::Gather { .. }
            | Op::Scatter { .. }
            | Op::Dot(_)
            | Op::Call(_) => smallvec![],
        }
    }

    /// Whether running the operation may do more than compute its results.
    pub fn has_effect(&self) -> bool {
        match self {
            Op::Call(call) => call.effect,
            other => other.nested().into_iter().flat_map(|graph| &graph.nodes).any(|node| node.op.has_effect()),
        }
    }
}
