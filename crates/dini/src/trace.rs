//! Tracing: the thread-local current trace, `bind`, and what each kind of trace does with an operation.
//!
//! Every operation ends in one [`bind`], which asks the current trace. A trace knows its parent (the trace that was
//! current when it was made) and delegates to it whatever it does not concern; a tracer carries the tag of the trace that
//! made it, so that a value of an outer transformation is a constant to an inner one.
//!
//! Invariants: a rule runs with its trace's *parent* current and with the location of the equation that it transforms;
//! a user closure runs under the trace that was made for it and without a location override; every change of the
//! thread-local state is undone by a guard, also when unwinding.

mod batch;
pub(crate) mod calls;
mod jvp;
pub(crate) mod partial_eval;
pub(crate) mod recorder;

pub(crate) use partial_eval::{PartialEval, partial_eval};
pub(crate) use recorder::{Staged, stage, stage_program};

use crate::{
    array::{Array, Concrete, Origin, Repr, Tracer},
    error::{Error, ErrorKind, Loc, Place, Result},
    eval,
    ir::Var,
    prim::Prim,
    shape::Aval,
};
use recorder::Recorder;
use smallvec::SmallVec;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
};

/// Transformations and sub-programs may nest this deep; beyond it the line that goes too far is named.
///
/// Each level takes 10 to 12 KiB of stack in a build without optimization, so that this many fit into the 2 MiB of a
/// thread that is not the main one, the user's own frames included.
pub const MAX_DEPTH: usize = 96;

/// Identifies one trace, for ever; knows what it was when it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    number: u64,
    thread: ThreadId,
    name: &'static str,
    at: Loc,
}

impl Tag {
    fn fresh(name: &'static str, at: Loc) -> Tag {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Tag { number: NEXT.fetch_add(1, Ordering::Relaxed), thread: thread::current().id(), name, at }
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Tag) -> bool {
        self.number == other.number
    }
}
impl Eq for Tag {}
impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number);
    }
}

/// What a tracer stands for in its trace.
pub(crate) enum Payload {
    /// A variable of the program being recorded (staging, partial evaluation).
    Var(Var),
    /// A value with a tangent that is not zero.
    Dual { primal: Array, tangent: Array },
    /// A value with a batch axis.
    Batched { value: Array, axis: usize },
}

pub(crate) struct Trace {
    pub tag: Tag,
    pub parent: Option<Rc<Trace>>,
    pub kind: Kind,
    /// Number of enclosing traces.
    depth: usize,
    /// The transformation or sub-function that it serves, for messages.
    pub name: &'static str,
    pub at: Loc,
}

pub(crate) enum Kind {
    /// Runs operations now.
    Eval,
    /// Runs operations now, on the innermost primals of differentiation tracers (inside a suspended solver).
    Suspended,
    /// Records every operation.
    Stage(RefCell<Recorder>),
    Jvp,
    Batch {
        size: usize,
    },
    /// Records operations on unknown values; the parent runs the others.
    PartialEval(RefCell<Recorder>),
}

