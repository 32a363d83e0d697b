//! Conversion of Rust scalars, arrays, vectors and slices, nested to any depth, into arrays.

use super::Array;
use crate::error::{Error, ErrorKind};
use dini_cpu::dtype::Element;
use std::panic::Location;

/// What [`Array::from`] accepts: a scalar, or arrays, vectors and slices of such, of any depth and of equal extents.
///
/// ```
/// use dini::prelude::*;
/// assert_eq!(Array::from(vec![[1u8, 2], [3, 4]]).shape(), [2, 2]);
/// assert!(Array::from(vec![vec![1.0], vec![]]).check().is_err());
/// ```
pub trait Nested {
    /// The scalar type at the bottom.
    type Element: Element;
    /// Number of axes, which a type fixes.
    const NDIM: usize;
    /// Appends the extents, taken from the first element of each level.
    fn extents(&self, shape: &mut Vec<usize>);
    /// Appends the elements; false if an extent differs from `shape`.
    fn fill(&self, shape: &[usize], out: &mut Vec<Self::Element>) -> bool;
}

macro_rules! scalars {
    ($($t:ty),*) => { $(
        impl Nested for $t {
            type Element = $t;
            const NDIM: usize = 0;
            fn extents(&self, _: &mut Vec<usize>) {}
            fn fill(&self, _: &[usize], out: &mut Vec<$t>) -> bool {
                out.push(*self);
                true
            }
        }
    )* };
}
scalars!(bool, u8, u32, u64, i32, i64, f32, f64);

impl<T: Nested> Nested for &[T] {
    type Element = T::Element;
    const NDIM: usize = 1 + T::NDIM;
    fn extents(&self, shape: &mut Vec<usize>) {
        shape.push(self.len());
        match self.first() {
            Some(first) => first.extents(shape),
            None => shape.extend(std::iter::repeat_n(0, T::NDIM)),
        }
    }
    fn fill(&self, shape: &[usize], out: &mut Vec<T::Element>) -> bool {
        self.len() == shape[0] && self.iter().all(|x| x.fill(&shape[1..], out))
    }
}

impl<T: Nested, const N: usize> Nested for [T; N] {
    type Element = T::Element;
    const NDIM: usize = 1 + T::NDIM;
    fn extents(&self, shape: &mut Vec<usize>) {
        (&self[..]).extents(shape);
    }
    fn fill(&self, shape: &[usize], out: &mut Vec<T::Element>) -> bool {
        (&self[..]).fill(shape, out)
    }
}

impl<T: Nested> Nested for Vec<T> {
    type Element = T::Element;
    const NDIM: usize = 1 + T::NDIM;
    fn extents(&self, shape: &mut Vec<usize>) {
        (&self[..]).extents(shape);
    }
    fn fill(&self, shape: &[usize], out: &mut Vec<T::Element>) -> bool {
        (&self[..]).fill(shape, out)
    }
}

impl<T: Nested> From<T> for Array {
    #[track_caller]
    fn from(value: T) -> Array {
        let at = Location::caller();
        let mut shape = Vec::new();
        value.extents(&mut shape);
        let mut data = Vec::with_capacity(shape.iter().product());
        if value.fill(&shape, &mut data) {
            Array::from_parts(data, &shape, at)
        } else {
            let message = format!("nested vectors of unequal lengths (the first ones make {shape:?})");
            Array::poison(Error::new(ErrorKind::Shape, message).op("array").at(at))
        }
    }
}
