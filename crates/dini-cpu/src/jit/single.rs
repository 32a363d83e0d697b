//! Small programs to lane IR: kernels over a few elements, small linear algebra, and the loops and branches around them,
//! with all state in registers. All lanes hold the same; slots become values, one for each element, and slots that a loop
//! writes its states.
//!
//! Here: what stands in slots, and kernels. [`admit`] says what is handled, [`control`] lowers loops and branches,
//! [`arrays`] the other operations on arrays, [`linalg`] factorizations and solves.
//!
//! Invariant: every operation is done on the same operands and in the same order as by the interpreter's loops.

mod admit;
mod arrays;
mod control;
mod linalg;

pub(super) use admit::{admits, is_worthwhile};

use super::{
    encode::Isa,
    lanes::{Address, Element, Kind, Lanes, Op, Value},
    operations,
    request::Single,
};
use crate::{
    dtype::DType,
    element,
    graph::Combine,
    kernel::{Access, Instruction, Kernel, ReductionSpace, Reg, Store},
    scalar::ScalarOp,
    schedule::{Effect, KernelStep, Needed, Slot, SlotId, Step},
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What stands in a slot that the code wrote.
#[derive(Clone, Debug)]
enum Content {
    /// These elements, in values.
    Elements(DType, Vec<Value>),
    /// So many elements in the slot's memory.
    Memory(DType, usize),
    /// A loop or branch may have left one of several things here: nothing reads it.
    Unknown,
}

struct Lowering<'a> {
    slots: &'a [Slot],
    lanes: Lanes,
    /// Slots whose addresses the code needs, and where they stand in this list.
    table: Vec<SlotId>,
    bases: FxHashMap<SlotId, u32>,
    /// Other slots are in memory as they were at the start.
    contents: BTreeMap<SlotId, Content>,
    /// Elements that were read from memory: by slot, then by place and type.
    loaded: FxHashMap<SlotId, FxHashMap<(usize, DType), Value>>,
    /// Which ones, in order.
    loads: Vec<(SlotId, (usize, DType))>,
    /// Windows of the loops around, by position in [`Lanes::windows`].
    windows: BTreeMap<SlotId, u32>,
    /// For each loop, the front end's number of its node.
    origins: Vec<u32>,
    /// The library functions that the code stands in for.
    tallies: Vec<&'static str>,
    /// The loops around: how many loads were before each.
    around: Vec<usize>,
}

/// Lowers steps that [`admits`] admitted; what of the slots they write is `needed` is stored in the end. `None` for what
/// turns out not to be handled, such as slots that hold elements of two types.
pub(super) fn lower(isa: Isa, steps: &[Step<KernelStep>], slots: &[Slot], needed: &Needed) -> Option<(Lanes, Single)> {
    let mut lanes = Lanes::new(isa, 8);
    lanes.n_lanes = 2;
    let mut lowering = Lowering {
        slots,
        lanes,
        table: vec![],
        bases: FxHashMap::default(),
        contents: BTreeMap::new(),
        loaded: FxHashMap::default(),
        loads: vec![],
        windows: BTreeMap::new(),
        origins: vec![],
        tallies: vec![],
        around: vec![],
    };
    lowering.steps(steps, needed)?;
    for (slot, content) in std::mem::take(&mut lowering.contents) {
        match content {
            Content::Elements(dtype, values) if needed.contains(slot) => lowering.store(slot, dtype, &values),
            Content::Unknown if needed.contains(slot) => return None,
            Content::Elements(..) | Content::Memory(..) | Content::Unknown => {}
        }
    }
    let Lowering { mut lanes, table, origins, tallies, .. } = lowering;
    lanes.tallies = table.len() as u32;
    Some((lanes, Single { table, origins, tallies }))
}

