//! Transformations: the columns of the architecture.
//!
//! Each file holds one transformation: its engine on flat lists of arrays, and above it the thin typed shell that users
//! call. [`derived`] applies the same interpreters to programs, for primitives that hold sub-programs.

pub(crate) mod checkpoint;
pub(crate) mod custom_jvp;
pub(crate) mod custom_vjp;
pub(crate) mod derived;
pub(crate) mod grad;
pub(crate) mod jacobian;
pub(crate) mod jit;
pub(crate) mod jvp;
pub(crate) mod linearize;
pub(crate) mod stop_gradient;
pub(crate) mod transpose;
pub(crate) mod vmap;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    implicit::at_path,
    ops,
    shape::Aval,
    trace::with_location,
    tree::{Outcome, Tree, TreeDef, flatten},
};
use dini_cpu::dtype::DType;
use std::cell::RefCell;

/// A function on flat lists of arrays: what the engine of every transformation works on.
pub(crate) type FlatFn<'a> = &'a dyn Fn(&[Array]) -> Result<Vec<Array>>;

/// A user's function as a flat one; the structure of its last result is kept.
pub(crate) struct Flat<'a, F> {
    f: &'a F,
    in_def: &'a TreeDef,
    out_def: RefCell<Option<TreeDef>>,
}

impl<'a, F> Flat<'a, F> {
    pub fn new(f: &'a F, in_def: &'a TreeDef) -> Self {
        Flat { f, in_def, out_def: RefCell::new(None) }
    }

    pub fn call<In: Tree, R: Outcome>(&self, leaves: &[Array]) -> Result<Vec<Array>>
    where
        F: Fn(In) -> R,
    {
        let x = In::unflatten_from(self.in_def, &mut leaves.iter().cloned())?;
        let (leaves, def) = flatten(&(self.f)(x).into_result()?);
        *self.out_def.borrow_mut() = Some(def);
        Ok(leaves)
    }

    /// The structure of the result. The function must have run.
    pub fn out_def(&self) -> TreeDef {
        self.out_def.borrow().clone().expect("the function ran before its result's structure was asked for")
    }
}

/// Every leaf, or the first poison.
pub(crate) fn sound(leaves: Vec<Array>) -> Result<Vec<Array>> {
    check_sound(&leaves)?;
    Ok(leaves)
}

/// The first poison among leaves.
pub(crate) fn check_sound(leaves: &[Array]) -> Result<()> {
    leaves.iter().find_map(|x| x.as_poison()).map_or(Ok(()), |e| Err(e.clone()))
}

/// Tangents or cotangents as the user sees them, made at their line: zeros where symbolic, `float0` where there is none.
pub(crate) fn concrete_tangents<'a>(
    at: Loc,
    tangents: Vec<Option<Array>>,
    primals: impl IntoIterator<Item = &'a Aval>,
) -> Vec<Array> {
    with_location(at, || tangents.into_iter().zip(primals).map(|(t, primal)| concrete_tangent(t, primal)).collect())
}

/// A tangent or cotangent leaf without symbols.
pub(crate) fn concrete_tangent(t: Option<Array>, primal: &Aval) -> Array {
    match t {
        Some(t) => t,
        None => ops::zeros_of(&primal.tangent()),
    }
}

/// A tangent or cotangent leaf that the user gave: checked against its primal; `None` for `float0`.
pub(crate) fn given_tangent(
    name: &str,
    at: Loc,
    what: &str,
    path: &str,
    t: &Array,
    primal: &Aval,
) -> Result<Option<Array>> {
    let aval = t.try_aval()?;
    if *aval != primal.tangent() {
        let kind = if aval.dtype == primal.tangent().dtype { ErrorKind::Shape } else { ErrorKind::DType };
        return Err(Error::new(
            kind,
            format!("{what}{} is {aval}, expected {} (it goes with {primal})", at_path(path), primal.tangent()),
        )
        .op(name)
        .at(at));
    }
    Ok((aval.dtype != DType::Float0).then(|| t.clone()))
}

/// Whether all leaves are floating-point numbers, as `whose` must be; or an error that names the first that is not.
pub(crate) fn all_inexact(name: &str, at: Loc, what: &str, avals: &[Aval], def: &TreeDef, whose: &str) -> Result<()> {
    let Some(i) = avals.iter().position(|aval| !aval.dtype.is_inexact()) else { return Ok(()) };
    let (path, aval) = (at_path(&def.leaf_paths()[i]), &avals[i]);
    Err(Error::new(ErrorKind::DType, format!("{what}{path} is {aval}: {whose} needs floating-point numbers"))
        .op(name)
        .at(at))
}

/// The same structure, or an error that names where it differs.
pub(crate) fn same_structure(name: &str, at: Loc, what: &str, got: &TreeDef, want: &TreeDef) -> Result<()> {
    match got.first_difference(want) {
        None => Ok(()),
        Some(difference) => {
            Err(Error::new(ErrorKind::Structure, format!("{what} has structure {got}, expected {want}; {difference}"))
                .op(name)
                .at(at))
        }
    }
}
