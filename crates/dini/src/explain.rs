//! Looking inside: what a function is traced to, what will run, and what that costs.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ir::Program,
    lower,
    trace::{Staged, stage},
    transform::Flat,
    tree::{Outcome, Tree, flatten},
};
use dini_cpu::{Executor, buffer::Buffer, explain::Explanation, graph::Graph};
use std::{panic::Location, sync::Arc};

/// The program that tracing `f` with arguments like `x` gives; its inputs are captured arrays, then the argument's leaves.
///
/// ```
/// use dini::prelude::*;
/// let p = program_of(|x: Array| x.sin(), &Array::from(1.0))?;
/// assert_eq!(p.counts()["sin"], 1);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn program_of<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: &In) -> Result<Arc<Program>> {
    Ok(staged("program_of", f, x)?.0.program)
}

/// What tracing gives, and the leaves of the argument.
#[track_caller]
fn staged<In: Tree, R: Outcome>(name: &'static str, f: impl Fn(In) -> R, x: &In) -> Result<(Staged, Vec<Array>)> {
    let at = Location::caller();
    let (leaves, in_def) = flatten(x);
    let in_avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    let flat = Flat::new(&f, &in_def);
    Ok((stage(name, at, &in_avals, |xs| flat.call(xs))?, leaves))
}

/// The engine's graph of what would run, and its inputs.
///
/// # Errors
/// Whatever tracing finds; a result that is an error; a value that is traced.
#[track_caller]
pub(crate) fn lowered<In: Tree, R: Outcome>(
    name: &'static str,
    f: impl Fn(In) -> R,
    x: &In,
) -> Result<(Graph, Vec<Arc<Buffer>>)> {
    let (staged, leaves) = staged(name, f, x)?;
    with_inputs(name, &staged, &leaves)
}

/// The engine's graph of a staged program, and its inputs.
fn with_inputs(name: &'static str, staged: &Staged, leaves: &[Array]) -> Result<(Graph, Vec<Arc<Buffer>>)> {
    let (graph, used) = lower::lowered(&staged.program)?;
    let operands = staged.operands(leaves);
    let data = |i: usize| match operands[i].as_concrete() {
        Some(x) => Ok(x.data.clone()),
        None => Err(Error::new(ErrorKind::Escape, "the function or its argument holds a traced value").op(name)),
    };
    Ok((graph, used.into_iter().map(data).collect::<Result<_>>()?))
}

/// What would run: the program of [`program_of`] after everything that only derivatives need is gone, and after all
/// simplifications.
///
/// # Errors
/// Whatever tracing finds; a result that is an error.
///
/// ```
/// use dini::prelude::*;
/// let p = compiled_program_of(|x: Array| (x.sin(), x.cos()).0, &Array::from(1.0))?;
/// assert!(!p.counts().contains_key("cos"));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn compiled_program_of<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: &In) -> Result<Arc<Program>> {
    Ok(lower::prepared(&staged("compiled_program_of", f, x)?.0.program)?.0)
}

/// What would run, as the steps of the engine: kernels and what was fused into them, library calls, loops; bytes read and
/// written, floating-point operations and elementary functions of each and in all, and the memory of a run. Counted, not
/// measured; [`explain_with`] measures times too.
///
/// # Errors
/// Whatever tracing finds; a result that is an error.
///
/// ```
/// use dini::prelude::*;
/// let x = Array::zeros(&[1000], DType::F64);
/// let explained = explain(|x: Array| (x.sin() * &x).sum(), &x)?;
/// assert_eq!(explained.steps.len(), 1); // all of it is one kernel
/// assert_eq!(explained.total().functions, 1000);
/// println!("{explained}");
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn explain<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: &In) -> Result<Explanation> {
    explain_with(Explain::new(), f, x)
}

/// Options of [`explain_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explain {
    timings: bool,
}

impl Explain {
    /// The default options: nothing is run.
    pub fn new() -> Explain {
        Explain::default()
    }

    /// Runs what is explained, on `x`, and says what each step takes.
    pub fn timings(mut self) -> Explain {
        self.timings = true;
        self
    }
}

/// [`explain`] with options.
///
/// With [`Explain::timings`] each step has its time: from its beginning to its end by the clock, whatever threads work on it,
/// as an average over the runs that fit into a tenth of a second; in loops, all iterations together. It also has what ran
/// it: `machine` code that was made for it, precompiled `loops` and library routines, or a `call` of a host function. Code is
/// made as for a function that is called often, and within what `DINI_JIT` allows. A function with side effects runs once.
///
/// # Errors
/// As for [`explain`]. With timings also what a run fails with, and an argument or a captured value that is traced.
///
/// ```
/// use dini::{Explain, explain_with, prelude::*};
/// let x = Array::zeros(&[1000], DType::F64);
/// let explained = explain_with(Explain::new().timings(), |x: Array| (x.sin() * &x).sum(), &x)?;
/// let kernel = explained.steps[0].measured.expect("times were asked for");
/// assert_eq!(kernel.times, 1.0); // once in a run
/// println!("{explained}");
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn explain_with<In: Tree, R: Outcome>(options: Explain, f: impl Fn(In) -> R, x: &In) -> Result<Explanation> {
    let at = Location::caller();
    let (staged, leaves) = staged("explain", f, x)?;
    if !options.timings {
        return Ok(Explanation::new(&lower::lowered(&staged.program)?.0));
    }
    let (graph, inputs) = with_inputs("explain", &staged, &leaves)?;
    let measured = Explanation::measured(&graph, &inputs, Executor::of_process());
    measured.map_err(|e| lower::run_error(e, &staged.program).inside("explain", at))
}