thread_local! {
    static CURRENT: RefCell<Rc<Trace>> = RefCell::new(Rc::new(Trace {
        tag: Tag::fresh("eval", Location::caller()),
        parent: None,
        kind: Kind::Eval,
        depth: 0,
        name: "eval",
        at: Location::caller(),
    }));
    static LOCATION: Cell<Option<Loc>> = const { Cell::new(None) };
    static LIVE: RefCell<HashMap<Tag, (&'static str, bool)>> = RefCell::new(HashMap::new());
    static BOUNDARIES: Cell<usize> = const { Cell::new(0) };
}

/// Runs its closure when dropped, also while unwinding.
struct Finally<F: FnMut()>(F);
impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn current() -> Rc<Trace> {
    CURRENT.with(|c| c.borrow().clone())
}

/// Whether no transformation is under way.
pub(crate) fn is_eval() -> bool {
    CURRENT.with(|c| matches!(c.borrow().kind, Kind::Eval))
}

/// Runs `f` with `trace` current.
pub(crate) fn with_trace<R>(trace: &Rc<Trace>, f: impl FnOnce() -> R) -> R {
    let mut before = Some(CURRENT.with(|c| c.replace(trace.clone())));
    let _guard = Finally(|| {
        if let Some(before) = before.take() {
            CURRENT.with(|c| *c.borrow_mut() = before);
        }
    });
    f()
}

/// Runs `f`, a rule, with every operation attributed to `at`.
pub(crate) fn with_location<R>(at: Loc, f: impl FnOnce() -> R) -> R {
    let before = LOCATION.replace(Some(at));
    let _guard = Finally(|| LOCATION.set(before));
    f()
}

/// The line to blame for an operation called at `at`.
pub(crate) fn location_or(at: Loc) -> Loc {
    LOCATION.get().unwrap_or(at)
}

/// The calling line, or the line of the equation that is being transformed.
#[track_caller]
pub(crate) fn here() -> Loc {
    location_or(Location::caller())
}

/// The panic of `shape()` on a poisoned array. Silent where an enclosing call of ours turns it into an `Err`.
struct PoisonPanic(Error);

#[track_caller]
pub(crate) fn raise(error: &Error) -> ! {
    if BOUNDARIES.get() > 0 {
        resume_unwind(Box::new(PoisonPanic(error.clone())))
    }
    panic!("{error}")
}

/// Calls a user closure [`during`](calls::during) a call to `name`, without a location override.
pub(crate) fn call_user<R>(name: &'static str, at: Loc, f: impl FnOnce() -> Result<R>) -> Result<R> {
    let before = LOCATION.replace(None);
    let _guard = Finally(|| LOCATION.set(before));
    calls::during(name, at, f)
}

/// Runs `f` with the panic of a poisoned `shape()` turned into the error that it carries.
pub(crate) fn unpoisoned<R>(f: impl FnOnce() -> Result<R>) -> Result<R> {
    BOUNDARIES.set(BOUNDARIES.get() + 1);
    let _guard = Finally(|| BOUNDARIES.set(BOUNDARIES.get() - 1));
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result,
        Err(payload) => match payload.downcast::<PoisonPanic>() {
            Ok(poison) => Err(poison.0),
            Err(payload) => resume_unwind(payload),
        },
    }
}

impl Trace {
    fn new(kind: Kind, parent: &Rc<Trace>, name: &'static str, at: Loc) -> Result<Rc<Trace>> {
        let depth = parent.depth + 1;
        if depth > MAX_DEPTH {
            return Err(Error::new(
                ErrorKind::Depth,
                format!("transformations and sub-functions are nested more than {MAX_DEPTH} deep"),
            )
            .op(name)
            .at(at));
        }
        Ok(Rc::new(Trace { tag: Tag::fresh(name, at), parent: Some(parent.clone()), kind, depth, name, at }))
    }

    fn is_differentiation(&self) -> bool {
        match self.kind {
            Kind::Jvp | Kind::PartialEval(_) => true,
            Kind::Eval | Kind::Suspended | Kind::Stage(_) | Kind::Batch { .. } => false,
        }
    }

    /// Whether only differentiation lies between this trace and plain evaluation.
    pub fn is_eager(&self) -> bool {
        match (&self.kind, &self.parent) {
            (Kind::Eval | Kind::Suspended, _) => true,
            (Kind::Jvp | Kind::PartialEval(_), Some(parent)) => parent.is_eager(),
            (Kind::Jvp | Kind::PartialEval(_), None) | (Kind::Stage(_) | Kind::Batch { .. }, _) => false,
        }
    }
}

/// Whether the trace of this tag is under way on this thread.
pub(crate) fn is_live(tag: Tag) -> bool {
    LIVE.with(|l| l.borrow().contains_key(&tag))
}

