//! ln Γ and its derivative ψ.
//!
//! With t = |x|, both are fits in a = t or a = t + 1, whichever is in [1, 3), divided by their zeros there, and asymptotic
//! series beyond. Below 1 the recurrences lead there,
//! ln Γ(t) = ln Γ(1 + t) − ln t and ψ(t) = ψ(1 + t) − 1/t, and for negative x the reflections
//! ln Γ(−t) = −ln Γ(1 + t) − ln |sin πt/π| and ψ(−t) = ψ(1 + t) + π cot πt, in which only the distance of t from the
//! nearest whole number counts, which is exact.
//!
//! Between the poles both have zeros next to which the absolute error is small, not the relative one: it is that of the
//! terms.

use super::{
    logarithm::{edges, in_two, joined, split},
    power::log_in_two,
    real::{Each, Real, horner, lost_in_sum, polynomial},
};

/// Where the asymptotic series of ln Γ begins.
const LGAMMA_FROM: f64 = 3.0;

/// Where that of ψ begins: further on, fits would have more rounding.
const DIGAMMA_FROM: f64 = 2.5;

/// ln Γ(a)/((a − 1)(a − 2)) on [1, 3] in u = (a − 1.75)/(a + 1.75), to 2⁻²⁷ and 2⁻⁶⁰: next to the singularity at 0 this
/// is as smooth as at infinity.
const LGAMMA_CENTER: Each<&[f64]> = Each {
    single: &[
        0.450_139_312_339_538_13,
        -0.418_185_495_309_090_94,
        0.127_189_745_002_853_6,
        -0.144_383_592_370_025_74,
        0.084_149_596_131_421_05,
        -0.089_457_066_756_219_78,
        0.062_393_055_252_359_03,
        -0.075_055_032_373_295_74,
        0.060_401_939_725_236_636,
    ],
    double: &[
        0.450_139_312_109_256_3,
        -0.418_185_553_188_349_6,
        0.127_189_924_993_394_68,
        -0.144_373_038_796_733_7,
        0.084_129_642_380_069_48,
        -0.089_974_340_603_617_63,
        0.063_114_205_318_368_2,
        -0.065_793_685_850_147_26,
        0.050_458_649_249_893_51,
        -0.051_947_594_933_536_75,
        0.042_010_678_964_529_12,
        -0.042_946_241_533_389_745,
        0.035_970_562_029_715_28,
        -0.036_596_427_207_158_826,
        0.031_598_327_654_930_08,
        -0.032_211_897_158_636_274,
        0.026_326_000_369_694_267,
        -0.025_534_436_961_398_9,
        0.035_114_259_649_327_94,
        -0.038_959_484_060_776_25,
    ],
};

/// x (ln Γ(x) − (x − ½) ln x + x − ½ ln 2π) in 1/x² for x ≥ 3, to 2⁻²⁹ and 2⁻⁶⁰ of ln Γ.
const STIRLING: Each<&[f64]> = Each {
    single: &[0.083_333_162_401_872_23, -0.002_769_888_397_829_458, 0.000_678_974_246_756_351_2],
    double: &[
        0.083_333_333_333_331_44,
        -0.002_777_777_776_940_904_8,
        0.000_793_650_656_370_271_6,
        -0.000_595_226_349_935_570_7,
        0.000_841_142_982_775_973_1,
        -0.001_896_848_445_271_437,
        0.005_921_660_864_173_191,
        -0.021_152_655_585_214_952,
        0.068_625_779_813_514_16,
        -0.158_408_994_290_825_58,
        0.181_351_909_175_320_93,
    ],
};

/// ½ ln 2π − ½
const HALF_LOG_TAU_REST: f64 = 0.418_938_533_204_672_7;

/// The positive zero of ψ less 1, in two parts.
const ZERO_LESS_1: Each<[f64; 2]> = Each {
    single: [0.461_632_132_530_212_4, 1.243_815_006_546_356e-8],
    double: [0.461_632_144_968_362_36, -1.552_234_816_285_867_7e-17],
};

