//! Kernels on several threads: each takes ranges of points, or of rows of results, with registers of its own.

use super::{Base, TileProgram};
use crate::pool;
use std::cell::RefCell;

/// A piece of scratch space: a cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "only its place counts")] [u8; 64]);

thread_local! {
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(vec![]) };
}

/// Addresses that other threads may work with.
struct Shared<'a>(&'a [*mut u8]);

// SAFETY: what stands at the addresses is read by all, and written by each at points of its own.
unsafe impl Sync for Shared<'_> {}

impl TileProgram {
    /// The ranges that threads may take: how many units there are, how many of them go together, and how long one takes,
    /// in nanoseconds.
    fn units(&self) -> (usize, usize, f64) {
        match &self.reduction {
            Some(reduction) => {
                let n_rows = reduction.outer();
                (n_rows, 1, self.ns_per_point * (self.len / n_rows.max(1)) as f64)
            }
            None => (self.len, super::compile::MAX_TILE, self.ns_per_point),
        }
    }

    /// Whether several threads would end much sooner than one.
    pub(super) fn pays_for_threads(&self) -> bool {
        let (n_units, _, ns) = self.units();
        n_units > 1 && ns * n_units as f64 >= pool::WORTHWHILE && pool::num_threads() > 1
    }

    /// Runs over all points, on several threads.
    ///
    /// # Safety
    /// As for [`TileProgram::run`]; the bases are bound.
    pub(super) unsafe fn run_on_threads(&self, bases: &[*mut u8]) {
        let (n_units, together, ns) = self.units();
        let shared = Shared(bases);
        pool::for_ranges(n_units, together, ns, &|start, end| {
            let shared = &shared;
            SCRATCH.with_borrow_mut(|scratch| {
                let n_lines = self.scratch_bytes.div_ceil(size_of::<Line>());
                if scratch.len() < n_lines {
                    scratch.resize(n_lines, Line([0; 64]));
                }
                let place = |(base, &address): (&Base, &*mut u8)| match *base {
                    Base::Scratch { offset } => scratch.as_mut_ptr().cast::<u8>().wrapping_add(offset),
                    Base::Slot { .. } | Base::Row => address,
                };
                let mut bases: Vec<*mut u8> = self.bases.iter().zip(shared.0).map(place).collect();
                // SAFETY: promised by the caller; the scratch space is this thread's, and ranges do not overlap.
                unsafe {
                    self.begin(&bases);
                    match &self.reduction {
                        Some(reduction) => self.reduce(reduction, &mut bases, start..end),
                        None => self.run_points(&mut bases, start, end),
                    }
                }
            });
        });
    }
}
