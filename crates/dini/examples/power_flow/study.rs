//! What is asked of a power flow: is it the published one, what do losses and voltages depend on, for this load and for
//! many, and which set-points lose less.

use crate::{
    case::{self, Case},
    network::{Network, Parameters, Voltages},
};
use dini::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use std::{error::Error as StdError, time::Instant};

/// Results of this program: errors of the library, of case files, of the terminal.
pub type Outcome<T> = Result<T, Box<dyn StdError>>;

/// A case, its network, and its power flow.
pub struct Study {
    pub name: String,
    pub case: Case,
    pub network: Network,
    pub voltages: Voltages,
    solution: Option<&'static str>,
}

/// Rows of [`Sensitivities::by`]: of the losses (per unit), and of the magnitude at the weakest bus.
pub const LOSSES: isize = 0;
pub const VOLTAGE: isize = 1;

/// Derivatives of two quantities with respect to every parameter.
pub struct Sensitivities {
    /// Of the buses whose voltage is not held, the one where it is lowest.
    pub weakest: usize,
    /// For each parameter, a row for each quantity.
    pub by: Parameters,
}

impl Study {
    pub fn new(name: &str) -> Outcome<Study> {
        let (case, solution) = match bundled(name) {
            Some((text, solution)) => (case::parse(&format!("case{name}.m"), text)?, Some(solution)),
            None => (case::read(name.as_ref())?, None),
        };
        let network = Network::new(&case);
        let voltages = network.solve(&network.parameters())?;
        Ok(Study { name: name.to_string(), case, network, voltages, solution })
    }

    /// How far the voltages are from the published ones, rounded and at full precision.
    pub fn compare_with_published(&self) -> Outcome<()> {
        let magnitude = self.voltages.magnitude.to_vec::<f64>()?;
        let angle = self.voltages.angle.to_vec::<f64>()?;
        let furthest = |reference: &[(f64, f64)]| {
            reference.iter().zip(&magnitude).zip(&angle).fold((0.0_f64, 0.0_f64), |(pu, degrees), ((r, m), a)| {
                (pu.max((r.0 - m).abs()), degrees.max((r.1 - a.to_degrees()).abs()))
            })
        };
        let losses = self.network.losses(&self.voltages).item::<f64>()? * self.case.base_mva;
        let (n_buses, n_branches) = (self.case.buses.len(), self.case.branches.len());
        println!("case {}: {n_buses} buses, {n_branches} branches, losses {losses:.3} MW", self.name);
        let rounded: Vec<(f64, f64)> = self.case.buses.iter().map(|bus| bus.published).collect();
        let (pu, degrees) = furthest(&rounded);
        println!("  off the rounded voltages in the case file by {pu:.4} pu and {degrees:.3}° at most");
        if let Some(solution) = self.solution {
            let (pu, degrees) = furthest(&solution_of(solution)?);
            println!("  off the solution at full precision by {pu:.0e} pu and {degrees:.0e}° at most");
            if pu.max(degrees) > 1e-8 {
                return Err(format!("case {}: the power flow is not the published one", self.name).into());
            }
        }
        Ok(())
    }

    /// The losses, and the magnitude of one voltage.
    fn quantities(&self, bus: usize, parameters: &Parameters) -> Result<Array> {
        let v = self.network.solve(parameters)?;
        Ok(stack(&[self.network.losses(&v), v.magnitude.index(bus as isize)], 0))
    }

    /// Two rows of derivatives: one power flow, and two linear systems with one matrix.
    pub fn sensitivities(&self) -> Outcome<Sensitivities> {
        let magnitude = self.voltages.magnitude.to_vec::<f64>()?;
        let free = (0..magnitude.len()).filter(|bus| !self.network.controlled.contains(bus));
        let weakest = free.min_by(|&a, &b| magnitude[a].total_cmp(&magnitude[b])).ok_or("every voltage is held")?;
        let quantities = |p: Parameters| self.quantities(weakest, &p);
        Ok(Sensitivities { weakest, by: jit(jacrev(quantities))(self.network.parameters())? })
    }

