//! Operators, array operations, scalars, nested vectors, and what leaves the library.
#![expect(clippy::single_range_in_vec_init, reason = "one range for one axis")]

use crate::support::{check, three};
use dini::prelude::*;
use expect_test::expect;

#[test]
fn shapes_of_an_operator() {
    let x = three();
    let y = Array::from(vec![1.0, 2.0]).sin();
    let z = &x + &y;
    check(
        z.to_vec::<f64>(),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «&x + &y»
               = operand 0: f64[3], made at «three(»
               = operand 1: f64[2], from `sin` at «sin(»"#]],
    );
}

#[test]
fn dtypes_of_an_operator() {
    let x = Array::from(1.0f32);
    let y = Array::from(1.0);
    let z = &x * &y;
    check(
        z.item::<f64>(),
        expect![[r#"
            error[dtype]: `mul`: operands have dtypes f32 and f64
              --> «&x * &y»
               = operand 0: f32[], made at «Array::from(1.0f32»
               = operand 1: f64[], made at «Array::from(1.0»
               = help: convert one with `.cast(DType::F32)`"#]],
    );
}

#[test]
fn a_poison_keeps_the_first_error() {
    let first = three() + Array::from(vec![1.0, 2.0]);
    let second = first.sin() + Array::from(vec![1i32]);
    check(
        second.sum().item::<f64>(),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «three() + Array::from(vec![1.0, 2.0]»
               = operand 0: f64[3], made at «three() + Array::from(vec![1.0, 2.0]»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
}

#[test]
fn an_unused_poison_is_no_error() {
    let f = |x: Array| {
        let _unused = &x + Array::from(vec![1.0, 2.0]);
        x * 2.0
    };
    assert_eq!(jit(f)(three()).unwrap().to_vec::<f64>().unwrap(), [2.0, 4.0, 6.0]);
}

#[test]
fn shape_of_a_poison_panics_with_the_diagnostic() {
    let poison = three() + Array::from(vec![1.0, 2.0]);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poison.shape().to_vec())).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("f64[3]") && text.contains("f64[2]") && text.contains("operators.rs"), "{text}");
    check(
        poison.try_shape(),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «three() + Array::from(vec![1.0, 2.0]»
               = operand 0: f64[3], made at «three() + Array::from(vec![1.0, 2.0]»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
    check(
        poison.check(),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «three() + Array::from(vec![1.0, 2.0]»
               = operand 0: f64[3], made at «three() + Array::from(vec![1.0, 2.0]»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
}

#[test]
fn shape_of_a_poison_inside_a_transformation_is_its_error() {
    let f = |x: Array| {
        let y = x + Array::from(vec![1.0, 2.0]);
        let n = y.len() as f64;
        y.sum() * n
    };
    check(
        grad(f)(three()),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «x + Array::from(vec![1.0, 2.0]»
               = operand 0: f64[3], an argument of `grad` at «grad(f)(three(»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»
               = note: inside `grad` at «grad(f)(three(»"#]],
    );
    check(
        jit(vmap(f))(Array::from([[1.0, 2.0, 3.0]])),
        expect![[r#"
            error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
              --> «x + Array::from(vec![1.0, 2.0]»
               = operand 0: f64[3], an argument of `vmap` at «vmap(f))(Array::from([[1.0, 2.0, 3.0]]»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»
               = note: inside `vmap` at «vmap(f))(Array::from([[1.0, 2.0, 3.0]]»
               = note: inside `jit` at «jit(vmap(f))(Array::from([[1.0, 2.0, 3.0]]»"#]],
    );
}

#[test]
fn a_scalar_that_an_integer_cannot_hold() {
    let n = Array::from(vec![1i32, 2]);
    check(
        (&n * 2.5).to_vec::<i32>(),
        expect![[r#"
            error[dtype]: `mul`: the scalar 2.5 is not representable in i32
              --> «(&n * 2.5).to_vec::<i32>(»
               = the array: i32[2], made at «Array::from(vec![1i32, 2]»
               = help: convert the array first, e.g. `.cast(DType::F64)`"#]],
    );
    check(
        (Array::from(1u8) + 300i64).item::<u8>(),
        expect![[r#"
            error[dtype]: `add`: the scalar 300 is not representable in u8
              --> «(Array::from(1u8) + 300i64).item::<u8>(»
               = the array: u8[], made at «Array::from(1u8) + 300i64).item::<u8>(»
               = help: convert the array first, e.g. `.cast(DType::I64)`"#]],
    );
    check(
        (Array::from(1u32) - -1i64).item::<u32>(),
        expect![[r#"
            error[dtype]: `sub`: the scalar -1 is not representable in u32
              --> «(Array::from(1u32) - -1i64).item::<u32>(»
               = the array: u32[], made at «Array::from(1u32) - -1i64).item::<u32>(»
               = help: convert the array first, e.g. `.cast(DType::I64)`"#]],
    );
    check(
        Array::full(&[2], 0.5, DType::I64).to_vec::<i64>(),
        expect![[r#"
            error[dtype]: `full`: the scalar 0.5 is not representable in i64
              --> «Array::full(&[2], 0.5, DType::I64).to_vec::<i64>(»
               = help: convert the array first, e.g. `.cast(DType::F64)`"#]],
    );
}

#[test]
fn axes_out_of_range() {
    let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
    check(
        x.sum_axis(2).check(),
        expect![[r#"
            error[index]: `sum_axis`: axis 2 is out of range for 2 axes
              --> «sum_axis(2).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
    check(
        x.flip(-3).check(),
        expect![[r#"
            error[index]: `flip`: axis -3 is out of range for 2 axes
              --> «flip(-3).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
    check(
        x.permute(&[0, 0]).check(),
        expect![[r#"
            error[index]: `permute`: [0, 0] is not a permutation of the axes of f64[2,2]
              --> «permute(&[0, 0]).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
    check(
        x.cumsum(5).check(),
        expect![[r#"
            error[index]: `cumsum`: axis 5 is out of range for 2 axes
              --> «cumsum(5).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
    check(
        x.argmax_axis(2).check(),
        expect![[r#"
            error[index]: `argmax_axis`: axis 2 is out of range for 2 axes
              --> «argmax_axis(2).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
    check(
        x.squeeze(0).check(),
        expect![[r#"
            error[shape]: `squeeze`: axis 0 of f64[2,2] has extent 2, expected 1
              --> «squeeze(0).check(»
               = operand 0: f64[2,2], made at «Array::from([[1.0, 2.0], [3.0, 4.0]]»"#]],
    );
}

#[test]
fn static_indices_out_of_range() {
    let x = three();
    check(
        x.index(5).check(),
        expect![[r#"
            error[index]: `index`: index 5 is out of range for axis 0 of extent 3
              --> «index(5).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
    check(
        x.slice(&[1..7]).check(),
        expect![[r#"
            error[index]: `slice`: the range 1..7 of axis 0 leaves its extent 3
              --> «slice(&[1..7]).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
    check(
        x.index((0, 0)).check(),
        expect![[r#"
            error[index]: `index`: 2 indices for f64[3], expected 1 at most
              --> «index((0, 0)).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
}

#[test]
fn shapes_of_array_operations() {
    let x = three();
    check(
        x.reshape(&[2, 2]).check(),
        expect![[r#"
            error[shape]: `reshape`: f64[3] has 3 elements, shape [2, 2] has 4
              --> «reshape(&[2, 2]).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
    check(
        x.broadcast_to(&[2]).check(),
        expect![[r#"
            error[shape]: `broadcast_to`: shape [3] does not broadcast to [2]
              --> «broadcast_to(&[2]).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
    check(
        concatenate(&[x.clone(), Array::from([[1.0]])], 0).check(),
        expect![[r#"
            error[shape]: `concatenate`: shapes [3] and [1, 1] (operand 1) differ apart from axis 0
              --> «concatenate(&[x.clone(), Array::from([[1.0]])], 0).check(»
               = operand 0: f64[3], made at «three(»
               = operand 1: f64[1,1], made at «Array::from([[1.0]])], 0).check(»"#]],
    );
    check(
        x.dot(&Array::from(vec![1.0, 2.0])).check(),
        expect![[r#"
            error[shape]: `dot`: the last axis of f64[3] and axis 0 of f64[2] have extents 3 and 2
              --> «dot(&Array::from(vec![1.0, 2.0])).check(»
               = operand 0: f64[3], made at «three(»
               = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0])).check(»"#]],
    );
    check(
        cholesky(&x).check(),
        expect![[r#"
            error[shape]: `cholesky`: got f64[3], expected a matrix or a batch of them
              --> «cholesky(&x).check(»
               = operand 0: f64[3], made at «three(»"#]],
    );
    check(
        select(&x, &x, &x).check(),
        expect![[r#"
            error[dtype]: `select`: got a mask of f64, expected bool
              --> «select(&x, &x, &x).check(»
               = operand 0: f64[3], made at «three(»
               = operand 1: f64[3], made at «three(»
               = operand 2: f64[3], made at «three(»"#]],
    );
    check(
        Array::new(vec![1.0, 2.0], &[3]).check(),
        expect![[r#"
            error[shape]: `array`: 2 elements do not fill shape [3]
              --> «Array::new(vec![1.0, 2.0], &[3]).check(»"#]],
    );
}

#[test]
fn dtypes_that_an_operation_does_not_take() {
    check(
        Array::from(1i32).sin().check(),
        expect![[r#"
            error[dtype]: `sin`: got i32, expected a floating-point type
              --> «sin().check(»
               = operand 0: i32[], made at «Array::from(1i32).sin().check(»
               = help: convert with `.cast(DType::F64)`"#]],
    );
    check(
        (!Array::from(1.0)).check(),
        expect![[r#"
            error[dtype]: `not`: got f64, expected an integer or bool
              --> «(!Array::from(1.0)).check(»
               = operand 0: f64[], made at «Array::from(1.0)).check(»"#]],
    );
    check(
        (Array::from(true) + Array::from(true)).check(),
        expect![[r#"
            error[dtype]: `add`: got bool, expected a number
              --> «(Array::from(true) + Array::from(true)).check(»
               = operand 0: bool[], made at «Array::from(true) + Array::from(true)).check(»
               = operand 1: bool[], made at «Array::from(true)).check(»
               = help: convert with `.cast(DType::F64)`"#]],
    );
}

#[test]
fn ragged_vectors() {
    check(
        Array::from(vec![vec![1.0, 2.0], vec![3.0]]).check(),
        expect![[r#"
            error[shape]: `array`: nested vectors of unequal lengths (the first ones make [2, 2])
              --> «Array::from(vec![vec![1.0, 2.0], vec![3.0]]).check(»"#]],
    );
}

#[test]
fn what_leaves_must_be_asked_for_as_it_is() {
    let x = three();
    check(
        x.item::<f64>(),
        expect![[r#"
            error[shape]: `item`: needs exactly one element, got f64[3]
              --> «item::<f64>(»"#]],
    );
    check(
        x.to_vec::<f32>(),
        expect![[r#"
            error[dtype]: `to_vec`: got f64[3], expected elements of f32
              --> «to_vec::<f32>(»
               = help: convert with `.cast(DType::F32)` or ask for f64"#]],
    );
    check(
        x.sum().item::<i64>(),
        expect![[r#"
            error[dtype]: `item`: got f64[], expected elements of i64
              --> «item::<i64>(»
               = help: convert with `.cast(DType::I64)` or ask for f64"#]],
    );
}

#[test]
fn not_a_number_and_infinity_are_data() {
    let x = Array::from(vec![f64::NAN, f64::INFINITY, -1.0]);
    assert!(x.sum().item::<f64>().unwrap().is_nan());
    assert!(x.sqrt().to_vec::<f64>().unwrap()[2].is_nan());
    let g = jit(grad(|x: Array| (x.clone() * x).sum()))(x.clone()).unwrap().to_vec::<f64>().unwrap();
    assert!(g[0].is_nan() && g[1].is_infinite() && g[2] == -2.0);
    // A loop whose condition compares with NaN ends, since that comparison is false.
    let y = while_loop(|x: Array| x.lt(10.0), |x: Array| x + 1.0, Array::from(f64::NAN)).unwrap();
    assert!(y.item::<f64>().unwrap().is_nan());
}

#[test]
fn arrays_without_elements() {
    let none = Array::zeros(&[0, 3], DType::F64);
    assert_eq!((&none * 2.0).sin().shape(), [0, 3]);
    assert_eq!(none.sum().item::<f64>().unwrap(), 0.0);
    assert_eq!(grad(|x: Array| x.sum())(none.clone()).unwrap().shape(), [0, 3]);
    assert_eq!(vmap(|x: Array| x.sum())(none.clone()).unwrap().shape(), [0]);
    assert_eq!(jit(vmap(|x: Array| x * 2.0))(none.clone()).unwrap().shape(), [0, 3]);
    let (last, ys) = scan(|c: Array, x: Array| (c + x.sum(), x), Array::from(1.0), none.clone()).unwrap();
    assert_eq!((last.item::<f64>().unwrap(), ys.shape()), (1.0, &[0, 3][..]));
    assert_eq!(none.amax().item::<f64>().unwrap(), f64::NEG_INFINITY);
    check(
        none.argmax().check(),
        expect![[r#"
            error[shape]: `argmax`: axis 0 of f64[0] is empty and has no extreme
              --> «argmax().check(»
               = operand 0: f64[0,3], from `broadcast` at «Array::zeros(&[0, 3], DType::F64»"#]],
    );
}

#[test]
fn scalars_of_methods_that_do_not_fit() {
    let x = Array::from(vec![1u8, 2]);
    check(
        x.lt(1.5).check(),
        expect![[r#"
        error[dtype]: `lt`: the scalar 1.5 is not representable in u8
          --> «lt(1.5).check(»
           = the array: u8[2], made at «Array::from(vec![1u8, 2]»
           = help: convert the array first, e.g. `.cast(DType::F64)`"#]],
    );
    check(
        x.clamp(0, 300).check(),
        expect![[r#"
        error[dtype]: `clamp`: the scalar 300 is not representable in u8
          --> «clamp(0, 300).check(»
           = the array: u8[2], made at «Array::from(vec![1u8, 2]»
           = help: convert the array first, e.g. `.cast(DType::I64)`"#]],
    );
    check(
        (&x * 300).check(),
        expect![[r#"
        error[dtype]: `mul`: the scalar 300 is not representable in u8
          --> «(&x * 300).check(»
           = the array: u8[2], made at «Array::from(vec![1u8, 2]»
           = help: convert the array first, e.g. `.cast(DType::I64)`"#]],
    );
}

/// Provenance is the user's, also of what a transformation makes at its end.
#[test]
fn results_of_transformations_that_nothing_computed() {
    let two = Array::from(vec![1.0, 2.0]);
    let unused = grad(|(_, y): (Array, Array)| y.sum())((three(), three())).unwrap().0;
    check(
        (unused + &two).check(),
        expect![[r#"
        error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
          --> «(unused + &two).check(»
           = operand 0: f64[3], from `broadcast` at «grad(|(_, y): (Array, Array)| y.sum())((three(), three())).unwrap().0»
           = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
    let (_, constant) = jvp(|_: Array| three(), three(), three()).unwrap();
    check(
        (constant + &two).check(),
        expect![[r#"
        error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
          --> «(constant + &two).check(»
           = operand 0: f64[3], from `broadcast` at «jvp(|_: Array| three(), three(), three()).unwrap(»
           = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
    let repeated = vmap(|_: Array| Array::from(1.0))(three()).unwrap();
    check(
        (repeated + &two).check(),
        expect![[r#"
        error[shape]: `add`: shapes [3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
          --> «(repeated + &two).check(»
           = operand 0: f64[3], from `broadcast` at «vmap(|_: Array| Array::from(1.0))(three()).unwrap(»
           = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
    let jacobian = jacfwd(|_: Array| three())(three()).unwrap();
    check(
        (jacobian + &two).check(),
        expect![[r#"
        error[shape]: `add`: shapes [3, 3] and [2] do not broadcast: extents 3 and 2 differ on axis -1
          --> «(jacobian + &two).check(»
           = operand 0: f64[3,3], from `transpose` at «jacfwd(|_: Array| three())(three()).unwrap(»
           = operand 1: f64[2], made at «Array::from(vec![1.0, 2.0]»"#]],
    );
}

#[test]
fn shapes_beyond_the_address_space() {
    check(
        Array::new(vec![1.0], &[usize::MAX, 2]).check(),
        expect![[r#"
        error[shape]: `array`: 1 elements do not fill shape [18446744073709551615, 2]
          --> «Array::new(vec![1.0], &[usize::MAX, 2]).check(»"#]],
    );
    check(
        Array::new(Vec::<f64>::new(), &[1 << 63, 2]).check(),
        expect![[r#"
        error[shape]: `array`: 0 elements do not fill shape [9223372036854775808, 2]
          --> «Array::new(Vec::<f64>::new(), &[1 << 63, 2]).check(»"#]],
    );
}

#[test]
fn memory_that_does_not_exist() {
    let one = Array::from(1.0);
    check(
        (one.broadcast_to(&[1 << 45]).exp()).check(),
        expect![[r#"
            error[out-of-memory]: `broadcast_to`: there is no memory for 262144.000 GiB
              --> «broadcast_to(&[1 << 45]).exp()).check(»
               = operand 0: f64[], made at «Array::from(1.0»"#]],
    );
    check(
        Array::zeros(&[1 << 45], DType::F64).check(),
        expect![[r#"
            error[out-of-memory]: `zeros`: there is no memory for 262144.000 GiB
              --> «Array::zeros(&[1 << 45], DType::F64).check(»"#]],
    );
    check(
        jit(|x: Array| x.broadcast_to(&[1 << 45]).exp())(one),
        expect![[r#"
        error[out-of-memory]: `jit`: there is no memory for 262144.000 GiB
          --> «jit(|x: Array| x.broadcast_to(&[1 << 45]).exp())(one»
           = note: inside `jit` at «jit(|x: Array| x.broadcast_to(&[1 << 45]).exp())(one»"#]],
    );
    // Nothing is broken by that.
    assert_eq!(three().exp().shape(), [3]);
}
