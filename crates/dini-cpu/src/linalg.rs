//! Dense linear algebra on row-major matrices: products, Cholesky, LU and LDU factorizations, triangular solves.
//!
//! Small systems and products are computed eight at a time, each in a lane (`small`). Large products (`matmul`) and
//! factorizations work on blocks in registers (`block`): sums that run from their first product to their last, so that
//! neither blocks nor threads change a bit. Matrix-vector work and few right-hand sides go through loops that walk rows
//! contiguously. Every result is a function of its operands on a given machine: no run-time tuning.
//!
//! Platform-specific code is in `transpose` and `vector` alone.
//!
//! Invariant: no input value panics or hangs. Shapes are the caller's business and are asserted.
//!
//! Invariant: factors and solutions of a matrix do not depend on its neighbours in a batch, nor on where a batch is cut.
//! Machine code for single small systems (`jit/single/linalg.rs`) does the operations of `small` in its order.

mod block;
mod cholesky;
mod dot;
mod ldu;
mod loops;
mod lu;
mod matmul;
mod parts;
mod real;
mod scratch;
mod small;
mod transpose;
mod triangular;
mod vector;

pub use cholesky::cholesky;
pub(crate) use cholesky::cholesky_lower;
pub use dot::{DotPlan, dot};
pub use ldu::{LduMut, ldu};
pub use lu::lu;
pub use real::{Real, Ring};
pub(crate) use transpose::{LANES, runs_to_columns};
pub use triangular::triangular_solve;
