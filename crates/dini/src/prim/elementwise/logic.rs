//! Bits, shifts, comparisons and classification: nothing here varies with its operands, so derivatives are zero.

use super::{elementwise, infer_bits, infer_compare, infer_integer};
use crate::{
    error::Result,
    prim::{Jvp, Transpose},
    shape::Aval,
};
use dini_cpu::{dtype::DType, scalar::ScalarOp};

fn infer_is_finite(p: &IsFinite, avals: &[Aval]) -> Result<Vec<Aval>> {
    Ok(vec![super::infer_float(p, avals)?[0].with_dtype(DType::Bool)])
}

elementwise! {
    /// Neither infinite nor NaN
    IsFinite "is_finite" = ScalarOp::IsFinite, infer: infer_is_finite, jvp: Jvp::Zero,
        transpose: Transpose::NotLinear, samples: ["f64[3]", "f32[2]"];
    /// Bitwise and logical and
    And "and" = ScalarOp::And, infer: infer_bits, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["bool[3] bool[3]", "i32[4] i32[4]", "u8[2] u8[]"];
    /// Bitwise and logical or
    Or "or" = ScalarOp::Or, infer: infer_bits, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["bool[3] bool[3]", "u32[4] u32[4]"];
    /// Bitwise and logical exclusive or
    Xor "xor" = ScalarOp::Xor, infer: infer_bits, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["bool[3] bool[3]", "u64[4] u64[4]"];
    /// Bitwise and logical complement
    Not "not" = ScalarOp::Not, infer: infer_bits, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["bool[3]", "i64[4]"];
    /// Shift towards the high bits
    Shl "shl" = ScalarOp::Shl, infer: infer_integer, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["i32[4] i32[4]", "u8[3] u8[]"];
    /// Shift towards the low bits, keeping the sign of signed types
    Shr "shr" = ScalarOp::Shr, infer: infer_integer, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["i32[4] i32[4]", "u64[3] u64[]"];
    /// x = y
    Eq "eq" = ScalarOp::Eq, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "i32[3] i32[]"];
    /// x ≠ y
    Ne "ne" = ScalarOp::Ne, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "bool[3] bool[]"];
    /// x < y
    Lt "lt" = ScalarOp::Lt, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "u8[3] u8[]"];
    /// x ≤ y
    Le "le" = ScalarOp::Le, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "i64[3] i64[]"];
    /// x > y
    Gt "gt" = ScalarOp::Gt, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "f32[3] f32[]"];
    /// x ≥ y
    Ge "ge" = ScalarOp::Ge, infer: infer_compare, jvp: Jvp::Zero, transpose: Transpose::NotLinear,
        samples: ["f64[3] f64[3]", "i32[] i32[3]"];
}
