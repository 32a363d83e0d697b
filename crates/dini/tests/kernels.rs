//! What programs become: numbers of kernels, and the bytes that they move.

use dini::{explain, prelude::*};

/// Explains, and compares launches and bytes with what they may be.
#[track_caller]
fn check<In: Tree, Out: Tree>(f: impl Fn(In) -> Result<Out>, x: &In, launches: u64, bytes: u64) {
    let explained = explain(f, x).expect("the program can be traced");
    let cost = explained.total();
    let moved = cost.bytes_read + cost.bytes_written;
    assert!(cost.launches == launches && moved <= bytes, "{launches} launches and {bytes} B allowed, got\n{explained}");
}

fn rows(n_rows: usize, n: usize) -> Array {
    Array::zeros(&[n_rows, n], DType::F32)
}

const PASS: u64 = 4096 * 1024 * 4;

#[test]
fn the_gradient_of_a_softmax_reads_two_arrays_and_writes_one() {
    let weights = rows(4096, 1024);
    let f = value_and_grad(move |x: Array| (x.softmax(-1) * &weights).sum());
    check(f, &rows(4096, 1024), 6, 3 * PASS + PASS / 100);
}

/// Neighbours on a grid are read in place, and the sum of products belongs to the same pass.
#[test]
fn a_step_of_conjugate_gradients_is_three_passes() {
    let n = 256;
    let step = move |(theta, x, r, p, rr): (Array, Array, Array, Array, Array)| {
        let wide = p.pad(&[(1, 1), (1, 1)], 0.0);
        let inner = 1..n + 1;
        let neighbours = wide.slice(&[0..n, inner.clone()])
            + wide.slice(&[2..n + 2, inner.clone()])
            + wide.slice(&[inner.clone(), 0..n])
            + wide.slice(&[inner.clone(), 2..n + 2]);
        let ap = (theta + 4.0) * &p - neighbours;
        let alpha = &rr / (&p * &ap).sum();
        let x = x + &alpha * &p;
        let r = r - alpha * ap;
        let next = (&r * &r).sum();
        let p = &r + (&next / rr) * p;
        Ok((x, r, p, next))
    };
    let field = || Array::zeros(&[n, n], DType::F64);
    let pass = (n * n * 8) as u64;
    check(step, &(field(), field(), field(), field(), Array::from(1.0)), 5, 12 * pass + 200);
}

#[test]
fn a_sum_of_functions_is_one_pass() {
    let n = 100_000;
    let vector = || Array::zeros(&[n], DType::F64);
    check(|(x, w): (Array, Array)| Ok((x.tanh() * w).sum()), &(vector(), vector()), 1, 16 * n as u64 + 8);
}
