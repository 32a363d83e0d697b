//! Results too large for the caches are written past them: the same bits as by the interpreter, at each length and number
//! of threads, and a counter says when.

use dini_cpu::{
    Executable, Executor,
    buffer::Buffer,
    counters,
    dtype::DType,
    graph::{Graph, Op, Strided, TensorType, Value},
    num_threads,
    scalar::ScalarOp,
    set_num_threads,
};
use std::sync::{Arc, Mutex, PoisonError};

/// The elements that make 32 MiB.
const fn limit(dtype: DType) -> usize {
    (32 << 20) / dtype.size()
}

fn map(graph: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let dtypes: Vec<DType> = args.iter().map(|&v| graph.type_of(v).dtype).collect();
    let shape = graph.type_of(args[0]).shape.clone();
    graph.push(Op::Map(op), args, vec![TensorType { dtype: op.result(&dtypes), shape }], 0)
}

/// An input of `n` elements more than `graph`'s vectors have, seen from element `offset` on.
fn input(graph: &mut Graph, dtype: DType, n: usize, offset: usize) -> Value {
    let x = graph.input(TensorType::new(dtype, &[n + offset]));
    let part = Op::View(Strided { shape: vec![n], strides: vec![1], offset });
    if offset == 0 { x } else { graph.push(part, &[x], vec![TensorType::new(dtype, &[n])], 0) }
}

fn data(dtype: DType, n: usize) -> Arc<Buffer> {
    let number = |i: usize| (i % 1013) as f64 * 0.25 - 100.0;
    Arc::new(match dtype {
        DType::F32 => Buffer::from_vec((0..n).map(|i| number(i) as f32).collect()),
        _ => Buffer::from_vec((0..n).map(number).collect()),
    })
}

/// Runs on every executor, at several numbers of threads; `n_past_caches` kernels of machine code write past the caches.
#[track_caller]
fn check(name: &str, graph: &Graph, inputs: &[Arc<Buffer>], n_past_caches: u64) {
    // The number of threads is the process's, and these arrays are large.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(graph.check(), Ok(()), "{name}");
    let before = num_threads();
    let mut expected = None;
    for executor in Executor::available() {
        let executable = Executable::compile_with(graph, &executor.into());
        let is_interpreter = executor == Executor::Interpreter;
        for n_threads in if is_interpreter { &[1][..] } else { &[1, 2, 3] } {
            set_num_threads(*n_threads);
            let start = counters::snapshot();
            let found = executable.run(inputs).expect("nothing fails");
            let counted = counters::snapshot().since(&start).kernels_past_caches;
            let is_equal = *expected.get_or_insert_with(|| found.clone()) == found;
            assert!(is_equal, "{name}, {executor}, {n_threads} threads");
            assert_eq!(counted, if is_interpreter { 0 } else { n_past_caches }, "{name}, {executor}");
        }
    }
    set_num_threads(before);
}

#[test]
fn tails_and_operands_that_are_not_aligned() {
    for dtype in [DType::F32, DType::F64] {
        for (beyond, offset) in [(0, 0), (1, 1), (13, 3), (63, 0), (64, 5)] {
            let n = limit(dtype) + beyond;
            let mut graph = Graph::new();
            let x = input(&mut graph, dtype, n, offset);
            graph.outputs = vec![map(&mut graph, ScalarOp::Mul, &[x, x])];
            check(&format!("{dtype}, {beyond} more, from {offset}"), &graph, &[data(dtype, n + offset)], 1);
        }
    }
}

#[test]
fn smaller_results_stay_in_the_caches() {
    let n = limit(DType::F64) - 1;
    let mut graph = Graph::new();
    let x = input(&mut graph, DType::F64, n, 0);
    graph.outputs = vec![map(&mut graph, ScalarOp::Mul, &[x, x])];
    check("one element less", &graph, &[data(DType::F64, n)], 0);
}

/// Of 1, 4 and 8 bytes each, together above the limit: bytes have no such store.
#[test]
fn results_of_several_types() {
    let n = (32 << 20) / 17 + 7;
    let mut graph = Graph::new();
    let x = input(&mut graph, DType::F64, n, 0);
    let square = map(&mut graph, ScalarOp::Mul, &[x, x]);
    let is_less = map(&mut graph, ScalarOp::Lt, &[square, x]);
    let single = map(&mut graph, ScalarOp::Cast(DType::F32), &[square]);
    let whole = map(&mut graph, ScalarOp::Cast(DType::I32), &[x]);
    graph.outputs = vec![square, is_less, single, whole];
    check("several types", &graph, &[data(DType::F64, n)], 1);
}

/// The next step reads what the first one wrote, from other places and on other threads; the last one works in place.
#[test]
fn what_was_written_is_read_next() {
    let n = limit(DType::F64) + 5;
    let mut graph = Graph::new();
    let x = input(&mut graph, DType::F64, n, 0);
    let square = map(&mut graph, ScalarOp::Mul, &[x, x]);
    let backwards = Op::View(Strided { shape: vec![n], strides: vec![-1], offset: n - 1 });
    let cumulative = Op::Cumulative { combine: dini_cpu::graph::Combine::Max, axis: 0, reverse: false };
    let t = TensorType::new(DType::F64, &[n]);
    let backwards = graph.push(backwards, &[square], vec![t.clone()], 0);
    let largest = graph.push(cumulative, &[backwards], vec![t], 0);
    graph.outputs = vec![map(&mut graph, ScalarOp::Sub, &[largest, square])];
    check("three steps", &graph, &[data(DType::F64, n)], 1);
}
