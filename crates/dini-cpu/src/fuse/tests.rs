//! What becomes one kernel, printed.

use super::{Item, fuse};
use crate::{
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, DotAxes, Graph, Op, OutOfBounds, Strided, TensorType, Value},
    scalar::ScalarOp,
};
use std::{fmt::Write, sync::Arc};

fn input(g: &mut Graph, shape: &[usize]) -> Value {
    g.input(TensorType::new(DType::F64, shape))
}

fn map(g: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let out = args.iter().map(|&v| g.type_of(v)).max_by_key(|t| t.shape.len()).expect("there are operands").clone();
    g.push(Op::Map(op), args, vec![out], 0)
}

fn view(g: &mut Graph, x: Value, shape: &[usize], strides: &[isize], offset: usize) -> Value {
    let strided = Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset };
    g.push(Op::View(strided), &[x], vec![TensorType::new(DType::F64, shape)], 0)
}

fn sum(g: &mut Graph, x: Value, axes: &[usize]) -> Value {
    let out = g.type_of(x).without_axes(axes);
    g.push(Op::Reduce { combine: Combine::Add, axes: axes.to_vec() }, &[x], vec![out], 0)
}

/// Fuses and compares the print.
#[track_caller]
fn check(mut graph: Graph, outputs: &[Value], expected: &str) {
    graph.outputs = outputs.to_vec();
    assert_eq!(graph.check(), Ok(()));
    let mut got = String::new();
    for item in fuse(&graph).items {
        match item {
            Item::Kernel { kernel, operands } => {
                assert_eq!(kernel.check(), Ok(()));
                kernel.print(&mut got, "", &|i| format!("%{}", operands[i].0)).expect("strings take everything");
            }
            Item::Node(position) => {
                writeln!(got, "{}", graph.nodes[position].op.name()).expect("strings take everything")
            }
        }
    }
    let lines = |text: &str| {
        text.lines().map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&got), lines(expected), "\n{got}");
}

#[test]
fn chains_are_one_kernel_with_several_results() {
    let mut g = Graph::new();
    let (x, s) = (input(&mut g, &[4]), input(&mut g, &[]));
    let scaled = map(&mut g, ScalarOp::Mul, &[x, s]);
    let sin = map(&mut g, ScalarOp::Sin, &[scaled]);
    let y = map(&mut g, ScalarOp::Add, &[sin, x]);
    map(&mut g, ScalarOp::Cos, &[y]);
    let expected = "
        kernel 4
          r0:f64 = %0[]
          r1:f64 = %1[@0]
          r2:f64 = Mul r0 r1
          r3:f64 = Sin r2
          r4:f64 = Add r3 r0
          %3 = r3
          %4 = r4";
    check(g, &[sin, y], expected);
}

#[test]
fn views_become_loads() {
    let mut g = Graph::new();
    let (x, v) = (input(&mut g, &[2, 3]), input(&mut g, &[3]));
    let transposed = view(&mut g, x, &[3, 2], &[1, 3], 0);
    let reversed = view(&mut g, transposed, &[3, 2], &[-2, 1], 4);
    let columns = view(&mut g, v, &[3, 2], &[1, 0], 0);
    let out = map(&mut g, ScalarOp::Add, &[reversed, columns]);
    let expected = "
        kernel 6
          r0:f64 = %0[2 + 3:-1 2:3]
          r1:f64 = %1[0 + 3:1 2:0]
          r2:f64 = Add r0 r1
          %5 = r2";
    check(g, &[out], expected);
}

#[test]
fn reductions_take_their_operand_in() {
    let mut g = Graph::new();
    let (x, y) = (input(&mut g, &[5, 7]), input(&mut g, &[5, 7]));
    let product = map(&mut g, ScalarOp::Mul, &[x, y]);
    let by_column = sum(&mut g, product, &[0]);
    let total = sum(&mut g, by_column, &[0]);
    let expected = "
        kernel 35 = 1×(5)×7
          r0:f64 = %0[]
          r1:f64 = %1[]
          r2:f64 = Mul r0 r1
          %3 = Add r2
        kernel 7 = 1×(7)×1
          r0:f64 = %3[]
          %4 = Add r0";
    check(g, &[total], expected);
}

