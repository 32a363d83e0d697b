//! Many problems in one call: each gives the bits that it gives alone, whatever its neighbours are.

use super::{Random, max_difference, positive_definite, product, to, transposed};
use dini_cpu::linalg::{Real, cholesky, lu, triangular_solve};

/// Orders around the edges of tiles and of groups, and those from which on a matrix is treated alone.
const ORDERS: [usize; 16] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65];
const COUNTS: [usize; 8] = [0, 1, 2, 7, 8, 9, 17, 1000];

fn counts(n: usize) -> impl Iterator<Item = usize> {
    COUNTS.into_iter().filter(move |count| count * n * n < 70_000)
}

/// Matrices that can be factored, as the kernels see them, with some that cannot among them.
fn matrices(random: &mut Random, count: usize, n: usize) -> Vec<f64> {
    let mut all = vec![];
    for idx in 0..count {
        let mut a = positive_definite(random, n);
        let bad = [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e-310];
        if n > 0 && idx % 3 == 1 {
            a[random.below(n * n)] = bad[random.below(bad.len())];
        }
        all.extend(a);
    }
    all
}

/// The shortest digits that name each number, which differ if bits do; but one NaN for all.
fn bits<T: Real>(x: &[T]) -> Vec<String> {
    x.iter().map(|x| format!("{x:?}")).collect()
}

/// Runs a kernel over all problems, over each alone and over parts: operands and result have so many elements a problem.
#[track_caller]
pub(super) fn check_alike<T: Real>(
    operands: [(&[T], usize); 2],
    result: usize,
    count: usize,
    what: &str,
    run: impl Fn([&[T]; 2], &mut [T]),
) -> Vec<T> {
    let over = |from: usize, to: usize| {
        let mut out = vec![T::ONE; (to - from) * result];
        run(operands.map(|(data, size)| &data[from * size..to * size]), &mut out);
        out
    };
    let whole = over(0, count);
    let alone: Vec<T> = (0..count).flat_map(|at| over(at, at + 1)).collect();
    assert_eq!(bits(&whole), bits(&alone), "{what}: {count} at once and each alone");
    let cut = (count / 3).next_multiple_of(2).min(count);
    let parts = [over(0, cut), over(cut, count)].concat();
    assert_eq!(bits(&whole), bits(&parts), "{what}: {count} cut at {cut}");
    whole
}

fn check_cholesky<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, tolerance: f64) {
    let mut random = Random(11);
    for n in ORDERS {
        for count in counts(n) {
            let a = to(&matrices(&mut random, count, n), &convert);
            let factors = check_alike([(&a, n * n), (&[], 0)], n * n, count, &format!("order {n}"), |[a, _], out| {
                cholesky(a, n, out);
            });
            if n == 0 {
                continue;
            }
            for (a, l) in a.chunks_exact(n * n).zip(factors.chunks_exact(n * n)) {
                let widened = |x: &[T]| x.iter().map(|&x| widen(x)).collect::<Vec<f64>>();
                let (a, l) = (widened(a), widened(l));
                if l[0].is_nan() {
                    assert!(l.iter().all(|x| x.is_nan()), "order {n}: a factor that is NaN in part");
                    continue;
                }
                let symmetric: Vec<f64> = a.iter().zip(transposed(&a, n, n)).map(|(x, y)| 0.5 * x + 0.5 * y).collect();
                let back = product(&l, &transposed(&l, n, n), n, n, n);
                let scale = symmetric.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
                assert!(max_difference(&back, &symmetric) <= tolerance * scale * (n + 1) as f64, "order {n}");
            }
        }
    }
}

#[test]
fn cholesky_of_many() {
    check_cholesky(|x| x, |x| x, 1e-14);
    check_cholesky(|x| x as f32, f64::from, 1e-6);
}

#[test]
fn a_neighbour_that_has_no_factor_changes_nothing() {
    let mut random = Random(12);
    for n in [1, 4, 16, 31] {
        let good = positive_definite(&mut random, n);
        let mut factor = vec![0.0; n * n];
        cholesky(&good, n, &mut factor);
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            for place in 0..9 {
                let mut all = good.repeat(9);
                all[place * n * n] = bad;
                let mut factors = vec![0.0; all.len()];
                cholesky(&all, n, &mut factors);
                for (at, l) in factors.chunks_exact(n * n).enumerate() {
                    let expected = if at == place { &vec![f64::NAN; n * n] } else { &factor };
                    assert_eq!(bits(l), bits(expected), "order {n}, {bad} at {place}, seen at {at}");
                }
            }
        }
    }
}

