//! Aligned blocks of memory, used again.
//!
//! Fresh pages from the operating system cost several times what a kernel spends on filling them, so large blocks that
//! are given back are kept, up to a limit, and handed out again. Blocks of a few pages are kept by each thread for itself:
//! to ask for one and to clear it would take a tenth of what a kernel spends there. Single elements stand in the block
//! itself: an allocation costs as much as many a call of a compiled function of scalars.
//!
//! Invariant: every byte of a block is initialized, with zeros or with what an earlier owner left, unless its maker promised
//! to write it ([`Block::inline_any`]).

use super::{
    ALIGNMENT, OutOfMemory, SMALL_ALIGNMENT,
    pages::{HUGE, ask_for_huge},
};
use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc},
    cell::{RefCell, UnsafeCell},
    collections::BTreeMap,
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

/// Blocks from this size on are kept for all threads.
const MIN_SHARED: usize = 32 << 10;

/// Blocks from this size on stand in huge pages.
const MIN_HUGE: usize = 2 * HUGE;

/// Blocks kept for all threads together take at most this much.
const MAX_SHARED_TOTAL: usize = 256 << 20;

/// Allocations below this size make do with [`SMALL_ALIGNMENT`], which the allocator gives much faster; from this size on
/// a thread keeps them.
pub(super) const MIN_ALIGNED: usize = 1 << 10;

/// Blocks that a thread keeps together take at most this much.
const MAX_NEAR_TOTAL: usize = 256 << 10;

/// A power of two has so many sizes that are allocated.
const SIZES_PER_OCTAVE: usize = 8;

/// Sizes of blocks that a thread keeps.
const N_NEAR: usize = (MIN_SHARED.ilog2() - MIN_ALIGNED.ilog2()) as usize * SIZES_PER_OCTAVE;

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

/// Blocks that nobody owns, at most so many bytes in all.
struct Kept<L> {
    lists: L,
    total: usize,
    most: usize,
}

/// Blocks by size.
trait Lists {
    /// Those of a capacity.
    fn of(&mut self, capacity: usize) -> &mut Vec<NonNull<u8>>;
}

/// Large blocks.
struct Large(BTreeMap<usize, Vec<NonNull<u8>>>);

/// Blocks of a few pages.
struct Near([Vec<NonNull<u8>>; N_NEAR]);

// SAFETY: it owns the blocks.
unsafe impl Send for Large {}

static SHARED: Mutex<Kept<Large>> =
    Mutex::new(Kept { lists: Large(BTreeMap::new()), total: 0, most: MAX_SHARED_TOTAL });

thread_local! {
    static NEAR: RefCell<Kept<Near>> =
        const { RefCell::new(Kept { lists: Near([const { Vec::new() }; N_NEAR]), total: 0, most: MAX_NEAR_TOTAL }) };
}

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

/// The size that is allocated for this many bytes: those that are kept are rounded up to one of some sizes per power of two,
/// so that blocks of nearly the same size can stand in for each other.
fn rounded(bytes: usize) -> Option<usize> {
    if bytes < MIN_ALIGNED {
        return Some(bytes);
    }
    bytes.checked_next_multiple_of((1 << bytes.ilog2()) / SIZES_PER_OCTAVE)
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
        if let Some(data) = take_kept(capacity) {
            return Some((Allocation { data, capacity }, false));
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
        if !keep(self.data, self.capacity) {
            free(self.data, self.capacity);
        }
    }
}

/// Gives memory back that was allocated in [`Allocation::new`] with this capacity, and not given back before.
fn free(data: NonNull<u8>, capacity: usize) {
    let layout = layout(capacity).expect("the layout that it was allocated with");
    // SAFETY: said above.
    unsafe { dealloc(data.as_ptr(), layout) }
}

/// A kept block of exactly this capacity.
fn take_kept(capacity: usize) -> Option<NonNull<u8>> {
    match capacity {
        ..MIN_ALIGNED => None,
        // A thread that ends keeps nothing, here and below.
        MIN_ALIGNED..MIN_SHARED => NEAR.try_with(|near| near.borrow_mut().take(capacity)).ok().flatten(),
        MIN_SHARED.. => shared().take(capacity),
    }
}

