//! What no program should be given: shapes beyond the address space and beyond memory, panics in the user's functions,
//! words of the environment that mean nothing, arrays given away twice. Each is an error or has a result; none is a panic of
//! ours, an abort, or an endless loop.

use dini::{ErrorKind, OutOfBounds, ScanOptions, compile, num_threads, outer, prelude::*};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    sync::{Arc, Barrier},
    thread,
};

/// An array of that shape that takes no memory until something needs its elements.
fn wide(f: impl Fn(Array) -> Result<Array> + Send + Sync + 'static) -> Result<Array> {
    jit(f)(Array::from(1.0))
}

#[track_caller]
fn assert_kind(what: &str, outcome: Result<Array>, kinds: &[ErrorKind]) {
    let error = outcome.and_then(|x| x.check().cloned()).expect_err(what);
    assert!(kinds.contains(&error.kind()), "{what}: {error}");
}

const SHAPE: &[ErrorKind] = &[ErrorKind::Shape, ErrorKind::Value];

/// The number of elements overflows, in ways that no single extent shows.
#[test]
fn sizes_beyond_the_address_space() {
    const N: usize = 1 << 40;
    type Make = fn(Array) -> Result<Array>;
    fn long(x: &Array) -> Array {
        x.broadcast_to(&[N])
    }
    let makes: [(&str, Make); 9] = [
        ("broadcast", |x| Ok(x.broadcast_to(&[N, N]))),
        ("outer product", |x| Ok(outer(&long(&x), &long(&x)))),
        ("matrix product", |x| Ok(long(&x).reshape(&[N, 1]).matmul(&long(&x).reshape(&[1, N])))),
        ("sum of shapes", |x| Ok(long(&x).reshape(&[N, 1]) + long(&x))),
        ("gather", |x| Ok(x.broadcast_to(&[2, N]).take(&Array::from(0).broadcast_to(&[N]), 0))),
        ("lanes", |x| vmap(|x: Array| Ok(x.broadcast_to(&[N])))(long(&x))),
        ("lanes of a sum", |x| {
            let long = long(&x);
            vmap(move |x: Array| Ok(&long + x))(x.broadcast_to(&[N]))
        }),
        ("outputs of a scan", |x| {
            let step = |x: Array, _: ()| Ok((x.clone(), x.broadcast_to(&[N])));
            scan_with(ScanOptions::new().length(N), step, x, ()).map(|(_, ys)| ys)
        }),
        ("one-hot", |x| Ok(dini::one_hot(&long(&x).cast(DType::I64), N, DType::F64))),
    ];
    for (what, make) in makes {
        assert_kind(what, wide(make), SHAPE);
        assert_kind(what, wide(move |x| jvp(make, x.clone(), x).map(|(_, t)| t)), SHAPE);
    }
}

/// What fits the address space, but no machine.
#[test]
fn sizes_beyond_all_memory() {
    const N: usize = 1 << 46;
    type Make = fn(Array) -> Result<Array>;
    let makes: [(&str, Make); 8] = [
        ("broadcast", |x| Ok(x.broadcast_to(&[N]) + 1.0)),
        ("zeros", |_| Ok(Array::zeros(&[N], DType::F64))),
        ("count", |_| Ok(Array::arange(N, DType::F64))),
        ("running sum", |x| Ok(x.broadcast_to(&[N]).cumsum(0))),
        ("concatenation", |x| {
            let x = x.broadcast_to(&[N]);
            Ok(concatenate(&[&x, &(&x * 2.0)], 0))
        }),
        ("padding", |x| Ok(x.broadcast_to(&[2]).pad(&[(N as isize, 0)], 0.0))),
        ("outputs of a scan", |x| {
            let step = |x: Array, _: ()| Ok((x.clone(), x));
            scan_with(ScanOptions::new().length(N), step, x, ()).map(|(_, ys)| ys)
        }),
        ("unit matrix", |_| Ok(Array::eye(1 << 23, DType::F64))),
    ];
    for (what, make) in makes {
        assert_kind(what, make(Array::from(1.0)), &[ErrorKind::OutOfMemory]);
        let compiled = jit(make);
        for _ in 0..2 {
            assert_kind(what, compiled(Array::from(1.0)), &[ErrorKind::OutOfMemory]);
        }
    }
    // Afterwards everything runs.
    assert_eq!(wide(|x| Ok(x + 1.0)).unwrap().item::<f64>().unwrap(), 2.0);
}