/// Runs `f` inside a new trace; its tracers die when `f` returns.
pub(crate) fn enter<R>(
    kind: Kind,
    name: &'static str,
    at: Loc,
    f: impl FnOnce(&Rc<Trace>) -> Result<R>,
) -> Result<(R, Rc<Trace>)> {
    let trace = Trace::new(kind, &current(), name, at)?;
    let tag = trace.tag;
    LIVE.with(|l| l.borrow_mut().insert(tag, (name, trace.is_differentiation())));
    let _guard = Finally(|| {
        LIVE.with(|l| l.borrow_mut().remove(&tag));
    });
    let result = with_trace(&trace, || f(&trace))?;
    Ok((result, trace))
}

/// Runs `f` as ordinary Rust under plain evaluation: differentiation tracers count as their primals.
pub(crate) fn suspended<R>(name: &'static str, at: Loc, f: impl FnOnce() -> Result<R>) -> Result<R> {
    enter(Kind::Suspended, name, at, |_| f()).map(|(r, _)| r)
}

/// The innermost primal of a value that differentiation alone has touched; other values as they are.
pub(crate) fn strip(x: &Array) -> Array {
    let mut x = x;
    while let Some(t) = x.as_tracer() {
        match &t.payload {
            Payload::Dual { primal, .. } if is_live(t.tag) => x = primal,
            Payload::Dual { .. } | Payload::Var(_) | Payload::Batched { .. } => break,
        }
    }
    x.clone()
}

/// The results of an operation: mostly one.
pub(crate) type Outs = SmallVec<[Array; 1]>;

/// Runs an operation.
#[track_caller]
pub(crate) fn bind(prim: impl Into<Prim>, inputs: &[Array]) -> Result<Vec<Array>> {
    bind_at(&prim.into(), inputs, here())
}

/// An operation with one result; its failure is the result's poison.
#[track_caller]
pub(crate) fn bind1(prim: impl Into<Prim>, inputs: &[Array]) -> Array {
    Array::one(apply(&prim.into(), inputs, here()))
}

pub(crate) fn bind_at(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    apply(prim, inputs, at).map(Outs::into_vec)
}

