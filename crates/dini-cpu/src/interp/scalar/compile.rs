//! From steps to scalar programs.

use super::{Arithmetic, CalledKernel, CellId, Code, Instruction, Repeated, ScalarProgram, Transfer};
use crate::{
    dtype::DType,
    element,
    kernel::{Access, Instruction as KernelInstruction, Kernel, Reg, Store},
    math,
    scalar::ScalarOp,
    schedule::{KernelStep, Slot, SlotId, Step},
};
use std::collections::{HashMap, HashSet};

/// Whether a step computes single elements only.
pub(in crate::interp) fn is_scalar(step: &Step<KernelStep>, slots: &[Slot]) -> bool {
    let all = |steps: &[Step<KernelStep>]| steps.iter().all(|step| is_scalar(step, slots));
    let is_small = |slot: SlotId| (1..=8).contains(&slots[slot.0 as usize].bytes());
    let fits = |dtype: DType| !matches!(dtype, DType::C64 | DType::C128 | DType::Float0);
    match step {
        Step::Kernel(KernelStep { kernel, .. }) => {
            kernel.len == 1 && kernel.reduction.is_none() && kernel.operands.iter().all(|operand| fits(operand.dtype))
        }
        Step::Copy { from, to: _ } => from.len == 1 && fits(from.dtype),
        Step::While { cond, flag: _, body, swaps, origin: _ } => {
            all(cond) && all(body) && swaps.iter().all(|&(a, b)| is_small(a) && is_small(b))
        }
        Step::Switch { branches, .. } => branches.len() < 1 << 16 && branches.iter().all(|branch| all(branch)),
        Step::Strips { .. }
        | Step::Assemble { .. }
        | Step::ArgReduce { .. }
        | Step::DynamicSlice { .. }
        | Step::DynamicUpdate { .. }
        | Step::Gather { .. }
        | Step::Scatter { .. }
        | Step::Dot { .. }
        | Step::Call { .. }
        | Step::Scan { .. } => false,
    }
}

impl ScalarProgram {
    /// Compiles scalar steps; `None` if they need more registers than there are.
    pub fn new(steps: &[Step<KernelStep>], slots: &[Slot]) -> Option<ScalarProgram> {
        let mut compiler = Compiler {
            slots,
            program: ScalarProgram::default(),
            homes: HashMap::new(),
            in_parts: HashSet::new(),
            written: HashSet::new(),
            free: vec![],
            n_cells: 0,
            depth: 0,
            constants: HashMap::new(),
        };
        compiler.steps(steps)?;
        compiler.emit(Code::Stop, [0; 3], 0, 0);
        let mut program = compiler.program;
        program.n_cells = compiler.n_cells.max(1);
        let mut homes: Vec<(Key, Home)> = compiler.homes.into_iter().collect();
        // Hash order must not show.
        homes.sort_unstable_by_key(|(key, _)| *key);
        for ((slot, offset), home) in homes {
            let transfer = Transfer { slot, offset, size: home.size, cell: home.cell };
            if home.is_read {
                program.loads.push(transfer);
            }
            if home.is_written {
                program.stores.push(transfer);
            }
        }
        let is_valid = |cell: CellId| (cell as usize) < program.n_cells;
        debug_assert!(program.code.iter().all(|i| [i.a, i.b, i.c, i.to].into_iter().all(is_valid)));
        Some(program)
    }
}

/// Slot and bytes into it.
type Key = (SlotId, usize);

/// The register of a slot.
#[derive(Clone, Copy)]
struct Home {
    cell: CellId,
    size: usize,
    /// Read before it is written, as far as known: anything that may be read before the program writes it is loaded.
    is_read: bool,
    is_written: bool,
}

struct Compiler<'a> {
    slots: &'a [Slot],
    program: ScalarProgram,
    homes: HashMap<Key, Home>,
    /// Slots that are read elsewhere than at their start.
    in_parts: HashSet<SlotId>,
    written: HashSet<SlotId>,
    /// Registers that are neither homes nor constants and hold nothing now.
    free: Vec<CellId>,
    n_cells: usize,
    /// How many loops and branches are around the code being compiled: it may not run at all.
    depth: usize,
    constants: HashMap<u64, CellId>,
}

