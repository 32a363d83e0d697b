//! Kernels on several threads: each takes ranges of points, of what is reduced independently, or of stretches of what
//! combines to the same results, with registers of its own.

use super::{Base, TileProgram, reduction::Stretches};
use crate::{interp::frame::Addresses, interp::reduce::Cascade, pool};
use std::cell::RefCell;

/// A piece of scratch space: a cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "only its place counts")] [u8; 64]);

thread_local! {
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(vec![]) };
}

/// Calls `work` with scratch space of this thread's.
pub(super) fn with_scratch<R>(bytes: usize, work: impl FnOnce(*mut u8) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        let n_lines = bytes.div_ceil(size_of::<Line>());
        if scratch.len() < n_lines {
            scratch.resize(n_lines, Line([0; 64]));
        }
        work(scratch.as_mut_ptr().cast())
    })
}

/// What threads take: how many units there are, how many of them go together at least, and how long one takes, in
/// nanoseconds.
struct Units {
    n: usize,
    together: usize,
    ns: f64,
    /// The units, unless they are points or what is reduced independently.
    stretches: Option<Stretches>,
}

impl TileProgram {
    fn units(&self) -> Units {
        let stretches = self.reduction.as_ref().and_then(|reduction| reduction.stretches());
        let (n, together) = match (&self.reduction, stretches) {
            (None, _) => (self.len, super::compile::MAX_TILE),
            (Some(_), Some(stretches)) => (stretches.n, 1),
            (Some(reduction), None) => (reduction.n_units(), reduction.units_together()),
        };
        Units { n, together, ns: self.ns() / n.max(1) as f64, stretches }
    }

    /// About how long the kernel takes.
    pub fn ns(&self) -> f64 {
        self.ns_per_point * self.len as f64
    }

    /// Whether several threads would end much sooner than one.
    pub(super) fn pays_for_threads(&self) -> bool {
        self.ns() >= pool::WORTHWHILE && pool::num_threads() > 1 && self.units().n > 1
    }

    /// Runs over all points, on several threads.
    ///
    /// # Safety
    /// As for [`TileProgram::run`]; the bases are bound.
    pub(super) unsafe fn run_on_threads(&self, bases: &mut [*mut u8]) {
        let Units { n, together, ns, stretches } = self.units();
        let shared = Addresses(bases);
        pool::for_ranges(n, together, ns, &|start, end| {
            let shared = &shared;
            with_scratch(self.scratch_bytes, |scratch| {
                let place = |(base, &address): (&Base, &*mut u8)| match *base {
                    Base::Scratch { offset } => scratch.wrapping_add(offset),
                    Base::Slot { .. } | Base::Shared { .. } | Base::Row | Base::Choice => address,
                };
                let mut bases: Vec<*mut u8> = self.bases.iter().zip(shared.0).map(place).collect();
                // SAFETY: promised by the caller; the scratch space is this thread's, and ranges do not overlap.
                unsafe {
                    self.begin(&bases);
                    match (&self.reduction, stretches) {
                        (None, _) => self.run_points(&mut bases, start, end),
                        (Some(reduction), None) => self.reduce(reduction, &mut bases, start..end),
                        (Some(reduction), Some(stretches)) => {
                            for stretch in start..end {
                                let all = stretches.tiles(reduction, stretch);
                                let tiles = all.tiles.clone();
                                self.reduce_tiles(reduction, &mut bases, tiles, &all, &mut Cascade::default());
                            }
                        }
                    }
                }
            });
        });
        if let (Some(reduction), Some(stretches)) = (&self.reduction, stretches) {
            // SAFETY: promised by the caller; all stretches have left theirs.
            unsafe { self.join_stretches(reduction, stretches, bases) }
        }
    }
}
