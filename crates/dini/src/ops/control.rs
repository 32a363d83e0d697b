//! Control flow for users. Every callable is staged, so bodies may close over anything.

use super::elementwise::clamp_index;
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    implicit::{at_path, expect_like},
    ir::Program,
    prim::control::{rewire, scan::Scan, switch::Switch, while_loop::While},
    shape::Aval,
    trace::{Staged, bind_at, location_or, stage, with_location},
    transform::sound,
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use dini_cpu::dtype::DType;
use std::{cell::RefCell, panic::Location, sync::Arc};

fn avals_of(leaves: &[Array]) -> Result<Vec<Aval>> {
    leaves.iter().map(|x| x.try_aval().cloned()).collect()
}

fn unpack<T: Tree>(def: &TreeDef, leaves: &[Array]) -> Result<T> {
    T::unflatten_from(def, &mut leaves.iter().cloned())
}

/// A scalar bool, or an error that names who gave it.
fn expect_bool(name: &str, what: &str, at: Loc, x: &Array) -> Result<()> {
    let aval = x.try_aval()?;
    if *aval == Aval::scalar(DType::Bool) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::DType, format!("{what} is {aval}, expected bool[]"))
        .op(name)
        .at(at)
        .detail(format!("the value: {}", x.provenance())))
}

/// Repeats `body` on a carry, any tree, while `cond` holds. Returns the last carry.
///
/// Forward-mode derivatives work. Reverse mode of a loop whose number of steps is not fixed does not exist; it is an error,
/// raised only if that derivative is needed. Under `vmap` lanes stop independently.
///
/// # Errors
/// A body that returns another structure, shape or dtype than the carry's; a condition that is not a scalar `bool`.
///
/// ```
/// use dini::prelude::*;
/// let y = while_loop(|x: Array| x.lt(100.0), |x: Array| x * 2.0, Array::from(3.0))?;
/// assert_eq!(y.item::<f64>()?, 192.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn while_loop<T: Tree, RC: Outcome<Tree = Array>, RB: Outcome<Tree = T>>(
    cond: impl Fn(T) -> RC,
    body: impl Fn(T) -> RB,
    init: T,
) -> Result<T> {
    while_as("while_loop", Location::caller(), &cond, &body, &init)
}

/// [`while_loop`] on behalf of `name`.
fn while_as<T: Tree, RC: Outcome<Tree = Array>, RB: Outcome<Tree = T>>(
    name: &'static str,
    at: Loc,
    cond: &impl Fn(T) -> RC,
    body: &impl Fn(T) -> RB,
    init: &T,
) -> Result<T> {
    let (cond_role, body_role) = match name {
        "fori_loop" => ("fori_loop cond", "fori_loop body"),
        _ => ("while_loop cond", "while_loop body"),
    };
    let (leaves, def) = flatten(init);
    let avals = avals_of(&leaves)?;
    let condition = stage(cond_role, at, &avals, |xs| {
        let goes_on = cond(unpack(&def, xs)?).into_result()?;
        expect_bool(name, "the result of `cond`", at, &goes_on)?;
        Ok(vec![goes_on])
    })?;
    let step = stage(body_role, at, &avals, |xs| {
        let (outs, own) = flatten(&body(unpack(&def, xs)?).into_result()?);
        expect_like(name, "body", at, (&outs, &own), (&avals, &def), "the carry")?;
        Ok(outs)
    })?;
    let mut operands = Vec::new();
    let n_cond = condition.append(&mut operands);
    let n_body = step.append(&mut operands);
    operands.extend(leaves);
    let prim = While { cond: condition.program, body: step.program, n_cond, n_body };
    unflatten(&def, sound(bind_at(&prim.into(), &operands, location_or(at))?)?)
}

/// Options of [`scan_with`].
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    reverse: bool,
    length: Option<usize>,
    unroll: usize,
}

impl ScanOptions {
    /// First step first, one step at a time.
    pub fn new() -> ScanOptions {
        ScanOptions::default()
    }

    /// Start with the last slice, and stack outputs from the back.
    pub fn reverse(mut self) -> ScanOptions {
        self.reverse = true;
        self
    }

    /// The number of steps, needed where nothing is stacked.
    pub fn length(mut self, length: usize) -> ScanOptions {
        self.length = Some(length);
        self
    }

    /// Steps per round of the loop. Does not change results.
    pub fn unroll(mut self, steps: usize) -> ScanOptions {
        self.unroll = steps;
        self
    }
}

