//! A failing part of a composed operation is the failure of what the user called, with its operands.

use crate::support::{check, three};
use dini::{det, hvp, prelude::*};
use expect_test::expect;

#[test]
fn parts_of_operations_are_not_named() {
    let integers = || Array::from(vec![1, 2, 3]);
    check(
        integers().softmax(0).to_vec::<f64>(),
        expect![[r#"
        error[dtype]: `softmax`: got i32, expected a floating-point type
          --> «softmax(0).to_vec::<f64>(»
           = operand 0: i32[3], made at «Array::from(vec![1, 2, 3]»
           = help: convert with `.cast(DType::F64)`"#]],
    );
    check(
        integers().logsumexp().item::<f64>(),
        expect![[r#"
        error[dtype]: `logsumexp`: got i32, expected a floating-point type
          --> «logsumexp().item::<f64>(»
           = operand 0: i32[3], made at «Array::from(vec![1, 2, 3]»
           = help: convert with `.cast(DType::F64)`"#]],
    );
    check(
        Array::eye(usize::MAX, DType::F64).check().cloned(),
        expect![[r#"
        error[value]: `eye`: i64 cannot count to 18446744073709551614
          --> «Array::eye(usize::MAX, DType::F64).check().cloned(»"#]],
    );
    check(
        Array::arange(3, DType::Bool).check().cloned(),
        expect![[r#"
        error[dtype]: `arange`: got bool, expected an integer or floating-point type
          --> «Array::arange(3, DType::Bool).check().cloned(»"#]],
    );
    check(
        three().reshape(&[1, 3]).permute(&[0, 0]).check().cloned(),
        expect![[r#"
        error[index]: `permute`: [0, 0] is not a permutation of the axes of f64[1,3]
          --> «permute(&[0, 0]).check().cloned(»
           = operand 0: f64[1,3], from `reshape` at «reshape(&[1, 3]).permute(&[0, 0]).check().cloned(»"#]],
    );
    check(
        three().slice_in_dim(2, 1, 1, 0).check().cloned(),
        expect![[r#"
        error[index]: `slice_in_dim`: the range 2..1 of axis 0 ends before it starts
          --> «slice_in_dim(2, 1, 1, 0).check().cloned(»
           = operand 0: f64[3], made at «three().slice_in_dim(2, 1, 1, 0).check().cloned(»"#]],
    );
    check(
        three().dynamic_slice([Array::from(0)], &[4]).check().cloned(),
        expect![[r#"
        error[shape]: `dynamic_slice`: the box [4] does not fit: its extent 4 on axis 0 is larger than that of f64[3]
          --> «dynamic_slice([Array::from(0)], &[4]).check().cloned(»
           = operand 0: f64[3], made at «three().dynamic_slice([Array::from(0)], &[4]).check().cloned(»"#]],
    );
    check(
        det(&three()).item::<f64>(),
        expect![[r#"
        error[shape]: `det`: got f64[3], expected a matrix or a batch of them
          --> «det(&three()).item::<f64>(»
           = operand 0: f64[3], made at «three()).item::<f64>(»"#]],
    );
}

#[test]
fn derivatives_composed_of_others_are_named_themselves() {
    check(
        hvp(|x: Array| x.sin(), three(), three()),
        expect![[r#"
        error[shape]: `hvp`: the function returns f64[3], expected a floating-point scalar
          --> «hvp(|x: Array| x.sin(), three(), three(»
           = help: reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`
           = note: inside `hvp` at «hvp(|x: Array| x.sin(), three(), three(»"#]],
    );
    check(
        hessian(|x: Array| x.sin())(three()),
        expect![[r#"
        error[shape]: `hessian`: the function returns f64[3], expected a floating-point scalar
          --> «hessian(|x: Array| x.sin())(three(»
           = help: reduce the result, e.g. with `.sum()`, or use `jacrev` or `vjp`
           = note: inside `hessian` at «hessian(|x: Array| x.sin())(three(»"#]],
    );
    check(
        hvp(|x: Array| x.sin().sum(), three(), Array::from(1.0)),
        expect![[r#"
        error[shape]: `hvp`: the tangent is f64[], expected f64[3] (it goes with f64[3])
          --> «hvp(|x: Array| x.sin().sum(), three(), Array::from(1.0»"#]],
    );
}

/// What went wrong before the operation stays as it is.
#[test]
fn operands_keep_their_own_failures() {
    let wrong = three() + Array::from(vec![1.0, 2.0]);
    check(
        wrong.softmax(0).to_vec::<f64>(),
        expect![[r#"
        error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
          --> «three() + Array::from(vec![1.0, 2.0]»
           = operand 0: f64[3], made at «three() + Array::from(vec![1.0, 2.0]»
           = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
}
