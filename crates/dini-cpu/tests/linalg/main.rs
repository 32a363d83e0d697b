//! Linear algebra kernels against plain loops, over random sizes, layouts and options.

mod batches;
mod ldu;
mod products;

use dini_cpu::{
    graph::DotAxes,
    linalg::{Real, cholesky, dot, lu, triangular_solve},
    math::{Scalar, Slice},
};

/// A small generator of reproducible numbers: multiply-xorshift of a counter.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// In [−1, 1).
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn vector(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.unit()).collect()
    }
}

fn max_difference(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).fold(0.0, |max, (x, y)| if (x - y).abs() <= max { max } else { (x - y).abs() })
}

/// C = A B for row-major n × k and k × m.
fn product(a: &[f64], b: &[f64], n: usize, k: usize, m: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * m];
    for i in 0..n {
        for p in 0..k {
            for j in 0..m {
                c[i * m + j] += a[i * k + p] * b[p * m + j];
            }
        }
    }
    c
}

fn transposed(a: &[f64], n: usize, m: usize) -> Vec<f64> {
    (0..m * n).map(|at| a[(at % n) * m + at / n]).collect()
}

/// Offset of a multi-index in a row-major tensor.
fn offset(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (extent, i)| at * extent + i)
}

fn multi_indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let len: usize = shape.iter().product();
    (0..len)
        .map(|mut at| {
            let mut index = vec![0; shape.len()];
            for (i, extent) in index.iter_mut().zip(shape).rev() {
                *i = at % extent;
                at /= extent;
            }
            index
        })
        .collect()
}

/// The definition of a dot, element by element, on numbers that every type holds exactly.
fn dot_naive(a: &[i64], a_shape: &[usize], b: &[i64], b_shape: &[usize], axes: &DotAxes) -> Vec<i64> {
    let free = |rank: usize, batch: &[usize], contract: &[usize]| -> Vec<usize> {
        (0..rank).filter(|axis| !batch.contains(axis) && !contract.contains(axis)).collect()
    };
    let a_free = free(a_shape.len(), &axes.lhs_batch, &axes.lhs_contract);
    let b_free = free(b_shape.len(), &axes.rhs_batch, &axes.rhs_contract);
    let extents = |shape: &[usize], which: &[usize]| which.iter().map(|&axis| shape[axis]).collect::<Vec<_>>();
    let (mut a_index, mut b_index) = (vec![0; a_shape.len()], vec![0; b_shape.len()]);
    let mut out = Vec::new();
    for batch in multi_indices(&extents(a_shape, &axes.lhs_batch)) {
        for row in multi_indices(&extents(a_shape, &a_free)) {
            for column in multi_indices(&extents(b_shape, &b_free)) {
                let mut sum = 0;
                for inner in multi_indices(&extents(a_shape, &axes.lhs_contract)) {
                    let mut place = |a_axes: &[usize], b_axes: &[usize], index: &[usize]| {
                        a_axes.iter().zip(index).for_each(|(&axis, &i)| a_index[axis] = i);
                        b_axes.iter().zip(index).for_each(|(&axis, &i)| b_index[axis] = i);
                    };
                    place(&axes.lhs_batch, &axes.rhs_batch, &batch);
                    place(&axes.lhs_contract, &axes.rhs_contract, &inner);
                    place(&a_free, &[], &row);
                    place(&[], &b_free, &column);
                    sum += a[offset(a_shape, &a_index)] * b[offset(b_shape, &b_index)];
                }
                out.push(sum);
            }
        }
    }
    out
}

/// A random permutation of `0..n`.
fn shuffled(random: &mut Random, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, random.below(i + 1));
    }
    order
}

fn check_dot<T: Scalar>(
    problem: (&[i64], &[usize], &[i64], &[usize]),
    axes: &DotAxes,
    expected: &[i64],
    to: impl Fn(i64) -> T,
) {
    let (a, a_shape, b, b_shape) = problem;
    let convert = |x: &[i64]| x.iter().map(|&x| to(x)).collect::<Vec<T>>();
    let (a, b) = (convert(a), convert(b));
    let mut out = vec![to(1); expected.len()];
    dot(T::wrap(&a), a_shape, T::wrap(&b), b_shape, axes, T::wrap_mut(&mut out));
    assert_eq!(out, convert(expected), "{} {a_shape:?} {b_shape:?} {axes:?}", T::DTYPE);
}

