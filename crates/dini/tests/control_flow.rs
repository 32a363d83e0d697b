//! Control flow: loops, scans and branches at their edges, under every transformation.

use dini::{DType, ErrorKind, Vmap as VmapOptions, prelude::*, stack};
use std::sync::{Arc, Mutex};

fn f64s(x: &Array) -> Vec<f64> {
    x.to_vec().unwrap()
}

#[track_caller]
fn near(got: &Array, want: &[f64]) {
    let got = f64s(got);
    let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-10 * (1.0 + b.abs()) || a.is_nan() && b.is_nan();
    assert!(got.len() == want.len() && got.iter().zip(want).all(same), "got {got:?}, want {want:?}");
}

fn one() -> Array {
    Array::from(1.0)
}

/// A function of a scalar through `compute`, plain, compiled, differentiated in both modes, and both at once in both
/// orders of `vmap`.
#[track_caller]
fn check(f: impl Fn(Array) -> Result<Array>, points: &[f64], value: fn(f64) -> f64, slope: fn(f64) -> f64) {
    let values: Vec<f64> = points.iter().map(|x| value(*x)).collect();
    let slopes: Vec<f64> = points.iter().map(|x| slope(*x)).collect();
    let many = || Array::from(points.to_vec());
    let forward = |x: Array| jvp(&f, x, one()).map(|(_, t)| t);
    let total = |x: Array| vmap(&f)(x).map(|y| y.sum());
    for (i, x) in points.iter().enumerate() {
        near(&f(Array::from(*x)).unwrap(), &values[i..=i]);
        near(&jit(&f)(Array::from(*x)).unwrap(), &values[i..=i]);
        near(&grad(&f)(Array::from(*x)).unwrap(), &slopes[i..=i]);
        near(&jit(grad(&f))(Array::from(*x)).unwrap(), &slopes[i..=i]);
        near(&grad(jit(&f))(Array::from(*x)).unwrap(), &slopes[i..=i]);
        near(&forward(Array::from(*x)).unwrap(), &slopes[i..=i]);
    }
    near(&vmap(&f)(many()).unwrap(), &values);
    near(&jit(vmap(&f))(many()).unwrap(), &values);
    near(&vmap(grad(&f))(many()).unwrap(), &slopes);
    near(&jit(vmap(grad(&f)))(many()).unwrap(), &slopes);
    near(&grad(total)(many()).unwrap(), &slopes);
    near(&jit(grad(total))(many()).unwrap(), &slopes);
    near(&vmap(forward)(many()).unwrap(), &slopes);
    let lanes = jvp(vmap(&f), many(), &many() * 0.0 + 1.0).unwrap().1;
    near(&lanes, &slopes);
}

#[test]
fn scan_of_no_steps() {
    let f = |x: Array| {
        let empty = Array::zeros(&[0, 2], DType::F64);
        let body = |c: Array, row: Array| (&c * &x + row.sum(), (row * &x, Array::from(1i32)));
        let (c, (ys, ns)) = scan(body, &x * 3.0, empty)?;
        assert_eq!((ys.shape(), ns.shape(), ns.dtype()), (&[0, 2][..], &[0][..], DType::I32));
        Ok(c + ys.sum())
    };
    check(f, &[0.5, 2.0], |x| 3.0 * x, |_| 3.0);
    let loops = |x: Array| fori_loop(5, 2, |_, y: Array| y * &x, &x * 2.0);
    check(loops, &[0.5, 2.0], |x| 2.0 * x, |_| 2.0);
    near(&map(|x: Array| x.sin(), Array::zeros(&[0], DType::F64)).unwrap(), &[]);
    let mapped = vmap(|_: Array| map(|x: Array| x.sin(), Array::zeros(&[0], DType::F64)));
    assert_eq!(mapped(Array::from(vec![1.0, 2.0])).unwrap().shape(), [2, 0]);
}

#[test]
fn integer_carries_and_empty_leaves() {
    let f = |x: Array| {
        let empty = Array::zeros(&[0], DType::F64);
        let init = (Array::from(0i32), x.clone(), empty, Array::from(true));
        let body = |(n, y, empty, flag): (Array, Array, Array, Array), w: Array| {
            let y = select(&flag, &(&y * &x), &y) + n.cast(DType::F64) * &w;
            let flag_next = !&flag;
            ((n + 1, y.clone(), empty * &w, flag_next), (y, w.gt(1.0)))
        };
        let xs = Array::from(vec![1.0, 2.0, 3.0]);
        let ((n, y, empty, flag), (ys, big)) = scan(body, init, xs)?;
        assert_eq!(
            (n.dtype(), empty.shape(), flag.dtype(), big.dtype()),
            (DType::I32, &[0][..], DType::Bool, DType::Bool)
        );
        Ok(y + ys.sum() + empty.sum() + n.cast(DType::F64))
    };
    // y: x², x² + 2, x³ + 2x + 6; sum of outputs and the last again, and n = 3.
    check(
        f,
        &[0.5, 1.5],
        |x| 2.0 * (x.powi(3) + 2.0 * x + 6.0) + 2.0 * x * x + 2.0 + 3.0,
        |x| 6.0 * x * x + 4.0 + 4.0 * x,
    );
}

