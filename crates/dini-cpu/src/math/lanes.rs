//! Elementary functions by operation, for an emitter that records them over its own [`Real`].

use super::{
    error_function as ef, exponential as ex, hyperbolic as hy, inverse_trigonometric as it, logarithm as ln, power,
    real::Real, root, trigonometric as tr,
};
use crate::scalar::ScalarOp;

/// The value of a function in a lane.
pub(crate) struct Lane<R: Real> {
    /// Any number where the argument is rare.
    pub value: R,
    /// Where the operation's [`super::kernel`] must be asked, if anywhere.
    pub is_rare: Option<R::Mask>,
}

/// The value of an operation of one real argument. `None` for what is not a real function and for the functions that are
/// not written over [`Real`]: their [`super::kernel`] must be asked for every lane.
pub(crate) fn unary<R: Real>(op: ScalarOp, x: R) -> Option<Lane<R>> {
    use ScalarOp::*;
    let value = match op {
        Exp => ex::exp(x),
        Exp2 => ex::exp2(x),
        Expm1 => ex::expm1(x),
        Log => ln::log(x),
        Log2 => ln::log2(x),
        Log1p => ln::log1p(x),
        Sin => return Some(Lane { value: tr::sin(x), is_rare: Some(tr::is_rare(x)) }),
        Cos => return Some(Lane { value: tr::cos(x), is_rare: Some(tr::is_rare(x)) }),
        Tan => return Some(Lane { value: tr::tan(x), is_rare: Some(tr::is_rare(x)) }),
        Asin => it::asin(x),
        Acos => it::acos(x),
        Atan => it::atan(x),
        Sinh => hy::sinh(x),
        Cosh => hy::cosh(x),
        Tanh => hy::tanh(x),
        Asinh => hy::asinh(x),
        Acosh => hy::acosh(x),
        Atanh => hy::atanh(x),
        Sqrt => x.sqrt(),
        Rsqrt => root::rsqrt(x),
        Cbrt => root::cbrt(x),
        Logistic => ex::logistic(x),
        Erf => ef::erf(x),
        Erfc => ef::erfc(x),
        ErfInv => ef::erf_inv(x),
        Neg | Abs | Sign | Floor | Ceil | Round | Lgamma | Digamma | Polygamma | IsFinite | Not | Add | Sub | Mul
        | Div | Rem | Pow | Powi(_) | Atan2 | Max | Min | And | Or | Xor | Shl | Shr | Eq | Ne | Lt | Le | Gt | Ge
        | Select | Clamp | Cast(_) => return None,
    };
    Some(Lane { value, is_rare: None })
}

/// The value of an operation of two real arguments, likewise.
pub(crate) fn binary<R: Real>(op: ScalarOp, x: R, y: R) -> Option<Lane<R>> {
    use ScalarOp::*;
    match op {
        Pow => Some(Lane { value: power::pow(x, y), is_rare: Some(power::is_rare(x, y)) }),
        Atan2 => Some(Lane { value: it::atan2(x, y), is_rare: Some(it::is_rare(x, y)) }),
        Neg | Abs | Sign | Floor | Ceil | Round | Exp | Exp2 | Expm1 | Log | Log2 | Log1p | Sin | Cos | Tan | Asin
        | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh | Sqrt | Rsqrt | Cbrt | Logistic | Erf | Erfc
        | ErfInv | Lgamma | Digamma | Polygamma | IsFinite | Not | Add | Sub | Mul | Div | Rem | Powi(_) | Max
        | Min | And | Or | Xor | Shl | Shr | Eq | Ne | Lt | Le | Gt | Ge | Select | Clamp | Cast(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{apply, loops::Float};

    #[track_caller]
    fn check<A: Float>(op: ScalarOp, args: &[A], lane: Option<Lane<A>>) {
        let Some(Lane { value, is_rare }) = lane else { panic!("{op:?} is not written for lanes") };
        if is_rare == Some(true) {
            return;
        }
        let mut expected = [A::default()];
        let operands: Vec<_> = args.chunks(1).map(A::wrap).collect();
        apply(op, &operands, A::wrap_mut(&mut expected));
        // Printed, so that all NaN are alike and zeros keep their sign.
        assert_eq!(format!("{value:?}"), format!("{:?}", expected[0]), "{op:?} of {args:?}");
    }

    fn check_all<A: Float>() {
        use ScalarOp::*;
        let numbers = [0.0, -0.0, 1.0, -0.3, 0.7, 2.5, -30.0, 1e4, -1e5, 1e-39, f64::INFINITY, f64::NAN].map(A::narrow);
        for x in numbers {
            for op in [
                Exp, Exp2, Expm1, Log, Log2, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh,
                Atanh, Sqrt, Rsqrt, Cbrt, Logistic, Erf, Erfc, ErfInv,
            ] {
                check(op, &[x], unary(op, x));
            }
            for y in numbers {
                check(Pow, &[x, y], binary(Pow, x, y));
                check(Atan2, &[x, y], binary(Atan2, x, y));
            }
        }
    }

    #[test]
    fn lanes_and_kernels_agree() {
        check_all::<f32>();
        check_all::<f64>();
    }
}
