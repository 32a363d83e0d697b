//! The embedded CPU engine of `dini`: tensor graphs become fused kernels and a schedule, and run.
//!
//! Invariant: this crate knows nothing of tracing and derivatives. All `unsafe` of the workspace lives here.

pub mod buffer;
pub mod dtype;
pub mod graph;
pub mod scalar;
