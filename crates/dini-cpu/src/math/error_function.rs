//! The error function, its complement and its inverse.

use super::{
    exponential::{Scaled, scaled_expm1},
    logarithm::log,
    real::{Each, Real, horner_in_two, lost_in_sum, polynomial},
};
use std::f64::consts::FRAC_2_SQRT_PI;

/// −ln(erfc x)/x − 1 up to where erf x rounds to 1, to 2⁻³¹ and 2⁻⁶⁰ of erf x.
const SLOPE: Each<&[f64]> = Each {
    single: &[
        0.128_379_166_629_416_3,
        0.636_619_834_498_078_8,
        0.102_771_277_465_189_49,
        -0.019_117_693_535_064_425,
        -0.000_253_069_400_134_808,
        0.001_799_369_995_514_181_8,
        -0.000_740_701_174_491_626,
        0.000_167_488_618_518_109_97,
        -2.135_654_574_160_392_6e-5,
        1.193_497_203_528_329e-6,
    ],
    double: &[
        0.128_379_167_095_512_6,
        0.636_619_772_367_581_6,
        0.102_772_603_301_923_6,
        -0.019_128_447_008_673_225,
        -0.000_209_194_644_243_370_79,
        0.001_696_205_953_229_762_6,
        -0.000_590_123_095_049_636_9,
        2.586_876_081_866_709_7e-5,
        6.452_080_431_772_604e-5,
        -2.978_841_642_231_248e-5,
        3.517_966_291_967_921_3e-6,
        2.685_472_818_614_347_3e-6,
        -1.580_506_091_055_301_2e-6,
        1.972_421_128_782_463_2e-7,
        2.342_392_888_268_881_2e-7,
        -1.966_099_316_107_098_5e-7,
        9.085_005_435_060_924e-8,
        -3.025_978_901_363_141e-8,
        7.763_529_945_279_089e-9,
        -1.563_025_905_710_191_2e-9,
        2.463_305_300_013_814e-10,
        -2.986_645_514_818_108e-11,
        2.693_378_058_695_943_5e-12,
        -1.702_080_844_781_594e-13,
        6.724_973_652_150_417e-15,
        -1.249_591_829_200_781e-16,
    ],
};

/// Where erf x rounds to 1.
const SATURATION: Each<f64> = Each { single: 3.95, double: 6.0 };

/// eˣ² erfc x (x + 3) in u = (x − 3)/(x + 3), to 2⁻²⁸ and 2⁻⁵⁸, up to where erfc x rounds to 0.
const COMPLEMENT: Each<&[f64]> = Each {
    single: &[
        1.074_006_908_417_846_3,
        -0.883_394_497_197_219_2,
        0.590_228_241_092_549_3,
        -0.310_465_710_678_257_4,
        0.119_529_971_270_570_98,
        -0.026_841_594_950_865_206,
        -0.001_231_456_496_967_770_9,
        0.003_081_953_104_387_643_6,
        -0.000_474_045_685_753_346_45,
        -0.000_320_522_688_401_138_67,
    ],
    double: &[
        1.074_006_907_088_339_8,
        -0.883_394_453_169_883_6,
        0.590_228_357_104_101_4,
        -0.310_467_261_900_572_44,
        0.119_527_761_287_328_71,
        -0.026_827_234_624_329_12,
        -0.001_212_416_628_256_822_7,
        0.003_034_061_999_112_002_6,
        -0.000_548_309_677_883_763_2,
        -0.000_276_777_829_703_537_9,
        0.000_107_561_384_744_285_93,
        3.039_807_775_886_763_2e-5,
        -1.747_012_118_880_565_8e-5,
        -4.748_920_099_010_835e-6,
        2.764_201_005_837_992e-6,
        9.981_166_836_560_09e-7,
        -4.060_365_388_389_747e-7,
        -2.321_224_375_447_143e-7,
        4.429_696_607_111_852e-8,
        4.889_205_356_636_952_5e-8,
        -3.193_371_529_407_148_4e-10,
        -7.091_836_683_711_091e-9,
        -8.084_325_189_310_934e-10,
        3.441_018_944_912_442_7e-10,
    ],
};

