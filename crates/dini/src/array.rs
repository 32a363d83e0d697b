//! `Array`: the one value type. A concrete buffer, a traced value, or an error on its way to the user.
//!
//! Invariants: a concrete array is dense and row-major; a poisoned one carries the first error that happened; cloning
//! copies no elements.

mod display;
mod nested;

pub use nested::Nested;

use crate::{
    error::{Error, ErrorKind, Loc, Place, Result},
    shape::Aval,
    trace::{self, Outs, Payload, Tag},
};
use dini_cpu::{
    buffer::Buffer,
    dtype::{DType, Element},
};
use std::{panic::Location, sync::Arc};

/// An n-dimensional array, a scalar being one of rank 0.
///
/// ```
/// use dini::prelude::*;
/// let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.shape(), [2, 2]);
/// assert_eq!((&x * 2.0).to_vec::<f64>()?, [2.0, 4.0, 6.0, 8.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Array {
    repr: Repr,
}

#[derive(Clone)]
pub(crate) enum Repr {
    Concrete(Arc<Concrete>),
    Tracer(Arc<Tracer>),
    Poison(Error),
}

/// What made an array: an operation, or the role of an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub what: &'static str,
    pub at: Loc,
}

pub(crate) struct Concrete {
    pub aval: Aval,
    pub data: Arc<Buffer>,
    pub origin: Origin,
}

/// A tag (of the trace that made it) and a payload.
pub(crate) struct Tracer {
    pub aval: Aval,
    pub tag: Tag,
    pub payload: Payload,
    pub origin: Origin,
}

impl Array {
    pub(crate) fn concrete(aval: Aval, data: Arc<Buffer>, origin: Origin) -> Array {
        debug_assert_eq!(aval.size(), data.len());
        Array { repr: Repr::Concrete(Arc::new(Concrete { aval, data, origin })) }
    }

    pub(crate) fn traced(aval: Aval, tag: Tag, payload: Payload, origin: Origin) -> Array {
        Array { repr: Repr::Tracer(Arc::new(Tracer { aval, tag, payload, origin })) }
    }

    pub(crate) fn poison(error: Error) -> Array {
        Array { repr: Repr::Poison(error) }
    }

    /// The single result of an operation, or the poison of its failure.
    pub(crate) fn one(result: Result<Outs>) -> Array {
        match result {
            Ok(outs) => {
                debug_assert_eq!(outs.len(), 1);
                outs.into_iter().next().expect("operation has one result")
            }
            Err(e) => Array::poison(e),
        }
    }

    pub(crate) fn from_result(result: Result<Array>) -> Array {
        result.unwrap_or_else(Array::poison)
    }

    pub(crate) fn repr(&self) -> &Repr {
        &self.repr
    }

    pub(crate) fn as_tracer(&self) -> Option<&Arc<Tracer>> {
        match &self.repr {
            Repr::Tracer(t) => Some(t),
            Repr::Concrete(_) | Repr::Poison(_) => None,
        }
    }

    pub(crate) fn as_concrete(&self) -> Option<&Arc<Concrete>> {
        match &self.repr {
            Repr::Concrete(c) => Some(c),
            Repr::Tracer(_) | Repr::Poison(_) => None,
        }
    }

    /// The elements of a concrete array, alone if this was the only handle.
    pub(crate) fn into_data(self) -> Option<Arc<Buffer>> {
        match self.repr {
            Repr::Concrete(c) => Some(Arc::try_unwrap(c).map_or_else(|c| c.data.clone(), |c| c.data)),
            Repr::Tracer(_) | Repr::Poison(_) => None,
        }
    }

    pub(crate) fn as_poison(&self) -> Option<&Error> {
        match &self.repr {
            Repr::Poison(e) => Some(e),
            Repr::Concrete(_) | Repr::Tracer(_) => None,
        }
    }

    /// The tracer's tag and payload if trace `tag` made it.
    pub(crate) fn payload_of(&self, tag: Tag) -> Option<&Payload> {
        self.as_tracer().filter(|t| t.tag == tag).map(|t| &t.payload)
    }

    pub(crate) fn try_aval(&self) -> Result<&Aval> {
        match &self.repr {
            Repr::Concrete(c) => Ok(&c.aval),
            Repr::Tracer(t) => Ok(&t.aval),
            Repr::Poison(e) => Err(e.clone()),
        }
    }

