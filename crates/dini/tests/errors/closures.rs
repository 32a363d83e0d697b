//! User closures that fail or panic: the user's own error comes out of every function that takes a closure, and after a
//! panic everything works as before.

use crate::support::{Own, check, own, three};
use dini::{compile, compiled_program_of, prelude::*};
use expect_test::expect;
use std::{
    error::Error as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

fn one() -> Array {
    Array::from(1.0)
}

/// A closure's misdeed: fail, or panic.
type Misdeed = fn() -> Result<Array>;

/// Every function that takes a closure, with a closure that does `bad`; the name says which one.
fn misdeeds(bad: Misdeed) -> Vec<(&'static str, Box<dyn Fn() -> Result<()>>)> {
    let f = move |_: Array| bad();
    let f2 = move |_: Array, _: Array| bad().map(|x| (x.clone(), x));
    let fine = |x: Array| x.sin();
    let yes = || Array::from(true);
    let options = || LinearSolveOptions::new();
    type Map<'a> = &'a dyn Fn(Array) -> Result<Array>;
    let inert = |_: Map<'_>, x: Array| x;
    let solver = move |_: Map<'_>, _: Array| bad();
    let calls = move |g: Map<'_>, x: Array| g(x);
    macro_rules! list {
        ($($name:literal: $call:expr,)*) => {
            vec![$(($name, Box::new(move || $call.map(drop)) as Box<dyn Fn() -> Result<()>>)),*]
        };
    }
    list! {
        "grad": grad(f)(one()),
        "grad_with_aux": grad_with_aux(move |x| f(x).map(|y| (y.clone(), y)))(one()),
        "value_and_grad": value_and_grad(f)(one()),
        "vjp": vjp(f, one()),
        "jvp": jvp(f, one(), one()),
        "linearize": linearize(f, one()),
        "linear_transpose": linear_transpose(f, one())(one()),
        "jacfwd": jacfwd(f)(one()),
        "jacrev": jacrev(f)(one()),
        "hessian": hessian(f)(one()),
        "hvp": hvp(f, one(), one()),
        "vmap": vmap(f)(three()),
        "jit": jit(f)(one()),
        "compile": compile(f, &one()),
        "program_of": program_of(f, &one()),
        "compiled_program_of": compiled_program_of(f, &one()),
        "jit(vmap(grad))": jit(vmap(grad(f)))(three()),
        "checkpoint": checkpoint(f)(one()),
        "grad(checkpoint)": grad(checkpoint(f))(one()),
        "custom_jvp f": custom_jvp(f, |x: Array, t: Array| (x, t))(one()),
        "custom_jvp rule": custom_jvp(fine, f2)(one()),
        "custom_vjp f": custom_vjp(f, |x: Array| (x, ()), |(), ct: Array| ct)(one()),
        "custom_vjp forward": custom_vjp(fine, move |x| f(x).map(|y| (y, ())), |(), ct: Array| ct)(one()),
        "custom_vjp backward": custom_vjp(fine, |x: Array| (x, ()), move |(), ct: Array| f(ct))(one()),
        "custom_vjp jvp": custom_vjp_with_jvp(fine, |x: Array| (x, ()), |(), ct: Array| ct, move |x, _| f(x))(one()),
        "stop_gradient_fn": stop_gradient_fn(f)(one()),
        "without_gradients": without_gradients(bad),
        "while_loop cond": while_loop(f, |x: Array| x, one()),
        "while_loop body": while_loop(|x: Array| x.lt(3.0), f, one()),
        "fori_loop": fori_loop(0, 3, move |_, x| f(x), one()),
        "fori_loop dynamic": fori_loop(0, Array::from(3), move |_, x| f(x), one()),
        "scan": scan(f2, one(), three()),
        "map": map(f, three()),
        "cond true": cond(&yes(), f, fine, one()),
        "cond false": cond(&yes(), fine, f, one()),
        "switch": switch(&Array::from(0), &[&|x: Array| Ok(x), &f], one()),
        "custom_root f": custom_root(f, one(), calls, inert),
        "custom_root f, staged": custom_root(f, one(), inert, inert),
        "custom_root solve": custom_root(fine, one(), solver, inert),
        "jit(custom_root solve)": jit(move |x| custom_root(fine, x, solver, inert))(one()),
        "custom_root tangent_solve": custom_root(fine, one(), inert, solver),
        "custom_root_with_aux": custom_root_with_aux(fine, one(), move |_, _| bad().map(|x| (x, ())), inert),
        "define_implicit_gradient f": define_implicit_gradient(f, one(), inert),
        "define_implicit_gradient tangent_solve": define_implicit_gradient(fine, one(), solver),
        "custom_linear_solve matvec": custom_linear_solve(f, one(), inert),
        "custom_linear_solve solve": custom_linear_solve_with(options(), |x: Array| x * 2.0, one(), solver),
        "custom_linear_solve transpose_solve":
            custom_linear_solve_transposable(|x: Array| x * 2.0, one(), inert, solver),
        "host_call": host_call(f, &one(), one()),
        "jit(host_call)": jit(move |x| host_call(f, &one(), x))(one()),
        "jit(vmap(host_call))": jit(vmap(move |x| host_call(f, &one(), x)))(three()),
    }
}

#[test]
fn the_users_own_error_comes_out_of_every_closure() {
    for (name, call) in misdeeds(|| own("mine")) {
        let error = call().err().unwrap_or_else(|| panic!("{name}: no error"));
        let source = error.source().unwrap_or_else(|| panic!("{name}: no source\n{error}"));
        assert_eq!(source.downcast_ref::<Own>().map(|o| o.0), Some("mine"), "{name}");
        assert_eq!(error.kind(), dini::ErrorKind::User, "{name}");
        let at = error.location().unwrap_or_else(|| panic!("{name}: no location"));
        assert!(at.file().ends_with("closures.rs"), "{name}: {error}");
        let mut notes = error.notes().to_vec();
        notes.dedup();
        assert_eq!(notes.len(), error.notes().len(), "{name} repeats a note:\n{error}");
    }
}

/// Everything still works: each transformation and its state.
fn all_is_well() {
    let cube = |x: Array| &x * &x * &x;
    let d = jit(vmap(grad(cube)))(Array::from(vec![1.0, 2.0])).unwrap();
    assert_eq!(d.to_vec::<f64>().unwrap(), [3.0, 12.0]);
    let y = while_loop(|x: Array| x.lt(10.0), |x: Array| x * 2.0, one()).unwrap();
    assert_eq!(y.item::<f64>().unwrap(), 16.0);
    let z = (one() + 1.0).item::<f64>().unwrap();
    assert_eq!(z, 2.0);
    // A plain poison panics with its message again: no boundary is left behind.
    let poison = three() + Array::from(vec![1.0, 2.0]);
    let panic = catch_unwind(AssertUnwindSafe(|| poison.ndim())).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some(), "a boundary was left behind");
}

