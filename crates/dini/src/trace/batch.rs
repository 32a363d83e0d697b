//! Vectorization: a tracer is a value with one axis that the user's function does not see.

use super::{Kind, Payload, Trace, argument, enter, with_location, with_trace};
use crate::{
    array::{Array, Origin},
    error::{Loc, Result},
    prim::Prim,
    shape::Aval,
};
use std::rc::Rc;

fn split(trace: &Trace, x: &Array) -> (Array, Option<usize>) {
    match x.payload_of(trace.tag) {
        Some(Payload::Batched { value, axis }) => (value.clone(), Some(*axis)),
        Some(Payload::Var(_) | Payload::Dual { .. }) | None => (x.clone(), None),
    }
}

fn unbatched(value: &Array, axis: usize) -> Result<Aval> {
    Ok(value.try_aval()?.unbatched(axis))
}

pub(super) fn process(trace: &Rc<Trace>, size: usize, prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    let (values, axes): (Vec<_>, Vec<_>) = inputs.iter().map(|x| split(trace, x)).unzip();
    let parent = trace.parent.as_ref().expect("a vectorization has a parent");
    let origin = Origin { what: prim.name(), at };
    let (outs, out_axes) = with_trace(parent, || with_location(at, || prim.batch(size, &values, &axes, at)))?;
    debug_assert_eq!(outs.len(), out_axes.len());
    let tracer = |(value, axis): (Array, Option<usize>)| match axis {
        Some(axis) => match unbatched(&value, axis) {
            Ok(aval) => Array::traced(aval, trace.tag, Payload::Batched { value, axis }, origin),
            Err(e) => Array::poison(e),
        },
        None => value,
    };
    Ok(outs.into_iter().zip(out_axes).map(tracer).collect())
}

/// Runs `f` on all lanes at once. Each result comes with the axis that holds its lanes, `None` where they are all equal.
pub(crate) fn vmap_flat(
    name: &'static str,
    at: Loc,
    size: usize,
    args: &[Array],
    axes: &[Option<usize>],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<(Vec<Array>, Vec<Option<usize>>)> {
    let (outs, _) = enter(Kind::Batch { size }, name, at, |trace| {
        let args = args
            .iter()
            .zip(axes)
            .map(|(x, axis)| match axis {
                Some(axis) => {
                    let payload = Payload::Batched { value: x.clone(), axis: *axis };
                    Ok(argument(trace, unbatched(x, *axis)?, payload))
                }
                None => Ok(x.clone()),
            })
            .collect::<Result<Vec<_>>>()?;
        let outs = f(&args)?;
        Ok(outs.iter().map(|y| split(trace, y)).collect::<Vec<_>>())
    })?;
    Ok(outs.into_iter().unzip())
}