/// What rounding has taken from the constant term, which is too large for the whole where x is.
const COMPLEMENT_REST: Each<f64> = Each { single: -6.674_621_924_991_455e-9, double: -8.750_439_099_124_309e-17 };

/// Where erfc x rounds to 0.
const VANISHING: Each<f64> = Each { single: 10.2, double: 27.3 };

/// erf x, to 2.5 ulp.
///
/// For x ≥ 0 it is 1 − e^(−w) with w = −ln(erfc x), which is x times a smooth function; the larger x, the less of w
/// counts, so one polynomial serves all x.
#[inline(always)]
pub(super) fn erf<R: Real>(x: R) -> R {
    let t = x.abs().at_most(R::of(SATURATION.of::<R>()));
    scaled_expm1(-t.mul_add(polynomial(t, SLOPE.of::<R>()), t), 0, false).copysign(x)
}

/// (erf x)/x − 1 in x² for x ≤ 0.6, to 2⁻³³ and 2⁻⁶⁰.
const SERIES: Each<&[f64]> = Each {
    single: &[
        0.128_379_166_983_971_23,
        -0.376_126_366_616_810_4,
        0.112_837_186_375_802_58,
        -0.026_857_448_723_308_926,
        0.005_176_646_424_071_4,
        -0.000_734_794_353_633_458_7,
    ],
    double: &[
        0.128_379_167_095_512_6,
        -0.376_126_389_031_837_04,
        0.112_837_916_709_505_34,
        -0.026_866_170_643_497_847,
        0.005_223_977_595_915_689_5,
        -0.000_854_832_395_502_731_8,
        0.000_120_551_385_558_748_26,
        -1.491_800_403_943_781_1e-5,
        1.627_934_095_533_612_8e-6,
        -1.391_186_363_605_744e-7,
    ],
};

/// erfc x, to 2.5 ulp.
///
/// For x ≥ 0 it is e^(−x²) G(u)/(x + 3) with a smooth function G of u = (x − 3)/(x + 3) (Shepherd and Laframboise); for
/// small x it is 1 − erf x.
#[inline(always)]
pub(super) fn erfc<R: Real>(x: R) -> R {
    let t = x.abs().at_most(R::of(VANISHING.of::<R>()));
    let (one, three) = (R::of(1.0), R::of(3.0));
    let sum = t + three;
    let inverse = one / sum;
    let residual = sum.neg_mul_add(inverse, one) - lost_in_sum(t, three, sum) * inverse;
    let u = (t - three) * inverse.mul_add(residual, inverse);
    let [constant, others @ ..] = COMPLEMENT.of::<R>() else { unreachable!("the fit has a constant term") };
    let (constant, slope) = (R::of(*constant), horner_in_two(u, others));
    let smooth = u.mul_add(slope, constant);
    let smooth_low = u.mul_add(slope, constant - smooth) + R::of(COMPLEMENT_REST.of::<R>());
    let quotient = smooth * inverse;
    let product_low = smooth_low.mul_add(inverse, smooth.mul_sub(inverse, quotient));
    let quotient_low = quotient.mul_add(residual, product_low);
    // e^(−t²), where the rounding of the square would count.
    let square = t * t;
    let square_low = t.mul_sub(t, square);
    let value = Scaled::natural(-square, -square_low).times(quotient, quotient_low);
    let value = R::select(x.lt(R::of(0.0)), R::of(2.0) - value, value);
    let near_one = x.neg_mul_add(polynomial(square, SERIES.of::<R>()), one - x);
    R::select(t.lt(R::of(0.6)), near_one, value)
}

