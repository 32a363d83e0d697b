//! Counts, and quotients of integers.

use super::{
    rows::{reduce, view},
    *,
};

/// Numbers of any length, those around powers of 2 among them, and quotients of numbers like these.
#[test]
fn quotients_and_remainders_of_any_size() {
    let n = 4099;
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut number = |bits: u32| {
        let length = next() % u64::from(bits + 1);
        let x = if length == 0 { 0 } else { next() >> (64 - length) };
        match next() % 6 {
            0 => 1u64.checked_shl(length as u32).unwrap_or(0).wrapping_sub(1 + next() % 3).wrapping_add(next() % 3),
            1 => x.wrapping_neg(),
            _ => x,
        }
    };
    for dtype in [U8, U32, U64, I32, I64] {
        let mut operands = [vec![], vec![]];
        for i in 0..n {
            let y = number(8 * dtype.size() as u32);
            // Multiples of the divisor, and their neighbours.
            let q = number(8 * dtype.size() as u32);
            let x = if i % 2 == 0 { q } else { q.wrapping_mul(y).wrapping_add(number(2)).wrapping_sub(1) };
            operands[0].push(x);
            operands[1].push(y);
        }
        let buffer = |x: &[u64]| {
            Arc::new(match dtype {
                U8 => Buffer::from_vec(x.iter().map(|&x| x as u8).collect::<Vec<u8>>()),
                U32 => Buffer::from_vec(x.iter().map(|&x| x as u32).collect::<Vec<u32>>()),
                I32 => Buffer::from_vec(x.iter().map(|&x| x as i32).collect::<Vec<i32>>()),
                I64 => Buffer::from_vec(x.iter().map(|&x| x as i64).collect::<Vec<i64>>()),
                _ => Buffer::from_vec(x.to_vec()),
            })
        };
        let inputs = operands.each_ref().map(|x| buffer(x));
        for op in [Div, Rem] {
            check(&format!("{op:?} of {dtype}"), &applied(op, &[dtype; 2], &[n]), &inputs);
        }
    }
}

fn iota(graph: &mut Graph, dtype: DType, shape: &[usize], axis: usize) -> Value {
    graph.push(Op::Iota { axis }, &[], vec![TensorType::new(dtype, shape)], 0)
}

#[test]
fn counts_of_every_type() {
    for dtype in [U8, U32, U64, I32, I64, F32, F64] {
        for n in [0, 1, 2, 7, 16, 33, 257, 1000] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[n]));
            let count = iota(&mut graph, dtype, &[n], 0);
            let backwards = view(&mut graph, count, &[n], &[-1], n.saturating_sub(1));
            let sum = map(&mut graph, Add, &[count, x]);
            let product = map(&mut graph, Mul, &[backwards, sum]);
            graph.outputs = vec![count, sum, product];
            check(&format!("{dtype}[{n}]"), &graph, &[corners(dtype, n, 1)]);
        }
    }
}

/// Diagonal and triangular matrices, as comparisons of counts along the axes make them, and their sums; rows of all
/// lengths, in parts of larger arrays too.
#[test]
fn counts_along_axes() {
    for (m, n) in [(1, 1), (0, 5), (3, 31), (32, 32), (100, 100), (7, 333), (5, 1031), (40, 64)] {
        for dtype in [I32, F64] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(F64, &[n]));
            let (rows, columns) = (iota(&mut graph, dtype, &[m, n], 0), iota(&mut graph, dtype, &[m, n], 1));
            let across = view(&mut graph, x, &[m, n], &[0, 1], 0);
            let zero = graph.push(Op::Const(Arc::new(Buffer::scalar(0.0))), &[], vec![TensorType::scalar(F64)], 0);
            let is_diagonal = map(&mut graph, Eq, &[rows, columns]);
            let is_below = map(&mut graph, Ge, &[rows, columns]);
            let diagonal = map(&mut graph, Select, &[is_diagonal, across, zero]);
            let below = map(&mut graph, Select, &[is_below, across, zero]);
            let all = reduce(&mut graph, Combine::Add, below, &[0, 1]);
            let of_rows = reduce(&mut graph, Combine::Add, below, &[1]);
            let of_columns = reduce(&mut graph, Combine::Max, diagonal, &[0]);
            graph.outputs = vec![diagonal, below, all, of_rows, of_columns];
            check(&format!("{dtype} {m}×{n}"), &graph, &[corners(F64, n, 1)]);
        }
    }
    // The inner part of a larger count, whose rows do not begin with 0.
    let mut graph = Graph::new();
    let x = graph.input(TensorType::new(I64, &[50, 60]));
    let count = iota(&mut graph, I64, &[70, 90], 1);
    let part = view(&mut graph, count, &[50, 60], &[90, 1], 11 * 90 + 13);
    let sum = map(&mut graph, Add, &[part, x]);
    graph.outputs = vec![sum];
    check("part", &graph, &[corners(I64, 3000, 1)]);
}
