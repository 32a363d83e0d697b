//! Static indexing: integers, ranges and new axes, known when the program is written.
//!
//! Composed of a slice and a reshape. Unlike NumPy, a range that leaves its axis is an error too: a static index out of
//! range is a mistake in the program.

use super::attempt;
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    shape::{Aval, Shape},
};
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// What is taken of one axis; made from integers, ranges, `..` and [`NewAxis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// One element; the axis disappears. Negative: from the end.
    At(isize),
    /// Every `step`-th element of a range. Negative bounds count from the end.
    Range {
        /// The first element; `None`: the axis's first.
        start: Option<isize>,
        /// The end, excluded; `None`: the axis's.
        stop: Option<isize>,
        /// Distance between elements.
        step: usize,
    },
    /// A new axis of extent 1.
    NewAxis,
}

/// In an index: a new axis of extent 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NewAxis;

impl Pick {
    /// Every `step`-th element of a range.
    ///
    /// ```
    /// use dini::{Pick, prelude::*};
    /// let x = Array::arange(6, DType::I32);
    /// assert_eq!(x.index(Pick::every(2, 1..)).to_vec::<i32>()?, [1, 3, 5]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn every(step: usize, of: impl Into<Pick>) -> Pick {
        match of.into() {
            Pick::Range { start, stop, step: inner } => Pick::Range { start, stop, step: inner.saturating_mul(step) },
            other @ (Pick::At(_) | Pick::NewAxis) => other,
        }
    }
}

const fn range(start: Option<isize>, stop: Option<isize>) -> Pick {
    Pick::Range { start, stop, step: 1 }
}

impl From<NewAxis> for Pick {
    fn from(_: NewAxis) -> Pick {
        Pick::NewAxis
    }
}

impl From<RangeFull> for Pick {
    fn from(_: RangeFull) -> Pick {
        range(None, None)
    }
}

/// An integer as an `isize`; one beyond its range is out of range for every axis, and so is the bound it becomes.
fn clip(i: impl TryInto<isize>) -> isize {
    i.try_into().unwrap_or(isize::MAX)
}

macro_rules! integer_picks {
    ($($t:ty),*) => { $(
        impl From<$t> for Pick {
            fn from(i: $t) -> Pick {
                Pick::At(clip(i))
            }
        }
        impl From<Range<$t>> for Pick {
            fn from(r: Range<$t>) -> Pick {
                range(Some(clip(r.start)), Some(clip(r.end)))
            }
        }
        impl From<RangeFrom<$t>> for Pick {
            fn from(r: RangeFrom<$t>) -> Pick {
                range(Some(clip(r.start)), None)
            }
        }
        impl From<RangeTo<$t>> for Pick {
            fn from(r: RangeTo<$t>) -> Pick {
                range(None, Some(clip(r.end)))
            }
        }
        impl From<RangeInclusive<$t>> for Pick {
            fn from(r: RangeInclusive<$t>) -> Pick {
                range(Some(clip(*r.start())), after(clip(*r.end())))
            }
        }
        impl From<RangeToInclusive<$t>> for Pick {
            fn from(r: RangeToInclusive<$t>) -> Pick {
                range(None, after(clip(r.end)))
            }
        }
    )* };
}
integer_picks!(i32, isize, usize);

/// The end behind an included last element; behind −1 it is the axis's.
fn after(last: isize) -> Option<isize> {
    (last != -1).then(|| last.saturating_add(1))
}

/// What [`Array::index`] accepts: one [`Pick`] or whatever becomes one, a tuple of such, or a slice or vector of picks.
pub trait Indices {
    /// One entry for each axis that is named.
    fn picks(self) -> Vec<Pick>;
}

macro_rules! single {
    ($($t:ty),* $(,)?) => { $(
        impl Indices for $t {
            fn picks(self) -> Vec<Pick> {
                vec![self.into()]
            }
        }
    )* };
}
single!(Pick, NewAxis, RangeFull, i32, isize, usize);

macro_rules! single_ranges {
    ($($t:ty),*) => {
        single!($(
            Range<$t>, RangeFrom<$t>, RangeTo<$t>, RangeInclusive<$t>, RangeToInclusive<$t>
        ),*);
    };
}
single_ranges!(i32, isize, usize);

impl Indices for Vec<Pick> {
    fn picks(self) -> Vec<Pick> {
        self
    }
}

impl Indices for &[Pick] {
    fn picks(self) -> Vec<Pick> {
        self.to_vec()
    }
}

