//! One base function per higher-order primitive, each with a partner of elementwise operations.
//!
//! Every function takes a scalar x and a vector v of 2. They are smooth for x in 0.04..1.5 and v in 0..2, which all lanes of
//! all nestings stay in.

use super::{
    expected::Lacks,
    flat::{Flat, flat},
    solves::{diagonal, newton},
};
use dini::{cholesky, cholesky_solve, lu, lu_solve, prelude::*, stack};
use std::collections::BTreeMap;

/// A function under test and what it must agree with.
pub struct Base {
    pub name: &'static str,
    pub f: Flat,
    pub reference: Flat,
    pub lacks: Lacks,
}

fn base(
    name: &'static str,
    lacks: Lacks,
    f: impl Fn(Array, Array) -> Result<Vec<Array>> + 'static,
    reference: impl Fn(Array, Array) -> Vec<Array> + 'static,
) -> Base {
    Base {
        name,
        f: flat(move |xs| f(xs[0].clone(), xs[1].clone())),
        reference: flat(move |xs| Ok(reference(xs[0].clone(), xs[1].clone()))),
        lacks,
    }
}

/// The loop body of the counted loops: it uses the counter, the carry and both captures.
fn step(k: &Array, y: &Array, x: &Array, v: &Array) -> Array {
    (y * x + v * 0.5).sin() + k.cast(DType::F64) * 0.1 * x
}

fn steps(n: i32, x: &Array, v: &Array) -> Array {
    (0..n).fold(v.clone(), |y, k| step(&Array::from(k), &y, x, v))
}

pub fn while_counted() -> Base {
    base(
        "while_counted",
        Lacks::REVERSE,
        |x, v| {
            let (_, y) = while_loop(
                |(k, _): (Array, Array)| k.lt(3),
                |(k, y): (Array, Array)| (&k + 1, step(&k, &y, &x, &v)),
                (Array::from(0i32), v.clone()),
            )?;
            Ok(vec![y])
        },
        |x, v| vec![steps(3, &x, &v)],
    )
}

/// The number of steps depends on the lane, and the condition on a capture.
pub fn while_lanes() -> Base {
    base(
        "while_lanes",
        Lacks::REVERSE,
        |x, v| {
            let (y, z) = while_loop(
                |(y, _): (Array, Array)| y.lt(4.0 + &x),
                |(y, z): (Array, Array)| (&y * (1.3 + &x), z * &v + &y),
                (x.clone(), v.clone()),
            )?;
            Ok(vec![y, z])
        },
        |x, v| {
            let (mut y, mut z) = (x.clone(), v.clone());
            for _ in 0..40 {
                let goes_on = y.lt(4.0 + &x);
                let next = (select(&goes_on, &(&y * (1.3 + &x)), &y), select(&goes_on, &(&z * &v + &y), &z));
                (y, z) = next;
            }
            vec![y, z]
        },
    )
}

pub fn scanned() -> Base {
    base(
        "scanned",
        Lacks::NOTHING,
        |x, v| {
            let body = |(k, y): (Array, Array), w: Array| {
                let y = step(&k, &y, &x, &v) + &w;
                ((k + 1, y.clone()), (&y * &w, w.cos()))
            };
            let options = ScanOptions::new().reverse();
            let ((_, y), (ys, ws)) = scan_with(options, body, (Array::from(0i32), v.clone()), v.clone())?;
            Ok(vec![y, ys.sum_axis(0), ws])
        },
        |x, v| {
            let (mut y, mut sum) = (v.clone(), &v * 0.0);
            for k in 0..2i32 {
                let w = v.index(1 - k as isize);
                y = step(&Array::from(k), &y, &x, &v) + &w;
                sum += &y * w;
            }
            vec![y, sum, v.cos()]
        },
    )
}

pub fn fori_fixed() -> Base {
    base(
        "fori_fixed",
        Lacks::NOTHING,
        |x, v| Ok(vec![fori_loop(0, 3, |k, y: Array| step(&k, &y, &x, &v), v.clone())?]),
        |x, v| vec![steps(3, &x, &v)],
    )
}

