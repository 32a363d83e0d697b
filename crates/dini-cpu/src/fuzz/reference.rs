//! The reference evaluator: one node after the other, one element after the other, nothing shared with the kernels and
//! the schedule. Tests compare the executor with it.

use crate::{
    buffer::Buffer,
    counters,
    dtype::DType,
    element::{self, ElementBytes, bytes, index_at},
    executable::RunError,
    graph::{
        Call, Combine, DotAxes, Graph, Node, Op, OutOfBounds, ScatterKind, Strided, TensorMut, TensorRef, TensorType,
        strided::row_major,
    },
    math,
    scalar::ScalarOp,
};
use std::sync::Arc;

/// Runs a graph.
pub(crate) fn evaluate(graph: &Graph, inputs: &[Arc<Buffer>]) -> Result<Vec<Arc<Buffer>>, RunError> {
    let mut values: Vec<Arc<Buffer>> = inputs.to_vec();
    for node in &graph.nodes {
        let args: Vec<Arc<Buffer>> = node.args.iter().map(|v| values[v.0 as usize].clone()).collect();
        let arg_types: Vec<&TensorType> = node.args.iter().map(|&v| graph.type_of(v)).collect();
        let out_types: Vec<&TensorType> = node.outs().map(|v| graph.type_of(v)).collect();
        values.extend(evaluate_node(node, &args, &arg_types, &out_types)?);
    }
    Ok(graph.outputs.iter().map(|v| values[v.0 as usize].clone()).collect())
}

