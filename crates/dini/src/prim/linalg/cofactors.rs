//! Mixed cofactors: what derivatives of determinants are made of, without dividing by what may vanish.
//!
//! In the ring R\[t₁, …, tₘ\]/(t₁², …, tₘ²), C(A; E₁, …, Eₘ) is the coefficient of t₁⋯tₘ in the cofactors of A + Σ tᵢEᵢ.
//!
//! 1. P A Q = L D U (see [`Ldu`]) gives P (A + Σ tᵢEᵢ) Q = L M U with M = D + Σ tᵢFᵢ and Fᵢ = L⁻¹ P Eᵢ Q U⁻¹. The adjugates
//!    follow: adj(A + Σ tᵢEᵢ) = ± Q U⁻¹ adj(M) L⁻¹ P.
//! 2. M is cut before its last m + 1 rows and columns, M = [[V, Y], [Z, W]]. With the Schur complement S = W − Z V⁻¹ Y,
//!
//!    adj M = det V · [[det S · V⁻¹ + V⁻¹ Y adj S Z V⁻¹, −V⁻¹ Y adj S], [−adj S Z V⁻¹, adj S]].
//!
//! 3. det S and adj S are polynomials (Faddeev and LeVerrier); only V is divided by, whose constant term is the diagonal of
//!    the first pivots.
//!
//! Complete pivoting puts small pivots last. A matrix of rank n − c has c zeros, and C, of degree m + 1 in the tᵢ and its own
//! entry, needs no more than m + 1 of them: a zero among the first pivots means C = 0, and det V, a factor of every entry,
//! says so. If pivots ε are small but not zero, then a coefficient of degree k is at most of order ε⁻¹⁻ᵏ in V⁻¹, ε¹⁻ᵏ in S and
//! ε⁻ᵏ beside its constant in det V; every product above stays of the order of the result or of that which C may have at
//! such pivots, so rounding errors are as small as those of LU's pivots.
//!
//! Limits: as good as pivots show the rank. (Kahan's matrices, nearly singular with pivots of one size, lose digits from the
//! second derivative on.) An element takes 2ᵐ coefficients, a product 3ᵐ.

mod jet;

use super::{identity_like, ldu::Ldu, product, transposed, triangular_solve::triangular_solve};
use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{
        index::{
            gather::gather,
            scatter::{ScatterKind, scatter},
        },
        reduce::prod::ReduceProd,
    },
    shape::Aval,
    trace::{bind, bind1},
};
use dini_cpu::graph::OutOfBounds;
use jet::Jet;
use std::ops::Range;

/// C(A; E₁, …, Eₘ), given the factors and the permutation of `lu(a)`.
pub(super) fn mixed_cofactors(a: &Array, factors: &Array, permutation: &Array, directions: &[Array]) -> Result<Array> {
    let [triangles, pivots, rows, columns, sign] = &bind(Ldu, &[a.clone(), factors.clone(), permutation.clone()])?[..]
    else {
        unreachable!("`ldu` has five results")
    };
    let order = |order: &Array| ops::reshape(order, &[order.shape(), &[1]].concat());
    let (rows, columns) = (order(rows), order(columns));
    let n_batch = a.ndim() - 2;
    let take = |x: &Array, order: &Array| gather(x, order, n_batch, OutOfBounds::Zero);
    // Each row is hit once, so that adding to zeros puts it there.
    let put = |x: &Array, order: &Array| scatter(&ops::zeros_of(x.aval()), order, x, n_batch, ScatterKind::Add);
    let by_lower = |x: &Array, transpose: bool| triangular_solve(triangles, x, true, transpose, true);
    let by_upper = |x: &Array, transpose: bool| triangular_solve(triangles, x, false, transpose, true);
    let moved = |e: &Array| {
        let by_rows = by_lower(&take(e, &rows), false);
        transposed(&by_upper(&take(&transposed(&by_rows), &columns), true))
    };
    let directions: Vec<Array> = directions.iter().map(moved).collect();
    let adjugate = adjugate_near_diagonal(pivots, &directions) * over_matrix(sign);
    let by_columns = transposed(&put(&by_upper(&adjugate, false), &columns));
    Ok(put(&by_lower(&by_columns, true), &rows))
}

/// A factor for each matrix, `batch`, to be multiplied with matrices, `batch + [n, n]`.
fn over_matrix(x: &Array) -> Array {
    ops::reshape(x, &[x.shape(), &[1, 1]].concat())
}

/// tr(X Y), `batch + [1, 1]`.
fn trace_of_product(x: &Array, y: &Array) -> Array {
    let n_batch = x.ndim() - 2;
    over_matrix(&ops::reduce_sum(&(x * transposed(y)), &[n_batch, n_batch + 1]))
}

/// Vectors as diagonal matrices.
fn diagonal_matrix(x: &Array) -> Array {
    let n = x.ndim();
    let shape = [x.shape(), &x.shape()[n - 1..]].concat();
    let kept: Vec<usize> = (0..n).collect();
    ops::broadcast_in_dim(x, &shape, &kept) * identity_like(&Aval::new(x.dtype(), &shape))
}

