//! `custom_root`: a solver as a differentiable function.

use super::{
    avals_of_unknown, expect_like,
    implicit::{define, role},
};
use crate::{
    array::Array,
    error::{Loc, Result},
    prim::suspend::{Layers, Suspend},
    trace::{self, bind_at, call_user, location_or, stage},
    transform::sound,
    tree::{Outcome, Tree, TreeDef, flatten, unflatten},
};
use std::{cell::RefCell, panic::Location};

/// A root of f, found by `solve`, with derivatives from the implicit function theorem.
///
/// - `f` takes a tree like `guess` and returns one of the same structure, shapes and dtypes. What it captures are the
///   parameters: traced values of any enclosing transformation, at will.
/// - `solve(f, guess)` returns x with f(x) = 0, by any algorithm. It is never differentiated. Under plain evaluation and
///   differentiation it is ordinary Rust: `item()`, `break` and `println!` work. Under `jit`, `vmap` and inside loops it is
///   traced; `while_loop` and `host_call` express it there.
/// - `tangent_solve(g, b)` returns y with g(y) = b, where g is f's derivative at the root as a linear function. It is
///   traced always, and differentiated at higher orders. For a scalar: `|g, b| Ok(b / g(Array::from(1.0))?)`.
///
/// The guess, and whatever only `solve` captures, have derivative exactly zero.
///
/// # Errors
/// A guess with integers or booleans; a callable that returns another structure, shape or dtype than the guess's is named.
///
/// ```
/// use dini::prelude::*;
/// let sqrt = |a: Array| {
///     custom_root(
///         |x: Array| &x * &x - &a,
///         Array::from(1.0),
///         |_f, _guess| a.sqrt(),
///         |g, b| Ok(b / g(Array::from(1.0))?),
///     )
/// };
/// assert_eq!(grad(sqrt)(Array::from(4.0))?.item::<f64>()?, 0.25);
/// assert_eq!(grad(grad(sqrt))(Array::from(4.0))?.item::<f64>()?, -1.0 / 32.0);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_root<T, RF, RS, RT>(
    f: impl Fn(T) -> RF,
    guess: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
    tangent_solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<T>
where
    T: Tree,
    RF: Outcome<Tree = T>,
    RS: Outcome<Tree = T>,
    RT: Outcome<Tree = T>,
{
    let solve = |f: &dyn Fn(T) -> Result<T>, guess: T| solve(f, guess).into_result().map(|x| (x, ()));
    root(Location::caller(), &f, &guess, &solve, &tangent_solve).map(|(x, ())| x)
}

/// [`custom_root`] whose `solve` also returns anything else, such as a number of iterations: any dtype, any tree. It has
/// derivative zero (`float0` for integers and booleans), even where it depends on parameters.
///
/// ```
/// use dini::prelude::*;
/// let a = Array::from(4.0);
/// let (x, steps) = custom_root_with_aux(
///     |x: Array| &x * &x - &a,
///     Array::from(1.0),
///     |_f, _guess| (a.sqrt(), Array::from(1i32)),
///     |g, b| Ok(b / g(Array::from(1.0))?),
/// )?;
/// assert_eq!((x.item::<f64>()?, steps.item::<i32>()?), (2.0, 1));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn custom_root_with_aux<T, A, RF, RS, RT>(
    f: impl Fn(T) -> RF,
    guess: T,
    solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RS,
    tangent_solve: impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<(T, A)>
where
    T: Tree,
    A: Tree,
    RF: Outcome<Tree = T>,
    RS: Outcome<Tree = (T, A)>,
    RT: Outcome<Tree = T>,
{
    let solve = |f: &dyn Fn(T) -> Result<T>, guess: T| solve(f, guess).into_result();
    root(Location::caller(), &f, &guess, &solve, &tangent_solve)
}

fn root<T: Tree, A: Tree, RF: Outcome<Tree = T>, RT: Outcome<Tree = T>>(
    at: Loc,
    f: &impl Fn(T) -> RF,
    guess: &T,
    solve: &impl Fn(&dyn Fn(T) -> Result<T>, T) -> Result<(T, A)>,
    tangent_solve: &impl Fn(&dyn Fn(T) -> Result<T>, T) -> RT,
) -> Result<(T, A)> {
    const NAME: &str = "custom_root";
    let (leaves, def) = flatten(guess);
    let avals = avals_of_unknown(NAME, at, "the guess", &leaves, &def, "a root")?;
    let n = avals.len();
    let aux_def: RefCell<Option<TreeDef>> = RefCell::new(None);
    let run = |xs: &[Array]| -> Result<Vec<Array>> {
        let residual = |x: T| f(x).into_result();
        let guess = T::unflatten_from(&def, &mut xs.iter().cloned())?;
        let (x, aux) = solve(&residual, guess)?;
        let (mut outs, x_def) = flatten(&x);
        expect_like(NAME, "solve", at, (&outs, &x_def), (&avals, &def), "the guess")?;
        let (aux_leaves, own) = flatten(&aux);
        outs.extend(aux_leaves);
        *aux_def.borrow_mut() = Some(own);
        Ok(outs)
    };
    let solve_role = role("custom_root", "solve");
    let outs = if trace::current().is_eager() {
        let guess: Vec<Array> = leaves.iter().map(trace::strip).collect();
        let outs = trace::suspended(solve_role, at, || call_user(solve_role, at, || run(&guess)))?;
        outs.iter().map(trace::strip).collect()
    } else {
        let staged = stage(solve_role, at, &avals, |xs| run(xs))?;
        let operands = staged.operands(&leaves);
        let suspend = Suspend { program: staged.program, layers: Layers::All };
        bind_at(&suspend.into(), &operands, location_or(at))?
    };
    let outs = sound(outs)?;
    let x = unflatten(&def, outs[..n].to_vec())?;
    let aux_def = aux_def.take().unwrap_or_else(|| flatten(&()).1);
    let aux = unflatten(&aux_def, outs[n..].to_vec())?;
    let x = define(NAME, "the guess", at, f, &x, tangent_solve)?;
    Ok((x, aux))
}
