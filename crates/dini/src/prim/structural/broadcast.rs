//! Repetition along new axes ("broadcast in dim").
//!
//! Extents never change here: an axis of extent 1 that should grow is dropped by a reshape first, in `ops/`. So each
//! result axis is either an operand's or new, and the transpose is one sum.

use crate::{
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose,
        structural::{beside, check_axes, only_operand},
    },
    shape::{Aval, Shape, row_major},
    trace::bind,
};
use dini_cpu::graph::Strided;

/// `y[i₀, i₁, …] = x[i_dims₀, i_dims₁, …]`: axis k of the operand becomes axis `dims[k]` of the result
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Shape of the result.
    pub shape: Shape,
    /// The result axis of each operand axis, strictly ascending.
    pub dims: Vec<usize>,
}

impl Primitive for Broadcast {
    const NAME: &'static str = "broadcast";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            let mut strides = vec![0; p.shape.len()];
            for (&dim, stride) in p.dims.iter().zip(row_major(&ins[0].shape)) {
                strides[dim] = stride;
            }
            let view = Strided { shape: p.shape.to_vec(), strides, offset: 0 };
            Ok(vec![cx.view(args[0], view, outs[0].dtype)])
        }),
        jvp: Jvp::Linear(Operands::All),
        // Every element of x reaches all places along the new axes: x̄ = Σ_new ȳ.
        transpose: Transpose::By(|p, ct, _| {
            let new: Vec<usize> = (0..p.shape.len()).filter(|axis| !p.dims.contains(axis)).collect();
            Ok(vec![ct[0].as_ref().map(|ct| ops::reduce_sum(ct, &new))])
        }),
        // The lanes go behind the axis that they follow in the operand, so that nothing has to move.
        batch: Batch::By(|p, size, values, axes| {
            let Some(lanes) = axes[0] else { return Ok((bind(p.clone(), values)?, vec![None])) };
            let to = if lanes == 0 { 0 } else { p.dims[lanes - 1] + 1 };
            let mut shape = p.shape.clone();
            shape.insert(to, size);
            let mut dims: Vec<usize> = p.dims.iter().map(|&dim| beside(dim, to)).collect();
            dims.insert(lanes, to);
            Ok((bind(Broadcast { shape, dims }, values)?, vec![Some(to)]))
        }),
        form: Form::First,
        samples: || {
            let to =
                |shape: &[usize], dims: &[usize]| Broadcast { shape: Shape::from_slice(shape), dims: dims.to_vec() };
            vec![
                (to(&[2, 3], &[1]), "f64[3]"),
                (to(&[3, 2], &[0]), "f64[3]"),
                (to(&[4], &[]), "f64[]"),
                (to(&[2, 3, 2, 4], &[0, 3]), "f32[2,4]"),
                (to(&[0, 3], &[1]), "i32[3]"),
                (to(&[2, 2], &[0, 1]), "bool[2,2]"),
            ]
        },
    };
}

fn infer(p: &Broadcast, avals: &[Aval]) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    if p.dims.len() != x.ndim() {
        let message = format!("{} result axes for {x}, expected {}", p.dims.len(), x.ndim());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    check_axes(&p.dims, p.shape.len())?;
    for (axis, (&n, &dim)) in x.shape.iter().zip(&p.dims).enumerate() {
        if p.shape[dim] != n {
            let message = format!(
                "axis {axis} of {x} has extent {n}, axis {dim} of the result {:?} has {}",
                &p.shape[..],
                p.shape[dim]
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
    }
    Ok(vec![x.with_shape(&p.shape)])
}
