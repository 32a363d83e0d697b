//! Contraction: products that only a sum reads become one operation with it, rounded once.

use super::{Graph, Node, Op, Value};
use crate::scalar::ScalarOp;

impl Graph {
    /// The graph with x·y + z, x·y − z and z − x·y of floats as single operations wherever nothing else reads the product,
    /// in the graphs of loops and branches too. Of two products that are added, the first is contracted.
    pub(crate) fn contracted(&self) -> Graph {
        let mut n_reads = vec![0_u32; self.types.len()];
        let args = self.nodes.iter().flat_map(|node| &node.args);
        args.chain(&self.outputs).for_each(|value| n_reads[value.0 as usize] += 1);
        let mut contraction = Contraction { from: self, n_reads, products: vec![None; self.types.len()] };
        self.rewritten(|graph, node, args| contraction.replace(graph, node, args), Graph::contracted)
    }
}

struct Contraction<'a> {
    from: &'a Graph,
    n_reads: Vec<u32>,
    /// The factors of each product that may be contracted, in the new graph.
    products: Vec<Option<[Value; 2]>>,
}

impl Contraction<'_> {
    /// Appends the contracted sum that a node becomes, if it does.
    fn replace(&mut self, to: &mut Graph, node: &Node, args: &[Value]) -> Option<Value> {
        let t = self.from.type_of(node.first_out);
        match node.op {
            Op::Map(ScalarOp::Mul) if t.dtype.is_float() && self.n_reads[node.first_out.0 as usize] == 1 => {
                // Stays in the graph for now: what nothing reads is left out of the schedule.
                self.products[node.first_out.0 as usize] = Some([args[0], args[1]]);
                None
            }
            Op::Map(op @ (ScalarOp::Add | ScalarOp::Sub)) => {
                let of_product = |i: usize| self.products[node.args[i].0 as usize];
                let (position, [mut x, y]) = (0..2).find_map(|i| Some((i, of_product(i)?)))?;
                let mut rest = args[1 - position];
                if op == ScalarOp::Sub {
                    // x·y − z = x·y + (−z), and z − x·y = (−x)·y + z.
                    let negative = if position == 0 { &mut rest } else { &mut x };
                    let its_type = to.type_of(*negative).clone();
                    *negative = to.push(Op::Map(ScalarOp::Neg), &[*negative], vec![its_type], node.origin);
                }
                Some(to.push(Op::Map(ScalarOp::MulAdd), &[x, y, rest], vec![t.clone()], node.origin))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        CompileOptions, Executable, Executor,
        buffer::Buffer,
        dtype::DType,
        graph::{Graph, Op, TensorType, Value},
        scalar::ScalarOp::{self, Add, Mul, MulAdd, Sub},
    };
    use std::sync::Arc;

    /// (1 + ε)·(1 − ε) is 1 − ε², which only a contracted sum with 1 tells from 1.
    const X: f64 = 1.0 + f64::EPSILON;
    const Y: f64 = 1.0 - f64::EPSILON;

    fn ops(graph: &Graph) -> Vec<ScalarOp> {
        let op = |op: &Op| if let Op::Map(op) = op { Some(*op) } else { None };
        graph.nodes.iter().filter_map(|node| op(&node.op)).collect()
    }

    fn run(graph: &Graph, contract: bool) -> Vec<f64> {
        let inputs: Vec<Arc<Buffer>> = [X, Y, 1.0].into_iter().map(|x| Arc::new(Buffer::scalar(x))).collect();
        let results = Executor::available().into_iter().map(|executor| {
            let executable = Executable::compile_with(graph, &CompileOptions { contract, ..executor.into() });
            let outs = executable.run(&inputs).expect("nothing fails");
            outs.iter().map(|out| out.as_slice::<f64>()[0]).collect::<Vec<f64>>()
        });
        let mut results: Vec<Vec<f64>> = results.collect();
        results.dedup();
        assert_eq!(results.len(), 1, "the executors differ: {results:?}");
        results.remove(0)
    }

    /// `x·y op z` or `z op x·y` in a graph of scalars x, y, z; the product leaves too if it `is_read`.
    fn graph(op: ScalarOp, product_first: bool, is_read: bool) -> Graph {
        let t = || TensorType::scalar(DType::F64);
        let mut graph = Graph::new();
        let [x, y, z] = [graph.input(t()), graph.input(t()), graph.input(t())];
        let product = graph.push(Op::Map(Mul), &[x, y], vec![t()], 0);
        let args: [Value; 2] = if product_first { [product, z] } else { [z, product] };
        let sum = graph.push(Op::Map(op), &args, vec![t()], 0);
        graph.outputs = if is_read { vec![sum, product] } else { vec![sum] };
        graph
    }

    #[test]
    fn products_are_rounded_with_their_sums() {
        let rest = f64::EPSILON * f64::EPSILON;
        for (op, product_first, loose, contracted) in
            [(Sub, true, 0.0, -rest), (Sub, false, 0.0, rest), (Add, true, 2.0, 2.0), (Add, false, 2.0, 2.0)]
        {
            let graph = graph(op, product_first, false);
            assert!(ops(&graph.contracted()).contains(&MulAdd));
            assert_eq!(run(&graph, false), [loose], "{op:?}");
            assert_eq!(run(&graph, true), [contracted], "{op:?}");
        }
    }

    #[test]
    fn products_that_are_read_stay() {
        let graph = graph(Sub, true, true);
        assert!(!ops(&graph.contracted()).contains(&MulAdd));
        assert_eq!(run(&graph, true), [0.0, 1.0]);
    }

    #[test]
    fn bodies_of_loops_are_contracted() {
        let t = || TensorType::scalar(DType::F64);
        let mut outer = Graph::new();
        let inputs = [outer.input(t()), outer.input(t()), outer.input(t())];
        let body = Arc::new(Graph { outputs: vec![Value(4)], ..graph(Sub, true, false) });
        // Captures x and y; carries z.
        let scan = Op::Scan { body, n_captures: 2, n_carry: 1, length: 1, reverse: false };
        outer.outputs = vec![outer.push(scan, &inputs, vec![t()], 0)];
        assert_eq!(run(&outer, false), [0.0]);
        assert_eq!(run(&outer, true), [-f64::EPSILON * f64::EPSILON]);
    }
}
