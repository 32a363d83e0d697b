//! Stopping what runs: from another thread, after too many rounds of a loop, or by a function that is asked now and then.
//!
//! A loop that never ends is a mistake that cannot be excluded. Every loop of a running program ([`while_loop`],
//! [`fori_loop`], [`scan`], [`map`]) looks for a reason to stop at least once a millisecond, and long operations do so about
//! as often (they count work, not time). The call that ran it then fails with [`ErrorKind::Stopped`], named by the line of
//! the loop or the operation; nothing else remembers it, and the same function can be called again.
//!
//! ```
//! use dini::{ErrorKind, interrupt, prelude::*};
//!
//! let halve = jit(|x: Array| while_loop(|x: Array| x.gt(0.0), |x: Array| Ok(x * 1.0), x));
//! interrupt::set_max_iterations(Some(1000));
//! let error = halve(Array::from(1.0)).unwrap_err();
//! interrupt::set_max_iterations(None);
//! assert_eq!(error.kind(), ErrorKind::Stopped);
//! assert!(error.to_string().contains("more than 1000 rounds"));
//! ```
//!
//! Limits: a host function is not cut short, nor an operation that only copies, nor a product of a matrix and a vector.
//!
//! [`while_loop`]: crate::while_loop
//! [`fori_loop`]: crate::fori_loop
//! [`scan`]: crate::scan()
//! [`map`]: crate::map()
//! [`ErrorKind::Stopped`]: crate::ErrorKind::Stopped

use std::sync::Arc;

/// Stops all programs that run now, on all threads, at the next round of a loop or in the midst of a long operation.
/// Programs that begin later are not concerned. It only counts a number up, so a signal handler may call it.
///
/// ```
/// use dini::{ErrorKind, interrupt, prelude::*};
/// use std::{thread, time::Duration};
///
/// let forever = jit(|x: Array| while_loop(|x: Array| x.gt(0.0), |x: Array| Ok(x * 1.0), x));
/// let stopper = thread::spawn(|| {
///     thread::sleep(Duration::from_millis(50));
///     interrupt::request_stop();
/// });
/// let error = forever(Array::from(1.0)).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Stopped);
/// stopper.join().unwrap();
/// assert!(forever(Array::from(0.0)).is_ok());
/// ```
pub fn request_stop() {
    dini_cpu::interrupt::request_stop();
}

/// Stops each conditional loop that needs more rounds than the limit, on all threads, from the next loop on that begins;
/// `None` lifts the limit, which is also the initial state.
///
/// Each run of a loop counts by itself: that of an inner loop begins anew in each round of the outer one. Loops with a fixed
/// number of rounds have no limit. The [module's](self) example shows it.
pub fn set_max_iterations(limit: Option<u64>) {
    dini_cpu::interrupt::set_max_iterations(limit);
}

/// Sets the function that programs ask about once a millisecond whether to go on: `false` stops the program that asks.
/// `None` removes it.
///
/// It is called on a thread that works for the program, so it should return soon. It may run programs itself. If it panics,
/// the panic passes through the call that ran the program.
///
/// ```
/// use dini::{ErrorKind, interrupt, prelude::*};
/// use std::{sync::Arc, time::{Duration, Instant}};
///
/// let forever = jit(|x: Array| while_loop(|x: Array| x.gt(0.0), |x: Array| Ok(x * 1.0), x));
/// let deadline = Instant::now() + Duration::from_millis(20);
/// interrupt::set_stop_callback(Some(Arc::new(move || Instant::now() < deadline)));
/// let error = forever(Array::from(1.0)).unwrap_err();
/// interrupt::set_stop_callback(None);
/// assert_eq!(error.kind(), ErrorKind::Stopped);
/// ```
pub fn set_stop_callback(callback: Option<Arc<dyn Fn() -> bool + Send + Sync>>) {
    dini_cpu::interrupt::set_stop_callback(callback);
}
