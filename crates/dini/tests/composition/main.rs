//! The composition matrix: every pair and triple of transformations over every higher-order primitive, at run time.
//!
//! A function is a [`flat::Flat`], transformations map flat functions to flat functions of the same types, and each one is
//! written once (`transforms`). Every base function (`bases`) uses one higher-order primitive and has a partner built from
//! elementwise operations alone. A composition is right if it agrees with the same composition of the partner, in which
//! `jit` and `checkpoint` are left out, `vmap` is a loop over lanes and wrappers are the identity. Entries that cannot exist
//! must fail with a missing rule (`expected`), never with a number.
//!
//! `closures` holds the other half: the callables of every higher-order function capture values of every enclosing
//! transformation.

mod bases;
mod closures;
mod expected;
mod flat;
mod matrix;
mod rules;
mod solves;
mod transforms;
