//! Prints the time per element of scalar kernels on vectors that stay in the first-level cache.

use dini_cpu::{
    dtype::DType,
    math::{Slice, SliceMut, kernel},
    scalar::ScalarOp::{self, *},
};
use std::time::Instant;

const N: usize = 1024;

/// The shortest of many runs, in nanoseconds per element.
fn best(mut f: impl FnMut()) -> f64 {
    (0..300).fold(f64::INFINITY, |best, _| {
        let start = Instant::now();
        f();
        best.min(start.elapsed().as_secs_f64() * 1e9 / N as f64)
    })
}

fn main() {
    let x: Vec<f64> = (0..N).map(|i| 0.001 + (i as f64 * 0.618_033_988_749_895).fract() * 0.99).collect();
    let y: Vec<f64> = x.iter().map(|x| 2.0 - x).collect();
    let (x_single, y_single): (Vec<f32>, Vec<f32>) = x.iter().zip(&y).map(|(&x, &y)| (x as f32, y as f32)).unzip();
    let (mut out, mut out_single) = (vec![0.0; N], vec![0.0; N]);
    let unary: &[ScalarOp] = &[
        Neg,
        Floor,
        Sqrt,
        Rsqrt,
        Exp,
        Exp2,
        Expm1,
        Log,
        Log2,
        Log1p,
        Sin,
        Cos,
        Tan,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Asinh,
        Acosh,
        Atanh,
        Cbrt,
        Logistic,
        Erf,
        Erfc,
        ErfInv,
        Lgamma,
        Digamma,
        Powi(2),
        Powi(3),
        Powi(5),
        Powi(-7),
    ];
    let binary: &[ScalarOp] = &[Add, Mul, Div, Max, Rem, Pow, Atan2, Polygamma];
    for &op in unary.iter().chain(binary) {
        let n = op.arity();
        let single = kernel(op, &[DType::F32; 2][..n]).expect("admits f32");
        let double = kernel(op, &[DType::F64; 2][..n]).expect("admits f64");
        let time = best(|| double.run(&[Slice::F64(&x), Slice::F64(&y)][..n], SliceMut::F64(&mut out)));
        let time_single =
            best(|| single.run(&[Slice::F32(&x_single), Slice::F32(&y_single)][..n], SliceMut::F32(&mut out_single)));
        println!("{:12} f64 {time:8.2} ns   f32 {time_single:8.2} ns", format!("{op:?}"));
    }
}
