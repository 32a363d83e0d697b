//! Exponentials and what is made of them, free of branches and tables so that loops over them vectorize.
//!
//! eˣ = 2ᵏ eʳ with x = k ln 2 + r, |r| ≤ ½ ln 2. The rounding of r is carried along as `tail`, and eʳ − 1 as an
//! unevaluated sum, so that results are rounded little more than once. Coefficients are Chebyshev fits made with
//! `xtask/reference/fit.py`; the bounds that are stated are measured by `tests/accuracy.rs`.

use std::f64::consts::{LN_2, LOG2_E};

/// Added and subtracted, rounds a number of magnitude below 2⁵¹ to an integer, which the low bits of the sum hold.
pub(super) const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts; the first has 41 bits, so that its products with exponents are exact.
pub(super) const LN_2_HIGH: f64 = 0.693_147_180_560_117_7;
pub(super) const LN_2_LOW: f64 = -1.723_944_452_561_483_5e-13;

/// ln 2 in two parts; the first has 26 bits.
const LN_2_SHORT: f64 = 0.693_147_182_464_599_6;
const LN_2_REST: f64 = -1.904_654_299_957_768e-9;

/// (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2, to 2⁻⁵⁹.
const SECOND_ORDER: [f64; 11] = [
    0.5,
    0.166_666_666_666_666_7,
    0.041_666_666_666_666_67,
    0.008_333_333_333_326_112,
    0.001_388_888_888_888_373,
    0.000_198_412_698_749_012_6,
    2.480_158_732_560_532_4e-5,
    2.755_725_529_796_964_3e-6,
    2.755_727_357_010_214e-7,
    2.510_525_953_844_849_4e-8,
    2.091_471_734_171_637_8e-9,
];

/// Σ c[i] xⁱ by Horner's scheme.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut sum = c[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum * x + c[i];
    }
    sum
}

/// 2ᵏ (1 + high + low), the inner sum being eʳ for some small r.
pub(super) struct Scaled {
    /// k + 2048, as an integer.
    exponent: u64,
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Scaled {
    /// For r + tail, tail being below the precision of r.
    #[inline(always)]
    fn new(rounded: f64, r: f64, tail: f64) -> Scaled {
        let exponent = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(2048);
        Scaled { exponent, high: r, low: r * r * polynomial(r, SECOND_ORDER) + tail }
    }

    /// From the exponent x.
    #[inline(always)]
    pub(super) fn natural(x: f64) -> Scaled {
        let rounded = x * LOG2_E + ROUNDER;
        let k = rounded - ROUNDER;
        let (high, low) = (x - k * LN_2_HIGH, k * LN_2_LOW);
        let r = high - low;
        Scaled::new(rounded, r, (high - r) - low)
    }

    /// 2ᵏ in two factors, which each are normal numbers.
    #[inline(always)]
    fn factors(&self) -> (f64, f64) {
        let half = self.exponent >> 1;
        let rest = self.exponent.wrapping_sub(half);
        (f64::from_bits(half.wrapping_sub(1) << 52), f64::from_bits(rest.wrapping_sub(1) << 52))
    }

    #[inline(always)]
    pub(super) fn value(&self) -> f64 {
        let sum = 1.0 + self.high;
        let rounding = self.high - (sum - 1.0);
        let (first, second) = self.factors();
        (sum + (rounding + self.low)) * first * second
    }
}

/// Limits x; NaN passes.
#[inline(always)]
pub(super) fn limit(x: f64, low: f64, high: f64) -> f64 {
    if x > high {
        high
    } else if x < low {
        low
    } else {
        x
    }
}

/// eˣ, to 0.65 ulp.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    // The limits give infinity and zero.
    Scaled::natural(limit(x, -746.0, 710.0)).value()
}

/// 2ˣ, to 0.65 ulp; exact at whole numbers.
#[inline(always)]
pub(super) fn exp2(x: f64) -> f64 {
    let x = limit(x, -1076.0, 1025.0);
    let rounded = x + ROUNDER;
    let fraction = x - (rounded - ROUNDER);
    // r = fraction · ln 2 in two parts: the product of the short ones is exact.
    let short = f64::from_bits(fraction.to_bits() & !0x7ff_ffff);
    let high = short * LN_2_SHORT;
    let low = short * LN_2_REST + (fraction - short) * LN_2;
    let r = high + low;
    Scaled::new(rounded, r, (high - r) + low).value()
}

/// eˣ − 1, to 0.8 ulp.
#[inline(always)]
pub(super) fn expm1(x: f64) -> f64 {
    let scaled = Scaled::natural(limit(x, -50.0, 710.0));
    // 2ᵏ⁻¹, doubled at the end: 2¹⁰²⁴ is no number.
    let scale = f64::from_bits(scaled.exponent.wrapping_sub(1026) << 52);
    let e = scaled.high + scaled.low;
    let rounding = (scaled.high - e) + scaled.low;
    let (a, b) = (scale - 0.5, scale * e);
    // a + b and its rounding, whichever is larger.
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    let value = 2.0 * (sum + (error + scale * rounding));
    // Keeps −0 and subnormal numbers.
    if x.abs() < 1e-17 { x } else { value }
}

/// 1/(1 + e⁻ˣ), to 2 ulp.
#[inline(always)]
pub(super) fn logistic(x: f64) -> f64 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}
