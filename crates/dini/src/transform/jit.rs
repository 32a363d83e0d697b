//! Compilation for users: trace once per structure and types of the argument, then run.
//!
//! A traced entry is a program and its captures; it is bound as one `call` under whatever is current, so that a compiled
//! function differentiates, vectorizes and nests. An entry that captured a tracer is valid only while that tracer's
//! transformation lives; concrete captures are fixed at the first trace.

use super::{Flat, check_sound};
use crate::implicit::at_path;
use crate::{
    array::{Array, Origin},
    counters, debug_nans,
    error::{Error, ErrorKind, Loc, Result},
    eval::{self, Results},
    ir::Program,
    lower::{self, Compiled},
    prim::call::Call,
    shape::Aval,
    trace::{self, Staged, bind_at, calls, stage},
    tree::{Outcome, Tree, TreeDef, flatten, into_leaves, unflatten_from},
};
use std::{
    borrow::Cow,
    panic::Location,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Options of [`jit_with`] and [`compile_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Jit {
    donated: Vec<usize>,
    contracts: bool,
}

impl Jit {
    /// The default options.
    pub fn new() -> Jit {
        Jit::default()
    }

    /// Arguments whose memory the call may use again for its results and on the way: positions in the argument, if that is
    /// a tuple (or a vector, or the fields of a structure); a single array is at position 0.
    ///
    /// Only memory that nobody else holds is used again. If a clone of a donated array lives on, the call works on a copy,
    /// and the clone keeps its elements. Under another transformation nothing is donated.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let step = jit_with(Jit::new().donate([0]), |(x, v): (Array, Array)| x + v * 0.01);
    /// let (mut x, v) = (Array::zeros(&[1000], DType::F64), Array::ones(&[1000], DType::F64));
    /// for _ in 0..10 {
    ///     x = step((x, v.clone()))?; // each x stands where the one before did
    /// }
    /// assert!((x.index(0).item::<f64>()? - 0.1).abs() < 1e-15);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn donate(mut self, positions: impl IntoIterator<Item = usize>) -> Jit {
        self.donated.extend(positions);
        // Each can be given away once.
        self.donated.sort_unstable();
        self.donated.dedup();
        self
    }

    /// Lets a product that is only added to something be rounded together with the sum (`fma`), constants that scale a
    /// value one after the other be one constant, and a constant divisor in a sum be a factor, as XLA does unasked: chains
    /// of products and sums become up to twice as fast. Bounds of errors stay or shrink, since each rounding that is new
    /// replaces another, but results have not the same bits as without `jit`. Under another transformation, or inside
    /// another compiled function, whose own options count, nothing is contracted.
    ///
    /// ```
    /// use dini::prelude::*;
    /// let rest = |x: Array| &x * &x - 1.0;
    /// let x = Array::from(1.0 + 2_f64.powi(-30)); // x² = 1 + 2⁻²⁹ + 2⁻⁶⁰
    /// assert_eq!(jit(rest)(x.clone())?.item::<f64>()?, 2_f64.powi(-29));
    /// let contracted = jit_with(Jit::new().contract(), rest)(x)?;
    /// assert_eq!(contracted.item::<f64>()?, 2_f64.powi(-29) + 2_f64.powi(-60));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn contract(mut self) -> Jit {
        self.contracts = true;
        self
    }

    /// The leaves of donated arguments.
    fn donated_leaves(&self, def: &TreeDef) -> Result<Vec<usize>> {
        let parts = if def.is_leaf() { std::slice::from_ref(def) } else { def.children() };
        let mut leaves = vec![];
        for &position in &self.donated {
            if position >= parts.len() {
                let message = format!("argument {position} is donated, and there are {}", parts.len());
                return Err(Error::new(ErrorKind::Structure, message));
            }
            let first: usize = parts[..position].iter().map(TreeDef::n_leaves).sum();
            leaves.extend(first..first + parts[position].n_leaves());
        }
        Ok(leaves)
    }
}

struct Entry {
    in_def: TreeDef,
    in_avals: Vec<Aval>,
    out_def: TreeDef,
    out_avals: Vec<Aval>,
    staged: Staged,
    options: lower::Options,
    compiled: OnceLock<Arc<Compiled>>,
}

