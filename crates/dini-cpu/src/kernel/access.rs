//! How the points of an iteration space map to places of an operand.

use super::Padded;
use crate::graph::{Strided, strided::row_major};

/// A map from points, in order, to places. The forms are disjoint: the simplest that applies is used. There is one for each
/// read of a program, nearly all of the first two forms: the others stand elsewhere, to keep these small.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Point i stands at place `offset + i`.
    Contiguous { offset: usize },
    /// Every point reads the same place.
    Uniform { offset: usize },
    /// The places of a box, whose shape is any factorization of the points; neighbouring axes do not merge.
    Strided(Box<Strided>),
    /// The same, where some points have no place.
    Padded(Box<Padded>),
}

impl Access {
    /// The whole operand in order.
    pub const IDENTITY: Access = Access::Contiguous { offset: 0 };

    /// The simplest form of a box. Boxes of one point (or none) are contiguous.
    pub fn new(strided: &Strided) -> Access {
        let offset = strided.offset;
        if strided.len() <= 1 {
            return Access::Contiguous { offset: if strided.is_empty() { 0 } else { offset } };
        }
        let merged = merge_axes(strided);
        match (&merged.shape[..], &merged.strides[..]) {
            ([_], [1]) => Access::Contiguous { offset },
            ([_], [0]) => Access::Uniform { offset },
            _ => Access::Strided(merged.into()),
        }
    }

    /// The access that reads, where the outer box names the points of this access, the places they stand at. `None` if
    /// that is not a strided box.
    pub fn compose(&self, outer: &Strided) -> Option<Access> {
        if outer.is_empty() {
            return Some(Access::IDENTITY);
        }
        match self {
            Access::Contiguous { offset } => {
                Some(Access::new(&Strided { offset: outer.offset + offset, ..outer.clone() }))
            }
            Access::Uniform { offset } => {
                let strides = vec![0; outer.shape.len()];
                Some(Access::new(&Strided { shape: outer.shape.clone(), strides, offset: *offset }))
            }
            Access::Strided(inner) => compose_strided(inner, outer).map(|strided| Access::new(&strided)),
            Access::Padded(inner) => inner.compose(outer),
        }
    }

    /// Where point 0 stands, and the distance between neighbours along each axis of the points, if these are the places of
    /// a box.
    pub fn strides(&self, shape: &[usize]) -> Option<(isize, Vec<isize>)> {
        match self {
            Access::Contiguous { offset } => Some((*offset as isize, row_major(shape))),
            Access::Uniform { offset } => Some((*offset as isize, vec![0; shape.len()])),
            Access::Strided(inner) => compose_strided(inner, &Strided::dense(shape))
                .filter(|strided| strided.shape == shape)
                .map(|strided| (strided.offset as isize, strided.strides)),
            Access::Padded(_) => None,
        }
    }

    /// Verifies that the access has `len` points inside an operand of `operand_len` places.
    pub fn check(&self, len: usize, operand_len: usize) -> Result<(), String> {
        let fits = len == 0
            || match self {
                Access::Contiguous { offset } => offset + len <= operand_len,
                Access::Uniform { offset } => *offset < operand_len,
                Access::Strided(strided) => strided.len() == len && strided.fits(operand_len),
                Access::Padded(padded) => padded.check(len, operand_len),
            };
        if fits { Ok(()) } else { Err(format!("{self:?} of {len} points leaves the operand's {operand_len} elements")) }
    }
}

/// Drops axes of extent 1 and merges neighbours that step as one axis.
fn merge_axes(strided: &Strided) -> Strided {
    let mut merged = Strided { shape: vec![], strides: vec![], offset: strided.offset };
    for (&n, &stride) in strided.shape.iter().zip(&strided.strides).filter(|(n, _)| **n != 1) {
        match (merged.shape.last_mut(), merged.strides.last_mut()) {
            (Some(last), Some(last_stride)) if *last_stride == stride * n as isize => {
                *last *= n;
                *last_stride = stride;
            }
            (_, _) => {
                merged.shape.push(n);
                merged.strides.push(stride);
            }
        }
    }
    merged
}

