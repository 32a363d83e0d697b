//! Random cases for the whole library, each with everything that must hold for it: programs of the public interface under
//! random transformations ([`programs`]), and graphs of the engine (`dini_cpu::fuzz`).
//!
//! A [`Kind`] of case is checked by seed, any number of times; what fails is made as simple as possible. `xtask fuzz` runs
//! them for minutes, the tests of the crates a fixed slice of seeds.

pub mod programs;

use dini_cpu::{
    Executor, fuzz,
    fuzz::{Choices, shrink},
};
use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// What a case is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Graphs of the engine.
    Graphs,
    /// Programs of the public interface.
    Programs,
}

/// A case that fails.
#[derive(Debug)]
pub struct Failure {
    /// Where it was found.
    pub seed: u64,
    /// What does not hold.
    pub what: String,
    /// The simplest case found, as code.
    pub case: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}\n\n{}", self.seed, self.what, self.case)
    }
}

impl Kind {
    /// Checks the case of a seed. Gives whether it tells anything: whether a result is not 0.
    ///
    /// # Errors
    /// The simplest case found within `time` that fails as this one does.
    pub fn check(self, seed: u64, executors: &[Executor], time: Duration) -> Result<bool, Failure> {
        let mut choices = Choices::from_seed(seed);
        let first = match self.outcome(&mut choices, executors) {
            Ok(is_telling) => return Ok(is_telling),
            Err(what) => what,
        };
        // A failure of another nature would hide this one.
        let nature = |what: &str| what.split(':').next().unwrap_or_default().to_owned();
        let fails =
            |choices: &mut Choices| self.outcome(choices, executors).is_err_and(|what| nature(&what) == nature(&first));
        let simplest = shrink(choices.made(), time, fails);
        let what = self.outcome(&mut Choices::replay(&simplest), executors).err().unwrap_or_else(|| first.clone());
        let choices = &mut Choices::replay(&simplest);
        let case = match self {
            Kind::Graphs => {
                let fails = |case: &fuzz::Case| {
                    let checked = catch_unwind(AssertUnwindSafe(|| case.check(executors)));
                    checked.map_err(message).flatten().is_err_and(|what| nature(&what) == nature(&first))
                };
                fuzz::Case::new(choices).pruned(fails).describe()
            }
            Kind::Programs => programs::Case::new(choices).describe(),
        };
        Err(Failure { seed, what, case })
    }

    /// The code of a case, without running it.
    pub fn describe(self, choices: &mut Choices) -> String {
        match self {
            Kind::Graphs => fuzz::Case::new(choices).describe(),
            Kind::Programs => programs::Case::new(choices).describe(),
        }
    }

    fn outcome(self, choices: &mut Choices, executors: &[Executor]) -> Result<bool, String> {
        let checked = catch_unwind(AssertUnwindSafe(|| match self {
            Kind::Graphs => fuzz::Case::new(choices).check(executors).map(|()| true),
            Kind::Programs => programs::Case::new(choices).check(executors),
        }));
        checked.unwrap_or_else(|panic| Err(message(panic)))
    }
}

/// What a panic said.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    format!("panic: {}", text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message"))
}