#[test]
fn reverse_and_unroll_change_nothing_else() {
    let weights = || Array::from(vec![0.3, -0.5, 0.7, 1.1, 0.2, 0.9]);
    let run = |options: ScanOptions| {
        move |x: Array| {
            let body = |c: Array, w: Array| {
                let c = (&c * &x + &w).sin();
                (c.clone(), c * w)
            };
            scan_with(options.clone(), body, Array::from(0.5), weights())
        }
    };
    for reversed in [false, true] {
        let options = || if reversed { ScanOptions::new().reverse() } else { ScanOptions::new() };
        let plain = run(options());
        // By hand.
        let x = 0.7;
        let (mut c, mut ys) = (0.5f64, [0.0; 6]);
        let w = f64s(&weights());
        for k in 0..6 {
            let k = if reversed { 5 - k } else { k };
            c = (c * x + w[k]).sin();
            ys[k] = c * w[k];
        }
        let (last, all) = plain(Array::from(x)).unwrap();
        near(&last, &[c]);
        near(&all, &ys);
        let total =
            |f: &dyn Fn(Array) -> Result<(Array, Array)>, x: Array| f(x).map(|(c, ys)| c + (ys * weights()).sum());
        let slope = grad(|x: Array| total(&plain, x))(Array::from(x)).unwrap();
        for unroll in [1, 2, 3, 4, 6, 100] {
            let unrolled = run(options().unroll(unroll));
            let (last, all) = jit(&unrolled)(Array::from(x)).unwrap();
            near(&last, &[c]);
            near(&all, &ys);
            near(&jit(grad(|x: Array| total(&unrolled, x)))(Array::from(x)).unwrap(), &f64s(&slope));
            let lanes = vmap(|x: Array| total(&unrolled, x))(Array::from(vec![x, x])).unwrap();
            near(&lanes.index(1), &f64s(&total(&plain, Array::from(x)).unwrap()));
        }
    }
}

#[test]
fn lanes_of_a_loop_stop_on_their_own() {
    // Doubles until 100; the counter shows that a stopped lane does not go on.
    let f = |x: Array| {
        while_loop(
            |(x, _): (Array, Array)| x.lt(100.0),
            |(x, n): (Array, Array)| (x * 2.0, n + 1),
            (x, Array::from(0i32)),
        )
    };
    let xs = vec![3.0, 200.0, 60.0, 0.1, f64::NAN];
    for g in [vmap(f)(Array::from(xs.clone())), jit(vmap(f))(Array::from(xs.clone()))] {
        let (y, n) = g.unwrap();
        near(&y, &[192.0, 200.0, 120.0, 102.4, f64::NAN]);
        assert_eq!(n.to_vec::<i32>().unwrap(), [6, 0, 1, 10, 0]);
    }
    // A stopped lane whose body would divide by zero stays as it is, in values and tangents.
    let g = |x: Array| {
        while_loop(|(x, _): (Array, Array)| x.gt(0.0), |(x, y): (Array, Array)| (&x - 1.0, y / x), (x.clone(), x))
            .map(|(_, y)| y)
    };
    let xs = || Array::from(vec![2.0, 1.0, 3.0]);
    near(&vmap(g)(xs()).unwrap(), &[1.0, 1.0, 0.5]);
    let t = vmap(|x: Array| jvp(g, x, one()).map(|(_, t)| t))(xs()).unwrap();
    // y = 1 / ((x − 1) …): slopes −1 at 2, 0 at 1, −(2 + 1) / 4 at 3.
    near(&t, &[-1.0, 0.0, -0.75]);
    let t = jvp(vmap(g), xs(), &xs() * 0.0 + 1.0).unwrap().1;
    near(&t, &[-1.0, 0.0, -0.75]);
}

/// One condition for all lanes: the loop stays a loop whose condition is a scalar, and unbatched carries stay unbatched.
#[test]
fn a_loop_with_a_common_condition() {
    let f = |x: Array| {
        while_loop(|(k, _): (Array, Array)| k.lt(3), |(k, y): (Array, Array)| (k + 1, y * 2.0), (Array::from(0i32), x))
    };
    let options = VmapOptions::new().out_axes((None, 0));
    let (k, y) = vmap_with(options, f)(Array::from(vec![1.0, 2.0])).unwrap();
    assert_eq!(k.item::<i32>().unwrap(), 3);
    near(&y, &[8.0, 16.0]);
}

