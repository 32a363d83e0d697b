//! The number of threads changes no bit of a result, and many threads may run programs at once.

use dini_cpu::{
    Executable, RunError,
    buffer::Buffer,
    dtype::DType::{self, Bool, F64, I64},
    graph::{Combine, DotAxes, Graph, Op, OutOfBounds, Strided, TensorType, Value},
    interrupt::{self, StopReason},
    linalg::{cholesky, lu, triangular_solve},
    num_threads,
    scalar::ScalarOp,
    set_num_threads,
};
use std::sync::{Arc, Mutex, PoisonError};

fn tensor(dtype: DType, shape: &[usize]) -> TensorType {
    TensorType::new(dtype, shape)
}

fn waves(n: usize, step: f64) -> Arc<Buffer> {
    Arc::new(Buffer::from_vec((0..n).map(|i| (i as f64 * step).sin()).collect::<Vec<f64>>()))
}

fn map(graph: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let dtypes: Vec<DType> = args.iter().map(|&arg| graph.type_of(arg).dtype).collect();
    // An operand of rank 0 is read for every element.
    let widest = args.iter().map(|&arg| &graph.type_of(arg).shape).max_by_key(|shape| shape.len());
    let ty = tensor(op.result(&dtypes), widest.expect("operations have operands"));
    graph.push(Op::Map(op), args, vec![ty], 0)
}

fn constant(graph: &mut Graph, x: f64) -> Value {
    graph.push(Op::Const(Arc::new(Buffer::scalar(x))), &[], vec![tensor(F64, &[])], 0)
}

/// Combines along axes of a matrix.
fn reduce(graph: &mut Graph, combine: Combine, axes: &[usize], x: Value) -> Value {
    let TensorType { dtype, shape } = graph.type_of(x).clone();
    let left = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect::<Vec<usize>>();
    graph.push(Op::Reduce { combine, axes: axes.to_vec() }, &[x], vec![tensor(dtype, &left)], 0)
}

/// One of each row for all its elements.
fn along_rows(graph: &mut Graph, x: Value, m: usize, n: usize) -> Value {
    let view = Op::View(Strided { shape: vec![m, n], strides: vec![1, 0], offset: 0 });
    let ty = tensor(graph.type_of(x).dtype, &[m, n]);
    graph.push(view, &[x], vec![ty], 0)
}

/// Elementwise results, combinations of rows, of columns and of all, and a product, of an m × n and an n × k matrix.
fn matrices(m: usize, n: usize, k: usize) -> (Graph, Vec<Arc<Buffer>>) {
    let mut graph = Graph::new();
    let (a, b) = (graph.input(tensor(F64, &[m, n])), graph.input(tensor(F64, &[n, k])));
    let sines = map(&mut graph, ScalarOp::Sin, &[a]);
    let products = map(&mut graph, ScalarOp::Mul, &[sines, a]);
    let mut outputs = vec![products];
    for combine in [Combine::Add, Combine::Max] {
        for axes in [&[1][..], &[0], &[0, 1]] {
            outputs.push(reduce(&mut graph, combine, axes, products));
        }
    }
    let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
    outputs.push(graph.push(Op::Dot(axes), &[a, b], vec![tensor(F64, &[m, k])], 0));
    graph.outputs = outputs;
    (graph, vec![waves(m * n, 0.37), waves(n * k, 0.11)])
}

/// Many products of matrices.
fn products(count: usize, m: usize, k: usize, n: usize) -> (Graph, Vec<Arc<Buffer>>) {
    let mut graph = Graph::new();
    let (a, b) = (graph.input(tensor(F64, &[count, m, k])), graph.input(tensor(F64, &[count, k, n])));
    let axes = DotAxes { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![2], rhs_contract: vec![1] };
    graph.outputs = vec![graph.push(Op::Dot(axes), &[a, b], vec![tensor(F64, &[count, m, n])], 0)];
    (graph, vec![waves(count * m * k, 0.37), waves(count * k * n, 0.11)])
}

/// The softmax of each row, and the sum of all of it times something: kernels that share rows and have a total.
fn softmax(m: usize, n: usize) -> (Graph, Vec<Arc<Buffer>>) {
    let mut graph = Graph::new();
    let (x, weights) = (graph.input(tensor(F64, &[m, n])), graph.input(tensor(F64, &[m, n])));
    let largest = reduce(&mut graph, Combine::Max, &[1], x);
    let largest = along_rows(&mut graph, largest, m, n);
    let below = map(&mut graph, ScalarOp::Sub, &[x, largest]);
    let powers = map(&mut graph, ScalarOp::Exp, &[below]);
    let sums = reduce(&mut graph, Combine::Add, &[1], powers);
    let sums = along_rows(&mut graph, sums, m, n);
    let parts = map(&mut graph, ScalarOp::Div, &[powers, sums]);
    let weighted = map(&mut graph, ScalarOp::Mul, &[parts, weights]);
    let total = reduce(&mut graph, Combine::Add, &[0, 1], weighted);
    graph.outputs = vec![parts, total];
    (graph, vec![waves(m * n, 0.37), waves(m * n, 0.11)])
}

