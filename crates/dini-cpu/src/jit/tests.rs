//! Machine code against the interpreter, bit for bit.

mod cumulative;
mod extrema;
mod fallback;
mod fused;
mod gathers;
mod integers;
mod loops;
mod rows;

use crate::{
    buffer::Buffer,
    dtype::DType::{self, Bool, F32, F64, I32, I64, U8, U32, U64},
    executable::Executable,
    executor::Executor,
    graph::{Combine, Graph, Op, Strided, TensorType, Value},
    math,
    scalar::{
        OPS,
        ScalarOp::{self, *},
    },
};
use std::sync::Arc;

/// All NaN are alike, and zeros keep their sign.
fn bits(buffer: &Buffer) -> Vec<u64> {
    match buffer.dtype() {
        F32 => buffer.as_slice::<f32>().iter().map(|x| if x.is_nan() { 1 << 40 } else { x.to_bits().into() }).collect(),
        F64 => buffer.as_slice::<f64>().iter().map(|x| if x.is_nan() { !0 } else { x.to_bits() }).collect(),
        _ => format!("{buffer:?}").bytes().map(u64::from).collect(),
    }
}

/// Every executor gives what the interpreter gives.
#[track_caller]
fn check(name: &str, graph: &Graph, inputs: &[Arc<Buffer>]) {
    assert_eq!(graph.check(), Ok(()), "{name}");
    let mut expected: Option<Vec<Vec<u64>>> = None;
    for executor in Executor::available() {
        let executable = Executable::compile_with(graph, &executor.into());
        for _ in 0..2 {
            let outputs = executable.run(inputs).expect("nothing fails");
            let found: Vec<Vec<u64>> = outputs.iter().map(|output| bits(output)).collect();
            let expected = expected.get_or_insert_with(|| found.clone());
            for (i, (found, expected)) in found.iter().zip(&*expected).enumerate() {
                let at = found.iter().zip(expected).position(|(a, b)| a != b);
                assert!(
                    found == expected,
                    "{name}, {executor}, output {i}, element {at:?}: {:?}",
                    at.map(|at| (f64::from_bits(found[at]), f64::from_bits(expected[at])))
                );
            }
        }
    }
}

/// [`check`] of inputs of so many elements of a type: mild ones, and corners.
#[track_caller]
fn check_inputs(name: &str, graph: &Graph, dtype: DType, lens: &[usize]) {
    let inputs = |of: fn(DType, usize, usize) -> Arc<Buffer>| -> Vec<Arc<Buffer>> {
        lens.iter().enumerate().map(|(i, &len)| of(dtype, len, 2 * i + 1)).collect()
    };
    check(&format!("corners of {name}"), graph, &inputs(corners));
    if !matches!(dtype, Bool | U8) {
        check(name, graph, &inputs(rows::mild));
    }
}

/// Extents before an axis, of the axis and after it: around those at which the code changes its ways.
const SPACES: [[usize; 3]; 30] = [
    [1, 1, 1],
    [0, 3, 5],
    [2, 0, 3],
    [3, 2, 1],
    [7, 15, 1],
    [17, 31, 1],
    [17, 33, 1],
    [40, 100, 1],
    [20, 257, 1],
    [1, 511, 1],
    [1, 512, 1],
    [1, 513, 1],
    [1, 5003, 1],
    [3, 513, 1],
    [4, 1031, 1],
    [9, 600, 1],
    [2, 3, 2],
    [5, 200, 3],
    [5, 40, 7],
    [1, 300, 31],
    [1, 300, 32],
    [1, 17, 127],
    [1, 17, 128],
    [2, 17, 129],
    [2, 3, 129],
    [2, 5, 511],
    [1, 9, 512],
    [2, 7, 1031],
    [300, 1, 3],
    [3, 1, 700],
];

fn map(graph: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let dtypes: Vec<DType> = args.iter().map(|&v| graph.type_of(v).dtype).collect();
    let shape = args
        .iter()
        .map(|&v| graph.type_of(v).shape.clone())
        .max_by_key(|shape| shape.len())
        .expect("there are operands");
    graph.push(Op::Map(op), args, vec![TensorType { dtype: op.result(&dtypes), shape }], 0)
}

