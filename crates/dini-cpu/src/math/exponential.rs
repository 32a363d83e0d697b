//! Exponentials.
//!
//! eˣ = 2ᵏ eʳ with x = k ln 2 + r, |r| ≤ ½ ln 2 (Cody and Waite). ln 2 stands in two parts, and so does eʳ − 1, so that
//! results are rounded little more than once. Coefficients are minimax fits made with `xtask/reference/fit.py`; the
//! bounds that are stated are measured by `tests/accuracy.rs`.

use super::real::{Each, Real, Whole, polynomial};
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

/// (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2, to 2⁻²⁹ and 2⁻⁵⁹.
const SECOND_ORDER: Each<&[f64]> = Each {
    single: &[
        0.500_000_001_354_778_3,
        0.166_666_667_569_413_2,
        0.041_666_464_137_220_534,
        0.008_333_285_836_560_053,
        0.001_393_373_571_677_124_3,
        0.000_199_077_044_489_869_96,
    ],
    double: &[
        0.5,
        0.166_666_666_666_666_7,
        0.041_666_666_666_666_685,
        0.008_333_333_333_326_082,
        0.001_388_888_888_887_429_4,
        0.000_198_412_698_750_056_7,
        2.480_158_734_758_717_7e-5,
        2.755_725_516_624_523_3e-6,
        2.755_725_267_329_236_6e-7,
        2.510_531_411_653_494_5e-8,
        2.092_167_017_912_071e-9,
    ],
};

/// Below this, x² does not count beside x.
pub(super) const SMALL: Each<f64> = Each { single: 2.980_232_238_769_531e-8, double: 5.551_115_123_125_783e-17 };

/// 2ᵏ (1 + high + rest), the inner sum being eʳ.
pub(super) struct Scaled<R: Real> {
    k: Whole<R>,
    pub high: R,
    pub rest: R,
}

impl<R: Real> Scaled<R> {
    /// For r = high + low.
    #[inline(always)]
    fn new(k: Whole<R>, high: R, low: R) -> Self {
        let r = high + low;
        Scaled { k, high, rest: (r * r).mul_add(polynomial(r, SECOND_ORDER.of::<R>()), low) }
    }

    /// eˣ
    #[inline(always)]
    pub fn natural(x: R) -> Self {
        let k = Whole::nearest(x, R::of(LOG2_E));
        let [ln_2, ln_2_rest] = LN_2_SHORT.of::<R>();
        Scaled::new(k, k.value.neg_mul_add(R::of(ln_2), x), k.value * R::of(-ln_2_rest))
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

/// eˣ, to 1 ulp.
#[inline(always)]
pub(super) fn exp<R: Real>(x: R) -> R {
    // The limits give infinity and zero.
    const LIMITS: Each<[f64; 2]> = Each { single: [-105.0, 89.0], double: [-746.0, 710.0] };
    let [low, high] = LIMITS.of::<R>();
    Scaled::natural(x.at_most(R::of(high)).at_least(R::of(low))).value()
}

/// eˣ/4 for x from 0 to where that overflows and a little more.
#[inline(always)]
pub(super) fn quarter_of_exp<R: Real>(x: R) -> R {
    let scaled = Scaled::natural(x.at_most(R::of(BEYOND_SINH.of::<R>())));
    let (high, low) = scaled.mantissa();
    (high + low) * scaled.k.power(-2)
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
    Scaled::new(k, r, low).value()
}

/// Where sinh overflows, and a little more: e to that is below 2 to the largest exponent and 2.
const BEYOND_SINH: Each<f64> = Each { single: 89.5, double: 710.6 };

/// 2ᵉ (eˣ − 1), where eˣ is in range; with e = −2 where sinh x is.
#[inline(always)]
pub(super) fn scaled_expm1<R: Real>(x: R, e: i64) -> R {
    // Below, e to that does not count beside 1.
    const LOWEST: Each<f64> = Each { single: -25.0, double: -50.0 };
    let x = x.at_most(R::of(BEYOND_SINH.of::<R>())).at_least(R::of(LOWEST.of::<R>()));
    let Scaled { k, high, rest } = Scaled::natural(x);
    let scale = k.power(e);
    // scale (1 + high + rest) − 2ᵉ. Either `leading` is larger than the product with `high` or it is 0: the rounding of
    // their sum can be had exactly.
    let leading = scale - R::of(f64::from_bits(((1023 + e) as u64) << 52));
    let sum = scale.mul_add(high, leading);
    let rounding = scale.mul_add(high, leading - sum);
    sum + scale.mul_add(rest, rounding)
}

/// eˣ − 1, to 2.5 ulp.
#[inline(always)]
pub(super) fn expm1<R: Real>(x: R) -> R {
    let value = R::of(4.0) * scaled_expm1(x, -2);
    // Keeps −0 and subnormal numbers.
    R::select(x.abs().lt(R::of(SMALL.of::<R>())), x, value)
}

/// 1/(1 + e⁻ˣ), to 2.5 ulp.
#[inline(always)]
pub(super) fn logistic<R: Real>(x: R) -> R {
    let e = exp(-x.abs());
    let numerator = R::select(x.lt(R::of(0.0)), e, R::of(1.0));
    numerator / (R::of(1.0) + e)
}
