//! Dense linear algebra: products, factorizations and triangular solves, over any number of leading batch axes.
//!
//! A factorization or solve is one library call, however many matrices it covers, and is counted once per execution.

pub(crate) mod cholesky;
mod cofactors;
pub(crate) mod det;
pub(crate) mod dot;
pub(crate) mod ldu;
pub(crate) mod lu;
pub(crate) mod triangular_solve;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::index::iota,
    shape::Aval,
};
use dini_cpu::{dtype::DType, graph::DotAxes};

/// Extents of the batch axes, and of the two matrix axes.
fn matrix_shape(a: &Aval) -> Result<(&[usize], usize, usize)> {
    if !a.dtype.is_float() {
        return Err(Error::new(ErrorKind::DType, format!("got {a}, expected a floating-point type"))
            .help("convert with `.cast(DType::F64)`"));
    }
    match &a.shape[..] {
        [batch @ .., m, n] => Ok((batch, *m, *n)),
        _ => Err(Error::new(ErrorKind::Shape, format!("got {a}, expected a matrix or a batch of them"))),
    }
}

/// Extents of the batch axes, and the order, of square matrices.
fn square_shape(a: &Aval) -> Result<(&[usize], usize)> {
    match matrix_shape(a)? {
        (batch, m, n) if m == n => Ok((batch, n)),
        _ => Err(Error::new(ErrorKind::Shape, format!("got {a}, expected square matrices"))),
    }
}

/// Exchanges the last two axes.
pub(crate) fn transposed(a: &Array) -> Array {
    let n = a.ndim();
    let mut order: Vec<usize> = (0..n).collect();
    order.swap(n - 2, n - 1);
    ops::permute(a, &order)
}

/// Products of matrices; the batch axes are equal.
pub(crate) fn product(a: &Array, b: &Array) -> Array {
    let n = a.ndim();
    let batch: Vec<usize> = (0..n - 2).collect();
    let axes =
        DotAxes { lhs_batch: batch.clone(), rhs_batch: batch, lhs_contract: vec![n - 1], rhs_contract: vec![n - 2] };
    dot::dot(a, b, axes)
}

/// The number of a diagonal, for comparisons: those beyond the matrix hold what the next one outside of it does.
fn diagonal(shape: &[usize], k: i64) -> f64 {
    let [.., m, n] = shape else { unreachable!("a matrix has two axes") };
    (k as f64).clamp(-(*m as f64), *n as f64)
}

/// Which elements of matrices of this shape satisfy `keep(column − row)`.
fn mask(shape: &[usize], keep: impl FnOnce(&Array) -> Array) -> Array {
    let n = shape.len();
    let matrix = &shape[n - 2..];
    let offset = iota(DType::I64, matrix, 1) - iota(DType::I64, matrix, 0);
    ops::broadcast_in_dim(&keep(&offset), shape, &[n - 2, n - 1])
}

/// The matrices with zeros above the k-th diagonal.
pub(crate) fn lower_triangle(a: &Array, k: i64) -> Array {
    let mask = mask(a.shape(), |offset| offset.le(ops::scalar_like(diagonal(a.shape(), k), offset)));
    ops::select(&mask, a, &ops::scalar_like(0.0, a))
}

/// The matrices with zeros below the k-th diagonal.
pub(crate) fn upper_triangle(a: &Array, k: i64) -> Array {
    let mask = mask(a.shape(), |offset| offset.ge(ops::scalar_like(diagonal(a.shape(), k), offset)));
    ops::select(&mask, a, &ops::scalar_like(0.0, a))
}

/// Identity matrices of the shape and type of `like`.
pub(crate) fn identity_like(like: &Aval) -> Array {
    mask(&like.shape, |offset| offset.eq(ops::scalar_like(0.0, offset))).cast(like.dtype)
}
