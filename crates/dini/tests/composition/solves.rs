//! Solvers that are traced wherever they run: loops over the residual alone.

use dini::prelude::*;

type Residual<'a, T> = &'a dyn Fn(T) -> Result<T>;

/// Newton's method on independent scalar equations, for as long as a step changes anything, at most 60 times. The slopes
/// come from forward mode inside the loop.
pub fn newton(f: Residual<Array>, guess: Array) -> Result<Array> {
    let slope = |u: &Array| jvp(f, u.clone(), Array::ones(u.shape(), u.dtype()));
    let goes_on = |(_, step, k): (Array, Array, Array)| step.abs().gt(1e-15).any() & k.lt(60);
    let body = |(u, _, k): (Array, Array, Array)| {
        let (r, s) = slope(&u)?;
        let step = r / s;
        Ok::<_, Error>((&u - &step, step, k + 1))
    };
    let (u, _, _) = while_loop(goes_on, body, (guess.clone(), guess * 0.0 + 1.0, Array::from(0i32)))?;
    Ok(u)
}

/// A linear system with a diagonal matrix: the diagonal is the product with ones, which do not depend on b.
pub fn diagonal(g: Residual<Array>, b: Array) -> Result<Array> {
    Ok(&b / g(Array::ones(b.shape(), b.dtype()))?)
}
