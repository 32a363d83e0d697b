//! Aligned blocks of memory, the large ones used again.
//!
//! Fresh pages from the operating system cost several times what a kernel spends on filling them, so large blocks that
//! are given back are kept, up to a limit, and handed out again.
//!
//! Invariant: every byte of a block is initialized, with zeros or with what an earlier owner left.

use super::ALIGNMENT;
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    collections::BTreeMap,
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

/// Blocks from this size on are kept.
const MIN_KEPT: usize = 32 << 10;

/// Kept blocks together take at most this much.
const MAX_KEPT_TOTAL: usize = 256 << 20;

/// Owned memory.
pub(super) struct Block {
    data: NonNull<u8>,
    capacity: usize,
}

// SAFETY: a block owns its memory like a boxed slice.
unsafe impl Send for Block {}
// SAFETY: shared access gives nothing but the address.
unsafe impl Sync for Block {}

/// Blocks that nobody owns, by size.
struct Kept {
    by_capacity: BTreeMap<usize, Vec<Block>>,
    total: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { by_capacity: BTreeMap::new(), total: 0 });

const fn dangling() -> NonNull<u8> {
    NonNull::without_provenance(std::num::NonZero::new(ALIGNMENT).expect("the alignment is not 0"))
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, ALIGNMENT).expect("a buffer's size fits the address space")
}

/// The size that is allocated for this many bytes: large ones are rounded up to one of eight sizes per power of two, so
/// that blocks of nearly the same size can stand in for each other.
fn rounded(bytes: usize) -> usize {
    if bytes < MIN_KEPT {
        return bytes;
    }
    let step = 1 << (bytes.ilog2() - 3);
    bytes.checked_next_multiple_of(step).expect("a buffer's size fits the address space")
}

impl Block {
    /// No memory.
    pub fn empty() -> Block {
        Block { data: dangling(), capacity: 0 }
    }

    /// At least this many bytes, and whether they are known to be zeros.
    pub fn new(bytes: usize) -> (Block, bool) {
        if bytes == 0 {
            return (Block::empty(), true);
        }
        let capacity = rounded(bytes);
        if capacity >= MIN_KEPT
            && let Some(block) = keep().take(capacity)
        {
            return (block, false);
        }
        let layout = layout(capacity);
        // SAFETY: the layout's size is not 0.
        let data = unsafe { alloc_zeroed(layout) };
        let Some(data) = NonNull::new(data) else { handle_alloc_error(layout) };
        (Block { data, capacity }, true)
    }

    /// At least this many zeros.
    pub fn zeros(bytes: usize) -> Block {
        let (block, is_zero) = Block::new(bytes);
        if !is_zero {
            // SAFETY: the block has that many bytes and nobody else knows it.
            unsafe { block.data.write_bytes(0, bytes) }
        }
        block
    }

    /// A view of memory that somebody else owns; dropping it does nothing.
    pub fn borrowed(data: *mut u8) -> Block {
        Block { data: NonNull::new(data).unwrap_or(dangling()), capacity: 0 }
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// Size in bytes; 0 for borrowed memory.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Block { data, capacity } = *self;
        if capacity >= MIN_KEPT && keep().put(data, capacity) {
            return;
        }
        if capacity > 0 {
            // SAFETY: allocated in `new` with the same layout, and not freed before.
            unsafe { dealloc(data.as_ptr(), layout(capacity)) }
        }
    }
}

fn keep() -> std::sync::MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn take(&mut self, capacity: usize) -> Option<Block> {
        let block = self.by_capacity.get_mut(&capacity)?.pop()?;
        self.total -= capacity;
        Some(block)
    }

    /// Keeps the memory, unless that would be too much.
    fn put(&mut self, data: NonNull<u8>, capacity: usize) -> bool {
        let fits = self.total + capacity <= MAX_KEPT_TOTAL;
        if fits {
            self.total += capacity;
            self.by_capacity.entry(capacity).or_default().push(Block { data, capacity });
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_by_an_eighth_at_most() {
        for bytes in [1, 64, MIN_KEPT - 1] {
            assert_eq!(rounded(bytes), bytes);
        }
        for bytes in [MIN_KEPT, MIN_KEPT + 1, 100_000, 1 << 20, (1 << 20) + 1] {
            assert!(rounded(bytes) >= bytes && rounded(bytes) - bytes <= bytes / 8);
            assert_eq!(rounded(rounded(bytes)), rounded(bytes));
        }
    }

    #[test]
    fn large_blocks_come_back_and_zeros_are_zero() {
        // A size that no other test uses.
        let bytes = 7 * 123_457;
        let block = Block::zeros(bytes);
        let address = block.as_ptr();
        // SAFETY: the block has that many bytes.
        unsafe { address.write_bytes(7, bytes) };
        drop(block);
        let again = Block::zeros(bytes - 1);
        assert_eq!(again.as_ptr(), address);
        // SAFETY: the block has that many bytes, all initialized.
        assert!(unsafe { std::slice::from_raw_parts(address, bytes - 1) }.iter().all(|&b| b == 0));
    }
}