#[test]
fn forward_mode_of_a_loop() {
    // x^(2³)
    let f = |x: Array| {
        while_loop(|(k, _): (Array, Array)| k.lt(3), |(k, y): (Array, Array)| (k + 1, &y * &y), (Array::from(0i64), x))
            .map(|(_, y)| y)
    };
    let slope = |x: Array| jvp(f, x, one()).map(|(_, t)| t);
    let second = |x: Array| jvp(slope, x, one()).map(|(_, t)| t);
    near(&slope(Array::from(1.1)).unwrap(), &[8.0 * 1.1f64.powi(7)]);
    near(&jit(second)(Array::from(1.1)).unwrap(), &[56.0 * 1.1f64.powi(6)]);
    near(&vmap(second)(Array::from(vec![1.1, 0.9])).unwrap(), &[56.0 * 1.1f64.powi(6), 56.0 * 0.9f64.powi(6)]);
    near(&jacfwd(f)(Array::from(1.1)).unwrap(), &[8.0 * 1.1f64.powi(7)]);
}

#[test]
fn reverse_mode_of_a_loop_is_an_error_only_if_needed() {
    let repeat = |x: Array, limit: Array| while_loop(|x: Array| x.lt(&limit), |x: Array| x * 2.0, x);
    let line = line!() - 1;
    let needed = |x: Array| repeat(x, Array::from(10.0));
    let place = format!("control_flow.rs:{line}");
    for e in [
        grad(needed)(Array::from(1.0)),
        jit(grad(needed))(Array::from(1.0)),
        grad(jit(needed))(Array::from(1.0)),
        grad(checkpoint(needed))(Array::from(1.0)),
        vmap(grad(needed))(Array::from(vec![1.0, 2.0])),
        grad(|x: Array| vmap(needed)(x).map(|y| y.sum()))(Array::from(vec![1.0, 2.0])),
        grad(|x: Array| jvp(needed, x, one()).map(|(y, t)| y * t))(Array::from(1.0)),
    ] {
        let e = e.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::MissingRule, "{e}");
        let text = e.to_string();
        assert!(text.contains(&place), "{text}");
        for hint in ["`while_loop`", "jvp", "fori_loop", "custom_root"] {
            assert!(text.contains(hint), "{text}");
        }
    }
    // Not needed: the loop depends on a stopped value, its result is not used, or only its integers are.
    let stopped = |x: Array| repeat(stop_gradient(&x), Array::from(10.0)).map(|y| y * &x);
    near(&grad(stopped)(Array::from(1.0)).unwrap(), &[16.0]);
    let unused = |x: Array| repeat(x.clone(), Array::from(10.0)).map(|y| select(&y.gt(0.0), &(&x * &x), &x));
    near(&grad(unused)(Array::from(3.0)).unwrap(), &[6.0]);
    near(&jit(grad(unused))(Array::from(3.0)).unwrap(), &[6.0]);
    let counted = |x: Array| {
        while_loop(
            |(x, _): (Array, Array)| x.lt(10.0),
            |(x, n): (Array, Array)| (x * 2.0, n + 1),
            (x.clone(), Array::from(0i32)),
        )
        .map(|(_, n)| n.cast(DType::F64) * &x)
    };
    near(&grad(counted)(Array::from(1.0)).unwrap(), &[4.0]);
    near(&jit(vmap(grad(counted)))(Array::from(vec![1.0, 3.0])).unwrap(), &[4.0, 2.0]);
    // Only one of two gradients needs it.
    let two = |(x, y): (Array, Array)| repeat(x, Array::from(10.0)).map(|z| z * 0.0 + y.powi(2));
    let e = grad(two)((Array::from(1.0), Array::from(3.0))).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::MissingRule);
    let second = jit(|xy: (Array, Array)| grad(two)(xy).map(|(_, dy)| dy));
    near(&second((Array::from(1.0), Array::from(3.0))).unwrap(), &[6.0]);
    // A bound that is traced makes a `fori_loop` a `while_loop`; one that is a Rust number does not.
    let power = |n: Array| move |x: Array| fori_loop(0, &n, |_, y: Array| &y * &x, Array::from(1.0));
    near(&jit(power(Array::from(3i64)))(Array::from(2.0)).unwrap(), &[8.0]);
    assert_eq!(grad(power(Array::from(3i64)))(Array::from(2.0)).unwrap_err().kind(), ErrorKind::MissingRule);
    near(&grad(|x: Array| fori_loop(0, 3, |_, y: Array| &y * &x, one()))(Array::from(2.0)).unwrap(), &[12.0]);
}