macro_rules! tuples {
    ($($t:ident $x:ident),*) => {
        impl<$($t: Into<Pick>),*> Indices for ($($t,)*) {
            fn picks(self) -> Vec<Pick> {
                let ($($x,)*) = self;
                vec![$($x.into()),*]
            }
        }
    };
}
tuples!(A a);
tuples!(A a, B b);
tuples!(A a, B b, C c);
tuples!(A a, B b, C c, D d);
tuples!(A a, B b, C c, D d, E e);
tuples!(A a, B b, C c, D d, E e, F f);

impl Array {
    /// The elements at static places: for each axis an integer (the axis disappears), a range, or `..` (all of it);
    /// [`NewAxis`] inserts an axis of extent 1. Negative numbers count from the end. Axes that are not named stay
    /// whole.
    ///
    /// An integer out of range, a range that leaves its axis or ends before it starts, and more entries than axes are
    /// errors that name axis, index and extent.
    ///
    /// ```
    /// use dini::{NewAxis, prelude::*};
    /// let x = Array::arange(24, DType::I32).reshape(&[2, 3, 4]);
    /// assert_eq!(x.index((1, .., 2..)).shape(), [3, 2]);
    /// assert_eq!(x.index((-1, -1, -1)).item::<i32>()?, 23);
    /// assert_eq!(x.index((0, NewAxis, 1..3)).shape(), [1, 2, 4]);
    /// assert!(x.index(2).check().unwrap_err().to_string().contains("index 2 is out of range for axis 0 of extent 2"));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn index(&self, picks: impl Indices) -> Array {
        let picks = picks.picks();
        attempt("index", &[self], || {
            let place = Place::of(&picks, self.try_aval()?)?;
            Ok(ops::reshape(&ops::slice(self, &place.start, &place.limit, &place.stride), &place.shape))
        })
    }
}

/// A box of elements, and the shape that it takes.
struct Place {
    start: Vec<usize>,
    limit: Vec<usize>,
    stride: Vec<usize>,
    shape: Shape,
}

impl Place {
    fn of(picks: &[Pick], x: &Aval) -> Result<Place> {
        let named = picks.iter().filter(|&&pick| pick != Pick::NewAxis).count();
        if named > x.ndim() {
            return Err(Error::new(
                ErrorKind::Index,
                format!("{named} indices for {x}, expected {} at most", x.ndim()),
            ));
        }
        let mut place = Place { start: Vec::new(), limit: Vec::new(), stride: Vec::new(), shape: Shape::new() };
        let whole = std::iter::repeat_n(&Pick::Range { start: None, stop: None, step: 1 }, x.ndim() - named);
        for &pick in picks.iter().chain(whole) {
            let axis = place.start.len();
            let (start, limit, step) = match pick {
                Pick::NewAxis => {
                    place.shape.push(1);
                    continue;
                }
                Pick::At(i) => {
                    let i = element(i, axis, x.shape[axis])?;
                    (i, i + 1, 1)
                }
                Pick::Range { start, stop, step } => {
                    let (start, limit) = bounds(start, stop, axis, x.shape[axis])?;
                    if step == 0 {
                        return Err(Error::new(ErrorKind::Index, format!("the step along axis {axis} is 0")));
                    }
                    place.shape.push((limit - start).div_ceil(step));
                    (start, limit, step)
                }
            };
            place.start.push(start);
            place.limit.push(limit);
            place.stride.push(step);
        }
        Ok(place)
    }
}

fn element(i: isize, axis: usize, n: usize) -> Result<usize> {
    let from_start = if i < 0 { n.checked_sub(i.unsigned_abs()) } else { Some(i.unsigned_abs()) };
    from_start
        .filter(|&i| i < n)
        .ok_or_else(|| Error::new(ErrorKind::Index, format!("index {i} is out of range for axis {axis} of extent {n}")))
}

fn bounds(start: Option<isize>, stop: Option<isize>, axis: usize, n: usize) -> Result<(usize, usize)> {
    let bound = |i: isize| {
        let from_start = if i < 0 { n.checked_sub(i.unsigned_abs()) } else { Some(i.unsigned_abs()) };
        from_start.filter(|&i| i <= n).ok_or_else(|| {
            Error::new(ErrorKind::Index, format!("bound {i} of a range leaves axis {axis} of extent {n}"))
        })
    };
    let (from, to) = (start.map_or(Ok(0), bound)?, stop.map_or(Ok(n), bound)?);
    if from > to {
        let message = format!("the range {from}..{to} of axis {axis} ends before it starts");
        return Err(Error::new(ErrorKind::Index, message));
    }
    Ok((from, to))
}
