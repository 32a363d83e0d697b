//! The AC power flow as a differentiable function: voltages as a function of loads and set-points.
//!
//! Kirchhoff's law at every bus is a system of equations g(x, parameters) = 0. Newton's method finds its root x, and
//! [`custom_root`] gives the root the derivatives of the implicit function, so that nothing here is differentiated by hand
//! and no iteration is differentiated at all.
//!
//! Everything is in units of the case's `base_mva` and in radians. Source of the equations: Zimmerman,
//! Murillo-Sánchez and Thomas, "MATPOWER: Steady-State Operations, Planning, and Analysis Tools for Power Systems Research
//! and Education", IEEE Transactions on Power Systems 26 (2011), section III.

use crate::case::{BusKind, Case};
use dini::prelude::*;

/// What the voltages are a function of: demand at every bus, and the magnitude that each controlled bus is held at.
#[derive(Clone, Tree)]
pub struct Parameters {
    pub p_demand: Array,
    pub q_demand: Array,
    pub set_points: Array,
}

/// The voltage of every bus.
#[derive(Clone, Tree)]
pub struct Voltages {
    pub magnitude: Array,
    pub angle: Array,
}

/// A complex number for each branch.
struct Complex {
    re: Array,
    im: Array,
}

/// A case as arrays, ready to compute with.
pub struct Network {
    /// Buses whose magnitude is held, in the order of [`Parameters::set_points`].
    pub controlled: Vec<usize>,
    /// The buses at the two ends of each branch.
    from: Array,
    to: Array,
    /// The currents into a branch are linear in the voltages of its ends; these are the four admittances.
    y_ff: Complex,
    y_ft: Complex,
    y_tf: Complex,
    y_tt: Complex,
    /// Shunts to ground, and what generators are told to feed in.
    g_shunt: Array,
    b_shunt: Array,
    p_generated: Array,
    q_generated: Array,
    slack_angle: Array,
    /// Where, among unknowns, slack angle and set-points, each bus finds its angle and its magnitude.
    angle_places: Array,
    magnitude_places: Array,
    /// The equations that hold, among those of active and of reactive power at every bus.
    equations: Array,
    n_unknowns: usize,
    n_angles: usize,
    parameters: Parameters,
}

fn floats(x: impl Iterator<Item = f64>) -> Array {
    Array::from(x.collect::<Vec<f64>>())
}

fn places(x: impl Iterator<Item = usize>) -> Array {
    Array::from(x.map(|i| i as i64).collect::<Vec<i64>>())
}

impl Network {
    pub fn new(case: &Case) -> Network {
        let n = case.buses.len();
        let is = |i: usize, kind: BusKind| case.buses[i].kind == kind;
        let base = case.base_mva;

        // Unknown are the angles of all buses but the slack, then the magnitudes of load buses.
        let free_angles: Vec<usize> = (0..n).filter(|&i| !is(i, BusKind::Slack)).collect();
        let free_magnitudes: Vec<usize> = (0..n).filter(|&i| is(i, BusKind::Load)).collect();
        let controlled: Vec<usize> = (0..n).filter(|&i| !is(i, BusKind::Load)).collect();
        let n_angles = free_angles.len();
        let n_unknowns = n_angles + free_magnitudes.len();
        let mut angle_places = vec![n_unknowns; n];
        for (place, &bus) in free_angles.iter().enumerate() {
            angle_places[bus] = place;
        }
        let mut magnitude_places = vec![0; n];
        for (place, &bus) in free_magnitudes.iter().chain(&controlled).enumerate() {
            // The slack's angle stands between the unknowns and the set-points.
            magnitude_places[bus] = n_angles + place + usize::from(place >= free_magnitudes.len());
        }

        let generated = |output: fn(&(f64, f64)) -> f64| {
            let mut sums = vec![0.0; n];
            for generator in &case.generators {
                sums[generator.bus] += output(&generator.output) / base;
            }
            Array::from(sums)
        };
        let set_point = |bus: usize| {
            let held = case.generators.iter().find(|g| g.bus == bus);
            held.map_or(case.buses[bus].published.0, |g| g.set_point)
        };
        let slack = case.buses.iter().find(|bus| bus.kind == BusKind::Slack);

        let r = floats(case.branches.iter().map(|b| b.r));
        let x = floats(case.branches.iter().map(|b| b.x));
        let half_charging = floats(case.branches.iter().map(|b| b.charging / 2.0));
        let ratio = floats(case.branches.iter().map(|b| b.ratio));
        let shift = floats(case.branches.iter().map(|b| b.shift.to_radians()));
        // The series admittance 1 / (r + jx), seen from the first end through a transformer of ratio t e^{jφ}.
        let z2 = &r * &r + &x * &x;
        let (g, b) = (&r / &z2, -&x / &z2);
        let (c, s) = (shift.cos() / &ratio, shift.sin() / &ratio);
        Network {
            controlled: controlled.clone(),
            from: places(case.branches.iter().map(|b| b.ends.0)),
            to: places(case.branches.iter().map(|b| b.ends.1)),
            y_ff: Complex { re: &g / (&ratio * &ratio), im: (&b + &half_charging) / (&ratio * &ratio) },
            y_ft: Complex { re: &b * &s - &g * &c, im: -(&b * &c + &g * &s) },
            y_tf: Complex { re: -(&g * &c + &b * &s), im: &g * &s - &b * &c },
            y_tt: Complex { re: g, im: b + half_charging },
            g_shunt: floats(case.buses.iter().map(|bus| bus.shunt.0 / base)),
            b_shunt: floats(case.buses.iter().map(|bus| bus.shunt.1 / base)),
            p_generated: generated(|output| output.0),
            q_generated: generated(|output| output.1),
            slack_angle: floats(slack.iter().map(|bus| bus.published.1.to_radians())),
            angle_places: places(angle_places.into_iter()),
            magnitude_places: places(magnitude_places.into_iter()),
            equations: places(free_angles.into_iter().chain(free_magnitudes.iter().map(|&i| n + i))),
            n_unknowns,
            n_angles,
            parameters: Parameters {
                p_demand: floats(case.buses.iter().map(|bus| bus.demand.0 / base)),
                q_demand: floats(case.buses.iter().map(|bus| bus.demand.1 / base)),
                set_points: floats(controlled.iter().map(|&bus| set_point(bus))),
            },
        }
    }

