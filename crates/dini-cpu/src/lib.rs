//! The embedded CPU engine of `dini`: tensor graphs become fused kernels and a schedule, and run.
//!
//! Invariant: this crate knows nothing of tracing and derivatives. All `unsafe` of the workspace lives here.

pub mod buffer;
pub mod counters;
pub mod dtype;
mod element;
mod executable;
mod executor;
pub mod explain;
mod fuse;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod graph;
mod interp;
pub mod interrupt;
#[cfg(all(target_arch = "x86_64", unix))]
mod jit;
#[cfg(not(all(target_arch = "x86_64", unix)))]
#[path = "jit/absent.rs"]
mod jit;
mod kernel;
pub mod linalg;
pub mod math;
mod pool;
pub mod scalar;
mod schedule;
mod tiers;

pub use executable::{Executable, RunError};
pub use executor::{CompileOptions, Executor, Timing};
pub use pool::{num_threads, set_num_threads};
