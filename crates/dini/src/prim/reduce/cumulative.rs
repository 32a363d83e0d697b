//! Running combinations along an axis, each result including its own element.
//!
//! Derivatives of the nonlinear ones are those of the same combination done as a scan over pairs of a partial result
//! and its tangent, see [`scan_tangent`]. At ties `cummax` and `cummin` therefore follow the elementwise `max`, as in JAX:
//! of two partial results that are equal each gives half of the tangent, so that among three and more equal elements
//! the shares depend on the order of combination.

use super::{expect_dtype, is_number, is_real};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose,
        structural::{beside, only_operand},
    },
    shape::Aval,
    trace::bind,
};
use dini_cpu::{
    dtype::DType,
    graph::{Combine, Op},
};

macro_rules! cumulative {
    ($(
        $(#[$doc:meta])*
        $name:ident $text:literal = $combine:expr, admits: ($admits:expr, $what:literal), jvp: $jvp:expr,
        transpose: $transpose:expr, samples: [$(($axis:literal, $reverse:literal, $sample:literal)),* $(,)?];
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            /// The axis along which it runs.
            pub axis: usize,
            /// From the last element to the first.
            pub reverse: bool,
        }

        impl Primitive for $name {
            const NAME: &'static str = $text;
            const RULES: Rules<Self> = Rules {
                infer: |p, avals| infer(p.axis, avals, $admits, $what),
                lower: Lower::Loops(|p, cx, args, _, outs| {
                    let op = Op::Cumulative { combine: $combine, axis: p.axis, reverse: p.reverse };
                    Ok(vec![cx.push1(op, args, &outs[0])])
                }),
                jvp: $jvp,
                transpose: $transpose,
                batch: Batch::By(|p, _, values, axes| {
                    let axis = axes[0].map_or(p.axis, |lanes| beside(p.axis, lanes));
                    Ok((bind($name { axis, reverse: p.reverse }, values)?, vec![axes[0]]))
                }),
                form: Form::First,
                samples: || vec![$(($name { axis: $axis, reverse: $reverse }, $sample)),*],
            };
        }
    )* };
}

cumulative! {
    /// `y[k]` = Σ x[j] over j ≤ k
    CumSum "cumsum" = Combine::Add, admits: (is_number, "a number"), jvp: Jvp::Linear(Operands::All),
        // x[j] is in y[k] for every k ≥ j: x̄ is the sum of ȳ running the other way.
        transpose: Transpose::By(|p, ct, _| {
            Ok(vec![ct[0].as_ref().map(|ct| ops::running_sum(ct, p.axis, !p.reverse))])
        }),
        samples: [(0, false, "f64[4]"), (1, true, "f64[2,3]"), (1, false, "f32[2,3,2]"), (0, false, "f64[0]"),
            (0, true, "i32[3,2]")];
    /// `y[k]` = Π x[j] over j ≤ k
    CumProd "cumprod" = Combine::Mul, admits: (is_number, "a number"),
        jvp: Jvp::By(|p, x, y, t| {
            Ok(vec![cumulative_jvp(p.axis, p.reverse, &x[0], &y[0], t[0].as_ref(), &PRODUCT)])
        }),
        transpose: Transpose::NotLinear,
        samples: [(0, false, "f64[5]"), (1, true, "f64[2,4]"), (0, false, "f64[4]@0..0.000001"),
            (1, false, "f32[2,3,2]"), (0, false, "f64[0]"), (0, true, "i32[3,2]")];
    /// `y[k]` = max x[j] over j ≤ k
    CumMax "cummax" = Combine::Max, admits: (is_real, "a number or bool"),
        jvp: Jvp::By(|p, x, y, t| {
            Ok(vec![cumulative_jvp(p.axis, p.reverse, &x[0], &y[0], t[0].as_ref(), &MAXIMUM)])
        }),
        transpose: Transpose::NotLinear,
        samples: [(0, false, "f64[5]"), (1, true, "f64[2,4]"), (1, false, "f32[2,3,2]"), (0, false, "f64[0]"),
            (0, true, "i32[3,2]")];
    /// `y[k]` = min x[j] over j ≤ k
    CumMin "cummin" = Combine::Min, admits: (is_real, "a number or bool"),
        jvp: Jvp::By(|p, x, y, t| {
            Ok(vec![cumulative_jvp(p.axis, p.reverse, &x[0], &y[0], t[0].as_ref(), &MINIMUM)])
        }),
        transpose: Transpose::NotLinear,
        samples: [(0, false, "f64[5]"), (1, true, "f64[2,4]"), (1, false, "f32[2,3,2]"), (0, false, "bool[4]"),
            (0, true, "i32[3,2]")];
}

