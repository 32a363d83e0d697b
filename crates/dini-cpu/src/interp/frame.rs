//! The memory of one run: a table of addresses, one per slot, the buffers behind it, and scratch space for tiles.
//!
//! All access by address goes through here. Its soundness rests on the invariants of schedules (see [`crate::schedule`]):
//! a slot is at least as large as any tensor that a step places in it, and a step writes no slot that it reads unless the
//! step says that it works in place.

use crate::{
    buffer::{ALIGNMENT, Buffer, OutOfMemory},
    dtype::DType,
    math::{Slice, SliceMut},
    schedule::{Slot, SlotId, Tensor},
};
use std::{slice, sync::Arc};

/// How much memory programs need beside their slots.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub scratch_bytes: usize,
    pub n_bases: usize,
    pub n_cells: usize,
}

impl Needs {
    /// Enough for both.
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            scratch_bytes: self.scratch_bytes.max(other.scratch_bytes),
            n_bases: self.n_bases.max(other.n_bases),
            n_cells: self.n_cells.max(other.n_cells),
        }
    }
}

/// The memory of one run.
pub(super) struct Frame {
    /// Where each slot's memory is now.
    addresses: Vec<*mut u8>,
    /// The buffers behind temporaries and results.
    owners: Vec<Option<Arc<Buffer>>>,
    /// Bytes of each temporary and result.
    capacities: Vec<usize>,
    scratch: Buffer,
    /// Addresses of the running kernel's operands and registers.
    pub bases: Vec<*mut u8>,
    /// Registers of scalar programs.
    pub cells: Vec<u64>,
    /// Kernels run so far.
    pub n_kernels: u64,
}

// SAFETY: the addresses point into buffers that the frame owns or, during a run, into inputs that the caller of the run
// keeps alive.
unsafe impl Send for Frame {}

impl Frame {
    /// Memory for slots like these; inputs and results have none yet.
    pub fn new(slots: &[Slot], needs: &Needs) -> Result<Frame, OutOfMemory> {
        let own = |slot: &Slot| match slot {
            Slot::Temporary { bytes } => Buffer::try_zeros(DType::U8, *bytes).map(|buffer| Some(Arc::new(buffer))),
            Slot::Constant(value) => Ok(Some(value.clone())),
            Slot::Input(_) | Slot::Donated { .. } | Slot::Result { .. } | Slot::Window | Slot::Empty => Ok(None),
        };
        let owners = slots.iter().map(own).collect::<Result<Vec<Option<Arc<Buffer>>>, OutOfMemory>>()?;
        let nowhere = std::ptr::without_provenance_mut(ALIGNMENT);
        Ok(Frame {
            addresses: owners.iter().map(|owner| owner.as_ref().map_or(nowhere, |buffer| buffer.as_ptr())).collect(),
            owners,
            capacities: slots.iter().map(Slot::bytes).collect(),
            // Machine code keeps vectors there: those that straddle two lines of the cache take twice as long.
            scratch: Buffer::try_lines(needs.scratch_bytes)?,
            bases: vec![nowhere; needs.n_bases],
            cells: vec![0; needs.n_cells],
            n_kernels: 0,
        })
    }

    /// Points a slot at memory of the caller's.
    pub fn lend(&mut self, slot: SlotId, address: *mut u8) {
        self.addresses[slot.0 as usize] = address;
    }

    /// Gives a slot a buffer.
    pub fn give(&mut self, slot: SlotId, buffer: Arc<Buffer>) {
        self.addresses[slot.0 as usize] = buffer.as_ptr();
        self.owners[slot.0 as usize] = Some(buffer);
    }

    /// Takes a slot's buffer away.
    pub fn take(&mut self, slot: SlotId) -> Option<Arc<Buffer>> {
        self.owners[slot.0 as usize].take()
    }

    pub fn address(&self, slot: SlotId) -> *mut u8 {
        self.addresses[slot.0 as usize]
    }

    /// Size of a temporary or result in bytes.
    pub fn capacity(&self, slot: SlotId) -> usize {
        self.capacities[slot.0 as usize]
    }

    pub fn scratch(&self) -> *mut u8 {
        self.scratch.as_ptr()
    }

    /// Trades the memory of two slots.
    pub fn swap(&mut self, a: SlotId, b: SlotId) {
        self.addresses.swap(a.0 as usize, b.0 as usize);
        self.owners.swap(a.0 as usize, b.0 as usize);
    }

