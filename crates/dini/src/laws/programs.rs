//! Cases that public functions make: all primitives with sub-programs or effects, and the few others whose operands
//! random numbers do not fit.
//!
//! Bodies, branches, rules and solvers close over operands, so that captures are batched, differentiated and staged like
//! any other operand.

use super::{Case, sample};
use crate::{
    DType, LinearSolveOptions, Policy, ScanOptions, array::Array, checkpoint_name, checkpoint_with, cond, custom_jvp,
    custom_linear_solve, custom_linear_solve_transposable, custom_linear_solve_with, custom_root, custom_vjp,
    custom_vjp_with_jvp, define_implicit_gradient, det, ensure, error::Result, fori_loop, grad, host_call, inspect,
    jit, jvp, polygamma, prim::linalg::cholesky::cholesky, scan, scan_with, stop_gradient_fn, switch, testing::Modes,
    while_loop, without_gradients,
};
use std::sync::Arc;

/// A linear map on arrays.
type Linear<'a> = &'a dyn Fn(Array) -> Result<Array>;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for part in [special, calls, rules, branches, loops, scans, host, solvers] {
        part(&mut cases);
    }
    cases
}

fn case<const N: usize>(
    cases: &mut Vec<Case>,
    name: &'static str,
    what: &str,
    operands: &str,
    f: impl Fn([Array; N]) -> Result<Vec<Array>> + 'static,
) {
    let function = move |xs: &[Array]| match <[Array; N]>::try_from(xs.to_vec()) {
        Ok(xs) => f(xs),
        Err(xs) => panic!("the case takes {N} operands, got {}", xs.len()),
    };
    cases.push(Case {
        name,
        sample: format!("({what}) {operands:?}"),
        operands: sample::parse(operands),
        function: Arc::new(function),
        prim: None,
        modes: Modes::Both,
        order: 2,
    });
}

/// Says which kinds of differentiation the last case has.
fn only(cases: &mut [Case], modes: Modes) {
    if let Some(case) = cases.last_mut() {
        case.modes = modes;
    }
}

/// Operands that must be special: a whole number, a positive-definite matrix.
fn special(cases: &mut Vec<Case>) {
    case(cases, "polygamma", "a known order", "f64[3]@0.5..3", |[x]| Ok(vec![polygamma(&Array::from(2.0), &x)]));
    case(cases, "cholesky", "of a positive-definite matrix", "f64[3,3]", |[x]| {
        Ok(vec![cholesky(&(x.matmul(&x.transpose()) + Array::eye(3, DType::F64)))])
    });
    for operands in ["f64[4,4]", "f64[2,5,5]", "f32[4,4]"] {
        case(cases, "det", "by a factorization", operands, |[a]| Ok(vec![det(&a)]));
        case(cases, "cofactors", "in a gradient", operands, |[a]| Ok(vec![grad(|a: Array| det(&a).sum())(a)?]));
    }
    // Rank 2 or less: everything up to order 3 is of the small pivots.
    case(cases, "cofactors", "of a singular matrix", "f64[4,2] f64[2,4] f64[4,4]", |[x, y, e]| {
        Ok(vec![jvp(|a: Array| det(&a), x.matmul(&y), e)?.1])
    });
}

