//! Exponentials.
//!
//! eˣ = 2ᵏ eʳ with x = k ln 2 + r, |r| ≤ ½ ln 2 (Cody and Waite). ln 2 stands in two parts, and so do r and eʳ − 1 where
//! much is made of the result; eˣ itself rounds r. Coefficients are minimax fits made with `xtask/reference/fit.py`; the
//! bounds that are stated are measured by `tests/accuracy`.

use super::real::{Each, Real, Whole, nearest_power, polynomial, quotient};
use std::f64::consts::LOG2_E;

/// ln 2 in two parts; the first is so short that its products with exponents are exact.
pub(super) const LN_2_SHORT: Each<[f64; 2]> = Each {
    single: [0.693_145_751_953_125, 1.428_606_765_330_187e-6],
    double: [0.693_147_180_560_117_7, -1.723_944_452_561_483_5e-13],
};

/// ln 2 to twice the precision.
pub(super) const LN_2: Each<[f64; 2]> = Each {
    single: [0.693_147_182_464_599_6, -1.904_654_212_125_933_6e-9],
    double: [std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17],
};

/// (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2, to 2⁻²³ and 2⁻⁵³, which r² makes small.
const SECOND_ORDER: Each<&[f64]> = Each {
    single: &[
        0.500_000_002_708_651_3,
        0.166_665_766_209_743_74,
        0.041_666_374_121_642_08,
        0.008_363_237_885_573_721,
        0.001_394_121_560_106_571_5,
    ],
    double: &[
        0.500_000_000_000_000_1,
        0.166_666_666_666_666_74,
        0.041_666_666_666_623_81,
        0.008_333_333_333_322_127,
        0.001_388_888_891_737_084_8,
        0.000_198_412_698_868_363_92,
        2.480_152_105_286_020_6e-5,
        2.755_724_205_934_042_5e-6,
        2.762_020_367_160_025e-7,
        2.511_015_434_046_204_8e-8,
    ],
};

/// (eʳ − 1 − r − r²/2)/r³ on the same interval, to 2⁻²⁷ and 2⁻⁵⁷.
const THIRD_ORDER: Each<&[f64]> = Each {
    single: &[
        0.166_666_666_967_499_9,
        0.041_666_554_167_856_425,
        0.008_333_300_841_549_509,
        0.001_392_625_583_133_736_2,
        0.000_198_993_924_564_929_18,
    ],
    double: &[
        0.166_666_666_666_666_69,
        0.041_666_666_666_666_67,
        0.008_333_333_333_330_037,
        0.001_388_888_888_888_088_6,
        0.000_198_412_698_631_740_67,
        2.480_158_733_412_832e-5,
        2.755_726_827_356_771_3e-6,
        2.755_726_411_628_982e-7,
        2.510_047_389_245_446e-8,
        2.091_821_275_250_695_6e-9,
    ],
};

/// Below this, x² does not count beside x.
pub(super) const SMALL: Each<f64> = Each { single: 2.980_232_238_769_531e-8, double: 5.551_115_123_125_783e-17 };

/// x − k ln 2, rounded once.
#[inline(always)]
fn remainder<R: Real>(x: R, k: R) -> R {
    let [ln_2, ln_2_rest] = LN_2_SHORT.of::<R>();
    k.neg_mul_add(R::of(ln_2_rest), k.neg_mul_add(R::of(ln_2), x))
}

/// x + x_low − k ln 2 as a sum.
#[inline(always)]
fn remainder_in_two<R: Real>(x: R, x_low: R, k: R) -> (R, R) {
    let [ln_2, ln_2_rest] = LN_2_SHORT.of::<R>();
    (k.neg_mul_add(R::of(ln_2), x), k.neg_mul_add(R::of(ln_2_rest), x_low))
}

/// eʳ − 1 − r, and another term.
#[inline(always)]
fn bend<R: Real>(r: R, term: R) -> R {
    (r * r).mul_add(polynomial(r, SECOND_ORDER.of::<R>()), term)
}

/// eʳ − 1 − high for r = high + low, but for r₁²/2, as r₁ and the rest, r₁ being r rounded: most of what rounding takes is
/// left to whoever adds them, and what it takes from r comes in to first order.
#[inline(always)]
fn bend_in_two<R: Real>(high: R, low: R) -> (R, R) {
    let r = high + low;
    let term = r.mul_add((high - r) + low, low);
    (r, (r * r).mul_add(r * polynomial(r, THIRD_ORDER.of::<R>()), term))
}

/// 2ᵏ (1 + high + rest), the inner sum being eʳ.
pub(super) struct Scaled<R: Real> {
    k: Whole<R>,
    high: R,
    rest: R,
}

impl<R: Real> Scaled<R> {
    #[inline(always)]
    fn new(k: Whole<R>, (high, low): (R, R)) -> Self {
        Scaled { k, high, rest: bend(high + low, low) }
    }

    /// e to the power of a sum whose second part is small.
    #[inline(always)]
    pub fn natural(x: R, x_low: R) -> Self {
        let k = Whole::nearest(x, R::of(LOG2_E));
        Scaled::new(k, remainder_in_two(x, x_low, k.value))
    }

