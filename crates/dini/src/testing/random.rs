//! Seeded random numbers for checks: the same on every machine and in every run.
//!
//! Source: SplitMix64, Steele, Lea & Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).

use crate::{array::Array, shape::Aval};
use dini_cpu::dtype::DType;

/// A stream of random numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any 64 bits.
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A direction for an array of that type: elements between −`scale` and `scale`; `None` for discrete types.
    pub fn direction(&mut self, aval: &Aval, scale: f64) -> Option<Array> {
        let mut data = || -> Vec<f64> { (0..aval.size()).map(|_| (2.0 * self.unit() - 1.0) * scale).collect() };
        match aval.dtype {
            DType::F64 => Some(Array::new(data(), &aval.shape)),
            DType::F32 => Some(Array::new(data().into_iter().map(|x| x as f32).collect(), &aval.shape)),
            _ => None,
        }
    }
}
