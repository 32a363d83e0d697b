//! Buffers: the typed, aligned storage of arrays.
//!
//! Invariants: storage is aligned to [`ALIGNMENT`] bytes, that of less than a kilobyte to [`SMALL_ALIGNMENT`]; every byte below `len · size` is initialized; the bytes of a
//! `bool` buffer are 0 or 1. A buffer knows nothing of shapes.

mod pages;
mod storage;

use crate::{
    counters,
    dtype::{DType, Element},
    math::{Slice, SliceMut},
};
use std::{fmt, mem::ManuallyDrop, slice, sync::Arc};
use storage::Block;

/// Alignment of a buffer's storage in bytes: one cache line, and the widest vector register.
pub const ALIGNMENT: usize = 64;

/// Alignment of small buffers' storage in bytes: no element needs more.
pub const SMALL_ALIGNMENT: usize = 16;

/// A dense run of elements of one type.
pub struct Buffer {
    dtype: DType,
    len: usize,
    block: Block,
}

/// There is no memory for a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What was asked for.
    pub bytes: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no memory for {:.3} GiB", self.bytes as f64 / f64::from(1 << 30))
    }
}

impl std::error::Error for OutOfMemory {}

#[inline]
fn byte_len(dtype: DType, len: usize) -> usize {
    dtype.size().checked_mul(len).expect("a buffer's size fits the address space")
}

impl Buffer {
    /// `len` zeros (`false` for `bool`).
    ///
    /// # Panics
    /// If there is no memory.
    pub fn zeros(dtype: DType, len: usize) -> Buffer {
        Buffer::try_zeros(dtype, len).unwrap_or_else(|e| panic!("{e}"))
    }

    /// [`Buffer::zeros`], if there is memory.
    ///
    /// # Errors
    /// No memory.
    pub fn try_zeros(dtype: DType, len: usize) -> Result<Buffer, OutOfMemory> {
        let bytes = byte_len(dtype, len);
        let block = Block::zeros(bytes)?;
        counters::add_bytes(bytes as u64);
        Ok(Buffer { dtype, len, block })
    }

    /// At least so many bytes, zeros, that begin with a line of the cache however few they are.
    pub(crate) fn try_lines(bytes: usize) -> Result<Buffer, OutOfMemory> {
        Buffer::try_zeros(DType::U8, if bytes == 0 { 0 } else { bytes.max(storage::MIN_ALIGNED) })
    }

    /// Storage for `len` elements with any content: bytes of a `bool` may be neither 0 nor 1.
    ///
    /// # Safety
    /// If the type is `bool`, every element must be written before anything reads the buffer.
    #[inline]
    pub(crate) unsafe fn any(dtype: DType, len: usize) -> Result<Buffer, OutOfMemory> {
        let bytes = byte_len(dtype, len);
        let (block, _) = Block::new(bytes)?;
        counters::add_bytes(bytes as u64);
        Ok(Buffer { dtype, len, block })
    }