/// The branch depends on the lane, and each branch is infinite or not a number where it is not taken.
pub fn branch() -> Base {
    base(
        "branch",
        Lacks::NOTHING,
        |x, v| {
            let y = cond(
                &x.gt(0.5),
                |v: Array| (&x - 0.5).sqrt() * &v * &x,
                |v: Array| (0.5 - &x).log() * v.sin() + &x,
                v.clone(),
            )?;
            Ok(vec![y])
        },
        |x, v| {
            let high = x.gt(0.5);
            // Safe operands, so that the reference does not rely on what is tested.
            let up = select(&high, &(&x - 0.5), &Array::from(1.0));
            let down = select(&high, &Array::from(1.0), &(0.5 - &x));
            vec![select(&high, &(up.sqrt() * &v * &x), &(down.log() * v.sin() + &x))]
        },
    )
}

pub fn switched() -> Base {
    base(
        "switched",
        Lacks::NOTHING,
        |x, v| {
            let index = (&x * 4.0).floor().cast(DType::I64) - 1;
            let y = switch(
                &index,
                &[&|v: Array| Ok(v.sin() * &x), &|v: Array| Ok(&v * &v), &|_| Ok(Array::from(vec![3.0, 4.0]))],
                v.clone(),
            )?;
            Ok(vec![y, &x * &v])
        },
        |x, v| {
            let index = (&x * 4.0).floor() - 1.0;
            let last = select(&index.lt(2.0), &(&v * &v), &Array::from(vec![3.0, 4.0]));
            vec![select(&index.lt(1.0), &(v.sin() * &x), &last), &x * &v]
        },
    )
}

pub fn mapped() -> Base {
    base(
        "mapped",
        Lacks::NOTHING,
        |x, v| Ok(vec![map(|w: Array| (&w * &x).sin() + &w * &w, v)?]),
        |x, v| vec![(&v * &x).sin() + &v * &v],
    )
}

/// u³ + u = s, by Cardano's formula.
fn cardano(s: &Array) -> Array {
    let half = s * 0.5;
    let root = (&half * &half + 1.0 / 27.0).sqrt();
    (&half + &root).cbrt() + (half - root).cbrt()
}

pub fn root_scalar() -> Base {
    base(
        "root_scalar",
        Lacks::NOTHING,
        |x, v| {
            let s = &x * &x + v.sum();
            let u = custom_root(|u: Array| &u * &u * &u + &u - &s, Array::from(1.0), newton, diagonal)?;
            Ok(vec![u])
        },
        |x, v| vec![cardano(&(&x * &x + v.sum()))],
    )
}

type Named = BTreeMap<&'static str, Array>;

fn named(a: Array, b: Array) -> Named {
    BTreeMap::from([("a", a), ("b", b)])
}

/// Unknowns of unequal shape in a dictionary; f captures both parameters, b's equation also the other unknown.
pub fn root_tree() -> Base {
    base(
        "root_tree",
        Lacks::NOTHING,
        |x, v| {
            let f = |u: Named| {
                let (a, b) = (&u["a"], &u["b"]);
                named(a * a - (&x + 1.0), b * b * b + b - (&v * a))
            };
            let solve = |_: &dyn Fn(Named) -> Result<Named>, _: Named| {
                let a = newton(&|a: Array| Ok(&a * &a - (&x + 1.0)), Array::from(1.0))?;
                let b = newton(&|b: Array| Ok(&b * &b * &b + &b - &v * &a), Array::from(vec![1.0, 1.0]))?;
                Ok::<_, Error>(named(a, b))
            };
            // The linearized system is lower triangular by blocks: unknown a first, then b.
            let tangent_solve = |g: &dyn Fn(Named) -> Result<Named>, r: Named| {
                let zero = || Array::from(vec![0.0, 0.0]);
                let ones = g(named(Array::from(1.0), zero()))?;
                let a = &r["a"] / &ones["a"];
                let slope = g(named(Array::from(0.0), zero() + 1.0))?;
                let b = (&r["b"] - &ones["b"] * &a) / &slope["b"];
                Ok::<_, Error>(named(a, b))
            };
            let guess = named(Array::from(1.0), Array::from(vec![1.0, 1.0]));
            let u = custom_root(f, guess, solve, tangent_solve)?;
            Ok(u.into_values().collect())
        },
        |x, v| {
            let a = (&x + 1.0).sqrt();
            let b = cardano(&(&v * &a));
            vec![a, b]
        },
    )
}

