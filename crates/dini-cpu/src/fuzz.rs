//! Random graphs, and what must hold for each: for the tests of this crate and for `xtask fuzz`.
//!
//! A case follows from its [`Choices`] alone. Each is one of two kinds: with small whole numbers, whose sums are exact in
//! any order, every executor must agree with the reference evaluator, which shares nothing with kernels and schedules;
//! with any numbers and operations, machine code must agree with the interpreter, bit for bit (NaNs are all alike).

mod choices;
mod elements;
mod maker;
mod prune;
mod reference;
mod rust;

use crate::{
    buffer::Buffer,
    dtype::DType,
    executable::Executable,
    executor::Executor,
    graph::{Graph, TensorType},
    schedule,
};
pub use choices::{Choices, SplitMix, shrink};
use elements::{Numbers, elements};
use maker::{Taste, random_graph};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A graph and lists of inputs.
pub struct Case {
    graph: Graph,
    numbers: Numbers,
    runs: Vec<Vec<Arc<Buffer>>>,
}

impl Case {
    /// The case of some choices.
    pub fn new(choices: &mut Choices) -> Case {
        let numbers = *choices.pick(&[Numbers::Any, Numbers::Any, Numbers::Whole]);
        let taste = *choices.pick(&[Taste::Mixed, Taste::Mixed, Taste::Small, Taste::Single, Taste::Long]);
        let graph = random_graph(choices, taste, numbers);
        let mut input = |t: &TensorType| Arc::new(elements(t, numbers, choices));
        let runs = (0..2).map(|_| graph.input_types().iter().map(&mut input).collect()).collect();
        Case { graph, numbers, runs }
    }

    /// The case of a graph that somebody else made, with any numbers.
    pub fn of(graph: Graph, inputs: Vec<Arc<Buffer>>) -> Case {
        Case { graph, numbers: Numbers::Any, runs: vec![inputs] }
    }

    /// Rust code that builds the graph and the inputs, and the schedule, if there is one.
    pub fn describe(&self) -> String {
        let schedule = catch_unwind(AssertUnwindSafe(|| schedule::schedule(&self.graph).to_string()));
        let schedule = schedule.unwrap_or_else(|_| "no schedule: making it panics\n".to_owned());
        format!("{}\n/*\n{}{schedule}*/\n", rust::code(&self.graph, &self.runs), self.graph)
    }

    /// The case without what its failure does not need: operations, outputs, and the second run.
    pub fn pruned(mut self, mut fails: impl FnMut(&Case) -> bool) -> Case {
        if self.runs.len() > 1 {
            let second = self.runs.split_off(1);
            if !fails(&self) {
                self.runs.extend(second);
            }
        }
        let Case { graph, numbers, runs } = self;
        let of = |graph: &Graph| Case { graph: graph.clone(), numbers, runs: runs.clone() };
        let graph = prune::prune(graph, |graph| fails(&of(graph)));
        Case { graph, numbers, runs }
    }

    /// Runs the graph with each executor and compares.
    ///
    /// # Errors
    /// The first difference.
    ///
    /// # Panics
    /// If something in the engine does.
    pub fn check(&self, executors: &[Executor]) -> Result<(), String> {
        self.graph.check().map_err(|e| format!("the graph is wrong: {e}"))?;
        let outputs = |executable: &Executable, inputs: &[Arc<Buffer>]| {
            // What is donated is a copy that nobody else holds.
            let donated = |i: usize| Arc::new((*inputs[i]).clone());
            let mut outputs = vec![];
            let ran = executable.run_each(|i| &inputs[i], donated, |output| outputs.push(output));
            ran.map(|()| outputs).map_err(|e| format!("it failed: {e}"))
        };
        let interpreted = Executable::compile_with(&self.graph, &Executor::Interpreter.into());
        let mut expected = Vec::new();
        for inputs in &self.runs {
            let found = outputs(&interpreted, inputs)?;
            if self.numbers == Numbers::Whole {
                let wanted =
                    reference::evaluate(&self.graph, inputs).map_err(|e| format!("the reference failed: {e}"))?;
                compare("the interpreter and the reference", &found, &wanted, without_sign_of_zero)?;
            }
            expected.push(found);
        }
        let originals: Vec<Buffer> = self.runs.iter().flatten().map(|input| (**input).clone()).collect();
        for &executor in executors.iter().filter(|&&executor| executor != Executor::Interpreter) {
            let executable = Executable::compile_with(&self.graph, &executor.into());
            // Again on the first inputs: nothing may be left of a run.
            for (inputs, expected) in self.runs.iter().zip(&expected).chain(self.runs.iter().zip(&expected).take(1)) {
                let found = outputs(&executable, inputs)?;
                compare(&format!("{executor} and the interpreter"), &found, expected, bits)?;
            }
        }
        match self.runs.iter().flatten().zip(&originals).position(|(a, b)| **a != *b) {
            Some(input) => Err(format!("input {input} was changed")),
            None => Ok(()),
        }
    }
}