/// y/x for y = erf⁻¹ x in w = −ln(1 − x²) < 6.25, to 2⁻²²; single precision: < 5, to 2⁻²⁸.
const CENTER: Each<&[f64]> = Each {
    single: &[
        0.886_226_928_431_061_2,
        0.232_013_514_682_526_48,
        0.011_550_619_674_043_154,
        -0.002_339_293_639_661_320_5,
        -0.000_120_994_154_925_056_83,
        3.971_417_905_880_175e-5,
        6.194_791_109_366_455e-6,
        -2.600_937_357_920_122e-6,
        3.276_259_844_494_447_5e-7,
        -1.886_576_932_182_217_2e-8,
        4.046_778_323_561_188_6e-10,
    ],
    double: &[
        0.886_226_809_549_985_7,
        0.232_017_196_937_092_4,
        0.011_531_727_864_741_118,
        -0.002_301_677_457_686_497_4,
        -0.000_158_949_661_340_521_5,
        6.161_139_700_999_799e-5,
        -1.440_582_678_000_554_9e-6,
        -9.703_515_599_423_038e-7,
        1.203_210_410_657_468_8e-7,
        -4.586_546_327_803_491e-9,
    ],
};

/// Where [`CENTER`] ends.
const CENTER_END: Each<f64> = Each { single: 5.0, double: 6.25 };

/// y/x in √w − 3 beyond that, to 2⁻²⁰; single precision: to 2⁻²⁵.
const TAIL: Each<&[f64]> = Each {
    single: &[
        2.832_976_800_894_348,
        1.001_675_243_650_966_8,
        0.009_445_347_563_765_118,
        -0.007_642_864_553_648_826,
        0.005_687_218_755_344_809,
        -0.003_566_731_764_106_011_6,
        0.001_476_782_098_853_897,
        -0.000_120_493_230_725_697_99,
        -0.000_279_747_794_751_578_1,
        0.000_160_732_343_389_745_42,
        -2.849_033_081_165_878_7e-5,
    ],
    double: &[
        2.832_976_385_021_830_4,
        1.001_677_055_596_279_5,
        0.009_460_668_996_985_51,
        -0.007_677_521_542_364_61,
        0.005_621_724_569_168_084,
        -0.003_369_995_313_103_586,
        0.001_425_318_463_519_168_2,
        -0.000_385_219_941_977_220_74,
        5.909_462_538_633_32e-5,
        -3.896_698_034_465_142e-6,
    ],
};

/// erf⁻¹ x, to 2.5 ulp; ±∞ at ±1, NaN beyond.
///
/// Single precision: a fit. Double precision: a fit of about 20 bits, then one step of Halley's method, which triples
/// them: with e the error of erf y relative to its slope, y ← y − e/(1 + y e). The error is taken from erfc where that is
/// small.
#[inline(always)]
pub(super) fn erf_inv<R: Real>(x: R) -> R {
    let t = x.abs();
    let one = R::of(1.0);
    let w = -log(t.neg_mul_add(t, one));
    let center = polynomial(w, CENTER.of::<R>());
    let tail = polynomial(w.sqrt() - R::of(3.0), TAIL.of::<R>());
    let y = t * R::select(w.lt(R::of(CENTER_END.of::<R>())), center, tail);
    let y = if R::IS_DOUBLE { halley_step(t, y) } else { y };
    // At 1 the fit means nothing; beyond, the logarithm has given NaN.
    R::select(t.eq(one), R::of(f64::INFINITY), y).copysign(x)
}

/// The root of erf y = x next to y, for positive x.
#[inline(always)]
fn halley_step<R: Real>(x: R, y: R) -> R {
    let one = R::of(1.0);
    // (erf y)/y − 1 is small, and x is so near to y that their difference is exact.
    let near = y.mul_add(polynomial(y * y, SERIES.of::<R>()), y - x);
    let difference = R::select(x.lt(R::of(0.53)), near, (one - x) - erfc(y));
    let e = difference / (R::of(FRAC_2_SQRT_PI) * super::exponential::exp(-(y * y)));
    let improved = y - e / y.mul_add(e, one);
    // The series starts with x √π/2, and the next term is below the precision.
    R::select(x.lt(R::of(1e-9)), x * R::of(1.0 / FRAC_2_SQRT_PI), improved)
}