/// Running sums of rows and columns, places of the largest elements along both axes, and elements at places, some of them outside.
fn rows(m: usize, n: usize) -> (Graph, Vec<Arc<Buffer>>) {
    let mut graph = Graph::new();
    let (x, places) = (graph.input(tensor(F64, &[m, n])), graph.input(tensor(I64, &[m * n, 2])));
    let running = |reverse| Op::Cumulative { combine: Combine::Add, axis: 1, reverse };
    let forward = graph.push(running(false), &[x], vec![tensor(F64, &[m, n])], 0);
    let backward = graph.push(running(true), &[x], vec![tensor(F64, &[m, n])], 0);
    let square = map(&mut graph, ScalarOp::Mul, &[x, x]);
    let columns = Op::Cumulative { combine: Combine::Add, axis: 0, reverse: false };
    let columns = graph.push(columns, &[square], vec![tensor(F64, &[m, n])], 0);
    let gather = Op::Gather { n_batch: 0, mode: OutOfBounds::Zero };
    let gathered = graph.push(gather, &[x, places], vec![tensor(F64, &[m * n])], 0);
    let largest = |axis| Op::ArgReduce { largest: true, axis };
    let in_column = graph.push(largest(0), &[x], vec![tensor(I64, &[n])], 0);
    let in_row = graph.push(largest(1), &[x], vec![tensor(I64, &[m])], 0);
    graph.outputs = vec![forward, backward, columns, gathered, in_column, in_row];
    let place = |i: usize| [(i * 7919 % (m + 1)) as i64, (i * 104_729 % n) as i64];
    let places = Buffer::from_vec((0..m * n).flat_map(place).collect::<Vec<i64>>());
    (graph, vec![waves(m * n, 0.37), Arc::new(places)])
}

/// A square root by halving for each element, as `vmap` of a loop is; a tolerance below 0 is never reached.
fn halving(n: usize, tolerance: f64) -> (Graph, Vec<Arc<Buffer>>) {
    let (t, mask) = (tensor(F64, &[n]), tensor(Bool, &[n]));
    let mut cond = Graph::new();
    let running = cond.input(mask.clone());
    cond.input(t.clone());
    cond.input(t.clone());
    cond.outputs = vec![reduce(&mut cond, Combine::Or, &[0], running)];
    let mut body = Graph::new();
    let x = body.input(t.clone());
    let (running, low, high) = (body.input(mask.clone()), body.input(t.clone()), body.input(t.clone()));
    let (half, tolerance) = (constant(&mut body, 0.5), constant(&mut body, tolerance));
    let sum = map(&mut body, ScalarOp::Add, &[low, high]);
    let middle = map(&mut body, ScalarOp::Mul, &[sum, half]);
    let square = map(&mut body, ScalarOp::Mul, &[middle, middle]);
    let is_less = map(&mut body, ScalarOp::Lt, &[square, x]);
    let new_low = map(&mut body, ScalarOp::Select, &[is_less, middle, low]);
    let new_high = map(&mut body, ScalarOp::Select, &[is_less, high, middle]);
    let next_low = map(&mut body, ScalarOp::Select, &[running, new_low, low]);
    let next_high = map(&mut body, ScalarOp::Select, &[running, new_high, high]);
    let gap = map(&mut body, ScalarOp::Sub, &[next_high, next_low]);
    let goes_on = map(&mut body, ScalarOp::Lt, &[tolerance, gap]);
    let still = map(&mut body, ScalarOp::And, &[running, goes_on]);
    body.outputs = vec![still, next_low, next_high];
    let mut graph = Graph::new();
    let (x, running) = (graph.input(t.clone()), graph.input(mask.clone()));
    let zero = map(&mut graph, ScalarOp::Sub, &[x, x]);
    let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 0, n_body_captures: 1 };
    let first = graph.push(op, &[x, running, zero, x], vec![mask, t.clone(), t], 7);
    graph.outputs = (0..3).map(|i| Value(first.0 + i)).collect();
    let x = Buffer::from_vec((0..n).map(|i| 1.0 + (i * i % 977) as f64 * 3.7).collect::<Vec<f64>>());
    let running = Buffer::from_vec((0..n).map(|i| i % 5 != 3).collect::<Vec<bool>>());
    (graph, vec![Arc::new(x), Arc::new(running)])
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

