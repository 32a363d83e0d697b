//! Programs over single elements to lane IR: kernels of one point, and the loops around them, with all state in
//! registers. All lanes hold the same; slots become values, and slots that a loop writes its states.

use super::{
    encode::Isa,
    lanes::{Event, Kind, Lanes, Loop, Op, Operand, Phi, Store, Value, Walk},
    operations,
    request::Key,
};
use crate::{
    dtype::DType,
    element,
    kernel::{Access, Instruction, Kernel, Reg},
    schedule::{KernelStep, Needed, SlotId, Step},
};
use std::collections::BTreeMap;

/// What stands in a place.
#[derive(Clone, Copy)]
enum Content {
    Value(DType, Value),
    /// A loop may have left one of several values here.
    Unknown,
}

struct Lowering {
    lanes: Lanes,
    /// Operands of the code, by position in the table of addresses.
    table: Vec<Key>,
    contents: BTreeMap<Key, Content>,
    written: BTreeMap<Key, DType>,
}

/// Lowers steps that [`is_scalar`](crate::interp) admits; what of the slots they write is `needed` is stored in the
/// end. Returns the table of addresses too. `None` for what is not handled here: branches, and slots read in parts that
/// are also written.
pub(super) fn lower(isa: Isa, steps: &[Step<KernelStep>], needed: &Needed) -> Option<(Lanes, Vec<Key>)> {
    let mut lanes = Lanes::new(isa, 8);
    lanes.n_lanes = 2;
    let (table, contents, written) = (vec![], BTreeMap::new(), BTreeMap::new());
    let mut lowering = Lowering { lanes, table, contents, written };
    lowering.steps(steps)?;
    for (key, dtype) in std::mem::take(&mut lowering.written) {
        if !needed.contains(key.0) {
            continue;
        }
        match lowering.contents[&key] {
            Content::Value(held, from) if held == dtype => {
                let to = lowering.operand(key, dtype);
                lowering.lanes.stores.push(Store { from, to, group: 0 });
            }
            Content::Value(..) | Content::Unknown => return None,
        }
    }
    Some((lowering.lanes, lowering.table))
}

/// The places that a loop touches, with their types; for each whether it writes them.
#[derive(Default)]
struct Touched {
    types: BTreeMap<Key, DType>,
    written: BTreeMap<Key, ()>,
    swaps: Vec<(SlotId, SlotId)>,
}

impl Touched {
    fn steps(&mut self, steps: &[Step<KernelStep>]) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn touch(&mut self, key: Key, dtype: DType) -> Option<()> {
        (*self.types.entry(key).or_insert(dtype) == dtype).then_some(())
    }

    fn step(&mut self, step: &Step<KernelStep>) -> Option<()> {
        match step {
            Step::Kernel(KernelStep { kernel, slots }) => {
                for (i, instruction) in kernel.body.iter().enumerate() {
                    if let Instruction::Load { operand, access } = instruction {
                        let dtype = kernel.dtype(Reg(i as u32));
                        self.touch((slots[operand.0 as usize], point(access) * dtype.size()), dtype)?;
                    }
                }
                for store in &kernel.stores {
                    let key = (slots[store.to().0 as usize], 0);
                    self.touch(key, kernel.dtype(store.from()))?;
                    self.written.insert(key, ());
                }
            }
            Step::Copy { from, to } => {
                self.touch((from.slot, 0), from.dtype)?;
                self.touch((*to, 0), from.dtype)?;
                self.written.insert((*to, 0), ());
            }
            Step::While { cond, flag, body, swaps } => {
                self.steps(cond)?;
                self.steps(body)?;
                self.touch((*flag, 0), DType::Bool)?;
                self.swaps.extend(swaps);
            }
            _ => return None,
        }
        Some(())
    }

    /// Slots that trade have one type, and are written.
    fn finish(&mut self) -> Option<()> {
        for &(a, b) in &self.swaps {
            let dtype = *self.types.get(&(a, 0)).or(self.types.get(&(b, 0)))?;
            for slot in [a, b] {
                if *self.types.entry((slot, 0)).or_insert(dtype) != dtype {
                    return None;
                }
                self.written.insert((slot, 0), ());
            }
        }
        Some(())
    }
}

impl Lowering {
    fn operand(&mut self, key: Key, dtype: DType) -> u32 {
        let base = self.table.iter().position(|other| *other == key).unwrap_or_else(|| {
            self.table.push(key);
            self.table.len() - 1
        });
        self.lanes.operands.push(Operand { base: base as u32, dtype, walk: Walk::Points });
        self.lanes.operands.len() as u32 - 1
    }

    /// What stands in a place, read from memory at first.
    fn read(&mut self, key: Key, dtype: DType) -> Option<Value> {
        match self.contents.get(&key) {
            Some(Content::Value(held, value)) => (*held == dtype).then_some(*value),
            Some(Content::Unknown) => None,
            None => {
                // A slot that is written has one place only.
                if self.written.contains_key(&(key.0, 0)) {
                    return None;
                }
                let operand = self.operand(key, dtype);
                let value = self.lanes.push(Op::Uniform(operand), Kind::of(dtype), &[]);
                self.contents.insert(key, Content::Value(dtype, value));
                Some(value)
            }
        }
    }

    fn write(&mut self, slot: SlotId, dtype: DType, value: Value) -> Option<()> {
        let is_in_parts = self.contents.keys().any(|&(other, offset)| other == slot && offset != 0);
        let value = if dtype == DType::Bool { self.lanes.mask_for(Kind::Mask32, value) } else { value };
        self.contents.insert((slot, 0), Content::Value(dtype, value));
        self.written.insert((slot, 0), dtype);
        (!is_in_parts).then_some(())
    }