    /// A copy of the elements.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn from_slice<T: Element>(elements: &[T]) -> Buffer {
        // SAFETY: all of it is written on the next line.
        let mut out = unsafe { Buffer::any(T::DTYPE, elements.len()) }.unwrap_or_else(|e| panic!("{e}"));
        out.as_mut_slice::<T>().copy_from_slice(elements);
        out
    }

    /// The elements of a vector (copied: a vector is not aligned enough).
    pub fn from_vec<T: Element>(elements: Vec<T>) -> Buffer {
        Buffer::from_slice(&elements)
    }

    /// A buffer of one element.
    pub fn scalar<T: Element>(element: T) -> Buffer {
        Buffer::from_slice(&[element])
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn expect_dtype<T: Element>(&self) {
        assert!(T::DTYPE == self.dtype, "buffer holds {}, read as {}", self.dtype, T::DTYPE);
    }

    /// The elements.
    ///
    /// # Panics
    /// If `T` is not the buffer's element type.
    pub fn as_slice<T: Element>(&self) -> &[T] {
        self.expect_dtype::<T>();
        // SAFETY: the storage holds `len` initialized elements of this type, aligned beyond its needs.
        unsafe { slice::from_raw_parts(self.block.as_ptr().cast(), self.len) }
    }

    /// The elements, to be changed.
    ///
    /// # Panics
    /// If `T` is not the buffer's element type.
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        self.expect_dtype::<T>();
        // SAFETY: as in `as_slice`, and the buffer is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.block.as_ptr().cast(), self.len) }
    }

    /// The elements, their type known at run time.
    ///
    /// # Panics
    /// If the element type has no arithmetic (complex numbers, `float0`).
    pub fn elements(&self) -> Slice<'_> {
        match self.dtype {
            DType::Bool => Slice::Bool(self.as_slice()),
            DType::U8 => Slice::U8(self.as_slice()),
            DType::U32 => Slice::U32(self.as_slice()),
            DType::U64 => Slice::U64(self.as_slice()),
            DType::I32 => Slice::I32(self.as_slice()),
            DType::I64 => Slice::I64(self.as_slice()),
            DType::F32 => Slice::F32(self.as_slice()),
            DType::F64 => Slice::F64(self.as_slice()),
            DType::C64 | DType::C128 | DType::Float0 => panic!("elements of type {} have no slice", self.dtype),
        }
    }

    /// The elements, to be changed, their type known at run time.
    ///
    /// # Panics
    /// If the element type has no arithmetic (complex numbers, `float0`).
    pub fn elements_mut(&mut self) -> SliceMut<'_> {
        match self.dtype {
            DType::Bool => SliceMut::Bool(self.as_mut_slice()),
            DType::U8 => SliceMut::U8(self.as_mut_slice()),
            DType::U32 => SliceMut::U32(self.as_mut_slice()),
            DType::U64 => SliceMut::U64(self.as_mut_slice()),
            DType::I32 => SliceMut::I32(self.as_mut_slice()),
            DType::I64 => SliceMut::I64(self.as_mut_slice()),
            DType::F32 => SliceMut::F32(self.as_mut_slice()),
            DType::F64 => SliceMut::F64(self.as_mut_slice()),
            DType::C64 | DType::C128 | DType::Float0 => panic!("elements of type {} have no slice", self.dtype),
        }
    }

    /// The storage, element after element in the machine's byte order.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: that many bytes are initialized.
        unsafe { slice::from_raw_parts(self.block.as_ptr(), byte_len(self.dtype, self.len)) }
    }

    /// Memory for a result of the executor.
    ///
    /// # Safety
    /// All of it must be written before anything reads the buffer.
    pub(crate) unsafe fn for_result(bytes: usize) -> Result<Arc<Buffer>, OutOfMemory> {
        // SAFETY: promised by the caller.
        unsafe { Buffer::any_shared(DType::U8, bytes) }
    }

    /// [`Buffer::any`], made where it stays: to move one that was just written costs a small call a good part of its time.
    ///
    /// # Safety
    /// Every element must be written before anything reads the buffer.
    #[inline]
    pub(crate) unsafe fn any_shared(dtype: DType, len: usize) -> Result<Arc<Buffer>, OutOfMemory> {
        let bytes = byte_len(dtype, len);
        if bytes > Block::INLINE {
            // SAFETY: promised by the caller.
            return unsafe { Buffer::any(dtype, len) }.map(Arc::new);
        }
        counters::add_bytes(bytes as u64);
        let place = Arc::<Buffer>::new_uninit();
        // SAFETY: nobody else has the place yet; what is in the block is promised by the caller.
        unsafe {
            let at = Arc::as_ptr(&place).cast::<Buffer>().cast_mut();
            at.write(Buffer { dtype, len, block: Block::inline_any() });
            Ok(place.assume_init())
        }
    }

    /// A buffer that borrows its storage and must not be dropped, nor outlive the storage.
    ///
    /// # Safety
    /// There must be `len` initialized elements of the type, which nothing writes as long as the view is used.
    pub(crate) unsafe fn view(data: *mut u8, dtype: DType, len: usize) -> ManuallyDrop<Buffer> {
        ManuallyDrop::new(Buffer { dtype, len, block: Block::borrowed(data) })
    }

    /// Takes the storage to hold other elements. Bytes stay as they are: `bool`s must be written before they are read.
    ///
    /// # Panics
    /// If the storage is too small.
    pub(crate) fn set_type(&mut self, dtype: DType, len: usize) {
        let capacity = self.block.capacity();
        assert!(byte_len(dtype, len) <= capacity, "storage of {capacity} bytes for {len} {dtype}");
        (self.dtype, self.len) = (dtype, len);
    }

    /// The buffer with its elements' type set.
    pub(crate) fn typed(mut self: Arc<Buffer>, dtype: DType, len: usize) -> Arc<Buffer> {
        Arc::get_mut(&mut self).expect("the memory of a run is not shared").set_type(dtype, len);
        self
    }

    /// The buffer itself if nobody else holds it, or else a copy.
    pub(crate) fn unshared(mut self: Arc<Buffer>) -> Result<Arc<Buffer>, OutOfMemory> {
        match Arc::get_mut(&mut self) {
            Some(_) => Ok(self),
            None => self.try_clone().map(Arc::new),
        }
    }

    fn try_clone(&self) -> Result<Buffer, OutOfMemory> {
        // SAFETY: all of it is written on the next line.
        let copy = unsafe { Buffer::any(self.dtype, self.len) }?;
        // SAFETY: both storages hold that many bytes and are distinct.
        unsafe { copy.as_ptr().copy_from_nonoverlapping(self.as_ptr(), self.bytes().len()) };
        Ok(copy)
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.block.as_ptr()
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        self.try_clone().unwrap_or_else(|e| panic!("{e}"))
    }
}

