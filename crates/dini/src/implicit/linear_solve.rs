//! `linear_solve`: x with A x = b, linear in b, where A is given by a function and A⁻¹ by any algorithm.
//!
//! - jvp: A ẋ = ḃ − Ȧ x, so ẋ = solve(ḃ − Ȧ x) with the same captures: a factorization that `solve` captured serves again.
//!   The captures' own derivatives are zero at every order; the dependence on A is all in `matvec`.
//! - transpose in b: x̄ ↦ b̄ with Aᵀ b̄ = x̄, through `transpose_solve`; `solve` becomes the transposed one's transpose.
//! - The cotangent of A follows from transposing ċ ↦ Ȧ x, with no product with A.

use super::{avals_of_unknown, expect_as, expect_like, implicit::role};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Program, dce::dce},
    lower::eval_erased,
    ops,
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose,
        call::{at_front, fits},
        control::{count, fixpoint},
        custom::tangents_of,
        late_error::{cotangents_and_values, late_error},
        to_front,
    },
    trace::{bind, bind_at, here, location_or, stage},
    transform::{
        derived::{batch_program, transpose_program},
        transpose::{Input, backward, check_linear},
    },
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::{cell::RefCell, panic::Location, sync::Arc};

/// Operands: captures of `matvec`, of `solve`, of `transpose_solve`, then b. Results: x, then aux.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinearSolve {
    /// (its captures, x) → A x; of the transposed system if `transposed`: see [`LinearSolve::product`].
    pub matvec: Arc<Program>,
    /// Whether the system is Aᵀ x = b, with `matvec` still that of A.
    pub transposed: bool,
    /// (its captures, b) → x, aux
    pub solve: Arc<Program>,
    /// (its captures, b) → solution of the transposed system
    pub transpose_solve: Option<Arc<Program>>,
    /// Aᵀ = A: `solve` serves both.
    pub symmetric: bool,
    /// Numbers of captures: `matvec`, `solve`, `transpose_solve`.
    pub captures: [usize; 3],
    /// Number of leaves of b and x.
    pub n: usize,
}

impl LinearSolve {
    fn groups<'a, T>(&self, xs: &'a [T]) -> [&'a [T]; 4] {
        let [a, b, c] = self.captures;
        let (matvec, rest) = xs.split_at(a);
        let (solve, rest) = rest.split_at(b);
        let (transpose, b) = rest.split_at(c);
        [matvec, solve, transpose, b]
    }

    /// (captures of `matvec`, x) → product with the matrix of this system.
    fn product(&self) -> Result<Arc<Program>> {
        if !self.transposed {
            return Ok(self.matvec.clone());
        }
        let n_captures = self.captures[0];
        let linear: Vec<bool> = (0..n_captures + self.n).map(|i| i >= n_captures).collect();
        Ok(transpose_program(&self.matvec, &linear, &vec![true; self.n], true)?.program.clone())
    }

    /// The transposed system, its operands in the order of [`LinearSolve`].
    fn transpose(&self) -> Option<LinearSolve> {
        if self.symmetric {
            return Some(self.clone());
        }
        let [a, b, c] = self.captures;
        self.transpose_solve.as_ref().map(|t| LinearSolve {
            matvec: self.matvec.clone(),
            transposed: !self.transposed,
            solve: t.clone(),
            transpose_solve: Some(self.solve.clone()),
            symmetric: false,
            captures: [a, c, b],
            n: self.n,
        })
    }
}

impl Primitive for LinearSolve {
    const NAME: &'static str = "linear_solve";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let [_, solve, _, b] = p.groups(avals);
            fits(&p.solve, &[solve, b].concat())?;
            Ok(p.solve.out_avals())
        },
        lower: Lower::Schedule(|_, _, _, _, _| Err(Error::new(ErrorKind::Internal, "was not erased before lowering"))),
        jvp: Jvp::Joint(jvp),
        transpose: Transpose::By(transpose),
        batch: Batch::By(batch),
        form: Form::Higher(Higher {
            subs: |p| {
                let mut subs = vec![("matvec", p.matvec.clone()), ("solve", p.solve.clone())];
                subs.extend(p.transpose_solve.iter().map(|t| ("transpose_solve", t.clone())));
                subs
            },
            split: |_, _, _| Ok(None),
            dce: |_, _| None,
            erase: |p, xs| {
                let [_, solve, _, b] = p.groups(xs);
                eval_erased(&p.solve, &[solve, b].concat())
            },
        }),
        samples: Vec::new,
    };
}

