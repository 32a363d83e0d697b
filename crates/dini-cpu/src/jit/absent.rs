//! In place of the compiler on machines that it knows nothing of: no assembly ever begins.

use crate::{
    executor::Executor,
    schedule::{KernelStep, Needed, Slot, Step},
};

#[expect(dead_code, reason = "nothing reads a request that cannot be made")]
mod request;

pub(crate) use request::{Accumulators, Fold, Lanewise, Request, Single, Source, accumulates, gathers};

/// There is none.
#[derive(Debug)]
pub(crate) enum Assembly {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Machine {}

impl Assembly {
    pub fn begin(_: Executor) -> Option<Assembly> {
        None
    }

    pub fn kernel(&mut self, _: &Request<'_>) -> Option<Machine> {
        match *self {}
    }

    pub fn single(&mut self, _: &[Step<KernelStep>], _: &[Slot], _: &Needed) -> Option<(Machine, Single)> {
        match *self {}
    }

    pub fn lanewise(&mut self, _: &Step<KernelStep>, _: &Needed) -> Option<(Machine, Lanewise)> {
        match *self {}
    }

    pub fn finish(self) -> Option<()> {
        match self {}
    }
}

impl Machine {
    pub fn choose_stores(&self, _: &mut [*mut u8]) -> bool {
        match *self {}
    }

    pub fn keep_in_caches(&mut self) {
        match *self {}
    }

    /// # Safety
    /// Nothing can call this.
    pub unsafe fn run(&self, _: &[*mut u8], _: usize, _: usize, _: usize) {
        match *self {}
    }

    /// # Safety
    /// Nothing can call this.
    pub unsafe fn run_once(&self, _: &[*mut u8], _: usize) -> Result<(), usize> {
        match *self {}
    }
}

/// No step is compiled.
pub(crate) fn is_small(_: &Step<KernelStep>) -> bool {
    false
}

/// Machine code of no kind runs.
pub(crate) fn runs(_: Executor) -> bool {
    false
}