    /// Every derivative against a central difference of two power flows.
    pub fn check_by_differences(&self, sensitivities: &Sensitivities) -> Outcome<()> {
        const STEP: f64 = 1e-5;
        let at = self.network.parameters();
        let started = Instant::now();
        let furthest = |derivative: &Array, moved: &dyn Fn(Array) -> Parameters| -> Result<f64> {
            let steps = Array::eye(derivative.shape()[1], DType::F64) * STEP;
            let difference = |step: Array| -> Result<Array> {
                let quantities = |p: Parameters| self.quantities(sensitivities.weakest, &p);
                Ok((quantities(moved(step.clone()))? - quantities(moved(-step))?) / (2.0 * STEP))
            };
            let differences = jit(|steps: Array| map(difference, steps))(steps)?;
            (differences.transpose() - derivative).abs().amax().item()
        };
        let by = &sensitivities.by;
        let gaps = [
            furthest(&by.p_demand, &|step| Parameters { p_demand: &at.p_demand + step, ..at.clone() })?,
            furthest(&by.q_demand, &|step| Parameters { q_demand: &at.q_demand + step, ..at.clone() })?,
            furthest(&by.set_points, &|step| Parameters { set_points: &at.set_points + step, ..at.clone() })?,
        ];
        println!(
            "\nderivatives are off finite differences by {:.0e} (loads, P), {:.0e} (loads, Q), {:.0e} (set-points) at most; \
             {:.1} s",
            gaps[0],
            gaps[1],
            gaps[2],
            started.elapsed().as_secs_f64()
        );
        if gaps.iter().any(|gap| gap.is_nan() || *gap > 1e-5) {
            return Err("derivatives and finite differences disagree".into());
        }
        Ok(())
    }

    /// Losses, their derivatives and the lowest voltage for many loads, each bus between 80 % and 120 % of its own.
    pub fn scenarios(&self, count: usize) -> Outcome<()> {
        // Enough to keep the overhead of a call small, few enough to stay within the processor's caches.
        const AT_ONCE: usize = 25;
        if count == 0 {
            return Ok(());
        }
        let at = self.network.parameters();
        let flow = |p: Parameters| -> Result<(Array, Array)> {
            let v = self.network.solve(&p)?;
            Ok((self.network.losses(&v), v.magnitude.amin()))
        };
        let scenario = |scale: Array| {
            let (p_demand, q_demand) = (&at.p_demand * &scale, &at.q_demand * &scale);
            value_and_grad_with_aux(flow)(Parameters { p_demand, q_demand, ..at.clone() })
        };
        let scenarios = jit(vmap(scenario));

        let started = Instant::now();
        let style = ProgressStyle::with_template("scenarios {bar:40} {pos}/{len} ({eta} left)")?;
        let bar = ProgressBar::new(count as u64).with_style(style);
        let n = self.case.buses.len();
        let mut random = Random(118);
        let mut losses = Vec::new();
        let mut lowest = f64::INFINITY;
        let mut marginal = Array::zeros(&[n], DType::F64);
        while losses.len() < count {
            let lanes = AT_ONCE.min(count - losses.len());
            let scales = (0..lanes * n).map(|_| 0.8 + 0.4 * random.next()).collect();
            let ((loss, voltage), slopes) = scenarios(Array::new(scales, &[lanes, n]))?;
            losses.extend(loss.to_vec::<f64>()?);
            lowest = voltage.to_vec()?.into_iter().fold(lowest, f64::min);
            marginal += slopes.p_demand.sum_axis(0);
            bar.inc(lanes as u64);
        }
        bar.finish_and_clear();
        losses.sort_by(f64::total_cmp);
        let quantile = |q: f64| losses[((count - 1) as f64 * q) as usize] * self.case.base_mva;
        let marginal = (marginal / count as f64).to_vec::<f64>()?;
        let worst = (0..n).max_by(|&a, &b| marginal[a].total_cmp(&marginal[b])).unwrap_or_default();
        println!("\n{count} load scenarios, each with its derivatives: {:.1} s", started.elapsed().as_secs_f64());
        println!(
            "  losses {:.2}, {:.2}, {:.2} MW (5 %, median, 95 %); lowest voltage {lowest:.4} pu",
            quantile(0.05),
            quantile(0.5),
            quantile(0.95)
        );
        let number = self.case.buses[worst].number;
        println!("  one more MW costs most at bus {number}, on average {:.4} MW of losses", marginal[worst]);
        Ok(())
    }