/// Values that are likely to break something, and others between them.
fn corners(dtype: DType, n: usize, seed: usize) -> Arc<Buffer> {
    let mut buffer = Buffer::zeros(dtype, n);
    let k = |i: usize| i.wrapping_mul(seed * 2 + 1) + i / 7;
    macro_rules! fill {
        ($t:ty: $($x:expr),*; $other:expr) => {{
            let corners: &[$t] = &[$($x),*];
            for (i, x) in buffer.as_mut_slice::<$t>().iter_mut().enumerate() {
                let k = k(i);
                *x = if k % 3 == 0 { corners[k / 3 % corners.len()] } else { $other(k) };
            }
        }};
    }
    match dtype {
        Bool => fill!(bool: false, true; |k: usize| k.is_multiple_of(2)),
        U8 => fill!(u8: 0, 1, 7, 8, 255; |k: usize| (k * 37) as u8),
        U32 => fill!(u32: 0, 1, 31, 32, u32::MAX; |k: usize| (k as u32).wrapping_mul(0x9e37_79b9)),
        U64 => fill!(u64: 0, 1, 63, 64, u64::MAX; |k: usize| (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        I32 => fill!(i32: 0, 1, -1, 31, 32, i32::MIN, i32::MAX; |k: usize| (k as i32).wrapping_mul(0x1e37_79b9)),
        I64 => {
            fill!(i64: 0, 1, -1, 63, 64, i64::MIN, i64::MAX; |k: usize| (k as i64).wrapping_mul(0x1e37_79b9_7f4a_7c15))
        }
        F32 => fill!(f32: 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-40, -1e-40, 3e9, -3e9, 1e30, f32::MAX, f32::INFINITY,
            f32::NEG_INFINITY, f32::NAN; |k: usize| (k as f32 * 0.37 - 9.0) * (k % 5) as f32 * 0.3),
        F64 => fill!(f64: 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-310, -1e-310, 3e9, -3e9, 1e19, 1e300, f64::MAX,
            f64::INFINITY, f64::NEG_INFINITY, f64::NAN; |k: usize| (k as f64 * 0.37 - 9.0) * (k % 5) as f64 * 0.3),
        other => unreachable!("{other} has no arithmetic"),
    }
    Arc::new(buffer)
}

const DTYPES: [DType; 8] = [Bool, U8, U32, U64, I32, I64, F32, F64];

/// A graph that applies an operation to inputs, between copies that make it a part of a larger kernel.
fn applied(op: ScalarOp, dtypes: &[DType], shape: &[usize]) -> Graph {
    let mut graph = Graph::new();
    let args: Vec<Value> = dtypes.iter().map(|&dtype| graph.input(TensorType::new(dtype, shape))).collect();
    let result = map(&mut graph, op, &args);
    let of_result = match graph.type_of(result).dtype {
        Bool => map(&mut graph, Not, &[result]),
        _ => map(&mut graph, Max, &[result, result]),
    };
    graph.outputs = vec![result, of_result];
    graph
}

#[test]
fn operations_at_corners() {
    for &op in OPS {
        for dtype in DTYPES {
            let dtypes = if op == Select { vec![Bool, dtype, dtype] } else { vec![dtype; op.arity()] };
            if math::kernel(op, &dtypes).is_none() {
                continue;
            }
            for shape in [&[][..], &[333]] {
                let n = shape.iter().product();
                let inputs: Vec<Arc<Buffer>> = dtypes.iter().enumerate().map(|(i, &d)| corners(d, n, i + 1)).collect();
                check(&format!("{op:?} of {dtype}, {shape:?}"), &applied(op, &dtypes, shape), &inputs);
            }
        }
    }
}

#[test]
fn lengths_and_offsets() {
    for (dtype, op) in DTYPES.into_iter().map(|dtype| (dtype, if dtype == Bool { Xor } else { Mul })) {
        for n in 0..70 {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[n + 3]));
            // Neighbouring elements: addresses that no vector is aligned to.
            let part = |graph: &mut Graph, offset: usize| {
                let strided = Strided { shape: vec![n], strides: vec![1], offset: if n == 0 { 0 } else { offset } };
                graph.push(Op::View(strided), &[x], vec![TensorType::new(dtype, &[n])], 0)
            };
            let (a, b) = (part(&mut graph, 1), part(&mut graph, 3));
            let product = map(&mut graph, op, &[a, b]);
            let is_less = map(&mut graph, Lt, &[product, b]);
            let chosen = map(&mut graph, Select, &[is_less, a, product]);
            let wide = map(&mut graph, Cast(F64), &[chosen]);
            graph.outputs = vec![chosen, is_less, wide, product];
            check(&format!("{dtype}, {n} elements"), &graph, &[corners(dtype, n + 3, 2)]);
        }
    }
}

