//! From programs to the engine: erasure, the passes, and lowering into a tensor graph.
//!
//! Erasure comes first: `implicit` becomes its x, custom rules and suspended or checkpointed sub-programs go in line, and
//! composed primitives become what they are composed of. So dead-code removal sees neither what only derivatives need
//! nor what only a solver's derivatives would need.
//!
//! Equations are numbered in the order of lowering; a failing call is reported by that number. Programs of equal
//! structure number alike, so an executable can be shared and each caller still finds its own line.

use crate::{
    array::Array,
    counters,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Atom, Derived, Literal, MemoKey, Program, dce::dce, simplify::simplify},
    prim::{Prim, late_error},
    shape::Aval,
    trace::{bind_at, recorder::read, stage_program, with_location},
};
use dini_cpu::{
    CompileOptions, Executable, RunError,
    buffer::Buffer,
    graph::{Call, Graph, Op, Strided, Value},
    scalar::ScalarOp,
};
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock, Mutex};

/// A program ready to run.
pub(crate) struct Compiled {
    executable: Executable,
    /// The program inputs that the executable takes.
    used_inputs: Vec<usize>,
    /// Each program output: the executable's, in order, or an error that it depends on.
    poisons: Vec<Option<Error>>,
}

/// What a user may ask of a compilation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// Inputs of the program whose memory may be used again, by position.
    pub donated: Vec<usize>,
    /// See [`dini_cpu::CompileOptions::contract`].
    pub contract: bool,
}

/// Compiles, or finds the executable of a program of equal structure and options.
pub(crate) fn compile(program: &Arc<Program>, options: &Options) -> Result<Arc<Compiled>> {
    static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);
    let lock = || CACHE.lock().unwrap_or_else(|e| e.into_inner());
    let key = (program.clone(), options.clone());
    if let Some(found) = lock().programs.get(&key) {
        return Ok(found.clone());
    }
    counters::count_compile();
    let Prepared { program: prepared, used_inputs, poisons } = prepare(program)?;
    let (mut graph, _) = lower(&prepared)?;
    let is_donated = |i: &usize| options.donated.contains(&used_inputs[*i]);
    graph.donated = (0..used_inputs.len()).filter(is_donated).map(|i| Value(i as u32)).collect();
    let to = CompileOptions { contract: options.contract, ..CompileOptions::default() };
    let executable = Executable::compile_with(&graph, &to);
    let compiled = Arc::new(Compiled { executable, used_inputs, poisons });
    if !holds_closure(program) {
        lock().add(key, compiled.clone());
    }
    Ok(compiled)
}

/// Compiled programs by structure and options.
#[derive(Default)]
struct Cache {
    programs: FxHashMap<(Arc<Program>, Options), Arc<Compiled>>,
    n_eqns: usize,
}

impl Cache {
    /// Equations of all programs, and one more for each program, about a kilobyte each; beyond that the cache starts over.
    /// Eight times as many made compiling new programs a fifth slower: each stood in memory that was fresh.
    const CAPACITY: usize = 1 << 14;

    fn add(&mut self, key: (Arc<Program>, Options), compiled: Arc<Compiled>) {
        self.n_eqns += 1 + key.0.eqns.len();
        if self.n_eqns > Cache::CAPACITY {
            self.programs.clear();
            self.n_eqns = 1 + key.0.eqns.len();
        }
        self.programs.insert(key, compiled);
    }
}

/// Whether a program holds a user's closure or an error: such programs equal no other one, so caching them would only keep
/// them alive.
fn holds_closure(program: &Program) -> bool {
    let mut holds = false;
    program.visit(&mut |eqn| holds |= is_unique(&eqn.prim));
    holds
}

/// Whether a primitive is compared by identity.
pub(crate) fn is_unique(prim: &Prim) -> bool {
    matches!(prim, Prim::HostCall(_) | Prim::Inspect(_) | Prim::LateError(_))
}

impl Compiled {
    /// Runs on the program's inputs, asked for by number, the donated ones by `donated`, and gives each result in order.
    /// `program` is the caller's own, for the line of a failure.
    pub fn run<'a>(
        &self,
        program: &Arc<Program>,
        input: impl Fn(usize) -> &'a Arc<Buffer>,
        mut donated: impl FnMut(usize) -> Arc<Buffer>,
        mut output: impl FnMut(Result<Arc<Buffer>>),
    ) -> Result<()> {
        let mut poisons = self.poisons.iter();
        let taken = |i: usize| input(self.used_inputs[i]);
        let given = |i: usize| donated(self.used_inputs[i]);
        let outcome = self.executable.run_each(taken, given, |data| {
            // Results that are errors come between.
            for e in poisons.by_ref().map_while(Option::as_ref) {
                output(Err(e.clone()));
            }
            output(Ok(data));
        });
        poisons.flatten().for_each(|e| output(Err(e.clone())));
        outcome.map_err(|e| run_error(e, program))
    }
}

