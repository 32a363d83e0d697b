//! The x86-64 compiler: kernels to machine code, in microseconds. (`jit/absent.rs` stands in for it elsewhere.)
//!
//! The way of a kernel: [`lower`] to lane IR ([`lanes`], scalar operations in [`operations`]), registers ([`registers`],
//! checked in debug builds by [`verify`]), bytes ([`emit`], [`encode`]), executable pages ([`memory`]). All kernels of a
//! program share one stretch of pages.
//!
//! Results are those of the interpreter, bit for bit (NaN are all alike): nothing is reassociated or contracted.
//!
//! Limits: AVX2 with FMA and BMI2, or AVX-512 (F, BW, DQ, VL); without, or where the system denies executable memory, or
//! where [`Executor::Interpreter`] is wanted, [`Assembly::begin`] gives `None` and the interpreter runs everything.
//! [`crate::tiers`] decides when code is made. Kernels that call functions without a vector form, that only copy, or whose
//! values need more than 64 KiB of stack stay with the interpreter too.
//!
//! Small programs, loops and branches included, become one function over single elements ([`single`]), and loops with a
//! loop of its own for each element one over chunks of them ([`lanewise`]). Their loops pause every fraction of a
//! millisecond to look for a reason to stop ([`crate::interrupt`]).

mod emit;
mod encode;
mod lanes;
mod lanewise;
mod lower;
mod memory;
mod operations;
mod print;
mod record;
mod registers;
mod request;
mod single;
#[cfg(test)]
mod tests;
mod verify;

use crate::{
    executor::Executor,
    schedule::{KernelStep, Needed, Slot, Step},
};
use emit::Extent;
use encode::{Assembler, Isa};
use lanes::{Function, Kind, Lanes, Op};
use memory::Code;
pub(crate) use request::{Accumulators, Fold, Lanewise, Request, Single, Source, accumulates, gathers};
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

/// Code of a program in the making.
#[derive(Debug)]
pub(crate) struct Assembly {
    isa: Isa,
    assembler: Assembler,
    functions: Vec<Arc<Function>>,
    module: Arc<OnceLock<Module>>,
}

/// Code of a program.
#[derive(Debug)]
struct Module {
    code: Code,
    /// What the code calls; the code holds their addresses.
    _functions: Vec<Arc<Function>>,
}

/// Machine code of a kernel; it can run once its assembly is finished.
#[derive(Debug)]
pub(crate) struct Machine {
    module: Arc<OnceLock<Module>>,
    /// Where it begins in the module's code.
    entry: usize,
    /// Points of a row, after which accumulators start over.
    row: Option<usize>,
    /// Where the code for rounds of several groups begins, and how many points they have.
    rounds: Option<(usize, usize)>,
    /// Code for rounds that writes past the caches.
    streaming: Option<Streaming>,
}

/// Code that writes past the caches, at addresses that are multiples of [`STREAM_ALIGNMENT`].
#[derive(Debug)]
struct Streaming {
    /// Where it begins, and how many points a round has.
    entry: usize,
    round: usize,
    /// Positions in the table of addresses that it writes to.
    to: Vec<u32>,
    /// The entry of the table that says whether a run uses it.
    choice: u32,
}

/// Bytes of the widest vector; points from a multiple of a quarter of it on stand at multiples of it.
const STREAM_ALIGNMENT: usize = 64;

/// Rounds of several groups are for kernels of at least this many rounds.
const GROUPS_PER_ROUND: u8 = 2;
const MIN_ROUNDS: usize = 4;

/// Where points are combined with accumulators in turns, a round waits until the one before has written these. So rounds
/// of kernels with at most so many instructions, which would wait most of the time, have more groups.
const GROUPS_THAT_COMBINE: u8 = 8;
const MAX_THAT_COMBINE: usize = 16;

