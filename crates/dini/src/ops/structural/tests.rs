//! Tests of what users call: values where composition could go wrong, and what wrong arguments are told.
#![expect(clippy::reversed_empty_ranges, reason = "wrong and negative bounds are what is tested")]

use super::{NewAxis, Pick, concatenate, full_like, stack, zeros_like};
use crate::array::Array;
use dini_cpu::dtype::DType;
use expect_test::{Expect, expect};

#[track_caller]
fn check(x: Array, shape: &[usize], expected: &[i32]) {
    assert_eq!(x.try_shape().unwrap(), shape);
    assert_eq!(x.to_vec::<i32>().unwrap(), expected);
}

/// The first line of an error.
#[track_caller]
fn refuses(x: Array, expected: Expect) {
    let error = x.check().unwrap_err();
    assert!(error.location().is_some_and(|at| at.file().ends_with("tests.rs")), "{error}");
    expected.assert_eq(error.to_string().lines().next().unwrap_or_default());
}

fn matrix() -> Array {
    Array::arange(6, DType::I32).reshape(&[2, 3])
}

#[test]
fn indices_pick_elements() {
    let x = matrix();
    check(x.index(1), &[3], &[3, 4, 5]);
    check(x.index(-1), &[3], &[3, 4, 5]);
    check(x.index((.., 1)), &[2], &[1, 4]);
    check(x.index((.., -2..)), &[2, 2], &[1, 2, 4, 5]);
    check(x.index((0, ..=1)), &[2], &[0, 1]);
    check(x.index((0, 0..=-1)), &[3], &[0, 1, 2]);
    check(x.index((1..1, ..)), &[0, 3], &[]);
    check(x.index((NewAxis, 0, NewAxis, 1..3)), &[1, 1, 2], &[1, 2]);
    check(x.index((.., Pick::every(2, ..))), &[2, 2], &[0, 2, 3, 5]);
    check(x.index(vec![Pick::At(1), Pick::At(2)]), &[], &[5]);
    check(Array::from(7).index(NewAxis), &[1], &[7]);
}

#[test]
fn indices_out_of_range_are_refused() {
    let x = matrix();
    refuses(x.index(2), expect!["error[index]: `index`: index 2 is out of range for axis 0 of extent 2"]);
    refuses(x.index((0, -4)), expect!["error[index]: `index`: index -4 is out of range for axis 1 of extent 3"]);
    refuses(x.index((.., 1..5)), expect!["error[index]: `index`: bound 5 of a range leaves axis 1 of extent 3"]);
    refuses(x.index((.., 2..1)), expect!["error[index]: `index`: the range 2..1 of axis 1 ends before it starts"]);
    refuses(x.index((0, 0, 0)), expect!["error[index]: `index`: 3 indices for i32[2,3], expected 2 at most"]);
    refuses(x.index(Pick::every(0, ..)), expect!["error[index]: `index`: the step along axis 0 is 0"]);
    refuses(
        x.index(usize::MAX),
        expect!["error[index]: `index`: index 9223372036854775807 is out of range for axis 0 of extent 2"],
    );
}

