//! `implicit`: the identity on x, with the derivative of the implicit function that f(x, c) = 0 defines.
//!
//! At the call f is staged and linearized in x: residuals K(c, x), and a linear program v ↦ L(v, 0). The user's
//! `tangent_solve` is staged with that linear program as its g, from residuals and a right-hand side: T(residuals, b).
//! Under differentiation x is bound again through the same primitive, so that every order works; the residuals and
//! L(0, ċ) come from one program with merged common subexpressions; and ẋ = T(residuals, −L(0, ċ)) is an expression like
//! any other, differentiated again at the next order, captures of `tangent_solve` included.

use super::{avals_of_unknown, expect_as, expect_like};
use crate::{
    array::Array,
    error::{Loc, Result},
    ir::{MemoKey, Program, dce::dce, simplify::simplify},
    prim::{
        Batch, Duals, Form, Higher, Jvp, Lanes, Lower, Primitive, Rules, Transpose, call::fits, control::count,
        custom::tangent_program, effects::silent::silent, to_front,
    },
    trace::{bind, bind_at, location_or, recorder::eval_program, stage, stage_program},
    transform::derived::{batch_program, jvp_program, split_program},
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::{panic::Location, sync::Arc};

/// Operands: x, captures of f, captures of `tangent_solve`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Implicit {
    /// (its captures, x) → residual
    pub f: Arc<Program>,
    /// (captures of f, x) → what the linearization of f in x keeps
    pub linearization: Arc<Program>,
    /// (its captures, what the linearization keeps, right-hand side) → tangent of x
    pub tangent_solve: Arc<Program>,
    /// Number of leaves of x.
    pub n_x: usize,
    /// Number of captures of f.
    pub n_f: usize,
}

impl Primitive for Implicit {
    const NAME: &'static str = "implicit";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let (x, rest) = avals.split_at(p.n_x.min(avals.len()));
            fits(&p.f, &[&rest[..p.n_f.min(rest.len())], x].concat())?;
            Ok(x.to_vec())
        },
        lower: Lower::Schedule(|p, _, args, _, _| Ok(args[..p.n_x].to_vec())),
        jvp: Jvp::Joint(jvp),
        transpose: Transpose::NotLinear,
        batch: Batch::By(batch),
        form: Form::Higher(Higher {
            subs: |p| {
                vec![
                    ("f", p.f.clone()),
                    ("linearization", p.linearization.clone()),
                    ("tangent_solve", p.tangent_solve.clone()),
                ]
            },
            split: |_, _, _| Ok(None),
            dce: |_, _| None,
            erase: |p, xs| Ok(xs[..p.n_x].to_vec()),
        }),
        samples: Vec::new,
    };
}

/// (captures of f, x, tangents of the marked captures) → residuals of the linearization, L(0, ċ).
fn parameter_program(p: &Implicit, varies: &[bool]) -> Result<Arc<Program>> {
    let key = MemoKey::new("parameter", [varies, &[]], 0);
    let made = p.f.memo(key, || -> Result<Arc<Program>> {
        let mut mask = varies.to_vec();
        mask.resize(p.n_f + p.n_x, false);
        let tangents = tangent_program(&p.f, &mask)?;
        let staged = stage_program(p.f.label, &tangents.in_avals(), |args| {
            let mut outs = eval_program(&p.linearization, &args[..p.n_f + p.n_x])?;
            // The same f again: its effects have been.
            outs.extend(eval_program(&silent(&tangents), args)?);
            Ok(outs)
        })?;
        let merged = simplify(&staged.program);
        let n = merged.outputs.len();
        Ok(dce(&merged, &vec![true; n], true).program)
    })?;
    Ok((*made).clone())
}

fn jvp(p: &Implicit, xs: &[Array], ts: &[Option<Array>]) -> Result<Duals> {
    let m = p.n_x + p.n_f;
    // The tangent of x itself is ignored, and so are those of the captures of `tangent_solve` at this order.
    let varies: Vec<bool> = ts[p.n_x..m].iter().map(Option::is_some).collect();
    let x = bind(p.clone(), xs)?;
    if count(&varies) == 0 {
        return Ok((x, vec![None; p.n_x]));
    }
    let given = ts[p.n_x..m].iter().flatten().cloned().collect::<Vec<_>>();
    let operands = [&xs[p.n_x..m], &x, &given].concat();
    let mut residuals = eval_program(&*parameter_program(p, &varies)?, &operands)?;
    let b = residuals.split_off(p.linearization.outputs.len()).into_iter().map(|rate| -rate);
    let operands: Vec<Array> = xs[m..].iter().cloned().chain(residuals).chain(b).collect();
    let tangents = eval_program(&p.tangent_solve, &operands)?;
    Ok((x, tangents.into_iter().map(Some).collect()))
}

/// If any operand has lanes, so has x: the solution depends on it.
fn batch(p: &Implicit, size: usize, xs: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let m = p.n_x + p.n_f;
    let batched: Vec<bool> = axes.iter().map(Option::is_some).collect();
    let all_x = vec![true; p.n_x];
    let f_mask = [&batched[p.n_x..m], &all_x].concat();
    let f = batch_program(&p.f, size, &f_mask, &vec![true; p.n_x])?;
    let linearization = batch_program(&p.linearization, size, &f_mask, &[])?;
    let solve_mask = [&batched[m..], &linearization.batched_out, &all_x].concat();
    let tangent_solve = batch_program(&p.tangent_solve, size, &solve_mask, &all_x)?;
    let operands: Vec<Array> = xs
        .iter()
        .zip(axes)
        .enumerate()
        .map(|(i, (x, axis))| if i < p.n_x || axis.is_some() { to_front(x, *axis, size) } else { x.clone() })
        .collect();
    let new = Implicit {
        f: f.program.clone(),
        linearization: linearization.program.clone(),
        tangent_solve: tangent_solve.program.clone(),
        ..p.clone()
    };
    Ok((bind(new, &operands)?, vec![Some(0); p.n_x]))
}