fn jvp(p: &LinearSolve, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let outs = bind(p.clone(), xs)?;
    let [matvec, _, _, _] = p.groups(xs);
    let [matvec_ts, _, _, b_ts] = p.groups(ts);
    let x = &outs[..p.n];
    let no_tangents = vec![None; p.n];
    let rates = if matvec_ts.iter().any(Option::is_some) {
        tangents_of(&p.product()?, &[matvec, x].concat(), &[matvec_ts, &no_tangents].concat())?
    } else {
        None
    };
    if rates.is_none() && b_ts.iter().all(Option::is_none) {
        return Ok((outs.clone(), vec![None; outs.len()]));
    }
    let rates = rates.unwrap_or(no_tangents);
    let rhs = x.iter().zip(b_ts).zip(rates).map(|((x, b), rate)| match (b, rate) {
        (Some(b), Some(rate)) => b - rate,
        (Some(b), None) => b.clone(),
        (None, Some(rate)) => -rate,
        (None, None) => ops::zeros_of(x.aval()),
    });
    let n_captures = xs.len() - p.n;
    let operands: Vec<Array> = xs[..n_captures].iter().cloned().chain(rhs).collect();
    let mut tangents: Vec<Option<Array>> = bind(p.clone(), &operands)?.into_iter().take(p.n).map(Some).collect();
    tangents.resize(outs.len(), None);
    Ok((outs, tangents))
}

fn transpose(p: &LinearSolve, cts: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let [matvec, solve, transpose, b] = p.groups(xs);
    for (which, captures) in [("matvec", matvec), ("solve", solve), ("transpose_solve", transpose)] {
        if captures.iter().any(Operand::is_linear) {
            return Err(Error::new(
                ErrorKind::NotLinear,
                format!("a capture of `{which}` depends linearly on the right-hand side"),
            )
            .help("let it see the right-hand side through its argument only"));
        }
    }
    let n_captures = xs.len() - p.n;
    let Some(system) = p.transpose() else {
        let error = Error::new(
            ErrorKind::MissingRule,
            "reverse-mode differentiation needs a `transpose_solve`, or the promise that the matrix is symmetric",
        )
        .op("custom_linear_solve")
        .at(here())
        .help("use `custom_linear_solve_transposable`, or `LinearSolveOptions::new().symmetric()`");
        let depends = cotangents_and_values(cts, xs);
        let late = b.iter().map(|b| b.is_linear().then(|| late_error(error.clone(), &b.aval(), &depends)));
        return Ok(vec![None; n_captures].into_iter().chain(late).collect());
    };
    let known = |xs: &[Operand]| xs.iter().map(|x| x.known().cloned()).collect::<Result<Vec<_>>>();
    let (matvec, solve, transpose) = (known(matvec)?, known(solve)?, known(transpose)?);
    let (first, second) = if p.symmetric { (solve, transpose) } else { (transpose, solve) };
    let ct = b.iter().zip(cts).map(|(b, ct)| ct.clone().unwrap_or_else(|| ops::zeros_of(&b.aval())));
    let operands: Vec<Array> = matvec.into_iter().chain(first).chain(second).chain(ct).collect();
    let back = bind(system, &operands)?;
    let back = back.into_iter().take(p.n).zip(b).map(|(ct, b)| b.is_linear().then_some(ct));
    Ok(vec![None; n_captures].into_iter().chain(back).collect())
}

