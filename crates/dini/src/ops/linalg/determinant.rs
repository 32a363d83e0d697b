//! Determinants.

use super::{diagonals::main_diagonal, factor::lu, square};
use crate::{
    array::Array,
    error::Result,
    ops::{self, attempt, attempt_many, reshape, slice_axis},
    prim::{index::iota, linalg::det::Det, reduce::prod::ReduceProd},
    trace::bind1,
};
use dini_cpu::dtype::DType;

/// The determinant of square matrices `[.., n, n]`; 1 for n = 0.
///
/// Up to n = 3 by the explicit formula, from n = 4 on by [`lu`]. Derivatives of every order are right for singular matrices
/// too, of any rank, as far as pivots show it; value and derivatives share one factorization, and where its pivots spread, a
/// derivative makes another one, with complete pivoting.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{det, prelude::*};
/// assert_eq!(det(&Array::from([[1.0, 2.0], [3.0, 4.0]])).item::<f64>()?, -2.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn det(a: &Array) -> Array {
    attempt("det", &[a], || {
        let (batch, n) = square(a.try_aval()?)?;
        let entry = |i: usize, j: usize| {
            let axis = batch.len();
            reshape(&slice_axis(&slice_axis(a, i, i + 1, 1, axis), j, j + 1, 1, axis + 1), batch)
        };
        let minor = |i: usize, j: usize| entry(1, i) * entry(2, j) - entry(1, j) * entry(2, i);
        Ok(match n {
            0 => ops::broadcast_in_dim(&ops::one_of(a), batch, &[]),
            1 => entry(0, 0),
            2 => entry(0, 0) * entry(1, 1) - entry(0, 1) * entry(1, 0),
            3 => entry(0, 0) * minor(1, 2) - entry(0, 1) * minor(0, 2) + entry(0, 2) * minor(0, 1),
            _ => {
                // The factors only compute values: derivatives come from `Det`'s rules.
                let factored = Factored::new(&ops::stop_gradient(a))?;
                let value = bind1(ReduceProd { axes: vec![batch.len()] }, &[factored.diagonal]) * factored.parity;
                bind1(Det, &[a.clone(), factored.factors, factored.permutation, value])
            }
        })
    })
}

/// Sign and logarithm of the absolute value of the determinant of square matrices `[.., n, n]`: no overflow for large n.
/// For a singular matrix they are 0 and −∞, and derivatives NaN or infinite: the logarithm has none there.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{prelude::*, slogdet};
/// let (sign, logarithm) = slogdet(&Array::from([[0.0, 2.0], [3.0, 4.0]]));
/// assert_eq!(sign.item::<f64>()?, -1.0);
/// assert!((logarithm.item::<f64>()? - 6f64.ln()).abs() < 1e-15);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn slogdet(a: &Array) -> (Array, Array) {
    let parts = attempt_many("slogdet", 2, &[a], || {
        let (batch, _) = square(a.try_aval()?)?;
        let axes = vec![batch.len()];
        let Factored { diagonal, parity, .. } = Factored::new(a)?;
        let logarithm = ops::reduce_sum(&diagonal.abs().log(), &axes);
        Ok(vec![bind1(ReduceProd { axes }, &[diagonal.sign()]) * parity, logarithm])
    });
    (parts[0].clone(), parts[1].clone())
}

/// What determinants take from a factorization.
struct Factored {
    factors: Array,
    permutation: Array,
    /// U's diagonal.
    diagonal: Array,
    /// The sign of the permutation, as a number of the matrices' type.
    parity: Array,
}