/// With a condition for each lane both branches run, and neither's infinities get out.
#[test]
fn an_untaken_branch_contributes_nothing() {
    let root = |x: Array| cond(&x.gt(0.0), |x: Array| x.sqrt(), |x: Array| x * 2.0, x.clone());
    let slope = |x: f64| if x > 0.0 { 0.5 / x.sqrt() } else { 2.0 };
    let value = |x: f64| if x > 0.0 { x.sqrt() } else { 2.0 * x };
    check(root, &[4.0, 0.0, -1.0, 0.25], value, slope);
    // Through captures instead of operands.
    let captured = |x: Array| cond(&x.gt(0.0), |(): ()| x.sqrt(), |(): ()| &x * 2.0, ());
    check(captured, &[4.0, 0.0, -1.0, 0.25], value, slope);
    // Both branches have their own.
    let both = |x: Array| cond(&x.gt(1.0), |x: Array| (x - 1.0).log(), |x: Array| 1.0 / (1.0 - x).sqrt(), x.clone());
    check(
        both,
        &[3.0, -3.0, 1.5],
        |x| if x > 1.0 { (x - 1.0).ln() } else { (1.0 - x).sqrt().recip() },
        |x| if x > 1.0 { 1.0 / (x - 1.0) } else { 0.5 * (1.0 - x).powf(-1.5) },
    );
    // Nested, in a scan, in a custom rule.
    let nested = |x: Array| {
        cond(
            &x.gt(0.0),
            |x: Array| cond(&x.gt(1.0), |x: Array| (x - 1.0).sqrt(), |x: Array| x.log(), x.clone()),
            |x: Array| Ok((-x).sqrt()),
            x.clone(),
        )
    };
    let closed = |x: f64| {
        if x > 1.0 {
            (x - 1.0).sqrt()
        } else if x > 0.0 {
            x.ln()
        } else {
            (-x).sqrt()
        }
    };
    let closed_slope = |x: f64| {
        if x > 1.0 {
            0.5 / (x - 1.0).sqrt()
        } else if x > 0.0 {
            1.0 / x
        } else {
            -0.5 / (-x).sqrt()
        }
    };
    check(nested, &[3.0, 0.5, -4.0], closed, closed_slope);
    let scanned = |x: Array| {
        scan(|c: Array, w: Array| Ok((c + nested(&x * w)?, ())), Array::from(0.0), Array::from(vec![1.0, 1.0]))
    };
    check(|x| scanned(x).map(|(y, ())| y * 0.5), &[3.0, 0.5, -4.0], closed, closed_slope);
    let second = |x: Array| grad(grad(root))(x);
    near(&vmap(second)(Array::from(vec![4.0, 0.0, -1.0])).unwrap(), &[-0.25 / 8.0, 0.0, 0.0]);
    let total = |x: Array| vmap(root)(x).map(|y| y.sum());
    let twice = grad(|x: Array| grad(total)(x).map(|g| g.sum()));
    near(&twice(Array::from(vec![4.0, 0.0, -1.0])).unwrap(), &[-0.25 / 8.0, 0.0, 0.0]);
}

/// With one condition for all lanes it stays a branch.
#[test]
fn a_common_condition_stays_a_branch() {
    let f = |flag: Array| move |x: Array| cond(&flag, |x: Array| x.sin(), |x: Array| x.cos(), x);
    let flag = Array::from(true);
    let program =
        compiled_program_of(|(flag, x): (Array, Array)| vmap(f(flag))(x), &(flag.clone(), Array::from(vec![1.0, 2.0])))
            .unwrap();
    assert_eq!(program.counts().get("switch"), Some(&1), "{program}");
    assert_eq!(program.counts().get("select"), None, "{program}");
    near(&vmap(f(flag))(Array::from(vec![1.0, 2.0])).unwrap(), &[1.0f64.sin(), 2.0f64.sin()]);
}

#[test]
fn dead_carries_and_outputs_are_removed() {
    let f = |x: Array| {
        let body = |(a, dead): (Array, Array), w: Array| ((&a * &w, dead.sin()), (a, w.exp()));
        let ((a, _), (ys, _)) = scan(body, (x.clone(), x.clone()), Array::from(vec![1.0, 2.0]))?;
        Ok::<_, Error>(a + ys.sum())
    };
    let counts = compiled_program_of(f, &one()).unwrap().counts();
    assert_eq!((counts.get("scan"), counts.get("sin"), counts.get("exp")), (Some(&1), None, None));
    // A carry that only feeds itself and another dead one.
    let g = |x: Array| {
        while_loop(
            |(a, _, _): (Array, Array, Array)| a.lt(10.0),
            |(a, b, c): (Array, Array, Array)| (a + 1.0, (&b + &c).sin(), b.cos()),
            (x.clone(), x.clone(), x),
        )
        .map(|(a, _, _)| a)
    };
    let counts = compiled_program_of(g, &one()).unwrap().counts();
    assert_eq!((counts.get("while_loop"), counts.get("sin"), counts.get("cos")), (Some(&1), None, None));
    let h = |x: Array| {
        cond(&x.gt(0.0), |x: Array| (x.sin(), x.exp()), |x: Array| (x.cos(), x.log()), x.clone()).map(|(a, _)| a)
    };
    let counts = compiled_program_of(h, &one()).unwrap().counts();
    assert_eq!((counts.get("exp"), counts.get("log"), counts.get("sin")), (None, None, Some(&1)));
    // The primal outputs of a scan are dead under `grad`.
    let value = |x: Array| scan(|c: Array, ()| (&c * &c, c.exp()), x, ()).map(|_| ());
    assert!(value(one()).is_err(), "the length is not known");
}