/// Lanes spread from b to x through `solve`, and from x to b through `matvec`, until nothing changes; a leaf that depends
/// on no batched operand stays without.
fn batch(p: &LinearSolve, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let [matvec_b, solve_b, transpose_b, b_b] = p.groups(&batched);
    let n_out = p.solve.outputs.len();
    let product = p.product()?;
    let (solve, b_mask) = fixpoint(b_b.to_vec(), |b| {
        let solve = batch_program(&p.solve, size, &[solve_b, b].concat(), &[])?;
        let product = batch_program(&product, size, &[matvec_b, &solve.batched_out[..p.n]].concat(), &[])?;
        let out = product.batched_out.clone();
        Ok((solve, out))
    })?;
    let x_mask = solve.batched_out[..p.n].to_vec();
    // The stored program is that of A: for a transposed system it maps b's lanes to x's.
    let (from, to) = if p.transposed { (&b_mask, &x_mask) } else { (&x_mask, &b_mask) };
    let matvec = batch_program(&p.matvec, size, &[matvec_b, from].concat(), to)?;
    let transpose_solve = match &p.transpose_solve {
        None => None,
        Some(t) => Some(batch_program(t, size, &[transpose_b, &x_mask].concat(), &b_mask)?.program.clone()),
    };
    let n_captures = xs.len() - p.n;
    let mut operands = at_front(&xs[..n_captures], &axes[..n_captures], size);
    for ((x, axis), has) in xs[n_captures..].iter().zip(&axes[n_captures..]).zip(&b_mask) {
        operands.push(if *has { to_front(x, *axis, size) } else { x.clone() });
    }
    debug_assert!(count(&b_mask) <= p.n && n_out >= p.n);
    let new =
        LinearSolve { matvec: matvec.program.clone(), solve: solve.program.clone(), transpose_solve, ..p.clone() };
    let outs = bind(new, &operands)?;
    Ok((outs, solve.batched_out.iter().map(|b| b.then_some(0)).collect()))
}

/// Options of the `custom_linear_solve` family.
///
/// ```
/// use dini::prelude::*;
/// let a = Array::from(2.0);
/// let solve = |b: Array| custom_linear_solve_with(
///     LinearSolveOptions::new().symmetric(),
///     |x: Array| &a * x,
///     b,
///     |_matvec, b: Array| b / &a,
/// );
/// assert_eq!(grad(solve)(Array::from(1.0))?.item::<f64>()?, 0.5);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LinearSolveOptions {
    symmetric: bool,
}

impl LinearSolveOptions {
    /// No promises.
    pub fn new() -> LinearSolveOptions {
        LinearSolveOptions::default()
    }

    /// The matrix equals its transpose (Aᵀ = A), so `solve` solves the transposed system too.
    pub fn symmetric(mut self) -> LinearSolveOptions {
        self.symmetric = true;
        self
    }
}

type Solver<'a, T, X> = &'a dyn Fn(&dyn Fn(T) -> Result<T>, T) -> Result<X>;

