//! Failing graphs without what their failure does not need.

use crate::graph::{Graph, Node, Value};

/// Takes operations and outputs out of a graph as long as `fails` says that it still fails.
pub(super) fn prune(mut graph: Graph, mut fails: impl FnMut(&Graph) -> bool) -> Graph {
    let mut attempt = |graph: &mut Graph, candidate: Graph| {
        let is_better = candidate.check().is_ok() && fails(&candidate);
        if is_better {
            *graph = candidate;
        }
        is_better
    };
    let mut output = 0;
    while output < graph.outputs.len() {
        let mut candidate = graph.clone();
        candidate.outputs.remove(output);
        if !attempt(&mut graph, candidate) {
            output += 1;
        }
    }
    // From the end, so that what a removed operation alone needed goes next.
    let mut position = graph.nodes.len();
    while position > 0 {
        position -= 1;
        if position < graph.nodes.len()
            && let Some(candidate) = without(&graph, position)
        {
            attempt(&mut graph, candidate);
        }
    }
    graph
}

/// The graph without a node; what used its results uses earlier values of the same types. `None` if there are none.
fn without(graph: &Graph, position: usize) -> Option<Graph> {
    let node = &graph.nodes[position];
    let is_used =
        |value: Value| graph.outputs.contains(&value) || graph.nodes.iter().any(|other| other.args.contains(&value));
    let stand_in = |value: Value| {
        let earlier = (0..node.first_out.0).map(Value);
        earlier.rev().find(|&other| graph.type_of(other) == graph.type_of(value))
    };
    let mut stand_ins = vec![];
    for value in node.outs() {
        // What is not used needs none.
        stand_ins.push(if is_used(value) { stand_in(value)? } else { Value(0) });
    }
    let (first, n_outs) = (node.first_out.0, node.n_outs as u32);
    let renamed = |value: &Value| match value.0 {
        v if v < first => *value,
        v if v < first + n_outs => stand_ins[(v - first) as usize],
        v => Value(v - n_outs),
    };
    let mut types = graph.types.clone();
    types.drain(first as usize..(first + n_outs) as usize);
    let others = graph.nodes.iter().enumerate().filter(|(i, _)| *i != position);
    let nodes = others.map(|(_, node)| Node {
        args: node.args.iter().map(renamed).collect(),
        first_out: renamed(&node.first_out),
        ..node.clone()
    });
    let (nodes, outputs) = (nodes.collect(), graph.outputs.iter().map(renamed).collect());
    Some(Graph { types, nodes, outputs, ..graph.clone() })
}
