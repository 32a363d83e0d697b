//! What runs kernels, and how a process or a single compilation chooses it.

use crate::jit;
use std::{fmt, sync::OnceLock};

/// What runs kernels. All give the same bits (NaNs may have other payloads).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Executor {
    /// Precompiled loops: everywhere.
    Interpreter,
    /// Machine code for x86-64 with AVX2, FMA and BMI2.
    Avx2,
    /// Machine code for x86-64 with AVX-512 (F, BW, DQ, VL) as well.
    Avx512,
}

impl Executor {
    const ALL: [Executor; 3] = [Executor::Interpreter, Executor::Avx2, Executor::Avx512];

    /// Those that work here: the interpreter always, machine code where the processor has the instructions and the system
    /// lets the process run code that it wrote.
    pub fn available() -> Vec<Executor> {
        Executor::ALL.into_iter().filter(|&executor| executor == Executor::Interpreter || jit::runs(executor)).collect()
    }

    /// The best that works here, within the limit that `DINI_JIT` sets (see [`CompileOptions::default`]).
    pub fn of_process() -> Executor {
        CompileOptions::default().executor
    }

    /// What `DINI_JIT` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Executor::Interpreter => "off",
            Executor::Avx2 => "avx2",
            Executor::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Executor::Interpreter => "interpreter",
            Executor::Avx2 | Executor::Avx512 => self.name(),
        })
    }
}

/// When machine code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timing {
    /// Once runs of the program could have saved as much time as making the code takes.
    WhenItPays,
    /// Before the first run.
    AtOnce,
}

/// Options of [`crate::Executable::compile_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// What runs the kernels; the interpreter instead if that does not work here.
    pub executor: Executor,
    /// When its code is made.
    pub timing: Timing,
    /// Products that are only added to something are rounded together with the sum: faster, a little more accurate, and
    /// other bits than without.
    pub contract: bool,
}

impl Default for CompileOptions {
    /// What the environment variable `DINI_JIT` says when it is first asked: `off` (the interpreter), `avx2` or `avx512`
    /// (at once, and no better one), `on` (the best that works here, at once). With other values and without one: the best
    /// that works here, when it pays.
    fn default() -> CompileOptions {
        static CHOICE: OnceLock<CompileOptions> = OnceLock::new();
        *CHOICE.get_or_init(|| CompileOptions::named(std::env::var("DINI_JIT").ok().as_deref()))
    }
}

impl CompileOptions {
    fn named(name: Option<&str>) -> CompileOptions {
        let limit = Executor::ALL.into_iter().find(|executor| Some(executor.name()) == name);
        let is_within = |executor: &Executor| limit.is_none_or(|limit| *executor <= limit);
        let best = Executor::ALL.into_iter().filter(is_within).rfind(|&executor| jit::runs(executor));
        let timing = if limit.is_some() || name == Some("on") { Timing::AtOnce } else { Timing::WhenItPays };
        CompileOptions { executor: best.unwrap_or(Executor::Interpreter), timing, contract: false }
    }
}

impl From<Executor> for CompileOptions {
    /// At once, nothing contracted.
    fn from(executor: Executor) -> CompileOptions {
        CompileOptions { executor, timing: Timing::AtOnce, contract: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_set_a_limit_and_other_words_none() {
        let best = *Executor::available().last().expect("the interpreter");
        for (name, executor) in [("off", Executor::Interpreter), ("avx2", best.min(Executor::Avx2)), ("on", best)] {
            assert_eq!(CompileOptions::named(Some(name)), executor.into());
        }
        for other in [None, Some(""), Some("AVX2"), Some("garbage\u{fffd}")] {
            let expected = CompileOptions { timing: Timing::WhenItPays, ..best.into() };
            assert_eq!(CompileOptions::named(other), expected);
        }
    }
}