/// Rounds of several groups are for kernels of at most this many instructions: longer ones keep the processor busy, with
/// wide vectors sooner than with short ones.
fn max_instructions(isa: Isa) -> usize {
    match isa {
        Isa::Avx2 => 300,
        Isa::Avx512 => 100,
    }
}

/// Programs over single elements with more instructions than this stay with the interpreter. To make an instruction takes
/// a microsecond or more, and code of thousands of them saves only 4 to 9 of the interpreter's 25 to 47 ns for an operation
/// (measured on loops of 400 to 3,000 operations, a part of them elementary functions, and of thousands of values that
/// live at a time): longer programs would earn that back after thousands of rounds.
const MAX_SINGLE_INSTRUCTIONS: usize = 10_000;

/// Whether a step computes few elements, so that it may be a part of a program over single elements.
pub(crate) fn is_small(step: &Step<KernelStep>) -> bool {
    single::admits(step)
}

impl Assembly {
    /// Starts a program's code, if that is wanted and this process may run it.
    pub fn begin(executor: Executor) -> Option<Assembly> {
        let isa = isa(executor).filter(|_| runs(executor))?;
        let (assembler, functions, module) = Default::default();
        Some(Assembly { isa, assembler, functions, module })
    }

    /// Compiles a kernel; `None` if the interpreter runs it faster, or lanes do not hold its elements.
    pub fn kernel(&mut self, request: &Request<'_>) -> Option<Machine> {
        if !request.kernel.operands.iter().all(|operand| Kind::holds(operand.dtype)) {
            return None;
        }
        let mut lanes = lower::lower(self.isa, request, 1);
        if lanes.insts.iter().any(|inst| matches!(inst.op, Op::Call(_))) {
            return None;
        }
        let n_instructions = lanes.insts.len();
        let entry = self.append(&mut lanes, Extent::Points, false)?;
        let row = lanes.row;
        // The points of a row that are left would need code for one group.
        let has_whole = |round: usize| row.is_none_or(|row| row.is_multiple_of(round));
        let combines = request.folds.iter().any(|fold| fold.accumulators == Accumulators::InTurns);
        let more = (combines && n_instructions <= MAX_THAT_COMBINE).then_some(GROUPS_THAT_COMBINE);
        let pays = |n_groups: u8| {
            let round = n_groups as usize * lanes.n_lanes;
            request.run >= MIN_ROUNDS * round && has_whole(round) && n_instructions <= max_instructions(self.isa)
        };
        let n_groups = more.into_iter().chain([GROUPS_PER_ROUND]).filter(|&n_groups| pays(n_groups));
        let rounds = n_groups.collect::<SmallVec<[u8; 2]>>().into_iter().find_map(|n_groups| {
            let mut lanes = lower::lower(self.isa, request, n_groups);
            self.append(&mut lanes, Extent::Points, true).map(|entry| (entry, emit::round(&lanes)))
        });
        let of_choice = request.past_caches.filter(|_| has_whole(rounds.map_or(lanes.n_lanes, |(_, round)| round)));
        let streaming = of_choice.and_then(|choice| self.streaming(request, choice, rounds.is_some()));
        Some(Machine { module: self.module.clone(), entry, row, rounds, streaming })
    }

    /// Compiles a kernel to code that writes past the caches, where an entry of the table says so.
    fn streaming(&mut self, request: &Request<'_>, choice: u32, has_rounds: bool) -> Option<Streaming> {
        let mut lanes = lower::lower(self.isa, request, if has_rounds { GROUPS_PER_ROUND } else { 1 });
        lanes.streams = true;
        let written = lanes.stores.iter().map(|store| &lanes.operands[store.to as usize]);
        let to: Vec<u32> = written.filter(|operand| emit::streams(operand)).map(|operand| operand.base).collect();
        let entry = self.append(&mut lanes, Extent::Points, false)?;
        (!to.is_empty()).then(|| Streaming { entry, round: emit::round(&lanes), to, choice })
    }

