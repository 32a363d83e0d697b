//! Logical (for integers: bitwise) and and or over axes; nothing varies, so derivatives are zero.

use super::{is_bits, reduction};
use crate::prim::{Jvp, Transpose};
use dini_cpu::graph::Combine;

reduction! {
    /// x₀ and x₁ and … over axes
    ReduceAnd "reduce_and" = Combine::And, admits: (is_bits, "an integer or bool"), jvp: Jvp::Zero,
        transpose: Transpose::NotLinear,
        samples: [([0], "bool[4]"), ([1], "bool[2,3]"), ([0, 1], "i32[2,3]"), ([], "u8[2]"), ([0], "bool[0,2]")]
}

reduction! {
    /// x₀ or x₁ or … over axes
    ReduceOr "reduce_or" = Combine::Or, admits: (is_bits, "an integer or bool"), jvp: Jvp::Zero,
        transpose: Transpose::NotLinear,
        samples: [([0], "bool[4]"), ([1], "bool[2,3]"), ([0, 1], "i64[2,3]"), ([], "u8[2]"), ([0], "bool[0,2]")]
}