fn infer(axis: usize, avals: &[Aval], admits: fn(DType) -> bool, what: &str) -> Result<Vec<Aval>> {
    let x = only_operand(avals)?;
    expect_dtype(x, admits, what)?;
    if axis >= x.ndim() {
        return Err(Error::new(ErrorKind::Index, format!("axis {axis} is out of range for {x}")));
    }
    Ok(vec![x.clone()])
}

/// A partial result and its tangent.
struct Dual {
    value: Array,
    tangent: Array,
}

/// An associative combination of two values, and its tangent.
struct Combination {
    value: fn(&Array, &Array) -> Array,
    tangent: fn(&Dual, &Dual) -> Array,
}

/// (ab)˙ = ȧb + aḃ
const PRODUCT: Combination =
    Combination { value: |a, b| a * b, tangent: |a, b| &a.tangent * &b.value + &a.value * &b.tangent };

const MAXIMUM: Combination =
    Combination { value: |a, b| a.max(b), tangent: |a, b| winner(&a.value.gt(&b.value), &a.value.lt(&b.value), a, b) };

const MINIMUM: Combination =
    Combination { value: |a, b| a.min(b), tangent: |a, b| winner(&a.value.lt(&b.value), &a.value.gt(&b.value), a, b) };

/// The winner's tangent; the mean at a tie.
fn winner(first: &Array, second: &Array, a: &Dual, b: &Dual) -> Array {
    let half = ops::scalar_like(0.5, &a.tangent);
    let mean = &half * &a.tangent + &half * &b.tangent;
    ops::select(first, &a.tangent, &ops::select(second, &b.tangent, &mean))
}

/// ẏ of y[k] = x[0] ∘ x[1] ∘ … ∘ x[k] for an associative ∘, by recursion on pairs (Blelloch, 1990), the tree of JAX's
/// associative scan.
///
/// Neighbours combine, z[i] = x[2i] ∘ x[2i+1], and half as many elements remain. Their running combination is that of
/// x at the odd places, y[2i+1]; one more combination gives the even ones, y[2i] = y[2i−1] ∘ x[2i]. All of that on pairs
/// of a value and its tangent, where the running values are known already: they are parts of y. It takes O(n) work in
/// O(log n) operations, has no division, so that zeros of a running product need no care, is linear in ẋ, and
/// differentiates again.
fn scan_tangent(axis: usize, x: &Dual, y: &Array, by: &Combination) -> Array {
    let n = x.value.shape()[axis];
    if n < 2 {
        return x.tangent.clone();
    }
    let cut = |z: &Array, start: usize, limit: usize, step: usize| ops::slice_axis(z, start, limit, step, axis);
    let part = |start: usize, limit: usize| Dual {
        value: cut(&x.value, start, limit, 2),
        tangent: cut(&x.tangent, start, limit, 2),
    };
    let (first, second) = (part(0, n - 1), part(1, n));
    let pairs = Dual { value: (by.value)(&first.value, &second.value), tangent: (by.tangent)(&first, &second) };
    let running = cut(y, 1, n, 2);
    let odd = scan_tangent(axis, &pairs, &running, by);
    let start = cut(&x.tangent, 0, 1, 1);
    let even = match (n - 1) / 2 {
        0 => start,
        m => {
            let before = Dual { value: cut(&running, 0, m, 1), tangent: cut(&odd, 0, m, 1) };
            ops::join(&[start, (by.tangent)(&before, &part(2, n))], axis)
        }
    };
    interleave(&even, &odd, axis)
}

/// Element 0 of `even`, element 0 of `odd`, element 1 of `even`, …
fn interleave(even: &Array, odd: &Array, axis: usize) -> Array {
    let (n_even, n_odd) = (even.shape()[axis], odd.shape()[axis]);
    let pairs = odd.aval().batched(axis + 1, 1).shape;
    let columns = [even, odd].map(|z| ops::reshape(&ops::slice_axis(z, 0, n_odd, 1, axis), &pairs));
    let mut shape = odd.aval().shape.clone();
    shape[axis] = 2 * n_odd;
    let woven = ops::reshape(&ops::join(&columns, axis + 1), &shape);
    if n_even == n_odd { woven } else { ops::join(&[woven, ops::slice_axis(even, n_odd, n_even, 1, axis)], axis) }
}

/// The derivative of a running combination; backwards, the same on reversed arrays.
fn cumulative_jvp(
    axis: usize,
    reverse: bool,
    x: &Array,
    y: &Array,
    t: Option<&Array>,
    by: &Combination,
) -> Option<Array> {
    let turned = |z: &Array| if reverse { ops::reverse(z, &[axis]) } else { z.clone() };
    let dual = Dual { value: turned(x), tangent: turned(t?) };
    Some(turned(&scan_tangent(axis, &dual, &turned(y), by)))
}
