//! Boxes that machine code reads in place, a few rows of points at a time.
//!
//! Along the innermost axis of a box with stride 1 neighbours stand side by side, as in a dense operand, and with stride 0
//! all points read one element. So for the points of one row the code needs nothing but an address, and for those of
//! several rows where these stand side by side in every box. Rows that reach beyond the operand are put together in a
//! copy. Of numbers that count along a box the code gets the first instead. Short rows that all points repeat are laid out
//! once, as many as the code runs over at a time.

use super::Place;
use crate::{
    graph::Strided,
    interp::strided::{self, with_bits},
    kernel::{Access, Instruction, Kernel, N_ACCUMULATORS, Padded},
};

/// Rows are at least this long: below, the calls cost more than copies of what they read. Copies of rows that reach beyond
/// the operand are longer in the making.
const MIN_ROW: usize = 64;
const MIN_PADDED_ROW: usize = 32;

/// What repeats after so many points at most is laid out once, unless the code goes by such rows anyway, for others.
const MAX_PERIOD: usize = 128;

/// At most so many points are copied at a time: they stay in the first-level cache.
const MAX_COPIED: usize = 1024;

/// The boxes of a kernel.
#[derive(Debug)]
pub(super) struct Boxes {
    /// Points per row; the extent of each box's innermost axis is a multiple.
    row: usize,
    /// Whether nothing has rows.
    is_flat: bool,
    /// At most so many points are copied at a time.
    longest_copy: usize,
    /// At most so many points at a time.
    longest: usize,
    all: Vec<Rows>,
    /// Whether rows are copied anywhere.
    has_copies: bool,
}

/// The rows of one box.
#[derive(Debug)]
struct Rows {
    /// The operand.
    from: Place,
    /// Where the address for a row goes.
    to: Place,
    /// How many rows the innermost axis has.
    per_axis: usize,
    /// From the address for one row to that for the next, within the innermost axis if it has several, and the one around
    /// it else.
    step: isize,
    of: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The same elements again and again after so many points; they are laid out from the operand's place on.
    Repeated {
        period: usize,
    },
    Strided(Strided),
    /// The places themselves, as numbers.
    Count(Strided),
    Padded {
        /// Elements of the operand.
        len: usize,
        /// Space for the longest copy.
        copy: Place,
        padded: Padded,
    },
}

/// The extent of the innermost axis of a box whose rows can be read in place.
fn extent(access: &Access) -> Option<usize> {
    let (n, least) = match access {
        Access::Strided(strided) if matches!(strided.strides.last(), Some(0 | 1)) => (*strided.shape.last()?, MIN_ROW),
        Access::Padded(padded) if padded.strides.last() == Some(&1) => (padded.row(), MIN_PADDED_ROW),
        Access::Strided(_) | Access::Padded(_) | Access::Contiguous { .. } | Access::Uniform { .. } => return None,
    };
    (n >= least).then_some(n)
}

/// The number of points after which an access repeats, if these are few.
fn period(access: &Access) -> Option<usize> {
    let Access::Strided(strided) = access else { return None };
    let period = strided.shape[1..].iter().product();
    (strided.strides[0] == 0 && period <= MAX_PERIOD).then_some(period)
}

/// At least so many points of an access that repeats.
pub(super) fn repetitions(access: &Access, period: usize, n: usize) -> Box<Strided> {
    let Access::Strided(strided) = access else { unreachable!("not a box") };
    let mut strided = strided.clone();
    strided.shape[0] = n.div_ceil(period);
    strided
}

/// Whether rows of so many points leave tiles of a reduction, each of which starts anew with the first of its
/// accumulators, in step.
pub(super) fn keeps_step(row: usize, reduced: usize, outer: usize) -> bool {
    let starts_in_step = outer == 1 || reduced.is_multiple_of(N_ACCUMULATORS);
    row.is_multiple_of(reduced) || (row.is_multiple_of(N_ACCUMULATORS) && starts_in_step)
}

impl Boxes {
    /// None yet, for the accesses of a kernel, if there are any that it can hold.
    pub fn new(kernel: &Kernel) -> Option<Boxes> {
        let accesses = kernel.body.iter().filter_map(|instruction| match instruction {
            Instruction::Load { access, .. } | Instruction::Count { access, .. } => Some(access),
            Instruction::Gather(_) | Instruction::Map { .. } => None,
        });
        let row = accesses.clone().filter(|access| period(access).is_none()).filter_map(extent).min();
        let is_any = row.is_some() || accesses.filter_map(period).next().is_some();
        is_any.then_some(Boxes {
            row: row.unwrap_or(kernel.len),
            is_flat: row.is_none(),
            longest_copy: kernel.len.min(MAX_COPIED),
            longest: kernel.len,
            all: vec![],
            has_copies: false,
        })
    }

    /// Whether an access is a box of rows that are read in place.
    pub fn has_rows(&self, access: &Access) -> bool {
        !self.is_flat && extent(access).is_some_and(|n| n.is_multiple_of(self.row))
    }