    /// Compiles [small](is_small) steps, of which what is `needed` counts; `None` if they are not handled, too long, or
    /// faster one by one.
    pub fn single(&mut self, steps: &[Step<KernelStep>], slots: &[Slot], needed: &Needed) -> Option<(Machine, Single)> {
        if !single::is_worthwhile(steps, MAX_SINGLE_INSTRUCTIONS) {
            return None;
        }
        // Masks in vector registers are at hand sooner than those in registers of their own, if there are registers enough.
        let with_short = single::lower(Isa::Avx2, steps, slots, needed)
            .filter(|(lanes, _)| !lanes.insts.iter().any(|inst| matches!(inst.op, Op::Call(_))))
            .and_then(|(mut lanes, single)| Some((self.append(&mut lanes, Extent::Once, true)?, single)));
        let (entry, single) = match with_short {
            Some(found) => found,
            None => {
                let (mut lanes, single) = single::lower(self.isa, steps, slots, needed)?;
                (self.append(&mut lanes, Extent::Once, false)?, single)
            }
        };
        Some((self.once(entry), single))
    }

    /// Compiles a loop with a loop of its own for each element, of which what is `needed` counts; `None` for other steps,
    /// and for few elements.
    pub fn lanewise(&mut self, step: &Step<KernelStep>, needed: &Needed) -> Option<(Machine, Lanewise)> {
        let Step::While { origin, swaps, flag, .. } = step else { return None };
        let found = lanewise::Lanewise::new(step)?;
        // Only the states are left behind.
        let mut others = swaps.iter().flat_map(|&(a, b)| [a, b]).chain([*flag]);
        if others.any(|slot| needed.contains(slot) && found.states().all(|state| state != slot)) {
            return None;
        }
        let (mut lanes, table) = found.lower(self.isa);
        let chunk = emit::round(&lanes);
        if found.len < chunk {
            return None;
        }
        let entry = self.append(&mut lanes, Extent::Round, false)?;
        let lanewise = Lanewise { table, len: found.len, chunk, origin: *origin };
        Some((self.once(entry), lanewise))
    }

    /// Code that [`Machine::run_once`] runs.
    fn once(&self, entry: usize) -> Machine {
        Machine { module: self.module.clone(), entry, row: None, rounds: None, streaming: None }
    }

    /// Appends code and says where it begins; `None` if it needs too much of the stack, or any though it must not.
    fn append(&mut self, lanes: &mut Lanes, extent: Extent, in_registers: bool) -> Option<usize> {
        let functions: Vec<Arc<Function>> = lanes.functions.drain(..).map(Arc::new).collect();
        let allocation = registers::allocate(lanes, extent == Extent::Points);
        debug_assert_eq!(verify::verify(lanes, &allocation), Ok(()), "{lanes}{allocation}");
        if !emit::fits(lanes, &allocation) || (in_registers && allocation.n_slots > 0) {
            return None;
        }
        let entry = self.assembler.align();
        emit::emit(lanes, &allocation, &functions, extent, &mut self.assembler);
        self.functions.extend(functions);
        Some(entry)
    }

    /// Makes the code executable; `None` if the system denies that.
    pub fn finish(self) -> Option<()> {
        let module = Module { code: Code::new(&self.assembler.code)?, _functions: self.functions };
        self.module.set(module).expect("an assembly is finished once");
        Some(())
    }
}