/// A loop over the leading axis of `xs`: `body(carry, slice)` returns the next carry and an output; outputs are stacked.
///
/// Carry, slices and outputs are any trees; leaves may be of any dtype and of extent 0. Differentiates in both modes. With
/// no steps the carry comes back as it is and outputs are empty.
///
/// # Errors
/// A carry that changes its structure, shape or dtype; leaves of `xs` of different lengths.
///
/// Source: the same function of JAX; the reverse rule is that of Bradbury et al.
///
/// ```
/// use dini::prelude::*;
/// let (last, sums) = scan(
///     |c: Array, x: Array| { let s = c + x; (s.clone(), s) },
///     Array::from(0.0),
///     Array::from(vec![1.0, 2.0, 3.0]),
/// )?;
/// assert_eq!(last.item::<f64>()?, 6.0);
/// assert_eq!(sums.to_vec::<f64>()?, [1.0, 3.0, 6.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn scan<C: Tree, X: Tree, Y: Tree, R: Outcome<Tree = (C, Y)>>(
    body: impl Fn(C, X) -> R,
    init: C,
    xs: X,
) -> Result<(C, Y)> {
    scan_with(ScanOptions::new(), body, init, xs)
}

/// [`scan`] with options.
#[track_caller]
pub fn scan_with<C: Tree, X: Tree, Y: Tree, R: Outcome<Tree = (C, Y)>>(
    options: ScanOptions,
    body: impl Fn(C, X) -> R,
    init: C,
    xs: X,
) -> Result<(C, Y)> {
    scan_as("scan", Location::caller(), &options, &body, &init, &xs)
}

/// [`scan_with`] on behalf of `name`.
fn scan_as<C: Tree, X: Tree, Y: Tree, R: Outcome<Tree = (C, Y)>>(
    name: &'static str,
    at: Loc,
    options: &ScanOptions,
    body: &impl Fn(C, X) -> R,
    init: &C,
    xs: &X,
) -> Result<(C, Y)> {
    let role = match name {
        "fori_loop" => "fori_loop body",
        "map" => "map body",
        _ => "scan body",
    };
    let (carry, c_def) = flatten(init);
    let (stacked, x_def) = flatten(xs);
    let c_avals = avals_of(&carry)?;
    let x_avals = avals_of(&stacked)?;
    let length = scan_length(name, at, options.length, &x_avals, &x_def)?;
    let slices: Vec<Aval> = x_avals.iter().map(|a| a.unbatched(0)).collect();
    let y_def: RefCell<Option<TreeDef>> = RefCell::new(None);
    let n = c_avals.len();
    let step = stage(role, at, &[&c_avals[..], &slices].concat(), |args| {
        let (c, x) = args.split_at(n);
        let (c, y) = body(unpack(&c_def, c)?, unpack(&x_def, x)?).into_result()?;
        let (mut outs, own) = flatten(&c);
        expect_like(name, "body", at, (&outs, &own), (&c_avals, &c_def), "the carry")?;
        let (ys, own) = flatten(&y);
        outs.extend(ys);
        *y_def.borrow_mut() = Some(own);
        Ok(outs)
    })?;
    let mut operands = Vec::new();
    let n_captures = step.append(&mut operands);
    operands.extend(carry);
    operands.extend(stacked);
    let prim = Scan {
        body: step.program,
        n_captures,
        n_carry: n,
        length,
        reverse: options.reverse,
        unroll: options.unroll.max(1),
    };
    let outs = sound(bind_at(&prim.into(), &operands, location_or(at))?)?;
    let y_def = y_def.take().unwrap_or_else(|| flatten(&()).1);
    Ok((unflatten(&c_def, outs[..n].to_vec())?, unflatten(&y_def, outs[n..].to_vec())?))
}

fn scan_length(name: &str, at: Loc, given: Option<usize>, avals: &[Aval], def: &TreeDef) -> Result<usize> {
    let fail = |message: String| Error::new(ErrorKind::Shape, message).op(name).at(at);
    let mut lengths = Vec::new();
    for (aval, path) in avals.iter().zip(def.leaf_paths()) {
        match aval.shape.first() {
            Some(&n) => lengths.push((n, format!("`xs`{}: {aval}", at_path(&path)))),
            None => return Err(fail(format!("`xs`{} is {aval} and has no leading axis to scan over", at_path(&path)))),
        }
    }
    let Some(length) = given.or(lengths.first().map(|l| l.0)) else {
        return Err(fail("nothing is stacked, so the number of steps is not known".into())
            .help("give `ScanOptions::new().length(n)`"));
    };
    if lengths.iter().any(|l| l.0 != length) {
        let mut e = fail("leading axes of different lengths".into());
        if let Some(n) = given {
            e = e.detail(format!("`length` is {n}"));
        }
        for (_, what) in lengths {
            e = e.detail(what);
        }
        return Err(e);
    }
    Ok(length)
}

