//! Elementary functions of [`Wide`] numbers, by series and Newton's method, with no thought of speed; to 2⁻⁶⁴ or better
//! wherever the sweeps ask. The samples of 90 digits check them.

use super::wide::Wide;
use dini_cpu::scalar::ScalarOp;

/// The value of a function at arguments of the sweeps; `None` if there is none here.
pub fn reference(op: ScalarOp, x: f64, y: f64) -> Option<Wide> {
    let (w, one) = (Wide::new(x), Wide::ONE);
    Some(match op {
        ScalarOp::Exp => exp(w),
        ScalarOp::Exp2 => {
            let k = x.round();
            exp((w - k) * Wide::LN_2).scale(k as i32)
        }
        ScalarOp::Expm1 => expm1(w),
        ScalarOp::Log => log(w),
        ScalarOp::Log2 => log(w) / Wide::LN_2,
        ScalarOp::Log1p => log1p(w),
        ScalarOp::Sin => sin_cos(w).0,
        ScalarOp::Cos => sin_cos(w).1,
        ScalarOp::Tan => {
            let (sin, cos) = sin_cos(w);
            sin / cos
        }
        ScalarOp::Asin => atan(w / ((one - w) * (one + w)).sqrt()),
        ScalarOp::Acos => atan2(((one - w) * (one + w)).sqrt(), w),
        ScalarOp::Atan => atan(w),
        ScalarOp::Atan2 => atan2(w, Wide::new(y)),
        ScalarOp::Sinh => odd(w, |t| {
            let e = expm1(t);
            (e + e / (e + 1.0)) * 0.5
        }),
        ScalarOp::Cosh => {
            let e = exp(w.abs());
            (e + one / e) * 0.5
        }
        ScalarOp::Tanh => odd(w, |t| {
            let e = expm1(-(t + t));
            -e / (e + 2.0)
        }),
        ScalarOp::Asinh => odd(w, |t| {
            // Beyond, the square is not needed, nor in range.
            if t.high > 1e30 { log(t) + Wide::LN_2 } else { log1p(t + t * t / ((t * t + 1.0).sqrt() + 1.0)) }
        }),
        ScalarOp::Acosh => {
            let t = w - 1.0;
            if x > 1e30 { log(w) + Wide::LN_2 } else { log1p(t + (t * (t + 2.0)).sqrt()) }
        }
        ScalarOp::Atanh => odd(w, |t| log1p((t + t) / (one - t)) * 0.5),
        ScalarOp::Sqrt => w.sqrt(),
        ScalarOp::Rsqrt => one / w.sqrt(),
        ScalarOp::Cbrt => {
            let root = Wide::new(x.cbrt());
            root - (root.powi(3) - w) / (root * root * 3.0)
        }
        ScalarOp::Logistic => one / (one + exp(-w)),
        ScalarOp::Erf => odd(w, erf),
        ScalarOp::Erfc if x < 0.0 => one + erf(-w),
        ScalarOp::Erfc => erfc(w),
        ScalarOp::ErfInv => odd(w, erf_inv),
        ScalarOp::Pow => {
            let power = exp(log(w.abs()) * y);
            if x < 0.0 && y % 2.0 != 0.0 { -power } else { power }
        }
        ScalarOp::Lgamma if x < 0.0 => {
            let distance = Wide::new((x - x.round()).abs());
            -(lgamma(one - w) + log(sin_cos(distance * Wide::PI).0 / Wide::PI))
        }
        ScalarOp::Lgamma => lgamma(w),
        ScalarOp::Digamma if x < 0.0 => {
            let (sin, cos) = sin_cos(Wide::new(x - x.round()) * Wide::PI);
            digamma(one - w) - Wide::PI * cos / sin
        }
        ScalarOp::Digamma => digamma(w),
        _ => return None,
    })
}

fn odd(w: Wide, of_positive: impl FnOnce(Wide) -> Wide) -> Wide {
    if w.high < 0.0 { -of_positive(-w) } else { of_positive(w) }
}

/// eʷ − 1 for |w| < 0.4, by its series at w/2⁸: with that as e, doubling the exponent gives 2e + e².
fn small_expm1(w: Wide) -> Wide {
    let r = w.scale(-8);
    let mut e = Wide::ZERO;
    for n in (1..10).rev() {
        e = (e + 1.0) * r / f64::from(n);
    }
    (0..8).fold(e, |e, _| e + e + e * e)
}

fn exp(w: Wide) -> Wide {
    let k = (w.high / std::f64::consts::LN_2).round();
    (small_expm1(w - Wide::LN_2 * k) + 1.0).scale(k as i32)
}

fn expm1(w: Wide) -> Wide {
    if w.high.abs() < 0.4 { small_expm1(w) } else { exp(w) - 1.0 }
}

/// ln w by a step from the logarithm that is rounded; near 1 from that of w − 1, for its relative precision.
fn log(w: Wide) -> Wide {
    if w.high > 0.5 && w.high < 2.0 {
        return log1p(w - 1.0);
    }
    let rough = w.high.ln();
    let e = w * exp(Wide::new(-rough)) - 1.0;
    Wide::new(rough) + e - e * e * 0.5
}

fn log1p(w: Wide) -> Wide {
    if w.high > 1.0 {
        return log(w + 1.0);
    }
    let rough = w.high.ln_1p();
    let inverse = expm1(Wide::new(rough));
    let e = (w - inverse) / (inverse + 1.0);
    Wide::new(rough) + e - e * e * 0.5
}

