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

    /// The best that works here, within the limit that the environment variable `DINI_JIT` sets when it is first asked:
    /// `off` (the interpreter), `avx2`, or `avx512`. Other values set no limit.
    pub fn of_process() -> Executor {
        static CHOICE: OnceLock<Executor> = OnceLock::new();
        *CHOICE.get_or_init(|| Executor::within(std::env::var("DINI_JIT").ok().as_deref()))
    }

    /// The best that works here, within the limit of this name.
    fn within(name: Option<&str>) -> Executor {
        let limit = Executor::ALL.into_iter().find(|executor| Some(executor.name()) == name);
        let is_within = |executor: &Executor| limit.is_none_or(|limit| *executor <= limit);
        Executor::ALL
            .into_iter()
            .filter(is_within)
            .rfind(|&executor| jit::runs(executor))
            .unwrap_or(Executor::Interpreter)
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

/// Options of [`crate::Executable::compile_with`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompileOptions {
    /// What runs the kernels; the interpreter instead if that does not work here.
    pub executor: Executor,
}

impl Default for CompileOptions {
    /// As the process chose.
    fn default() -> CompileOptions {
        CompileOptions { executor: Executor::of_process() }
    }
}

impl From<Executor> for CompileOptions {
    fn from(executor: Executor) -> CompileOptions {
        CompileOptions { executor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_set_a_limit_and_other_words_none() {
        let best = *Executor::available().last().expect("the interpreter");
        assert_eq!(Executor::within(Some("off")), Executor::Interpreter);
        assert_eq!(Executor::within(Some("avx2")), best.min(Executor::Avx2));
        for unlimited in [None, Some("avx512"), Some(""), Some("AVX2"), Some("on"), Some("garbage\u{fffd}")] {
            assert_eq!(Executor::within(unlimited), best, "{unlimited:?}");
        }
    }
}
