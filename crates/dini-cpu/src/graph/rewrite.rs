//! Graphs made from others, operation by operation.

use super::{Graph, Node, Op, Value};
use std::sync::Arc;

impl Graph {
    /// The graph in which `replace` appends, for a node and its operands there, something that computes the same, and gives
    /// the first result; or nothing, and the node stays as it is, with `nested` in place of the graphs inside.
    pub(super) fn rewritten(
        &self,
        mut replace: impl FnMut(&mut Graph, &Node, &[Value]) -> Option<Value>,
        nested: fn(&Graph) -> Graph,
    ) -> Graph {
        let mut graph = Graph { n_inputs: self.n_inputs, types: self.types[..self.n_inputs].to_vec(), ..Graph::new() };
        let mut renamed: Vec<Value> = (0..self.n_inputs as u32).map(Value).collect();
        for node in &self.nodes {
            let args: Vec<Value> = node.args.iter().map(|arg| renamed[arg.0 as usize]).collect();
            let first = replace(&mut graph, node, &args).unwrap_or_else(|| {
                let types = node.outs().map(|out| self.type_of(out).clone());
                graph.push(node.op.with_nested(nested), &args, types, node.origin)
            });
            renamed.extend((0..node.n_outs as u32).map(|i| Value(first.0 + i)));
        }
        graph.outputs = self.outputs.iter().map(|value| renamed[value.0 as usize]).collect();
        graph.donated = self.donated.clone();
        graph
    }
}

impl Op {
    /// The same operation with other graphs inside.
    pub(super) fn with_nested(&self, nested: fn(&Graph) -> Graph) -> Op {
        let of = |graph: &Arc<Graph>| Arc::new(nested(graph));
        let mut op = self.clone();
        match &mut op {
            Op::While { cond, body, .. } => (*cond, *body) = (of(cond), of(body)),
            Op::Switch { branches } => branches.iter_mut().for_each(|branch| *branch = of(branch)),
            Op::Scan { body, .. } => *body = of(body),
            other => debug_assert!(other.nested().is_empty()),
        }
        op
    }
}
