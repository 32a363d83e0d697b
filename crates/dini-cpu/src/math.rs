//! Precompiled loops for every [`ScalarOp`] and element type, and the scalar functions behind them.
//!
//! [`kernel`] resolves an operation and its operand types once to a [`Kernel`], whose call goes straight into one
//! monomorphic loop; [`apply`] does both at once. Operands may be single elements that are read for every result.
//!
//! Elementary functions are written once, over the value of one lane (`real.rs`), for both precisions; the largest errors
//! stand in `docs/accuracy.md`.
//!
//! Invariant: a result depends on the operands' values alone. The loops are compiled for several instruction sets and
//! chosen at run time, so a multiply-add is fused where a function says so and nowhere else, nothing uses the platform's
//! elementary functions, and the same bits come out on every machine. No input panics; only a slice of the wrong type or
//! length does.

mod arithmetic;
mod cast;
mod elementary;
mod error_function;
mod exponential;
#[allow(dead_code, reason = "only a compiler asks, which not every machine has")]
pub(crate) mod function;
mod gamma;
mod hyperbolic;
mod inverse_trigonometric;
mod kernel;
pub(crate) mod level;
mod logarithm;
mod loops;
mod polygamma;
mod power;
pub(crate) mod real;
mod remainder;
mod root;
mod slice;
mod trigonometric;

pub use kernel::{Kernel, apply, kernel};
pub use slice::{Scalar, Slice, SliceMut};

#[cfg(doc)]
use crate::scalar::ScalarOp;