    /// The elements of a tensor.
    ///
    /// # Safety
    /// The slot must hold the tensor, and nothing may write it while the slice lives.
    pub unsafe fn read<'a>(&self, tensor: Tensor) -> Slice<'a> {
        // SAFETY: promised by the caller.
        unsafe { elements(self.address(tensor.slot), tensor.dtype, tensor.len) }
    }

    /// The elements of a tensor, to be written.
    ///
    /// # Safety
    /// The slot must have room for the tensor, and nothing else may access it while the slice lives.
    pub unsafe fn write<'a>(&self, tensor: Tensor) -> SliceMut<'a> {
        // SAFETY: promised by the caller.
        unsafe { elements_mut(self.address(tensor.slot), tensor.dtype, tensor.len) }
    }

    /// The bytes of a tensor, as elements of a type of a size that divides them.
    ///
    /// # Safety
    /// As for [`Frame::read`].
    pub unsafe fn read_bits<'a, T>(&self, slot: SlotId, len: usize) -> &'a [T] {
        // SAFETY: promised by the caller.
        unsafe { slice::from_raw_parts(self.address(slot).cast(), len) }
    }

    /// The bytes of a tensor, as elements of a type of a size that divides them, to be written.
    ///
    /// # Safety
    /// As for [`Frame::write`].
    pub unsafe fn write_bits<'a, T>(&self, slot: SlotId, len: usize) -> &'a mut [T] {
        // SAFETY: promised by the caller.
        unsafe { slice::from_raw_parts_mut(self.address(slot).cast(), len) }
    }
}

/// Addresses that other threads may work with.
pub(super) struct Addresses<'a>(pub &'a [*mut u8]);

// SAFETY: what stands at the addresses is read by all, and written by each thread where no other one looks, as whoever
// hands them out sees to.
unsafe impl Sync for Addresses<'_> {}

/// Elements at an address.
///
/// # Safety
/// There must be `len` initialized elements of the type, which nothing writes while the slice lives.
#[inline(always)]
pub(crate) unsafe fn elements<'a>(address: *const u8, dtype: DType, len: usize) -> Slice<'a> {
    // SAFETY: promised by the caller.
    unsafe {
        match dtype {
            DType::F64 => Slice::F64(slice::from_raw_parts(address.cast(), len)),
            DType::F32 => Slice::F32(slice::from_raw_parts(address.cast(), len)),
            DType::Bool => Slice::Bool(slice::from_raw_parts(address.cast(), len)),
            DType::U8 => Slice::U8(slice::from_raw_parts(address.cast(), len)),
            DType::U32 => Slice::U32(slice::from_raw_parts(address.cast(), len)),
            DType::U64 => Slice::U64(slice::from_raw_parts(address.cast(), len)),
            DType::I32 => Slice::I32(slice::from_raw_parts(address.cast(), len)),
            DType::I64 => Slice::I64(slice::from_raw_parts(address.cast(), len)),
            DType::C64 | DType::C128 | DType::Float0 => no_arithmetic(dtype),
        }
    }
}

/// Elements at an address, to be written.
///
/// # Safety
/// There must be room for `len` elements of the type, which nothing else accesses while the slice lives.
#[inline(always)]
pub(crate) unsafe fn elements_mut<'a>(address: *mut u8, dtype: DType, len: usize) -> SliceMut<'a> {
    // SAFETY: promised by the caller.
    unsafe {
        match dtype {
            DType::F64 => SliceMut::F64(slice::from_raw_parts_mut(address.cast(), len)),
            DType::F32 => SliceMut::F32(slice::from_raw_parts_mut(address.cast(), len)),
            DType::Bool => SliceMut::Bool(slice::from_raw_parts_mut(address.cast(), len)),
            DType::U8 => SliceMut::U8(slice::from_raw_parts_mut(address.cast(), len)),
            DType::U32 => SliceMut::U32(slice::from_raw_parts_mut(address.cast(), len)),
            DType::U64 => SliceMut::U64(slice::from_raw_parts_mut(address.cast(), len)),
            DType::I32 => SliceMut::I32(slice::from_raw_parts_mut(address.cast(), len)),
            DType::I64 => SliceMut::I64(slice::from_raw_parts_mut(address.cast(), len)),
            DType::C64 | DType::C128 | DType::Float0 => no_arithmetic(dtype),
        }
    }
}

#[cold]
fn no_arithmetic(dtype: DType) -> ! {
    unreachable!("the checker admits no arithmetic on {dtype}")
}