impl Compiler<'_> {
    /// A register that held nothing before: what is loaded at the start must not be in the way of earlier code.
    fn lasting_cell(&mut self) -> Option<CellId> {
        let cell = CellId::try_from(self.n_cells).ok()?;
        self.n_cells += 1;
        Some(cell)
    }

    /// A register for the moment.
    fn cell(&mut self) -> Option<CellId> {
        self.free.pop().or_else(|| self.lasting_cell())
    }

    /// The register of a slot's place. A slot that is written and also read in parts would have several that overlap:
    /// not handled here.
    fn home(&mut self, key: Key, size: usize) -> Option<&mut Home> {
        if key.1 != 0 {
            self.in_parts.insert(key.0);
        }
        if self.in_parts.contains(&key.0) && self.written.contains(&key.0) {
            return None;
        }
        if !self.homes.contains_key(&key) {
            let cell = self.lasting_cell()?;
            self.homes.insert(key, Home { cell, size, is_read: false, is_written: false });
        }
        let home = self.homes.get_mut(&key)?;
        home.size = home.size.max(size);
        Some(home)
    }

    fn read(&mut self, slot: SlotId, offset: usize, size: usize) -> Option<CellId> {
        let home = self.home((slot, offset), size)?;
        home.is_read |= !home.is_written;
        Some(home.cell)
    }

    fn write(&mut self, slot: SlotId, size: usize) -> Option<CellId> {
        let is_certain = self.depth == 0;
        self.written.insert(slot);
        let home = self.home((slot, 0), size)?;
        // What may not be written must be loaded, since it is stored in the end.
        home.is_read |= !is_certain && !home.is_written;
        home.is_written = true;
        Some(home.cell)
    }

    fn emit(&mut self, code: Code, [a, b, c]: [CellId; 3], to: CellId, index: u32) -> usize {
        self.program.code.push(Instruction { code, a, b, c, to, index });
        self.program.code.len() - 1
    }

    /// Instructions of a round of each loop so far.
    fn cost_of_loops(&self) -> usize {
        self.program.loops.iter().map(|repeated| repeated.cost).sum()
    }

    fn here(&self) -> u32 {
        self.program.code.len() as u32
    }

    fn steps(&mut self, steps: &[Step<KernelStep>]) -> Option<()> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step<KernelStep>) -> Option<()> {
        match step {
            Step::Kernel(KernelStep { kernel, slots, .. }) => self.kernel(kernel, slots)?,
            Step::Copy { from, to } => {
                let (from, to) = (self.read(from.slot, 0, from.bytes())?, self.write(*to, from.bytes())?);
                self.emit(Code::Move, [from, 0, 0], to, 0);
            }
            Step::While { cond, flag, body, swaps, origin } => {
                let rounds = self.lasting_cell()?;
                self.emit(Code::Limit, [0; 3], rounds, 0);
                let start = self.here();
                let costs_before = self.cost_of_loops();
                // The first test runs for sure, but on what earlier rounds left.
                self.depth += 1;
                self.steps(cond)?;
                let flag = self.read(*flag, 0, 1)?;
                let exit = self.emit(Code::JumpUnless, [flag, 0, 0], 0, 0);
                self.steps(body)?;
                for &(a, b) in swaps {
                    let (a, b) = (self.traded(a)?, self.traded(b)?);
                    self.emit(Code::Swap, [a, 0, 0], b, 0);
                }
                self.depth -= 1;
                let cost_inside = self.cost_of_loops() - costs_before;
                let cost = (self.here() - start) as usize + 2 - cost_inside;
                self.program.loops.push(Repeated { cost, origin: *origin });
                self.emit(Code::Round, [0; 3], rounds, self.program.loops.len() as u32 - 1);
                self.emit(Code::Jump, [0; 3], 0, start);
                self.program.code[exit].index = self.here();
            }
            Step::Switch { index, branches } => {
                let index = self.read(*index, 0, DType::I32.size())?;
                let first = u32::try_from(self.program.targets.len()).ok().filter(|first| *first < 1 << 16)?;
                self.emit(Code::Switch, [index, 0, 0], 0, first << 16 | branches.len() as u32);
                self.program.targets.resize(first as usize + branches.len(), 0);
                self.depth += 1;
                let mut exits = vec![];
                for (i, branch) in branches.iter().enumerate() {
                    self.program.targets[first as usize + i] = self.here();
                    self.steps(branch)?;
                    exits.push(self.emit(Code::Jump, [0; 3], 0, 0));
                }
                self.depth -= 1;
                let end = self.here();
                exits.into_iter().for_each(|exit| self.program.code[exit].index = end);
            }
            Step::Strips { .. }
            | Step::Assemble { .. }
            | Step::ArgReduce { .. }
            | Step::DynamicSlice { .. }
            | Step::DynamicUpdate { .. }
            | Step::Gather { .. }
            | Step::Scatter { .. }
            | Step::Dot { .. }
            | Step::Call { .. }
            | Step::Scan { .. } => unreachable!("not a scalar step"),
        }
        Some(())
    }

    /// The register of a slot that trades with another one.
    fn traded(&mut self, slot: SlotId) -> Option<CellId> {
        // Slots that trade have exactly the size of their values.
        let size = self.slots[slot.0 as usize].bytes();
        self.read(slot, 0, size)?;
        self.write(slot, size)
    }

    fn kernel(&mut self, kernel: &Kernel, slots: &[SlotId]) -> Option<()> {
        let mut last_uses = vec![0; kernel.body.len()];
        for (i, instruction) in kernel.body.iter().enumerate() {
            instruction.args().iter().for_each(|arg| last_uses[arg.0 as usize] = i);
        }
        kernel.stores.iter().for_each(|store| last_uses[store.from().0 as usize] = usize::MAX);
        // Per kernel register: the cell, and whether it must be given back.
        let mut cells: Vec<(CellId, bool)> = vec![];
        for (i, instruction) in kernel.body.iter().enumerate() {
            let reg = Reg(i as u32);
            let cell = match instruction {
                KernelInstruction::Load { operand, access } => {
                    let size = kernel.dtype(reg).size();
                    (self.read(slots[operand.0 as usize], point(access) * size, size)?, false)
                }
                KernelInstruction::Count { dtype, access } => (self.constant(point(access), *dtype)?, false),
                KernelInstruction::Gather(_) => return None,
                KernelInstruction::Map { op, args, dtype } => {
                    let operands: Vec<CellId> = args.iter().map(|arg| cells[arg.0 as usize].0).collect();
                    let dtypes: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
                    for arg in args {
                        let (cell, is_own) = &mut cells[arg.0 as usize];
                        if *is_own && last_uses[arg.0 as usize] == i {
                            *is_own = false;
                            self.free.push(*cell);
                        }
                    }
                    let to = match self.direct(kernel, slots, &last_uses, reg) {
                        Some(slot) => (self.write(slot, dtype.size())?, false),
                        None => (self.cell()?, true),
                    };
                    self.map(*op, &operands, &dtypes, *dtype, to.0)?;
                    to
                }
            };
            cells.push(cell);
        }
        for store in &kernel.stores {
            let (from, size) = (cells[store.from().0 as usize].0, kernel.dtype(store.from()).size());
            let to = self.write(slots[store.to().0 as usize], size)?;
            if from != to {
                self.emit(Code::Move, [from, 0, 0], to, 0);
            }
        }
        self.free.extend(cells.into_iter().filter(|(_, is_own)| *is_own).map(|(cell, _)| cell));
        Some(())
    }

    /// The slot that a register is stored to, if nothing of the kernel reads that slot from then on: the result may
    /// stand in the slot's register at once.
    fn direct(&self, kernel: &Kernel, slots: &[SlotId], last_uses: &[usize], reg: Reg) -> Option<SlotId> {
        let to = kernel.stores.iter().find_map(|store| match store {
            Store::Write { from, to } | Store::Reduce { from, to, .. } | Store::Cumulative { from, to, .. } => {
                (*from == reg).then_some(*to)
            }
        })?;
        let slot = slots[to.0 as usize];
        let is_read_later = kernel.body.iter().enumerate().any(|(i, instruction)| {
            let is_read = instruction.operand().is_some_and(|operand| slots[operand.0 as usize] == slot);
            is_read && last_uses[i] > reg.0 as usize
        });
        (!is_read_later).then_some(slot)
    }

    fn map(&mut self, op: ScalarOp, operands: &[CellId], dtypes: &[DType], dtype: DType, to: CellId) -> Option<()> {
        let [a, b, c] = std::array::from_fn(|k| operands.get(k).copied().unwrap_or(0));
        if op == ScalarOp::Select {
            self.emit(Code::Select, [b, c, a], to, 0);
            return Some(());
        }
        if let Some(op) = Arithmetic::of(op, dtypes[0]) {
            self.emit(Code::Arithmetic(op), [a, b, c], to, 0);
            return Some(());
        }
        let kernel = math::kernel(op, dtypes).expect("the checker admitted the operation");
        let mut args = [DType::Bool; 3];
        args[..dtypes.len()].copy_from_slice(dtypes);
        self.program.kernels.push(CalledKernel { kernel, n_args: dtypes.len() as u8, args, to: dtype });
        let index = self.program.kernels.len() as u32 - 1;
        self.emit(Code::Call, [a, b, c], to, index);
        Some(())
    }

    /// A register that holds a whole number.
    fn constant(&mut self, n: usize, dtype: DType) -> Option<CellId> {
        let bits = u64::from_ne_bytes(*element::count(n, dtype).first_chunk().expect("scalars fit a cell"));
        if let Some(&cell) = self.constants.get(&bits) {
            return Some(cell);
        }
        let cell = self.lasting_cell()?;
        self.constants.insert(bits, cell);
        self.program.constants.push((cell, bits));
        Some(cell)
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
