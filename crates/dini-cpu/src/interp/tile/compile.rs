//! From a kernel to a tile program: which register stands where. [`machine`] decides what machine code computes.

mod machine;

use super::{
    Base, Instruction, Place, TileProgram,
    boxes::Boxes,
    reduction::{Fold, Partial, Reduction},
};
use crate::{
    dtype::DType,
    explain::{Work, work},
    graph::Strided,
    jit::{Assembly, Machine},
    kernel::{Access, Gather, Instruction as KernelInstruction, Kernel, REDUCTION_TILE, Reg, Store},
    math,
    scalar::ScalarOp,
    schedule::{KernelStep, Places, SlotId},
};
use smallvec::SmallVec;

/// Registers and streams of operands together should stay below this many bytes: most of a first-level cache.
const CACHE_BYTES: usize = 28 << 10;
pub(super) const MAX_TILE: usize = 1024;
const MIN_TILE: usize = 128;

/// Tiles of machine code without cells take about so many nanoseconds at most: between two of them runs can be stopped.
const LONGEST_TILE: f64 = 100_000.0;

/// Scratch cells are multiples of this many bytes.
pub(super) const CELL_ALIGNMENT: usize = 64;

impl TileProgram {
    /// Compiles a kernel for the slots that it runs over, to machine code if there is an assembly.
    pub fn new(step: &KernelStep, assembly: Option<&mut Assembly>) -> TileProgram {
        let mut compiler = Compiler::new(step);
        if let Some(assembly) = assembly
            && let Some(program) = compiler.machine(assembly)
        {
            return program;
        }
        compiler = Compiler::new(step);
        (0..step.kernel.body.len()).for_each(|i| compiler.instruction(Reg(i as u32)));
        compiler.stores();
        let sinks = compiler.sinks();
        compiler.finish(sinks, None, None)
    }
}

impl<'a> Compiler<'a> {
    fn new(step: &'a KernelStep) -> Compiler<'a> {
        let KernelStep { kernel, slots, origin } = step;
        Compiler {
            kernel,
            slots,
            origin: *origin,
            uniform: kernel.uniform(),
            last_uses: last_uses(kernel),
            places: Vec::with_capacity(kernel.body.len()),
            bases: vec![],
            prologue: vec![],
            laid_out: vec![],
            body: Vec::with_capacity(kernel.body.len()),
            cells: vec![],
            n_scalars: 0,
            is_direct: true,
        }
    }
}

/// A scratch cell, and whether a register that is still needed stands in it.
struct Cell {
    base: u32,
    is_busy: bool,
}

struct Compiler<'a> {
    kernel: &'a Kernel,
    slots: &'a [SlotId],
    origin: u32,
    uniform: Vec<bool>,
    /// For each register the last instruction that reads it; stores read after all.
    last_uses: Vec<usize>,
    /// For each register so far.
    places: Vec<Place>,
    bases: Vec<Base>,
    prologue: Vec<Instruction>,
    laid_out: Vec<(Instruction, usize)>,
    body: Vec<Instruction>,
    cells: Vec<Cell>,
    n_scalars: usize,
    /// Whether registers may be written to operands at once, and share cells.
    is_direct: bool,
}

fn last_uses(kernel: &Kernel) -> Vec<usize> {
    let mut last_uses = vec![0; kernel.body.len()];
    for (i, instruction) in kernel.body.iter().enumerate() {
        instruction.args().iter().for_each(|arg| last_uses[arg.0 as usize] = i);
    }
    kernel.stores.iter().for_each(|store| last_uses[store.from().0 as usize] = usize::MAX);
    last_uses
}