    /// The number of points after which an access repeats, if what it reads until then is laid out.
    pub fn period(&self, access: &Access) -> Option<usize> {
        period(access).filter(|_| !self.has_rows(access))
    }

    /// Points per row; all of them, if nothing has rows.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The most points that code runs over at a time, unless several rows stand side by side.
    pub fn run(&self) -> usize {
        self.row.min(self.longest)
    }

    /// Whether nothing has rows.
    pub fn is_flat(&self) -> bool {
        self.is_flat
    }

    /// The most elements that are copied at a time.
    pub fn longest_copy(&self) -> usize {
        self.longest_copy
    }

    /// How many elements to lay out of what repeats after so many points.
    pub fn laid_out(&self, period: usize) -> usize {
        self.longest_copy + period - 1
    }

    /// Adds what is laid out of points that repeat; the address goes to another place.
    pub fn add_repeated(&mut self, from: Place, to: Place, period: usize) {
        self.longest = self.longest_copy;
        self.add(from, to, from.dtype.size() as isize, Kind::Repeated { period });
    }

    /// Adds a box of an operand; its address for a row goes to another place.
    pub fn add_strided(&mut self, from: Place, to: Place, strided: Strided) {
        self.add(from, to, from.dtype.size() as isize, Kind::Strided(strided));
    }

    /// Adds numbers, of which that for a row goes to a place: for each point what its own number must be added to, or
    /// where all of the row are the same, that.
    pub fn add_count(&mut self, to: Place, strided: Strided) {
        self.add(to, to, 1, Kind::Count(strided));
    }

    /// The same for a box that reaches beyond the operand, of so many elements, with space for copies.
    pub fn add_padded(&mut self, from: Place, len: usize, to: Place, copy: Place, padded: Padded) {
        self.longest = self.longest_copy;
        self.has_copies = true;
        self.add(from, to, 0, Kind::Padded { len, copy, padded });
    }

    /// Adds a box, of elements of this size.
    fn add(&mut self, from: Place, to: Place, size: isize, of: Kind) {
        let (per_axis, step) = match &of {
            Kind::Repeated { .. } => (1, -(self.row as isize) * size),
            Kind::Padded { padded, .. } => (padded.row() / self.row, 0),
            Kind::Strided(Strided { shape, strides, .. }) | Kind::Count(Strided { shape, strides, .. }) => {
                let per_axis = shape.last().map_or(1, |n| n / self.row);
                let from_row_to_row = match strides[..] {
                    [.., stride, _] if per_axis == 1 => stride,
                    _ => strides.last().map_or(0, |stride| stride * self.row as isize),
                };
                // Addresses are those of the run's first point.
                let along = if to.is_uniform { 0 } else { self.row as isize };
                (per_axis, (from_row_to_row - along) * size)
            }
        };
        self.all.push(Rows { from, to, per_axis, step, of });
    }

    /// For each row, part of one, or several of them, of points `start..end`: sets the addresses, as if point `start`
    /// stood there too, and calls `run` with the points.
    ///
    /// # Safety
    /// The bases must be those of the kernel's operands and scratch space.
    #[inline]
    pub unsafe fn for_each_part(
        &self,
        bases: &mut [*mut u8],
        start: usize,
        end: usize,
        mut run: impl FnMut(&[*mut u8], usize, usize),
    ) {
        let mut from = start;
        let mut part =
            Part { first: start, row: start / self.row, column: start % self.row, n_rows: 1, n: 0, before: 0 };
        while from < end {
            let left = (end - from).min(self.longest);
            part.n_rows = if part.column == 0 { self.side_by_side(part.row, left / self.row) } else { 1 };
            part.n = left.min(part.n_rows * self.row - part.column);
            for rows in &self.all {
                // SAFETY: promised by the caller.
                bases[rows.to.base as usize] = unsafe { rows.address(bases, self.row, part) };
            }
            let mut n_followers = if part.n_rows == 1 { self.followers(part.row) } else { 0 };
            run(bases, from, from + part.n);
            part = part.next(self.row);
            from = part.first;
            while n_followers > 0 && end - from >= self.row {
                for rows in &self.all {
                    let address = &mut bases[rows.to.base as usize];
                    *address = address.wrapping_offset(rows.step);
                }
                run(bases, from, from + self.row);
                (part.n_rows, part.n) = (1, self.row);
                part = part.next(self.row);
                from = part.first;
                n_followers -= 1;
            }
        }
    }

    /// How many rows from one on, at least one and not many more than `most`, one address serves in every box.
    fn side_by_side(&self, row: usize, most: usize) -> usize {
        let mut n = most.max(1);
        for rows in &self.all {
            if n == 1 {
                break;
            }
            n = n.min(rows.side_by_side(self.row, row));
        }
        n
    }

