//! Where a loop begins and ends: what stands where at its head, so that each round finds all as the first did.

use super::{Allocator, FREE, MASK, MIN_FREE, MIN_FREE_MASKS, NO_SLOT, NONE, Outside, Place, Replaced, Step, VECTOR};
use crate::jit::lanes::{Event, Lanes, Loop, Op, Phi, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// For each value the state of a loop that it may replace: it is the next one of that state alone, and computed in each
/// round after the test. A state that is itself the next one of another, or that something else than an instruction reads
/// where the round ends, stays.
pub(super) fn replaced(lanes: &Lanes, is_live: &[bool], position_of: &dyn Fn(usize) -> u32) -> Vec<Option<Replaced>> {
    let mut n_states = vec![0u32; lanes.insts.len()];
    lanes.loops.iter().flat_map(|l| &l.phis).for_each(|phi| n_states[phi.next.index()] += 1);
    // What is not computed at all may stand between, so places are compared in the order of what is.
    let mut reads: HashSet<(Value, u32)> = HashSet::new();
    reads.extend(lanes.writes.iter().map(|write| (write.from, position_of(write.at))));
    reads.extend(lanes.loops.iter().filter_map(Loop::test).map(|test| (test.mask, position_of(test.at))));
    for l in &lanes.loops {
        let start = position_of(l.start);
        reads.extend(l.phis.iter().map(|phi| (phi.init, start)));
    }
    let (innermost, _) = lanes.nesting();
    let mut replaced = vec![None; lanes.insts.len()];
    for (of, l) in lanes.loops.iter().enumerate() {
        let first = l.test().map_or(l.start, |test| test.at);
        let is_own = |value: usize| value >= first && innermost[value] == Some(of);
        let end = position_of(l.end);
        for &Phi { value: state, next, .. } in l.phis.iter().filter(|phi| is_live[phi.value.index()]) {
            let is_code = !matches!(lanes.inst(next).op, Op::Constant(_) | Op::Phi(_));
            let is_alone = n_states[next.index()] == 1 && n_states[state.index()] == 0;
            if is_code && is_alone && is_own(next.index()) && !reads.contains(&(state, end)) {
                replaced[next.index()] = Some(Replaced { state, end });
            }
        }
    }
    replaced
}

impl Allocator<'_> {
    /// The register of the state that a value replaces, if nothing reads the state any more in this round.
    pub(super) fn replaced_register(&self, value: Value) -> Option<u8> {
        let Replaced { state, end } = (*self.replaces.get(value.index())?)?;
        let s = state.index();
        let is_read = self.uses[(self.first_use[s] + self.n_past[s]) as usize] < end;
        let is_kept = self.is_pinned[s] && self.class(state) == self.class(value);
        (is_kept && !is_read).then_some(self.register[s])
    }

    /// Puts a value in the place of the state until the round ends.
    pub(super) fn replace(&mut self, value: Value, register: u8) {
        self.owners[self.class(value)][register as usize] = value;
        self.register[value.index()] = register;
        self.is_pinned[value.index()] = true;
    }

    /// What happens before instruction `next`: loops begin, are left and end.
    pub(super) fn loop_events(&mut self, next: usize, position: u32, order: &[usize]) {
        self.position = position;
        let lanes = self.lanes;
        while let Some(&(_, event)) = lanes.events.get(self.n_events).filter(|(at, _)| *at <= next) {
            self.n_events += 1;
            match event {
                Event::Start(of) => {
                    let l = &lanes.loops[of];
                    let last = order.partition_point(|&i| i < l.end);
                    let is_live = |phi: &&Phi| self.is_live[phi.value.index()];
                    let phis: Vec<(Value, Value)> =
                        l.phis.iter().filter(is_live).map(|phi| (phi.value, phi.init)).collect();
                    self.enter(&order[position as usize..last], &phis);
                    self.steps.push(Step::Loop(of));
                }
                Event::Test(of) => {
                    let Some(test) = lanes.loops[of].test() else { continue };
                    let mask = self.in_register(test.mask, &[]);
                    self.steps.push(Step::Test { of, mask });
                    self.use_value(test.mask);
                }
                Event::End(of) => self.leave(of),
                Event::Tally(count) => self.steps.push(Step::Tally(count)),
                Event::Write(write) => {
                    let value = lanes.writes[write].from;
                    let from = self.in_register(value, &[]);
                    self.steps.push(Step::Write { write, from });
                    self.use_value(value);
                }
            }
        }
    }

    /// The largest number of values of the code itself that are needed at a time, by class.
    fn pressure(&self, body: &[usize]) -> [usize; 2] {
        let (mut now, mut most) = ([0isize; 2], [0isize; 2]);
        let is_own = |value: Value| body.first().is_some_and(|&first| value.index() >= first);
        for (k, &i) in body.iter().enumerate() {
            let position = self.position + k as u32;
            for (k, arg) in self.lanes.insts[i].args().enumerate() {
                let is_first = self.lanes.insts[i].args[..k].iter().all(|&earlier| earlier != arg);
                let is_code =
                    !self.is_constant(arg) && self.register[arg.index()] == NONE && self.slot[arg.index()] == NO_SLOT;
                if is_first && is_own(arg) && is_code && self.last_use[arg.index()] == position {
                    now[self.class(arg)] -= 1;
                }
            }
            let value = Value(i as u32);
            let is_replacing = self.replaces.get(i).is_some_and(Option::is_some);
            if !matches!(self.lanes.insts[i].op, Op::Phi(_)) && !is_replacing {
                let class = self.class(value);
                now[class] += 1;
                most[class] = most[class].max(now[class]);
            }
        }
        most.map(|n| n.max(0) as usize)
    }

    /// Brings registers and slots into the state that every round of a loop finds.
    pub(super) fn enter(&mut self, body: &[usize], phis: &[(Value, Value)]) {
        let mut outside = Outside::default();
        let pressure = self.pressure(body);
        let mut budget = [VECTOR, MASK].map(|class| {
            let taken = self.owners[class].iter().filter(|owner| match self.is_pinned.get(owner.index()) {
                Some(is_pinned) => *is_pinned,
                None => **owner != FREE,
            });
            let min_free = if class == VECTOR { MIN_FREE } else { MIN_FREE_MASKS };
            (self.owners[class].len() - taken.count()).saturating_sub(pressure[class].max(min_free))
        });
        for &(phi, init) in phis {
            let (class, from) = (self.class(phi), self.place(init));
            if budget[class] > 0 {
                budget[class] -= 1;
                let locked = if let Place::Register(register) = from { [register] } else { [NONE] };
                let to = self.free_register(class, &locked);
                // The eviction may have been of the initial state.
                let from = self.place(init);
                self.steps.push(Step::Copy { value: init, from, to: Place::Register(to) });
                self.use_value(init);
                self.steps.push(Step::Become { value: phi, at: Place::Register(to) });
                self.assign(phi, to);
                self.is_pinned[phi.index()] = true;
                outside.pinned.push(phi);
            } else {
                let slot = self.free_slot();
                let register = self.in_register(init, &[]);
                let (from, to) = (Place::Register(register), Place::Slot(slot));
                self.steps.push(Step::Copy { value: init, from, to });
                self.use_value(init);
                self.steps.push(Step::Become { value: phi, at: to });
                self.slot[phi.index()] = slot;
                outside.others.push(phi);
            }
        }
        // What the loop uses most stays in registers.
        let stores = self.lanes.stores.iter().map(|store| store.from);
        let at_end = stores.filter(|_| phis.is_empty());
        let used = || body.iter().flat_map(|&i| self.lanes.insts[i].args()).chain(at_end.clone());
        let mut count = std::mem::take(&mut self.counts);
        used().for_each(|arg| count[arg.index()] += 1);
        let mut counts: Vec<(u32, Value)> = vec![];
        for value in used() {
            let v = value.index();
            let is_outside = self.register[v] != NONE || self.slot[v] != NO_SLOT;
            let count = std::mem::take(&mut count[v]);
            if count > 0 && (is_outside || self.is_constant(value)) && !self.is_pinned[v] {
                counts.push((count, value));
            }
        }
        self.counts = count;
        counts.sort_by_key(|&(count, value)| (std::cmp::Reverse(count), value));
        let mut chosen = vec![];
        for (_, value) in counts {
            let class = self.class(value);
            if budget[class] > 0 {
                budget[class] -= 1;
                chosen.push(value);
                self.is_pinned[value.index()] = true;
            }
        }
        for class in [VECTOR, MASK] {
            for r in 0..self.owners[class].len() {
                let owner = self.owners[class][r];
                if owner.index() < self.register.len() && !self.is_pinned[owner.index()] {
                    self.spill(owner);
                    self.register[owner.index()] = NONE;
                    self.owners[class][r] = FREE;
                    outside.others.push(owner);
                }
            }
        }
        for value in chosen {
            self.in_register(value, &[]);
            outside.pinned.push(value);
        }
        self.outside.push(outside);
    }

    /// Moves the next states of a loop to where its states stand, all at once.
    fn move_all(&mut self, phis: &[Phi]) {
        // Where the head of the loop finds it, wherever else the body had it.
        let home = |phi: &Phi| match phi.value.index() {
            v if self.is_pinned[v] => Place::Register(self.register[v]),
            v => Place::Slot(self.slot[v]),
        };
        // Registers of both classes have the same numbers, slots are common.
        let key = |value: Value, place: Place| match place {
            Place::Register(_) => (place, self.class(value)),
            Place::None | Place::Slot(_) | Place::Constant(_) => (place, VECTOR),
        };
        let to: Vec<Place> = phis.iter().map(home).collect();
        let mut from: Vec<Place> = phis.iter().map(|phi| self.place(phi.next)).collect();
        // The move that writes what each one reads, and the other way round.
        let writers: HashMap<(Place, usize), usize> =
            phis.iter().zip(&to).enumerate().map(|(k, (phi, &to))| (key(phi.value, to), k)).collect();
        let mut pending: BTreeSet<usize> = (0..phis.len()).filter(|&k| from[k] != to[k]).collect();
        let mut readers: Vec<Vec<usize>> = vec![vec![]; phis.len()];
        let mut writer: Vec<Option<usize>> = vec![None; phis.len()];
        for &k in &pending {
            writer[k] = writers.get(&key(phis[k].next, from[k])).copied().filter(|&other| other != k);
            writer[k].into_iter().for_each(|other| readers[other].push(k));
        }
        let mut n_readers: Vec<usize> = readers.iter().map(Vec::len).collect();
        let mut ready: BTreeSet<usize> = pending.iter().copied().filter(|&k| n_readers[k] == 0).collect();
        let mut spare = vec![];
        // A move may go once no other one reads what it writes; a cycle goes through a slot.
        while let Some(&first) = pending.first() {
            if let Some(k) = ready.pop_first() {
                pending.remove(&k);
                self.steps.push(Step::Copy { value: phis[k].next, from: from[k], to: to[k] });
                if let Some(other) = writer[k] {
                    n_readers[other] -= 1;
                    if n_readers[other] == 0 && pending.contains(&other) {
                        ready.insert(other);
                    }
                }
                continue;
            }
            let slot = self.free_slot();
            spare.push(slot);
            self.steps.push(Step::Copy { value: phis[first].value, from: to[first], to: Place::Slot(slot) });
            for reader in std::mem::take(&mut readers[first]).into_iter().filter(|reader| pending.contains(reader)) {
                (from[reader], writer[reader]) = (Place::Slot(slot), None);
            }
            n_readers[first] = 0;
            ready.insert(first);
        }
        self.free_slots.extend(spare);
    }

    /// Ends a loop: its next states become the states.
    fn leave(&mut self, of: usize) {
        let lanes = self.lanes;
        let is_live = |phi: &&Phi| self.is_live[phi.value.index()];
        let phis: Vec<Phi> = lanes.loops[of].phis.iter().filter(is_live).copied().collect();
        self.move_all(&phis);
        self.steps.push(Step::Again(of));
        for phi in phis {
            let (state, next) = (phi.value.index(), phi.next.index());
            if self.is_pinned[next] && self.replaces[next].is_some() {
                // From now on it is the state again that stands there.
                self.owners[self.class(phi.value)][self.register[state] as usize] = phi.value;
                self.register[next] = NONE;
                self.is_pinned[next] = false;
            }
            self.use_value(phi.next);
            self.n_past[phi.value.index()] += 1;
        }
        let outside = self.outside.pop().expect("the loop began");
        for &value in &outside.pinned {
            self.is_pinned[value.index()] = false;
        }
        // Copies of what stands in memory are not the same on all ways here.
        for class in [VECTOR, MASK] {
            for r in 0..self.owners[class].len() {
                let owner = self.owners[class][r];
                if owner.index() < self.register.len() {
                    let is_kept = outside.pinned.contains(&owner) || self.is_pinned[owner.index()];
                    if !is_kept {
                        self.register[owner.index()] = NONE;
                        self.owners[class][r] = FREE;
                    }
                }
            }
        }
        for value in outside.pinned.into_iter().chain(outside.others) {
            if self.is_over(value) && !self.is_pinned[value.index()] {
                self.release(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dtype::DType,
        jit::{
            encode::Isa,
            lanes::{Kind, Operand, Predicate, Rounds, Store, Walk},
            registers::allocate,
            verify::verify,
        },
    };

    /// Moves in each round of a loop over two states, of which `round` gives the next ones.
    fn n_moves(round: impl Fn(&mut Lanes, [Value; 2]) -> [Value; 2]) -> usize {
        let mut lanes = Lanes::new(Isa::Avx512, 8);
        lanes.operands = vec![Operand { base: 0, dtype: DType::F64, walk: Walk::Points }; 2];
        let inits = [0, 1].map(|operand| lanes.push(Op::Load(operand, 0), Kind::F64, &[]));
        let start = lanes.insts.len();
        lanes.event(Event::Start(0));
        let states = [0, 1].map(|_| lanes.phi(Kind::F64));
        let nexts = round(&mut lanes, states);
        lanes.event(Event::End(0));
        let phis = (0..2).map(|i| Phi { value: states[i], init: inits[i], next: nexts[i] }).collect();
        lanes.loops.push(Loop { start, end: lanes.insts.len(), rounds: Rounds::Times(5), phis });
        lanes.stores = (0..2).map(|i| Store { from: states[i], to: i as u32, group: 0 }).collect();
        let allocation = allocate(&lanes, false);
        assert_eq!(verify(&lanes, &allocation), Ok(()), "{lanes}{allocation}");
        let steps = allocation.steps.iter();
        let round =
            steps.skip_while(|step| !matches!(step, Step::Loop(_))).take_while(|s| !matches!(s, Step::Again(_)));
        round.filter(|step| matches!(step, Step::Copy { .. })).count()
    }

    #[test]
    fn next_states_replace_those_that_nothing_reads_any_more() {
        let sum = |lanes: &mut Lanes, x, y| lanes.push(Op::Add, Kind::F64, &[x, y]);
        let product = |lanes: &mut Lanes, x, y| lanes.push(Op::Mul, Kind::F64, &[x, y]);
        let in_turns = n_moves(|lanes, [x, y]| {
            let next_x = sum(lanes, x, y);
            [next_x, product(lanes, y, next_x)]
        });
        assert_eq!(in_turns, 0);
        let still_read = n_moves(|lanes, [x, y]| {
            let next_x = sum(lanes, x, y);
            [next_x, product(lanes, y, x)]
        });
        assert_eq!(still_read, 1);
        let traded = n_moves(|lanes, [x, y]| [y, sum(lanes, x, y)]);
        assert_eq!(traded, 2);
        let twice = n_moves(|lanes, [x, y]| [sum(lanes, x, y); 2]);
        assert_eq!(twice, 2);
    }

    /// More masks than a loop keeps, each beside vectors in all registers: those in use bar no masks of the same numbers.
    #[test]
    fn masks_do_not_compete_with_vectors() {
        let mut lanes = Lanes::new(Isa::Avx512, 8);
        lanes.operands = vec![Operand { base: 0, dtype: DType::F64, walk: Walk::Points }; 8];
        let x: Vec<Value> = (0..8).map(|operand| lanes.push(Op::Load(operand, 0), Kind::F64, &[])).collect();
        let masks: Vec<Value> = x.windows(2).map(|x| lanes.compare(Predicate::Lt, Kind::F64, x[0], x[1])).collect();
        let start = lanes.insts.len();
        lanes.event(Event::Start(0));
        const N: usize = 12;
        let states: Vec<Value> = (0..N).map(|_| lanes.phi(Kind::F64)).collect();
        let next = |lanes: &mut Lanes, a: usize| {
            (0..N * masks.len()).fold(states[a], |sum, i| {
                let chosen = lanes.push(Op::Select, Kind::F64, &[masks[i % masks.len()], states[a], states[i % N]]);
                lanes.push(Op::Add, Kind::F64, &[sum, chosen])
            })
        };
        let nexts: Vec<Value> = (0..N).map(|a| next(&mut lanes, a)).collect();
        lanes.event(Event::End(0));
        let phis = (0..N).map(|i| Phi { value: states[i], init: x[0], next: nexts[i] }).collect();
        lanes.loops.push(Loop { start, end: lanes.insts.len(), rounds: Rounds::Times(5), phis });
        lanes.stores = (0..8).map(|i| Store { from: states[i], to: i as u32, group: 0 }).collect();
        let allocation = allocate(&lanes, false);
        assert_eq!(verify(&lanes, &allocation), Ok(()), "{lanes}{allocation}");
    }
}
