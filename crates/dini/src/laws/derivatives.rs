//! Laws of derivatives: against finite differences, and of one mode against the other.

use super::{Case, avals_of, broken, directions, rounding};
use crate::{
    array::Array,
    error::Result,
    testing::{
        Probe, check_flat,
        difference::{Precision, agree, numbers},
        random::Random,
    },
    trace::jvp_flat,
    transform::{concrete_tangent, linearize::linearize_flat, sound},
};
use std::panic::Location;

fn names(what: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{what} {i}")).collect()
}

/// Tangents, of all operands together and of each alone.
pub(super) fn tangents(case: &Case) -> Result<()> {
    if !case.has_forward() || !case.is_differentiable() {
        return Ok(());
    }
    let xs = case.operands(4);
    let ys = case.call(&xs)?;
    let mut random = Random::new(4);
    for varies in case.varying() {
        let ts = directions(&xs, &varies, &mut random);
        let probe = Probe {
            at: Location::caller(),
            f: case.f(),
            xs: &xs,
            ys: &ys,
            arguments: &names("operand", xs.len()),
            results: &names("result", ys.len()),
            precision: Precision::of(avals_of(&xs).iter().chain(&avals_of(&ys)), 1),
        };
        probe.forward_along(&ts, &format!("operands {}", list(&varies)))?;
    }
    Ok(())
}

fn list(marked: &[bool]) -> String {
    let places: Vec<String> = (0..marked.len()).filter(|&i| marked[i]).map(|i| i.to_string()).collect();
    places.join(", ")
}

/// Every sequence of modes to order 2.
pub(super) fn second_order(case: &Case) -> Result<()> {
    if !case.is_differentiable() || case.order < 2 {
        return Ok(());
    }
    let xs = case.operands(5);
    let n = case.call(&xs)?.len();
    check_flat(Location::caller(), case.f(), &xs, names("operand", xs.len()), &|| names("result", n), 2, case.modes)
}

/// The Hessian of ⟨ȳ, f⟩ times ẋ, by both nestings of the two modes.
pub(super) fn mixed_orders(case: &Case) -> Result<()> {
    if !case.has_forward() || !case.has_reverse() || case.order < 2 {
        return Ok(());
    }
    let at = Location::caller();
    let xs = case.operands(6);
    let ys = case.call(&xs)?;
    let mut random = Random::new(6);
    let varies: Vec<bool> = xs.iter().map(|x| x.dtype().is_inexact()).collect();
    let cts: Vec<Option<Array>> = ys.iter().map(|y| random.direction(y.aval(), 1.0)).collect();
    let ts = directions(&xs, &varies, &mut random);
    // Forward over reverse: the gradient's tangent.
    let gradient = |xs: &[Array]| {
        let back = linearize_flat("law", at, xs, &varies, case.f())?.transpose(&cts)?;
        Ok(back.into_iter().zip(xs).map(|(ct, x)| concrete_tangent(ct, x.aval())).collect())
    };
    let (_, forward_over_reverse) = jvp_flat("law", at, &xs, &ts, gradient)?;
    // Reverse over forward: the gradient of ⟨ȳ, ẏ⟩.
    let tangent = |xs: &[Array]| {
        let (ys, ts) = jvp_flat("law", at, xs, &ts, case.f())?;
        Ok(ts.into_iter().zip(sound(ys)?).map(|(t, y)| concrete_tangent(t, y.aval())).collect())
    };
    let reverse_over_forward = linearize_flat("law", at, &xs, &varies, &tangent)?.transpose(&cts)?;
    let tolerance = 10.0 * rounding(avals_of(&xs).into_iter().chain(avals_of(&ys)));
    for (i, x) in xs.iter().enumerate().filter(|(i, _)| varies[*i]) {
        let a = numbers(&concrete_tangent(forward_over_reverse[i].clone(), x.aval()))?;
        let b = numbers(&concrete_tangent(reverse_over_forward[i].clone(), x.aval()))?;
        if let Some(j) = (0..a.len()).find(|&j| !agree(a[j], b[j], tolerance)) {
            return Err(broken(format!(
                "operand {i}, element {j}: {} forward over reverse, {} reverse over forward",
                a[j], b[j]
            )));
        }
    }
    Ok(())
}
