//! Many products in one call: each gives the bits that it gives alone, whatever its neighbours are.

use super::{Random, batches::check_alike, multi_indices, offset, to};
use dini_cpu::{
    graph::DotAxes,
    linalg::{Real, dot},
    math::Scalar,
};

/// Around the edges of tiles, of groups of sums and of what is computed in lanes.
const EXTENTS: [usize; 10] = [0, 1, 2, 3, 5, 8, 9, 16, 17, 33];

/// A product of matrices: `transposed` says how each operand stands in memory.
fn check<T: Real>(
    (m, k, n): (usize, usize, usize),
    transposed: [bool; 2],
    count: usize,
    convert: impl Fn(f64) -> T,
    widen: impl Fn(T) -> f64,
    tolerance: f64,
) {
    let mut random = Random((m * 10_000 + k * 100 + n) as u64);
    let mut operand = |size: usize| {
        let mut x = random.vector(count * size);
        let bad = [f64::NAN, f64::INFINITY, -0.0, 1e-310, f64::MAX];
        for idx in (0..count).filter(|idx| size > 0 && idx % 3 == 1) {
            x[idx * size + random.below(size)] = bad[random.below(bad.len())];
        }
        to(&x, &convert)
    };
    let (a, b) = (operand(m * k), operand(k * n));
    let [a_transposed, b_transposed] = transposed;
    let axes = DotAxes {
        lhs_batch: vec![0],
        rhs_batch: vec![0],
        lhs_contract: vec![if a_transposed { 1 } else { 2 }],
        rhs_contract: vec![if b_transposed { 2 } else { 1 }],
    };
    let what = format!("{m} × {k} × {n}, transposed {transposed:?}");
    let out = check_alike([(&a, m * k), (&b, k * n)], m * n, count, &what, |[a, b], out| {
        // With no elements there is nothing to count the products by.
        let count = [(a.len(), m * k), (b.len(), k * n), (out.len(), m * n)];
        let count = count.iter().find(|(_, size)| *size > 0).map_or(0, |(len, size)| len / size);
        let a_shape = if a_transposed { [count, k, m] } else { [count, m, k] };
        let b_shape = if b_transposed { [count, n, k] } else { [count, k, n] };
        dot(T::wrap(a), &a_shape, T::wrap(b), &b_shape, &axes, T::wrap_mut(out));
    });
    for idx in 0..count {
        for at in 0..m * n {
            let (i, j) = (at / n, at % n);
            let mut sum = 0.0;
            let mut scale = 0.0;
            for p in 0..k {
                let x = widen(a[idx * m * k + if a_transposed { p * m + i } else { i * k + p }]);
                let y = widen(b[idx * k * n + if b_transposed { j * k + p } else { p * n + j }]);
                sum += x * y;
                scale += (x * y).abs();
            }
            let got = widen(out[idx * m * n + at]);
            // What overflows may do so at another place of the sum.
            let is_near = (got - sum).abs() <= tolerance * scale || !widen(convert(2.0 * scale)).is_finite();
            assert!(is_near && sum.is_nan() <= got.is_nan(), "{what}, {idx} of {count}: {got} for {sum}");
        }
    }
}

fn check_all<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, tolerance: f64) {
    for m in EXTENTS {
        for k in EXTENTS {
            for n in EXTENTS {
                for (idx, count) in [0, 2, 7, 9, 17].into_iter().enumerate() {
                    // Every third one in all layouts takes long enough.
                    if count * m * k * n > 20_000 || (m + k + n + idx) % 3 > 0 {
                        continue;
                    }
                    for transposed in [[false, false], [true, false], [false, true], [true, true]] {
                        check((m, k, n), transposed, count, &convert, &widen, tolerance);
                    }
                }
            }
        }
    }
}

#[test]
fn products_of_many() {
    check_all(|x| x, |x| x, 1e-15 * 33.0);
    check_all(|x| x as f32, f64::from, 1e-7 * 33.0);
}

#[test]
fn products_of_very_many() {
    for shape in [(4, 4, 4), (3, 3, 1), (1, 6, 6), (16, 16, 16), (5, 16, 2)] {
        check(shape, [false, false], 1003, |x| x, |x| x, 1e-14);
        check(shape, [false, true], 1003, |x| x as f32, f64::from, 1e-5);
    }
}

/// Problems whose elements do not stand together, as after `vmap` over an axis that is not the first.
#[test]
fn batches_along_other_axes() {
    let mut random = Random(21);
    let (count, m, k, n) = (11, 5, 4, 6);
    let (a, b) = (random.vector(count * m * k), random.vector(count * k * n));
    let axes = DotAxes { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![2], rhs_contract: vec![1] };
    let mut expected = vec![0.0; count * m * n];
    dot(f64::wrap(&a), &[count, m, k], f64::wrap(&b), &[count, k, n], &axes, f64::wrap_mut(&mut expected));
    for (a_axes, b_axes) in [([1, 0, 2], [0, 1, 2]), ([1, 2, 0], [2, 0, 1]), ([0, 1, 2], [1, 2, 0])] {
        // Axes batch, row, sum of a stand at these places, and batch, sum, column of b.
        let (a_moved, a_shape) = moved(&a, [count, m, k], a_axes);
        let (b_moved, b_shape) = moved(&b, [count, k, n], b_axes);
        let axes = DotAxes {
            lhs_batch: vec![a_axes[0]],
            rhs_batch: vec![b_axes[0]],
            lhs_contract: vec![a_axes[2]],
            rhs_contract: vec![b_axes[1]],
        };
        let mut out = vec![0.0; count * m * n];
        dot(f64::wrap(&a_moved), &a_shape, f64::wrap(&b_moved), &b_shape, &axes, f64::wrap_mut(&mut out));
        assert_eq!(out, expected, "axes at {a_axes:?} and {b_axes:?}");
    }
}

/// A tensor with its axes at other places, and its shape then.
fn moved(x: &[f64], shape: [usize; 3], places: [usize; 3]) -> (Vec<f64>, [usize; 3]) {
    let mut new_shape = [0; 3];
    (0..3).for_each(|axis| new_shape[places[axis]] = shape[axis]);
    let mut out = vec![0.0; x.len()];
    for index in multi_indices(&shape) {
        let mut new_index = [0; 3];
        (0..3).for_each(|axis| new_index[places[axis]] = index[axis]);
        out[offset(&new_shape, &new_index)] = x[offset(&shape, &index)];
    }
    (out, new_shape)
}
