//! Results that threads write in parts.

use std::{marker::PhantomData, ops::Range};

/// A result of parts of equal size, one after another.
pub(super) struct Parts<'a, T> {
    start: *mut T,
    size: usize,
    n: usize,
    result: PhantomData<&'a mut [T]>,
}

// SAFETY: whoever takes parts promises that no two threads have the same one.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// # Panics
    /// If the parts do not make up the result.
    pub fn new(result: &'a mut [T], size: usize) -> Parts<'a, T> {
        let n = result.len().checked_div(size).unwrap_or(0);
        assert!(result.len() == n * size, "{} elements in parts of {size}", result.len());
        Parts { start: result.as_mut_ptr(), size, n, result: PhantomData }
    }

    /// Some parts.
    ///
    /// # Safety
    /// None of them is used elsewhere at the same time.
    #[expect(clippy::mut_from_ref, reason = "parts do not overlap")]
    pub unsafe fn take(&self, parts: Range<usize>) -> &mut [T] {
        assert!(parts.start <= parts.end && (parts.end <= self.n || self.size == 0), "parts {parts:?} of {}", self.n);
        // SAFETY: they lie in the result, by the check, and are not shared, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(parts.start * self.size), parts.len() * self.size) }
    }
}
