//! When machine code is made: not before it pays.
//!
//! To make machine code takes hundreds of times as long as to prepare the same program for the precompiled loops, and both
//! give the same bits. So a program starts on the loops; once its runs together could have saved as much time as the code
//! costs, the code is made, and no program ever waits much more than twice as long as the better choice would have taken
//! (the rent-or-buy rule). Programs with loops, whose work nobody knows before, and those with so much to do that the first run
//! alone would pay, are compiled at once.
//!
//! All decisions are by counted work, never by a clock.

use crate::{
    executor::{CompileOptions, Executor, Timing},
    explain::{Work, work},
    interp::Program,
    kernel::{Instruction, Kernel},
    schedule::{KernelStep, Schedule, Step},
};
use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A program that becomes machine code when that pays.
pub(crate) struct Tiers {
    best: OnceLock<Program>,
    /// What runs until the best is made.
    first: Option<First>,
}

/// A program over precompiled loops, for the time being.
struct First {
    program: Program,
    /// What machine code will be made from.
    schedule: Mutex<Option<Schedule<KernelStep>>>,
    executor: Executor,
    outlook: Outlook,
    /// What machine code would have saved in the runs so far.
    forgone: AtomicU64,
}

/// What machine code costs and what it saves, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Outlook {
    cost: u64,
    saved_per_run: u64,
}

impl Outlook {
    /// `None` if nobody knows how often steps run.
    fn of(steps: &[Step<KernelStep>]) -> Option<Outlook> {
        let mut outlook = Outlook { cost: MAPPING, saved_per_run: 0 };
        for step in steps {
            match step {
                Step::Kernel(KernelStep { kernel, .. }) => outlook.add(kernel),
                Step::Strips { kernels, .. } => kernels.iter().for_each(|step| outlook.add(&step.kernel)),
                Step::While { .. } | Step::Scan { .. } | Step::Switch { .. } => return None,
                _ => {}
            }
        }
        Some(outlook)
    }

    fn add(&mut self, kernel: &Kernel) {
        for instruction in &kernel.body {
            let Instruction::Map { op, .. } = instruction else { continue };
            let (cost, saved_per_point) = match work(*op) {
                Work::None | Work::Flops(_) => (OPERATION, 0.15),
                Work::Function => (FUNCTION, 0.3),
            };
            self.cost += cost;
            self.saved_per_run += LAUNCH + (kernel.len as f64 * saved_per_point) as u64;
        }
    }
}

/// Measured on a Zen 4: making code for an operation and for an elementary function, pages for all of it, and what the
/// loops take to begin an operation.
const OPERATION: u64 = 500;
const FUNCTION: u64 = 15_000;
const MAPPING: u64 = 10_000;
const LAUNCH: u64 = 10;

impl Tiers {
    /// Prepares a schedule.
    pub fn new(schedule: Schedule<KernelStep>, options: &CompileOptions) -> Tiers {
        let executor = options.executor;
        let at_once = |program| Tiers { best: OnceLock::from(program), first: None };
        if executor == Executor::Interpreter {
            return at_once(Program::over_loops(schedule));
        }
        let outlook = match (options.timing, Outlook::of(&schedule.steps)) {
            (Timing::WhenItPays, Some(outlook)) if outlook.saved_per_run < outlook.cost => outlook,
            (Timing::WhenItPays | Timing::AtOnce, _) => {
                return at_once(Program::as_code_if_possible(schedule, executor));
            }
        };
        let program = Program::over_loops(schedule.clone());
        let first =
            First { program, schedule: Mutex::new(Some(schedule)), executor, outlook, forgone: AtomicU64::new(0) };
        Tiers { best: OnceLock::new(), first: Some(first) }
    }

    /// The program to run now.
    #[inline]
    pub fn program(&self) -> &Program {
        match (self.best.get(), &self.first) {
            (Some(best), _) => best,
            (None, Some(first)) => match first.count_run() {
                Some(schedule) => self.best.get_or_init(|| Program::as_code_if_possible(schedule, first.executor)),
                None => &first.program,
            },
            (None, None) => unreachable!("there is a best program from the start, or a first one"),
        }
    }
}

impl First {
    /// Counts a run. Gives the schedule, once, when it pays to make code of it: other threads go on meanwhile.
    fn count_run(&self) -> Option<Schedule<KernelStep>> {
        let Outlook { cost, saved_per_run } = self.outlook;
        if self.forgone.fetch_add(saved_per_run, Ordering::Relaxed) + saved_per_run < cost {
            return None;
        }
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dtype::DType,
        graph::{Graph, Op, TensorType},
        scalar::ScalarOp,
        schedule,
    };

    fn tiers(len: usize, options: &CompileOptions) -> Tiers {
        let mut graph = Graph::new();
        let t = TensorType::new(DType::F64, &[len]);
        let x = graph.input(t.clone());
        let y = graph.push(Op::Map(ScalarOp::Add), &[x, x], vec![t], 0);
        graph.outputs = vec![y];
        Tiers::new(schedule::schedule(&graph), options)
    }

    /// In how many runs the program is still the first one.
    fn n_first_runs(tiers: &Tiers) -> usize {
        let is_first = |_: &usize| {
            tiers.program();
            tiers.best.get().is_none()
        };
        (0..100_000).take_while(is_first).count()
    }

    /// The best executor here, when it pays; `None` if that is the interpreter.
    fn when_it_pays() -> Option<CompileOptions> {
        let executor = *Executor::available().last()?;
        (executor != Executor::Interpreter).then_some(CompileOptions { timing: Timing::WhenItPays, ..executor.into() })
    }

    #[test]
    fn code_is_made_when_it_pays() {
        let n_first = |options: &CompileOptions| [1, 100, 1_000_000].map(|len| n_first_runs(&tiers(len, options)));
        assert_eq!(n_first(&Executor::Interpreter.into()), [0, 0, 0]);
        let Some(options) = when_it_pays() else { return };
        // The cost of an operation and of pages over what a launch and points cost: 10,500 / 10 and 10,500 / 25.
        assert_eq!(n_first(&options), [1049, 419, 0]);
        assert_eq!(n_first(&options.executor.into()), [0, 0, 0]);
    }

    #[test]
    fn threads_get_the_same_code() {
        let Some(options) = when_it_pays() else { return };
        let tiers = tiers(1000, &options);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| n_first_runs(&tiers));
            }
        });
        let best = tiers.best.get().expect("enough runs were made");
        assert!(std::ptr::eq(best, tiers.program()));
    }
}