#[test]
fn dot_of_random_axes() {
    let mut random = Random(1);
    for round in 0..1500 {
        let counts = [random.below(3), random.below(3), random.below(3), random.below(3)];
        let largest = if round % 3 == 0 { 13 } else { 5 };
        let mut extents = |n: usize| (0..n).map(|_| random.below(largest)).collect::<Vec<_>>();
        let (batch, contract, a_free, b_free) =
            (extents(counts[0]), extents(counts[1]), extents(counts[2]), extents(counts[3]));
        // Axes in the order batch, contracted, free stand at shuffled places.
        let mut place = |free: &[usize]| {
            let all = [&batch[..], &contract[..], free].concat();
            let places = shuffled(&mut random, all.len());
            let mut shape = vec![0; all.len()];
            all.iter().zip(&places).for_each(|(&extent, &place)| shape[place] = extent);
            (shape, places[..batch.len()].to_vec(), places[batch.len()..batch.len() + contract.len()].to_vec())
        };
        let (a_shape, lhs_batch, lhs_contract) = place(&a_free);
        let (b_shape, rhs_batch, rhs_contract) = place(&b_free);
        let len = |shape: &[usize]| shape.iter().product::<usize>();
        if len(&a_shape) * len(&b_free) > 20_000 {
            continue;
        }
        let axes = DotAxes { lhs_batch, rhs_batch, lhs_contract, rhs_contract };
        let mut integers = |n: usize| (0..n).map(|_| random.below(7) as i64 - 3).collect::<Vec<_>>();
        let (a, b) = (integers(len(&a_shape)), integers(len(&b_shape)));
        let expected = dot_naive(&a, &a_shape, &b, &b_shape, &axes);
        let problem = (&a[..], &a_shape[..], &b[..], &b_shape[..]);
        check_dot(problem, &axes, &expected, |x| x as f64);
        check_dot(problem, &axes, &expected, |x| x as f32);
        check_dot(problem, &axes, &expected, |x| x as i32);
        check_dot(problem, &axes, &expected, |x| x);
        check_dot(problem, &axes, &expected, |x| x as u8);
        check_dot(problem, &axes, &expected, |x| x as u32);
        check_dot(problem, &axes, &expected, |x| x as u64);
    }
}

#[test]
fn dot_of_matrices_and_vectors() {
    let mut random = Random(2);
    for _ in 0..200 {
        let (n, k, m) = match random.below(4) {
            0 => (random.below(70), random.below(70), 1),
            1 => (1, random.below(70), random.below(70)),
            _ => (random.below(70), random.below(70), random.below(70)),
        };
        let (a, b) = (random.vector(n * k), random.vector(k * m));
        let expected = product(&a, &b, n, k, m);
        for (a_is_transposed, b_is_transposed) in [(false, false), (false, true), (true, false), (true, true)] {
            let (a_data, a_shape) = if a_is_transposed { (transposed(&a, n, k), [k, n]) } else { (a.clone(), [n, k]) };
            let (b_data, b_shape) = if b_is_transposed { (transposed(&b, k, m), [m, k]) } else { (b.clone(), [k, m]) };
            let axes = DotAxes {
                lhs_contract: vec![usize::from(!a_is_transposed)],
                rhs_contract: vec![usize::from(b_is_transposed)],
                ..DotAxes::default()
            };
            let mut out = vec![f64::NAN; n * m];
            dot(f64::wrap(&a_data), &a_shape, f64::wrap(&b_data), &b_shape, &axes, f64::wrap_mut(&mut out));
            assert!(max_difference(&out, &expected) < 1e-13, "{n} {k} {m}");
        }
    }
}

#[test]
fn dot_of_booleans_asks_for_any_pair() {
    let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
    let (a, b) = ([true, false, false, true, false, false], [false, true, true]);
    let mut out = [true; 2];
    dot(Slice::Bool(&a), &[2, 3], Slice::Bool(&b), &[3], &axes, bool::wrap_mut(&mut out));
    assert_eq!(out, [false, false]);
    dot(Slice::Bool(&a), &[2, 3], Slice::Bool(&[true, false, false]), &[3], &axes, bool::wrap_mut(&mut out));
    assert_eq!(out, [true, true]);
}

