//! Expansion: operations that others compute as fast become these, which kernels take in, divide among threads and run as
//! machine code.

mod extremum;

use super::{Graph, Node, Op, Value};

impl Graph {
    /// Whether there is anything to expand, in the graphs of loops and branches too.
    pub(crate) fn has_compositions(&self) -> bool {
        self.nodes.iter().any(|node| match &node.op {
            Op::ArgReduce { axis, .. } => extremum::is_composition(self, node, *axis),
            other => other.nested().into_iter().any(|graph| graph.has_compositions()),
        })
    }

    /// The graph with compositions in place of single operations, in the graphs of loops and branches too.
    pub(crate) fn expanded(&self) -> Graph {
        let replace = |to: &mut Graph, node: &Node, args: &[Value]| match node.op {
            Op::ArgReduce { largest, axis } if extremum::is_composition(self, node, axis) => {
                Some(extremum::expand(to, args[0], largest, axis, self.type_of(node.first_out).dtype, node.origin))
            }
            _ => None,
        };
        self.rewritten(replace, Graph::expanded)
    }
}
