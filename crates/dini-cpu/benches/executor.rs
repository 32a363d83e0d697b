//! Times of the executor: dispatch, scalar loops, elementwise chains and reductions, beside plain Rust loops.
//!
//! `cargo bench -p dini-cpu` prints a table of medians; a name as argument selects rows that contain it.

use dini_cpu::{
    Executable,
    buffer::Buffer,
    dtype::DType,
    graph::{Combine, Graph, Op, Strided, TensorType, Value},
    scalar::ScalarOp::{self, Add, Exp, Lt, Mul, Neg, Select, Sin, Sub, Tanh},
};
use std::{hint::black_box, sync::Arc, time::Instant};

/// Median nanoseconds of one call.
fn time(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let first = start.elapsed().as_nanos().max(1) as usize;
    let n = (5_000_000 / first).clamp(1, 100_000);
    let mut samples: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            (0..n).for_each(|_| f());
            start.elapsed().as_nanos() as f64 / n as f64
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn map(graph: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let dtypes: Vec<DType> = args.iter().map(|&v| graph.type_of(v).dtype).collect();
    let shape = args
        .iter()
        .map(|&v| graph.type_of(v).shape.clone())
        .max_by_key(|shape| shape.len())
        .expect("there are operands");
    graph.push(Op::Map(op), args, vec![TensorType { dtype: op.result(&dtypes), shape }], 0)
}

fn constant(graph: &mut Graph, x: f64) -> Value {
    constant_of(graph, DType::F64, x)
}

fn constant_of(graph: &mut Graph, dtype: DType, x: f64) -> Value {
    let buffer = if dtype == DType::F32 { Buffer::scalar(x as f32) } else { Buffer::scalar(x) };
    graph.push(Op::Const(Arc::new(buffer)), &[], vec![TensorType::scalar(dtype)], 0)
}

/// `a·x + b·sin(x)·exp(−x²)`
fn bump(dtype: DType, shape: &[usize]) -> Graph {
    let mut g = Graph::new();
    let x = g.input(TensorType::new(dtype, shape));
    let (a, b) = (constant_of(&mut g, dtype, 1.7), constant_of(&mut g, dtype, 0.3));
    let (sin, square) = (map(&mut g, Sin, &[x]), map(&mut g, Mul, &[x, x]));
    let negative = map(&mut g, Neg, &[square]);
    let exp = map(&mut g, Exp, &[negative]);
    let scaled = map(&mut g, Mul, &[b, sin]);
    let product = map(&mut g, Mul, &[scaled, exp]);
    let line = map(&mut g, Mul, &[a, x]);
    g.outputs = vec![map(&mut g, Add, &[line, product])];
    g
}

/// The same without function calls, six cheap operations.
fn polynomial(shape: &[usize]) -> Graph {
    let mut g = Graph::new();
    let x = g.input(TensorType::new(DType::F64, shape));
    let c: Vec<Value> = [1.5, 0.25, 0.75, 0.5].iter().map(|&c| constant(&mut g, c)).collect();
    let mut y = map(&mut g, Mul, &[x, c[0]]);
    y = map(&mut g, Add, &[y, c[1]]);
    y = map(&mut g, Mul, &[y, x]);
    y = map(&mut g, Sub, &[y, c[2]]);
    y = map(&mut g, Mul, &[y, c[3]]);
    g.outputs = vec![map(&mut g, Add, &[y, x])];
    g
}

/// Root of y² = x³ in 60 halvings of an interval.
fn bisection() -> Graph {
    let f64s = TensorType::scalar(DType::F64);
    let i32s = TensorType::scalar(DType::I32);
    let mut cond = Graph::new();
    let i = cond.input(i32s.clone());
    cond.input(f64s.clone());
    cond.input(f64s.clone());
    let n = cond.push(Op::Const(Arc::new(Buffer::scalar(60i32))), &[], vec![i32s.clone()], 0);
    cond.outputs = vec![map(&mut cond, Lt, &[i, n])];
    let mut body = Graph::new();
    let cube = body.input(f64s.clone());
    let i = body.input(i32s.clone());
    let (low, high) = (body.input(f64s.clone()), body.input(f64s.clone()));
    let one = body.push(Op::Const(Arc::new(Buffer::scalar(1i32))), &[], vec![i32s.clone()], 0);
    let (half, zero) = (constant(&mut body, 0.5), constant(&mut body, 0.0));
    let next = map(&mut body, Add, &[i, one]);
    let sum = map(&mut body, Add, &[low, high]);
    let middle = map(&mut body, Mul, &[half, sum]);
    let square = map(&mut body, Mul, &[middle, middle]);
    let f = map(&mut body, Sub, &[square, cube]);
    let is_low = map(&mut body, Lt, &[f, zero]);
    let new_low = map(&mut body, Select, &[is_low, middle, low]);
    let new_high = map(&mut body, Select, &[is_low, high, middle]);
    body.outputs = vec![next, new_low, new_high];
    let mut g = Graph::new();
    let x = g.input(f64s.clone());
    let zero_i = g.push(Op::Const(Arc::new(Buffer::scalar(0i32))), &[], vec![i32s.clone()], 0);
    let (low, high) = (constant(&mut g, 0.0), constant(&mut g, 100.0));
    let square = map(&mut g, Mul, &[x, x]);
    let cube = map(&mut g, Mul, &[square, x]);
    let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 0, n_body_captures: 1 };
    let first = g.push(op, &[cube, zero_i, low, high], vec![i32s, f64s.clone(), f64s], 0);
    g.outputs = vec![Value(first.0 + 1)];
    g
}

