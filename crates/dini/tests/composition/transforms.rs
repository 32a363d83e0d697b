//! Each transformation as a map of flat functions, with the plain form that serves as its reference.

use super::flat::{Flat, direction, flat, weighted};
use dini::{Vmap as VmapOptions, prelude::*, stack};

/// A transformation of flat functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    Grad,
    Vjp,
    Jacrev,
    Jvp,
    Linearize,
    Jacfwd,
    Vmap,
    VmapPartly,
    Jit,
    Checkpoint,
    CustomJvp,
    CustomVjp,
    Scan,
    Cond,
    Root,
    LinearSolve,
    Stopped,
}

use Transform::*;

/// Every transformation.
pub const ALL: [Transform; 17] = [
    Grad,
    Vjp,
    Jacrev,
    Jvp,
    Linearize,
    Jacfwd,
    Vmap,
    VmapPartly,
    Jit,
    Checkpoint,
    CustomJvp,
    CustomVjp,
    Scan,
    Cond,
    Root,
    LinearSolve,
    Stopped,
];

/// Those of which all triples are formed by default.
pub const CORE: [Transform; 6] = [Grad, Jvp, VmapPartly, Jit, Scan, Root];

const LANES: [f64; 3] = [0.0, -0.22, 0.25];

fn mix(lanes: &[f64], i: usize, x: &Array) -> Vec<Array> {
    lanes.iter().map(|d| x + d * (1.0 - 0.5 * i as f64)).collect()
}

fn lane_weights() -> Vec<f64> {
    (0..LANES.len()).map(|l| 0.5 + 0.25 * l as f64).collect()
}

/// Sum over the leading axis with a weight for each lane.
fn gather_lanes(y: &Array) -> Array {
    let mut shape = vec![LANES.len()];
    shape.resize(y.ndim(), 1);
    (y * Array::from(lane_weights()).reshape(&shape)).sum_axis(0)
}

fn vectorized(f: Flat, partly: bool) -> Flat {
    flat(move |xs| {
        let ys = if partly {
            let f = |(x, rest): (Array, Vec<Array>)| f([vec![x], rest].concat());
            let options = VmapOptions::new().in_axes((0, None));
            vmap_with(options, f)((stack(&mix(&LANES, 0, &xs[0]), 0), xs[1..].to_vec()))?
        } else {
            let stacks = xs.iter().enumerate().map(|(i, x)| stack(&mix(&LANES, i, x), 0)).collect();
            vmap(|xs: Vec<Array>| f(xs))(stacks)?
        };
        Ok(ys.iter().map(gather_lanes).collect())
    })
}

/// The same, lane by lane.
fn looped(f: Flat, partly: bool) -> Flat {
    flat(move |xs| {
        let mut sums: Option<Vec<Array>> = None;
        for (l, w) in lane_weights().into_iter().enumerate() {
            let lane: Vec<Array> = xs
                .iter()
                .enumerate()
                .map(|(i, x)| if partly && i > 0 { x.clone() } else { mix(&LANES[l..=l], i, x)[0].clone() })
                .collect();
            let ys: Vec<Array> = f(lane)?.iter().map(|y| y * w).collect();
            sums = Some(match sums {
                None => ys,
                Some(sums) => sums.iter().zip(&ys).map(|(a, b)| a + b).collect(),
            });
        }
        Ok(sums.unwrap_or_default())
    })
}

fn ones(ys: &[Array]) -> Vec<Array> {
    ys.iter().map(|y| y * 0.0 + 1.0).collect()
}