/// Panics of the user's functions pass through, wherever they are called, and leave everything usable.
#[test]
fn panics_in_user_functions() {
    type Run = fn(Array) -> Result<Array>;
    fn fail(_: Array) -> Result<Array> {
        panic!("mine")
    }
    let runs: [(&str, Run); 10] = [
        ("jit", |x| jit(fail)(x)),
        ("vmap", |x| vmap(fail)(x.broadcast_to(&[3]))),
        ("grad", |x| grad(fail)(x)),
        ("condition", |x| while_loop(|x: Array| fail(x).unwrap().gt(0.0), Ok, x)),
        ("body", |x| while_loop(|x: Array| x.gt(0.0), fail, x)),
        ("body under jit", |x| jit(|x: Array| while_loop(|x: Array| x.gt(0.0), fail, x))(x)),
        ("scan", |x| fori_loop(0, 3, |_, x: Array| fail(x), x)),
        ("branch", |x| cond(&x.gt(0.0), fail, |x: Array| x, x.clone())),
        ("checkpoint", |x| grad(checkpoint(fail))(x)),
        ("custom derivative", |x| {
            let f = custom_vjp(|x: Array| x, |x: Array| (x.clone(), x), |_: Array, ct: Array| fail(ct));
            grad(f)(x)
        }),
    ];
    for (what, run) in runs {
        let panic = catch_unwind(AssertUnwindSafe(|| run(Array::from(1.0)))).expect_err(what);
        assert_eq!(panic.downcast_ref(), Some(&"mine"), "{what}");
        let y = jit(vmap(grad(|x: Array| x.sin())))(Array::from(vec![0.0])).unwrap();
        assert_eq!(y.to_vec::<f64>().unwrap(), [1.0], "after {what}");
    }
}

/// Functions are traced on many threads at once, the same one and different ones.
#[test]
fn many_threads_trace_at_once() {
    const N_THREADS: usize = 8;
    let shared = Arc::new(jit(|x: Array| fori_loop(0, 10, |_, x: Array| Ok(x * 0.5 + 1.0), x)));
    let expected = |n: usize| vec![2.0 - 2.0f64.powi(-10); n];
    for round in 1..20 {
        let barrier = Barrier::new(N_THREADS);
        thread::scope(|scope| {
            for i in 0..N_THREADS {
                let (shared, barrier) = (shared.clone(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    // A shape that nobody has traced, on all threads; and a function of this thread's own.
                    let x = Array::from(vec![1.0; round * 100]);
                    assert_eq!(shared(x).unwrap().to_vec::<f64>().unwrap(), expected(round * 100));
                    let own = jit(vmap(grad(move |x: Array| x.powi(2) * i as f64)));
                    let slope = own(Array::from(vec![3.0; round])).unwrap().to_vec::<f64>().unwrap();
                    assert_eq!(slope, vec![6.0 * i as f64; round]);
                });
            }
        });
    }
}

/// Compiled functions in compiled loops in compiled functions, called from each other's threads.
#[test]
fn compiled_functions_inside_loops() {
    let inner = Arc::new(jit(|x: Array| Ok(x.sin() + 1.0)));
    let middle = {
        let inner = inner.clone();
        Arc::new(jit(move |x: Array| fori_loop(0, 3, |_, x: Array| inner(x), x)))
    };
    let outer = jit(move |x: Array| while_loop(|x: Array| x.sum().lt(0.5), |x: Array| middle(x), x));
    for n in [1, 1000] {
        let x = Array::from(vec![0.0; n]);
        let mut expected = 0.0f64;
        let step = |x: f64| jit(|x: Array| x.sin())(Array::from(x)).unwrap().item::<f64>().unwrap() + 1.0;
        for _ in 0..3 {
            expected = step(expected);
        }
        assert_eq!(outer(x).unwrap().to_vec::<f64>().unwrap(), vec![expected; n]);
    }
}

