//! The frames of runs that ended. Each run takes one or makes its own, so runs may overlap and nest.

use super::frame::Frame;
use std::{
    ptr::null_mut,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicPtr, Ordering},
    },
};

/// A place for one frame that is taken without a lock, and a list of all others.
#[derive(Default)]
pub(super) struct Frames {
    /// A boxed frame, or null.
    first: AtomicPtr<Frame>,
    others: Mutex<Vec<Frame>>,
}

impl Frames {
    /// A frame, if any is idle.
    pub fn take(&self) -> Option<Box<Frame>> {
        let first = self.first.swap(null_mut(), Ordering::Acquire);
        if first.is_null() {
            return self.others.lock().unwrap_or_else(PoisonError::into_inner).pop().map(Box::new);
        }
        // SAFETY: whoever swaps the address out owns the box that was put there.
        Some(unsafe { Box::from_raw(first) })
    }

    /// Keeps a frame for later runs.
    pub fn put(&self, frame: Box<Frame>) {
        let frame = Box::into_raw(frame);
        if self.first.compare_exchange(null_mut(), frame, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: the place was taken, so the box is still ours.
            let frame = unsafe { Box::from_raw(frame) };
            self.others.lock().unwrap_or_else(PoisonError::into_inner).push(*frame);
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        drop(self.take());
    }
}
