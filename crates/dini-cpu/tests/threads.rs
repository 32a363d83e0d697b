//! The number of threads changes no bit of a result, and many threads may run programs at once.

use dini_cpu::{
    Executable,
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, DotAxes, Graph, Op, TensorType, Value},
    num_threads,
    scalar::ScalarOp,
    set_num_threads,
};
use std::sync::Arc;

fn tensor(shape: &[usize]) -> TensorType {
    TensorType { dtype: DType::F64, shape: shape.to_vec() }
}

fn waves(n: usize, step: f64) -> Arc<Buffer> {
    Arc::new(Buffer::from_vec((0..n).map(|i| (i as f64 * step).sin()).collect::<Vec<f64>>()))
}

/// Elementwise results, sums of rows, of columns and of all, and a product, of an m × n and an n × k matrix.
fn graph(m: usize, n: usize, k: usize) -> Graph {
    let mut graph = Graph::new();
    let (a, b) = (graph.input(tensor(&[m, n])), graph.input(tensor(&[n, k])));
    let map = |graph: &mut Graph, op, args: &[Value]| graph.push(Op::Map(op), args, vec![tensor(&[m, n])], 0);
    let sines = map(&mut graph, ScalarOp::Sin, &[a]);
    let products = map(&mut graph, ScalarOp::Mul, &[sines, a]);
    let sum = |graph: &mut Graph, axes: &[usize], shape: &[usize]| {
        let op = Op::Reduce { combine: Combine::Add, axes: axes.to_vec() };
        graph.push(op, &[products], vec![tensor(shape)], 0)
    };
    let sums = [(vec![1], vec![m]), (vec![0], vec![n]), (vec![0, 1], vec![])]
        .map(|(axes, shape)| sum(&mut graph, &axes, &shape));
    let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
    let product = graph.push(Op::Dot(axes), &[a, b], vec![tensor(&[m, k])], 0);
    graph.outputs = [vec![products], sums.to_vec(), vec![product]].concat();
    graph
}

/// One test: the number of threads is the process's.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let before = num_threads();
    for (m, n, k) in [(1, 1, 1), (3, 70_001, 2), (1000, 257, 300), (613, 411, 509), (0, 5, 3)] {
        let executable = Executable::compile(&graph(m, n, k));
        let inputs = [waves(m * n, 0.37), waves(n * k, 0.11)];
        set_num_threads(1);
        let expected = executable.run(&inputs).expect("nothing fails");
        for n_threads in [2, 3, 8] {
            set_num_threads(n_threads);
            for _ in 0..5 {
                assert_eq!(
                    executable.run(&inputs).expect("nothing fails"),
                    expected,
                    "{m}×{n}×{k}, {n_threads} threads"
                );
            }
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_eq!(executable.run(&inputs).expect("nothing fails"), expected));
                }
            });
        }
    }
    set_num_threads(before);
}
