//! Stopping runs: from another thread, after too many rounds of a loop, or by a function of the user's that is asked now and
//! then.
//!
//! A run looks here between the rounds of its loops (machine code and programs over single elements every fraction of a
//! millisecond, other loops in each round) and inside of long operations, each time that it has done about as much work. A
//! stopped run gives [`RunError::Stopped`]; nothing else remembers it, so the same executable runs again.
//!
//! An operation that must stop is *cut*: it leaves out what is left of its work on all threads, and whatever its results
//! are, the run ends before anybody reads them. So what computes elements needs no way to fail.
//!
//! Limits: host functions are never cut short, nor single passes over memory that compute nothing, nor a product of a
//! matrix and a vector. Loops that are counted have no limit of rounds, but can be stopped like others.

use crate::executable::RunError;
use std::{
    any::Any,
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Is asked whether runs go on: `false` stops the one that asks.
pub type StopCallback = dyn Fn() -> bool + Send + Sync;

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// By [`request_stop`].
    Requested,
    /// A loop had more rounds than [`set_max_iterations`] allows.
    MaxIterations(u64),
    /// By the function given to [`set_stop_callback`].
    Callback,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Requested => f.write_str("a stop was requested"),
            StopReason::MaxIterations(n) => write!(f, "more than {n} rounds"),
            StopReason::Callback => f.write_str("the stop callback said so"),
        }
    }
}

/// The number of requests so far: a run stops for those that came after its start.
static REQUESTS: AtomicU64 = AtomicU64::new(0);
/// The round that no loop reaches.
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);
static HAS_CALLBACK: AtomicBool = AtomicBool::new(false);
static CALLBACK: RwLock<Option<Arc<StopCallback>>> = RwLock::new(None);

/// The callback is asked at most this often by each thread.
const BETWEEN_CALLBACKS: Duration = Duration::from_micros(500);

/// Stops all runs under way, on all threads, at the next round of a loop or in the midst of a long operation. Runs that
/// begin later are not concerned.
pub fn request_stop() {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

/// Stops every conditional loop that begins a round after the `limit`-th, from now on and for all threads; `None` lifts
/// the limit. Loops under way may keep the limit that they began with.
pub fn set_max_iterations(limit: Option<u64>) {
    LIMIT.store(limit.map_or(u64::MAX, |n| n.saturating_add(1)), Ordering::Relaxed);
}

/// Sets the function that runs on all threads ask, about once a millisecond, whether they go on; `None` removes it.
///
/// It is called on a thread that works for the run (several may work for one), must return soon, and may run other
/// programs. A panic of it passes through the run.
pub fn set_stop_callback(callback: Option<Arc<StopCallback>>) {
    let mut current = CALLBACK.write().unwrap_or_else(PoisonError::into_inner);
    HAS_CALLBACK.store(callback.is_some(), Ordering::Relaxed);
    *current = callback;
}

/// What the run on this thread knows.
#[derive(Default)]
struct Watch {
    /// Runs under way, one inside the other.
    depth: usize,
    /// Requests when the outermost one began.
    requests: u64,
    asked: Option<Instant>,
    /// Whether the operation under way leaves out what is left.
    is_cut: bool,
    reason: Option<StopReason>,
    panic: Option<Box<dyn Any + Send>>,
}

thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
    /// Nanoseconds of work until it is time to ask; none while an operation is cut.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Nanoseconds of work, by estimate, between questions.
const BETWEEN_QUESTIONS: u32 = 100_000;

/// Whether the operation under way must leave out what is left of its work, being about to work for so many nanoseconds.
#[inline]
pub(crate) fn must_cut(ns: u32) -> bool {
    let left = LEFT.get();
    if left > ns {
        LEFT.set(left - ns);
        return false;
    }
    ask()
}

#[cold]
fn ask() -> bool {
    let (is_running, is_cut) = WATCH.with_borrow(|watch| (watch.depth > 0, watch.is_cut));
    if is_cut || (is_running && must_stop()) {
        cut();
        return true;
    }
    LEFT.set(BETWEEN_QUESTIONS);
    false
}

/// Has the operation under way leave out what is left of its work: its part on this thread was stopped.
pub(crate) fn cut() {
    LEFT.set(0);
    WATCH.with_borrow_mut(|watch| watch.is_cut = true);
}

/// Whether the operation under way is cut.
#[inline]
pub(crate) fn is_cut() -> bool {
    LEFT.get() == 0 && WATCH.with_borrow(|watch| watch.is_cut)
}

/// After an operation from the front end's node `origin`: an error if it was cut.
///
/// # Panics
/// As for [`stopped`].
#[inline]
pub(crate) fn finish(origin: u32) -> Result<(), RunError> {
    if is_cut() { Err(stopped(origin)) } else { Ok(()) }
}

/// A run that can be stopped.
pub(crate) struct Run(());

impl Run {
    pub fn begin() -> Run {
        WATCH.with_borrow_mut(|watch| {
            if watch.depth == 0 {
                watch.requests = REQUESTS.load(Ordering::Relaxed);
                LEFT.set(BETWEEN_QUESTIONS);
            }
            watch.depth += 1;
        });
        Run(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| watch.depth -= 1);
    }
}

/// Threads that work on one operation of a run: each is asked to stop as the run is.
pub(crate) struct Team {
    requests: u64,
    is_stopped: AtomicBool,
    outcome: Mutex<Outcome>,
}

/// What a thread was stopped by, if it was not the number of rounds.
type Outcome = (Option<StopReason>, Option<Box<dyn Any + Send>>);

impl Team {
    /// Of the run on this thread, if there is one.
    pub fn of_run() -> Option<Team> {
        let (depth, requests) = WATCH.with_borrow(|watch| (watch.depth, watch.requests));
        (depth > 0).then(|| Team { requests, is_stopped: AtomicBool::new(false), outcome: Mutex::default() })
    }

    /// Does work of the run on any thread, unless work of another one was cut.
    pub fn work(&self, work: impl FnOnce()) {
        if self.is_stopped.load(Ordering::Relaxed) {
            return;
        }
        let shift = Shift::begin(self.requests);
        if !must_cut(0) {
            work();
        }
        let is_cut = is_cut();
        let outcome = shift.end();
        if is_cut && !self.is_stopped.swap(true, Ordering::Relaxed) {
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        }
    }

    /// On the thread of the run, after all work: cuts the operation if any of it was.
    pub fn finish(self) {
        if self.is_stopped.load(Ordering::Relaxed) {
            let outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
            WATCH.with_borrow_mut(|watch| (watch.reason, watch.panic) = outcome);
            cut();
        }
    }
}

/// Work for a run on any thread, which afterwards is as it was before.
struct Shift {
    own_requests: u64,
}

impl Shift {
    fn begin(requests: u64) -> Shift {
        let own_requests = WATCH.with_borrow_mut(|watch| {
            watch.depth += 1;
            std::mem::replace(&mut watch.requests, requests)
        });
        Shift { own_requests }
    }

    /// What cut the work, if it was cut.
    fn end(self) -> Outcome {
        WATCH.with_borrow_mut(|watch| (watch.reason.take(), watch.panic.take()))
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| {
            watch.depth -= 1;
            watch.requests = self.own_requests;
            watch.is_cut = false;
        });
    }
}

