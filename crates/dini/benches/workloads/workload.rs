//! What a workload is: a name, a way to prepare it, and then a call that can be repeated and whose results can be seen.

use dini::{Result, Tree, prelude::Array, tree::flatten};
use std::{
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

/// A program to measure, not yet built.
pub struct Workload {
    /// `topic/variant/size`, the same in JAX's worker and in the table.
    pub name: String,
    /// Makes the inputs. Nothing is traced before the first call.
    pub prepare: Box<dyn Fn() -> Result<Box<dyn Prepared>>>,
}

impl Workload {
    pub fn new(name: impl Into<String>, prepare: impl Fn() -> Result<Box<dyn Prepared>> + 'static) -> Workload {
        Workload { name: name.into(), prepare: Box::new(prepare) }
    }
}

/// A workload with its inputs.
pub trait Prepared {
    /// What one call computes, for the comparison with JAX's results.
    fn results(&self) -> Result<Vec<Array>>;

    /// Calls `n` times and says how long that took.
    fn run(&self, n: u64) -> Result<Duration>;
}

struct Call<F, In> {
    f: F,
    x: In,
}

/// Repeated calls of one function with one argument; the first of them traces and compiles.
pub fn call<In, Out>(f: impl Fn(In) -> Result<Out> + 'static, x: In) -> Result<Box<dyn Prepared>>
where
    In: Tree + Clone + 'static,
    Out: Tree,
{
    Ok(Box::new(Call { f, x }))
}

impl<In: Tree + Clone, Out: Tree, F: Fn(In) -> Result<Out>> Prepared for Call<F, In> {
    fn results(&self) -> Result<Vec<Array>> {
        Ok(flatten(&(self.f)(self.x.clone())?).0)
    }

    fn run(&self, n: u64) -> Result<Duration> {
        let started = Instant::now();
        for _ in 0..n {
            black_box((self.f)(black_box(self.x.clone()))?);
        }
        Ok(started.elapsed())
    }
}

struct Steps<F> {
    f: F,
    x: Array,
}

/// Repeated calls of a function of one array, which is given away: each result is the next argument.
pub fn steps(f: impl Fn(Array) -> Result<Array> + 'static, x: Array) -> Result<Box<dyn Prepared>> {
    Ok(Box::new(Steps { f, x }))
}

impl<F: Fn(Array) -> Result<Array>> Prepared for Steps<F> {
    fn results(&self) -> Result<Vec<Array>> {
        Ok(vec![(self.f)(self.x.clone())?])
    }

    fn run(&self, n: u64) -> Result<Duration> {
        // Not the array itself: its first call would have to copy it.
        let mut x = (&self.x + 0.0).check()?.clone();
        let started = Instant::now();
        for _ in 0..n {
            x = (self.f)(black_box(x))?;
        }
        Ok(started.elapsed())
    }
}

struct Fresh<M, S> {
    make: M,
    show: S,
    n_made: Cell<u32>,
}

/// Something made anew in each call: `make` gets a constant that no call before has had, so that no cache of programs
/// helps. `show` gives the results of what was made with 1.
pub fn fresh<T>(
    make: impl Fn(f64) -> Result<T> + 'static,
    show: impl Fn(T) -> Result<Array> + 'static,
) -> Result<Box<dyn Prepared>>
where
    T: 'static,
{
    Ok(Box::new(Fresh { make, show, n_made: Cell::new(0) }))
}

impl<T, M: Fn(f64) -> Result<T>, S: Fn(T) -> Result<Array>> Prepared for Fresh<M, S> {
    fn results(&self) -> Result<Vec<Array>> {
        Ok(vec![(self.show)((self.make)(1.0)?)?])
    }

    fn run(&self, n: u64) -> Result<Duration> {
        let started = Instant::now();
        for _ in 0..n {
            self.n_made.set(self.n_made.get() + 1);
            black_box((self.make)(1.0 + 1e-9 * f64::from(self.n_made.get()))?);
        }
        Ok(started.elapsed())
    }
}
