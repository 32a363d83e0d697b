//! The intermediate representation: typed, functional programs in A-normal form.
//!
//! Invariants (checked by [`check`]): every variable is defined once, before its uses; operand and result types satisfy
//! the primitive's `infer`; sub-programs fit their equation. Equality and hashing look at structure alone: locations,
//! labels and variable numbers that a pass leaves behind do not count after [`build::renumber`].

pub(crate) mod check;
pub(crate) mod dce;
mod print;
pub(crate) mod simplify;

use crate::{
    error::Loc,
    prim::Prim,
    shape::Aval,
    trace::calls::{self, Calls},
};
use dini_cpu::{buffer::Buffer, dtype::DType};
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::{
    any::Any,
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, OnceLock},
};

/// A variable of one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut n = self.0;
        let mut letters = vec![b'a' + (n % 26) as u8];
        while n >= 26 {
            n = n / 26 - 1;
            letters.push(b'a' + (n % 26) as u8);
        }
        letters.reverse();
        f.write_str(std::str::from_utf8(&letters).expect("letters are ASCII"))
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A scalar constant inside a program, by its bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Literal {
    /// Element type.
    pub dtype: DType,
    /// The element's bits, zero-extended.
    pub bits: u64,
}

impl Literal {
    /// The literal of a buffer's only element.
    pub fn of(buffer: &Buffer) -> Literal {
        debug_assert_eq!(buffer.len(), 1);
        let mut bytes = [0; 8];
        bytes[..buffer.bytes().len()].copy_from_slice(buffer.bytes());
        Literal { dtype: buffer.dtype(), bits: u64::from_le_bytes(bytes) }
    }

    /// A buffer of one element.
    pub fn buffer(self) -> Buffer {
        match self.dtype {
            DType::Bool => Buffer::from_slice(&[self.bits != 0]),
            DType::U8 => Buffer::from_slice(&[self.bits as u8]),
            DType::U32 => Buffer::from_slice(&[self.bits as u32]),
            DType::U64 => Buffer::from_slice(&[self.bits]),
            DType::I32 => Buffer::from_slice(&[self.bits as u32 as i32]),
            DType::I64 => Buffer::from_slice(&[self.bits as i64]),
            DType::F32 => Buffer::from_slice(&[f32::from_bits(self.bits as u32)]),
            DType::F64 => Buffer::from_slice(&[f64::from_bits(self.bits)]),
            other => Buffer::zeros(other, 1),
        }
    }

    /// The value as `f64`, for simplification; `None` for types without arithmetic.
    pub fn value(self) -> Option<f64> {
        match self.dtype {
            DType::Bool | DType::U8 | DType::U32 | DType::U64 => Some(self.bits as f64),
            DType::I32 => Some(f64::from(self.bits as u32 as i32)),
            DType::I64 => Some(self.bits as i64 as f64),
            DType::F32 => Some(f64::from(f32::from_bits(self.bits as u32))),
            DType::F64 => Some(f64::from_bits(self.bits)),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::Bool => write!(f, "{}", self.bits != 0),
            DType::F32 => write!(f, "{:?}f32", f32::from_bits(self.bits as u32)),
            DType::F64 => write!(f, "{:?}", f64::from_bits(self.bits)),
            DType::I32 => write!(f, "{}", self.bits as u32 as i32),
            DType::I64 => write!(f, "{}i64", self.bits as i64),
            other => write!(f, "{}{other}", self.bits),
        }
    }
}

/// An operand: a variable or a scalar constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Atom {
    /// A variable defined earlier.
    Var(Var),
    /// A constant.
    Literal(Literal),
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Var(v) => v.fmt(f),
            Atom::Literal(l) => l.fmt(f),
        }
    }
}

/// One equation: `outputs = prim inputs`.
#[derive(Clone, Debug)]
pub struct Eqn {
    /// The primitive with its parameters.
    pub prim: Prim,
    /// Operands.
    pub inputs: SmallVec<[Atom; 2]>,
    /// Results, each defined here.
    pub outputs: SmallVec<[Var; 4]>,
    /// The user's line.
    pub at: Loc,
}

