//! Products: NumPy's `dot` and `matmul`, and the general product that they are.

use super::{same_dtype, shape_error};
use crate::{
    array::Array,
    error::Result,
    ops::{self, attempt, reshape},
    prim::linalg::dot::dot,
    shape::broadcast_shapes,
};
use dini_cpu::graph::DotAxes;

/// Products.
impl Array {
    /// The dot product as NumPy defines it: a sum over the last axis of `self` and the last but one (or only) axis of
    /// `other`. Vectors give their inner product, matrices the matrix product; a scalar multiplies.
    ///
    /// # Errors
    /// Different element types; extents that differ.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let (x, y) = (Array::from(vec![1.0, 2.0]), Array::from(vec![3.0, 4.0]));
    /// assert_eq!(x.dot(&y).item::<f64>()?, 11.0);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn dot(&self, other: &Array) -> Array {
        attempt("dot", &[self, other], || {
            let (a, b) = (self.try_aval()?, other.try_aval()?);
            if a.ndim() == 0 || b.ndim() == 0 {
                return Ok(self * other);
            }
            let (of_a, of_b) = (a.ndim() - 1, b.ndim().saturating_sub(2));
            if a.shape[of_a] != b.shape[of_b] {
                return Err(shape_error(format!(
                    "the last axis of {a} and axis {of_b} of {b} have extents {} and {}",
                    a.shape[of_a], b.shape[of_b]
                )));
            }
            Ok(dot(self, other, DotAxes { lhs_contract: vec![of_a], rhs_contract: vec![of_b], ..DotAxes::default() }))
        })
    }

    /// The matrix product as NumPy defines it: `[.., m, k]` and `[.., k, n]` give `[.., m, n]`; leading axes broadcast; an
    /// operand of rank 1 is one row on the left, one column on the right, without that axis in the result.
    ///
    /// # Errors
    /// Operands of rank 0; different element types; extents that do not fit.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let a = Array::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(&a).to_vec::<f64>()?, [7.0, 10.0, 15.0, 22.0]);
    /// assert_eq!(a.matmul(&Array::from(vec![1.0, 1.0])).to_vec::<f64>()?, [3.0, 7.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Array) -> Array {
        attempt("matmul", &[self, other], || matmul(self, other))
    }
}

/// Batch axes of equal extent are paired. An axis that only one operand has, or has with an extent other than 1, is a
/// free axis of that operand: nothing is repeated. A permutation of the result puts the axes in order.
fn matmul(x: &Array, y: &Array) -> Result<Array> {
    let (a, b) = (x.try_aval()?, y.try_aval()?);
    same_dtype(a, b)?;
    if a.ndim() == 0 || b.ndim() == 0 {
        return Err(shape_error(format!("got {a} and {b}, expected at least one axis each"))
            .help("to scale by a number use `*`"));
    }
    let (a_matrix, b_matrix) = (a.ndim().min(2), b.ndim().min(2));
    let (a_lead, b_lead) = (&a.shape[..a.ndim() - a_matrix], &b.shape[..b.ndim() - b_matrix]);
    let (k, k_of_b) = (a.shape[a.ndim() - 1], b.shape[b.ndim() - b_matrix]);
    if k != k_of_b {
        return Err(shape_error(format!(
            "{a} and {b} do not fit: {k} columns on the left, {k_of_b} rows on the right"
        )));
    }
    let batch = broadcast_shapes(a_lead, b_lead)?;
    // For each batch axis of the result: whether a and b have it, with an extent that is not to be repeated.
    let own =
        |lead: &[usize], i: usize| (i + lead.len()).checked_sub(batch.len()).is_some_and(|own| lead[own] == batch[i]);
    let (in_a, in_b): (Vec<bool>, Vec<bool>) = (0..batch.len()).map(|i| (own(a_lead, i), own(b_lead, i))).unzip();
    let kept = |is_in: &[bool]| (0..batch.len()).filter(|&i| is_in[i]).collect::<Vec<usize>>();
    let (a_axes, b_axes) = (kept(&in_a), kept(&in_b));
    let squeezed = |x: &Array, axes: &[usize], n_matrix: usize| {
        let shape = x.shape();
        let lead: Vec<usize> = axes.iter().map(|&i| batch[i]).collect();
        reshape(x, &[&lead[..], &shape[shape.len() - n_matrix..]].concat())
    };
    let (x, y) = (squeezed(x, &a_axes, a_matrix), squeezed(y, &b_axes, b_matrix));
    let shared = |axes: &[usize], other: &[bool]| {
        axes.iter().enumerate().filter(|(_, i)| other[**i]).map(|(at, _)| at).collect::<Vec<usize>>()
    };
    let axes = DotAxes {
        lhs_batch: shared(&a_axes, &in_b),
        rhs_batch: shared(&b_axes, &in_a),
        lhs_contract: vec![x.ndim() - 1],
        rhs_contract: vec![y.ndim() - b_matrix],
    };
    // Where each axis of the product belongs; m and n, where there are such, behind the batch axes.
    let mut labels: Vec<usize> = (0..batch.len()).filter(|&i| in_a[i] && in_b[i]).collect();
    labels.extend(a_axes.iter().filter(|&&i| !in_b[i]));
    labels.extend((a_matrix == 2).then_some(batch.len()));
    labels.extend(b_axes.iter().filter(|&&i| !in_a[i]));
    labels.extend((b_matrix == 2).then_some(batch.len() + a_matrix - 1));
    let mut order = vec![0; labels.len()];
    for (at, &label) in labels.iter().enumerate() {
        order[label] = at;
    }
    Ok(ops::permute(dot(&x, &y, axes).check()?, &order))
}

