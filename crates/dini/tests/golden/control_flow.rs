//! Programs with loops, branches, checkpoints and custom rules; transcribed from `xtask/golden/control_flow.py`.

use super::programs::{check_file, programs};
use dini::prelude::*;

#[test]
fn control_flow_agrees() {
    let programs = programs![
        rnn,
        scan_reverse,
        scan_trees,
        scan_without_inputs,
        scan_of_scan,
        integer_carry,
        fori_static,
        fori_index,
        while_newton,
        while_doubling,
        while_array_state,
        cond_scalar,
        cond_singular,
        cond_operands,
        switch_three,
        cond_in_scan,
        checkpointed,
        checkpoint_in_scan,
        custom_jvp_stable,
        custom_jvp_wrong,
        custom_vjp_clip,
        stopped,
        gradient_descent,
        nested_gradients,
        vmap_inside,
    ];
    check_file("control_flow", programs, &[]);
}

fn rnn([w, u, b, h, xs]: [Array; 5]) -> Result<(Array, Array)> {
    let step = |h: Array, x: Array| {
        let h = (w.matmul(&h) + u.matmul(&x) + &b).tanh();
        (h.clone(), h.sum())
    };
    scan(step, h, xs)
}

fn scan_reverse([a, x0, xs]: [Array; 3]) -> Result<(Array, Array)> {
    let step = |c: Array, x: Array| {
        let c = &a * c + x;
        (c.clone(), &c * &c)
    };
    scan_with(ScanOptions::new().reverse(), step, x0, xs)
}

fn scan_trees([p, q, xs, ys]: [Array; 4]) -> Result<((Array, Array), (Array, Array))> {
    let step = |(p, q): (Array, Array), (x, y): (Array, Array)| {
        let (p, q) = (p.sin() * &x + q, p + y);
        ((p.clone(), q.clone()), (p * &q, x - q))
    };
    scan(step, (p, q), (xs, ys))
}

fn scan_without_inputs([x]: [Array; 1]) -> Result<(Array, Array)> {
    scan_with(ScanOptions::new().length(6), |c: Array, ()| (c.cos(), c), x, ())
}

fn scan_of_scan([a, x]: [Array; 2]) -> Result<(Array, Array)> {
    let inner = |c: Array, ()| ((&a * c).sin(), ());
    let outer = |c: Array, ()| -> Result<(Array, Array)> {
        let (c, ()) = scan_with(ScanOptions::new().length(3), inner, c, ())?;
        Ok((&c * &a, c))
    };
    scan_with(ScanOptions::new().length(2), outer, x, ())
}

fn integer_carry([xs]: [Array; 1]) -> Result<Array> {
    let step = |(i, total): (Array, Array), x: Array| {
        let total = total + i.cast(DType::F64) * x.powi(2);
        ((i + 1, total), ())
    };
    let ((_, total), ()) = scan(step, (Array::from(0i64), Array::from(0.0)), xs)?;
    Ok(total)
}

fn fori_static([x]: [Array; 1]) -> Result<Array> {
    fori_loop(0, 5, |i: Array, x: Array| &x * x.cos() + i.cast(DType::F64) * 0.1, x)
}

fn fori_index([coefficients, x]: [Array; 2]) -> Result<Array> {
    let n = coefficients.len();
    let last = n as i64 - 1;
    fori_loop(0, n, |i: Array, y: Array| y * &x + coefficients.dynamic_index(&(last - i), 0), zeros_like(&x))
}

/// The cube root of `a`, until the step is below 1e-12.
fn while_newton([a]: [Array; 1]) -> Result<Array> {
    let step = |(x, _): (Array, Array)| {
        let new = &x - (x.powi(3) - &a) / (x.powi(2) * 3.0);
        (new.clone(), (new - x).abs())
    };
    let (x, _) = while_loop(|(_, step): (Array, Array)| step.gt(1e-12), step, (ones_like(&a), ones_like(&a)))?;
    Ok(x)
}

/// Each lane of a batch runs a different number of trips.
fn while_doubling([x, factor]: [Array; 2]) -> Result<Array> {
    while_loop(|y: Array| y.lt(10.0), |y: Array| &factor * y + 0.5, x)
}

fn while_array_state([m, v]: [Array; 2]) -> Result<Array> {
    let step = |(i, v): (Array, Array)| (i + 1, m.matmul(&v).tanh());
    let (_, v) = while_loop(|(i, _): (Array, Array)| i.lt(4), step, (Array::from(0i64), v))?;
    Ok(v)
}

fn cond_scalar([x, y]: [Array; 2]) -> Result<Array> {
    cond(&x.gt(0.0), |()| x.log() * &y, |()| &x * y.powi(2), ())
}

