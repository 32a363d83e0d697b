//! What elementary functions are written over: the value of one lane.
//!
//! A function is one expression over [`Real`], with no control flow that depends on data: `f64` and `f32` evaluate it, in
//! precompiled loops and one by one, and an emitter of machine code records it through handles of its own, one type for
//! each precision. Every operation is correctly rounded or exact, so all of them give the same bits.
//!
//! Invariant: the set of operations is what AVX2 with FMA and AVX-512 have as one instruction ([`Real::scale`] aside,
//! which AVX2 does in six). It has no product and no arithmetic shift of 64-bit integers and no conversion between numbers
//! and integers: adding [`Real::ROUNDER`] does that.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// The number in a lane: IEEE 754 arithmetic, rounding to nearest.
pub(crate) trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The lane as an integer of its width.
    type Bits: Bits<Mask = Self::Mask>;
    /// The truth of a lane.
    type Mask: Mask;

    /// Whether numbers are those of `f64`; otherwise of `f32`.
    const IS_DOUBLE: bool;

    /// Bits of the lane.
    const WIDTH: u32 = if Self::IS_DOUBLE { 64 } else { 32 };
    /// Bits of the mantissa, without the leading one.
    const MANTISSA_BITS: u32 = if Self::IS_DOUBLE { 52 } else { 23 };
    /// The exponent field of 1.
    const BIAS: i64 = if Self::IS_DOUBLE { 1023 } else { 127 };
    /// The smallest positive normal number.
    const MIN_POSITIVE: f64 = if Self::IS_DOUBLE { f64::MIN_POSITIVE } else { f32::MIN_POSITIVE as f64 };
    /// Added and subtracted, rounds a number below a quarter of it to an integer, which the low bits of the sum hold.
    const ROUNDER: f64 = if Self::IS_DOUBLE { 6_755_399_441_055_744.0 } else { 12_582_912.0 };

    /// A constant, rounded to this precision.
    fn of(x: f64) -> Self;
    /// `self · factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    fn sqrt(self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// `if high < self { high } else { self }`: NaN passes.
    fn at_most(self, high: Self) -> Self;
    /// `if low > self { low } else { self }`: NaN passes.
    fn at_least(self, low: Self) -> Self;

    fn lt(self, other: Self) -> Self::Mask;
    fn eq(self, other: Self) -> Self::Mask;
    /// `if mask { x } else { y }`, bit for bit.
    fn select(mask: Self::Mask, x: Self, y: Self) -> Self;

    fn to_bits(self) -> Self::Bits;
    fn from_bits(bits: Self::Bits) -> Self;

    /// `self · factor − term`, rounded once.
    #[inline(always)]
    fn mul_sub(self, factor: Self, term: Self) -> Self {
        self.mul_add(factor, -term)
    }

    /// `addend − self · factor`, rounded once.
    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        (-self).mul_add(factor, addend)
    }

    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self::from_bits(self.to_bits() & Self::of(-0.0).to_bits().not())
    }

    /// The sign bit, all others zero.
    #[inline(always)]
    fn sign(self) -> Self::Bits {
        self.to_bits() & Self::of(-0.0).to_bits()
    }

    /// The sign bit turned where that of `sign` is set.
    #[inline(always)]
    fn xor_sign(self, sign: Self::Bits) -> Self {
        Self::from_bits(self.to_bits() ^ sign)
    }

    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.abs().xor_sign(sign.sign())
    }

    /// `self · 2ᵏ`, rounded once, for `self` in (¼, 4) and k down to −1076 and up to 1026 (f32: −152, 130).
    fn scale(self, k: Whole<Self>) -> Self;
}

/// An integer of a lane's width.
pub(crate) trait Bits:
    Copy + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> + Not<Output = Self>
{
    type Mask: Mask;

    /// The low bits of a constant.
    fn of(x: i64) -> Self;
    fn wrapping_add(self, other: Self) -> Self;
    fn wrapping_sub(self, other: Self) -> Self;
    fn shl(self, amount: u32) -> Self;
    /// Zeros come in.
    fn shr(self, amount: u32) -> Self;
    fn is_zero(self) -> Self::Mask;
}

/// A truth value for each lane.
pub(crate) trait Mask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {}

/// A whole number as exponent: its value, and twice the bias more than it in the low bits.
#[derive(Clone, Copy)]
pub(crate) struct Whole<R: Real> {
    pub value: R,
    pub biased: R::Bits,
}

impl<R: Real> Whole<R> {
    /// The whole number nearest to `x · factor`.
    #[inline(always)]
    pub fn nearest(x: R, factor: R) -> Whole<R> {
        let rounder = R::of(R::ROUNDER + 2.0 * R::BIAS as f64);
        let sum = x.mul_add(factor, rounder);
        Whole { value: sum - rounder, biased: sum.to_bits() }
    }
}

/// [`Real::scale`] where no instruction does it, by factors that are normal numbers each.
#[inline(always)]
pub(crate) fn scale_by_two_factors<R: Real>(x: R, k: Whole<R>) -> R {
    let half = k.biased.shr(1);
    let rest = k.biased.wrapping_sub(half);
    x * R::from_bits(half.shl(R::MANTISSA_BITS)) * R::from_bits(rest.shl(R::MANTISSA_BITS))
}