fn reduction(shape: &[usize], axes: &[usize]) -> Graph {
    let mut g = Graph::new();
    let x = g.input(TensorType::new(DType::F64, shape));
    let square = map(&mut g, Mul, &[x, x]);
    let out = g.type_of(square).without_axes(axes);
    g.outputs = vec![g.push(Op::Reduce { combine: Combine::Add, axes: axes.to_vec() }, &[square], vec![out], 0)];
    g
}

/// `Σ tanh(x)·w`
fn weighted_sum(dtype: DType, n: usize) -> Graph {
    let mut g = Graph::new();
    let (x, w) = (g.input(TensorType::new(dtype, &[n])), g.input(TensorType::new(dtype, &[n])));
    let tanh = map(&mut g, Tanh, &[x]);
    let product = map(&mut g, Mul, &[tanh, w]);
    let op = Op::Reduce { combine: Combine::Add, axes: vec![0] };
    g.outputs = vec![g.push(op, &[product], vec![TensorType::scalar(dtype)], 0)];
    g
}

fn transpose(n: usize) -> Graph {
    let mut g = Graph::new();
    let x = g.input(TensorType::new(DType::F64, &[n, n]));
    let strided = Strided { shape: vec![n, n], strides: vec![1, n as isize], offset: 0 };
    g.outputs = vec![g.push(Op::View(strided), &[x], vec![TensorType::new(DType::F64, &[n, n])], 0)];
    g
}

/// The same computation in plain Rust.
type Plain<'a> = &'a mut dyn FnMut(&[f64]);

/// A chain of so many operations, each with a constant of its own.
fn long_chain(n_ops: usize, shape: &[usize]) -> Graph {
    let mut g = Graph::new();
    let x = g.input(TensorType::new(DType::F64, shape));
    let mut y = x;
    for i in 0..n_ops / 2 {
        let c = constant(&mut g, i as f64 * 1e-6);
        let scaled = map(&mut g, Mul, &[y, c]);
        y = map(&mut g, Add, &[scaled, x]);
    }
    g.outputs = vec![y];
    g
}

fn main() {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let row = |name: &str, graph: &Graph, plain: Option<Plain<'_>>| {
        if !name.contains(&filter) {
            return;
        }
        let n = graph.input_types()[0].len();
        let data: Vec<f64> = (0..n).map(|i| 0.3 + (i % 1000) as f64 * 1e-3).collect();
        let single: Vec<f32> = data.iter().map(|&x| x as f32).collect();
        let input = |t: &TensorType| match t.dtype {
            DType::F32 => Arc::new(Buffer::from_slice(&single)),
            _ => Arc::new(Buffer::from_slice(&data)),
        };
        let inputs: Vec<Arc<Buffer>> = graph.input_types().iter().map(input).collect();
        let compile = time(|| {
            black_box(Executable::compile(graph));
        });
        let executable = Executable::compile(graph);
        let run = time(|| {
            black_box(executable.run(black_box(&inputs)).expect("nothing fails"));
        });
        let plain = plain.map(|plain| time(|| plain(black_box(&data))));
        let plain = plain.map_or(String::new(), |plain| format!("{plain:12.0} {:6.2}", plain / run));
        println!("{name:28} {run:12.0} {:8.3} {compile:10.0} {plain}", run / n as f64);
    };
    println!("{:28} {:>12} {:>8} {:>10} {:>12} {:>6}", "", "run ns", "/element", "compile ns", "plain ns", "ratio");
    let f = |x: f64| 1.7 * x + 0.3 * x.sin() * (-x * x).exp();
    row("scalar chain of 8", &bump(DType::F64, &[]), None);
    row("scalar polynomial", &polynomial(&[]), None);
    row("polynomial 3", &polynomial(&[3]), None);
    for n_ops in [20, 200, 2000, 20000] {
        row(&format!("chain of {n_ops}, scalar"), &long_chain(n_ops, &[]), None);
        row(&format!("chain of {n_ops}, 1000"), &long_chain(n_ops, &[1000]), None);
    }
    row("bisection 60", &bisection(), None);
    for n in [1_000, 100_000, 10_000_000] {
        let mut plain = |x: &[f64]| {
            black_box(x.iter().map(|&x| f(x)).collect::<Vec<f64>>());
        };
        row(&format!("bump {n}"), &bump(DType::F64, &[n]), Some(&mut plain));
        row(&format!("bump f32 {n}"), &bump(DType::F32, &[n]), None);
        let mut plain = |x: &[f64]| {
            black_box(x.iter().map(|&x| ((x * 1.5 + 0.25) * x - 0.75) * 0.5 + x).collect::<Vec<f64>>());
        };
        row(&format!("polynomial {n}"), &polynomial(&[n]), Some(&mut plain));
    }
    let mut plain = |x: &[f64]| {
        black_box(x.iter().map(|x| x * x).sum::<f64>());
    };
    row("sum of squares 1000", &reduction(&[1000], &[0]), Some(&mut plain));
    row("sum of squares 1e6", &reduction(&[1_000_000], &[0]), Some(&mut plain));
    for n in [1_000, 100_000] {
        row(&format!("weighted sum {n}"), &weighted_sum(DType::F64, n), None);
        row(&format!("weighted sum f32 {n}"), &weighted_sum(DType::F32, n), None);
    }
    row("sum 1000×1000 axis 0", &reduction(&[1000, 1000], &[0]), None);
    row("sum 1000×1000 axis 1", &reduction(&[1000, 1000], &[1]), None);
    row("sum 300000×3 axis 0", &reduction(&[300_000, 3], &[0]), None);
    row("sum 300000×3 axis 1", &reduction(&[300_000, 3], &[1]), None);
    row("sum 3×300000 axis 0", &reduction(&[3, 300_000], &[0]), None);
    row("transpose 1000", &transpose(1000), None);
}