/// Runs a test alone, since the number of threads is the process's.
fn alone(test: impl FnOnce()) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = num_threads();
    test();
    set_num_threads(before);
}

#[track_caller]
fn check(name: &str, (graph, inputs): &(Graph, Vec<Arc<Buffer>>)) {
    alone(|| {
        let executable = Executable::compile(graph);
        set_num_threads(1);
        let expected = executable.run(inputs).expect("nothing fails");
        for n_threads in [2, 3, 8] {
            set_num_threads(n_threads);
            for _ in 0..5 {
                assert_eq!(executable.run(inputs).expect("nothing fails"), expected, "{name}, {n_threads} threads");
            }
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_eq!(executable.run(inputs).expect("nothing fails"), expected, "{name}"));
                }
            });
        }
    });
}

#[test]
fn matrices_at_any_number_of_threads() {
    for (m, n, k) in
        [(1, 1, 1), (3, 70_001, 2), (1000, 257, 300), (613, 411, 509), (20_000, 40, 3), (40, 5000, 3), (0, 5, 3)]
    {
        check(&format!("{m}×{n}×{k}"), &matrices(m, n, k));
    }
}

#[test]
fn products_of_many_at_any_number_of_threads() {
    for (count, m, k, n) in
        [(10_001, 4, 4, 4), (3_001, 8, 8, 1), (997, 16, 16, 16), (33, 70, 65, 40), (3, 300, 200, 250)]
    {
        check(&format!("{count} of {m}×{k}×{n}"), &products(count, m, k, n));
    }
}

#[test]
fn sums_of_everything_at_any_number_of_threads() {
    // Around the lengths after which levels of the sum are full.
    for n in [8192, 8193, 131_071, 131_072, 131_073, 16 * 131_072 + 5] {
        check(&format!("{n}"), &matrices(1, n, 1));
    }
}

#[test]
fn strips_at_any_number_of_threads() {
    for (m, n) in [(1024, 256), (4096, 512), (3000, 1000), (777, 640)] {
        check(&format!("{m}×{n}"), &softmax(m, n));
    }
}

#[test]
fn rows_at_any_number_of_threads() {
    for (m, n) in [(300, 1001), (1, 300_000), (50_000, 6)] {
        check(&format!("{m}×{n}"), &rows(m, n));
    }
}

#[test]
fn loops_of_each_element_at_any_number_of_threads() {
    for n in [31, 33, 10_000, 100_003] {
        check(&format!("{n}"), &halving(n, 1e-9));
    }
}

#[test]
fn systems_at_any_number_of_threads() {
    for (count, n) in [(1, 4), (10_001, 4), (1_003, 16), (70, 33), (9, 300), (2, 701), (1, 1100)] {
        alone(|| {
            set_num_threads(1);
            let expected = solved(count, n);
            for n_threads in [2, 3, 8] {
                set_num_threads(n_threads);
                assert_eq!(solved(count, n), expected, "{count} of order {n}, {n_threads} threads");
            }
        });
    }
}

/// Whatever thread stops, the run does, and the next one starts afresh.
#[test]
fn loops_of_each_element_stop_on_all_threads() {
    let (graph, inputs) = halving(20_000, -1.0);
    alone(|| {
        let executable = Executable::compile(&graph);
        for n_threads in [1, 2, 8] {
            set_num_threads(n_threads);
            for _ in 0..3 {
                interrupt::set_max_iterations(Some(100));
                let outcome = executable.run(&inputs);
                let Err(RunError::Stopped { origin: 7, reason: StopReason::MaxIterations(100) }) = outcome else {
                    panic!("{n_threads} threads: {outcome:?}");
                };
                interrupt::set_max_iterations(None);
                interrupt::set_stop_callback(Some(Arc::new(|| false)));
                let outcome = executable.run(&inputs);
                interrupt::set_stop_callback(None);
                // Between rounds, or in an operation of one.
                let Err(RunError::Stopped { origin: 7 | 0, reason: StopReason::Callback }) = outcome else {
                    panic!("{n_threads} threads: {outcome:?}");
                };
            }
        }
        // A stop that came before a run does not concern it, nor the workers.
        interrupt::request_stop();
        let (graph, inputs) = halving(20_000, 1e-9);
        Executable::compile(&graph).run(&inputs).expect("nothing stops it");
    });
}
