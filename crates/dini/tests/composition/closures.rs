//! Every callable of every higher-order function captures values of every enclosing transformation.
//!
//! Each enclosing transformation brings a scalar of its own: a, b, c. The function inside equals exp(0.3 a + 0.5 b + 0.7 c),
//! through captures alone. So each `grad` and `jvp` multiplies the result by the coefficient of its own scalar, `vmap`
//! sums over its lanes, and `jit` changes nothing.

use super::solves::{diagonal, newton};
use dini::prelude::*;

const COEFFICIENTS: [f64; 3] = [0.3, 0.5, 0.7];
const POINT: [f64; 3] = [0.4, -0.2, 0.6];
const LANES: [f64; 2] = [0.0, 0.5];

/// From the sum 0.3 a + 0.5 b + 0.7 c, which carries every tracer, to its exponential.
type Construct = dyn Fn(&Array) -> Result<Array>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Grad,
    Jvp,
    Vmap,
    Jit,
}
use Layer::*;

/// Applies the layers, outermost first; each adds its scalar to the sum.
fn nest(layers: &[Layer], depth: usize, sum: &Array, construct: &Construct) -> Result<Array> {
    let Some((layer, inner)) = layers.split_first() else {
        return construct(sum);
    };
    let with = |x: Array| nest(inner, depth + 1, &(sum + x * COEFFICIENTS[depth]), construct);
    let x = Array::from(POINT[depth]);
    match layer {
        Grad => grad(with)(x),
        Jvp => jvp(with, x, Array::from(1.0)).map(|(_, t)| t),
        Vmap => vmap(with)(x + Array::from(LANES.to_vec())).map(|y| y.sum()),
        Jit => jit(with)(x),
    }
}

fn expected(layers: &[Layer]) -> f64 {
    let mut value = 1.0;
    for (depth, layer) in layers.iter().enumerate() {
        let c = COEFFICIENTS[depth];
        value *= (c * POINT[depth]).exp()
            * match layer {
                Grad | Jvp => c,
                Vmap => LANES.iter().map(|d| (c * d).exp()).sum(),
                Jit => 1.0,
            };
    }
    value
}

fn check_without(left_out: &[Layer], name: &str, construct: &Construct) {
    let all = [Grad, Jvp, Vmap, Jit];
    let mut chains: Vec<Vec<Layer>> = vec![Vec::new()];
    let mut longest = chains.clone();
    for _ in 0..3 {
        longest = longest.iter().flat_map(|c| all.iter().map(|l| [c.clone(), vec![*l]].concat())).collect();
        chains.extend(longest.clone());
    }
    let mut wrong = Vec::new();
    for chain in chains.iter().filter(|c| !c.iter().any(|l| left_out.contains(l))) {
        let want = expected(chain);
        match nest(chain, 0, &Array::from(0.0), construct).and_then(|y| y.item::<f64>()) {
            Ok(got) if (got - want).abs() <= 1e-9 * want.abs() => {}
            Ok(got) => wrong.push(format!("{chain:?}: got {got}, want {want}")),
            Err(e) => wrong.push(format!("{chain:?}: {e}")),
        }
    }
    let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "`{name}`: {} of {} are wrong:\n{shown}", wrong.len(), chains.len());
}

fn check(name: &str, construct: impl Fn(&Array) -> Result<Array> + 'static) {
    check_without(&[], name, &construct);
}

#[test]
fn while_condition_and_body() {
    check_without(&[Grad], "while_loop", &|s| {
        // The condition depends on the tracers too: it holds four times.
        let limit = s * 0.0 + 3.5;
        let (_, y) = while_loop(
            |(k, _): (Array, Array)| k.lt(&limit),
            |(k, y): (Array, Array)| (k + 1.0, y * (s / 4.0).exp()),
            (Array::from(0.0), Array::from(1.0)),
        )?;
        Ok(y)
    });
}

#[test]
fn scan_body() {
    check("scan", |s| {
        let weights = Array::from(vec![0.25, 0.75]);
        let body = |y: Array, w: Array| (y * (s * &w).exp(), s * w);
        let (y, ws) = scan(body, Array::from(1.0), weights)?;
        Ok(y + ws.sum() - s)
    });
}

#[test]
fn fori_body() {
    check("fori_loop", |s| fori_loop(0, 4, |_, y: Array| y * (s / 4.0).exp(), Array::from(1.0)));
}

#[test]
fn cond_predicate_and_branches() {
    check("cond", |s| {
        let high = cond(&s.gt(-5.0), |one: Array| one * s.exp(), |one: Array| one * s.sqrt(), Array::from(1.0))?;
        cond(&s.gt(5.0), |y: Array| y * s.sqrt(), |y: Array| (y + s) - s, high)
    });
}

#[test]
fn switch_index_and_branches() {
    check("switch", |s| {
        let index = (s * 0.0 + 1.0).cast(DType::I32);
        switch(&index, &[&|_| Ok(s.log()), &|y: Array| Ok(y * s.exp())], Array::from(1.0))
    });
}

#[test]
fn map_body() {
    check("map", |s| Ok(map(|w: Array| (s + w).exp(), Array::from(vec![0.0, 0.0]))?.mean()));
}

#[test]
fn root_function_by_a_traced_solver() {
    check("custom_root f", |s| custom_root(|u: Array| u.log() - s, Array::from(1.0), newton, diagonal));
}

#[test]
fn root_whose_solver_captures_its_solution() {
    check("custom_root solve", |s| {
        let solution = s.exp();
        custom_root(|u: Array| u.log() - s, Array::from(1.0), |_, _| solution.clone(), diagonal)
    });
}