impl Machine {
    /// Runs over points `start..end` of a run that began at point `first`, for which [`Machine::choose_stores`] was asked.
    ///
    /// # Safety
    /// The table must hold the addresses that the request named: of point 0 of what is accessed by points, of point
    /// `first` of cells, with memory up to point `end`, of accumulators, and of single elements. What is written overlaps
    /// only what is read at the same points.
    pub unsafe fn run(&self, table: &[*mut u8], first: usize, start: usize, end: usize) {
        type Function = unsafe extern "sysv64" fn(*const *mut u8, usize, usize, usize, usize);
        let module = self.module.get().expect("programs run after their assembly is finished");
        let column = |point: usize| if point == first { 0 } else { self.row.map_or(0, |row| (point - first) % row) };
        // SAFETY: at entries there are functions of this type, put there by `emit`; the rest is promised by the caller.
        let call = |entry: usize, from: usize, to: usize| unsafe {
            let function: Function = std::mem::transmute(module.code.start().add(entry));
            function(table.as_ptr(), from, to, from - first, column(from));
        };
        let mut rest = start;
        let streaming = self.streaming.as_ref().filter(|streaming| streaming.serves(table, start));
        if let Some((entry, round)) = streaming.map(|code| (code.entry, code.round)).or(self.rounds)
            && column(start).is_multiple_of(round)
        {
            rest = end - (end - start) % round;
            if rest > start {
                call(entry, start, rest);
            }
        }
        if rest < end || start == end {
            call(self.entry, rest, end);
        }
    }
}

impl Streaming {
    /// Whether the run chose this code and the points from one on stand where its stores may go.
    fn serves(&self, table: &[*mut u8], start: usize) -> bool {
        !table[self.choice as usize].is_null() && start.is_multiple_of(STREAM_ALIGNMENT / 4)
    }
}

impl Machine {
    /// Decides for a run, in an entry of the table, whether it writes past the caches.
    pub fn choose_stores(&self, table: &mut [*mut u8]) -> bool {
        let Some(Streaming { to, choice, .. }) = &self.streaming else { return false };
        let is_past_caches = to.iter().all(|&to| (table[to as usize] as usize).is_multiple_of(STREAM_ALIGNMENT));
        table[*choice as usize] = std::ptr::without_provenance_mut(usize::from(is_past_caches));
        is_past_caches
    }

    /// Lets what is written stay in the caches.
    pub fn keep_in_caches(&mut self) {
        self.streaming = None;
    }

    /// Runs code for single elements, or a round of points from `start` on. The error is the position of a loop that was
    /// stopped.
    ///
    /// # Safety
    /// The table must hold the addresses that [`Single`] or [`Lanewise`] names, of memory for the elements that the slots
    /// hold.
    pub unsafe fn run_once(&self, table: &[*mut u8], start: usize) -> Result<(), usize> {
        type Function = unsafe extern "sysv64" fn(*const *mut u8, usize) -> usize;
        let module = self.module.get().expect("programs run after their assembly is finished");
        // SAFETY: at entries of such code there are functions of this type, put there by `emit`; the rest
        // is promised by the caller.
        let stopped = unsafe {
            let function: Function = std::mem::transmute(module.code.start().add(self.entry));
            function(table.as_ptr(), start)
        };
        stopped.checked_sub(1).map_or(Ok(()), Err)
    }
}

/// What code is made for.
fn isa(executor: Executor) -> Option<Isa> {
    match executor {
        Executor::Interpreter => None,
        Executor::Avx2 => Some(Isa::Avx2),
        Executor::Avx512 => Some(Isa::Avx512),
    }
}

/// Whether machine code of this kind runs on this processor, under this system.
pub(crate) fn runs(executor: Executor) -> bool {
    #[cfg(test)]
    if LACKING.get().is_some_and(|lacking| lacking <= executor) {
        return false;
    }
    isa(executor).is_some_and(is_supported) && memory::is_granted()
}

/// Whether this processor has the instructions.
fn is_supported(isa: Isa) -> bool {
    let has_avx2 =
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2");
    match isa {
        Isa::Avx2 => has_avx2,
        Isa::Avx512 => {
            has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
        }
    }
}

#[cfg(test)]
thread_local! {
    /// The least instruction set that tests make this processor lack.
    static LACKING: std::cell::Cell<Option<Executor>> = const { std::cell::Cell::new(None) };
}
