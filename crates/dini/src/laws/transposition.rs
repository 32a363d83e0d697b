//! Laws of transposition: the transpose is the adjoint.

use super::{Case, avals_of, broken, directions, rounding, subsets};
use crate::{
    array::Array,
    error::{ErrorKind, Result},
    testing::{difference::inner, random::Random},
    trace::jvp_flat,
    transform::{linearize::linearize_flat, sound, transpose::linear_transpose_flat},
};
use std::panic::Location;

/// Through linearization: for all operands together and each alone, for all results together and each alone; and the
/// linear program gives the tangents that forward mode gives.
pub(super) fn adjoint(case: &Case) -> Result<()> {
    let at = Location::caller();
    let xs = case.operands(7);
    let ys = case.call(&xs)?;
    if !case.has_reverse() {
        return no_reverse(case, &xs, &ys);
    }
    let mut random = Random::new(7);
    let tolerance = rounding(avals_of(&xs).into_iter().chain(avals_of(&ys)));
    for varies in case.varying() {
        let linearized = linearize_flat("law", at, &xs, &varies, case.f())?;
        sound(linearized.outs.clone())?;
        let ts = directions(&xs, &varies, &mut random);
        let tangents = if case.has_forward() {
            let tangents = linearized.apply(&ts)?;
            let (_, direct) = jvp_flat("law", at, &xs, &ts, case.f())?;
            let probe = direct.iter().map(|t| t.as_ref().and_then(|t| random.direction(t.aval(), 1.0)));
            let probe: Vec<Option<Array>> = probe.collect();
            same("linearization and forward mode", inner(&tangents, &probe)?, inner(&direct, &probe)?, tolerance)?;
            tangents
        } else {
            continue;
        };
        for results in subsets(&ys.iter().map(|y| y.dtype().is_inexact()).collect::<Vec<_>>()) {
            let cts = directions(&ys, &results, &mut random);
            let back = linearized.transpose(&cts)?;
            for (ct, x) in back.iter().zip(&xs) {
                if let Some(ct) = ct
                    && ct.try_aval()? != x.aval()
                {
                    return Err(broken(format!("a cotangent is {}, the operand {}", ct.aval(), x.aval())));
                }
            }
            let what = format!("operands {varies:?}, results {results:?}");
            same(&what, inner(&tangents, &cts)?, inner(&ts, &back)?, tolerance)?;
        }
    }
    Ok(())
}

/// Where there is no reverse mode, asking for it is an error that says so.
fn no_reverse(case: &Case, xs: &[Array], ys: &[Array]) -> Result<()> {
    let varies: Vec<bool> = xs.iter().map(|x| x.dtype().is_inexact()).collect();
    let cts: Vec<Option<Array>> = directions(ys, &vec![true; ys.len()], &mut Random::new(7));
    let back = linearize_flat("law", Location::caller(), xs, &varies, case.f())
        .and_then(|linearized| linearized.transpose(&cts))
        .and_then(|cts| sound(cts.into_iter().flatten().collect()));
    match back {
        Err(e) if e.kind() == ErrorKind::MissingRule => Ok(()),
        Err(e) => Err(e),
        Ok(_) => Err(broken("reverse mode is said not to exist, and gives a result")),
    }
}

/// Whether the case is one primitive with a transposition rule.
pub(super) fn has_own_rule(case: &Case) -> bool {
    case.prim.as_ref().is_some_and(|prim| prim.coverage()[2] != "-")
}

/// The primitive's own rule, for all operands together and for each alone with the others known, wherever it is linear.
/// Returns whether it is anywhere.
pub(super) fn own_rule(case: &Case) -> Result<bool> {
    if !has_own_rule(case) {
        return Ok(false);
    }
    let at = Location::caller();
    let xs = case.operands(8);
    let ys = case.call(&xs)?;
    let mut random = Random::new(8);
    let tolerance = rounding(avals_of(&xs).into_iter().chain(avals_of(&ys)));
    let mut applies = false;
    for linear in case.varying() {
        let with = |values: &[Array]| -> Vec<Array> {
            let mut values = values.iter().cloned();
            xs.iter()
                .zip(&linear)
                .map(|(x, l)| if *l { values.next().unwrap_or_else(|| x.clone()) } else { x.clone() })
                .collect()
        };
        let of: Vec<Array> = xs.iter().zip(&linear).filter(|(_, l)| **l).map(|(x, _)| x.clone()).collect();
        let f = |values: &[Array]| case.call(&with(values));
        let cts: Vec<Option<Array>> = ys.iter().map(|y| random.direction(y.aval(), 1.0)).collect();
        let back = match linear_transpose_flat("law", at, &avals_of(&of), &f, &|_| Ok(cts.clone())) {
            Ok(back) => back,
            // Not linear in these: division, in its second operand.
            Err(e) if e.kind() == ErrorKind::NotLinear => continue,
            Err(e) => return Err(e),
        };
        applies = true;
        let vs: Vec<Option<Array>> = of.iter().map(|x| random.direction(x.aval(), 1.0)).collect();
        let zeros: Vec<Array> = of.iter().map(|x| crate::ops::zeros_of(x.aval())).collect();
        let at_v = f(&vs.iter().flatten().cloned().collect::<Vec<_>>())?;
        // With some operands known, a function can be affine: `select` is.
        let moved = at_v
            .iter()
            .zip(f(&zeros)?)
            .map(|(y, y0)| y.dtype().is_inexact().then(|| difference(y, &y0)))
            .collect::<Vec<_>>();
        same(&format!("operands {linear:?}"), inner(&moved, &cts)?, inner(&vs, &back)?, tolerance)?;
    }
    Ok(applies)
}

/// y − y₀, and 0 where y is NaN whatever the operand: a gather outside of it.
fn difference(y: &Array, y0: &Array) -> Array {
    let nowhere = y.ne(y) & y0.ne(y0);
    crate::select(&nowhere, &crate::ops::zeros_of(y.aval()), &(y - y0))
}

/// Two inner products, each with the sum of its terms' magnitudes, agree up to rounding.
fn same(what: &str, (a, a_size): (f64, f64), (b, b_size): (f64, f64), tolerance: f64) -> Result<()> {
    if (a - b).abs() <= tolerance * (1.0 + a_size.max(b_size)) || (a.is_nan() && b.is_nan()) {
        return Ok(());
    }
    Err(broken(format!("{what}: {a} and {b}")))
}
