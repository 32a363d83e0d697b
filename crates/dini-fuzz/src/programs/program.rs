//! Straight-line programs made of random steps.

use super::steps::{LOOPS, Maker, PLAIN, STEPS};
use dini::prelude::*;
use dini_cpu::fuzz::Choices;
use std::fmt;

/// What a step computes from all values so far.
pub type Run = Box<dyn Fn(&[Array]) -> Result<Array>>;

/// One step: Rust code for it, in which `%3` is the value of that number; the shape of its result; how to compute it.
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
    depth: usize,
}

/// What the maker of a step sees: random choices, and the shapes of the values so far.
pub struct Draw<'a> {
    pub choices: &'a mut Choices,
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
        let from = if self.choices.below(3) > 0 { fitting.len().saturating_sub(6) } else { 0 };
        (!fitting.is_empty()).then(|| *self.choices.pick(&fitting[from..]))
    }

    /// A value with an axis, and that axis.
    pub fn axis(&mut self) -> Option<(usize, usize)> {
        let x = self.such_that(|shape| !shape.is_empty())?;
        Some((x, self.choices.below(self.shapes[x].len())))
    }

    /// A body on values of two shapes, with bodies inside of it up to a depth of two.
    pub fn body(&mut self, first: &[usize], second: &[usize]) -> Body {
        let depth = self.depth + 1;
        let mut shapes = vec![first.to_vec(), second.to_vec()];
        let makers = if depth < 2 { STEPS } else { PLAIN };
        let n_steps = 1 + self.choices.below(5);
        Body { steps: straight_line(self.choices, &mut shapes, depth, n_steps, |_| makers), depth }
    }

    /// A value with an axis that is not empty, and that axis.
    pub fn full_axis(&mut self) -> Option<(usize, usize)> {
        self.axis().filter(|&(x, axis)| self.shapes[x][axis] > 0)
    }
}

/// Steps, each from one of the makers; the shapes of their results are appended.
fn straight_line(
    choices: &mut Choices,
    shapes: &mut Vec<Vec<usize>>,
    depth: usize,
    n_steps: usize,
    makers: impl Fn(&mut Choices) -> &'static [Maker],
) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.len() < n_steps {
        let makers = makers(choices);
        let maker = *choices.pick(makers);
        let Some(step) = maker(&mut Draw { choices, shapes, depth }) else { continue };
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

impl Body {
    /// Code for [`Body::call`] on two expressions.
    pub fn text(&self, x: &str, y: &str) -> String {
        // Values of bodies around it have other names.
        let letter = char::from(b'v' + self.depth as u8);
        let mut lines = vec![format!("let ({letter}0, {letter}1) = ({x}, {y});")];
        for (i, step) in self.steps.iter().enumerate() {
            lines.push(format!("let {letter}{} = {};", i + 2, step.text.replace('%', &letter.to_string())));
        }
        format!("{{ {} (&{letter}0 + {letter}{}.sum().sin()).sin() }}", lines.join(" "), self.steps.len() + 1)
    }
}

impl Program {
    /// A program of up to 60 steps.
    pub fn random(choices: &mut Choices, has_while: bool) -> Program {
        let mut shapes: Vec<Vec<usize>> = vec![vec![], vec![3]];
        for _ in 0..2 {
            let ndim = choices.below(4);
            shapes.push((0..ndim).map(|_| *choices.pick(&[0, 1, 2, 2, 3, 3])).collect());
        }
        let mut stream = choices.stream();
        let inputs = shapes
            .iter()
            .map(|shape| Array::new((0..shape.iter().product()).map(|_| stream.signed()).collect::<Vec<f64>>(), shape))
            .collect();
        let n_steps = 1 + choices.below(60);
        let makers = |choices: &mut Choices| if has_while && choices.below(10) == 0 { LOOPS } else { STEPS };
        let steps = straight_line(choices, &mut shapes, 0, n_steps, makers);
        let outputs = vec![shapes.len() - 1, shapes.len() - 2, shapes.len() - 1 - choices.below(shapes.len())];
        Program { inputs, has_while, steps, outputs }
    }

    /// The results.
    pub fn call(&self, inputs: Vec<Array>) -> Result<Vec<Array>> {
        let values = run(&self.steps, inputs)?;
        Ok(self.outputs.iter().map(|&i| values[i].clone()).collect())
    }
}

/// What the code of steps calls.
const HELPERS: &str = "\
fn scalar(x: &Array) -> Array { x.sum().sin() }
fn integer(x: &Array) -> Array { (scalar(x) * 3.0).floor().cast(DType::I64) }
";

impl fmt::Display for Program {
    /// Rust code, given `use dini::{*, prelude::*};`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HELPERS}fn program(x: Vec<Array>) -> Result<Vec<Array>> {{")?;
        let names: Vec<String> = (0..self.inputs.len()).map(|i| format!("v{i}")).collect();
        writeln!(f, "    let [{}] = <[Array; {}]>::try_from(x).unwrap();", names.join(", "), names.len())?;
        for (i, step) in self.steps.iter().enumerate() {
            let (name, text) = (self.inputs.len() + i, step.text.replace('%', "v"));
            writeln!(f, "    let v{name} = {text}; // {:?}", step.shape)?;
        }
        let outputs: Vec<String> = self.outputs.iter().map(|i| format!("v{i}.clone()")).collect();
        writeln!(f, "    Ok(vec![{}])\n}}\nlet inputs = vec![", outputs.join(", "))?;
        for x in &self.inputs {
            writeln!(
                f,
                "    Array::new(vec!{:?} as Vec<f64>, &{:?}),",
                x.to_vec::<f64>().unwrap_or_default(),
                x.shape()
            )?;
        }
        write!(f, "];")
    }
}
