//! What a user sees after a mistake: every message as a snapshot, in which each place that it names is replaced by the
//! source text that stands there. So a snapshot shows at once whether the line to blame is the user's.
//!
//! Invariant: no message names a file of the library itself.

#[path = "errors/closures.rs"]
mod closures;
#[path = "errors/composed.rs"]
mod composed;
#[path = "errors/control.rs"]
mod control;
#[path = "errors/escape.rs"]
mod escape;
#[path = "errors/implicit.rs"]
mod implicit;
#[path = "errors/late.rs"]
mod late;
#[path = "errors/operators.rs"]
mod operators;
#[path = "errors/support.rs"]
mod support;
#[path = "errors/transforms.rs"]
mod transforms;
