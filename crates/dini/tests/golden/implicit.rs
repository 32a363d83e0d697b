//! Programs with roots, linear solves, fixed points and optima; transcribed from `xtask/golden/implicit.py`.

use super::{
    programs::{check_file, programs},
    record::{MODES, Report, elements, list, numbers, records, text},
};
use dini::{
    concatenate, custom_linear_solve_transposable, custom_linear_solve_with, custom_root_with_aux, prelude::*, solve,
    triangular_solve,
};
use std::rc::Rc;

#[test]
fn implicit_programs_agree() {
    let programs = programs![
        sqrt_cubed,
        newton_scalar,
        tree_root,
        root_with_aux,
        fixed_point,
        optimum,
        implicit_euler,
        root_of_root,
        root_in_cond,
        root_under_checkpoint,
        cholesky_solve,
        general_solve,
        conjugate_gradients,
        solve_of_nonlinear,
    ];
    check_file("implicit", programs, &["sqrt_cubed_orders"]);
}

/// Derivatives of order 0 to 4, from the library that recorded them and from the closed form.
#[test]
fn orders_of_sqrt_cubed_agree() {
    let records = records("implicit");
    let record = records.iter().find(|record| text(&record["name"]) == "sqrt_cubed_orders").expect("the record");
    let points = Array::from(numbers(&record["inputs"][0]["data"]));
    let mut report = Report::default();
    for from in ["orders", "exact"] {
        let mut f: Rc<dyn Fn(Array) -> Result<Array>> = Rc::new(|x| sqrt_cubed([x]));
        for (order, want) in list(&record["results"][from]).iter().enumerate() {
            for mode in MODES {
                let got = mode.run(vmap(&*f), points.clone()).and_then(|y| elements(&y[0]));
                report.compare(&format!("order {order} by `{from}` {mode:?}"), got, &numbers(want));
            }
            f = Rc::new(grad(move |x: Array| f(x)));
        }
    }
    report.finish();
}

/// A function from unknowns to residuals, as solvers are given it.
type Residual<'a, T> = &'a dyn Fn(T) -> Result<T>;

/// 200 halvings: as close as f64 gets, whatever the interval.
fn bisect(f: Residual<Array>, low: f64, high: f64) -> Result<Array> {
    let halve = |_, (low, high): (Array, Array)| -> Result<(Array, Array)> {
        let middle = (&low + &high) * 0.5;
        let above = f(middle.clone())?.gt(0.0);
        Ok((select(&above, &low, &middle), select(&above, &middle, &high)))
    };
    let (low, high) = fori_loop(0, 200, halve, (Array::from(low), Array::from(high)))?;
    Ok((low + high) * 0.5)
}

/// The leaves of a tree as one vector.
fn ravel<T: Tree>(tree: &T) -> Array {
    let leaves: Vec<Array> = dini::tree::flatten(tree).0.iter().map(Array::flatten).collect();
    concatenate(&leaves, 0)
}

/// The way back, to a tree like another one.
fn unravel<T: Tree>(vector: &Array, like: &T) -> Result<T> {
    let mut start = 0;
    dini::tree::map(like, |leaf| {
        let part = vector.slice_in_dim(start, start + leaf.len(), 1, 0);
        start += leaf.len();
        part.reshape(leaf.shape())
    })
}

/// 12 steps with the dense Jacobian, on trees.
fn newton<T: Tree>(f: Residual<T>, guess: T) -> Result<T> {
    let residual = |y: Array| -> Result<Array> { Ok(ravel(&f(unravel(&y, &guess)?)?)) };
    let step = |_, y: Array| -> Result<Array> { Ok(&y - solve(&jacfwd(residual)(y.clone())?, &residual(y.clone())?)) };
    unravel(&fori_loop(0, 12, step, ravel(&guess))?, &guess)
}

fn scalar_tangent_solve(g: Residual<Array>, b: Array) -> Result<Array> {
    Ok(&b / g(ones_like(&b))?)
}

fn dense_tangent_solve<T: Tree>(g: Residual<T>, b: T) -> Result<T> {
    let matvec = |v: Array| -> Result<Array> { Ok(ravel(&g(unravel(&v, &b)?)?)) };
    let vector = ravel(&b);
    unravel(&solve(&jacfwd(matvec)(zeros_like(&vector))?, &vector), &b)
}

/// y with y² = x³, by bisection.
fn sqrt_cubed([x]: [Array; 1]) -> Result<Array> {
    let f = |y: Array| &y * &y - x.powi(3);
    custom_root(f, Array::from(1.0), |f, _| bisect(f, 0.0, 1000.0), scalar_tangent_solve)
}

/// y with y³ + a y = b.
fn newton_scalar([a, b]: [Array; 2]) -> Result<Array> {
    custom_root(|y: Array| y.powi(3) + &a * &y - &b, Array::from(1.0), newton, scalar_tangent_solve)
}

#[derive(Tree)]
struct Unknowns {
    u: Array,
    v: Array,
}

/// u, v with u = tanh(M u + v p) and v³ + v = sum(u) + 1.
fn tree_root([m, p]: [Array; 2]) -> Result<Unknowns> {
    let f = |Unknowns { u, v }: Unknowns| Unknowns {
        u: &u - (m.matmul(&u) + &v * &p).tanh(),
        v: v.powi(3) + v - u.sum() - 1.0,
    };
    let guess = Unknowns { u: Array::zeros(&[2], DType::F64), v: Array::from(0.5) };
    custom_root(f, guess, newton, dense_tangent_solve)
}