    /// How many rows follow one by the [steps](Rows::step) of all boxes.
    fn followers(&self, row: usize) -> usize {
        let followers = |rows: &Rows| rows.evenly_spaced(self.row, row) - 1;
        let ends_with_rows = !self.has_copies && self.row <= self.longest;
        if ends_with_rows { self.all.iter().map(followers).min().unwrap_or(0) } else { 0 }
    }
}

/// Neighbouring points of a row, or of several whole ones.
#[derive(Clone, Copy)]
struct Part {
    /// The first point.
    first: usize,
    /// The first row's number and the first point in it.
    row: usize,
    column: usize,
    n_rows: usize,
    n: usize,
    /// Points of the run before the first one.
    before: usize,
}

impl Part {
    /// What comes after it, for rows of so many points: its first point.
    fn next(self, row_len: usize) -> Part {
        let Part { first, row, column, n_rows, n, before } = self;
        let (row, column) = if column + n >= row_len { (row + n_rows, 0) } else { (row, column + n) };
        Part { first: first + n, row, column, before: before + n, ..self }
    }
}

impl Rows {
    /// How many rows from one on one address serves, of points in a box or, where rows are copied, of a copy.
    #[inline]
    fn side_by_side(&self, row_len: usize, row: usize) -> usize {
        match &self.of {
            Kind::Repeated { .. } => usize::MAX,
            Kind::Padded { .. } if self.per_axis > 1 => 1,
            Kind::Padded { padded, .. } => padded.alike(row),
            Kind::Strided(_) | Kind::Count(_) if self.step == 0 => self.evenly_spaced(row_len, row),
            Kind::Strided(_) | Kind::Count(_) => 1,
        }
    }

    /// How many rows from one on are [so far](Rows::step) apart.
    #[inline]
    fn evenly_spaced(&self, row_len: usize, row: usize) -> usize {
        match &self.of {
            Kind::Repeated { period } if *period == row_len => usize::MAX,
            Kind::Repeated { .. } | Kind::Padded { .. } => 1,
            Kind::Strided(_) | Kind::Count(_) if self.per_axis > 1 => self.per_axis - row % self.per_axis,
            Kind::Strided(Strided { shape, .. }) | Kind::Count(Strided { shape, .. }) => match shape[..] {
                [.., n, _] => n - row % n,
                _ => 1,
            },
        }
    }

    /// Where the points of a part stand, as if the run's first point stood there too.
    ///
    /// # Safety
    /// As for [`Boxes::for_each_part`].
    #[inline]
    unsafe fn address(&self, bases: &[*mut u8], row_len: usize, part: Part) -> *mut u8 {
        let operand = self.from.address(bases, 0);
        let size = self.from.dtype.size() as isize;
        let before = part.before as isize;
        // The innermost axis may be several rows long.
        let (mut row, mut column) = (part.row, part.column);
        if self.per_axis > 1 {
            column += row % self.per_axis * row_len;
            row /= self.per_axis;
        }
        match &self.of {
            Kind::Repeated { period } => operand.wrapping_offset(((part.first % period) as isize - before) * size),
            Kind::Strided(strided) => {
                let along = if self.to.is_uniform { 0 } else { column as isize - before };
                operand.wrapping_offset((row_place(strided, row) + along) * size)
            }
            Kind::Count(strided) => {
                let along = if self.to.is_uniform { 0 } else { column as isize - part.first as isize };
                std::ptr::without_provenance_mut((row_place(strided, row) + along) as usize)
            }
            Kind::Padded { len, copy, padded } => {
                let (place, columns) = (padded.row_place(row), padded.columns());
                let is_inside = columns.start <= column && (column + part.n).min(padded.row()) <= columns.end;
                if let Some(place) = place
                    && is_inside
                    && (part.n_rows == 1 || padded.has_rows_side_by_side())
                {
                    return operand.wrapping_offset((place + column as isize - before) * size);
                }
                let copy = copy.address(bases, 0);
                with_bits!(self.from.dtype, Bits => {
                    // SAFETY: promised by the caller; the space is large enough for any part.
                    let (operand, copy) = unsafe {
                        let operand = std::slice::from_raw_parts(operand.cast::<Bits>(), *len);
                        (operand, std::slice::from_raw_parts_mut(copy.cast::<Bits>(), part.n))
                    };
                    let fill = Bits::from_ne_bytes(*padded.fill.first_chunk().expect("no element is larger"));
                    strided::read_padded_rows(padded, row, column, operand, fill, copy);
                });
                copy.wrapping_offset(-before * size)
            }
        }
    }
}

/// Where the first point of a row of a box stands.
#[inline]
fn row_place(strided: &Strided, row: usize) -> isize {
    let (mut rest, mut place) = (row, strided.offset as isize);
    for axis in (1..strided.shape.len() - 1).rev() {
        place += (rest % strided.shape[axis]) as isize * strided.strides[axis];
        rest /= strided.shape[axis];
    }
    place + rest as isize * strided.strides[0]
}
