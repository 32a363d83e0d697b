//! Roots of one unknown: y² = x³ in every guise.

use super::harness::{Closed, POINTS, bisect, check, divide};
use dini::{DType, prelude::*};
use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const SQRT_CUBED: Closed = [|x| x.powf(1.5), |x| 1.5 * x.powf(0.5), |x| 0.75 * x.powf(-0.5)];

fn sqrt_cubed(x: Array) -> Result<Array> {
    custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), |f, _| bisect(f, 0.0, 100.0), divide)
}

#[test]
fn bisection() {
    check(sqrt_cubed, SQRT_CUBED);
}

#[test]
fn derivatives_to_order_four() {
    type Derivative = Box<dyn Fn(Array) -> Result<Array>>;
    let closed: [fn(f64) -> f64; 5] = [
        |x| x.powf(1.5),
        |x| 1.5 * x.powf(0.5),
        |x| 0.75 * x.powf(-0.5),
        |x| -0.375 * x.powf(-1.5),
        |x| 0.5625 * x.powf(-2.5),
    ];
    let forward = |f: Derivative| -> Derivative { Box::new(move |x| jvp(&f, x, Array::from(1.0)).map(|(_, t)| t)) };
    let reverse = |f: Derivative| -> Derivative { Box::new(grad(f)) };
    // Every sequence of modes.
    for modes in 0..16u32 {
        let mut f: Derivative = Box::new(sqrt_cubed);
        for (order, want) in closed.iter().enumerate() {
            for x in POINTS {
                let got = f(Array::from(x)).unwrap().item::<f64>().unwrap();
                assert!((got - want(x)).abs() < 1e-9, "order {order}, modes {modes:b}: got {got}, want {}", want(x));
            }
            if order < 4 {
                f = if modes >> order & 1 == 1 { reverse(f) } else { forward(f) };
            }
        }
    }
    let fourth = grad(grad(grad(grad(sqrt_cubed))));
    let got = jit(vmap(&fourth))(Array::from(POINTS.to_vec())).unwrap().to_vec::<f64>().unwrap();
    for (got, x) in got.iter().zip(POINTS) {
        assert!((got - closed[4](x)).abs() < 1e-9);
    }
}

#[test]
fn a_solution_computed_outside() {
    let f = |x: Array| {
        let solution = x.powi(3).sqrt();
        custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), |_, _| solution.clone(), divide)
    };
    check(f, SQRT_CUBED);
}

#[test]
fn a_solver_in_plain_rust() {
    let solve = |f: &dyn Fn(Array) -> Result<Array>, _: Array| -> Result<Array> {
        let (mut lo, mut hi) = (0.0, 100.0);
        for k in 0.. {
            let mid: f64 = 0.5 * (lo + hi);
            if hi - lo < 1e-13 || k > 200 {
                println!("{k} steps");
                break;
            }
            if f(Array::from(mid))?.item::<f64>()? < 0.0 { lo = mid } else { hi = mid }
        }
        Ok(Array::from(lo))
    };
    let f = |x: Array| custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), solve, divide);
    for x in POINTS {
        let slope = |x: Array| jvp(f, x, Array::from(1.0)).map(|(_, t)| t);
        let near = |y: Result<Array>, want: f64| {
            let y = y.unwrap().item::<f64>().unwrap();
            assert!((y - want).abs() < 1e-9, "{y} {want}");
        };
        let at = || Array::from(x);
        near(f(at()), SQRT_CUBED[0](x));
        near(grad(f)(at()), SQRT_CUBED[1](x));
        near(slope(at()), SQRT_CUBED[1](x));
        near(grad(grad(f))(at()), SQRT_CUBED[2](x));
        near(grad(slope)(at()), SQRT_CUBED[2](x));
        near(jvp(grad(f), at(), Array::from(1.0)).map(|(_, t)| t), SQRT_CUBED[2](x));
    }
    // Where values do not exist yet, the error says what to do.
    let e = jit(f)(Array::from(2.0)).unwrap_err();
    assert_eq!(e.kind(), dini::ErrorKind::Concretization);
    assert!(e.to_string().contains("host_call"), "{e}");
}

