//! Rust code inside staged programs: `host_call`, `inspect`, `ensure`.

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    prim::{
        effects::{Ensure, Inspect},
        host::HostCall,
    },
    shape::Aval,
    trace::{bind_at, here},
    transform::sound,
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::sync::Arc;

/// Calls any Rust function from inside a program, staged or not.
///
/// The function gets concrete arrays and returns what `like` declares: its structure, shapes and dtypes count, not its
/// values. It must be pure: it may be removed, merged with an equal call and repeated. Under `vmap` it runs lane by lane
/// ([`host_call_batched`]: once for all), not for lanes that do not take its branch or have left its loop. It has no
/// derivative of its own: wrap it in [`custom_jvp`](crate::custom_jvp), or call it inside the `solve` of
/// [`custom_root`](crate::custom_root). It runs on the thread that runs the program, so it is `Send + Sync + 'static`.
///
/// # Errors
/// Whatever the function returns as `Err`, and results that are not as declared.
///
/// ```
/// use dini::prelude::*;
/// let next = |x: Array| {
///     host_call(|x: Array| -> Result<Array> { Ok(Array::from(x.item::<f64>()?.next_up())) }, &Array::from(0.0), x)
/// };
/// let y = jit(vmap(next))(Array::from(vec![1.0, 2.0]))?;
/// assert_eq!(y.to_vec::<f64>()?, [1.0f64.next_up(), 2.0f64.next_up()]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn host_call<In: Tree, R: Outcome>(
    f: impl Fn(In) -> R + Send + Sync + 'static,
    like: &R::Tree,
    x: In,
) -> Result<R::Tree> {
    call(f, like, x, false)
}

/// [`host_call`] of a function that takes all lanes at once: under `vmap` it is called once, with one leading axis per
/// enclosing `vmap`, outermost first, on every operand, and returns results with the same leading axes. `like` declares the
/// results of one lane. Without a `vmap` there are no such axes.
///
/// # Errors
/// As for [`host_call`].
///
/// ```
/// use dini::prelude::*;
/// let next = |x: Array| {
///     let f = |x: Array| -> Result<Array> {
///         let next: Vec<f64> = x.to_vec::<f64>()?.iter().map(|x| x.next_up()).collect();
///         Ok(Array::new(next, x.shape()))
///     };
///     host_call_batched(f, &Array::from(0.0), x)
/// };
/// let y = jit(vmap(next))(Array::from(vec![1.0, 2.0]))?;
/// assert_eq!(y.to_vec::<f64>()?, [1.0f64.next_up(), 2.0f64.next_up()]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn host_call_batched<In: Tree, R: Outcome>(
    f: impl Fn(In) -> R + Send + Sync + 'static,
    like: &R::Tree,
    x: In,
) -> Result<R::Tree> {
    call(f, like, x, true)
}

#[track_caller]
fn call<In: Tree, R: Outcome>(
    f: impl Fn(In) -> R + Send + Sync + 'static,
    like: &R::Tree,
    x: In,
    is_batched: bool,
) -> Result<R::Tree> {
    let at = here();
    let (leaves, in_def) = flatten(&x);
    let (declared, out_def) = flatten(like);
    let outs = declared.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<Aval>>>()?;
    let want = out_def.clone();
    let function = move |xs: &[Array]| -> Result<Vec<Array>> {
        let x = In::unflatten_from(&in_def, &mut xs.iter().cloned())?;
        let (leaves, def) = flatten(&f(x).into_result()?);
        match def.first_difference(&want) {
            None => Ok(leaves),
            Some(difference) => Err(Error::new(
                ErrorKind::Structure,
                format!("the host function returned the structure {def}, declared {want}; {difference}"),
            )),
        }
    };
    let prim = HostCall { function: Arc::new(function), outs, lanes: Vec::new(), is_batched, is_guarded: false, at };
    unflatten(&out_def, sound(bind_at(&prim.into(), &leaves, at)?)?)
}

/// Shows values to `f` when they are computed, and gives them back.
///
/// Never removed, merged or repeated. Under `vmap` the function sees all lanes at once, on the leading axis; under
/// differentiation it sees primals. Use what it returns, or nothing, as you like.
///
/// ```
/// use dini::prelude::*;
/// let f = jit(|x: Array| inspect(|x: Array| println!("x = {x}"), &x.sin()));
/// f(Array::from(0.0))?;
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn inspect<T: Tree>(f: impl Fn(T) + Send + Sync + 'static, x: &T) -> Result<T> {
    let at = here();
    let (leaves, def) = flatten(x);
    let own = def.clone();
    let function = move |xs: &[Array]| {
        if let Ok(x) = T::unflatten_from(&own, &mut xs.iter().cloned()) {
            f(x);
        }
    };
    unflatten(&def, sound(bind_at(&Inspect { function: Arc::new(function) }.into(), &leaves, at)?)?)
}

/// Turns the call into an error with this message unless the condition (`bool`, any shape) holds everywhere.
///
/// In a compiled function the check happens when it runs; the error names this line and the lanes that failed.
///
/// ```
/// use dini::prelude::*;
/// let f = jit(|x: Array| -> Result<Array> {
///     ensure(&x.gt(0.0), "x must be positive")?;
///     Ok(x.sqrt())
/// });
/// assert!(f(Array::from(4.0)).is_ok());
/// assert_eq!(f(Array::from(-4.0)).unwrap_err().kind(), dini::ErrorKind::Ensure);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn ensure(condition: &Array, message: &str) -> Result<()> {
    bind_at(&Ensure { message: message.to_string() }.into(), std::slice::from_ref(condition), here()).map(|_| ())
}
