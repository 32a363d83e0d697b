//! Solvers: callables that return the wrong thing are named; functions that must be linear and are not, too.

use crate::support::{check, three};
use dini::prelude::*;
use expect_test::expect;

type Map<'a> = &'a dyn Fn(Array) -> Result<Array>;

fn divide(g: Map<'_>, b: Array) -> Result<Array> {
    Ok(b / g(Array::from(1.0))?)
}

#[test]
fn the_residual_differs_from_the_guess() {
    let one = || Array::from(1.0);
    check(
        custom_root(|x: Array| x + three(), one(), |_, x| x, divide),
        expect![[r#"
            error[shape]: `custom_root`: `f` returned f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x + three(), one(), |_, x| x, divide»
               = the value: f64[3], from `add` at «x + three(), one(), |_, x| x, divide»
               = note: inside `custom_root f` at «custom_root(|x: Array| x + three(), one(), |_, x| x, divide»"#]],
    );
    check(
        custom_root(|x: Array| x.cast(DType::F32), one(), |_, x| x, divide),
        expect![[r#"
            error[dtype]: `custom_root`: `f` returned f32[], expected f64[] as in the guess
              --> «custom_root(|x: Array| x.cast(DType::F32), one(), |_, x| x, divide»
               = the value: f32[], from `cast` at «cast(DType::F32), one(), |_, x| x, divide»
               = note: inside `custom_root f` at «custom_root(|x: Array| x.cast(DType::F32), one(), |_, x| x, divide»"#]],
    );
    let pair = (one(), one());
    let swap = |x: (Array, Array)| (x.0, x.1.sum_axes(&[]).reshape(&[1]));
    check(
        custom_root(swap, pair, |_, x| x, |_, b| b),
        expect![[r#"
            error[shape]: `custom_root`: `f` returned f64[1] at `.1`, expected f64[] as in the guess
              --> «custom_root(swap, pair, |_, x| x, |_, b| b»
               = the value: f64[1], from `reshape` at «reshape(&[1]»
               = note: inside `custom_root f` at «custom_root(swap, pair, |_, x| x, |_, b| b»"#]],
    );
}

#[test]
fn the_residual_has_another_structure() {
    let two = vec![Array::from(1.0), Array::from(2.0)];
    check(
        custom_root(|v: Vec<Array>| v[..1].to_vec(), two, |_, x| x, |_, b| b),
        expect![[r#"
            error[structure]: `custom_root`: `f` returned the structure [*], expected that of the guess, [*, *]; at the root: a list of 1, expected a list of 2
              --> «custom_root(|v: Vec<Array>| v[..1].to_vec(), two, |_, x| x, |_, b| b»
               = note: inside `custom_root f` at «custom_root(|v: Vec<Array>| v[..1].to_vec(), two, |_, x| x, |_, b| b»"#]],
    );
}

#[test]
fn the_solver_returns_something_else() {
    let one = || Array::from(1.0);
    check(
        custom_root(|x: Array| x, one(), |_, _| three(), divide),
        expect![[r#"
            error[shape]: `custom_root`: `solve` returned f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x, one(), |_, _| three(), divide»
               = the value: f64[3], made at «three(), divide»
               = note: inside `custom_root solve` at «custom_root(|x: Array| x, one(), |_, _| three(), divide»"#]],
    );
    let solved = |a: Array| custom_root(|x: Array| x - &a, one(), |_, _| three(), divide);
    check(
        jit(solved)(one()),
        expect![[r#"
            error[shape]: `custom_root`: `solve` returned f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x - &a, one(), |_, _| three(), divide»
               = the value: f64[3], made at «three(), divide»
               = note: inside `custom_root solve` at «custom_root(|x: Array| x - &a, one(), |_, _| three(), divide»
               = note: inside `jit` at «jit(solved)(one(»"#]],
    );
    check(
        vmap(grad(solved))(three()),
        expect![[r#"
            error[shape]: `custom_root`: `solve` returned f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x - &a, one(), |_, _| three(), divide»
               = the value: f64[3], made at «three(), divide»
               = note: inside `custom_root solve` at «custom_root(|x: Array| x - &a, one(), |_, _| three(), divide»
               = note: inside `grad` at «grad(solved))(three(»
               = note: inside `vmap` at «vmap(grad(solved))(three(»"#]],
    );
}

#[test]
fn the_tangent_solver_returns_something_else() {
    let one = || Array::from(1.0);
    check(
        custom_root(|x: Array| x, one(), |_, x| x, |_, b| b + three()),
        expect![[r#"
            error[shape]: `custom_root`: `tangent_solve` returned f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x, one(), |_, x| x, |_, b| b + three(»
               = the value: f64[3], from `add` at «b + three(»
               = note: inside `custom_root tangent_solve` at «custom_root(|x: Array| x, one(), |_, x| x, |_, b| b + three(»"#]],
    );
    check(
        custom_root(|x: Array| x, one(), |_, x| x, |g, b| Ok(b / g(three())?)),
        expect![[r#"
            error[shape]: `custom_root`: `tangent_solve` called the linearized `f` with f64[3], expected f64[] as in the guess
              --> «custom_root(|x: Array| x, one(), |_, x| x, |g, b| Ok(b / g(three())?»
               = the value: f64[3], made at «three())?»
               = note: inside `custom_root tangent_solve` at «custom_root(|x: Array| x, one(), |_, x| x, |g, b| Ok(b / g(three())?»"#]],
    );
    check(
        define_implicit_gradient(|x: Array| x, one(), |_, b| b.cast(DType::F32)),
        expect![[r#"
            error[dtype]: `define_implicit_gradient`: `tangent_solve` returned f32[], expected f64[] as in `x`
              --> «define_implicit_gradient(|x: Array| x, one(), |_, b| b.cast(DType::F32»
               = the value: f32[], from `cast` at «cast(DType::F32»
               = note: inside `define_implicit_gradient tangent_solve` at «define_implicit_gradient(|x: Array| x, one(), |_, b| b.cast(DType::F32»"#]],
    );
    check(
        define_implicit_gradient(|x: Array| x.reshape(&[1]), one(), |_, b| b),
        expect![[r#"
            error[shape]: `define_implicit_gradient`: `f` returned f64[1], expected f64[] as in `x`
              --> «define_implicit_gradient(|x: Array| x.reshape(&[1]), one(), |_, b| b»
               = the value: f64[1], from `reshape` at «reshape(&[1]), one(), |_, b| b»
               = note: inside `define_implicit_gradient f` at «define_implicit_gradient(|x: Array| x.reshape(&[1]), one(), |_, b| b»"#]],
    );
}

#[test]
fn the_callables_of_a_linear_solve() {
    let a = Array::from(2.0);
    let times = |x: Array| &a * x;
    check(
        custom_linear_solve(|_: Array| three(), a.clone(), |_, b| b),
        expect![[r#"
            error[shape]: `custom_linear_solve`: `matvec` returned f64[3], expected f64[] as in the right-hand side
              --> «custom_linear_solve(|_: Array| three(), a.clone(), |_, b| b»
               = the value: f64[3], made at «three(), a.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|_: Array| three(), a.clone(), |_, b| b»"#]],
    );
    check(
        custom_linear_solve(times, a.clone(), |_, _| three()),
        expect![[r#"
            error[shape]: `custom_linear_solve`: `solve` returned f64[3], expected f64[] as in the right-hand side
              --> «custom_linear_solve(times, a.clone(), |_, _| three(»
               = the value: f64[3], made at «three(»
               = note: inside `custom_linear_solve solve` at «custom_linear_solve(times, a.clone(), |_, _| three(»"#]],
    );
    check(
        custom_linear_solve_transposable(times, a.clone(), |_, b| b, |_, _| three()),
        expect![[r#"
            error[shape]: `custom_linear_solve`: `transpose_solve` returned f64[3], expected f64[] as in the right-hand side
              --> «custom_linear_solve_transposable(times, a.clone(), |_, b| b, |_, _| three(»
               = the value: f64[3], made at «three(»
               = note: inside `custom_linear_solve transpose_solve` at «custom_linear_solve_transposable(times, a.clone(), |_, b| b, |_, _| three(»"#]],
    );
    check(
        custom_linear_solve_transposable(times, a.clone(), |_, b| b, |m, b| m(three()).map(|_| b)),
        expect![[r#"
            error[shape]: `custom_linear_solve`: `transpose_solve` called the transposed `matvec` with f64[3], expected f64[] as in the right-hand side
              --> «custom_linear_solve_transposable(times, a.clone(), |_, b| b, |m, b| m(three()).map(|_| b»
               = the value: f64[3], made at «three()).map(|_| b»
               = note: inside `custom_linear_solve transpose_solve` at «custom_linear_solve_transposable(times, a.clone(), |_, b| b, |m, b| m(three()).map(|_| b»"#]],
    );
}

#[test]
fn a_matrix_that_is_no_linear_map() {
    let b = Array::from(2.0);
    check(
        custom_linear_solve(|x: Array| x.sin(), b.clone(), |_, b| b),
        expect![[r#"
            error[not-linear]: `sin`: not linear in its operands
              --> «sin(), b.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|x: Array| x.sin(), b.clone(), |_, b| b»"#]],
    );
    check(
        custom_linear_solve(|x: Array| &x * &x, b.clone(), |_, b| b),
        expect![[r#"
            error[not-linear]: `mul`: not linear: an operand of type f64[] depends on the input that it must be linear in
              --> «&x * &x, b.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|x: Array| &x * &x, b.clone(), |_, b| b»"#]],
    );
    check(
        custom_linear_solve(|x: Array| x + 1.0, b.clone(), |_, b| b),
        expect![[r#"
            error[not-linear]: `add`: not linear: it adds a value that does not depend on the input
              --> «x + 1.0, b.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|x: Array| x + 1.0, b.clone(), |_, b| b»"#]],
    );
    check(
        custom_linear_solve(|x: Array| x - &b, b.clone(), |_, b| b),
        expect![[r#"
            error[not-linear]: `sub`: not linear: it adds a value that does not depend on the input
              --> «x - &b, b.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|x: Array| x - &b, b.clone(), |_, b| b»"#]],
    );
    check(
        custom_linear_solve(|_: Array| Array::from(1.0), b.clone(), |_, b| b),
        expect![[r#"
            error[not-linear]: not linear: the result does not depend on the input
              --> «custom_linear_solve(|_: Array| Array::from(1.0), b.clone(), |_, b| b»
               = note: inside `custom_linear_solve matvec` at «custom_linear_solve(|_: Array| Array::from(1.0), b.clone(), |_, b| b»"#]],
    );
}

#[test]
fn a_solver_whose_capture_depends_on_the_right_hand_side() {
    let f = |b: Array| {
        let options = LinearSolveOptions::new().symmetric();
        custom_linear_solve_with(options, |x: Array| x * 2.0, b.clone(), |_, r: Array| (r + &b) * 0.25)
    };
    check(
        linear_transpose(f, Array::from(1.0))(Array::from(1.0)),
        expect![[r#"
            error[not-linear]: `linear_solve`: a capture of `solve` depends linearly on the right-hand side
              --> «custom_linear_solve_with(options, |x: Array| x * 2.0, b.clone(), |_, r: Array| (r + &b) * 0.25»
               = help: let it see the right-hand side through its argument only
               = note: inside `linear_transpose` at «linear_transpose(f, Array::from(1.0))(Array::from(1.0»"#]],
    );
}

#[test]
fn a_solver_that_ignores_the_right_hand_side() {
    let f = |b: Array| {
        let options = LinearSolveOptions::new().symmetric();
        custom_linear_solve_with(options, |x: Array| x * 2.0, b.clone(), |_, _| &b * 0.5)
    };
    check(
        linear_transpose(f, Array::from(1.0))(Array::from(1.0)),
        expect![[r#"
            error[not-linear]: `custom_linear_solve`: `solve` does not use the right-hand side that it is given
              --> «custom_linear_solve_with(options, |x: Array| x * 2.0, b.clone(), |_, _| &b * 0.5»
               = help: compute the solution from its argument: the same solver is called again for derivatives
               = note: inside `linear_transpose` at «linear_transpose(f, Array::from(1.0))(Array::from(1.0»"#]],
    );
}

#[test]
fn a_transpose_of_what_is_not_linear() {
    let zero = Array::from(0.0);
    let transpose = |f: fn(Array) -> Array| linear_transpose(f, zero.clone())(Array::from(1.0));
    check(
        transpose(|x| x.sin()),
        expect![[r#"
            error[not-linear]: `sin`: not linear in its operands
              --> «sin(»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        transpose(|x| &x * &x),
        expect![[r#"
            error[not-linear]: `mul`: not linear: an operand of type f64[] depends on the input that it must be linear in
              --> «&x * &x»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        transpose(|x| x + 1.0),
        expect![[r#"
            error[not-linear]: `add`: not linear: it adds a value that does not depend on the input
              --> «x + 1.0»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        transpose(|x| 1.0 - x),
        expect![[r#"
            error[not-linear]: `sub`: not linear: it adds a value that does not depend on the input
              --> «1.0 - x»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        transpose(|x| 1.0 / x),
        expect![[r#"
            error[not-linear]: `div`: not linear: an operand of type f64[] depends on the input that it must be linear in
              --> «1.0 / x»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        transpose(|x| x.max(0.0)),
        expect![[r#"
            error[not-linear]: `max`: not linear in its operands
              --> «max(0.0»
               = note: inside `linear_transpose` at «linear_transpose(f, zero.clone())(Array::from(1.0»"#]],
    );
    let inside = |x: Array| cond(&Array::from(true), |x: Array| x.exp(), |x: Array| x, x);
    check(
        linear_transpose(inside, zero.clone())(Array::from(1.0)),
        expect![[r#"
            error[not-linear]: `exp`: not linear in its operands
              --> «exp(), |x: Array| x, x»
               = note: inside `linear_transpose` at «linear_transpose(inside, zero.clone())(Array::from(1.0»"#]],
    );
    check(
        linear_transpose(|x: Array| x * 2.0, zero.clone())(three()),
        expect![[r#"
            error[shape]: `linear_transpose`: the cotangent is f64[3], expected f64[] (it goes with f64[])
              --> «linear_transpose(|x: Array| x * 2.0, zero.clone())(three(»"#]],
    );
}

#[test]
fn unknowns_that_cannot_vary() {
    let four = || Array::from(4);
    check(
        custom_root(|x: Array| &x * &x - 4, Array::from(1), |_, _| Array::from(2), divide),
        expect![[r#"
        error[dtype]: `custom_root`: the guess is i32[]: a root needs floating-point numbers
          --> «custom_root(|x: Array| &x * &x - 4, Array::from(1), |_, _| Array::from(2), divide»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured"#]],
    );
    check(
        jit(|a: Array| custom_root(|x: Array| x - &a, a.clone(), |_, _| a.clone(), divide))(four()),
        expect![[r#"
        error[dtype]: `custom_root`: the guess is i32[]: a root needs floating-point numbers
          --> «custom_root(|x: Array| x - &a, a.clone(), |_, _| a.clone(), divide))(four(»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured
           = note: inside `jit` at «jit(|a: Array| custom_root(|x: Array| x - &a, a.clone(), |_, _| a.clone(), divide))(four(»"#]],
    );
    let state = (Array::from(1.0), Array::from(vec![true, false]));
    check(
        custom_root(|x: (Array, Array)| x, state, |_, x| x, |_, b| b),
        expect![[r#"
        error[dtype]: `custom_root`: the guess at `.1` is bool[2]: a root needs floating-point numbers
          --> «custom_root(|x: (Array, Array)| x, state, |_, x| x, |_, b| b»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured"#]],
    );
    check(
        define_implicit_gradient(|x: Array| &x * &x - 4, Array::from(2), divide),
        expect![[r#"
        error[dtype]: `define_implicit_gradient`: `x` is i32[]: a root needs floating-point numbers
          --> «define_implicit_gradient(|x: Array| &x * &x - 4, Array::from(2), divide»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured"#]],
    );
    check(
        custom_linear_solve(|x: Array| x * 2, four(), |_, b| b / 2),
        expect![[r#"
        error[dtype]: `custom_linear_solve`: the right-hand side is i32[]: a linear system needs floating-point numbers
          --> «custom_linear_solve(|x: Array| x * 2, four(), |_, b| b / 2»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured"#]],
    );
    let halve = |_: Map<'_>, b: Array| Ok(b / 2);
    check(
        custom_linear_solve_transposable(|x: Array| x * 2, four(), halve, halve),
        expect![[r#"
        error[dtype]: `custom_linear_solve`: the right-hand side is i32[]: a linear system needs floating-point numbers
          --> «custom_linear_solve_transposable(|x: Array| x * 2, four(), halve, halve»
           = help: convert with `.cast(DType::F64)`; what is no unknown can be captured"#]],
    );
}
