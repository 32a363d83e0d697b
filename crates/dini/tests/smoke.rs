//! First light: every transformation on small functions.
use dini::prelude::*;

fn f64s(x: &Array) -> Vec<f64> {
    x.to_vec().unwrap()
}

#[test]
fn eager() {
    let x = Array::from(vec![1.0, 2.0]);
    assert_eq!(f64s(&(&x * 2.0 + 1.0)), [3.0, 5.0]);
}

#[test]
fn derivatives_of_a_cube() {
    let f = |x: Array| &x * &x * &x;
    assert_eq!(grad(f)(Array::from(2.0)).unwrap().item::<f64>().unwrap(), 12.0);
    assert_eq!(grad(grad(f))(Array::from(2.0)).unwrap().item::<f64>().unwrap(), 12.0);
    assert_eq!(grad(grad(grad(f)))(Array::from(2.0)).unwrap().item::<f64>().unwrap(), 6.0);
    let d = jit(vmap(grad(f)));
    assert_eq!(f64s(&d(Array::from(vec![1.0, 2.0])).unwrap()), [3.0, 12.0]);
    let d = vmap(jit(grad(f)));
    assert_eq!(f64s(&d(Array::from(vec![1.0, 2.0])).unwrap()), [3.0, 12.0]);
    let d = grad(jit(grad(jit(f))));
    assert_eq!(d(Array::from(2.0)).unwrap().item::<f64>().unwrap(), 12.0);
}

fn bisect(f: &dyn Fn(Array) -> Result<Array>, lo: f64, hi: f64) -> Result<Array> {
    let (lo, _) = while_loop(
        |(lo, hi): (Array, Array)| (&hi - &lo).gt(1e-13),
        |(lo, hi): (Array, Array)| -> Result<(Array, Array)> {
            let mid = (&lo + &hi) * 0.5;
            let up = f(mid.clone())?.gt(0.0);
            Ok((select(&up, &lo, &mid), select(&up, &mid, &hi)))
        },
        (Array::from(lo), Array::from(hi)),
    )?;
    Ok(lo)
}

#[test]
fn sqrt_cubed() {
    let f = |x: Array| -> Result<Array> {
        custom_root(
            |y: Array| &y * &y - x.powi(3),
            Array::from(1.0),
            |f, _guess| bisect(f, 0.0, 1000.0),
            |g, y| Ok(y / g(Array::from(1.0))?),
        )
    };
    let at = |x: f64| Array::from(x);
    let close = |a: Array, b: f64| {
        let a = a.item::<f64>().unwrap();
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    };
    let x: f64 = 4.0;
    close(f(at(x)).unwrap(), x.powf(1.5));
    close(grad(f)(at(x)).unwrap(), 1.5 * x.powf(0.5));
    close(grad(grad(f))(at(x)).unwrap(), 0.75 * x.powf(-0.5));
    close(grad(grad(grad(f)))(at(x)).unwrap(), -0.375 * x.powf(-1.5));
    close(grad(grad(grad(grad(f))))(at(x)).unwrap(), 0.5625 * x.powf(-2.5));
    close(jit(grad(grad(f)))(at(x)).unwrap(), 0.75 * x.powf(-0.5));
    close(grad(jit(grad(f)))(at(x)).unwrap(), 0.75 * x.powf(-0.5));
    let (_, t) = jvp(grad(f), at(x), at(1.0)).unwrap();
    close(t, 0.75 * x.powf(-0.5));
    let many = jit(vmap(grad(f)))(Array::from(vec![4.0, 5.0, 30.0])).unwrap();
    for (a, x) in f64s(&many).iter().zip([4.0f64, 5.0, 30.0]) {
        assert!((a - 1.5 * x.sqrt()).abs() < 1e-9);
    }
    let many = vmap(jit(grad(grad(f))))(Array::from(vec![4.0, 5.0, 30.0])).unwrap();
    for (a, x) in f64s(&many).iter().zip([4.0f64, 5.0, 30.0]) {
        assert!((a - 0.75 / x.sqrt()).abs() < 1e-9);
    }
    println!("{}", compiled_program_of(grad(f), &at(4.0)).unwrap());
}

#[test]
fn scans() {
    let f = |x: Array| {
        let (c, ys) = scan(
            |c: Array, s: Array| {
                let c = (&c * &x + s).sin();
                (c.clone(), c)
            },
            Array::from(0.5),
            Array::from(vec![1.0, 2.0, 3.0]),
        )?;
        Ok::<_, Error>(c + ys.sum())
    };
    let g = grad(f)(Array::from(0.7)).unwrap().item::<f64>().unwrap();
    let h = 1e-6;
    let v = |x: f64| f(Array::from(x)).unwrap().item::<f64>().unwrap();
    let d = (v(0.7 + h) - v(0.7 - h)) / (2.0 * h);
    assert!((g - d).abs() < 1e-7, "{g} {d}");
    let j = jit(grad(f))(Array::from(0.7)).unwrap().item::<f64>().unwrap();
    assert!((g - j).abs() < 1e-12);
    let gg = grad(grad(f))(Array::from(0.7)).unwrap().item::<f64>().unwrap();
    let w = |x: f64| grad(f)(Array::from(x)).unwrap().item::<f64>().unwrap();
    let d = (w(0.7 + h) - w(0.7 - h)) / (2.0 * h);
    assert!((gg - d).abs() < 1e-6, "{gg} {d}");
    let many = jit(vmap(grad(f)))(Array::from(vec![0.7, 0.1])).unwrap();
    assert!((f64s(&many)[0] - g).abs() < 1e-12);
    let c = grad(checkpoint(f))(Array::from(0.7)).unwrap().item::<f64>().unwrap();
    assert!((g - c).abs() < 1e-12);
}

/// A loop inside a checkpoint carries primals and tangents in one equation; what follows it is not linear in its primals.
#[test]
fn checkpoint_around_loops() {
    let f = |x: Array| -> Result<Array> {
        let y = fori_loop(0, 3, |_i, y: Array| (&y * &x).sin() + &x, x.clone())?;
        let z = cond(&y.gt(0.1), |y: Array| y.exp(), |y: Array| y.sin(), y)?;
        Ok(z.cos() * &x)
    };
    let x = || Array::from(0.7);
    let close = |a: Array, b: Array| {
        let (a, b) = (a.item::<f64>().unwrap(), b.item::<f64>().unwrap());
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    };
    close(grad(checkpoint(f))(x()).unwrap(), grad(f)(x()).unwrap());
    close(jit(grad(checkpoint(f)))(x()).unwrap(), grad(f)(x()).unwrap());
    close(grad(grad(checkpoint(f)))(x()).unwrap(), grad(grad(f))(x()).unwrap());
    close(grad(checkpoint(checkpoint(f)))(x()).unwrap(), grad(f)(x()).unwrap());
}