fn to<T: Real>(x: &[f64], convert: impl Fn(f64) -> T) -> Vec<T> {
    x.iter().map(|&x| convert(x)).collect()
}

fn positive_definite(random: &mut Random, n: usize) -> Vec<f64> {
    let root = random.vector(n * n);
    let mut a = product(&root, &transposed(&root, n, n), n, n, n);
    (0..n).for_each(|i| a[i * n + i] += n as f64);
    a
}

#[test]
fn cholesky_reconstructs() {
    let mut random = Random(3);
    for n in (0..70).chain([96, 97, 100, 127, 128, 130, 200, 255, 256, 257, 263, 264, 390, 520]) {
        let mut a = positive_definite(&mut random, n);
        let expected = a.clone();
        // The symmetric part is factored.
        for i in 0..n {
            for j in 0..i {
                a[i * n + j] -= 2.0;
                a[j * n + i] += 2.0;
            }
        }
        let mut l = vec![1.0; n * n];
        cholesky(&a, n, &mut l);
        let back = product(&l, &transposed(&l, n, n), n, n, n);
        assert!(max_difference(&back, &expected) < 1e-13 * (n + 1) as f64, "order {n}");
        for i in 0..n {
            assert!(l[i * n + i + 1..(i + 1) * n].iter().all(|&x| x == 0.0), "order {n}: upper triangle");
        }
        let mut single = vec![0.0f32; n * n];
        cholesky(&to(&a, |x| x as f32), n, &mut single);
        let single: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
        assert!(max_difference(&single, &l) < 1e-5 * (n + 1) as f64, "order {n} in f32");
    }
}

#[test]
fn cholesky_of_what_is_not_positive_definite_is_nan() {
    let mut random = Random(4);
    for n in [1, 2, 7, 33, 64, 130, 257, 300] {
        let good = positive_definite(&mut random, n);
        for bad in [-1.0, 0.0, f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
            for place in [0, n / 2, n - 1] {
                // Off the diagonal, a small number is none of these.
                for column in [place, n / 3] {
                    if column != place && bad.is_finite() {
                        continue;
                    }
                    let mut a = good.clone();
                    a[place * n + column] = bad;
                    let mut l = vec![1.0; n * n];
                    cholesky(&a, n, &mut l);
                    assert!(l.iter().all(|x| x.is_nan()), "order {n}, {bad} at {place}, {column}");
                }
            }
        }
    }
}

#[test]
fn cholesky_of_very_large_and_very_small_numbers() {
    // Powers of four scale the factor by powers of two, to the last bit.
    let mut random = Random(8);
    for n in [5, 33, 100, 300] {
        let a = positive_definite(&mut random, n);
        let mut factor = vec![0.0; n * n];
        cholesky(&a, n, &mut factor);
        let mut single_factor = vec![0.0f32; n * n];
        cholesky(&to(&a, |x| x as f32), n, &mut single_factor);
        for half_exponent in [-500, -1, 500] {
            let scale = 2f64.powi(half_exponent);
            let mut scaled = vec![0.0; n * n];
            cholesky(&to(&a, |x| x * scale * scale), n, &mut scaled);
            assert_eq!(scaled, to(&factor, |x| x * scale), "order {n} scaled by {scale:e}");
        }
        for half_exponent in [-55, 55] {
            let scale = 2f32.powi(half_exponent);
            let mut scaled = vec![0.0; n * n];
            cholesky(&to(&a, |x| x as f32 * scale * scale), n, &mut scaled);
            let expected: Vec<f32> = single_factor.iter().map(|x| x * scale).collect();
            assert_eq!(scaled, expected, "order {n} scaled by {scale:e} in f32");
        }
    }
}

