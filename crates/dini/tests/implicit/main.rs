//! Implicit differentiation: every promise of its semantics, under every composition of transformations that matters, and
//! what it costs, counted.

mod cost;
mod harness;
mod linear;
mod scalar;
mod systems;
