//! Loops that become one function.

use super::{check, map};
use crate::{
    buffer::Buffer,
    counters,
    dtype::DType::{Bool, F32, F64},
    executable::Executable,
    executor::Executor,
    graph::{Combine, Graph, Op, TensorType, Value},
    scalar::ScalarOp::*,
};
use std::sync::Arc;

/// A square root by halving for each element, as `vmap` of a loop is: chunks that stop one by one, with a captured array
/// and a captured element, at lengths around those of chunks.
#[test]
fn loops_of_each_element() {
    for n in [1, 7, 31, 32, 33, 64, 100, 1000] {
        for dtype in [F64, F32] {
            let (t, mask_t) = (TensorType::new(dtype, &[n]), TensorType::new(Bool, &[n]));
            let constant = |graph: &mut Graph, x: f64| {
                let x = if dtype == F32 { Buffer::scalar(x as f32) } else { Buffer::scalar(x) };
                graph.push(Op::Const(Arc::new(x)), &[], vec![TensorType::scalar(dtype)], 0)
            };
            let mut cond = Graph::new();
            let running = cond.input(mask_t.clone());
            cond.input(t.clone());
            cond.input(t.clone());
            let any = Op::Reduce { combine: Combine::Or, axes: vec![0] };
            cond.outputs = vec![cond.push(any, &[running], vec![TensorType::scalar(Bool)], 0)];
            let mut body = Graph::new();
            let (x, tolerance) = (body.input(t.clone()), body.input(TensorType::scalar(dtype)));
            let (running, low, high) = (body.input(mask_t.clone()), body.input(t.clone()), body.input(t.clone()));
            let half = constant(&mut body, 0.5);
            let sum = map(&mut body, Add, &[low, high]);
            let middle = map(&mut body, Mul, &[sum, half]);
            let square = map(&mut body, Mul, &[middle, middle]);
            let is_less = map(&mut body, Lt, &[square, x]);
            let new_low = map(&mut body, Select, &[is_less, middle, low]);
            let new_high = map(&mut body, Select, &[is_less, high, middle]);
            let next_low = map(&mut body, Select, &[running, new_low, low]);
            let next_high = map(&mut body, Select, &[running, new_high, high]);
            let gap = map(&mut body, Sub, &[next_high, next_low]);
            let bound = map(&mut body, Mul, &[next_high, tolerance]);
            let goes_on = map(&mut body, Lt, &[bound, gap]);
            let still = map(&mut body, And, &[running, goes_on]);
            body.outputs = vec![still, next_low, next_high];
            let mut graph = Graph::new();
            let (x, running) = (graph.input(t.clone()), graph.input(mask_t.clone()));
            let tolerance = constant(&mut graph, 1e-6);
            let zero = map(&mut graph, Sub, &[x, x]);
            let high = map(&mut graph, Abs, &[x]);
            let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 0, n_body_captures: 2 };
            let first = graph.push(op, &[x, tolerance, running, zero, high], vec![mask_t.clone(), t.clone(), t], 0);
            graph.outputs = (0..3).map(|i| Value(first.0 + i)).collect();
            let numbers: Vec<f64> = (0..n).map(|i| 1.0 + (i * i % 977) as f64 * 3.7).collect();
            let x = match dtype {
                F32 => Buffer::from_vec(numbers.iter().map(|&x| x as f32).collect::<Vec<f32>>()),
                _ => Buffer::from_vec(numbers),
            };
            let running = Buffer::from_vec((0..n).map(|i| i % 5 != 3).collect::<Vec<bool>>());
            let inputs = [Arc::new(x), Arc::new(running)];
            check(&format!("{dtype}[{n}]"), &graph, &inputs);
            for executor in Executor::available() {
                let executable = Executable::compile_with(&graph, &executor.into());
                let before = counters::snapshot();
                executable.run(&inputs).expect("nothing fails");
                let n_kernels = counters::snapshot().since(&before).kernels;
                // Three prepare the states and one is the loop, instead of two for each round.
                let is_one = n_kernels <= 4;
                assert!(
                    n < 64 || is_one == (executor != Executor::Interpreter),
                    "{executor}, {dtype}[{n}]: {n_kernels} kernels"
                );
            }
        }
    }
}

/// A loop that does nothing before its inner loops: what these begin with must be there in every round, though no other
/// instruction reads it. Two of them, so that the first result must stand somewhere while the second loop runs.
#[test]
fn initial_states_of_inner_loops_stay_for_all_rounds() {
    let f64s = TensorType::scalar(F64);
    let mut step = Graph::new();
    let state = step.input(f64s.clone());
    step.outputs = vec![map(&mut step, Sin, &[state])];
    let step = Arc::new(step);
    let mut round = Graph::new();
    let starts = [round.input(f64s.clone()), round.input(f64s.clone())];
    let ends = starts.map(|start| {
        let op = Op::Scan { body: step.clone(), n_captures: 0, n_carry: 1, length: 5, reverse: false };
        round.push(op, &[start], vec![f64s.clone()], 0)
    });
    round.outputs = vec![map(&mut round, Sub, &ends)];
    let mut graph = Graph::new();
    let starts = [graph.input(f64s.clone()), graph.input(f64s.clone())];
    let op = Op::Scan { body: Arc::new(round), n_captures: 2, n_carry: 0, length: 3, reverse: false };
    graph.outputs = vec![graph.push(op, &starts, vec![TensorType::new(F64, &[3])], 0)];
    check("two inner loops", &graph, &[0.5, 2.0].map(|x| Arc::new(Buffer::scalar(x))));
}

/// A state is written out before the round ends, and nothing but what nobody needs comes after that: its next one must not
/// take its register before.
#[test]
fn states_that_are_written_out_stay_until_then() {
    let t = TensorType::scalar(F64);
    let mut body = Graph::new();
    let (state, other, _unread, row) =
        (body.input(t.clone()), body.input(t.clone()), body.input(t.clone()), body.input(t.clone()));
    let next = map(&mut body, Neg, &[other]);
    body.outputs = vec![next, other, row, state];
    let mut graph = Graph::new();
    let (x, rows) = (graph.input(t.clone()), graph.input(TensorType::new(F64, &[3])));
    let op = Op::Scan { body: Arc::new(body), n_captures: 0, n_carry: 3, length: 3, reverse: false };
    let stacked = TensorType::new(F64, &[3]);
    let first = graph.push(op, &[x, x, x, rows], vec![t.clone(), t.clone(), t, stacked], 0);
    graph.outputs = vec![Value(first.0 + 3)];
    let inputs = [Arc::new(Buffer::scalar(2.0)), Arc::new(Buffer::from_vec(vec![5.0, 6.0, 7.0]))];
    check("states written out", &graph, &inputs);
}
