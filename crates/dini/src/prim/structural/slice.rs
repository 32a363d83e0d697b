//! A box of elements at static places, with strides.

use crate::{
    error::{Error, ErrorKind, Result},
    ops,
    prim::{Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose, structural::only_operand},
    shape::{Aval, row_major},
    trace::bind,
};
use dini_cpu::graph::Strided;

/// `y[i] = x[start + i · stride]` along each axis, as long as the place is below `limit`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The first place along each axis.
    pub start: Vec<usize>,
    /// The end along each axis, excluded.
    pub limit: Vec<usize>,
    /// Distance between places along each axis.
    pub stride: Vec<usize>,
}

impl Primitive for Slice {
    const NAME: &'static str = "slice";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            let from = row_major(&ins[0].shape);
            let shape = outs[0].shape.to_vec();
            let strides =
                from.iter().zip(&p.stride).map(|(&step, &stride)| step.saturating_mul(stride as isize)).collect();
            let offset = if outs[0].size() == 0 {
                0
            } else {
                from.iter().zip(&p.start).map(|(step, start)| step.unsigned_abs() * start).sum()
            };
            Ok(vec![cx.view(args[0], Strided { shape, strides, offset }, outs[0].dtype)])
        }),
        jvp: Jvp::Linear(Operands::All),
        // The selection's transpose puts each element back to its place among zeros: `start` zeros before, stride − 1
        // between, and the rest behind.
        transpose: Transpose::By(|p, ct, xs| {
            let Some(ct) = &ct[0] else { return Ok(vec![None]) };
            let x = xs[0].aval();
            let config: Vec<(isize, isize, usize)> = (0..x.ndim())
                .map(|axis| {
                    let (n, start, stride) = (x.shape[axis], p.start[axis], p.stride[axis]);
                    // Nothing stands between the elements of a single one, however large the stride.
                    let (used, interior) = match extent(p, axis) {
                        m @ (0 | 1) => (m, 0),
                        m => ((m - 1) * stride + 1, stride - 1),
                    };
                    (start as isize, n as isize - start as isize - used as isize, interior)
                })
                .collect();
            Ok(vec![Some(ops::pad(ct, &ops::scalar_like(0.0, ct), &config))])
        }),
        batch: Batch::By(|p, size, values, axes| {
            let Some(lanes) = axes[0] else { return Ok((bind(p.clone(), values)?, vec![None])) };
            let mut p = p.clone();
            p.start.insert(lanes, 0);
            p.limit.insert(lanes, size);
            p.stride.insert(lanes, 1);
            Ok((bind(p, values)?, vec![Some(lanes)]))
        }),
        form: Form::First,
        samples: || {
            let part = |start: &[usize], limit: &[usize], stride: &[usize]| Slice {
                start: start.to_vec(),
                limit: limit.to_vec(),
                stride: stride.to_vec(),
            };
            vec![
                (part(&[1], &[4], &[1]), "f64[5]"),
                (part(&[0, 1], &[3, 5], &[2, 3]), "f64[3,5]"),
                (part(&[1], &[6], &[2]), "f32[7]"),
                (part(&[2], &[2], &[3]), "f64[4]"),
                (part(&[], &[], &[]), "f64[]"),
                (part(&[0, 0], &[2, 0], &[1, 1]), "i32[2,3]"),
            ]
        },
    };
}

/// Extent of the result along an axis.
fn extent(p: &Slice, axis: usize) -> usize {
    (p.limit[axis] - p.start[axis]).div_ceil(p.stride[axis])
}

fn infer(p: &Slice, avals: &[Aval]) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    let given = [p.start.len(), p.limit.len(), p.stride.len()];
    if given.iter().any(|&n| n != x.ndim()) {
        let [start, limit, stride] = given;
        let message =
            format!("{start} starts, {limit} limits and {stride} strides for {x}, expected {} each", x.ndim());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    for axis in 0..x.ndim() {
        let (start, limit, stride, n) = (p.start[axis], p.limit[axis], p.stride[axis], x.shape[axis]);
        let fault = |message: String| Err(Error::new(ErrorKind::Index, message));
        if start > limit {
            return fault(format!("the range {start}..{limit} of axis {axis} ends before it starts"));
        }
        if limit > n {
            return fault(format!("the range {start}..{limit} of axis {axis} leaves its extent {n}"));
        }
        if stride == 0 || isize::try_from(stride).is_err() {
            return fault(format!("stride {stride} of axis {axis} is not positive, or too large"));
        }
    }
    Ok(vec![x.with_shape(&(0..x.ndim()).map(|axis| extent(p, axis)).collect::<Vec<_>>())])
}