impl Compiler<'_> {
    fn base(&mut self, base: Base) -> u32 {
        let known = self.bases.iter().position(|b| *b == base);
        known.unwrap_or_else(|| {
            self.bases.push(base);
            self.bases.len() - 1
        }) as u32
    }

    fn slot_base(&mut self, operand: usize, offset: usize) -> u32 {
        let dtype = self.kernel.operands[operand].dtype;
        self.base(Base::Slot { slot: self.slots[operand], offset: offset * dtype.size() })
    }

    /// The operand itself, point by point.
    fn operand(&mut self, operand: usize, offset: usize) -> Place {
        let dtype = self.kernel.operands[operand].dtype;
        Place { base: self.slot_base(operand, offset), dtype, advance: dtype.size() as u32, is_uniform: false }
    }

    /// Whether writing the operand point by point would disturb what is read from it.
    fn is_in_place(&self, operand: usize) -> bool {
        let slot = self.slots[operand];
        let mut reads = self.kernel.body.iter().filter_map(KernelInstruction::operand);
        reads.any(|from| self.slots[from.0 as usize] == slot)
    }

    /// Whether a register stands in memory for all points, where nobody writes it.
    fn is_operand(&self, reg: Reg) -> bool {
        let instruction = &self.kernel.body[reg.0 as usize];
        matches!(instruction, KernelInstruction::Load { access: Access::Contiguous { .. }, .. })
    }

    /// The operand that a register is stored to and may be written to directly.
    fn direct_store(&self, reg: Reg) -> Option<usize> {
        let to = self.kernel.stores.iter().find_map(|store| match store {
            Store::Write { from, to } | Store::Cumulative { from, to, .. } => (*from == reg).then_some(to.0 as usize),
            Store::Reduce { .. } => None,
        })?;
        (!self.is_in_place(to)).then_some(to)
    }

    /// A scratch cell that is busy until released.
    fn cell(&mut self, dtype: DType) -> Place {
        let free = self.cells.iter().position(|cell| !cell.is_busy);
        let cell = free.unwrap_or_else(|| {
            // The offset follows when the number of cells, and with it the length of a tile, is known.
            self.bases.push(Base::Scratch { offset: usize::MAX });
            self.cells.push(Cell { base: self.bases.len() as u32 - 1, is_busy: true });
            self.cells.len() - 1
        });
        self.cells[cell].is_busy = true;
        Place { base: self.cells[cell].base, dtype, advance: 0, is_uniform: false }
    }

    /// Where a computed register goes: the operand it is stored to, or a scratch cell.
    fn result(&mut self, reg: Reg) -> Place {
        match self.direct_store(reg) {
            Some(operand) if self.is_direct => self.operand(operand, 0),
            Some(_) | None => self.cell(self.kernel.dtype(reg)),
        }
    }

    /// A scratch place for one element.
    fn scalar(&mut self, dtype: DType) -> Place {
        let offset = self.n_scalars * CELL_ALIGNMENT;
        self.n_scalars += 1;
        Place { base: self.base(Base::Scratch { offset }), dtype, advance: 0, is_uniform: true }
    }

    /// Scratch space for so many elements, however long tiles are.
    fn space(&mut self, n: usize, dtype: DType) -> Place {
        let offset = self.n_scalars * CELL_ALIGNMENT;
        self.n_scalars += (n * dtype.size()).div_ceil(CELL_ALIGNMENT);
        Place { base: self.base(Base::Scratch { offset }), dtype, advance: 0, is_uniform: false }
    }

    fn instruction(&mut self, reg: Reg) {
        let index = reg.0 as usize;
        let kernel = self.kernel;
        let place = match &kernel.body[index] {
            KernelInstruction::Load { operand, access } => self.load(reg, operand.0 as usize, access),
            KernelInstruction::Count { dtype, access } => self.count(reg, *dtype, access),
            KernelInstruction::Gather(gather) => {
                let is_uniform = self.uniform[index];
                let to = if is_uniform { self.scalar(kernel.dtype(reg)) } else { self.result(reg) };
                let gathered = self.gathered(gather, to);
                if is_uniform { &mut self.prologue } else { &mut self.body }.push(gathered);
                to
            }
            KernelInstruction::Map { op, args, dtype } => {
                let args: SmallVec<[Place; 3]> = args.iter().map(|arg| self.places[arg.0 as usize]).collect();
                if self.uniform[index] {
                    let to = self.scalar(*dtype);
                    self.prologue.push(map(*op, &args, to));
                    to
                } else {
                    // Before the operands' cells are free: a loop must not write what it reads.
                    let to = self.result(reg);
                    self.body.push(map(*op, &args, to));
                    to
                }
            }
        };
        self.places.push(place);
        kernel.body[index].args().iter().for_each(|arg| self.release(arg.0 as usize, index));
    }

    fn gathered(&mut self, Gather { operand, part, index, outside }: &Gather, to: Place) -> Instruction {
        let places = Places { n_batches: 1, n_places: self.kernel.len, indexed: vec![part.len()], row_len: 1 }.into();
        let (from, index) = (self.operand(operand.0 as usize, part.start), self.places[index.0 as usize]);
        Instruction::Gather { from, places, index, outside: *outside, to }
    }

    fn load(&mut self, reg: Reg, operand: usize, access: &Access) -> Place {
        match access {
            Access::Contiguous { offset } => self.operand(operand, *offset),
            Access::Uniform { offset } => {
                let base = self.slot_base(operand, *offset);
                Place { base, dtype: self.kernel.dtype(reg), advance: 0, is_uniform: true }
            }
            Access::Strided(strided) => {
                let to = self.result(reg);
                let read = self.read(operand, strided.clone(), to);
                self.body.push(read);
                to
            }
            Access::Padded(padded) => {
                let (from, from_len) = (self.operand(operand, 0), self.kernel.operands[operand].len);
                let to = self.result(reg);
                self.body.push(Instruction::ReadPadded { from, from_len, padded: padded.clone(), to });
                to
            }
        }
    }

    fn read(&mut self, operand: usize, strided: Box<Strided>, to: Place) -> Instruction {
        let (from, from_len) = (self.operand(operand, 0), self.kernel.operands[operand].len);
        Instruction::Read { from, from_len, strided, to }
    }

    fn count(&mut self, reg: Reg, dtype: DType, access: &Access) -> Place {
        let len = self.kernel.len;
        let line = |offset, stride| Box::new(Strided { shape: vec![len], strides: vec![stride], offset });
        let strided = match access {
            Access::Uniform { offset } => {
                let strided = line(*offset, 0);
                let to = self.scalar(dtype);
                self.prologue.push(Instruction::Count { strided, to });
                return to;
            }
            Access::Contiguous { offset } => line(*offset, 1),
            Access::Strided(strided) => strided.clone(),
            Access::Padded(_) => unreachable!("numbers are not padded"),
        };
        let to = self.result(reg);
        self.body.push(Instruction::Count { strided, to });
        to
    }

    /// Frees a register's cell if no instruction after this one reads it.
    fn release(&mut self, reg: usize, index: usize) {
        let base = self.places[reg].base;
        if self.is_direct
            && self.last_uses[reg] == index
            && let Some(cell) = self.cells.iter_mut().find(|cell| cell.base == base)
        {
            cell.is_busy = false;
        }
    }

    /// Copies registers to where their instruction could not write them.
    fn stores(&mut self) {
        for store in &self.kernel.stores {
            match store {
                // What combines is read from memory where it is.
                Store::Cumulative { from, .. } if self.is_operand(*from) => {}
                Store::Write { from, to } | Store::Cumulative { from, to, .. } => {
                    let (from, to) = (self.places[from.0 as usize], self.operand(to.0 as usize, 0));
                    let is_done = from.base == to.base && from.advance == to.advance && !from.is_uniform;
                    if !is_done {
                        self.body.push(Instruction::Copy { from, to });
                    }
                }
                Store::Reduce { .. } => {}
            }
        }
    }

    /// The reductions; they read whole tiles.
    fn sinks(&mut self) -> Vec<Fold> {
        let mut sinks = vec![];
        for store in &self.kernel.stores {
            match store {
                Store::Write { .. } => {}
                Store::Cumulative { combine, from, to } => {
                    let to = self.operand(to.0 as usize, 0);
                    let from = if self.is_operand(*from) { self.places[from.0 as usize] } else { to };
                    sinks.push(Fold { combine: *combine, from: Partial::Points(from), to, is_cumulative: true });
                }
                Store::Reduce { combine, from, to } => {
                    let mut from = self.places[from.0 as usize];
                    if from.is_uniform {
                        let to = self.cell(from.dtype);
                        self.body.push(Instruction::Copy { from, to });
                        from = to;
                    }
                    let from = Partial::Points(from);
                    let to = self.operand(to.0 as usize, 0);
                    sinks.push(Fold { combine: *combine, from, to, is_cumulative: false });
                }
            }
        }
        sinks
    }

    fn finish(&mut self, sinks: Vec<Fold>, machine: Option<Machine>, boxes: Option<Boxes>) -> TileProgram {
        let kernel = self.kernel;
        let ns_per_point = ns_per_point(kernel);
        let widest = kernel.operands.iter().map(|operand| operand.dtype.size()).max().unwrap_or(1).max(8);
        let tile = if kernel.reduction.is_some() {
            REDUCTION_TILE
        } else if machine.is_some() && self.cells.is_empty() {
            ((LONGEST_TILE / ns_per_point) as usize).next_multiple_of(MAX_TILE)
        } else {
            let n_streams = self.cells.len() + kernel.operands.iter().filter(|operand| operand.len > 1).count();
            let fitting = (CACHE_BYTES / (n_streams.max(1) * widest)).clamp(MIN_TILE, MAX_TILE);
            1 << fitting.ilog2()
        };
        let tile = tile.min(kernel.len.max(1));
        let mut scratch_bytes = self.n_scalars * CELL_ALIGNMENT;
        for cell in &self.cells {
            self.bases[cell.base as usize] = Base::Scratch { offset: scratch_bytes };
            scratch_bytes += (tile * widest).next_multiple_of(CELL_ALIGNMENT);
        }
        let first_operand = self.bases.iter().find_map(|base| match base {
            Base::Slot { slot, .. } => Some(*slot),
            Base::Scratch { .. } | Base::Shared { .. } | Base::Row | Base::Choice => None,
        });
        let apart_from = first_operand.filter(|_| machine.is_some() && !self.cells.is_empty());
        let bases = &mut self.bases;
        let mut shared_bytes = 0;
        let reduction = kernel
            .reduction
            .map(|space| Reduction::new(space, tile, sinks, bases, &mut scratch_bytes, &mut shared_bytes))
            .map(Box::new);
        TileProgram {
            len: kernel.len,
            tile,
            bases: std::mem::take(&mut self.bases),
            prologue: std::mem::take(&mut self.prologue),
            laid_out: std::mem::take(&mut self.laid_out),
            body: std::mem::take(&mut self.body),
            machine,
            boxes,
            reduction,
            scratch_bytes,
            shared_bytes,
            ns_per_point,
            ns_per_tile: (ns_per_point * tile as f64) as u32,
            origin: self.origin,
            first_base: 0,
            first_scratch: 0,
            apart_from,
        }
    }
}

