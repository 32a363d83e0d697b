//! Largest and smallest elements over axes; a NaN wins.

use super::{is_real, reduction, spread};
use crate::{
    array::Array,
    ops,
    prim::{Jvp, Transpose},
};
use dini_cpu::graph::Combine;

reduction! {
    /// max x over axes
    ReduceMax "reduce_max" = Combine::Max, admits: (is_real, "a number or bool"),
        jvp: Jvp::By(|p, x, y, t| Ok(vec![extremum_jvp(&p.axes, &x[0], &y[0], t[0].as_ref())])),
        transpose: Transpose::NotLinear,
        samples: [
            ([0], "f64[4]"),
            ([0, 2], "f64[2,3,2]"),
            ([1], "f32[2,3]"),
            ([], "f64[2]"),
            ([0], "i32[0,3]"),
            ([0], "i32[3,2]"),
            ([0], "bool[3]"),
        ]
}

reduction! {
    /// min x over axes
    ReduceMin "reduce_min" = Combine::Min, admits: (is_real, "a number or bool"),
        jvp: Jvp::By(|p, x, y, t| Ok(vec![extremum_jvp(&p.axes, &x[0], &y[0], t[0].as_ref())])),
        transpose: Transpose::NotLinear,
        samples: [
            ([0], "f64[4]"),
            ([1, 2], "f64[2,3,2]"),
            ([1], "f32[2,3]"),
            ([], "f64[2]"),
            ([0], "u8[3,2]"),
            ([0], "bool[3]"),
        ]
}

/// ẏ = the mean of ẋ over the elements that equal y, as in JAX: Σᵢ [xᵢ = y] ẋᵢ / Σᵢ [xᵢ = y].
///
/// Off ties that is the tangent of the only winner. A NaN equals nothing: then 0/0 makes the tangent NaN, and the
/// transpose, a product with the mask, gives every element NaN too.
fn extremum_jvp(axes: &[usize], x: &Array, y: &Array, t: Option<&Array>) -> Option<Array> {
    let t = t?;
    if axes.iter().any(|&axis| x.shape()[axis] == 0) {
        return None; // the extreme of nothing does not vary
    }
    let wins = x.eq(spread(y, axes, x.aval())).cast(x.dtype());
    let count = ops::reduce_sum(&wins, axes);
    Some(ops::reduce_sum(&(t * &wins), axes) / count)
}