    #[track_caller]
    pub(crate) fn aval(&self) -> &Aval {
        match &self.repr {
            Repr::Concrete(c) => &c.aval,
            Repr::Tracer(t) => &t.aval,
            Repr::Poison(e) => trace::raise(e),
        }
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        match &self.repr {
            Repr::Concrete(c) => Some(c.origin),
            Repr::Tracer(t) => Some(t.origin),
            Repr::Poison(_) => None,
        }
    }

    /// "operand 1: f64[3], from `sin` at src/main.rs:3:5"
    pub(crate) fn provenance(&self) -> String {
        match (self.try_aval(), self.origin()) {
            (Ok(aval), Some(o)) => format!("{aval}, {} at {}", provenance_of(o.what), Place(o.at)),
            (Ok(aval), None) => aval.to_string(),
            (Err(_), _) => "an earlier error".to_string(),
        }
    }

    /// Extent of each axis.
    ///
    /// # Panics
    /// On a poisoned array, with the error that it carries; inside a transformation that panic becomes the
    /// transformation's `Err`. [`Array::try_shape`] does not panic.
    #[track_caller]
    pub fn shape(&self) -> &[usize] {
        &self.aval().shape
    }

    /// Number of axes. Panics like [`Array::shape`].
    #[track_caller]
    pub fn ndim(&self) -> usize {
        self.aval().ndim()
    }

    /// Number of elements. Panics like [`Array::shape`].
    #[track_caller]
    pub fn len(&self) -> usize {
        self.aval().size()
    }

    /// Whether there are no elements. Panics like [`Array::shape`].
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type. Panics like [`Array::shape`].
    #[track_caller]
    pub fn dtype(&self) -> DType {
        self.aval().dtype
    }

    /// The shape, or the error that this array carries.
    pub fn try_shape(&self) -> Result<&[usize]> {
        self.try_aval().map(|a| &a.shape[..])
    }

    /// The array, or the error that it carries.
    pub fn check(&self) -> Result<&Array> {
        self.try_aval().map(|_| self)
    }

    /// Whether the elements are there now, rather than a traced stand-in or an error.
    pub fn is_concrete(&self) -> bool {
        self.as_concrete().is_some()
    }

    /// An array of the given shape from its elements in row-major order; an error if the count does not fit.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let x = Array::new(vec![1, 2, 3, 4, 5, 6], &[2, 3]);
    /// assert_eq!(x.shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn new<T: Element>(data: Vec<T>, shape: &[usize]) -> Array {
        Array::from_parts(data, shape, Location::caller())
    }

    /// A scalar that is made at a line.
    fn from_scalar<T: Element>(x: T, at: Loc) -> Array {
        let origin = Origin { what: "array", at: trace::location_or(at) };
        Array::concrete(Aval::scalar(T::DTYPE), Arc::new(Buffer::scalar(x)), origin)
    }

    pub(crate) fn from_parts<T: Element>(data: Vec<T>, shape: &[usize], at: Loc) -> Array {
        let n = shape.iter().try_fold(1, |n: usize, &extent| n.checked_mul(extent));
        if n != Some(data.len()) {
            let message = format!("{} elements do not fill shape {shape:?}", data.len());
            return Array::poison(Error::new(ErrorKind::Shape, message).op("array").at(at));
        }
        let origin = Origin { what: "array", at: trace::location_or(at) };
        Array::concrete(Aval::new(T::DTYPE, shape), Arc::new(Buffer::from_vec(data)), origin)
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// The error that the array carries; another element type; a traced value (see [`Array::item`]).
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let at = Location::caller();
        let c = trace::value_of(self, "to_vec", at)?;
        if c.aval.dtype != T::DTYPE {
            return Err(wrong_element("to_vec", &c.aval, T::DTYPE, at));
        }
        Ok(c.data.as_slice::<T>().to_vec())
    }

    /// The only element.
    ///
    /// # Errors
    /// The error that the array carries; another element type; more or less than one element; a value under `jit` or
    /// `vmap`, which does not exist yet; a value with a live tangent under differentiation, whose derivative would be
    /// lost silently (`stop_gradient(&x).item()` says so on purpose).
    #[track_caller]
    pub fn item<T: Element>(&self) -> Result<T> {
        let at = Location::caller();
        let c = trace::value_of(self, "item", at)?;
        if c.aval.dtype != T::DTYPE {
            return Err(wrong_element("item", &c.aval, T::DTYPE, at));
        }
        match c.data.as_slice::<T>() {
            [x] => Ok(*x),
            _ => Err(Error::new(ErrorKind::Shape, format!("needs exactly one element, got {}", c.aval))
                .op("item")
                .at(at)),
        }
    }
}

