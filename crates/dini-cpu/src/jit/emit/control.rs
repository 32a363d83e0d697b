//! Loops inside of code that runs once: their counters, the addresses that move with them, and their pauses.
//!
//! A loop that may take long pauses now and then, to ask [`interrupt`] whether it should stop. All loops of a program
//! spend from one budget, which pays for a fraction of a millisecond; a round costs about what its instructions do, in
//! cycles. Code that asks stands behind the rest.

use super::{ACCUMULATOR, CALLER_SAVED, COUNTER, END, Emitter, POINTERS};
use crate::{
    interrupt,
    jit::{
        encode::{self as e, Condition, Gpr, Isa, Label, Memory, Rm},
        lanes::{Lanes, Op, Rounds, vector_bytes},
        registers::{N_MASKS, n_vectors},
    },
};

/// What loops may spend before they pause: some 0.1 ms.
const BUDGET: u32 = 200_000;

/// Holds the rest of the budget in code that runs once.
const FUEL: Gpr = END;

/// Where a cursor stands.
#[derive(Clone, Copy)]
pub(super) enum Home {
    Register(Gpr),
    /// In the frame.
    Stack(usize),
}

/// Counters and moving addresses.
pub(super) struct Cursors {
    /// For each window, its address in the round.
    pub windows: Vec<Home>,
    /// For each loop, the rounds that are left.
    rounds: Vec<Home>,
    /// For each loop, what a round costs, if it pauses.
    costs: Vec<Option<u32>>,
}

/// A loop under way.
pub(super) struct Open {
    head: Label,
    exit: Label,
}

/// Code that asks whether a loop should stop.
pub(super) struct Pause {
    entry: Label,
    back: Label,
    of: usize,
}

impl Cursors {
    pub fn new(lanes: &Lanes) -> Cursors {
        let home = |i: usize| POINTERS.get(i).map_or(Home::Stack(i), |&register| Home::Register(register));
        // Inner loops come later and run more often.
        let n_windows = lanes.windows.len();
        let windows = (0..n_windows).map(|i| home(n_windows - 1 - i)).collect();
        let rounds = (0..lanes.loops.len()).map(|i| home(n_windows + lanes.loops.len() - 1 - i)).collect();
        Cursors { windows, rounds, costs: costs(lanes) }
    }

    /// How many places on the stack there may be: for all cursors and for the limit of rounds.
    pub fn most(lanes: &Lanes) -> usize {
        lanes.windows.len() + lanes.loops.len() + 1
    }

    pub fn n_registers(&self) -> usize {
        (self.windows.len() + self.rounds.len()).min(POINTERS.len())
    }

    fn limit(&self) -> usize {
        self.windows.len() + self.rounds.len()
    }
}

/// What a round of each loop costs in cycles, about; none for loops that are over soon, whose cost is a part of that of
/// the loop around.
fn costs(lanes: &Lanes) -> Vec<Option<u32>> {
    let cost = |i: usize| match lanes.insts[i].op {
        Op::Constant(_) | Op::Phi(_) => 0,
        Op::Div | Op::Sqrt => 8,
        Op::Call(_) => 100,
        _ => 1,
    };
    let (innermost, around) = lanes.nesting();
    // What a round costs, by loop; from the innermost ones on, which come last.
    let mut sums = vec![2u64; lanes.loops.len()];
    for (i, of) in innermost.iter().enumerate() {
        of.iter().for_each(|&of| sums[of] += cost(i));
    }
    let mut costs = vec![None; lanes.loops.len()];
    for (k, l) in lanes.loops.iter().enumerate().rev() {
        let round = sums[k];
        let whole = match l.rounds {
            Rounds::If(_) => Some(round),
            Rounds::Times(n) => round.checked_mul(n as u64).filter(|&whole| whole <= u64::from(BUDGET) / 4),
            Rounds::While(_) => None,
        };
        match whole {
            Some(whole) => around[k].iter().for_each(|&around| sums[around] += whole),
            None => costs[k] = Some(round.min(u64::from(BUDGET)) as u32),
        }
    }
    costs
}

