//! Precompiled loops for every [`ScalarOp`] and element type, and the scalar functions behind them.
//!
//! [`kernel`] resolves an operation and its operand types once to a [`Kernel`], whose call goes straight into one
//! monomorphic loop; [`apply`] does both at once. Operands may be single elements that are read for every result.
//!
//! Invariant: a result depends on the operands' values alone. The loops are compiled for several instruction sets and
//! chosen at run time, so nothing here uses fused multiply-add or the platform's math library, and the same bits come
//! out on every machine. No input panics; only a slice of the wrong type or length does.

mod arithmetic;
mod cast;
mod elementary;
mod error_function;
mod exponential;
mod gamma;
mod hyperbolic;
mod kernel;
pub(crate) mod level;
mod logarithm;
mod loops;
mod power;
#[expect(dead_code, reason = "the functions move over to it one by one")]
pub(crate) mod real;
mod slice;
mod trigonometric;

pub use kernel::{Kernel, apply, kernel};
pub use slice::{Scalar, Slice, SliceMut};

#[cfg(doc)]
use crate::scalar::ScalarOp;