#[test]
fn arrays_given_away_more_than_once() {
    let f = |(a, b): (Array, Array)| (&a * 2.0 + &b, &a - &b);
    let donating = jit_with(Jit::new().donate([0, 1]), f);
    let loops = jit_with(Jit::new().donate([0]), |x: Array| fori_loop(0, 3, |_, x: Array| Ok(x + 1.0), x));
    for n in [1, 3, 100_000] {
        let x = Array::from(vec![1.0; n]);
        let (sum, difference) = donating((x.clone(), x.clone())).unwrap();
        assert_eq!(sum.to_vec::<f64>().unwrap(), vec![3.0; n]);
        assert_eq!(difference.to_vec::<f64>().unwrap(), vec![0.0; n]);
        // From several threads, which hold it all the while.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(loops(x.clone()).unwrap().to_vec::<f64>().unwrap(), vec![4.0; n]));
            }
        });
        assert_eq!(x.to_vec::<f64>().unwrap(), vec![1.0; n]);
    }
    let same = jit_with(Jit::new().donate([0, 0, 0]), |x: Array| x + 1.0);
    assert_eq!(same(Array::from(1.0)).unwrap().item::<f64>().unwrap(), 2.0);
}

/// Indices beyond all extents, negative ones, and those of types that hold more than an address.
#[test]
fn indices_beyond_everything() {
    let x = Array::from(vec![1.0, 2.0, 3.0]);
    let indices = Array::from(vec![i64::MIN, -4, -1, 2, 3, i64::MAX]);
    for mode in [OutOfBounds::Clip, OutOfBounds::Fill] {
        let take = move |(x, i): (Array, Array)| x.take_with(&i, 0, mode);
        let plain = take((x.clone(), indices.clone()));
        let compiled = jit(move |arguments| Ok(take(arguments)))((x.clone(), indices.clone())).unwrap();
        let text = |x: &Array| format!("{:?}", x.to_vec::<f64>().unwrap());
        assert_eq!(text(&plain), text(&compiled), "{mode:?}");
    }
    let matrix = Array::from([[1, 2, 3], [4, 5, 6]]);
    for far in [isize::MAX, isize::MAX / 2, 4] {
        let triangles = [matrix.tril(far), matrix.tril(-far), matrix.triu(far), matrix.triu(-far)];
        for (triangle, is_whole) in triangles.iter().zip([true, false, false, true]) {
            let want = if is_whole { matrix.clone() } else { zeros_like(&matrix) };
            assert_eq!(triangle.to_vec::<i32>().unwrap(), want.to_vec::<i32>().unwrap(), "{far}");
        }
    }
    let unsigned = Array::from(vec![u64::MAX, 1, 1 << 63]);
    let set = jit(|(x, i): (Array, Array)| Ok(x.scatter_add(&i, &Array::from(vec![1.0; 3]))));
    assert_eq!(set((x, unsigned)).unwrap().to_vec::<f64>().unwrap(), [1.0, 3.0, 3.0]);
}

#[test]
fn more_parts_than_memory_holds() {
    for array in [Array::from(vec![1.0, 2.0]), Array::zeros(&[0], DType::F64)] {
        let parts = array.split(usize::MAX, 0);
        assert!(!parts.is_empty() && parts.iter().all(|part| part.check().is_err()));
    }
}

/// `float0`, the type of tangents of integers, has no operations, and can be moved about like any other.
#[test]
fn operations_on_what_has_no_bytes() {
    let zero = || Array::zeros(&[2, 2], DType::Float0);
    type Operation = fn(&Array) -> Array;
    let moves: [Operation; 5] = [
        |x| x.transpose(),
        |x| x.flip(0).reshape(&[4]).index(1),
        |x| concatenate(&[x, x], 1),
        |x| x.take(&Array::from(vec![1, 0]), 0),
        |x| x.dynamic_slice([Array::from(1), Array::from(0)], &[1, 2]),
    ];
    let computations: [Operation; 16] = [
        |x| x + x,
        |x| x.eq(x),
        |x| x.sum(),
        |x| x.mean(),
        |x| x.std(),
        |x| x.norm(),
        |x| x.amax(),
        |x| x.argmax(),
        |x| x.all(),
        |x| x.softmax(0),
        |x| x.logsumexp(),
        |x| x.matmul(x),
        |x| x.tril(0),
        |x| select(&Array::from(true), x, x),
        |x| ones_like(x),
        |x| x.scatter_add(&Array::from(vec![1, 0]), x),
    ];
    for (operations, moves) in [(&moves[..], true), (&computations[..], false)] {
        for (i, operation) in operations.iter().enumerate() {
            let (plain, compiled) = (operation(&zero()), jit(|x: Array| Ok(operation(&x)))(zero()));
            assert_eq!((plain.check().is_ok(), compiled.is_ok()), (moves, moves), "operation {i}: {plain:?}");
            if let Err(error) = plain.check() {
                assert_eq!(error.kind(), ErrorKind::DType, "operation {i}: {error}");
            }
        }
    }
}

