//! Counters of what the engine did on the calling thread: always on, a few adds per kernel.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

/// Totals of one thread since it started; subtract two snapshots to measure a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernels launched (one per elementwise or reduction loop nest, and per built-in operation).
    pub kernels: u64,
    /// Of these, kernels that wrote their results past the caches.
    pub kernels_past_caches: u64,
    /// Bytes allocated for buffers.
    pub bytes_allocated: u64,
    /// Calls of each library or host function, by [`crate::graph::Call::name`].
    pub calls: BTreeMap<&'static str, u64>,
}

thread_local! {
    static KERNELS: Cell<u64> = const { Cell::new(0) };
    static KERNELS_PAST_CACHES: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    // Few distinct names: a scan of a short list beats a map.
    static CALLS: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
}

/// The totals of the calling thread.
pub fn snapshot() -> Counters {
    Counters {
        kernels: KERNELS.get(),
        kernels_past_caches: KERNELS_PAST_CACHES.get(),
        bytes_allocated: BYTES.get(),
        calls: CALLS.with_borrow(|calls| calls.iter().copied().collect()),
    }
}

impl Counters {
    /// What was counted between an earlier snapshot and this one; names without a call are left out.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let calls = self.calls.iter().filter_map(|(&name, &n)| {
            let n = n - earlier.calls.get(name).copied().unwrap_or(0);
            (n > 0).then_some((name, n))
        });
        Counters {
            kernels: self.kernels - earlier.kernels,
            kernels_past_caches: self.kernels_past_caches - earlier.kernels_past_caches,
            bytes_allocated: self.bytes_allocated - earlier.bytes_allocated,
            calls: calls.collect(),
        }
    }
}

#[inline]
pub(crate) fn add_kernels(n: u64) {
    KERNELS.set(KERNELS.get() + n);
}

pub(crate) fn add_kernels_past_caches(n: u64) {
    KERNELS_PAST_CACHES.set(KERNELS_PAST_CACHES.get() + n);
}

#[inline]
pub(crate) fn add_bytes(n: u64) {
    BYTES.set(BYTES.get() + n);
}

pub(crate) fn add_calls(name: &'static str, times: u64) {
    CALLS.with_borrow_mut(|calls| match calls.iter_mut().find(|(known, _)| *known == name) {
        Some((_, n)) => *n += times,
        None => calls.push((name, times)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_subtract() {
        add_calls("before", 1);
        let start = snapshot();
        add_kernels(2);
        add_kernels_past_caches(1);
        add_bytes(64);
        add_calls("solve", 1);
        add_calls("solve", 1);
        let counted = snapshot().since(&start);
        assert_eq!((counted.kernels, counted.kernels_past_caches, counted.bytes_allocated), (2, 1, 64));
        assert_eq!(counted.calls, BTreeMap::from([("solve", 2)]));
    }
}
