//! Elements at indices, among the operations that compute the indices and use the elements.

use super::{
    rows::{mild, reduce, view},
    *,
};
use crate::{explain::Explanation, graph::OutOfBounds};

const MODES: [OutOfBounds; 3] = [OutOfBounds::Fill, OutOfBounds::Zero, OutOfBounds::Clip];

fn scalar(graph: &mut Graph, dtype: DType, x: i64) -> Value {
    let buffer = match dtype {
        U8 => Buffer::scalar(x as u8),
        U32 => Buffer::scalar(x as u32),
        U64 => Buffer::scalar(x as u64),
        I32 => Buffer::scalar(x as i32),
        I64 => Buffer::scalar(x),
        other => unreachable!("{other} is no index"),
    };
    graph.push(Op::Const(Arc::new(buffer)), &[], vec![TensorType::scalar(dtype)], 0)
}

/// Indices of `len` elements and some beyond either end, and the corners of their type.
fn indices(dtype: DType, len: usize, n: usize) -> Arc<Buffer> {
    let mut buffer = Buffer::zeros(dtype, n);
    let index = |i: usize| (i.wrapping_mul(7919) % (2 * len + 5)) as i64 - len as i64 - 2;
    macro_rules! fill {
        ($t:ty) => {
            for (i, x) in buffer.as_mut_slice::<$t>().iter_mut().enumerate() {
                *x = if i % 31 == 5 { [<$t>::MIN, <$t>::MAX][i % 2] } else { index(i) as $t };
            }
        };
    }
    match dtype {
        U8 => fill!(u8),
        U32 => fill!(u32),
        U64 => fill!(u64),
        I32 => fill!(i32),
        I64 => fill!(i64),
        other => unreachable!("{other} is no index"),
    }
    Arc::new(buffer)
}

fn gather(graph: &mut Graph, x: Value, indices: Value, mode: OutOfBounds) -> Value {
    let n = graph.type_of(indices).len();
    let dtype = graph.type_of(x).dtype;
    let column = view(graph, indices, &[n, 1], &[1, 1], 0);
    graph.push(Op::Gather { n_batch: 0, mode }, &[x, column], vec![TensorType::new(dtype, &[n])], 0)
}

/// Negative indices count from the end.
fn wrapped(graph: &mut Graph, indices: Value, len: usize) -> Value {
    let dtype = graph.type_of(indices).dtype;
    let (zero, len) = (scalar(graph, dtype, 0), scalar(graph, dtype, len as i64));
    let is_negative = map(graph, Lt, &[indices, zero]);
    let from_end = map(graph, Add, &[indices, len]);
    map(graph, Select, &[is_negative, from_end, indices])
}

#[test]
fn elements_and_indices_of_all_types_in_all_modes() {
    for dtype in DTYPES {
        for index in [U8, U32, U64, I32, I64] {
            for (len, n) in [(1, 65), (37, 66), (1000, 79), (300, 2053)] {
                let mut graph = Graph::new();
                let x = graph.input(TensorType::new(dtype, &[len]));
                let at = graph.input(TensorType::new(index, &[n]));
                let places = wrapped(&mut graph, at, len);
                graph.outputs = MODES.iter().map(|&mode| gather(&mut graph, x, places, mode)).collect();
                // Of the same type as its operand in one go, and of another one, so that lanes are of several widths.
                let (filled, gathered) = (graph.outputs[0], graph.outputs[2]);
                let is_less = map(&mut graph, Lt, &[filled, gathered]);
                let wide = map(&mut graph, Cast(F64), &[gathered]);
                graph.outputs.extend([is_less, wide]);
                let inputs = [corners(dtype, len, 3), indices(index, len, n)];
                check(&format!("{n} of {len} {dtype} at {index}"), &graph, &inputs);
            }
        }
    }
}

/// Few elements, none of none, and none at all, which are not part of kernels.
#[test]
fn few_elements() {
    for (len, n) in [(0, 0), (0, 3), (0, 100), (5, 0), (1, 1), (5, 1), (5, 64), (5, 65)] {
        for mode in [OutOfBounds::Fill, OutOfBounds::Zero] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(F64, &[len]));
            let at = graph.input(TensorType::new(I32, &[n]));
            let gathered = gather(&mut graph, x, at, mode);
            graph.outputs = vec![map(&mut graph, Add, &[gathered, gathered])];
            check(&format!("{n} of {len}"), &graph, &[mild(F64, len, 1), indices(I32, len, n)]);
        }
    }
}