/// The line and the cause of a failed call, or of a stop.
pub(crate) fn run_error(e: RunError, program: &Arc<Program>) -> Error {
    let (origin, error) = match e {
        RunError::Call { origin, error } => match error.downcast::<Error>() {
            Ok(error) => (origin, *error),
            Err(other) => (origin, Error::new(ErrorKind::Host, other.to_string()).sourced(Arc::from(other))),
        },
        RunError::OutOfMemory(e) => return Error::new(ErrorKind::OutOfMemory, e.to_string()),
        RunError::Stopped { origin, reason } => {
            (origin, Error::new(ErrorKind::Stopped, format!("the run was stopped: {reason}")))
        }
    };
    let origins = prepare(program).and_then(|p| lower(&p.program)).map(|(_, origins)| origins).unwrap_or_default();
    match origins.get(origin as usize) {
        Some(&at) => error.at(at),
        None => error,
    }
}

struct Prepared {
    program: Arc<Program>,
    /// The numbers of the inputs that are left.
    used_inputs: Vec<usize>,
    poisons: Vec<Option<Error>>,
}

/// Everything between a traced program and lowering.
fn prepare(program: &Arc<Program>) -> Result<Prepared> {
    let erased = erase(program)?;
    let poisons = late_error::reaching(&erased);
    let sound: Vec<bool> = poisons.iter().map(Option::is_none).collect();
    let cut = dce(&erased, &sound, false);
    let simple = simplify(&cut.program);
    let program = match Arc::ptr_eq(&simple, &cut.program) {
        true => simple,
        // What led to what is gone now.
        false => dce(&simple, &vec![true; simple.outputs.len()], true).program,
    };
    let used_inputs = (0..cut.used_inputs.len()).filter(|&i| cut.used_inputs[i]).collect();
    Ok(Prepared { program, used_inputs, poisons })
}

/// What will run, as a program, after erasure and all passes, and which of the program's inputs it takes.
///
/// # Errors
/// A result that is an error.
pub(crate) fn prepared(program: &Arc<Program>) -> Result<(Arc<Program>, Vec<usize>)> {
    let Prepared { program, poisons, used_inputs } = prepare(program)?;
    match poisons.into_iter().flatten().next() {
        Some(error) => Err(error),
        None => Ok((program, used_inputs)),
    }
}

/// [`prepared`] as the engine's graph.
pub(crate) fn lowered(program: &Arc<Program>) -> Result<(Graph, Vec<usize>)> {
    let (program, used_inputs) = prepared(program)?;
    Ok((lower(&program)?.0, used_inputs))
}

/// The program with everything gone that only derivatives need. See the module docs.
pub(crate) fn erase(program: &Arc<Program>) -> Result<Arc<Program>> {
    let key = MemoKey::new("erase", [&[], &[]], 0);
    let erased = program.memo(key, || -> Result<Derived> {
        if program.eqns.iter().all(|eqn| eqn.prim.runs_as_it_is()) {
            return Ok(Derived::new(program.clone(), program));
        }
        let staged = stage_program(program.label, &program.in_avals(), |args| eval_erased(program, args))?;
        if staged.n_captures() > 0 {
            return Err(Error::new(ErrorKind::Internal, "a program captured a value during erasure"));
        }
        Ok(Derived::new(staged.program, program))
    })?;
    Ok(erased.get(program))
}

/// Runs a program's equations under the current trace, each as what execution runs instead of it.
pub(crate) fn eval_erased(program: &Program, args: &[Array]) -> Result<Vec<Array>> {
    let mut env: Vec<Option<Array>> = vec![None; program.avals.len()];
    for (v, x) in program.inputs.iter().zip(args) {
        env[v.0 as usize] = Some(x.clone());
    }
    for eqn in &program.eqns {
        let inputs: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
        let outs = with_location(eqn.at, || match eqn.prim.erase(&inputs)? {
            Some(outs) => Ok(outs),
            None => bind_at(&eqn.prim, &inputs, eqn.at),
        })?;
        for (v, x) in eqn.outputs.iter().zip(outs) {
            env[v.0 as usize] = Some(x);
        }
    }
    Ok(program.outputs.iter().map(|&a| read(&env, a, program.label.at)).collect())
}

/// The graph of a prepared program, and the line of each numbered equation.
fn lower(program: &Arc<Program>) -> Result<(Graph, Vec<Loc>)> {
    let n_eqns = program.eqns.len();
    let mut cx = LowerCx { graph: Graph::new(), origins: Vec::with_capacity(n_eqns) };
    cx.graph.nodes.reserve(n_eqns);
    cx.graph.types.reserve(program.avals.len());
    let args: Vec<Value> = program.in_avals().iter().map(|a| cx.graph.input(a.tensor())).collect();
    cx.graph.outputs = cx.program(program, &args)?;
    Ok((cx.graph, cx.origins))
}

