//! What users call: thin, documented functions over the primitives.
//!
//! Operations that take no closure never panic and never return `Result`: a failing one gives a poisoned array that
//! carries the error. Operations that take closures return `Result`.

pub(crate) mod control;
pub(crate) mod elementwise;
pub(crate) mod host;
pub(crate) mod index;
pub(crate) mod linalg;
mod operators;
pub(crate) mod reduce;
pub(crate) mod structural;

pub(crate) use elementwise::{clamp_index, polygamma, select, select_lanes, stop_gradient, taken_lanes};
pub(crate) use reduce::*;
pub(crate) use structural::*;
