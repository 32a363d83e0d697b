//! The printed form of graphs, one operation per line, nested graphs indented.

use crate::graph::{Graph, Op, TensorType, Value};
use std::{
    fmt::{self, Write},
    sync::Arc,
};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (axis, n) in self.shape.iter().enumerate() {
            write!(f, "{}{n}", if axis == 0 { "" } else { "," })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f, 0)
    }
}

fn print(graph: &Graph, f: &mut dyn Write, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let typed = |value: Value| format!("{value}:{}", graph.type_of(value));
    let list = |values: &mut dyn Iterator<Item = Value>, show: &dyn Fn(Value) -> String| {
        values.map(show).collect::<Vec<_>>().join(" ")
    };
    let inputs = list(&mut (0..graph.n_inputs as u32).map(Value), &typed);
    writeln!(f, "{indent}graph {inputs}")?;
    for node in &graph.nodes {
        let (outs, args) = (list(&mut node.outs(), &typed), list(&mut node.args.iter().copied(), &|v| v.to_string()));
        let no_subs: Vec<(&str, &Arc<Graph>)> = vec![];
        let (parameters, subs) = match &node.op {
            Op::Const(value) => (format!("{value:?}"), no_subs),
            Op::Map(op) => (format!("{op:?}"), no_subs),
            Op::View(s) => (format!("{:?}:{:?}+{}", s.shape, s.strides, s.offset), no_subs),
            Op::Iota { axis } => (format!("axis {axis}"), no_subs),
            Op::Reduce { combine, axes } => (format!("{combine:?} axes {axes:?}"), no_subs),
            Op::ArgReduce { largest, axis } => {
                (format!("{} axis {axis}", if *largest { "max" } else { "min" }), no_subs)
            }
            Op::Cumulative { combine, axis, reverse } => {
                (format!("{combine:?} axis {axis}{}", if *reverse { " reverse" } else { "" }), no_subs)
            }
            Op::Assemble { boxes } => {
                let boxes = boxes.iter().map(|s| format!("{:?}:{:?}+{}", s.shape, s.strides, s.offset));
                (boxes.collect::<Vec<_>>().join(" "), no_subs)
            }
            Op::DynamicSlice { n_batch, sizes } => (format!("batch {n_batch} {sizes:?}"), no_subs),
            Op::DynamicUpdate { n_batch } => (format!("batch {n_batch}"), no_subs),
            Op::Gather { n_batch, mode } => (format!("batch {n_batch} {mode:?}"), no_subs),
            Op::Scatter { n_batch, kind } => (format!("batch {n_batch} {kind:?}"), no_subs),
            Op::Dot(axes) => (
                format!(
                    "batch {:?}{:?} contract {:?}{:?}",
                    axes.lhs_batch, axes.rhs_batch, axes.lhs_contract, axes.rhs_contract
                ),
                no_subs,
            ),
            Op::Call(call) => (format!("{}{}", call.name, if call.effect { " effect" } else { "" }), no_subs),
            Op::While { cond, body, n_cond_captures, n_body_captures } => {
                (format!("captures {n_cond_captures} {n_body_captures}"), vec![("cond", cond), ("body", body)])
            }
            Op::Switch { branches } => (String::new(), branches.iter().map(|branch| ("branch", branch)).collect()),
            Op::Scan { body, n_captures, n_carry, length, reverse } => {
                let order = if *reverse { " reverse" } else { "" };
                (format!("length {length}{order} captures {n_captures} carry {n_carry}"), vec![("body", body)])
            }
        };
        let words = [node.op.name(), &parameters, &args].into_iter().filter(|word| !word.is_empty());
        writeln!(f, "{indent}  {outs} = {}", words.collect::<Vec<_>>().join(" "))?;
        for (role, sub) in subs {
            writeln!(f, "{indent}    {role}:")?;
            print(sub, f, depth + 3)?;
        }
    }
    writeln!(f, "{indent}  return {}", list(&mut graph.outputs.iter().copied(), &|v| v.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dtype::DType, scalar::ScalarOp};

    #[test]
    fn graphs_print() {
        let t = TensorType::new(DType::F32, &[2, 3]);
        let mut branch = Graph::new();
        let x = branch.input(t.clone());
        branch.outputs = vec![branch.push(Op::Map(ScalarOp::Neg), &[x], vec![t.clone()], 0)];
        let mut graph = Graph::new();
        let (i, x) = (graph.input(TensorType::scalar(DType::I32)), graph.input(t.clone()));
        graph.outputs = vec![graph.push(Op::Switch { branches: vec![Arc::new(branch)] }, &[i, x], vec![t], 0)];
        let expected = "\
graph %0:i32[] %1:f32[2,3]
  %2:f32[2,3] = switch %0 %1
    branch:
      graph %0:f32[2,3]
        %1:f32[2,3] = map Neg %0
        return %1
  return %2
";
        assert_eq!(graph.to_string(), expected);
    }
}
