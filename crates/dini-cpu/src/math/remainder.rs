//! The remainder of a truncated division, with the sign of the dividend: exact.

use super::real::{Each, Real};

/// Quotients from here on, and NaN, are rare.
const LIMIT: Each<f64> = Each { single: 2_097_152.0, double: 1_125_899_906_842_624.0 };

/// Whether the quotient is too large for one step, or the divisor infinite.
#[inline(always)]
pub(super) fn is_rare<R: Real>(x: R, y: R) -> R::Mask {
    !((x / y).abs().lt(R::of(LIMIT.of::<R>())) & y.abs().lt(R::of(f64::INFINITY)))
}

/// x − n y for n = x/y, truncated, if not rare.
///
/// The quotient rounded to the nearest whole number leaves a remainder of at most ¾ |y|, which is a multiple of the last
/// digit of x or y: a fused multiply-add gives it exactly. Where it has the wrong sign, one |y| more is exact, too.
#[inline(always)]
pub(super) fn rem<R: Real>(x: R, y: R) -> R {
    let (t, divisor) = (x.abs(), y.abs());
    let nearest = (t / divisor).round().neg_mul_add(divisor, t);
    let remainder = R::select(nearest.lt(R::of(0.0)), nearest + divisor, nearest);
    remainder.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_those_of_the_standard_library() {
        let mut bits = 1_u64;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = bits ^ bits >> 29;
            let (x, y) = (f32::from_bits(random as u32), f32::from_bits((random >> 32) as u32));
            // Quotients of up to 10⁴, too.
            let near = f64::from(x) * f64::from(random as u16 >> (random % 16)) / 7.0;
            check(f64::from(x), f64::from(y));
            check(near, f64::from(x));
            if !is_rare(x, y) {
                assert_eq!(rem(x, y).to_bits(), (x % y).to_bits(), "{x} % {y}");
            }
        }
        let tiny = f64::from_bits(1);
        for x in [0.0, -0.0, tiny, 3.0 * tiny, 1.0, -1.0, 5.5, 1e300, f64::MAX] {
            for y in [tiny, 2.0 * tiny, f64::MIN_POSITIVE, -2.5, 1.0, f64::MAX] {
                check(x, y);
            }
        }
    }

    #[track_caller]
    fn check(x: f64, y: f64) {
        if !is_rare(x, y) {
            assert_eq!(rem(x, y).to_bits(), (x % y).to_bits(), "{x} % {y}");
        }
    }
}
