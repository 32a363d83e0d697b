//! `dynamic_update_slice`: an array with a box replaced, at a start that is known only at run time.

use super::{check_box, check_same_dtype, dynamic_slice::dynamic_slice, insert_zero, operands};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Operands, Primitive, Rules, Transpose, broadcast_lanes, move_axis,
        to_front,
    },
    trace::{bind, bind1},
};
use dini_cpu::graph::Op;

/// `(x, update, starts)`: x with the box at `starts` replaced by `update`; the box is moved inwards until it fits.
///
/// x has `n_batch` leading batch axes and k more; the starts have shape `batch + [k]`, the update `batch + sizes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DynamicUpdateSlice {
    /// Number of leading batch axes.
    pub n_batch: usize,
}

impl Primitive for DynamicUpdateSlice {
    const NAME: &'static str = "dynamic_update_slice";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let [x, update, starts] = operands(avals)?;
            check_same_dtype(x, update, "the updates")?;
            let n_batch = p.n_batch;
            if update.ndim() != x.ndim() || n_batch > x.ndim() || update.shape[..n_batch] != x.shape[..n_batch] {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("an update {update} of {x}: expected as many axes, and the same {n_batch} batch axes"),
                ));
            }
            check_box(x, starts, &update.shape[n_batch..], n_batch)?;
            Ok(vec![x.clone()])
        },
        lower: Lower::Loops(|p, cx, args, _, outs| {
            Ok(vec![cx.push1(Op::DynamicUpdate { n_batch: p.n_batch }, args, &outs[0])])
        }),
        jvp: Jvp::Linear(Operands::Only(&[0, 1])),
        transpose: Transpose::By(dynamic_update_slice_transpose),
        batch: Batch::By(dynamic_update_slice_batch),
        form: Form::First,
        samples: || {
            vec![
                (DynamicUpdateSlice { n_batch: 0 }, "f64[4] f64[2] i32[1]@-2..5"),
                (DynamicUpdateSlice { n_batch: 0 }, "f64[3,4] f64[2,1] i64[2]@0..3"),
                (DynamicUpdateSlice { n_batch: 1 }, "f32[2,4] f32[2,3] u8[2,1]@0..3"),
                (DynamicUpdateSlice { n_batch: 0 }, "f64[] f64[] i32[0]"),
                (DynamicUpdateSlice { n_batch: 0 }, "i32[3] i32[0] i32[1]"),
            ]
        },
    };
}

pub(crate) fn dynamic_update_slice(x: &Array, update: &Array, starts: &Array, n_batch: usize) -> Array {
    bind1(DynamicUpdateSlice { n_batch }, &[x.clone(), update.clone(), starts.clone()])
}

// y = (I − RᵀR) x + Rᵀ u, where R restricts to the box; so x̄ = (I − RᵀR) ȳ: ȳ with zeros in the box, and ū = R ȳ.
fn dynamic_update_slice_transpose(
    p: &DynamicUpdateSlice,
    ct: &[Option<Array>],
    xs: &[Operand],
) -> Result<Vec<Option<Array>>> {
    let starts = xs[2].known()?;
    let Some(ct) = &ct[0] else { return Ok(vec![None; 3]) };
    let update = xs[1].aval();
    let x_bar = || dynamic_update_slice(ct, &ops::zeros_of(&update), starts, p.n_batch);
    let update_bar = || dynamic_slice(ct, starts, &update.shape[p.n_batch..], p.n_batch);
    Ok(vec![xs[0].is_linear().then(x_bar), xs[1].is_linear().then(update_bar), None])
}

// With starts of its own every lane writes elsewhere: one more batch axis. With common starts the lanes are one more
// axis that the box takes whole, from 0.
fn dynamic_update_slice_batch(
    p: &DynamicUpdateSlice,
    size: usize,
    values: &[Array],
    axes: &[Option<usize>],
) -> Result<Lanes> {
    if axes[2].is_some() {
        let values: Vec<Array> = values.iter().zip(axes).map(|(x, &axis)| to_front(x, axis, size)).collect();
        return Ok((bind(DynamicUpdateSlice { n_batch: p.n_batch + 1 }, &values)?, vec![Some(0)]));
    }
    let Some(own) = axes[0].or(axes[1]) else { return Ok((bind(p.clone(), values)?, vec![None])) };
    let axis = own.max(p.n_batch);
    let aligned = |i: usize| match axes[i] {
        Some(own) => move_axis(&values[i], own, axis),
        None => broadcast_lanes(&values[i], size, axis),
    };
    let starts = insert_zero(&values[2], axis - p.n_batch);
    Ok((bind(p.clone(), &[aligned(0), aligned(1), starts])?, vec![Some(axis)]))
}
