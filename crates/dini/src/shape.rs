//! Shapes and abstract values: what is known of an array without its elements.

use crate::error::{Error, ErrorKind, Result};
use dini_cpu::{dtype::DType, graph::TensorType};
use std::fmt;

/// Extent of each axis.
pub type Shape = dini_cpu::graph::Shape;

/// Element type and shape of an array ("abstract value").
#[derive(PartialEq, Eq, Hash)]
pub struct Aval {
    /// Element type.
    pub dtype: DType,
    /// Extent of each axis.
    pub shape: Shape,
}

impl Clone for Aval {
    /// Copies a short shape in registers: compiled calls do this for each result.
    #[inline]
    fn clone(&self) -> Aval {
        let shape = match *self.shape {
            [] => Shape::new(),
            [a] => Shape::from_buf_and_len([a, 0, 0, 0], 1),
            [a, b] => Shape::from_buf_and_len([a, b, 0, 0], 2),
            _ => Shape::from_slice(&self.shape),
        };
        Aval { dtype: self.dtype, shape }
    }
}

impl Aval {
    /// An abstract value from its parts.
    pub fn new(dtype: DType, shape: &[usize]) -> Aval {
        Aval { dtype, shape: Shape::from_slice(shape) }
    }

    /// A scalar of that type.
    pub fn scalar(dtype: DType) -> Aval {
        Aval { dtype, shape: Shape::new() }
    }

    /// The same shape with another element type.
    pub fn with_dtype(&self, dtype: DType) -> Aval {
        Aval { dtype, shape: self.shape.clone() }
    }

    /// The same element type with another shape.
    pub fn with_shape(&self, shape: &[usize]) -> Aval {
        Aval::new(self.dtype, shape)
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The type of its tangents: itself for inexact types, else `float0`.
    pub fn tangent(&self) -> Aval {
        if self.dtype.is_inexact() { self.clone() } else { self.with_dtype(DType::Float0) }
    }

    /// With a batch axis of extent `size` inserted.
    pub fn batched(&self, axis: usize, size: usize) -> Aval {
        let mut shape = self.shape.clone();
        shape.insert(axis, size);
        Aval { dtype: self.dtype, shape }
    }

    /// Without one axis.
    pub fn unbatched(&self, axis: usize) -> Aval {
        let mut shape = self.shape.clone();
        shape.remove(axis);
        Aval { dtype: self.dtype, shape }
    }

    pub(crate) fn tensor(&self) -> TensorType {
        let Aval { dtype, shape } = self.clone();
        TensorType { dtype, shape }
    }
}

impl fmt::Display for Aval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, n) in self.shape.iter().enumerate() {
            write!(f, "{}{n}", if i == 0 { "" } else { "," })?;
        }
        write!(f, "]")
    }
}

impl fmt::Debug for Aval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The shape that NumPy broadcasting gives two shapes.
pub(crate) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Result<Shape> {
    let n = a.len().max(b.len());
    let extent = |s: &[usize], i: usize| if i + s.len() < n { 1 } else { s[i + s.len() - n] };
    (0..n)
        .map(|i| match (extent(a, i), extent(b, i)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            (x, y) => Err(Error::new(
                ErrorKind::Shape,
                format!("shapes {a:?} and {b:?} do not broadcast: extents {x} and {y} differ on axis -{}", n - i),
            )),
        })
        .collect()
}

/// Turns a possibly negative axis into one below `ndim`.
pub(crate) fn normalize_axis(axis: isize, ndim: usize) -> Result<usize> {
    let n = ndim as isize;
    if (-n..n).contains(&axis) {
        Ok(if axis < 0 { axis + n } else { axis } as usize)
    } else {
        Err(Error::new(ErrorKind::Index, format!("axis {axis} is out of range for {ndim} axes")))
    }
}

/// Row-major strides in elements.
pub(crate) fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i] as isize;
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast_shapes(&[3, 1], &[4]).unwrap()[..], [3, 4]);
        assert_eq!(broadcast_shapes(&[], &[2, 0]).unwrap()[..], [2, 0]);
        assert_eq!(broadcast_shapes(&[1], &[0]).unwrap()[..], [0]);
        assert!(broadcast_shapes(&[2], &[3]).is_err());
    }

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(normalize_axis(-1, 3).unwrap(), 2);
        assert_eq!(normalize_axis(0, 1).unwrap(), 0);
        assert!(normalize_axis(0, 0).is_err());
        assert!(normalize_axis(3, 3).is_err());
    }
}
