//! Scalar operations as lane IR, with the same results as the precompiled loops of [`crate::math`] (all NaN are alike).
//!
//! What has no good sequence of instructions calls the precompiled loop on the lanes.

mod division;

use super::{
    encode::Isa,
    lanes::{Function, Kind, Lanes, Op, Predicate, Rounding, Shift, Value},
    record::{Number, record},
};
use crate::{
    dtype::DType::{self, Bool, F32, F64, I32, I64, U8, U32, U64},
    math::{
        self,
        function::{Evaluated, evaluate},
    },
    scalar::ScalarOp,
};
pub(super) use division::goes_through_f64;

/// Appends an operation on operands of the given types.
pub(super) fn map(lanes: &mut Lanes, op: ScalarOp, dtypes: &[DType], args: &[Value]) -> Value {
    if let Some(value) = native(lanes, op, dtypes, args) {
        return value;
    }
    let kernel = math::kernel(op, dtypes).expect("the checker admitted the operation");
    let function = Function { kernel, args: dtypes.to_vec(), to: op.result(dtypes) };
    let recorded = match dtypes[0] {
        F32 => record_function::<false>(lanes, op, args),
        F64 => record_function::<true>(lanes, op, args),
        _ => None,
    };
    match recorded {
        Some((value, None)) => value,
        Some((value, Some(is_rare))) => lanes.rare(function, is_rare, value, args),
        None => lanes.call(function, args),
    }
}

/// The instructions of an elementary function, and the mask of arguments that they are not good for.
fn record_function<const IS_DOUBLE: bool>(
    lanes: &mut Lanes,
    op: ScalarOp,
    args: &[Value],
) -> Option<(Value, Option<Value>)> {
    let (x, y) = (Number::<IS_DOUBLE>(args[0]), Number(args[args.len() - 1]));
    let Evaluated { value, is_rare } = record(lanes, || evaluate(op, x, y))?;
    Some((value.0, is_rare.map(|mask| mask.0)))
}

fn is_unsigned(dtype: DType) -> bool {
    matches!(dtype, U8 | U32 | U64)
}

