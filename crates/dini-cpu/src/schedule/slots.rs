//! The slots of a schedule and which of them are free.

use crate::buffer::Buffer;
use rustc_hash::FxHashMap;
use std::{fmt, sync::Arc};

/// Names a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotId(pub u32);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// A piece of memory.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// An input of the graph.
    Input(usize),
    /// An input of the graph that the caller gave away: memory like a temporary, for this run.
    Donated { input: usize, bytes: usize },
    /// A constant.
    Constant(Arc<Buffer>),
    /// Memory of the executor's, kept from run to run.
    Temporary { bytes: usize },
    /// Memory that leaves with the results: fresh for each run.
    Result { bytes: usize },
    /// A moving view of another slot.
    Window,
    /// No bytes.
    Empty,
}

impl Slot {
    /// Bytes of memory that runs may write.
    pub fn bytes(&self) -> usize {
        match self {
            Slot::Temporary { bytes } | Slot::Result { bytes } | Slot::Donated { bytes, .. } => *bytes,
            Slot::Input(_) | Slot::Constant(_) | Slot::Window | Slot::Empty => 0,
        }
    }
}

/// A slot that grows gets at most so many times larger: kernels that share rows (see [`super::strips`]) do well without rows
/// of different sizes in one slot, and small ones save little.
const MAX_GROWTH: usize = 16;

/// All slots, and those temporaries that hold nothing now.
#[derive(Default)]
pub(super) struct Slots {
    pub all: Vec<Slot>,
    free: Vec<SlotId>,
    /// Slots whose size must not change, because they trade memory with others of that size or leave as results.
    is_fixed: Vec<bool>,
    constants: FxHashMap<*const Buffer, SlotId>,
    empty: Option<SlotId>,
}

impl Slots {
    pub fn add(&mut self, slot: Slot) -> SlotId {
        self.all.push(slot);
        self.is_fixed.push(false);
        SlotId(self.all.len() as u32 - 1)
    }

    /// A donated input, which holds its value from the start.
    pub fn donated(&mut self, input: usize, bytes: usize) -> SlotId {
        let slot = self.add(Slot::Donated { input, bytes });
        self.fix(slot);
        slot
    }

    pub fn constant(&mut self, value: &Arc<Buffer>) -> SlotId {
        let key = Arc::as_ptr(value);
        if let Some(&slot) = self.constants.get(&key) {
            return slot;
        }
        let slot = self.add(Slot::Constant(value.clone()));
        self.constants.insert(key, slot);
        slot
    }

    /// The slot of all tensors without bytes.
    pub fn empty(&mut self) -> SlotId {
        match self.empty {
            Some(slot) => slot,
            None => {
                let slot = self.add(Slot::Empty);
                self.empty = Some(slot);
                slot
            }
        }
    }

    /// The size of memory that runs may write; 0 for other slots.
    pub fn bytes(&self, slot: SlotId) -> usize {
        self.all[slot.0 as usize].bytes()
    }

    /// A free temporary of at least this size, or a new one.
    pub fn take(&mut self, bytes: usize) -> SlotId {
        if bytes == 0 {
            return self.empty();
        }
        // The tightest that is large enough, but no waste beyond a factor of two; else the largest that may grow.
        let size = |slot: &SlotId| self.bytes(*slot);
        let fits = self.free.iter().enumerate().filter(|(_, slot)| (bytes..=2 * bytes).contains(&size(slot)));
        let tightest = fits.min_by_key(|(_, slot)| size(slot)).map(|(i, _)| i);
        let grows = |&(_, slot): &(usize, &SlotId)| {
            !self.is_fixed[slot.0 as usize] && size(slot) < bytes && bytes / MAX_GROWTH <= size(slot)
        };
        let found = tightest
            .or_else(|| self.free.iter().enumerate().filter(grows).max_by_key(|(_, slot)| size(slot)).map(|(i, _)| i));
        let Some(i) = found else { return self.add(Slot::Temporary { bytes }) };
        let slot = self.free.swap_remove(i);
        if let Slot::Temporary { bytes: size } = &mut self.all[slot.0 as usize] {
            *size = bytes.max(*size);
        }
        slot
    }

    /// A temporary of exactly this size, which it keeps.
    pub fn take_fixed(&mut self, bytes: usize) -> SlotId {
        if bytes == 0 {
            return self.empty();
        }
        let found = self.free.iter().position(|&slot| self.bytes(slot) == bytes);
        let slot = match found {
            Some(i) => self.free.swap_remove(i),
            None => self.add(Slot::Temporary { bytes }),
        };
        self.fix(slot);
        slot
    }

    /// Keeps a slot at its size.
    pub fn fix(&mut self, slot: SlotId) {
        self.is_fixed[slot.0 as usize] = true;
    }

    /// Gives a slot back, if runs may write it.
    pub fn release(&mut self, slot: SlotId) {
        if let Slot::Temporary { .. } | Slot::Donated { .. } = self.all[slot.0 as usize] {
            debug_assert!(!self.free.contains(&slot), "{slot} is released twice");
            self.free.push(slot);
        }
    }

    /// Marks a temporary as one that leaves with the results.
    pub fn make_result(&mut self, slot: SlotId) {
        if let Slot::Temporary { bytes } = self.all[slot.0 as usize] {
            self.all[slot.0 as usize] = Slot::Result { bytes };
        }
    }
}
