//! Products over axes.

use super::{is_number, kept_axes, reduction};
use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{Jvp, Transpose},
};
use dini_cpu::graph::Combine;

reduction! {
    /// Π x over axes
    ReduceProd "reduce_prod" = Combine::Mul, admits: (is_number, "a number"),
        jvp: Jvp::By(|p, x, y, t| Ok(vec![prod_jvp(p, &x[0], &y[0], t[0].as_ref())?])),
        transpose: Transpose::NotLinear,
        samples: [
            ([0], "f64[4]"),
            ([0], "f64[5]@0..0.000001"),
            ([0, 2], "f64[2,2,3]"),
            ([1], "f32[2,3]"),
            ([], "f64[2]"),
            ([0], "f64[0,3]"),
            ([1], "i32[2,3]"),
        ]
}

/// ẏ = Σᵢ ẋᵢ Πⱼ≠ᵢ xⱼ, without dividing by xᵢ, which may be 0.
///
/// Pairs (s, ṡ) of a partial product and its tangent combine by the product rule,
/// (s₁, ṡ₁)·(s₂, ṡ₂) = (s₁s₂, ṡ₁s₂ + s₁ṡ₂), here in a balanced tree: the two halves of the axis are multiplied until one
/// element is left. That takes O(n) work in O(log n) operations, is exact at zeros, and is made of products, so it
/// differentiates again.
fn prod_jvp(p: &ReduceProd, x: &Array, y: &Array, t: Option<&Array>) -> Result<Option<Array>> {
    let Some(t) = t else { return Ok(None) };
    let kept = kept_axes(&p.axes, x.ndim());
    let mut n: usize = p.axes.iter().map(|&axis| x.shape()[axis]).product();
    if n == 0 {
        return Ok(None); // the product of nothing does not vary
    }
    let order: Vec<usize> = p.axes.iter().chain(&kept).copied().collect();
    let mut shape = vec![n];
    shape.extend_from_slice(y.shape());
    let flat = |z: &Array| ops::reshape(&ops::permute(z, &order), &shape);
    let (mut s, mut t) = (flat(x), flat(t));
    while n > 1 {
        let half = n / 2;
        let part = |z: &Array, from: usize, to: usize| ops::slice_axis(z, from, to, 1, 0);
        let (s1, s2, t1, t2) =
            (part(&s, 0, half), part(&s, half, 2 * half), part(&t, 0, half), part(&t, half, 2 * half));
        let mut products = vec![&s1 * &s2];
        let mut tangents = vec![&t1 * &s2 + &s1 * &t2];
        if n % 2 == 1 {
            products.push(part(&s, n - 1, n));
            tangents.push(part(&t, n - 1, n));
        }
        (s, t) = (ops::join(&products, 0), ops::join(&tangents, 0));
        n = half + n % 2;
    }
    Ok(Some(ops::reshape(&t, y.shape())))
}
