//! Kernels that read rows of boxes and combine results, at sizes around those at which the code changes its ways.

use super::*;

/// Numbers whose sums depend on the order.
pub(super) fn mild(dtype: DType, n: usize, seed: usize) -> Arc<Buffer> {
    let number = |i: usize| ((i * 7919 + seed * 31) % 2003) as f64 * 0.37 - 300.0;
    let numbers = (0..n).map(number);
    Arc::new(match dtype {
        F32 => Buffer::from_vec(numbers.map(|x| x as f32).collect()),
        F64 => Buffer::from_vec(numbers.collect::<Vec<f64>>()),
        I32 => Buffer::from_vec(numbers.map(|x| x as i32).collect()),
        I64 => Buffer::from_vec(numbers.map(|x| x as i64).collect()),
        U32 => Buffer::from_vec(numbers.map(|x| x as i32 as u32).collect()),
        U64 => Buffer::from_vec(numbers.map(|x| x as i64 as u64).collect()),
        other => unreachable!("{other} is not summed here"),
    })
}

pub(super) fn view(graph: &mut Graph, x: Value, shape: &[usize], strides: &[isize], offset: usize) -> Value {
    let strided = Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset };
    let dtype = graph.type_of(x).dtype;
    graph.push(Op::View(strided), &[x], vec![TensorType::new(dtype, shape)], 0)
}

pub(super) fn reduce(graph: &mut Graph, combine: Combine, x: Value, axes: &[usize]) -> Value {
    let out = graph.type_of(x).without_axes(axes);
    graph.push(Op::Reduce { combine, axes: axes.to_vec() }, &[x], vec![out], 0)
}

#[test]
fn results_of_any_length() {
    for dtype in [F64, F32, I32, I64, U32, U64] {
        for n in [1, 15, 16, 17, 100, 255, 256, 257, 272, 511, 512, 513, 515, 1024, 1039, 9000] {
            for n_results in [1, 3] {
                let mut graph = Graph::new();
                let x = graph.input(TensorType::new(dtype, &[n_results, n]));
                let square = map(&mut graph, Mul, &[x, x]);
                let wide = map(&mut graph, Cast(F64), &[square]);
                let combines = [Combine::Add, Combine::Mul, Combine::Max, Combine::Min];
                graph.outputs = combines.iter().map(|&combine| reduce(&mut graph, combine, square, &[1])).collect();
                let of_wide = reduce(&mut graph, Combine::Add, wide, &[1]);
                graph.outputs.extend([of_wide, square]);
                check_inputs(&format!("{dtype} {n_results}×{n}"), &graph, dtype, &[n_results * n]);
            }
        }
    }
}

/// Results of neighbouring points: over the first axis, over one in the middle and over several, beside what is stored.
#[test]
fn rows_of_results() {
    for dtype in [F64, F32, I32, U64] {
        for n in [1, 2, 3, 10, 31, 33, 64, 100, 127, 128, 129, 200, 511, 512, 513, 1031] {
            for (n_blocks, n_rows) in [(1, 1), (3, 2), (1, 7), (2, 16), (2, 17), (1, 300), (2, 701), (0, 3), (2, 0)] {
                let mut graph = Graph::new();
                let x = graph.input(TensorType::new(dtype, &[n_blocks, n_rows, n]));
                let square = map(&mut graph, Mul, &[x, x]);
                let swapped = view(&mut graph, x, &[n_rows, n_blocks, n], &[n as isize, (n_rows * n) as isize, 1], 0);
                let swapped = map(&mut graph, Sub, &[swapped, swapped]);
                let combines = [Combine::Add, Combine::Mul, Combine::Max, Combine::Min];
                graph.outputs = combines.iter().map(|&combine| reduce(&mut graph, combine, square, &[1])).collect();
                let of_blocks = reduce(&mut graph, Combine::Add, square, &[0, 1]);
                let of_swapped = reduce(&mut graph, Combine::Add, swapped, &[1]);
                graph.outputs.extend([of_blocks, of_swapped, square]);
                check_inputs(&format!("{dtype} {n_blocks}×{n_rows}×{n}"), &graph, dtype, &[n_blocks * n_rows * n]);
            }
        }
    }
}