/// The branch not taken is infinite or NaN at some lanes; those lanes must not see it.
fn cond_singular([x]: [Array; 1]) -> Result<Array> {
    cond(&x.gt(0.0), |x: Array| x.sqrt() + x.log(), |x: Array| x.powi(2), x.clone())
}

fn cond_operands([x, y]: [Array; 2]) -> Result<(Array, Array)> {
    cond(
        &x.sum().gt(y.sum()),
        |(x, y): (Array, Array)| (x * &y, y),
        |(x, y): (Array, Array)| (&x - y, x.sin()),
        (x.clone(), y.clone()),
    )
}

/// The index is the floor of a float input; out of range it clamps.
fn switch_three([i, x]: [Array; 2]) -> Result<Array> {
    let index = i.floor().cast(DType::I64);
    switch(&index, &[&|x: Array| Ok(x.powi(2)), &|x: Array| Ok(x.sin()), &|x: Array| Ok((-x).exp())], x)
}

fn cond_in_scan([a, xs]: [Array; 2]) -> Result<(Array, Array)> {
    let step = |c: Array, x: Array| -> Result<(Array, Array)> {
        let c = cond(&c.gt(&x), |c: Array| &a * c, |c: Array| c + x.powi(2), c.clone())?;
        Ok((c.clone(), c))
    };
    scan(step, &a * 0.5, xs)
}

fn checkpointed([a, x]: [Array; 2]) -> Result<Array> {
    let layer = checkpoint(|x: Array| (&a * &x).sin() + x);
    layer(layer(layer(x)?)?)
}

fn checkpoint_in_scan([a, x]: [Array; 2]) -> Result<Array> {
    let step = checkpoint(|c: Array| (&a * &c).tanh() + c.powi(2) * 0.1);
    let (c, ()) = scan_with(ScanOptions::new().length(4), |c: Array, ()| step(c).map(|c| (c, ())), x, ())?;
    Ok(c)
}

fn softplus(x: Array) -> Result<Array> {
    let value = |x: &Array| (x.exp() + 1.0).log();
    custom_jvp(move |x: Array| value(&x), move |x: Array, t: Array| (value(&x), t / ((-x).exp() + 1.0)))(x)
}

fn custom_jvp_stable([x]: [Array; 1]) -> Result<Array> {
    softplus(x)
}

/// x² with a wrong derivative, which shows that the rule is used, and differentiated again at the next order.
///
/// Rules are staged where the function is called, so a rule that calls its function says up to which order.
fn tripled(x: Array, order: usize) -> Result<Array> {
    if order == 0 {
        return Ok(&x * &x);
    }
    custom_jvp(
        |x: Array| &x * &x,
        |x: Array, t: Array| -> Result<(Array, Array)> { Ok((tripled(x.clone(), order - 1)?, 3.0 * &x * x * t)) },
    )(x)
}

fn custom_jvp_wrong([x]: [Array; 1]) -> Result<Array> {
    Ok(tripled(x, 2)?.sin())
}

fn custom_vjp_clip([x, limit]: [Array; 2]) -> Result<Array> {
    let value = |(x, limit): &(Array, Array)| x * ones_like(limit);
    let clipped = custom_vjp(
        |x: (Array, Array)| value(&x),
        |x: (Array, Array)| (value(&x), x.1),
        |limit: Array, ct: Array| (ct.clamp(-&limit, &limit), zeros_like(&limit)),
    );
    Ok(clipped((x, limit))?.powi(2))
}

fn stopped([x, y]: [Array; 2]) -> Array {
    &x * stop_gradient(&(&x * &y)) + y.sin()
}

/// A gradient inside a loop, differentiated from outside by the step size.
fn gradient_descent([rate, x, target]: [Array; 3]) -> Result<Array> {
    let loss = |x: Array| (x.sin() - &target).powi(2).sum();
    let step = |x: Array, ()| -> Result<(Array, ())> { Ok((&x - &rate * grad(loss)(x.clone())?, ())) };
    let (x, ()) = scan_with(ScanOptions::new().length(4), step, x, ())?;
    Ok(loss(x))
}

/// The classical test for perturbation confusion.
fn nested_gradients([x]: [Array; 1]) -> Result<Array> {
    Ok(&x * grad(|y: Array| &x + y.powi(2) * &x)(Array::from(2.0))?)
}

fn vmap_inside([w, x]: [Array; 2]) -> Result<Array> {
    vmap(|row: Array| fori_loop(0, 2, |_, c: Array| (c * &row).sin(), x.clone()))(w)
}