/// The residual contains a root: w² = u + x, and w = v₀ + v₁.
pub fn root_nested() -> Base {
    base(
        "root_nested",
        Lacks::NOTHING,
        |x, v| {
            let f = |u: Array| -> Result<Array> {
                let s = &u + &x;
                let w = custom_root(|w: Array| &w * &w - &s, Array::from(1.0), newton, diagonal)?;
                Ok(w - v.sum())
            };
            // The bracket keeps u + x positive; the root's own derivatives drive the outer iteration.
            let u = custom_root(f, Array::from(1.0), newton, diagonal)?;
            Ok(vec![u])
        },
        |x, v| vec![v.sum() * v.sum() - x],
    )
}

/// A scan, a cond and a linear solve inside f.
pub fn root_of_loops() -> Base {
    base(
        "root_of_loops",
        Lacks::NOTHING,
        |x, v| {
            let f = |u: Array| -> Result<Array> {
                let (sum, ()) = scan(|s: Array, w: Array| (s + &u * &w, ()), Array::from(0.0), v.clone())?;
                let cube = cond(&x.gt(0.5), |u: Array| &u * &u * &u, |u: Array| u.powi(3), u.clone())?;
                let halved = custom_linear_solve_with(
                    LinearSolveOptions::new().symmetric(),
                    |z: Array| z * 2.0,
                    &x * 2.0,
                    |_, b: Array| b / 2.0,
                )?;
                // u (v₀ + v₁) + u³ − x
                Ok(sum + cube - halved)
            };
            Ok(vec![custom_root(f, Array::from(0.5), newton, diagonal)?])
        },
        |x, v| {
            // u³ + p u = q
            let (p, q) = (v.sum() / 3.0, &x / 2.0);
            let root = (&q * &q + &p * &p * &p).sqrt();
            vec![(&q + &root).cbrt() - (root - q).cbrt()]
        },
    )
}

pub fn root_in_scan() -> Base {
    base(
        "root_in_scan",
        Lacks::NOTHING,
        |x, v| {
            let body = |c: Array, w: Array| {
                let s = &c * &x + &w + 1.0;
                let u = custom_root(|u: Array| &u * &u - &s, Array::from(1.0), newton, diagonal)?;
                Ok::<_, Error>((u.clone(), u * &w))
            };
            let (last, all) = scan(body, x.clone(), v.clone())?;
            Ok(vec![last, all])
        },
        |x, v| {
            let first = (&x * &x + v.index(0) + 1.0).sqrt();
            let second = (&first * &x + v.index(1) + 1.0).sqrt();
            vec![second.clone(), stack(&[first * v.index(0), second * v.index(1)], 0)]
        },
    )
}

/// The solution is computed by a Rust function on concrete numbers.
pub fn root_on_host() -> Base {
    base(
        "root_on_host",
        Lacks::NOTHING,
        |x, v| {
            let s = (&x + &v).exp();
            let solve = |_: &dyn Fn(Array) -> Result<Array>, guess: Array| {
                let bisect = |(s, guess): (Array, Array)| -> Result<Array> {
                    let _ = guess;
                    let roots = s.to_vec::<f64>()?.into_iter().map(|s| {
                        let (mut lo, mut hi) = (0.0, 100.0);
                        for _ in 0..200 {
                            let mid = 0.5 * (lo + hi);
                            if mid * mid < s { lo = mid } else { hi = mid }
                        }
                        lo
                    });
                    Ok(Array::from(roots.collect::<Vec<f64>>()))
                };
                host_call(bisect, &Array::from(vec![0.0, 0.0]), (s.clone(), guess))
            };
            Ok(vec![custom_root(|u: Array| &u * &u - &s, Array::from(vec![1.0, 1.0]), solve, diagonal)?])
        },
        |x, v| vec![((&x + &v) * 0.5).exp()],
    )
}