/// Sine and cosine by their series at w − n π/2, for |w| ≤ 10⁶.
fn sin_cos(w: Wide) -> (Wide, Wide) {
    /// π/2 in parts; products of the first with n are exact.
    const HALF_PI: [f64; 4] =
        [1.570_796_326_734_125_6, 6.077_100_506_506_192e-11, 3.521_559_865_183_2e-27, 2.0670321098263988e-43];
    let n = (w.high * std::f64::consts::FRAC_2_PI).round();
    let r = HALF_PI.iter().fold(w, |r, &part| r - Wide::new(part) * n);
    let square = r * r;
    let (mut sin, mut cos) = (Wide::ONE, Wide::ONE);
    for k in (1..=14).rev() {
        let k = f64::from(2 * k);
        sin = Wide::ONE - square * sin / (k * (k + 1.0));
        cos = Wide::ONE - square * cos / (k * (k - 1.0));
    }
    let sin = sin * r;
    match n.rem_euclid(4.0) as u32 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

fn atan(w: Wide) -> Wide {
    atan2(w, Wide::ONE)
}

/// The angle of (x, y), by turning it back by the angle that is rounded.
fn atan2(y: Wide, x: Wide) -> Wide {
    let rough = y.high.atan2(x.high);
    let (sin, cos) = sin_cos(Wide::new(rough));
    Wide::new(rough) + (y * cos - x * sin) / (x * cos + y * sin)
}

/// 2/√π e^(−w²) Σ 2ᵏ w²ᵏ⁺¹/(1·3·…·(2k + 1)) for w ≥ 0: no term is negative.
fn erf(w: Wide) -> Wide {
    let square = w * w;
    let (mut term, mut sum, mut k) = (w, w, 1.0);
    while term.high > 1e-34 * sum.high {
        term = term * square * 2.0 / (2.0 * k + 1.0);
        sum = sum + term;
        k += 1.0;
    }
    sum * exp(-square) * 2.0 / Wide::PI.sqrt()
}

/// For w ≥ 0, from 3 on by Laplace's continued fraction w + ½/(w + 1/(w + 3⁄2/(w + …))).
fn erfc(w: Wide) -> Wide {
    if w.high < 3.0 {
        return Wide::ONE - erf(w);
    }
    let fraction = (1..70).rev().fold(w, |rest, k| w + Wide::new(0.5 * f64::from(k)) / rest);
    exp(-(w * w)) / (fraction * Wide::PI.sqrt())
}

/// For 0 ≤ w < 1: ever closer steps of Newton's method.
fn erf_inv(w: Wide) -> Wide {
    let complement = Wide::ONE - w;
    let tail = (-log(complement)).sqrt();
    let mut y = if w.high < 0.5 { w * Wide::PI.sqrt() * 0.5 } else { tail };
    for _ in 0..200 {
        let error = if w.high < 0.5 { erf(y) - w } else { complement - erfc(y) };
        let step = error * Wide::PI.sqrt() * 0.5 * exp(y * y);
        // Halley's correction.
        let step = step / (step * y + 1.0);
        y = y - step;
        if step.high.abs() < 1e-20 * y.high {
            break;
        }
    }
    y
}

/// B₂ₖ for k = 1, 2, … as fractions.
const BERNOULLI: [(f64, f64); 15] = [
    (1.0, 6.0),
    (-1.0, 30.0),
    (1.0, 42.0),
    (-1.0, 30.0),
    (5.0, 66.0),
    (-691.0, 2730.0),
    (7.0, 6.0),
    (-3617.0, 510.0),
    (43_867.0, 798.0),
    (-174_611.0, 330.0),
    (854_513.0, 138.0),
    (-236_364_091.0, 2730.0),
    (8_553_103.0, 6.0),
    (-23_749_461_029.0, 870.0),
    (8_615_841_276_005.0, 14_322.0),
];

/// Where the asymptotic series are good enough.
const LARGE: f64 = 25.0;

/// Σ B₂ₖ/divisor(2k) start/w²ᵏ
fn asymptotic(w: Wide, start: Wide, divisor: impl Fn(f64) -> f64) -> Wide {
    // Far out the terms are nothing, and the square not in range.
    if w.high > 1e30 {
        return Wide::ZERO;
    }
    let square = w * w;
    let mut power = start;
    BERNOULLI.iter().enumerate().fold(Wide::ZERO, |sum, (i, &(numerator, denominator))| {
        power = power / square;
        sum + power * numerator / (denominator * divisor(2.0 * (i as f64 + 1.0)))
    })
}

/// ln Γ(w) for w > 0: Stirling's formula, to which the recurrence leads.
fn lgamma(w: Wide) -> Wide {
    let (mut shifted, mut product) = (w, Wide::ONE);
    while shifted.high < LARGE {
        product = product * shifted;
        shifted = shifted + 1.0;
    }
    let half_log_tau = log(Wide::PI + Wide::PI) * 0.5;
    let rest = asymptotic(shifted, shifted, |k| k * (k - 1.0));
    (shifted - 0.5) * log(shifted) - shifted + half_log_tau + rest - log(product)
}

/// ψ(w) for w > 0, in the same way.
fn digamma(w: Wide) -> Wide {
    let (mut shifted, mut sum) = (w, Wide::ZERO);
    while shifted.high < LARGE {
        sum = sum + Wide::ONE / shifted;
        shifted = shifted + 1.0;
    }
    log(shifted) - Wide::new(0.5) / shifted - asymptotic(shifted, Wide::ONE, |k| k) - sum
}
