//! Memory for the time of a call.

use super::real::Real;
use std::ops::{Deref, DerefMut};

/// Zeros that start at a cache line, since each vector that straddles two costs a second access.
pub(super) struct Scratch<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Scratch<T> {
    pub fn new(len: usize) -> Scratch<T> {
        const LINE: usize = 64;
        let line = LINE / size_of::<T>();
        let memory = vec![T::ZERO; len + line];
        let start = memory.as_ptr().align_offset(LINE).min(line);
        Scratch { memory, start, len }
    }
}

impl<T> Deref for Scratch<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.memory[self.start..][..self.len]
    }
}

impl<T> DerefMut for Scratch<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}