impl Entry {
    fn fits(&self, def: &TreeDef, leaves: &[Array]) -> bool {
        self.in_avals.len() == leaves.len()
            && self.in_avals.iter().zip(leaves).all(|(a, x)| x.try_aval().is_ok_and(|b| a == b))
            && self.in_def == *def
    }

    /// Whether every captured tracer's transformation is still under way.
    fn lives(&self) -> bool {
        self.staged.captures.iter().all(|x| x.as_tracer().is_none_or(|t| trace::is_live(t.tag)))
    }

    /// Runs on the leaves of an argument, and makes the tree of the results.
    fn call<Out: Tree>(&self, name: &'static str, at: Loc, leaves: &mut Vec<Array>) -> Result<Out> {
        let mut results = Results::new();
        let run = self.run(name, at, leaves, &mut results).and_then(|()| check_sound(&results));
        run.and_then(|()| unflatten_from(&self.out_def, results.drain(..))).map_err(|e| e.inside(name, at))
    }

    /// Appends the results.
    fn run(&self, name: &'static str, at: Loc, leaves: &mut Vec<Array>, results: &mut Results) -> Result<()> {
        let captures = &self.staged.captures;
        let eager = captures.iter().chain(&*leaves).all(Array::is_concrete) && trace::is_eval();
        if !eager {
            let prim = Call { program: self.staged.program.clone() };
            let operands = self.staged.operands(leaves);
            results.extend(calls::during(name, at, || bind_at(&prim.into(), &operands, trace::location_or(at)))?);
            return Ok(());
        }
        if debug_nans::enabled() {
            results.extend(debug_nans::run(&self.staged.program, &self.staged.operands(leaves))?);
            return Ok(());
        }
        let compiled = match self.compiled.get() {
            Some(c) => c,
            None => {
                let made = lower::compile(&self.staged.program, &self.options)?;
                self.compiled.get_or_init(|| made)
            }
        };
        let origin = Origin { what: "jit", at };
        let (program, outs) = (&self.staged.program, &self.out_avals);
        match &self.options.donated[..] {
            [] => eval::run(program, compiled, outs, [captures, leaves], origin, results),
            donated => eval::run_donating(program, compiled, outs, captures, (leaves, donated), origin, results),
        }
        .map_err(|e| if e.location().is_some() { e } else { e.op("jit").at(at) })
    }
}

/// What a compiled function has traced. The first few entries are found without a lock.
#[derive(Default)]
struct Entries {
    /// Entries without captured tracers: they never go.
    first: [OnceLock<Arc<Entry>>; 4],
    others: Mutex<Vec<Arc<Entry>>>,
}

impl Entries {
    /// The entry for these leaves, if there is one.
    fn find(&self, def: &TreeDef, leaves: &[Array]) -> Option<Cow<'_, Arc<Entry>>> {
        for entry in &self.first {
            match entry.get() {
                Some(entry) if entry.fits(def, leaves) => return Some(Cow::Borrowed(entry)),
                Some(_) => {}
                None => break,
            }
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|e| e.lives());
        others.iter().find(|e| e.fits(def, leaves)).cloned().map(Cow::Owned)
    }

    fn add(&self, entry: Arc<Entry>) {
        let stays = entry.staged.captures.iter().all(|x| x.as_tracer().is_none());
        let placed = stays && self.first.iter().any(|place| place.set(entry.clone()).is_ok());
        if !placed {
            self.others.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }
}

fn trace_entry<In: Tree, R: Outcome>(
    name: &'static str,
    at: Loc,
    f: &impl Fn(In) -> R,
    in_def: &TreeDef,
    in_avals: Vec<Aval>,
    options: &Jit,
) -> Result<Entry> {
    counters::count_trace();
    let donated_leaves = options.donated_leaves(in_def).map_err(|e| e.op(name).at(at))?;
    let flat = Flat::new(f, in_def);
    let staged = calls::apart(|| stage(name, at, &in_avals, |xs| flat.call(xs)))?;
    let out_avals = staged.program.out_avals();
    let out_def = flat.out_def();
    let donated = donated_leaves.into_iter().map(|leaf| staged.n_captures() + leaf).collect();
    let options = lower::Options { donated, contract: options.contracts };
    Ok(Entry { in_def: in_def.clone(), in_avals, out_def, out_avals, staged, options, compiled: OnceLock::new() })
}