/// ψ(a)/(a − zero) on [1, 2.5] in u, to 2⁻²⁹ and 2⁻⁶⁰.
const DIGAMMA_CENTER: Each<&[f64]> = Each {
    single: &[
        0.858_183_216_662_598_2,
        -1.141_891_233_707_946_8,
        0.782_830_701_193_305_9,
        -0.820_430_516_225_707_6,
        0.770_960_989_800_963_3,
        -0.793_928_921_980_217_5,
        0.778_333_341_978_703_2,
        -0.739_052_455_910_191_9,
        0.766_443_647_552_674_4,
        -1.467_379_197_657_249_7,
    ],
    double: &[
        0.858_183_217_126_299_5,
        -1.141_891_197_538_37,
        0.782_830_191_024_149_2,
        -0.820_442_935_417_253_3,
        0.771_037_569_459_195_7,
        -0.792_700_302_852_314,
        0.775_241_264_997_021_8,
        -0.787_180_028_177_499_4,
        0.777_890_750_587_408_5,
        -0.785_134_073_727_212_7,
        0.779_269_324_070_883_8,
        -0.784_079_035_984_003_1,
        0.780_231_123_186_622_5,
        -0.783_897_000_347_513_9,
        0.774_746_717_852_663,
        -0.783_166_438_419_422,
        0.879_699_310_912_213_9,
        -0.625_462_572_563_185_6,
        0.122_957_803_307_166_94,
        -2.765_907_054_105_838_4,
    ],
};

/// x² (ln x − 1/(2x) − ψ(x)) in 1/x² for x ≥ 2.5, to 2⁻³⁰ and 2⁻⁵⁸ of ψ.
const DIGAMMA_LARGE: Each<&[f64]> = Each {
    single: &[
        0.083_333_128_945_036_2,
        -0.008_321_915_481_680_523,
        0.003_752_492_355_410_896,
        -0.002_348_278_661_114_279_3,
    ],
    double: &[
        0.083_333_333_333_316_36,
        -0.008_333_333_325_527_091,
        0.003_968_252_655_766_704,
        -0.004_166_551_614_277_643,
        0.007_569_605_538_474_308,
        -0.020_872_947_445_819_29,
        0.077_739_084_674_273_5,
        -0.336_298_304_007_298_27,
        1.424_585_972_956_734_3,
        -5.079_512_125_120_988,
        13.376_058_962_878_567,
        -22.343_347_785_766_48,
        17.471_390_095_401_73,
    ],
};

/// (sin πr/(πr) − 1)/r² in r² ≤ ¼, to 2⁻³¹ and 2⁻⁶⁷.
const SINE: Each<&[f64]> = Each {
    single: &[
        -1.644_934_066_574_387_2,
        0.811_742_370_407_655_6,
        -0.190_750_064_128_365_54,
        0.026_128_069_659_807_2,
        -0.002_255_079_938_041_924_6,
    ],
    double: &[
        -1.644_934_066_848_226_4,
        0.811_742_425_283_353_6,
        -0.190_751_824_122_083_89,
        0.026_147_847_817_640_905,
        -0.002_346_081_035_169_857,
        0.000_148_428_789_724_649_62,
        -6.975_851_195_770_159e-06,
        2.530_327_006_661_228e-07,
        -7.114_003_120_494_625e-09,
    ],
};

/// (1/r − π cot πr)/r − 3.25 in r² ≤ ¼, to 2⁻²⁸ and 2⁻⁵⁴.
const COTANGENT: Each<&[f64]> = Each {
    single: &[
        0.039_868_130_423_025_92,
        2.164_648_090_371_973,
        2.034_554_405_466_202,
        2.012_206_156_388_216,
        1.941_386_074_260_586_6,
        2.483_890_655_809_68,
        -0.057_120_983_955_234_63,
        6.130_959_645_464_382,
    ],
    double: &[
        0.039_868_133_696_452_9,
        2.164_646_467_422_219_4,
        2.034_686_123_985_665,
        2.008_154_710_455_912,
        2.001_989_267_631_687,
        2.000_487_905_349_220_6,
        2.000_223_481_464_246_8,
        1.998_398_620_061_82,
        2.018_538_646_210_908_3,
        1.850_107_295_519_133_6,
        2.863_975_589_305_744,
        -1.495_794_539_567_587_3,
        11.564_893_245_682_212,
        -14.324_427_280_612_483,
        16.191_534_199_279_854,
    ],
};

/// An argument t ≥ 0 in the terms of the fits.
struct Central<R: Real> {
    /// t < 1, where the fits are for 1 + t.
    is_below: R::Mask,
    /// 1 + t or t, less 1.
    less_1: R,
    /// u of 1 + t or t.
    u: R,
}

impl<R: Real> Central<R> {
    #[inline(always)]
    fn new(t: R) -> Self {
        let one = R::of(1.0);
        let is_below = t.lt(one);
        let less_1 = R::select(is_below, t, t - one);
        Central { is_below, less_1, u: (less_1 - R::of(0.75)) / (less_1 + R::of(2.75)) }
    }
}

/// t less the nearest whole number.
#[inline(always)]
fn from_whole<R: Real>(t: R) -> R {
    t - t.round()
}

