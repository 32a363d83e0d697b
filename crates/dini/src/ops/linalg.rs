//! Linear algebra: products, factorizations, linear systems, and what is built from them.
//!
//! Matrices are the last two axes; leading axes enumerate them. Element types are `f32` and `f64`, for products every
//! number and `bool` too.

mod determinant;
mod diagonals;
mod factor;
mod products;
mod sides;
mod solve;

pub use determinant::{det, slogdet};
pub use dini_cpu::graph::DotAxes;
pub use factor::{cholesky, cholesky_solve, lu, lu_solve, triangular_solve};
pub use products::{dot_general, outer};
pub use solve::{inv, solve};

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    shape::Aval,
};

fn shape_error(message: String) -> Error {
    Error::new(ErrorKind::Shape, message)
}

/// Extents of the leading axes and of the two of the matrices.
fn matrices(a: &Aval) -> Result<(&[usize], usize, usize)> {
    match &a.shape[..] {
        [batch @ .., m, n] => Ok((batch, *m, *n)),
        _ => Err(shape_error(format!("got {a}, expected a matrix or a batch of them"))),
    }
}

/// Extents of the leading axes and the order of square matrices of floats.
fn square(a: &Aval) -> Result<(&[usize], usize)> {
    if !a.dtype.is_float() {
        return Err(Error::new(ErrorKind::DType, format!("got {a}, expected a floating-point type"))
            .help("convert with `.cast(DType::F64)`"));
    }
    match matrices(a)? {
        (batch, m, n) if m == n => Ok((batch, n)),
        _ => Err(shape_error(format!("got {a}, expected square matrices"))),
    }
}

pub(super) fn same_dtype(a: &Aval, b: &Aval) -> Result<()> {
    if a.dtype == b.dtype {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::DType, format!("operands have dtypes {} and {}", a.dtype, b.dtype))
            .help(format!("convert one with `.cast(DType::{:?})`", a.dtype)))
    }
}

/// The array with its leading axes broadcast to `batch`; the last `n_last` axes stay.
fn spread(x: &Array, batch: &[usize], n_last: usize) -> Array {
    let shape = x.shape();
    let target = [batch, &shape[shape.len() - n_last..]].concat();
    if target == shape { x.clone() } else { x.broadcast_to(&target) }
}
