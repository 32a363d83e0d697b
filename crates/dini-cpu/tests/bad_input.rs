//! Programs and data at the edges of what the engine is made for, on every executor: too many values for registers,
//! hundreds of operands, no elements, addresses that no vector is aligned to, boxes that are not contiguous, memory that
//! does not exist, words that `DINI_JIT` does not know.

use dini_cpu::{
    Executable, Executor, RunError,
    buffer::Buffer,
    dtype::{DType, Element},
    graph::{Combine, Graph, Op, Strided, TensorType, Value},
    scalar::ScalarOp,
};
use std::{process::Command, sync::Arc};

fn map(graph: &mut Graph, op: ScalarOp, args: &[Value]) -> Value {
    let dtypes: Vec<DType> = args.iter().map(|&v| graph.type_of(v).dtype).collect();
    let shape = args
        .iter()
        .map(|&v| graph.type_of(v).shape.clone())
        .max_by_key(|shape| shape.len())
        .expect("there are operands");
    graph.push(Op::Map(op), args, vec![TensorType { dtype: op.result(&dtypes), shape }], 0)
}

fn constant<T: Element>(graph: &mut Graph, x: T) -> Value {
    graph.push(Op::Const(Arc::new(Buffer::scalar(x))), &[], vec![TensorType::scalar(T::DTYPE)], 0)
}

/// Runs a graph on every executor; each output must be `expected`.
#[track_caller]
fn check<T: Element>(what: &str, graph: &Graph, inputs: &[Arc<Buffer>], expected: &[&[T]]) {
    assert_eq!(graph.check(), Ok(()), "{what}");
    for executor in Executor::available() {
        let found = Executable::compile_with(graph, &executor.into()).run(inputs).expect("nothing fails");
        let found: Vec<&[T]> = found.iter().map(|output| output.as_slice()).collect();
        assert!(found == expected, "{what}, {executor}: got {found:?}, expected {expected:?}");
    }
}

/// x, x + 1, …, x + n − 1, added pairwise from both ends: all of them live at once.
fn all_alive(graph: &mut Graph, x: Value, n: usize) -> Value {
    let terms: Vec<Value> = (0..n)
        .map(|i| {
            let i = constant(graph, i as f64);
            map(graph, ScalarOp::Add, &[x, i])
        })
        .collect();
    let mut sum = terms[0];
    for term in terms[1..].iter().rev() {
        sum = map(graph, ScalarOp::Add, &[sum, *term]);
    }
    sum
}

fn sum_of_all_alive(x: f64, n: usize) -> f64 {
    n as f64 * x + (n * (n - 1) / 2) as f64
}

#[test]
fn programs_too_large_for_registers() {
    for n in [100, 1000, 6000] {
        for shape in [&[][..], &[1], &[37]] {
            let mut graph = Graph::new();
            let t = TensorType::new(DType::F64, shape);
            let x = graph.input(t.clone());
            graph.outputs = vec![all_alive(&mut graph, x, n)];
            let input: Vec<f64> = (0..t.len()).map(|i| i as f64).collect();
            let expected: Vec<f64> = input.iter().map(|&x| sum_of_all_alive(x, n)).collect();
            let what = format!("{n} values of {t}");
            check(&what, &graph, &[Arc::new(Buffer::from_slice(&input))], &[&expected]);
        }
    }
}

/// A loop of 300 states, each of which becomes its neighbour plus one.
#[test]
fn loops_too_large_for_registers() {
    const N: usize = 300;
    const ROUNDS: i32 = 10;
    let mut types = vec![TensorType::scalar(DType::I32)];
    types.resize(N + 1, TensorType::scalar(DType::F64));
    let mut cond = Graph::new();
    let states: Vec<Value> = types.iter().map(|t| cond.input(t.clone())).collect();
    let limit = constant(&mut cond, ROUNDS);
    cond.outputs = vec![map(&mut cond, ScalarOp::Lt, &[states[0], limit])];
    let mut body = Graph::new();
    let states: Vec<Value> = types.iter().map(|t| body.input(t.clone())).collect();
    let (count, one) = (constant(&mut body, 1i32), constant(&mut body, 1.0));
    let mut outputs = vec![map(&mut body, ScalarOp::Add, &[states[0], count])];
    outputs.extend((0..N).map(|i| map(&mut body, ScalarOp::Add, &[states[1 + (i + 1) % N], one])));
    body.outputs = outputs;
    let mut graph = Graph::new();
    let starts: Vec<Value> = (0..N).map(|_| graph.input(TensorType::scalar(DType::F64))).collect();
    let zero = constant(&mut graph, 0i32);
    let op = Op::While { cond: Arc::new(cond), body: Arc::new(body), n_cond_captures: 0, n_body_captures: 0 };
    let first = graph.push(op, &[&[zero], &starts[..]].concat(), types, 0);
    graph.outputs = (1..=N as u32).map(|i| Value(first.0 + i)).collect();
    let inputs: Vec<Arc<Buffer>> = (0..N).map(|i| Arc::new(Buffer::scalar(i as f64))).collect();
    let rounds = ROUNDS as usize;
    let expected: Vec<[f64; 1]> = (0..N).map(|i| [((i + rounds) % N + rounds) as f64]).collect();
    check("300 states", &graph, &inputs, &expected.iter().map(|x| &x[..]).collect::<Vec<_>>());
}