/// Σ over pairs of many operands: all are alive at once.
#[test]
fn many_operands_and_values() {
    // The last needs more of the stack than machine code takes.
    for (n_operands, n) in [(120, 37), (40, 1000), (250, 3), (2500, 5)] {
        let mut graph = Graph::new();
        let shape = |i: usize| if i % 5 == 4 { vec![] } else { vec![n] };
        let inputs: Vec<Value> = (0..n_operands).map(|i| graph.input(TensorType::new(F64, &shape(i)))).collect();
        let roots: Vec<Value> = inputs.iter().map(|&x| map(&mut graph, Abs, &[x])).collect();
        let mut sum = roots[0];
        for i in 0..n_operands {
            let product = map(&mut graph, Mul, &[roots[i], roots[n_operands - 1 - i]]);
            sum = map(&mut graph, Add, &[sum, product]);
        }
        let is_less: Vec<Value> = (0..20).map(|i| map(&mut graph, Lt, &[roots[i], roots[i + 1]])).collect();
        let mut any = is_less[0];
        for &other in is_less.iter().chain(&is_less) {
            any = map(&mut graph, Xor, &[any, other]);
        }
        graph.outputs = vec![sum, any];
        let data: Vec<Arc<Buffer>> = (0..n_operands)
            .map(|i| {
                let len = shape(i).iter().product::<usize>();
                let values: Vec<f64> = (0..len).map(|k| ((i * 31 + k * 17) % 23) as f64 - 11.0).collect();
                Arc::new(Buffer::from_slice(&values))
            })
            .collect();
        check(&format!("{n_operands} operands"), &graph, &data);
    }
}

#[test]
fn reductions() {
    for dtype in [F64, F32, I32, U8] {
        for (shape, axes) in
            [(vec![1000], vec![0]), (vec![7, 300], vec![1]), (vec![300, 7], vec![0]), (vec![3, 5, 700], vec![0, 2])]
        {
            for combine in [Combine::Add, Combine::Max, Combine::Mul] {
                let mut graph = Graph::new();
                let x = graph.input(TensorType::new(dtype, &shape));
                let y = map(&mut graph, Mul, &[x, x]);
                let out = graph.type_of(y).without_axes(&axes);
                let op = Op::Reduce { combine, axes: axes.clone() };
                let sum = graph.push(op, &[y], vec![out], 0);
                graph.outputs = vec![sum, y];
                let n = shape.iter().product();
                check(&format!("{combine:?} of {dtype} {shape:?}"), &graph, &[corners(dtype, n, 3)]);
            }
        }
    }
}

