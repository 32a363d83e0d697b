//! The one error type: what went wrong, at which line of the user, with which operands, inside which calls.
//!
//! Invariants: an error that a user's line caused carries that line; notes are flat, one per enclosing call of this
//! library, innermost first; rendering never shows an internal frame.

use std::{error::Error as StdError, fmt, panic::Location, sync::Arc};

/// A line of source code.
pub type Loc = &'static Location<'static>;

/// Shorthand for results of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of mistake an [`Error`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes that do not fit each other or the operation.
    Shape,
    /// An element type that does not fit.
    DType,
    /// An axis or a static index out of range.
    Index,
    /// Trees, or sub-function results, whose structure differs from what is needed.
    Structure,
    /// A scalar or option outside of its admissible values.
    Value,
    /// A traced value used after its transformation ended, or on another thread.
    Escape,
    /// A concrete value was asked of a traced one.
    Concretization,
    /// A derivative, transpose, batching or lowering rule that does not exist.
    MissingRule,
    /// A function that must be linear is not.
    NotLinear,
    /// An `ensure` that did not hold.
    Ensure,
    /// A host function failed.
    Host,
    /// Sub-programs nested too deep.
    Depth,
    /// There is no memory for a result or a temporary.
    OutOfMemory,
    /// A loop or a long operation was stopped, see [`interrupt`](crate::interrupt).
    Stopped,
    /// The user's own error, see [`Error::user`].
    User,
    /// A fault of this library; please report it.
    Internal,
}

impl ErrorKind {
    const fn name(self) -> &'static str {
        match self {
            ErrorKind::Shape => "shape",
            ErrorKind::DType => "dtype",
            ErrorKind::Index => "index",
            ErrorKind::Structure => "structure",
            ErrorKind::Value => "value",
            ErrorKind::Escape => "escape",
            ErrorKind::Concretization => "concretization",
            ErrorKind::MissingRule => "missing-rule",
            ErrorKind::NotLinear => "not-linear",
            ErrorKind::Ensure => "ensure",
            ErrorKind::Host => "host",
            ErrorKind::Depth => "depth",
            ErrorKind::OutOfMemory => "out-of-memory",
            ErrorKind::Stopped => "stopped",
            ErrorKind::User => "user",
            ErrorKind::Internal => "internal",
        }
    }
}

