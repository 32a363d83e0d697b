//! Places of extrema, along any axis, at sizes around those from which on kernels find them.

use super::{
    rows::{mild, view},
    *,
};

fn extremum(graph: &mut Graph, x: Value, largest: bool, axis: usize, dtype: DType) -> Value {
    let t = TensorType { dtype, ..graph.type_of(x).without_axes(&[axis]) };
    graph.push(Op::ArgReduce { largest, axis }, &[x], vec![t], 0)
}

/// One element after the other, as `f64`, which holds all that is tested here.
fn expected(x: &[f64], [outer, n, inner]: [usize; 3], largest: bool) -> Vec<i64> {
    let first = |result: usize| {
        let at = |k: usize| x[(result / inner * n + k) * inner + result % inner];
        let is_better = |a: f64, b: f64| !b.is_nan() && (a.is_nan() || if largest { a > b } else { a < b });
        (1..n).fold(0, |best, k| if is_better(at(k), at(best)) { k } else { best }) as i64
    };
    (0..outer * inner).map(first).collect()
}

fn as_f64(x: &Buffer) -> Vec<f64> {
    match x.dtype() {
        Bool => x.as_slice::<bool>().iter().map(|&x| f64::from(x)).collect(),
        U8 => x.as_slice::<u8>().iter().map(|&x| f64::from(x)).collect(),
        I32 => x.as_slice::<i32>().iter().map(|&x| f64::from(x)).collect(),
        I64 => x.as_slice::<i64>().iter().map(|&x| x as f64).collect(),
        F32 => x.as_slice::<f32>().iter().map(|&x| f64::from(x)).collect(),
        F64 => x.as_slice::<f64>().to_vec(),
        other => unreachable!("{other} is not compared here"),
    }
}

#[test]
fn first_of_equal_ones_and_nan_before_all() {
    for dtype in [Bool, U8, I32, I64, F32, F64] {
        for space @ [outer, n, inner] in SPACES.into_iter().filter(|[_, n, _]| *n > 0) {
            let len = outer * n * inner;
            // Many are equal; NaN, infinities and zeros of either sign among floats.
            let many = [corners(dtype, len, 3), corners(dtype, len, 11)];
            let mild = matches!(dtype, I32 | I64 | F32 | F64).then(|| mild(dtype, len, 1));
            for x in many.into_iter().filter(|_| dtype != I64).chain(mild) {
                let mut graph = Graph::new();
                let of = graph.input(TensorType::new(dtype, &[outer, n, inner]));
                graph.outputs = [true, false].map(|largest| extremum(&mut graph, of, largest, 1, I64)).to_vec();
                let name = format!("{dtype} {outer}×{n}×{inner}");
                check(&name, &graph, std::slice::from_ref(&x));
                for executor in Executor::available() {
                    let found = Executable::compile_with(&graph, &executor.into()).run(std::slice::from_ref(&x));
                    let found = found.expect("nothing fails");
                    for (largest, found) in [true, false].into_iter().zip(&found) {
                        let expected = expected(&as_f64(&x), space, largest);
                        assert_eq!(found.as_slice::<i64>(), expected, "{name}, {executor}, largest {largest}");
                    }
                }
            }
        }
    }
}

/// What is compared is computed in the same pass, and its extremum is used; views that are not dense.
#[test]
fn among_other_operations() {
    for dtype in [F64, F32, I32] {
        for (m, n) in [(1, 600), (40, 37), (33, 256), (700, 3)] {
            let mut graph = Graph::new();
            let x = graph.input(TensorType::new(dtype, &[m + 1, n]));
            let (wide, n_apart) = (n as isize, (n * m) as isize);
            let part = view(&mut graph, x, &[m, n], &[wide, 1], n);
            let reversed = view(&mut graph, x, &[m, n], &[-wide, 1], n * m);
            let transposed = view(&mut graph, x, &[n, m], &[1, wide], 0);
            let repeated = view(&mut graph, x, &[m, n], &[0, 1], n_apart as usize);
            let product = map(&mut graph, Mul, &[part, reversed]);
            for x in [part, reversed, transposed, repeated, product] {
                for (axis, index) in [(0, I32), (1, I64), (0, U32), (1, U64)] {
                    let place = extremum(&mut graph, x, axis == 0, axis, index);
                    let next = map(&mut graph, Add, &[place, place]);
                    graph.outputs.extend([place, next]);
                }
            }
            graph.outputs.push(product);
            check_inputs(&format!("{dtype} {m}×{n}"), &graph, dtype, &[(m + 1) * n]);
        }
    }
}
