//! Cumulative operations along any axis, either way, at sizes around those at which the code changes its ways.

use super::{
    rows::{mild, reduce, view},
    *,
};

fn cumulative(graph: &mut Graph, combine: Combine, x: Value, axis: usize, reverse: bool) -> Value {
    let t = graph.type_of(x).clone();
    graph.push(Op::Cumulative { combine, axis, reverse }, &[x], vec![t], 0)
}

/// Beside what else is stored and combined, of what is read, what is computed and what is the same everywhere.
#[test]
fn of_all_types_along_any_axis() {
    for dtype in DTYPES {
        let combines: &[Combine] = match dtype {
            Bool => &[Combine::Or, Combine::And],
            F32 | F64 => &[Combine::Add, Combine::Mul, Combine::Max, Combine::Min],
            _ => &[Combine::Add, Combine::Max, Combine::And],
        };
        for [outer, n, inner] in SPACES {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[outer, n, inner]));
            let single = graph.input(TensorType::scalar(dtype));
            let square = map(&mut graph, if dtype == Bool { Xor } else { Mul }, &[x, x]);
            let same = view(&mut graph, single, &[outer, n, inner], &[0, 0, 0], 0);
            for (i, &combine) in combines.iter().enumerate() {
                for (of, reverse) in [(x, false), (square, false), (x, true), (square, true), (same, i == 0)] {
                    let result = cumulative(&mut graph, combine, of, 1, reverse);
                    graph.outputs.push(result);
                }
                let total = reduce(&mut graph, combine, square, &[1]);
                graph.outputs.push(total);
            }
            graph.outputs.push(square);
            check_inputs(&format!("{dtype} {outer}×{n}×{inner}"), &graph, dtype, &[outer * n * inner, 1]);
        }
    }
}

/// One after the other, and a sum begins with its first term: −0 stays −0.
#[test]
fn in_order() {
    for [outer, n, inner] in SPACES {
        for reverse in [false, true] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(F64, &[outer, n, inner]));
            let halves = graph.push(Op::Map(Neg), &[x], vec![TensorType::new(F64, &[outer, n, inner])], 0);
            graph.outputs = [x, halves].map(|x| cumulative(&mut graph, Combine::Add, x, 1, reverse)).to_vec();
            let len = outer * n * inner;
            let mut data = mild(F64, len, 3).as_slice::<f64>().to_vec();
            data.iter_mut().take(3 * inner).for_each(|x| *x = -0.0);
            for (sign, output) in [(1.0, 0), (-1.0, 1)] {
                let mut expected: Vec<f64> = data.iter().map(|x| sign * x).collect();
                for place in (0..len).map(|i| if reverse { len - 1 - i } else { i }) {
                    let k = place / inner % n;
                    if reverse && k + 1 < n {
                        expected[place] += expected[place + inner];
                    } else if !reverse && k > 0 {
                        expected[place] += expected[place - inner];
                    }
                }
                for executor in Executor::available() {
                    let executable = Executable::compile_with(&graph, &executor.into());
                    let found = executable.run(&[Arc::new(Buffer::from_slice(&data))]).expect("nothing fails");
                    let of_bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
                    let (found, expected) = (of_bits(found[output].as_slice()), of_bits(&expected));
                    assert!(found == expected, "{outer}×{n}×{inner}, {executor}, reverse {reverse}");
                }
            }
        }
    }
}

/// Views that are not dense, one cumulative operation after the other, over several axes, and what is used at once.
#[test]
fn among_other_operations() {
    for dtype in [F64, F32, I32] {
        for (m, n) in [(1, 600), (40, 37), (33, 256), (700, 3), (9, 1031)] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[m + 1, n]));
            let (wide, n_apart) = (n as isize, (n * m) as isize);
            let part = view(&mut graph, x, &[m, n], &[wide, 1], n);
            let reversed = view(&mut graph, x, &[m, n], &[-wide, 1], n * m);
            let transposed = view(&mut graph, x, &[n, m], &[1, wide], 0);
            let repeated = view(&mut graph, x, &[m, n], &[0, 1], n_apart as usize);
            let product = map(&mut graph, Mul, &[part, reversed]);
            for x in [part, reversed, transposed, repeated, product] {
                for (axis, reverse) in [(0, false), (1, true), (0, true), (1, false)] {
                    let first = cumulative(&mut graph, Combine::Add, x, axis, reverse);
                    let scaled = map(&mut graph, Sub, &[first, x]);
                    let second = cumulative(&mut graph, Combine::Max, scaled, 1 - axis, reverse);
                    let difference = map(&mut graph, Sub, &[second, first]);
                    let total = reduce(&mut graph, Combine::Add, difference, &[axis]);
                    // Of the same as the first.
                    let another = cumulative(&mut graph, Combine::Max, x, axis, reverse);
                    let third = cumulative(&mut graph, Combine::Mul, x, axis, reverse);
                    graph.outputs.extend([difference, total, another, third]);
                }
            }
            check_inputs(&format!("{dtype} {m}×{n}"), &graph, dtype, &[(m + 1) * n]);
        }
    }
}

/// What combines is computed in the same pass.
#[test]
fn operands_are_computed_where_they_combine() {
    for axis in [0, 1] {
        let mut graph = Graph::new();
        let t = TensorType::new(F64, &[40, 1000]);
        let x = graph.input(t.clone());
        let exp = map(&mut graph, Exp, &[x]);
        graph.outputs = vec![cumulative(&mut graph, Combine::Add, exp, axis, false)];
        let explained = crate::explain::Explanation::new(&graph);
        let cost = explained.total();
        let bytes = 8 * t.len() as u64;
        assert_eq!((cost.launches, cost.bytes_read, cost.bytes_written), (1, bytes, bytes), "{explained}");
        assert!(explained.to_string().contains("cumulative add"), "{explained}");
    }
}
