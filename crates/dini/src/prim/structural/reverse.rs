//! Reversal of the order of elements along axes.

use crate::{
    array::Array,
    error::Result,
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operands, Primitive, Rules, Transpose,
        structural::{beside, check_axes, only_operand},
    },
    shape::{Aval, row_major},
    trace::bind,
};
use dini_cpu::graph::Strided;

/// Index i along each named axis of extent n becomes n − 1 − i
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reverse {
    /// The axes, strictly ascending.
    pub axes: Vec<usize>,
}

impl Primitive for Reverse {
    const NAME: &'static str = "reverse";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let x = only_operand(avals)?;
            check_axes(&p.axes, x.ndim())?;
            Ok(vec![x.clone()])
        },
        lower: Lower::Loops(|p, cx, args, ins, outs| Ok(vec![cx.view(args[0], view(p, &ins[0]), outs[0].dtype)])),
        jvp: Jvp::Linear(Operands::All),
        // An involution that permutes places is its own transpose.
        transpose: Transpose::By(|p, ct, _| Ok(vec![ct[0].as_ref().map(|ct| ops::reverse(ct, &p.axes))])),
        batch: Batch::By(batch),
        form: Form::First,
        samples: || {
            let along = |axes: &[usize]| Reverse { axes: axes.to_vec() };
            vec![
                (along(&[0]), "f64[4]"),
                (along(&[1]), "f64[2,3]"),
                (along(&[0, 2]), "f32[2,3,2]"),
                (along(&[]), "f64[]"),
                (along(&[1]), "i32[3,0]"),
            ]
        },
    };
}

fn view(p: &Reverse, x: &Aval) -> Strided {
    let mut view = Strided { shape: x.shape.to_vec(), strides: row_major(&x.shape), offset: 0 };
    if x.size() > 0 {
        for &axis in &p.axes {
            view.offset += (x.shape[axis] - 1) * view.strides[axis].unsigned_abs();
            view.strides[axis] = -view.strides[axis];
        }
    }
    view
}

fn batch(p: &Reverse, _: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let Some(lanes) = axes[0] else { return Ok((bind(p.clone(), values)?, vec![None])) };
    let axes = p.axes.iter().map(|&axis| beside(axis, lanes)).collect();
    Ok((bind(Reverse { axes }, values)?, vec![Some(lanes)]))
}
