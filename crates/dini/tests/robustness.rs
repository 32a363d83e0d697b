//! Deep nesting, long programs, many threads, re-entrancy, and `DINI_DEBUG_NANS`.
//!
//! Everything here runs on a test thread with the usual 2 MiB of stack.

use dini::{ErrorKind, compile, prelude::*};
use std::{
    process::Command,
    sync::{Arc, Mutex},
};

fn one() -> Array {
    Array::from(1.0)
}

fn value(x: Array) -> f64 {
    x.item::<f64>().unwrap()
}

/// `depth` loops inside one another, each of one step, around a sine.
fn whiles(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 {
        return Ok(x.sin());
    }
    let going = |(i, _): (Array, Array)| i.lt(1i64);
    let step = |(i, x): (Array, Array)| whiles(depth - 1, x).map(|x| (i + 1, x));
    while_loop(going, step, (Array::from(0i64), x)).map(|(_, x)| x)
}

fn scans(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 {
        return Ok(x.sin());
    }
    fori_loop(0, 1, |_, x: Array| scans(depth - 1, x), x)
}

fn conds(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 {
        return Ok(x.sin());
    }
    cond(&x.gt(0.0), |x: Array| conds(depth - 1, x), |x: Array| x, x.clone())
}

fn jits(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 { Ok(x.sin()) } else { jit(|x: Array| jits(depth - 1, x))(x) }
}

fn checkpoints(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 { Ok(x.sin()) } else { checkpoint(|x: Array| checkpoints(depth - 1, x))(x) }
}

fn vmaps(depth: usize, x: Array) -> Result<Array> {
    if depth == 0 { Ok(x.sin()) } else { vmap(|x: Array| vmaps(depth - 1, x))(x) }
}

type Nest = fn(usize, Array) -> Result<Array>;
const NESTS: [(&str, Nest); 5] =
    [("while", whiles), ("scan", scans), ("cond", conds), ("jit", jits), ("checkpoint", checkpoints)];

#[test]
fn sub_programs_nest_64_deep() {
    for (name, nest) in NESTS {
        let f = |x: Array| nest(64, x);
        let (sine, cosine) = (value(one().sin()), value(one().cos()));
        assert_eq!(value(f(one()).unwrap()), sine, "{name}");
        assert_eq!(value(jit(f)(one()).unwrap()), sine, "jit {name}");
        let lanes = vmap(f)(Array::from(vec![1.0, 2.0])).unwrap().to_vec::<f64>().unwrap();
        assert_eq!(lanes, [sine, value(Array::from(2.0).sin())], "vmap {name}");
        let (_, t) = jvp(f, one(), one()).unwrap();
        assert_eq!(value(t), cosine, "jvp {name}");
    }
}

#[test]
fn derivatives_of_sub_programs_nested_64_deep() {
    for (name, nest) in NESTS {
        let f = |x: Array| nest(64, x);
        match name {
            "while" => assert_eq!(grad(f)(one()).unwrap_err().kind(), ErrorKind::MissingRule),
            _ => assert_eq!(value(grad(f)(one()).unwrap()), value(one().cos()), "grad {name}"),
        }
    }
}

/// Values that a sub-program passes on are not passed on twice: second derivatives grow with the square of the depth at
/// most, since each level hands its residuals through all levels around it.
#[test]
fn second_derivatives_of_nested_sub_programs_stay_small() {
    for (name, nest) in NESTS {
        let n_eqns = |depth: usize| -> Result<usize> {
            let second = grad(grad(move |x: Array| nest(depth, x)));
            Ok(program_of(second, &one())?.counts().values().sum())
        };
        match (n_eqns(5), n_eqns(10)) {
            (Ok(shallow), Ok(deep)) => assert!(deep <= 4 * shallow, "{name}: {shallow} equations, then {deep}"),
            (shallow, _) => assert_eq!((name, shallow.unwrap_err().kind()), ("while", ErrorKind::MissingRule)),
        }
    }
}