/// Where machine code reads how many rounds are too many.
#[cfg_attr(not(all(target_arch = "x86_64", unix)), expect(dead_code, reason = "there is no machine code"))]
pub(crate) fn limit_address() -> *const AtomicU64 {
    &raw const LIMIT
}

/// The round that no loop reaches.
pub(crate) fn limit() -> u64 {
    LIMIT.load(Ordering::Relaxed)
}

/// Whether the run on this thread must stop. Does not unwind.
pub(crate) fn must_stop() -> bool {
    let is_requested = WATCH.with_borrow_mut(|watch| {
        let is_requested = watch.requests != REQUESTS.load(Ordering::Relaxed);
        if is_requested {
            watch.reason = Some(StopReason::Requested);
        }
        is_requested
    });
    is_requested || (HAS_CALLBACK.load(Ordering::Relaxed) && callback_says_stop())
}

#[cold]
fn callback_says_stop() -> bool {
    let now = Instant::now();
    let is_early = WATCH.with_borrow_mut(|watch| {
        let is_early = watch.asked.is_some_and(|asked| now - asked < BETWEEN_CALLBACKS);
        if !is_early {
            watch.asked = Some(now);
        }
        is_early
    });
    if is_early {
        return false;
    }
    let callback = CALLBACK.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(callback) = callback else { return false };
    // Nothing is borrowed: it may run programs.
    let (reason, panic) = match catch_unwind(AssertUnwindSafe(|| callback())) {
        Ok(true) => return false,
        Ok(false) => (Some(StopReason::Callback), None),
        Err(panic) => (None, Some(panic)),
    };
    WATCH.with_borrow_mut(|watch| (watch.reason, watch.panic) = (reason, panic));
    true
}

/// The error of a run whose loop or long operation, from the front end's node `origin`, was stopped.
///
/// # Panics
/// With the panic of the callback, if that was the reason.
pub(crate) fn stopped(origin: u32) -> RunError {
    let (reason, panic) = WATCH.with_borrow_mut(|watch| {
        watch.is_cut = false;
        (watch.reason.take(), watch.panic.take())
    });
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    // Rounds are counted by the loops themselves.
    let reason = reason.unwrap_or(StopReason::MaxIterations(limit().saturating_sub(1)));
    RunError::Stopped { origin, reason }
}