/// The operation as instructions; `None` if it must be called.
fn native(lanes: &mut Lanes, op: ScalarOp, dtypes: &[DType], args: &[Value]) -> Option<Value> {
    let dtype = *dtypes.last()?;
    let kind = Kind::of(dtype);
    let is_float = kind.is_float();
    let x = args[0];
    let y = args.get(1).copied().unwrap_or(x);
    Some(match op {
        ScalarOp::Neg if is_float => lanes.neg(kind, x),
        ScalarOp::Neg => {
            let zero = lanes.constant(0, kind);
            let negative = lanes.arithmetic(Op::Sub, kind, zero, x);
            wrapped(lanes, dtype, negative)
        }
        ScalarOp::Abs if is_float => lanes.abs(kind, x),
        ScalarOp::Abs if is_unsigned(dtype) => x,
        ScalarOp::Abs => {
            let zero = lanes.constant(0, kind);
            let negative = lanes.arithmetic(Op::Sub, kind, zero, x);
            lanes.extremum(Op::Max, kind, x, negative)
        }
        ScalarOp::Sign if is_float => {
            let (zero, one, minus_one) = (lanes.float(0.0, kind), lanes.float(1.0, kind), lanes.float(-1.0, kind));
            let is_negative = lanes.compare(Predicate::Lt, kind, x, zero);
            let is_positive = lanes.compare(Predicate::Lt, kind, zero, x);
            let others = lanes.select(kind, is_negative, minus_one, x);
            lanes.select(kind, is_positive, one, others)
        }
        ScalarOp::Sign if is_unsigned(dtype) => {
            let one = lanes.constant(1, kind);
            lanes.extremum(Op::MinUnsigned, kind, x, one)
        }
        ScalarOp::Sign => {
            let (one, minus_one) = (lanes.constant(1, kind), integer(lanes, -1, kind));
            let low = lanes.extremum(Op::Max, kind, x, minus_one);
            lanes.extremum(Op::Min, kind, low, one)
        }
        ScalarOp::Floor => lanes.push(Op::Round(Rounding::Down), kind, &[x]),
        ScalarOp::Ceil => lanes.push(Op::Round(Rounding::Up), kind, &[x]),
        ScalarOp::Round => lanes.push(Op::Round(Rounding::Nearest), kind, &[x]),
        ScalarOp::Sqrt => lanes.push(Op::Sqrt, kind, &[x]),
        ScalarOp::IsFinite => {
            let (size, infinity) = (lanes.abs(kind, x), lanes.float(f64::INFINITY, kind));
            lanes.compare(Predicate::Lt, kind, size, infinity)
        }
        ScalarOp::Not if dtype == Bool => {
            let kind = lanes.inst(x).result();
            lanes.not(kind, x)
        }
        ScalarOp::Not => {
            let complement = lanes.not(kind, x);
            wrapped(lanes, dtype, complement)
        }
        ScalarOp::Add | ScalarOp::Max | ScalarOp::Or if dtype == Bool => of_masks(lanes, Op::Or, x, y),
        ScalarOp::Mul | ScalarOp::Min | ScalarOp::And if dtype == Bool => of_masks(lanes, Op::And, x, y),
        ScalarOp::Xor if dtype == Bool => of_masks(lanes, Op::Xor, x, y),
        ScalarOp::Add | ScalarOp::Sub | ScalarOp::Mul => {
            let op = match op {
                ScalarOp::Add => Op::Add,
                ScalarOp::Sub => Op::Sub,
                _ => Op::Mul,
            };
            let result = lanes.arithmetic(op, kind, x, y);
            wrapped(lanes, dtype, result)
        }
        ScalarOp::Div if is_float => lanes.push(Op::Div, kind, &[x, y]),
        ScalarOp::Div => division::quotient(lanes, dtype, x, y)?,
        ScalarOp::Rem if !is_float => division::remainder(lanes, dtype, x, y)?,
        ScalarOp::Powi(power) => powi(lanes, dtype, x, power),
        ScalarOp::Max | ScalarOp::Min if is_float => extremum(lanes, op == ScalarOp::Max, kind, x, y),
        ScalarOp::Max | ScalarOp::Min => {
            let op = match (op, is_unsigned(dtype)) {
                (ScalarOp::Max, false) => Op::Max,
                (ScalarOp::Max, true) => Op::MaxUnsigned,
                (_, false) => Op::Min,
                (_, true) => Op::MinUnsigned,
            };
            lanes.extremum(op, kind, x, y)
        }
        ScalarOp::Clamp => {
            let low = native(lanes, ScalarOp::Max, &[dtype; 2], &[args[1], args[0]])?;
            native(lanes, ScalarOp::Min, &[dtype; 2], &[low, args[2]])?
        }
        ScalarOp::MulAdd => lanes.fma(kind, x, y, args[2]),
        ScalarOp::And => lanes.bitwise(Op::And, kind, x, y),
        ScalarOp::Or => lanes.bitwise(Op::Or, kind, x, y),
        ScalarOp::Xor => lanes.bitwise(Op::Xor, kind, x, y),
        ScalarOp::Shl => {
            let shifted = lanes.push(Op::ShiftBy(Shift::Left), kind, &[x, y]);
            wrapped(lanes, dtype, shifted)
        }
        ScalarOp::Shr if is_unsigned(dtype) => lanes.push(Op::ShiftBy(Shift::Right), kind, &[x, y]),
        ScalarOp::Shr if dtype == I32 || lanes.isa == Isa::Avx512 => {
            lanes.push(Op::ShiftBy(Shift::Signed), kind, &[x, y])
        }
        ScalarOp::Eq | ScalarOp::Ne | ScalarOp::Lt | ScalarOp::Le | ScalarOp::Gt | ScalarOp::Ge => {
            let (op, x, y) = match op {
                ScalarOp::Gt => (ScalarOp::Lt, y, x),
                ScalarOp::Ge => (ScalarOp::Le, y, x),
                _ => (op, x, y),
            };
            if dtype == Bool { compare_masks(lanes, op, x, y) } else { compare(lanes, op, dtype, x, y) }
        }
        ScalarOp::Select if dtype == Bool => lanes.select(Kind::Mask32, x, y, args[2]),
        ScalarOp::Select => lanes.select(kind, x, y, args[2]),
        ScalarOp::Cast(to) => cast(lanes, dtype, to, x)?,
        ScalarOp::Rsqrt
        | ScalarOp::Exp
        | ScalarOp::Exp2
        | ScalarOp::Expm1
        | ScalarOp::Log
        | ScalarOp::Log2
        | ScalarOp::Log1p
        | ScalarOp::Sin
        | ScalarOp::Cos
        | ScalarOp::Tan
        | ScalarOp::Asin
        | ScalarOp::Acos
        | ScalarOp::Atan
        | ScalarOp::Sinh
        | ScalarOp::Cosh
        | ScalarOp::Tanh
        | ScalarOp::Asinh
        | ScalarOp::Acosh
        | ScalarOp::Atanh
        | ScalarOp::Cbrt
        | ScalarOp::Logistic
        | ScalarOp::Erf
        | ScalarOp::Erfc
        | ScalarOp::ErfInv
        | ScalarOp::Lgamma
        | ScalarOp::Digamma
        | ScalarOp::Polygamma
        | ScalarOp::Pow
        | ScalarOp::Atan2
        | ScalarOp::Rem
        | ScalarOp::Shr => return None,
    })
}

