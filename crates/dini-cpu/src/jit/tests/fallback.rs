//! Without the instructions or without executable memory the interpreter runs everything.

use super::super::{LACKING, memory::DENIED};
use crate::{
    buffer::Buffer,
    dtype::DType,
    executable::Executable,
    executor::Executor,
    graph::{Graph, Op, TensorType},
    scalar::ScalarOp,
};
use std::sync::Arc;

/// Compiles x² + x for an executor and checks that it runs.
#[track_caller]
fn check(executor: Executor) {
    let mut graph = Graph::new();
    let t = TensorType::new(DType::F64, &[5]);
    let x = graph.input(t.clone());
    let square = graph.push(Op::Map(ScalarOp::Mul), &[x, x], vec![t.clone()], 0);
    graph.outputs = vec![graph.push(Op::Map(ScalarOp::Add), &[square, x], vec![t], 0)];
    let input = Arc::new(Buffer::from_slice(&[0.0, 1.0, 2.0, 3.0, 4.0]));
    let outputs = Executable::compile_with(&graph, &executor.into()).run(&[input]).expect("nothing fails");
    assert_eq!(outputs[0].as_slice::<f64>(), [0.0, 2.0, 6.0, 12.0, 20.0]);
}

#[test]
fn processors_may_lack_instructions() {
    let all = Executor::available();
    for lacking in [Executor::Avx2, Executor::Avx512] {
        LACKING.set(Some(lacking));
        let rest: Vec<Executor> = all.iter().copied().filter(|&executor| executor < lacking).collect();
        assert_eq!(Executor::available(), rest);
        check(Executor::Avx2);
        check(Executor::Avx512);
        LACKING.set(None);
    }
}

/// Memory for the first programs does not mean memory for all.
#[test]
fn the_system_may_deny_executable_memory_at_any_time() {
    let all = Executor::available();
    DENIED.set(true);
    all.into_iter().for_each(check);
    DENIED.set(false);
}