#[test]
fn reductions_order_their_axes() {
    let mut g = Graph::new();
    let x = input(&mut g, &[2, 3, 4]);
    let out = sum(&mut g, x, &[0, 2]);
    let expected = "
        kernel 24 = 3×(8)×1
          r0:f64 = %0[0 + 3:4 2:12 4:1]
          %1 = Add r0";
    check(g, &[out], expected);
}

#[test]
fn values_of_several_kernels_are_stored_once() {
    let mut g = Graph::new();
    let x = input(&mut g, &[8]);
    let e = map(&mut g, ScalarOp::Exp, &[x]);
    let total = sum(&mut g, e, &[0]);
    let out = map(&mut g, ScalarOp::Div, &[e, total]);
    let expected = "
        kernel 8 = 1×(8)×1
          r0:f64 = %0[]
          r1:f64 = Exp r0
          %1 = r1
          %2 = Add r1
        kernel 8
          r0:f64 = %1[]
          r1:f64 = %2[@0]
          r2:f64 = Div r0 r1
          %3 = r2";
    check(g, &[out], expected);
}

#[test]
fn kernels_merge_unless_something_stands_between() {
    let mut g = Graph::new();
    let (a, b) = (input(&mut g, &[1000]), input(&mut g, &[1000]));
    let (sin, cos) = (map(&mut g, ScalarOp::Sin, &[a]), map(&mut g, ScalarOp::Cos, &[b]));
    let axes = DotAxes { lhs_contract: vec![0], rhs_contract: vec![0], ..DotAxes::default() };
    let dot = g.push(Op::Dot(axes), &[sin, a], vec![TensorType::scalar(DType::F64)], 0);
    let scaled = map(&mut g, ScalarOp::Mul, &[cos, dot]);
    let out = map(&mut g, ScalarOp::Add, &[scaled, sin]);
    let expected = "
        kernel 1000
          r0:f64 = %0[]
          r1:f64 = Sin r0
          %2 = r1
        dot
        kernel 1000
          r0:f64 = %1[]
          r1:f64 = Cos r0
          r2:f64 = %4[@0]
          r3:f64 = Mul r1 r2
          r4:f64 = %2[]
          r5:f64 = Add r3 r4
          %6 = r5";
    check(g, &[out], expected);
}

/// The choice reads a register of one kernel, its sum, and a register of another: none of them may become one with the
/// first.
#[test]
fn a_sum_and_what_it_sums_are_not_read_in_one_kernel() {
    let mut g = Graph::new();
    let (x, z) = (input(&mut g, &[1000]), input(&mut g, &[1000]));
    let neg = map(&mut g, ScalarOp::Neg, &[x]);
    let total = sum(&mut g, neg, &[0]);
    let exp = map(&mut g, ScalarOp::Exp, &[z]);
    let out = map(&mut g, ScalarOp::Clamp, &[neg, total, exp]);
    let expected = "
        kernel 1000 = 1×(1000)×1
          r0:f64 = %0[]
          r1:f64 = Neg r0
          %2 = r1
          %3 = Add r1
        kernel 1000
          r0:f64 = %1[]
          r1:f64 = Exp r0
          r2:f64 = %2[]
          r3:f64 = %3[@0]
          r4:f64 = Clamp r2 r3 r1
          %5 = r4";
    check(g, &[out], expected);
}

#[test]
fn counts_are_not_stored() {
    let mut g = Graph::new();
    let x = input(&mut g, &[3, 2]);
    let rows = g.push(Op::Iota { axis: 0 }, &[], vec![TensorType::new(DType::F64, &[3, 2])], 0);
    let out = map(&mut g, ScalarOp::Mul, &[x, rows]);
    let expected = "
        kernel 6
          r0:f64 = %0[]
          r1:f64 = count[0 + 3:1 2:0]
          r2:f64 = Mul r0 r1
          %2 = r2";
    check(g, &[out], expected);
}

