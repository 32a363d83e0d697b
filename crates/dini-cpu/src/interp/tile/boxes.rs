//! Boxes that machine code reads in place, one row of points at a time.
//!
//! Along the innermost axis of a box with stride 1 neighbours stand side by side, as in a dense operand, and with stride 0
//! all points read one element. So for the points of one row the code needs nothing but an address.

use crate::{
    graph::Strided,
    kernel::{Access, Instruction, Kernel, N_ACCUMULATORS},
};

/// Rows are at least this long: below, the calls cost more than copies of what they read.
const MIN_ROW: usize = 32;

/// The boxes of a kernel.
#[derive(Debug)]
pub(super) struct Boxes {
    /// Points per row; the extent of each box's innermost axis is a multiple.
    row: usize,
    all: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// Positions in the bases: the operand, and where the address for a row goes.
    from: u32,
    to: u32,
    /// Bytes per element.
    size: usize,
    strided: Strided,
}

/// Points per row of the accesses that [`Boxes`] can hold, if there are any.
pub(super) fn row(kernel: &Kernel) -> Option<usize> {
    let extents = kernel.body.iter().filter_map(|instruction| match instruction {
        Instruction::Load { access, .. } => extent(access),
        Instruction::Count { .. } | Instruction::Map { .. } => None,
    });
    extents.min()
}

/// Whether an access is a box of rows of so many points.
pub(super) fn has_rows(access: &Access, row: usize) -> bool {
    extent(access).is_some_and(|n| n.is_multiple_of(row))
}

/// The extent of the innermost axis of a box whose rows can be read in place.
fn extent(access: &Access) -> Option<usize> {
    let Access::Strided(Strided { shape, strides, .. }) = access else { return None };
    let (&n, &stride) = (shape.last()?, strides.last()?);
    (matches!(stride, 0 | 1) && n >= MIN_ROW).then_some(n)
}

/// Whether rows of so many points leave tiles of a reduction, each of which starts anew with the first of its
/// accumulators, in step.
pub(super) fn keeps_step(row: usize, reduced: usize, outer: usize) -> bool {
    let starts_in_step = outer == 1 || reduced.is_multiple_of(N_ACCUMULATORS);
    row.is_multiple_of(reduced) || (row.is_multiple_of(N_ACCUMULATORS) && starts_in_step)
}

impl Boxes {
    /// None yet, with rows of so many points.
    pub fn new(row: usize) -> Boxes {
        Boxes { row, all: vec![] }
    }

    /// Points per row.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Adds a box of the operand at one position of the bases; its address for a row goes to another one.
    pub fn add(&mut self, from: u32, to: u32, size: usize, strided: Strided) {
        self.all.push(Row { from, to, size, strided });
    }

    /// For each row, or part of one, of points `start..end`: sets the addresses, as if point `start` stood in the row
    /// too, and calls `run` with its points.
    #[inline]
    pub fn for_each_row(
        &self,
        bases: &mut [*mut u8],
        start: usize,
        end: usize,
        mut run: impl FnMut(&[*mut u8], usize, usize),
    ) {
        let mut from = start;
        while from < end {
            let to = end.min(from - from % self.row + self.row);
            for Row { from: operand, to: address, size, strided } in &self.all {
                let mut place = place(strided, from);
                if strided.strides[strided.strides.len() - 1] == 1 {
                    place -= (from - start) as isize;
                }
                bases[*address as usize] = bases[*operand as usize].wrapping_offset(place * *size as isize);
            }
            run(bases, from, to);
            from = to;
        }
    }
}

/// Where a point of a box stands.
#[inline]
fn place(strided: &Strided, point: usize) -> isize {
    let (mut rest, mut place) = (point, strided.offset as isize);
    for axis in (1..strided.shape.len()).rev() {
        place += (rest % strided.shape[axis]) as isize * strided.strides[axis];
        rest /= strided.shape[axis];
    }
    place + rest as isize * strided.strides[0]
}
