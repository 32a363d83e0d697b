//! Reads and sums at places that only the data know.

use crate::{
    inputs::{places, uniform},
    workload::{Workload, call},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    const N: usize = 1_000_000;
    let x = || (uniform(13, &[N], 0.0, 1.0), places(14, N));
    vec![
        Workload::new("gather/1e6", move || call(jit(|(x, at): (Array, Array)| x.take(&at, 0)), x())),
        Workload::new("scatter-add/1e6", move || {
            call(jit(|(x, at): (Array, Array)| zeros_like(&x).scatter_add(&at, &x)), x())
        }),
    ]
}
