//! Whole programs against their operations one by one: fusion must not change a bit. Counts of kernels and bytes.

use super::{
    rows::{mild, reduce, view},
    *,
};
use crate::explain::Explanation;

/// Each operation in an executable of its own.
fn unfused(graph: &Graph, inputs: &[Arc<Buffer>]) -> Vec<Arc<Buffer>> {
    let mut values: Vec<Arc<Buffer>> = inputs.to_vec();
    for node in &graph.nodes {
        let mut one = Graph::new();
        let args: Vec<Value> = node.args.iter().map(|&arg| one.input(graph.type_of(arg).clone())).collect();
        let outs = node.outs().map(|out| graph.type_of(out).clone());
        let first = one.push(node.op.clone(), &args, outs, 0);
        one.outputs = (0..node.n_outs as u32).map(|i| Value(first.0 + i)).collect();
        let args: Vec<Arc<Buffer>> = node.args.iter().map(|arg| values[arg.0 as usize].clone()).collect();
        values.extend(Executable::compile(&one).run(&args).expect("nothing fails"));
    }
    graph.outputs.iter().map(|output| values[output.0 as usize].clone()).collect()
}

/// Compares with single operations, and counts kernels and the bytes that they move.
#[track_caller]
fn check(name: &str, graph: &Graph, inputs: &[Arc<Buffer>], launches: u64, bytes: u64) {
    super::check(name, graph, inputs);
    let fused = Executable::compile(graph).run(inputs).expect("nothing fails");
    for (i, (fused, single)) in fused.iter().zip(&unfused(graph, inputs)).enumerate() {
        assert!(bits(fused) == bits(single), "{name}: output {i} differs");
    }
    let explained = Explanation::new(graph);
    let cost = explained.total();
    let counted = (cost.launches, cost.bytes_read + cost.bytes_written);
    assert_eq!(counted, (launches, bytes), "{name}\n{explained}");
}

/// Repeats a column along rows.
fn across(graph: &mut Graph, column: Value, n: usize) -> Value {
    let n_rows = graph.type_of(column).shape[0];
    view(graph, column, &[n_rows, n], &[1, 0], 0)
}

/// Σ softmax(x) w and its gradient, row by row.
fn softmax(dtype: DType, n_rows: usize, n: usize) -> Graph {
    let mut g = Graph::new();
    let (x, w) = (g.input(TensorType::new(dtype, &[n_rows, n])), g.input(TensorType::new(dtype, &[n_rows, n])));
    let largest = reduce(&mut g, Combine::Max, x, &[1]);
    let largest = across(&mut g, largest, n);
    let distance = map(&mut g, Sub, &[x, largest]);
    let exp = map(&mut g, Exp, &[distance]);
    let sum = reduce(&mut g, Combine::Add, exp, &[1]);
    let sum = across(&mut g, sum, n);
    let y = map(&mut g, Div, &[exp, sum]);
    let weighted = map(&mut g, Mul, &[y, w]);
    let value = reduce(&mut g, Combine::Add, weighted, &[0, 1]);
    let mean = reduce(&mut g, Combine::Add, weighted, &[1]);
    let mean = across(&mut g, mean, n);
    let centred = map(&mut g, Sub, &[w, mean]);
    let gradient = map(&mut g, Mul, &[y, centred]);
    g.outputs = vec![value, gradient];
    g
}