#[test]
fn elements_are_read_by_the_kernel_that_has_their_indices() {
    let mut g = Graph::new();
    let (x, n) = (input(&mut g, &[100]), 70);
    let at = g.input(TensorType::new(DType::I32, &[n, 1]));
    let next = map(&mut g, ScalarOp::Add, &[at, at]);
    let part = view(&mut g, x, &[90], &[1], 5);
    let gather = |g: &mut Graph, x: Value, at: Value, mode: OutOfBounds| {
        g.push(Op::Gather { n_batch: 0, mode }, &[x, at], vec![TensorType::new(DType::F64, &[n])], 0)
    };
    let gathered = gather(&mut g, part, next, OutOfBounds::Zero);
    let square = map(&mut g, ScalarOp::Mul, &[gathered, gathered]);
    // Of the kernel's own result: a pass of its own.
    let again = gather(&mut g, square, at, OutOfBounds::Clip);
    let total = sum(&mut g, again, &[0]);
    let expected = "
        kernel 70
          r0:i32 = %1[]
          r1:i32 = Add r0 r0
          r2:f64 = %0[5..95 at r1]
          r3:f64 = Mul r2 r2
          %5 = r3
        kernel 70 = 1×(70)×1
          r0:i32 = %1[]
          r1:f64 = %5[0..70 at r0 clamped]
          %7 = Add r1";
    check(g, &[total], expected);
}

#[test]
fn few_elements_rows_and_several_indices_are_gathered_apart() {
    for (shape, indices, n_batch) in
        [(&[9][..], &[64, 1][..], 0), (&[9, 2], &[70, 1], 0), (&[9, 2], &[70, 2], 0), (&[2, 9], &[2, 70, 1], 1)]
    {
        let mut g = Graph::new();
        let x = input(&mut g, shape);
        let at = g.input(TensorType::new(DType::I32, indices));
        let (places, k) = (&indices[..indices.len() - 1], indices[indices.len() - 1]);
        let out = TensorType::new(DType::F64, &[places, &shape[n_batch + k..]].concat());
        let gathered = g.push(Op::Gather { n_batch, mode: OutOfBounds::Fill }, &[x, at], vec![out], 0);
        check(g, &[gathered], "gather");
    }
}

#[test]
fn unused_nodes_go_and_views_of_outputs_are_copied() {
    let mut g = Graph::new();
    let x = input(&mut g, &[2, 2]);
    map(&mut g, ScalarOp::Sin, &[x]);
    let c = g.push(Op::Const(Arc::new(Buffer::scalar(1.0))), &[], vec![TensorType::scalar(DType::F64)], 0);
    sum(&mut g, c, &[]);
    let transposed = view(&mut g, x, &[2, 2], &[1, 2], 0);
    let flat = view(&mut g, x, &[4], &[1], 0);
    let expected = "
        kernel 4
          r0:f64 = %0[0 + 2:1 2:2]
          %4 = r0";
    check(g, &[transposed, flat], expected);
}

#[test]
fn padding_with_a_constant_becomes_a_load() {
    let mut g = Graph::new();
    let x = input(&mut g, &[2, 2]);
    let one = Arc::new(Buffer::scalar(1.0));
    let fill = g.push(Op::Const(one), &[], vec![TensorType::scalar(DType::F64)], 0);
    let inner = Strided { shape: vec![2, 2], strides: vec![4, 1], offset: 5 };
    let wide = vec![TensorType::new(DType::F64, &[4, 4])];
    let wide = g.push(Op::Assemble { boxes: vec![inner] }, &[fill, x], wide, 0);
    let right = view(&mut g, wide, &[2, 2], &[4, 1], 6);
    let sum = map(&mut g, ScalarOp::Sub, &[x, right]);
    let expected = "
        const
        kernel 4
          r0:f64 = %0[]
          r1:f64 = %0[1 + 2:2 2:1 in 0..1]
          r2:f64 = Sub r0 r1
          %4 = r2";
    check(g, &[sum], expected);
}

fn identity(g: &mut Graph, n: usize) -> Value {
    let t = |dtype| TensorType::new(dtype, &[n, n]);
    let [row, column] = [0, 1].map(|axis| g.push(Op::Iota { axis }, &[], vec![t(DType::I64)], 0));
    let is_equal = g.push(Op::Map(ScalarOp::Eq), &[row, column], vec![t(DType::Bool)], 0);
    g.push(Op::Map(ScalarOp::Cast(DType::F64)), &[is_equal], vec![t(DType::F64)], 0)
}

