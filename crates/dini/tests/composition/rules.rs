//! Custom rules and missing ones where lanes, discrete leaves and higher orders meet.

use dini::{DType, ErrorKind, prelude::*};

fn f64s(x: Result<Array>) -> Vec<f64> {
    x.unwrap().to_vec().unwrap()
}

/// The cotangent does not depend on the lane: it is repeated for an argument that has lanes.
#[test]
fn a_backward_rule_that_ignores_its_cotangent() {
    let f = |x: Array| custom_vjp(|x: Array| x.sin(), |x: Array| (x.sin(), ()), |(), _: Array| Array::from(7.0))(x);
    let xs = || Array::from(vec![1.0, 2.0, 3.0]);
    assert_eq!(f64s(vmap(grad(f))(xs())), [7.0; 3]);
    assert_eq!(f64s(jit(vmap(grad(f)))(xs())), [7.0; 3]);
    assert_eq!(f64s(grad(|x: Array| vmap(f)(x).map(|y| y.sum()))(xs())), [7.0; 3]);
}

/// An argument without lanes gets the sum over them, a discrete one `float0`.
#[test]
fn partly_batched_arguments_of_rules() {
    let f = |(x, n, s): (Array, Array, Array)| {
        custom_vjp_with_jvp(
            |(x, n, s): (Array, Array, Array)| x * n.cast(DType::F64) * s,
            |(x, n, s): (Array, Array, Array)| (&x * n.cast(DType::F64) * &s, (x, n, s)),
            |(x, n, s): (Array, Array, Array), ct: Array| {
                let m = n.cast(DType::F64);
                (&ct * &m * &s, Array::zeros(n.shape(), DType::Float0), ct * m * x)
            },
            |(x, n, s): (Array, Array, Array), (dx, _, ds): (Array, Array, Array)| {
                let m = n.cast(DType::F64);
                dx * &m * s + x * m * ds
            },
        )((x, n, s))
    };
    let ns = || Array::from(vec![2i32, 5]);
    let lanes =
        |(x, s): (Array, Array)| vmap(|(x, n): (Array, Array)| f((x, n, s.clone())))((x, ns())).map(|y| y.sum());
    let at = || (Array::from(vec![1.0, 2.0]), Array::from(3.0));
    for g in [grad(lanes)(at()), jit(grad(lanes))(at())] {
        let (dx, ds) = g.unwrap();
        assert_eq!(f64s(Ok(dx)), [6.0, 15.0]);
        assert_eq!(f64s(Ok(ds)), [12.0]);
    }
    let (_, t) = jvp(lanes, at(), (Array::from(vec![1.0, 1.0]), Array::from(1.0))).unwrap();
    assert_eq!(f64s(Ok(t)), [33.0]);
    let slopes = vmap(|(x, n): (Array, Array)| {
        jvp(|x: Array| f((x, n.clone(), Array::from(3.0))), x, Array::from(1.0)).map(|(_, t)| t)
    });
    assert_eq!(f64s(slopes((Array::from(vec![1.0, 2.0]), ns()))), [6.0, 15.0]);
}

/// A derivative that does not exist is never 0, whatever is done with it.
#[test]
fn a_missing_rule_is_never_zero() {
    let host = |x: Array| host_call(|x: Array| Ok(Array::from(x.item::<f64>()?.sin())), &Array::from(0.0), x);
    let plus = |x: Array| Ok::<_, Error>(host(x.clone())? + x);
    let xs = || Array::from(vec![1.0, 2.0]);
    let x = || Array::from(1.0);
    for e in [
        grad(host)(x()),
        jit(grad(host))(x()),
        jit(grad(plus))(x()),
        grad(jit(plus))(x()),
        vmap(grad(plus))(xs()),
        jit(vmap(grad(plus)))(xs()),
        jvp(plus, x(), x()).map(|(_, t)| t),
        jit(|x: Array| jvp(plus, x, Array::from(1.0)).map(|(_, t)| t))(x()),
        grad(grad(plus))(x()),
        jit(grad(grad(plus)))(x()),
        grad(jit(grad(plus)))(x()),
        grad(checkpoint(plus))(x()),
        jit(grad(|x: Array| scan(|c: Array, _: Array| Ok((plus(c)?, ())), x, Array::from(vec![0.0])).map(|(c, ())| c)))(
            x(),
        ),
        jit(grad(|x: Array| cond(&x.gt(0.0), plus, |x: Array| x, x.clone())))(x()),
    ] {
        assert_eq!(e.unwrap_err().kind(), ErrorKind::MissingRule);
    }
    // Where it is not needed the rest has its derivative.
    let stopped = |x: Array| Ok::<_, Error>(host(stop_gradient(&x))? * x);
    assert_eq!(f64s(jit(grad(stopped))(x())), [1.0f64.sin()]);
}

/// `ensure` in branches, loops and nested lanes: one condition for all lanes counts if any lane takes the branch.
#[test]
fn effects_of_nested_lanes() {
    let never = |x: Array| -> Result<Array> {
        ensure(&Array::from(false), "never")?;
        Ok(x)
    };
    let guarded = |x: Array| cond(&x.gt(0.0), never, |x: Array| Ok(x * 2.0), x.clone());
    assert_eq!(f64s(vmap(guarded)(Array::from(vec![-1.0, -2.0]))), [-2.0, -4.0]);
    assert_eq!(vmap(guarded)(Array::from(vec![-1.0, 2.0])).unwrap_err().kind(), ErrorKind::Ensure);
    let positive = |x: Array| -> Result<Array> {
        ensure(&x.gt(0.0), "positive")?;
        Ok(x.sqrt())
    };
    let deep = |x: Array| {
        let body = |y: Array, _: Array| Ok((cond(&y.gt(0.0), positive, |y: Array| Ok(y * 0.0), y.clone())?, ()));
        let looped = |x: Array| scan(body, x, Array::from(vec![0.0])).map(|(y, ())| y);
        cond(&x.gt(-5.0), looped, |x: Array| Ok(x * 0.0), x.clone())
    };
    let grid = Array::from([[4.0, -1.0], [-9.0, 16.0]]);
    assert_eq!(f64s(vmap(vmap(deep))(grid.clone())), [2.0, 0.0, 0.0, 4.0]);
    assert_eq!(f64s(jit(vmap(vmap(grad(deep))))(grid)), [0.25, 0.0, 0.0, 0.125]);
}
