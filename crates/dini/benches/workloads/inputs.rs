//! Inputs that look random and are the same, to the last bit, here and in JAX's worker.

use dini::prelude::*;

/// Element i of sequence `seed`, in [0, 1). Source: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014 (SplitMix64), at the state that the generator has after i + 1 steps.
fn element(seed: u64, i: u64) -> f64 {
    let state = (seed << 32).wrapping_add(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Numbers in [low, high), `f64` unless cast.
pub fn uniform(seed: u64, shape: &[usize], low: f64, high: f64) -> Array {
    let n = shape.iter().product::<usize>() as u64;
    Array::new((0..n).map(|i| low + (high - low) * element(seed, i)).collect(), shape)
}

/// Places in an axis of extent `n`, `i32`.
pub fn places(seed: u64, n: usize) -> Array {
    Array::from((0..n as u64).map(|i| (element(seed, i) * n as f64) as i32).collect::<Vec<i32>>())
}

/// Symmetric positive-definite matrices I + KᵀK / n, of shape `batch + [n, n]`.
pub fn positive_definite(seed: u64, batch: &[usize], n: usize) -> Array {
    let k = uniform(seed, &[batch, &[n, n]].concat(), -1.0, 1.0);
    Array::eye(n, DType::F64) + k.swap_axes(-1, -2).matmul(&k) / n as f64
}
