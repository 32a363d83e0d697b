//! Traced values: kept too long, moved to another thread, asked for a value that they do not have.

use crate::support::{check, show, three};
use dini::prelude::*;
use expect_test::expect;
use std::cell::RefCell;

/// Runs `transformed` on a function that keeps its traced intermediate value, and gives that value.
fn keep(transformed: impl Fn(&dyn Fn(Array) -> Array)) -> Array {
    let kept = RefCell::new(None);
    transformed(&|x: Array| {
        let y = x.sin();
        *kept.borrow_mut() = Some(y.clone());
        y.sum()
    });
    kept.take().unwrap()
}

#[test]
fn kept_past_its_transformation() {
    let x = keep(|f| drop(jit(f)(three())));
    check(
        (&x + 1.0).check(),
        expect![[r#"
            error[escape]: `add`: a traced value is used after its transformation ended: f64[3] came from `sin` at «sin(»
              --> «(&x + 1.0).check(»
               = its transformation: `jit` at «jit(f)(three(»
               = help: return the value from the transformed function instead of storing it"#]],
    );
    check(
        x.to_vec::<f64>(),
        expect![[r#"
            error[escape]: `to_vec`: a traced value is used after its transformation ended: f64[3] came from `sin` at «sin(»
              --> «to_vec::<f64>(»
               = its transformation: `jit` at «jit(f)(three(»
               = help: return the value from the transformed function instead of storing it"#]],
    );
    let x = keep(|f| drop(grad(f)(three())));
    check(
        (&x + 1.0).check(),
        expect![[r#"
            error[escape]: `add`: a traced value is used after its transformation ended: f64[3] came from `sin` at «sin(»
              --> «(&x + 1.0).check(»
               = its transformation: `grad` at «grad(f)(three(»
               = help: return the value from the transformed function instead of storing it"#]],
    );
    check(
        grad(|y: Array| (&x * y).sum())(three()),
        expect![[r#"
            error[escape]: `mul`: a traced value is used after its transformation ended: f64[3] came from `sin` at «sin(»
              --> «(&x * y).sum())(three(»
               = its transformation: `grad` at «grad(f)(three(»
               = help: return the value from the transformed function instead of storing it
               = note: inside `grad` at «grad(|y: Array| (&x * y).sum())(three(»"#]],
    );
    let x = keep(|f| drop(vmap(f)(Array::from([[1.0, 2.0]]))));
    check(
        x.sum().check(),
        expect![[r#"
            error[escape]: `sum`: a traced value is used after its transformation ended: f64[2] came from `sin` at «sin(»
              --> «sum().check(»
               = operand 0: f64[2], from `sin` at «sin(»
               = its transformation: `vmap` at «vmap(f)(Array::from([[1.0, 2.0]]»
               = help: return the value from the transformed function instead of storing it"#]],
    );
    check(
        jit(|y: Array| &x + y)(three()),
        expect![[r#"
            error[shape]: `add`: shapes [2] and [3] do not broadcast: extents 2 and 3 differ on axis -1
              --> «&x + y)(three(»
               = operand 0: f64[2], from `sin` at «sin(»
               = operand 1: f64[3], an argument of `jit` at «jit(|y: Array| &x + y)(three(»
               = note: inside `jit` at «jit(|y: Array| &x + y)(three(»"#]],
    );
}

#[test]
fn an_argument_that_is_kept() {
    let kept = RefCell::new(None);
    let step = |c: Array| {
        *kept.borrow_mut() = Some(c.clone());
        c + 1.0
    };
    fori_loop(0, 3, |_, c: Array| step(c), Array::from(0.0)).unwrap();
    check(
        (kept.take().unwrap() * 2.0).check(),
        expect![[r#"
            error[escape]: `mul`: a traced value is used after its transformation ended: f64[] came as an argument of `fori_loop body` at «fori_loop(0, 3, |_, c: Array| step(c), Array::from(0.0)).unwrap(»
              --> «(kept.take().unwrap() * 2.0).check(»
               = its transformation: `fori_loop body` at «fori_loop(0, 3, |_, c: Array| step(c), Array::from(0.0)).unwrap(»
               = help: return the value from the transformed function instead of storing it"#]],
    );
}

#[test]
fn used_on_another_thread() {
    let f = |x: Array| -> Result<Array> {
        let y = x.sin();
        std::thread::scope(|s| s.spawn(|| (&y * 2.0).check().cloned()).join().unwrap())
    };
    check(
        jit(f)(three()),
        expect![[r#"
            error[escape]: `mul`: a traced value is used on another thread: f64[3] came from `sin` at «sin(»
              --> «(&y * 2.0).check().cloned()).join().unwrap(»
               = its transformation: `jit` at «jit(f)(three(»
               = help: a traced value stays on the thread of its transformation; move concrete arrays instead
               = note: inside `jit` at «jit(f)(three(»"#]],
    );
    let value = |x: Array| -> Result<Array> {
        let y = x.sin();
        let n = std::thread::scope(|s| s.spawn(|| y.item::<f64>()).join().unwrap())?;
        Ok(y * n)
    };
    check(
        vmap(value)(three()),
        expect![[r#"
            error[escape]: `item`: a traced value is used on another thread: f64[] came from `sin` at «sin(»
              --> «item::<f64>()).join().unwrap())?»
               = its transformation: `vmap` at «vmap(value)(three(»
               = help: a traced value stays on the thread of its transformation; move concrete arrays instead
               = note: inside `vmap` at «vmap(value)(three(»"#]],
    );
}

#[test]
fn a_value_that_does_not_exist_yet() {
    let f = |x: Array| -> Result<Array> { Ok(if x.item::<f64>()? > 0.0 { x } else { -x }) };
    let one = Array::from(1.0);
    check(
        jit(f)(one.clone()),
        expect![[r#"
            error[concretization]: `item`: f64[] has no value yet: it is traced by `jit`
              --> «item::<f64>()? > 0.0 { x } else { -x }) }»
               = operand 0: f64[], an argument of `jit` at «jit(f)(one.clone(»
               = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
               = note: inside `jit` at «jit(f)(one.clone(»"#]],
    );
    check(
        vmap(f)(three()),
        expect![[r#"
            error[concretization]: `item`: f64[] has no value yet: it is traced by `vmap`
              --> «item::<f64>()? > 0.0 { x } else { -x }) }»
               = operand 0: f64[], an argument of `vmap` at «vmap(f)(three(»
               = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
               = note: inside `vmap` at «vmap(f)(three(»"#]],
    );
    check(
        jit(grad(f))(one.clone()),
        expect![[r#"
            error[concretization]: `item`: the value of f64[] carries a live tangent of `grad`, which would be lost silently
              --> «item::<f64>()? > 0.0 { x } else { -x }) }»
               = operand 0: f64[], an argument of `grad` at «grad(f))(one.clone(»
               = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
               = note: inside `grad` at «grad(f))(one.clone(»
               = note: inside `jit` at «jit(grad(f))(one.clone(»"#]],
    );
    check(
        scan(|c: Array, x: Array| f(c + x).map(|c| (c, ())), one.clone(), three()),
        expect![[r#"
            error[concretization]: `item`: f64[] has no value yet: it is traced by `scan body`
              --> «item::<f64>()? > 0.0 { x } else { -x }) }»
               = operand 0: f64[], from `add` at «c + x).map(|c| (c, ())), one.clone(), three(»
               = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
               = note: inside `scan body` at «scan(|c: Array, x: Array| f(c + x).map(|c| (c, ())), one.clone(), three(»"#]],
    );
    check(
        jit(|x: Array| x.sin().to_vec::<f64>().map(|_| x))(one),
        expect![[r#"
            error[concretization]: `to_vec`: f64[] has no value yet: it is traced by `jit`
              --> «to_vec::<f64>().map(|_| x))(one»
               = operand 0: f64[], from `sin` at «sin().to_vec::<f64>().map(|_| x))(one»
               = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
               = note: inside `jit` at «jit(|x: Array| x.sin().to_vec::<f64>().map(|_| x))(one»"#]],
    );
}

#[test]
fn a_value_with_a_live_tangent() {
    let f = |x: Array| -> Result<Array> {
        let n = x.sin().item::<f64>()?;
        Ok(x * n)
    };
    let one = Array::from(1.0);
    check(
        grad(f)(one.clone()),
        expect![[r#"
            error[concretization]: `item`: the value of f64[] carries a live tangent of `grad`, which would be lost silently
              --> «item::<f64>()?»
               = operand 0: f64[], from `sin` at «sin().item::<f64>()?»
               = help: if that is meant, say `stop_gradient(&x).item()`
               = note: inside `grad` at «grad(f)(one.clone(»"#]],
    );
    check(
        jvp(f, one.clone(), one.clone()),
        expect![[r#"
            error[concretization]: `item`: the value of f64[] carries a live tangent of `jvp`, which would be lost silently
              --> «item::<f64>()?»
               = operand 0: f64[], from `sin` at «sin().item::<f64>()?»
               = help: if that is meant, say `stop_gradient(&x).item()`
               = note: inside `jvp` at «jvp(f, one.clone(), one.clone(»"#]],
    );
    // Comparisons and stopped values carry no tangent.
    let g = |x: Array| -> Result<Array> { Ok(if x.gt(0.0).item::<bool>()? { &x * &x } else { -x }) };
    assert_eq!(grad(g)(one.clone()).unwrap().item::<f64>().unwrap(), 2.0);
    let g = |x: Array| -> Result<Array> { Ok(&x * stop_gradient(&x).item::<f64>()?) };
    assert_eq!(grad(g)(Array::from(3.0)).unwrap().item::<f64>().unwrap(), 3.0);
}

#[test]
fn nested_transformations_tell_whose_value_it_is() {
    let f = |x: Array| grad(|y: Array| (&x * y).sum())(three()).map(|g| g.sum() * x.item::<f64>().unwrap_or(0.0));
    assert!(grad(f)(Array::from(1.0)).is_ok());
    let f = |x: Array| -> Result<Array> { Ok(grad(|y: Array| (&x * y).sum())(three())?.sum() * x.item::<f64>()?) };
    let error = vmap(grad(f))(three()).err().unwrap();
    expect![[r#"
        error[concretization]: `item`: the value of f64[] carries a live tangent of `grad`, which would be lost silently
          --> «item::<f64>()?) }»
           = operand 0: f64[], an argument of `grad` at «grad(f))(three()).err().unwrap(»
           = help: branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`
           = note: inside `grad` at «grad(f))(three()).err().unwrap(»
           = note: inside `vmap` at «vmap(grad(f))(three()).err().unwrap(»"#]]
    .assert_eq(&show(&error));
}

#[test]
fn a_host_function_that_captures() {
    let f = |x: Array| {
        let captured = x.clone();
        host_call(move |y: Array| y + &captured, &Array::from(0.0), Array::from(1.0))
    };
    check(
        jit(f)(Array::from(1.0)),
        expect![[r#"
            error[escape]: `add`: a traced value is used after its transformation ended: f64[] came as an argument of `jit` at «jit(f)(Array::from(1.0»
              --> «y + &captured, &Array::from(0.0), Array::from(1.0»
               = its transformation: `jit` at «jit(f)(Array::from(1.0»
               = help: a host function gets traced values as its argument only: pass this one along
               = note: inside `host_call` at «host_call(move |y: Array| y + &captured, &Array::from(0.0), Array::from(1.0»
               = note: inside `jit` at «jit(f)(Array::from(1.0»"#]],
    );
    assert_eq!(f(Array::from(1.0)).unwrap().item::<f64>().unwrap(), 2.0);
}
