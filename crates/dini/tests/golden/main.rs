//! Everything stored in `tests/golden` by `cargo run -p xtask -- golden`, compared with what this library computes: values
//! and derivatives, evaluated operation by operation and compiled.
//!
//! Invariant: every record of every file is consumed. A record without a transcription fails its test, and so does a
//! transcription without a record; what is left out on purpose stands in a table with its reason (`elementwise::EXEMPT`,
//! `operations::OUTSIDE`).

mod control_flow;
mod elementwise;
mod implicit;
mod linalg;
mod operations;
mod programs;
mod record;
mod structural;
