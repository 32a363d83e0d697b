//! 0, 1, 2, … along one axis, equal along the others.

use crate::{
    error::{Error, ErrorKind, Result},
    prim::{Batch, Form, Jvp, Lower, Primitive, Rules, Transpose, structural::holds_index},
    shape::{Aval, Shape},
    trace::bind,
};
use dini_cpu::{dtype::DType, graph::Op};

/// `y[i₀, i₁, …] = i_axis`, of an integer or floating-point type
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Iota {
    /// Element type of the result.
    pub dtype: DType,
    /// Shape of the result.
    pub shape: Shape,
    /// The axis along which values grow.
    pub axis: usize,
}

impl Primitive for Iota {
    const NAME: &'static str = "iota";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, _, _, outs| Ok(vec![cx.push1(Op::Iota { axis: p.axis }, &[], &outs[0])])),
        jvp: Jvp::Zero,
        transpose: Transpose::NotLinear,
        // There is no operand that could have lanes.
        batch: Batch::By(|p, _, values, _| Ok((bind(p.clone(), values)?, vec![None]))),
        form: Form::First,
        samples: || {
            let iota = |dtype, shape: &[usize], axis| Iota { dtype, shape: Shape::from_slice(shape), axis };
            vec![
                (iota(DType::F64, &[4], 0), ""),
                (iota(DType::I32, &[2, 3], 1), ""),
                (iota(DType::U8, &[3, 1, 2], 0), ""),
                (iota(DType::I64, &[2, 0], 0), ""),
            ]
        },
    };
}

fn infer(p: &Iota, avals: &[Aval]) -> Result<Vec<Aval>> {
    if !avals.is_empty() {
        return Err(Error::new(ErrorKind::Structure, format!("takes no operands, got {}", avals.len())));
    }
    let Some(&n) = p.shape.get(p.axis) else {
        let message = format!("axis {} is out of range for shape {:?}", p.axis, &p.shape[..]);
        return Err(Error::new(ErrorKind::Index, message));
    };
    if !p.dtype.is_integer() && !p.dtype.is_float() {
        let message = format!("got {}, expected an integer or floating-point type", p.dtype);
        return Err(Error::new(ErrorKind::DType, message));
    }
    if !holds_index(p.dtype, n) {
        return Err(Error::new(ErrorKind::Value, format!("{} cannot count to {}", p.dtype, n - 1)));
    }
    Ok(vec![Aval::new(p.dtype, &p.shape)])
}
