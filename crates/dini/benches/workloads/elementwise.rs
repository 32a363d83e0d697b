//! Elementwise formulas and reductions over rows or everything.

use crate::{
    inputs::uniform,
    workload::{Workload, call, steps},
};
use dini::prelude::*;

const FLOATS: [(&str, DType); 2] = [("f32", DType::F32), ("f64", DType::F64)];

pub fn workloads() -> Vec<Workload> {
    let mut all = Vec::new();
    for (name, dtype) in FLOATS {
        for (size, n) in [("1e3", 1_000), ("1e5", 100_000), ("1e7", 10_000_000)] {
            let x = move || uniform(5, &[n], -3.0, 3.0).cast(dtype);
            all.push(Workload::new(format!("bump/{name}/{size}"), move || call(jit(bump), x())));
        }
    }
    all.push(Workload::new("six-cheap/f32/1e7", || {
        call(jit(six_cheap), uniform(6, &[10_000_000], -1.0, 1.0).cast(DType::F32))
    }));
    all.push(Workload::new("six-cheap-donated/f32/1e7", || {
        // From below 0.6 repeated calls converge.
        steps(jit_with(Jit::new().donate([0]), six_cheap), uniform(6, &[10_000_000], -1.0, 0.5).cast(DType::F32))
    }));
    for (name, dtype) in FLOATS {
        for (size, n) in [("1e5", 100_000), ("1e7", 10_000_000)] {
            let x = move || (uniform(7, &[n], -1.0, 3.0).cast(dtype), uniform(8, &[n], 0.0, 1.0).cast(dtype));
            all.push(Workload::new(format!("sum-tanh/{name}/{size}"), move || call(jit(sum_tanh), x())));
        }
    }
    all.push(Workload::new("softmax/gradient", || {
        let weights = rows(10);
        call(jit(value_and_grad(move |x: Array| (x.softmax(-1) * &weights).sum())), rows(9))
    }));
    all.push(Workload::new("layer-norm/gradient", || {
        let weights = rows(10);
        let vector = |seed| uniform(seed, &[1024], 0.5, 1.5).cast(DType::F32);
        let loss = move |x| (layer_norm(x) * &weights).sum();
        call(jit(value_and_grad(loss)), (rows(9), vector(11), vector(12)))
    }));
    all
}

fn rows(seed: u64) -> Array {
    uniform(seed, &[4096, 1024], -1.0, 2.0).cast(DType::F32)
}

/// a x + b sin(x) exp(−x²)
fn bump(x: Array) -> Array {
    &x * 1.7 + x.sin() * 0.3 * (-(&x * &x)).exp()
}

/// Six operations that cost less than the memory they touch.
fn six_cheap(x: Array) -> Array {
    ((&x * 1.5 + 0.25) * &x - 0.75) * 0.5 + &x
}

/// Σ tanh(x) w
fn sum_tanh((x, w): (Array, Array)) -> Array {
    (x.tanh() * w).sum()
}

/// Rows moved to mean 0 and scaled to variance 1, then scaled and moved by vectors. Source: Ba, Kiros and Hinton, "Layer
/// Normalization", arXiv:1607.06450.
fn layer_norm((x, scale, shift): (Array, Array, Array)) -> Array {
    let distance = &x - x.mean_axis(-1).expand_dims(-1);
    let variance = (&distance * &distance).mean_axis(-1).expand_dims(-1);
    distance / (variance + 1e-5).sqrt() * scale + shift
}