fn evaluate_node(
    node: &Node,
    args: &[Arc<Buffer>],
    arg_types: &[&TensorType],
    out_types: &[&TensorType],
) -> Result<Vec<Arc<Buffer>>, RunError> {
    let mut outs: Vec<Buffer> = out_types.iter().map(|t| Buffer::zeros(t.dtype, t.len())).collect();
    match &node.op {
        Op::Const(value) => return Ok(vec![value.clone()]),
        Op::Call(call) => run_call(call, node.origin, args, arg_types, &mut outs, out_types)?,
        Op::While { cond, body, n_cond_captures, n_body_captures } => {
            let (cond_captures, rest) = args.split_at(*n_cond_captures);
            let (body_captures, carry) = rest.split_at(*n_body_captures);
            let mut carry = carry.to_vec();
            while evaluate(cond, &[cond_captures, &carry].concat())?[0].as_slice::<bool>()[0] {
                carry = evaluate(body, &[body_captures, &carry].concat())?;
            }
            return Ok(carry);
        }
        Op::Switch { branches } => {
            let chosen = args[0].as_slice::<i32>()[0].clamp(0, branches.len() as i32 - 1);
            return evaluate(&branches[chosen as usize], &args[1..]);
        }
        Op::Scan { body, n_captures, n_carry, length, reverse } => {
            let (captures, rest) = args.split_at(*n_captures);
            let (carry, stacked) = rest.split_at(*n_carry);
            let mut carry = carry.to_vec();
            for step in 0..*length {
                let row = if *reverse { length - 1 - step } else { step };
                let rows: Vec<Arc<Buffer>> = stacked
                    .iter()
                    .map(|s| Arc::new(copy_range(s, row * (s.len() / length), s.len() / length)))
                    .collect();
                let mut results = evaluate(body, &[captures, &carry, &rows].concat())?;
                for (result, out) in results.split_off(*n_carry).iter().zip(&mut outs[*n_carry..]) {
                    let n = result.len();
                    for i in 0..n {
                        put(out, row * n + i, get(result, i));
                    }
                }
                carry = results;
            }
            carry.extend(outs.drain(*n_carry..).map(Arc::new));
            return Ok(carry);
        }
        Op::Map(_)
        | Op::View(_)
        | Op::Iota { .. }
        | Op::Reduce { .. }
        | Op::ArgReduce { .. }
        | Op::Cumulative { .. }
        | Op::Assemble { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdate { .. }
        | Op::Gather { .. }
        | Op::Scatter { .. }
        | Op::Dot(_) => evaluate_plain(&node.op, args, arg_types, &mut outs[0], out_types[0]),
    }
    Ok(outs.into_iter().map(Arc::new).collect())
}

/// Operations of one result and without sub-programs.
fn evaluate_plain(op: &Op, args: &[Arc<Buffer>], arg_types: &[&TensorType], out: &mut Buffer, out_type: &TensorType) {
    match op {
        Op::Map(op) => {
            let operands: Vec<_> = args.iter().map(|b| b.elements()).collect();
            if !out_type.is_empty() {
                math::apply(*op, &operands, out.elements_mut());
            }
        }
        Op::View(strided) => {
            let mut i = 0;
            strided.for_each_index(|from| {
                put(out, i, get(&args[0], from));
                i += 1;
            });
        }
        Op::Iota { axis } => {
            let inner: usize = out_type.shape[axis + 1..].iter().product();
            for i in 0..out.len() {
                put(out, i, element::count(i / inner % out_type.shape[*axis], out_type.dtype));
            }
        }
        Op::Reduce { combine, axes } => {
            (0..out.len()).for_each(|i| put(out, i, identity(*combine, out_type.dtype)));
            // The result's storage seen with the operand's shape: reduced axes do not move.
            let mut strides = kept_strides(&arg_types[0].shape, axes);
            strides.shape = arg_types[0].shape.to_vec();
            let mut i = 0;
            strides.for_each_index(|to| {
                combine_into(*combine, out, to, get(&args[0], i));
                i += 1;
            });
        }
        Op::ArgReduce { largest, axis } => {
            let shape = &arg_types[0].shape;
            let inner: usize = shape[axis + 1..].iter().product();
            for i in 0..out.len() {
                let start = i / inner * inner * shape[*axis] + i % inner;
                let better = |a: usize, b: usize| is_better(*largest, &args[0], start + a * inner, start + b * inner);
                let best = (1..shape[*axis]).fold(0, |best, k| if better(k, best) { k } else { best });
                put(out, i, element::count(best, out_type.dtype));
            }
        }
        Op::Cumulative { combine, axis, reverse } => {
            let n = out_type.shape[*axis];
            let inner: usize = out_type.shape[axis + 1..].iter().product();
            for i in (0..out.len()).filter(|i| (i / inner).is_multiple_of(n)) {
                for k in 0..n {
                    let at = |k: usize| i + if *reverse { n - 1 - k } else { k } * inner;
                    put(out, at(k), get(&args[0], at(k)));
                    if k > 0 {
                        let before = get(out, at(k - 1));
                        combine_into(*combine, out, at(k), before);
                    }
                }
            }
        }
        Op::Assemble { boxes } => {
            (0..out.len()).for_each(|i| put(out, i, get(&args[0], 0)));
            for (part, strided) in args[1..].iter().zip(boxes) {
                let mut i = 0;
                strided.for_each_index(|to| {
                    put(out, to, get(part, i));
                    i += 1;
                });
            }
        }
        Op::DynamicSlice { n_batch, sizes } => {
            let shape = &arg_types[0].shape;
            for_each_window(shape, *n_batch, sizes, &args[1], |i, from| put(out, i, get(&args[0], from)));
        }
        Op::DynamicUpdate { n_batch } => {
            *out = (*args[0]).clone();
            let sizes = &arg_types[1].shape[*n_batch..];
            for_each_window(&out_type.shape, *n_batch, sizes, &args[2], |i, to| put(out, to, get(&args[1], i)));
        }
        Op::Gather { n_batch, mode } => {
            let fill = element::outside(*mode, out_type.dtype);
            for_each_place(arg_types[0], arg_types[1], &args[1], *n_batch, *mode, |i, from| {
                put(out, i, from.map_or_else(|| fill.unwrap_or_default(), |from| get(&args[0], from)));
            });
        }
        Op::Scatter { n_batch, kind } => {
            *out = (*args[0]).clone();
            for_each_place(arg_types[0], arg_types[1], &args[1], *n_batch, OutOfBounds::Fill, |i, to| {
                match (to, kind) {
                    (None, _) => {}
                    (Some(to), ScatterKind::Set) => put(out, to, get(&args[2], i)),
                    (Some(to), ScatterKind::Combine(combine)) => combine_into(*combine, out, to, get(&args[2], i)),
                }
            });
        }
        Op::Dot(axes) => {
            dot(axes, &args[0], &arg_types[0].shape, &args[1], &arg_types[1].shape, out);
        }
        Op::Const(_) | Op::Call(_) | Op::While { .. } | Op::Switch { .. } | Op::Scan { .. } => {
            unreachable!("{} is evaluated by its caller", op.name())
        }
    }
}

fn run_call(
    call: &Call,
    origin: u32,
    args: &[Arc<Buffer>],
    arg_types: &[&TensorType],
    outs: &mut [Buffer],
    out_types: &[&TensorType],
) -> Result<(), RunError> {
    let operands: Vec<TensorRef<'_>> =
        args.iter().zip(arg_types).map(|(data, t)| TensorRef { shape: &t.shape, data }).collect();
    let mut results: Vec<TensorMut<'_>> =
        outs.iter_mut().zip(out_types).map(|(data, t)| TensorMut { shape: &t.shape, data }).collect();
    counters::add_calls(call.name, 1);
    (call.function)(&operands, &mut results).map_err(|error| RunError::Call { origin, error })
}

fn dot(axes: &DotAxes, a: &Buffer, a_shape: &[usize], b: &Buffer, b_shape: &[usize], out: &mut Buffer) {
    // Storage indices along some axes of a dense tensor.
    let offsets = |shape: &[usize], axes: &[usize]| {
        let strides = row_major(shape);
        let along = Strided {
            shape: axes.iter().map(|&i| shape[i]).collect(),
            strides: axes.iter().map(|&i| strides[i]).collect(),
            offset: 0,
        };
        let mut indices = vec![];
        along.for_each_index(|i| indices.push(i));
        indices
    };
    let free = |shape: &[usize], batch: &[usize], contract: &[usize]| {
        let axes: Vec<usize> = (0..shape.len()).filter(|i| !batch.contains(i) && !contract.contains(i)).collect();
        offsets(shape, &axes)
    };
    let a_free = free(a_shape, &axes.lhs_batch, &axes.lhs_contract);
    let b_free = free(b_shape, &axes.rhs_batch, &axes.rhs_contract);
    let (a_sum, b_sum) = (offsets(a_shape, &axes.lhs_contract), offsets(b_shape, &axes.rhs_contract));
    let batches = offsets(a_shape, &axes.lhs_batch).into_iter().zip(offsets(b_shape, &axes.rhs_batch));
    let mut i = 0;
    for (a_batch, b_batch) in batches {
        for a_at in a_free.iter().map(|at| a_batch + at) {
            for b_at in b_free.iter().map(|at| b_batch + at) {
                for (j, k) in a_sum.iter().zip(&b_sum) {
                    let (x, y) = (copy_range(a, a_at + j, 1), copy_range(b, b_at + k, 1));
                    let mut product = Buffer::zeros(out.dtype(), 1);
                    math::apply(ScalarOp::Mul, &[x.elements(), y.elements()], product.elements_mut());
                    combine_into(Combine::Add, out, i, get(&product, 0));
                }
                i += 1;
            }
        }
    }
}

fn get(buffer: &Buffer, i: usize) -> ElementBytes {
    let size = buffer.dtype().size();
    let mut out = [0; 16];
    out[..size].copy_from_slice(&buffer.bytes()[i * size..][..size]);
    out
}

fn put(buffer: &mut Buffer, i: usize, element: ElementBytes) {
    let size = buffer.dtype().size();
    assert!(i < buffer.len());
    // SAFETY: element i lies inside the storage; the bytes come from a buffer of the same type.
    unsafe { buffer.as_ptr().add(i * size).copy_from_nonoverlapping(element.as_ptr(), size) }
}

fn copy_range(buffer: &Buffer, start: usize, len: usize) -> Buffer {
    let mut out = Buffer::zeros(buffer.dtype(), len);
    (0..len).for_each(|i| put(&mut out, i, get(buffer, start + i)));
    out
}

fn combine_into(combine: Combine, out: &mut Buffer, i: usize, element: ElementBytes) {
    let mut single = Buffer::zeros(out.dtype(), 1);
    put(&mut single, 0, element);
    let before = copy_range(out, i, 1);
    math::apply(combine.scalar_op(), &[before.elements(), single.elements()], out.elements_mut().slice(i..i + 1));
}

fn is_better(largest: bool, x: &Buffer, a: usize, b: usize) -> bool {
    let as_f64 = |i: usize| match x.elements() {
        math::Slice::F32(s) => f64::from(s[i]),
        math::Slice::F64(s) => s[i],
        math::Slice::Bool(s) => f64::from(u8::from(s[i])),
        math::Slice::U8(_) | math::Slice::U32(_) | math::Slice::U64(_) | math::Slice::I32(_) | math::Slice::I64(_) => {
            0.0
        }
    };
    if let math::Slice::U64(s) = x.elements() {
        return if largest { s[a] > s[b] } else { s[a] < s[b] };
    }
    if x.dtype().is_integer() {
        let (a, b) = (index_at(x.elements(), a), index_at(x.elements(), b));
        return if largest { a > b } else { a < b };
    }
    let (a, b) = (as_f64(a), as_f64(b));
    if b.is_nan() { false } else { a.is_nan() || if largest { a > b } else { a < b } }
}

/// The row-major storage left after some axes disappear, with one stride per original axis (0 for those).
fn kept_strides(shape: &[usize], axes: &[usize]) -> Strided {
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for axis in (0..shape.len()).rev().filter(|axis| !axes.contains(axis)) {
        strides[axis] = step;
        step *= shape[axis] as isize;
    }
    Strided { shape: shape.to_vec(), strides, offset: 0 }
}

/// Calls `visit` with each index into the box (all batches) and the matching index into the tensor.
fn for_each_window(
    shape: &[usize],
    n_batch: usize,
    sizes: &[usize],
    starts: &Buffer,
    mut visit: impl FnMut(usize, usize),
) {
    let (batch, rest) = shape.split_at(n_batch);
    let (n_batches, len): (usize, usize) = (batch.iter().product(), rest.iter().product());
    let mut window = Strided::dense(rest);
    window.shape = sizes.to_vec();
    let mut i = 0;
    for b in 0..n_batches {
        window.offset = b * len;
        for (axis, &size) in sizes.iter().enumerate() {
            let start = index_at(starts.elements(), b * sizes.len() + axis).clamp(0, (rest[axis] - size) as i64);
            window.offset += start as usize * window.strides[axis] as usize;
        }
        window.for_each_index(|at| {
            visit(i, at);
            i += 1;
        });
    }
}

/// Calls `visit` with each index into the picked elements and the matching index into the tensor (`None`: outside).
fn for_each_place(
    x: &TensorType,
    indices_type: &TensorType,
    indices: &Buffer,
    n_batch: usize,
    mode: OutOfBounds,
    mut visit: impl FnMut(usize, Option<usize>),
) {
    let n_indexed = *indices_type.shape.last().expect("indices have a last axis");
    let n_places: usize = indices_type.shape[n_batch..indices_type.shape.len() - 1].iter().product();
    let n_batches: usize = x.shape[..n_batch].iter().product();
    let indexed = &x.shape[n_batch..n_batch + n_indexed];
    let n_rest: usize = x.shape[n_batch + n_indexed..].iter().product();
    for place in 0..n_batches * n_places {
        let mut row = Some(place / n_places);
        for (k, &n) in indexed.iter().enumerate() {
            let mut index = index_at(indices.elements(), place * n_indexed + k);
            if mode == OutOfBounds::Clip && n > 0 {
                index = index.clamp(0, n as i64 - 1);
            }
            let is_inside = (0..n as i64).contains(&index);
            row = row.filter(|_| is_inside).map(|row| row * n + index as usize);
        }
        for r in 0..n_rest {
            visit(place * n_rest + r, row.map(|row| row * n_rest + r));
        }
    }
}

/// The result of combining no element.
fn identity(combine: Combine, dtype: DType) -> ElementBytes {
    macro_rules! of {
        ($zero:expr, $one:expr, $low:expr, $high:expr, $ones:expr) => {
            match combine {
                Combine::Add | Combine::Or => bytes($zero.to_ne_bytes()),
                Combine::Mul => bytes($one.to_ne_bytes()),
                Combine::Max => bytes($low.to_ne_bytes()),
                Combine::Min => bytes($high.to_ne_bytes()),
                Combine::And => bytes($ones.to_ne_bytes()),
            }
        };
    }
    match dtype {
        DType::Bool => of!(0u8, 1u8, 0u8, 1u8, 1u8),
        DType::U8 => of!(0u8, 1u8, u8::MIN, u8::MAX, u8::MAX),
        DType::U32 => of!(0u32, 1u32, u32::MIN, u32::MAX, u32::MAX),
        DType::U64 => of!(0u64, 1u64, u64::MIN, u64::MAX, u64::MAX),
        DType::I32 => of!(0i32, 1i32, i32::MIN, i32::MAX, -1i32),
        DType::I64 => of!(0i64, 1i64, i64::MIN, i64::MAX, -1i64),
        // Floats have no bitwise operations: the checker refuses `and`.
        DType::F32 => of!(0f32, 1f32, f32::NEG_INFINITY, f32::INFINITY, 0f32),
        DType::F64 => of!(0f64, 1f64, f64::NEG_INFINITY, f64::INFINITY, 0f64),
        DType::C64 | DType::C128 | DType::Float0 => [0; 16],
    }
}