impl Factored {
    fn new(a: &Array) -> Result<Factored> {
        let (factors, pivots, permutation) = lu(a);
        let diagonal = main_diagonal(&factors)?;
        let axis = pivots.ndim() - 1;
        // A row whose pivot is another row was swapped: each swap changes the sign.
        let is_swap = pivots.ne(iota(DType::I32, pivots.shape(), axis));
        let signs = ops::select(&is_swap, &ops::scalar_like(-1.0, &diagonal), &ops::one_of(&diagonal));
        let parity = bind1(ReduceProd { axes: vec![axis] }, &[signs]);
        Ok(Factored { factors, permutation, diagonal, parity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Counters, concatenate, grad, hessian, jit, jvp, outer, stack,
        testing::{Modes, check_close, check_grads},
        value_and_grad, vmap,
    };

    fn numbers(shape: &[usize], scale: f64) -> Array {
        let n: usize = shape.iter().product();
        Array::new((0..n).map(|i| (i as f64 * scale).sin()).collect::<Vec<_>>(), shape)
    }

    /// A matrix of this order and rank.
    fn of_rank(n: usize, rank: usize) -> Array {
        numbers(&[n, rank], 1.3).matmul(&numbers(&[rank, n], 0.7))
    }

    /// The determinant by expansion along rows: a polynomial as it stands.
    fn expanded(a: &Array) -> Array {
        let n = a.shape()[0];
        if n <= 3 {
            return det(a);
        }
        let below = a.slice_in_dim(1, n, 1, 0);
        let term = |j: usize| {
            let minor = concatenate(&[below.slice_in_dim(0, j, 1, 1), below.slice_in_dim(j + 1, n, 1, 1)], 1);
            a.index((0, j as isize)) * expanded(&minor) * if j.is_multiple_of(2) { 1.0 } else { -1.0 }
        };
        (1..n).fold(term(0), |sum, j| sum + term(j))
    }

    /// The derivative of this order, along directions, and its gradient.
    fn derivative(f: fn(&Array) -> Array, a: Array, order: usize) -> Result<(Array, Array)> {
        fn along(f: fn(&Array) -> Array, a: Array, order: usize) -> Result<Array> {
            match order {
                0 => Ok(f(&a)),
                _ => {
                    let direction = numbers(a.shape(), 0.31 * order as f64);
                    Ok(jvp(|a: Array| along(f, a, order - 1), a, direction)?.1)
                }
            }
        }
        value_and_grad(|a: Array| along(f, a, order))(a)
    }

    #[test]
    fn derivatives_exist_at_every_rank() {
        for n in [4, 5] {
            for rank in 0..=n {
                for order in 0..4 {
                    let a = of_rank(n, rank);
                    let got = derivative(det, a.clone(), order).unwrap();
                    let want = derivative(expanded, a, order).unwrap();
                    check_close(&got, &want, 1e-11).unwrap_or_else(|e| panic!("rank {rank}, order {order}: {e}"));
                }
            }
        }
    }

    #[test]
    fn zero_pivots_at_any_place() {
        // Upper triangular with zeros on the diagonal, not in order: partial pivoting would stop at the first.
        let upper = numbers(&[5, 5], 0.9).triu(1);
        for zeros in [vec![0], vec![2], vec![1, 3], vec![0, 1, 2, 3, 4]] {
            let diagonal = (0..5).map(|i| if zeros.contains(&i) { 0.0 } else { 1.0 + i as f64 }).collect::<Vec<_>>();
            let a = &upper + Array::from(diagonal).diag();
            for order in 0..3 {
                let (got, want) = (derivative(det, a.clone(), order), derivative(expanded, a.clone(), order));
                check_close(&got.unwrap(), &want.unwrap(), 1e-12).unwrap_or_else(|e| panic!("{zeros:?}, {order}: {e}"));
            }
        }
    }

    #[test]
    fn singular_matrices_among_others() {
        let batch = stack(&(0..=4).map(|rank| of_rank(4, rank)).collect::<Vec<_>>(), 0);
        let second = |a: Array| hessian(|a: Array| det(&a))(a);
        let alone: Vec<Array> = (0..5).map(|i| second(batch.index(i)).unwrap()).collect();
        let mapped = vmap(second)(batch.clone()).unwrap();
        check_close(&mapped, &stack(&alone, 0), 1e-14).unwrap();
        check_close(&jit(vmap(second))(batch.clone()).unwrap(), &mapped, 0.0).unwrap();
        let singles = batch.cast(DType::F32);
        let exact = grad(|a: Array| det(&a).sum())(singles.cast(DType::F64)).unwrap();
        let single = grad(|a: Array| det(&a).sum())(singles.clone()).unwrap();
        check_close(&single.cast(DType::F64), &exact, 1e-5).unwrap();
        check_grads(|a: Array| det(&a), singles, 2, Modes::Both).unwrap();
    }

    #[test]
    fn one_factorization_serves_value_and_gradient() {
        let a = numbers(&[6, 6], 1.3) + Array::eye(6, DType::F64);
        let counters = Counters::start();
        let (value, gradient) = value_and_grad(|a: Array| det(&a))(a.clone()).unwrap();
        assert_eq!(counters.calls_of("lu"), 1);
        check_close(&a.transpose().matmul(&gradient), &(Array::eye(6, DType::F64) * value), 1e-13).unwrap();
        // A derivative along a direction and its gradient: no more.
        let counters = Counters::start();
        jit(|a: Array| derivative(det, a, 1))(a).unwrap();
        assert_eq!((counters.calls_of("lu"), counters.calls_of("ldu")), (1, 1));
    }

    #[test]
    fn what_is_not_finite_shows() {
        let a = outer(&numbers(&[4], 1.3), &Array::from(vec![1.0, f64::NAN, 0.0, 2.0]));
        assert!(grad(|a: Array| det(&a))(a).unwrap().to_vec::<f64>().unwrap().iter().all(|x| x.is_nan()));
    }
}
