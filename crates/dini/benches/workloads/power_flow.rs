//! The power flow of the IEEE 118-bus case, by the network of the example `power_flow`.

use crate::{
    case,
    inputs::uniform,
    network::{Network, Parameters},
    workload::{Prepared, Workload, call},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload::new("power-flow/value", || {
            let network = ieee_118()?;
            let parameters = network.parameters();
            call(jit(move |p: Parameters| losses(&network, &p)), parameters)
        }),
        Workload::new("power-flow/gradient", || {
            let network = ieee_118()?;
            let parameters = network.parameters();
            call(jit(grad(move |p: Parameters| losses(&network, &p))), parameters)
        }),
        Workload::new("power-flow/scenarios", scenarios),
        Workload::new("power-flow/lu", || {
            let n = 181;
            let system = (uniform(24, &[n, n], -1.0, 1.0), uniform(25, &[n], -1.0, 1.0));
            call(jit(|(a, b): (Array, Array)| solve(&a, &b)), system)
        }),
    ]
}

fn ieee_118() -> Result<Network> {
    let text = include_str!("../../examples/data/case118.m");
    Ok(Network::new(&case::parse("case118.m", text).map_err(Error::user)?))
}

fn losses(network: &Network, parameters: &Parameters) -> Result<Array> {
    Ok(network.losses(&network.solve(parameters)?))
}

/// Losses and their gradient for 1,000 loads, each bus between 80 % and 120 % of its own, 25 of them at once.
fn scenarios() -> Result<Box<dyn Prepared>> {
    let network = ieee_118()?;
    let at = network.parameters();
    let n = at.p_demand.len();
    let scenario = move |scale: Array| {
        let (p_demand, q_demand) = (&at.p_demand * &scale, &at.q_demand * &scale);
        value_and_grad(|p: Parameters| losses(&network, &p))(Parameters { p_demand, q_demand, ..at.clone() })
    };
    let lanes = jit(vmap(scenario));
    call(
        move |scales: Vec<Array>| scales.into_iter().map(&lanes).collect::<Result<Vec<_>>>(),
        uniform(23, &[40, 25, n], 0.8, 1.2).split(40, 0).iter().map(|x| x.squeeze(0)).collect(),
    )
}
