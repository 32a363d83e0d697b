//! Loops and branches: what they change becomes the states of loops in lane IR.
//!
//! A branch of a switch is a loop of at most one round, whose states are the switch's results.

use super::{Content, Lowering, admit::MAX_ELEMENTS};
use crate::{
    dtype::DType,
    jit::lanes::{Address, Event, Kind, Loop, Phi, Predicate, Rounds, Test, Value, Window},
    kernel::{Instruction, Reg},
    schedule::{Effect, KernelStep, Moving, Needed, Slot, SlotId, Step, Tensor},
};
use std::collections::{BTreeMap, BTreeSet};

/// The slots that steps write, and what stands there in the end as far as that is known: type and number of elements.
#[derive(Default)]
struct Written {
    slots: BTreeSet<SlotId>,
    types: BTreeMap<SlotId, (DType, usize)>,
}

impl Written {
    fn put(&mut self, to: SlotId, dtype: DType, len: usize) {
        self.slots.insert(to);
        self.types.insert(to, (dtype, len));
    }

    fn tensor(&mut self, to: Tensor) {
        self.put(to.slot, to.dtype, to.len);
    }

    fn steps(&mut self, steps: &[Step<KernelStep>]) {
        steps.iter().for_each(|step| self.step(step));
    }

    fn swaps(&mut self, swaps: &[(SlotId, SlotId)]) {
        for &(a, b) in swaps {
            let (of_a, of_b) = (self.types.remove(&a), self.types.remove(&b));
            self.types.extend(of_a.map(|t| (b, t)));
            self.types.extend(of_b.map(|t| (a, t)));
            self.slots.extend([a, b]);
        }
    }

    fn kernel(&mut self, KernelStep { kernel, slots, .. }: &KernelStep) {
        for store in &kernel.stores {
            let operand = store.to().0 as usize;
            self.put(slots[operand], kernel.operands[operand].dtype, kernel.operands[operand].len);
        }
    }

    fn step(&mut self, step: &Step<KernelStep>) {
        match step {
            Step::Kernel(kernel) => self.kernel(kernel),
            Step::Strips { kernels, .. } => kernels.iter().for_each(|kernel| self.kernel(kernel)),
            Step::Copy { from, to } => self.put(*to, from.dtype, from.len),
            Step::DynamicSlice { from, to, window, .. } => self.put(*to, from.dtype, window.len()),
            Step::Gather { from, to, places, .. } => self.put(*to, from.dtype, places.len()),
            Step::Assemble { to, .. }
            | Step::ArgReduce { to, .. }
            | Step::DynamicUpdate { to, .. }
            | Step::Scatter { to, .. }
            | Step::Dot { to, .. } => self.tensor(*to),
            Step::Call { outs, .. } => outs.iter().for_each(|(to, t)| self.put(*to, t.dtype, t.len())),
            Step::While { cond, body, swaps, .. } => {
                self.steps(cond);
                self.steps(body);
                self.swaps(swaps);
            }
            Step::Switch { branches, .. } => branches.iter().for_each(|branch| self.steps(branch)),
            Step::Scan { length, windows, body, swaps, .. } => {
                self.steps(body);
                for moving in windows {
                    if let Some(&(dtype, len)) = self.types.get(&moving.window) {
                        self.put(moving.over, dtype, len * length);
                    }
                }
                self.swaps(swaps);
            }
        }
    }
}

/// A slot whose elements are states of a loop.
struct State {
    slot: SlotId,
    dtype: DType,
    phis: Vec<Phi>,
    /// Whether each round leaves such elements.
    is_kept: bool,
}

/// What stands in slots before a loop.
type Contents = BTreeMap<SlotId, Content>;

