//! Permutation of axes.

use crate::{
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose as TransposeCell,
        structural::{beside, only_operand},
    },
    shape::{Aval, row_major},
    trace::bind,
};
use dini_cpu::graph::Strided;

/// Axis k of the result is axis `order[k]` of the operand
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transpose {
    /// The operand's axis for each axis of the result.
    pub order: Vec<usize>,
}

impl Primitive for Transpose {
    const NAME: &'static str = "transpose";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            let from = row_major(&ins[0].shape);
            let strides = p.order.iter().map(|&axis| from[axis]).collect();
            let view = Strided { shape: outs[0].shape.to_vec(), strides, offset: 0 };
            Ok(vec![cx.view(args[0], view, outs[0].dtype)])
        }),
        jvp: Jvp::Linear(Operands::All),
        // A permutation matrix is orthogonal: its transpose is its inverse.
        transpose: TransposeCell::By(|p, ct, _| {
            Ok(vec![ct[0].as_ref().map(|ct| ops::permute(ct, &inverse(&p.order)))])
        }),
        // The lanes come out in front; the operand stays where it is.
        batch: Batch::By(|p, _, values, axes| {
            let Some(lanes) = axes[0] else { return Ok((bind(p.clone(), values)?, vec![None])) };
            let order = std::iter::once(lanes).chain(p.order.iter().map(|&axis| beside(axis, lanes))).collect();
            Ok((bind(Transpose { order }, values)?, vec![Some(0)]))
        }),
        form: Form::First,
        samples: || {
            let by = |order: &[usize]| Transpose { order: order.to_vec() };
            vec![
                (by(&[1, 0]), "f64[2,3]"),
                (by(&[2, 0, 1]), "f64[2,3,4]"),
                (by(&[]), "f64[]"),
                (by(&[0, 2, 1]), "i32[1,0,2]"),
            ]
        },
    };
}

fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        inverse[from] = to;
    }
    inverse
}

fn infer(p: &Transpose, avals: &[Aval]) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    let mut sorted = p.order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.ndim()) {
        let message = format!("{:?} is not a permutation of the axes of {x}", p.order);
        return Err(Error::new(ErrorKind::Index, message));
    }
    Ok(vec![x.with_shape(&p.order.iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>())])
}
