//! Where the largest or smallest element along an axis is: the first one, a NaN before all.

use super::{expect_dtype, is_real};
use crate::{
    error::{Error, ErrorKind, Result},
    prim::{
        Batch, Form, Jvp, Lower, Primitive, Rules, Transpose,
        structural::{beside, holds_index, only_operand},
    },
    shape::Aval,
    trace::bind,
};
use dini_cpu::{dtype::DType, graph::Op};

macro_rules! arg_reductions {
    ($($(#[$doc:meta])* $name:ident $text:literal, largest: $largest:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            /// The axis, which disappears.
            pub axis: usize,
            /// Integer type of the result.
            pub dtype: DType,
        }

        impl Primitive for $name {
            const NAME: &'static str = $text;
            const RULES: Rules<Self> = Rules {
                infer: |p, avals| infer(p.axis, p.dtype, avals),
                lower: Lower::Loops(|p, cx, args, _, outs| {
                    Ok(vec![cx.push1(Op::ArgReduce { largest: $largest, axis: p.axis }, args, &outs[0])])
                }),
                // A place does not vary, except where it jumps.
                jvp: Jvp::Zero,
                transpose: Transpose::NotLinear,
                batch: Batch::By(|p, _, values, axes| {
                    let Some(lanes) = axes[0] else { return Ok((bind(*p, values)?, vec![None])) };
                    let axis = beside(p.axis, lanes);
                    let to = lanes - usize::from(axis < lanes);
                    Ok((bind($name { axis, dtype: p.dtype }, values)?, vec![Some(to)]))
                }),
                form: Form::First,
                samples: || {
                    let along = |axis, dtype| $name { axis, dtype };
                    vec![
                        (along(0, DType::I64), "f64[4]"),
                        (along(1, DType::I32), "f32[2,3,2]"),
                        (along(0, DType::U8), "i32[5,2]"),
                        (along(1, DType::I64), "bool[2,3]"),
                        (along(1, DType::I64), "f64[0,3]"),
                    ]
                },
            };
        }
    )* };
}

arg_reductions! {
    /// Index of the first largest element along an axis
    ArgMax "argmax", largest: true;
    /// Index of the first smallest element along an axis
    ArgMin "argmin", largest: false;
}

fn infer(axis: usize, dtype: DType, avals: &[Aval]) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    expect_dtype(x, is_real, "a number or bool")?;
    let Some(&n) = x.shape.get(axis) else {
        return Err(Error::new(ErrorKind::Index, format!("axis {axis} is out of range for {x}")));
    };
    if n == 0 {
        return Err(Error::new(ErrorKind::Shape, format!("axis {axis} of {x} is empty and has no extreme")));
    }
    if !dtype.is_integer() {
        return Err(Error::new(ErrorKind::DType, format!("got {dtype} for indices, expected an integer")));
    }
    if !holds_index(dtype, n) {
        return Err(Error::new(ErrorKind::Value, format!("{dtype} cannot index the {n} elements of axis {axis}")));
    }
    Ok(vec![x.unbatched(axis).with_dtype(dtype)])
}
