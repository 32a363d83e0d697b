//! Laws of vectorization: lanes do not see each other.

use super::{Case, avals_of, broken, directions, rounding, subsets};
use crate::{
    array::Array,
    error::Result,
    jit, ops,
    prim::{broadcast_lanes, move_axis},
    testing::{close, random::Random},
    trace::{jvp_flat, vmap_flat},
    transform::{FlatFn, concrete_tangent, sound},
};
use std::panic::Location;

/// Arrays of equal types on a new axis.
fn stack(lanes: &[Array], axis: usize) -> Array {
    let expanded: Vec<Array> = lanes.iter().map(|x| broadcast_lanes(x, 1, axis)).collect();
    ops::join(&expanded, axis)
}

/// The results of `f` for lanes on the given axes of its operands; the lanes of the results come on axis 0.
fn vectorized(f: FlatFn<'_>, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Vec<Array>> {
    let (ys, lanes) = vmap_flat("law", Location::caller(), size, xs, axes, f)?;
    let front = |(y, axis): (Array, Option<usize>)| match axis {
        Some(axis) => move_axis(&y, axis, 0),
        None => broadcast_lanes(&y, size, 0),
    };
    sound(sound(ys)?.into_iter().zip(lanes).map(front).collect())
}

/// Operands of each lane: those that are batched differ from lane to lane, the others are lane 0's.
fn lanes_of(case: &Case, batched: &[bool], size: usize, seed: u64) -> Vec<Vec<Array>> {
    let all: Vec<Vec<Array>> = (0..size as u64).map(|lane| case.operands(seed + lane)).collect();
    let pick = |lane: usize, i: usize| all[if batched[i] { lane } else { 0 }][i].clone();
    (0..size).map(|lane| (0..batched.len()).map(|i| pick(lane, i)).collect()).collect()
}

/// The results of a loop over lanes, stacked on axis 0.
fn looped(lanes: &[Vec<Array>], f: impl Fn(&[Array]) -> Result<Vec<Array>>) -> Result<Vec<Array>> {
    let outs = lanes.iter().map(|xs| f(xs)).collect::<Result<Vec<_>>>()?;
    let n = outs[0].len();
    sound((0..n).map(|i| stack(&outs.iter().map(|ys| ys[i].clone()).collect::<Vec<_>>(), 0)).collect())
}

/// Operands with lanes on the given axes.
fn stacked(lanes: &[Vec<Array>], axes: &[Option<usize>]) -> Vec<Array> {
    let operand = |(i, axis): (usize, &Option<usize>)| match axis {
        Some(axis) => stack(&lanes.iter().map(|xs| xs[i].clone()).collect::<Vec<_>>(), *axis),
        None => lanes[0][i].clone(),
    };
    axes.iter().enumerate().map(operand).collect()
}

fn agree(what: &str, got: &[Array], want: &[Array], tolerance: f64) -> Result<()> {
    let names: Vec<String> = (0..want.len()).map(|i| format!("{what}: result {i}")).collect();
    close(&names, got, want, "lane by lane", tolerance)
}

/// Rounding may differ where a batch is summed in another order.
fn tolerance(xs: &[Array], ys: &[Array]) -> f64 {
    rounding(avals_of(xs).into_iter().chain(avals_of(ys))) * 1e-2
}

/// Every operand alone, all together, and all but one; at every place of the axis.
pub(super) fn each_axis(case: &Case) -> Result<()> {
    const SIZE: usize = 3;
    let n = case.operands.len();
    let mut choices = subsets(&vec![true; n]);
    if n > 2 {
        choices.extend((0..n).map(|i| (0..n).map(|j| i != j).collect()));
    }
    for batched in choices {
        let lanes = lanes_of(case, &batched, SIZE, 9);
        let want = looped(&lanes, |xs| case.call(xs))?;
        let ndims = lanes[0].iter().zip(&batched).filter(|(_, b)| **b).map(|(x, _)| x.ndim());
        for place in 0..=ndims.max().unwrap_or(0) {
            // Each operand has as many places as it has axes, and one more.
            let axes: Vec<Option<usize>> =
                lanes[0].iter().zip(&batched).map(|(x, b)| b.then(|| place % (x.ndim() + 1))).collect();
            let xs = stacked(&lanes, &axes);
            let got = vectorized(case.f(), SIZE, &xs, &axes)?;
            agree(&format!("axes {axes:?}"), &got, &want, tolerance(&xs, &want))?;
        }
    }
    Ok(())
}