/// Where a sub-program came from: the role that it plays and the callable's line. Not part of its identity.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// `"while_loop body"`, `"custom_root solve"`, …
    pub role: &'static str,
    /// The line of the call that staged it.
    pub at: Loc,
}

/// A typed, functional program.
pub struct Program {
    pub(crate) avals: Vec<Aval>,
    pub(crate) inputs: Vec<Var>,
    pub(crate) eqns: Vec<Eqn>,
    pub(crate) outputs: Vec<Atom>,
    pub(crate) label: Label,
    hash: OnceLock<u64>,
    memo: Mutex<FxHashMap<MemoKey, Arc<dyn Any + Send + Sync>>>,
}

/// Names one derived form of a program: which transformation, with which masks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MemoKey {
    what: &'static str,
    masks: [Vec<bool>; 2],
    size: usize,
    /// The calls that it notes, if it asked for them: it serves no others.
    calls: Option<Calls>,
}

impl MemoKey {
    pub fn new(what: &'static str, masks: [&[bool]; 2], size: usize) -> MemoKey {
        MemoKey { what, masks: masks.map(<[bool]>::to_vec), size, calls: None }
    }
}

/// A derived form that may be the program itself, as its memo keeps it: to keep itself there, a program would live for ever.
#[derive(Debug)]
pub(crate) struct Derived(Option<Arc<Program>>);

impl Derived {
    pub fn new(derived: Arc<Program>, of: &Arc<Program>) -> Derived {
        Derived((!Arc::ptr_eq(&derived, of)).then_some(derived))
    }

    pub fn get(&self, of: &Arc<Program>) -> Arc<Program> {
        self.0.as_ref().unwrap_or(of).clone()
    }
}

impl Program {
    pub(crate) fn new(avals: Vec<Aval>, inputs: Vec<Var>, eqns: Vec<Eqn>, outputs: Vec<Atom>, label: Label) -> Program {
        let program = Program { avals, inputs, eqns, outputs, label, hash: OnceLock::new(), memo: Mutex::default() };
        if cfg!(debug_assertions)
            && let Err(e) = check::check(&program)
        {
            panic!("a pass built an ill-typed program: {e}\n{program}");
        }
        program
    }

    /// Input variables.
    pub fn inputs(&self) -> &[Var] {
        &self.inputs
    }

    /// Equations in execution order.
    pub fn eqns(&self) -> &[Eqn] {
        &self.eqns
    }

    /// Results.
    pub fn outputs(&self) -> &[Atom] {
        &self.outputs
    }

    /// Type of a variable.
    pub fn aval(&self, var: Var) -> &Aval {
        &self.avals[var.0 as usize]
    }

    /// Type of an operand.
    pub fn atom_aval(&self, atom: Atom) -> Aval {
        match atom {
            Atom::Var(v) => self.aval(v).clone(),
            Atom::Literal(l) => Aval::scalar(l.dtype),
        }
    }

    /// Types of the inputs.
    pub fn in_avals(&self) -> Vec<Aval> {
        self.inputs.iter().map(|&v| self.aval(v).clone()).collect()
    }

    /// Types of the results.
    pub fn out_avals(&self) -> Vec<Aval> {
        self.outputs.iter().map(|&a| self.atom_aval(a)).collect()
    }

    /// Number of equations by primitive name, sub-programs included.
    pub fn counts(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        self.visit(&mut |eqn| *counts.entry(eqn.prim.name()).or_insert(0) += 1);
        counts
    }

    /// Calls `f` on every equation, sub-programs included.
    pub(crate) fn visit(&self, f: &mut dyn FnMut(&Eqn)) {
        for eqn in &self.eqns {
            f(eqn);
            for (_, sub) in eqn.prim.subs() {
                sub.visit(f);
            }
        }
    }