/// Parts of tensors, tensors at places that they hold themselves, in turns; misaligned.
#[test]
fn tables_of_any_origin() {
    for n in [65, 100, 515, 1500] {
        let mut graph = Graph::new();
        let x = graph.input(TensorType::new(F32, &[n + 3]));
        let at = graph.input(TensorType::new(I64, &[n]));
        let (part, reversed) = (view(&mut graph, x, &[n], &[1], 3), view(&mut graph, x, &[n], &[-1], n));
        let computed = map(&mut graph, Mul, &[part, reversed]);
        let (at_end, transposed) =
            (view(&mut graph, at, &[n], &[-1], n - 1), view(&mut graph, x, &[2, n / 2], &[1, 2], 1));
        let transposed = view(&mut graph, transposed, &[n / 2 * 2], &[1], 0);
        let mut outputs = vec![];
        for table in [x, part, reversed, computed, transposed] {
            let forward = gather(&mut graph, table, at, OutOfBounds::Fill);
            let backward = gather(&mut graph, table, at_end, OutOfBounds::Clip);
            let sum = map(&mut graph, Add, &[forward, backward]);
            let again = gather(&mut graph, sum, at, OutOfBounds::Zero);
            outputs.extend([sum, map(&mut graph, Mul, &[again, forward])]);
        }
        // At the places of places.
        let next = gather(&mut graph, at, at, OutOfBounds::Clip);
        outputs.push(gather(&mut graph, next, next, OutOfBounds::Fill));
        let single = view(&mut graph, at, &[n], &[0], 7);
        let same = gather(&mut graph, x, single, OutOfBounds::Clip);
        outputs.extend([same, map(&mut graph, Add, &[same, part])]);
        graph.outputs = outputs;
        check(&format!("{n}"), &graph, &[mild(F32, n + 3, 1), indices(I64, n, n)]);
    }
}

/// What is gathered is combined in the same pass: to one result, along rows, to rows, with a matrix's columns beside.
#[test]
fn sums_of_gathered_elements() {
    for (dtype, index) in [(F64, I32), (F32, I64), (I32, U8), (U64, U64)] {
        for (n_rows, n) in [(1, 70), (9, 33), (3, 256), (70, 5), (2, 1031)] {
            let len = 97;
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[len]));
            let at = graph.input(TensorType::new(index, &[n_rows * n]));
            let row = graph.input(TensorType::new(dtype, &[n]));
            let places = wrapped(&mut graph, at, len);
            let gathered = gather(&mut graph, x, places, OutOfBounds::Zero);
            let gathered = view(&mut graph, gathered, &[n_rows, n], &[n as isize, 1], 0);
            let row = view(&mut graph, row, &[n_rows, n], &[0, 1], 0);
            let product = map(&mut graph, Mul, &[gathered, row]);
            for axes in [&[0, 1][..], &[1], &[0]] {
                for combine in [Combine::Add, Combine::Max] {
                    let mut graph = graph.clone();
                    graph.outputs = vec![reduce(&mut graph, combine, product, axes), product];
                    let inputs = [mild(dtype, len, 1), indices(index, len, n_rows * n), mild(dtype, n, 2)];
                    check(&format!("{combine:?} of {n_rows}×{n} {dtype} at {index} over {axes:?}"), &graph, &inputs);
                }
            }
        }
    }
}

/// Wrapping, reading and using is one pass.
#[test]
fn indices_are_computed_where_they_are_used() {
    let (len, n) = (1000, 5000);
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(F64, &[len]));
    let at = graph.input(TensorType::new(I32, &[n]));
    let places = wrapped(&mut graph, at, len);
    let gathered = gather(&mut graph, x, places, OutOfBounds::Fill);
    graph.outputs = vec![map(&mut graph, Exp, &[gathered])];
    check("one pass", &graph, &[mild(F64, len, 1), indices(I32, len, n)]);
    let explained = Explanation::new(&graph);
    let cost = explained.total();
    // The numbers for wrapping are elements too.
    let bytes = (8 * len + 4 * n + 2 * 4, 8 * n);
    assert_eq!(
        (cost.launches, cost.bytes_read, cost.bytes_written),
        (1, bytes.0 as u64, bytes.1 as u64),
        "{explained}"
    );
    assert!(explained.to_string().contains("gather"), "{explained}");
}
