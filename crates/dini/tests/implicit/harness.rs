//! A scalar function with its first derivatives in closed form, under all transformations; and solvers.

use dini::{prelude::*, solve as solve_dense};

/// f, f′ and f″.
pub type Closed = [fn(f64) -> f64; 3];

/// K / (1 + x²): the sum of (1 + x²)⁻¹ A₀⁻¹ b, with K the sum of A₀⁻¹ b.
pub const fn rational() -> [fn(f64) -> f64; 3] {
    [|x| 1.0 / (1.0 + x * x), |x| -2.0 * x / (1.0 + x * x).powi(2), |x| (6.0 * x * x - 2.0) / (1.0 + x * x).powi(3)]
}

/// Where functions are tried.
pub const POINTS: [f64; 3] = [0.8, 1.7, 2.6];

fn compare(what: &str, wrong: &mut Vec<String>, got: Result<Array>, want: &[f64]) {
    match got.and_then(|y| y.to_vec::<f64>()) {
        Ok(got) => {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
            if got.len() != want.len() || !got.iter().zip(want).all(near) {
                wrong.push(format!("{what}: got {got:?}, want {want:?}"));
            }
        }
        Err(e) => wrong.push(format!("{what}: {e}")),
    }
}

fn one() -> Array {
    Array::from(1.0)
}

/// Values and both first-order modes: what a function without reverse mode must still do.
pub fn check_forward(f: impl Fn(Array) -> Result<Array>, closed: Closed) {
    let [y, d, dd] = closed;
    let mut wrong = Vec::new();
    let many = Array::from(POINTS.to_vec());
    let all = |f: fn(f64) -> f64| POINTS.map(f);
    let slope = |x: Array| jvp(&f, x, one()).map(|(_, t)| t);
    let curvature = |x: Array| jvp(slope, x, one()).map(|(_, t)| t);
    for x in POINTS {
        let at = || Array::from(x);
        compare("plain", &mut wrong, f(at()), &[y(x)]);
        compare("jit", &mut wrong, jit(&f)(at()), &[y(x)]);
        compare("jvp", &mut wrong, slope(at()), &[d(x)]);
        compare("jit(jvp)", &mut wrong, jit(slope)(at()), &[d(x)]);
        compare("jvp(jit)", &mut wrong, jvp(jit(&f), at(), one()).map(|(_, t)| t), &[d(x)]);
        compare("jvp(jvp)", &mut wrong, curvature(at()), &[dd(x)]);
        compare("linearize", &mut wrong, linearize(&f, at()).and_then(|(_, df)| df(one())), &[d(x)]);
    }
    compare("vmap", &mut wrong, vmap(&f)(many.clone()), &all(y));
    compare("jit(vmap(jvp))", &mut wrong, jit(vmap(slope))(many.clone()), &all(d));
    compare("vmap(jit(jvp))", &mut wrong, vmap(jit(slope))(many.clone()), &all(d));
    compare("vmap(jvp(jvp))", &mut wrong, vmap(curvature)(many), &all(dd));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every composition that the semantics promises.
pub fn check(f: impl Fn(Array) -> Result<Array>, closed: Closed) {
    check_forward(&f, closed);
    let [y, d, dd] = closed;
    let mut wrong = Vec::new();
    let many = Array::from(POINTS.to_vec());
    let all = |f: fn(f64) -> f64| POINTS.map(f);
    let reverse_over_forward = |x: Array| grad(|x: Array| jvp(&f, x, one()).map(|(_, t)| t))(x);
    for x in POINTS {
        let at = || Array::from(x);
        compare("grad", &mut wrong, grad(&f)(at()), &[d(x)]);
        compare("value of value_and_grad", &mut wrong, value_and_grad(&f)(at()).map(|(y, _)| y), &[y(x)]);
        compare("jit(grad)", &mut wrong, jit(grad(&f))(at()), &[d(x)]);
        compare("grad(jit)", &mut wrong, grad(jit(&f))(at()), &[d(x)]);
        compare("grad(grad)", &mut wrong, grad(grad(&f))(at()), &[dd(x)]);
        compare("jit(grad(grad))", &mut wrong, jit(grad(grad(&f)))(at()), &[dd(x)]);
        compare("grad(jit(grad))", &mut wrong, grad(jit(grad(&f)))(at()), &[dd(x)]);
        compare("forward over reverse", &mut wrong, jvp(grad(&f), at(), one()).map(|(_, t)| t), &[dd(x)]);
        compare("reverse over forward", &mut wrong, reverse_over_forward(at()), &[dd(x)]);
        compare("grad(checkpoint)", &mut wrong, grad(checkpoint(&f))(at()), &[d(x)]);
        compare("hessian", &mut wrong, hessian(&f)(at()), &[dd(x)]);
    }
    compare("vmap(grad)", &mut wrong, vmap(grad(&f))(many.clone()), &all(d));
    compare("jit(vmap(grad))", &mut wrong, jit(vmap(grad(&f)))(many.clone()), &all(d));
    compare("vmap(jit(grad))", &mut wrong, vmap(jit(grad(&f)))(many.clone()), &all(d));
    compare("grad(sum(vmap))", &mut wrong, grad(|x: Array| vmap(&f)(x).map(|y| y.sum()))(many.clone()), &all(d));
    compare("jit(vmap(grad(grad)))", &mut wrong, jit(vmap(grad(grad(&f))))(many.clone()), &all(dd));
    compare("vmap(reverse over forward)", &mut wrong, vmap(reverse_over_forward)(many), &all(dd));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Callable<'a, T> = &'a dyn Fn(T) -> Result<T>;

/// Bisection on an increasing function, traced wherever it runs.
pub fn bisect(f: Callable<'_, Array>, lo: f64, hi: f64) -> Result<Array> {
    let (lo, _) = while_loop(
        |(lo, hi): (Array, Array)| (hi - lo).gt(1e-14),
        |(lo, hi): (Array, Array)| -> Result<(Array, Array)> {
            let mid = (&lo + &hi) * 0.5;
            let below = f(mid.clone())?.lt(0.0);
            // Rounding may leave no number between the ends.
            let stuck = mid.le(&lo) | mid.ge(&hi);
            let next = (select(&below, &mid, &lo), select(&below, &hi, &mid));
            Ok((select(&stuck, &hi, &next.0), select(&stuck, &hi, &next.1)))
        },
        (Array::from(lo), Array::from(hi)),
    )?;
    Ok(lo)
}

/// The tangent equation of one unknown.
pub fn divide(g: Callable<'_, Array>, b: Array) -> Result<Array> {
    Ok(&b / g(Array::ones(b.shape(), b.dtype()))?)
}

/// Newton's method for vectors, with the Jacobian computed inside the loop.
pub fn newton(f: Callable<'_, Array>, guess: Array) -> Result<Array> {
    let body = |(u, _, k): (Array, Array, Array)| -> Result<(Array, Array, Array)> {
        let step = solve_dense(&jacfwd(f)(u.clone())?, &f(u.clone())?);
        Ok((u - &step, step, k + 1))
    };
    let goes_on = |(_, step, k): (Array, Array, Array)| step.abs().gt(1e-15).any() & k.lt(50);
    let (u, _, _) = while_loop(goes_on, body, (guess.clone(), guess * 0.0 + 1.0, Array::from(0i32)))?;
    Ok(u)
}

/// The tangent equation of a vector, by the dense Jacobian.
pub fn dense(g: Callable<'_, Array>, b: Array) -> Result<Array> {
    Ok(solve_dense(&jacfwd(g)(Array::zeros(b.shape(), b.dtype()))?, &b))
}
