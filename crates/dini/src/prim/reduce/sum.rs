//! Sums over axes.

use super::{is_number, reduction, spread};
use crate::prim::{Jvp, Operands, Transpose};
use dini_cpu::graph::Combine;

reduction! {
    /// Σ x over axes, in a fixed order
    ReduceSum "reduce_sum" = Combine::Add, admits: (is_number, "a number"), jvp: Jvp::Linear(Operands::All),
        // Each element counts once: x̄ = ȳ at every place of its slice.
        transpose: Transpose::By(|p, ct, xs| {
            Ok(vec![ct[0].as_ref().map(|ct| spread(ct, &p.axes, &xs[0].aval()))])
        }),
        samples: [
            ([0], "f64[4]"),
            ([0, 2], "f64[2,3,2]"),
            ([1], "f32[2,3]"),
            ([], "f64[2]"),
            ([0], "f64[0,3]"),
            ([1], "i32[2,3]"),
        ]
}
