//! Linear solves: trees of unknowns, partly batched operands, several right-hand sides, misuse.

use super::harness::{Closed, check};
use dini::{ErrorKind, Vmap as VmapOptions, cholesky, cholesky_solve, prelude::*, stack};

fn symmetric() -> LinearSolveOptions {
    LinearSolveOptions::new().symmetric()
}

/// Unknowns as a tuple of a scalar and a vector: (p + s x, q + s) with s from p.
#[test]
fn a_tuple_of_unknowns() {
    let f = |x: Array| {
        let matvec = |(p, q): (Array, Array)| (&p * &x, &q * &x + &p);
        let solve = |_: &dyn Fn((Array, Array)) -> Result<(Array, Array)>, (a, b): (Array, Array)| {
            let p = a / &x;
            let q = (b - &p) / &x;
            (p, q)
        };
        let transpose = |_: &dyn Fn((Array, Array)) -> Result<(Array, Array)>, (a, b): (Array, Array)| {
            let q = b / &x;
            let p = (a - q.sum()) / &x;
            (p, q)
        };
        let b = (Array::from(1.0), Array::from(vec![1.0, 2.0]));
        let (p, q) = custom_linear_solve_transposable(matvec, b, solve, transpose)?;
        Ok(p + q.sum())
    };
    // 1/x + 3/x − 2/x²
    let closed: Closed =
        [|x| 4.0 / x - 2.0 / (x * x), |x| -4.0 / (x * x) + 4.0 / x.powi(3), |x| 8.0 / x.powi(3) - 12.0 / x.powi(4)];
    check(f, closed);
}

/// What depends on no batched operand comes out once for all lanes: `out_axes` says so, and would fail otherwise.
#[test]
fn lanes_spread_no_further_than_they_must() {
    let solve = |b: (Array, Array)| {
        custom_linear_solve_with(
            symmetric(),
            |(p, q): (Array, Array)| (p * 2.0, q * 4.0),
            b,
            |_, (p, q): (Array, Array)| (p / 2.0, q / 4.0),
        )
    };
    let options = VmapOptions::new().in_axes((0, None)).out_axes((0, None));
    let (p, q) = vmap_with(options, solve)((Array::from(vec![2.0, 4.0]), Array::from(8.0))).unwrap();
    assert_eq!(p.to_vec::<f64>().unwrap(), [1.0, 2.0]);
    assert_eq!(q.item::<f64>().unwrap(), 2.0);
    // Coupled unknowns have lanes together.
    let coupled = |(a, b): (Array, Array)| {
        custom_linear_solve_with(
            symmetric(),
            |(p, q): (Array, Array)| (&p + &q * &a, &p * &a + q * 2.0),
            (b.clone(), b),
            |_, (p, q): (Array, Array)| {
                let d = 2.0 - &a * &a;
                ((&p * 2.0 - &q * &a) / &d, (q - p * &a) / &d)
            },
        )
    };
    let options = VmapOptions::new().in_axes((0, None));
    let (p, _) = vmap_with(options, coupled)((Array::from(vec![0.0, 1.0]), Array::from(3.0))).unwrap();
    assert_eq!(p.to_vec::<f64>().unwrap(), [3.0, 3.0]);
}

/// A guess with lanes does not give lanes to the system: its right-hand side stays one.
#[test]
fn a_batched_guess_does_not_batch_b() {
    let f = |(guess, b): (Array, Array)| {
        let solve = |matvec: &dyn Fn(Array) -> Result<Array>, b: Array| {
            // Two steps of iterative refinement from a guess that is captured.
            let u = &guess + (&b - matvec(guess.clone())?) / 3.0;
            Ok::<_, Error>(&u + (&b - matvec(u.clone())?) / 3.0)
        };
        custom_linear_solve_with(symmetric(), |u: Array| u * 3.0, b, solve)
    };
    let options = || VmapOptions::new().in_axes((0, None));
    let guesses = Array::from(vec![0.0, 7.0]);
    let y = vmap_with(options(), f)((guesses.clone(), Array::from(6.0))).unwrap();
    assert_eq!(y.to_vec::<f64>().unwrap(), [2.0, 2.0]);
    // The gradient in b of the sum over lanes; that in the guess is exactly 0.
    let total = |x: (Array, Array)| vmap_with(options(), f)(x).map(|y| y.sum());
    let (dg, db) = grad(total)((guesses, Array::from(6.0))).unwrap();
    assert_eq!(dg.to_vec::<f64>().unwrap(), [0.0, 0.0]);
    assert!((db.item::<f64>().unwrap() - 2.0 / 3.0).abs() < 1e-15);
}