/// A whole number in lanes.
fn integer(lanes: &mut Lanes, n: i64, kind: Kind) -> Value {
    lanes.constant(if kind.is_wide() { n as u64 } else { u64::from(n as u32) }, kind)
}

/// The lanes of a type that is narrower than they are, brought back to its range.
fn wrapped(lanes: &mut Lanes, dtype: DType, x: Value) -> Value {
    if dtype != U8 {
        return x;
    }
    let low = lanes.constant(0xff, Kind::I32);
    lanes.bitwise(Op::And, Kind::I32, x, low)
}

fn of_masks(lanes: &mut Lanes, op: Op, x: Value, y: Value) -> Value {
    let (x, y) = same_masks(lanes, x, y);
    let kind = lanes.inst(x).result();
    lanes.bitwise(op, kind, x, y)
}

/// Two masks as masks of one width.
fn same_masks(lanes: &mut Lanes, x: Value, y: Value) -> (Value, Value) {
    if lanes.inst(x).result() == lanes.inst(y).result() {
        return (x, y);
    }
    (lanes.mask_for(Kind::Mask32, x), lanes.mask_for(Kind::Mask32, y))
}

/// Comparison of truth values, where false is less than true.
fn compare_masks(lanes: &mut Lanes, op: ScalarOp, x: Value, y: Value) -> Value {
    let (x, y) = same_masks(lanes, x, y);
    let kind = lanes.inst(x).result();
    match op {
        ScalarOp::Lt => lanes.bitwise(Op::AndNot, kind, x, y),
        ScalarOp::Le => {
            let not = lanes.not(kind, x);
            lanes.bitwise(Op::Or, kind, not, y)
        }
        ScalarOp::Ne => lanes.bitwise(Op::Xor, kind, x, y),
        _ => {
            let differ = lanes.bitwise(Op::Xor, kind, x, y);
            lanes.not(kind, differ)
        }
    }
}

fn compare(lanes: &mut Lanes, op: ScalarOp, dtype: DType, x: Value, y: Value) -> Value {
    let predicate = match (op, is_unsigned(dtype)) {
        (ScalarOp::Eq, _) => Predicate::Eq,
        (ScalarOp::Ne, _) => Predicate::Ne,
        (ScalarOp::Lt, false) => Predicate::Lt,
        (ScalarOp::Lt, true) => Predicate::LtUnsigned,
        (_, false) => Predicate::Le,
        (_, true) => Predicate::LeUnsigned,
    };
    lanes.compare(predicate, Kind::of(dtype), x, y)
}

/// Extrema of floats: NaN if either is, and −0 below +0. The instruction gives its second operand for NaN and for equals.
pub(super) fn extremum(lanes: &mut Lanes, is_max: bool, kind: Kind, x: Value, y: Value) -> Value {
    let (op, sign) = if is_max { (Op::Max, Op::And) } else { (Op::Min, Op::Or) };
    // Equal operands differ in their sign at most.
    let (extremum, equal) = (lanes.push(op, kind, &[x, y]), lanes.bitwise(sign, kind, x, y));
    let is_equal = lanes.compare(Predicate::Eq, kind, x, y);
    let ordered = lanes.select(kind, is_equal, equal, extremum);
    let is_nan = lanes.compare(Predicate::Ne, kind, x, x);
    lanes.select(kind, is_nan, x, ordered)
}

