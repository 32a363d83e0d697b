//! Elementary functions by name, over any [`Real`]: what an emitter of machine code records.

use super::{
    error_function as ef, exponential as ex, gamma, hyperbolic as hy, inverse_trigonometric as it, logarithm as ln,
    power, real::Real, remainder, root, trigonometric as tr,
};
use crate::scalar::ScalarOp;

/// A function's value, and where it must be asked of the precompiled loop instead, if there are such arguments.
pub(crate) struct Evaluated<R: Real> {
    pub value: R,
    pub is_rare: Option<R::Mask>,
}

/// Evaluates a function of `x`, or of `x` and `y`; `None` if the operation is not written over [`Real`].
pub(crate) fn evaluate<R: Real>(op: ScalarOp, x: R, y: R) -> Option<Evaluated<R>> {
    let (value, is_rare) = match op {
        ScalarOp::Exp => (ex::exp(x), None),
        ScalarOp::Exp2 => (ex::exp2(x), None),
        ScalarOp::Expm1 => (ex::expm1(x), None),
        ScalarOp::Log => (ln::log(x), None),
        ScalarOp::Log2 => (ln::log2(x), None),
        ScalarOp::Log1p => (ln::log1p(x), None),
        ScalarOp::Sin => (tr::sin(x), Some(tr::is_rare(x))),
        ScalarOp::Cos => (tr::cos(x), Some(tr::is_rare(x))),
        ScalarOp::Tan => (tr::tan(x), Some(tr::is_rare(x))),
        ScalarOp::Asin => (it::asin(x), None),
        ScalarOp::Acos => (it::acos(x), None),
        ScalarOp::Atan => (it::atan(x), None),
        ScalarOp::Atan2 => (it::atan2(x, y), Some(it::is_rare(x, y))),
        ScalarOp::Sinh => (hy::sinh(x), None),
        ScalarOp::Cosh => (hy::cosh(x), None),
        ScalarOp::Tanh => (hy::tanh(x), None),
        ScalarOp::Asinh => (hy::asinh(x), None),
        ScalarOp::Acosh => (hy::acosh(x), None),
        ScalarOp::Atanh => (hy::atanh(x), None),
        ScalarOp::Rsqrt => (root::rsqrt(x), None),
        ScalarOp::Cbrt => (root::cbrt(x), None),
        ScalarOp::Logistic => (ex::logistic(x), None),
        ScalarOp::Erf => (ef::erf(x), None),
        ScalarOp::Erfc => (ef::erfc(x), None),
        ScalarOp::ErfInv => (ef::erf_inv(x), None),
        ScalarOp::Lgamma => (gamma::lgamma(x), None),
        ScalarOp::Digamma => (gamma::digamma(x), None),
        ScalarOp::Rem => (remainder::rem(x, y), Some(remainder::is_rare(x, y))),
        ScalarOp::Pow => (power::pow(x, y), Some(power::is_rare(x, y))),
        ScalarOp::Neg
        | ScalarOp::Abs
        | ScalarOp::Sign
        | ScalarOp::Floor
        | ScalarOp::Ceil
        | ScalarOp::Round
        | ScalarOp::Sqrt
        | ScalarOp::Polygamma
        | ScalarOp::IsFinite
        | ScalarOp::Not
        | ScalarOp::Add
        | ScalarOp::Sub
        | ScalarOp::Mul
        | ScalarOp::Div
        | ScalarOp::Powi(_)
        | ScalarOp::Max
        | ScalarOp::Min
        | ScalarOp::And
        | ScalarOp::Or
        | ScalarOp::Xor
        | ScalarOp::Shl
        | ScalarOp::Shr
        | ScalarOp::Eq
        | ScalarOp::Ne
        | ScalarOp::Lt
        | ScalarOp::Le
        | ScalarOp::Gt
        | ScalarOp::Ge
        | ScalarOp::Select
        | ScalarOp::Clamp
        | ScalarOp::MulAdd
        | ScalarOp::Cast(_) => return None,
    };
    Some(Evaluated { value, is_rare })
}