/// A loop that never runs but whose result does not depend on anything; results that are constants.
#[test]
fn constant_results() {
    let body = |_: Array, w: Array| (Array::from(7.0), w * 0.0 + 2.0);
    let f = |x: Array| {
        let (c, ys) = scan(body, x.clone(), Array::from(vec![1.0, 2.0]))?;
        let branch = cond(&x.gt(0.0), |_: Array| Array::from(3.0), |_: Array| Array::from(4.0), x.clone())?;
        Ok(c + ys.sum() + branch + x)
    };
    check(f, &[1.0, -1.0], |x| 11.0 + if x > 0.0 { 3.0 } else { 4.0 } + x, |_| 1.0);
    // Carry swapped each step: tangents spread through the whole carry.
    let swapped = |x: Array| {
        fori_loop(0, 3, |_, (a, b, c): (Array, Array, Array)| (b, c, a * 2.0), (x, Array::from(1.0), Array::from(1.0)))
            .map(|(a, b, c)| a + b * 10.0 + c * 100.0)
    };
    check(swapped, &[1.5], |x| 2.0 * x + 20.0 + 200.0, |_| 2.0);
    // One capture twice, and a captured literal.
    let twice = |x: Array| {
        let (same, two) = (x.clone(), Array::from(2.0));
        scan(|c: Array, w: Array| (c + &x * &same * &two * w, ()), Array::from(0.0), Array::from(vec![1.0, 2.0]))
            .map(|(c, ())| c)
    };
    check(twice, &[1.5, -0.5], |x| 6.0 * x * x, |x| 12.0 * x);
    // The stacked input is the parameter, captured as well.
    let stacked = |x: Array| {
        let xs = stack(&[x.clone(), &x * 2.0], 0);
        let (c, ys) = scan(|c: Array, w: Array| (&c + &w * xs.sum(), &w * &c), Array::from(0.0), xs.clone())?;
        Ok(c + ys.sum())
    };
    // xs.sum() = 3x: c = 9x²; ys = 0, 2x · 3x²
    check(stacked, &[1.5, -0.5], |x| 9.0 * x * x + 6.0 * x.powi(3), |x| 18.0 * x + 18.0 * x * x);
}

#[test]
fn effects_in_loops_and_branches() {
    let positive = |x: Array| -> Result<Array> {
        ensure(&x.gt(0.0), "x must be positive")?;
        Ok(x.sqrt())
    };
    // Only lanes that take the branch count.
    let guarded = |x: Array| cond(&x.gt(0.0), positive, |x: Array| x * 0.0, x.clone());
    for y in [vmap(guarded)(Array::from(vec![4.0, -1.0])), jit(vmap(guarded))(Array::from(vec![4.0, -1.0]))] {
        near(&y.unwrap(), &[2.0, 0.0]);
    }
    near(&vmap(grad(guarded))(Array::from(vec![4.0, -1.0])).unwrap(), &[0.25, 0.0]);
    // Inside a loop in the branch, too.
    let deep = |x: Array| {
        cond(&x.gt(0.0), |x: Array| fori_loop(0, 1, |_, y: Array| positive(y), x), |x: Array| Ok(x * 0.0), x.clone())
    };
    near(&vmap(deep)(Array::from(vec![4.0, -1.0])).unwrap(), &[2.0, 0.0]);
    // A failing lane that counts is named.
    let e = vmap(positive)(Array::from(vec![4.0, -1.0])).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Ensure);
    assert!(e.to_string().contains("1 of 2 lanes: 1"), "{e}");
    // A stopped lane of a loop is silent.
    let count_down = |x: Array| {
        while_loop(
            |x: Array| x.gt(0.5),
            |x: Array| -> Result<Array> {
                ensure(&x.gt(0.5), "the loop goes on")?;
                Ok(x - 1.0)
            },
            x,
        )
    };
    near(&vmap(count_down)(Array::from(vec![3.0, 1.0])).unwrap(), &[0.0, 0.0]);
    let e = jit(vmap(|x: Array| fori_loop(0, 2, |_, x: Array| positive(x - 1.0), x)))(Array::from(vec![9.0, 2.0]))
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Ensure);
}