/// xⁿ by squaring, the factors for the lowest bits of n first.
fn powi(lanes: &mut Lanes, dtype: DType, x: Value, power: i32) -> Value {
    let kind = Kind::of(dtype);
    let one = if kind.is_float() { lanes.float(1.0, kind) } else { lanes.constant(1, kind) };
    let times = |lanes: &mut Lanes, x, y| {
        let product = lanes.arithmetic(Op::Mul, kind, x, y);
        wrapped(lanes, dtype, product)
    };
    let (mut bits, mut square, mut result) = (power.unsigned_abs(), x, None);
    while bits > 0 {
        if bits & 1 == 1 {
            result = Some(match result {
                Some(product) => times(lanes, product, square),
                None => square,
            });
        }
        bits >>= 1;
        if bits > 0 {
            square = times(lanes, square, square);
        }
    }
    match result {
        Some(product) if power < 0 => lanes.push(Op::Div, kind, &[one, product]),
        Some(product) => product,
        None => one,
    }
}

/// Conversion; `None` if it must be called.
fn cast(lanes: &mut Lanes, from: DType, to: DType, x: Value) -> Option<Value> {
    let (kind, to_kind) = (Kind::of(from), Kind::of(to));
    Some(match (from, to) {
        (Bool, Bool) => x,
        (_, Bool) => {
            let zero = lanes.constant(0, kind);
            lanes.compare(Predicate::Ne, kind, x, zero)
        }
        (Bool, _) => {
            let zero = lanes.constant(0, to_kind);
            let one = if to_kind.is_float() { lanes.float(1.0, to_kind) } else { lanes.constant(1, to_kind) };
            lanes.select(to_kind, x, one, zero)
        }
        (F32, F32) | (F64, F64) => x,
        (F32, F64) | (F64, F32) => lanes.push(Op::Convert(kind), to_kind, &[x]),
        (U8 | I32, F32 | F64) => lanes.push(Op::Convert(kind), to_kind, &[x]),
        (I64, F32 | F64) if lanes.isa == Isa::Avx512 => lanes.push(Op::Convert(kind), to_kind, &[x]),
        (F32 | F64, I32) => saturated(lanes, kind, to_kind, x),
        (F32 | F64, I64) if lanes.isa == Isa::Avx512 => saturated(lanes, kind, to_kind, x),
        (U8 | U32 | I32, U32 | I32) | (U8, U8) | (U64 | I64, U64 | I64) => x,
        (U32 | I32, U8) => wrapped(lanes, to, x),
        (U8 | I32, U64 | I64) => lanes.push(Op::Convert(Kind::I32), Kind::I64, &[x]),
        (U32, U64 | I64) => lanes.push(Op::ZeroExtend, Kind::I64, &[x]),
        (U64 | I64, U8 | U32 | I32) => {
            let low = lanes.push(Op::Convert(Kind::I64), Kind::I32, &[x]);
            wrapped(lanes, to, low)
        }
        (U32 | U64 | I64, F32 | F64) | (F32 | F64, U8 | U32 | U64 | I64) => return None,
        (DType::C64 | DType::C128 | DType::Float0, _) | (_, DType::C64 | DType::C128 | DType::Float0) => return None,
    })
}

/// Floats to signed integers: what is too large gives the maximum, NaN 0. (What is too small gives the minimum anyway.)
fn saturated(lanes: &mut Lanes, from: Kind, to: Kind, x: Value) -> Value {
    let converted = lanes.push(Op::Convert(from), to, &[x]);
    let (bound, maximum) = if to.is_wide() { (2f64.powi(63), i64::MAX) } else { (2f64.powi(31), i64::from(i32::MAX)) };
    let (bound, maximum, zero) = (lanes.float(bound, from), integer(lanes, maximum, to), lanes.constant(0, to));
    let is_large = lanes.compare(Predicate::Le, from, bound, x);
    let is_number = lanes.compare(Predicate::Eq, from, x, x);
    let bounded = lanes.select(to, is_large, maximum, converted);
    lanes.select(to, is_number, bounded, zero)
}
