//! Inverse sine, cosine and tangent, in radians.

use super::real::{Each, Real, polynomial};

/// (asin x/x − 1)/x² in x² ≤ ¼, to 2⁻²⁸ and 2⁻⁵².
const ASIN: Each<&[f64]> = Each {
    single: &[
        0.166_666_662_950_738_4,
        0.075_001_032_232_743_18,
        0.044_596_573_972_616_245,
        0.031_132_777_554_535_2,
        0.017_000_728_430_965_31,
        0.033_930_808_053_117_18,
    ],
    double: &[
        0.166_666_666_666_666_46,
        0.075_000_000_000_233_1,
        0.044_642_857_099_301_95,
        0.030_381_947_627_047_44,
        0.022_372_039_233_009_92,
        0.017_355_418_113_107_236,
        0.013_927_797_607_767_016,
        0.011_889_462_393_572_778,
        0.007_735_431_801_728_645,
        0.016_238_073_426_851_58,
        -0.011_092_334_370_605_757,
        0.028_420_361_585_942_577,
    ],
};

/// (atan x/x − 1)/x² in x² ≤ (√2 − 1)², to 2⁻²⁶ and 2⁻⁵⁵.
const ATAN: Each<&[f64]> = Each {
    single: &[
        -0.333_333_318_589_011_16,
        0.199_995_580_667_034_52,
        -0.142_644_529_854_950_27,
        0.107_482_465_703_588_21,
        -0.064_647_541_508_104_03,
    ],
    double: &[
        -0.333_333_333_333_333_3,
        0.199_999_999_999_957_4,
        -0.142_857_142_847_080_23,
        0.111_111_110_182_789_07,
        -0.090_909_046_900_180_37,
        0.076_921_855_706_262_03,
        -0.066_645_422_635_937_99,
        0.058_583_958_848_005_62,
        -0.050_866_457_561_253_214,
        0.039_263_720_299_266_45,
        -0.019_213_408_503_736_262,
    ],
};

/// π/4 in two parts.
const QUARTER_PI: Each<[f64; 2]> = Each {
    single: [0.785_398_185_253_143_3, -2.185_569_414_336_896_3e-8],
    double: [std::f64::consts::FRAC_PI_4, 3.061_616_997_868_383e-17],
};

/// tan π/8
const EIGHTH: f64 = 0.414_213_562_373_095_05;

/// asin s − s, for s² = z ≤ ¼.
#[inline(always)]
fn asin_minus<R: Real>(s: R, z: R) -> R {
    s * z * polynomial(z, ASIN.of::<R>())
}

/// What asin and acos share for t = |x|: whether t > ½, where they turn to asin √((1 − t)/2); s and asin s − s.
#[inline(always)]
fn halved<R: Real>(t: R) -> (R::Mask, R, R) {
    let is_large = t.gt(R::of(0.5));
    let complement = t.neg_mul_add(R::of(0.5), R::of(0.5));
    let z = R::select(is_large, complement, t * t);
    let s = R::select(is_large, complement.sqrt(), t);
    (is_large, s, asin_minus(s, z))
}

/// asin x, to 2.5 ulp; beyond ½ as π/2 − 2 asin √((1 − x)/2).
#[inline(always)]
pub(super) fn asin<R: Real>(x: R) -> R {
    let (is_large, s, rest) = halved(x.abs());
    let [quarter_pi, quarter_pi_low] = QUARTER_PI.of::<R>();
    let leading = s.neg_mul_add(R::of(2.0), R::of(2.0 * quarter_pi));
    let complement = leading - rest.mul_add(R::of(2.0), R::of(-2.0 * quarter_pi_low));
    R::select(is_large, complement, s + rest).copysign(x)
}

/// acos x, to 2.5 ulp; beyond ½ as 2 asin √((1 − x)/2).
#[inline(always)]
pub(super) fn acos<R: Real>(x: R) -> R {
    let (is_large, s, rest) = halved(x.abs());
    let [quarter_pi, quarter_pi_low] = QUARTER_PI.of::<R>();
    let double = R::of(2.0) * (s + rest);
    let is_negative = x.lt(R::of(0.0));
    let obtuse = R::of(4.0 * quarter_pi) - (double - R::of(4.0 * quarter_pi_low));
    let large = R::select(is_negative, obtuse, double);
    let small = R::of(2.0 * quarter_pi) - (x - (R::of(2.0 * quarter_pi_low) - rest.copysign(x)));
    R::select(is_large, large, small)
}

/// eighths · π/4 + atan w for whole `eighths` ≤ 4 and |w| ≤ tan π/8.
#[inline(always)]
fn atan_from<R: Real>(eighths: R, w: R) -> R {
    let [quarter_pi, quarter_pi_low] = QUARTER_PI.of::<R>();
    let base = eighths * R::of(quarter_pi);
    let base_low = eighths.mul_add(R::of(quarter_pi_low), eighths.mul_sub(R::of(quarter_pi), base));
    let z = w * w;
    base + (w + (w * z).mul_add(polynomial(z, ATAN.of::<R>()), base_low))
}

/// atan x, to 2.5 ulp.
///
/// For x ≥ 0 it is π/4 + atan((x − 1)/(x + 1)) from tan π/8 on and π/2 − atan(1/x) beyond the inverse of that.
#[inline(always)]
pub(super) fn atan<R: Real>(x: R) -> R {
    let (t, one) = (x.abs(), R::of(1.0));
    let is_middle = t.gt(R::of(EIGHTH));
    let is_large = t.gt(R::of(1.0 / EIGHTH));
    let numerator = R::select(is_large, R::of(-1.0), R::select(is_middle, t - one, t));
    let denominator = R::select(is_large, t, R::select(is_middle, t + one, one));
    let eighths = R::select(is_large, R::of(2.0), R::select(is_middle, one, R::of(0.0)));
    atan_from(eighths, numerator / denominator).copysign(x)
}

/// Whether the larger of two is zero, infinite, NaN or so large that their sum may be infinite.
#[inline(always)]
pub(super) fn is_rare<R: Real>(y: R, x: R) -> R::Mask {
    let (y, x) = (y.abs(), x.abs());
    let largest = R::select(y.gt(x), y, x);
    let half_of_all = if R::IS_DOUBLE { 0.5 * f64::MAX } else { 0.5 * f64::from(f32::MAX) };
    !(largest.gt(R::of(0.0)) & largest.lt(R::of(half_of_all)))
}

/// The angle of the point (x, y), to 2.5 ulp, if not rare.
#[inline(always)]
pub(super) fn atan2<R: Real>(y: R, x: R) -> R {
    let (height, width) = (y.abs(), x.abs());
    let is_steep = height.gt(width);
    let (small, large) = (R::select(is_steep, width, height), R::select(is_steep, height, width));
    let is_middle = small.gt(large * R::of(EIGHTH));
    let w = R::select(is_middle, small - large, small) / R::select(is_middle, small + large, large);
    let eighths = R::select(is_middle, R::of(1.0), R::of(0.0));
    // Beyond the diagonal the angle counts down from π/2, and left of the axis that counts down from π.
    let is_left = x.lt(R::of(0.0));
    let (w, eighths) = (R::select(is_steep, -w, w), R::select(is_steep, R::of(2.0) - eighths, eighths));
    let (w, eighths) = (R::select(is_left, -w, w), R::select(is_left, R::of(4.0) - eighths, eighths));
    atan_from(eighths, w).copysign(y)
}
