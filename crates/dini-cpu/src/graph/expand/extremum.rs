//! The place of the first extremum along an axis: the least place at which the element is the extremum.
//!
//! A NaN is the extremum if there is one, and the only number that differs from itself; zeros of either sign are equal, so
//! that the first of them is found whichever the extremum is. Both halves combine without rounding, so their order does
//! not matter. It takes two passes, of vectors, where comparing one element after the other takes one. With machine code
//! they need about a third of its time, on 4096 × 1024 `f32` along either axis: rows of the last one pass through both while
//! the caches hold them (see `schedule/strips.rs`).

use crate::{
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, Graph, Node, Op, Strided, TensorType, Value, strided::row_major},
    scalar::ScalarOp,
};
use std::sync::Arc;

/// Below so many elements two kernels take as long as the loop.
const MIN_LEN: usize = 512;

/// Neighbours that count alike, or one by one: what kernels need to count without a loop over points.
const MIN_ROW: usize = 32;

/// Places are found among `i32`, the narrowest type that machine code combines.
const MAX_EXTENT: usize = i32::MAX as usize;

/// Whether kernels find the extremum sooner.
pub(super) fn is_composition(graph: &Graph, node: &Node, axis: usize) -> bool {
    let t = graph.type_of(node.args[0]);
    let row = t.shape[axis..].iter().skip(1).product::<usize>();
    let row = if row == 1 { t.shape[axis] } else { row };
    t.len() >= MIN_LEN && row >= MIN_ROW && t.shape[axis] <= MAX_EXTENT
}

/// Appends operations that find the place, as a number of a type.
pub(super) fn expand(graph: &mut Graph, x: Value, largest: bool, axis: usize, dtype: DType, origin: u32) -> Value {
    let t = graph.type_of(x).clone();
    let (of_x, mask) = (t.dtype, TensorType { dtype: DType::Bool, ..t.clone() });
    let places = TensorType { dtype: DType::I32, ..t.clone() };
    let mut push = |op: Op, args: &[Value], t: TensorType| graph.push(op, args, vec![t], origin);

    let combine = if largest { Combine::Max } else { Combine::Min };
    let extremum = push(Op::Reduce { combine, axes: vec![axis] }, &[x], t.without_axes(&[axis]));
    let mut strides = row_major(&t.without_axes(&[axis]).shape);
    strides.insert(axis, 0);
    let extremum = push(Op::View(Strided { shape: t.shape.to_vec(), strides, offset: 0 }), &[extremum], t);
    let mut is_found = push(Op::Map(ScalarOp::Eq), &[x, extremum], mask.clone());
    if of_x.is_float() {
        let is_nan = push(Op::Map(ScalarOp::Ne), &[x, x], mask.clone());
        is_found = push(Op::Map(ScalarOp::Or), &[is_found, is_nan], mask);
    }
    let place = push(Op::Iota { axis }, &[], places.clone());
    let nowhere = push(Op::Const(Arc::new(Buffer::scalar(i32::MAX))), &[], TensorType::scalar(DType::I32));
    let place = push(Op::Map(ScalarOp::Select), &[is_found, place, nowhere], places.clone());
    let axes = vec![axis];
    let first = places.without_axes(&axes);
    let place = push(Op::Reduce { combine: Combine::Min, axes }, &[place], first.clone());
    match dtype {
        DType::I32 => place,
        _ => push(Op::Map(ScalarOp::Cast(dtype)), &[place], TensorType { dtype, ..first }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(x: TensorType, axis: usize, dtype: DType, expected: &str) {
        let mut graph = Graph::new();
        let out = TensorType { dtype, ..x.without_axes(&[axis]) };
        let x = graph.input(x);
        graph.outputs = vec![graph.push(Op::ArgReduce { largest: true, axis }, &[x], vec![out], 0)];
        assert_eq!(graph.check(), Ok(()));
        let expanded = if graph.has_compositions() { graph.expanded() } else { graph };
        assert_eq!(expanded.check(), Ok(()));
        let printed = expanded.to_string();
        let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim().to_string()).collect() };
        assert_eq!(lines(&printed), lines(expected), "\n{printed}");
    }

    #[test]
    fn long_rows() {
        let expected = "graph %0:f32[20,50]
            %1:f32[20] = reduce Max axes [1] %0
            %2:f32[20,50] = view [20, 50]:[1, 0]+0 %1
            %3:bool[20,50] = map Eq %0 %2
            %4:bool[20,50] = map Ne %0 %0
            %5:bool[20,50] = map Or %3 %4
            %6:i32[20,50] = iota axis 1
            %7:i32[] = const i32[1][2147483647]
            %8:i32[20,50] = map Select %5 %6 %7
            %9:i32[20] = reduce Min axes [1] %8
            %10:i64[20] = map Cast(I64) %9
            return %10";
        check(TensorType::new(DType::F32, &[20, 50]), 1, DType::I64, expected);
        let expected = "graph %0:i32[20,50]
            %1:i32[50] = reduce Max axes [0] %0
            %2:i32[20,50] = view [20, 50]:[0, 1]+0 %1
            %3:bool[20,50] = map Eq %0 %2
            %4:i32[20,50] = iota axis 0
            %5:i32[] = const i32[1][2147483647]
            %6:i32[20,50] = map Select %3 %4 %5
            %7:i32[50] = reduce Min axes [0] %6
            return %7";
        check(TensorType::new(DType::I32, &[20, 50]), 0, DType::I32, expected);
    }

    #[test]
    fn few_elements_and_short_rows_stay() {
        let expected = "graph %0:f32[511]
            %1:i64[] = arg_reduce max axis 0 %0
            return %1";
        check(TensorType::new(DType::F32, &[511]), 0, DType::I64, expected);
        let expected = "graph %0:f64[31,20]
            %1:i32[31] = arg_reduce max axis 1 %0
            return %1";
        check(TensorType::new(DType::F64, &[31, 20]), 1, DType::I32, expected);
    }
}
