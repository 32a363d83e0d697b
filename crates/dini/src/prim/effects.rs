//! Effects: `ensure` turns a compiled call into an error, `inspect` shows values when they are computed. Neither is ever
//! removed, merged or repeated.

pub(crate) mod silent;

use super::{Batch, Form, Jvp, Lower, Primitive, Rules, Transpose, to_front};
use crate::{
    array::{Array, Origin},
    error::{Error, ErrorKind, Result},
    shape::Aval,
    trace::{bind, with_eval},
};
use dini_cpu::{
    buffer::Buffer,
    dtype::DType,
    graph::{CallFn, TensorRef},
};
use std::{fmt, hash::Hash, panic::Location, sync::Arc};

/// Fails the call unless the operand holds in every lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ensure {
    /// What is said otherwise.
    pub message: String,
}

impl Primitive for Ensure {
    const NAME: &'static str = "ensure";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| match avals {
            [a] if a.dtype == DType::Bool => Ok(Vec::new()),
            [a] => Err(Error::new(ErrorKind::DType, format!("the condition is {a}, expected bool"))),
            _ => Err(Error::new(ErrorKind::Structure, "takes one condition")),
        },
        lower: Lower::Call(|p| {
            let message = p.message.clone();
            Arc::new(move |ins, _| check(&message, &ins[0]).map_err(Into::into))
        }),
        jvp: Jvp::Zero,
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, xs, axes| {
            bind(p.clone(), &[to_front(&xs[0], axes[0], size)])?;
            Ok((Vec::new(), Vec::new()))
        }),
        form: Form::Effect,
        samples: Vec::new,
    };
}

fn check(message: &str, condition: &TensorRef<'_>) -> Result<()> {
    let held = condition.data.as_slice::<bool>();
    let failed: Vec<usize> = held.iter().enumerate().filter(|(_, ok)| !**ok).map(|(i, _)| i).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(ErrorKind::Ensure, message).op(Ensure::NAME);
    if !condition.shape.is_empty() {
        const SHOWN: usize = 8;
        let lanes: Vec<String> = failed.iter().take(SHOWN).map(|&i| lane(i, condition.shape)).collect();
        let more = if failed.len() > SHOWN { ", …" } else { "" };
        error = error.detail(format!("in {} of {} lanes: {}{more}", failed.len(), held.len(), lanes.join(", ")));
    }
    Err(error)
}

/// The multi-index of a flat index.
fn lane(mut i: usize, shape: &[usize]) -> String {
    let mut index = vec![0; shape.len()];
    for (k, n) in shape.iter().enumerate().rev() {
        index[k] = i % n;
        i /= n;
    }
    match &index[..] {
        [i] => i.to_string(),
        many => format!("{many:?}"),
    }
}

/// What an `inspect` calls with the values.
pub(crate) type InspectFn = dyn Fn(&[Array]) + Send + Sync;

/// The identity on several values; shows them to a function when they are computed.
#[derive(Clone)]
pub struct Inspect {
    pub(crate) function: Arc<InspectFn>,
}

impl fmt::Debug for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inspect")
    }
}

/// By identity: two calls are two effects.
impl PartialEq for Inspect {
    fn eq(&self, other: &Inspect) -> bool {
        Arc::ptr_eq(&self.function, &other.function)
    }
}
impl Eq for Inspect {}
impl Hash for Inspect {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.function) as *const () as usize).hash(state);
    }
}

impl Primitive for Inspect {
    const NAME: &'static str = "inspect";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| Ok(avals.to_vec()),
        lower: Lower::Call(|p| {
            let function = p.function.clone();
            let call: Arc<CallFn> = Arc::new(move |ins, outs| {
                let values: Vec<Array> = ins.iter().map(concrete).collect();
                with_eval(|| function(&values));
                for (x, y) in ins.iter().zip(outs.iter_mut()) {
                    *y.data = x.data.clone();
                }
                Ok(())
            });
            call
        }),
        jvp: Jvp::By(|_, _, _, ts| Ok(ts.to_vec())),
        // As a map of tangents it is the identity, and silent.
        transpose: Transpose::By(|_, cts, xs| {
            Ok(cts.iter().zip(xs).map(|(ct, x)| ct.clone().filter(|_| x.is_linear())).collect())
        }),
        batch: Batch::By(|p, size, xs, axes| {
            let lanes: Vec<Array> =
                xs.iter().zip(axes).map(|(x, a)| if a.is_some() { to_front(x, *a, size) } else { x.clone() }).collect();
            Ok((bind(p.clone(), &lanes)?, axes.iter().map(|a| a.map(|_| 0)).collect()))
        }),
        form: Form::Effect,
        samples: Vec::new,
    };
}

/// A copy of a tensor that the engine lends, as an array.
pub(crate) fn concrete(x: &TensorRef<'_>) -> Array {
    slice(x, 0, x.shape)
}

/// A copy of `shape` elements from an offset.
pub(crate) fn slice(x: &TensorRef<'_>, offset: usize, shape: &[usize]) -> Array {
    let n: usize = shape.iter().product();
    macro_rules! copy {
        ($t:ty) => {
            Buffer::from_slice(&x.data.as_slice::<$t>()[offset..offset + n])
        };
    }
    let data = match x.data.dtype() {
        DType::Bool => copy!(bool),
        DType::U8 => copy!(u8),
        DType::U32 => copy!(u32),
        DType::U64 => copy!(u64),
        DType::I32 => copy!(i32),
        DType::I64 => copy!(i64),
        DType::F32 => copy!(f32),
        DType::F64 => copy!(f64),
        other => Buffer::zeros(other, n),
    };
    let origin = Origin { what: "array", at: Location::caller() };
    Array::concrete(Aval::new(x.data.dtype(), shape), Arc::new(data), origin)
}
