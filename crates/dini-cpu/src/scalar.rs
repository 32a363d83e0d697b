//! The scalar operations of kernel bodies. Semantics at corners follow XLA and are stated on each operation.

use crate::dtype::DType;

/// An operation on scalars, applied element by element. Unless said otherwise all operands and the result have one
/// type; comparisons give `bool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarOp {
    /// `-x`; wraps for integers.
    Neg,
    /// Absolute value; wraps at the minimum of a signed integer.
    Abs,
    /// -1, 0 or 1; keeps signed zeros and NaN.
    Sign,
    /// Round down.
    Floor,
    /// Round up.
    Ceil,
    /// Round to nearest, ties to even.
    Round,
    /// eˣ
    Exp,
    /// 2ˣ
    Exp2,
    /// eˣ − 1, accurate near 0
    Expm1,
    /// Natural logarithm.
    Log,
    /// Logarithm to base 2.
    Log2,
    /// ln(1 + x), accurate near 0
    Log1p,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// Tangent of radians.
    Tan,
    /// Inverse sine, radians.
    Asin,
    /// Inverse cosine, radians.
    Acos,
    /// Inverse tangent, radians.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
    /// Square root.
    Sqrt,
    /// 1/√x
    Rsqrt,
    /// Real cube root.
    Cbrt,
    /// 1/(1 + e⁻ˣ)
    Logistic,
    /// Error function.
    Erf,
    /// 1 − erf x, accurate in the tail.
    Erfc,
    /// Inverse of erf on (−1, 1).
    ErfInv,
    /// ln |Γ(x)|
    Lgamma,
    /// ψ(x) = d/dx ln Γ(x)
    Digamma,
    /// `Polygamma(n, x)`: the n-th derivative of ψ at x, n ≥ 0 a whole number held in the float type.
    Polygamma,
    /// Float → `bool`: neither infinite nor NaN.
    IsFinite,
    /// Bitwise complement; logical for `bool`.
    Not,
    /// Sum; wraps for integers; `or` for `bool`.
    Add,
    /// Difference; wraps for integers.
    Sub,
    /// Product; wraps for integers; `and` for `bool`.
    Mul,
    /// Quotient; integers truncate toward zero, x / 0 = −1 (all bits set), minimum / −1 = minimum.
    Div,
    /// Remainder with the sign of the dividend; integers: x rem 0 = x, minimum rem −1 = 0.
    Rem,
    /// x to the power y (floats).
    Pow,
    /// x to a fixed whole power, by repeated multiplication; x⁰ = 1. Negative powers are the reciprocal (floats only).
    Powi(i32),
    /// Angle of the point (second, first) in radians: `Atan2(y, x)`.
    Atan2,
    /// Larger of two; NaN if either is NaN.
    Max,
    /// Smaller of two; NaN if either is NaN.
    Min,
    /// Bitwise and; logical for `bool`.
    And,
    /// Bitwise or; logical for `bool`.
    Or,
    /// Bitwise exclusive or; logical for `bool`.
    Xor,
    /// Shift left; 0 when the amount is negative or not less than the width.
    Shl,
    /// Shift right: arithmetic for signed types, logical for unsigned; too large an amount gives the sign fill.
    Shr,
    /// `==`; false with NaN.
    Eq,
    /// `!=`; true with NaN.
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `Select(p, x, y)`: x where the `bool` p holds, else y.
    Select,
    /// `Clamp(lo, x, hi)` = min(max(x, lo), hi); NaN if any operand is NaN.
    Clamp,
    /// `MulAdd(x, y, z)` = x·y + z of floats, rounded once.
    MulAdd,
    /// Conversion: floats to integers truncate toward zero and saturate (NaN gives 0); to `bool` is `!= 0`; integers
    /// wrap.
    Cast(DType),
}

impl ScalarOp {
    /// Number of operands.
    pub const fn arity(self) -> usize {
        use ScalarOp::*;
        match self {
            Neg | Abs | Sign | Floor | Ceil | Round | Exp | Exp2 | Expm1 | Log | Log2 | Log1p | Sin | Cos | Tan
            | Asin | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh | Sqrt | Rsqrt | Cbrt | Logistic
            | Erf | Erfc | ErfInv | Lgamma | Digamma | IsFinite | Not | Powi(_) | Cast(_) => 1,
            Polygamma | Add | Sub | Mul | Div | Rem | Pow | Atan2 | Max | Min | And | Or | Xor | Shl | Shr | Eq
            | Ne | Lt | Le | Gt | Ge => 2,
            Select | Clamp | MulAdd => 3,
        }
    }

    /// The type of the result for operands of the given types (the operands are assumed to be admissible).
    pub fn result(self, operands: &[DType]) -> DType {
        use ScalarOp::*;
        match self {
            IsFinite | Eq | Ne | Lt | Le | Gt | Ge => DType::Bool,
            Cast(to) => to,
            Select => operands[1],
            Neg | Abs | Sign | Floor | Ceil | Round | Exp | Exp2 | Expm1 | Log | Log2 | Log1p | Sin | Cos | Tan
            | Asin | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh | Sqrt | Rsqrt | Cbrt | Logistic
            | Erf | Erfc | ErfInv | Lgamma | Digamma | Not | Powi(_) | Polygamma | Add | Sub | Mul | Div | Rem
            | Pow | Atan2 | Max | Min | And | Or | Xor | Shl | Shr | Clamp | MulAdd => operands[0],
        }
    }
}

/// Every operation, those with a parameter several times, for tests.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) const OPS: &[ScalarOp] = {
    use DType::{Bool, F32, F64, I32, I64, U8, U32, U64};
    use ScalarOp::*;
    &[
        Neg,
        Abs,
        Sign,
        Floor,
        Ceil,
        Round,
        Exp,
        Exp2,
        Expm1,
        Log,
        Log2,
        Log1p,
        Sin,
        Cos,
        Tan,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Asinh,
        Acosh,
        Atanh,
        Sqrt,
        Rsqrt,
        Cbrt,
        Logistic,
        Erf,
        Erfc,
        ErfInv,
        Lgamma,
        Digamma,
        Polygamma,
        IsFinite,
        Not,
        Add,
        Sub,
        Mul,
        Div,
        Rem,
        Pow,
        Powi(0),
        Powi(1),
        Powi(2),
        Powi(7),
        Powi(-3),
        Powi(i32::MIN),
        Atan2,
        Max,
        Min,
        And,
        Or,
        Xor,
        Shl,
        Shr,
        Eq,
        Ne,
        Lt,
        Le,
        Gt,
        Ge,
        Select,
        Clamp,
        MulAdd,
        Cast(Bool),
        Cast(U8),
        Cast(U32),
        Cast(U64),
        Cast(I32),
        Cast(I64),
        Cast(F32),
        Cast(F64),
    ]
};