/// Applies `f` to each slice along the leading axis of `xs`, one after the other, and stacks the results. Like
/// [`vmap`](crate::vmap) with less memory.
///
/// ```
/// use dini::prelude::*;
/// let y = map(|x: Array| x.sin(), Array::from(vec![0.0, 0.0]))?;
/// assert_eq!(y.to_vec::<f64>()?, [0.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn map<X: Tree, R: Outcome>(f: impl Fn(X) -> R, xs: X) -> Result<R::Tree> {
    let body = |(), x| f(x).into_result().map(|y| ((), y));
    scan_as("map", Location::caller(), &ScanOptions::new(), &body, &(), &xs).map(|((), ys)| ys)
}

/// A bound of [`fori_loop`]: a Rust integer, known now, or a scalar integer array, known when the loop runs.
#[derive(Clone, Debug)]
pub enum Bound {
    /// Known now.
    Static(i64),
    /// A scalar integer array.
    Dynamic(Array),
}

macro_rules! bounds {
    ($($t:ty),*) => { $(
        impl From<$t> for Bound {
            fn from(n: $t) -> Bound {
                Bound::Static(n as i64)
            }
        }
    )* };
}
bounds!(i32, i64, usize, u32);

impl From<Array> for Bound {
    fn from(n: Array) -> Bound {
        Bound::Dynamic(n)
    }
}

impl From<&Array> for Bound {
    fn from(n: &Array) -> Bound {
        Bound::Dynamic(n.clone())
    }
}

impl Bound {
    /// As an `i64` scalar; what is larger than any such is the largest.
    fn array(&self, name: &'static str, what: &str, at: Loc) -> Result<Array> {
        let x = match self {
            Bound::Static(n) => return Ok(Array::from(*n)),
            Bound::Dynamic(x) => x,
        };
        let aval = x.try_aval()?;
        if aval.ndim() > 0 || !aval.dtype.is_integer() {
            let kind = if aval.ndim() > 0 { ErrorKind::Shape } else { ErrorKind::DType };
            let message = format!("the {what} bound is {aval}, expected a scalar of integers");
            return Err(Error::new(kind, message).op(name).at(at));
        }
        Ok(with_location(at, || match aval.dtype {
            DType::U64 => x.min(i64::MAX).cast(DType::I64),
            _ => x.cast(DType::I64),
        }))
    }
}

/// Runs `body(i, carry)` for i from `lower` up to but not including `upper`; i is an `i64` scalar. Returns the last carry.
///
/// With Rust integers as bounds the number of steps is fixed and both derivative modes work; with arrays as bounds it is a
/// [`while_loop`], which has forward mode only.
///
/// # Errors
/// A body that changes the types of the carry; an array as bound that is not a scalar of integers.
///
/// ```
/// use dini::prelude::*;
/// let f = |x: Array| fori_loop(0, 3, |_i, y: Array| &y * &x, Array::from(1.0));
/// assert_eq!(grad(f)(Array::from(2.0))?.item::<f64>()?, 12.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn fori_loop<T: Tree, R: Outcome<Tree = T>>(
    lower: impl Into<Bound>,
    upper: impl Into<Bound>,
    body: impl Fn(Array, T) -> R,
    init: T,
) -> Result<T> {
    const NAME: &str = "fori_loop";
    let at = Location::caller();
    let (lower, upper) = (lower.into(), upper.into());
    let (leaves, def) = flatten(&init);
    let avals = avals_of(&leaves)?;
    let step = |i: Array, x: T| -> Result<(Array, T)> {
        let x = body(i.clone(), x).into_result()?;
        // Checked here, where the counter is not yet part of the carry.
        let (outs, own) = flatten(&x);
        expect_like(NAME, "body", at, (&outs, &own), (&avals, &def), "the carry")?;
        Ok((with_location(at, || i + 1i64), x))
    };
    if let (Bound::Static(from), Bound::Static(to)) = (&lower, &upper) {
        let length = usize::try_from(to.saturating_sub(*from)).unwrap_or(0);
        let options = ScanOptions::new().length(length);
        let body = |(i, x): (Array, T), ()| step(i, x).map(|carry| (carry, ()));
        return scan_as(NAME, at, &options, &body, &(Array::from(*from), init), &()).map(|((_, x), ())| x);
    }
    let (lower, upper) = (lower.array(NAME, "lower", at)?, upper.array(NAME, "upper", at)?);
    let goes_on = |(i, _): (Array, T)| with_location(at, || i.lt(&upper));
    while_as(NAME, at, &goes_on, &|(i, x): (Array, T)| step(i, x), &(lower, init)).map(|(_, x)| x)
}

