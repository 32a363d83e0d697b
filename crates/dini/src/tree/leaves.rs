//! Lists of leaves that are used again: to allocate one would be a good part of a small compiled call.

use crate::array::Array;
use std::{
    cell::Cell,
    mem,
    ops::{Deref, DerefMut},
};

/// A longer list is not kept.
const MOST_KEPT: usize = 1 << 10;

thread_local! {
    static SPARE: Cell<Vec<Array>> = const { Cell::new(Vec::new()) };
}

/// The leaves of one call. The list goes back to its thread when it is dropped.
pub(crate) struct Leaves(Vec<Array>);

impl Leaves {
    /// An empty list.
    pub fn new() -> Leaves {
        // A thread that ends has no spare list any more.
        Leaves(SPARE.try_with(Cell::take).unwrap_or_default())
    }
}

impl Deref for Leaves {
    type Target = Vec<Array>;

    fn deref(&self) -> &Vec<Array> {
        &self.0
    }
}

impl DerefMut for Leaves {
    fn deref_mut(&mut self) -> &mut Vec<Array> {
        &mut self.0
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.clear();
        if self.0.capacity() <= MOST_KEPT {
            let list = mem::take(&mut self.0);
            // If there is no place for it any more, it goes.
            _ = SPARE.try_with(|spare| spare.set(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_empty() {
        let mut outer = Leaves::new();
        outer.push(Array::from(1.0));
        let place = outer.as_ptr();
        // Another one, while the first is in use.
        let mut inner = Leaves::new();
        inner.extend((0..2 * MOST_KEPT).map(|_| Array::from(2.0)));
        drop(outer);
        let again = Leaves::new();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), place);
        drop(again);
        drop(inner);
        assert!(Leaves::new().capacity() <= MOST_KEPT);
    }
}
