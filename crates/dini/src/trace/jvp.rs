//! Forward-mode differentiation: a tracer is a primal with a tangent that is not zero. Without elements there is nothing
//! to vary: what such a value enters is constant in it, also where a formula for the tangent would say 0/0.

use super::{Kind, Payload, Trace, argument, bind_at, enter, with_location, with_trace};
use crate::{
    array::{Array, Origin},
    error::{Loc, Result},
    prim::Prim,
};
use std::rc::Rc;

fn dual(trace: &Trace, primal: Array, tangent: Option<Array>, origin: Origin) -> Array {
    match (tangent, primal.try_aval()) {
        (Some(tangent), Ok(aval)) if aval.size() > 0 => {
            if let Ok(t) = tangent.try_aval() {
                debug_assert_eq!(t, aval, "tangent of `{}`", origin.what);
            }
            Array::traced(aval.clone(), trace.tag, Payload::Dual { primal: primal.clone(), tangent }, origin)
        }
        (_, Ok(_) | Err(_)) => primal,
    }
}

/// A value's primal and, where it is not zero, its tangent.
fn split(trace: &Trace, x: &Array) -> (Array, Option<Array>) {
    match x.payload_of(trace.tag) {
        Some(Payload::Dual { primal, tangent }) => (primal.clone(), Some(tangent.clone())),
        Some(Payload::Var(_) | Payload::Batched { .. }) | None => (x.clone(), None),
    }
}

pub(super) fn process(trace: &Rc<Trace>, prim: &Prim, inputs: &[Array], at: Loc) -> Result<Vec<Array>> {
    let (primals, tangents): (Vec<_>, Vec<_>) = inputs.iter().map(|x| split(trace, x)).unzip();
    let parent = trace.parent.as_ref().expect("a differentiation has a parent");
    let origin = Origin { what: prim.name(), at };
    with_trace(parent, || {
        with_location(at, || {
            // A late error in a tangent spoils the tangents that depend on it, never the primals.
            let late = tangents.iter().flatten().find_map(|t| t.as_poison()).cloned();
            let (outs, out_tangents) = match late {
                Some(error) => {
                    let outs = bind_at(prim, &primals, at)?;
                    let tangents = outs
                        .iter()
                        .map(|y| y.aval().dtype.is_inexact().then(|| Array::poison(error.clone())))
                        .collect();
                    (outs, tangents)
                }
                None => prim.jvp(&primals, &tangents, at)?,
            };
            debug_assert_eq!(outs.len(), out_tangents.len());
            Ok(outs.into_iter().zip(out_tangents).map(|(y, t)| dual(trace, y, t, origin)).collect())
        })
    })
}

/// Outputs and their tangents (`None`: zero) of `f` at `primals` along `tangents`.
pub(crate) fn jvp_flat(
    name: &'static str,
    at: Loc,
    primals: &[Array],
    tangents: &[Option<Array>],
    f: impl FnOnce(&[Array]) -> Result<Vec<Array>>,
) -> Result<(Vec<Array>, Vec<Option<Array>>)> {
    let (outs, _) = enter(Kind::Jvp, name, at, |trace| {
        let args: Vec<Array> = primals
            .iter()
            .zip(tangents)
            .map(|(x, t)| match t {
                Some(t) if x.aval().size() > 0 => {
                    let payload = Payload::Dual { primal: x.clone(), tangent: t.clone() };
                    argument(trace, x.aval().clone(), payload)
                }
                Some(_) | None => x.clone(),
            })
            .collect();
        let outs = f(&args)?;
        Ok(outs.iter().map(|y| split(trace, y)).collect::<Vec<_>>())
    })?;
    Ok(outs.into_iter().unzip())
}

#[cfg(test)]
mod tests {
    use crate::{Array, grad, hessian, jacfwd, jit};

    #[test]
    fn what_has_no_elements_does_not_vary() {
        // ln Σ over nothing is −∞, whose derivative by the formula is 0/0.
        let f = |x: Array| x.sum() + x.slice_in_dim(0, 0, 1, 0).sum().log().exp();
        let x = || Array::from(vec![1.0, 2.0]);
        let ones = [1.0, 1.0];
        assert_eq!(jacfwd(f)(x()).unwrap().to_vec::<f64>().unwrap(), ones);
        assert_eq!(grad(f)(x()).unwrap().to_vec::<f64>().unwrap(), ones);
        assert_eq!(jit(grad(f))(x()).unwrap().to_vec::<f64>().unwrap(), ones);
        assert_eq!(hessian(f)(x()).unwrap().to_vec::<f64>().unwrap(), [0.0; 4]);
        let empty = Array::from(Vec::<f64>::new());
        assert_eq!(grad(|x: Array| x.logsumexp())(empty).unwrap().shape(), [0]);
    }
}
