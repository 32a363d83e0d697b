//! What of a kernel becomes machine code, and where that finds the rest.

use super::Compiler;
use crate::{
    dtype::DType,
    graph::Combine,
    interp::tile::{
        self, Base, Place, TileProgram,
        boxes::{self, Boxes},
        reduction::{self, Fold, Partial},
    },
    jit::{self, Accumulators, Assembly, Request, Source},
    kernel::{Access, Gather, Instruction, N_ACCUMULATORS, REDUCTION_TILE, Reg, Store},
};

/// Results of so many bytes in all are written past the caches: that takes a quarter to a third less time, with a pass that
/// reads them afterwards no more (Zen 4, third-level cache of 32 MiB). Of less, such a pass may find them in the caches.
const MIN_STREAMED: usize = 32 << 20;

/// Machine code counts below this number.
const MAX_COUNT: usize = 1 << 31;

impl Compiler<'_> {
    /// Where machine code finds the rows of a box.
    fn rows(&mut self, boxes: &mut Boxes, operand: usize, access: &Access) -> Place {
        let (from, len) = (self.operand(operand, 0), self.kernel.operands[operand].len);
        self.bases.push(Base::Row);
        let to = Place { base: self.bases.len() as u32 - 1, advance: 0, ..from };
        match access {
            Access::Strided(strided) => {
                let to = Place { is_uniform: strided.strides.last() == Some(&0), ..to };
                boxes.add_strided(from, to, (**strided).clone());
                to
            }
            Access::Padded(padded) => {
                let copy = self.space(boxes.longest_copy(), from.dtype);
                boxes.add_padded(from, len, to, copy, (**padded).clone());
                to
            }
            Access::Contiguous { .. } | Access::Uniform { .. } => unreachable!("not a box"),
        }
    }

    /// Where machine code finds what repeats after so many points, which is laid out before the first tile.
    fn repeated(&mut self, boxes: &mut Boxes, instruction: &Instruction, dtype: DType, period: usize) -> Place {
        let n = boxes.laid_out(period);
        let space = self.space(n, dtype);
        let laid_out = match instruction {
            Instruction::Load { operand, access } => {
                self.read(operand.0 as usize, boxes::repetitions(access, period, n), space)
            }
            Instruction::Count { access, .. } => {
                tile::Instruction::Count { strided: boxes::repetitions(access, period, n), to: space }
            }
            Instruction::Gather(_) | Instruction::Map { .. } => unreachable!("without an access"),
        };
        self.laid_out.push((laid_out, n));
        self.bases.push(Base::Row);
        let to = Place { base: self.bases.len() as u32 - 1, ..space };
        boxes.add_repeated(space, to, period);
        to
    }

    /// How machine code counts, if it does.
    fn counts(&mut self, boxes: Option<&mut Boxes>, dtype: DType, access: &Access) -> Option<Source> {
        match (access, boxes) {
            (Access::Contiguous { offset }, _) if offset + self.kernel.len <= MAX_COUNT => {
                Some(Source::Count { offset: *offset as u32 })
            }
            (Access::Strided(strided), Some(boxes)) if boxes.has_rows(access) && strided.fits(MAX_COUNT) => {
                let moves = strided.strides.last() == Some(&1);
                self.bases.push(Base::Row);
                let entry = self.bases.len() as u32 - 1;
                boxes.add_count(Place { base: entry, dtype, advance: 0, is_uniform: !moves }, (**strided).clone());
                Some(Source::RowCount { entry, moves })
            }
            _ => None,
        }
    }

    /// How machine code combines the points of the results, if it does.
    fn accumulators(&self, row: Option<usize>) -> Option<Accumulators> {
        let kernel = self.kernel;
        let space = kernel.reduction?;
        let has_registers = kernel.stores.iter().all(|store| match store {
            Store::Write { .. } => true,
            Store::Reduce { from, .. } | Store::Cumulative { from, .. } => jit::accumulates(kernel.dtype(*from)),
        });
        let reduces = kernel.stores.iter().any(|store| matches!(store, Store::Reduce { .. }));
        let is_cumulative = kernel.stores.iter().any(|store| matches!(store, Store::Cumulative { .. }));
        let keeps_step = row.is_none_or(|row| boxes::keeps_step(row, space.reduced, space.outer));
        if !has_registers {
            None
        } else if let Some(row) = reduction::row(space, kernel.len, is_cumulative) {
            Some(Accumulators::OfEach { row })
        } else if reduces && space.inner == 1 && space.reduced > REDUCTION_TILE && keeps_step {
            // Of several results to a tile each would take a call.
            Some(Accumulators::InTurns)
        } else {
            None
        }
    }

    /// Whether results are too large to be found in the caches later, and none of them stands in place of an operand, of
    /// which the caches hold that part anyway.
    fn streams(&self) -> bool {
        let bytes = |operand: usize| self.kernel.operands[operand].len * self.kernel.operands[operand].dtype.size();
        let mut written = self.kernel.stores.iter().map(|store| store.to().0 as usize);
        let is_large = written.clone().map(bytes).sum::<usize>() >= MIN_STREAMED;
        // Cumulative results are read again at once.
        let are_final = !self.kernel.stores.iter().any(|store| matches!(store, Store::Cumulative { .. }));
        is_large && are_final && self.cells.is_empty() && !written.any(|operand| self.is_in_place(operand))
    }

    /// Compiles to machine code: what reads boxes without rows stays, what is the same at every point too.
    pub(super) fn machine(&mut self, assembly: &mut Assembly) -> Option<TileProgram> {
        let kernel = self.kernel;
        let mut boxes = Boxes::new(kernel);
        let mut sources = Vec::with_capacity(kernel.body.len());
        for (i, instruction) in kernel.body.iter().enumerate() {
            let computed = match instruction {
                Instruction::Map { .. } => (!self.uniform[i]).then_some(Source::Computed),
                Instruction::Gather(_) if self.uniform[i] => None,
                Instruction::Gather(Gather { operand, part, .. }) => {
                    if !jit::gathers(kernel.dtype(Reg(i as u32)), part.len()) {
                        return None;
                    }
                    Some(Source::Gathered(self.operand(operand.0 as usize, part.start).base))
                }
                Instruction::Count { dtype, access } => self.counts(boxes.as_mut(), *dtype, access),
                Instruction::Load { .. } => None,
            };
            if let Some(source) = computed {
                // It has no place; nothing asks for it.
                let dtype = kernel.dtype(Reg(i as u32));
                self.places.push(Place { base: u32::MAX, dtype, advance: 0, is_uniform: false });
                sources.push(source);
            } else if let (Instruction::Load { access, .. } | Instruction::Count { access, .. }, Some(boxes)) =
                (instruction, &mut boxes)
                && let Some(period) = boxes.period(access)
            {
                let place = self.repeated(boxes, instruction, kernel.dtype(Reg(i as u32)), period);
                self.places.push(place);
                sources.push(source(place));
            } else if let (Instruction::Load { operand, access }, Some(boxes)) = (instruction, &mut boxes)
                && boxes.has_rows(access)
            {
                let place = self.rows(boxes, operand.0 as usize, access);
                self.places.push(place);
                sources.push(source(place));
            } else {
                self.is_direct = false;
                self.instruction(Reg(i as u32));
                sources.push(source(self.places[i]));
            }
        }
        let accumulators = self.accumulators(boxes.as_ref().map(Boxes::row));
        let mut run = boxes.as_ref().map_or(kernel.len, Boxes::run);
        if let Some(Accumulators::OfEach { row }) = accumulators {
            run = run.min(row);
        }
        // What only copies is better off without a stop in a cell, and precompiled loops combine in place too, without a
        // round trip of the accumulators through memory. But the extrema of floats take them twice as long, and cumulative
        // results wait until they have copied.
        let combines = accumulators.is_some_and(|accumulators| {
            kernel.stores.iter().any(|store| match store {
                Store::Write { .. } => false,
                Store::Reduce { combine, from, .. } => {
                    let is_extremum = matches!(combine, Combine::Max | Combine::Min);
                    accumulators == Accumulators::InTurns && is_extremum && kernel.dtype(*from).is_float()
                }
                Store::Cumulative { .. } => accumulators != Accumulators::InTurns,
            })
        });
        if !sources.iter().any(|source| source.is_computed()) && !combines {
            return None;
        }
        let (mut stores, mut folds, mut sinks) = (vec![], vec![], vec![]);
        for store in &kernel.stores {
            match store {
                Store::Write { from, to } => stores.push((*from, source(self.operand(to.0 as usize, 0)))),
                Store::Reduce { combine, from: reg, to } => {
                    let to = self.operand(to.0 as usize, 0);
                    let mut place = self.places[reg.0 as usize];
                    let from = match accumulators {
                        Some(Accumulators::InTurns) => Partial::Accumulators(self.space(N_ACCUMULATORS, place.dtype)),
                        Some(Accumulators::OfEach { .. }) => {
                            // The offset follows when it is known how many there are.
                            self.bases.push(Base::Scratch { offset: usize::MAX });
                            Partial::Combined { base: self.bases.len() as u32 - 1 }
                        }
                        None => {
                            // What stands in memory for all points is read there.
                            if !matches!(sources[reg.0 as usize], Source::Points(_)) {
                                place = self.cell(place.dtype);
                                stores.push((*reg, source(place)));
                            }
                            Partial::Points(place)
                        }
                    };
                    if let Some(accumulators) = accumulators
                        && let Partial::Accumulators(Place { base: to, .. }) | Partial::Combined { base: to } = from
                    {
                        folds.push(jit::Fold { combine: *combine, from: *reg, to, accumulators, results: None });
                    }
                    sinks.push(Fold { combine: *combine, from, to, is_cumulative: false });
                }
                Store::Cumulative { combine, from: reg, to } => {
                    let to = self.operand(to.0 as usize, 0);
                    let from = if let Some(accumulators @ Accumulators::OfEach { .. }) = accumulators {
                        self.bases.push(Base::Scratch { offset: usize::MAX });
                        let base = self.bases.len() as u32 - 1;
                        let results = Some(source(to));
                        folds.push(jit::Fold { combine: *combine, from: *reg, to: base, accumulators, results });
                        Partial::Combined { base }
                    } else if self.is_operand(*reg) {
                        Partial::Points(self.places[reg.0 as usize])
                    } else {
                        stores.push((*reg, source(to)));
                        Partial::Points(to)
                    };
                    sinks.push(Fold { combine: *combine, from, to, is_cumulative: true });
                }
            }
        }
        let streams = boxes.as_ref().is_none_or(Boxes::is_flat) && self.streams();
        let past_caches = streams.then(|| self.base(Base::Choice));
        let request = Request { kernel, run, sources: &sources, stores: &stores, folds: &folds, past_caches };
        let machine = assembly.kernel(&request)?;
        Some(self.finish(sinks, Some(machine), boxes))
    }
}

/// Where machine code finds a place.
fn source(place: Place) -> Source {
    match place {
        Place { base, is_uniform: true, .. } => Source::Uniform(base),
        Place { base, advance: 0, .. } => Source::Cell(base),
        Place { base, .. } => Source::Points(base),
    }
}
