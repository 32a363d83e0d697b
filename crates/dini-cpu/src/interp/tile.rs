//! Kernels as tile programs: every instruction runs over a run of points with one precompiled loop, and tiles are short
//! enough that registers stay in the first-level cache.
//!
//! Everything that does not depend on addresses is decided when the program is made: loops are resolved to function
//! pointers, registers to places. A load of neighbouring elements is no copy: the instructions that use it read the
//! operand itself; likewise the instruction whose result is stored writes the operand itself. What is the same at every
//! point is computed once, before the first tile.
//!
//! Where machine code can be made, it takes the place of the instructions, except those that read boxes in which the
//! neighbours of a row do not stand side by side.

mod boxes;
mod compile;
mod reduction;
mod strips;
mod threads;

use super::{
    frame::{self, Frame, Needs},
    places,
    strided::{self, with_bits},
};
use crate::{
    counters,
    dtype::DType,
    element::ElementBytes,
    executable::RunError,
    graph::Strided,
    interrupt,
    jit::Machine,
    kernel::Padded,
    math,
    math::{Slice, SliceMut},
    schedule::{Places, SlotId},
};
use boxes::Boxes;
use compile::CELL_ALIGNMENT;
use reduction::Reduction;
pub(super) use strips::StripProgram;

/// A kernel ready to run over its slots.
#[derive(Debug)]
pub(super) struct TileProgram {
    /// Number of points.
    len: usize,
    /// Number of points per tile.
    tile: usize,
    /// What the addresses in [`Frame::bases`] are.
    bases: Vec<Base>,
    /// Runs once, over one point.
    prologue: Vec<Instruction>,
    /// Runs once, each over so many points.
    laid_out: Vec<(Instruction, usize)>,
    /// Runs for each tile.
    body: Vec<Instruction>,
    /// Runs for each tile after the body, and does most of the work.
    machine: Option<Machine>,
    /// What machine code reads row by row.
    boxes: Option<Boxes>,
    reduction: Option<Box<Reduction>>,
    scratch_bytes: usize,
    shared_bytes: usize,
    /// About how long a point takes, and a tile.
    ns_per_point: f64,
    ns_per_tile: u32,
    /// The front end's number of a node that it computes.
    origin: u32,
    /// Where the program's bases and its scratch space begin in those of the frame.
    first_base: usize,
    first_scratch: usize,
    /// An operand that the scratch space keeps away from.
    apart_from: Option<SlotId>,
}

/// A load waits for earlier stores whose addresses agree with its own in the low bits, those within a page. Machine code
/// reads an operand and writes cells at the same pace, so cells stand half a page away from it.
const PAGE: usize = 4 << 10;

/// An address that is fixed while the kernel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// Bytes into a slot.
    Slot { slot: SlotId, offset: usize },
    /// Bytes into the scratch space, of which each thread has its own.
    Scratch { offset: usize },
    /// Bytes into the scratch space that threads share.
    Shared { offset: usize },
    /// Set for each row of points.
    Row,
    /// Whether machine code writes past the caches: set for each run.
    Choice,
}

/// Where a register or operand stands at a run of points.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Position in [`TileProgram::bases`].
    base: u32,
    dtype: DType,
    /// Bytes from one point to the next over the whole space; 0 where each tile starts over at the base.
    advance: u32,
    /// One element for all points.
    is_uniform: bool,
}

#[derive(Clone, Debug)]
enum Instruction {
    Unary {
        kernel: math::Kernel,
        args: [Place; 1],
        to: Place,
    },
    Binary {
        kernel: math::Kernel,
        args: [Place; 2],
        to: Place,
    },
    Ternary {
        kernel: math::Kernel,
        args: [Place; 3],
        to: Place,
    },
    /// Reads the points of a box.
    Read {
        from: Place,
        from_len: usize,
        strided: Box<Strided>,
        to: Place,
    },
    /// Reads the points of a box that reaches beyond the operand.
    ReadPadded {
        from: Place,
        from_len: usize,
        padded: Box<Padded>,
        to: Place,
    },
    /// Reads elements at indices.
    Gather {
        from: Place,
        /// One index for each element, whatever points there are.
        places: Box<Places>,
        index: Place,
        /// What an index outside reads; without, it is clamped.
        outside: Option<ElementBytes>,
        to: Place,
    },
    /// The places of the points of a box, as numbers.
    Count {
        strided: Box<Strided>,
        to: Place,
    },
    /// Copies a register to where another store wants it.
    Copy {
        from: Place,
        to: Place,
    },
}