fn linear_solve<T: Tree, A: Tree, RM: Outcome<Tree = T>>(
    at: Loc,
    options: LinearSolveOptions,
    matvec: &impl Fn(T) -> RM,
    b: &T,
    solve: Solver<'_, T, (T, A)>,
    transpose_solve: Option<Solver<'_, T, T>>,
) -> Result<(T, A)> {
    const NAME: &str = "custom_linear_solve";
    let (leaves, def) = flatten(b);
    let avals = avals_of_unknown(NAME, at, "the right-hand side", &leaves, &def, "a linear system")?;
    let n = avals.len();
    let unpack = |xs: &[Array]| T::unflatten_from(&def, &mut xs.iter().cloned());
    let checked = |callable: &str, x: &T| -> Result<Vec<Array>> {
        let (outs, out_def) = flatten(x);
        expect_like(NAME, callable, at, (&outs, &out_def), (&avals, &def), "the right-hand side")?;
        Ok(outs)
    };
    let product = stage(role(NAME, "matvec"), at, &avals, |xs| checked("matvec", &matvec(unpack(xs)?).into_result()?))?;
    // Transposing once finds an operation that is not linear, with its line.
    let n_captures = product.n_captures();
    let linear: Vec<bool> = (0..n_captures + n).map(|i| i >= n_captures).collect();
    check_transposable(&product.program, &linear)
        .and_then(|()| check_linear(&product.program, n_captures))
        .map_err(|e| e.inside(role(NAME, "matvec"), at))?;
    let aux_def: RefCell<Option<TreeDef>> = RefCell::new(None);
    let solution = stage(role(NAME, "solve"), at, &avals, |xs| {
        let apply = |x: T| matvec(x).into_result();
        let (x, aux) = solve(&apply, unpack(xs)?)?;
        let mut outs = checked("solve", &x)?;
        let (aux_leaves, own) = flatten(&aux);
        outs.extend(aux_leaves);
        *aux_def.borrow_mut() = Some(own);
        Ok(outs)
    })?;
    uses_right_hand_side("solve", at, &solution.program, n)?;
    let transposed = match transpose_solve {
        None => None,
        Some(transpose_solve) => Some(stage(role(NAME, "transpose_solve"), at, &avals, |xs| {
            let apply = |x: T| -> Result<T> {
                let (given, given_def) = flatten(&x);
                let did = "`transpose_solve` called the transposed `matvec` with";
                expect_as(NAME, did, at, (&given, &given_def), (&avals, &def), "the right-hand side")?;
                let inputs: Vec<Input> = product
                    .captures
                    .iter()
                    .cloned()
                    .map(Input::Known)
                    .chain(avals.iter().cloned().map(Input::Linear))
                    .collect();
                let cts = backward(&product.program, &inputs, given.into_iter().map(Some).collect())?;
                let outs = cts[n_captures..].iter().zip(&avals);
                unflatten(&def, outs.map(|(ct, a)| ct.clone().unwrap_or_else(|| ops::zeros_of(a))).collect())
            };
            checked("transpose_solve", &transpose_solve(&apply, unpack(xs)?)?)
        })?),
    };
    if let Some(t) = &transposed {
        uses_right_hand_side("transpose_solve", at, &t.program, n)?;
    }
    let mut operands = Vec::new();
    let captures = [
        product.append(&mut operands),
        solution.append(&mut operands),
        transposed.as_ref().map_or(0, |t| t.append(&mut operands)),
    ];
    operands.extend(leaves);
    let prim = LinearSolve {
        matvec: product.program,
        transposed: false,
        solve: solution.program,
        transpose_solve: transposed.map(|t| t.program),
        symmetric: options.symmetric,
        captures,
        n,
    };
    let outs = bind_at(&prim.into(), &operands, location_or(at))?;
    let aux_def = aux_def.take().unwrap_or_else(|| flatten(&()).1);
    Ok((unflatten(&def, outs[..n].to_vec())?, unflatten(&aux_def, outs[n..].to_vec())?))
}

/// A solver that returns something captured, whatever right-hand side it is given, would give the same thing for every
/// tangent: a wrong derivative. A solution is linear in the right-hand side, so it must depend on it.
fn uses_right_hand_side(callable: &str, at: Loc, p: &Arc<Program>, n: usize) -> Result<()> {
    let results: Vec<bool> = (0..p.outputs.len()).map(|i| i < n).collect();
    let cut = dce(p, &results, false);
    let empty = p.in_avals().iter().rev().take(n).all(|a| a.size() == 0);
    if empty || cut.used_inputs.iter().rev().take(n).any(|used| *used) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotLinear, format!("`{callable}` does not use the right-hand side that it is given"))
        .op("custom_linear_solve")
        .at(at)
        .help("compute the solution from its argument: the same solver is called again for derivatives"))
}

/// An operation that is not linear in the marked inputs, as an error with its line.
fn check_transposable(p: &Arc<Program>, linear: &[bool]) -> Result<()> {
    let n_out = p.outputs.len();
    transpose_program(p, linear, &vec![true; n_out], true).map(|_| ()).or_else(|e| match e.kind() {
        ErrorKind::NotLinear => Err(e),
        // Whatever else is missing is reported when the transpose is needed.
        _ => Ok(()),
    })
}

