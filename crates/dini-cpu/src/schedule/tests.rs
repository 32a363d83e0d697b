//! Where values live, printed.

use super::schedule;
use crate::{
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, Graph, Op, TensorType, Value},
    scalar::ScalarOp,
};
use std::sync::Arc;

fn vector(n: usize) -> TensorType {
    TensorType::new(DType::F64, &[n])
}

fn map(g: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let out = args.iter().map(|&v| g.type_of(v)).max_by_key(|t| t.shape.len()).expect("there are operands").clone();
    g.push(Op::Map(op), args, vec![out], 0)
}

fn cumulative(g: &mut Graph, x: Value) -> Value {
    let out = g.type_of(x).clone();
    g.push(Op::Cumulative { combine: Combine::Add, axis: 0, reverse: false }, &[x], vec![out], 0)
}

/// Schedules and compares the print.
#[track_caller]
fn check(mut graph: Graph, outputs: &[Value], expected: &str) {
    graph.outputs = outputs.to_vec();
    assert_eq!(graph.check(), Ok(()));
    let got = schedule(&graph).to_string();
    let lines = |text: &str| {
        text.lines().map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&got), lines(expected), "\n{got}");
}

#[test]
fn slots_are_used_again() {
    let mut g = Graph::new();
    let mut x = g.input(vector(4));
    for _ in 0..4 {
        x = cumulative(&mut g, x);
    }
    let expected = "
        s0: input 0
        s1: temporary 32
        s2: result 32
        kernel 4 = 1×(4)×1
          r0:f64 = s0[]
          s1 = cumulative Add r0
        kernel 4 = 1×(4)×1
          r0:f64 = s1[]
          s2 = cumulative Add r0
        kernel 4 = 1×(4)×1
          r0:f64 = s2[]
          s1 = cumulative Add r0
        kernel 4 = 1×(4)×1
          r0:f64 = s1[]
          s2 = cumulative Add r0
        return s2:f64[4]";
    check(g, &[x], expected);
}

#[test]
fn elementwise_results_replace_operands_that_die() {
    let mut g = Graph::new();
    let x = g.input(vector(4));
    let sums = cumulative(&mut g, x);
    let sin = map(&mut g, ScalarOp::Sin, &[sums]);
    let expected = "
        s0: input 0
        s1: result 32
        kernel 4 = 1×(4)×1
          r0:f64 = s0[]
          s1 = cumulative Add r0
        kernel 4
          r0:f64 = s1[]
          r1:f64 = Sin r0
          s1 = r1
        return s1:f64[4]";
    check(g, &[sin], expected);
}

#[test]
fn states_of_loops_trade_places() {
    let mut body = Graph::new();
    let x = body.input(vector(4));
    let y = body.input(vector(4));
    let sums = cumulative(&mut body, x);
    let new = map(&mut body, ScalarOp::Add, &[sums, y]);
    body.outputs = vec![new, x];
    let mut g = Graph::new();
    let x = g.input(vector(4));
    let op = Op::Scan { body: Arc::new(body), n_captures: 0, n_carry: 2, length: 3, reverse: false };
    let first = g.push(op, &[x, x], vec![vector(4), vector(4)], 0);
    let expected = "
        s0: input 0
        s1: result 32
        s2: temporary 32
        s3: temporary 32
        s4: temporary 32
        s1 = copy s0:f64[4]
        s2 = copy s0:f64[4]
        scan 3
          kernel 4 = 1×(4)×1
            r0:f64 = s1[]
            s3 = cumulative Add r0
          kernel 4
            r0:f64 = s3[]
            r1:f64 = s2[]
            r2:f64 = Add r0 r1
            s4 = r2
          swap s1 s4
          swap s2 s4
        return s1:f64[4]";
    check(g, &[first], expected);
}

#[test]
fn updates_of_a_state_are_in_place() {
    let i32s = TensorType::scalar(DType::I32);
    let mut body = Graph::new();
    let (i, x) = (body.input(i32s.clone()), body.input(vector(100)));
    let one = body.push(Op::Const(Arc::new(Buffer::scalar(1i32))), &[], vec![i32s.clone()], 0);
    let next = map(&mut body, ScalarOp::Add, &[i, one]);
    let start = TensorType::new(DType::I32, &[1]);
    let strided = crate::graph::Strided::dense(&[1]);
    let starts = body.push(Op::View(strided), &[i], vec![start], 0);
    let value = body.push(Op::DynamicSlice { n_batch: 0, sizes: vec![1] }, &[x, starts], vec![vector(1)], 0);
    let new = body.push(Op::DynamicUpdate { n_batch: 0 }, &[x, value, starts], vec![vector(100)], 0);
    body.outputs = vec![next, new];
    let mut g = Graph::new();
    let (i, x) = (g.input(i32s.clone()), g.input(vector(100)));
    let op = Op::Scan { body: Arc::new(body), n_captures: 0, n_carry: 2, length: 3, reverse: false };
    let first = g.push(op, &[i, x], vec![i32s, vector(100)], 0);
    let expected = "
        s0: input 0
        s1: input 1
        s2: temporary 4
        s3: result 800
        s4: constant i32[1][1]
        s5: temporary 4
        s6: temporary 8
        s2 = copy s0:i32[1]
        s3 = copy s1:f64[100]
        scan 3
          kernel 1
            r0:i32 = s2[]
            r1:i32 = s4[]
            r2:i32 = Add r0 r1
            s5 = r2
          s6 = dynamic_slice s3:f64[100] s2:i32[1] [1]
          s3:f64[100] = dynamic_update s3 s6 s2:i32[1]
          swap s2 s5
        return s3:f64[100]";
    check(g, &[Value(first.0 + 1)], expected);
}

#[test]
fn rows_pass_through_kernels_in_strips() {
    let mut g = Graph::new();
    let field = TensorType::new(DType::F64, &[512, 1024]);
    let x = g.input(field.clone());
    let op = Op::Reduce { combine: Combine::Add, axes: vec![1] };
    let sums = g.push(op, &[x], vec![vector(512)], 0);
    let across = crate::graph::Strided { shape: vec![512, 1024], strides: vec![1, 0], offset: 0 };
    let across = g.push(Op::View(across), &[sums], vec![field], 0);
    let centred = map(&mut g, ScalarOp::Sub, &[x, across]);
    let expected = "
        s0: input 0
        s1: temporary 4096
        s2: result 4194304
        strips of 15 of 512 rows s1:8
          kernel 524288 = 512×(1024)×1
            r0:f64 = s0[]
            s1 = Add r0
          kernel 524288
            r0:f64 = s0[]
            r1:f64 = s1[0 + 512:1 1024:0]
            r2:f64 = Sub r0 r1
            s2 = r2
        return s2:f64[524288]";
    check(g, &[centred], expected);
}