    /// Loads and set-points as the case gives them.
    pub fn parameters(&self) -> Parameters {
        self.parameters.clone()
    }

    /// The voltages that unknowns and set-points amount to: one gather puts each number in its place.
    fn voltages(&self, x: &Array, set_points: &Array) -> Voltages {
        let all = concatenate(&[x, &self.slack_angle, set_points], 0);
        Voltages { magnitude: all.take(&self.magnitude_places, 0), angle: all.take(&self.angle_places, 0) }
    }

    /// Active and reactive power into the branches, at their first and at their second ends: S = V · conj(I).
    fn flows(&self, v: &Voltages) -> [Array; 4] {
        let (from, to) = (v.magnitude.take(&self.from, 0), v.magnitude.take(&self.to, 0));
        let angle = v.angle.take(&self.from, 0) - v.angle.take(&self.to, 0);
        let (cos, sin) = (&from * &to * angle.cos(), &from * &to * angle.sin());
        let (from2, to2) = (&from * &from, &to * &to);
        [
            &from2 * &self.y_ff.re + &cos * &self.y_ft.re + &sin * &self.y_ft.im,
            &sin * &self.y_ft.re - &from2 * &self.y_ff.im - &cos * &self.y_ft.im,
            &to2 * &self.y_tt.re + &cos * &self.y_tf.re - &sin * &self.y_tf.im,
            -(&to2 * &self.y_tt.im) - &sin * &self.y_tf.re - &cos * &self.y_tf.im,
        ]
    }

    /// Power that is missing at each bus for Kirchhoff's law to hold: one scatter per end adds up the branches.
    fn mismatch(&self, v: &Voltages, parameters: &Parameters) -> Array {
        let [p_from, q_from, p_to, q_to] = self.flows(v);
        let v2 = &v.magnitude * &v.magnitude;
        let p = (&v2 * &self.g_shunt + &parameters.p_demand - &self.p_generated)
            .scatter_add(&self.from, &p_from)
            .scatter_add(&self.to, &p_to);
        let q = (&parameters.q_demand - &v2 * &self.b_shunt - &self.q_generated)
            .scatter_add(&self.from, &q_from)
            .scatter_add(&self.to, &q_to);
        concatenate(&[p, q], 0).take(&self.equations, 0)
    }

    /// The power flow: voltages as a function of loads and set-points.
    pub fn solve(&self, parameters: &Parameters) -> Result<Voltages> {
        // All magnitudes 1, all angles that of the slack.
        let angles = self.slack_angle.broadcast_to(&[self.n_angles]);
        let flat = concatenate(&[angles, Array::ones(&[self.n_unknowns - self.n_angles], DType::F64)], 0);
        let x = custom_root(
            |x: Array| self.mismatch(&self.voltages(&x, &parameters.set_points), parameters),
            flat,
            newton,
            // g is the Jacobian as a function: its columns are what it makes of unit vectors.
            |g, b| -> Result<Array> {
                let rows = vmap(g)(Array::eye(self.n_unknowns, DType::F64))?;
                Ok(solve(&rows.transpose(), &b))
            },
        )?;
        Ok(self.voltages(&x, &parameters.set_points))
    }

    /// Power that the branches turn into heat.
    pub fn losses(&self, v: &Voltages) -> Array {
        let [p_from, _, p_to, _] = self.flows(v);
        (p_from + p_to).sum()
    }
}

/// Newton's method: x ← x − J⁻¹ f(x) until no equation is off by more than 1e-11.
fn newton(f: &dyn Fn(Array) -> Result<Array>, guess: Array) -> Result<Array> {
    const MOST_STEPS: i64 = 20;
    let first = f(guess.clone())?;
    let (x, residual, _) = while_loop(
        |(_, residual, step): (Array, Array, Array)| residual.abs().amax().gt(1e-11) & step.lt(MOST_STEPS),
        |(x, residual, step): (Array, Array, Array)| -> Result<(Array, Array, Array)> {
            let x = &x - solve(&jacfwd(f)(x.clone())?, &residual);
            Ok((x.clone(), f(x)?, step + 1))
        },
        (guess, first, Array::from(0i64)),
    )?;
    let found = residual.abs().amax().lt(1e-8);
    ensure(&found, "Newton's method found no power flow: is the load too high, or a bus cut off?")?;
    Ok(x)
}
