//! Sine, cosine and tangent for all but huge arguments.
//!
//! x = n π/2 + r with |r| ≤ π/4 (Cody and Waite, with fused multiply-add): the first part of π/2 is so short that its
//! product with n is exact below [`LIMIT`]; of the second part's product the rounding is kept. r keeps its full
//! precision even next to a multiple of π/2, half of it in `tail`, which is subtracted: so −0 stays what it is.
//!
//! Both series are evaluated whatever n is: where sine and cosine of one angle are wanted they share everything.

use super::real::{Bits, Each, Real, polynomial, quotient};
use std::f64::consts::FRAC_2_PI;

/// Arguments beyond this, infinite ones and NaN are rare.
const LIMIT: Each<f64> = Each { single: 12_000.0, double: 1_000_000.0 };

/// π/2, most significant part first: the first has 11 and 33 bits.
const HALF_PI: Each<&[f64]> = Each {
    single: &[1.570_312_5, 0.000_483_826_792_333_275_1, 2.563_344_068_257_089_6e-12, 8.333_743_212_599_745e-20],
    double: &[1.570_796_326_734_125_6, 6.077_100_506_506_192e-11, 3.521_559_865_183_2e-27],
};

/// (1 − sin r / r)/r² in r².
const SIN: Each<&[f64]> = Each {
    single: &[
        0.166_666_666_638_383_78,
        -0.008_333_331_867_593_41,
        0.000_198_400_827_175_930_97,
        -2.724_939_006_814_069_6e-6,
    ],
    double: &[
        0.166_666_666_666_666_55,
        -0.008_333_333_333_327_227,
        0.000_198_412_698_331_174,
        -2.755_731_470_508_691_7e-6,
        2.505_090_072_415_116_6e-8,
        -1.590_432_842_132_867_5e-10,
    ],
};

/// (cos r − 1 + r²/2)/r⁴ in r².
const COS: Each<&[f64]> = Each {
    single: &[0.041_666_664_652_181_884, -0.001_388_830_130_801_732_5, 2.454_753_606_132_94e-5],
    double: &[
        0.041_666_666_666_666_664,
        -0.001_388_888_888_888_738_2,
        2.480_158_729_874_443_5e-5,
        -2.755_731_726_062_817e-7,
        2.087_614_394_250_346_7e-9,
        -1.138_246_418_841_755_2e-11,
    ],
};

/// Whether an argument needs the slow way.
#[inline(always)]
pub(super) fn is_rare<R: Real>(x: R) -> R::Mask {
    !x.abs().lt(R::of(LIMIT.of::<R>()))
}

/// x − n π/2 as a difference, and n in the low bits.
struct Reduced<R: Real> {
    n: R::Bits,
    r: R,
    tail: R,
}

#[inline(always)]
fn reduce<R: Real>(x: R) -> Reduced<R> {
    let rounder = R::of(R::ROUNDER);
    let sum = x.mul_add(R::of(FRAC_2_PI), rounder);
    let n = sum - rounder;
    let [first, second, rest @ ..] = HALF_PI.of::<R>() else { unreachable!("π/2 has at least two parts") };
    let short = n.neg_mul_add(R::of(*first), x);
    // Not fused: so `high − short` is exact, and the rounding of both steps comes out.
    let high = short - n * R::of(*second);
    let mut excess = n.mul_add(R::of(*second), high - short);
    for part in rest {
        excess = n.mul_add(R::of(*part), excess);
    }
    let r = high - excess;
    let tail = (r - high) + excess;
    Reduced { n: sum.to_bits(), r, tail }
}

/// sin(r − tail) ≈ sin r − tail cos r, of which `tail` is the last term, with the cosine or, at the cost of 0.15 ulp,
/// without it; −0 if r is.
#[inline(always)]
fn sin_kernel<R: Real>(r: R, tail: R) -> (R, R) {
    let z = r * r;
    let less = (r * z).mul_add(polynomial(z, SIN.of::<R>()), tail);
    let sin = r - less;
    (sin, (r - sin) - less)
}

/// cos(r − tail) ≈ cos r + tail r
#[inline(always)]
fn cos_kernel<R: Real>(r: R, tail: R) -> (R, R) {
    let (one, z) = (R::of(1.0), r * r);
    let half = R::of(0.5) * r;
    // 1 − r²/2 rounded once, and what that took.
    let leading = half.neg_mul_add(r, one);
    let rounding = half.neg_mul_add(r, one - leading);
    let small = (z * z).mul_add(polynomial(z, COS.of::<R>()), rounding);
    let rest = r.mul_add(tail, small);
    let cos = leading + rest;
    (cos, (leading - cos) + rest)
}

/// The sign bit where bit 1 is set.
#[inline(always)]
fn sign_of_half_turn<R: Real>(n: R::Bits) -> R::Bits {
    (n & R::Bits::of(2)).shl(R::WIDTH - 2)
}

/// sin x, to 1 ulp, if not rare.
#[inline(always)]
pub(super) fn sin<R: Real>(x: R) -> R {
    let Reduced { n, r, tail } = reduce(x);
    let (sin, cos) = (sin_kernel(r, tail), cos_kernel(r, tail));
    let is_even = (n & R::Bits::of(1)).is_zero();
    R::select(is_even, sin.0, cos.0).xor_sign(sign_of_half_turn::<R>(n))
}

/// cos x, to 1 ulp, if not rare.
#[inline(always)]
pub(super) fn cos<R: Real>(x: R) -> R {
    let Reduced { n, r, tail } = reduce(x);
    let (sin, cos) = (sin_kernel(r, tail), cos_kernel(r, tail));
    let is_even = (n & R::Bits::of(1)).is_zero();
    let quarter_later = n.wrapping_add(R::Bits::of(1));
    R::select(is_even, cos.0, sin.0).xor_sign(sign_of_half_turn::<R>(quarter_later))
}

/// tan x, to 1 ulp, if not rare.
#[inline(always)]
pub(super) fn tan<R: Real>(x: R) -> R {
    let Reduced { n, r, tail } = reduce(x);
    // tail cos r, with 1 − r²/2 for the cosine.
    let weighted = (r * R::of(-0.5) * r).mul_add(tail, tail);
    let (sin, cos) = (sin_kernel(r, weighted), cos_kernel(r, tail));
    let is_even = (n & R::Bits::of(1)).is_zero();
    let select = |x: (R, R), y: (R, R)| (R::select(is_even, x.0, y.0), R::select(is_even, x.1, y.1));
    quotient(select(sin, cos), select(cos, (-sin.0, -sin.1)))
}
