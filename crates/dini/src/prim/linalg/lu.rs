//! `lu`: triangular factors of general matrices, with partial pivoting.

use super::{
    identity_like, lower_triangle, matrix_shape, product, transposed, triangular_solve::triangular_solve,
    upper_triangle,
};
use crate::{
    array::Array,
    ops,
    prim::{
        Batch, Form, Jvp, Lower, Primitive, Rules, Transpose,
        index::{gather::gather, operands},
        to_front,
    },
    shape::Aval,
    trace::bind,
};
use dini_cpu::{
    dtype::DType,
    graph::{OutOfBounds, Routine},
};

/// P A = L U for each matrix of a batch of shape `batch + [m, n]`: the factors packed into one array of that shape (L is
/// unit lower, U upper), the pivots `i32` `batch + [min(m, n)]`, the permutation `i32` `batch + [m]`.
///
/// Row i was swapped with row `pivots[i]`, in order; row i of L U is row `permutation[i]` of A. A column without a nonzero
/// pivot leaves a zero on U's diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lu;

impl Primitive for Lu {
    const NAME: &'static str = "lu";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| {
            let [a] = operands(avals)?;
            let (batch, m, n) = matrix_shape(a)?;
            let integers = |k: usize| Aval::new(DType::I32, &[batch, &[k]].concat());
            Ok(vec![a.clone(), integers(m.min(n)), integers(m)])
        },
        lower: Lower::Routine(|_| Routine::Lu),
        jvp: Jvp::By(|_, _, y, t| Ok(vec![t[0].as_ref().map(|a_dot| lu_jvp(&y[0], &y[2], a_dot)), None, None])),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, values, axes| {
            let outs = bind(*p, &[to_front(&values[0], axes[0], size)])?;
            Ok((outs, vec![axes[0].map(|_| 0); 3]))
        }),
        form: Form::First,
        samples: || {
            vec![
                (Lu, "f64[3,3]"),
                (Lu, "f64[2,2,2]"),
                (Lu, "f64[4,2]"),
                (Lu, "f64[2,4]"),
                (Lu, "f32[1,1]@0.5..2"),
                (Lu, "f64[0,0]"),
                (Lu, "f64[2,0]"),
            ]
        },
    };
}

/// Zeros behind the entries of an axis, up to `extent` entries.
fn padded(x: &Array, axis: usize, extent: usize) -> Array {
    let mut rest = x.aval().clone();
    rest.shape[axis] = extent - rest.shape[axis];
    if rest.shape[axis] == 0 { x.clone() } else { ops::join(&[x.clone(), ops::zeros_of(&rest)], axis) }
}

// De Hoog, Anderssen and Lukas (2011), "Differentiation of matrix functionals using triangular factorization". With the
// permutation locally constant, P Ȧ = L̇ U + L U̇, so M = L⁻¹ P Ȧ U⁻¹ = L⁻¹ L̇ + U̇ U⁻¹: strictly lower plus upper. Hence
// L̇ = L tril(M, −1) and U̇ = triu(M) U.
// For m ≠ n the factors are completed to square ones: L (m × m) by zeros and a unit diagonal, U (n × n) by zero rows and
// a unit diagonal below its own. The completion is constant, so its tangent is zero, and the same lines give L̇ and U̇.
fn lu_jvp(lu: &Array, permutation: &Array, a_dot: &Array) -> Array {
    let n_axes = lu.ndim();
    let (rows, columns) = (n_axes - 2, n_axes - 1);
    let (m, n) = (lu.shape()[rows], lu.shape()[columns]);
    let rank = m.min(n);
    let indices = ops::reshape(permutation, &[permutation.shape(), &[1]].concat());
    let permuted = gather(a_dot, &indices, n_axes - 2, OutOfBounds::Zero);
    let l = padded(&lower_triangle(&ops::slice_axis(lu, 0, rank, 1, columns), -1), columns, m);
    let l = &l + identity_like(l.aval());
    let u = padded(&upper_triangle(&ops::slice_axis(lu, 0, rank, 1, rows), 0), rows, n);
    let u = if n > rank {
        let mut own = u.aval().clone();
        own.shape[rows] = rank;
        own.shape[columns] = rank;
        let own = padded(&padded(&identity_like(&own), rows, n), columns, n);
        &u + (identity_like(u.aval()) - own)
    } else {
        u
    };
    let left = triangular_solve(&l, &permuted, true, false, true);
    // X U = Y is Uᵀ Xᵀ = Yᵀ.
    let middle = transposed(&triangular_solve(&u, &transposed(&left), false, true, false));
    product(&l, &lower_triangle(&middle, -1)) + product(&upper_triangle(&middle, 0), &u)
}