/// One of matrix, factor and right-hand side has lanes, in every combination and both orders with `grad`.
#[test]
fn partly_batched_operands() {
    let solve = |(a, b): (Array, Array)| {
        let factor = cholesky(&stop_gradient(&a));
        custom_linear_solve_with(symmetric(), |u: Array| a.dot(&u), b, |_, b| cholesky_solve(&factor, &b))
            .map(|u| (&u * &u).sum())
    };
    let a = Array::from([[2.0, 1.0], [1.0, 3.0]]);
    let b = Array::from(vec![1.0, 2.0]);
    let (many_a, many_b) = (stack(&[a.clone(), &a * 2.0], 0), stack(&[b.clone(), &b * 3.0], 0));
    let pick = |x: &Array, lanes: bool, lane: usize| if lanes { x.index(lane as isize) } else { x.clone() };
    for (lanes_a, lanes_b) in [(true, false), (false, true), (true, true)] {
        let xs = (if lanes_a { many_a.clone() } else { a.clone() }, if lanes_b { many_b.clone() } else { b.clone() });
        let axes = || VmapOptions::new().in_axes((lanes_a.then_some(0), lanes_b.then_some(0)));
        let near = |got: &Array, want: &Array| {
            for (a, b) in got.to_vec::<f64>().unwrap().iter().zip(want.to_vec::<f64>().unwrap()) {
                assert!((a - b).abs() < 1e-12, "{got} {want}");
            }
        };
        let values = vmap_with(axes(), solve)(xs.clone()).unwrap();
        let (da, db) = vmap_with(axes(), grad(solve))(xs.clone()).unwrap();
        let (ja, jb) = jit(vmap_with(axes(), jit(grad(solve))))(xs.clone()).unwrap();
        let total = |xs: (Array, Array)| vmap_with(axes(), solve)(xs).map(|y| y.sum());
        let (ta, tb) = grad(total)(xs.clone()).unwrap();
        let mut sums: Option<(Array, Array)> = None;
        for lane in 0..2 {
            let own = (pick(&xs.0, lanes_a, lane), pick(&xs.1, lanes_b, lane));
            near(&values.index(lane as isize), &solve(own.clone()).unwrap());
            let (ga, gb) = grad(solve)(own).unwrap();
            near(&da.index(lane as isize), &ga);
            near(&db.index(lane as isize), &gb);
            near(&ja.index(lane as isize), &ga);
            near(&jb.index(lane as isize), &gb);
            if lanes_a {
                near(&ta.index(lane as isize), &ga);
            }
            if lanes_b {
                near(&tb.index(lane as isize), &gb);
            }
            sums = Some(match sums {
                None => (ga, gb),
                Some((a, b)) => (a + ga, b + gb),
            });
        }
        let (sa, sb) = sums.unwrap();
        if !lanes_a {
            near(&ta, &sa);
        }
        if !lanes_b {
            near(&tb, &sb);
        }
    }
}

/// Aux has any type and derivative zero; under `vmap` it has its own lanes.
#[test]
fn aux_of_a_linear_solve() {
    let f = |x: Array| {
        let (u, (count, twice)) = custom_linear_solve_with_aux(
            symmetric(),
            |u: Array| u * &x,
            Array::from(1.0),
            |_, b: Array| (&b / &x, (x.floor().cast(DType::I32), b * 2.0 * &x)),
        )?;
        let kept = count.cast(DType::F64) + twice;
        Ok(u + &kept - stop_gradient(&kept))
    };
    check(f, [|x| 1.0 / x, |x| -1.0 / (x * x), |x| 2.0 / x.powi(3)]);
}

#[test]
fn misuse_names_the_guilty() {
    let one = || Array::from(vec![1.0, 1.0]);
    let solve = |_: &dyn Fn(Array) -> Result<Array>, b: Array| b;
    let e = custom_linear_solve(|u: Array| &u * &u, one(), solve).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotLinear);
    assert!(e.to_string().contains("`mul`") && e.to_string().contains("linear.rs"), "{e}");
    let e = custom_linear_solve(|u: Array| u + 1.0, one(), solve).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotLinear);
    let e = custom_linear_solve(|u: Array| u.sum(), one(), solve).unwrap_err();
    assert!(e.to_string().contains("`matvec`"), "{e}");
    let e = custom_linear_solve(|u: Array| u, one(), |_, b: Array| b.sum()).unwrap_err();
    assert!(e.to_string().contains("`solve`"), "{e}");
    let e = custom_linear_solve_transposable(|u: Array| u, one(), solve, |_, b: Array| b.sum()).unwrap_err();
    assert!(e.to_string().contains("`transpose_solve`"), "{e}");
    // A solver that sees b through a capture would give the same solution for every tangent.
    let through_capture = |b: Array| {
        custom_linear_solve_with(symmetric(), |u: Array| u * 2.0, b.clone(), |_, _| &b / 2.0).map(|u| u.sum())
    };
    let e = jvp(through_capture, one(), one()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotLinear);
    assert!(e.to_string().contains("`solve`"), "{e}");
    let pair = |_: &dyn Fn(Array) -> Result<Array>, b: Array| b;
    let root = |f: fn(Array) -> Array| custom_root(f, one(), |_, u| u, pair).unwrap_err().to_string();
    assert!(root(|u| u.sum()).contains("`f`"));
    let e = custom_root(|u: Array| u, one(), |_, u: Array| u.sum(), pair).unwrap_err();
    assert!(e.to_string().contains("`solve`"), "{e}");
    let e = custom_root(|u: Array| u, one(), |_, u: Array| u, |_, b: Array| b.sum()).unwrap_err();
    assert!(e.to_string().contains("`tangent_solve`"), "{e}");
}
