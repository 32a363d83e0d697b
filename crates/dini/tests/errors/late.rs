//! Late errors: derivatives that do not exist are raised where they are needed, by the original line, and nowhere else.

use crate::support::check;
use dini::prelude::*;
use expect_test::expect;

fn doubled(x: Array) -> Result<Array> {
    while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x)
}

fn one() -> Array {
    Array::from(1.0)
}

#[test]
fn reverse_mode_of_a_while_loop() {
    check(
        grad(doubled)(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(doubled)(one(»"#]],
    );
    check(
        jit(grad(doubled))(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(doubled))(one(»
               = note: inside `jit` at «jit(grad(doubled))(one(»"#]],
    );
    check(
        grad(jit(doubled))(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(jit(doubled))(one(»"#]],
    );
    check(
        vmap(grad(doubled))(Array::from(vec![1.0, 3.0])),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(doubled))(Array::from(vec![1.0, 3.0]»
               = note: inside `vmap` at «vmap(grad(doubled))(Array::from(vec![1.0, 3.0]»"#]],
    );
    let scanned = |x: Array| scan(|c: Array, (): ()| doubled(c).map(|c| (c, ())), x, ()).map(|(c, ())| c);
    check(
        grad(scanned)(one()),
        expect![[r#"
            error[shape]: `scan`: nothing is stacked, so the number of steps is not known
              --> «scan(|c: Array, (): ()| doubled(c).map(|c| (c, ())), x, ()).map(|(c, ())| c»
               = help: give `ScanOptions::new().length(n)`
               = note: inside `grad` at «grad(scanned)(one(»"#]],
    );
    let options = || ScanOptions::new().length(2);
    let scanned = |x: Array| scan_with(options(), |c: Array, (): ()| doubled(c).map(|c| (c, ())), x, ()).map(|c| c.0);
    check(
        grad(scanned)(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(scanned)(one(»"#]],
    );
    check(
        jit(grad(scanned))(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(scanned))(one(»
               = note: inside `jit` at «jit(grad(scanned))(one(»"#]],
    );
    let branched = |x: Array| cond(&x.gt(0.0), doubled, |x: Array| x, x.clone());
    check(
        grad(branched)(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(branched)(one(»"#]],
    );
    check(
        grad(checkpoint(doubled))(one()),
        expect![[r#"
            error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
              --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
               = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
               = note: inside `grad` at «grad(checkpoint(doubled))(one(»"#]],
    );
}

#[test]
fn what_does_not_need_it_works() {
    let f = |x: Array| doubled(x.clone()).map(|y| stop_gradient(&y) * x);
    assert_eq!(grad(f)(one()).unwrap().item::<f64>().unwrap(), 128.0);
    assert_eq!(jit(grad(f))(one()).unwrap().item::<f64>().unwrap(), 128.0);
    let (_, t) = jvp(doubled, one(), one()).unwrap();
    assert_eq!(t.item::<f64>().unwrap(), 128.0);
    // The first part of the gradient exists, and it alone is used.
    let f = |(x, y): (Array, Array)| doubled(y).map(|y| y + x);
    let first = |x: Array| grad(|x: Array| f((x, one())))(x);
    assert_eq!(first(one()).unwrap().item::<f64>().unwrap(), 1.0);
    let value = |x: Array| value_and_grad(doubled)(x).map(|(y, _)| y);
    assert_eq!(jit(value)(one()).unwrap().item::<f64>().unwrap(), 128.0);
}

#[test]
fn forward_mode_of_a_reverse_rule() {
    let square =
        |x: Array| custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x);
    assert_eq!(grad(square)(one()).unwrap().item::<f64>().unwrap(), 2.0);
    check(
        jvp(square, one(), one()),
        expect![[r#"
            error[missing-rule]: `custom_vjp`: has no forward rule, and forward-mode differentiation needs one
              --> «custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x»
               = help: use reverse mode (`grad`, `vjp`, `jacrev`), give it a rule with `custom_vjp_with_jvp`, or use `custom_jvp`
               = note: inside `jvp` at «jvp(square, one(), one(»"#]],
    );
    check(
        jit(jacfwd(square))(one()),
        expect![[r#"
            error[missing-rule]: `custom_vjp`: has no forward rule, and forward-mode differentiation needs one
              --> «custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x»
               = help: use reverse mode (`grad`, `vjp`, `jacrev`), give it a rule with `custom_vjp_with_jvp`, or use `custom_jvp`
               = note: inside `jacfwd` at «jacfwd(square))(one(»
               = note: inside `jit` at «jit(jacfwd(square))(one(»"#]],
    );
}

#[test]
fn forward_mode_is_noted_under_compilation() {
    let square =
        |x: Array| custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x);
    check(
        jit(|x: Array| jvp(square, x.clone(), x).map(|(_, t)| t))(one()),
        expect![[r#"
        error[missing-rule]: `custom_vjp`: has no forward rule, and forward-mode differentiation needs one
          --> «custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x»
           = help: use reverse mode (`grad`, `vjp`, `jacrev`), give it a rule with `custom_vjp_with_jvp`, or use `custom_jvp`
           = note: inside `jvp` at «jvp(square, x.clone(), x).map(|(_, t)| t))(one(»
           = note: inside `jit` at «jit(|x: Array| jvp(square, x.clone(), x).map(|(_, t)| t))(one(»"#]],
    );
    check(
        jit(|x: Array| linearize(square, x.clone()).and_then(|(_, df)| df(x)))(one()),
        expect![[r#"
        error[missing-rule]: `custom_vjp`: has no forward rule, and forward-mode differentiation needs one
          --> «custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| x * 2.0 * ct)(x»
           = help: use reverse mode (`grad`, `vjp`, `jacrev`), give it a rule with `custom_vjp_with_jvp`, or use `custom_jvp`
           = note: inside `linearize` at «linearize(square, x.clone()).and_then(|(_, df)| df(x)))(one(»
           = note: inside `jit` at «jit(|x: Array| linearize(square, x.clone()).and_then(|(_, df)| df(x)))(one(»"#]],
    );
    let host = |x: Array| host_call(|x: Array| x, &Array::from(0.0), x);
    check(
        jit(|x: Array| jvp(|x: Array| jvp(host, x.clone(), x).map(|(_, t)| t), x.clone(), x))(one()),
        expect![[r#"
        error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
          --> «host_call(|x: Array| x, &Array::from(0.0), x»
           = note: inside `jvp` at «jvp(host, x.clone(), x).map(|(_, t)| t), x.clone(), x))(one(»
           = note: inside `jvp` at «jvp(|x: Array| jvp(host, x.clone(), x).map(|(_, t)| t), x.clone(), x))(one(»
           = note: inside `jit` at «jit(|x: Array| jvp(|x: Array| jvp(host, x.clone(), x).map(|(_, t)| t), x.clone(), x))(one(»"#]],
    );
    check(
        vmap(jit(|x: Array| jvp(host, x.clone(), x)))(Array::from(vec![1.0])),
        expect![[r#"
        error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
          --> «host_call(|x: Array| x, &Array::from(0.0), x»
           = note: inside `jvp` at «jvp(host, x.clone(), x)))(Array::from(vec![1.0]»
           = note: inside `jit` at «jit(|x: Array| jvp(host, x.clone(), x)))(Array::from(vec![1.0]»
           = note: inside `vmap` at «vmap(jit(|x: Array| jvp(host, x.clone(), x)))(Array::from(vec![1.0]»"#]],
    );
}

#[test]
fn reverse_mode_without_a_transposed_solve() {
    let solve = |a: Array| custom_linear_solve(|x: Array| &a * x, one(), |_, b| b / &a);
    assert!(jvp(solve, one(), one()).is_ok());
    check(
        grad(solve)(one()),
        expect![[r#"
            error[missing-rule]: `custom_linear_solve`: reverse-mode differentiation needs a `transpose_solve`, or the promise that the matrix is symmetric
              --> «custom_linear_solve(|x: Array| &a * x, one(), |_, b| b / &a»
               = help: use `custom_linear_solve_transposable`, or `LinearSolveOptions::new().symmetric()`
               = note: inside `grad` at «grad(solve)(one(»"#]],
    );
    check(
        jit(grad(solve))(one()),
        expect![[r#"
            error[missing-rule]: `custom_linear_solve`: reverse-mode differentiation needs a `transpose_solve`, or the promise that the matrix is symmetric
              --> «custom_linear_solve(|x: Array| &a * x, one(), |_, b| b / &a»
               = help: use `custom_linear_solve_transposable`, or `LinearSolveOptions::new().symmetric()`
               = note: inside `grad` at «grad(solve))(one(»
               = note: inside `jit` at «jit(grad(solve))(one(»"#]],
    );
}

#[test]
fn a_host_function_has_no_derivative() {
    let f = |x: Array| host_call(|x: Array| x, &Array::from(0.0), x);
    check(
        grad(f)(one()),
        expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &Array::from(0.0), x»
               = note: inside `grad` at «grad(f)(one(»"#]],
    );
    check(
        jit(grad(|x: Array| f(x.sin()).map(|y| y * 2.0)))(one()),
        expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &Array::from(0.0), x»
               = note: inside `grad` at «grad(|x: Array| f(x.sin()).map(|y| y * 2.0)))(one(»
               = note: inside `jit` at «jit(grad(|x: Array| f(x.sin()).map(|y| y * 2.0)))(one(»"#]],
    );
    assert_eq!(grad(|x: Array| f(stop_gradient(&x)).map(|y| y * x))(one()).unwrap().item::<f64>().unwrap(), 1.0);
}

/// The call that asked for the derivative has returned when the program runs; it is named all the same.
#[test]
fn every_enclosing_call_is_named() {
    let endless = |x: Array| while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x);
    check(
        jit(grad(endless))(Array::from(1.0)),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(endless))(Array::from(1.0»
           = note: inside `jit` at «jit(grad(endless))(Array::from(1.0»"#]],
    );
    check(
        grad(endless)(Array::from(1.0)),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(endless)(Array::from(1.0»"#]],
    );
    check(
        vmap(jit(grad(endless)))(Array::from(vec![1.0])),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(endless)))(Array::from(vec![1.0]»
           = note: inside `jit` at «jit(grad(endless)))(Array::from(vec![1.0]»
           = note: inside `vmap` at «vmap(jit(grad(endless)))(Array::from(vec![1.0]»"#]],
    );
    check(
        jit(jacrev(endless))(Array::from(1.0)),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `jacrev` at «jacrev(endless))(Array::from(1.0»
           = note: inside `jit` at «jit(jacrev(endless))(Array::from(1.0»"#]],
    );
    let nested = |x: Array| vjp(grad(endless), x).and_then(|(_, back)| back(Array::from(1.0)));
    check(
        jit(nested)(Array::from(1.0)),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(9.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(endless), x).and_then(|(_, back)| back(Array::from(1.0»
           = note: inside `vjp` at «vjp(grad(endless), x).and_then(|(_, back)| back(Array::from(1.0»
           = note: inside `jit` at «jit(nested)(Array::from(1.0»"#]],
    );
}

type Function = dyn Fn(Array) -> Result<Array>;

/// What is inside the body of a loop, a branch or a rule is inside the same calls as it would be without.
#[test]
fn bodies_are_inside_the_same_calls() {
    fn host(x: Array) -> Result<Array> {
        host_call(|x: Array| x, &Array::from(0.0), x)
    }
    let calls: [(&str, fn(&Function) -> Result<Array>); 13] = [
        ("jvp", |f| jit(|x: Array| jvp(f, x.clone(), x).map(|(_, t)| t))(one())),
        ("linearize", |f| jit(|x: Array| linearize(f, x.clone()).and_then(|(_, df)| df(x)))(one())),
        ("jacfwd", |f| jit(jacfwd(f))(one())),
        ("lanes of jvp", |f| jit(vmap(|x: Array| jvp(f, x.clone(), x).map(|(_, t)| t)))(Array::from(vec![1.0]))),
        ("jvp of lanes", |f| {
            jit(|x: Array| jvp(vmap(f), x.clone(), x).map(|(_, t)| t.sum()))(Array::from(vec![1.0, 2.0]))
        }),
        ("jvp of jvp", |f| {
            jit(|x: Array| jvp(|x: Array| jvp(f, x.clone(), x).map(|(_, t)| t), x.clone(), x).map(|(_, t)| t))(one())
        }),
        ("jvp of jit", |f| jit(|x: Array| jvp(jit(f), x.clone(), x).map(|(_, t)| t))(one())),
        ("grad", |f| jit(grad(f))(one())),
        ("vjp", |f| jit(|x: Array| vjp(f, x.clone()).and_then(|(_, back)| back(x)))(one())),
        ("jacrev", |f| jit(jacrev(f))(one())),
        ("lanes of grad", |f| jit(vmap(grad(f)))(Array::from(vec![1.0, 2.0]))),
        ("grad of jit", |f| jit(grad(jit(f)))(one())),
        ("grad in jit in grad", |f| jit(grad(jit(grad(f))))(one())),
    ];
    let bodies: [(&str, fn(fn(Array) -> Result<Array>) -> Box<Function>); 8] = [
        ("scan", |f| {
            Box::new(move |x| scan(|c, x: Array| Ok((f(c)? * x, ())), x, Array::from(vec![1.0, 2.0])).map(|(c, ())| c))
        }),
        ("fori_loop", |f| Box::new(move |x| fori_loop(0, 2, |_, x| f(x), x))),
        ("map", |f| Box::new(move |x: Array| map(f, x.reshape(&[1])).map(|x: Array| x.sum()))),
        ("cond", |f| Box::new(move |x| cond(&x.gt(0.0), f, |x: Array| x, x.clone()))),
        ("loop of branches", |f| {
            Box::new(move |x| fori_loop(0, 2, |_, x: Array| cond(&x.gt(0.0), f, |x: Array| x, x.clone()), x))
        }),
        ("checkpoint", |f| Box::new(move |x| checkpoint(f)(x))),
        ("loop of checkpoints", |f| Box::new(move |x| fori_loop(0, 2, |_, x| checkpoint(f)(x), x))),
        ("solver", |f| {
            Box::new(move |a| {
                let residual = |x: Array| f(a.clone()).map(|y| x - y);
                custom_root(residual, one(), |_, _| a.clone(), |_, b| b)
            })
        }),
    ];
    for (call, run) in calls {
        for fails in [host, doubled] {
            let Err(bare) = run(&fails) else { continue };
            for (body, wrap) in bodies {
                let wrapped = run(&*wrap(fails)).expect_err(body);
                assert_eq!(wrapped.notes(), bare.notes(), "{call} of {body}: {wrapped}");
                assert_eq!(wrapped.location(), bare.location(), "{call} of {body}: {wrapped}");
            }
        }
    }
}

/// A compiled function, and the derivatives that are kept with it, serve calls from many places: each is told its own.
#[test]
fn what_is_kept_notes_the_calls_that_use_it() {
    let looped = jit(|x: Array| fori_loop(0, 2, |_, x: Array| host_call(|x: Array| x, &one(), x), x));
    for _ in 0..2 {
        check(
            grad(&looped)(one()),
            expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &one(), x), x»
               = note: inside `jit` at «jit(|x: Array| fori_loop(0, 2, |_, x: Array| host_call(|x: Array| x, &one(), x), x»
               = note: inside `grad` at «grad(&looped)(one(»"#]],
        );
        check(
            jit(vmap(grad(&looped)))(Array::from(vec![1.0])),
            expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &one(), x), x»
               = note: inside `jit` at «jit(|x: Array| fori_loop(0, 2, |_, x: Array| host_call(|x: Array| x, &one(), x), x»
               = note: inside `grad` at «grad(&looped)))(Array::from(vec![1.0]»
               = note: inside `vmap` at «vmap(grad(&looped)))(Array::from(vec![1.0]»
               = note: inside `jit` at «jit(vmap(grad(&looped)))(Array::from(vec![1.0]»"#]],
        );
        check(
            jvp(&looped, one(), one()),
            expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &one(), x), x»
               = note: inside `jit` at «jit(|x: Array| fori_loop(0, 2, |_, x: Array| host_call(|x: Array| x, &one(), x), x»
               = note: inside `jvp` at «jvp(&looped, one(), one(»"#]],
        );
    }
}

/// A derivative that a body asks for itself is inside that body, and so inside everything around it.
#[test]
fn derivatives_inside_of_bodies() {
    let slope = |x: Array| fori_loop(0, 2, |_, x: Array| grad(doubled)(x), x);
    check(
        jit(slope)(one()),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(doubled)(x), x»
           = note: inside `fori_loop body` at «fori_loop(0, 2, |_, x: Array| grad(doubled)(x), x»
           = note: inside `jit` at «jit(slope)(one(»"#]],
    );
    check(
        jit(vmap(slope))(Array::from(vec![1.0])),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(doubled)(x), x»
           = note: inside `fori_loop body` at «fori_loop(0, 2, |_, x: Array| grad(doubled)(x), x»
           = note: inside `vmap` at «vmap(slope))(Array::from(vec![1.0]»
           = note: inside `jit` at «jit(vmap(slope))(Array::from(vec![1.0]»"#]],
    );
    check(
        jit(|x: Array| jvp(jit(slope), x.clone(), x))(one()),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(doubled)(x), x»
           = note: inside `fori_loop body` at «fori_loop(0, 2, |_, x: Array| grad(doubled)(x), x»
           = note: inside `jit` at «jit(slope), x.clone(), x))(one(»
           = note: inside `jvp` at «jvp(jit(slope), x.clone(), x))(one(»
           = note: inside `jit` at «jit(|x: Array| jvp(jit(slope), x.clone(), x))(one(»"#]],
    );
}

#[test]
fn what_would_run_has_no_results_that_are_errors() {
    check(
        compiled_program_of(grad(doubled), &one()),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(doubled), &one(»
           = note: inside `compiled_program_of` at «compiled_program_of(grad(doubled), &one(»"#]],
    );
    check(
        explain(grad(doubled), &one()),
        expect![[r#"
        error[missing-rule]: `while_loop`: reverse-mode differentiation of a loop whose number of steps is not fixed does not exist
          --> «while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, x»
           = help: use forward mode (`jvp`, `jacfwd`), a loop of fixed length (`scan`, `fori_loop` with constant bounds), or, if the loop solves equations, `custom_root`, `custom_linear_solve` or `define_implicit_gradient`
           = note: inside `grad` at «grad(doubled), &one(»
           = note: inside `explain` at «explain(grad(doubled), &one(»"#]],
    );
}