/// The one door to evaluation and recording.
pub(crate) fn apply(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Outs> {
    if let Some(e) = inputs.iter().find_map(|x| x.as_poison()) {
        return Err(e.clone());
    }
    let mut trace = current();
    loop {
        match &trace.kind {
            Kind::Eval => {
                check_escape(&trace, prim.name(), inputs, at)?;
                return eval::eval(prim, inputs, at).map(Outs::from);
            }
            Kind::Suspended => {
                let inputs: Vec<Array> = inputs.iter().map(strip).collect();
                check_escape(&trace, prim.name(), &inputs, at)?;
                return eval::eval(prim, &inputs, at).map(Outs::from);
            }
            Kind::Stage(recorder) => {
                check_escape(&trace, prim.name(), inputs, at)?;
                return recorder::record(&trace, recorder, prim, inputs, at);
            }
            Kind::Jvp if touches(trace.tag, inputs) => return jvp::process(&trace, prim, inputs, at).map(Outs::from),
            Kind::Batch { size } if touches(trace.tag, inputs) => {
                return batch::process(&trace, *size, prim, inputs, at).map(Outs::from);
            }
            Kind::PartialEval(recorder) if touches(trace.tag, inputs) => {
                check_escape(&trace, prim.name(), inputs, at)?;
                return partial_eval::process(&trace, recorder, prim, inputs, at);
            }
            Kind::Jvp | Kind::Batch { .. } | Kind::PartialEval(_) => {
                let parent = trace.parent.clone().expect("only evaluation has no parent");
                trace = parent;
            }
        }
    }
}

fn touches(tag: Tag, inputs: &[Array]) -> bool {
    inputs.iter().any(|x| x.payload_of(tag).is_some())
}

/// Every tracer among the operands must belong to a trace that encloses the current one.
fn check_escape(trace: &Rc<Trace>, op: &str, inputs: &[Array], at: Loc) -> Result<()> {
    for x in inputs {
        if let Some(t) = x.as_tracer() {
            let mut enclosing = Some(trace);
            while let Some(e) = enclosing {
                if e.tag == t.tag {
                    break;
                }
                enclosing = e.parent.as_ref();
            }
            if enclosing.is_none() {
                return Err(escaped(t, at).op(op));
            }
        }
    }
    Ok(())
}

fn escaped(t: &Tracer, at: Loc) -> Error {
    let made = format!("{} came {} at {}", t.aval, phrase(t.origin.what), Place(t.origin.at));
    let whose = format!("its transformation: `{}` at {}", t.tag.name, Place(t.tag.at));
    if t.tag.thread != thread::current().id() {
        return Error::new(ErrorKind::Escape, format!("a traced value is used on another thread: {made}"))
            .at(at)
            .detail(whose)
            .help("a traced value stays on the thread of its transformation; move concrete arrays instead");
    }
    Error::new(ErrorKind::Escape, format!("a traced value is used after its transformation ended: {made}"))
        .at(at)
        .detail(whose)
        .help("return the value from the transformed function instead of storing it")
}

fn phrase(what: &str) -> String {
    if what.starts_with("an argument") { format!("as {what}") } else { format!("from `{what}`") }
}

/// The buffer behind a value, for `item` and `to_vec`.
pub(crate) fn value_of(x: &Array, op: &str, at: Loc) -> Result<Arc<Concrete>> {
    let x = match current().kind {
        Kind::Suspended => strip(x),
        Kind::Eval | Kind::Stage(_) | Kind::Jvp | Kind::Batch { .. } | Kind::PartialEval(_) => x.clone(),
    };
    match x.repr() {
        Repr::Concrete(c) => Ok(c.clone()),
        Repr::Poison(e) => Err(e.clone()),
        Repr::Tracer(t) => Err(match LIVE.with(|l| l.borrow().get(&t.tag).copied()) {
            None => escaped(t, at).op(op),
            Some((name, true)) => Error::new(
                ErrorKind::Concretization,
                format!("the value of {} carries a live tangent of `{name}`, which would be lost silently", t.aval),
            )
            .op(op)
            .at(at)
            .operand(0, x.provenance())
            .help(if current().is_eager() {
                "if that is meant, say `stop_gradient(&x).item()`"
            } else {
                // The primal has no value either.
                "branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`"
            }),
            Some((name, false)) => {
                Error::new(ErrorKind::Concretization, format!("{} has no value yet: it is traced by `{name}`", t.aval))
                    .op(op)
                    .at(at)
                    .operand(0, x.provenance())
                    .help("branch with `cond`, repeat with `while_loop`, or call Rust code with `host_call`")
            }
        }),
    }
}

/// Makes the arguments of a trace's function.
pub(crate) fn argument(trace: &Trace, aval: Aval, payload: Payload) -> Array {
    Array::traced(aval, trace.tag, payload, Origin { what: argument_of(trace.name), at: trace.at })
}

/// "an argument of `name`", for the fixed set of names that traces carry.
fn argument_of(name: &'static str) -> &'static str {
    thread_local! {
        static NAMES: RefCell<HashMap<&'static str, &'static str>> = RefCell::new(HashMap::new());
    }
    NAMES.with(|n| {
        *n.borrow_mut().entry(name).or_insert_with(|| Box::leak(format!("an argument of `{name}`").into_boxed_str()))
    })
}

pub(crate) use batch::vmap_flat;
pub(crate) use jvp::jvp_flat;

/// Runs a host function: plain evaluation is current, whatever the caller was doing.
pub(crate) fn with_eval<R>(f: impl FnOnce() -> R) -> R {
    let mut root = current();
    while let Some(parent) = root.parent.clone() {
        root = parent;
    }
    let before = LOCATION.replace(None);
    let _guard = Finally(|| LOCATION.set(before));
    with_trace(&root, f)
}