/// Stages f and `tangent_solve`, checks them, and binds `implicit` on `x`.
pub(crate) fn define<T: Tree, RF: Outcome, RT: Outcome>(
    name: &'static str,
    what: &str,
    at: Loc,
    f: &impl Fn(T) -> RF,
    x: &T,
    tangent_solve: &impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<T> {
    let (leaves, def) = flatten(x);
    let avals = avals_of_unknown(name, at, what, &leaves, &def, "a root")?;
    let n_x = avals.len();
    let unpack = |leaves: &[Array]| T::unflatten_from(&def, &mut leaves.iter().cloned());
    let f_role = role(name, "f");
    let staged = stage(f_role, at, &avals, |xs| {
        let (outs, out_def) = flatten(&f(unpack(xs)?).into_result()?);
        expect_like(name, "f", at, (&outs, &out_def), (&avals, &def), what)?;
        Ok(outs)
    })?;
    let n_f = staged.n_captures();

    // f's linearization in x: what it keeps, and v ↦ L(v, 0).
    let n_in = n_f + n_x;
    let mask: Vec<bool> = (0..n_in).map(|i| i >= n_f).collect();
    let jvp = jvp_program(&staged.program, &mask, &vec![true; n_x])?;
    let unknown: Vec<bool> = (0..jvp.program.inputs.len()).map(|i| i >= n_in).collect();
    let force: Vec<bool> = (0..jvp.program.outputs.len()).map(|i| i >= n_x).collect();
    let split = split_program(&jvp.program, &unknown, &force)?;
    let kept: Vec<bool> = (0..split.known.outputs.len()).map(|i| i >= n_x).collect();
    let linearization = dce(&split.known, &kept, true).program;

    let residual_avals = linearization.out_avals();
    let n_residuals = residual_avals.len();
    let solve_avals = [&residual_avals[..], &avals].concat();
    let solve_role = role(name, "tangent_solve");
    let solve = stage(solve_role, at, &solve_avals, |args| {
        let g = |v: T| -> Result<T> {
            let (v_leaves, v_def) = flatten(&v);
            let did = "`tangent_solve` called the linearized `f` with";
            expect_as(name, did, at, (&v_leaves, &v_def), (&avals, &def), what)?;
            unflatten(&def, eval_program(&split.unknown, &[&args[..n_residuals], &v_leaves].concat())?)
        };
        let b = unpack(&args[n_residuals..])?;
        let (outs, out_def) = flatten(&tangent_solve(&g, b).into_result()?);
        expect_like(name, "tangent_solve", at, (&outs, &out_def), (&avals, &def), what)?;
        Ok(outs)
    })?;
    let operands = [&leaves[..], &staged.captures, &solve.captures].concat();
    let prim = Implicit { f: staged.program, linearization, tangent_solve: solve.program, n_x, n_f };
    let outs = bind_at(&prim.into(), &operands, location_or(at))?;
    unflatten(&def, outs)
}

/// The role of a callable, for printed programs and notes.
pub(crate) fn role(name: &'static str, callable: &'static str) -> &'static str {
    match (name, callable) {
        ("custom_root", "f") => "custom_root f",
        ("custom_root", "solve") => "custom_root solve",
        ("custom_root", "tangent_solve") => "custom_root tangent_solve",
        ("define_implicit_gradient", "f") => "define_implicit_gradient f",
        ("define_implicit_gradient", "tangent_solve") => "define_implicit_gradient tangent_solve",
        ("custom_linear_solve", "matvec") => "custom_linear_solve matvec",
        ("custom_linear_solve", "solve") => "custom_linear_solve solve",
        ("custom_linear_solve", "transpose_solve") => "custom_linear_solve transpose_solve",
        (_, _) => name,
    }
}

/// Gives a solution `x` of f(x) = 0 the derivatives of the implicit function, however it was found.
///
/// `f` takes a tree like `x` and returns one of the same structure, shapes and dtypes; it is zero at `x`. What `f`
/// captures are the parameters. `tangent_solve(g, b)` returns the y with g(y) = b, where g is f's derivative at `x` as a
/// linear function. For a scalar that is `|g, b| Ok(b / g(Array::from(1.0))?)`.
///
/// The derivative of `x` itself is ignored, so no `stop_gradient` is needed around what computed it, and compilation
/// removes whatever only that derivative would have used.
///
/// # Errors
/// Integers or booleans in `x`; `f` or `tangent_solve` returning another structure; the guilty one is named.
///
/// Source: implicit function theorem; Krantz and Parks, *The Implicit Function Theorem* (2002).
///
/// ```
/// use dini::prelude::*;
/// let root = |a: Array| {
///     let x = stop_gradient(&a).sqrt(); // found by any means
///     define_implicit_gradient(|x: Array| &x * &x - &a, x, |g, b| Ok(b / g(Array::from(1.0))?))
/// };
/// assert_eq!(grad(root)(Array::from(4.0))?.item::<f64>()?, 0.25);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn define_implicit_gradient<T: Tree, RF: Outcome<Tree = T>, RT: Outcome<Tree = T>>(
    f: impl Fn(T) -> RF,
    x: T,
    tangent_solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<T> {
    define("define_implicit_gradient", "`x`", Location::caller(), &f, &x, &tangent_solve)
}
