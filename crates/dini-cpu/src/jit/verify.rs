//! Checks an allocation by running it on names: every argument must stand where the code looks for it.
//!
//! Knows nothing of how registers were chosen.

use super::{
    encode::Isa,
    lanes::{Kind, Lanes, Op, Rounds, Value},
    registers::{Allocation, Place, Step},
};
use std::collections::{HashMap, HashSet};

/// A register or slot: masks of AVX-512 have registers of their own.
type Key = (bool, Location);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Location {
    Register(u8),
    Slot(u32),
}

/// What stands where.
#[derive(Clone, Debug, Default)]
struct State(HashMap<Key, Value>);

/// Verifies that values are computed before they are used, and stand where they are used.
pub(super) fn verify(lanes: &Lanes, allocation: &Allocation) -> Result<(), String> {
    let mut state = State::default();
    let mut heads: Vec<State> = vec![];
    // For each loop under way: the state at its head, the step after that, and the state at its test.
    let mut loops: Vec<(State, usize, Option<State>)> = vec![];
    let is_mask = |value: Value| {
        let kind = lanes.inst(value).result();
        lanes.isa == Isa::Avx512 && matches!(kind, Kind::Mask32 | Kind::Mask64)
    };
    let key = |value: Value, place: Place| match place {
        Place::Register(register) => Some((is_mask(value), Location::Register(register))),
        Place::Slot(slot) => Some((false, Location::Slot(slot))),
        Place::None | Place::Constant(_) => None,
    };
    let holds = |state: &State, value: Value, place: Place| match place {
        Place::Constant(constant) => constant == value,
        Place::None => false,
        Place::Register(_) | Place::Slot(_) => key(value, place).is_some_and(|key| state.0.get(&key) == Some(&value)),
    };
    for (i, step) in allocation.steps.iter().enumerate() {
        let fail = |message: String| Err(format!("step {i}, {step:?}: {message}"));
        match step {
            Step::Inst { value, to, args } => {
                let inst = lanes.inst(*value);
                let mut places: Vec<Place> = args.iter().copied().filter(|&place| place != Place::None).collect();
                for arg in inst.args() {
                    // The order of arguments may have changed.
                    let Some(at) = places.iter().position(|&place| holds(&state, arg, place)) else {
                        return fail(format!("{arg:?} is not there"));
                    };
                    places.remove(at);
                }
                if matches!(inst.op, Op::Constant(_) | Op::Phi(_)) {
                    return fail("no code of its own".into());
                }
                let is_read_late = |arg: usize| !is_mask(inst.args[arg]) && args[arg] == Place::Register(*to);
                if matches!(inst.op, Op::Gather(_)) && (is_read_late(0) || is_read_late(2)) {
                    return fail("what is gathered stands in place of its mask or indices".into());
                }
                state.0.insert((is_mask(*value), Location::Register(*to)), *value);
            }
            Step::Copy { value, from, to } => {
                if !holds(&state, *value, *from) {
                    return fail("the value is not there".into());
                }
                match key(*value, *to) {
                    Some(key) => state.0.insert(key, *value),
                    None => return fail("nowhere to copy to".into()),
                };
            }
            Step::Become { value, at } => match key(*value, *at) {
                Some(key) => drop(state.0.insert(key, *value)),
                None => return fail("a state must stand somewhere".into()),
            },
            Step::Store { store, from } => {
                if !holds(&state, lanes.stores[*store].from, Place::Register(*from)) {
                    return fail("the value is not there".into());
                }
            }
            Step::Write { write, from } => {
                if !holds(&state, lanes.writes[*write].from, Place::Register(*from)) {
                    return fail("the value is not there".into());
                }
            }
            Step::Save(_) | Step::Tally(_) => {}
            Step::Points => heads.push(state.clone()),
            Step::Loop(_) => loops.push((state.clone(), i + 1, None)),
            Step::Test { of, mask } => {
                let test = lanes.loops[*of].test().ok_or("a test of a loop without")?;
                if !holds(&state, test.mask, Place::Register(*mask)) {
                    return fail("the test is not there".into());
                }
                // What follows the loop finds what stands here.
                loops.last_mut().ok_or("a test outside of loops")?.2 = Some(state.clone());
            }
            Step::Again(of) => {
                let (head, start, exit) = loops.pop().ok_or("a loop ends that did not begin")?;
                let l = &lanes.loops[*of];
                // What the places hold for the next round, or after the last one.
                let mut after = state.clone();
                for (place, expected) in &head.0 {
                    if l.phis.iter().any(|phi| phi.value == *expected && state.0.get(place) == Some(&phi.next)) {
                        after.0.insert(*place, *expected);
                    }
                }
                let read = read_first(lanes, &allocation.steps[start..i], &key);
                for (place, expected) in head.0.iter().filter(|(place, _)| read.contains(*place)) {
                    // The next state stands where the state was expected.
                    let phi = l.phis.iter().find(|phi| phi.value == *expected);
                    let next = phi.map_or(*expected, |phi| phi.next);
                    if state.0.get(place) != Some(&next) {
                        return fail(format!("{next:?} does not stand at {place:?}"));
                    }
                }
                state = match (l.rounds, exit) {
                    (Rounds::While(_), Some(exit)) => exit,
                    (Rounds::Times(_), None) => after,
                    (Rounds::If(_), Some(mut exit)) => {
                        exit.0.retain(|place, value| after.0.get(place) == Some(value));
                        exit
                    }
                    (_, _) => return fail("a loop must have a test, unless it is counted".into()),
                };
            }
        }
    }
    // Whatever the points' loop found at first and may read must still be there.
    if let Some(head) = heads.first() {
        let body = allocation.steps.iter().position(|step| matches!(step, Step::Points)).map_or(0, |at| at + 1);
        let read = read_first(lanes, &allocation.steps[body..], &key);
        for (place, value) in head.0.iter().filter(|(place, _)| read.contains(*place)) {
            if state.0.get(place) != Some(value) {
                return Err(format!("{value:?} leaves {place:?} in the loop over the points"));
            }
        }
    }
    Ok(())
}

/// The places that steps read before they write them.
fn read_first(lanes: &Lanes, steps: &[Step], key: &dyn Fn(Value, Place) -> Option<Key>) -> HashSet<Key> {
    let (mut seen, mut read) = (HashSet::new(), HashSet::new());
    for step in steps {
        let mut reads = vec![];
        let written = match step {
            Step::Inst { value, to, args } => {
                // Arguments that changed places have one kind.
                reads.extend(lanes.inst(*value).args().zip(args).filter_map(|(arg, &from)| key(arg, from)));
                key(*value, Place::Register(*to))
            }
            Step::Copy { value, from, to } => {
                reads.extend(key(*value, *from));
                key(*value, *to)
            }
            Step::Store { store, from } => {
                reads.extend(key(lanes.stores[*store].from, Place::Register(*from)));
                None
            }
            Step::Write { write, from } => {
                reads.extend(key(lanes.writes[*write].from, Place::Register(*from)));
                None
            }
            Step::Test { of, mask } => {
                let test = lanes.loops[*of].test();
                reads.extend(test.and_then(|test| key(test.mask, Place::Register(*mask))));
                None
            }
            Step::Save(_) | Step::Tally(_) | Step::Points | Step::Loop(_) | Step::Again(_) | Step::Become { .. } => {
                None
            }
        };
        read.extend(reads.into_iter().filter(|place| seen.insert(*place)));
        seen.extend(written);
    }
    read
}
