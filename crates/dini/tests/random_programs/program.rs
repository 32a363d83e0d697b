//! Straight-line programs made of random steps.

use crate::{
    random::Random,
    steps::{LOOPS, Maker, PLAIN, STEPS},
};
use dini::prelude::*;
use std::fmt;

/// What a step computes from all values so far.
pub type Run = Box<dyn Fn(&[Array]) -> Result<Array>>;

/// One step: its text, the shape of its result, and how to compute it.
pub struct Step {
    pub text: String,
    pub shape: Vec<usize>,
    pub run: Run,
}

/// Inputs, steps, and which values are results.
pub struct Program {
    pub inputs: Vec<Array>,
    pub has_while: bool,
    steps: Vec<Step>,
    outputs: Vec<usize>,
}

/// The body of a loop, a branch or a checkpoint: a few steps of its own on two values.
pub struct Body {
    steps: Vec<Step>,
}

/// What the maker of a step sees: random choices, and the shapes of the values so far.
pub struct Draw<'a> {
    pub random: &'a mut Random,
    pub shapes: &'a [Vec<usize>],
    /// How many bodies are around the step.
    pub depth: usize,
}

impl Draw<'_> {
    /// Any value.
    pub fn any(&mut self) -> usize {
        self.such_that(|_| true).unwrap_or(0)
    }

    /// A value whose shape has a property, late ones preferred: that makes programs deep.
    pub fn such_that(&mut self, holds: impl Fn(&[usize]) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.shapes.len()).filter(|&i| holds(&self.shapes[i])).collect();
        let from = if self.random.below(3) > 0 { fitting.len().saturating_sub(6) } else { 0 };
        (!fitting.is_empty()).then(|| *self.random.pick(&fitting[from..]))
    }

    /// A value with an axis, and that axis.
    pub fn axis(&mut self) -> Option<(usize, usize)> {
        let x = self.such_that(|shape| !shape.is_empty())?;
        Some((x, self.random.below(self.shapes[x].len())))
    }

    /// A body on values of two shapes, with bodies inside of it up to a depth of two.
    pub fn body(&mut self, first: &[usize], second: &[usize]) -> Body {
        let depth = self.depth + 1;
        let mut shapes = vec![first.to_vec(), second.to_vec()];
        let makers = if depth < 2 { STEPS } else { PLAIN };
        let n_steps = 2 + self.random.below(4);
        Body { steps: straight_line(self.random, &mut shapes, depth, n_steps, |_| makers) }
    }

    /// A value with an axis that is not empty, and that axis.
    pub fn full_axis(&mut self) -> Option<(usize, usize)> {
        self.axis().filter(|&(x, axis)| self.shapes[x][axis] > 0)
    }
}

/// Steps, each from one of the makers; the shapes of their results are appended.
fn straight_line(
    random: &mut Random,
    shapes: &mut Vec<Vec<usize>>,
    depth: usize,
    n_steps: usize,
    makers: impl Fn(&mut Random) -> &'static [Maker],
) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.len() < n_steps {
        let makers = makers(random);
        let maker = *random.pick(makers);
        let Some(step) = maker(&mut Draw { random, shapes, depth }) else { continue };
        if step.shape.len() <= 3 && step.shape.iter().product::<usize>() <= 64 {
            shapes.push(step.shape.clone());
            steps.push(step);
        }
    }
    steps
}

/// All values, the inputs first.
fn run(steps: &[Step], inputs: Vec<Array>) -> Result<Vec<Array>> {
    let mut values = inputs;
    for step in steps {
        let y = (step.run)(&values)?;
        assert_eq!(y.check()?.shape(), step.shape, "the shape that `{}` announces", step.text);
        values.push(y);
    }
    Ok(values)
}

impl Body {
    /// A result of the shape of `x`, in bounds, that depends on both operands through every step that leads to the last.
    pub fn call(&self, x: &Array, y: &Array) -> Result<Array> {
        let values = run(&self.steps, vec![x.clone(), y.clone()])?;
        let last = values.last().expect("there are inputs");
        Ok((x + last.sum().sin()).sin())
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(|step| format!("{:?} {}", step.shape, step.text)).collect();
        write!(f, "{{{}}}", steps.join("; "))
    }
}

impl Program {
    /// A program of 20 to 60 steps.
    pub fn random(random: &mut Random, has_while: bool) -> Program {
        let mut shapes: Vec<Vec<usize>> = vec![vec![], vec![3]];
        for _ in 0..2 {
            let ndim = random.below(4);
            shapes.push((0..ndim).map(|_| *random.pick(&[0, 1, 2, 2, 3, 3])).collect());
        }
        let inputs = shapes
            .iter()
            .map(|shape| Array::new((0..shape.iter().product()).map(|_| random.signed()).collect::<Vec<f64>>(), shape))
            .collect();
        let n_steps = 20 + random.below(41);
        let makers = |random: &mut Random| if has_while && random.below(10) == 0 { LOOPS } else { STEPS };
        let steps = straight_line(random, &mut shapes, 0, n_steps, makers);
        let outputs = vec![shapes.len() - 1, shapes.len() - 2, random.below(shapes.len())];
        Program { inputs, has_while, steps, outputs }
    }

    /// The results.
    pub fn call(&self, inputs: Vec<Array>) -> Result<Vec<Array>> {
        let values = run(&self.steps, inputs)?;
        Ok(self.outputs.iter().map(|&i| values[i].clone()).collect())
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, x) in self.inputs.iter().enumerate() {
            writeln!(f, "  %{i} {:?} = input {:?}", x.shape(), x.to_vec::<f64>().unwrap_or_default())?;
        }
        for (i, step) in self.steps.iter().enumerate() {
            writeln!(f, "  %{} {:?} = {}", self.inputs.len() + i, step.shape, step.text)?;
        }
        write!(f, "  results {:?}", self.outputs)
    }
}