/// Whatever the depth, a transformation of it works or says that it is too deep: the stack is never exhausted.
#[test]
fn transformations_near_the_limit() {
    for (name, nest) in NESTS {
        for depth in [90, 96] {
            let f = |x: Array| nest(depth, x);
            let lanes = || Array::from(vec![1.0]);
            let results: [&dyn Fn() -> Result<Array>; 4] =
                [&|| jit(f)(one()), &|| jit(vmap(f))(lanes()), &|| jvp(f, one(), one()).map(|(_, t)| t), &|| {
                    grad(f)(one())
                }];
            for error in results.iter().filter_map(|run| run().err()) {
                let expected = [ErrorKind::Depth, ErrorKind::MissingRule].contains(&error.kind());
                assert!(expected, "{name} at {depth}: {error}");
            }
        }
    }
}

#[test]
fn vectorizations_nest() {
    let x = Array::from(vec![1.0]).reshape(&[1; 24]);
    assert_eq!(vmaps(24, x).unwrap().reshape(&[]).item::<f64>().unwrap(), 1.0f64.sin());
}

#[test]
fn gradients_nest() {
    let g = grad(grad(grad(grad(grad(grad(|x: Array| x.exp()))))));
    assert!((value(g(one()).unwrap()) - 1.0f64.exp()).abs() < 1e-12);
}

#[test]
fn nesting_without_end_is_an_error_with_a_line() {
    for (name, nest) in NESTS {
        let error = nest(1000, one()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Depth, "{name}: {error}");
        assert!(error.location().unwrap().file().ends_with("robustness.rs"), "{name}: {error}");
        let text = error.to_string();
        assert!(text.lines().count() < 12, "{name} repeats itself:\n{text}");
        // The state is restored: a shallow one works.
        assert_eq!(value(nest(3, one()).unwrap()), 1.0f64.sin(), "{name}");
    }
}

/// `n` equations in a row.
fn chain(n: usize, x: Array) -> Array {
    (0..n / 2).fold(x, |y, _| (y * 0.5).sin())
}

/// Everything that is done with a program of `n` equations; prints the time of each part.
fn long_program(n: usize) {
    let f = |x: Array| chain(n, x);
    let mut start = std::time::Instant::now();
    let mut lap = |what: &str| {
        println!("{n} equations, {what}: {:.2?}", start.elapsed());
        start = std::time::Instant::now();
    };
    let program = program_of(f, &one()).unwrap();
    assert_eq!(program.eqns().len(), n);
    lap("traced");
    drop(program);
    lap("dropped");
    let y = value(f(one()));
    lap("run eagerly");
    let compiled = compile(f, &one()).unwrap();
    lap("compiled");
    assert_eq!(value(compiled.call(one()).unwrap()), y);
    lap("run");
    let (v, g) = value_and_grad(f)(one()).unwrap();
    assert_eq!((value(v), value(g).is_finite()), (y, true));
    lap("differentiated eagerly");
    let derivative = compile(value_and_grad(f), &one()).unwrap();
    lap("derivative compiled");
    // A sine and its argument for the value, a cosine and at most four products for the derivative.
    let n_derived = derivative.program().eqns().len();
    assert!(n_derived <= 4 * n, "{n_derived} equations for the derivative of {n}");
    assert_eq!(value(derivative.call(one()).unwrap().0), y);
    lap("derivative run");
    drop((compiled, derivative));
    lap("dropped");
}

#[test]
fn programs_of_100_000_equations() {
    long_program(10_000);
    long_program(100_000);
}

#[test]
fn many_threads_use_one_compiled_function() {
    let f = jit(|x: Array| fori_loop(0, 10, |_, x: Array| (x * 0.5).sin(), x));
    let want: Vec<Vec<f64>> = (1..20).map(|n| f(Array::from(vec![n as f64; n])).unwrap().to_vec().unwrap()).collect();
    let f = jit(|x: Array| fori_loop(0, 10, |_, x: Array| (x * 0.5).sin(), x));
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for _ in 0..5 {
                    for (n, want) in (1..20).zip(&want) {
                        let got = f(Array::from(vec![n as f64; n])).unwrap().to_vec::<f64>().unwrap();
                        assert_eq!(got, *want);
                    }
                }
            });
        }
    });
}