#[test]
fn rows_of_softmax_pass_through_all_kernels_in_strips() {
    // Read x and w, write the gradient: what stands between them stays in the cache.
    for (dtype, n_rows, n) in [(F32, 300, 1024), (F64, 130, 1536), (F64, 5000, 17)] {
        let inputs = [mild(dtype, n_rows * n, 1), mild(dtype, n_rows * n, 2)];
        let bytes = (3 * n_rows * n * dtype.size() + dtype.size()) as u64;
        check(&format!("{dtype} {n_rows}×{n}"), &softmax(dtype, n_rows, n), &inputs, 5, bytes);
    }
    for (n_rows, n) in [(1, 1), (5, 3), (0, 4), (3, 1024), (130, 1000)] {
        let inputs = [mild(F64, n_rows * n, 1), mild(F64, n_rows * n, 2)];
        let graph = softmax(F64, n_rows, n);
        super::check(&format!("{n_rows}×{n}"), &graph, &inputs);
        for (fused, single) in Executable::compile(&graph).run(&inputs).iter().flatten().zip(unfused(&graph, &inputs)) {
            assert!(bits(fused) == bits(&single), "{n_rows}×{n} differs");
        }
    }
}

/// One step of conjugate gradients for a five-point stencil: three passes, without copies of neighbours.
#[test]
fn stencils_with_sums_of_products_are_single_passes() {
    for n in [48, 64, 100, 256] {
        let mut g = Graph::new();
        let field = TensorType::new(F64, &[n, n]);
        let [theta, x, r, p] = std::array::from_fn(|_| g.input(field.clone()));
        let rr = g.input(TensorType::scalar(F64));
        let fill = g.push(Op::Const(Arc::new(Buffer::scalar(0.0))), &[], vec![TensorType::scalar(F64)], 0);
        let inner = Strided { shape: vec![n, n], strides: vec![n as isize + 2, 1], offset: n + 3 };
        let wide = vec![TensorType::new(F64, &[n + 2, n + 2])];
        let wide = g.push(Op::Assemble { boxes: vec![inner] }, &[fill, p], wide, 0);
        let mut ap = map(&mut g, Mul, &[theta, p]);
        for offset in [1, n + 2, n + 4, 2 * n + 5] {
            let neighbour = view(&mut g, wide, &[n, n], &[n as isize + 2, 1], offset);
            ap = map(&mut g, Sub, &[ap, neighbour]);
        }
        let dot = |g: &mut Graph, a: Value, b: Value| {
            let product = map(g, Mul, &[a, b]);
            reduce(g, Combine::Add, product, &[0, 1])
        };
        let pap = dot(&mut g, p, ap);
        let alpha = map(&mut g, Div, &[rr, pap]);
        let (step, change) = (map(&mut g, Mul, &[alpha, p]), map(&mut g, Mul, &[alpha, ap]));
        let (x, r) = (map(&mut g, Add, &[x, step]), map(&mut g, Sub, &[r, change]));
        let next = dot(&mut g, r, r);
        let beta = map(&mut g, Div, &[next, rr]);
        let kept = map(&mut g, Mul, &[beta, p]);
        let p = map(&mut g, Add, &[r, kept]);
        g.outputs = vec![x, r, p, next];
        let inputs: Vec<Arc<Buffer>> =
            (0..4).map(|i| mild(F64, n * n, i)).chain([Arc::new(Buffer::scalar(3.5))]).collect();
        // Two reads and a write, four reads and two writes, two reads and a write; and single elements.
        let bytes = (12 * n * n * size_of::<f64>() + 10 * size_of::<f64>()) as u64;
        check(&format!("{n}×{n}"), &g, &inputs, 5, bytes);
    }
}

/// Σ tanh(x) w is one pass that writes a single element.
#[test]
fn sums_of_functions_are_single_passes() {
    for (dtype, n) in [(F32, 100_003), (F64, 9_999)] {
        let mut g = Graph::new();
        let (x, w) = (g.input(TensorType::new(dtype, &[n])), g.input(TensorType::new(dtype, &[n])));
        let tanh = map(&mut g, Tanh, &[x]);
        let product = map(&mut g, Mul, &[tanh, w]);
        g.outputs = vec![reduce(&mut g, Combine::Add, product, &[0])];
        let bytes = ((2 * n + 1) * dtype.size()) as u64;
        check(&format!("{dtype} {n}"), &g, &[mild(dtype, n, 1), mild(dtype, n, 2)], 1, bytes);
    }
}