    /// Whether running it may do more than compute its results.
    pub(crate) fn has_effect(&self) -> bool {
        self.eqns.iter().any(|e| e.prim.has_effect())
    }

    /// The derived form under `key`, made by `make` at the first request. It must not hold the program itself, see
    /// [`Derived`]. No lock is held while it is made.
    pub(crate) fn memo<T: Any + Send + Sync, E>(
        &self,
        key: MemoKey,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let memo = || self.memo.lock().unwrap_or_else(|e| e.into_inner());
        let known = |key: &MemoKey| memo().get(key).cloned().and_then(|known| known.downcast::<T>().ok());
        if let Some(value) = known(&key) {
            return Ok(value);
        }
        // What notes calls serves these alone.
        let of_calls = MemoKey { calls: Some(Calls::under_way()), ..key.clone() };
        if let Some(value) = known(&of_calls) {
            calls::noted();
            return Ok(value);
        }
        let (made, notes) = calls::noting(make);
        let value = Arc::new(made?);
        memo().insert(if notes { of_calls } else { key }, value.clone());
        Ok(value)
    }

    /// Hash of the structure, computed once.
    pub(crate) fn structural_hash(&self) -> u64 {
        *self.hash.get_or_init(|| {
            let mut h = FxHasher::default();
            self.inputs.hash(&mut h);
            self.outputs.hash(&mut h);
            self.avals.hash(&mut h);
            for e in &self.eqns {
                e.prim.hash(&mut h);
                e.inputs.hash(&mut h);
                e.outputs.hash(&mut h);
            }
            h.finish()
        })
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        std::ptr::eq(self, other)
            || (self.structural_hash() == other.structural_hash()
                && self.inputs == other.inputs
                && self.outputs == other.outputs
                && self.avals == other.avals
                && self.eqns.len() == other.eqns.len()
                && self
                    .eqns
                    .iter()
                    .zip(&other.eqns)
                    .all(|(a, b)| a.prim == b.prim && a.inputs == b.inputs && a.outputs == b.outputs))
    }
}
impl Eq for Program {}
impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.structural_hash());
    }
}

/// Sub-programs stay short inside printed parameters; the printer lists them below the equation.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…")
    }
}

/// Drops the variables that nothing defines and numbers the others in order of definition, so that equal structures
/// print, hash and compare alike.
pub(crate) fn renumber<'a>(
    avals: impl Into<Cow<'a, [Aval]>>,
    mut inputs: Vec<Var>,
    mut eqns: Vec<Eqn>,
    mut outputs: Vec<Atom>,
    label: Label,
) -> Program {
    let avals = avals.into();
    let defined = inputs.iter().chain(eqns.iter().flat_map(|eqn| &eqn.outputs));
    if defined.map(|v| v.0).eq(0..avals.len() as u32) {
        return Program::new(avals.into_owned(), inputs, eqns, outputs, label);
    }
    const NONE: u32 = u32::MAX;
    let mut names = vec![NONE; avals.len()];
    let mut kept = Vec::with_capacity(avals.len());
    let mut define = |v: &mut Var, names: &mut Vec<u32>| {
        names[v.0 as usize] = kept.len() as u32;
        kept.push(avals[v.0 as usize].clone());
        *v = Var(kept.len() as u32 - 1);
    };
    let rename = |a: &mut Atom, names: &[u32]| {
        if let Atom::Var(v) = a {
            debug_assert_ne!(names[v.0 as usize], NONE, "use before definition");
            *v = Var(names[v.0 as usize]);
        }
    };
    for v in &mut inputs {
        define(v, &mut names);
    }
    for eqn in &mut eqns {
        for a in &mut eqn.inputs {
            rename(a, &names);
        }
        for v in &mut eqn.outputs {
            define(v, &mut names);
        }
    }
    for a in &mut outputs {
        rename(a, &names);
    }
    Program::new(kept, inputs, eqns, outputs, label)
}