#[test]
fn repetition_keeps_the_order() {
    check(matrix().tile(&[2]), &[2, 6], &[0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    check(Array::from([1, 2]).tile(&[2, 1, 2]), &[2, 1, 4], &[1, 2, 1, 2, 1, 2, 1, 2]);
    check(Array::from([1, 2]).tile(&[0]), &[0], &[]);
    check(matrix().repeat(2, 0), &[4, 3], &[0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    check(matrix().repeat(2, -1).index(0), &[6], &[0, 0, 1, 1, 2, 2]);
    refuses(
        matrix().tile(&[usize::MAX]),
        expect![
            "error[shape]: `tile`: an array of shape [1, 2, 18446744073709551615, 3] does not fit the address space"
        ],
    );
}

#[test]
fn joining_and_splitting_are_inverse() {
    let x = matrix();
    for axis in [0, 1, -1] {
        let parts = x.split_at(&[1, 1], axis);
        assert_eq!(parts.len(), 3);
        check(concatenate(&parts, axis), &[2, 3], &[0, 1, 2, 3, 4, 5]);
    }
    check(stack(&x.split(3, 1), 0), &[3, 2, 1], &[0, 3, 1, 4, 2, 5]);
    refuses(
        x.split(2, 1).remove(0),
        expect!["error[shape]: `split`: axis 1 of i32[2,3] does not divide into 2 equal parts"],
    );
    refuses(
        x.split_at(&[4], 1).remove(1),
        expect!["error[index]: `split_at`: cuts [4] descend or leave axis 1 of i32[2,3]"],
    );
    refuses(
        stack(&[x.clone(), x.index(0)], 0),
        expect!["error[shape]: `stack`: operand 0 is i32[2,3], operand 1 is i32[3]; stacked arrays have one type"],
    );
    let empty: [Array; 0] = [];
    refuses(concatenate(&empty, 0), expect!["error[structure]: `concatenate`: takes at least one array, got none"]);
}

#[test]
fn shapes_change_and_say_why_they_cannot() {
    check(matrix().transpose(), &[3, 2], &[0, 3, 1, 4, 2, 5]);
    check(matrix().flip(-1), &[2, 3], &[2, 1, 0, 5, 4, 3]);
    check(matrix().index((.., ..1)).broadcast_to(&[2, 2, 2]), &[2, 2, 2], &[0, 0, 3, 3, 0, 0, 3, 3]);
    check(Array::from([1]).broadcast_to(&[0]), &[0], &[]);
    refuses(
        matrix().permute(&[0, 0]),
        expect!["error[index]: `permute`: [0, 0] is not a permutation of the axes of i32[2,3]"],
    );
    refuses(matrix().squeeze(0), expect!["error[shape]: `squeeze`: axis 0 of i32[2,3] has extent 2, expected 1"]);
    refuses(
        matrix().broadcast_to(&[3]),
        expect!["error[shape]: `broadcast_to`: shape [2, 3] does not broadcast to [3]"],
    );
    refuses(
        matrix().broadcast_to(&[2, 4]),
        expect!["error[shape]: `broadcast_to`: shape [2, 3] does not broadcast to [2, 4]"],
    );
    refuses(matrix().expand_dims(4), expect!["error[index]: `expand_dims`: axis 4 is out of range for 3 axes"]);
}

#[test]
fn constants_have_the_type_asked_for() {
    check(full_like(&matrix().index(0), 4), &[3], &[4, 4, 4]);
    check(Array::eye(2, DType::I32), &[2, 2], &[1, 0, 0, 1]);
    assert_eq!(Array::ones(&[1], DType::Bool).to_vec::<bool>().unwrap(), [true]);
    assert_eq!(Array::linspace(1.0, 2.0, 1).to_vec::<f64>().unwrap(), [1.0]);
    assert_eq!(Array::linspace(1.0, 2.0, 0).to_vec::<f64>().unwrap(), [0.0; 0]);
    assert_eq!(*Array::linspace(0.0, 0.3, 4).to_vec::<f64>().unwrap().last().unwrap(), 0.3);
    refuses(
        Array::full(&[2], 300, DType::U8),
        expect!["error[dtype]: `full`: the scalar 300 is not representable in u8"],
    );
    refuses(
        Array::zeros(&[usize::MAX, 2], DType::F64),
        expect!["error[shape]: `zeros`: an array of shape [18446744073709551615, 2] does not fit the address space"],
    );
}

#[test]
fn poison_passes_through_unchanged() {
    let poison = || Array::from([1, 2]).reshape(&[3]);
    let kept = [
        poison().index(0),
        poison().transpose(),
        poison().tile(&[2]),
        poison().pad(&[(1, 1)], 0),
        poison().sum(),
        poison().cumsum(0),
        poison().softmax(0),
        poison().argmax(),
        zeros_like(&poison()),
        stack(&[matrix(), poison()], 0),
        poison().split(2, 0).remove(1),
        poison().broadcast_to(&[3]),
        poison().flatten(),
    ];
    for x in kept {
        refuses(x, expect!["error[shape]: `reshape`: i32[2] has 2 elements, shape [3] has 3"]);
    }
}