/// The graph under construction; what lowering rules work with.
pub struct LowerCx {
    graph: Graph,
    origins: Vec<Loc>,
}

impl LowerCx {
    /// Appends an operation and returns its results.
    pub fn push(&mut self, op: Op, args: &[Value], outs: &[Aval]) -> Vec<Value> {
        let first = self.append(op, args, outs);
        (0..outs.len() as u32).map(|i| Value(first.0 + i)).collect()
    }

    /// An operation with one result.
    pub fn push1(&mut self, op: Op, args: &[Value], out: &Aval) -> Value {
        self.append(op, args, std::slice::from_ref(out))
    }

    /// Appends an operation and returns its first result.
    fn append(&mut self, op: Op, args: &[Value], outs: &[Aval]) -> Value {
        let origin = self.origins.len().saturating_sub(1) as u32;
        self.graph.push(op, args, outs.iter().map(Aval::tensor), origin)
    }

    /// A scalar operation, element by element.
    pub fn map(&mut self, op: ScalarOp, args: &[Value], out: &Aval) -> Value {
        self.push1(Op::Map(op), args, out)
    }

    /// The elements of a value that a strided box visits.
    pub fn view(&mut self, x: Value, view: Strided, dtype: dini_cpu::dtype::DType) -> Value {
        let out = Aval::new(dtype, &view.shape);
        self.push1(Op::View(view), &[x], &out)
    }

    /// A scalar constant.
    pub fn literal(&mut self, l: Literal) -> Value {
        self.push1(Op::Const(Arc::new(l.buffer())), &[], &Aval::scalar(l.dtype))
    }

    pub(crate) fn call(&mut self, call: Call, args: &[Value], outs: &[Aval]) -> Vec<Value> {
        self.push(Op::Call(call), args, outs)
    }

    /// A program in line.
    pub fn program(&mut self, program: &Program, args: &[Value]) -> Result<Vec<Value>> {
        let mut env: Vec<Option<Value>> = vec![None; program.avals.len()];
        for (v, x) in program.inputs.iter().zip(args) {
            env[v.0 as usize] = Some(*x);
        }
        let (mut args, mut ins, mut outs) = (Vec::new(), Vec::new(), Vec::new());
        for eqn in &program.eqns {
            self.origins.push(eqn.at);
            args.clear();
            args.extend(eqn.inputs.iter().map(|&a| self.atom(&env, a)));
            ins.clear();
            ins.extend(eqn.inputs.iter().map(|&a| program.atom_aval(a)));
            outs.clear();
            outs.extend(eqn.outputs.iter().map(|&v| program.aval(v).clone()));
            let values = eqn.prim.lower(self, &args, &ins, &outs).map_err(|e| e.at(eqn.at))?;
            for (v, x) in eqn.outputs.iter().zip(values) {
                env[v.0 as usize] = Some(x);
            }
        }
        Ok(program.outputs.iter().map(|&a| self.atom(&env, a)).collect())
    }

    fn atom(&mut self, env: &[Option<Value>], atom: Atom) -> Value {
        match atom {
            Atom::Var(v) => env[v.0 as usize].expect("the checker saw the definition before the use"),
            Atom::Literal(l) => self.literal(l),
        }
    }

    /// A program as a graph of its own, for loops and branches.
    pub fn subgraph(&mut self, program: &Program) -> Result<Arc<Graph>> {
        let mut inner = LowerCx { graph: Graph::new(), origins: std::mem::take(&mut self.origins) };
        let args: Vec<Value> = program.in_avals().iter().map(|a| inner.graph.input(a.tensor())).collect();
        let outputs = inner.program(program, &args);
        self.origins = std::mem::take(&mut inner.origins);
        inner.graph.outputs = outputs?;
        Ok(Arc::new(inner.graph))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ops::control::while_loop, trace::stage};
    use dini_cpu::dtype::DType;
    use std::{panic::Location, sync::Weak};

    /// Passes that change nothing must not make a program keep itself.
    #[test]
    fn programs_go_with_their_last_user() {
        let doubled = |x: Array| while_loop(|x: Array| x.lt(100.0), |x: Array| &x * 2.0, x);
        let staged = stage("test", Location::caller(), &[Aval::scalar(DType::F64)], |xs| {
            Ok(vec![xs[0].sin(), doubled(xs[0].clone())?])
        });
        let staged = staged.expect("traces");
        prepare(&staged.program).expect("nothing is missing");
        let mut programs: Vec<Weak<Program>> = vec![Arc::downgrade(&staged.program)];
        staged.program.visit(&mut |eqn| programs.extend(eqn.prim.subs().iter().map(|(_, sub)| Arc::downgrade(sub))));
        assert_eq!(programs.len(), 3);
        drop(staged);
        assert!(programs.iter().all(|program| program.upgrade().is_none()));
    }
}