/// Keeps a block, unless that would be too much.
fn keep(data: NonNull<u8>, capacity: usize) -> bool {
    match capacity {
        ..MIN_ALIGNED => false,
        MIN_ALIGNED..MIN_SHARED => NEAR.try_with(|near| near.borrow_mut().put(data, capacity)).unwrap_or(false),
        MIN_SHARED.. => shared().put(data, capacity),
    }
}

fn shared() -> std::sync::MutexGuard<'static, Kept<Large>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L: Lists> Kept<L> {
    fn take(&mut self, capacity: usize) -> Option<NonNull<u8>> {
        let data = self.lists.of(capacity).pop()?;
        self.total -= capacity;
        Some(data)
    }

    /// Keeps a block, unless that would be too much.
    fn put(&mut self, data: NonNull<u8>, capacity: usize) -> bool {
        let fits = self.total + capacity <= self.most;
        if fits {
            self.total += capacity;
            self.lists.of(capacity).push(data);
        }
        fits
    }
}

impl Lists for Large {
    fn of(&mut self, capacity: usize) -> &mut Vec<NonNull<u8>> {
        self.0.entry(capacity).or_default()
    }
}

impl Near {
    /// Which of the sizes that [`rounded`] gives.
    fn index(capacity: usize) -> usize {
        let octave = capacity.ilog2();
        let size = capacity / ((1 << octave) / SIZES_PER_OCTAVE) - SIZES_PER_OCTAVE;
        (octave - MIN_ALIGNED.ilog2()) as usize * SIZES_PER_OCTAVE + size
    }
}

impl Lists for Near {
    fn of(&mut self, capacity: usize) -> &mut Vec<NonNull<u8>> {
        &mut self.0[Near::index(capacity)]
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        for octave in MIN_ALIGNED.ilog2()..MIN_SHARED.ilog2() {
            for size in SIZES_PER_OCTAVE..2 * SIZES_PER_OCTAVE {
                let capacity = (1 << octave) / SIZES_PER_OCTAVE * size;
                self.of(capacity).drain(..).for_each(|data| free(data, capacity));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_by_an_eighth_at_most() {
        for bytes in [1, 64, MIN_ALIGNED - 1] {
            assert_eq!(rounded(bytes), Some(bytes));
        }
        for bytes in [MIN_ALIGNED, MIN_ALIGNED + 1, 9_999, 100_000, 1 << 20, (1 << 20) + 1] {
            let size = rounded(bytes).expect("small enough");
            assert!(size >= bytes && size - bytes <= bytes / 8);
            assert_eq!(rounded(size), Some(size));
        }
    }

    #[test]
    fn each_size_that_a_thread_keeps_has_a_place() {
        let mut sizes: Vec<usize> =
            (MIN_ALIGNED..=MIN_SHARED - MIN_SHARED / 16).map(|bytes| rounded(bytes).unwrap()).collect();
        sizes.dedup();
        let places: Vec<usize> = sizes.iter().map(|&size| Near::index(size)).collect();
        assert_eq!(places, (0..N_NEAR).collect::<Vec<_>>());
    }

    #[test]
    fn a_thread_keeps_blocks_of_a_few_pages_up_to_a_limit() {
        let blocks =
            |n: usize| -> Vec<Block> { (0..n).map(|_| Block::zeros(5000).expect("there is memory")).collect() };
        // More than are kept.
        let n = 2 * MAX_NEAR_TOTAL / 5000;
        for block in blocks(n) {
            // SAFETY: the block has that many bytes.
            unsafe { block.as_ptr().write_bytes(7, 5000) };
        }
        NEAR.with_borrow(|near| assert!((1..=MAX_NEAR_TOTAL).contains(&near.total)));
        let again = blocks(n);
        for block in &again {
            // SAFETY: as above, all initialized.
            assert!(unsafe { std::slice::from_raw_parts(block.as_ptr(), 5000) }.iter().all(|&b| b == 0));
        }
        NEAR.with_borrow(|near| assert_eq!(near.total, 0));
        // Of another thread, where they stay.
        std::thread::spawn(move || drop(again)).join().expect("no panic");
        NEAR.with_borrow(|near| assert_eq!(near.total, 0));
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