/// Compiles a function: traced at the first call for each structure, shapes, dtypes and static fields of its argument,
/// then run as one program.
///
/// The function must be pure: its Rust code runs at tracing only. Arrays that it captures, concrete or traced, are fixed at
/// the first trace. `jit` composes with every other transformation, inside and outside.
///
/// ```
/// use dini::prelude::*;
/// let f = jit(|x: Array| (&x * 2.0).sin());
/// assert_eq!(f(Array::from(0.0))?.item::<f64>()?, 0.0);
/// let df = jit(vmap(grad(|x: Array| x.sin())));
/// assert_eq!(df(Array::from(vec![0.0]))?.to_vec::<f64>()?, [1.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn jit<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    jit_with(Jit::new(), f)
}

/// [`jit`] with options.
#[track_caller]
pub fn jit_with<In: Tree, R: Outcome>(options: Jit, f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    let at = Location::caller();
    let entries = Entries::default();
    move |x| {
        // What is donated must have no other handle.
        let (mut leaves, in_def) = into_leaves(x);
        let entry = match entries.find(&in_def, &leaves) {
            Some(entry) => entry,
            None => {
                let in_avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
                let entry = Arc::new(trace_entry("jit", at, &f, &in_def, in_avals, &options)?);
                entries.add(entry.clone());
                Cow::Owned(entry)
            }
        };
        entry.call("jit", at, &mut leaves)
    }
}

/// A function compiled ahead of time for the structure and types of an example, see [`compile`].
pub struct CompiledFn<In, Out> {
    entry: Entry,
    at: Loc,
    types: std::marker::PhantomData<fn(In) -> Out>,
}

/// Traces and compiles a function now, for arguments like `example` (whose values are not used).
///
/// # Errors
/// Whatever tracing finds; a capture that is itself traced.
///
/// ```
/// use dini::prelude::*;
/// let f = compile(|x: Array| x.sin() * 2.0, &Array::from(0.0))?;
/// assert_eq!(f.call(Array::from(0.0))?.item::<f64>()?, 0.0);
/// println!("{}", f.program());
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn compile<In: Tree, R: Outcome>(f: impl Fn(In) -> R, example: &In) -> Result<CompiledFn<In, R::Tree>> {
    compile_with(Jit::new(), f, example)
}

/// [`compile`] with options.
///
/// # Errors
/// As for [`compile`].
#[track_caller]
pub fn compile_with<In: Tree, R: Outcome>(
    options: Jit,
    f: impl Fn(In) -> R,
    example: &In,
) -> Result<CompiledFn<In, R::Tree>> {
    let at = Location::caller();
    let (leaves, in_def) = flatten(example);
    let in_avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    let entry = trace_entry("compile", at, &f, &in_def, in_avals, &options)?;
    if !entry.staged.captures.iter().all(Array::is_concrete) {
        return Err(Error::new(ErrorKind::Escape, "the function captures a traced value").op("compile").at(at));
    }
    let compiled = lower::compile(&entry.staged.program, &entry.options)?;
    entry.compiled.get_or_init(|| compiled);
    Ok(CompiledFn { entry, at, types: std::marker::PhantomData })
}

impl<In: Tree, Out: Tree> CompiledFn<In, Out> {
    /// Runs it.
    ///
    /// # Errors
    /// An argument of another structure or type than the example.
    #[track_caller]
    pub fn call(&self, x: In) -> Result<Out> {
        let at = Location::caller();
        // What is donated must have no other handle.
        let (mut leaves, def) = into_leaves(x);
        super::same_structure("compile", at, "the argument", &def, &self.entry.in_def)?;
        for (i, (x, want)) in leaves.iter().zip(&self.entry.in_avals).enumerate() {
            let got = x.try_aval()?;
            if got != want {
                let message = format!("the argument{} is {got}, compiled for {want}", at_path(&def.leaf_paths()[i]));
                return Err(Error::new(ErrorKind::Shape, message).op("compile").at(at).inside("compile", self.at));
            }
        }
        self.entry.call("compile", self.at, &mut leaves)
    }

    /// The traced program, its captures first.
    pub fn program(&self) -> &Program {
        &self.entry.staged.program
    }
}
