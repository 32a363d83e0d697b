//! Dense linear algebra on row-major matrices: products, Cholesky and LU factorizations, triangular solves.
//!
//! Small systems are solved eight at a time, each in a lane (`small`). Large products go through `faer`, sequentially, and
//! larger factorizations through products, around blocks, panels and transposes of our own; matrix-vector work and few
//! right-hand sides through loops that walk rows contiguously. Every result is a function of its operands on a given
//! machine: no run-time tuning, and threads share out whole matrices, or rows of a product.
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
pub use dot::{DotPlan, dot};
pub use lu::lu;
pub use real::{Real, Ring};
pub use triangular::triangular_solve;