/// Bitwise: NaNs of one pattern are equal, 0 and -0 are not.
impl PartialEq for Buffer {
    fn eq(&self, other: &Buffer) -> bool {
        self.dtype == other.dtype && self.len == other.len && self.bytes() == other.bytes()
    }
}

impl Eq for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        fn list<T: Element>(buffer: &Buffer, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let elements = buffer.as_slice::<T>();
            let mut list = f.debug_list();
            list.entries(&elements[..elements.len().min(SHOWN)]);
            if elements.len() > SHOWN { list.finish_non_exhaustive() } else { list.finish() }
        }
        write!(f, "{}[{}]", self.dtype, self.len)?;
        match self.dtype {
            DType::Bool => list::<bool>(self, f),
            DType::U8 => list::<u8>(self, f),
            DType::U32 => list::<u32>(self, f),
            DType::U64 => list::<u64>(self, f),
            DType::I32 => list::<i32>(self, f),
            DType::I64 => list::<i64>(self, f),
            DType::F32 => list::<f32>(self, f),
            DType::F64 => list::<f64>(self, f),
            DType::C64 | DType::C128 | DType::Float0 => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_aligned_zeroed_and_typed() {
        for (len, alignment) in [(1, SMALL_ALIGNMENT), (5, SMALL_ALIGNMENT), (500, ALIGNMENT)] {
            let b = Buffer::zeros(DType::F32, len);
            assert_eq!((b.dtype(), b.len(), b.is_empty()), (DType::F32, len, false));
            assert_eq!(b.as_ptr() as usize % alignment, 0);
            assert_eq!(b.as_slice::<f32>(), vec![0.0; len]);
            assert_eq!(b.bytes().len(), 4 * len);
        }
    }

    #[test]
    fn lines_are_lines_however_few() {
        for bytes in [1, 16, 17, 100, 1023, 5000] {
            // Several, since one could be aligned by chance.
            let lines: Vec<Buffer> = (0..9).map(|_| Buffer::try_lines(bytes).expect("there is memory")).collect();
            assert!(lines.iter().all(|b| b.len() >= bytes && (b.as_ptr() as usize).is_multiple_of(ALIGNMENT)));
        }
        assert!(Buffer::try_lines(0).expect("nothing is asked for").is_empty());
    }

    #[test]
    fn elements_move_with_their_buffer() {
        for len in [1, 2, 3, 1000] {
            let elements: Vec<f64> = (0..len).map(|i| i as f64).collect();
            let moved = Box::new(Buffer::from_slice(&elements));
            let shared = Arc::new(*moved);
            assert_eq!(shared.as_slice::<f64>(), elements);
        }
    }

    #[test]
    fn empty_and_float0_have_no_bytes() {
        assert_eq!(Buffer::zeros(DType::F64, 0).bytes(), b"");
        let none = Buffer::zeros(DType::Float0, 7);
        assert_eq!((none.len(), none.bytes().len()), (7, 0));
        assert_eq!(none.clone(), none);
    }

    #[test]
    fn equality_is_bitwise() {
        assert_eq!(Buffer::scalar(f64::NAN), Buffer::scalar(f64::NAN));
        assert_ne!(Buffer::scalar(0.0), Buffer::scalar(-0.0));
        assert_ne!(Buffer::scalar(0u32), Buffer::scalar(0i32));
    }

    #[test]
    #[should_panic(expected = "buffer holds f64, read as f32")]
    fn reading_as_another_type_panics() {
        Buffer::scalar(1.0f64).as_slice::<f32>();
    }

    #[test]
    fn debug_shows_a_few_elements() {
        assert_eq!(format!("{:?}", Buffer::from_vec(vec![1i32, 2])), "i32[2][1, 2]");
        assert!(format!("{:?}", Buffer::zeros(DType::U8, 99)).ends_with(", ..]"));
    }
}
