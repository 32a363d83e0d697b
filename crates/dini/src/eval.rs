//! Plain evaluation: one operation at a time, through a bounded cache of one-operation executables.

use crate::{
    array::{Array, Origin},
    debug_nans,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Atom, Eqn, Label, Program, Var},
    lower::{self, Compiled},
    prim::Prim,
    shape::Aval,
    trace::recorder::blame,
};
use dini_cpu::buffer::Buffer;
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    rc::Rc,
    sync::Arc,
};

/// One compiled operation.
struct Entry {
    prim: Prim,
    ins: Vec<Aval>,
    program: Arc<Program>,
    compiled: Arc<Compiled>,
    outs: Vec<Aval>,
}

impl Entry {
    fn fits(&self, prim: &Prim, inputs: &[Array]) -> bool {
        self.ins.len() == inputs.len() && self.ins.iter().zip(inputs).all(|(a, x)| a == x.aval()) && self.prim == *prim
    }
}

/// Compiled operations by the hash of operation and operand types.
#[derive(Default)]
struct Cache {
    entries: HashMap<u64, Vec<Rc<Entry>>, BuildHasherDefault<FxHasher>>,
    n_entries: usize,
}

impl Cache {
    /// Entries kept per thread; when full the cache starts over, which costs recompiling single operations.
    const CAPACITY: usize = 4096;

    fn find(&self, hash: u64, prim: &Prim, inputs: &[Array]) -> Option<Rc<Entry>> {
        self.entries.get(&hash)?.iter().find(|entry| entry.fits(prim, inputs)).cloned()
    }

    fn add(&mut self, hash: u64, entry: Rc<Entry>) {
        if self.n_entries >= Cache::CAPACITY {
            *self = Cache::default();
        }
        self.n_entries += 1;
        self.entries.entry(hash).or_default().push(entry);
    }
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Runs one operation on concrete operands.
pub(crate) fn eval(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    if debug_nans::enabled() { debug_nans::eval(prim, inputs, at) } else { eval_whole(prim, inputs, at) }
}

/// [`eval`] that looks at nothing.
pub(crate) fn eval_whole(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    let mut hasher = FxHasher::default();
    prim.hash(&mut hasher);
    inputs.iter().for_each(|x| x.aval().hash(&mut hasher));
    let hash = hasher.finish();
    let found = CACHE.with(|c| c.borrow().find(hash, prim, inputs));
    let entry = match found {
        Some(entry) => entry,
        None => {
            let entry = Rc::new(make(prim, inputs, at)?);
            // What is compared by identity is never found again.
            if !lower::is_unique(prim) {
                CACHE.with(|c| c.borrow_mut().add(hash, entry.clone()));
            }
            entry
        }
    };
    if let Some(x) = inputs.iter().find(|x| !x.is_concrete()) {
        return Err(Error::new(ErrorKind::Internal, format!("evaluation of a traced value: {}", x.provenance())));
    }
    let mut results = Results::new();
    let origin = Origin { what: prim.name(), at };
    run(&entry.program, &entry.compiled, &entry.outs, [&[], inputs], origin, &mut results)
        .map(|()| results.into_vec())
        // An error that has a line is the user's own, from a host function.
        .map_err(|e| if e.location().is_some() { e } else { e.op(prim.name()).at(at) })
}

fn make(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Entry> {
    let ins: Vec<Aval> = inputs.iter().map(|x| x.aval().clone()).collect();
    let outs = prim.infer(&ins).map_err(|e| blame(e, prim.name(), inputs, at))?;
    let n = ins.len() as u32;
    let vars = (0..n).map(Var);
    let results = (n..n + outs.len() as u32).map(Var);
    let inputs = vars.clone().map(Atom::Var).collect();
    let eqn = Eqn { prim: prim.clone(), inputs, outputs: results.clone().collect(), at };
    let all = ins.iter().chain(&outs).cloned().collect();
    let label = Label { role: "eval", at };
    let program = Arc::new(Program::new(all, vars.collect(), vec![eqn], results.map(Atom::Var).collect(), label));
    let compiled = lower::compile(&program, &lower::Options::default()).map_err(|e| e.op(prim.name()).at(at))?;
    Ok(Entry { prim: prim.clone(), ins, program, compiled, outs })
}

/// What a run gives: few arrays need no list of their own.
pub(crate) type Results = SmallVec<[Array; 4]>;

/// Runs a compiled program on concrete arrays: `captures`, then `args`. Appends the results.
pub(crate) fn run(
    program: &Arc<Program>,
    compiled: &Compiled,
    outs: &[Aval],
    [captures, args]: [&[Array]; 2],
    origin: Origin,
    results: &mut Results,
) -> Result<()> {
    let input = |i: usize| {
        let x = captures.get(i).unwrap_or_else(|| &args[i - captures.len()]);
        &x.as_concrete().expect("checked by the caller").data
    };
    run_on(program, compiled, outs, input, |_| unreachable!("nothing is donated"), origin, results)
}

/// [`run`] on concrete arrays of which those in `donated`, positions among the program's inputs, are given away: their
/// memory is used again, if nobody else holds it.
pub(crate) fn run_donating(
    program: &Arc<Program>,
    compiled: &Compiled,
    outs: &[Aval],
    captures: &[Array],
    (args, donated): (&mut Vec<Array>, &[usize]),
    origin: Origin,
    results: &mut Results,
) -> Result<()> {
    let captured = captures.iter().cloned();
    let data = |x: Array| Some(x.into_data().expect("checked by the caller"));
    let mut kept: Vec<Option<Arc<Buffer>>> = captured.chain(args.drain(..)).map(data).collect();
    let mut gifts = vec![None; kept.len()];
    donated.iter().for_each(|&i| gifts[i] = kept[i].take());
    let input = |i: usize| kept[i].as_ref().expect("is not donated");
    run_on(program, compiled, outs, input, |i| gifts[i].take().expect("is asked for once"), origin, results)
}

/// Runs a compiled program on buffers.
fn run_on<'a>(
    program: &Arc<Program>,
    compiled: &Compiled,
    outs: &[Aval],
    input: impl Fn(usize) -> &'a Arc<Buffer>,
    donated: impl FnMut(usize) -> Arc<Buffer>,
    origin: Origin,
    results: &mut Results,
) -> Result<()> {
    compiled.run(program, input, donated, |data| {
        results.push(match data {
            Ok(data) => Array::concrete(outs[results.len()].clone(), data, origin),
            Err(e) => Array::poison(e),
        });
    })
}
