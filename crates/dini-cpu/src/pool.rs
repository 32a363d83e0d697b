//! Worker threads: loops whose rounds are independent, divided among processors.
//!
//! Rounds are claimed one at a time by whoever is free, the caller first of all. A worker that has not begun when the
//! caller finds nothing left is not waited for. So the use from many threads at once and from within a round cannot
//! deadlock: whoever asks can do all of the work alone.
//!
//! Invariant: what a round computes depends on its number alone, so results are the same at every number of threads.
//!
//! The number of threads is that of the processors, of `DINI_NUM_THREADS` in the environment, or what
//! [`set_num_threads`] says.

use crate::interrupt::{self, Team};
use std::{
    any::Any,
    collections::VecDeque,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Threads that a loop may use at most, the caller's included; 0 until it is known.
static N_THREADS: AtomicUsize = AtomicUsize::new(0);

/// More threads than this are never used.
const MAX_THREADS: usize = 256;

/// The number of threads that an operation may use, the caller's included: what [`set_num_threads`] said last; before that
/// `DINI_NUM_THREADS` in the environment, or the number of processors.
pub fn num_threads() -> usize {
    match N_THREADS.load(Ordering::Relaxed) {
        0 => {
            let wish = std::env::var("DINI_NUM_THREADS").ok().and_then(|wish| wish.trim().parse().ok());
            let n = wish
                .filter(|&n| n > 0)
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get));
            set_num_threads(n);
            num_threads()
        }
        n => n,
    }
}

/// Sets the number of threads that operations of all threads may use from now on, 1 to 256. Results do not depend on it.
///
/// ```
/// dini_cpu::set_num_threads(1);
/// assert_eq!(dini_cpu::num_threads(), 1);
/// ```
pub fn set_num_threads(n: usize) {
    N_THREADS.store(n.clamp(1, MAX_THREADS), Ordering::Relaxed);
}

/// A loop under way.
struct Job {
    /// The body; it lives as long as anybody is at work.
    body: *const (dyn Fn(usize) + Sync),
    n_rounds: usize,
    next: AtomicUsize,
    /// Workers that may still begin. Under the lock of the queue.
    n_wanted: AtomicUsize,
    /// Workers at work.
    n_working: Mutex<usize>,
    is_idle: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: the body may be called by many threads, and is called only while `for_each` waits.
unsafe impl Send for Job {}
// SAFETY: as above; the rest is synchronized.
unsafe impl Sync for Job {}

impl Job {
    /// Takes rounds until none is left, or one panics.
    fn work(&self) {
        // SAFETY: whoever works was counted before `for_each` looked for the last time.
        let body = unsafe { &*self.body };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let round = self.next.fetch_add(1, Ordering::Relaxed);
                if round >= self.n_rounds {
                    break;
                }
                body(round);
            }
        }));
        if let Err(panic) = outcome {
            // The others have no reason to go on.
            self.next.store(self.n_rounds, Ordering::Relaxed);
            lock(&self.panic).get_or_insert(panic);
        }
    }
}

/// Loops that want workers.
#[derive(Default)]
struct Queue {
    jobs: Mutex<VecDeque<Arc<Job>>>,
    is_filled: Condvar,
    n_workers: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn queue() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();
    QUEUE.get_or_init(Queue::default)
}