#[test]
fn transformations_inside_a_host_function() {
    let slope = |x: Array| {
        host_call(
            |x: Array| {
                let f = jit(|x: Array| &x * &x * &x);
                let inner = jit(|x: Array| host_call(|x: Array| x, &Array::from(0.0), x));
                inner(grad(f)(x)?)
            },
            &Array::from(0.0),
            x,
        )
    };
    assert_eq!(value(jit(slope)(Array::from(2.0)).unwrap()), 12.0);
    let lanes = jit(vmap(slope))(Array::from(vec![1.0, 2.0])).unwrap();
    assert_eq!(lanes.to_vec::<f64>().unwrap(), [3.0, 12.0]);
    let rooted = |a: Array| {
        custom_root(
            |x: Array| &x * &x - &a,
            one(),
            |_, _| host_call(|a: Array| jit(|a: Array| a.sqrt())(a), &one(), a.clone()),
            |g, b| Ok(b / g(one())?),
        )
    };
    assert_eq!(value(jit(grad(rooted))(Array::from(4.0)).unwrap()), 0.25);
}

#[test]
fn a_compiled_function_inside_an_inspection() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let double = Arc::new(jit(|x: Array| x * 2.0));
    let f = jit(move |x: Array| {
        let (sink, double) = (sink.clone(), double.clone());
        inspect(move |x: Array| sink.lock().unwrap().push(value(double(x).unwrap())), &x.sin())
    });
    f(Array::from(0.0)).unwrap();
    f(one()).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0.0, 2.0 * 1.0f64.sin()]);
}

/// Runs the calling test again in a process of its own, with `DINI_DEBUG_NANS` set.
fn with_debug_nans(test: &str) {
    let exe = std::env::current_exe().unwrap();
    let out = Command::new(exe).args(["--exact", test]).env("DINI_DEBUG_NANS", "1").output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn debug_nans() {
    if std::env::var_os("DINI_DEBUG_NANS").is_none() {
        return with_debug_nans("debug_nans");
    }
    #[track_caller]
    fn blames(result: Result<Array>, op: &str, line: u32) {
        let error = result.and_then(|x| x.check().cloned()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("`{op}`: makes a NaN")), "{text}");
        let at = error.location().unwrap();
        assert_eq!((at.file().ends_with("robustness.rs"), at.line()), (true, line), "{text}");
    }
    let minus = Array::from(-1.0);
    blames(Ok(minus.log() + 1.0), "log", line!());
    let f = |x: Array| (x * 2.0).sqrt() + 1.0;
    let line = line!() - 1;
    blames(jit(f)(minus.clone()), "sqrt", line);
    blames(jit(vmap(f))(Array::from(vec![1.0, -1.0])), "sqrt", line);
    blames(grad(f)(minus.clone()), "sqrt", line);
    let looped = |x: Array| fori_loop(0, 3, |_, x: Array| f(x - 2.0), x);
    blames(jit(looped)(one()), "sqrt", line);
    blames(looped(one()), "sqrt", line);
    let searched = |x: Array| while_loop(|x: Array| x.gt(-1.0), |x: Array| f(x - 2.0), x);
    blames(jit(searched)(one()), "sqrt", line);
    let branched = |x: Array| cond(&x.lt(0.0), f, |x: Array| x, x.clone());
    blames(jit(branched)(minus.clone()), "sqrt", line);
    // An infinity minus itself; and what was a NaN before is nobody's fault.
    let infinite = Array::from(vec![f64::INFINITY, 1.0]);
    let error = (&infinite - &infinite).check().unwrap_err().clone();
    assert!(error.to_string().contains("with an infinity"), "{error}");
    assert!((Array::from(f64::NAN) + 1.0).check().is_ok());
    // What makes none works as usual.
    assert_eq!(value(jit(branched)(one()).unwrap()), 1.0);
    let xs = Array::from(vec![1.0, 2.0, 3.0]);
    let sums = |x: Array| scan(|c: Array, x: Array| (&c + &x, c + x), Array::from(0.0), x).map(|(_, ys)| ys);
    assert_eq!(jit(sums)(xs.clone()).unwrap().to_vec::<f64>().unwrap(), [1.0, 3.0, 6.0]);
    assert_eq!(jit(grad(|x: Array| sums(x).map(|y| y.sum())))(xs).unwrap().to_vec::<f64>().unwrap(), [3.0, 2.0, 1.0]);
    let root = |a: Array| custom_root(|x: Array| &x * &x - &a, one(), |_, _| a.sqrt(), |g, b| Ok(b / g(one())?));
    assert_eq!(value(jit(grad(root))(Array::from(4.0)).unwrap()), 0.25);
}