/// ln |Γ(x)|, to 2.5 ulp; for x < 0 of 1 or ln Γ(1 − x), if that is larger. ∞ at 0, −1, −2, … and −∞.
///
/// For t ≥ 3 it is Stirling's formula (t − ½)(ln t − 1) + (½ ln 2π − ½) + S(1/t²)/t, the logarithm being a sum of two.
#[inline(always)]
pub(super) fn lgamma<R: Real>(x: R) -> R {
    let (t, zero, one) = (x.abs(), R::of(0.0), R::of(1.0));
    let Central { is_below, less_1, u } = Central::new(t);
    let less_2 = R::select(is_below, t - one, t - R::of(2.0));
    // The sum makes the zero at 1 a positive one.
    let center = (less_1 * less_2).mul_add(horner(u, LGAMMA_CENTER.of::<R>()), zero);

    let (log_t, log_t_low) = log_in_two(t);
    let inverse = one / t;
    let rest = inverse.mul_add(polynomial(inverse * inverse, STIRLING.of::<R>()), R::of(HALF_LOG_TAU_REST));
    let (factor, factor_log) = (t - R::of(0.5), log_t - one);
    let product = factor * factor_log;
    let product_low = factor.mul_add(log_t_low, factor.mul_sub(factor_log, product));
    let at_least_1 = R::select(t.lt(R::of(LGAMMA_FROM)), center, product + (product_low + rest));

    // ln Γ(t) from ln Γ(1 + t), and the other way.
    let (log_below, log_below_low) = (R::select(is_below, log_t, zero), R::select(is_below, log_t_low, zero));
    let positive = (at_least_1 - log_below_low) - log_below;
    let (log_beyond, log_beyond_low) = (R::select(is_below, zero, log_t), R::select(is_below, zero, log_t_low));
    let next = at_least_1 + log_beyond;
    let next_low = lost_in_sum(at_least_1, log_beyond, next) + log_beyond_low;
    let r = from_whole(t);
    let square = r * r;
    let (k, f) = split((r * square).mul_add(polynomial(square, SINE.of::<R>()), r).abs());
    let (log_sine, low) = in_two(k, f, next_low);
    let negative = -((next + log_sine) + low);
    let value = R::select(x.lt(zero), negative, positive);

    // Where the formula overflows, with it; NaN as well.
    let value = R::select(product.lt(R::of(f64::INFINITY)), value, product);
    R::select(r.eq(zero) & !x.gt(zero), R::of(f64::INFINITY), value)
}

/// ψ(x), to 2.5 ulp; for x < 0 of 1 or ψ(1 − x), if that is larger. NaN at 0, −1, −2, … and −∞.
///
/// For t ≥ 2.5 it is the asymptotic series ln t − 1/(2t) − S(1/t²)/t².
#[inline(always)]
pub(super) fn digamma<R: Real>(x: R) -> R {
    let (t, zero, one) = (x.abs(), R::of(0.0), R::of(1.0));
    let (is_positive, inverse) = (x.gt(zero), one / t);
    let Central { is_below, less_1, u } = Central::new(t);
    let [center_zero, center_zero_low] = ZERO_LESS_1.of::<R>();
    let from_zero = (less_1 - R::of(center_zero)) - R::of(center_zero_low);
    let center = from_zero * horner(u, DIGAMMA_CENTER.of::<R>());

    // ψ(t) for positive x, else ψ(1 + t) = ψ(t) + 1/t.
    let is_there = (is_below & !is_positive) | (!is_below & is_positive);
    let near = center + R::select(is_there, zero, inverse).copysign(-x);
    let square = inverse * inverse;
    let series = square * polynomial(square, DIGAMMA_LARGE.of::<R>());
    let (k, f) = split(t);
    let far = edges(t, joined(k, f, (R::of(0.5) * inverse).copysign(-x) - series));
    let value = R::select(t.lt(R::of(DIGAMMA_FROM)), near, far);

    let r = from_whole(t);
    let inverse = one / r;
    let residual = inverse.neg_mul_add(r, one) * inverse;
    let residual = R::select(inverse.abs().lt(R::of(f64::INFINITY)), residual, zero);
    // The large terms of the cotangent first: where one is not much larger, they cancel.
    let cotangent = r.neg_mul_add(R::of(3.25), inverse);
    let reflected = (value + r.neg_mul_add(horner(r * r, COTANGENT.of::<R>()), residual)) + cotangent;
    let value = R::select(is_positive, value, reflected);
    R::select(!is_positive & r.eq(zero), R::of(f64::NAN), value)
}