/// The derivative of u − eˢ with respect to u is 1, that of ln u − s is 1/u = e⁻ˢ: taken from a capture, it must be
/// differentiated at the next order.
#[test]
fn root_whose_tangent_solver_captures() {
    check("custom_root tangent_solve", |s| {
        custom_root(|u: Array| u.log() - s, Array::from(1.0), newton, |_, b| b * s.exp())
    });
}

#[test]
fn root_with_a_captured_guess() {
    check("custom_root guess", |s| custom_root(|u: Array| u.log() - s, s.exp() * 1.1, newton, diagonal));
}

#[test]
fn root_on_the_host() {
    check("host_call", |s| {
        custom_root(
            |u: Array| u.log() - s,
            Array::from(1.0),
            |_, _| host_call(|s: Array| Ok(Array::from(s.item::<f64>()?.exp())), &Array::from(0.0), s.clone()),
            diagonal,
        )
    });
}

#[test]
fn implicit_gradient_of_a_captured_solution() {
    check("define_implicit_gradient", |s| {
        define_implicit_gradient(|u: Array| u.log() - s, s.exp(), |_, b| b * s.exp())
    });
}

#[test]
fn linear_solve_callables() {
    check("custom_linear_solve", |s| {
        custom_linear_solve_transposable(
            |u: Array| u * (-s).exp(),
            Array::from(1.0),
            |_, b: Array| b * s.exp(),
            |_, b: Array| b / (-s).exp(),
        )
    });
    check("custom_linear_solve symmetric", |s| {
        custom_linear_solve_with(
            LinearSolveOptions::new().symmetric(),
            |u: Array| u * (-s * 0.5).exp(),
            (s * 0.5).exp(),
            |matvec, b: Array| Ok(&b / matvec(&b * 0.0 + 1.0)?),
        )
    });
}

#[test]
fn custom_jvp_function_and_rule() {
    check("custom_jvp captures", |s| {
        custom_jvp(|z: Array| z * s.exp(), |z: Array, t: Array| (z * s.exp(), t * s.exp()))(Array::from(1.0))
    });
    check("custom_jvp argument and captures", |s| {
        let half = s * 0.5;
        custom_jvp(|z: Array| (z + &half).exp(), |z: Array, t: Array| ((&z + &half).exp(), t * (&z + &half).exp()))(
            half.clone(),
        )
    });
}

#[test]
fn custom_vjp_functions() {
    check_without(&[Jvp], "custom_vjp", &|s| {
        let half = s * 0.5;
        custom_vjp(
            |z: Array| (z + &half).exp(),
            |z: Array| ((&z + &half).exp(), z),
            |z: Array, ct: Array| ct * (z + &half).exp(),
        )(half.clone())
    });
    check("custom_vjp_with_jvp", |s| {
        let half = s * 0.5;
        custom_vjp_with_jvp(
            |z: Array| (z + &half).exp(),
            |z: Array| ((&z + &half).exp(), z),
            |z: Array, ct: Array| ct * (z + &half).exp(),
            |z: Array, t: Array| t * (z + &half).exp(),
        )(half.clone())
    });
}

#[test]
fn checkpointed_function() {
    check("checkpoint", |s| checkpoint(|z: Array| (z + s).exp())(Array::from(0.0)));
    check("checkpoint, captures alone", |s| checkpoint(|(): ()| s.exp())(()));
}

#[test]
fn inner_transformations() {
    check("jit", |s| jit(|z: Array| z * s.exp())(Array::from(1.0)));
    check("vmap", |s| vmap(|z: Array| z * s.exp())(Array::from(vec![0.25, 0.75])).map(|y| y.sum()));
    check("grad", |s| grad(|z: Array| z * s.exp())(Array::from(1.0)));
    check("jvp", |s| jvp(|z: Array| z * s.exp(), Array::from(2.0), Array::from(1.0)).map(|(_, t)| t));
    check("linearize", |s| linearize(|z: Array| z * s.exp(), Array::from(2.0))?.1(Array::from(1.0)));
    check("linear_transpose", |s| linear_transpose(|z: Array| z * s.exp(), Array::from(1.0))(Array::from(1.0)));
}

/// A scan of conds of roots whose residual contains a linear solve, all of captures.
#[test]
fn depth_four() {
    check("scan of cond of root of linear solve", |s| {
        let body = |y: Array, w: Array| -> Result<(Array, ())> {
            let root = |one: Array| {
                let f = |u: Array| -> Result<Array> {
                    let log = custom_linear_solve_with(
                        LinearSolveOptions::new().symmetric(),
                        |z: Array| z * s.exp(),
                        u.log() * s.exp(),
                        |_, b: Array| b / s.exp(),
                    )?;
                    Ok(log - s * &w)
                };
                Ok::<_, Error>(one * custom_root(f, Array::from(1.0), newton, diagonal)?)
            };
            let u = cond(&s.gt(-9.0), root, |one: Array| one * s.sqrt(), Array::from(1.0))?;
            Ok((y * u, ()))
        };
        scan(body, Array::from(1.0), Array::from(vec![0.25, 0.75])).map(|(y, ())| y)
    });
}

/// The same value captured twice, once through an identity; and a captured literal.
#[test]
fn captured_twice() {
    check("captured twice", |s| {
        let (same, other) = (s.clone(), s + 0.0);
        let three = Array::from(3.0);
        custom_root(
            |u: Array| u.log() * &three - s - &same - &other,
            Array::from(1.0),
            |_, _| s.exp(),
            |g, b| Ok(b / g(Array::from(1.0))?),
        )
    });
}