    /// Projected gradient descent on the set-points; returns the voltages that it arrives at.
    ///
    /// Set-points stay within the limits of their buses. Load buses are drawn within theirs by a penalty, and no step is
    /// taken that leaves limits by more than before.
    pub fn lower_losses(&self) -> Outcome<Voltages> {
        const STEPS: usize = 10;
        const PENALTY: f64 = 100.0;
        const SLACK: f64 = 1e-4;
        let at = self.network.parameters();
        let limits = |of: fn(&case::Bus) -> f64| Array::from(self.case.buses.iter().map(of).collect::<Vec<_>>());
        let (low, high) = (limits(|bus| bus.limits.0), limits(|bus| bus.limits.1));
        let excess = |v: &Voltages| ((&v.magnitude - &high).max(0.0) + (&low - &v.magnitude).max(0.0)).check().cloned();
        let objective =
            jit(value_and_grad_with_aux(|set_points: Array| -> Result<(Array, (Array, Array, Voltages))> {
                let v = self.network.solve(&Parameters { set_points, ..at.clone() })?;
                let (losses, excess) = (self.network.losses(&v), excess(&v)?);
                Ok((&losses + (&excess * &excess).sum() * PENALTY, (losses, excess.amax(), v)))
            }));
        // What counts of a point: the objective, losses in MW, the largest excess, voltages, and the slope.
        let look = |set_points: &Array| -> Result<(f64, f64, f64, Voltages, Array)> {
            let ((value, (losses, excess, v)), slope) = objective(set_points.clone())?;
            Ok((value.item()?, losses.item::<f64>()? * self.case.base_mva, excess.item()?, v, slope))
        };
        let held = Array::from(self.network.controlled.iter().map(|&bus| bus as i64).collect::<Vec<_>>());
        let within = |set_points: Array| set_points.clamp(low.take(&held, 0), high.take(&held, 0));

        let (_, losses, excess, ..) = look(&at.set_points)?;
        println!("\nlosses as given: {losses:.3} MW, voltages up to {excess:.4} pu beyond their limits");
        let mut set_points = within(at.set_points.clone());
        let (mut value, mut losses, mut excess, mut voltages, mut slope) = look(&set_points)?;
        print!("  set-points within limits, then gradient descent: {losses:.3}");
        let mut rate = 0.05;
        for _ in 0..STEPS {
            // Shorter and shorter steps until one helps.
            let better = loop {
                let next = within(&set_points - &slope * rate);
                let found = look(&next)?;
                if found.0 < value && found.2 <= excess.max(SLACK) {
                    break Some((next, found));
                }
                rate *= 0.5;
                if rate < 1e-6 {
                    break None;
                }
            };
            let Some((next, found)) = better else { break };
            let gained = losses - found.1;
            set_points = next;
            (value, losses, excess, voltages, slope) = found;
            print!(" → {losses:.3}");
            if gained.abs() < 1e-3 {
                break;
            }
            rate *= 1.5;
        }
        println!(" MW, up to {excess:.4} pu beyond");
        Ok(voltages)
    }
}

/// The text of a bundled case, and its voltages at full precision.
fn bundled(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "14" => Some((include_str!("../data/case14.m"), include_str!("../data/case14.solution.csv"))),
        "57" => Some((include_str!("../data/case57.m"), include_str!("../data/case57.solution.csv"))),
        "118" => Some((include_str!("../data/case118.m"), include_str!("../data/case118.solution.csv"))),
        _ => None,
    }
}

/// Magnitude and angle (degrees) of each bus of a solution file.
fn solution_of(text: &str) -> Outcome<Vec<(f64, f64)>> {
    let mut voltages = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [_, magnitude, degrees] = cells[..] else { return Err(format!("`{line}` is no solution").into()) };
        voltages.push((magnitude.parse()?, degrees.parse()?));
    }
    Ok(voltages)
}

/// Numbers in [0, 1) that are the same on every run. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
