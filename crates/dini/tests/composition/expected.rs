//! Which compositions cannot exist. They fail with a missing rule; everything else has a value.

use super::transforms::Transform::{self, *};

/// The modes of differentiation that a function lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    pub forward: bool,
    pub reverse: bool,
}

impl Lacks {
    pub const NOTHING: Lacks = Lacks { forward: false, reverse: false };
    /// A loop of unknown length, a linear solve without a transposed solver.
    pub const REVERSE: Lacks = Lacks { forward: false, reverse: true };
    /// A `custom_vjp` without a forward rule.
    pub const FORWARD: Lacks = Lacks { forward: true, reverse: false };
}

/// Whether applying `chain` (innermost first) to a function that lacks modes must fail.
pub fn fails(mut lacks: Lacks, chain: &[Transform]) -> bool {
    for t in chain {
        match t {
            Grad | Vjp | Jacrev => {
                if lacks.reverse {
                    return true;
                }
                // What came out of a user's reverse rule is an expression like any other.
                lacks.forward = false;
            }
            Jvp | Linearize | Jacfwd => {
                if lacks.forward {
                    return true;
                }
            }
            CustomVjp => lacks.forward = true,
            // The rule of `custom_jvp` is the function's own forward derivative: an expression with the same gaps.
            Vmap | VmapPartly | Jit | Checkpoint | CustomJvp | Scan | Cond | Root | LinearSolve | Stopped => {}
        }
    }
    false
}