/// The coefficient of t₁⋯tₘ in adj(D + Σ tᵢFᵢ), D diagonal with its small elements last.
fn adjugate_near_diagonal(d: &Array, f: &[Array]) -> Array {
    let axis = d.ndim() - 1;
    let n = d.shape()[axis];
    let cut = n.saturating_sub(f.len() + 1);
    let (first, last) = (ops::slice_axis(d, 0, cut, 1, axis), ops::slice_axis(d, cut, n, 1, axis));
    let block = |rows: Range<usize>, columns: Range<usize>| -> Vec<Array> {
        let rows_of = |x: &Array| ops::slice_axis(x, rows.start, rows.end, 1, axis);
        f.iter().map(|x| ops::slice_axis(&rows_of(x), columns.start, columns.end, 1, axis + 1)).collect()
    };
    let (y, z) = (Jet::new(None, &block(0..cut, cut..n)), Jet::new(None, &block(cut..n, 0..cut)));
    let w = Jet::new(Some(diagonal_matrix(&last)), &block(cut..n, cut..n));
    let scaled = |x: &Array, y: &Array| x * y;
    let (inverse, growth) = inverse_and_growth(&first, &block(0..cut, 0..cut));
    let (left, right) = (z.times(&inverse, product), inverse.times(&y, product));
    let schur = w.plus(&z.times(&right, product).map(|x| -x));
    let (determinant, adjugate) = determinant_and_adjugate(&schur, &identity_like(diagonal_matrix(&last).aval()));
    let (determinant, adjugate) = (growth.times(&determinant, scaled), growth.times(&adjugate, scaled));
    let beside = right.times(&adjugate, product);
    let below = adjugate.times(&left, product);
    let corner = determinant.times(&inverse, scaled).plus(&beside.times(&left, product));
    let coefficient = |jet: Jet, n_rows: usize, n_columns: usize| {
        jet.last(&Aval::new(d.dtype(), &[&d.shape()[..axis], &[n_rows, n_columns]].concat()))
    };
    let upper = ops::join(&[coefficient(corner, cut, cut), -coefficient(beside, cut, n - cut)], axis + 1);
    let lower = ops::join(&[-coefficient(below, n - cut, cut), coefficient(adjugate, n - cut, n - cut)], axis + 1);
    ops::join(&[upper, lower], axis) * over_matrix(&bind1(ReduceProd { axes: vec![axis] }, &[first]))
}

/// V⁻¹ and det V / det D for V = D + Σ tᵢNᵢ. Zeros of D are taken as ones: what the two are used for has det D as a factor.
//
// V V⁻¹ = 1 gives V⁻¹ = D⁻¹ (1 − Σ tᵢNᵢ V⁻¹), each coefficient from smaller ones; ∂ det V/∂tᵢ = det V tr(Nᵢ V⁻¹) (Jacobi) the
// coefficient of a set from those of the set without one of its i.
fn inverse_and_growth(d: &Array, n: &[Array]) -> (Jet, Jet) {
    let divisors = ops::select(&d.eq(ops::scalar_like(0.0, d)), &ops::one_of(d), d);
    let constant = diagonal_matrix(&(ops::one_of(d) / &divisors));
    let by_row = ops::reshape(&divisors, &[d.shape(), &[1]].concat());
    let rest = Jet::new(None, n);
    let inverse = rest.grown(|set, inverse| match set {
        0 => Some(constant.clone()),
        _ => rest.coefficient_of_product(inverse, set, product).map(|x| -x / &by_row),
    });
    let one = over_matrix(&ops::broadcast_in_dim(&ops::one_of(d), &d.shape()[..d.ndim() - 1], &[]));
    let growth = rest.grown(|set, growth| match set {
        0 => Some(one.clone()),
        _ => {
            let i = set.trailing_zeros() as usize;
            let rates = inverse.map(|x| trace_of_product(&n[i], x));
            rates.coefficient_of_product(growth, set & !(1 << i), |x, y| x * y)
        }
    });
    (inverse, growth)
}

/// det S and adj S; `identity` is of S's shape.
//
// Faddeev and LeVerrier: N₁ = 1, cₖ = tr(S Nₖ)/k, Nₖ₊₁ = cₖ − S Nₖ; det S = cₙ and adj S = Nₙ.
fn determinant_and_adjugate(s: &Jet, identity: &Array) -> (Jet, Jet) {
    let n = identity.shape()[identity.ndim() - 1];
    let mut adjugate = s.grown(|set, _| (set == 0).then(|| identity.clone()));
    for k in 1.. {
        let by_s = s.times(&adjugate, product);
        let c = by_s.map(|x| trace_of_product(x, identity) / ops::scalar_like(k as f64, x));
        if k >= n {
            return (c, adjugate);
        }
        adjugate = c.map(|c| c * identity).plus(&by_s.map(|x| -x));
    }
    unreachable!("ends at n")
}