/// A diagnostic. Cheap to clone.
///
/// It renders like a compiler's: the message, the user's line, where each operand came from, and one note per enclosing
/// transformation.
///
/// ```
/// use dini::prelude::*;
/// let sum = Array::from(vec![1.0, 2.0]) + Array::from(vec![1.0, 2.0, 3.0]);
/// let error = sum.to_vec::<f64>().unwrap_err();
/// assert_eq!(error.kind(), dini::ErrorKind::Shape);
/// assert!(error.to_string().contains("f64[2]"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    op: Option<String>,
    message: String,
    location: Option<Loc>,
    operands: Vec<String>,
    details: Vec<String>,
    notes: Vec<String>,
    help: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a location; callers add what they know.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Arc::new(Inner {
            kind,
            op: None,
            message: message.into(),
            location: None,
            operands: Vec::new(),
            details: Vec::new(),
            notes: Vec::new(),
            help: None,
            source: None,
        }))
    }

    /// Wraps any error of the caller's so that it travels through closures and transformations; `source()` gives it
    /// back.
    ///
    /// ```
    /// use dini::prelude::*;
    /// use std::error::Error as _;
    /// let f = |_: Array| -> Result<Array> { Err(Error::user("nan".parse::<i32>().unwrap_err())) };
    /// let error = grad(f)(Array::from(1.0)).unwrap_err();
    /// assert!(error.source().unwrap().is::<std::num::ParseIntError>());
    /// ```
    #[track_caller]
    pub fn user(error: impl StdError + Send + Sync + 'static) -> Error {
        let mut e = Error::new(ErrorKind::User, error.to_string()).at(Location::caller());
        Arc::make_mut(&mut e.0).source = Some(Arc::new(error));
        e
    }

    /// An error of the caller's own that is only a message.
    #[track_caller]
    pub fn message(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::User, message).at(Location::caller())
    }

    /// The class of the mistake.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The user's line, if the error has one.
    pub fn location(&self) -> Option<Loc> {
        self.0.location
    }

    /// One line per enclosing call of this library, innermost first.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Error {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets the line unless there is one.
    pub(crate) fn at(self, location: Loc) -> Error {
        if self.0.location.is_some() { self } else { self.with(|e| e.location = Some(location)) }
    }

    /// Sets the operation unless there is one.
    /// Names the operation that failed, unless a name is known or the error is the user's own.
    pub(crate) fn op(self, op: impl Into<String>) -> Error {
        match self.is_named() || self.0.kind == ErrorKind::User {
            true => self,
            false => self.with(|e| e.op = Some(op.into())),
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        self.0.op.is_some()
    }

    /// Says where an operand comes from.
    pub(crate) fn operand(self, i: usize, provenance: String) -> Error {
        self.with(|e| e.operands.push(format!("operand {i}: {provenance}")))
    }

    /// An error of a part of an operation as the operation's own, with the operands of the part if none are given.
    pub(crate) fn of_whole(self, op: &str, operands: impl Iterator<Item = String>) -> Error {
        let operands: Vec<String> = operands.enumerate().map(|(i, x)| format!("operand {i}: {x}")).collect();
        self.with(|e| {
            e.op = Some(op.to_string());
            if !operands.is_empty() {
                e.operands = operands;
            }
        })
    }

    pub(crate) fn detail(self, line: impl Into<String>) -> Error {
        self.with(|e| e.details.push(line.into()))
    }

    pub(crate) fn help(self, line: impl Into<String>) -> Error {
        self.with(|e| e.help = Some(line.into()))
    }

    pub(crate) fn note(self, line: impl Into<String>) -> Error {
        self.with(|e| e.notes.push(line.into()))
    }

    pub(crate) fn sourced(self, source: Arc<dyn StdError + Send + Sync>) -> Error {
        self.with(|e| e.source = Some(source))
    }

    /// The note of an enclosing call of this library, once.
    pub(crate) fn inside(self, call: &str, at: Loc) -> Error {
        let note = format!("inside `{call}` at {}", Place(at));
        if self.0.notes.contains(&note) { self } else { self.note(note) }
    }

    /// Same allocation: used to compare poisons.
    pub(crate) fn same(&self, other: &Error) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// `file:line:column`, with forward slashes on every system so that messages compare.
pub(crate) struct Place(pub Loc);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0.file().replace('\\', "/"), self.0.line(), self.0.column())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        write!(f, "error[{}]: ", e.kind.name())?;
        if let Some(op) = &e.op {
            write!(f, "`{op}`: ")?;
        }
        write!(f, "{}", e.message)?;
        if let Some(at) = e.location {
            write!(f, "\n  --> {}", Place(at))?;
        }
        for line in e.operands.iter().chain(&e.details) {
            write!(f, "\n   = {line}")?;
        }
        if let Some(help) = &e.help {
            write!(f, "\n   = help: {help}")?;
        }
        // A recursion makes the same call again and again.
        for same in e.notes.chunk_by(|a, b| a == b) {
            write!(f, "\n   = note: {}", same[0])?;
            if same.len() > 1 {
                write!(f, " ({} times)", same.len())?;
            }
        }
        Ok(())
    }
}

/// Same as `Display`, so that `main() -> Result<()>` and `unwrap` show the diagnostic.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Errors are compared by identity where programs are compared: a `late_error` equation equals only itself.
impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.same(other)
    }
}
impl Eq for Error {}
impl std::hash::Hash for Error {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.0) as usize).hash(state);
    }
}