impl TileProgram {
    /// Whether machine code does most of the work.
    pub fn has_machine_code(&self) -> bool {
        self.machine.is_some()
    }

    pub fn needs(&self) -> Needs {
        let scratch_bytes = self.first_shared() + self.shared_bytes;
        Needs { scratch_bytes, n_bases: self.bases.len(), n_cells: 0 }
    }

    /// Where what threads share begins in the scratch space.
    fn first_shared(&self) -> usize {
        self.scratch_bytes + if self.apart_from.is_some() { PAGE } else { 0 }
    }

    /// Runs over all points.
    ///
    /// # Safety
    /// The slots must hold the operands that the kernel was compiled for; the frame has the program's scratch space.
    pub unsafe fn run(&self, frame: &mut Frame) -> Result<(), RunError> {
        frame.n_kernels += 1;
        self.bind(frame);
        let bases = &mut frame.bases[self.first_base..][..self.bases.len()];
        if self.machine.as_ref().is_some_and(|machine| machine.choose_stores(bases)) {
            counters::add_kernels_past_caches(1);
        }
        // SAFETY: promised by the caller; registers are written before they are read, by the kernel's order.
        unsafe {
            if self.pays_for_threads() {
                self.run_on_threads(bases);
            } else {
                self.begin(bases);
                match &self.reduction {
                    Some(reduction) => self.reduce(reduction, bases, 0..reduction.n_units()),
                    None => self.run_points(bases, 0, self.len),
                }
            }
        }
        interrupt::finish(self.origin)
    }

    /// Fills the program's part of [`Frame::bases`].
    fn bind(&self, frame: &mut Frame) {
        let scratch = frame.scratch().wrapping_add(self.first_scratch);
        let apart = self.apart_from.map_or(0, |slot| {
            let distance = (frame.address(slot) as usize).wrapping_sub(scratch as usize);
            (distance.wrapping_add(PAGE / 2) % PAGE) & !(CELL_ALIGNMENT - 1)
        });
        for (i, base) in self.bases.iter().enumerate() {
            let (start, offset) = match *base {
                Base::Slot { slot, offset } => (frame.address(slot), offset),
                Base::Scratch { offset } => (scratch, offset + apart),
                Base::Shared { offset } => (scratch, offset + self.first_shared()),
                Base::Row | Base::Choice => (std::ptr::null_mut(), 0),
            };
            // No bounds are known here; the checker compared offsets with the operands' lengths.
            frame.bases[self.first_base + i] = start.wrapping_add(offset);
        }
    }

    /// Computes what is the same at every point.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn begin(&self, bases: &[*mut u8]) {
        // SAFETY: promised by the caller.
        unsafe {
            self.prologue.iter().for_each(|instruction| instruction.run(bases, 0, 1));
            self.laid_out.iter().for_each(|(instruction, n)| instruction.run(bases, 0, *n));
            if let Some(reduction) = &self.reduction {
                self.clear_accumulators(reduction, bases);
            }
        }
    }

    /// Runs the body over points, tile by tile.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    unsafe fn run_points(&self, bases: &mut [*mut u8], mut start: usize, end: usize) {
        while start < end && !interrupt::must_cut(self.ns_per_tile) {
            let n = self.tile.min(end - start);
            // SAFETY: promised by the caller.
            unsafe { self.run_tile(bases, start, n) }
            start += n;
        }
    }

    /// Runs the body over points `start..start + n`, `n` at most one tile.
    ///
    /// # Safety
    /// As for [`TileProgram::run`].
    #[inline]
    unsafe fn run_tile(&self, bases: &mut [*mut u8], start: usize, n: usize) {
        for instruction in &self.body {
            // SAFETY: promised by the caller.
            unsafe { instruction.run(bases, start, n) }
        }
        let Some(machine) = &self.machine else { return };
        // SAFETY: promised by the caller; the bases are what the code was made for.
        unsafe {
            match &self.boxes {
                Some(boxes) => boxes.for_each_part(bases, start, start + n, |bases, from, to| {
                    machine.run(bases, start, from, to);
                }),
                None => machine.run(bases, start, start, start + n),
            }
        }
    }
}

