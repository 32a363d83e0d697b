//! Laws of inference and compilation.

use super::{Case, avals_of, broken, directions, rounding};
use crate::{
    array::Array,
    error::Result,
    jit,
    testing::{close, random::Random},
    trace::{jvp_flat, stage},
    transform::{linearize::linearize_flat, sound},
};
use std::panic::Location;

/// Types from inference, from staging and from running are the same.
pub(super) fn inferred_types(case: &Case) -> Result<()> {
    let xs = case.operands(1);
    let actual = avals_of(&case.call(&xs)?);
    let staged = stage("law", Location::caller(), &avals_of(&xs), case.f())?.program;
    if staged.out_avals() != actual {
        return Err(broken(format!("staged as {:?}, computed as {actual:?}", staged.out_avals())));
    }
    match &case.prim {
        Some(prim) => {
            let inferred = prim.infer(&avals_of(&xs))?;
            if inferred != actual {
                return Err(broken(format!("inferred {inferred:?}, computed {actual:?}")));
            }
        }
        None if staged.counts().contains_key(case.name) => {}
        None => return Err(broken(format!("the case does not contain the primitive:\n{staged}"))),
    }
    Ok(())
}

/// The same bits, eager and compiled.
pub(super) fn compiled_is_eager(case: &Case) -> Result<()> {
    let xs = case.operands(2);
    let eager = case.call(&xs)?;
    let compiled = jit(|xs: Vec<Array>| case.call(&xs))(xs)?;
    for (i, (a, b)) in eager.iter().zip(&compiled).enumerate() {
        let (Some(a), Some(b)) = (a.as_concrete(), b.as_concrete()) else {
            return Err(broken(format!("result {i} has no value")));
        };
        if a.aval != b.aval || a.data.bytes() != b.data.bytes() {
            return Err(broken(format!("result {i} is {:?} eager, {:?} compiled", a.data, b.data)));
        }
    }
    Ok(())
}

/// Tangents and cotangents of a compiled function, and compiled tangents and cotangents, are the eager ones.
pub(super) fn compiled_derivatives(case: &Case) -> Result<()> {
    let xs = case.operands(3);
    let ys = case.call(&xs)?;
    let mut random = Random::new(3);
    let varies: Vec<bool> = xs.iter().map(|x| x.dtype().is_inexact()).collect();
    let ts = directions(&xs, &varies, &mut random);
    let tolerance = rounding(avals_of(&xs).into_iter().chain(avals_of(&ys)));
    let given: Vec<Array> = ts.iter().flatten().cloned().collect();
    let tangents = |xs: &[Array], ts: &[Array], f: &dyn Fn(&[Array]) -> Result<Vec<Array>>| {
        let mut ts = ts.iter().cloned();
        let ts: Vec<Option<Array>> = varies.iter().map(|v| if *v { ts.next() } else { None }).collect();
        let (ys, ts) = jvp_flat("law", Location::caller(), xs, &ts, f)?;
        Ok([sound(ys)?, sound(ts.into_iter().flatten().collect())?].concat())
    };
    let inner = jit(|xs: Vec<Array>| case.call(&xs));
    let inner = |xs: &[Array]| inner(xs.to_vec());
    if case.has_forward() {
        let eager = tangents(&xs, &given, case.f())?;
        let names = numbered("tangent", eager.len());
        let outer = jit(|(xs, ts): (Vec<Array>, Vec<Array>)| tangents(&xs, &ts, case.f()));
        close(&names, &outer((xs.clone(), given.clone()))?, &eager, "eager", tolerance)?;
        close(&names, &tangents(&xs, &given, &inner)?, &eager, "eager", tolerance)?;
    }
    if case.has_reverse() {
        let cts: Vec<Option<Array>> = ys.iter().map(|y| random.direction(y.aval(), 1.0)).collect();
        let cotangents = |xs: &[Array], f: &dyn Fn(&[Array]) -> Result<Vec<Array>>| {
            let back = linearize_flat("law", Location::caller(), xs, &varies, f)?.transpose(&cts)?;
            sound(back.into_iter().flatten().collect())
        };
        let eager = cotangents(&xs, case.f())?;
        let names = numbered("cotangent", eager.len());
        let outer = jit(|xs: Vec<Array>| cotangents(&xs, case.f()));
        close(&names, &outer(xs.clone())?, &eager, "eager", tolerance)?;
        close(&names, &cotangents(&xs, &inner)?, &eager, "eager", tolerance)?;
    }
    Ok(())
}

fn numbered(what: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{what} {i}")).collect()
}