impl Lowering<'_> {
    /// Lowers a loop or a switch, of which `after` is needed.
    pub(super) fn control(&mut self, step: &Step<KernelStep>, after: &Needed) -> Option<()> {
        match step {
            Step::While { cond, flag, body, swaps, origin } => {
                let (of, states, before) = self.open(step, after, *origin)?;
                let inside = after.inside(step);
                self.steps(cond, &inside)?;
                let test = Test { mask: self.element(*flag, DType::Bool, 0)?, at: self.lanes.insts.len() };
                self.lanes.event(Event::Test(of));
                self.steps(body, &inside)?;
                self.trade(swaps)?;
                // The condition ran once more than the body.
                let mut in_cond = Written::default();
                in_cond.steps(cond);
                self.close(of, Rounds::While(test), states, before, &in_cond.slots, step)
            }
            Step::Scan { length, reverse, windows, body, swaps, origin } => {
                for moving in windows {
                    // A loop reads its rows from memory.
                    if let Some(Content::Elements(dtype, values)) = self.contents.get(&moving.over).cloned() {
                        self.store(moving.over, dtype, &values);
                    }
                }
                let (of, states, before) = self.open(step, after, *origin)?;
                let outer = self.windows.clone();
                for &Moving { window, over, row } in windows {
                    let over: Address = self.address(over);
                    let (first, row) = match reverse {
                        true => ((length - 1) * row, -isize::try_from(row).ok()?),
                        false => (0, isize::try_from(row).ok()?),
                    };
                    self.lanes.windows.push(Window { of, over, first, row });
                    self.windows.insert(window, self.lanes.windows.len() as u32 - 1);
                    self.contents.remove(&window);
                    self.forget_loaded(window);
                }
                self.steps(body, &after.inside(step))?;
                self.trade(swaps)?;
                self.windows = outer;
                self.close(of, Rounds::Times(*length), states, before, &BTreeSet::new(), step)
            }
            Step::Switch { index, branches } => self.switch(step, *index, branches, after),
            _ => None,
        }
    }

    /// Reads what loops read of memory that they do not write, before they begin.
    fn preload(&mut self, step: &Step<KernelStep>, written: &Written) -> Option<()> {
        let mut all = |steps: &[Step<KernelStep>]| steps.iter().try_for_each(|step| self.preload(step, written));
        match step {
            Step::Kernel(KernelStep { kernel, slots, .. }) => {
                let is_uniform = kernel.uniform();
                for (i, instruction) in kernel.body.iter().enumerate() {
                    if let Instruction::Load { operand, access } = instruction {
                        let (slot, dtype) = (slots[operand.0 as usize], kernel.dtype(Reg(i as u32)));
                        let n = if is_uniform[i] { 1 } else { kernel.len };
                        for place in super::places(access, n).into_iter().flatten() {
                            self.preload_element(slot, dtype, place, written)?;
                        }
                    }
                }
            }
            Step::Strips { .. } => return None,
            Step::While { cond, body, .. } => {
                all(cond)?;
                all(body)?;
            }
            Step::Switch { index, branches } => {
                branches.iter().try_for_each(|branch| all(branch))?;
                self.preload_element(*index, DType::I32, 0, written)?;
            }
            Step::Scan { body, .. } => all(body)?,
            Step::Copy { from, .. } | Step::ArgReduce { from, .. } => self.preload_tensor(*from, written)?,
            Step::Assemble { fill, parts, to } => {
                self.preload_element(*fill, to.dtype, 0, written)?;
                for (part, strided) in parts {
                    let tensor = Tensor { slot: *part, dtype: to.dtype, len: strided.len() };
                    self.preload_tensor(tensor, written)?;
                }
            }
            Step::DynamicSlice { from, starts, .. } => {
                self.preload_tensor(*from, written)?;
                self.preload_tensor(*starts, written)?;
            }
            Step::DynamicUpdate { update, starts, to, window } => {
                self.preload_tensor(Tensor { slot: *update, dtype: to.dtype, len: window.len() }, written)?;
                self.preload_tensor(*starts, written)?;
            }
            Step::Gather { from, indices, .. } => {
                self.preload_tensor(*from, written)?;
                self.preload_tensor(*indices, written)?;
            }
            Step::Scatter { indices, updates, to, places, .. } => {
                self.preload_tensor(Tensor { slot: *updates, dtype: to.dtype, len: places.len() }, written)?;
                self.preload_tensor(*indices, written)?;
            }
            Step::Dot { a, b, .. } => {
                self.preload_tensor(*a, written)?;
                self.preload_tensor(*b, written)?;
            }
            Step::Call { args, .. } => {
                for (slot, t) in args {
                    self.preload_tensor(Tensor { slot: *slot, dtype: t.dtype, len: t.len() }, written)?;
                }
            }
        }
        Some(())
    }

    fn preload_tensor(&mut self, tensor: Tensor, written: &Written) -> Option<()> {
        (0..tensor.len).try_for_each(|place| self.preload_element(tensor.slot, tensor.dtype, place, written))
    }

    fn preload_element(&mut self, slot: SlotId, dtype: DType, place: usize, written: &Written) -> Option<()> {
        // Windows move; those of loops outside of the program do not.
        let is_moving = matches!(self.slots[slot.0 as usize], Slot::Window) && !self.windows.contains_key(&slot);
        let is_free = !written.slots.contains(&slot) && !is_moving;
        if is_free && matches!(self.contents.get(&slot), None | Some(Content::Memory(..))) {
            self.element(slot, dtype, place)?;
        }
        Some(())
    }

    /// Begins a loop. Returns its number, its states, and what stood in slots before.
    fn open(&mut self, step: &Step<KernelStep>, after: &Needed, origin: u32) -> Option<(usize, Vec<State>, Contents)> {
        let types = self.contents.iter().filter_map(|(&slot, content)| match content {
            Content::Elements(dtype, values) => Some((slot, (*dtype, values.len()))),
            Content::Memory(dtype, len) => Some((slot, (*dtype, *len))),
            Content::Unknown => None,
        });
        let mut written = Written { slots: BTreeSet::new(), types: types.collect() };
        written.step(step);
        if self.around.is_empty() {
            self.preload(step, &written)?;
        }
        let effect = Effect::of(step);
        let mut inits: Vec<(SlotId, DType, Vec<Value>)> = vec![];
        for &slot in &written.slots {
            let is_read = effect.reads(slot);
            if (!is_read && !after.contains(slot)) || self.is_row_memory(step, slot) {
                continue;
            }
            let (dtype, len) = match self.contents.get(&slot) {
                Some(Content::Elements(dtype, values)) => (*dtype, values.len()),
                Some(Content::Unknown) if is_read => return None,
                Some(Content::Unknown) => continue,
                Some(Content::Memory(dtype, len)) => (*dtype, *len),
                None => match written.types.get(&slot) {
                    Some(&known) => known,
                    None if is_read => return None,
                    None => continue,
                },
            };
            if self.windows.contains_key(&slot) {
                return None;
            }
            inits.push((slot, dtype, self.few(slot, dtype, len)?));
        }
        let before = self.contents.clone();
        let of = self.lanes.loops.len();
        let (start, rounds) = (self.lanes.insts.len(), Rounds::Times(1));
        self.lanes.loops.push(Loop { start, end: start, rounds, phis: vec![] });
        self.origins.push(origin);
        self.lanes.event(Event::Start(of));
        written.slots.iter().for_each(|&slot| self.forget_loaded(slot));
        self.around.push(self.loads.len());
        let states = inits.into_iter().map(|(slot, dtype, inits)| self.state(slot, dtype, &inits)).collect();
        Some((of, states, before))
    }

    /// Whether a loop's rows stand in a slot: those it writes go to memory at once.
    fn is_row_memory(&self, step: &Step<KernelStep>, slot: SlotId) -> bool {
        match step {
            Step::Scan { windows, .. } => windows.iter().any(|moving| moving.over == slot || moving.window == slot),
            _ => false,
        }
    }

    /// Makes the elements of a slot states of the loop that begins here.
    fn state(&mut self, slot: SlotId, dtype: DType, inits: &[Value]) -> State {
        let mut phis = vec![];
        for &init in inits {
            let value = self.lanes.phi(Kind::of(dtype));
            phis.push(Phi { value, init, next: value });
        }
        self.contents.insert(slot, Content::Elements(dtype, phis.iter().map(|phi| phi.value).collect()));
        State { slot, dtype, phis, is_kept: true }
    }

    /// Trades what stands in slots.
    fn trade(&mut self, swaps: &[(SlotId, SlotId)]) -> Option<()> {
        for &(a, b) in swaps {
            let (of_a, of_b) = (self.settled(a)?, self.settled(b)?);
            self.contents.insert(a, of_b);
            self.contents.insert(b, of_a);
        }
        Some(())
    }

    /// What stands in a slot, as values. Nothing reads what a loop trades without a state or a result of the round.
    fn settled(&mut self, slot: SlotId) -> Option<Content> {
        match self.contents.get(&slot) {
            Some(Content::Elements(..)) => self.contents.remove(&slot),
            Some(&Content::Memory(dtype, len)) => Some(Content::Elements(dtype, self.few(slot, dtype, len)?)),
            Some(Content::Unknown) | None => Some(Content::Unknown),
        }
    }

    /// The elements of a slot, unless they are too many.
    fn few(&mut self, slot: SlotId, dtype: DType, len: usize) -> Option<Vec<Value>> {
        if len <= MAX_ELEMENTS { self.elements(slot, dtype, len) } else { None }
    }

    /// Ends a loop: its next states are what stands in their slots now.
    fn close(
        &mut self,
        of: usize,
        rounds: Rounds,
        mut states: Vec<State>,
        before: Contents,
        unknown: &BTreeSet<SlotId>,
        step: &Step<KernelStep>,
    ) -> Option<()> {
        states.iter_mut().try_for_each(|state| self.next(state))?;
        self.end(of, rounds, &states);
        let inside = std::mem::replace(&mut self.contents, before);
        let mut written = Written::default();
        written.step(step);
        for &slot in &written.slots {
            self.forget_loaded(slot);
            let content = match inside.get(&slot) {
                Some(&Content::Memory(dtype, len)) => Content::Memory(dtype, len),
                _ => Content::Unknown,
            };
            self.contents.insert(slot, content);
        }
        // Rows went to memory at once.
        if let Step::Scan { windows, .. } = step {
            for moving in windows {
                if let Some(&(dtype, len)) = written.types.get(&moving.over) {
                    self.contents.insert(moving.over, Content::Memory(dtype, len));
                }
            }
        }
        for state in states.into_iter().filter(|state| state.is_kept && !unknown.contains(&state.slot)) {
            let values = state.phis.iter().map(|phi| phi.value).collect();
            self.contents.insert(state.slot, Content::Elements(state.dtype, values));
        }
        Some(())
    }

    /// Takes what stands in a state's slot as the next state. What is no such thing is left for something else: then
    /// nothing reads the state.
    fn next(&mut self, state: &mut State) -> Option<()> {
        let next = match self.contents.get(&state.slot) {
            Some(Content::Elements(dtype, values)) => Some((*dtype, values.clone())),
            Some(&Content::Memory(dtype, len)) => Some((dtype, self.few(state.slot, dtype, len)?)),
            Some(Content::Unknown) | None => None,
        };
        match next {
            Some((dtype, values)) if dtype == state.dtype && values.len() == state.phis.len() => {
                state.phis.iter_mut().zip(values).for_each(|(phi, next)| phi.next = next);
            }
            _ => state.is_kept = false,
        }
        Some(())
    }

    /// Notes the end of a loop.
    fn end(&mut self, of: usize, rounds: Rounds, states: &[State]) {
        let end = self.lanes.insts.len();
        self.lanes.event(Event::End(of));
        let l = &mut self.lanes.loops[of];
        (l.end, l.rounds) = (end, rounds);
        l.phis = states.iter().flat_map(|state| &state.phis).copied().collect();
        let start = l.start;
        self.lanes.forget_since(start);
        let n_loads = self.around.pop().expect("the loop began");
        self.forget_loads(n_loads, start);
    }

    fn switch(
        &mut self,
        step: &Step<KernelStep>,
        index: SlotId,
        branches: &[Vec<Step<KernelStep>>],
        after: &Needed,
    ) -> Option<()> {
        let inside = after.inside(step);
        let chosen = self.element(index, DType::I32, 0)?;
        if let [only] = branches {
            return self.steps(only, &inside);
        }
        let mut written = Written::default();
        written.step(step);
        // The results so far: anything at first, since some branch runs.
        let mut results: Vec<(SlotId, DType, Vec<Value>)> = vec![];
        for (&slot, &(dtype, len)) in written.types.iter().filter(|(slot, _)| after.contains(**slot)) {
            if len > MAX_ELEMENTS {
                return None;
            }
            results.push((slot, dtype, vec![self.zero(dtype); len]));
        }
        let before = self.contents.clone();
        let mut is_kept = vec![true; results.len()];
        for (k, branch) in branches.iter().enumerate() {
            let test = self.is_chosen(chosen, k, branches.len());
            let of = self.lanes.loops.len();
            let start = self.lanes.insts.len();
            let test = Test { mask: test, at: start };
            self.lanes.loops.push(Loop { start, end: start, rounds: Rounds::If(test), phis: vec![] });
            self.origins.push(0);
            self.lanes.event(Event::Start(of));
            self.lanes.event(Event::Test(of));
            self.around.push(self.loads.len());
            let forgotten: Vec<_> = written.slots.iter().filter_map(|slot| self.loaded.remove_entry(slot)).collect();
            let mut states: Vec<State> =
                results.iter().map(|(slot, dtype, values)| self.state(*slot, *dtype, values)).collect();
            // A branch finds in the results' slots what stood there before.
            self.contents = before.clone();
            self.steps(branch, &inside)?;
            for (state, is_kept) in states.iter_mut().zip(&mut is_kept) {
                self.next(state)?;
                *is_kept &= state.is_kept;
            }
            self.end(of, Rounds::If(test), &states);
            self.loaded.extend(forgotten);
            for (result, state) in results.iter_mut().zip(states) {
                result.2 = state.phis.iter().map(|phi| phi.value).collect();
            }
        }
        self.contents = before;
        for &slot in &written.slots {
            self.forget_loaded(slot);
            self.contents.insert(slot, Content::Unknown);
        }
        for ((slot, dtype, values), _) in results.into_iter().zip(is_kept).filter(|(_, is_kept)| *is_kept) {
            self.contents.insert(slot, Content::Elements(dtype, values));
        }
        Some(())
    }

    /// Whether the index, clamped into range, names a branch.
    fn is_chosen(&mut self, index: Value, k: usize, n_branches: usize) -> Value {
        let number = self.lanes.constant(k as u64, Kind::I32);
        let mask = if k == 0 {
            self.lanes.compare(Predicate::Le, Kind::I32, index, number)
        } else if k == n_branches - 1 {
            self.lanes.compare(Predicate::Le, Kind::I32, number, index)
        } else {
            self.lanes.compare(Predicate::Eq, Kind::I32, index, number)
        };
        self.lanes.mask_for(Kind::Mask32, mask)
    }
}
