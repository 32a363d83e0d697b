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