/// Bits of element `i`, NaNs all alike.
fn bits(buffer: &Buffer, i: usize) -> u64 {
    let size = buffer.dtype().size();
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&buffer.bytes()[i * size..][..size]);
    match buffer.dtype() {
        DType::F32 if buffer.as_slice::<f32>()[i].is_nan() => u64::MAX,
        DType::F64 if buffer.as_slice::<f64>()[i].is_nan() => u64::MAX,
        _ => u64::from_le_bytes(bytes),
    }
}

/// [`bits`] where the zeros are alike too: which of them a maximum gives depends on the order.
fn without_sign_of_zero(buffer: &Buffer, i: usize) -> u64 {
    match buffer.dtype() {
        DType::F32 if buffer.as_slice::<f32>()[i] == 0.0 => 0,
        DType::F64 if buffer.as_slice::<f64>()[i] == 0.0 => 0,
        _ => bits(buffer, i),
    }
}

fn compare(
    whom: &str,
    found: &[Arc<Buffer>],
    expected: &[Arc<Buffer>],
    element: fn(&Buffer, usize) -> u64,
) -> Result<(), String> {
    for (output, (a, b)) in found.iter().zip(expected).enumerate() {
        if (a.dtype(), a.len()) != (b.dtype(), b.len()) {
            return Err(format!("{whom} differ: output {output} is {a:?} and {b:?}"));
        }
        if let Some(i) = (0..a.len()).find(|&i| element(a, i) != element(b, i)) {
            let [a, b] = [a, b].map(|x| rust::elements(x)[i].clone());
            return Err(format!("{whom} differ: output {output}, element {i} is {a} and {b}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Node, Op};
    use std::time::Duration;

    /// What fails only with a scatter becomes a graph of a few operations.
    #[test]
    fn failing_graphs_become_small() {
        let is_scatter = |node: &Node| matches!(node.op, Op::Scatter { .. });
        let fails = |choices: &mut Choices| Case::new(choices).graph.nodes.iter().any(is_scatter);
        let seed = (0..).find(|&seed| fails(&mut Choices::from_seed(seed))).expect("scatters are made");
        let mut choices = Choices::from_seed(seed);
        Case::new(&mut choices);
        let simplest = Case::new(&mut Choices::replay(&shrink(choices.made(), Duration::from_secs(20), fails)));
        let simplest = simplest.pruned(|case| case.graph.nodes.iter().any(is_scatter));
        assert!(simplest.graph.outputs.is_empty() && simplest.graph.nodes.len() <= 3, "{}", simplest.describe());
        assert!(simplest.describe().contains("g0.push(Op::Scatter { n_batch: 0, kind: "), "{}", simplest.describe());
    }

    /// Seeds of an ordinary run. `xtask fuzz` tries others.
    const N_SEEDS: u64 = 4000;

    #[test]
    fn random_graphs_agree() {
        let executors = Executor::available();
        for seed in 0..N_SEEDS {
            let mut choices = Choices::from_seed(seed);
            if Case::new(&mut choices).check(&executors).is_err() {
                let fails = |choices: &mut Choices| Case::new(choices).check(&executors).is_err();
                let simplest = Case::new(&mut Choices::replay(&shrink(choices.made(), Duration::from_secs(20), fails)));
                let simplest = simplest.pruned(|case| case.check(&executors).is_err());
                panic!("seed {seed}: {:?}\n{}", simplest.check(&executors), simplest.describe());
            }
        }
    }
}
