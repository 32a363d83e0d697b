//! Aligned blocks of memory, the large ones used again.
//!
//! Fresh pages from the operating system cost several times what a kernel spends on filling them, so large blocks that
//! are given back are kept, up to a limit, and handed out again. Single elements stand in the block itself: an allocation
//! costs as much as many a call of a compiled function of scalars.
//!
//! Invariant: every byte of a block is initialized, with zeros or with what an earlier owner left, unless its maker promised
//! to write it ([`Block::inline_any`]).

use super::{
    ALIGNMENT, OutOfMemory, SMALL_ALIGNMENT,
    pages::{HUGE, ask_for_huge},
};
use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc},
    cell::UnsafeCell,
    collections::BTreeMap,
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

/// Blocks from this size on are kept.
const MIN_KEPT: usize = 32 << 10;

/// Blocks from this size on stand in huge pages.
const MIN_HUGE: usize = 2 * HUGE;

/// Kept blocks together take at most this much.
const MAX_KEPT_TOTAL: usize = 256 << 20;

/// Allocations below this size make do with [`SMALL_ALIGNMENT`], which the allocator gives much faster.
const MIN_ALIGNED: usize = 1 << 10;

/// Owned memory.
pub(super) struct Block {
    place: Place,
}

enum Place {
    /// In the block itself: its address changes when the block moves.
    Inline(UnsafeCell<MaybeUninit<InlineBytes>>),
    /// Allocated.
    Heap(Allocation),
    /// Somebody else's.
    Borrowed(NonNull<u8>),
}

#[repr(C, align(16))]
struct InlineBytes([u8; Block::INLINE]);

struct Allocation {
    data: NonNull<u8>,
    capacity: usize,
}

// SAFETY: a block owns its memory like a boxed slice.
unsafe impl Send for Block {}
// SAFETY: shared access gives nothing but the address.
unsafe impl Sync for Block {}
// SAFETY: as for a block.
unsafe impl Send for Allocation {}

/// Blocks that nobody owns, by size.
struct Kept {
    by_capacity: BTreeMap<usize, Vec<Allocation>>,
    total: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { by_capacity: BTreeMap::new(), total: 0 });

const fn dangling() -> NonNull<u8> {
    NonNull::without_provenance(std::num::NonZero::new(ALIGNMENT).expect("the alignment is not 0"))
}

fn layout(capacity: usize) -> Option<Layout> {
    let alignment = match capacity {
        ..MIN_ALIGNED => SMALL_ALIGNMENT,
        MIN_ALIGNED..MIN_HUGE => ALIGNMENT,
        MIN_HUGE.. => HUGE,
    };
    Layout::from_size_align(capacity, alignment).ok()
}

/// The size that is allocated for this many bytes: large ones are rounded up to one of eight sizes per power of two, so
/// that blocks of nearly the same size can stand in for each other.
fn rounded(bytes: usize) -> Option<usize> {
    if bytes < MIN_KEPT {
        return Some(bytes);
    }
    bytes.checked_next_multiple_of(1 << (bytes.ilog2() - 3))
}

impl Block {
    /// Bytes that need no allocation.
    pub const INLINE: usize = 16;

    /// [`Block::INLINE`] bytes of any content.
    ///
    /// # Safety
    /// Nobody may read a byte before it is written.
    #[inline]
    pub unsafe fn inline_any() -> Block {
        Block { place: Place::Inline(UnsafeCell::new(MaybeUninit::uninit())) }
    }

    /// At least this many bytes, and whether they are known to be zeros.
    #[inline]
    pub fn new(bytes: usize) -> Result<(Block, bool), OutOfMemory> {
        if bytes <= Block::INLINE {
            let zeros = MaybeUninit::new(InlineBytes([0; Block::INLINE]));
            return Ok((Block { place: Place::Inline(UnsafeCell::new(zeros)) }, true));
        }
        Block::allocated(bytes)
    }

    fn allocated(bytes: usize) -> Result<(Block, bool), OutOfMemory> {
        let (allocation, is_zero) = Allocation::new(bytes).ok_or(OutOfMemory { bytes })?;
        Ok((Block { place: Place::Heap(allocation) }, is_zero))
    }

