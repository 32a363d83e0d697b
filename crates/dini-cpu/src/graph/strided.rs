//! Arithmetic of strided boxes and row-major shapes.

use crate::graph::Strided;

/// Distance between neighbours along each axis of a dense row-major tensor.
pub(crate) fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for axis in (0..shape.len()).rev() {
        strides[axis] = step;
        step *= shape[axis] as isize;
    }
    strides
}

impl Strided {
    /// The whole of a dense tensor.
    pub fn dense(shape: &[usize]) -> Strided {
        Strided { shape: shape.to_vec(), strides: row_major(shape), offset: 0 }
    }

    /// Number of elements visited.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether no element is visited.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the box visits elements 0, 1, 2, … of the storage in this order.
    pub fn is_dense(&self) -> bool {
        if self.is_empty() {
            return true;
        }
        let mut step = 1;
        self.offset == 0
            && self.shape.iter().zip(&self.strides).rev().all(|(&n, &stride)| {
                let fits = n == 1 || stride == step;
                step *= n as isize;
                fits
            })
    }

    /// Whether every element visited is the same one.
    pub fn is_uniform(&self) -> bool {
        self.shape.iter().zip(&self.strides).all(|(&n, &stride)| n <= 1 || stride == 0)
    }

    /// Whether every element visited lies in a storage of `len` elements.
    pub fn fits(&self, len: usize) -> bool {
        if self.shape.len() != self.strides.len() {
            return false;
        }
        if self.is_empty() {
            return true;
        }
        let (mut low, mut high) = (self.offset as i128, self.offset as i128);
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            let reach = (n as i128 - 1) * stride as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        low >= 0 && high < len as i128
    }

    /// Whether no element is visited twice, as far as a cheap sufficient test can tell: sorted by stride, every axis
    /// steps over all that the smaller ones reach.
    pub fn is_injective(&self) -> bool {
        if self.is_empty() {
            return true;
        }
        let mut axes: Vec<(usize, usize)> = self
            .shape
            .iter()
            .zip(&self.strides)
            .filter(|(n, _)| **n > 1)
            .map(|(&n, s)| (s.unsigned_abs(), n))
            .collect();
        axes.sort_unstable();
        let mut reach = 0;
        axes.iter().all(|&(stride, n)| {
            let fits = stride > reach;
            reach += stride * (n - 1);
            fits
        })
    }

    /// Calls `visit` with the storage index of each element in row-major order.
    pub fn for_each_index(&self, mut visit: impl FnMut(usize)) {
        if self.is_empty() {
            return;
        }
        let mut place = vec![0usize; self.shape.len()];
        let mut index = self.offset as isize;
        loop {
            visit(index as usize);
            let mut axis = self.shape.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                place[axis] += 1;
                index += self.strides[axis];
                if place[axis] < self.shape[axis] {
                    break;
                }
                index -= self.strides[axis] * self.shape[axis] as isize;
                place[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: &[usize], strides: &[isize], offset: usize, indices: &[usize], dense: bool) {
        let strided = Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset };
        let mut seen = vec![];
        strided.for_each_index(|i| seen.push(i));
        assert_eq!(seen, indices);
        assert_eq!(strided.is_dense(), dense);
        let mut distinct = indices.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(strided.is_injective(), distinct.len() == indices.len());
        let needed = indices.iter().max().map_or(0, |m| m + 1);
        assert!(strided.fits(needed) && (needed == 0 || !strided.fits(needed - 1)));
    }

    #[test]
    fn boxes_are_visited_in_row_major_order() {
        check(&[], &[], 3, &[3], false);
        check(&[2, 3], &[3, 1], 0, &[0, 1, 2, 3, 4, 5], true);
        check(&[3, 2], &[1, 3], 0, &[0, 3, 1, 4, 2, 5], false);
        check(&[3], &[-1], 2, &[2, 1, 0], false);
        check(&[2, 2], &[0, 1], 0, &[0, 1, 0, 1], false);
        check(&[2, 1, 2], &[2, 99, 1], 0, &[0, 1, 2, 3], true);
        check(&[2, 0], &[5, 1], 0, &[], true);
    }
}
