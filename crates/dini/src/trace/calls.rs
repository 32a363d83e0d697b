//! The calls of users that are under way, for errors that show after these have returned.
//!
//! An error that passes through a call on its way to the user is noted there. A late error passes through nothing: it is an
//! equation, raised when the program runs. So it notes the calls that are under way when it is recorded.
//!
//! What outlives the calls under way must not depend on them unseen: a traced function that `jit` keeps is traced
//! [`apart`] from them, and a derived program that notes them, see [`noting`], is kept for these calls alone.

use crate::error::{Error, Loc, Result};
use std::cell::{Cell, RefCell};

type Call = (&'static str, Loc);

thread_local! {
    /// Innermost last. `None` hides those before it.
    static UNDER_WAY: RefCell<Vec<Option<Call>>> = const { RefCell::new(Vec::new()) };
    static NOTED: Cell<bool> = const { Cell::new(false) };
}

fn pushed<R>(call: Option<Call>, f: impl FnOnce() -> R) -> R {
    UNDER_WAY.with_borrow_mut(|calls| calls.push(call));
    let _guard = super::Finally(|| {
        UNDER_WAY.with_borrow_mut(|calls| calls.pop());
    });
    f()
}

/// Runs a part of a user's call to `name`: errors note it, those that it returns and late ones that it records. The panic of
/// a poisoned `shape()` becomes the error that it carries; others propagate unchanged.
pub(crate) fn during<R>(name: &'static str, at: Loc, f: impl FnOnce() -> Result<R>) -> Result<R> {
    pushed(Some((name, at)), || super::unpoisoned(f)).map_err(|e| e.inside(name, at))
}

/// Runs what makes something that serves later calls too: the calls under way are none of its business.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    pushed(None, f)
}

/// Says that what is being made notes the calls under way.
pub(crate) fn noted() {
    NOTED.set(true);
}

/// Whether what `f` makes notes the calls under way, after it.
pub(crate) fn noting<R>(f: impl FnOnce() -> R) -> (R, bool) {
    let before = NOTED.replace(false);
    let _guard = super::Finally(|| NOTED.set(before || NOTED.get()));
    let result = f();
    (result, NOTED.get())
}

/// Calls of users, innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Calls(Vec<Call>);

impl Calls {
    /// Those under way, to be noted in what is being made.
    pub(crate) fn to_note() -> Calls {
        noted();
        Calls::under_way()
    }

    /// Those under way.
    pub(crate) fn under_way() -> Calls {
        Calls(UNDER_WAY.with_borrow(|calls| calls.iter().rev().map_while(|call| *call).collect()))
    }

    /// Notes them in an error.
    pub(crate) fn note(&self, error: Error) -> Error {
        self.0.iter().fold(error, |error, (name, at)| error.inside(name, at))
    }
}