/// What `inspect` sees is what is computed, once for each step.
#[test]
fn inspect_runs_once_per_step() {
    let seen: Arc<Mutex<Vec<Vec<f64>>>> = Arc::default();
    let sink = seen.clone();
    let show = move |x: &Array| {
        let sink = sink.clone();
        inspect(move |x: Array| sink.lock().unwrap().push(x.to_vec().unwrap()), x)
    };
    let f = |x: Array| fori_loop(0, 2, |_, y: Array| show(&(y * &x)), Array::from(1.0));
    let taken = || std::mem::take(&mut *seen.lock().unwrap());
    f(Array::from(3.0)).unwrap();
    assert_eq!(taken(), [[3.0], [9.0]]);
    jit(&f)(Array::from(3.0)).unwrap();
    assert_eq!(taken(), [[3.0], [9.0]]);
    vmap(&f)(Array::from(vec![3.0, 2.0])).unwrap();
    assert_eq!(taken(), [[3.0, 2.0], [9.0, 4.0]]);
    near(&grad(&f)(Array::from(3.0)).unwrap(), &[6.0]);
    assert_eq!(taken(), [[3.0], [9.0]]);
    near(&jit(vmap(grad(&f)))(Array::from(vec![3.0])).unwrap(), &[6.0]);
    assert_eq!(taken(), [[3.0], [9.0]]);
    // In a loop that is divided by linearization: its known part alone shows values.
    let g = |x: Array| {
        while_loop(
            |(k, _): (Array, Array)| k.lt(2.0),
            |(k, y): (Array, Array)| Ok::<_, Error>((show(&(k + 1.0))?, y * &x)),
            (Array::from(0.0), x.clone()),
        )
        .map(|(_, y)| y)
    };
    let (_, dg) = linearize(g, Array::from(3.0)).unwrap();
    assert_eq!(taken(), [[1.0], [2.0]]);
    near(&dg(one()).unwrap(), &[27.0]);
    assert_eq!(taken().len(), 0, "the linear map shows values again");
}

/// Sub-programs nest 64 deep.
#[test]
fn nesting_depth() {
    fn nested(depth: usize, x: Array) -> Result<Array> {
        if depth == 0 {
            return Ok(x.sin());
        }
        cond(&x.gt(-5.0), |x: Array| nested(depth - 1, x), |x: Array| Ok(x * 2.0), x.clone())
    }
    near(&nested(64, one()).unwrap(), &[1.0f64.sin()]);
    near(&jit(|x| nested(64, x))(one()).unwrap(), &[1.0f64.sin()]);
    assert_eq!(nested(200, one()).unwrap_err().kind(), ErrorKind::Depth);
    near(&grad(|x| nested(16, x))(one()).unwrap(), &[1.0f64.cos()]);
}