/// The whole number k nearest to `x · factor`, and 2ᵏ⁺ᵉ, which must be a normal number.
#[inline(always)]
pub(crate) fn nearest_power<R: Real>(x: R, factor: R, e: i64) -> (R, R) {
    let rounder = R::of(R::ROUNDER + (R::BIAS + e) as f64);
    let sum = x.mul_add(factor, rounder);
    (sum - rounder, R::from_bits(sum.to_bits().shl(R::MANTISSA_BITS)))
}

/// A constant of each precision.
pub(crate) struct Each<T> {
    pub single: T,
    pub double: T,
}

impl<T: Copy> Each<T> {
    #[inline(always)]
    pub const fn of<R: Real>(&self) -> T {
        if R::IS_DOUBLE { self.double } else { self.single }
    }
}

/// Σ c[i] xⁱ. A long sum is made of pairs of terms, which do not wait for each other, by Horner's scheme in x².
#[inline(always)]
pub(crate) fn polynomial<R: Real>(x: R, c: &[f64]) -> R {
    if c.len() < 6 {
        return horner(x, c);
    }
    let square = x * x;
    let mut i = (c.len() - 1) / 2 * 2;
    let mut sum = horner(x, &c[i..]);
    while i > 0 {
        i -= 2;
        sum = sum.mul_add(square, horner(x, &c[i..i + 2]));
    }
    sum
}

/// Σ c[i] xⁱ by Horner's scheme, which loses less where terms cancel.
#[inline(always)]
pub(crate) fn horner<R: Real>(x: R, c: &[f64]) -> R {
    let mut i = c.len() - 1;
    let mut sum = R::of(c[i]);
    while i > 0 {
        i -= 1;
        sum = sum.mul_add(x, R::of(c[i]));
    }
    sum
}

/// Σ c[i] xⁱ for |x| ≤ 1 and falling c[i]: nearly as good as [`horner`], and those from the eighth on do not wait.
#[inline(always)]
pub(crate) fn horner_in_two<R: Real>(x: R, c: &[f64]) -> R {
    let (low, high) = c.split_at(8);
    let square = x * x;
    let fourth = square * square;
    (fourth * fourth).mul_add(horner(x, high), horner(x, low))
}

/// What a sum of two has lost.
#[inline(always)]
pub(crate) fn lost_in_sum<R: Real>(x: R, y: R, sum: R) -> R {
    let x_part = sum - y;
    let y_part = sum - x_part;
    (x - x_part) + (y - y_part)
}

/// The quotient of two sums whose second parts are small, rounded once and a little more; keeps −0.
#[inline(always)]
pub(crate) fn quotient<R: Real>(x: (R, R), y: (R, R)) -> R {
    let inverse = R::of(1.0) / y.0;
    let rough = x.0 * inverse;
    let excess = rough.mul_sub(y.0, x.0) + rough.mul_sub(y.1, x.1);
    excess.neg_mul_add(inverse, rough)
}

impl Mask for bool {}

macro_rules! native {
    ($($t:ident $bits:ident $is_double:literal;)*) => { $(
        impl Real for $t {
            type Bits = $bits;
            type Mask = bool;

            const IS_DOUBLE: bool = $is_double;

            #[inline(always)]
            fn of(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn mul_add(self, factor: $t, addend: $t) -> $t {
                $t::mul_add(self, factor, addend)
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn scale(self, k: Whole<$t>) -> $t {
                scale_by_two_factors(self, k)
            }
            #[inline(always)]
            fn round(self) -> $t {
                self.round_ties_even()
            }
            #[inline(always)]
            fn at_most(self, high: $t) -> $t {
                if high < self { high } else { self }
            }
            #[inline(always)]
            fn at_least(self, low: $t) -> $t {
                if low > self { low } else { self }
            }
            #[inline(always)]
            fn lt(self, other: $t) -> bool {
                self < other
            }
            #[inline(always)]
            fn eq(self, other: $t) -> bool {
                self == other
            }
            #[inline(always)]
            fn select(mask: bool, x: $t, y: $t) -> $t {
                if mask { x } else { y }
            }
            #[inline(always)]
            fn to_bits(self) -> $bits {
                $t::to_bits(self)
            }
            #[inline(always)]
            fn from_bits(bits: $bits) -> $t {
                $t::from_bits(bits)
            }
        }

        impl Bits for $bits {
            type Mask = bool;

            #[inline(always)]
            fn of(x: i64) -> $bits {
                x as $bits
            }
            #[inline(always)]
            fn wrapping_add(self, other: $bits) -> $bits {
                $bits::wrapping_add(self, other)
            }
            #[inline(always)]
            fn wrapping_sub(self, other: $bits) -> $bits {
                $bits::wrapping_sub(self, other)
            }
            #[inline(always)]
            fn shl(self, amount: u32) -> $bits {
                self << amount
            }
            #[inline(always)]
            fn shr(self, amount: u32) -> $bits {
                self >> amount
            }
            #[inline(always)]
            fn is_zero(self) -> bool {
                self == 0
            }
        }
    )* };
}
native! {
    f32 u32 false;
    f64 u64 true;
}