/// Results that are written past the caches, of several types, with a tail; and parts of the same in place of an operand.
#[test]
fn results_larger_than_caches() {
    let n = (8 << 20) + 5;
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(F32, &[n]));
    let square = map(&mut graph, Mul, &[x, x]);
    let is_less = map(&mut graph, Lt, &[square, x]);
    let whole = map(&mut graph, Cast(I32), &[square]);
    graph.outputs = vec![square, is_less, whole];
    let input = mild(F32, n, 1);
    check("large results", &graph, std::slice::from_ref(&input));
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(F32, &[n]));
    let later = view(&mut graph, x, &[n - 1], &[1], 1);
    let wide = map(&mut graph, Cast(F64), &[later]);
    graph.outputs = vec![map(&mut graph, Add, &[wide, wide])];
    check("large results of lanes that are wider than the operand's", &graph, &[input]);
    let n_rows = n / 3;
    let mut graph = Graph::new();
    let (x, row) = (graph.input(TensorType::new(F32, &[n_rows, 3])), graph.input(TensorType::new(F32, &[3])));
    let rows = view(&mut graph, row, &[n_rows, 3], &[0, 1], 0);
    graph.outputs = vec![map(&mut graph, Mul, &[x, rows])];
    let inputs = [mild(F32, n_rows * 3, 1), mild(F32, 3, 2)];
    check("large results of rows that repeat", &graph, &inputs);
}

/// Results that are written past the caches and combined over rows of whole vectors, and of others.
#[test]
fn rows_larger_than_caches() {
    for (n_rows, n) in [(530_000, 16), (84_000, 100)] {
        let mut graph = Graph::new();
        let x = graph.input(TensorType::new(F32, &[n_rows, n]));
        let square = map(&mut graph, Mul, &[x, x]);
        graph.outputs = vec![square, reduce(&mut graph, Combine::Add, square, &[0])];
        check(&format!("{n_rows}×{n}"), &graph, &[mild(F32, n_rows * n, 1)]);
    }
}

/// Rows of a vector, a column and a slice of a larger matrix beside a dense matrix.
#[test]
fn rows_of_any_length() {
    for dtype in [F64, F32, I32] {
        let short = [(1, 2), (700, 2), (691, 3), (300, 7), (130, 8), (201, 9), (80, 16), (41, 63)];
        let long = [(1, 40), (5, 64), (4, 65), (9, 100), (20, 128), (7, 129), (3, 256), (2, 515), (70, 64), (99, 96)];
        let sizes = short.into_iter().chain(long);
        for (n_rows, n) in sizes {
            for axes in [None, Some(vec![0, 1]), Some(vec![1]), Some(vec![0])] {
                let mut graph = Graph::new();
                let x = graph.input(TensorType::new(dtype, &[n_rows, n]));
                let wide = graph.input(TensorType::new(dtype, &[n_rows + 2, n + 2]));
                let (row, column) =
                    (graph.input(TensorType::new(dtype, &[n])), graph.input(TensorType::new(dtype, &[n_rows])));
                let shape = [n_rows, n];
                let parts = [
                    view(&mut graph, row, &shape, &[0, 1], 0),
                    view(&mut graph, column, &shape, &[1, 0], 0),
                    view(&mut graph, wide, &shape, &[n as isize + 2, 1], n + 3),
                    view(&mut graph, wide, &shape, &[n as isize + 2, 1], 1),
                    // Neither side by side nor the same.
                    view(&mut graph, x, &shape, &[n as isize, -1], n - 1),
                    view(&mut graph, x, &shape, &[1, n_rows as isize], 0),
                ];
                let mut y = x;
                for (i, part) in parts.into_iter().enumerate() {
                    y = map(&mut graph, if i % 2 == 0 { Mul } else { Add }, &[y, part]);
                }
                graph.outputs = vec![y];
                if let Some(axes) = &axes {
                    let results = [Combine::Add, Combine::Max].map(|combine| reduce(&mut graph, combine, y, axes));
                    // A row that is read in place and combined as it is.
                    let of_part = reduce(&mut graph, Combine::Add, parts[2], axes);
                    graph.outputs = [&results[..], &[of_part]].concat();
                }
                let inputs = [n_rows * n, (n_rows + 2) * (n + 2), n, n_rows];
                let inputs: Vec<Arc<Buffer>> = inputs.iter().enumerate().map(|(i, &len)| mild(dtype, len, i)).collect();
                check(&format!("{dtype} {n_rows}×{n} over {axes:?}"), &graph, &inputs);
            }
        }
    }
}

