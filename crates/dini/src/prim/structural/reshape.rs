//! The same elements in row-major order under another shape.

use crate::{
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose,
        structural::{check_extents, only_operand},
        to_front,
    },
    shape::{Aval, Shape},
    trace::bind,
};
use dini_cpu::graph::Strided;

/// The k-th element in row-major order stays the k-th
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    /// Shape of the result.
    pub shape: Shape,
}

impl Primitive for Reshape {
    const NAME: &'static str = "reshape";
    const RULES: Rules<Self> = Rules {
        infer,
        lower: Lower::Loops(|p, cx, args, _, outs| Ok(vec![cx.view(args[0], Strided::dense(&p.shape), outs[0].dtype)])),
        jvp: Jvp::Linear(Operands::All),
        // A renaming of places; its inverse is the reshape back.
        transpose: Transpose::By(|_, ct, xs| {
            let shape = xs[0].aval().shape;
            Ok(vec![ct[0].as_ref().map(|ct| ops::reshape(ct, &shape))])
        }),
        // Only with the lanes in front are the elements of one lane neighbours.
        batch: Batch::By(|p, size, values, axes| {
            let Some(lanes) = axes[0] else { return Ok((bind(p.clone(), values)?, vec![None])) };
            let mut shape = p.shape.clone();
            shape.insert(0, size);
            Ok((bind(Reshape { shape }, &[to_front(&values[0], Some(lanes), size)])?, vec![Some(0)]))
        }),
        form: Form::First,
        samples: || {
            let to = |shape: &[usize]| Reshape { shape: Shape::from_slice(shape) };
            vec![
                (to(&[3, 2]), "f64[2,3]"),
                (to(&[6]), "f64[2,3]"),
                (to(&[]), "f64[1,1]"),
                (to(&[2, 1, 2]), "f32[4]"),
                (to(&[0, 5]), "i32[3,0]"),
            ]
        },
    };
}

fn infer(p: &Reshape, avals: &[Aval]) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    check_extents(&p.shape)?;
    let (from, to) = (x.size(), p.shape.iter().product::<usize>());
    if from != to {
        let message = format!("{x} has {from} elements, shape {:?} has {to}", &p.shape[..]);
        return Err(Error::new(ErrorKind::Shape, message));
    }
    Ok(vec![x.with_shape(&p.shape)])
}
