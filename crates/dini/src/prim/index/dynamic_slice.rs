//! `dynamic_slice`: a box of fixed extents from a start that is known only at run time.

use super::{box_indices, check_box, gather::gather, insert_zero, n_restricted, operands};
use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Operands, Primitive, Rules, Transpose,
        index::dynamic_update_slice::dynamic_update_slice, move_axis,
    },
    trace::{bind, bind1},
};
use dini_cpu::graph::{Op, OutOfBounds};

/// `(x, starts)`: the box of extents `sizes` at `starts`, moved inwards until it fits.
///
/// x has `n_batch` leading batch axes and k more; the starts have shape `batch + [k]`, the result `batch + sizes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DynamicSlice {
    /// Number of leading batch axes.
    pub n_batch: usize,
    /// Extent of the box along each of the other axes.
    pub sizes: Vec<usize>,
}

impl Primitive for DynamicSlice {
    const NAME: &'static str = "dynamic_slice";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let [x, starts] = operands(avals)?;
            check_box(x, starts, &p.sizes, p.n_batch)?;
            Ok(vec![x.with_shape(&[&x.shape[..p.n_batch], &p.sizes].concat())])
        },
        lower: Lower::Loops(|p, cx, args, _, outs| {
            Ok(vec![cx.push1(Op::DynamicSlice { n_batch: p.n_batch, sizes: p.sizes.clone() }, args, &outs[0])])
        }),
        jvp: Jvp::Linear(Operands::Only(&[0])),
        transpose: Transpose::By(dynamic_slice_transpose),
        batch: Batch::By(dynamic_slice_batch),
        form: Form::First,
        samples: || {
            vec![
                (DynamicSlice { n_batch: 0, sizes: vec![2] }, "f64[4] i32[1]@-2..5"),
                (DynamicSlice { n_batch: 0, sizes: vec![2, 3] }, "f64[4,3] i64[2]@0..3"),
                (DynamicSlice { n_batch: 0, sizes: vec![3, 1] }, "f32[3,2] u8[2]@0..4"),
                (DynamicSlice { n_batch: 1, sizes: vec![2] }, "f64[2,4] u32[2,1]@0..4"),
                (DynamicSlice { n_batch: 0, sizes: vec![] }, "f64[] i32[0]"),
                (DynamicSlice { n_batch: 0, sizes: vec![0] }, "i32[3] i32[1]"),
            ]
        },
    };
}

pub(crate) fn dynamic_slice(x: &Array, starts: &Array, sizes: &[usize], n_batch: usize) -> Array {
    bind1(DynamicSlice { n_batch, sizes: sizes.to_vec() }, &[x.clone(), starts.clone()])
}

// y = R x, where R restricts to the box; so x̄ = Rᵀ ȳ: ȳ in the box, 0 around it.
fn dynamic_slice_transpose(p: &DynamicSlice, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let starts = xs[1].known()?;
    let zeros = || ops::zeros_of(&xs[0].aval());
    Ok(vec![ct[0].as_ref().map(|ct| dynamic_update_slice(&zeros(), ct, starts, p.n_batch)), None])
}

// Lanes of x alone are one more axis that the box takes whole, from 0. Lanes of the starts alone are boxes of one x: a
// gather of every element, so that x is not repeated. Lanes of both are one more batch axis.
fn dynamic_slice_batch(p: &DynamicSlice, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (x, starts) = (&values[0], &values[1]);
    match (axes[0], axes[1]) {
        (None, None) => Ok((bind(p.clone(), values)?, vec![None])),
        (Some(x_axis), Some(starts_axis)) => {
            let p = DynamicSlice { n_batch: p.n_batch + 1, ..p.clone() };
            Ok((bind(p, &[move_axis(x, x_axis, 0), move_axis(starts, starts_axis, 0)])?, vec![Some(0)]))
        }
        (Some(x_axis), None) => {
            let axis = x_axis.max(p.n_batch);
            let mut p = p.clone();
            p.sizes.insert(axis - p.n_batch, size);
            let starts = insert_zero(starts, axis - p.n_batch);
            Ok((bind(p, &[move_axis(x, x_axis, axis), starts])?, vec![Some(axis)]))
        }
        (None, Some(starts_axis)) => {
            let extents = &x.shape()[p.n_batch..];
            let n = n_restricted(extents, &p.sizes);
            if n == 0 {
                return Ok((vec![x.clone()], vec![None]));
            }
            let starts = move_axis(starts, starts_axis, p.n_batch);
            let indices = box_indices(&starts, &extents[..n], &p.sizes[..n]);
            Ok((vec![gather(x, &indices, p.n_batch, OutOfBounds::Zero)], vec![Some(p.n_batch)]))
        }
    }
}
