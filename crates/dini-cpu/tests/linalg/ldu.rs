//! LDU factorizations of matrices of every rank.

use super::{Random, max_difference, product};
use dini_cpu::linalg::{LduMut, ldu, lu};

/// Triangles, pivots, rows, columns and sign of one matrix.
fn factored(a: &[f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<i32>, Vec<i32>, f64) {
    let (mut factors, mut swaps, mut permutation) = (vec![0.0; n * n], vec![0; n], vec![0; n]);
    lu(a, n, n, &mut factors, &mut swaps, &mut permutation);
    let (mut triangles, mut pivots, mut rows, mut columns, mut sign) =
        (vec![0.0; n * n], vec![0.0; n], vec![0; n], vec![0; n], [0.0]);
    let out = LduMut {
        triangles: &mut triangles,
        pivots: &mut pivots,
        rows: &mut rows,
        columns: &mut columns,
        sign: &mut sign,
    };
    ldu(a, n, &factors, &permutation, out);
    (triangles, pivots, rows, columns, sign[0])
}

/// L D U.
fn restored(triangles: &[f64], pivots: &[f64], n: usize) -> Vec<f64> {
    let lower: Vec<f64> = (0..n * n).map(|at| if at % n <= at / n { triangles[at] } else { 0.0 }).collect();
    let upper: Vec<f64> =
        (0..n * n).map(|at| if at % n >= at / n { triangles[at] * pivots[at / n] } else { 0.0 }).collect();
    product(&lower, &upper, n, n, n)
}

/// Sign of a permutation, by its inversions.
fn sign_of(order: &[i32]) -> f64 {
    let inversions = (0..order.len()).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| order[j] > order[i]);
    if inversions.count() % 2 == 0 { 1.0 } else { -1.0 }
}

#[test]
fn factors_of_every_rank_multiply_to_the_matrix() {
    let mut random = Random(5);
    for n in 1..=9 {
        for rank in 0..=n {
            // Small integers: their products have exactly this rank or less.
            let mut small = |len: usize| (0..len).map(|_| random.below(5) as f64 - 2.0).collect::<Vec<_>>();
            let (left, right) = (small(n * rank), small(rank * n));
            let a = product(&left, &right, n, rank, n);
            let (triangles, pivots, rows, columns, sign) = factored(&a, n);
            let permuted: Vec<f64> =
                (0..n * n).map(|at| a[rows[at / n] as usize * n + columns[at % n] as usize]).collect();
            let scale = a.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
            assert!(max_difference(&restored(&triangles, &pivots, n), &permuted) < 1e-13 * scale, "{n}, rank {rank}");
            assert_eq!(sign, sign_of(&rows) * sign_of(&columns));
            let n_small = pivots.iter().filter(|x| x.abs() < 1e-12 * scale).count();
            assert!(n_small >= n - rank, "{n}, rank {rank}: {pivots:?}");
            assert!(pivots[n - n_small..].iter().all(|x| x.abs() < 1e-12 * scale), "{n}, rank {rank}: {pivots:?}");
        }
    }
}

#[test]
fn pivots_of_one_size_are_those_of_lu() {
    let (n, a) = (4, [4.0, 1.0, 0.0, 2.0, 1.0, 8.0, 2.0, 1.0, 0.0, 2.0, 5.0, 1.0, 2.0, 1.0, 1.0, 6.0]);
    let (_, pivots, rows, columns, sign) = factored(&a, n);
    assert_eq!((rows, columns, sign), (vec![0, 1, 2, 3], vec![0, 1, 2, 3], 1.0));
    assert_eq!(pivots[..2], [4.0, 7.75]);
}

#[test]
fn what_is_not_finite_ends() {
    for special in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE] {
        let mut a = vec![special; 25];
        a[7] = 0.0;
        factored(&a, 5);
    }
}
