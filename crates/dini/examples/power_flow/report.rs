//! What a study found, as tables for the terminal and as a picture.

use crate::{
    case::Case,
    network::Voltages,
    picture::{Mark, Panel, Series, draw},
    study::{LOSSES, Sensitivities, VOLTAGE},
    table::{Column, table},
};
use dini::prelude::*;
use std::f64::consts::PI;

/// The places of the largest numbers by a measure, largest first.
fn largest(count: usize, values: &[f64], measure: impl Fn(f64) -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| measure(values[b]).total_cmp(&measure(values[a])));
    order.truncate(count);
    order
}

/// A row of a derivative.
fn of(which: isize, derivative: &Array) -> Result<Vec<f64>> {
    derivative.index(which).to_vec()
}

/// The loads and the set-points that matter most, for the losses and for the lowest voltage.
pub fn tables(case: &Case, controlled: &[usize], voltages: &Voltages, sensitivities: &Sensitivities) -> Result<String> {
    let buses: Vec<f64> = case.buses.iter().map(|bus| bus.number as f64).collect();
    let demand: Vec<f64> = case.buses.iter().map(|bus| bus.demand.0).collect();
    let magnitude = voltages.magnitude.to_vec::<f64>()?;
    let degrees = (&voltages.angle * (180.0 / PI)).to_vec::<f64>()?;
    let weakest = case.buses[sensitivities.weakest].number;
    let by = &sensitivities.by;

    let (losses_p, losses_q) = (of(LOSSES, &by.p_demand)?, of(LOSSES, &by.q_demand)?);
    let mut text = "\nwhere one more MW of load costs most\n".to_string();
    text += &table(
        &largest(8, &losses_p, |x| x),
        &[
            Column { name: "bus", digits: 0, values: &buses },
            Column { name: "V [pu]", digits: 4, values: &magnitude },
            Column { name: "angle [°]", digits: 2, values: &degrees },
            Column { name: "load [MW]", digits: 1, values: &demand },
            Column { name: "losses [MW/MW]", digits: 4, values: &losses_p },
            Column { name: "[MW/MVAr]", digits: 4, values: &losses_q },
        ],
    );

    // Per 100 MW, not per unit of power: a number that one can picture.
    let per_100 = 100.0 / case.base_mva;
    let voltage_p = of(VOLTAGE, &(&by.p_demand * per_100))?;
    let voltage_q = of(VOLTAGE, &(&by.q_demand * per_100))?;
    text += &format!("\nwhich loads lower the voltage of bus {weakest}, the lowest that no generator holds\n");
    text += &table(
        &largest(5, &voltage_q, f64::abs),
        &[
            Column { name: "bus", digits: 0, values: &buses },
            Column { name: "V [pu]", digits: 4, values: &magnitude },
            Column { name: "[pu/100 MW]", digits: 4, values: &voltage_p },
            Column { name: "[pu/100 MVAr]", digits: 4, values: &voltage_q },
        ],
    );

    let losses_v = of(LOSSES, &(&by.set_points * (0.01 * case.base_mva)))?;
    let held: Vec<f64> = controlled.iter().map(|&bus| buses[bus]).collect();
    let set_points: Vec<f64> = controlled.iter().map(|&bus| magnitude[bus]).collect();
    text += "\nwhich set-points matter most\n";
    text += &table(
        &largest(5, &losses_v, f64::abs),
        &[
            Column { name: "bus", digits: 0, values: &held },
            Column { name: "V [pu]", digits: 4, values: &set_points },
            Column { name: "losses [MW/0.01 pu]", digits: 4, values: &losses_v },
            Column { name: &format!("V of bus {weakest} [pu/pu]"), digits: 4, values: &of(VOLTAGE, &by.set_points)? },
        ],
    );
    Ok(text)
}

/// Voltages before and after the descent, and the sensitivities at every bus.
pub fn picture(
    name: &str,
    case: &Case,
    before: &Voltages,
    after: &Voltages,
    sensitivities: &Sensitivities,
) -> Result<String> {
    let buses: Vec<u64> = case.buses.iter().map(|bus| bus.number).collect();
    let limits = case.buses[sensitivities.weakest].limits;
    let series = |name, color, mark, values| Series { name, color, mark, values };
    let per_100 = 100.0 / case.base_mva;
    let by = &sensitivities.by;
    let panels = [
        Panel {
            title: "Voltage magnitude, per unit".to_string(),
            series: vec![
                series("as given", "#5e81ac", Mark::Dots, before.magnitude.to_vec()?),
                series("with set-points of lower losses", "#8fae76", Mark::Dots, after.magnitude.to_vec()?),
            ],
            lines: vec![(limits.0, "lowest"), (limits.1, "highest")],
        },
        Panel {
            title: "Losses per load at the bus".to_string(),
            series: vec![
                series("MW per MW", "#5e81ac", Mark::Bars, of(LOSSES, &by.p_demand)?),
                series("MW per MVAr", "#d08770", Mark::Bars, of(LOSSES, &by.q_demand)?),
            ],
            lines: Vec::new(),
        },
        Panel {
            title: format!("Voltage of bus {} per load at the bus", buses[sensitivities.weakest]),
            series: vec![
                series("per unit per 100 MW", "#5e81ac", Mark::Bars, of(VOLTAGE, &(&by.p_demand * per_100))?),
                series("per unit per 100 MVAr", "#d08770", Mark::Bars, of(VOLTAGE, &(&by.q_demand * per_100))?),
            ],
            lines: Vec::new(),
        },
    ];
    Ok(draw(&format!("Power flow of case {name}"), &buses, &panels))
}