#[test]
fn lu_reconstructs() {
    let mut random = Random(5);
    for round in 0..150 {
        let (m, n) = match round % 3 {
            0 => (random.below(70), random.below(70)),
            1 => (random.below(20), random.below(150)),
            _ => (random.below(150), random.below(150)),
        };
        let mut a = random.vector(m * n);
        // Some are singular: a column of zeros, or two equal ones.
        if n > 2 && round % 5 == 0 {
            (0..m).for_each(|i| a[i * n + n / 2] = 0.0);
        } else if n > 2 && round % 5 == 1 {
            (0..m).for_each(|i| a[i * n + n / 2] = a[i * n]);
        }
        let rank = m.min(n);
        let (mut packed, mut pivots, mut permutation) = (vec![0.0; m * n], vec![-1; rank], vec![-1; m]);
        lu(&a, m, n, &mut packed, &mut pivots, &mut permutation);
        let mut lower = vec![0.0; m * rank];
        let mut upper = vec![0.0; rank * n];
        for i in 0..m {
            for j in 0..n {
                if j < i.min(rank) {
                    lower[i * rank + j] = packed[i * n + j];
                    assert!(packed[i * n + j].abs() <= 1.0, "a multiplier above 1");
                } else if i < rank {
                    upper[i * n + j] = packed[i * n + j];
                }
            }
            if i < rank {
                lower[i * rank + i] = 1.0;
            }
        }
        let back = product(&lower, &upper, m, rank, n);
        let permuted: Vec<f64> = permutation.iter().flat_map(|&row| a[row as usize * n..][..n].to_vec()).collect();
        assert!(max_difference(&back, &permuted) < 1e-13 * (rank + 1) as f64, "{m} × {n}");
        assert!(pivots.iter().enumerate().all(|(i, &pivot)| pivot as usize >= i && (pivot as usize) < m));
    }
}

#[test]
fn lu_of_non_finite_numbers_returns() {
    let mut random = Random(6);
    for n in [1, 5, 40, 100] {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut a = random.vector(n * n);
            a[n * n / 2] = bad;
            let (mut packed, mut pivots, mut permutation) = (vec![0.0; n * n], vec![0; n], vec![0; n]);
            lu(&a, n, n, &mut packed, &mut pivots, &mut permutation);
            let mut rows = permutation.clone();
            rows.sort_unstable();
            assert!(rows.iter().enumerate().all(|(i, &row)| i as i32 == row), "not a permutation: {permutation:?}");
        }
    }
}

#[test]
fn triangular_solve_in_all_options() {
    let mut random = Random(7);
    for round in 0..150 {
        let n = random.below(if round % 4 == 0 { 200 } else { 70 });
        let n_rhs = [0, 1, 2, 3, 7, 8, 20, 65][random.below(8)];
        for options in 0..8 {
            let (lower, transpose, unit) = (options & 1 == 1, options & 2 == 2, options & 4 == 4);
            // What must not be read is NaN in `a` and as it counts in `meant`.
            let (mut a, mut meant) = (vec![f64::NAN; n * n], vec![0.0; n * n]);
            for i in 0..n {
                for j in 0..n {
                    if if lower { j < i } else { j > i } {
                        a[i * n + j] = random.unit() / n as f64;
                        meant[i * n + j] = a[i * n + j];
                    }
                }
                meant[i * n + i] = 1.0;
                if !unit {
                    a[i * n + i] = 2.0 + random.unit();
                    meant[i * n + i] = a[i * n + i];
                }
            }
            if transpose {
                meant = transposed(&meant, n, n);
            }
            let b = random.vector(n * n_rhs);
            let mut x = vec![f64::NAN; n * n_rhs];
            triangular_solve(&a, &b, n, n_rhs, &mut x, lower, transpose, unit);
            let back = product(&meant, &x, n, n, n_rhs);
            let label = format!("{n} × {n_rhs}, lower {lower}, transpose {transpose}, unit {unit}");
            assert!(max_difference(&back, &b) < 1e-13, "{label}: {}", max_difference(&back, &b));
            let mut single = vec![0.0; n * n_rhs];
            let (a, b) = (to(&a, |x| x as f32), to(&b, |x| x as f32));
            triangular_solve(&a, &b, n, n_rhs, &mut single, lower, transpose, unit);
            let single: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
            assert!(max_difference(&single, &x) < 1e-5, "{label} in f32");
        }
    }
}

#[test]
fn triangular_solve_of_a_singular_matrix_is_not_finite() {
    for n_rhs in [1, 3, 20] {
        let n = 40;
        let mut a = vec![1.0; n * n];
        a[20 * n + 20] = 0.0;
        let mut x = vec![0.0; n * n_rhs];
        triangular_solve(&a, &vec![1.0; n * n_rhs], n, n_rhs, &mut x, true, false, false);
        assert!(x.iter().any(|x: &f64| !x.is_finite()));
    }
}
