//! Roots besides the square root, which is one instruction.

use super::real::{Real, nearest_power, polynomial};

/// 1/√x, to 1 ulp: the rounded quotient y and a step of Newton's method, with 1 − x y² from fused products.
#[inline(always)]
pub(super) fn rsqrt<R: Real>(x: R) -> R {
    let y = R::of(1.0) / x.sqrt();
    let root = x * y;
    let root_low = x.mul_sub(y, root);
    let residual = root_low.neg_mul_add(y, root.neg_mul_add(y, R::of(1.0)));
    let value = (R::of(0.5) * y).mul_add(residual, y);
    // Zero and infinity have no residual.
    R::select(value.eq(value), value, y)
}

/// m^(−1/3) on [√½, √2], to 2⁻¹².
const INVERSE: [f64; 4] =
    [1.730_727_506_917_692_8, -1.285_747_155_844_87, 0.713_319_204_642_506_8, -0.158_522_629_836_275_82];

/// The parabola through 2^(−i/3) at i = −1, 0, 1.
const THIRDS: [f64; 3] = [1.0, -0.233_110_261_955_386_6, 0.026_810_787_939_486_325];

/// ∛x, to 1 ulp.
///
/// |x| = 8ᵠ b with b = 2ⁱ m, |i| ≤ 1. A fit of b^(−1/3) is improved by a step that triples its digits (single precision:
/// doubles), then c = b b^(−2/3) by one of Newton's.
#[inline(always)]
pub(super) fn cbrt<R: Real>(x: R) -> R {
    let t = x.abs();
    let (k, f) = super::logarithm::split(t);
    let m = f + R::of(1.0);
    let (q, power) = nearest_power(k, R::of(1.0 / 3.0), 0);
    let i = q.neg_mul_add(R::of(3.0), k);
    // 2ⁱ, exactly.
    let b = m * i.mul_add(i.mul_add(R::of(0.25), R::of(0.75)), R::of(1.0));
    let y = polynomial(m, &INVERSE) * polynomial(i, &THIRDS);
    let e = (b * y).neg_mul_add(y * y, R::of(1.0));
    let step = if R::IS_DOUBLE { e.mul_add(R::of(2.0 / 9.0), R::of(1.0 / 3.0)) } else { R::of(1.0 / 3.0) };
    let y = y.mul_add(e * step, y);
    let y_square = y * y;
    let c = b * y_square;
    let residual = (c * c).neg_mul_add(c, b);
    let c = (residual * y_square).mul_add(R::of(1.0 / 3.0), c);
    let is_finite = t.gt(R::of(0.0)) & t.lt(R::of(f64::INFINITY));
    R::select(is_finite, (c * power).copysign(x), x)
}