/// Σ (x·I), and I times it.
fn twice_by_the_identity(g: &mut Graph, x: Value) -> (Value, Value) {
    let identity = identity(g, 9);
    let product = map(g, ScalarOp::Mul, &[x, identity]);
    let trace = sum(g, product, &[0, 1]);
    let out = map(g, ScalarOp::Mul, &[identity, trace]);
    (identity, out)
}

#[test]
fn what_counts_give_is_computed_where_it_is_read() {
    let mut g = Graph::new();
    let x = input(&mut g, &[9, 9]);
    let (_, out) = twice_by_the_identity(&mut g, x);
    let expected = "
        kernel 81 = 1×(81)×1
          r0:i64 = count[0 + 9:1 9:0]
          r1:i64 = count[0 + 9:0 9:1]
          r2:bool = Eq r0 r1
          r3:f64 = Cast(F64) r2
          r4:f64 = %0[]
          r5:f64 = Mul r4 r3
          %6 = Add r5
        kernel 81
          r0:i64 = count[0 + 9:1 9:0]
          r1:i64 = count[0 + 9:0 9:1]
          r2:bool = Eq r0 r1
          r3:f64 = Cast(F64) r2
          r4:f64 = %6[@0]
          r5:f64 = Mul r3 r4
          %7 = r5";
    check(g, &[out], expected);
}

/// The first kernel that computes it stores it, the others go on computing it; at other points it is read.
#[test]
fn what_counts_give_is_stored_once_if_it_is_read_otherwise() {
    let mut g = Graph::new();
    let x = input(&mut g, &[9, 9]);
    let (identity, out) = twice_by_the_identity(&mut g, x);
    let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
    let dot = g.push(Op::Dot(axes), &[out, identity], vec![TensorType::new(DType::F64, &[9, 9])], 0);
    let diagonal = view(&mut g, identity, &[9], &[10], 0);
    let ones = map(&mut g, ScalarOp::Neg, &[diagonal]);
    let expected = "
        kernel 81 = 1×(81)×1
          r0:i64 = count[0 + 9:1 9:0]
          r1:i64 = count[0 + 9:0 9:1]
          r2:bool = Eq r0 r1
          r3:f64 = Cast(F64) r2
          r4:f64 = %0[]
          r5:f64 = Mul r4 r3
          %4 = r3
          %6 = Add r5
        kernel 81
          r0:i64 = count[0 + 9:1 9:0]
          r1:i64 = count[0 + 9:0 9:1]
          r2:bool = Eq r0 r1
          r3:f64 = Cast(F64) r2
          r4:f64 = %6[@0]
          r5:f64 = Mul r3 r4
          %7 = r5
        dot
        kernel 9
          r0:f64 = %4[0 + 9:10]
          r1:f64 = Neg r0
          %10 = r1";
    check(g, &[dot, ones], expected);
}

/// Whether a group computes it for itself or not: that is at the same points.
#[test]
fn what_counts_give_is_stored_for_a_group_that_reads_it_at_other_points_too() {
    let mut g = Graph::new();
    let t = TensorType::new(DType::I64, &[3, 9, 3]);
    let count = g.push(Op::Iota { axis: 0 }, &[], vec![t.clone()], 0);
    let twice = g.push(Op::Map(ScalarOp::Add), &[count, count], vec![t.clone()], 0);
    let negative = g.push(Op::Map(ScalarOp::Neg), &[twice], vec![t.clone()], 0);
    let sum = g.push(
        Op::Reduce { combine: Combine::Add, axes: vec![0, 2] },
        &[twice],
        vec![TensorType::new(DType::I64, &[9])],
        0,
    );
    let expected = "
        kernel 81
          r0:i64 = count[0 + 3:1 27:0]
          r1:i64 = Add r0 r0
          %1 = r1
        kernel 81 = 9×(9)×1
          r0:i64 = count[0 + 3:1 27:0]
          r1:i64 = Add r0 r0
          r2:i64 = Neg r1
          r3:i64 = %1[0 + 9:3 3:27 3:1]
          %2 = r2
          %3 = Add r3";
    check(g, &[negative, sum], expected);
}
