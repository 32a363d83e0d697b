//! Diagonals and triangles of matrices, the last two axes.

use super::{matrices, shape_error};
use crate::{
    array::Array,
    error::Result,
    ops::{self, attempt, reshape},
    prim::linalg::{identity_like, lower_triangle, upper_triangle},
    shape::Aval,
};
use dini_cpu::dtype::DType;

/// Diagonals and triangles.
impl Array {
    /// The sum of the diagonal of each matrix (the last two axes).
    ///
    /// # Errors
    /// Rank below 2.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1.0, 2.0], [3.0, 4.0]]).trace().item::<f64>()?, 5.0);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn trace(&self) -> Array {
        attempt("trace", &[self], || {
            let d = main_diagonal(self)?;
            Ok(ops::reduce_sum(&d, &[d.ndim() - 1]))
        })
    }

    /// The diagonal of each matrix (the last two axes): `[.., m, n]` gives `[.., min(m, n)]`.
    ///
    /// # Errors
    /// Rank below 2.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1, 2, 3], [4, 5, 6]]).diagonal().to_vec::<i32>()?, [1, 5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn diagonal(&self) -> Array {
        attempt("diagonal", &[self], || main_diagonal(self))
    }

    /// A vector as a diagonal matrix; of a matrix, its diagonal.
    ///
    /// # Errors
    /// Rank other than 1 and 2.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from(vec![1, 2]).diag().to_vec::<i32>()?, [1, 0, 0, 2]);
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).diag().to_vec::<i32>()?, [1, 4]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn diag(&self) -> Array {
        attempt("diag", &[self], || {
            let x = self.try_aval()?;
            match x.shape[..] {
                [n] => {
                    let rows = ops::broadcast_in_dim(self, &[n, n], &[1]);
                    let is_diagonal = identity_like(&Aval::new(DType::Bool, &[n, n]));
                    Ok(ops::select(&is_diagonal, &rows, &ops::scalar_like(0.0, self)))
                }
                [_, _] => main_diagonal(self),
                _ => Err(shape_error(format!("got {x}, expected a vector or a matrix"))
                    .help("for a batch of matrices use `.diagonal()`")),
            }
        })
    }

    /// Each matrix (the last two axes) with zeros above its `k`-th diagonal; `k` = 0 is the main one, negative ones are
    /// below it.
    ///
    /// # Errors
    /// Rank below 2.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let a = Array::from([[1, 2], [3, 4]]);
    /// assert_eq!(a.tril(0).to_vec::<i32>()?, [1, 0, 3, 4]);
    /// assert_eq!(a.tril(-1).to_vec::<i32>()?, [0, 0, 3, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn tril(&self, k: isize) -> Array {
        attempt("tril", &[self], || {
            matrices(self.try_aval()?)?;
            Ok(lower_triangle(self, k as i64))
        })
    }

    /// Each matrix (the last two axes) with zeros below its `k`-th diagonal; see [`Array::tril`].
    ///
    /// # Errors
    /// Rank below 2.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).triu(1).to_vec::<i32>()?, [0, 2, 0, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn triu(&self, k: isize) -> Array {
        attempt("triu", &[self], || {
            matrices(self.try_aval()?)?;
            Ok(upper_triangle(self, k as i64))
        })
    }
}

/// The diagonal of an m × n matrix is every (n + 1)-th of its elements in a row.
pub(super) fn main_diagonal(x: &Array) -> Result<Array> {
    let (batch, m, n) = matrices(x.try_aval()?)?;
    let rank = m.min(n);
    let flat = reshape(x, &[batch, &[m * n]].concat());
    let mut limit = [batch, &[rank.saturating_sub(1) * (n + 1) + 1]].concat();
    if rank == 0 {
        limit[batch.len()] = 0;
    }
    let mut stride = vec![1; limit.len()];
    stride[batch.len()] = n + 1;
    Ok(ops::slice(&flat, &vec![0; limit.len()], &limit, &stride))
}