/// `if` on a scalar `bool`: only the taken branch runs, except under `vmap` with a condition for each lane, where both run
/// and the one not taken contributes exactly 0 to derivatives, never NaN.
///
/// # Errors
/// Branches whose results differ in structure, shape or dtype; a condition that is not a scalar `bool`.
///
/// ```
/// use dini::prelude::*;
/// let safe = |x: Array| cond(&x.gt(0.0), |x: Array| x.sqrt(), |x: Array| x * 0.0, x.clone());
/// assert_eq!(vmap(grad(safe))(Array::from(vec![4.0, 0.0]))?.to_vec::<f64>()?, [0.25, 0.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn cond<T: Tree, RT: Outcome, RF: Outcome<Tree = RT::Tree>>(
    condition: &Array,
    if_true: impl Fn(T) -> RT,
    if_false: impl Fn(T) -> RF,
    operand: T,
) -> Result<RT::Tree> {
    let at = Location::caller();
    expect_bool("cond", "the condition", at, condition)?;
    let index = condition.cast(DType::I32);
    let if_true = |x: T| if_true(x).into_result();
    let if_false = |x: T| if_false(x).into_result();
    branch("cond", at, index, &[&if_false, &if_true], &["if_false", "if_true"], &operand)
}

/// Runs the branch that a scalar integer names; an index out of range is clamped.
///
/// ```
/// use dini::prelude::*;
/// let f = |i: i32| switch(
///     &Array::from(i),
///     &[&|x: Array| Ok(x.sin()), &|x: Array| Ok(x * 2.0)],
///     Array::from(1.5),
/// );
/// assert_eq!(f(1)?.item::<f64>()?, 3.0);
/// assert_eq!(f(7)?.item::<f64>()?, 3.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn switch<T: Tree, U: Tree>(index: &Array, branches: &[Branch<'_, T, U>], operand: T) -> Result<U> {
    let at = Location::caller();
    let aval = index.try_aval()?;
    if aval.ndim() != 0 || !aval.dtype.is_integer() {
        return Err(Error::new(ErrorKind::DType, format!("the index is {aval}, expected an integer scalar"))
            .op("switch")
            .at(at));
    }
    if branches.is_empty() {
        return Err(Error::new(ErrorKind::Value, "there are no branches").op("switch").at(at));
    }
    // Clamped before the conversion, so that a wide index does not wrap.
    let index = clamp_index(index, branches.len()).cast(DType::I32);
    branch("switch", at, index, branches, &[], &operand)
}

/// A branch of [`switch`].
pub type Branch<'a, T, U> = &'a dyn Fn(T) -> Result<U>;

fn branch<T: Tree, U: Tree>(
    name: &'static str,
    at: Loc,
    index: Array,
    branches: &[Branch<'_, T, U>],
    names: &[&str],
    operand: &T,
) -> Result<U> {
    let (leaves, def) = flatten(operand);
    let avals = avals_of(&leaves)?;
    let mut first: Option<(Vec<Aval>, TreeDef)> = None;
    let mut staged: Vec<Staged> = Vec::new();
    for (i, f) in branches.iter().enumerate() {
        let called = names.get(i).map_or_else(|| format!("branch {i}"), |n| (*n).to_string());
        let own = RefCell::new(None);
        let role = match (name, i) {
            ("cond", 0) => "cond if_false",
            ("cond", _) => "cond if_true",
            (_, _) => "switch branch",
        };
        staged.push(stage(role, at, &avals, |xs| {
            let (outs, out_def) = flatten(&f(unpack(&def, xs)?)?);
            match &first {
                None => *own.borrow_mut() = Some((avals_of(&outs)?, out_def)),
                Some((avals, def)) => {
                    let other = names.first().map_or_else(|| "branch 0".to_string(), |n| format!("`{n}`"));
                    let like = format!("the result of {other}");
                    expect_like(name, &called, at, (&outs, &out_def), (avals, def), &like)?;
                }
            }
            Ok(outs)
        })?);
        first = first.or(own.take());
    }
    let Some((_, out_def)) = first else {
        return Err(Error::new(ErrorKind::Value, "there are no branches").op(name).at(at));
    };
    // Every branch takes the captures of all.
    let captures: Vec<Array> = staged.iter().flat_map(|s| s.captures.iter().cloned()).collect();
    let inputs: Vec<Aval> = captures.iter().map(|x| x.aval().clone()).chain(avals.iter().cloned()).collect();
    let mut start = 0;
    let programs: Vec<Arc<Program>> = staged
        .iter()
        .map(|s| {
            let n = s.n_captures();
            let picks: Vec<usize> = (start..start + n).chain(captures.len()..inputs.len()).collect();
            start += n;
            let outs: Vec<usize> = (0..s.program.outputs().len()).collect();
            rewire(&s.program, &inputs, &picks, &outs)
        })
        .collect();
    let operands: Vec<Array> = std::iter::once(index).chain(captures).chain(leaves).collect();
    let outs = bind_at(&Switch { branches: programs }.into(), &operands, location_or(at))?;
    unflatten(&out_def, sound(outs)?)
}