/// Differentiation inside the solver, of the residual that captures an outer tracer.
#[test]
fn a_solver_that_differentiates() {
    let solve = |f: &dyn Fn(Array) -> Result<Array>, guess: Array| -> Result<Array> {
        let mut y = guess;
        for _ in 0..60 {
            let slope = grad(f)(y.clone())?;
            y = &y - f(y.clone())? / slope;
        }
        Ok(y)
    };
    check(|x| custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), solve, divide), SQRT_CUBED);
}

fn native(cube: f64) -> f64 {
    let (mut lo, mut hi) = (0.0, 100.0);
    for _ in 0..200 {
        let mid = 0.5 * (lo + hi);
        if mid * mid < cube { lo = mid } else { hi = mid }
    }
    lo
}

#[test]
fn a_native_solver() {
    let f = |x: Array| {
        let cube = x.powi(3);
        let call = |cube: Array| Ok(Array::from(native(cube.item::<f64>()?)));
        custom_root(
            |y: Array| &y * &y - &cube,
            Array::from(1.0),
            |_, _| host_call(call, &Array::from(0.0), cube.clone()),
            divide,
        )
    };
    check(f, SQRT_CUBED);
}

#[test]
fn implicit_gradient_of_a_loop() {
    let f = |x: Array| {
        let residual = |y: Array| &y * &y - x.powi(3);
        let y = bisect(&|y| Ok(residual(y)), 0.0, 100.0)?;
        define_implicit_gradient(residual, y, divide)
    };
    check(f, SQRT_CUBED);
}

/// The loop has no derivative in what runs, in either mode.
#[test]
fn no_derivative_of_the_loop_is_compiled() {
    let f = |x: Array| {
        let residual = |y: Array| &y * &y - x.powi(3);
        let y = bisect(&|y| Ok(residual(y)), 0.0, 100.0)?;
        define_implicit_gradient(residual, y, divide)
    };
    let x = Array::from(2.0);
    let value = compiled_program_of(f, &x).unwrap();
    let reverse = compiled_program_of(grad(f), &x).unwrap();
    let forward = compiled_program_of(|x: Array| jvp(f, x, Array::from(1.0)), &x).unwrap();
    let second = compiled_program_of(grad(grad(f)), &x).unwrap();
    let size = |p: &dini::Program| p.counts().values().sum::<usize>();
    let loop_alone = size(&value);
    for p in [&reverse, &forward, &second] {
        assert_eq!(p.counts()["while_loop"], 1, "{p}");
        assert_eq!(p.counts().get("implicit"), None, "{p}");
        // The loop carries its two ends and nothing else.
        let eqn = p.eqns().iter().find(|e| e.outputs.len() > 1 || p.to_string().contains("while_loop")).unwrap();
        assert!(eqn.outputs.len() <= 2, "{p}");
    }
    assert!(size(&reverse) <= loop_alone + 12, "{reverse}");
    assert!(size(&forward) <= loop_alone + 12, "{forward}");
}

#[test]
fn aux_of_any_type_is_inert() {
    let f = |x: Array| {
        let (y, (steps, found, inert)) = custom_root_with_aux(
            |y: Array| &y * &y - x.powi(3),
            Array::from(1.0),
            |f, _| {
                let y = bisect(f, 0.0, 100.0)?;
                Ok((y.clone(), ((&y * 4.0).floor().cast(DType::I32), y.gt(0.0), (&x * 7.0, vec![y * 2.0]))))
            },
            divide,
        )?;
        let (scaled, doubled) = inert;
        // Every aux takes part in the value with derivative zero.
        let kept = steps.cast(DType::F64) + found.cast(DType::F64) + &scaled + &doubled[0];
        Ok(y + &kept - stop_gradient(&kept))
    };
    check(f, SQRT_CUBED);
    let (_, t) = jvp(
        |x: Array| {
            custom_root_with_aux(
                |y: Array| &y * &y - &x,
                Array::from(1.0),
                |_, _| (x.sqrt(), (x.floor().cast(DType::I64), x.gt(0.0), x.clone())),
                divide,
            )
        },
        Array::from(4.0),
        Array::from(1.0),
    )
    .unwrap();
    let (_, (integer, boolean, float)) = t;
    assert_eq!((integer.dtype(), boolean.dtype()), (DType::Float0, DType::Float0));
    assert_eq!(float.item::<f64>().unwrap(), 0.0);
}