#[test]
fn wrong_carries_and_branches_name_the_difference() {
    let e = while_loop(|x: Array| x.lt(1.0), |x: Array| stack(&[x.clone(), x], 0), one()).unwrap_err();
    assert!(e.to_string().contains("f64[2]") && e.to_string().contains("f64[]"), "{e}");
    let e = while_loop(|x: Array| x, |x: Array| x, one()).unwrap_err();
    assert!(e.to_string().contains("bool"), "{e}");
    let e = scan(|c: Array, _: Array| (c.cast(DType::I32), ()), one(), Array::from(vec![1.0])).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::DType);
    let e = cond(&Array::from(true), |x: Array| x.sum(), |x: Array| x, Array::from(vec![1.0])).unwrap_err();
    assert!(e.to_string().contains("if_true") || e.to_string().contains("if_false"), "{e}");
    let xs = (Array::from(vec![1.0]), Array::from(vec![1.0, 2.0]));
    let e = scan(|c: Array, _: (Array, Array)| (c, ()), one(), xs).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let e = switch(&Array::from(0i32), &[] as &[dini::Branch<'_, Array, Array>], one()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Value);
}

/// Loops on values that they were not written for would not end: of lanes that do not take a branch, in values and in the
/// residuals that linearization leaves zero for them, and of lanes that have left an outer loop.
#[test]
fn loops_that_a_lane_does_not_run_end() {
    // From 0 or below it would never get to 10.
    let doubled = |x: Array| while_loop(|y: Array| y.lt(10.0), |y: Array| y * 2.0, x);
    let guarded = |x: Array| cond(&x.gt(0.0), doubled, |x: Array| Ok(x), x.clone());
    let xs = || Array::from(vec![3.0, -1.0, 0.0]);
    near(&vmap(guarded)(xs()).unwrap(), &[12.0, -1.0, 0.0]);
    near(&jit(vmap(guarded))(xs()).unwrap(), &[12.0, -1.0, 0.0]);
    let slope = |x: Array| jvp(guarded, x, one()).map(|(_, t)| t);
    near(&vmap(slope)(xs()).unwrap(), &[4.0, 1.0, 1.0]);
    let applied = |x: Array| linearize(guarded, x)?.1(one());
    near(&vmap(applied)(xs()).unwrap(), &[4.0, 1.0, 1.0]);
    near(&jit(vmap(applied))(xs()).unwrap(), &[4.0, 1.0, 1.0]);
    assert_eq!(vmap(grad(guarded))(xs()).unwrap_err().kind(), ErrorKind::MissingRule);
    // Inside a scan, a root's solver, a rule and another branch.
    let scanned = |x: Array| {
        let run =
            |x: Array| scan(|c: Array, w: Array| Ok((doubled(c)? * w, ())), x, Array::from(vec![1.0])).map(|(c, ())| c);
        cond(&x.gt(0.0), run, |x: Array| Ok(x), x.clone())
    };
    near(&vmap(scanned)(xs()).unwrap(), &[12.0, -1.0, 0.0]);
    let ruled = |x: Array| {
        let run = |x: Array| custom_jvp(doubled, |x: Array, t: Array| Ok((doubled(x)?, t * 4.0)))(x);
        cond(&x.gt(0.0), run, |x: Array| Ok(x), x.clone())
    };
    near(&vmap(grad(ruled))(xs()).unwrap(), &[4.0, 1.0, 1.0]);
    let solved = |x: Array| {
        let root = |x: Array| {
            let solve =
                |_: &dyn Fn(Array) -> Result<Array>, _: Array| doubled(stop_gradient(&x)).map(|y| y * 0.0 + x.sqrt());
            custom_root(|u: Array| &u * &u - &x, one(), solve, |g, b| Ok(b / g(one())?))
        };
        cond(&x.gt(0.0), root, |x: Array| Ok(x), x.clone())
    };
    let four = || Array::from(vec![4.0, -1.0, 0.0]);
    near(&vmap(grad(solved))(four()).unwrap(), &[0.25, 1.0, 1.0]);
    near(&jit(vmap(grad(solved)))(four()).unwrap(), &[0.25, 1.0, 1.0]);
    near(&grad(|x: Array| vmap(solved)(x).map(|y| y.sum()))(four()).unwrap(), &[0.25, 1.0, 1.0]);
    // A lane that has come to 0 goes through the body with the others.
    let nested = |x: Array| {
        while_loop(
            |(x, _): (Array, Array)| x.gt(0.0),
            |(x, sum): (Array, Array)| {
                let y = while_loop(|y: Array| y.lt(10.0), |y: Array| y + &x, x.clone())?;
                Ok((x - 1.0, sum + y))
            },
            (x, Array::from(0.0)),
        )
        .map(|(_, sum)| sum)
    };
    // 10 for 1, and 10 for 2, and 12 for 3.
    near(&vmap(nested)(Array::from(vec![1.0, 3.0, 2.0])).unwrap(), &[10.0, 32.0, 20.0]);
    near(&jit(vmap(nested))(Array::from(vec![1.0, 3.0, 2.0])).unwrap(), &[10.0, 32.0, 20.0]);
}

/// A branch that is linear already when it gets lanes: the derivative rule of a custom function, a linear map under
/// transposition, the linearized equation of a root. What it divides by in lanes that do not take it is 0.
#[test]
fn linear_branches_stay_out_of_the_derivatives_of_other_lanes() {
    let safe_sqrt = |x: Array| {
        let rule = |x: Array, t: Array| -> Result<(Array, Array)> {
            let y = x.sqrt();
            let slope = cond(&x.gt(0.0), |t: Array| t / (&y * 2.0), |t: Array| t * 0.0, t)?;
            Ok((y, slope))
        };
        custom_jvp(|x: Array| x.sqrt(), rule)(x)
    };
    let xs = || Array::from(vec![4.0, 0.0]);
    near(&vmap(grad(safe_sqrt))(xs()).unwrap(), &[0.25, 0.0]);
    let total = |x: Array| vmap(safe_sqrt)(x).map(|y| y.sum());
    near(&grad(total)(xs()).unwrap(), &[0.25, 0.0]);
    near(&jit(grad(total))(xs()).unwrap(), &[0.25, 0.0]);
    near(&grad(checkpoint(total))(xs()).unwrap(), &[0.25, 0.0]);
    near(&jvp(total, xs(), Array::from(vec![1.0, 1.0])).unwrap().1, &[0.25]);
    let repeated = |x: Array| fori_loop(0, 2, |_, x: Array| vmap(safe_sqrt)(x), x).map(|x| x.sum());
    near(&grad(repeated)(Array::from(vec![16.0, 0.0])).unwrap(), &[1.0 / 32.0, 0.0]);
    // Transposed by itself.
    let (p, r) = (Array::from(vec![true, false]), Array::from(vec![0.0, 2.0]));
    let halved = |y: Array| {
        let lane = |(p, r, y): (Array, Array, Array)| cond(&p, |y: Array| y * 0.5, |y: Array| y / &r, y);
        vmap(lane)((p.clone(), r.clone(), y))
    };
    let transposed = linear_transpose(halved, xs());
    near(&transposed(Array::from(vec![1.0, 1.0])).unwrap(), &[0.5, 0.5]);
    // In the linearized equation of a root: 2 y y' = x' or y' = x', by lanes.
    let root = |x: Array| {
        let f = |y: Array| {
            let squared = |y: Array| safe_sqrt(y).map(|root| root - &x);
            cond(&x.gt(0.5), squared, |y: Array| Ok(y - &x), y)
        };
        let solve = |_: &dyn Fn(Array) -> Result<Array>, _: Array| select(&x.gt(0.5), &x.powi(2), &x);
        // Richardson's iteration, which a transposed equation follows too.
        let richardson = |g: &dyn Fn(Array) -> Result<Array>, b: Array| {
            fori_loop(0, 150, |_, y: Array| Ok(&y + (&b - g(y.clone())?)), &b * 0.0)
        };
        custom_root(f, Array::from(1.0), solve, richardson)
    };
    let xs = || Array::from(vec![2.0, 0.0]);
    near(&vmap(grad(root))(xs()).unwrap(), &[4.0, 1.0]);
    near(&grad(|x: Array| vmap(root)(x).map(|y| y.sum()))(xs()).unwrap(), &[4.0, 1.0]);
}

#[test]
fn bounds_are_whole_numbers() {
    let count = |n: Array| fori_loop(0, n, |_, x: Array| x + 1.0, one());
    near(&count(Array::from(3u8)).unwrap(), &[4.0]);
    for (bound, kind) in [
        (Array::from(2.7), ErrorKind::DType),
        (Array::from(true), ErrorKind::DType),
        (Array::from(vec![1i64, 2]), ErrorKind::Shape),
    ] {
        let e = count(bound).unwrap_err();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.to_string().contains("bound"), "{e}");
    }
    // Larger than any loop of signed numbers can get: it must not wrap to a negative number.
    let stopped = |n: Array| {
        let body = |_: Array, x: Array| -> Result<Array> { Ok(x + 1.0) };
        fori_loop(Array::from(u64::MAX - 1), n, body, one())
    };
    near(&stopped(Array::from(u64::MAX)).unwrap(), &[1.0]);
}

