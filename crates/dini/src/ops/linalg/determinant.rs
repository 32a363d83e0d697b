//! Determinants.

use super::{diagonals::main_diagonal, factor::lu, square};
use crate::{
    array::Array,
    error::Result,
    ops::{self, attempt, attempt_many, reshape, slice_axis},
    prim::{index::iota, reduce::prod::ReduceProd},
    trace::bind1,
};
use dini_cpu::dtype::DType;

/// The determinant of square matrices `[.., n, n]`; 1 for n = 0.
///
/// Up to n = 3 by the explicit formula. From n = 4 on by [`lu`], where the derivative at a singular matrix is NaN.
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
                let (diagonal, parity) = factors_of_det(a)?;
                bind1(ReduceProd { axes: vec![batch.len()] }, &[diagonal]) * parity
            }
        })
    })
}

/// Sign and logarithm of the absolute value of the determinant of square matrices `[.., n, n]`: no overflow for large n.
/// For a singular matrix they are 0 and −∞.
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
        let (diagonal, parity) = factors_of_det(a)?;
        let logarithm = ops::reduce_sum(&diagonal.abs().log(), &axes);
        Ok(vec![bind1(ReduceProd { axes }, &[diagonal.sign()]) * parity, logarithm])
    });
    (parts[0].clone(), parts[1].clone())
}

/// U's diagonal, and the sign of the permutation as a number of its type.
fn factors_of_det(a: &Array) -> Result<(Array, Array)> {
    let (factors, pivots, _) = lu(a);
    let diagonal = main_diagonal(&factors)?;
    let axis = pivots.ndim() - 1;
    // A row whose pivot is another row was swapped: each swap changes the sign.
    let is_swap = pivots.ne(iota(DType::I32, pivots.shape(), axis));
    let signs = ops::select(&is_swap, &ops::scalar_like(-1.0, &diagonal), &ops::one_of(&diagonal));
    Ok((diagonal, bind1(ReduceProd { axes: vec![axis] }, &[signs])))
}