/// Solves A x = b, with A given by `matvec` and the solution computed by `solve`, linear in b and differentiable in
/// whatever `matvec` captures.
///
/// `x` and `b` have one structure; any tree will do. `solve(matvec, b)` is never differentiated: what it captures (such as a
/// factorization) is used again, never computed again. Without a transposed solver, forward mode works and reverse mode
/// says what is missing.
///
/// # Errors
/// A right-hand side with integers or booleans; a callable that returns another structure is named; an operation of
/// `matvec` that is not linear is named with its line.
///
/// ```
/// use dini::prelude::*;
/// let a = Array::from(4.0);
/// let x = custom_linear_solve(|x: Array| &a * x, Array::from(2.0), |_matvec, b: Array| b / &a)?;
/// assert_eq!(x.item::<f64>()?, 0.5);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_linear_solve<T: Tree, RM: Outcome<Tree = T>, RS: Outcome<Tree = T>>(
    matvec: impl Fn(T) -> RM,
    b: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
) -> Result<T> {
    custom_linear_solve_with(LinearSolveOptions::new(), matvec, b, solve)
}

/// [`custom_linear_solve`] with options: `symmetric()` makes `solve` serve for reverse mode too.
#[track_caller]
pub fn custom_linear_solve_with<T: Tree, RM: Outcome<Tree = T>, RS: Outcome<Tree = T>>(
    options: LinearSolveOptions,
    matvec: impl Fn(T) -> RM,
    b: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
) -> Result<T> {
    let solve = |m: &dyn Fn(T) -> Result<T>, b: T| solve(m, b).into_result().map(|x| (x, ()));
    linear_solve(Location::caller(), options, &matvec, &b, &solve, None).map(|(x, ())| x)
}

/// [`custom_linear_solve_with`] whose `solve` also returns anything else; it has derivative zero.
#[track_caller]
pub fn custom_linear_solve_with_aux<T: Tree, A: Tree, RM: Outcome<Tree = T>, RS: Outcome<Tree = (T, A)>>(
    options: LinearSolveOptions,
    matvec: impl Fn(T) -> RM,
    b: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
) -> Result<(T, A)> {
    let solve = |m: &dyn Fn(T) -> Result<T>, b: T| solve(m, b).into_result();
    linear_solve(Location::caller(), options, &matvec, &b, &solve, None)
}

/// [`custom_linear_solve`] with a solver of the transposed system, `transpose_solve(transposed matvec, b)`.
///
/// ```
/// use dini::prelude::*;
/// let a = Array::from(4.0);
/// let solve = |b: Array| custom_linear_solve_transposable(
///     |x: Array| &a * x,
///     b,
///     |_matvec, b: Array| b / &a,
///     |_vecmat, b: Array| b / &a,
/// );
/// assert_eq!(grad(solve)(Array::from(2.0))?.item::<f64>()?, 0.25);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_linear_solve_transposable<T, RM, RS, RT>(
    matvec: impl Fn(T) -> RM,
    b: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
    transpose_solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<T>
where
    T: Tree,
    RM: Outcome<Tree = T>,
    RS: Outcome<Tree = T>,
    RT: Outcome<Tree = T>,
{
    let solve = |m: &dyn Fn(T) -> Result<T>, b: T| solve(m, b).into_result().map(|x| (x, ()));
    let transpose = |m: &dyn Fn(T) -> Result<T>, b: T| transpose_solve(m, b).into_result();
    let options = LinearSolveOptions::new();
    linear_solve(Location::caller(), options, &matvec, &b, &solve, Some(&transpose)).map(|(x, ())| x)
}

/// [`custom_linear_solve_transposable`] whose `solve` also returns anything else; it has derivative zero.
#[track_caller]
pub fn custom_linear_solve_transposable_with_aux<T, A, RM, RS, RT>(
    matvec: impl Fn(T) -> RM,
    b: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
    transpose_solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<(T, A)>
where
    T: Tree,
    A: Tree,
    RM: Outcome<Tree = T>,
    RS: Outcome<Tree = (T, A)>,
    RT: Outcome<Tree = T>,
{
    let solve = |m: &dyn Fn(T) -> Result<T>, b: T| solve(m, b).into_result();
    let transpose = |m: &dyn Fn(T) -> Result<T>, b: T| transpose_solve(m, b).into_result();
    linear_solve(Location::caller(), LinearSolveOptions::new(), &matvec, &b, &solve, Some(&transpose))
}