#[test]
fn kernels_with_hundreds_of_inputs_and_outputs() {
    const N: usize = 700;
    for len in [1, 9, 1000] {
        let mut graph = Graph::new();
        let t = TensorType::new(DType::F64, &[len]);
        let inputs: Vec<Value> = (0..N).map(|_| graph.input(t.clone())).collect();
        let mut sum = inputs[0];
        let mut sums = vec![];
        for &input in &inputs[1..] {
            sum = map(&mut graph, ScalarOp::Add, &[sum, input]);
            sums.push(sum);
        }
        graph.outputs = sums;
        let data: Vec<Arc<Buffer>> = (0..N).map(|i| Arc::new(Buffer::from_vec(vec![i as f64; len]))).collect();
        let expected: Vec<Vec<f64>> = (1..N).map(|i| vec![(i * (i + 1) / 2) as f64; len]).collect();
        check(&format!("{len} points"), &graph, &data, &expected.iter().map(|x| &x[..]).collect::<Vec<_>>());
    }
}

/// Elementwise results, reductions along each axis and of everything.
#[test]
fn no_elements_and_one() {
    for shape in [&[0][..], &[0, 3], &[3, 0], &[2, 0, 3], &[], &[1], &[1, 1, 1]] {
        let t = TensorType::new(DType::F64, shape);
        let mut graph = Graph::new();
        let x = graph.input(t.clone());
        let y = map(&mut graph, ScalarOp::Mul, &[x, x]);
        let mut expected = vec![vec![9.0; t.len()]];
        graph.outputs = vec![y];
        let all_axes: Vec<usize> = (0..shape.len()).collect();
        for axes in (0..shape.len()).map(|axis| vec![axis]).chain([all_axes]) {
            let out = t.without_axes(&axes);
            for (combine, of_nothing) in [(Combine::Add, 0.0), (Combine::Mul, 1.0), (Combine::Max, f64::NEG_INFINITY)] {
                let op = Op::Reduce { combine, axes: axes.clone() };
                let reduced = graph.push(op, &[y], vec![out.clone()], 0);
                graph.outputs.push(reduced);
                expected.push(vec![if t.is_empty() { of_nothing } else { 9.0 }; out.len()]);
            }
        }
        let input = Arc::new(Buffer::from_vec(vec![3.0; t.len()]));
        check(&t.to_string(), &graph, &[input], &expected.iter().map(|x| &x[..]).collect::<Vec<_>>());
    }
}

/// Neighbours of an input: operands at all distances from what vectors are aligned to, of lengths with all tails.
#[test]
fn addresses_are_not_aligned() {
    fn check_type<T: Element>(element: fn(usize) -> T) {
        for n in (1..70).chain([257, 1000]) {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(T::DTYPE, &[n + 5]));
            for offset in [1, 2, 5] {
                let part = Op::View(Strided { shape: vec![n], strides: vec![1], offset });
                let part = graph.push(part, &[x], vec![TensorType::new(T::DTYPE, &[n])], 0);
                let largest = map(&mut graph, ScalarOp::Max, &[part, part]);
                graph.outputs.push(largest);
            }
            let input: Vec<T> = (0..n + 5).map(element).collect();
            let expected = [1, 2, 5].map(|offset| &input[offset..offset + n]);
            check(&format!("{n} of {}", T::DTYPE), &graph, &[Arc::new(Buffer::from_slice(&input))], &expected);
        }
    }
    check_type(|i| i % 3 == 1);
    check_type(|i| i as u8);
    check_type(|i| i as f32);
    check_type(|i| i as f64);
    check_type(|i| i as i64);
}

