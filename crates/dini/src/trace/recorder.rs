//! Recording: a trace that writes each operation down as an equation, and collects every outside value that it meets.
//!
//! The captures are why closing over traced values works everywhere: whatever a sub-function uses from outside, concrete
//! or a tracer of any enclosing transformation, becomes an extra leading input of its program, and an operand of the
//! higher-order primitive that holds it.

use super::{Kind, Outs, Payload, Trace, apply, argument, call_user, enter, with_location};
use crate::{
    array::{Array, Origin, Repr},
    error::{Error, Loc, Result},
    ir::{Atom, Eqn, Label, Literal, Program, Var, renumber},
    prim::{Prim, structural::broadcast::Broadcast},
    shape::Aval,
    transform::sound,
};
use dini_cpu::dtype::DType;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::{cell::RefCell, rc::Rc, sync::Arc};

#[derive(Default)]
pub(crate) struct Recorder {
    avals: Vec<Aval>,
    eqns: Vec<Eqn>,
    captures: Vec<(Array, Var)>,
    /// Captures by the address of their shared payload, which `captures` keeps alive.
    known: FxHashMap<usize, Var>,
}

impl Recorder {
    pub fn fresh(&mut self, aval: Aval) -> Var {
        self.avals.push(aval);
        Var(self.avals.len() as u32 - 1)
    }

    /// The atom that stands for a value inside the program.
    pub fn atom(&mut self, trace: &Trace, x: &Array) -> Result<Atom> {
        if let Some(Payload::Var(v)) = x.payload_of(trace.tag) {
            return Ok(Atom::Var(*v));
        }
        let (address, aval) = match x.repr() {
            Repr::Poison(e) => return Err(e.clone()),
            Repr::Concrete(c) if c.aval.ndim() == 0 => return Ok(Atom::Literal(Literal::of(&c.data))),
            // Nothing is known of it but its type: derived programs, which are closed, make it anew.
            Repr::Concrete(c) if c.aval.dtype == DType::Float0 => return Ok(self.nothing(trace, &c.aval)),
            Repr::Concrete(c) => (Arc::as_ptr(c) as usize, &c.aval),
            Repr::Tracer(t) => (Arc::as_ptr(t) as usize, &t.aval),
        };
        if let Some(&v) = self.known.get(&address) {
            return Ok(Atom::Var(v));
        }
        let v = self.fresh(aval.clone());
        self.known.insert(address, v);
        self.captures.push((x.clone(), v));
        Ok(Atom::Var(v))
    }

    /// An array of `float0`.
    fn nothing(&mut self, trace: &Trace, aval: &Aval) -> Atom {
        let v = self.fresh(aval.clone());
        let prim = Broadcast { shape: aval.shape.clone(), dims: Vec::new() }.into();
        let nothing = Atom::Literal(Literal { dtype: aval.dtype, bits: 0 });
        self.eqns.push(Eqn { prim, inputs: smallvec![nothing], outputs: smallvec![v], at: trace.at });
        Atom::Var(v)
    }
}

/// Writes one equation.
pub(super) fn record(
    trace: &Rc<Trace>,
    recorder: &RefCell<Recorder>,
    prim: &Prim,
    inputs: &[Array],
    at: Loc,
) -> Result<Outs> {
    let avals: SmallVec<[Aval; 3]> = inputs.iter().map(|x| x.aval().clone()).collect();
    let outs = prim.infer(&avals).map_err(|e| blame(e, prim.name(), inputs, at))?;
    let mut recorder = recorder.borrow_mut();
    let mut atoms = SmallVec::new();
    for x in inputs {
        atoms.push(recorder.atom(trace, x)?);
    }
    let vars: SmallVec<[Var; 4]> = outs.iter().map(|a| recorder.fresh(a.clone())).collect();
    recorder.eqns.push(Eqn { prim: prim.clone(), inputs: atoms, outputs: vars.clone(), at });
    let origin = Origin { what: prim.name(), at };
    Ok(outs.into_iter().zip(vars).map(|(a, v)| Array::traced(a, trace.tag, Payload::Var(v), origin)).collect())
}

/// Adds the operation, the line and where the operands come from to an error that does not know its line yet.
pub(crate) fn blame<'a>(mut e: Error, op: &str, operands: impl IntoIterator<Item = &'a Array>, at: Loc) -> Error {
    if e.location().is_none() {
        for (i, x) in operands.into_iter().enumerate() {
            e = e.operand(i, x.provenance());
        }
    }
    e.op(op).at(at)
}

/// A recorded function. The program's inputs are the captures, then the arguments.
pub(crate) struct Staged {
    pub program: Arc<Program>,
    pub captures: Vec<Array>,
}

impl Staged {
    /// The operands of an equation that holds this program.
    pub fn operands(&self, args: &[Array]) -> Vec<Array> {
        self.captures.iter().chain(args).cloned().collect()
    }

