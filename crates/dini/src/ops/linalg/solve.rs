//! Systems with general square matrices, and inverses.

use super::{
    factor::{lu, lu_solve},
    sides::Sides,
    spread, square,
};
use crate::{
    array::Array,
    error::Result,
    implicit::linear_solve::custom_linear_solve_transposable,
    ops::{attempt, stop_gradient},
    prim::linalg::{identity_like, product},
    shape::Aval,
    trace::{here, recorder::blame, with_location},
};

/// Solves A x = b for general square matrices `[.., n, n]` by LU factorization with partial pivoting; b is a vector `[n]`
/// or matrices `[.., n, k]`; leading axes broadcast.
///
/// A singular matrix gives infinities or NaN. Differentiable in both; values and derivatives of every order, forward and
/// reverse, share one factorization.
///
/// # Errors
/// Other shapes; different element types.
///
/// ```
/// use dini::{prelude::*, solve};
/// let a = Array::from([[1.0, 2.0], [4.0, 4.0]]);
/// assert_eq!(solve(&a, &Array::from(vec![3.0, 8.0])).to_vec::<f64>()?, [1.0, 1.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn solve(a: &Array, b: &Array) -> Array {
    let at = here();
    let prepared = with_location(at, || -> Result<_> {
        let sides = Sides::new(a.try_aval()?, b)?;
        // The factors only compute the solution: its derivatives come from A X = B.
        let (factors, _, permutation) = lu(&stop_gradient(a));
        let factors = spread(factors.check()?, &sides.batch, 2);
        let permutation = spread(&permutation, &sides.batch, 1);
        Ok((sides, factors, permutation))
    });
    let (sides, factors, permutation) = match prepared.map_err(|e| blame(e, "solve", [a, b], at)) {
        Ok(prepared) => prepared,
        Err(e) => return Array::poison(e),
    };
    let by_factors =
        |b: &Array, transposed: bool| with_location(at, || lu_solve(&factors, &permutation, b, transposed));
    // Values without a trace have no derivatives to come: the plain solve is the same and costs less.
    let x = if a.is_concrete() && b.is_concrete() {
        by_factors(&sides.columns, false)
    } else {
        Array::from_result(custom_linear_solve_transposable(
            |x: Array| with_location(at, || product(&spread(a, &sides.batch, 2), &x)),
            sides.columns.clone(),
            |_, b: Array| by_factors(&b, false),
            |_, b: Array| by_factors(&b, true),
        ))
    };
    with_location(at, || Array::from_result(x.check().map(|x| sides.restore(x))))
}

/// The inverse of square matrices `[.., n, n]`. To solve a system, [`solve`] is faster and more accurate.
///
/// # Errors
/// Another shape or element type.
///
/// ```
/// use dini::{inv, prelude::*};
/// assert_eq!(inv(&Array::from([[1.0, 1.0], [0.0, 2.0]])).to_vec::<f64>()?, [1.0, -0.5, 0.0, 0.5]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn inv(a: &Array) -> Array {
    let identity = attempt("inv", &[a], || {
        let aval = a.try_aval()?;
        let (_, n) = square(aval)?;
        Ok(identity_like(&Aval::new(aval.dtype, &[n, n])))
    });
    match identity.check() {
        Ok(identity) => solve(a, identity),
        Err(e) => Array::poison(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counters, Result, grad, jit, jvp, value_and_grad, vmap};

    fn numbers(shape: &[usize], scale: f64) -> Array {
        let n: usize = shape.iter().product();
        Array::new((0..n).map(|i| (i as f64 * scale).sin()).collect::<Vec<_>>(), shape)
    }

    fn system() -> (Array, Array) {
        let a = numbers(&[3, 3], 1.3);
        (&a + identity_like(a.aval()) * 3.0, numbers(&[3], 0.7))
    }

    fn loss((a, b): (Array, Array)) -> Array {
        (solve(&a, &b) * numbers(&[3], 2.1)).sum()
    }

    fn inner((a, b): (Array, Array), (c, d): &(Array, Array)) -> Array {
        (a * c).sum() + (b * d).sum()
    }

    fn moved((a, b): &(Array, Array), (c, d): &(Array, Array), step: f64) -> (Array, Array) {
        (a + c * step, b + d * step)
    }

    #[track_caller]
    fn assert_close(x: f64, y: f64, tolerance: f64) {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{x} and {y}");
    }

    #[test]
    fn one_factorization_serves_values_and_derivatives() {
        let at = system();
        let counters = Counters::start();
        value_and_grad(loss)(at.clone()).unwrap();
        assert_eq!((counters.calls_of("lu"), counters.calls_of("triangular_solve")), (1, 4));
        let counters = Counters::start();
        jvp(loss, at.clone(), at).unwrap();
        assert_eq!((counters.calls_of("lu"), counters.calls_of("triangular_solve")), (1, 4));
    }

    #[test]
    fn derivatives_of_both_orders_agree_with_differences() {
        let (at, along) = (system(), (numbers(&[3, 3], 0.9), numbers(&[3], 1.7)));
        let value = |f: &dyn Fn((Array, Array)) -> Result<Array>, step: f64| {
            f(moved(&at, &along, step)).unwrap().item::<f64>().unwrap()
        };
        let first = |x: (Array, Array)| -> Result<Array> { Ok(inner(grad(loss)(x)?, &along)) };
        let slope = first(at.clone()).unwrap().item::<f64>().unwrap();
        let step = 1e-5;
        let difference =
            |f: &dyn Fn((Array, Array)) -> Result<Array>| (value(f, step) - value(f, -step)) / (2.0 * step);
        assert_close(slope, difference(&|x| Ok(loss(x))), 1e-8);
        let curvature = inner(grad(first)(at.clone()).unwrap(), &along).item::<f64>().unwrap();
        assert_close(curvature, difference(&first), 1e-7);
        let compiled = jit(grad(loss))(at.clone()).unwrap();
        assert_close(inner(compiled, &along).item::<f64>().unwrap(), slope, 1e-12);
    }

    #[test]
    fn many_right_hand_sides_share_the_factors() {
        let (a, _) = system();
        let counters = Counters::start();
        let x = vmap(|b: Array| solve(&a, &b))(numbers(&[5, 3], 0.7)).unwrap();
        assert_eq!((counters.calls_of("lu"), counters.calls_of("triangular_solve")), (1, 2));
        let residual = x.matmul(&crate::prim::linalg::transposed(&a)) - numbers(&[5, 3], 0.7);
        assert!(residual.to_vec::<f64>().unwrap().iter().all(|r| r.abs() < 1e-14));
    }

    #[test]
    fn leading_axes_broadcast() {
        let matrices = numbers(&[4, 3, 3], 1.1) + identity_like(numbers(&[4, 3, 3], 1.1).aval()) * 2.0;
        for (a, b) in [
            (system().0, numbers(&[2, 3, 5], 0.3)),
            (matrices.clone(), numbers(&[3, 2], 0.3)),
            (matrices.clone(), numbers(&[4, 3, 2], 0.3)),
            (matrices, numbers(&[2, 1, 3, 1], 0.3)),
        ] {
            let product = a.matmul(&solve(&a, &b));
            let b = b.broadcast_to(product.shape());
            assert!((product - b).to_vec::<f64>().unwrap().iter().all(|r| r.abs() < 1e-13));
        }
    }
}