#[test]
fn boxes_are_not_contiguous() {
    let n = 300;
    let views = [
        ("reversed", vec![n], vec![-1], n - 1),
        ("every third", vec![n / 3], vec![3], 1),
        ("one for all", vec![n], vec![0], 7),
        ("transposed", vec![20, 15], vec![1, 20], 0),
        ("overlapping", vec![n - 4, 5], vec![1, 1], 0),
        ("columns backwards", vec![15, 20], vec![20, -1], 19),
        ("rows again", vec![15, 4, 20], vec![20, 0, 1], 0),
    ];
    for (what, shape, strides, offset) in views {
        let mut graph = Graph::new();
        let x = graph.input(TensorType::new(DType::F64, &[n]));
        let strided = Strided { shape: shape.clone(), strides, offset };
        let mut indices = vec![];
        visit(&strided, 0, strided.offset as isize, &mut indices);
        let view = graph.push(Op::View(strided), &[x], vec![TensorType::new(DType::F64, &shape)], 0);
        let one = constant(&mut graph, 1.0);
        let y = map(&mut graph, ScalarOp::Add, &[view, one]);
        let (axes, scalar) = ((0..shape.len()).collect(), TensorType::scalar(DType::F64));
        let sum = graph.push(Op::Reduce { combine: Combine::Add, axes }, &[y], vec![scalar], 0);
        graph.outputs = vec![y, sum, view];
        let input: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let seen: Vec<f64> = indices.iter().map(|&i| input[i as usize]).collect();
        let added: Vec<f64> = seen.iter().map(|x| x + 1.0).collect();
        let sum = [added.iter().sum()];
        check(what, &graph, &[Arc::new(Buffer::from_slice(&input))], &[&added, &sum, &seen]);
    }
}

/// The places of a box, in row-major order.
fn visit(strided: &Strided, axis: usize, at: isize, indices: &mut Vec<isize>) {
    match strided.shape.get(axis) {
        None => indices.push(at),
        Some(&n) => (0..n as isize).for_each(|i| visit(strided, axis + 1, at + i * strided.strides[axis], indices)),
    }
}

/// A temporary that no machine has memory for: an error, as often as it is run.
#[test]
fn memory_for_temporaries_may_not_exist() {
    let huge = TensorType::new(DType::F64, &[1 << 45]);
    let mut graph = Graph::new();
    let x = graph.input(TensorType::scalar(DType::F64));
    let everywhere = Op::View(Strided { shape: vec![1 << 45], strides: vec![0], offset: 0 });
    let repeated = graph.push(everywhere, &[x], vec![huge.clone()], 0);
    let cumulative = Op::Cumulative { combine: Combine::Add, axis: 0, reverse: false };
    let sums = graph.push(cumulative, &[repeated], vec![huge], 0);
    let last = Op::View(Strided { shape: vec![], strides: vec![], offset: (1 << 45) - 1 });
    graph.outputs = vec![graph.push(last, &[sums], vec![TensorType::scalar(DType::F64)], 0)];
    for executor in Executor::available() {
        let executable = Executable::compile_with(&graph, &executor.into());
        for _ in 0..2 {
            let error = executable.run(&[Arc::new(Buffer::scalar(1.0))]).expect_err("256 TiB are too much");
            assert!(matches!(error, RunError::OutOfMemory(_)), "{executor}: {error}");
        }
    }
}

/// Prints what the process chose, for the test below.
#[test]
fn choice_of_process() {
    println!("chose {}", Executor::of_process());
}

#[test]
fn words_of_the_environment() {
    let best = *Executor::available().last().expect("the interpreter");
    let avx2 = best.min(Executor::Avx2);
    for (word, expected) in [("off", Executor::Interpreter), ("avx2", avx2), ("avx512", best), ("", best), ("no", best)]
    {
        let this = std::env::current_exe().expect("the test has a file");
        let arguments = ["--exact", "choice_of_process", "--nocapture"];
        let output = Command::new(this).args(arguments).env("DINI_JIT", word).output().expect("it starts again");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(&format!("chose {expected}\n")), "{word}: {text}");
    }
}