    /// eʳ as a sum.
    #[inline(always)]
    fn mantissa(&self) -> (R, R) {
        let sum = R::of(1.0) + self.high;
        let rounding = self.high - (sum - R::of(1.0));
        (sum, rounding + self.rest)
    }

    #[inline(always)]
    pub fn value(&self) -> R {
        let (high, low) = self.mantissa();
        (high + low).scale(self.k)
    }

    /// The value times a sum of the size of 1, rounded before it becomes subnormal.
    #[inline(always)]
    pub fn times(&self, factor: R, factor_low: R) -> R {
        let (high, low) = self.mantissa();
        high.mul_add(factor, low.mul_add(factor, high * factor_low)).scale(self.k)
    }
}

/// eʳ, to 1 ulp if r is rounded: that adds a fifth to the half of the last sum.
#[inline(always)]
fn small_exp<R: Real>(r: R) -> R {
    let sum = R::of(1.0) + r;
    sum + bend(r, (R::of(1.0) - sum) + r)
}

/// eˣ, to 1 ulp.
#[inline(always)]
pub(super) fn exp<R: Real>(x: R) -> R {
    // The limits give infinity and zero.
    const LIMITS: Each<[f64; 2]> = Each { single: [-105.0, 89.0], double: [-746.0, 710.0] };
    let [low, high] = LIMITS.of::<R>();
    let x = x.at_most(R::of(high)).at_least(R::of(low));
    let k = Whole::nearest(x, R::of(LOG2_E));
    small_exp(remainder(x, k.value)).scale(k)
}

/// eˣ/4 for x from 0 to where that overflows and a little more.
#[inline(always)]
pub(super) fn quarter_of_exp<R: Real>(x: R) -> R {
    let x = x.at_most(R::of(BEYOND_SINH.of::<R>()));
    let (k, quarter) = nearest_power(x, R::of(LOG2_E), -2);
    small_exp(remainder(x, k)) * quarter
}

/// 2ˣ, to 1 ulp; exact at whole numbers.
#[inline(always)]
pub(super) fn exp2<R: Real>(x: R) -> R {
    const LIMITS: Each<[f64; 2]> = Each { single: [-152.0, 129.0], double: [-1076.0, 1025.0] };
    let [low, high] = LIMITS.of::<R>();
    let x = x.at_most(R::of(high)).at_least(R::of(low));
    let k = Whole::nearest(x, R::of(1.0));
    let fraction = x - k.value;
    let [ln_2, ln_2_rest] = LN_2.of::<R>();
    let r = fraction * R::of(ln_2);
    let low = fraction.mul_add(R::of(ln_2_rest), fraction.mul_sub(R::of(ln_2), r));
    Scaled::new(k, (r, low)).value()
}

/// Where sinh overflows, and a little more: e to that is below 2 to the largest exponent and 2.
const BEYOND_SINH: Each<f64> = Each { single: 89.5, double: 710.6 };

/// 2ᵉ (eˣ − 1), where eˣ is in range; with e = −2 where sinh x is. To 1 ulp if it is to be fine, else to 1.3.
#[inline(always)]
pub(super) fn scaled_expm1<R: Real>(x: R, e: i64, is_fine: bool) -> R {
    // Below, e to that does not count beside 1.
    const LOWEST: Each<f64> = Each { single: -25.0, double: -50.0 };
    let x = x.at_most(R::of(BEYOND_SINH.of::<R>())).at_least(R::of(LOWEST.of::<R>()));
    let (k, scale) = nearest_power(x, R::of(LOG2_E), e);
    let (high, low) = remainder_in_two(x, R::of(0.0), k);
    // scale (1 + high + rest) − 2ᵉ. Either `leading` is larger than the product with `high` or it is 0: the rounding of
    // their sum can be had exactly.
    let unit = R::of(f64::from_bits(((1023 + e) as u64) << 52));
    let leading = scale - unit;
    let sum = scale.mul_add(high, leading);
    let rounding = scale.mul_add(high, leading - sum);
    if is_fine {
        let (r, rest) = bend_in_two(high, low);
        // Beside large powers not all of the unit counts.
        let rounding = rounding + ((scale - leading) - unit);
        sum + (scale * r).mul_add(R::of(0.5) * r, scale.mul_add(rest, rounding))
    } else {
        sum + scale.mul_add(bend(high + low, low), rounding)
    }
}

/// eˣ − 1, to 1 ulp.
#[inline(always)]
pub(super) fn expm1<R: Real>(x: R) -> R {
    let value = R::of(4.0) * scaled_expm1(x, -2, true);
    // Keeps −0 and subnormal numbers.
    R::select(x.abs().lt(R::of(SMALL.of::<R>())), x, value)
}

/// 1/(1 + e⁻ˣ), to 2.5 ulp.
#[inline(always)]
pub(super) fn logistic<R: Real>(x: R) -> R {
    let (zero, one, e) = (R::of(0.0), R::of(1.0), exp(-x.abs()));
    let sum = one + e;
    quotient((R::select(x.lt(zero), e, one), zero), (sum, (one - sum) + e))
}