#[test]
fn host_functions_run_for_lanes_that_need_them() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let sqrt = |x: Array| {
        let calls = calls.clone();
        let f = move |x: Array| -> Result<Array> {
            calls.fetch_add(1, Ordering::Relaxed);
            let x = x.item::<f64>()?;
            if x < 0.0 { Err(Error::message(format!("negative {x}"))) } else { Ok(Array::from(x.sqrt())) }
        };
        host_call(f, &Array::from(0.0), x)
    };
    let branch = |x: Array| cond(&x.gt(0.0), sqrt, |x: Array| Ok(x), x.clone());
    let xs = || Array::from(vec![4.0, -1.0, 9.0]);
    near(&vmap(branch)(xs()).unwrap(), &[2.0, -1.0, 3.0]);
    near(&jit(vmap(branch))(xs()).unwrap(), &[2.0, -1.0, 3.0]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    let until = |x: Array| while_loop(|x: Array| x.gt(1.5), sqrt, x);
    near(&vmap(until)(Array::from(vec![16.0, -3.0])).unwrap(), &[2f64.sqrt(), -3.0]);
    let nested = |x: Array| vmap(branch)(x);
    let grid = || Array::from([[4.0, -1.0], [-9.0, 16.0]]);
    near(&vmap(nested)(grid()).unwrap(), &[2.0, -1.0, -9.0, 4.0]);
    // A branch around lanes.
    let outer = |x: Array| cond(&x.sum().gt(0.0), |x: Array| vmap(branch)(x), |x: Array| Ok(x), x.clone());
    near(&vmap(outer)(grid()).unwrap(), &[2.0, -1.0, -9.0, 4.0]);
    near(&jit(vmap(outer))(Array::from([[4.0, -1.0], [-9.0, 1.0]])).unwrap(), &[2.0, -1.0, -9.0, 1.0]);
}

#[test]
fn host_functions_of_all_lanes_are_called_once() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(Vec::new()));
    let add = |x: Array, y: Array| {
        let seen = seen.clone();
        let f = move |(x, y): (Array, Array)| {
            seen.lock().unwrap().push((x.shape().to_vec(), y.shape().to_vec()));
            x + y
        };
        host_call_batched(f, &Array::from(0.0), (x, y))
    };
    let x = || Array::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let y = Array::from(10.0);
    near(&add(y.clone(), y.clone()).unwrap(), &[20.0]);
    let both = |x: Array| vmap(|x: Array| vmap(|x: Array| add(x, y.clone()))(x))(x);
    near(&both(x()).unwrap(), &[11.0, 12.0, 13.0, 14.0, 15.0, 16.0]);
    near(&jit(both)(x()).unwrap(), &[11.0, 12.0, 13.0, 14.0, 15.0, 16.0]);
    let shape = vec![2, 3];
    let expected = [(vec![], vec![]), (shape.clone(), shape.clone()), (shape.clone(), shape)];
    assert_eq!(*seen.lock().unwrap(), expected);
    // Lanes that are not to be called never reach it.
    let sqrt = |x: Array| {
        let f = |x: Array| -> Result<Array> {
            ensure(&x.ge(0.0), "negative")?;
            Ok(x.sqrt())
        };
        host_call_batched(f, &Array::from(0.0), x)
    };
    let branch = |x: Array| cond(&x.gt(0.0), sqrt, |x: Array| Ok(x), x.clone());
    near(&vmap(branch)(Array::from(vec![-1.0, 4.0, 9.0])).unwrap(), &[-1.0, 2.0, 3.0]);
    near(&jit(vmap(branch))(Array::from(vec![-1.0, -4.0])).unwrap(), &[-1.0, -4.0]);
    let e = vmap(sqrt)(Array::from(vec![-1.0, 4.0])).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Ensure, "{e}");
}