fn calls(cases: &mut Vec<Case>) {
    case(cases, "call", "two results", "f64[3] f64[] i32[2]", |[x, y, i]| {
        jit(|(x, y, i): (Array, Array, Array)| vec![x.sin() * &y, i + 1i64, y.exp()])((x, y, i))
    });
    case(cases, "call", "with a capture, nested", "f64[2,3] f32[3]", |[x, y]| {
        let inner = jit(|y: Array| y.cast(DType::F64) * &x);
        jit(|y: Array| Ok(vec![inner(y)?.cos()]))(y)
    });
    // Staged, the solver is a suspended program.
    case(cases, "suspend", "a solver", "f64[3]@0.5..2", |[a]| {
        let tangent_solve = |g: Linear<'_>, y: Array| Ok(y / g(Array::ones(&[3], DType::F64))?);
        let root = |a: Array| {
            let f = |x: Array| &x * &x - &a;
            custom_root(f, Array::ones(&[3], DType::F64), |_: Linear<'_>, guess: Array| a.sqrt() * guess, tangent_solve)
        };
        Ok(vec![root(a)?.sin()])
    });
    // What is constant around the operands may be suspended at will.
    case(cases, "suspend", "locally constant", "f64[3] f64[]@0.1..0.4", |[x, y]| {
        let steps = without_gradients(|| (&y + &x * 4.0).floor())?;
        Ok(vec![steps * x.sin() + y])
    });
    case(cases, "call", "with stopped captures, locally constant", "f64[3] f64[]@0.1..0.4", |[x, y]| {
        let steps = stop_gradient_fn(|y: Array| (&y + &x * 4.0).floor())(y.clone())?;
        Ok(vec![steps * x.sin() + y])
    });
    for policy in [Policy::Nothing, Policy::Everything, Policy::Dots, Policy::Names(vec!["kept".into()])] {
        case(cases, "checkpoint", &format!("{policy:?}"), "f64[2,3] f64[3,2] f64[2]", move |[x, y, z]| {
            let f = |(x, y): (Array, Array)| {
                let product = x.sin().dot(&y.cos());
                let kept = checkpoint_name(&product.exp(), "kept");
                vec![kept * &z, x]
            };
            checkpoint_with(policy.clone(), f)((x, y))
        });
    }
}

/// Functions with derivative rules. The rules agree with the functions, and so with finite differences.
fn rules(cases: &mut Vec<Case>) {
    case(cases, "custom_jvp", "with captures", "f64[3] f64[3] f64[]", |[x, y, z]| {
        let f = custom_jvp(
            |(x, y): (Array, Array)| (x.sin() * &y * &z, y),
            |(x, y): (Array, Array), (s, t): (Array, Array)| {
                let primal = (x.sin() * &y * &z, y.clone());
                let tangent = (x.cos() * &y * &z * s + x.sin() * &z * &t, t);
                (primal, tangent)
            },
        );
        let (a, b) = f((x, y))?;
        Ok(vec![a, b])
    });
    case(cases, "custom_vjp", "with a forward rule and captures", "f64[3] f64[]", |[x, z]| {
        let f = custom_vjp_with_jvp(
            |x: Array| x.sin() * &z,
            |x: Array| (x.sin() * &z, x.cos() * &z),
            |slope: Array, ct: Array| slope * ct,
            |x: Array, t: Array| x.cos() * &z * t,
        );
        Ok(vec![f(x)?])
    });
    case(cases, "custom_vjp", "without a forward rule", "f64[3] i32[3] f64[]", |[x, i, z]| {
        let f = custom_vjp(
            |(x, i): (Array, Array)| x.exp() * i.cast(DType::F64) * &z,
            |(x, i): (Array, Array)| (x.exp() * i.cast(DType::F64) * &z, (x.exp() * i.cast(DType::F64) * &z, i)),
            |(slope, i): (Array, Array), ct: Array| (slope * ct, Array::zeros(i.shape(), DType::Float0)),
        );
        Ok(vec![f((x, i))?])
    });
    only(cases, Modes::Reverse);
}

fn branches(cases: &mut Vec<Case>) {
    case(cases, "switch", "cond with captures", "bool[] f64[3] f64[]", |[p, x, y]| {
        Ok(vec![cond(&p, |x: Array| x.sin() * &y, |x: Array| &x * &x, x)?])
    });
    case(cases, "switch", "a predicate of an operand", "f64[] f64[2]@0.5..2", |[x, y]| {
        Ok(vec![cond(&x.gt(0.0), |y: Array| y.sqrt() * &x, |y: Array| y.exp(), y)?])
    });
    case(cases, "switch", "three branches, two results", "i32[]@-1..4 f64[2] f64[] i64[2]", |[k, x, y, i]| {
        switch(
            &k,
            &[
                &|(x, i): (Array, Array)| Ok(vec![x.cos(), i]),
                &|(x, i): (Array, Array)| Ok(vec![x * &y, &i + 1i64]),
                &|(x, i): (Array, Array)| Ok(vec![&x * 0.0 + &y, i]),
            ],
            (x, i),
        )
    });
}

fn loops(cases: &mut Vec<Case>) {
    case(cases, "while_loop", "counted by an operand", "i32[]@0..4 f64[2] f64[]", |[n, x, y]| {
        let (_, x) = while_loop(
            |(i, _): (Array, Array)| i.lt(&n),
            |(i, x): (Array, Array)| (i + 1i64, (&x * &y).sin() + &x),
            (Array::from(0i32), x),
        )?;
        Ok(vec![x])
    });
    only(cases, Modes::Forward);
    case(cases, "while_loop", "until a bound, one carry constant", "f64[]@1.1..1.3 f64[3]", |[x, y]| {
        let (x, y, _) = while_loop(
            |(x, _, bound): (Array, Array, Array)| x.lt(&bound),
            |(x, y, bound): (Array, Array, Array)| (&x * &x, y * &x, bound),
            (x, y, Array::from(5.0)),
        )?;
        Ok(vec![x, y])
    });
    only(cases, Modes::Forward);
    case(cases, "while_loop", "of what has no derivative", "i64[3]@-3..20 f64[]", |[i, x]| {
        let i = while_loop(|i: Array| i.lt(20i64).any(), |i: Array| crate::select(&i.lt(20i64), &(&i + 7i64), &i), i)?;
        Ok(vec![i.cast(DType::F64) * x, i])
    });
}

fn scans(cases: &mut Vec<Case>) {
    case(cases, "scan", "a carry, slices and a capture", "f64[2] f64[4,2] f64[]", |[c, xs, y]| {
        let step = |c: Array, x: Array| {
            let c = (&c * &y + &x).sin();
            (c.clone(), (c * &x, x))
        };
        let (c, (ys, zs)) = scan(step, c, xs)?;
        Ok(vec![c, ys, zs])
    });
    case(cases, "scan", "reversed, unrolled, an integer carry", "f64[] i32[] f64[5]", |[c, i, xs]| {
        let step = |(c, i): (Array, Array), x: Array| {
            let c = c * x.cos() + i.cast(DType::F64);
            ((c.clone(), i + 1i64), c)
        };
        let ((c, i), ys) = scan_with(ScanOptions::new().reverse().unroll(2), step, (c, i), xs)?;
        Ok(vec![c, i, ys])
    });
    case(cases, "scan", "no steps", "f64[2] f64[0,3]", |[c, xs]| {
        let (c, ys) = scan(|c: Array, x: Array| (c.sin(), x.sin()), c, xs)?;
        Ok(vec![c, ys])
    });
    case(cases, "scan", "leaves without elements", "f64[0] f64[2,0] f64[2]", |[c, xs, zs]| {
        let (c, ys) = scan(|c: Array, (x, z): (Array, Array)| (c + &x * &z, z.exp()), c, (xs, zs))?;
        Ok(vec![c, ys])
    });
    case(cases, "scan", "a loop with fixed bounds", "f64[3] f64[]", |[x, y]| {
        Ok(vec![fori_loop(1, 4, |i: Array, c: Array| (c * &y).sin() + i.cast(DType::F64), x)?])
    });
    case(cases, "scan", "of scans", "f64[] f64[3,2]", |[c, xs]| {
        let row = |c: Array, row: Array| scan(|c: Array, x: Array| ((&c * x).sin(), c), c, row);
        let (c, ys) = scan(row, c, xs)?;
        Ok(vec![c, ys])
    });
}

fn host(cases: &mut Vec<Case>) {
    case(cases, "host_call", "of integers, next to floats", "i64[2] f64[3]", |[i, x]| {
        let double = |i: Array| i * 2i64;
        let sum = host_call(double, &Array::zeros(&[2], DType::I64), i)?.sum();
        Ok(vec![sum.cast(DType::F64) * x.sin()])
    });
    case(cases, "host_call", "under a rule", "f64[3]", |[x]| {
        let native = |x: Array| host_call(|x: Array| x.sin(), &Array::zeros(&[3], DType::F64), x);
        let f = custom_jvp(native, |x: Array, t: Array| -> Result<(Array, Array)> {
            Ok((native(x.clone())?, x.cos() * t))
        });
        Ok(vec![f(x)?])
    });
    case(cases, "inspect", "two values", "f64[3] i32[]", |[x, i]| {
        let (x, i) = inspect(|_: (Array, Array)| {}, &(x.sin(), i))?;
        Ok(vec![x, i])
    });
    case(cases, "ensure", "a condition that holds", "f64[3]", |[x]| {
        ensure(&x.lt(2.0), "holds")?;
        Ok(vec![x.exp()])
    });
}

fn solvers(cases: &mut Vec<Case>) {
    // x² = a b, a root in closed form, so that finite differences are exact.
    case(cases, "implicit", "a root for each element", "f64[3]@0.5..2 f64[]@0.5..2", |[a, b]| {
        let f = |x: Array| &x * &x - &a * &b;
        let guess = Array::ones(&[3], DType::F64);
        let tangent_solve = |g: Linear<'_>, y: Array| Ok(y / g(Array::ones(&[3], DType::F64))?);
        Ok(vec![custom_root(f, guess, |_: Linear<'_>, _| (&a * &b).sqrt(), tangent_solve)?])
    });
    case(cases, "implicit", "a root found by a loop", "f64[]@0.5..2 f64[]@0.5..2", |[a, b]| {
        let f = |x: Array| &x * &x * &x - &a * &b;
        let newton = |f: Linear<'_>, x: Array| {
            let step = |x: Array| -> Result<Array> { Ok(&x - f(x.clone())? / (&x * &x * 3.0)) };
            while_loop(
                |(i, _): (Array, Array)| i.lt(40i64),
                |(i, x): (Array, Array)| -> Result<(Array, Array)> { Ok((i + 1i64, step(x)?)) },
                (Array::from(0i64), x),
            )
            .map(|(_, x)| x)
        };
        let tangent_solve = |g: Linear<'_>, y: Array| Ok(y / g(Array::from(1.0))?);
        Ok(vec![custom_root(f, Array::from(1.0), newton, tangent_solve)?])
    });
    // x + M x³ / 8 = b, by a contraction; its linearization too.
    case(cases, "implicit", "a vector, two leaves", "f64[2,2] f64[2] f64[]@0.5..2", |[m, b, s]| {
        let f = |(x, y): (Array, Array)| (&x + m.dot(&x.powi(3)) * 0.125 - &b * &y, &y - &s);
        let solve =
            |_: &dyn Fn((Array, Array)) -> Result<(Array, Array)>, (x, _): (Array, Array)| -> Result<(Array, Array)> {
                let x = fori_loop(0, 60, |_, x: Array| &b * &s - m.dot(&x.powi(3)) * 0.125, x)?;
                Ok((x, s.clone()))
            };
        let tangent_solve = |g: &dyn Fn((Array, Array)) -> Result<(Array, Array)>, (u, v): (Array, Array)| {
            let step = |_: Array, (x, y): (Array, Array)| -> Result<(Array, Array)> {
                let (gx, gy) = g((x.clone(), y.clone()))?;
                Ok((&x + &u - gx, &y + &v - gy))
            };
            fori_loop(0, 80, step, (u.clone(), v.clone()))
        };
        let guess = (Array::zeros(&[2], DType::F64), Array::from(0.0));
        let (x, y) = custom_root(f, guess, solve, tangent_solve)?;
        Ok(vec![x, y])
    });
    case(cases, "implicit", "of a solution at hand", "f64[3]@0.5..2", |[a]| {
        let f = |x: Array| &x * &x - &a;
        let tangent_solve = |g: Linear<'_>, y: Array| Ok(y / g(Array::ones(&[3], DType::F64))?);
        Ok(vec![define_implicit_gradient(f, a.sqrt(), tangent_solve)?])
    });
    case(cases, "linear_solve", "symmetric", "f64[3]@0.5..2 f64[3]", |[d, b]| {
        let options = LinearSolveOptions::new().symmetric();
        Ok(vec![custom_linear_solve_with(options, |x: Array| x * &d, b, |_: Linear<'_>, b: Array| b / &d)?])
    });
    case(cases, "linear_solve", "with a transposed solve", "f64[2,2] f64[2]", |[m, b]| {
        let matvec = |x: Array| &x + m.dot(&x) * 0.25;
        let richardson = |a: Linear<'_>, b: Array| {
            fori_loop(0, 80, |_, x: Array| -> Result<Array> { Ok(&x + &b - a(x.clone())?) }, b.clone())
        };
        Ok(vec![custom_linear_solve_transposable(matvec, b, richardson, richardson)?])
    });
    case(cases, "linear_solve", "forward only", "f64[2]@0.5..2 f64[2]", |[d, b]| {
        Ok(vec![custom_linear_solve(|x: Array| x * &d, b, |_: Linear<'_>, b: Array| b / &d)?])
    });
    only(cases, Modes::Forward);
}
