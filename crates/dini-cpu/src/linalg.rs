//! Dense linear algebra on row-major matrices: products, Cholesky and LU factorizations, triangular solves.
//!
//! Large problems go through `faer`, sequentially; matrix-vector work, few right-hand sides and small sizes through
//! loops of our own, which walk rows contiguously. Every result is a function of its operands on a given machine: no
//! threads, no run-time tuning.
//!
//! Invariant: no input value panics or hangs. Shapes are the caller's business and are asserted.

mod cholesky;
mod dot;
mod loops;
mod lu;
mod real;
mod small;
mod transpose;
mod triangular;

pub use cholesky::cholesky;
pub use dot::{DotPlan, dot};
pub use lu::lu;
pub use real::{Real, Ring};
pub use triangular::triangular_solve;
