//! Padding with a value before, behind and between elements; negative edges crop.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Operands, Primitive, Rules, Transpose, broadcast_lanes, move_axis,
    },
    shape::{Aval, row_major},
};
use dini_cpu::graph::{Op, Strided};

/// `(x, fill)`: element i of x along an axis goes to place lo + i · (interior + 1); places that nothing reaches hold
/// the fill, elements whose place lies outside of the result are dropped
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// Places added before the first element of each axis; negative ones crop.
    pub lo: Vec<isize>,
    /// Places added behind the last element of each axis; negative ones crop.
    pub hi: Vec<isize>,
    /// Places added between neighbours of each axis.
    pub interior: Vec<usize>,
}

impl Primitive for Pad {
    const NAME: &'static str = "pad";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            let from = row_major(&ins[0].shape);
            let to = row_major(&outs[0].shape);
            let mut part = Strided { shape: Vec::new(), strides: from.clone(), offset: 0 };
            let mut place = Strided { shape: Vec::new(), strides: Vec::new(), offset: 0 };
            for axis in 0..from.len() {
                let kept = kept(p, axis, ins[0].shape[axis], outs[0].shape[axis]);
                let step = p.interior[axis] + 1;
                part.shape.push(kept.len());
                place.shape.push(kept.len());
                place.strides.push(to[axis] * step as isize);
                if !kept.is_empty() {
                    part.offset += kept.start * from[axis].unsigned_abs();
                    let first = kept.start as isize * step as isize + p.lo[axis];
                    place.offset += first.unsigned_abs() * to[axis].unsigned_abs();
                }
            }
            if part.is_empty() {
                return Ok(vec![cx.push1(Op::Assemble { boxes: Vec::new() }, &[args[1]], &outs[0])]);
            }
            let x = if part.is_dense() && part.len() == ins[0].size() {
                args[0]
            } else {
                cx.view(args[0], part, ins[0].dtype)
            };
            Ok(vec![cx.push1(Op::Assemble { boxes: vec![place] }, &[args[1], x], &outs[0])])
        }),
        jvp: Jvp::Linear(Operands::All),
        transpose: Transpose::By(transpose),
        batch: Batch::By(batch),
        form: Form::First,
        samples: || {
            let by = |lo: &[isize], hi: &[isize], interior: &[usize]| Pad {
                lo: lo.to_vec(),
                hi: hi.to_vec(),
                interior: interior.to_vec(),
            };
            vec![
                (by(&[1], &[2], &[0]), "f64[3] f64[]"),
                (by(&[0, 1], &[2, 0], &[1, 2]), "f64[2,3] f64[]"),
                (by(&[-1], &[1], &[0]), "f64[4] f64[]"),
                (by(&[-1], &[-2], &[1]), "f32[4] f32[]"),
                (by(&[-2, 1], &[3, 0], &[0, 0]), "f64[2,2] f64[]"),
                (by(&[2], &[1], &[3]), "f64[0] f64[]"),
                (by(&[], &[], &[]), "f64[] f64[]"),
                (by(&[1], &[1], &[1]), "i32[2] i32[]"),
            ]
        },
    };
}

/// The elements of an axis of extent `n` whose places lie inside the result's extent `m`.
fn kept(p: &Pad, axis: usize, n: usize, m: usize) -> std::ops::Range<usize> {
    let (lo, step) = (p.lo[axis], p.interior[axis] + 1);
    let start = lo.min(0).unsigned_abs().div_ceil(step);
    // Places 0 … m − 1 hold the elements i with lo + i · step ≤ m − 1.
    let end = usize::try_from(m as isize - lo).unwrap_or(0).div_ceil(step).min(n);
    start.min(end)..end
}

