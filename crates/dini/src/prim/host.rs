//! `host_call`: a Rust function inside a staged program. Pure: it may be removed, merged and repeated. Under `vmap` it runs
//! lane by lane, or once for all lanes if it can. It has no derivative of its own.

use super::{
    Batch, Form, Jvp, Lower, Primitive, Rules, Transpose, all_to_front,
    call::at_front,
    effects::{concrete, slice},
};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    shape::Aval,
    trace::{bind, with_eval},
    transform::sound,
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
    /// Whether the function takes all lanes at once, on leading axes.
    pub(crate) is_batched: bool,
    /// Whether the first operand says if the function is to be called at all; results are zeros where it is not.
    pub(crate) is_guarded: bool,
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
        Arc::ptr_eq(&self.function, &other.function)
            && self.outs == other.outs
            && self.lanes == other.lanes
            && self.is_guarded == other.is_guarded
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
        infer: |p, _| Ok(p.with_lanes()),
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
            // A function of all lanes finds them in every operand.
            let operands = match p.is_batched {
                true => all_to_front(xs, axes, size),
                false => at_front(xs, axes, size),
            };
            let mut lanes = vec![(size, axes.iter().map(|axis| p.is_batched || axis.is_some()).collect())];
            lanes.extend(p.lanes.iter().cloned());
            let outs = bind(HostCall { lanes, ..p.clone() }, &operands)?;
            let axes = vec![Some(0); outs.len()];
            Ok((outs, axes))
        }),
        form: Form::First,
        samples: Vec::new,
    };
}

impl HostCall {
    /// The types of the results, lanes included.
    fn with_lanes(&self) -> Vec<Aval> {
        self.outs.iter().map(|a| self.lanes.iter().rev().fold(a.clone(), |a, lane| a.batched(0, lane.0))).collect()
    }

    fn n_lanes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.0).product()
    }

    /// The block of operand k that lane `flat` sees.
    fn block(&self, k: usize, x: &TensorRef<'_>, flat: usize) -> Array {
        // This lane's index at each level, outermost first.
        let mut index = vec![0; self.lanes.len()];
        let mut rest = flat;
        for (i, (n, _)) in self.lanes.iter().enumerate().rev() {
            index[i] = rest % n;
            rest /= n;
        }
        let has: Vec<usize> = (0..self.lanes.len()).filter(|&i| self.lanes[i].1[k]).collect();
        let own = &x.shape[has.len()..];
        let place = has.iter().fold(0, |place, &i| place * self.lanes[i].0 + index[i]);
        slice(x, place * own.iter().product::<usize>(), own)
    }

    /// For each lane, whether it is to be called.
    fn called(&self, ins: &[TensorRef<'_>]) -> Result<Vec<bool>> {
        match self.is_guarded {
            true => (0..self.n_lanes()).map(|flat| self.block(0, &ins[0], flat).item::<bool>()).collect(),
            false => Ok(vec![true; self.n_lanes()]),
        }
    }
}

fn run(p: &HostCall, ins: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) -> Result<()> {
    let called = p.called(ins)?;
    let operands = usize::from(p.is_guarded)..ins.len();
    if p.is_batched {
        return run_batched(p, &ins[operands], &called, outs);
    }
    for (flat, called) in called.into_iter().enumerate() {
        if called {
            let args: Vec<Array> = operands.clone().map(|k| p.block(k, &ins[k], flat)).collect();
            call(p, &args, &p.outs, outs, flat)?;
        } else {
            write_zeros(&p.outs, outs, flat);
        }
    }
    Ok(())
}

/// One call for all lanes. Those that are not to be called repeat one that is.
fn run_batched(p: &HostCall, ins: &[TensorRef<'_>], called: &[bool], outs: &mut [TensorMut<'_>]) -> Result<()> {
    let want = p.with_lanes();
    let Some(first) = called.iter().position(|called| *called) else {
        write_zeros(&want, outs, 0);
        return Ok(());
    };
    let mut args: Vec<Array> = ins.iter().map(concrete).collect();
    if called.contains(&false) {
        let rows: Vec<i64> = (0..called.len()).map(|i| if called[i] { i as i64 } else { first as i64 }).collect();
        let rows = Array::from(rows);
        with_eval(|| {
            for x in &mut args {
                let shape = x.shape().to_vec();
                let own = &shape[p.lanes.len()..];
                *x = x.reshape(&[&[called.len()], own].concat()).take(&rows, 0).reshape(&shape);
            }
        });
    }
    call(p, &args, &want, outs, 0)
}

/// One call with results of the types `want`, which go to place `lane` of the outputs.
fn call(p: &HostCall, args: &[Array], want: &[Aval], outs: &mut [TensorMut<'_>], lane: usize) -> Result<()> {
    let results = with_eval(|| sound((p.function)(args)?)).map_err(|e| {
        let e = match e.kind() {
            ErrorKind::Escape => e.help("a host function gets traced values as its argument only: pass this one along"),
            _ => e,
        };
        match e.location() {
            // Of the function's own: where it happened, and inside which call.
            Some(_) => e.inside(HostCall::NAME, p.at),
            None => e.op(HostCall::NAME),
        }
    })?;
    if results.len() != p.outs.len() {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("the host function returned {} arrays, declared {}", results.len(), p.outs.len()),
        )
        .op(HostCall::NAME));
    }
    for ((i, result), (want, out)) in results.iter().enumerate().zip(want.iter().zip(outs)) {
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

/// Zeros for a lane that is not called.
fn write_zeros(want: &[Aval], outs: &mut [TensorMut<'_>], lane: usize) {
    for (want, out) in want.iter().zip(outs) {
        write(&Buffer::zeros(want.dtype, want.size()), out.data, lane * want.size());
    }
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