/// A value that there is none of, poisoned or kept past its transformation, is the error of whatever is done with it.
#[test]
fn values_that_do_not_exist() {
    fn one() -> Array {
        Array::from(1.0)
    }
    type Use = fn(Array) -> Result<Array>;
    let uses: [(&str, Use); 39] = [
        ("operator", |x| Ok(x * 2.0)),
        ("jit", |x| jit(|x: Array| x.sin())(x)),
        ("captured by jit", |x| jit(|y: Array| &x * y)(one())),
        ("compiled", |x| compile(|x: Array| x.sin(), &one())?.call(x)),
        ("captured by a compiled function", |x| compile(|y: Array| &x * y, &one())?.call(one())),
        ("vmap", |x| vmap(|x: Array| x.sin())(x.reshape(&[1]))),
        ("captured by vmap", |x| vmap(|y: Array| &x * y)(Array::from(vec![1.0]))),
        ("grad", |x| grad(|x: Array| x.sin())(x)),
        ("captured by grad", |x| grad(|y: Array| &x * y)(one())),
        ("jvp", |x| jvp(|x: Array| x.sin(), x, one()).map(|(_, t)| t)),
        ("tangent", |x| jvp(|x: Array| x.sin(), one(), x).map(|(_, t)| t)),
        ("captured by jvp", |x| jvp(|y: Array| &x * y, one(), one()).map(|(_, t)| t)),
        ("linearize", |x| linearize(|x: Array| x.sin(), x).and_then(|(_, df)| df(one()))),
        ("tangent of linearize", |x| linearize(|x: Array| x.sin(), one()).and_then(|(_, df)| df(x))),
        ("vjp", |x| vjp(|x: Array| x.sin(), x).and_then(|(_, back)| back(one()))),
        ("cotangent", |x| vjp(|x: Array| x.sin(), one()).and_then(|(_, back)| back(x))),
        ("captured by linear_transpose", |x| linear_transpose(|y: Array| &x * y, one())(one())),
        ("cotangent of linear_transpose", |x| linear_transpose(|y: Array| y * 2.0, one())(x)),
        ("jacfwd", |x| jacfwd(|x: Array| x.sin())(x)),
        ("captured by jacrev", |x| jacrev(|y: Array| &x * y)(one())),
        ("hessian", |x| hessian(|x: Array| x.sin())(x)),
        ("captured by hessian", |x| hessian(|y: Array| &x * y.sin())(one())),
        ("hvp", |x| hvp(|y: Array| y.sin(), one(), x)),
        ("checkpoint", |x| grad(checkpoint(|y: Array| &x * y.sin()))(one())),
        ("custom_jvp", |x| {
            jvp(custom_jvp(|y: Array| y, |y: Array, t: Array| (y, &x * t)), one(), one()).map(|(_, t)| t)
        }),
        ("custom_vjp", |x| {
            grad(custom_vjp(|y: Array| y.clone(), |y: Array| (y, ()), |(): (), ct: Array| &x * ct))(one())
        }),
        ("while_loop", |x| while_loop(|x: Array| x.lt(1.0), |x: Array| x + 1.0, x)),
        ("captured by a condition", |x| while_loop(|y: Array| y.lt(&x), |y: Array| y + 1.0, one())),
        ("captured by a body", |x| fori_loop(0, 2, |_, y: Array| &x * y, one())),
        ("scan", |x| scan(|c: Array, y: Array| (&c + y, c), one(), x.reshape(&[1])).map(|(c, _)| c)),
        ("condition", |x| cond(&x.gt(0.0), |y: Array| y, |y: Array| -y, one())),
        ("captured by a branch", |x| cond(&Array::from(true), |y: Array| &x * y, |y: Array| y, one())),
        ("host_call", |x| host_call(|x: Array| x, &one(), x)),
        ("guess", |x| custom_root(|y: Array| y - 2.0, x, |_, y| y, |_, b| b)),
        ("captured by a residual", |x| custom_root(|y: Array| y - &x, one(), |_, y| y, |_, b| b)),
        ("captured by a solver", |x| custom_root(|y: Array| y - 2.0, one(), |_, _| x.clone(), |_, b| b)),
        ("captured by a tangent solver", |x| {
            grad(|a: Array| custom_root(|y: Array| y - &a, one(), |_, _| one(), |_, b| b * &x))(one())
        }),
        ("right-hand side", |x| custom_linear_solve(|y: Array| y * 2.0, x, |_, b| b / 2.0)),
        ("captured by a matrix", |x| custom_linear_solve(|y: Array| y * &x, one(), |_, b| b / 2.0)),
    ];
    type Make = fn(&dyn Fn(Array) -> Array) -> Result<Array>;
    let transformations: [Make; 5] = [
        |f| jit(f)(one()),
        |f| vmap(f)(Array::from(vec![1.0])),
        |f| grad(f)(one()),
        |f| jit(vmap(grad(f)))(Array::from(vec![1.0])),
        |f| fori_loop(0, 2, |_, x| f(x), one()),
    ];
    let poison = one().reshape(&[2]);
    let mut values = vec![(poison, ErrorKind::Shape)];
    for transformation in transformations {
        let kept = std::cell::RefCell::new(None);
        let keep = |x: Array| kept.borrow_mut().insert(x.sin()).clone();
        transformation(&keep).unwrap();
        values.push((kept.take().unwrap(), ErrorKind::Escape));
    }
    for (value, kind) in values {
        for (what, run) in uses {
            let contexts: [(&str, &dyn Fn() -> Result<Array>); 4] = [
                ("alone", &|| run(value.clone())),
                ("in jit", &|| jit(|(): ()| run(value.clone()))(())),
                ("in vmap", &|| vmap(|y: Array| run(value.clone()).map(|x| x + y))(Array::from(vec![1.0]))),
                ("in grad", &|| grad(|y: Array| run(value.clone()).map(|x| x.sum() * y))(one())),
            ];
            for (context, run) in contexts {
                let outcome = catch_unwind(AssertUnwindSafe(run));
                assert_kind(&format!("{what}, {context}"), outcome.expect(what), &[kind]);
            }
        }
    }
    // Derivatives that are kept hold values of the transformation around them.
    let kept = std::cell::RefCell::new(None);
    grad(|x: Array| {
        let (y, back) = vjp(|x: Array| x.sin(), x.clone())?;
        let (_, df) = linearize(|x: Array| x.sin(), x)?;
        *kept.borrow_mut() = Some((back, df));
        Ok(y)
    })(one())
    .unwrap();
    let (back, df) = kept.take().unwrap();
    assert_kind("a kept pullback", back(one()), &[ErrorKind::Escape]);
    assert_kind("a kept linearization", df(one()), &[ErrorKind::Escape]);
}

/// What the process makes of its environment, for the test below.
#[test]
fn child() {
    if std::env::var("DINI_TEST_ENVIRONMENT").is_err() {
        return;
    }
    assert!((1..=256).contains(&num_threads()), "{} threads", num_threads());
    let x = Array::from(vec![1.0; 1_000_000]);
    let y = jit(|x: Array| Ok((x.sin() * 2.0).sum()))(x.clone()).unwrap().item::<f64>().unwrap();
    assert!((y - 2e6 * 1.0f64.sin()).abs() < 1e-3, "{y}");
    println!("{} threads", num_threads());
}

#[test]
fn words_of_the_environment() {
    let words = ["", "0", "-1", "many", "1e3", "99999999999999999999999", "1000000", " 2 ", "\u{1F980}"];
    for word in words {
        for name in ["DINI_NUM_THREADS", "DINI_JIT"] {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "child", "--nocapture"]).env("DINI_TEST_ENVIRONMENT", "1").env(name, word);
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{name}={word:?}: {text}");
            if (name, word) == ("DINI_NUM_THREADS", " 2 ") {
                assert!(text.contains("2 threads"), "{text}");
            }
        }
    }
}