/// About how long a point takes, measured on a Zen 4: of operations and of elements that move.
fn ns_per_point(kernel: &Kernel) -> f64 {
    let of_instruction = |instruction: &KernelInstruction| match instruction {
        KernelInstruction::Map { op, .. } => match work(*op) {
            Work::None | Work::Flops(_) => 0.1,
            Work::Function => 1.0,
        },
        KernelInstruction::Load { .. } | KernelInstruction::Count { .. } => 0.1,
        // Where no other one was.
        KernelInstruction::Gather(_) => 2.0,
    };
    let of_store = |store: &Store| match store {
        Store::Cumulative { .. } => 0.4,
        Store::Write { .. } | Store::Reduce { .. } => 0.2,
    };
    kernel.body.iter().map(of_instruction).sum::<f64>() + kernel.stores.iter().map(of_store).sum::<f64>()
}

fn map(op: ScalarOp, args: &[Place], to: Place) -> Instruction {
    let mut dtypes = [DType::Bool; 3];
    args.iter().zip(&mut dtypes).for_each(|(arg, dtype)| *dtype = arg.dtype);
    let kernel = math::kernel(op, &dtypes[..args.len()]).expect("the checker admitted the operation");
    match *args {
        [x] => Instruction::Unary { kernel, args: [x], to },
        [x, y] => Instruction::Binary { kernel, args: [x, y], to },
        [x, y, z] => Instruction::Ternary { kernel, args: [x, y, z], to },
        _ => unreachable!("scalar operations have one to three operands"),
    }
}
