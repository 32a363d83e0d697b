//! Quotients and remainders of integers. No instruction divides lanes of integers, so that floats are divided.
//!
//! Of 32 bits: the quotient of two `f64` is exact enough. Two different quotients x/y and n, n whole, are at least 2⁻³² of
//! x/y apart, and rounding changes 2⁻⁵³ of it, so it never reaches a whole number from below.
//!
//! Of 64 bits, magnitudes x < 2⁶³ (or x = 2⁶³ with y ≤ x) and 0 < y ≤ 2⁶³: three roundings change the quotient by at most
//! 3·2⁻⁵³ of itself, so q₁ = ⌊fl(x)/fl(y)⌋ leaves a rest r = x − q₁y between −2¹²y and y + 2¹²y, which fits 64 bits, since r ≤ x.
//! Then q₂ = ⌊fl(r)/fl(y)⌋ is at most one off, and the sign of r − q₂y, or its being y or more, tells where to. AVX2 has no conversions of
//! 64-bit integers; with those composed of other instructions all this takes twice as long as the processor's division.

use crate::{
    dtype::DType,
    jit::{
        encode::Isa,
        lanes::{Kind, Lanes, Op, Predicate, Rounding, Shift, Value, vector_bytes},
    },
    scalar::ScalarOp,
};

/// Whether an operation on lanes of 32 bits needs lanes of 64.
pub(in crate::jit) fn goes_through_f64(op: ScalarOp, dtype: DType) -> bool {
    matches!((op, dtype), (ScalarOp::Div | ScalarOp::Rem, DType::I32 | DType::U32))
}

/// The quotient toward zero; by 0 all its bits are set. `None` where that must be called: where lanes have no
/// room for what it needs, too.
pub(super) fn quotient(lanes: &mut Lanes, dtype: DType, x: Value, y: Value) -> Option<Value> {
    let has_room = lanes.n_lanes * Kind::F64.size() <= vector_bytes(lanes.isa);
    let quotient = match dtype {
        DType::U8 => {
            let [x, y] = [x, y].map(|x| lanes.push(Op::Convert(Kind::I32), Kind::F32, &[x]));
            let quotient = lanes.push(Op::Div, Kind::F32, &[x, y]);
            lanes.push(Op::Convert(Kind::F32), Kind::I32, &[quotient])
        }
        // The only quotient beyond the range, minimum / −1, becomes the minimum.
        DType::I32 if has_room => {
            let [x, y] = [x, y].map(|x| lanes.push(Op::Convert(Kind::I32), Kind::F64, &[x]));
            let quotient = lanes.push(Op::Div, Kind::F64, &[x, y]);
            lanes.push(Op::Convert(Kind::F64), Kind::I32, &[quotient])
        }
        DType::U32 if has_room => unsigned_32(lanes, x, y),
        DType::I64 if lanes.isa == Isa::Avx512 => signed_64(lanes, x, y),
        DType::U64 if lanes.isa == Isa::Avx512 => unsigned_64(lanes, x, y),
        DType::I32 | DType::U32 | DType::I64 | DType::U64 => return None,
        DType::Bool | DType::F32 | DType::F64 | DType::C64 | DType::C128 | DType::Float0 => return None,
    };
    let kind = Kind::of(dtype);
    let ones = match dtype {
        DType::U8 => 0xff,
        _ if kind.is_wide() => u64::MAX,
        _ => u64::from(u32::MAX),
    };
    let (zero, ones) = (lanes.constant(0, kind), lanes.constant(ones, kind));
    let by_zero = lanes.compare(Predicate::Eq, kind, y, zero);
    Some(lanes.select(kind, by_zero, ones, quotient))
}

/// x − (x / y) y, which is x for y = 0.
pub(super) fn remainder(lanes: &mut Lanes, dtype: DType, x: Value, y: Value) -> Option<Value> {
    let quotient = quotient(lanes, dtype, x, y)?;
    let kind = Kind::of(dtype);
    let product = lanes.arithmetic(Op::Mul, kind, quotient, y);
    Some(lanes.arithmetic(Op::Sub, kind, x, product))
}

/// With 2³¹ taken off for the conversions, which are of signed integers.
fn unsigned_32(lanes: &mut Lanes, x: Value, y: Value) -> Value {
    let (sign, half) = (lanes.constant(1 << 31, Kind::I32), lanes.float(2f64.powi(31), Kind::F64));
    let [x, y] = [x, y].map(|x| {
        let less = lanes.bitwise(Op::Xor, Kind::I32, x, sign);
        let less = lanes.push(Op::Convert(Kind::I32), Kind::F64, &[less]);
        lanes.push(Op::Add, Kind::F64, &[less, half])
    });
    let quotient = lanes.push(Op::Div, Kind::F64, &[x, y]);
    let whole = lanes.push(Op::Round(Rounding::Down), Kind::F64, &[quotient]);
    let less = lanes.push(Op::Sub, Kind::F64, &[whole, half]);
    let less = lanes.push(Op::Convert(Kind::F64), Kind::I32, &[less]);
    lanes.bitwise(Op::Xor, Kind::I32, less, sign)
}

