//! From an operation and its operand types to a loop: the table of what is admissible.

use super::{
    arithmetic as a, cast, elementary as e,
    loops::{self, Loop, binary, binary_plain, guarded, guarded_binary, ternary, unary, unary_plain},
    slice::{Slice, SliceMut},
};
use crate::{
    dtype::DType::{self, Bool, F32, F64, I32, I64, U8, U32, U64},
    scalar::ScalarOp,
};
use std::fmt;

/// A loop for one operation on operands of fixed types, ready to run on tiles of any length.
#[derive(Clone, Copy)]
pub struct Kernel {
    run: Loop,
    parameter: i32,
}

impl Kernel {
    /// Computes every element of `out`. An operand has as many elements, or one that is read for all of them.
    ///
    /// # Panics
    /// If the number, type or length of an operand is not what the kernel was made for.
    #[inline]
    pub fn run(&self, args: &[Slice<'_>], out: SliceMut<'_>) {
        // SAFETY: `kernel`, the only maker, takes loops from functions that ask the processor what it supports.
        unsafe { (self.run)(self.parameter, args, out) }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kernel")
    }
}

/// Applies an operation element by element. An operand has as many elements as `out`, or one that is read for all.
///
/// # Panics
/// If the operation does not admit the operands' types, or a type or length does not fit.
///
/// ```
/// use dini_cpu::{math::{apply, Slice, SliceMut}, scalar::ScalarOp};
/// let mut out = [0.0; 3];
/// apply(ScalarOp::Mul, &[Slice::F64(&[1.0, 2.0, 3.0]), Slice::F64(&[2.0])], SliceMut::F64(&mut out));
/// assert_eq!(out, [2.0, 4.0, 6.0]);
/// ```
#[track_caller]
pub fn apply(op: ScalarOp, args: &[Slice<'_>], out: SliceMut<'_>) {
    let mut operands = [Bool; 3];
    let n_args = args.len().min(3);
    for (operand, arg) in operands.iter_mut().zip(args) {
        *operand = arg.dtype();
    }
    match kernel(op, &operands[..n_args]) {
        Some(kernel) => kernel.run(args, out),
        None => panic!("{op:?} does not admit operands of types {:?}", &operands[..n_args]),
    }
}

/// Picks the loop for the operand's type out of those that are listed: first the types whose loops are compiled for
/// every instruction set, then those that make do with the baseline, which keeps the build short.
macro_rules! pick {
    ($dtype:expr; $make:ident, $plain:ident <$op:ty>: $($variant:ident $t:ty),*; $($rest:ident $r:ty),*) => {
        match $dtype {
            $($variant => Some($make::<$op, $t>()),)*
            $($rest => Some($plain::<$op, $r>()),)*
            _ => None,
        }
    };
}
macro_rules! float {
    ($dtype:expr, $make:ident::<$op:ty>) => { pick!($dtype; $make, $make<$op>: F32 f32, F64 f64;) };
}
macro_rules! integer {
    ($dtype:expr, $make:ident, $plain:ident <$op:ty>) => {
        pick!($dtype; $make, $plain<$op>: I32 i32, I64 i64; U8 u8, U32 u32, U64 u64)
    };
}
macro_rules! number {
    ($dtype:expr, $make:ident, $plain:ident <$op:ty>) => {
        pick!($dtype; $make, $plain<$op>: I32 i32, I64 i64, F32 f32, F64 f64; U8 u8, U32 u32, U64 u64)
    };
}
macro_rules! bits {
    ($dtype:expr, $make:ident, $plain:ident <$op:ty>) => {
        pick!($dtype; $make, $plain<$op>: I32 i32, I64 i64; Bool bool, U8 u8, U32 u32, U64 u64)
    };
}
macro_rules! any {
    ($dtype:expr, $make:ident, $plain:ident <$op:ty>) => {
        pick!($dtype; $make, $plain<$op>: I32 i32, I64 i64, F32 f32, F64 f64; Bool bool, U8 u8, U32 u32, U64 u64)
    };
}

/// The kernel of an operation on operands of the given types; `None` if it does not admit them.
pub fn kernel(op: ScalarOp, operands: &[DType]) -> Option<Kernel> {
    use ScalarOp::*;
    if operands.len() != op.arity() {
        return None;
    }
    let d = *operands.last()?;
    let is_uniform = match op {
        Select => operands[0] == Bool && operands[1] == d,
        Neg | Abs | Sign | Floor | Ceil | Round | Exp | Exp2 | Expm1 | Log | Log2 | Log1p | Sin | Cos | Tan | Asin
        | Acos | Atan | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh | Sqrt | Rsqrt | Cbrt | Logistic | Erf | Erfc
        | ErfInv | Lgamma | Digamma | Polygamma | IsFinite | Not | Add | Sub | Mul | Div | Rem | Pow | Powi(_)
        | Atan2 | Max | Min | And | Or | Xor | Shl | Shr | Eq | Ne | Lt | Le | Gt | Ge | Clamp | MulAdd | Cast(_) => {
            operands.iter().all(|&operand| operand == d)
        }
    };
    if !is_uniform {
        return None;
    }
    let run = match op {
        Neg => number!(d, unary, unary_plain<a::Neg>),
        Abs => number!(d, unary, unary_plain<a::Abs>),
        Sign => number!(d, unary, unary_plain<a::Sign>),
        Floor => float!(d, unary::<a::Floor>),
        Ceil => float!(d, unary::<a::Ceil>),
        Round => float!(d, unary::<a::Round>),
        Sqrt => float!(d, unary::<a::Sqrt>),
        Rsqrt => float!(d, unary::<e::Rsqrt>),
        IsFinite => float!(d, unary::<a::IsFinite>),
        Not => bits!(d, unary, unary_plain<a::Not>),
        Exp => float!(d, unary::<e::Exp>),
        Exp2 => float!(d, unary::<e::Exp2>),
        Expm1 => float!(d, unary::<e::Expm1>),
        Log => float!(d, unary::<e::Log>),
        Log2 => float!(d, unary::<e::Log2>),
        Log1p => float!(d, unary::<e::Log1p>),
        Sin => float!(d, guarded::<e::Sin>),
        Cos => float!(d, guarded::<e::Cos>),
        Tan => float!(d, guarded::<e::Tan>),
        Asin => float!(d, unary::<e::Asin>),
        Acos => float!(d, unary::<e::Acos>),
        Atan => float!(d, unary::<e::Atan>),
        Sinh => float!(d, unary::<e::Sinh>),
        Cosh => float!(d, unary::<e::Cosh>),
        Tanh => float!(d, unary::<e::Tanh>),
        Asinh => float!(d, unary::<e::Asinh>),
        Acosh => float!(d, unary::<e::Acosh>),
        Atanh => float!(d, unary::<e::Atanh>),
        Cbrt => float!(d, unary::<e::Cbrt>),
        Logistic => float!(d, unary::<e::Logistic>),
        Erf => float!(d, unary::<e::Erf>),
        Erfc => float!(d, unary::<e::Erfc>),
        ErfInv => float!(d, unary::<e::ErfInv>),
        Lgamma => float!(d, unary::<e::Lgamma>),
        Digamma => float!(d, unary::<e::Digamma>),
        Polygamma => float!(d, binary::<e::Polygamma>),
        Add => any!(d, binary, binary_plain<a::Add>),
        Sub => number!(d, binary, binary_plain<a::Sub>),
        Mul => any!(d, binary, binary_plain<a::Mul>),
        Div => match d {
            F32 => Some(binary::<a::Div, f32>()),
            F64 => Some(binary::<a::Div, f64>()),
            _ => integer!(d, binary_plain, binary_plain<a::Div>),
        },
        Rem if d.is_float() => float!(d, guarded_binary::<e::Rem>),
        Rem => integer!(d, binary_plain, binary_plain<a::Rem>),
        Pow => float!(d, guarded_binary::<e::Pow>),
        Atan2 => float!(d, guarded_binary::<e::Atan2>),
        Max => any!(d, binary, binary_plain<a::Max>),
        Min => any!(d, binary, binary_plain<a::Min>),
        And => bits!(d, binary, binary_plain<a::And>),
        Or => bits!(d, binary, binary_plain<a::Or>),
        Xor => bits!(d, binary, binary_plain<a::Xor>),
        Shl => integer!(d, binary, binary_plain<a::Shl>),
        Shr => integer!(d, binary, binary_plain<a::Shr>),
        Eq => any!(d, binary, binary_plain<a::Eq>),
        Ne => any!(d, binary, binary_plain<a::Ne>),
        Lt => any!(d, binary, binary_plain<a::Lt>),
        Le => any!(d, binary, binary_plain<a::Le>),
        Gt => any!(d, binary, binary_plain<a::Gt>),
        Ge => any!(d, binary, binary_plain<a::Ge>),
        Powi(power) => match d {
            F32 => Some(loops::powi::<f32>()),
            F64 => Some(loops::powi::<f64>()),
            U8 if power >= 0 => Some(loops::powi::<u8>()),
            U32 if power >= 0 => Some(loops::powi::<u32>()),
            U64 if power >= 0 => Some(loops::powi::<u64>()),
            I32 if power >= 0 => Some(loops::powi::<i32>()),
            I64 if power >= 0 => Some(loops::powi::<i64>()),
            _ => None,
        },
        Select => match d {
            Bool => Some(loops::select::<bool>()),
            U8 => Some(loops::select::<u8>()),
            U32 => Some(loops::select::<u32>()),
            U64 => Some(loops::select::<u64>()),
            I32 => Some(loops::select::<i32>()),
            I64 => Some(loops::select::<i64>()),
            F32 => Some(loops::select::<f32>()),
            F64 => Some(loops::select::<f64>()),
            DType::C64 | DType::C128 | DType::Float0 => None,
        },
        Clamp => match d {
            Bool => Some(ternary::<a::Clamp, bool>()),
            U8 => Some(ternary::<a::Clamp, u8>()),
            U32 => Some(ternary::<a::Clamp, u32>()),
            U64 => Some(ternary::<a::Clamp, u64>()),
            I32 => Some(ternary::<a::Clamp, i32>()),
            I64 => Some(ternary::<a::Clamp, i64>()),
            F32 => Some(ternary::<a::Clamp, f32>()),
            F64 => Some(ternary::<a::Clamp, f64>()),
            DType::C64 | DType::C128 | DType::Float0 => None,
        },
        MulAdd => float!(d, ternary::<a::MulAdd>),
        Cast(to) => cast::cast(d, to),
    };
    let parameter = if let Powi(power) = op { power } else { 0 };
    Some(Kernel { run: run?, parameter })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        math::{Scalar, level::at_each_level},
        scalar::OPS,
    };
    use ScalarOp::*;

    /// An element type with values that are likely to break something.
    trait Corners: Scalar {
        const CORNERS: &[Self];
    }
    macro_rules! corners {
        ($($t:ty: $($x:expr),*;)*) => { $(impl Corners for $t { const CORNERS: &[$t] = &[$($x),*]; })* };
    }
    corners! {
        bool: false, true, true;
        u8: 0, 1, 2, 7, 8, 100, 255;
        u32: 0, 1, 3, 31, 32, 1000, u32::MAX;
        u64: 0, 1, 3, 63, 64, 1 << 40, u64::MAX;
        i32: 0, 1, -1, 3, -7, 31, 32, 1000, i32::MIN, i32::MAX;
        i64: 0, 1, -1, 3, -7, 63, 64, 1 << 40, i64::MIN, i64::MAX;
        f32: 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.7, 1e-40, -1e-40, 30.0, 1e30, -1e30, f32::MAX, f32::INFINITY,
            f32::NEG_INFINITY, f32::NAN;
        f64: 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.7, 1e-310, -1e-310, 30.0, 1e5, 1e30, -1e30, f64::MAX, f64::MIN,
            f64::INFINITY, f64::NEG_INFINITY, f64::NAN;
    }

    /// Printed, so that all NaN are alike and zeros keep their sign.
    fn run(op: ScalarOp, args: &[Slice<'_>], result: DType, len: usize) -> Vec<String> {
        fn typed<T: Scalar>(op: ScalarOp, args: &[Slice<'_>], len: usize) -> Vec<String> {
            let mut out = vec![T::default(); len];
            apply(op, args, T::wrap_mut(&mut out));
            out.iter().map(|x| format!("{x:?}")).collect()
        }
        match result {
            Bool => typed::<bool>(op, args, len),
            U8 => typed::<u8>(op, args, len),
            U32 => typed::<u32>(op, args, len),
            U64 => typed::<u64>(op, args, len),
            I32 => typed::<i32>(op, args, len),
            I64 => typed::<i64>(op, args, len),
            F32 => typed::<f32>(op, args, len),
            F64 => typed::<f64>(op, args, len),
            DType::C64 | DType::C128 | DType::Float0 => unreachable!("no kernel gives {result}"),
        }
    }

    /// Runs an operation over all combinations of corners, in vectors of several lengths, on single elements, and with
    /// operands broadcast: the results must agree, on every instruction set.
    fn check<T: Corners>(op: ScalarOp) {
        let types: &[DType] = if op == Select { &[Bool, T::DTYPE, T::DTYPE] } else { &[T::DTYPE; 3][..op.arity()] };
        if kernel(op, types).is_none() {
            return;
        }
        let c = T::CORNERS.len();
        let len = c.pow(op.arity() as u32).max(70);
        let flags: Vec<bool> = (0..len).map(|i| i % 3 == 0).collect();
        let columns: Vec<Vec<T>> = (0..3).map(|k| (0..len).map(|i| T::CORNERS[i / c.pow(k) % c]).collect()).collect();
        let args = |range: std::ops::Range<usize>, full: usize| -> Vec<Slice<'_>> {
            (0..types.len())
                .map(|k| {
                    let column = if types[k] == T::DTYPE && !(op == Select && k == 0) {
                        T::wrap(&columns[k])
                    } else {
                        Slice::Bool(&flags)
                    };
                    let range = if full >> k & 1 == 1 { range.clone() } else { range.start..range.start + 1 };
                    column.slice(range)
                })
                .collect()
        };
        let result = op.result(types);
        let mut by_level = Vec::new();
        at_each_level(|| {
            let whole = run(op, &args(0..len, 7), result, len);
            for i in 0..len {
                assert_eq!(run(op, &args(i..i + 1, 7), result, 1), whole[i..=i], "{op:?} {types:?} at {i}");
            }
            for (start, end) in [(0, 0), (1, 34), (3, 10), (5, 70)] {
                let part = run(op, &args(start..end, 7), result, end - start);
                assert_eq!(part, whole[start..end], "{op:?} {types:?} in {start}..{end}");
            }
            // Broadcast operands, against the same values written out.
            for full in 0..1 << types.len() {
                let broadcast = run(op, &args(2..40, full), result, 38);
                for i in 0..38 {
                    let single: Vec<Slice<'_>> = (0..types.len())
                        .map(|k| args(2..40, full)[k].slice(if full >> k & 1 == 1 { i..i + 1 } else { 0..1 }))
                        .collect();
                    assert_eq!(run(op, &single, result, 1), broadcast[i..=i], "{op:?} {types:?} broadcast {full:b}");
                }
            }
            by_level.push(whole);
        });
        assert!(by_level.iter().all(|whole| *whole == by_level[0]), "{op:?} {types:?} differs by instruction set");
    }

    #[test]
    fn results_do_not_depend_on_length_broadcast_or_instruction_set() {
        for &op in OPS {
            check::<bool>(op);
            check::<u8>(op);
            check::<u32>(op);
            check::<u64>(op);
            check::<i32>(op);
            check::<i64>(op);
            check::<f32>(op);
            check::<f64>(op);
        }
    }

    #[test]
    fn inadmissible_types_have_no_kernel() {
        for (op, types) in [
            (Exp, &[I32][..]),
            (Sub, &[Bool, Bool]),
            (Add, &[F32, F64]),
            (Add, &[F32]),
            (Not, &[F64]),
            (Shl, &[Bool, Bool]),
            (Select, &[F64, F64, F64]),
            (Powi(-1), &[I32]),
            (Cast(DType::Float0), &[F64]),
            (Add, &[DType::C64, DType::C64]),
        ] {
            assert!(kernel(op, types).is_none(), "{op:?} {types:?}");
        }
    }
}
