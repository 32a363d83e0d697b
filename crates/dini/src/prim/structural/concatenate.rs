//! Arrays one after the other along an axis.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::Literal,
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Operands, Primitive, Rules, Transpose, broadcast_lanes, move_axis,
        structural::beside,
    },
    shape::{Aval, row_major},
    trace::bind,
};
use dini_cpu::graph::{Op, Strided};

/// The operands, of equal extents apart from `axis`, one after the other along it
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenate {
    /// The axis along which they follow each other.
    pub axis: usize,
}

impl Primitive for Concatenate {
    const NAME: &'static str = "concatenate";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            let strides = row_major(&outs[0].shape);
            let step = strides[p.axis].unsigned_abs();
            let mut offset = 0;
            let boxes = ins
                .iter()
                .map(|x| {
                    let place = Strided { shape: x.shape.to_vec(), strides: strides.clone(), offset };
                    offset += x.shape[p.axis] * step;
                    place
                })
                .collect();
            // Every element is written; the fill is a formality.
            let mut all = vec![cx.literal(Literal { dtype: outs[0].dtype, bits: 0 })];
            all.extend_from_slice(args);
            Ok(vec![cx.push1(Op::Assemble { boxes }, &all, &outs[0])])
        }),
        jvp: Jvp::Linear(Operands::All),
        transpose: Transpose::By(transpose),
        batch: Batch::By(batch),
        form: Form::First,
        samples: || {
            vec![
                (Concatenate { axis: 0 }, "f64[2] f64[3]"),
                (Concatenate { axis: 1 }, "f64[2,1] f64[2,3] f64[2,2]"),
                (Concatenate { axis: 0 }, "f32[1,2]"),
                (Concatenate { axis: 0 }, "f64[0] f64[2]"),
                (Concatenate { axis: 1 }, "i32[2,2] i32[2,0]"),
            ]
        },
    };
}

/// Each operand's cotangent is the part of ȳ that it wrote.
fn transpose(p: &Concatenate, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let Some(ct) = &ct[0] else { return Ok(vec![None; xs.len()]) };
    let mut end = 0;
    Ok(xs
        .iter()
        .map(|x| {
            let start = end;
            end += x.aval().shape[p.axis];
            x.is_linear().then(|| ops::slice_axis(ct, start, end, 1, p.axis))
        })
        .collect())
}

/// All lanes go where the first operand with lanes has them; the others are repeated.
fn batch(p: &Concatenate, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let Some(lanes) = axes.iter().find_map(|&axis| axis) else { return Ok((bind(*p, values)?, vec![None])) };
    let values: Vec<Array> = values
        .iter()
        .zip(axes)
        .map(|(x, axis)| match axis {
            Some(axis) => move_axis(x, *axis, lanes),
            None => broadcast_lanes(x, size, lanes),
        })
        .collect();
    Ok((bind(Concatenate { axis: beside(p.axis, lanes) }, &values)?, vec![Some(lanes)]))
}

fn infer(p: &Concatenate, avals: &[Aval]) -> Result<Vec<Aval>> {
    let Some(first) = avals.first() else {
        return Err(Error::new(ErrorKind::Structure, "takes at least one array, got none"));
    };
    if p.axis >= first.ndim() {
        let message = format!("axis {} is out of range for {first}", p.axis);
        return Err(Error::new(ErrorKind::Index, message));
    }
    let mut shape = first.shape.clone();
    for (i, x) in avals.iter().enumerate().skip(1) {
        if x.dtype != first.dtype {
            let message = format!("operand 0 has dtype {}, operand {i} has {}", first.dtype, x.dtype);
            let help = format!("convert one with `.cast(DType::{:?})`", first.dtype);
            return Err(Error::new(ErrorKind::DType, message).help(help));
        }
        let fits = |axis: usize| axis == p.axis || x.shape[axis] == first.shape[axis];
        if x.ndim() != first.ndim() || !(0..x.ndim()).all(fits) {
            let message = format!(
                "shapes {:?} and {:?} (operand {i}) differ apart from axis {}",
                &first.shape[..],
                &x.shape[..],
                p.axis
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        shape[p.axis] = shape[p.axis].saturating_add(x.shape[p.axis]);
    }
    Ok(vec![first.with_shape(&shape)])
}
