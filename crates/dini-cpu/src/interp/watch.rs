//! Watching a run: how long each step takes, and what code it runs.

use super::{Launch, Program};
use crate::{
    explain::{Explained, Measured, StepCode},
    schedule::Step,
};
use std::time::{Duration, Instant};

/// Sees the steps of a run.
pub(crate) trait Watch {
    /// Runs step `i` of one of the lists of steps inside the step that runs now.
    fn step<R>(&mut self, list: usize, i: usize, run: impl FnOnce(&mut Self) -> R) -> R;
}

/// Sees nothing and costs nothing.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    #[inline(always)]
    fn step<R>(&mut self, _: usize, _: usize, run: impl FnOnce(&mut Self) -> R) -> R {
        run(self)
    }
}

/// Takes the time of each step, on the thread that runs the program: whatever other threads do for a step is within it.
pub(crate) struct Stopwatch {
    /// The first is the program itself.
    steps: Vec<Timed>,
    now: usize,
}

#[derive(Default)]
struct Timed {
    time: Duration,
    n_runs: u64,
    /// By list, then by position: where the steps inside are.
    inside: Vec<Vec<Option<usize>>>,
}

impl Stopwatch {
    pub fn new() -> Stopwatch {
        Stopwatch { steps: vec![Timed::default()], now: 0 }
    }

    /// Where a step inside the one that runs now is.
    fn find(&mut self, list: usize, i: usize) -> usize {
        let n_steps = self.steps.len();
        let inside = &mut self.steps[self.now].inside;
        if inside.len() <= list {
            inside.resize_with(list + 1, Vec::new);
        }
        if inside[list].len() <= i {
            inside[list].resize(i + 1, None);
        }
        let found = *inside[list][i].get_or_insert(n_steps);
        if found == n_steps {
            self.steps.push(Timed::default());
        }
        found
    }

    fn timed(&self, of: &Timed, list: usize, i: usize) -> Option<&Timed> {
        of.inside.get(list)?.get(i)?.map(|at| &self.steps[at])
    }

    /// Adds to the explanation of a program's schedule what each step of the program took, on average over `n_runs`. Steps
    /// that became one program stand inside it.
    pub fn describe(&self, program: &Program, explained: Vec<Explained>, n_runs: u32) -> Vec<Explained> {
        self.describe_list(&self.steps[0], 0, &program.steps, explained.into_iter(), n_runs)
    }

    fn describe_list(
        &self,
        around: &Timed,
        list: usize,
        steps: &[Step<Launch>],
        mut explained: impl Iterator<Item = Explained>,
        n_runs: u32,
    ) -> Vec<Explained> {
        let nothing = Timed::default();
        let describe = |(i, step): (usize, &Step<Launch>)| {
            let timed = self.timed(around, list, i).unwrap_or(&nothing);
            let mut one = match step {
                Step::Kernel(Launch::Scalars { n_steps, .. } | Launch::Single { n_steps, .. }) => {
                    Explained::single_program(explained.by_ref().take(*n_steps).collect())
                }
                _ => explained.next().expect("each step of the schedule is explained"),
            };
            self.describe_inside(timed, step, &mut one, n_runs);
            let times = timed.n_runs as f64 / f64::from(n_runs);
            one.measured = Some(Measured { time: timed.time / n_runs, times, code: code(step) });
            one
        };
        steps.iter().enumerate().map(describe).collect()
    }

    fn describe_inside(&self, timed: &Timed, step: &Step<Launch>, one: &mut Explained, n_runs: u32) {
        let inside = std::mem::take(&mut one.inside).into_iter();
        one.inside = match step {
            Step::While { cond, body, .. } => {
                let mut inside = inside;
                let n_cond = cond.iter().map(n_steps).sum();
                let cond = self.describe_list(timed, 0, cond, inside.by_ref().take(n_cond), n_runs);
                let body = self.describe_list(timed, 1, body, inside, n_runs);
                [cond, body].concat()
            }
            Step::Scan { body, .. } => self.describe_list(timed, 0, body, inside, n_runs),
            Step::Switch { branches, .. } => {
                let case = |(list, (mut case, steps)): (usize, (Explained, &Vec<Step<Launch>>))| {
                    case.inside = self.describe_list(timed, list, steps, case.inside.into_iter(), n_runs);
                    case
                };
                inside.zip(branches).enumerate().map(case).collect()
            }
            _ => inside.collect(),
        };
    }
}

impl Watch for Stopwatch {
    fn step<R>(&mut self, list: usize, i: usize, run: impl FnOnce(&mut Self) -> R) -> R {
        let (around, step) = (self.now, self.find(list, i));
        self.now = step;
        let start = Instant::now();
        let result = run(self);
        let time = start.elapsed();
        self.now = around;
        self.steps[step].time += time;
        self.steps[step].n_runs += 1;
        result
    }
}

/// How many steps of the schedule a step stands for.
fn n_steps(step: &Step<Launch>) -> usize {
    match step {
        Step::Kernel(Launch::Scalars { n_steps, .. } | Launch::Single { n_steps, .. }) => *n_steps,
        _ => 1,
    }
}

fn code(step: &Step<Launch>) -> StepCode {
    match step {
        Step::Kernel(Launch::Tiles(program)) if program.has_machine_code() => StepCode::Machine,
        Step::Kernel(Launch::Strips(program)) if program.has_machine_code() => StepCode::Machine,
        Step::Kernel(Launch::Single { .. }) => StepCode::Machine,
        Step::Call { .. } => StepCode::Called,
        Step::While { .. } | Step::Switch { .. } | Step::Scan { .. } => StepCode::Schedule,
        _ => StepCode::Precompiled,
    }
}
