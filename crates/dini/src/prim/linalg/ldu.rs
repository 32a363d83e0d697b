//! `ldu`: triangular factors of square matrices with pivots that show the rank.

use super::square_shape;
use crate::{
    error::{Error, ErrorKind},
    prim::{Batch, Form, Jvp, Lower, Primitive, Rules, Transpose, all_to_front, index::operands},
    shape::Aval,
    trace::bind,
};
use dini_cpu::{
    dtype::{DType, Element},
    graph::{CallError, CallFn, TensorMut, TensorRef},
    linalg::{self, LduMut, Real},
};
use std::sync::Arc;

/// `(a, factors, permutation)`, the latter two of `lu(a)`: P A Q = L D U for each matrix of a batch, see
/// [`linalg::ldu`]. The results are the triangles in one array, `batch + [n, n]`; the pivots, `batch + [n]`; the rows and
/// the columns that P and Q take, `i32` `batch + [n]`; det P · det Q, `batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ldu;

impl Primitive for Ldu {
    const NAME: &'static str = "ldu";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| {
            let [a, factors, permutation] = operands(avals)?;
            let (batch, n) = square_shape(a)?;
            let order = Aval::new(DType::I32, &[batch, &[n]].concat());
            if a != factors || *permutation != order {
                let message = format!("got the factors {factors} and the permutation {permutation} of {a}");
                return Err(Error::new(ErrorKind::Shape, message));
            }
            let of = |shape: &[usize]| Aval::new(a.dtype, shape);
            Ok(vec![a.clone(), of(&order.shape), order.clone(), order.clone(), of(batch)])
        },
        lower: Lower::Call(|_| {
            let function: Arc<CallFn> = Arc::new(|args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]| {
                match args[0].data.dtype() {
                    DType::F32 => factor::<f32>(args, outs),
                    _ => factor::<f64>(args, outs),
                }
                Ok::<(), CallError>(())
            });
            function
        }),
        jvp: Jvp::Undefined("the factors serve the derivatives of `det`, which have rules of their own"),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, values, axes| Ok((bind(*p, &all_to_front(values, axes, size))?, vec![Some(0); 5]))),
        form: Form::First,
        samples: Vec::new,
    };
}

fn factor<T: Real + Element>(args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) {
    let [triangles, pivots, rows, columns, sign] = outs else { return };
    let n = args[2].shape[args[2].shape.len() - 1];
    let out = LduMut {
        triangles: triangles.data.as_mut_slice::<T>(),
        pivots: pivots.data.as_mut_slice::<T>(),
        rows: rows.data.as_mut_slice::<i32>(),
        columns: columns.data.as_mut_slice::<i32>(),
        sign: sign.data.as_mut_slice::<T>(),
    };
    linalg::ldu(args[0].data.as_slice::<T>(), n, args[1].data.as_slice::<T>(), args[2].data.as_slice::<i32>(), out);
}
