//! Transformations: their arguments, their options, custom rules, checks and host functions.

use crate::support::{check, three};
use dini::{compile, prelude::*};
use expect_test::expect;

#[test]
fn lanes_of_different_sizes() {
    let args = (three(), vec![Array::from(vec![1.0, 2.0]), Array::from(1.0)]);
    let options = Vmap::new().in_axes((0, (0, None)));
    check(
        vmap_with(options, |(x, y): (Array, Vec<Array>)| x + &y[0])(args),
        expect![[r#"
            error[shape]: `vmap`: the mapped axes have different sizes
              --> «vmap_with(options, |(x, y): (Array, Vec<Array>)| x + &y[0])(args»
               = the argument at `.0`: f64[3], axis 0 has size 3
               = the argument at `.1[0]`: f64[2], axis 0 has size 2"#]],
    );
}

#[test]
fn lanes_that_do_not_exist() {
    check(
        vmap(|x: Array| x)(Array::from(1.0)),
        expect![[r#"
            error[index]: `vmap`: the argument is f64[] and has no axis 0 to be mapped over
              --> «vmap(|x: Array| x)(Array::from(1.0»
               = help: leave it unmapped with `None` in `in_axes`"#]],
    );
    check(
        vmap_with(Vmap::new().in_axes(2), |x: Array| x)(three()),
        expect![[r#"
            error[index]: `vmap`: the argument is f64[3] and has no axis 2 to be mapped over
              --> «vmap_with(Vmap::new().in_axes(2), |x: Array| x)(three(»
               = help: leave it unmapped with `None` in `in_axes`"#]],
    );
    check(
        vmap_with(Vmap::new().in_axes(None), |x: Array| x)(three()),
        expect![[r#"
            error[value]: `vmap`: no argument has an axis to be mapped over
              --> «vmap_with(Vmap::new().in_axes(None), |x: Array| x)(three(»
               = help: map at least one, or give `Vmap::new().axis_size(n)`"#]],
    );
    check(
        vmap_with(Vmap::new().in_axes((0, 0, 0)), |(x, y): (Array, Array)| x + y)((three(), three())),
        expect![[r#"
            error[structure]: `in_axes`: axes at the root: got axes for 3 parts, expected axes for a tuple of 2
              --> «vmap_with(Vmap::new().in_axes((0, 0, 0)), |(x, y): (Array, Array)| x + y)((three(), three(»
               = help: give one entry per part, or a single one for all of them"#]],
    );
    check(
        vmap_with(Vmap::new().out_axes(1), |x: Array| x)(three()),
        expect![[r#"
            error[index]: `vmap`: `out_axes` puts the lanes of the result on axis 1, but with them it has 1 axes
              --> «vmap_with(Vmap::new().out_axes(1), |x: Array| x)(three(»"#]],
    );
    check(
        vmap_with(Vmap::new().out_axes(None), |x: Array| x)(three()),
        expect![[r#"
            error[value]: `vmap`: the result differs from lane to lane, but `out_axes` says `None`
              --> «vmap_with(Vmap::new().out_axes(None), |x: Array| x)(three(»"#]],
    );
}

#[test]
fn gradients_with_respect_to_integers() {
    check(
        grad(|x: Array| x)(Array::from(1i32)),
        expect![[r#"
            error[dtype]: `grad`: the argument is i32[]: a gradient needs floating-point numbers
              --> «grad(|x: Array| x)(Array::from(1i32»
               = help: capture what is not to be differentiated, or use `vjp`, whose cotangent for it is `float0`"#]],
    );
    let f = |(x, n): (Array, Array)| x * n.cast(DType::F64);
    check(
        value_and_grad(f)((Array::from(1.0), Array::from(true))),
        expect![[r#"
            error[dtype]: `value_and_grad`: the argument at `.1` is bool[]: a gradient needs floating-point numbers
              --> «value_and_grad(f)((Array::from(1.0), Array::from(true»
               = help: capture what is not to be differentiated, or use `vjp`, whose cotangent for it is `float0`"#]],
    );
    check(
        hessian(|x: Array| x)(Array::from(1i64)),
        expect![[r#"
            error[dtype]: `hessian`: the argument is i64[]: a gradient needs floating-point numbers
              --> «hessian(|x: Array| x)(Array::from(1i64»
               = help: capture what is not to be differentiated, or use `vjp`, whose cotangent for it is `float0`
               = note: inside `hessian` at «hessian(|x: Array| x)(Array::from(1i64»"#]],
    );
}

#[test]
fn gradients_of_what_is_no_scalar() {
    check(
        grad(|x: Array| x * 2.0)(three()),
        expect![[r#"
            error[shape]: `grad`: the function returns f64[3], expected a floating-point scalar
              --> «grad(|x: Array| x * 2.0)(three(»
               = help: reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`"#]],
    );
    check(
        grad(|x: Array| (x.sum(), x.sum()))(three()),
        expect![[r#"
            error[structure]: `grad`: the function returns 2 arrays, expected one scalar
              --> «grad(|x: Array| (x.sum(), x.sum()))(three(»
               = help: use `jacrev` or `vjp` for results of other structures"#]],
    );
    check(
        grad(|x: Array| x.sum().cast(DType::I32))(three()),
        expect![[r#"
            error[shape]: `grad`: the function returns i32[], expected a floating-point scalar
              --> «grad(|x: Array| x.sum().cast(DType::I32))(three(»
               = help: reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`"#]],
    );
    check(
        jit(vmap(grad(|x: Array| x.sin())))(Array::from([[1.0, 2.0]])),
        expect![[r#"
            error[shape]: `grad`: the function returns f64[2], expected a floating-point scalar
              --> «grad(|x: Array| x.sin())))(Array::from([[1.0, 2.0]]»
               = help: reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`
               = note: inside `vmap` at «vmap(grad(|x: Array| x.sin())))(Array::from([[1.0, 2.0]]»
               = note: inside `jit` at «jit(vmap(grad(|x: Array| x.sin())))(Array::from([[1.0, 2.0]]»"#]],
    );
}

#[test]
fn tangents_and_cotangents_that_do_not_fit() {
    check(
        jvp(|x: Array| x, three(), Array::from(1.0)),
        expect![[r#"
            error[shape]: `jvp`: the tangent is f64[], expected f64[3] (it goes with f64[3])
              --> «jvp(|x: Array| x, three(), Array::from(1.0»"#]],
    );
    check(
        jvp(|x: Array| x, three(), Array::from(vec![1.0f32, 2.0, 3.0])),
        expect![[r#"
            error[dtype]: `jvp`: the tangent is f32[3], expected f64[3] (it goes with f64[3])
              --> «jvp(|x: Array| x, three(), Array::from(vec![1.0f32, 2.0, 3.0]»"#]],
    );
    check(
        jvp(|x: Vec<Array>| x, vec![three()], vec![three(), three()]),
        expect![[r#"
            error[structure]: `jvp`: the tangent has structure [*, *], expected [*]; at the root: a list of 2, expected a list of 1
              --> «jvp(|x: Vec<Array>| x, vec![three()], vec![three(), three()]»"#]],
    );
    let (_, pullback) = vjp(|x: Array| x.sum(), three()).unwrap();
    check(
        pullback(three()),
        expect![[r#"
            error[shape]: `vjp`: the cotangent is f64[3], expected f64[] (it goes with f64[])
              --> «vjp(|x: Array| x.sum(), three()).unwrap(»"#]],
    );
    let (_, pullback) = vjp(|x: Array| vec![x.sum(), x], three()).unwrap();
    check(
        pullback(vec![Array::from(1.0)]),
        expect![[r#"
            error[structure]: `vjp`: the cotangent has structure [*], expected [*, *]; at the root: a list of 1, expected a list of 2
              --> «vjp(|x: Array| vec![x.sum(), x], three()).unwrap(»"#]],
    );
    let (_, push) = linearize(|x: Array| x.sin(), three()).unwrap();
    check(
        push(Array::from(1.0)),
        expect![[r#"
            error[shape]: `linearize`: the tangent is f64[], expected f64[3] (it goes with f64[3])
              --> «linearize(|x: Array| x.sin(), three()).unwrap(»"#]],
    );
}

#[test]
fn a_compiled_function_takes_what_it_was_compiled_for() {
    let f = compile(|x: Vec<Array>| x[0].sin(), &vec![three()]).unwrap();
    check(
        f.call(vec![Array::from(1.0)]),
        expect![[r#"
            error[shape]: `compile`: the argument at `[0]` is f64[], compiled for f64[3]
              --> «call(vec![Array::from(1.0)]»
               = note: inside `compile` at «compile(|x: Vec<Array>| x[0].sin(), &vec![three()]).unwrap(»"#]],
    );
    check(
        f.call(vec![three(), three()]),
        expect![[r#"
            error[structure]: `compile`: the argument has structure [*, *], expected [*]; at the root: a list of 2, expected a list of 1
              --> «call(vec![three(), three()]»"#]],
    );
    check(
        grad(|x: Array| compile(|y: Array| y * &x, &three()).map(|_| x.sum()))(three()),
        expect![[r#"
            error[escape]: `compile`: the function captures a traced value
              --> «compile(|y: Array| y * &x, &three()).map(|_| x.sum()))(three(»
               = note: inside `grad` at «grad(|x: Array| compile(|y: Array| y * &x, &three()).map(|_| x.sum()))(three(»"#]],
    );
}

#[test]
fn trees_that_differ() {
    let step = |x: std::collections::BTreeMap<String, Array>| {
        let mut y = x.clone();
        y.insert("extra".into(), three());
        y
    };
    let init = std::collections::BTreeMap::from([("x".to_string(), three())]);
    check(
        fori_loop(0, 2, |_, x| step(x), init),
        expect![[r#"
            error[structure]: `fori_loop`: `body` returned the structure {"extra": *, "x": *}, expected that of the carry, {"x": *}; at the root: a map with the keys "extra", "x", expected a map with the keys "x"
              --> «fori_loop(0, 2, |_, x| step(x), init»
               = note: inside `fori_loop body` at «fori_loop(0, 2, |_, x| step(x), init»"#]],
    );
    let some = |x: Option<Array>| if x.is_some() { None } else { Some(three()) };
    check(
        fori_loop(0, 2, |_, x| some(x), Some(three())),
        expect![[r#"
            error[structure]: `fori_loop`: `body` returned the structure None, expected that of the carry, Some(*); at the root: `None`, expected `Some`
              --> «fori_loop(0, 2, |_, x| some(x), Some(three(»
               = note: inside `fori_loop body` at «fori_loop(0, 2, |_, x| some(x), Some(three(»"#]],
    );
}

#[test]
fn custom_rules_that_return_something_else() {
    let f = |x: Array| x.sin();
    check(
        custom_jvp(f, |x: Array, t: Array| (x.sin(), t.sum()))(three()),
        expect![[r#"
            error[shape]: `custom_jvp`: `rule` returned f64[], expected f64[3] as in the function's result
              --> «custom_jvp(f, |x: Array, t: Array| (x.sin(), t.sum()))(three(»
               = the value: f64[], from `reduce_sum` at «sum()))(three(»
               = note: inside `custom_jvp rule` at «custom_jvp(f, |x: Array, t: Array| (x.sin(), t.sum()))(three(»"#]],
    );
    check(
        custom_jvp(f, |x: Array, t: Array| (x.sum(), t))(three()),
        expect![[r#"
            error[shape]: `custom_jvp`: `rule` returned f64[], expected f64[3] as in the function's result
              --> «custom_jvp(f, |x: Array, t: Array| (x.sum(), t))(three(»
               = the value: f64[], from `reduce_sum` at «sum(), t))(three(»
               = note: inside `custom_jvp rule` at «custom_jvp(f, |x: Array, t: Array| (x.sum(), t))(three(»"#]],
    );
    check(
        custom_vjp(f, |x: Array| (x.sum(), x), |x: Array, ct: Array| x * ct)(three()),
        expect![[r#"
            error[shape]: `custom_vjp`: `forward` returned f64[], expected f64[3] as in the function's result
              --> «custom_vjp(f, |x: Array| (x.sum(), x), |x: Array, ct: Array| x * ct)(three(»
               = the value: f64[], from `reduce_sum` at «sum(), x), |x: Array, ct: Array| x * ct)(three(»
               = note: inside `custom_vjp forward` at «custom_vjp(f, |x: Array| (x.sum(), x), |x: Array, ct: Array| x * ct)(three(»"#]],
    );
    check(
        custom_vjp(f, |x: Array| (x.clone(), x), |_: Array, ct: Array| ct.sum())(three()),
        expect![[r#"
            error[shape]: `custom_vjp`: `backward` returned f64[], expected f64[3] as in the argument
              --> «custom_vjp(f, |x: Array| (x.clone(), x), |_: Array, ct: Array| ct.sum())(three(»
               = the value: f64[], from `reduce_sum` at «sum())(three(»
               = note: inside `custom_vjp backward` at «custom_vjp(f, |x: Array| (x.clone(), x), |_: Array, ct: Array| ct.sum())(three(»"#]],
    );
    let wrong = custom_vjp_with_jvp(f, |x: Array| (x, ()), |(), ct: Array| ct, |_: Array, t: Array| t.sum());
    check(
        wrong(three()),
        expect![[r#"
            error[shape]: `custom_vjp`: `jvp` returned f64[], expected f64[3] as in the function's result
              --> «custom_vjp_with_jvp(f, |x: Array| (x, ()), |(), ct: Array| ct, |_: Array, t: Array| t.sum(»
               = the value: f64[], from `reduce_sum` at «sum(»
               = note: inside `custom_vjp jvp` at «custom_vjp_with_jvp(f, |x: Array| (x, ()), |(), ct: Array| ct, |_: Array, t: Array| t.sum(»"#]],
    );
}

#[test]
fn a_backward_rule_that_is_not_linear() {
    let f = custom_jvp(|x: Array| x.sin(), |x: Array, t: Array| (x.sin(), &t * &t));
    check(
        grad(f)(Array::from(1.0)),
        expect![[r#"
            error[not-linear]: `mul`: not linear: an operand of type f64[] depends on the input that it must be linear in
              --> «&t * &t»
               = note: inside `grad` at «grad(f)(Array::from(1.0»"#]],
    );
}

#[test]
fn conditions_that_do_not_hold() {
    let positive = |x: Array| -> Result<Array> {
        ensure(&x.gt(0.0), "x must be positive")?;
        Ok(x.sqrt())
    };
    let minus = Array::from(-1.0);
    let lanes = Array::from(vec![1.0, -1.0, 4.0, -4.0]);
    check(
        positive(minus.clone()),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»"#]],
    );
    check(
        jit(positive)(minus.clone()),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»
               = note: inside `jit` at «jit(positive)(minus.clone(»"#]],
    );
    check(
        vmap(positive)(lanes.clone()),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»
               = in 2 of 4 lanes: 1, 3
               = note: inside `vmap` at «vmap(positive)(lanes.clone(»"#]],
    );
    check(
        jit(vmap(grad(positive)))(lanes.clone()),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»
               = in 2 of 4 lanes: 1, 3
               = note: inside `jit` at «jit(vmap(grad(positive)))(lanes.clone(»"#]],
    );
    check(
        grad(positive)(minus.clone()),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»
               = note: inside `grad` at «grad(positive)(minus.clone(»"#]],
    );
    let looped = |x: Array| fori_loop(0, 3, |_, x: Array| positive(x - 1.0), x);
    check(
        jit(looped)(Array::from(2.5)),
        expect![[r#"
            error[ensure]: `ensure`: x must be positive
              --> «ensure(&x.gt(0.0), "x must be positive")?»
               = note: inside `jit` at «jit(looped)(Array::from(2.5»"#]],
    );
    check(
        ensure(&Array::from(1.0), "a number"),
        expect![[r#"
            error[dtype]: `ensure`: the condition is f64[], expected bool
              --> «ensure(&Array::from(1.0), "a number"»
               = operand 0: f64[], made at «Array::from(1.0), "a number"»"#]],
    );
    check(
        ensure(&lanes.gt(0.0), "all lanes"),
        expect![[r#"
            error[ensure]: `ensure`: all lanes
              --> «ensure(&lanes.gt(0.0), "all lanes"»
               = in 2 of 4 lanes: 1, 3"#]],
    );
}

#[test]
fn host_functions_that_fail() {
    let fails = |x: Array| host_call(|_: Array| -> Result<Array> { crate::support::own("host") }, &Array::from(0.0), x);
    let one = Array::from(1.0);
    check(
        fails(one.clone()),
        expect![[r#"
            error[user]: own error `host`
              --> «crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `host_call` at «host_call(|_: Array| -> Result<Array> { crate::support::own("host") }, &Array::from(0.0), x»"#]],
    );
    check(
        jit(fails)(one.clone()),
        expect![[r#"
            error[user]: own error `host`
              --> «crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `host_call` at «host_call(|_: Array| -> Result<Array> { crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `jit` at «jit(fails)(one.clone(»"#]],
    );
    check(
        jit(vmap(fails))(three()),
        expect![[r#"
            error[user]: own error `host`
              --> «crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `host_call` at «host_call(|_: Array| -> Result<Array> { crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `jit` at «jit(vmap(fails))(three(»"#]],
    );
    check(
        jit(|x: Array| fails(x.sin()).map(|y| y * 2.0))(one.clone()),
        expect![[r#"
            error[user]: own error `host`
              --> «crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `host_call` at «host_call(|_: Array| -> Result<Array> { crate::support::own("host") }, &Array::from(0.0), x»
               = note: inside `jit` at «jit(|x: Array| fails(x.sin()).map(|y| y * 2.0))(one.clone(»"#]],
    );
}

#[test]
fn host_functions_that_return_something_else() {
    let one = Array::from(1.0);
    let like = Array::from(0.0);
    check(
        host_call(|_: Array| three(), &like, one.clone()),
        expect![[r#"
            error[structure]: `host_call`: result 0 of the host function is f64[3], declared f64[]
              --> «host_call(|_: Array| three(), &like, one.clone(»"#]],
    );
    check(
        jit(move |x: Array| host_call(|x: Array| x.cast(DType::F32), &like, x))(one.clone()),
        expect![[r#"
            error[structure]: `host_call`: result 0 of the host function is f32[], declared f64[]
              --> «host_call(|x: Array| x.cast(DType::F32), &like, x))(one.clone(»
               = note: inside `jit` at «jit(move |x: Array| host_call(|x: Array| x.cast(DType::F32), &like, x))(one.clone(»"#]],
    );
    check(
        host_call(|v: Vec<Array>| v, &vec![one.clone()], vec![one.clone(), one.clone()]),
        expect![[r#"
            error[structure]: `host_call`: the host function returned the structure [*, *], declared [*]; at the root: a list of 2, expected a list of 1
              --> «host_call(|v: Vec<Array>| v, &vec![one.clone()], vec![one.clone(), one.clone()]»"#]],
    );
    check(
        grad(|x: Array| host_call(|x: Array| x, &Array::from(0.0), x))(one),
        expect![[r#"
            error[missing-rule]: `host_call`: has no differentiation rule: a host function has no derivative; give it one with `custom_jvp`, or call it inside `custom_root`
              --> «host_call(|x: Array| x, &Array::from(0.0), x))(one»
               = note: inside `grad` at «grad(|x: Array| host_call(|x: Array| x, &Array::from(0.0), x))(one»"#]],
    );
}

#[test]
fn a_size_of_lanes_that_does_not_fit() {
    let lanes = Vmap::new().axis_size(3);
    check(
        vmap_with(lanes, |x: Array| x)(Array::from(vec![1.0])),
        expect![[r#"
        error[shape]: `vmap`: `axis_size` is 3, but a mapped axis has another size
          --> «vmap_with(lanes, |x: Array| x)(Array::from(vec![1.0]»
           = the argument: f64[1], axis 0 has size 1"#]],
    );
}