    /// At least this many zeros.
    pub fn zeros(bytes: usize) -> Result<Block, OutOfMemory> {
        let (block, is_zero) = Block::new(bytes)?;
        if !is_zero {
            // SAFETY: the block has that many bytes and nobody else knows it.
            unsafe { block.as_ptr().write_bytes(0, bytes) }
        }
        Ok(block)
    }

    /// A view of memory that somebody else owns; dropping it does nothing.
    pub fn borrowed(data: *mut u8) -> Block {
        Block { place: Place::Borrowed(NonNull::new(data).unwrap_or(dangling())) }
    }

    /// The address; small blocks take their memory along when they move.
    pub fn as_ptr(&self) -> *mut u8 {
        match &self.place {
            Place::Inline(bytes) => bytes.get().cast(),
            Place::Heap(allocation) => allocation.data.as_ptr(),
            Place::Borrowed(data) => data.as_ptr(),
        }
    }

    /// Size in bytes; 0 for borrowed memory.
    pub fn capacity(&self) -> usize {
        match &self.place {
            Place::Inline(_) => Block::INLINE,
            Place::Heap(allocation) => allocation.capacity,
            Place::Borrowed(_) => 0,
        }
    }
}

impl Allocation {
    /// At least this many bytes, and whether they are known to be zeros; `None` if there is no such memory.
    fn new(bytes: usize) -> Option<(Allocation, bool)> {
        let capacity = rounded(bytes)?;
        if capacity >= MIN_KEPT
            && let Some(allocation) = keep().take(capacity)
        {
            return Some((allocation, false));
        }
        let layout = layout(capacity)?;
        // SAFETY: the layout's size is not 0: what needs no memory is inline.
        let data = NonNull::new(unsafe { if capacity < MIN_HUGE { alloc_zeroed(layout) } else { alloc(layout) } })?;
        if capacity >= MIN_HUGE {
            // Before the first write, which brings the pages.
            ask_for_huge(data, capacity);
            // SAFETY: allocated with that many bytes.
            unsafe { data.write_bytes(0, capacity) };
        }
        Some((Allocation { data, capacity }, true))
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        let Allocation { data, capacity } = *self;
        if capacity >= MIN_KEPT && keep().put(data, capacity) {
            return;
        }
        let layout = layout(capacity).expect("the layout that it was allocated with");
        // SAFETY: allocated in `new` with the same layout, and not freed before.
        unsafe { dealloc(data.as_ptr(), layout) }
    }
}

fn keep() -> std::sync::MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn take(&mut self, capacity: usize) -> Option<Allocation> {
        let allocation = self.by_capacity.get_mut(&capacity)?.pop()?;
        self.total -= capacity;
        Some(allocation)
    }

    /// Keeps the memory, unless that would be too much.
    fn put(&mut self, data: NonNull<u8>, capacity: usize) -> bool {
        let fits = self.total + capacity <= MAX_KEPT_TOTAL;
        if fits {
            self.total += capacity;
            self.by_capacity.entry(capacity).or_default().push(Allocation { data, capacity });
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
            assert_eq!(rounded(bytes), Some(bytes));
        }
        for bytes in [MIN_KEPT, MIN_KEPT + 1, 100_000, 1 << 20, (1 << 20) + 1] {
            let size = rounded(bytes).expect("small enough");
            assert!(size >= bytes && size - bytes <= bytes / 8);
            assert_eq!(rounded(size), Some(size));
        }
    }

    #[test]
    fn large_blocks_come_back_and_zeros_are_zero() {
        // A size that no other test uses.
        let bytes = 7 * 123_457;
        let block = Block::zeros(bytes).expect("there is memory");
        let address = block.as_ptr();
        // SAFETY: the block has that many bytes.
        unsafe { address.write_bytes(7, bytes) };
        drop(block);
        let again = Block::zeros(bytes - 1).expect("there is memory");
        assert_eq!(again.as_ptr(), address);
        // SAFETY: the block has that many bytes, all initialized.
        assert!(unsafe { std::slice::from_raw_parts(address, bytes - 1) }.iter().all(|&b| b == 0));
    }
}
