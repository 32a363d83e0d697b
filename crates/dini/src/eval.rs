//! Plain evaluation: one operation at a time, through a bounded cache of one-operation executables.

use crate::{
    array::{Array, Origin},
    debug_nans,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Atom, Eqn, Label, Program, Var, renumber},
    lower::{self, Compiled},
    prim::Prim,
    shape::Aval,
    trace::recorder::blame,
};
use dini_cpu::buffer::Buffer;
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

/// One compiled operation.
struct Entry {
    program: Arc<Program>,
    compiled: Arc<Compiled>,
    outs: Vec<Aval>,
}

/// Entries kept per thread; when full the cache starts over, which costs recompiling single operations.
const CAPACITY: usize = 4096;

thread_local! {
    static CACHE: RefCell<HashMap<(Prim, Vec<Aval>), Rc<Entry>>> = RefCell::default();
}

/// Runs one operation on concrete operands.
pub(crate) fn eval(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    if debug_nans::enabled() { debug_nans::eval(prim, inputs, at) } else { eval_whole(prim, inputs, at) }
}

/// [`eval`] that looks at nothing.
pub(crate) fn eval_whole(prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    let avals: Vec<Aval> = inputs.iter().map(|x| x.aval().clone()).collect();
    let key = (prim.clone(), avals);
    let found = CACHE.with(|c| c.borrow().get(&key).cloned());
    let entry = match found {
        Some(entry) => entry,
        None => {
            let entry = Rc::new(make(prim, inputs, &key.1, at)?);
            // What is compared by identity is never found again.
            if !lower::is_unique(prim) {
                CACHE.with(|c| {
                    let mut cache = c.borrow_mut();
                    if cache.len() >= CAPACITY {
                        cache.clear();
                    }
                    cache.insert(key, entry.clone());
                });
            }
            entry
        }
    };
    run(&entry.program, &entry.compiled, &entry.outs, inputs, Origin { what: prim.name(), at })
        // An error that has a line is the user's own, from a host function.
        .map_err(|e| if e.location().is_some() { e } else { e.op(prim.name()).at(at) })
}

fn make(prim: &Prim, inputs: &[Array], avals: &[Aval], at: Loc) -> Result<Entry> {
    let outs = prim.infer(avals).map_err(|e| blame(e, prim, inputs, at))?;
    let n = avals.len() as u32;
    let vars: Vec<Var> = (0..n).map(Var).collect();
    let results: Vec<Var> = (n..n + outs.len() as u32).map(Var).collect();
    let eqn =
        Eqn { prim: prim.clone(), inputs: vars.iter().copied().map(Atom::Var).collect(), outputs: results.clone(), at };
    let all: Vec<Aval> = avals.iter().chain(&outs).cloned().collect();
    let label = Label { role: "eval", at };
    let program = Arc::new(renumber(&all, vars, vec![eqn], results.into_iter().map(Atom::Var).collect(), label));
    let compiled = lower::compile(&program).map_err(|e| e.op(prim.name()).at(at))?;
    Ok(Entry { program, compiled, outs })
}

/// Runs a compiled program on concrete arrays.
pub(crate) fn run(
    program: &Arc<Program>,
    compiled: &Compiled,
    outs: &[Aval],
    inputs: &[Array],
    origin: Origin,
) -> Result<Vec<Array>> {
    let buffers = inputs.iter().map(buffer).collect::<Result<Vec<_>>>()?;
    let results = compiled.run(program, &buffers)?;
    Ok(results
        .into_iter()
        .zip(outs)
        .map(|(data, aval)| match data {
            Ok(data) => Array::concrete(aval.clone(), data, origin),
            Err(e) => Array::poison(e),
        })
        .collect())
}

fn buffer(x: &Array) -> Result<Arc<Buffer>> {
    match x.as_concrete() {
        Some(c) => Ok(c.data.clone()),
        None => Err(Error::new(ErrorKind::Internal, format!("evaluation of a traced value: {}", x.provenance()))),
    }
}