/// The general product: sums over the contracted axes, in pairs; result axes: batch, the free ones of a, the free ones of
/// b. Every product of this page is one.
///
/// # Errors
/// Different element types; axes out of range, named twice, not in pairs or of different extents.
///
/// ```
/// use dini::{dot_general, DotAxes, prelude::*};
/// let a = Array::from([[1.0, 2.0], [3.0, 4.0]]);
/// let axes = DotAxes { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![1], rhs_contract: vec![1] };
/// assert_eq!(dot_general(&a, &a, axes).to_vec::<f64>()?, [5.0, 25.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn dot_general(a: &Array, b: &Array, axes: DotAxes) -> Array {
    attempt("dot_general", &[a, b], || Ok(dot(a, b, axes)))
}

/// All products of elements of two arrays, which count as vectors: `[m]` and `[n]` give `[m, n]`.
///
/// # Errors
/// Different element types.
///
/// ```
/// use dini::{outer, prelude::*};
/// let y = outer(&Array::from(vec![1.0, 2.0]), &Array::from(vec![3.0, 4.0]));
/// assert_eq!(y.to_vec::<f64>()?, [3.0, 4.0, 6.0, 8.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn outer(a: &Array, b: &Array) -> Array {
    attempt("outer", &[a, b], || {
        let (m, n) = (a.try_aval()?.size(), b.try_aval()?.size());
        Ok(dot(&reshape(a, &[m]), &reshape(b, &[n]), DotAxes::default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Vmap, vmap_with};

    /// The product of each pair of matrices, one by one, of operands that are broadcast first.
    #[track_caller]
    fn check(a: &[usize], b: &[usize], expected: &[usize]) {
        let numbered = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            Array::new((0..n).map(|i| (i % 7) as f64 - 2.0).collect::<Vec<_>>(), shape)
        };
        let (x, y) = (numbered(a), numbered(b));
        let product = x.matmul(&y);
        assert_eq!(product.shape(), expected);
        let x = if a.len() == 1 { reshape(&x, &[1, a[0]]) } else { x };
        let y = if b.len() == 1 { reshape(&y, &[b[0], 1]) } else { y };
        let (m, k, n) = (x.shape()[x.ndim() - 2], x.shape()[x.ndim() - 1], y.shape()[y.ndim() - 1]);
        let batch = broadcast_shapes(&x.shape()[..x.ndim() - 2], &y.shape()[..y.ndim() - 2]).unwrap();
        let x = x.broadcast_to(&[&batch[..], &[m, k]].concat()).to_vec::<f64>().unwrap();
        let y = y.broadcast_to(&[&batch[..], &[k, n]].concat()).to_vec::<f64>().unwrap();
        let sum = |at: usize, i: usize, j: usize| -> f64 {
            (0..k).map(|l| x[(at * m + i) * k + l] * y[(at * k + l) * n + j]).sum()
        };
        let n_matrices: usize = batch.iter().product();
        let products: Vec<f64> = (0..n_matrices)
            .flat_map(|at| (0..m * n).map(move |i| (at, i / n, i % n)))
            .map(|(at, i, j)| sum(at, i, j))
            .collect();
        assert_eq!(product.to_vec::<f64>().unwrap(), products);
    }

    #[test]
    fn matmul_broadcasts_as_numpy_does() {
        check(&[3], &[3], &[]);
        check(&[2, 3], &[3], &[2]);
        check(&[3], &[3, 2], &[2]);
        check(&[2, 3], &[3, 4], &[2, 4]);
        check(&[5, 2, 3], &[3, 4], &[5, 2, 4]);
        check(&[2, 3], &[5, 3, 4], &[5, 2, 4]);
        check(&[5, 2, 3], &[5, 3, 4], &[5, 2, 4]);
        check(&[1, 2, 3], &[5, 3, 4], &[5, 2, 4]);
        check(&[6, 1, 2, 3], &[5, 3, 4], &[6, 5, 2, 4]);
        check(&[1, 5, 2, 3], &[6, 1, 3, 4], &[6, 5, 2, 4]);
        check(&[3], &[5, 3, 4], &[5, 4]);
        check(&[5, 2, 3], &[3], &[5, 2]);
        check(&[2, 0], &[0, 3], &[2, 3]);
        check(&[0, 2, 3], &[3, 1], &[0, 2, 1]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let a = Array::new(vec![0.0; 6], &[2, 3]);
        let error = a.matmul(&a).check().unwrap_err().to_string();
        assert!(error.contains("f64[2,3] and f64[2,3] do not fit: 3 columns on the left, 2 rows"), "{error}");
        let product =
            vmap_with(Vmap::new().in_axes((0, None)), |(x, y): (Array, Array)| x.dot(&y))((a, Array::from(2.0)));
        assert_eq!(product.unwrap().shape(), [2, 3]);
    }
}