fn provenance_of(what: &str) -> String {
    match what {
        "array" => "made".to_string(),
        w if w.starts_with("an argument") => w.to_string(),
        w => format!("from `{w}`"),
    }
}

fn wrong_element(op: &str, aval: &Aval, want: DType, at: Loc) -> Error {
    Error::new(ErrorKind::DType, format!("got {aval}, expected elements of {want}"))
        .op(op)
        .at(at)
        .help(format!("convert with `.cast(DType::{want:?})` or ask for {}", aval.dtype))
}

/// A Rust scalar that adapts to an array's element type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// From `f32` and `f64`.
    Float(f64),
    /// From the signed integers.
    Int(i64),
    /// From the unsigned integers.
    Uint(u64),
    /// From `bool`.
    Bool(bool),
}

macro_rules! scalars {
    ($($t:ty => $v:ident as $w:ty),*) => { $(
        impl From<$t> for Scalar {
            fn from(x: $t) -> Scalar { Scalar::$v(x as $w) }
        }
    )* };
}
scalars! { f64 => Float as f64, f32 => Float as f64, i32 => Int as i64, i64 => Int as i64, u8 => Uint as u64,
u32 => Uint as u64, u64 => Uint as u64, usize => Uint as u64, bool => Bool as bool }

impl Scalar {
    /// A scalar array of the given type; an error if the type cannot represent the value.
    pub(crate) fn array(self, dtype: DType, at: Loc) -> Array {
        macro_rules! int {
            ($t:ty) => {{
                let exact: Option<$t> = match self {
                    Scalar::Float(x) => (x.fract() == 0.0 && x >= <$t>::MIN as f64 && (x as i128) <= <$t>::MAX as i128)
                        .then_some(x as $t),
                    Scalar::Int(x) => <$t>::try_from(x).ok(),
                    Scalar::Uint(x) => <$t>::try_from(x).ok(),
                    Scalar::Bool(x) => Some(<$t>::from(x)),
                };
                exact.map(|x| Array::from_scalar(x, at))
            }};
        }
        let float = match self {
            Scalar::Float(x) => x,
            Scalar::Int(x) => x as f64,
            Scalar::Uint(x) => x as f64,
            Scalar::Bool(x) => f64::from(u8::from(x)),
        };
        let array = match dtype {
            DType::F64 => Some(Array::from_scalar(float, at)),
            DType::F32 => Some(Array::from_scalar(float as f32, at)),
            DType::U8 => int!(u8),
            DType::U32 => int!(u32),
            DType::U64 => int!(u64),
            DType::I32 => int!(i32),
            DType::I64 => int!(i64),
            DType::Bool => match self {
                Scalar::Bool(x) => Some(Array::from_scalar(x, at)),
                Scalar::Float(_) | Scalar::Int(_) | Scalar::Uint(_) => None,
            },
            _ => None,
        };
        array.unwrap_or_else(|| {
            let shown = match self {
                Scalar::Float(x) => format!("{x:?}"),
                Scalar::Int(x) => x.to_string(),
                Scalar::Uint(x) => x.to_string(),
                Scalar::Bool(x) => x.to_string(),
            };
            Array::poison(
                Error::new(ErrorKind::DType, format!("the scalar {shown} is not representable in {dtype}"))
                    .at(at)
                    .help(match self {
                        Scalar::Float(_) => "convert the array first, e.g. `.cast(DType::F64)`",
                        Scalar::Int(_) | Scalar::Uint(_) => "convert the array first, e.g. `.cast(DType::I64)`",
                        Scalar::Bool(_) => "compare or cast the array first, e.g. `.ne(0)`",
                    }),
            )
        })
    }
}