/// Newton's iteration for a root in an inner loop, sums of the results in an outer one.
#[test]
fn nested_loops_of_single_elements() {
    let (f64s, i32s) = (TensorType::scalar(F64), TensorType::scalar(I32));
    let constant = |graph: &mut Graph, x: f64| {
        graph.push(Op::Const(Arc::new(Buffer::scalar(x))), &[], vec![TensorType::scalar(F64)], 0)
    };
    let count = |graph: &mut Graph, n: i32| {
        graph.push(Op::Const(Arc::new(Buffer::scalar(n))), &[], vec![TensorType::scalar(I32)], 0)
    };
    let below = |n: i32, types: &[TensorType]| {
        let mut cond = Graph::new();
        let inputs: Vec<Value> = types.iter().map(|t| cond.input(t.clone())).collect();
        let limit = count(&mut cond, n);
        cond.outputs = vec![map(&mut cond, Lt, &[inputs[0], limit])];
        Arc::new(cond)
    };
    // (i, y) and the captured x: y ← (y + x/y)/2, and its sine to have a function with rare arguments.
    let mut inner = Graph::new();
    let x = inner.input(f64s.clone());
    let (i, y) = (inner.input(i32s.clone()), inner.input(f64s.clone()));
    let (one, half) = (count(&mut inner, 1), constant(&mut inner, 0.5));
    let next = map(&mut inner, Add, &[i, one]);
    let quotient = map(&mut inner, Div, &[x, y]);
    let sum = map(&mut inner, Add, &[y, quotient]);
    let better = map(&mut inner, Mul, &[half, sum]);
    inner.outputs = vec![next, better];
    let inner_types = [i32s.clone(), f64s.clone()];
    let inner_cond = below(6, &inner_types);
    // (k, x, sum, previous): the last two trade.
    let mut outer = Graph::new();
    let k = outer.input(i32s.clone());
    let (x, sum, previous) = (outer.input(f64s.clone()), outer.input(f64s.clone()), outer.input(f64s.clone()));
    let (zero, one) = (count(&mut outer, 0), count(&mut outer, 1));
    let op = Op::While { cond: inner_cond, body: Arc::new(inner), n_cond_captures: 0, n_body_captures: 1 };
    let first = outer.push(op, &[x, zero, x], inner_types.to_vec(), 0);
    let root = Value(first.0 + 1);
    let large = constant(&mut outer, 1e9);
    let scaled = map(&mut outer, Mul, &[root, large]);
    let sine = map(&mut outer, Sin, &[scaled]);
    let root = map(&mut outer, Add, &[root, sine]);
    let new_sum = map(&mut outer, Add, &[sum, root]);
    let new_x = map(&mut outer, Add, &[x, root]);
    let new_k = map(&mut outer, Add, &[k, one]);
    outer.outputs = vec![new_k, new_x, previous, new_sum];
    let outer_types = [i32s.clone(), f64s.clone(), f64s.clone(), f64s.clone()];
    let mut graph = Graph::new();
    let x = graph.input(f64s);
    let (zero, start) = (count(&mut graph, 0), constant(&mut graph, 0.25));
    let op = Op::While { cond: below(9, &outer_types), body: Arc::new(outer), n_cond_captures: 0, n_body_captures: 0 };
    let first = graph.push(op, &[zero, x, start, x], outer_types.to_vec(), 0);
    graph.outputs = (0..4).map(|i| Value(first.0 + i)).collect();
    for x in [2.0, 1e10, f64::NAN] {
        check(&format!("from {x}"), &graph, &[Arc::new(Buffer::scalar(x))]);
    }
}

/// Loops with more states than registers, which each round reads, computes with, passes on and trades in random ways.
#[test]
fn loops_of_many_states() {
    let (f64s, i32s) = (TensorType::scalar(F64), TensorType::scalar(I32));
    let constant = |graph: &mut Graph, buffer: Buffer, t: &TensorType| {
        graph.push(Op::Const(Arc::new(buffer)), &[], vec![t.clone()], 0)
    };
    for seed in 0..60u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = move |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let n = 2 + below(45);
        let mut types = vec![i32s.clone()];
        types.resize(n + 1, f64s.clone());
        let mut cond = Graph::new();
        let inputs: Vec<Value> = types.iter().map(|t| cond.input(t.clone())).collect();
        let limit = constant(&mut cond, Buffer::scalar(7i32), &i32s);
        cond.outputs = vec![map(&mut cond, Lt, &[inputs[0], limit])];
        let mut body = Graph::new();
        let inputs: Vec<Value> = types.iter().map(|t| body.input(t.clone())).collect();
        let one = constant(&mut body, Buffer::scalar(1i32), &i32s);
        let mut values = inputs[1..].to_vec();
        for _ in 0..2 * n {
            let (a, b) = (values[below(values.len())], values[below(values.len())]);
            let op = [Add, Sub, Mul, Max][below(4)];
            values.push(map(&mut body, op, &[a, b]));
        }
        let mut outputs = vec![map(&mut body, Add, &[inputs[0], one])];
        outputs.extend((0..n).map(|_| values[below(values.len())]));
        body.outputs = outputs;
        let mut graph = Graph::new();
        let states: Vec<Value> = (0..n).map(|_| graph.input(f64s.clone())).collect();
        let zero = constant(&mut graph, Buffer::scalar(0i32), &i32s);
        let starts = [&[zero], &states[..]].concat();
        let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 0, n_body_captures: 0 };
        let first = graph.push(op, &starts, types, 0);
        graph.outputs = (0..=n as u32).map(|i| Value(first.0 + i)).collect();
        let inputs: Vec<Arc<Buffer>> =
            (0..n).map(|i| Arc::new(Buffer::scalar((i as f64 * 0.7 + seed as f64).sin()))).collect();
        check(&format!("seed {seed}"), &graph, &inputs);
    }
}