#[test]
fn a_panic_in_any_closure_propagates_and_restores_the_state() {
    // A function object survives its closure's panic, too.
    let bad: Misdeed = || std::panic::resume_unwind(Box::new("the user's own panic"));
    for (name, call) in misdeeds(bad) {
        let panic = match catch_unwind(AssertUnwindSafe(&call)) {
            Ok(_) => panic!("{name}: no panic"),
            Err(panic) => panic,
        };
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the user's own panic"), "{name}");
        all_is_well();
    }
}

#[test]
fn a_jitted_function_works_after_its_closure_panicked() {
    let armed = std::cell::Cell::new(true);
    let f = jit(|x: Array| {
        if armed.get() {
            std::panic::resume_unwind(Box::new(0u8));
        }
        x * 2.0
    });
    assert!(catch_unwind(AssertUnwindSafe(|| f(one()).map(drop))).is_err());
    armed.set(false);
    assert_eq!(f(one()).unwrap().item::<f64>().unwrap(), 2.0);
}

#[test]
fn notes_of_enclosing_calls() {
    let inner = |c: Array| own::<Array>("deep").map(|x| x + c);
    let f = |x: Array| scan(|c: Array, x: Array| inner(c * x).map(|c| (c, ())), Array::from(0.0), x).map(|(c, ())| c);
    check(
        jit(vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]])),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `scan body` at «scan(|c: Array, x: Array| inner(c * x).map(|c| (c, ())), Array::from(0.0), x).map(|(c, ())| c»
               = note: inside `grad` at «grad(f)))(Array::from([[1.0, 2.0, 3.0]]»
               = note: inside `vmap` at «vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]]»
               = note: inside `jit` at «jit(vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]]»"#]],
    );
    let root = |a: Array| custom_root(|x: Array| inner(x - &a), one(), |f, x| f(x), |_, b| b);
    check(
        grad(root)(one()),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `custom_root solve` at «custom_root(|x: Array| inner(x - &a), one(), |f, x| f(x), |_, b| b»
               = note: inside `grad` at «grad(root)(one(»"#]],
    );
    check(
        jit(grad(root))(one()),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `custom_root solve` at «custom_root(|x: Array| inner(x - &a), one(), |f, x| f(x), |_, b| b»
               = note: inside `grad` at «grad(root))(one(»
               = note: inside `jit` at «jit(grad(root))(one(»"#]],
    );
    check(
        custom_linear_solve(inner, one(), |_, b| b),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(inner, one(), |_, b| b»"#]],
    );
    check(
        grad(custom_jvp(|x: Array| x, |x: Array, t: Array| inner(t).map(|t| (x, t))))(one()),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `custom_jvp rule` at «custom_jvp(|x: Array| x, |x: Array, t: Array| inner(t).map(|t| (x, t))))(one(»
               = note: inside `grad` at «grad(custom_jvp(|x: Array| x, |x: Array, t: Array| inner(t).map(|t| (x, t))))(one(»"#]],
    );
    check(
        checkpoint(inner)(one()),
        expect![[r#"
            error[user]: own error `deep`
              --> «own::<Array>("deep").map(|x| x + c»
               = note: inside `checkpoint` at «checkpoint(inner)(one(»"#]],
    );
    check(
        jit(|x: Array| host_call(|x: Array| own::<Array>("host").map(|y| x + y), &one(), x))(one()),
        expect![[r#"
            error[user]: own error `host`
              --> «own::<Array>("host").map(|y| x + y), &one(), x))(one(»
               = note: inside `host_call` at «host_call(|x: Array| own::<Array>("host").map(|y| x + y), &one(), x))(one(»
               = note: inside `jit` at «jit(|x: Array| host_call(|x: Array| own::<Array>("host").map(|y| x + y), &one(), x))(one(»"#]],
    );
}