/// Small matrices that repeat, transposed, beside counts that do; several results, some of them combined.
#[test]
fn blocks_again_and_again() {
    for dtype in [F64, F32, I64, U8, Bool] {
        for (n_blocks, n_rows, n) in [(1, 2, 3), (3, 2, 2), (500, 2, 3), (170, 3, 3), (90, 11, 12), (30, 10, 40)] {
            let mut graph = Graph::new();
            let shape = [n_blocks, n_rows, n];
            let (x, block) =
                (graph.input(TensorType::new(dtype, &shape)), graph.input(TensorType::new(dtype, &[n, n_rows])));
            let offset = graph.input(TensorType::new(dtype, &[n_blocks]));
            let blocks = view(&mut graph, block, &shape, &[0, 1, n_rows as isize], 0);
            let offsets = view(&mut graph, offset, &shape, &[1, 0, 0], 0);
            let swapped = view(&mut graph, x, &[n_blocks, n, n_rows], &[(n_rows * n) as isize, 1, n as isize], 0);
            let counts = graph.push(Op::Iota { axis: 2 }, &[], vec![TensorType::new(I32, &shape)], 0);
            let counts = map(&mut graph, Cast(dtype), &[counts]);
            let (combine, other) = if dtype == Bool { (And, Xor) } else { (Mul, Sub) };
            let product = map(&mut graph, combine, &[x, blocks]);
            let moved = map(&mut graph, other, &[product, offsets]);
            let counted = map(&mut graph, other, &[moved, counts]);
            let of_swapped = map(&mut graph, combine, &[swapped, swapped]);
            let reduction = if dtype == Bool { Combine::Or } else { Combine::Max };
            let largest = reduce(&mut graph, reduction, counted, &[2]);
            let all = reduce(&mut graph, reduction, product, &[0, 1, 2]);
            graph.outputs = vec![product, counted, of_swapped, largest, all];
            let lens = [n_blocks * n_rows * n, n_rows * n, n_blocks];
            check_inputs(&format!("{dtype} {shape:?}"), &graph, dtype, &lens);
        }
    }
}

/// The five-point stencil on several grids with a sum of products in the same pass: neighbours are rows that reach beyond
/// the operand, and all grids share a factor.
#[test]
fn rows_beyond_the_operand() {
    let sizes = [(1, 40), (5, 31), (5, 32), (9, 33), (20, 48), (33, 64), (8, 100), (3, 1500), (2, 2048)];
    for (dtype, one) in [(F64, Arc::new(Buffer::scalar(1.5_f64))), (F32, Arc::new(Buffer::scalar(1.5_f32)))] {
        for (n_grids, (n_rows, n)) in [1, 3].into_iter().flat_map(|n_grids| sizes.map(|size| (n_grids, size))) {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[n_grids, n_rows, n]));
            let factor = graph.input(TensorType::new(dtype, &[n_rows, n]));
            let fill = graph.push(Op::Const(one.clone()), &[], vec![TensorType::scalar(dtype)], 0);
            let step = n as isize + 2;
            let strides = vec![step * (n_rows as isize + 2), step, 1];
            let inner = Strided { shape: vec![n_grids, n_rows, n], strides: strides.clone(), offset: n + 3 };
            let wide = vec![TensorType::new(dtype, &[n_grids, n_rows + 2, n + 2])];
            let wide = graph.push(Op::Assemble { boxes: vec![inner] }, &[fill, x], wide, 0);
            let factors = view(&mut graph, factor, &[n_grids, n_rows, n], &[0, n as isize, 1], 0);
            let mut sum = map(&mut graph, Mul, &[x, factors]);
            for offset in [1, n + 2, n + 4, 2 * n + 5] {
                let neighbour = view(&mut graph, wide, &[n_grids, n_rows, n], &strides, offset);
                sum = map(&mut graph, Sub, &[sum, neighbour]);
            }
            let product = map(&mut graph, Mul, &[sum, x]);
            let dot = reduce(&mut graph, Combine::Add, product, &[0, 1, 2]);
            let of_rows = reduce(&mut graph, Combine::Max, wide, &[2]);
            graph.outputs = vec![sum, dot, of_rows, wide];
            let inputs = [mild(dtype, n_grids * n_rows * n, 1), mild(dtype, n_rows * n, 2)];
            check(&format!("{dtype} {n_grids}×{n_rows}×{n}"), &graph, &inputs);
        }
    }
}
