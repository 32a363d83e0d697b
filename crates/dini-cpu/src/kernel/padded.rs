//! Boxes that reach beyond an operand.

use super::Access;
use crate::{
    element::ElementBytes,
    graph::{Strided, strided::row_major},
};
use std::ops::Range;

/// A strided box some of whose points the operand holds: those whose coordinates are all inside. The others read an
/// element of their own. At least one point is inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Padded {
    /// Extent of each axis of the box.
    pub shape: Vec<usize>,
    /// Distance in elements between neighbours along each axis.
    pub strides: Vec<isize>,
    /// Where the first point would stand.
    pub offset: isize,
    /// For each axis the coordinates that are inside.
    pub inside: Vec<Range<usize>>,
    /// What the others read.
    pub fill: ElementBytes,
}

impl Padded {
    /// What reads a part, of the given shape and access, where it stands in a larger tensor, and elsewhere `fill`. `None`
    /// if the place is no box of neighbours or the part is no strided box.
    pub fn new(
        part: &Access,
        part_shape: &[usize],
        place: &Strided,
        shape: &[usize],
        fill: ElementBytes,
    ) -> Option<Padded> {
        if part_shape.contains(&0) {
            return None;
        }
        let (offset, strides) = part.strides(part_shape)?;
        let mut padded = Padded { shape: shape.to_vec(), strides, offset, inside: vec![], fill };
        let mut rest = place.offset;
        for (axis, step) in row_major(shape).into_iter().enumerate() {
            let (start, n) = (rest / step as usize, part_shape[axis]);
            rest %= step as usize;
            if start + n > shape[axis] || (n > 1 && place.strides[axis] != step) {
                return None;
            }
            padded.offset -= start as isize * padded.strides[axis];
            padded.inside.push(start..start + n);
        }
        Some(padded)
    }

    /// Where each point stands, in order; none for those that are not inside.
    #[allow(dead_code, reason = "only a compiler asks, which not every machine has")]
    pub fn places(&self) -> impl Iterator<Item = Option<usize>> {
        let n = self.shape.iter().product::<usize>();
        (0..n).map(|point| {
            let (mut rest, mut place, mut is_inside) = (point, self.offset, true);
            for axis in (0..self.shape.len()).rev() {
                let at = rest % self.shape[axis];
                rest /= self.shape[axis];
                place += at as isize * self.strides[axis];
                is_inside &= self.inside[axis].contains(&at);
            }
            is_inside.then_some(place as usize)
        })
    }

    /// The simplest access to the same places; `None` if no point is inside.
    pub fn simplified(self) -> Option<Access> {
        if self.inside.iter().any(Range::is_empty) {
            return None;
        }
        if self.inside.iter().zip(&self.shape).all(|(inside, &n)| *inside == (0..n)) {
            let Padded { shape, strides, offset, .. } = self;
            return Some(Access::new(&Strided { shape, strides, offset: offset as usize }));
        }
        let mut kept = Padded { shape: vec![], strides: vec![], inside: vec![], ..self };
        for ((n, stride), inside) in
            self.shape.into_iter().zip(self.strides).zip(self.inside).filter(|((n, _), _)| *n > 1)
        {
            kept.shape.push(n);
            kept.strides.push(stride);
            kept.inside.push(inside);
        }
        Some(Access::Padded(kept.into()))
    }

    /// The access that reads, where the outer box names points of this one, the places they stand at. `None` if not every
    /// axis of the outer box moves along one of this one's, or if no point is inside.
    pub fn compose(&self, outer: &Strided) -> Option<Access> {
        let steps = row_major(&self.shape);
        let mut rest = outer.offset;
        let mut start: Vec<isize> = vec![];
        for &step in &steps {
            start.push((rest / step as usize) as isize);
            rest %= step as usize;
        }
        let place: isize = start.iter().zip(&self.strides).map(|(c, s)| c * s).sum();
        let mut out = Padded {
            shape: outer.shape.clone(),
            strides: vec![],
            offset: self.offset + place,
            inside: vec![],
            fill: self.fill,
        };
        let mut is_moved = vec![false; self.shape.len()];
        for (&n, &stride) in outer.shape.iter().zip(&outer.strides) {
            if n == 1 || stride == 0 {
                out.strides.push(0);
                out.inside.push(0..n);
                continue;
            }
            let size = stride.unsigned_abs() as isize;
            let axis = (0..steps.len()).find(|&axis| self.shape[axis] > 1 && steps[axis] <= size)?;
            let step = stride / steps[axis];
            let last = start[axis] + step * (n as isize - 1);
            let is_along = stride % steps[axis] == 0 && (0..self.shape[axis] as isize).contains(&last);
            if !is_along || std::mem::replace(&mut is_moved[axis], true) {
                return None;
            }
            out.strides.push(step * self.strides[axis]);
            out.inside.push(moved_inside(&self.inside[axis], start[axis], step, n));
        }
        let is_fixed_inside = |axis: usize| is_moved[axis] || self.inside[axis].contains(&(start[axis] as usize));
        if !(0..steps.len()).all(is_fixed_inside) {
            return None;
        }
        out.simplified()
    }