/// The number of halvings is inert: it has no derivative.
fn root_with_aux([x]: [Array; 1]) -> Result<Array> {
    let (y, halvings) = custom_root_with_aux(
        |y: Array| y.powi(3) + y - &x,
        Array::from(1.0),
        |f, _| -> Result<(Array, Array)> { Ok((bisect(f, 0.0, 100.0)?, Array::from(200.0))) },
        scalar_tangent_solve,
    )?;
    Ok(y * halvings)
}

/// z = tanh(W z + U x).
fn fixed_point([w, u, x]: [Array; 3]) -> Result<Array> {
    let f = |z: &Array| (w.matmul(z) + u.matmul(&x)).tanh();
    custom_root(
        |z: Array| &z - f(&z),
        Array::zeros(&[w.shape()[0]], DType::F64),
        |_, guess| fori_loop(0, 400, |_, z: Array| f(&z), guess),
        dense_tangent_solve,
    )
}

/// argmin over x of |A x − b|² / 2 + exp(log_penalty) |x|² / 2, then the misfit there: a bilevel problem.
fn optimum([log_penalty, a, b]: [Array; 3]) -> Result<Array> {
    let misfit = |x: &Array| (a.matmul(x) - &b).powi(2).sum();
    let loss = |x: Array| 0.5 * misfit(&x) + 0.5 * log_penalty.exp() * x.powi(2).sum();
    let x = custom_root(grad(loss), Array::zeros(&[a.shape()[1]], DType::F64), newton, dense_tangent_solve)?;
    Ok(misfit(&x) + x.powi(4).sum())
}

/// A root in every step of a scan: x' = −rate x³, five steps of 0.2.
fn implicit_euler([x0, rate]: [Array; 2]) -> Result<(Array, Array)> {
    let step = |x: Array, ()| -> Result<(Array, Array)> {
        let residual = |y: Array| &y - &x + 0.2 * &rate * y.powi(3);
        let new = custom_root(residual, x.clone(), newton, scalar_tangent_solve)?;
        Ok((new.clone(), new))
    };
    scan_with(ScanOptions::new().length(5), step, x0, ())
}

/// An inner root y(z) of y + y³ = x z, and an outer z with z + y(z) = 2 x.
fn root_of_root([x]: [Array; 1]) -> Result<Array> {
    let inner = |z: &Array| {
        let residual = |y: Array| &y + y.powi(3) - &x * z;
        custom_root(residual, Array::from(0.5), newton, scalar_tangent_solve)
    };
    let residual = |z: Array| -> Result<Array> { Ok(&z + inner(&z)? - 2.0 * &x) };
    custom_root(residual, Array::from(1.0), newton, scalar_tangent_solve)
}

fn root_in_cond([x]: [Array; 1]) -> Result<Array> {
    cond(&x.gt(1.0), |x: Array| sqrt_cubed([x]), |x: Array| x.powi(2), x.clone())
}

fn root_under_checkpoint([x]: [Array; 1]) -> Result<Array> {
    checkpoint(|x: Array| -> Result<Array> { Ok(sqrt_cubed([x.clone()])?.sin() * x) })(x)
}

/// A symmetric solve with a factorization that the solver captures; A enters by its symmetric part.
fn cholesky_solve([a, b]: [Array; 2]) -> Result<Array> {
    let s = 0.5 * (&a + a.transpose());
    let factor = cholesky(&s);
    let by_factor = |b: &Array| {
        let y = triangular_solve(&factor, b, true, false, false);
        triangular_solve(&factor, &y, true, true, false)
    };
    let options = LinearSolveOptions::new().symmetric();
    custom_linear_solve_with(options, |x: Array| s.matmul(&x), b, |_, b: Array| by_factor(&b))
}

/// Not symmetric: the transposed solve is given.
fn general_solve([a, b]: [Array; 2]) -> Result<Array> {
    custom_linear_solve_transposable(
        |x: Array| a.matmul(&x),
        b,
        |_, b: Array| solve(&a, &b),
        |_, b: Array| solve(&a.transpose(), &b),
    )
}

/// A matrix-free tridiagonal operator, solved by as many steps of conjugate gradients as there are unknowns.
fn conjugate_gradients([d, b]: [Array; 2]) -> Result<Array> {
    let n = b.len();
    let matvec = |x: Array| {
        let above = x.slice_in_dim(1, n, 1, 0).pad(&[(0, 1)], 0.0);
        let below = x.slice_in_dim(0, n - 1, 1, 0).pad(&[(1, 0)], 0.0);
        &d * x - above - below
    };
    // A zero right-hand side (many derivatives have one) is solved before the first step.
    let ratio = |a: &Array, b: &Array| {
        let is_zero = b.eq(0.0);
        select(&is_zero, &zeros_like(a), &(a / select(&is_zero, &ones_like(b), b)))
    };
    let square = |x: &Array| (x * x).sum();
    let solve = |matvec: Residual<Array>, b: Array| -> Result<Array> {
        let step = |_, (x, r, p): (Array, Array, Array)| -> Result<(Array, Array, Array)> {
            let q = matvec(p.clone())?;
            let alpha = ratio(&square(&r), &(&p * &q).sum());
            let new = &r - &alpha * q;
            let next = &new + &p * ratio(&square(&new), &square(&r));
            Ok((x + alpha * p, new, next))
        };
        fori_loop(0, n, step, (zeros_like(&b), b.clone(), b)).map(|(x, _, _)| x)
    };
    custom_linear_solve_with(LinearSolveOptions::new().symmetric(), matvec, b, solve)
}

/// A quantity of interest behind a solve, for Hessian-vector products by matrix and right-hand side.
fn solve_of_nonlinear([a, b]: [Array; 2]) -> Result<Array> {
    let x = cholesky_solve([a, b.sin()])?;
    Ok(x.powi(2).sum() + x.index(0) * b.index(1))
}