/// x̄: the inverse padding of ȳ (crop what was added, zeros for what was cropped), then every (interior + 1)-th
/// element. The fill's: the sum of ȳ over the places that hold it, picked by a mask; the difference of two sums would
/// lose digits.
fn transpose(p: &Pad, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let Some(ct) = &ct[0] else { return Ok(vec![None, None]) };
    let zero = ops::scalar_like(0.0, ct);
    let x = xs[0].is_linear().then(|| {
        let config: Vec<(isize, isize, usize)> = p.lo.iter().zip(&p.hi).map(|(lo, hi)| (-lo, -hi, 0)).collect();
        let dilated = ops::pad(ct, &zero, &config);
        (0..p.lo.len()).fold(dilated, |x, axis| match p.interior[axis] {
            0 => x,
            interior => ops::slice_axis(&x, 0, x.shape()[axis], interior + 1, axis),
        })
    });
    let fill = xs[1].is_linear().then(|| {
        let axes: Vec<usize> = (0..p.lo.len()).collect();
        ops::reduce_sum(&ops::select(&filled(p, &xs[0].aval()), ct, &zero), &axes)
    });
    Ok(vec![x, fill])
}

/// Where the result holds the fill.
fn filled(p: &Pad, x: &Aval) -> Array {
    let (no, yes) = (ops::zeros_of(&x.with_dtype(dini_cpu::dtype::DType::Bool)), Array::from(true));
    ops::pad(&no, &yes, &config(p))
}

fn config(p: &Pad) -> Vec<(isize, isize, usize)> {
    (0..p.lo.len()).map(|axis| (p.lo[axis], p.hi[axis], p.interior[axis])).collect()
}

/// Lanes of x are one more axis without padding. A fill with lanes is put in by a mask afterwards.
fn batch(p: &Pad, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (x, fill) = (&values[0], &values[1]);
    let padded = |fill: &Array| -> Result<Array> {
        let mut p = p.clone();
        if let Some(lanes) = axes[0] {
            p.lo.insert(lanes, 0);
            p.hi.insert(lanes, 0);
            p.interior.insert(lanes, 0);
        }
        Ok(ops::pad(x, fill, &config(&p)))
    };
    if axes[1].is_none() {
        return Ok((vec![padded(fill)?], vec![axes[0]]));
    }
    let one_lane = match axes[0] {
        Some(lanes) => x.aval().unbatched(lanes),
        None => x.aval().clone(),
    };
    let mask = filled(p, &one_lane);
    let padded = padded(&ops::zeros_of(&Aval::scalar(fill.dtype())))?;
    let padded = match axes[0] {
        Some(lanes) => move_axis(&padded, lanes, 0),
        None => broadcast_lanes(&padded, size, 0),
    };
    let fill = ops::broadcast_in_dim(fill, padded.shape(), &[0]);
    Ok((vec![ops::select(&broadcast_lanes(&mask, size, 0), &fill, &padded)], vec![Some(0)]))
}

fn infer(p: &Pad, avals: &[Aval]) -> Result<Vec<Aval>> {
    let [x, fill] = avals else {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("takes an array and a fill, got {} operands", avals.len()),
        ));
    };
    if fill.ndim() > 0 {
        return Err(Error::new(ErrorKind::Shape, format!("the fill is {fill}, expected a scalar")));
    }
    if fill.dtype != x.dtype {
        return Err(Error::new(ErrorKind::DType, format!("the array has dtype {}, the fill {}", x.dtype, fill.dtype)));
    }
    if [p.lo.len(), p.hi.len(), p.interior.len()].iter().any(|&n| n != x.ndim()) {
        let message = format!("{} paddings for {x}, expected {}", p.lo.len(), x.ndim());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    let mut shape = Vec::with_capacity(x.ndim());
    for axis in 0..x.ndim() {
        let (n, lo, hi, interior) = (x.shape[axis], p.lo[axis], p.hi[axis], p.interior[axis]);
        // In 128 bits: no sum of the parameters overflows.
        let extent = n as i128 + n.saturating_sub(1) as i128 * interior as i128 + lo as i128 + hi as i128;
        let bound = isize::MAX as i128 / 16;
        if extent < 0 {
            let message = format!("padding ({lo}, {hi}, interior {interior}) crops more than axis {axis} of {x} has");
            return Err(Error::new(ErrorKind::Value, message));
        }
        if extent > bound || (lo as i128).abs() > bound || (hi as i128).abs() > bound || interior as i128 >= bound {
            let message = format!("padding ({lo}, {hi}, interior {interior}) of axis {axis} is too large");
            return Err(Error::new(ErrorKind::Value, message));
        }
        shape.push(extent as usize);
    }
    Ok(vec![x.with_shape(&shape)])
}
