//! Memory for the time of a call: each thread keeps some, since asking for it takes as long as a small factorization.

use super::real::Real;
use std::{
    cell::RefCell,
    marker::PhantomData,
    mem::take,
    ops::{Deref, DerefMut},
};

/// A line of the cache. Memory starts at one, since each vector that straddles two costs a second access.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read as numbers")] [u8; 64]);

/// Pieces that a thread keeps.
const N_KEPT: usize = 4;

/// Lines of a piece that is kept: a megabyte.
const MAX_KEPT: usize = 16 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// So many elements, whatever they are.
pub(super) struct Scratch<T> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Real> Scratch<T> {
    pub fn new(len: usize) -> Scratch<T> {
        let n_lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        // A thread that ends has none any more.
        let kept = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let place = kept.iter().position(|lines| lines.len() >= n_lines)?;
            Some(kept.swap_remove(place))
        });
        let lines = kept.ok().flatten().unwrap_or_else(|| vec![Line([0; 64]); n_lines]);
        Scratch { lines, len, element: PhantomData }
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = take(&mut self.lines);
        if lines.len() > MAX_KEPT {
            return;
        }
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < N_KEPT {
                kept.push(lines);
            } else if let Some(smaller) = kept.iter_mut().find(|other| other.len() < lines.len()) {
                *smaller = lines;
            }
        });
    }
}

impl<T: Real> Deref for Scratch<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the lines have so many bytes, are aligned for numbers, and any bytes are numbers.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Real> DerefMut for Scratch<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