/// The box `outer`, whose places are the points of `inner` in row-major order, as a box of `inner`'s places.
///
/// A step of the outer box moves a fixed number of coordinates of the inner one. As long as no coordinate leaves its
/// axis on the way, the steps add up to one stride. An axis that walks through several inner axes (a reshape) is split
/// where it crosses them.
fn compose_strided(inner: &Strided, outer: &Strided) -> Option<Strided> {
    let rank = inner.shape.len();
    // Number of points per step of each inner axis.
    let mut steps = vec![1; rank];
    for j in (1..rank).rev() {
        steps[j - 1] = steps[j] * inner.shape[j];
    }
    let coordinates = |place: usize| (0..rank).map(|j| place / steps[j] % inner.shape[j]).collect::<Vec<usize>>();
    let start = coordinates(outer.offset);
    let mut low: Vec<isize> = start.iter().map(|&c| c as isize).collect();
    let mut high = low.clone();
    let place = |moves: &[usize]| moves.iter().zip(&inner.strides).map(|(&m, s)| m as isize * s).sum::<isize>();
    let offset = (inner.offset as isize + place(&start)) as usize;
    let mut out = Strided { shape: vec![], strides: vec![], offset };
    for (&n, &stride) in outer.shape.iter().zip(&outer.strides) {
        // Parts of this axis, innermost first; put in reverse into the result.
        let mut parts = vec![];
        let (mut left, mut size) = (n, stride.unsigned_abs());
        while left > 1 && size > 0 {
            let moves = coordinates(size);
            // The number of steps until the coordinate wraps, if it wraps exactly.
            let wrap = match moves.iter().position(|&m| m > 0) {
                Some(j) if size == moves[j] * steps[j] && inner.shape[j].is_multiple_of(moves[j]) => {
                    inner.shape[j] / moves[j]
                }
                _ => left,
            };
            let n_part = if wrap < left && left % wrap == 0 { wrap } else { left };
            for (j, &m) in moves.iter().enumerate() {
                let reach = (m * (n_part - 1)) as isize * stride.signum();
                low[j] += reach.min(0);
                high[j] += reach.max(0);
            }
            parts.push((n_part, place(&moves) * stride.signum()));
            (left, size) = (left / n_part, size * n_part);
        }
        if left > 1 || parts.is_empty() {
            parts.push((left, 0));
        }
        for (n_part, part_stride) in parts.into_iter().rev() {
            out.shape.push(n_part);
            out.strides.push(part_stride);
        }
    }
    let is_inside = (0..rank).all(|j| low[j] >= 0 && high[j] < inner.shape[j] as isize);
    is_inside.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strided(shape: &[usize], strides: &[isize], offset: usize) -> Strided {
        Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset }
    }

    fn places(access: &Access, len: usize) -> Vec<usize> {
        match access {
            Access::Contiguous { offset } => (*offset..offset + len).collect(),
            Access::Uniform { offset } => vec![*offset; len],
            Access::Strided(strided) => {
                let mut places = vec![];
                strided.for_each_index(|i| places.push(i));
                places
            }
            Access::Padded(_) => unreachable!("not tested here"),
        }
    }

    /// Composes two boxes and compares with looking up one after the other.
    #[track_caller]
    fn check(inner: Strided, outer: Strided, composes: bool) {
        let (all, points) =
            (places(&Access::Strided(inner.clone().into()), 0), places(&Access::Strided(outer.clone().into()), 0));
        let composed = Access::new(&inner).compose(&outer);
        assert_eq!(composed.is_some(), composes);
        if let Some(composed) = composed {
            let expected: Vec<usize> = points.iter().map(|&p| all[p]).collect();
            assert_eq!(places(&composed, expected.len()), expected, "{composed:?}");
        }
    }

    #[test]
    fn simplest_form() {
        assert_eq!(Access::new(&strided(&[2, 3], &[3, 1], 4)), Access::Contiguous { offset: 4 });
        assert_eq!(Access::new(&strided(&[2, 3], &[0, 0], 4)), Access::Uniform { offset: 4 });
        assert_eq!(Access::new(&strided(&[1], &[7], 4)), Access::Contiguous { offset: 4 });
        assert_eq!(
            Access::new(&strided(&[2, 3, 4], &[0, 4, 1], 0)),
            Access::Strided(strided(&[2, 12], &[0, 1], 0).into())
        );
    }

    #[test]
    fn composition() {
        let transposed = || strided(&[3, 2], &[1, 3], 0);
        check(transposed(), strided(&[2, 3], &[1, 2], 0), true);
        check(transposed(), strided(&[6], &[1], 0), true);
        check(transposed(), strided(&[6], &[-1], 5), true);
        check(transposed(), strided(&[2, 2], &[2, 1], 2), true);
        check(transposed(), strided(&[3], &[2], 1), true);
        check(transposed(), strided(&[2, 6], &[0, 1], 0), true);
        check(transposed(), strided(&[2], &[3], 0), true);
        // Points 1, 2, 3 stand in the middle of two rows.
        check(transposed(), strided(&[3], &[1], 1), false);
        let broadcast = || strided(&[4, 5], &[0, 1], 2);
        check(broadcast(), strided(&[20], &[1], 0), true);
        check(broadcast(), strided(&[5, 4], &[1, 5], 0), true);
        check(broadcast(), strided(&[2, 2], &[10, 1], 6), true);
        check(broadcast(), strided(&[10], &[2], 0), false);
    }
}