#[test]
fn the_guess_has_derivative_zero() {
    let f = |guess: Array| {
        custom_root(
            |y: Array| &y * &y - 2.0,
            guess,
            |f, guess| fori_loop(0, 30, |_, y: Array| Ok::<_, Error>(&y - f(y.clone())? / (&y * 2.0)), guess),
            divide,
        )
    };
    let zero =
        |g: Result<Array>| assert_eq!(g.unwrap().to_vec::<f64>().unwrap().iter().map(|x| x.to_bits()).max(), Some(0));
    let x = || Array::from(1.2);
    zero(grad(f)(x()));
    zero(jit(grad(f))(x()));
    zero(grad(jit(f))(x()));
    zero(grad(grad(f))(x()));
    zero(jvp(f, x(), Array::from(1.0)).map(|(_, t)| t));
    zero(vmap(grad(f))(Array::from(vec![1.2, 1.3])));
    zero(jit(vmap(grad(f)))(Array::from(vec![1.2, 1.3])));
}

#[test]
fn a_residual_that_ignores_the_parameter() {
    let f = |x: Array| {
        let y = custom_root(|y: Array| &y * &y - 4.0, Array::from(1.0), |f, _| bisect(f, 0.0, 10.0), divide)?;
        Ok(y * 0.5 * x.pow(1.5))
    };
    check(f, SQRT_CUBED);
}

#[test]
fn integer_parameters() {
    let f = |x: Array| {
        let n = Array::from(3i64);
        let root = |(x, n): (Array, Array)| {
            let cube = x.pow(n.cast(DType::F64));
            custom_root(|y: Array| &y * &y - &cube, Array::from(1.0), |f, _| bisect(f, 0.0, 100.0), divide)
        };
        root((x, n))
    };
    check(f, SQRT_CUBED);
    let root = |(x, n): (Array, Array)| {
        let cube = x.pow(n.cast(DType::F64));
        custom_root(|y: Array| &y * &y - &cube, Array::from(1.0), |f, _| bisect(f, 0.0, 100.0), divide)
    };
    let (_, pullback) = vjp(root, (Array::from(4.0), Array::from(3i32))).unwrap();
    let (dx, dn) = pullback(Array::from(1.0)).unwrap();
    assert!((dx.item::<f64>().unwrap() - 3.0).abs() < 1e-9);
    assert_eq!(dn.dtype(), DType::Float0);
    // Cotangents of integers leave compiled functions too, with their shape.
    let many = |x: (Array, Array)| vmap(root)(x).map(|y| y.sum());
    let pull = |x: (Array, Array)| vjp(many, x)?.1(Array::from(1.0));
    let xs = (Array::from(vec![4.0, 9.0]), Array::from(vec![3i32, 3]));
    for (dx, dn) in [pull(xs.clone()).unwrap(), jit(pull)(xs).unwrap()] {
        assert!(dx.to_vec::<f64>().unwrap().iter().zip([3.0, 4.5]).all(|(a, b)| (a - b).abs() < 1e-9));
        assert_eq!((dn.dtype(), dn.shape()), (DType::Float0, &[2][..]));
    }
}