/// Two levels: both on all operands; the outer on one operand and the inner on the others.
pub(super) fn nested(case: &Case) -> Result<()> {
    let n = case.operands.len();
    let mut choices = vec![(vec![true; n], vec![true; n])];
    if n > 1 {
        choices.extend((0..n).map(|i| ((0..n).map(|j| i == j).collect(), (0..n).map(|j| i != j).collect())));
    }
    for (outer, inner) in choices {
        const OUTER: usize = 2;
        const INNER: usize = 3;
        // Lane (i, j) of an operand is its value number (i, j), where it is not batched (0, j) or (i, 0).
        let value = |i: usize, j: usize, k: usize| {
            let (i, j) = (if outer[k] { i } else { 0 }, if inner[k] { j } else { 0 });
            case.operands(10 + (i * INNER + j) as u64)[k].clone()
        };
        let lane = |i: usize, j: usize| -> Vec<Array> { (0..n).map(|k| value(i, j, k)).collect() };
        let rows: Vec<Vec<Vec<Array>>> = (0..OUTER).map(|i| (0..INNER).map(|j| lane(i, j)).collect()).collect();
        let want: Vec<Vec<Array>> = rows.iter().map(|row| looped(row, |xs| case.call(xs))).collect::<Result<_>>()?;
        let want: Vec<Array> =
            (0..want[0].len()).map(|i| stack(&want.iter().map(|ys| ys[i].clone()).collect::<Vec<_>>(), 0)).collect();
        // The inner lanes are on the last axis of each operand, the outer ones on the first.
        let inner_axes: Vec<Option<usize>> =
            inner.iter().zip(&case.operands).map(|(b, s)| b.then_some(s.aval.ndim())).collect();
        let outer_axes: Vec<Option<usize>> = outer.iter().map(|b| b.then_some(0)).collect();
        let columns: Vec<Vec<Array>> = rows.iter().map(|row| stacked(row, &inner_axes)).collect();
        let xs = stacked(&columns, &outer_axes);
        let one = |xs: &[Array]| vectorized(case.f(), INNER, xs, &inner_axes);
        let got = vectorized(&one, OUTER, &xs, &outer_axes)?;
        agree(&format!("outer {outer:?}, inner {inner:?}"), &got, &want, tolerance(&xs, &want))?;
    }
    Ok(())
}

/// Vectorized tangents are tangents of the vectorized function, and both compile.
pub(super) fn composed(case: &Case) -> Result<()> {
    const SIZE: usize = 2;
    if case.operands.is_empty() {
        return Ok(());
    }
    let n = case.operands.len();
    let all = vec![true; n];
    let axes = vec![Some(0); n];
    let lanes = lanes_of(case, &all, SIZE, 11);
    let xs = stacked(&lanes, &axes);
    let plain = vectorized(case.f(), SIZE, &xs, &axes)?;
    let tolerance = tolerance(&xs, &plain);
    let outer = jit(|xs: Vec<Array>| vectorized(case.f(), SIZE, &xs, &axes));
    agree("compiled outside", &outer(xs.clone())?, &plain, tolerance)?;
    let inner = jit(|xs: Vec<Array>| case.call(&xs));
    agree("compiled inside", &vectorized(&|xs| inner(xs.to_vec()), SIZE, &xs, &axes)?, &plain, tolerance)?;
    if !case.has_forward() {
        return Ok(());
    }
    let varies: Vec<bool> = case.operands.iter().map(|s| s.aval.dtype.is_inexact()).collect();
    let ts = directions(&xs, &varies, &mut Random::new(12));
    let tangents = |f: FlatFn<'_>, xs: &[Array], ts: &[Option<Array>]| -> Result<Vec<Array>> {
        let (ys, ts) = jvp_flat("law", Location::caller(), xs, ts, f)?;
        let ys = sound(ys)?;
        sound(
            ys.iter()
                .zip(ts)
                .filter(|(y, _)| y.dtype().is_inexact())
                .map(|(y, t)| concrete_tangent(t, y.aval()))
                .collect(),
        )
    };
    let of_vectorized = tangents(&|xs| vectorized(case.f(), SIZE, xs, &axes), &xs, &ts)?;
    let given: Vec<Array> = xs.iter().chain(ts.iter().flatten()).cloned().collect();
    let each = |args: &[Array]| {
        let mut rest = args[n..].iter().cloned();
        let ts: Vec<Option<Array>> = varies.iter().map(|v| if *v { rest.next() } else { None }).collect();
        tangents(case.f(), &args[..n], &ts)
    };
    let vectorized_tangents = vectorized(&each, SIZE, &given, &vec![Some(0); given.len()])?;
    agree("tangents of lanes", &of_vectorized, &vectorized_tangents, tolerance * 1e2)?;
    // Tangents with lanes at a point without.
    let point = case.operands(11);
    let axes: Vec<Option<usize>> = (0..given.len()).map(|i| (i >= n).then_some(0)).collect();
    let given: Vec<Array> = point.iter().chain(ts.iter().flatten()).cloned().collect();
    let many = vectorized(&each, SIZE, &given, &axes)?;
    let lane = |i: usize| -> Result<Vec<Array>> {
        let args: Vec<Array> = given
            .iter()
            .zip(&axes)
            .map(|(x, axis)| match axis {
                Some(_) => ops::reshape(&ops::slice_axis(x, i, i + 1, 1, 0), &x.shape()[1..]),
                None => x.clone(),
            })
            .collect();
        each(&args)
    };
    let lanes = (0..SIZE).map(lane).collect::<Result<Vec<_>>>()?;
    let want: Vec<Array> =
        (0..many.len()).map(|i| stack(&lanes.iter().map(|ys| ys[i].clone()).collect::<Vec<_>>(), 0)).collect();
    agree("lanes of tangents alone", &many, &want, tolerance * 1e2)
}

/// No lanes: results of extent 0, and no panic.
pub(super) fn none(case: &Case) -> Result<()> {
    if case.operands.is_empty() {
        return Ok(());
    }
    let types = avals_of(&case.call(&case.operands(13))?);
    let xs: Vec<Array> = case.operands.iter().map(|s| ops::zeros_of(&s.aval.batched(0, 0))).collect();
    let ys = vectorized(case.f(), 0, &xs, &vec![Some(0); xs.len()])?;
    for (y, want) in ys.iter().zip(types) {
        if *y.aval() != want.batched(0, 0) {
            return Err(broken(format!("a result is {}, expected {}", y.aval(), want.batched(0, 0))));
        }
    }
    Ok(())
}