/// Aux of several types, which depends on the parameters and has no derivative.
pub fn root_with_aux() -> Base {
    base(
        "root_with_aux",
        Lacks::NOTHING,
        |x, v| {
            let s = &x + v.sum();
            let (u, (count, flag, third)) = custom_root_with_aux(
                |u: Array| &u * &u - &s,
                Array::from(1.0),
                |f, guess| {
                    let u = newton(f, guess)?;
                    Ok((u.clone(), ((u * 3.0).floor().cast(DType::I32), s.gt(0.1), &s * 3.0)))
                },
                diagonal,
            )?;
            let kept = count.cast(DType::F64) + flag.cast(DType::F64);
            Ok(vec![u, kept, third])
        },
        |x, v| {
            let s = &x + v.sum();
            let u = s.sqrt();
            let kept = (&u * 3.0).floor() + 1.0;
            vec![u, kept, stop_gradient(&(s * 3.0))]
        },
    )
}

/// No stopped value anywhere: the loop's own derivative must not be asked for.
pub fn implicit_of_while() -> Base {
    base(
        "implicit_of_while",
        Lacks::NOTHING,
        |x, v| {
            let s = (&x + &v).exp();
            let f = |u: Array| &u * &u * &u + &u - &s;
            let u = newton(&|u| Ok(f(u)), &s * 0.5)?;
            Ok(vec![define_implicit_gradient(f, u, diagonal)?])
        },
        |x, v| vec![cardano(&(&x + &v).exp())],
    )
}

/// [[2 + x, v₀], [v₀, 3 + v₁]]
fn symmetric_matrix(x: &Array, v: &Array) -> Array {
    let (a, b) = (v.index(0), v.index(1));
    stack(&[stack(&[x + 2.0, a.clone()], 0), stack(&[a, b + 3.0], 0)], 0)
}

/// [[2 + x, v₀ x], [−v₁, 3 + v₁]]
fn general_matrix(x: &Array, v: &Array) -> Array {
    let (a, b) = (v.index(0), v.index(1));
    stack(&[stack(&[x + 2.0, a * x], 0), stack(&[-&b, b + 3.0], 0)], 0)
}

fn right_hand_side(x: &Array, v: &Array) -> Array {
    v.sin() + x * x
}

/// By Cramer's rule.
fn cramer(m: &Array, b: &Array) -> Array {
    let at = |i: isize, j: isize| m.index((i, j));
    let (p, q) = (b.index(0), b.index(1));
    let determinant = at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0);
    stack(&[at(1, 1) * &p - at(0, 1) * &q, at(0, 0) * q - at(1, 0) * p], 0) / determinant
}

pub fn solve_symmetric() -> Base {
    base(
        "solve_symmetric",
        Lacks::NOTHING,
        |x, v| {
            let m = symmetric_matrix(&x, &v);
            let factor = cholesky(&m);
            let u = custom_linear_solve_with(
                LinearSolveOptions::new().symmetric(),
                |u: Array| m.dot(&u),
                right_hand_side(&x, &v),
                |_, b: Array| cholesky_solve(&factor, &b),
            )?;
            Ok(vec![u])
        },
        |x, v| vec![cramer(&symmetric_matrix(&x, &v), &right_hand_side(&x, &v))],
    )
}

