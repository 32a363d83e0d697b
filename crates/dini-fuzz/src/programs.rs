//! Random programs under random compositions of transformations, through the public interface.
//!
//! A program is a straight line of up to 60 steps (`steps`) on arrays of up to three axes, extents 0 and 1 included, with
//! loops, branches and solves among them (`program`). A chain of transformations is applied to it (`chain`) and checked:
//! compiled = evaluated one operation at a time, vectorized = stacked loop, reverse = forward (⟨J v, w⟩ = ⟨v, Jᵀ w⟩),
//! forward = finite differences, and every executor gives the same bits.

mod chain;
mod program;
mod steps;

use chain::{Flat, direction, dot};
use dini::prelude::*;
use dini_cpu::{Executor, fuzz::Choices};
use program::Program;
use std::rc::Rc;

/// A program, a chain of transformations of it, and the same without them.
pub struct Case {
    program: Rc<Program>,
    chain: String,
    transformed: Flat,
    reference: Flat,
}

impl Case {
    /// The case of some choices.
    pub fn new(choices: &mut Choices) -> Case {
        // Reverse mode cannot pass while loops.
        let has_while = choices.one_in(3);
        let program = Rc::new(Program::random(choices, has_while));
        let (chain, transformed, reference) = chain::random(choices, &program);
        Case { program, chain, transformed, reference }
    }

    /// The chain, and Rust code for the program and its inputs.
    pub fn describe(&self) -> String {
        format!("// {}\n{}\n", self.chain, self.program)
    }

    /// Makes all checks. Gives whether there was a number to compare that is not 0.
    ///
    /// # Errors
    /// What does not hold, or fails.
    ///
    /// # Panics
    /// If something in the library does.
    pub fn check(&self, executors: &[Executor]) -> Result<bool, String> {
        let x = &self.program.inputs;
        let run = |what: &str, f: &Flat| f(x.to_vec()).map_err(|e| format!("{what}: {e}"));
        let expected = run("reference", &self.reference)?;
        let compiled: Flat = {
            let f = self.transformed.clone();
            Rc::new(jit(move |x: Vec<Array>| f(x)))
        };
        close("transformed", &run("transformed", &self.transformed)?, &expected)?;
        close("compiled", &run("compiled", &compiled)?, &expected)?;
        self.same_bits(executors)?;
        let (v, w) = (direction(x, 0.3), direction(&expected, 1.1));
        let forward = jvp(&*self.transformed, x.to_vec(), v.clone()).map_err(|e| format!("forward mode: {e}"))?.1;
        if let Some(slopes) = self.slopes(&v)? {
            close_within("forward mode and finite differences", &forward, &slopes, 1e-4)?;
        }
        if !self.program.has_while {
            let reverse = || -> Result<Array> { Ok(dot(&vjp(&*self.transformed, x.to_vec())?.1(w.clone())?, &v)) };
            let reverse = reverse().map_err(|e| format!("reverse mode: {e}"))?;
            close("reverse and forward mode", &[reverse], &[dot(&forward, &w)])?;
        }
        let is_telling = |y: &Array| y.to_vec::<f64>().is_ok_and(|y| y.iter().any(|x| x.abs() > 1e-6));
        Ok(expected.iter().any(is_telling))
    }

    /// The graph that the chain becomes, on each executor.
    fn same_bits(&self, executors: &[Executor]) -> Result<(), String> {
        let f = self.transformed.clone();
        let lowered = dini::testing::lowered(move |x: Vec<Array>| f(x), &self.program.inputs);
        let (graph, inputs) = lowered.map_err(|e| format!("lowering: {e}"))?;
        dini_cpu::fuzz::Case::of(graph, inputs).check(executors).map_err(|e| format!("lowered to a graph: {e}"))
    }

    /// Slopes of the reference along a direction, unless it has a kink or a jump nearby: then steps of different lengths
    /// give different slopes.
    fn slopes(&self, v: &[Array]) -> Result<Option<Vec<Array>>, String> {
        let slopes = |step: f64| -> Result<Vec<Array>> {
            let at =
                |step: f64| (self.reference)(self.program.inputs.iter().zip(v).map(|(x, v)| x + v * step).collect());
            let (above, below) = (at(step)?, at(-step)?);
            Ok(above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * step)).collect())
        };
        let of_steps = [3e-5, 1e-5].map(|step| slopes(step).map_err(|e| format!("finite differences: {e}")));
        let [far, near] = of_steps;
        let (far, near) = (far?, near?);
        Ok(close_within("slopes", &far, &near, 2e-5).is_ok().then_some(near))
    }
}

fn close(what: &str, got: &[Array], want: &[Array]) -> Result<(), String> {
    close_within(what, got, want, 1e-9)
}

/// Compares relative to the largest element.
fn close_within(what: &str, got: &[Array], want: &[Array], tolerance: f64) -> Result<(), String> {
    let shapes = |ys: &[Array]| -> Vec<Vec<usize>> { ys.iter().map(|y| y.shape().to_vec()).collect() };
    if shapes(got) != shapes(want) {
        return Err(format!("{what}: shapes {:?}, expected {:?}", shapes(got), shapes(want)));
    }
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let numbers = |y: &Array| y.to_vec::<f64>().map_err(|e| format!("{what}: {e}"));
        let (got, want) = (numbers(got)?, numbers(want)?);
        let scale = want.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
        if let Some(x) = want.iter().find(|x| !x.is_finite()) {
            return Err(format!("{what}: output {i} has {x}: the steps are to keep numbers in bounds"));
        }
        let differs = |&at: &usize| (got[at] - want[at]).abs() > tolerance * scale || got[at].is_nan();
        if let Some(at) = (0..want.len()).find(differs) {
            return Err(format!("{what}: output {i}, element {at} is {:e}, expected {:e}", got[at], want[at]));
        }
    }
    Ok(())
}
