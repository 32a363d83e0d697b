//! Typed slices under a run-time element type: what kernels read and write.

use crate::dtype::{DType, Element};

/// An [`Element`] that arithmetic is defined for, with its way in and out of [`Slice`] and [`SliceMut`].
pub trait Scalar: Element {
    /// The elements, if the slice holds this type.
    fn read(slice: Slice<'_>) -> Option<&[Self]>;
    /// The elements, if the slice holds this type.
    fn write(slice: SliceMut<'_>) -> Option<&mut [Self]>;
    /// The slice with its type known at run time.
    fn wrap(slice: &[Self]) -> Slice<'_>;
    /// The slice with its type known at run time.
    fn wrap_mut(slice: &mut [Self]) -> SliceMut<'_>;
}

macro_rules! slices {
    ($($variant:ident: $t:ty),* $(,)?) => {
        /// Elements to read.
        #[derive(Clone, Copy, Debug)]
        pub enum Slice<'a> {
            $(#[doc = concat!("Elements of type `", stringify!($t), "`.")] $variant(&'a [$t]),)*
        }

        /// Elements to write.
        #[derive(Debug)]
        pub enum SliceMut<'a> {
            $(#[doc = concat!("Elements of type `", stringify!($t), "`.")] $variant(&'a mut [$t]),)*
        }

        impl<'a> Slice<'a> {
            /// The element type.
            pub const fn dtype(&self) -> DType {
                match self { $(Slice::$variant(_) => DType::$variant,)* }
            }

            /// Number of elements.
            pub const fn len(&self) -> usize {
                match self { $(Slice::$variant(s) => s.len(),)* }
            }

            /// The elements of a range.
            ///
            /// # Panics
            /// If the range does not lie inside the slice.
            pub fn slice(&self, range: std::ops::Range<usize>) -> Slice<'a> {
                match self { $(Slice::$variant(s) => Slice::$variant(&s[range]),)* }
            }
        }

        impl SliceMut<'_> {
            /// The element type.
            pub const fn dtype(&self) -> DType {
                match self { $(SliceMut::$variant(_) => DType::$variant,)* }
            }

            /// Number of elements.
            pub const fn len(&self) -> usize {
                match self { $(SliceMut::$variant(s) => s.len(),)* }
            }

            /// The same elements, to read.
            pub fn as_slice(&self) -> Slice<'_> {
                match self { $(SliceMut::$variant(s) => Slice::$variant(s),)* }
            }

            /// The same elements for a shorter time.
            pub fn reborrow(&mut self) -> SliceMut<'_> {
                match self { $(SliceMut::$variant(s) => SliceMut::$variant(s),)* }
            }

            /// The elements of a range.
            ///
            /// # Panics
            /// If the range does not lie inside the slice.
            pub fn slice(&mut self, range: std::ops::Range<usize>) -> SliceMut<'_> {
                match self { $(SliceMut::$variant(s) => SliceMut::$variant(&mut s[range]),)* }
            }
        }

        $(impl Scalar for $t {
            #[inline]
            fn read(slice: Slice<'_>) -> Option<&[Self]> {
                if let Slice::$variant(s) = slice { Some(s) } else { None }
            }
            #[inline]
            fn write(slice: SliceMut<'_>) -> Option<&mut [Self]> {
                if let SliceMut::$variant(s) = slice { Some(s) } else { None }
            }
            #[inline]
            fn wrap(slice: &[Self]) -> Slice<'_> {
                Slice::$variant(slice)
            }
            #[inline]
            fn wrap_mut(slice: &mut [Self]) -> SliceMut<'_> {
                SliceMut::$variant(slice)
            }
        })*
    };
}
slices! { Bool: bool, U8: u8, U32: u32, U64: u64, I32: i32, I64: i64, F32: f32, F64: f64 }

impl Slice<'_> {
    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as type `T`.
    ///
    /// # Panics
    /// If the slice holds another type: the caller resolved a kernel for other operands.
    #[inline]
    #[track_caller]
    pub(crate) fn typed<'a, T: Scalar>(self) -> &'a [T]
    where
        Self: 'a,
    {
        let got = self.dtype();
        match T::read(self) {
            Some(slice) => slice,
            None => panic!("operand of type {got} given to a kernel for {}", T::DTYPE),
        }
    }
}

impl SliceMut<'_> {
    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as type `T`.
    ///
    /// # Panics
    /// If the slice holds another type: the caller resolved a kernel for other operands.
    #[inline]
    #[track_caller]
    pub(crate) fn typed<'a, T: Scalar>(self) -> &'a mut [T]
    where
        Self: 'a,
    {
        let got = self.dtype();
        match T::write(self) {
            Some(slice) => slice,
            None => panic!("result of type {got} given to a kernel for {}", T::DTYPE),
        }
    }
}
