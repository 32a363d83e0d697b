//! `cholesky`: the lower factor of symmetric positive-definite matrices.

use super::{identity_like, lower_triangle, product, square_shape, transposed, triangular_solve::triangular_solve};
use crate::{
    array::Array,
    ops,
    prim::{Batch, Form, Jvp, Lower, Primitive, Rules, Transpose, index::operands, to_front},
    trace::{bind, bind1},
};
use dini_cpu::graph::Routine;

/// L, lower triangular, with (A + Aᵀ)/2 = L Lᵀ, for each matrix of a batch; shapes `batch + [n, n]`.
///
/// Where the symmetric part is not positive definite, all of L is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cholesky;

impl Primitive for Cholesky {
    const NAME: &'static str = "cholesky";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| {
            let [a] = operands(avals)?;
            square_shape(a)?;
            Ok(vec![a.clone()])
        },
        lower: Lower::Routine(|_| Routine::Cholesky),
        jvp: Jvp::By(|_, _, y, t| Ok(vec![t[0].as_ref().map(|a_dot| cholesky_jvp(&y[0], a_dot))])),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, values, axes| {
            Ok((bind(*p, &[to_front(&values[0], axes[0], size)])?, vec![axes[0].map(|_| 0)]))
        }),
        form: Form::First,
        samples: || vec![(Cholesky, "f64[1,1]@0.5..2"), (Cholesky, "f32[3,1,1]@0.5..2"), (Cholesky, "f64[2,0,0]")],
    };
}

pub(crate) fn cholesky(a: &Array) -> Array {
    bind1(Cholesky, std::slice::from_ref(a))
}

// Murray (2016), "Differentiation of the Cholesky decomposition". From A = L Lᵀ: Ȧ = L̇ Lᵀ + L L̇ᵀ, so
// L⁻¹ Ȧ L⁻ᵀ = L⁻¹ L̇ + (L⁻¹ L̇)ᵀ. L⁻¹ L̇ is lower triangular, hence it is Φ of the left side, where Φ takes the lower
// triangle and halves the diagonal: L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ).
// Of A only the symmetric part counts, so Ȧ stands for its own.
fn cholesky_jvp(l: &Array, a_dot: &Array) -> Array {
    let a_dot = (a_dot + transposed(a_dot)) * ops::scalar_like(0.5, a_dot);
    // (L⁻¹ Ȧ)ᵀ = Ȧ L⁻ᵀ for the symmetric Ȧ.
    let right = transposed(&triangular_solve(l, &a_dot, true, false, false));
    let both = triangular_solve(l, &right, true, false, false);
    let half_diagonal = &both * identity_like(both.aval()) * ops::scalar_like(0.5, &both);
    product(l, &(lower_triangle(&both, 0) - half_diagonal))
}

// The samples above are 1 × 1: random matrices of higher order are not positive definite. The laws for those are here.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Result, jvp, prim::linalg::upper_triangle, vmap};

    /// Two 3 × 3 matrices with a positive-definite symmetric part, not symmetric, and a direction.
    fn point() -> (Array, Array) {
        let numbers = |scale: f64| (0..18).map(|i| (f64::from(i) * scale).sin()).collect::<Vec<_>>();
        let m = Array::new(numbers(1.3), &[2, 3, 3]);
        let upper = upper_triangle(&m, 1);
        let skew = &upper - transposed(&upper);
        let a = product(&m, &transposed(&m)) + identity_like(m.aval()) + skew;
        (a, Array::new(numbers(2.1), &[2, 3, 3]))
    }

    fn elements(x: &Array) -> Vec<f64> {
        x.to_vec::<f64>().unwrap()
    }

    #[track_caller]
    fn assert_close(x: &Array, y: &Array, tolerance: f64) {
        for (x, y) in elements(x).iter().zip(elements(y)) {
            assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{x} and {y}");
        }
    }

    #[track_caller]
    fn check_derivative(f: impl Fn(Array) -> Result<Array>, a: &Array, a_dot: &Array, step: f64, tolerance: f64) {
        let (_, tangent) = jvp(&f, a.clone(), a_dot.clone()).unwrap();
        let difference = f(a + a_dot * step).unwrap() - f(a - a_dot * step).unwrap();
        assert_close(&tangent, &(difference * (0.5 / step)), tolerance);
    }

    #[test]
    fn the_symmetric_part_is_factored_and_differentiated() {
        let (a, a_dot) = point();
        let l = cholesky(&a);
        assert_close(&product(&l, &transposed(&l)), &((&a + transposed(&a)) * 0.5), 1e-12);
        let factor = |a: Array| Ok(cholesky(&a));
        check_derivative(factor, &a, &a_dot, 1e-6, 1e-8);
        let first = |a: Array| -> Result<Array> { Ok(jvp(factor, a, a_dot.clone())?.1) };
        check_derivative(first, &a, &a_dot, 1e-5, 1e-6);
    }

    #[test]
    fn lanes_are_a_batch() {
        let (a, _) = point();
        assert_close(&vmap(|a: Array| cholesky(&a))(a.clone()).unwrap(), &cholesky(&a), 0.0);
    }

    #[test]
    fn no_positive_definite_matrix_no_factor() {
        assert!(elements(&cholesky(&Array::from([[1.0, 2.0], [2.0, 1.0]]))).iter().all(|x| x.is_nan()));
    }
}
