//! Loops and branches: carries that change, branches that disagree, conditions that are none.

use crate::support::{check, three};
use dini::prelude::*;
use expect_test::expect;

#[test]
fn the_carry_of_a_while_loop_changes() {
    let zero = Array::from(0.0);
    let going = |x: Array| x.lt(1.0);
    check(
        while_loop(going, |x: Array| x + three(), zero.clone()),
        expect![[r#"
            error[shape]: `while_loop`: `body` returned f64[3], expected f64[] as in the carry
              --> «while_loop(going, |x: Array| x + three(), zero.clone(»
               = the value: f64[3], from `add` at «x + three(), zero.clone(»
               = note: inside `while_loop body` at «while_loop(going, |x: Array| x + three(), zero.clone(»"#]],
    );
    check(
        while_loop(going, |x: Array| x.cast(DType::F32), zero.clone()),
        expect![[r#"
            error[dtype]: `while_loop`: `body` returned f32[], expected f64[] as in the carry
              --> «while_loop(going, |x: Array| x.cast(DType::F32), zero.clone(»
               = the value: f32[], from `cast` at «cast(DType::F32), zero.clone(»
               = note: inside `while_loop body` at «while_loop(going, |x: Array| x.cast(DType::F32), zero.clone(»"#]],
    );
    let pair = (zero, three());
    check(
        while_loop(|(x, _): (Array, Array)| x.lt(1.0), |(x, y): (Array, Array)| (y, x), pair),
        expect![[r#"
            error[shape]: `while_loop`: `body` returned f64[3] at `.0`, expected f64[] as in the carry
              --> «while_loop(|(x, _): (Array, Array)| x.lt(1.0), |(x, y): (Array, Array)| (y, x), pair»
               = the value: f64[3], an argument of `while_loop body` at «while_loop(|(x, _): (Array, Array)| x.lt(1.0), |(x, y): (Array, Array)| (y, x), pair»
               = note: inside `while_loop body` at «while_loop(|(x, _): (Array, Array)| x.lt(1.0), |(x, y): (Array, Array)| (y, x), pair»"#]],
    );
    check(
        while_loop(|v: Vec<Array>| v[0].lt(1.0), |v: Vec<Array>| v[1..].to_vec(), vec![three(), three()]),
        expect![[r#"
            error[dtype]: `while_loop`: the result of `cond` is bool[3], expected bool[]
              --> «while_loop(|v: Vec<Array>| v[0].lt(1.0), |v: Vec<Array>| v[1..].to_vec(), vec![three(), three()]»
               = the value: bool[3], from `lt` at «lt(1.0), |v: Vec<Array>| v[1..].to_vec(), vec![three(), three()]»
               = note: inside `while_loop cond` at «while_loop(|v: Vec<Array>| v[0].lt(1.0), |v: Vec<Array>| v[1..].to_vec(), vec![three(), three()]»"#]],
    );
}

#[test]
fn the_condition_of_a_while_loop_is_none() {
    check(
        while_loop(|x: Array| x, |x: Array| x, Array::from(0.0)),
        expect![[r#"
            error[dtype]: `while_loop`: the result of `cond` is f64[], expected bool[]
              --> «while_loop(|x: Array| x, |x: Array| x, Array::from(0.0»
               = the value: f64[], an argument of `while_loop cond` at «while_loop(|x: Array| x, |x: Array| x, Array::from(0.0»
               = note: inside `while_loop cond` at «while_loop(|x: Array| x, |x: Array| x, Array::from(0.0»"#]],
    );
    check(
        while_loop(|x: Array| x.lt(1.0), |x: Array| x, three()),
        expect![[r#"
            error[dtype]: `while_loop`: the result of `cond` is bool[3], expected bool[]
              --> «while_loop(|x: Array| x.lt(1.0), |x: Array| x, three(»
               = the value: bool[3], from `lt` at «lt(1.0), |x: Array| x, three(»
               = note: inside `while_loop cond` at «while_loop(|x: Array| x.lt(1.0), |x: Array| x, three(»"#]],
    );
}

#[test]
fn the_carry_of_a_scan_changes() {
    check(
        scan(|c: Array, x: Array| (c.sum(), x), three(), three()),
        expect![[r#"
            error[shape]: `scan`: `body` returned f64[], expected f64[3] as in the carry
              --> «scan(|c: Array, x: Array| (c.sum(), x), three(), three(»
               = the value: f64[], from `reduce_sum` at «sum(), x), three(), three(»
               = note: inside `scan body` at «scan(|c: Array, x: Array| (c.sum(), x), three(), three(»"#]],
    );
    check(
        fori_loop(0, 3, |i, x: Array| x.cast(DType::F32) + i.cast(DType::F32), Array::from(0.0)),
        expect![[r#"
            error[dtype]: `fori_loop`: `body` returned f32[], expected f64[] as in the carry
              --> «fori_loop(0, 3, |i, x: Array| x.cast(DType::F32) + i.cast(DType::F32), Array::from(0.0»
               = the value: f32[], from `add` at «x.cast(DType::F32) + i.cast(DType::F32), Array::from(0.0»
               = note: inside `fori_loop body` at «fori_loop(0, 3, |i, x: Array| x.cast(DType::F32) + i.cast(DType::F32), Array::from(0.0»"#]],
    );
}

#[test]
fn a_scan_needs_a_length() {
    check(
        scan(|c: Array, (): ()| (c, ()), three(), ()),
        expect![[r#"
            error[shape]: `scan`: nothing is stacked, so the number of steps is not known
              --> «scan(|c: Array, (): ()| (c, ()), three(), (»
               = help: give `ScanOptions::new().length(n)`"#]],
    );
    check(
        scan(|c: Array, x: Array| (c, x), three(), Array::from(1.0)),
        expect![[r#"
            error[shape]: `scan`: `xs` is f64[] and has no leading axis to scan over
              --> «scan(|c: Array, x: Array| (c, x), three(), Array::from(1.0»"#]],
    );
    let xs = (three(), Array::from(vec![1.0, 2.0]));
    check(
        scan(|c: Array, (x, y): (Array, Array)| (c, (x, y)), three(), xs),
        expect![[r#"
            error[shape]: `scan`: leading axes of different lengths
              --> «scan(|c: Array, (x, y): (Array, Array)| (c, (x, y)), three(), xs»
               = `xs` at `.0`: f64[3]
               = `xs` at `.1`: f64[2]"#]],
    );
    let options = ScanOptions::new().length(2);
    check(
        scan_with(options, |c: Array, x: Array| (c, x), three(), three()),
        expect![[r#"
            error[shape]: `scan`: leading axes of different lengths
              --> «scan_with(options, |c: Array, x: Array| (c, x), three(), three(»
               = `length` is 2
               = `xs`: f64[3]"#]],
    );
    check(
        map(|x: Array| x, Array::from(1.0)),
        expect![[r#"
            error[shape]: `map`: `xs` is f64[] and has no leading axis to scan over
              --> «map(|x: Array| x, Array::from(1.0»"#]],
    );
}

#[test]
fn branches_that_disagree() {
    let yes = Array::from(true);
    check(
        cond(&yes, |x: Array| x.sum(), |x: Array| x, three()),
        expect![[r#"
            error[shape]: `cond`: `if_true` returned f64[], expected f64[3] as in the result of `if_false`
              --> «cond(&yes, |x: Array| x.sum(), |x: Array| x, three(»
               = the value: f64[], from `reduce_sum` at «sum(), |x: Array| x, three(»
               = note: inside `cond if_true` at «cond(&yes, |x: Array| x.sum(), |x: Array| x, three(»"#]],
    );
    check(
        cond(&yes, |x: Array| vec![x], |x: Array| vec![x.clone(), x], three()),
        expect![[r#"
            error[structure]: `cond`: `if_true` returned the structure [*], expected that of the result of `if_false`, [*, *]; at the root: a list of 1, expected a list of 2
              --> «cond(&yes, |x: Array| vec![x], |x: Array| vec![x.clone(), x], three(»
               = note: inside `cond if_true` at «cond(&yes, |x: Array| vec![x], |x: Array| vec![x.clone(), x], three(»"#]],
    );
    let two: Result<Array> = switch(&Array::from(0), &[&|x: Array| Ok(x), &|x: Array| Ok(x.cast(DType::F32))], three());
    check(
        two,
        expect![[r#"
            error[dtype]: `switch`: `branch 1` returned f32[3], expected f64[3] as in the result of branch 0
              --> «switch(&Array::from(0), &[&|x: Array| Ok(x), &|x: Array| Ok(x.cast(DType::F32))], three(»
               = the value: f32[3], from `cast` at «cast(DType::F32))], three(»
               = note: inside `switch branch` at «switch(&Array::from(0), &[&|x: Array| Ok(x), &|x: Array| Ok(x.cast(DType::F32))], three(»"#]],
    );
}

#[test]
fn conditions_and_indices_that_are_none() {
    check(
        cond(&three(), |x: Array| x.clone(), |x: Array| x, three()),
        expect![[r#"
            error[dtype]: `cond`: the condition is f64[3], expected bool[]
              --> «cond(&three(), |x: Array| x.clone(), |x: Array| x, three(»
               = the value: f64[3], made at «three(), |x: Array| x.clone(), |x: Array| x, three(»"#]],
    );
    let float: Result<Array> = switch(&Array::from(0.5), &[&|x: Array| Ok(x)], three());
    check(
        float,
        expect![[r#"
            error[dtype]: `switch`: the index is f64[], expected an integer scalar
              --> «switch(&Array::from(0.5), &[&|x: Array| Ok(x)], three(»"#]],
    );
    let none: Result<Array> = switch(&Array::from(0), &[], three());
    check(
        none,
        expect![[r#"
            error[value]: `switch`: there are no branches
              --> «switch(&Array::from(0), &[], three(»"#]],
    );
}

#[test]
fn a_mistake_inside_a_body_names_its_own_line() {
    let f = |x: Array| {
        let step = |c: Array, x: Array| {
            let c = c + &x * Array::from(vec![1.0, 2.0]);
            (c.clone(), c)
        };
        scan(step, Array::from(0.0), x).map(|(c, _)| c)
    };
    check(
        grad(f)(three()),
        expect![[r#"
            error[shape]: `scan`: `body` returned f64[2], expected f64[] as in the carry
              --> «scan(step, Array::from(0.0), x).map(|(c, _)| c»
               = the value: f64[2], from `add` at «c + &x * Array::from(vec![1.0, 2.0]»
               = note: inside `scan body` at «scan(step, Array::from(0.0), x).map(|(c, _)| c»
               = note: inside `grad` at «grad(f)(three(»"#]],
    );
    check(
        jit(vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]])),
        expect![[r#"
            error[shape]: `scan`: `body` returned f64[2], expected f64[] as in the carry
              --> «scan(step, Array::from(0.0), x).map(|(c, _)| c»
               = the value: f64[2], from `add` at «c + &x * Array::from(vec![1.0, 2.0]»
               = note: inside `scan body` at «scan(step, Array::from(0.0), x).map(|(c, _)| c»
               = note: inside `grad` at «grad(f)))(Array::from([[1.0, 2.0, 3.0]]»
               = note: inside `vmap` at «vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]]»
               = note: inside `jit` at «jit(vmap(grad(f)))(Array::from([[1.0, 2.0, 3.0]]»"#]],
    );
}

#[test]
fn bounds_that_are_no_whole_numbers() {
    let count = |n: Array| fori_loop(0, n, |_, x: Array| x + 1.0, Array::from(0.0));
    check(
        count(Array::from(2.7)),
        expect![[r#"
        error[dtype]: `fori_loop`: the upper bound is f64[], expected a scalar of integers
          --> «fori_loop(0, n, |_, x: Array| x + 1.0, Array::from(0.0»"#]],
    );
    check(
        count(Array::from(vec![1i64, 2])),
        expect![[r#"
        error[shape]: `fori_loop`: the upper bound is i64[2], expected a scalar of integers
          --> «fori_loop(0, n, |_, x: Array| x + 1.0, Array::from(0.0»"#]],
    );
}
