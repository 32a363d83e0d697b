//! `gather`: elements, or whole sub-arrays, at a list of places.

use super::{
    check_places, clip, count_axes, operands,
    scatter::{ScatterKind, scatter},
};
use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{Batch, Form, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose, move_axis},
    trace::{bind, bind1},
};
use dini_cpu::graph::{Op, OutOfBounds};

/// `(x, indices)`: x of shape `batch + [n₁ … n_k] + rest` at each of the indices, of shape `batch + places + [k]`; the
/// result has shape `batch + places + rest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    /// Number of leading batch axes.
    pub n_batch: usize,
    /// What an index outside of x reads; a negative one is outside.
    pub mode: OutOfBounds,
}

impl Primitive for Gather {
    const NAME: &'static str = "gather";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let [x, indices] = operands(avals)?;
            Ok(vec![x.with_shape(&check_places(x, indices, p.n_batch)?)])
        },
        lower: Lower::Loops(|p, cx, args, _, outs| {
            Ok(vec![cx.push1(Op::Gather { n_batch: p.n_batch, mode: p.mode }, args, &outs[0])])
        }),
        jvp: Jvp::By(|p, x, _, t| Ok(vec![t[0].as_ref().map(|t| gather(t, &x[1], p.n_batch, tangent_mode(p.mode)))])),
        transpose: Transpose::By(gather_transpose),
        batch: Batch::By(gather_batch),
        form: Form::First,
        samples: || {
            let p = |n_batch: usize, mode: OutOfBounds| Gather { n_batch, mode };
            vec![
                (p(0, OutOfBounds::Fill), "f64[4] i32[3,1]@0..4"),
                (p(0, OutOfBounds::Zero), "f64[4] i32[5,1]@-2..6"),
                (p(0, OutOfBounds::Clip), "f64[4,2] i64[5,1]@-2..6"),
                (p(0, OutOfBounds::Zero), "f64[3,2] u8[2,2,2]@0..3"),
                (p(1, OutOfBounds::Clip), "f32[2,3] i32[2,1]@0..3"),
                (p(1, OutOfBounds::Zero), "f64[2,3,2] u32[2,3,1]@0..4"),
                (p(0, OutOfBounds::Fill), "i32[3] i32[4,1]@-1..4"),
                (p(0, OutOfBounds::Zero), "f64[0] i32[2,1]"),
            ]
        },
    };
}

pub(crate) fn gather(x: &Array, indices: &Array, n_batch: usize, mode: OutOfBounds) -> Array {
    bind1(Gather { n_batch, mode }, &[x.clone(), indices.clone()])
}

/// What is read outside of x does not depend on x, so its tangent is zero.
fn tangent_mode(mode: OutOfBounds) -> OutOfBounds {
    match mode {
        OutOfBounds::Fill | OutOfBounds::Zero => OutOfBounds::Zero,
        OutOfBounds::Clip => OutOfBounds::Clip,
    }
}

// y_p = x_{i(p)}, or a constant where i(p) is outside; so x̄_i = Σ_{p: i(p) = i} ȳ_p. A scatter drops what is outside,
// so clamped indices are clamped before it.
fn gather_transpose(p: &Gather, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let indices = xs[1].known()?;
    let Some(ct) = &ct[0] else { return Ok(vec![None, None]) };
    let x = xs[0].aval();
    let indices = match p.mode {
        OutOfBounds::Fill | OutOfBounds::Zero => indices.clone(),
        OutOfBounds::Clip => clip(indices, &x.shape[p.n_batch..]),
    };
    Ok(vec![Some(scatter(&ops::zeros_of(&x), &indices, ct, p.n_batch, ScatterKind::Add)), None])
}

// Lanes of x alone go with the rest of the picked sub-arrays; lanes of the indices alone are more places; lanes of both
// are one more batch axis. Nothing is repeated.
fn gather_batch(p: &Gather, _: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (x, indices) = (&values[0], &values[1]);
    match (axes[0], axes[1]) {
        (None, None) => Ok((bind(p.clone(), values)?, vec![None])),
        (Some(x_axis), Some(own)) => {
            let p = Gather { n_batch: p.n_batch + 1, ..p.clone() };
            Ok((bind(p, &[move_axis(x, x_axis, 0), move_axis(indices, own, 0)])?, vec![Some(0)]))
        }
        (Some(x_axis), None) => {
            let (n_indexed, n_places) = count_axes(indices.shape(), p.n_batch);
            let axis = x_axis.max(p.n_batch + n_indexed);
            let outs = bind(p.clone(), &[move_axis(x, x_axis, axis), indices.clone()])?;
            Ok((outs, vec![Some(axis - n_indexed + n_places)]))
        }
        (None, Some(own)) => {
            let last = indices.ndim() - 1;
            let axis = if (p.n_batch..last).contains(&own) { own } else { p.n_batch };
            Ok((bind(p.clone(), &[x.clone(), move_axis(indices, own, axis)])?, vec![Some(axis)]))
        }
    }
}