fn signed_64(lanes: &mut Lanes, x: Value, y: Value) -> Value {
    let [x_sign, y_sign] = [x, y].map(|x| lanes.shift(Shift::Signed, Kind::I64, x, 63));
    let x = negated_where(lanes, x_sign, x);
    let y = negated_where(lanes, y_sign, y);
    let quotient = of_magnitudes(lanes, x, y);
    let sign = lanes.bitwise(Op::Xor, Kind::I64, x_sign, y_sign);
    negated_where(lanes, sign, quotient)
}

/// −x in lanes where all bits of the sign are set.
fn negated_where(lanes: &mut Lanes, sign: Value, x: Value) -> Value {
    let turned = lanes.bitwise(Op::Xor, Kind::I64, x, sign);
    lanes.arithmetic(Op::Sub, Kind::I64, turned, sign)
}

/// Twice the quotient of half of x, and one more if the rest allows; y of 2⁶³ or more goes into x once at most.
fn unsigned_64(lanes: &mut Lanes, x: Value, y: Value) -> Value {
    let kind = Kind::I64;
    let half = lanes.shift(Shift::Right, kind, x, 1);
    let halved = of_magnitudes(lanes, half, y);
    let even = lanes.shift(Shift::Left, kind, halved, 1);
    let product = lanes.arithmetic(Op::Mul, kind, even, y);
    let rest = lanes.arithmetic(Op::Sub, kind, x, product);
    let (zero, one) = (lanes.constant(0, kind), lanes.constant(1, kind));
    let is_large = lanes.compare(Predicate::Lt, kind, y, zero);
    let (even, rest) = (lanes.select(kind, is_large, zero, even), lanes.select(kind, is_large, x, rest));
    let goes_in = lanes.compare(Predicate::LeUnsigned, kind, y, rest);
    let once = lanes.select(kind, goes_in, one, zero);
    lanes.arithmetic(Op::Add, kind, even, once)
}

/// The quotient of magnitudes, as above.
fn of_magnitudes(lanes: &mut Lanes, x: Value, y: Value) -> Value {
    let kind = Kind::I64;
    // 2⁶³ has the bits of the minimum.
    let [x_float, y_float] = [x, y].map(|x| {
        let x = lanes.push(Op::Convert(Kind::I64), Kind::F64, &[x]);
        lanes.abs(Kind::F64, x)
    });
    let quotient = lanes.push(Op::Div, Kind::F64, &[x_float, y_float]);
    let whole = lanes.push(Op::Round(Rounding::Down), Kind::F64, &[quotient]);
    let first = lanes.push(Op::Convert(Kind::F64), kind, &[whole]);
    let product = lanes.arithmetic(Op::Mul, kind, first, y);
    let rest = lanes.arithmetic(Op::Sub, kind, x, product);
    let rest_float = lanes.push(Op::Convert(kind), Kind::F64, &[rest]);
    let quotient = lanes.push(Op::Div, Kind::F64, &[rest_float, y_float]);
    let whole = lanes.push(Op::Round(Rounding::Down), Kind::F64, &[quotient]);
    let second = lanes.push(Op::Convert(Kind::F64), kind, &[whole]);
    let product = lanes.arithmetic(Op::Mul, kind, second, y);
    let rest = lanes.arithmetic(Op::Sub, kind, rest, product);
    let sum = lanes.arithmetic(Op::Add, kind, first, second);
    let (zero, one, minus_one) = (lanes.constant(0, kind), lanes.constant(1, kind), lanes.constant(u64::MAX, kind));
    let is_less = lanes.compare(Predicate::Lt, kind, rest, zero);
    let goes_in = lanes.compare(Predicate::LeUnsigned, kind, y, rest);
    let more = lanes.select(kind, goes_in, one, zero);
    let correction = lanes.select(kind, is_less, minus_one, more);
    lanes.arithmetic(Op::Add, kind, sum, correction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::operations;

    #[test]
    fn nothing_is_called() {
        for isa in [Isa::Avx2, Isa::Avx512] {
            let of_64_bits: &[DType] = if isa == Isa::Avx512 { &[DType::U64, DType::I64] } else { &[] };
            for &dtype in [DType::U8, DType::U32, DType::I32].iter().chain(of_64_bits) {
                let mut lanes = Lanes::new(isa, 8);
                let [x, y] = [0, 1].map(|i| lanes.push(Op::Load(i, 0), Kind::of(dtype), &[]));
                for op in [ScalarOp::Div, ScalarOp::Rem] {
                    operations::map(&mut lanes, op, &[dtype; 2], &[x, y]);
                }
                assert!(lanes.functions.is_empty(), "{dtype}: {lanes}");
            }
        }
    }
}
