//! Counters of what the library did on this thread: for tests, and for users who want to know.

use std::{cell::Cell, collections::BTreeMap};

thread_local! {
    static TRACES: Cell<u64> = const { Cell::new(0) };
    static COMPILES: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn count_trace() {
    TRACES.set(TRACES.get() + 1);
}

pub(crate) fn count_compile() {
    COMPILES.set(COMPILES.get() + 1);
}

/// What happened on the calling thread since a [`Counters::start`].
///
/// ```
/// use dini::{prelude::*, Counters};
/// let f = jit(|x: Array| x.sin());
/// f(Array::from(1.0))?;
/// let counters = Counters::start();
/// f(Array::from(2.0))?;
/// assert_eq!((counters.traces(), counters.compiles()), (0, 0));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Counters {
    traces: u64,
    compiles: u64,
    engine: dini_cpu::counters::Counters,
}

impl Counters {
    /// Counts from now on.
    pub fn start() -> Counters {
        Counters { traces: TRACES.get(), compiles: COMPILES.get(), engine: dini_cpu::counters::snapshot() }
    }

    /// Functions traced by `jit`.
    pub fn traces(&self) -> u64 {
        TRACES.get() - self.traces
    }

    /// Programs compiled.
    pub fn compiles(&self) -> u64 {
        COMPILES.get() - self.compiles
    }

    fn engine(&self) -> dini_cpu::counters::Counters {
        dini_cpu::counters::snapshot().since(&self.engine)
    }

    /// Kernels run.
    pub fn kernels(&self) -> u64 {
        self.engine().kernels
    }

    /// Bytes allocated for arrays.
    pub fn bytes_allocated(&self) -> u64 {
        self.engine().bytes_allocated
    }

    /// Library and host calls by name: `"cholesky"`, `"triangular_solve"`, `"host_call"`, …
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.engine().calls
    }

    /// Number of calls of one name.
    pub fn calls_of(&self, name: &str) -> u64 {
        self.calls().get(name).copied().unwrap_or(0)
    }

    /// Matrix factorizations computed.
    pub fn factorizations(&self) -> u64 {
        ["cholesky", "lu", "qr", "eigh", "svd"].iter().map(|n| self.calls_of(n)).sum()
    }
}