fn check_triangular<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, tolerance: f64) {
    let mut random = Random(13);
    for n in ORDERS {
        for count in counts(n) {
            for n_rhs in [0, 1, 2, 7, 8] {
                if count * n * n_rhs > 30_000 {
                    continue;
                }
                for options in 0..8 {
                    let (lower, transpose, unit) = (options & 1 == 1, options & 2 == 2, options & 4 == 4);
                    // What must not be read is NaN; one matrix in five is singular.
                    let mut a = vec![f64::NAN; count * n * n];
                    for (idx, a) in a.chunks_exact_mut((n * n).max(1)).enumerate() {
                        for i in 0..n {
                            for j in if lower { 0..i } else { i + 1..n } {
                                a[i * n + j] = random.unit() / n as f64;
                            }
                            if !unit {
                                a[i * n + i] = if idx % 5 == 2 { 0.0 } else { 2.0 + random.unit() };
                            }
                        }
                    }
                    let (a, b) = (to(&a, &convert), to(&random.vector(count * n * n_rhs), &convert));
                    let what = format!("{n} × {n_rhs}, lower {lower}, transpose {transpose}, unit {unit}");
                    let x = check_alike([(&a, n * n), (&b, n * n_rhs)], n * n_rhs, count, &what, |[a, b], out| {
                        triangular_solve(a, b, n, n_rhs, out, lower, transpose, unit);
                    });
                    for idx in (0..count).filter(|idx| unit || idx % 5 != 2) {
                        let (a, b) = (&a[idx * n * n..], &b[idx * n * n_rhs..]);
                        let x = &x[idx * n * n_rhs..];
                        for at in 0..n * n_rhs {
                            let (i, rhs_idx) = (at / n_rhs, at % n_rhs);
                            let mut sum = 0.0;
                            for j in if lower != transpose { 0..i } else { i + 1..n } {
                                let factor = a[if transpose { j * n + i } else { i * n + j }];
                                sum += widen(factor) * widen(x[j * n_rhs + rhs_idx]);
                            }
                            sum += if unit { widen(x[at]) } else { widen(a[i * n + i]) * widen(x[at]) };
                            assert!((sum - widen(b[at])).abs() < tolerance, "{what}: {sum} for {:?}", b[at]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn triangular_solves_of_many() {
    check_triangular(|x| x, |x| x, 1e-14);
    check_triangular(|x| x as f32, f64::from, 1e-5);
}

/// The packed factors, and pivots and permutations behind them as numbers.
fn factored<T: Real>(a: &[T], count: usize, (m, n): (usize, usize), number: impl Fn(i32) -> T) -> Vec<T> {
    let rank = m.min(n);
    let (mut packed, mut pivots, mut permutation) =
        (vec![T::ONE; a.len()], vec![-1; count * rank], vec![-1; count * m]);
    lu(a, m, n, &mut packed, &mut pivots, &mut permutation);
    let mut all = vec![];
    for at in 0..count {
        all.extend_from_slice(&packed[at * m * n..][..m * n]);
        all.extend(pivots[at * rank..][..rank].iter().map(|&pivot| number(pivot)));
        all.extend(permutation[at * m..][..m].iter().map(|&row| number(row)));
    }
    all
}

fn check_lu<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, tolerance: f64) {
    let mut random = Random(14);
    let mut shapes: Vec<(usize, usize)> = ORDERS.into_iter().map(|n| (n, n)).collect();
    shapes.extend([(1, 9), (9, 1), (5, 0), (0, 5), (3, 7), (16, 5), (31, 32), (40, 3), (3, 40)]);
    for (m, n) in shapes {
        let rank = m.min(n);
        for count in COUNTS.into_iter().filter(|count| count * m * n < 70_000) {
            let mut a = random.vector(count * m * n);
            for (idx, a) in a.chunks_exact_mut((m * n).max(1)).enumerate() {
                match idx % 5 {
                    // Ties, a column of zeros, something that is no number.
                    1 => a.iter_mut().for_each(|x| *x = x.signum()),
                    2 => (0..m).for_each(|i| a[i * n + n / 2] = 0.0),
                    3 => a[random.below(m * n)] = [f64::NAN, f64::INFINITY][idx % 2],
                    _ => {}
                }
            }
            let a = to(&a, &convert);
            let result = m * n + rank + m;
            let what = format!("{m} × {n}");
            // With no elements there is nothing to count the matrices by but the permutation: all at once.
            let whole = check_alike([(&a, m * n), (&[], 0)], result, count, &what, |[a, _], out| {
                let count = out.len().checked_div(result).unwrap_or(0);
                out.copy_from_slice(&factored(a, count, (m, n), |row| convert(f64::from(row))));
            });
            for (idx, all) in whole.chunks_exact(result.max(1)).enumerate().filter(|(idx, _)| idx % 5 != 3) {
                let packed: Vec<f64> = all.iter().map(|&x| widen(x)).collect();
                for i in 0..m {
                    let row = packed[m * n + rank + i] as usize;
                    for j in 0..n {
                        let mut sum = if i <= j { packed[i * n + j] } else { 0.0 };
                        for k in 0..i.min(j + 1).min(rank) {
                            sum += packed[i * n + k] * packed[k * n + j];
                        }
                        let expected = widen(a[idx * m * n + row * n + j]);
                        assert!((sum - expected).abs() < tolerance * (rank + 1) as f64, "{what}: {sum} for {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn lu_of_many() {
    check_lu(|x| x, |x| x, 1e-14);
    check_lu(|x| x as f32, f64::from, 1e-6);
}