    fn steps(&mut self, steps: &[Step<KernelStep>]) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step<KernelStep>) -> Option<()> {
        match step {
            Step::Kernel(KernelStep { kernel, slots }) => self.kernel(kernel, slots),
            Step::Copy { from, to } => {
                let value = self.read((from.slot, 0), from.dtype)?;
                self.write(*to, from.dtype, value)
            }
            Step::While { cond, flag, body, swaps } => self.repeat(cond, *flag, body, swaps),
            Step::Switch { .. }
            | Step::Assemble { .. }
            | Step::ArgReduce { .. }
            | Step::Cumulative { .. }
            | Step::DynamicSlice { .. }
            | Step::DynamicUpdate { .. }
            | Step::Gather { .. }
            | Step::Scatter { .. }
            | Step::Dot { .. }
            | Step::Call { .. }
            | Step::Scan { .. } => None,
        }
    }

    fn repeat(
        &mut self,
        cond: &[Step<KernelStep>],
        flag: SlotId,
        body: &[Step<KernelStep>],
        swaps: &[(SlotId, SlotId)],
    ) -> Option<()> {
        let mut touched = Touched::default();
        touched.steps(cond)?;
        touched.steps(body)?;
        touched.touch((flag, 0), DType::Bool)?;
        touched.swaps.extend(swaps);
        touched.finish()?;
        let mut in_cond = Touched::default();
        in_cond.steps(cond)?;
        in_cond.finish()?;
        // What the loop reads from outside is read once. States start as what is there.
        let mut inits = vec![];
        for (&key, &dtype) in &touched.types {
            let is_written = touched.written.contains_key(&key);
            if is_written && matches!(self.contents.get(&key), Some(Content::Value(held, _)) if *held != dtype) {
                // The slot held something else before: nothing reads that.
                self.contents.remove(&key);
                self.written.remove(&key);
            }
            if is_written && matches!(self.contents.get(&key), Some(Content::Unknown)) {
                return None;
            }
            let value = self.read(key, dtype)?;
            if is_written {
                inits.push((key, dtype, value));
            }
        }
        let of = self.lanes.loops.len();
        self.lanes.loops.push(Loop { start: 0, test_at: 0, end: 0, test: Value::NONE, phis: vec![] });
        self.lanes.event(Event::Start(of));
        let start = self.lanes.insts.len();
        let mut phis: Vec<Phi> = vec![];
        for &(key, dtype, init) in &inits {
            let number = start + phis.len();
            let value = self.lanes.push(Op::Phi(number as u32), Kind::of(dtype), &[]);
            phis.push(Phi { value, init, next: value });
            self.write(key.0, dtype, value)?;
        }
        self.steps(cond)?;
        let test = self.read((flag, 0), DType::Bool)?;
        let test_at = self.lanes.insts.len();
        self.lanes.event(Event::Test(of));
        self.steps(body)?;
        for &(a, b) in swaps {
            let dtype = touched.types[&(a, 0)];
            let (x, y) = (self.read((a, 0), dtype)?, self.read((b, 0), dtype)?);
            self.write(a, dtype, y)?;
            self.write(b, dtype, x)?;
        }
        for (phi, &(key, dtype, _)) in phis.iter_mut().zip(&inits) {
            phi.next = self.read(key, dtype)?;
        }
        let end = self.lanes.insts.len();
        self.lanes.event(Event::End(of));
        self.lanes.forget_since(start);
        for (phi, &(key, dtype, _)) in phis.iter().zip(&inits) {
            // The condition ran once more than the body.
            let is_of_cond = in_cond.written.contains_key(&key);
            let content = if is_of_cond { Content::Unknown } else { Content::Value(dtype, phi.value) };
            self.contents.insert(key, content);
        }
        self.lanes.loops[of] = Loop { start, test_at, end, test, phis };
        Some(())
    }

    fn kernel(&mut self, kernel: &Kernel, slots: &[SlotId]) -> Option<()> {
        let mut values: Vec<Value> = vec![];
        for (i, instruction) in kernel.body.iter().enumerate() {
            let dtype = kernel.dtype(Reg(i as u32));
            values.push(match instruction {
                Instruction::Load { operand, access } => {
                    self.read((slots[operand.0 as usize], point(access) * dtype.size()), dtype)?
                }
                Instruction::Count { dtype, access } => {
                    if *dtype == DType::Bool {
                        return None;
                    }
                    let bytes = element::count(point(access), *dtype);
                    let bits = u64::from_ne_bytes(*bytes.first_chunk()?);
                    self.lanes.constant(bits, Kind::of(*dtype))
                }
                Instruction::Map { op, args, .. } => {
                    let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
                    let args: Vec<Value> = args.iter().map(|arg| values[arg.0 as usize]).collect();
                    operations::map(&mut self.lanes, *op, &dtypes, &args)
                }
            });
        }
        for store in &kernel.stores {
            let (from, to) = (store.from(), slots[store.to().0 as usize]);
            self.write(to, kernel.dtype(from), values[from.0 as usize])?;
        }
        Some(())
    }
}

/// The place that the only point of an access reads.
fn point(access: &Access) -> usize {
    match access {
        Access::Contiguous { offset } | Access::Uniform { offset } => *offset,
        Access::Strided(strided) => strided.offset,
        Access::Padded(_) => unreachable!("one point has a place"),
    }
}
