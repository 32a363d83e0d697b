//! Donated arguments: their memory is used again where nobody else holds it, and results are the same in every case.

use dini::{ErrorKind, prelude::*};

fn bytes_allocated<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let counters = Counters::start();
    let result = f();
    (result, counters.bytes_allocated())
}

const N: usize = 100_000;
const BYTES: u64 = 8 * N as u64;

fn ramp() -> Array {
    Array::linspace(0.0, 1.0, N)
}

#[test]
fn an_elementwise_result_stands_where_the_argument_did() -> Result<()> {
    let f = |x: Array| x.sin() * &x + 1.0;
    let (plain, donating) = (jit(f), jit_with(Jit::new().donate([0]), f));
    let expected = plain(ramp())?.to_vec::<f64>()?;
    donating(ramp())?;
    let x = ramp();
    let (y, bytes) = bytes_allocated(|| donating(x));
    assert_eq!(y?.to_vec::<f64>()?, expected);
    assert!(bytes < BYTES / 2, "{bytes} bytes");
    let x = ramp();
    let (_, bytes) = bytes_allocated(|| plain(x));
    assert!(bytes >= BYTES, "{bytes} bytes");
    Ok(())
}

#[test]
fn a_clone_keeps_its_elements() -> Result<()> {
    let f = jit_with(Jit::new().donate([0]), |x: Array| x * 2.0);
    let x = ramp();
    for _ in 0..3 {
        let y = f(x.clone())?;
        assert_eq!(y.index(-1).item::<f64>()?, 2.0);
        assert_eq!(x.index(-1).item::<f64>()?, 1.0);
    }
    // The same array twice: neither is the only handle.
    let g = jit_with(Jit::new().donate([0, 1]), |(a, b): (Array, Array)| (&a + &b, &a - &b));
    let (sum, difference) = g((x.clone(), x))?;
    assert_eq!((sum.index(-1).item::<f64>()?, difference.index(-1).item::<f64>()?), (2.0, 0.0));
    Ok(())
}

#[test]
fn updates_and_loops_work_in_place() -> Result<()> {
    let set =
        jit_with(Jit::new().donate([0]), |(x, i): (Array, Array)| x.dynamic_update_index(&Array::from(7.0), &i, 0));
    set((ramp(), Array::from(0)))?;
    let x = ramp();
    let (y, bytes) = bytes_allocated(|| set((x, Array::from(3))));
    assert_eq!(y?.index(3).item::<f64>()?, 7.0);
    assert!(bytes < BYTES / 2, "{bytes} bytes");

    let steps = |x: Array| fori_loop(0, 5, |_, x: Array| &x + x.cos() * 0.1, x);
    let (plain, donating) = (jit(steps), jit_with(Jit::new().donate([0]), steps));
    for _ in 0..3 {
        assert_eq!(donating(ramp())?.to_vec::<f64>()?, plain(ramp())?.to_vec::<f64>()?);
    }
    Ok(())
}

#[test]
fn arguments_that_are_results_or_unused_come_through() -> Result<()> {
    let f =
        jit_with(Jit::new().donate([0, 1]), |(x, y, z): (Array, Array, Array)| (x.clone(), &x + &z, x, y.sum() * 0.0));
    for n in [0, 1, 2, 3, 1000] {
        let part = |s: f64| Array::from((0..n).map(|i| f64::from(i) + s).collect::<Vec<f64>>());
        let (x, sum, again, zero) = f((part(0.0), part(1.0), part(2.0)))?;
        let values = part(0.0).to_vec::<f64>()?;
        assert_eq!((x.to_vec::<f64>()?, again.to_vec::<f64>()?), (values.clone(), values.clone()));
        assert_eq!(sum.to_vec::<f64>()?, values.iter().map(|v| 2.0 * v + 2.0).collect::<Vec<_>>());
        assert_eq!(zero.item::<f64>()?, 0.0);
    }
    Ok(())
}

#[test]
fn other_transformations_ignore_donation() -> Result<()> {
    let f = jit_with(Jit::new().donate([0]), |x: Array| (&x * &x).sum());
    let x = ramp();
    let slope = grad(|x: Array| f(x))(x.clone())?;
    assert_eq!(slope.index(-1).item::<f64>()?, 2.0);
    assert_eq!(vmap(|x: Array| f(x))(x.reshape(&[10, N / 10]))?.shape(), [10]);
    assert_eq!(x.index(-1).item::<f64>()?, 1.0);
    let ahead = compile_with(Jit::new().donate([0]), |x: Array| x + 1.0, &x)?;
    assert_eq!(ahead.call(x.clone())?.index(-1).item::<f64>()?, 2.0);
    assert_eq!(x.index(-1).item::<f64>()?, 1.0);
    Ok(())
}

#[test]
fn a_failing_call_loses_nothing_that_is_held() -> Result<()> {
    let f = jit_with(Jit::new().donate([0]), |x: Array| {
        let y = &x * 2.0;
        ensure(&x.sum().gt(0.0), "the sum is positive")?;
        Ok::<_, Error>(y)
    });
    let x = Array::from(vec![-1.0, -2.0]);
    assert!(f(x.clone()).is_err());
    assert_eq!(x.to_vec::<f64>()?, [-1.0, -2.0]);
    assert_eq!(f(Array::from(vec![1.0, 2.0]))?.to_vec::<f64>()?, [2.0, 4.0]);
    Ok(())
}

#[test]
fn a_position_that_is_not_there_is_an_error() {
    let f = jit_with(Jit::new().donate([2]), |(x, y): (Array, Array)| x + y);
    let error = f((ramp(), ramp())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Structure);
    assert!(error.to_string().contains("argument 2 is donated, and there are 2"), "{error}");
}
