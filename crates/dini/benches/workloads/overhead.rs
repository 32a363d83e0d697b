//! What there is to pay before and beside computing: calls, compilation, the first result of a process.

use crate::{
    inputs::uniform,
    workload::{Workload, call, fresh},
};
use dini::prelude::*;

pub fn workloads() -> Vec<Workload> {
    let mut all = vec![Workload::new("call/scalar", || call(jit(|x: Array| x * 2.0 + 1.0), Array::from(0.5)))];
    for n in [20, 200, 2000] {
        all.push(Workload::new(format!("compile/{n}"), move || {
            // There is no public function that compiles a program without tracing it: our time includes both.
            fresh(move |salt| compile(chain(n, salt), &x()), |compiled| compiled.call(x()))
        }));
    }
    all.push(Workload::new("first-run/gradient-50", || {
        fresh(|salt| jit(grad(move |x: Array| chain(50, salt)(x).sum()))(x()), Ok)
    }));
    all
}

fn x() -> Array {
    uniform(1, &[1000], -1.0, 1.0)
}

/// `n` elementwise operations, one of which has the constant `salt`.
fn chain(n: usize, salt: f64) -> impl Fn(Array) -> Array {
    move |x| {
        (1..n).fold(&x * salt, |y, i| match i % 5 {
            1 => y.sin(),
            2 => y * &x,
            3 => y + &x,
            4 => y.tanh(),
            _ => y - 0.25,
        })
    }
}

/// A compiled gradient in a process that has done nothing before: prints its last element.
pub fn first_gradient() -> Result<()> {
    let slope = jit(grad(|x: Array| (x.sin() * &x).sum()))(Array::linspace(0.0, 1.0, 10))?;
    println!("{}", slope.index(-1).item::<f64>()?);
    Ok(())
}