impl Emitter<'_> {
    pub(super) fn cursor(&self, i: usize) -> Memory {
        self.stack(self.frame.cursors + 8 * i)
    }

    /// Fills the budget and reads the limit of rounds.
    pub(super) fn begin_loops(&mut self) {
        if self.cursors.costs.iter().any(Option::is_some) {
            self.assembler.constant(FUEL, u64::from(BUDGET));
        }
        if self.lanes.loops.iter().any(|l| matches!(l.rounds, Rounds::While(_))) {
            self.assembler.constant(ACCUMULATOR, interrupt::limit_address() as u64);
            self.assembler.load(ACCUMULATOR, Memory::Base(ACCUMULATOR, 0));
            let limit = self.cursor(self.cursors.limit());
            self.assembler.store(ACCUMULATOR, limit);
        }
    }

    fn set(&mut self, home: Home, from: Gpr) {
        match home {
            Home::Register(to) => self.assembler.copy(to, from),
            Home::Stack(i) => self.assembler.store(from, self.cursor(i)),
        }
    }

    /// Adds to a cursor, which sets flags.
    fn advance(&mut self, home: Home, n: i32) {
        match home {
            Home::Register(to) => self.assembler.add(to, n),
            Home::Stack(i) => self.assembler.add_to(self.cursor(i), n),
        }
    }

    pub(super) fn open(&mut self, of: usize) {
        let lanes = self.lanes;
        for (i, window) in lanes.windows.iter().enumerate().filter(|(_, window)| window.of == of) {
            let over = self.pointer(window.over, ACCUMULATOR);
            self.assembler.constant(COUNTER, window.first as u64);
            self.assembler.address(ACCUMULATOR, Memory::Indexed(over, COUNTER, 1, 0));
            self.set(self.cursors.windows[i], ACCUMULATOR);
        }
        match lanes.loops[of].rounds {
            Rounds::If(_) => {}
            Rounds::Times(n) => {
                self.assembler.constant(ACCUMULATOR, n as u64);
                self.set(self.cursors.rounds[of], ACCUMULATOR);
            }
            Rounds::While(_) => {
                let limit = self.cursor(self.cursors.limit());
                self.assembler.load(ACCUMULATOR, limit);
                self.set(self.cursors.rounds[of], ACCUMULATOR);
            }
        }
        let (head, exit) = (self.assembler.label(), self.assembler.label());
        self.assembler.bind(head);
        self.loops.push(Open { head, exit });
    }

    /// Leaves the innermost loop if a mask does not hold.
    pub(super) fn test(&mut self, of: usize, mask: u8) {
        let test = self.lanes.loops[of].test().expect("loops that are tested have a test");
        let exit = self.loops[self.loops.len() - 1].exit;
        self.mask_bits(self.lanes.inst(test.mask).result(), mask);
        self.assembler.jump_if(Condition::Zero, exit);
    }

    /// The end of a loop's round.
    pub(super) fn close(&mut self, of: usize) {
        let lanes = self.lanes;
        let Open { head, exit } = self.loops.pop().expect("the loop began");
        if let Rounds::If(_) = lanes.loops[of].rounds {
            return self.assembler.bind(exit);
        }
        for (i, window) in lanes.windows.iter().enumerate().filter(|(_, window)| window.of == of) {
            self.advance(self.cursors.windows[i], window.row as i32);
        }
        if let Some(cost) = self.cursors.costs[of] {
            let (entry, back) = (self.assembler.label(), self.assembler.label());
            self.assembler.add(FUEL, -(cost as i32));
            self.assembler.jump_if(Condition::Negative, entry);
            self.assembler.bind(back);
            self.pauses.push(Pause { entry, back, of });
        }
        self.advance(self.cursors.rounds[of], -1);
        self.assembler.jump_if(Condition::NotZero, head);
        if let Rounds::While(_) = lanes.loops[of].rounds {
            self.stop(of);
            self.assembler.bind(exit);
        }
    }

    /// Returns with the number of the loop that does not go on.
    fn stop(&mut self, of: usize) {
        self.assembler.constant(ACCUMULATOR, of as u64 + 1);
        self.assembler.jump(self.end);
    }

    /// Asks whether a loop should stop; else it has a full budget again.
    pub(super) fn pause(&mut self, Pause { entry, back, of }: Pause) {
        let (whole, width) = (self.whole(), vector_bytes(self.isa()));
        let vectors = 0..n_vectors(self.isa()) as u8;
        let masks = if self.isa() == Isa::Avx512 { 1..N_MASKS as u8 } else { 0..0 };
        self.assembler.bind(entry);
        for r in vectors.clone() {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(e::float(e::STORE, false), whole, r, 0, place, None);
        }
        for r in masks.clone() {
            self.assembler.mask_store(r, self.stack(self.frame.masks + r as usize * 8));
        }
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            self.assembler.store(gpr, self.stack(self.frame.gprs + 8 * k));
        }
        self.assembler.constant(ACCUMULATOR, must_stop as *const () as u64);
        self.assembler.zero_upper();
        self.assembler.call(ACCUMULATOR);
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            self.assembler.load(gpr, self.stack(self.frame.gprs + 8 * k));
        }
        for r in masks {
            self.assembler.mask_load(r, Rm::Memory(self.stack(self.frame.masks + r as usize * 8)));
        }
        for r in vectors {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(e::float(e::LOAD, false), whole, r, 0, place, None);
        }
        self.assembler.constant(FUEL, u64::from(BUDGET));
        self.assembler.test(ACCUMULATOR, 1);
        self.assembler.jump_if(Condition::Zero, back);
        self.stop(of);
    }
}

/// Called by the code.
extern "sysv64" fn must_stop() -> u64 {
    u64::from(interrupt::must_stop())
}
