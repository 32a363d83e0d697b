//! Sine and cosine, free of branches and tables for all but huge arguments.
//!
//! x = n π/2 + r with |r| ≤ π/4 (Cody and Waite): π/2 stands in three parts, the first two of 40 bits, so that their
//! products with n are exact. Below [`LIMIT`] n has 13 bits, and what is left of π/2 is 2⁻¹³³ n. No double comes closer
//! than about 2⁻⁵⁴ to such a multiple of π/2, so r keeps its full precision, half of it in `tail`.

use super::exponential::{ROUNDER, polynomial};
use std::f64::consts::FRAC_2_PI;

/// Arguments beyond this, infinite ones and NaN are rare.
const LIMIT: f64 = 12_000.0;

/// π/2, most significant part first.
const HALF_PI: [f64; 3] = [1.570_796_326_794_152_3, 7.443_547_480_488_527e-13, -1.903_488_962_019_326_6e-25];

/// (sin r / r − 1)/r² in r².
const SIN: [f64; 7] = [
    -0.166_666_666_666_666_66,
    0.008_333_333_333_333_331,
    -0.000_198_412_698_412_650_17,
    2.755_731_921_930_192e-6,
    -2.505_210_621_952_189_5e-8,
    1.605_852_957_226_787_7e-10,
    -7.586_576_588_171_073e-13,
];

/// (cos r − 1 + r²/2)/r⁴ in r².
const COS: [f64; 6] = [
    0.041_666_666_666_666_664,
    -0.001_388_888_888_888_738_2,
    2.480_158_729_874_307e-5,
    -2.755_731_726_000_883_7e-7,
    2.087_614_382_799_313_3e-9,
    -1.138_245_677_806_130_6e-11,
];

/// Whether an argument needs the slow way.
#[inline(always)]
pub(super) fn is_rare(x: f64) -> bool {
    x.abs() > LIMIT || x.is_nan()
}

/// (n as the low bits, r, tail)
#[inline(always)]
fn reduce(x: f64) -> (u64, f64, f64) {
    let rounded = x * FRAC_2_PI + ROUNDER;
    let n = rounded - ROUNDER;
    let high = x - n * HALF_PI[0];
    let product = n * HALF_PI[1];
    // high − product and its rounding, whichever is larger.
    let difference = high - product;
    let product_part = high - difference;
    let rounding = (high - (difference + product_part)) + (product_part - product);
    let low = rounding - n * HALF_PI[2];
    let r = difference + low;
    (rounded.to_bits(), r, (difference - r) + low)
}

/// sin(r + tail) ≈ sin r + tail cos r, for |r| ≤ π/4.
#[inline(always)]
fn sin_kernel(r: f64, tail: f64) -> f64 {
    let z = r * r;
    let cube = z * r;
    let [first, ..] = SIN;
    let rest = [SIN[1], SIN[2], SIN[3], SIN[4], SIN[5], SIN[6]];
    r - ((z * (0.5 * tail - cube * polynomial(z, rest)) - tail) - cube * first)
}

/// cos(r + tail) ≈ cos r − tail sin r, for |r| ≤ π/4.
#[inline(always)]
fn cos_kernel(r: f64, tail: f64) -> f64 {
    let z = r * r;
    let half = 0.5 * z;
    let leading = 1.0 - half;
    leading + (((1.0 - leading) - half) + (z * (z * polynomial(z, COS)) - r * tail))
}

/// The sine of x + `quarters` · π/2.
#[inline(always)]
fn sin_shifted(x: f64, quarters: u64) -> f64 {
    let (n, r, tail) = reduce(x);
    let n = n.wrapping_add(quarters);
    let value = if n & 1 == 0 { sin_kernel(r, tail) } else { cos_kernel(r, tail) };
    f64::from_bits(value.to_bits() ^ ((n & 2) << 62))
}

/// sin x, to 0.8 ulp, if not rare.
#[inline(always)]
pub(super) fn sin(x: f64) -> f64 {
    // Keeps −0 and subnormal numbers.
    if x.abs() < 1e-9 { x } else { sin_shifted(x, 0) }
}

/// cos x, to 0.8 ulp, if not rare.
#[inline(always)]
pub(super) fn cos(x: f64) -> f64 {
    sin_shifted(x, 1)
}
