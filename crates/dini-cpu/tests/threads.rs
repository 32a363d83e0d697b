//! The number of threads changes no bit of a result, and many threads may run programs at once.

use dini_cpu::{
    Executable,
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, DotAxes, Graph, Op, TensorType, Value},
    linalg::{cholesky, lu, triangular_solve},
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

/// Factors and solutions of many systems of order n, one of which is singular.
fn solved(count: usize, n: usize) -> [Vec<f64>; 4] {
    let mut a: Vec<f64> = (0..count * n * n).map(|i| (i as f64 * 0.71).sin()).collect();
    for (idx, a) in a.chunks_exact_mut(n * n).enumerate() {
        (0..n).for_each(|i| a[i * n + i] += if idx == count / 2 { 0.0 } else { 2.0 * n as f64 });
    }
    let (mut factors, mut packed) = (vec![0.0; a.len()], vec![0.0; a.len()]);
    let (mut pivots, mut permutation) = (vec![0; count * n], vec![0; count * n]);
    cholesky(&a, n, &mut factors);
    // Infinity, which is equal to itself, instead of NaN.
    factors.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f64::INFINITY);
    lu(&a, n, n, &mut packed, &mut pivots, &mut permutation);
    let b: Vec<f64> = (0..count * n).map(|i| (i as f64 * 0.3).cos()).collect();
    let mut x = vec![0.0; count * n];
    triangular_solve(&packed, &b, n, 1, &mut x, false, false, false);
    [factors, packed, permutation.into_iter().map(f64::from).collect(), x]
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
    for (count, n) in [(1, 4), (10_001, 4), (1_003, 16), (70, 33), (9, 300)] {
        set_num_threads(1);
        let expected = solved(count, n);
        for n_threads in [2, 3, 8] {
            set_num_threads(n_threads);
            assert_eq!(solved(count, n), expected, "{count} of order {n}, {n_threads} threads");
        }
    }
    set_num_threads(before);
}