/// The transformation under test.
pub fn apply(t: Transform, f: Flat) -> Flat {
    let call = move |xs: Vec<Array>| f(xs);
    match t {
        Grad => flat(grad(move |xs: Vec<Array>| call(xs).map(|ys| weighted(&ys)))),
        Vjp => flat(move |xs| {
            let (ys, pullback) = vjp(&call, xs)?;
            pullback(direction(&ys, 0.2))
        }),
        Jacrev => flat(move |xs| Ok(jacrev(&call)(xs)?.into_iter().flatten().map(|b| b.sum()).collect())),
        Jacfwd => flat(move |xs| Ok(jacfwd(&call)(xs)?.into_iter().flatten().map(|b| b.sum()).collect())),
        Jvp => flat(move |xs| {
            let t = direction(&xs, 0.5);
            let (mut ys, ts) = jvp(&call, xs, t)?;
            ys.extend(ts);
            Ok(ys)
        }),
        Linearize => flat(move |xs| {
            let t = direction(&xs, 0.5);
            let (mut ys, df) = linearize(&call, xs)?;
            ys.extend(df(t)?);
            Ok(ys)
        }),
        Vmap => vectorized(flat(call), false),
        VmapPartly => vectorized(flat(call), true),
        Jit => flat(jit(call)),
        Checkpoint => flat(checkpoint(call)),
        CustomJvp => flat(move |xs| custom_jvp(&call, |xs: Vec<Array>, ts: Vec<Array>| jvp(&call, xs, ts))(xs)),
        CustomVjp => flat(move |xs| {
            let forward = |xs: Vec<Array>| call(xs.clone()).map(|ys| (ys, xs));
            let backward = |xs: Vec<Array>, cts: Vec<Array>| vjp(&call, xs)?.1(cts);
            custom_vjp(&call, forward, backward)(xs)
        }),
        // The body closes over the arguments and over the shapes of the result.
        Scan => flat(move |xs| {
            let zeros: Vec<Array> = call(xs.clone())?.iter().map(|y| stop_gradient(&(y * 0.0))).collect();
            let body = |sums: Vec<Array>, w: Array| {
                let ys = call(xs.clone())?;
                let sums: Vec<Array> = sums.iter().zip(&ys).map(|(s, y)| s + y * &w).collect();
                Ok::<_, Error>((sums, ()))
            };
            scan(body, zeros, Array::from(vec![0.75, 0.25])).map(|(sums, ())| sums)
        }),
        // The predicate is traced too; both branches are the function, on captures and on the operand.
        Cond => flat(move |xs| cond(&xs[0].gt(0.5), |_: Vec<Array>| call(xs.clone()), &call, xs.clone())),
        // u − f(x) = 0.
        Root => flat(move |xs| {
            let guess = ones(&call(xs.clone())?);
            custom_root(
                |u: Vec<Array>| Ok(u.iter().zip(call(xs.clone())?).map(|(u, y)| u - y).collect()),
                guess,
                |f, guess| Ok(guess.iter().zip(f(guess.clone())?).map(|(u, r)| u - r).collect()),
                |g, b| g(b),
            )
        }),
        // 2 u = 2 f(x), with the factor captured.
        LinearSolve => flat(move |xs| {
            let two = &xs[0] * 0.0 + 2.0;
            let b: Vec<Array> = call(xs)?.iter().map(|y| y * 2.0).collect();
            custom_linear_solve_with(
                LinearSolveOptions::new().symmetric(),
                |u: Vec<Array>| u.iter().map(|u| u * &two).collect::<Vec<_>>(),
                b,
                |_, b: Vec<Array>| b.iter().map(|b| b / &two).collect::<Vec<_>>(),
            )
        }),
        // Stops everything that is only captured; here that is nothing.
        Stopped => flat(move |xs| stop_gradient_fn(&call)(xs)),
    }
}

/// The transformation in the plainest form.
pub fn reference(t: Transform, f: Flat) -> Flat {
    match t {
        Grad | Vjp | Jvp | Linearize | Jacrev | Jacfwd => apply(t, f),
        Vmap => looped(f, false),
        VmapPartly => looped(f, true),
        Jit | Checkpoint | CustomJvp | CustomVjp | Scan | Cond | Root | LinearSolve | Stopped => f,
    }
}
