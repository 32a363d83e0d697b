//! Numbers of some 104 bits: unevaluated sums of two `f64` (Dekker, "A floating-point technique for extending the
//! available precision", 1971), good enough to say what an `f64` should have been.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `high + low`, `high` being the sum rounded.
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    pub high: f64,
    pub low: f64,
}

/// x + y as a sum, whichever is larger (Knuth).
fn sum(x: f64, y: f64) -> Wide {
    let high = x + y;
    let y_part = high - x;
    Wide { high, low: (x - (high - y_part)) + (y - y_part) }
}

impl Wide {
    pub const ZERO: Wide = Wide::new(0.0);
    pub const ONE: Wide = Wide::new(1.0);
    pub const PI: Wide = Wide { high: std::f64::consts::PI, low: 1.224_646_799_147_353_2e-16 };
    pub const LN_2: Wide = Wide { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

    pub const fn new(x: f64) -> Wide {
        Wide { high: x, low: 0.0 }
    }

    pub fn abs(self) -> Wide {
        if self.high < 0.0 { -self } else { self }
    }

    /// Times 2ᵏ; exact unless the result is subnormal.
    pub fn scale(self, k: i32) -> Wide {
        let (half, rest) = (k / 2, k - k / 2);
        let power = |k: i32| f64::from_bits(((1023 + k) as u64) << 52);
        let times = |x: f64| x * power(half) * power(rest);
        Wide { high: times(self.high), low: times(self.low) }
    }

    pub fn sqrt(self) -> Wide {
        if self.high <= 0.0 {
            return Wide::ZERO;
        }
        let root = Wide::new(self.high.sqrt());
        root + (self - root * root) / (root + root)
    }

    pub fn powi(self, n: u32) -> Wide {
        (0..n).fold(Wide::ONE, |power, _| power * self)
    }
}

impl From<f64> for Wide {
    fn from(x: f64) -> Wide {
        Wide::new(x)
    }
}

impl Neg for Wide {
    type Output = Wide;
    fn neg(self) -> Wide {
        Wide { high: -self.high, low: -self.low }
    }
}

impl<T: Into<Wide>> Add<T> for Wide {
    type Output = Wide;
    fn add(self, other: T) -> Wide {
        let other = other.into();
        let (high, low) = (sum(self.high, other.high), sum(self.low, other.low));
        let carried = sum(high.high, high.low + low.high);
        sum(carried.high, carried.low + low.low)
    }
}

impl<T: Into<Wide>> Sub<T> for Wide {
    type Output = Wide;
    fn sub(self, other: T) -> Wide {
        self + -other.into()
    }
}

impl<T: Into<Wide>> Mul<T> for Wide {
    type Output = Wide;
    fn mul(self, other: T) -> Wide {
        let other = other.into();
        let high = self.high * other.high;
        let low = self.high.mul_add(other.high, -high) + self.high.mul_add(other.low, self.low * other.high);
        sum(high, low)
    }
}

impl<T: Into<Wide>> Div<T> for Wide {
    type Output = Wide;
    fn div(self, other: T) -> Wide {
        let other = other.into();
        let first = Wide::new(self.high / other.high);
        let rest = self - other * first;
        let second = Wide::new(rest.high / other.high);
        let rest = rest - other * second;
        first + second + rest.high / other.high
    }
}