impl Place {
    #[inline(always)]
    fn address(&self, bases: &[*mut u8], start: usize) -> *mut u8 {
        bases[self.base as usize].wrapping_add(start * self.advance as usize)
    }

    /// # Safety
    /// As for [`TileProgram::run`].
    #[inline(always)]
    unsafe fn read<'a>(&self, bases: &[*mut u8], start: usize, n: usize) -> Slice<'a> {
        let n = if self.is_uniform { 1 } else { n };
        // SAFETY: promised by the caller.
        unsafe { frame::elements(self.address(bases, start), self.dtype, n) }
    }

    /// # Safety
    /// As for [`TileProgram::run`].
    #[inline(always)]
    unsafe fn write<'a>(&self, bases: &[*mut u8], start: usize, n: usize) -> SliceMut<'a> {
        // SAFETY: promised by the caller.
        unsafe { frame::elements_mut(self.address(bases, start), self.dtype, n) }
    }
}

impl Instruction {
    /// # Safety
    /// As for [`TileProgram::run`].
    #[inline]
    unsafe fn run(&self, bases: &[*mut u8], start: usize, n: usize) {
        // SAFETY: promised by the caller; no result shares memory with an operand of its instruction, by compilation.
        unsafe {
            match self {
                Instruction::Unary { kernel, args: [x], to } => {
                    kernel.run(&[x.read(bases, start, n)], to.write(bases, start, n));
                }
                Instruction::Binary { kernel, args: [x, y], to } => {
                    kernel.run(&[x.read(bases, start, n), y.read(bases, start, n)], to.write(bases, start, n));
                }
                Instruction::Ternary { kernel, args: [x, y, z], to } => {
                    let args = [x.read(bases, start, n), y.read(bases, start, n), z.read(bases, start, n)];
                    kernel.run(&args, to.write(bases, start, n));
                }
                Instruction::Read { from, from_len, strided, to } => {
                    let (from, to_address) = (from.address(bases, 0), to.address(bases, start));
                    with_bits!(to.dtype, Bits => {
                        let from = std::slice::from_raw_parts(from.cast::<Bits>(), *from_len);
                        let to = std::slice::from_raw_parts_mut(to_address.cast::<Bits>(), n);
                        strided::read(strided, from, start, to);
                    });
                }
                Instruction::ReadPadded { from, from_len, padded, to } => {
                    let (from, to_address) = (from.address(bases, 0), to.address(bases, start));
                    with_bits!(to.dtype, Bits => {
                        let from = std::slice::from_raw_parts(from.cast::<Bits>(), *from_len);
                        let to = std::slice::from_raw_parts_mut(to_address.cast::<Bits>(), n);
                        let fill = Bits::from_ne_bytes(*padded.fill.first_chunk().expect("no element is larger"));
                        strided::read_padded(padded, from, fill, start, to);
                    });
                }
                Instruction::Gather { from, places, index, outside, to } => {
                    let (from, to_address) = (from.address(bases, 0), to.address(bases, start));
                    with_bits!(to.dtype, Bits => {
                        let from = std::slice::from_raw_parts(from.cast::<Bits>(), places.indexed[0]);
                        let to = std::slice::from_raw_parts_mut(to_address.cast::<Bits>(), n);
                        let fill = outside.unwrap_or_default();
                        let fill = Bits::from_ne_bytes(*fill.first_chunk().expect("no element is larger"));
                        places::gather(from, index.read(bases, start, n), places, outside.is_none(), fill, to);
                    });
                }
                Instruction::Count { strided, to } => strided::count(strided, start, to.write(bases, start, n)),
                Instruction::Copy { from, to } => {
                    let (from_address, to_address) = (from.address(bases, start), to.address(bases, start));
                    with_bits!(to.dtype, Bits => {
                        let to = std::slice::from_raw_parts_mut(to_address.cast::<Bits>(), n);
                        if from.is_uniform {
                            to.fill(*from_address.cast::<Bits>());
                        } else {
                            to.copy_from_slice(std::slice::from_raw_parts(from_address.cast::<Bits>(), n));
                        }
                    });
                }
            }
        }
    }
}
