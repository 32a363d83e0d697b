//! The inverse of the error function.

use super::exponential::polynomial;
use std::f64::consts::FRAC_2_SQRT_PI;

/// y/x for y = erf⁻¹ x in w = −ln(1 − x²) < 6.25, to 2⁻²².
const CENTER: [f64; 10] = [
    0.886_226_824_457_042_8,
    0.232_016_880_802_824_82,
    0.011_532_843_314_001_366,
    -0.002_303_205_880_676_487_5,
    -0.000_157_893_998_054_364_94,
    6.120_021_748_750_709e-5,
    -1.346_349_073_797_570_6e-6,
    -9.829_311_254_063_413e-7,
    1.212_239_895_610_075e-7,
    -4.613_402_191_017_829e-9,
];

/// y/x in √w for 2.5 ≤ √w < 6.1, to 2⁻²⁰.
const TAIL: [f64; 10] = [
    3.836_195_575_813_869_5,
    -6.756_421_511_747_478,
    6.713_068_825_365_243_5,
    -3.402_127_104_601_990_7,
    1.109_819_795_924_572_6,
    -0.241_090_556_019_362_63,
    0.034_825_839_030_739_957,
    -0.003_222_817_875_423_163_4,
    0.000_173_276_669_595_818_17,
    -4.122_463_667_661_159_6e-6,
];

/// erf⁻¹ x, to 2 ulp; ±∞ at ±1, NaN beyond.
///
/// A fit of about 20 bits, then one step of Halley's method, which triples them: with e the error of erf y relative to
/// its slope, y ← y − e/(1 + y e). The error is taken from erfc where that is small.
pub(super) fn erf_inv(x: f64) -> f64 {
    let distance = x.abs();
    if distance >= 1.0 {
        return if distance == 1.0 { f64::INFINITY.copysign(x) } else { f64::NAN };
    }
    // The series starts with x √π/2, and the next term is below the precision.
    if distance < 1e-9 {
        return x / FRAC_2_SQRT_PI;
    }
    let w = -libm::log1p(-x * x);
    // 1 − x² rounds for x near 1, where the factors do not.
    let w = if w < 1.0 { w } else { -libm::log((1.0 - x) * (1.0 + x)) };
    let y = distance * if w < 6.25 { polynomial(w, CENTER) } else { polynomial(w.sqrt(), TAIL) };
    let difference = if distance < 0.5 { libm::erf(y) - distance } else { (1.0 - distance) - libm::erfc(y) };
    let e = difference / (FRAC_2_SQRT_PI * libm::exp(-y * y));
    (y - e / (1.0 + y * e)).copysign(x)
}
