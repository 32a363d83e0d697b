//! Tests: what is contracted, and what it computes.

use crate::{
    CompileOptions, Executable, Executor,
    buffer::Buffer,
    dtype::{DType, Element},
    graph::{Graph, Op, TensorType, Value},
    scalar::ScalarOp::{self, Add, Div, Mul, MulAdd, Sub},
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

/// The operations that the outputs need, in order.
fn needed(graph: &Graph) -> Vec<ScalarOp> {
    let mut is_needed = vec![false; graph.types.len()];
    graph.outputs.iter().for_each(|out| is_needed[out.0 as usize] = true);
    let mut ops = vec![];
    for node in graph.nodes.iter().rev() {
        if !node.outs().any(|out| is_needed[out.0 as usize]) {
            continue;
        }
        node.args.iter().for_each(|arg| is_needed[arg.0 as usize] = true);
        if let Op::Map(op) = node.op {
            ops.push(op);
        }
    }
    ops.reverse();
    ops
}

/// The first input after operations with constants, and after those, if `is_added`, the second input is added.
fn scaled<T: Element>(steps: &[(ScalarOp, T)], is_added: bool) -> Graph {
    let t = || TensorType::scalar(T::DTYPE);
    let mut graph = Graph::new();
    let [mut x, y] = [graph.input(t()), graph.input(t())];
    for &(op, constant) in steps {
        let constant = graph.push(Op::Const(Arc::new(Buffer::scalar(constant))), &[], vec![t()], 0);
        x = graph.push(Op::Map(op), &[x, constant], vec![t()], 0);
    }
    if is_added {
        x = graph.push(Op::Map(Add), &[x, y], vec![t()], 0);
    }
    graph.outputs = vec![x];
    graph
}

/// What all executors make of x and y, with contraction or without.
fn run_scaled<T: Element>(graph: &Graph, contract: bool, x: T, y: T) -> T {
    let inputs = [x, y].map(|x| Arc::new(Buffer::scalar(x)));
    let mut outs = Executor::available().into_iter().map(|executor| {
        let executable = Executable::compile_with(graph, &CompileOptions { contract, ..executor.into() });
        executable.run(&inputs).expect("nothing fails").remove(0)
    });
    let first = outs.next().expect("there is an interpreter");
    outs.for_each(|out| assert_eq!(out.bytes(), first.bytes(), "the executors differ"));
    first.as_slice::<T>()[0]
}

#[test]
fn constants_that_follow_one_another_are_one() {
    for (steps, is_added, contracted) in [
        (vec![(Mul, 3.0), (Mul, 0.7)], false, vec![Mul]),
        (vec![(Mul, 3.0), (Mul, 0.7), (Div, 11.0), (Mul, 0.1)], false, vec![Mul]),
        (vec![(Div, 6.0), (Mul, 0.01)], true, vec![MulAdd]),
        (vec![(Div, 6.0), (Div, 0.01)], true, vec![MulAdd]),
        (vec![(Div, 6.0)], true, vec![MulAdd]),
        // Alone it is as exact as can be.
        (vec![(Div, 6.0)], false, vec![Div]),
    ] {
        assert_eq!(needed(&scaled::<f64>(&steps, is_added).contracted()), contracted, "{steps:?}");
    }
}

#[test]
fn scaling_loses_no_more_than_its_roundings() {
    // The steps in f32 have at most one rounding each, 2⁻²⁴ of the value; f64 is the reference.
    for steps in [
        vec![(Div, 6.0_f32), (Mul, 0.01)],
        vec![(Div, 3.0), (Div, 7.0)],
        vec![(Mul, 0.1), (Mul, 0.7), (Div, 0.3)],
        vec![(Mul, 1e30), (Div, 3e25), (Mul, 1e-9)],
    ] {
        let graph = scaled(&steps, false);
        for k in 1..200 {
            let x = (k as f32 * 0.618_034).fract() + 1.0;
            let exact = steps.iter().fold(f64::from(x), |x, &(op, constant)| match op {
                Mul => x * f64::from(constant),
                _ => x / f64::from(constant),
            });
            let error = (f64::from(run_scaled(&graph, true, x, 0.0)) - exact).abs() / exact;
            assert!(error <= steps.len() as f64 * 2_f64.powi(-24) * 1.001, "{steps:?} of {x}: {error:e}");
        }
    }
}

#[test]
fn a_constant_divisor_is_a_factor_of_the_sum() {
    // 1/3 rounded to f64 is (1 − 2⁻⁵⁴)/3: three of them are 1 only if the product is rounded.
    let graph = scaled(&[(Div, 3.0_f64)], true);
    assert_eq!(run_scaled(&graph, false, 3.0, -1.0), 0.0);
    assert_eq!(run_scaled(&graph, true, 3.0, -1.0), -(2_f64.powi(-54)));
}

#[test]
fn constants_at_the_ends_of_the_range_stay() {
    let ends = [0.0, -0.0, f64::INFINITY, f64::NAN, 5e-324, f64::MIN_POSITIVE / 2.0];
    for (end, op) in ends.into_iter().flat_map(|end| [(end, Mul), (end, Div)]) {
        let graph = scaled(&[(op, end), (Div, 4.0)], false);
        for x in [0.0, 1.0, -3.0, f64::INFINITY, 1e300, 5e-324] {
            let [loose, contracted] = [false, true].map(|contract| run_scaled(&graph, contract, x, 0.0));
            assert_eq!(loose.to_bits(), contracted.to_bits(), "{x:e} {op:?} {end:e}");
        }
    }
    // What would leave the range on the way does not, as with products and sums.
    let graph = scaled(&[(Mul, f64::MAX), (Div, 4.0)], false);
    assert_eq!(run_scaled(&graph, true, 2.0, 0.0), f64::MAX / 2.0);
}

#[test]
fn scales_that_are_read_and_those_of_integers_stay() {
    let mut read = scaled(&[(Div, 6.0), (Mul, 0.01)], false);
    read.outputs.push(Value(3));
    assert_eq!(needed(&read.contracted()), [Div, Mul]);
    assert_eq!(run_scaled(&read, true, 1.0, 0.0), 1.0 / 6.0 * 0.01);
    let whole = scaled(&[(Div, 6_i64), (Mul, 2)], true);
    assert_eq!(needed(&whole.contracted()), [Div, Mul, Add]);
    assert_eq!(run_scaled(&whole, true, 7_i64, 0), 2);
}

#[test]
fn subtracted_scales_have_negative_constants() {
    let mut graph = scaled(&[(Div, 6.0)], false);
    let quotient = graph.outputs[0];
    let difference = Op::Map(Sub);
    graph.outputs = vec![graph.push(difference, &[Value(1), quotient], vec![TensorType::scalar(DType::F64)], 0)];
    assert_eq!(needed(&graph.contracted()), [MulAdd]);
    assert_eq!(run_scaled(&graph, true, 3.0, 0.5), 3.0_f64.mul_add(-1.0 / 6.0, 0.5));
}