    /// Verifies that there are `len` points and that those inside are inside of an operand of `operand_len` elements.
    pub fn check(&self, len: usize, operand_len: usize) -> bool {
        let is_axis = |(inside, &n): (&Range<usize>, &usize)| !inside.is_empty() && inside.end <= n;
        let first: isize = self.inside.iter().zip(&self.strides).map(|(inside, s)| inside.start as isize * s).sum();
        let held = Strided {
            shape: self.inside.iter().map(Range::len).collect(),
            strides: self.strides.clone(),
            offset: (self.offset + first) as usize,
        };
        let is_whole = self.shape.len() == self.strides.len() && self.shape.len() == self.inside.len();
        is_whole
            && self.shape.iter().product::<usize>() == len
            && self.inside.iter().zip(&self.shape).all(is_axis)
            && held.fits(operand_len)
    }

    /// Extent of the innermost axis.
    pub fn row(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Where the first point of a row would stand; rows are numbered in order. `None` if the row is not inside.
    #[inline]
    pub fn row_place(&self, row: usize) -> Option<isize> {
        let (mut rest, mut place, mut is_inside) = (row, self.offset, true);
        for axis in (0..self.shape.len() - 1).rev() {
            let coordinate = if axis == 0 { rest } else { rest % self.shape[axis] };
            if axis > 0 {
                rest /= self.shape[axis];
            }
            place += coordinate as isize * self.strides[axis];
            is_inside &= self.inside[axis].contains(&coordinate);
        }
        is_inside.then_some(place)
    }

    /// How many rows, from one on, are inside as that one is, or outside, before the axis that they follow along ends.
    #[inline]
    pub fn alike(&self, row: usize) -> usize {
        let Some(axis) = self.shape.len().checked_sub(2) else { return 1 };
        let (at, inside) = (row % self.shape[axis], &self.inside[axis]);
        let ends = [inside.start, inside.end, self.shape[axis]];
        ends.into_iter().find(|&end| at < end).map_or(1, |end| end - at)
    }

    /// Whether rows that are alike stand side by side in the operand.
    pub fn has_rows_side_by_side(&self) -> bool {
        matches!(self.strides[..], [.., step, 1] if step == self.row() as isize)
    }

    /// The coordinates along the innermost axis that are inside.
    pub fn columns(&self) -> Range<usize> {
        self.inside[self.inside.len() - 1].clone()
    }
}

/// The steps `t < n` for which coordinate `start + step·t` is inside.
fn moved_inside(inside: &Range<usize>, start: isize, step: isize, n: usize) -> Range<usize> {
    let (low, high) = (inside.start as isize, inside.end as isize);
    // Where the inside begins and ends on the way, in steps rounded up.
    let steps = |distance: isize| if distance <= 0 { 0 } else { distance.unsigned_abs().div_ceil(step.unsigned_abs()) };
    let (first, end) = if step > 0 {
        (steps(low - start), steps(high - start))
    } else {
        (steps(start - (high - 1)), steps(start - (low - 1)))
    };
    let end = end.min(n);
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the points of an access read from 0, 1, 2, …
    fn read(access: &Access, len: usize) -> Vec<isize> {
        let mut out = vec![];
        match access {
            Access::Contiguous { offset } => out.extend((0..len).map(|i| (offset + i) as isize)),
            Access::Uniform { offset } => out.resize(len, *offset as isize),
            Access::Strided(strided) => strided.for_each_index(|i| out.push(i as isize)),
            Access::Padded(padded) => {
                out.extend(padded.places().take(len).map(|place| place.map_or(-1, |place| place as isize)));
            }
        }
        out
    }

    /// Pads 2×3 elements to 4×6 and looks at the result through a box.
    #[track_caller]
    fn check(outer: Strided, composes: bool) {
        let shape = [4, 6];
        let place = Strided { shape: vec![2, 3], strides: vec![6, 1], offset: 6 + 2 };
        let padded = Padded::new(&Access::IDENTITY, &[2, 3], &place, &shape, [0; 16]).expect("neighbours");
        assert!(padded.check(24, 6));
        let all = read(&Access::Padded(padded.clone().into()), 24);
        let mut expected_all = vec![-1; 24];
        place.for_each_index(|i| expected_all[i] = (i / 6 - 1) as isize * 3 + (i % 6) as isize - 2);
        assert_eq!(all, expected_all);
        let composed = padded.compose(&outer);
        assert_eq!(composed.is_some(), composes, "{composed:?}");
        if let Some(composed) = composed {
            let mut expected = vec![];
            outer.for_each_index(|i| expected.push(all[i]));
            assert_eq!(read(&composed, expected.len()), expected, "{composed:?}");
            assert_eq!(composed.check(expected.len(), 6), Ok(()), "{composed:?}");
        }
    }

    fn strided(shape: &[usize], strides: &[isize], offset: usize) -> Strided {
        Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset }
    }

    #[test]
    fn composition() {
        check(strided(&[4, 6], &[6, 1], 0), true);
        // Slices: around, partly, with steps, backwards, transposed.
        check(strided(&[2, 3], &[6, 1], 8), true);
        check(strided(&[2, 3], &[6, 1], 7), true);
        check(strided(&[2, 3], &[6, 1], 2), true);
        check(strided(&[2, 3], &[12, 2], 1), true);
        check(strided(&[4, 3], &[-6, -2], 23), true);
        check(strided(&[5, 4], &[1, 6], 1), true);
        check(strided(&[6, 3, 4], &[1, 0, 6], 0), true);
        check(strided(&[1, 6], &[9, 1], 12), true);
        // Nothing is inside; a reshape.
        check(strided(&[6], &[1], 0), false);
        check(strided(&[2, 2], &[6, 1], 6), false);
        check(strided(&[24], &[1], 0), false);
        check(strided(&[2, 2, 6], &[12, 6, 1], 0), false);
    }
}
