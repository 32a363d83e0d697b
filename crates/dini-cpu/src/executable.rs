//! A compiled graph, ready to run any number of times on any threads.

use crate::{
    buffer::{Buffer, OutOfMemory},
    dtype::DType,
    executor::CompileOptions,
    graph::{CallError, Graph, TensorType},
    interp::Unwatched,
    interrupt::StopReason,
    schedule,
    tiers::Tiers,
};
use std::{fmt, sync::Arc};

/// A graph turned into kernels and a schedule.
pub struct Executable {
    input_types: Vec<TensorType>,
    /// Their elements, counted.
    inputs: Vec<(DType, usize)>,
    tiers: Tiers,
}

/// What fails at run time.
#[derive(Debug)]
pub enum RunError {
    /// A called function reported a failure.
    Call {
        /// The front end's number of the node that failed.
        origin: u32,
        /// What the function reported.
        error: CallError,
    },
    /// There is no memory for a result or a temporary.
    OutOfMemory(OutOfMemory),
    /// A loop or a long operation was stopped: see [`crate::interrupt`].
    Stopped {
        /// The front end's number of its node.
        origin: u32,
        /// Why.
        reason: StopReason,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Call { origin, error } => write!(f, "operation {origin} failed: {error}"),
            RunError::OutOfMemory(error) => error.fmt(f),
            RunError::Stopped { origin, reason } => write!(f, "operation {origin} was stopped: {reason}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Call { error, .. } => Some(&**error),
            RunError::OutOfMemory(error) => Some(error),
            RunError::Stopped { .. } => None,
        }
    }
}

impl From<OutOfMemory> for RunError {
    fn from(error: OutOfMemory) -> RunError {
        RunError::OutOfMemory(error)
    }
}

impl Executable {
    /// Compiles a graph for what the process chose ([`CompileOptions::default`]).
    ///
    /// # Panics
    /// In debug builds, if the graph does not pass [`Graph::check`].
    pub fn compile(graph: &Graph) -> Executable {
        Executable::compile_with(graph, &CompileOptions::default())
    }

    /// Compiles a graph.
    ///
    /// # Panics
    /// In debug builds, if the graph does not pass [`Graph::check`].
    pub fn compile_with(graph: &Graph, options: &CompileOptions) -> Executable {
        let check = |graph: &Graph| {
            if cfg!(debug_assertions)
                && let Err(message) = graph.check()
            {
                panic!("graph is wrong: {message}");
            }
        };
        check(graph);
        let contracted = options.contract.then(|| graph.contracted());
        contracted.as_ref().inspect(|graph| check(graph));
        let tiers = Tiers::new(schedule::schedule(contracted.as_ref().unwrap_or(graph)), options);
        let input_types = graph.input_types().to_vec();
        let inputs = input_types.iter().map(|t| (t.dtype, t.len())).collect();
        Executable { input_types, inputs, tiers }
    }

    /// The types of the inputs.
    pub fn input_types(&self) -> &[TensorType] {
        &self.input_types
    }

    /// Runs the graph. An output that is an input or a constant comes back as the same `Arc`.
    ///
    /// # Errors
    /// The first failure that a called function reports; no memory for results and temporaries; a stop
    /// ([`crate::interrupt`]).
    ///
    /// # Panics
    /// If the number, type or length of an input is wrong. A panic of a called function passes through; the
    /// executable can be run again.
    pub fn run(&self, inputs: &[Arc<Buffer>]) -> Result<Vec<Arc<Buffer>>, RunError> {
        let expected = self.input_types.len();
        assert!(inputs.len() == expected, "{} inputs, expected {expected}", inputs.len());
        let mut outputs = vec![];
        self.run_each(|i| &inputs[i], |i| inputs[i].clone(), |output| outputs.push(output))?;
        Ok(outputs)
    }

    /// [`Executable::run`] that asks for each input by its number and gives each output in order: without a list of
    /// either, a call of a small program takes half the time. Inputs that the graph says are donated are asked for by
    /// `donated`: their memory is used again, if nobody else holds it.
    ///
    /// # Errors
    /// As for [`Executable::run`].
    ///
    /// # Panics
    /// As for [`Executable::run`].
    pub fn run_each<'a>(
        &self,
        input: impl Fn(usize) -> &'a Arc<Buffer>,
        mut donated: impl FnMut(usize) -> Arc<Buffer>,
        output: impl FnMut(Arc<Buffer>),
    ) -> Result<(), RunError> {
        let check = |i: usize, input: &Buffer| {
            let fits = (input.dtype(), input.len()) == self.inputs[i];
            let t = &self.input_types[i];
            assert!(fits, "input {i} has {} elements of {}, expected {t}", input.len(), input.dtype());
        };
        let input = |i: usize| {
            let input = input(i);
            check(i, input);
            input
        };
        let donated = |i: usize| {
            let input = donated(i);
            check(i, &input);
            input
        };
        self.tiers.program().run(self.input_types.len(), input, donated, output, &mut Unwatched)
    }
}
