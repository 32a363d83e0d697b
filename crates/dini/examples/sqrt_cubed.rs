//! y(x) with y² = x³, found by bisection and differentiated as the implicit function that it is.
//!
//! Bisection has no useful derivative of its own: x enters its comparisons only, so differentiating its steps would give 0.
//! The derivatives come from the equation alone, to any order, and agree with the closed forms of y = x^1.5.
//!
//! ```text
//! cargo run --release --example sqrt_cubed
//! ```

use dini::prelude::*;

/// The root of an increasing function between `low` and `high`, to the last few bits.
fn bisect(f: &dyn Fn(Array) -> Result<Array>, low: f64, high: f64) -> Result<Array> {
    let (low, high) = while_loop(
        |(low, high): (Array, Array)| (&high - &low).gt(&high * 1e-15),
        |(low, high): (Array, Array)| -> Result<(Array, Array)> {
            let middle = (&low + &high) * 0.5;
            let is_right = f(middle.clone())?.lt(0.0);
            Ok((select(&is_right, &middle, &low), select(&is_right, &high, &middle)))
        },
        (Array::from(low), Array::from(high)),
    )?;
    Ok((low + high) * 0.5)
}

fn sqrt_cubed(x: Array) -> Result<Array> {
    custom_root(
        |y: Array| &y * &y - x.powi(3),
        Array::from(1.0),
        |f, _guess| bisect(f, 0.0, 1000.0),
        // g is linear: g(y) = y g(1), so g(y) = b has the solution b / g(1).
        |g, b| Ok(b / g(Array::from(1.0))?),
    )
}

fn main() -> Result<()> {
    let x: f64 = 4.0;
    let at = || Array::from(x);
    let derivatives = [
        sqrt_cubed(at())?,
        grad(sqrt_cubed)(at())?,
        grad(grad(sqrt_cubed))(at())?,
        grad(grad(grad(sqrt_cubed)))(at())?,
        grad(grad(grad(grad(sqrt_cubed))))(at())?,
    ];
    println!("order   through bisection       closed form        difference");
    let (mut factor, mut power) = (1.0, 1.5);
    for (order, derivative) in derivatives.iter().enumerate() {
        let (value, closed) = (derivative.item::<f64>()?, factor * x.powf(power));
        println!("{order:>5} {value:>19.14} {closed:>17.14} {:>17.1e}", (value - closed).abs());
        if (value - closed).abs() > 1e-9 {
            return Err(Error::message(format!("the derivative of order {order} is wrong")));
        }
        factor *= power;
        power -= 1.0;
    }

    // Many points at once, compiled once. Each lane's bisection stops when it is done.
    let points = vec![0.25, 1.0, 4.0, 25.0, 90.0];
    let slopes = jit(vmap(grad(sqrt_cubed)));
    println!("\nslopes at {points:?}: {}", slopes(Array::from(points.clone()))?);
    let tracings = Counters::start();
    slopes(Array::from(vec![1.0, 2.0, 3.0, 4.0, 5.0]))?;
    println!("a second call traced {} functions and compiled {} programs", tracings.traces(), tracings.compiles());

    println!("\nthe program of the function:\n{}", program_of(sqrt_cubed, &at())?);
    println!("what runs for its slope:\n{}", compiled_program_of(grad(sqrt_cubed), &at())?);
    Ok(())
}
