//! `host_call`: a Rust function inside a staged program. Pure: it may be removed, merged and repeated. Under `vmap` it runs
//! lane by lane. It has no derivative of its own.

use super::{
    Batch, Form, Jvp, Lower, Primitive, Rules, Transpose,
    call::at_front,
    effects::{concrete, slice},
};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    shape::Aval,
    trace::{bind, with_eval},
};
use dini_cpu::{
    buffer::Buffer,
    dtype::{DType, Element},
    graph::{CallFn, TensorMut, TensorRef},
};
use std::{fmt, hash::Hash, sync::Arc};

/// What a `host_call` runs, on flat lists.
pub(crate) type HostFn = dyn Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync;

/// A host function with its declared result types.
#[derive(Clone)]
pub struct HostCall {
    pub(crate) function: Arc<HostFn>,
    pub(crate) outs: Vec<Aval>,
    /// Lanes, outermost first: how many, and which operands have them on their leading axis.
    pub(crate) lanes: Vec<(usize, Vec<bool>)>,
    /// The line of the call.
    pub(crate) at: Loc,
}

impl fmt::Debug for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lanes: Vec<usize> = self.lanes.iter().map(|l| l.0).collect();
        write!(f, "HostCall {{ outs: {:?}, lanes: {lanes:?} }}", self.outs)
    }
}

/// By identity: two closures are two functions.
impl PartialEq for HostCall {
    fn eq(&self, other: &HostCall) -> bool {
        Arc::ptr_eq(&self.function, &other.function) && self.outs == other.outs && self.lanes == other.lanes
    }
}
impl Eq for HostCall {}
impl Hash for HostCall {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.function) as *const () as usize).hash(state);
        self.outs.hash(state);
        self.lanes.hash(state);
    }
}

impl Primitive for HostCall {
    const NAME: &'static str = "host_call";
    const RULES: Rules<Self> = Rules {
        infer: |p, _| {
            Ok(p.outs.iter().map(|a| p.lanes.iter().rev().fold(a.clone(), |a, lane| a.batched(0, lane.0))).collect())
        },
        lower: Lower::Call(|p| {
            let p = p.clone();
            let call: Arc<CallFn> = Arc::new(move |ins, outs| run(&p, ins, outs).map_err(Into::into));
            call
        }),
        jvp: Jvp::Undefined(
            "a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`",
        ),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, xs, axes| {
            let mut lanes = vec![(size, axes.iter().map(Option::is_some).collect())];
            lanes.extend(p.lanes.iter().cloned());
            let outs = bind(HostCall { lanes, ..p.clone() }, &at_front(xs, axes, size))?;
            let axes = vec![Some(0); outs.len()];
            Ok((outs, axes))
        }),
        form: Form::First,
        samples: Vec::new,
    };
}

fn run(p: &HostCall, ins: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) -> Result<()> {
    if p.lanes.is_empty() {
        let args: Vec<Array> = ins.iter().map(concrete).collect();
        return call(p, &args, outs, 0);
    }
    let total: usize = p.lanes.iter().map(|l| l.0).product();
    for flat in 0..total {
        // This lane's index at each level, outermost first.
        let mut index = vec![0; p.lanes.len()];
        let mut rest = flat;
        for (i, (n, _)) in p.lanes.iter().enumerate().rev() {
            index[i] = rest % n;
            rest /= n;
        }
        let args: Vec<Array> = ins
            .iter()
            .enumerate()
            .map(|(k, x)| {
                let has: Vec<usize> = (0..p.lanes.len()).filter(|&i| p.lanes[i].1[k]).collect();
                let own = &x.shape[has.len()..];
                let block: usize = own.iter().product();
                let place = has.iter().fold(0, |place, &i| place * p.lanes[i].0 + index[i]);
                slice(x, place * block, own)
            })
            .collect();
        call(p, &args, outs, flat)?;
    }
    Ok(())
}

/// One call; results go to place `lane` of the outputs.
fn call(p: &HostCall, args: &[Array], outs: &mut [TensorMut<'_>], lane: usize) -> Result<()> {
    let results = with_eval(|| (p.function)(args)).map_err(|e| match e.location() {
        // Of the function's own: where it happened, and inside which call.
        Some(_) => e.inside(HostCall::NAME, p.at),
        None => e.op(HostCall::NAME),
    })?;
    if results.len() != p.outs.len() {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("the host function returned {} arrays, declared {}", results.len(), p.outs.len()),
        )
        .op(HostCall::NAME));
    }
    for ((i, result), (want, out)) in results.iter().enumerate().zip(p.outs.iter().zip(outs)) {
        let got = result.try_aval()?;
        if got != want {
            return Err(Error::new(
                ErrorKind::Structure,
                format!("result {i} of the host function is {got}, declared {want}"),
            )
            .op(HostCall::NAME));
        }
        let Some(c) = result.as_concrete() else {
            return Err(Error::new(ErrorKind::Escape, "the host function returned a traced value"));
        };
        write(&c.data, out.data, lane * want.size());
    }
    Ok(())
}

fn write(from: &Buffer, to: &mut Buffer, offset: usize) {
    fn copy<T: Element>(from: &Buffer, to: &mut Buffer, offset: usize) {
        to.as_mut_slice::<T>()[offset..offset + from.len()].copy_from_slice(from.as_slice::<T>());
    }
    match from.dtype() {
        DType::Bool => copy::<bool>(from, to, offset),
        DType::U8 => copy::<u8>(from, to, offset),
        DType::U32 => copy::<u32>(from, to, offset),
        DType::U64 => copy::<u64>(from, to, offset),
        DType::I32 => copy::<i32>(from, to, offset),
        DType::I64 => copy::<i64>(from, to, offset),
        DType::F32 => copy::<f32>(from, to, offset),
        DType::F64 => copy::<f64>(from, to, offset),
        _ => {}
    }
}