#[test]
fn none_and_empty_leaves_pass_through() {
    type Unknowns = (Array, Option<Array>, Vec<Array>, Array);
    let f = |x: Array| {
        let empty = Array::zeros(&[0, 3], DType::F64);
        let guess: Unknowns = (Array::from(1.0), None, Vec::new(), empty);
        let (y, none, list, empty) = custom_root(
            |(y, none, list, empty): Unknowns| (&y * &y - x.powi(3), none, list, empty * &x),
            guess,
            |f, (guess, none, list, empty)| {
                let own = |y: Array| Ok(f((y, None, Vec::new(), empty.clone()))?.0);
                let _ = guess;
                Ok((bisect(&own, 0.0, 100.0)?, none, list, empty.clone()))
            },
            |g, (b, none, list, empty)| {
                let slope = g((Array::from(1.0), None, Vec::new(), empty.clone()))?.0;
                Ok((b / slope, none, list, empty))
            },
        )?;
        assert!(none.is_none() && list.is_empty() && empty.shape() == [0, 3]);
        Ok(y + empty.sum())
    };
    check(f, SQRT_CUBED);
}

#[test]
fn rules_and_checkpoints_around_and_inside() {
    check(checkpoint(sqrt_cubed), SQRT_CUBED);
    check(custom_jvp(sqrt_cubed, |x, t| jvp(sqrt_cubed, x, t)), SQRT_CUBED);
    let inside = |x: Array| {
        let cube =
            |x: Array| custom_jvp(|x: Array| x.powi(3), |x: Array, t: Array| (x.powi(3), x.powi(2) * 3.0 * t))(x);
        custom_root(
            |y: Array| -> Result<Array> { Ok(&y * &y - cube(x.clone())?) },
            Array::from(1.0),
            |f, _| bisect(f, 0.0, 100.0),
            divide,
        )
    };
    check(inside, SQRT_CUBED);
    let reverse_rule = |x: Array| {
        let square = |y: Array| {
            custom_vjp_with_jvp(
                |y: Array| &y * &y,
                |y: Array| (&y * &y, y),
                |y: Array, ct: Array| y * 2.0 * ct,
                |y: Array, t: Array| y * 2.0 * t,
            )(y)
        };
        custom_root(
            |y: Array| -> Result<Array> { Ok(square(y)? - x.powi(3)) },
            Array::from(1.0),
            |f, _| bisect(f, 0.0, 100.0),
            divide,
        )
    };
    check(reverse_rule, SQRT_CUBED);
}

#[test]
fn roots_inside_loops_and_branches() {
    // Two steps of s ← √(s³), by three kinds of loop.
    let closed: Closed = [|x| x.powf(2.25), |x| 2.25 * x.powf(1.25), |x| 2.8125 * x.powf(0.25)];
    let scanned =
        |x: Array| scan_with(ScanOptions::new().length(2), |s, ()| Ok((sqrt_cubed(s)?, ())), x, ()).map(|(s, ())| s);
    check(scanned, closed);
    check(|x| fori_loop(0, 2, |_, s| sqrt_cubed(s), x), closed);
    let repeated = |x: Array| {
        let body = |(k, s): (Array, Array)| Ok((k + 1, sqrt_cubed(s)?));
        while_loop(|(k, _): (Array, Array)| k.lt(2), body, (Array::from(0i32), x)).map(|(_, s)| s)
    };
    super::harness::check_forward(repeated, closed);
    check(|x| cond(&x.gt(1.0), sqrt_cubed, |x: Array| sqrt_cubed(x), x.clone()), SQRT_CUBED);
    // One lane takes another branch.
    check(|x| cond(&x.gt(2.0), sqrt_cubed, |x: Array| x.pow(1.5), x.clone()), SQRT_CUBED);
}