impl Queue {
    /// Starts workers until there are that many; where the system denies one, there are fewer.
    fn provide(&'static self, n: usize) {
        while self.n_workers.load(Ordering::Relaxed) < n {
            if self.n_workers.fetch_add(1, Ordering::Relaxed) >= n {
                self.n_workers.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let builder = std::thread::Builder::new().name("dini worker".into());
            if builder.spawn(|| self.serve()).is_err() {
                self.n_workers.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// What a worker does.
    fn serve(&self) {
        let mut jobs = lock(&self.jobs);
        loop {
            let Some(job) = jobs.front().cloned() else {
                jobs = self.is_filled.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if job.n_wanted.fetch_sub(1, Ordering::Relaxed) == 1 {
                jobs.pop_front();
            }
            *lock(&job.n_working) += 1;
            drop(jobs);
            job.work();
            let mut n_working = lock(&job.n_working);
            *n_working -= 1;
            if *n_working == 0 {
                job.is_idle.notify_all();
            }
            drop(n_working);
            drop(job);
            jobs = lock(&self.jobs);
        }
    }
}

/// Runs `body` for each number below `n_rounds`, in any order, on the caller's thread and on workers.
///
/// A panic of the body passes through once all that began has ended; rounds that nobody began are left out then, and where
/// the operation is cut ([`crate::interrupt`]).
pub(crate) fn for_each(n_rounds: usize, body: &(dyn Fn(usize) + Sync)) {
    let n_helpers = num_threads().min(n_rounds).saturating_sub(1);
    if n_helpers == 0 {
        return (0..n_rounds).take_while(|_| !interrupt::must_cut(0)).for_each(body);
    }
    match Team::of_run() {
        None => on_threads(n_rounds, n_helpers, body),
        Some(team) => {
            on_threads(n_rounds, n_helpers, &|round| team.work(|| body(round)));
            team.finish();
        }
    }
}

/// [`for_each`] with so many workers at most.
fn on_threads(n_rounds: usize, n_helpers: usize, body: &(dyn Fn(usize) + Sync)) {
    let queue = queue();
    queue.provide(n_helpers);
    // SAFETY: only the lifetime changes. The job is off the queue and nobody works on it when this function returns.
    let body: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(body) };
    let job = Arc::new(Job {
        body,
        n_rounds,
        next: AtomicUsize::new(0),
        n_wanted: AtomicUsize::new(n_helpers),
        n_working: Mutex::new(0),
        is_idle: Condvar::new(),
        panic: Mutex::new(None),
    });
    lock(&queue.jobs).push_back(job.clone());
    match n_helpers {
        1 => queue.is_filled.notify_one(),
        _ => queue.is_filled.notify_all(),
    }
    job.work();
    // Whoever did not begin is not needed any more.
    lock(&queue.jobs).retain(|other| !Arc::ptr_eq(other, &job));
    let mut n_working = lock(&job.n_working);
    while *n_working > 0 {
        n_working = job.is_idle.wait(n_working).unwrap_or_else(PoisonError::into_inner);
    }
    drop(n_working);
    let panic = lock(&job.panic).take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// Work in nanoseconds that pays for waking a worker, which takes 5 to 10 µs.
pub(crate) const WORTHWHILE: f64 = 30_000.0;

/// Least work of a round, in nanoseconds: claiming costs nothing beside it.
const ROUND: f64 = 10_000.0;

/// Runs `body` for ranges that cover `0..n`, of a multiple of `unit` but for the last, on several threads if all of it is
/// worthwhile at `ns` nanoseconds for each of the `n`.
pub(crate) fn for_ranges(n: usize, unit: usize, ns: f64, body: &(dyn Fn(usize, usize) + Sync)) {
    let per_round = ((ROUND / ns.max(1e-3)) as usize).max(1).next_multiple_of(unit.max(1));
    if ns * (n as f64) < WORTHWHILE || num_threads() == 1 {
        if n > 0 {
            body(0, n);
        }
        return;
    }
    // Enough rounds that all threads end at about the same time.
    let many = (n.div_ceil(8 * num_threads())).next_multiple_of(unit.max(1));
    let per_round = per_round.max(many);
    for_each(n.div_ceil(per_round), &|round| {
        let start = round * per_round;
        body(start, n.min(start + per_round));
    });
}

/// [`for_ranges`] of a batch: what each thread takes is divided further, so that the operation can be cut in between.
pub(crate) fn for_batches(n: usize, unit: usize, ns: f64, body: &(dyn Fn(usize, usize) + Sync)) {
    let n_together = ((ROUND / ns.max(1e-3)) as usize).max(1).next_multiple_of(unit.max(1));
    let ns_together = (ns * n_together as f64) as u32;
    for_ranges(n, unit, ns, &|start, end| {
        let batches = (start..end).step_by(n_together).take_while(|_| !interrupt::must_cut(ns_together));
        batches.for_each(|first| body(first, end.min(first + n_together)));
    });
}

/// Calls `body` with pieces that make up a slice and the unit that each begins with, as [`for_ranges`] divides units of
/// `len` elements.
pub(crate) fn for_pieces<T: Send>(
    slice: &mut [T],
    len: usize,
    together: usize,
    ns: f64,
    body: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    struct Start<T>(*mut T);
    // SAFETY: what stands there is handed to one thread at a time.
    unsafe impl<T: Send> Sync for Start<T> {}
    let n = slice.len().checked_div(len).unwrap_or(0);
    let start = Start(slice.as_mut_ptr());
    for_ranges(n, together, ns, &|first, end| {
        let start = &start;
        // SAFETY: ranges do not overlap and end where the slice does at most; it is borrowed until all have ended.
        let piece = unsafe { std::slice::from_raw_parts_mut(start.0.add(first * len), (end - first) * len) };
        body(first, piece);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    /// The number of threads is the process's: one test at a time.
    fn with_threads(n: usize, test: impl FnOnce()) {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = lock(&ONE);
        let before = num_threads();
        set_num_threads(n);
        test();
        set_num_threads(before);
    }

    fn counts(n_rounds: usize) -> Vec<u32> {
        let counts: Vec<AtomicU32> = (0..n_rounds).map(|_| AtomicU32::new(0)).collect();
        for_each(n_rounds, &|round| {
            counts[round].fetch_add(1, Ordering::Relaxed);
        });
        counts.into_iter().map(AtomicU32::into_inner).collect()
    }

    #[test]
    fn each_round_runs_once() {
        for n_threads in [1, 2, 3, 8] {
            with_threads(n_threads, || {
                for n_rounds in [0, 1, 2, 7, 1000] {
                    assert_eq!(counts(n_rounds), vec![1; n_rounds]);
                }
            });
        }
    }

    #[test]
    fn nested_loops_and_many_callers_end() {
        with_threads(4, || {
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            let total = AtomicUsize::new(0);
                            for_each(5, &|_| {
                                for_each(7, &|_| {
                                    total.fetch_add(1, Ordering::Relaxed);
                                });
                            });
                            assert_eq!(total.into_inner(), 35);
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn panics_pass_through_and_nothing_is_lost() {
        with_threads(3, || {
            for _ in 0..20 {
                let outcome = catch_unwind(|| for_each(100, &|round| assert!(round != 41, "round 41")));
                let message = outcome.unwrap_err();
                assert_eq!(message.downcast_ref::<&str>(), Some(&"round 41"));
                assert_eq!(counts(10), [1; 10]);
            }
        });
    }

    #[test]
    fn pieces_make_up_the_slice() {
        with_threads(4, || {
            let mut slice = vec![0u32; 3 * 10_007];
            for_pieces(&mut slice, 3, 16, 1e3, &|first, piece| {
                piece.iter_mut().enumerate().for_each(|(i, x)| *x += (3 * first + i) as u32);
            });
            assert!(slice.iter().enumerate().all(|(i, &x)| x == i as u32));
            for_pieces(&mut slice[..0], 0, 1, 1e9, &|_, _| unreachable!("there is no unit"));
        });
    }

    #[test]
    fn ranges_cover_all() {
        with_threads(4, || {
            for (n, unit, ns) in [(0, 1, 1.0), (1, 8, 1e9), (100, 8, 1e4), (1_000_000, 512, 1.0), (17, 1, 1e9)] {
                let counts: Vec<AtomicU32> = (0..n).map(|_| AtomicU32::new(0)).collect();
                for_ranges(n, unit, ns, &|start, end| {
                    assert!(start < end && start % unit == 0 && (end % unit == 0 || end == n));
                    counts[start..end].iter().for_each(|count| {
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                });
                assert!(counts.into_iter().all(|count| count.into_inner() == 1));
            }
        });
    }
}
