//! A root found by a solver from another crate, differentiated and vectorized.
//!
//! `roots` knows nothing of arrays, traces or derivatives: it takes a Rust closure over `f64` and runs Brent's method.
//! [`host_call`] brings it into a program; [`custom_root`] gives what it finds the derivatives of the implicit function.
//!
//! The problem is Kepler's equation E − e sin E = M: the eccentric anomaly E of a planet from its mean anomaly M, which
//! grows evenly in time, and the eccentricity e of its orbit.
//!
//! ```text
//! cargo run --release --example native_solver
//! ```

use dini::prelude::*;
use roots::{SimpleConvergency, find_root_brent};

/// Kepler's equation, solved in plain Rust.
fn brent((mean, eccentricity): (Array, Array)) -> Result<Array> {
    let (mean, eccentricity) = (mean.item::<f64>()?, eccentricity.item::<f64>()?);
    let equation = |anomaly: f64| anomaly - eccentricity * anomaly.sin() - mean;
    let mut convergency = SimpleConvergency { eps: 1e-15, max_iter: 100 };
    // |e sin E| ≤ 1 brackets the root.
    let root = find_root_brent(mean - 1.5, mean + 1.5, equation, &mut convergency).map_err(Error::user)?;
    Ok(Array::from(root))
}

/// E as a function of M and e.
fn anomaly((mean, eccentricity): (Array, Array)) -> Result<Array> {
    custom_root(
        |anomaly: Array| &anomaly - &eccentricity * anomaly.sin() - &mean,
        mean.clone(),
        |_f, guess| host_call(brent, &guess, (mean.clone(), eccentricity.clone())),
        |g, b| Ok(b / g(Array::from(1.0))?),
    )
}

fn main() -> Result<()> {
    // Halley's comet a tenth of a period after perihelion.
    let (mean, eccentricity) = (0.628, 0.967);
    let at = || (Array::from(mean), Array::from(eccentricity));
    let (root, (by_mean, by_eccentricity)) = value_and_grad(anomaly)(at())?;
    let root = root.item::<f64>()?;
    println!("E = {root:.12}, off the equation by {:.1e}", root - eccentricity * root.sin() - mean);

    // From the equation, by hand: dE/dM = 1 / (1 − e cos E), dE/de = sin E / (1 − e cos E).
    let slope = 1.0 / (1.0 - eccentricity * root.cos());
    let by_hand = [slope, root.sin() * slope, -eccentricity * root.sin() * slope.powi(3)];
    let curvature = grad(|m: Array| grad(|m: Array| anomaly((m, Array::from(eccentricity))))(m))(Array::from(mean))?;
    for (name, derivative, expected) in
        [("dE/dM  ", by_mean, by_hand[0]), ("dE/de  ", by_eccentricity, by_hand[1]), ("d²E/dM²", curvature, by_hand[2])]
    {
        let derivative = derivative.item::<f64>()?;
        println!("{name} = {derivative:>18.12}, by hand {expected:>18.12}");
        if (derivative - expected).abs() > 1e-9 * expected.abs().max(1.0) {
            return Err(Error::message(format!("{name} is wrong")));
        }
    }

    // A whole orbit, compiled: one call into Rust serves all lanes, and the derivative needs none of its own.
    let times = Array::linspace(0.2, 6.0, 8);
    let of_time = |mean: Array| anomaly((mean, Array::from(eccentricity)));
    let velocities = jit(vmap(value_and_grad(of_time)));
    let calls = Counters::start();
    let (anomalies, slopes) = velocities(times)?;
    println!("\nE along the orbit: {anomalies}\ndE/dM along it:    {slopes}");
    println!("calls from the compiled program into Rust: {}", calls.calls_of("host_call"));
    Ok(())
}