/// A tuple of unknowns, LU with a transposed solve, and aux.
pub fn solve_transposable() -> Base {
    base(
        "solve_transposable",
        Lacks::NOTHING,
        |x, v| {
            let m = general_matrix(&x, &v);
            let (factors, _, permutation) = lu(&m);
            let by_factors = |(p, q): (Array, Array), transposed: bool| {
                let u = lu_solve(&factors, &permutation, &stack(&[p, q], 0), transposed);
                (u.index(0), u.index(1))
            };
            let b = right_hand_side(&x, &v);
            let ((p, q), aux) = custom_linear_solve_transposable_with_aux(
                |(p, q): (Array, Array)| {
                    let u = m.dot(&stack(&[p, q], 0));
                    (u.index(0), u.index(1))
                },
                (b.index(0), b.index(1)),
                |_, b| (by_factors(b, false), &x * 2.0),
                |_, b| by_factors(b, true),
            )?;
            Ok(vec![p, q, aux])
        },
        |x, v| {
            let u = cramer(&general_matrix(&x, &v), &right_hand_side(&x, &v));
            vec![u.index(0), u.index(1), stop_gradient(&(x * 2.0))]
        },
    )
}

/// Richardson's iteration, with nothing said about the transposed system.
pub fn solve_forward_only() -> Base {
    base(
        "solve_forward_only",
        Lacks::REVERSE,
        |x, v| {
            let m = general_matrix(&x, &v);
            let richardson = |matvec: &dyn Fn(Array) -> Result<Array>, b: Array| {
                fori_loop(0, 150, |_, u: Array| Ok::<_, Error>(&u + (&b - matvec(u.clone())?) * 0.25), &b * 0.25)
            };
            Ok(vec![custom_linear_solve(|u: Array| m.dot(&u), right_hand_side(&x, &v), richardson)?])
        },
        |x, v| vec![cramer(&general_matrix(&x, &v), &right_hand_side(&x, &v))],
    )
}

pub fn checkpointed() -> Base {
    base(
        "checkpointed",
        Lacks::NOTHING,
        |x, v| Ok(vec![checkpoint(|w: Array| ((&w * &x).sin() * &w).exp())(v)?]),
        |x, v| vec![((&v * x).sin() * &v).exp()],
    )
}

/// The function captures x: the rule covers v alone, x's part comes from the function itself.
pub fn ruled_forward() -> Base {
    base(
        "ruled_forward",
        Lacks::NOTHING,
        |x, v| {
            let y = custom_jvp(
                |w: Array| (&w * &x).sin(),
                |w: Array, t: Array| ((&w * &x).sin(), (&w * &x).cos() * &x * t),
            )(v)?;
            Ok(vec![y])
        },
        |x, v| vec![(v * x).sin()],
    )
}

pub fn ruled_backward() -> Base {
    base(
        "ruled_backward",
        Lacks::FORWARD,
        |x, v| {
            let y = custom_vjp(
                |w: Array| (&w * &x).sin(),
                |w: Array| ((&w * &x).sin(), w),
                |w: Array, ct: Array| (w * &x).cos() * &x * ct,
            )(v)?;
            Ok(vec![y])
        },
        |x, v| vec![(v * x).sin()],
    )
}

pub fn ruled_both() -> Base {
    base(
        "ruled_both",
        Lacks::NOTHING,
        |x, v| {
            let y = custom_vjp_with_jvp(
                |(w, n): (Array, Array)| (&w * &x).sin() + n.cast(DType::F64),
                |(w, n): (Array, Array)| ((&w * &x).sin() + n.cast(DType::F64), w),
                |w: Array, ct: Array| ((&w * &x).cos() * &x * ct, Array::from(0.0)),
                |(w, _): (Array, Array), (t, _): (Array, Array)| (&w * &x).cos() * &x * t,
            )((v, (&x * 2.0).floor().cast(DType::I32)))?;
            Ok(vec![y])
        },
        |x, v| vec![(v * &x).sin() + (x * 2.0).floor()],
    )
}

pub fn compiled() -> Base {
    base(
        "compiled",
        Lacks::NOTHING,
        |x, v| Ok(vec![jit(|w: Array| (&w * &x).sin() * &w)(v)?]),
        |x, v| vec![(&v * x).sin() * &v],
    )
}