/// One lane reaches the cap and one is not a number: the others do not notice.
#[test]
fn lanes_fail_alone() {
    let f = |x: Array| {
        let capped = |f: &dyn Fn(Array) -> Result<Array>, guess: Array| {
            let body = |(y, r, k): (Array, Array, Array)| {
                let y = &y - r / (&y * 2.0);
                Ok::<_, Error>((y.clone(), f(y)?, k + 1))
            };
            let goes_on = |(_, r, k): (Array, Array, Array)| r.abs().gt(1e-14) & k.lt(40);
            let start = (guess.clone(), f(guess)?, Array::from(0i32));
            while_loop(goes_on, body, start).map(|(y, _, _)| y)
        };
        custom_root(|y: Array| &y * &y - x.powi(3), Array::from(1.0), capped, divide)
    };
    // No root for a negative number: 40 steps that lead nowhere.
    let xs = vec![0.8, -1.0, 1.7, f64::NAN, 2.6];
    for wrap in [false, true] {
        let run = |g: &dyn Fn(Array) -> Result<Array>| {
            let xs = Array::from(xs.clone());
            let y = if wrap { jit(vmap(g))(xs) } else { vmap(g)(xs) };
            y.unwrap().to_vec::<f64>().unwrap()
        };
        for (order, got) in [run(&f), run(&grad(f)), run(&grad(grad(f)))].iter().enumerate() {
            for (lane, x) in [(0, 0.8), (2, 1.7), (4, 2.6)] {
                let want = SQRT_CUBED[order](x);
                assert!((got[lane] - want).abs() < 1e-9, "order {order}, lane {lane}: {} {want}", got[lane]);
            }
        }
    }
}

/// A linearized root is a linear map: using it, in whatever way, never runs the solver.
#[test]
fn linearized_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let f = move |x: Array| {
        let cube = x.powi(3);
        let counted = counted.clone();
        let call = move |cube: Array| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Array::from(native(cube.item::<f64>()?)))
        };
        custom_root(
            |y: Array| &y * &y - &cube,
            Array::from(1.0),
            |_, _| host_call(call.clone(), &Array::from(0.0), cube.clone()),
            divide,
        )
    };
    let (y, df) = linearize(&f, Array::from(4.0)).unwrap();
    assert_eq!((y.item::<f64>().unwrap() * 1e9).round(), 8e9);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let near = |x: &Array, want: &[f64]| {
        for (a, b) in x.to_vec::<f64>().unwrap().iter().zip(want) {
            assert!((a - b).abs() < 1e-9);
        }
    };
    near(&df(Array::from(1.0)).unwrap(), &[3.0]);
    near(&df(Array::from(2.0)).unwrap(), &[6.0]);
    near(&vmap(&df)(Array::from(vec![1.0, 2.0, 3.0])).unwrap(), &[3.0, 6.0, 9.0]);
    near(&linear_transpose(&df, Array::from(0.0))(Array::from(5.0)).unwrap(), &[15.0]);
    near(&jit(&df)(Array::from(1.0)).unwrap(), &[3.0]);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "the solver ran again");
    value_and_grad(&f)(Array::from(4.0)).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2, "value_and_grad costs one solve");
    let traced = Cell::new(0);
    let compiled = jit(|x: Array| {
        traced.set(traced.get() + 1);
        value_and_grad(&f)(x)
    });
    compiled(Array::from(4.0)).unwrap();
    compiled(Array::from(5.0)).unwrap();
    assert_eq!((traced.get(), calls.load(Ordering::Relaxed)), (1, 4));
}

/// Differentiation runs `f` once at the solution, however many programs it makes of it.
#[test]
fn what_f_shows_is_shown_once() {
    let seen = Arc::new(AtomicUsize::new(0));
    let root = |x: Array| {
        let seen = seen.clone();
        let f = move |y: Array, x: &Array| {
            let seen = seen.clone();
            let count = move |_: Array| {
                seen.fetch_add(1, Ordering::Relaxed);
            };
            inspect(count, &y).map(|y| &y * &y - x)
        };
        custom_root(|y: Array| f(y, &x), Array::from(1.0), |_, _| Array::from(2.0), divide)
    };
    let four = || Array::from(4.0);
    assert_eq!(grad(root)(four()).unwrap().item::<f64>().unwrap(), 0.25);
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1);
    assert_eq!(jit(grad(root))(four()).unwrap().item::<f64>().unwrap(), 0.25);
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1);
    jvp(root, four(), Array::from(1.0)).unwrap();
    assert_eq!(seen.swap(0, Ordering::Relaxed), 1);
}