    pub fn n_captures(&self) -> usize {
        self.captures.len()
    }

    /// As the sub-program of an equation whose operands it appends to; gives back how many it appended.
    pub fn append(&self, operands: &mut Vec<Array>) -> usize {
        operands.extend(self.captures.iter().cloned());
        self.captures.len()
    }
}

/// Makes a program of what a recorder holds.
pub(super) fn finish(
    trace: &Trace,
    recorder: &RefCell<Recorder>,
    args: &[Var],
    outs: &[Array],
    label: Label,
) -> Result<Staged> {
    let mut recorder = recorder.borrow_mut();
    let outputs = outs.iter().map(|x| recorder.atom(trace, x)).collect::<Result<Vec<_>>>()?;
    let recorder = std::mem::take(&mut *recorder);
    let (captures, vars): (Vec<_>, Vec<_>) = recorder.captures.into_iter().unzip();
    let inputs = vars.into_iter().chain(args.iter().copied()).collect();
    let program = renumber(recorder.avals, inputs, recorder.eqns, outputs, label);
    Ok(Staged { program: Arc::new(program), captures })
}

/// Records what `f` does with arguments of the given types. `f` is a user's: its panics and errors are handled as such.
pub(crate) fn stage(
    role: &'static str,
    at: Loc,
    avals: &[Aval],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<Staged> {
    stage_with(role, at, avals, |args| call_user(role, at, || sound(f(args)?)))
}

/// Records a transformation of existing programs: no user code runs in `f`.
pub(crate) fn stage_program(
    label: Label,
    avals: &[Aval],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<Staged> {
    stage_with(label.role, label.at, avals, f)
}

fn stage_with(
    role: &'static str,
    at: Loc,
    avals: &[Aval],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<Staged> {
    let (staged, _) = enter(Kind::Stage(RefCell::default()), role, at, |trace| {
        let Kind::Stage(recorder) = &trace.kind else { unreachable!("made above") };
        let vars: Vec<Var> = avals.iter().map(|a| recorder.borrow_mut().fresh(a.clone())).collect();
        let args: Vec<Array> =
            avals.iter().zip(&vars).map(|(a, v)| argument(trace, a.clone(), Payload::Var(*v))).collect();
        let outs = f(&args)?;
        for x in &outs {
            super::check_escape(trace, role, std::slice::from_ref(x), at)?;
        }
        finish(trace, recorder, &vars, &outs, Label { role, at })
    })?;
    Ok(staged)
}

/// Runs a program's equations under the current trace, each with its own location.
pub(crate) fn eval_program(program: &Program, args: &[Array]) -> Result<Vec<Array>> {
    debug_assert_eq!(program.inputs.len(), args.len());
    let mut env: Vec<Option<Array>> = vec![None; program.avals.len()];
    for (v, x) in program.inputs.iter().zip(args) {
        env[v.0 as usize] = Some(x.clone());
    }
    let last_use = last_uses(program);
    for (i, eqn) in program.eqns.iter().enumerate() {
        let inputs: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
        let outs = with_location(eqn.at, || match inputs.iter().find_map(|x| x.as_poison()) {
            // A late error reaches only what depends on it.
            Some(e) => Ok(smallvec![Array::poison(e.clone()); eqn.outputs.len()]),
            None => apply(&eqn.prim, &inputs, eqn.at),
        })?;
        drop(inputs);
        for (v, x) in eqn.outputs.iter().zip(outs) {
            env[v.0 as usize] = Some(x);
        }
        for a in &eqn.inputs {
            if let Atom::Var(v) = a
                && last_use[v.0 as usize] == i
            {
                env[v.0 as usize] = None;
            }
        }
    }
    Ok(program.outputs.iter().map(|&a| read(&env, a, program.label.at)).collect())
}

fn last_uses(program: &Program) -> Vec<usize> {
    let mut last = vec![usize::MAX; program.avals.len()];
    for (i, eqn) in program.eqns.iter().enumerate() {
        for a in &eqn.inputs {
            if let Atom::Var(v) = a {
                last[v.0 as usize] = i;
            }
        }
    }
    for a in &program.outputs {
        if let Atom::Var(v) = a {
            last[v.0 as usize] = usize::MAX;
        }
    }
    last
}

pub(crate) fn read(env: &[Option<Array>], atom: Atom, at: Loc) -> Array {
    match atom {
        Atom::Var(v) => env[v.0 as usize].clone().expect("the checker saw the definition before the use"),
        Atom::Literal(l) => literal(l, at),
    }
}

/// A literal as an array.
pub(crate) fn literal(l: Literal, at: Loc) -> Array {
    Array::concrete(Aval::scalar(l.dtype), Arc::new(l.buffer()), Origin { what: "array", at })
}