impl Lowering<'_> {
    /// Where a slot's memory is.
    fn address(&mut self, slot: SlotId) -> Address {
        if let Some(&window) = self.windows.get(&slot) {
            return Address::Window(window);
        }
        let base = *self.bases.entry(slot).or_insert_with(|| {
            self.table.push(slot);
            self.table.len() as u32 - 1
        });
        Address::Table(base)
    }

    /// One element of what stands in a slot.
    fn element(&mut self, slot: SlotId, dtype: DType, place: usize) -> Option<Value> {
        match self.contents.get(&slot) {
            Some(Content::Elements(held, values)) => {
                return if *held == dtype { values.get(place).copied() } else { None };
            }
            Some(Content::Unknown) => return None,
            Some(Content::Memory(..)) | None => {}
        }
        if let Some(&value) = self.loaded.get(&slot).and_then(|loaded| loaded.get(&(place, dtype))) {
            return Some(value);
        }
        let offset = place * dtype.size();
        let value = match &self.slots[slot.0 as usize] {
            Slot::Constant(buffer) if dtype != DType::Bool => {
                let mut bits = [0; 8];
                bits[..dtype.size()].copy_from_slice(buffer.bytes().get(offset..offset + dtype.size())?);
                self.lanes.constant(u64::from_le_bytes(bits), Kind::of(dtype))
            }
            _ => {
                let of = self.address(slot);
                self.lanes.element(Element { of, offset, dtype })
            }
        };
        self.remember(slot, (place, dtype), value);
        Some(value)
    }

    /// The first elements of what stands in a slot.
    fn elements(&mut self, slot: SlotId, dtype: DType, len: usize) -> Option<Vec<Value>> {
        (0..len).map(|place| self.element(slot, dtype, place)).collect()
    }

    /// Puts elements into a slot; into windows at once, since they move on.
    fn write(&mut self, slot: SlotId, dtype: DType, mut values: Vec<Value>) {
        if dtype == DType::Bool {
            values.iter_mut().for_each(|value| *value = self.lanes.mask_for(Kind::Mask32, *value));
        }
        if self.windows.contains_key(&slot) {
            return self.store(slot, dtype, &values);
        }
        self.contents.insert(slot, Content::Elements(dtype, values));
    }

    /// Writes elements to a slot's memory.
    fn store(&mut self, slot: SlotId, dtype: DType, values: &[Value]) {
        self.forget_loaded(slot);
        for (place, &value) in values.iter().enumerate() {
            let of = self.address(slot);
            self.lanes.write(value, Element { of, offset: place * dtype.size(), dtype });
            self.remember(slot, (place, dtype), value);
        }
        self.contents.insert(slot, Content::Memory(dtype, values.len()));
    }

    fn remember(&mut self, slot: SlotId, element: (usize, DType), value: Value) {
        self.loaded.entry(slot).or_default().insert(element, value);
        self.loads.push((slot, element));
    }

    /// Forgets those of the latest loads, from the `first` on, that instructions from `start` on hold.
    fn forget_loads(&mut self, first: usize, start: usize) {
        for (slot, element) in self.loads.split_off(first) {
            let Some(loaded) = self.loaded.get_mut(&slot) else { continue };
            match loaded.get(&element) {
                Some(value) if value.index() >= start => drop(loaded.remove(&element)),
                Some(_) => self.loads.push((slot, element)),
                None => {}
            }
        }
    }

    fn forget_loaded(&mut self, slot: SlotId) {
        self.loaded.remove(&slot);
    }

    fn steps(&mut self, steps: &[Step<KernelStep>], needed: &Needed) -> Option<()> {
        // What is needed after each step that has others inside.
        let mut needed = needed.clone();
        let mut after: Vec<Option<Needed>> = vec![];
        for step in steps.iter().rev() {
            let has_steps = matches!(step, Step::While { .. } | Step::Switch { .. } | Step::Scan { .. });
            after.push(has_steps.then(|| needed.clone()));
            needed.step_back(&Effect::of(step));
        }
        steps.iter().zip(after.into_iter().rev()).try_for_each(|(step, after)| self.step(step, after))
    }

    fn step(&mut self, step: &Step<KernelStep>, after: Option<Needed>) -> Option<()> {
        if let Some(after) = after {
            return self.control(step, &after);
        }
        match step {
            Step::Kernel(KernelStep { kernel, slots, .. }) => self.kernel(kernel, slots),
            Step::Copy { from, to } => {
                let values = self.elements(from.slot, from.dtype, from.len)?;
                self.write(*to, from.dtype, values);
                Some(())
            }
            Step::Call { call, origin: _, args, outs } => self.call(call, args, outs),
            _ => self.array(step),
        }
    }

    fn kernel(&mut self, kernel: &Kernel, slots: &[SlotId]) -> Option<()> {
        let is_uniform = kernel.uniform();
        // For each register its values at all points, or the only one.
        let mut values: Vec<Vec<Value>> = vec![];
        for (i, instruction) in kernel.body.iter().enumerate() {
            let dtype = kernel.dtype(Reg(i as u32));
            let n = if is_uniform[i] { 1 } else { kernel.len };
            values.push(match instruction {
                Instruction::Load { operand, access } => {
                    let slot = slots[operand.0 as usize];
                    let read = |place| match (place, access) {
                        (Some(place), _) => self.element(slot, dtype, place),
                        (None, Access::Padded(padded)) => self.of_bytes(dtype, padded.fill),
                        (None, _) => None,
                    };
                    places(access, n).into_iter().map(read).collect::<Option<Vec<Value>>>()?
                }
                Instruction::Count { dtype, access } => {
                    let count = |place: Option<usize>| self.count(place?, *dtype);
                    places(access, n).into_iter().map(count).collect::<Option<Vec<Value>>>()?
                }
                Instruction::Gather(_) => return None,
                Instruction::Map { op, args, .. } => {
                    let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
                    let at = |arg: &Reg, point: usize| at(&values[arg.0 as usize], point);
                    let mut map = |point: usize| {
                        let args: Vec<Value> = args.iter().map(|arg| at(arg, point)).collect();
                        operations::map(&mut self.lanes, *op, &dtypes, &args)
                    };
                    (0..n).map(&mut map).collect()
                }
            });
        }
        for store in &kernel.stores {
            let (from, to) = (store.from(), slots[store.to().0 as usize]);
            let dtype = kernel.dtype(from);
            let all: Vec<Value> = (0..kernel.len).map(|point| at(&values[from.0 as usize], point)).collect();
            let results = match store {
                Store::Write { .. } => all,
                Store::Reduce { combine, .. } => {
                    let space = kernel.reduction?;
                    let mut results = vec![];
                    for outer in 0..space.outer {
                        for inner in 0..space.inner {
                            let place = |k: usize| (outer * space.reduced + k) * space.inner + inner;
                            let row: Vec<Value> = (0..space.reduced).map(|k| all[place(k)]).collect();
                            results.push(self.fold(*combine, dtype, &row)?);
                        }
                    }
                    results
                }
                Store::Cumulative { combine, .. } => {
                    let ReductionSpace { outer: _, reduced, inner, backward } = kernel.reduction?;
                    let (mut results, last) = (all, kernel.len - 1);
                    for place in (0..=last).map(|i| if backward { last - i } else { i }) {
                        let before = match (place / inner % reduced, backward) {
                            (k, true) if k + 1 < reduced => place + inner,
                            (1.., false) => place - inner,
                            (_, _) => continue,
                        };
                        results[place] = self.combine(*combine, dtype, results[before], results[place]);
                    }
                    results
                }
            };
            self.write(to, dtype, results);
        }
        Some(())
    }

    /// A whole number.
    fn count(&mut self, n: usize, dtype: DType) -> Option<Value> {
        let bytes = element::count(n, dtype);
        let bits = u64::from_le_bytes(*bytes.first_chunk()?);
        Some(self.lanes.constant(bits, Kind::of(dtype)))
    }

    /// A mask that holds nowhere.
    fn never(&mut self) -> Value {
        let zero = self.lanes.constant(0, Kind::I32);
        let never = self.lanes.compare(super::lanes::Predicate::Ne, Kind::I32, zero, zero);
        self.lanes.mask_for(Kind::Mask32, never)
    }

    /// Zero, or false.
    fn zero(&mut self, dtype: DType) -> Value {
        if dtype == DType::Bool { self.never() } else { self.lanes.constant(0, Kind::of(dtype)) }
    }

    fn map(&mut self, op: ScalarOp, dtype: DType, args: &[Value]) -> Value {
        operations::map(&mut self.lanes, op, &vec![dtype; args.len()], args)
    }

    fn select(&mut self, dtype: DType, mask: Value, x: Value, y: Value) -> Value {
        self.lanes.select(Kind::of(dtype), mask, x, y)
    }

    fn combine(&mut self, combine: Combine, dtype: DType, x: Value, y: Value) -> Value {
        let op = match combine {
            Combine::Add => ScalarOp::Add,
            Combine::Mul => ScalarOp::Mul,
            Combine::Max => ScalarOp::Max,
            Combine::Min => ScalarOp::Min,
            Combine::And => ScalarOp::And,
            Combine::Or => ScalarOp::Or,
        };
        self.map(op, dtype, &[x, y])
    }

    /// One after the other, from the result of combining nothing.
    fn fold(&mut self, combine: Combine, dtype: DType, row: &[Value]) -> Option<Value> {
        let (&first, rest) = row.split_first()?;
        let is_float = matches!(dtype, DType::F32 | DType::F64);
        // Only the sum of 0 and −0 differs from its second term.
        let mut result = if combine == Combine::Add && is_float {
            let zero = self.lanes.constant(0, Kind::of(dtype));
            self.lanes.push(Op::Add, Kind::of(dtype), &[zero, first])
        } else {
            first
        };
        for &x in rest {
            result = self.combine(combine, dtype, result, x);
        }
        Some(result)
    }
}

/// The value of a register at a point.
fn at(values: &[Value], point: usize) -> Value {
    if values.len() == 1 { values[0] } else { values[point] }
}

/// The places of the first `n` points; none where the access pads.
fn places(access: &Access, n: usize) -> Vec<Option<usize>> {
    let mut places = vec![];
    match access {
        Access::Contiguous { offset } => places.extend((*offset..offset + n).map(Some)),
        Access::Uniform { offset } => places.resize(n, Some(*offset)),
        Access::Strided(strided) => strided.for_each_index(|place| places.push(Some(place))),
        Access::Padded(padded) => places.extend(padded.places()),
    }
    places.truncate(n);
    places
}
