//! Kernels that run strip by strip.
//!
//! Where neighbouring kernels walk over the same rows and each needs, of what the others compute, only the row that it is
//! at, a few rows (a strip) can pass through all of them before the next ones: what one kernel writes, the next finds in the
//! cache, and what nothing reads afterwards need not reach memory at all. (Loop tiling of fused outer loops: Wolf and Lam,
//! "A data locality optimizing algorithm", PLDI 1991.)
//!
//! A kernel may belong to strips if it combines along its rows or not at all, or if it combines all its points to results
//! that the other kernels do not read. Results have the same bits: the order in which points combine stays.

use super::{Effect, KernelStep, Needed, Slot, SlotId, Step};
use crate::kernel::{Access, Instruction, REDUCTION_TILE, ReductionSpace, Store};
use std::collections::BTreeMap;

/// What the rows of a strip take: half of a second-level cache.
const STRIP_BYTES: usize = 256 << 10;

/// Kernels whose operands take less together find them in a cache anyway.
const MIN_BYTES: usize = 1 << 20;

/// At most so many kernels run together.
pub(crate) const MAX_KERNELS: usize = 8;

/// How kernels share rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strips {
    pub n_rows: usize,
    /// Rows that pass through all kernels at a time.
    pub per_strip: usize,
    /// Slots of which nothing is needed but the rows of the strip, and the bytes of a row.
    pub local: Vec<(SlotId, usize)>,
}

/// Groups neighbouring kernels, in nested steps too. What is `needed` after the steps counts.
pub(super) fn group(steps: Vec<Step<KernelStep>>, slots: &[Slot], mut needed: Needed) -> Vec<Step<KernelStep>> {
    if !steps.iter().any(is_large) {
        return steps;
    }
    // From the end, so that it is known what follows.
    let mut grouped = vec![];
    let mut steps = steps.into_iter().rev().peekable();
    while let Some(step) = steps.next() {
        let mut run = match step {
            Step::Kernel(last) => vec![last],
            other => {
                let effect = Effect::of(&other);
                let inside = needed.inside(&other);
                grouped.push(other.map(&mut |kernel| kernel, &mut |steps| group(steps, slots, inside.clone())));
                needed.step_back(&effect);
                continue;
            }
        };
        while let Some(Step::Kernel(earlier)) = steps.next_if(|step| matches!(step, Step::Kernel(_))) {
            run.push(earlier);
        }
        run.reverse();
        for step in group_kernels(run, slots, &needed).into_iter().rev() {
            needed.step_back(&Effect::of(&step));
            grouped.push(step);
        }
    }
    grouped.reverse();
    grouped
}

/// Whether a step is a kernel that could gain, or has one inside.
fn is_large(step: &Step<KernelStep>) -> bool {
    match step {
        Step::Kernel(step) => bytes(step) >= MIN_BYTES / MAX_KERNELS,
        _ => step.blocks().into_iter().flatten().any(is_large),
    }
}

fn bytes(step: &KernelStep) -> usize {
    step.kernel.operands.iter().map(|operand| operand.len * operand.dtype.size()).sum()
}

fn group_kernels(mut run: Vec<KernelStep>, slots: &[Slot], needed: &Needed) -> Vec<Step<KernelStep>> {
    let mut steps = vec![];
    while !run.is_empty() {
        match first_strips(&run, slots, needed) {
            Some((n, strips)) => {
                let rest = run.split_off(n);
                steps.push(Step::Strips { kernels: std::mem::replace(&mut run, rest), strips });
            }
            None => steps.push(Step::Kernel(run.remove(0))),
        }
    }
    steps
}

/// How many of the first kernels can run together, if that is of use.
fn first_strips(run: &[KernelStep], slots: &[Slot], needed: &Needed) -> Option<(usize, Strips)> {
    let rows = run.iter().take(MAX_KERNELS).filter_map(|step| step.kernel.reduction.map(|space| space.outer));
    let mut candidates: Vec<usize> = rows.filter(|&n_rows| n_rows > 1).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let shared = candidates.into_iter().map(|n_rows| {
        let mut shared = Shared::new(n_rows);
        let n = run.iter().take(MAX_KERNELS).take_while(|step| shared.add(step)).count();
        (n, shared)
    });
    // The first of the largest: fewer and longer rows.
    let (n, shared) = shared.rev().max_by_key(|(n, _)| *n)?;
    if n < 2 || run[..n].iter().map(bytes).sum::<usize>() < MIN_BYTES {
        return None;
    }
    let per_strip = shared.per_strip()?;
    let is_mentioned = |slot: SlotId| run[n..].iter().any(|step| step.slots.contains(&slot));
    let is_local = |slot: SlotId| {
        matches!(slots[slot.0 as usize], Slot::Temporary { .. }) && !needed.contains(slot) && !is_mentioned(slot)
    };
    let local = shared.uses.iter().filter(|(slot, of)| of.begins_as_result && is_local(**slot));
    let local = local.map(|(&slot, of)| (slot, of.row_bytes)).collect();
    Some((n, Strips { n_rows: shared.n_rows, per_strip, local }))
}

/// How the kernels of a group use a slot.
#[derive(Clone, Debug)]
struct Use {
    /// Bytes that belong to one row.
    row_bytes: usize,
    /// Whether every row of points reads or writes that row alone.
    is_by_rows: bool,
    is_written: bool,
    /// Whether its first use is to be written.
    begins_as_result: bool,
    /// Whether it takes the results of all points.
    is_total: bool,
}

/// Kernels that share rows so far.
struct Shared {
    n_rows: usize,
    uses: BTreeMap<SlotId, Use>,
    /// Points that a strip must be a multiple of, so that tiles end where strips do.
    step: usize,
}

impl Shared {
    fn new(n_rows: usize) -> Shared {
        Shared { n_rows, uses: BTreeMap::new(), step: 1 }
    }

    /// Adds a kernel, if it may run in strips with those before it.
    fn add(&mut self, KernelStep { kernel, slots, .. }: &KernelStep) -> bool {
        let n_rows = self.n_rows;
        if kernel.len == 0 || !kernel.len.is_multiple_of(n_rows) {
            return false;
        }
        let points = kernel.len / n_rows;
        // Cumulative results are not those of all points.
        let is_cumulative = kernel.stores.iter().any(|store| matches!(store, Store::Cumulative { .. }));
        let is_total = match kernel.reduction {
            None => false,
            Some(ReductionSpace { outer, .. }) if outer.is_multiple_of(n_rows) => false,
            Some(ReductionSpace { outer, reduced, .. }) if outer == 1 && reduced == kernel.len && !is_cumulative => {
                true
            }
            Some(_) => return false,
        };
        if is_total && kernel.len <= REDUCTION_TILE {
            return false;
        }
        let mut uses = self.uses.clone();
        for instruction in &kernel.body {
            let Some(operand) = instruction.operand() else { continue };
            let t = kernel.operands[operand.0 as usize];
            let stays = match instruction {
                Instruction::Load { access, .. } => stays_in_rows(access, n_rows, points, t.len / n_rows),
                Instruction::Gather(_) | Instruction::Count { .. } | Instruction::Map { .. } => false,
            };
            let is_by_rows = t.len.is_multiple_of(n_rows) && stays;
            let row_bytes = t.len / n_rows * t.dtype.size();
            let fresh = Use { row_bytes, is_by_rows, is_written: false, begins_as_result: false, is_total: false };
            let of = uses.entry(slots[operand.0 as usize]).or_insert(fresh);
            of.is_by_rows &= is_by_rows && of.row_bytes == row_bytes;
        }
        for store in &kernel.stores {
            let (slot, t) = (slots[store.to().0 as usize], kernel.operands[store.to().0 as usize]);
            let is_total = is_total && matches!(store, Store::Reduce { .. });
            let row_bytes = t.len / n_rows * t.dtype.size();
            let fresh = Use { row_bytes, is_by_rows: true, is_written: true, begins_as_result: !is_total, is_total };
            if is_total && uses.contains_key(&slot) {
                return false;
            }
            let of = uses.entry(slot).or_insert(fresh);
            of.is_written = true;
            of.is_by_rows &= of.row_bytes == row_bytes;
        }
        let is_total_of_others = |slot: &SlotId| self.uses.get(slot).is_some_and(|of| of.is_total);
        if uses.values().any(|of| of.is_written && !of.is_by_rows) || slots.iter().any(is_total_of_others) {
            return false;
        }
        // Both are powers of two.
        let step = if is_total { REDUCTION_TILE / common_divisor(REDUCTION_TILE, points) } else { 1 };
        let with_kernel = Shared { n_rows, uses, step: self.step.max(step) };
        let fits = with_kernel.per_strip().is_some();
        if fits {
            *self = with_kernel;
        }
        fits
    }

    /// The rows of a strip, if there are several strips.
    fn per_strip(&self) -> Option<usize> {
        let row_bytes: usize = self.uses.values().filter(|of| !of.is_total).map(|of| of.row_bytes).sum();
        let rows = (STRIP_BYTES / row_bytes.max(1)).max(1);
        let rows = if rows >= self.step { rows / self.step * self.step } else { self.step };
        let fits = rows * row_bytes <= 4 * STRIP_BYTES && 2 * rows <= self.n_rows;
        fits.then_some(rows)
    }
}

/// Whether each row of points reads only the row of the operand with the same number.
fn stays_in_rows(access: &Access, n_rows: usize, points: usize, row: usize) -> bool {
    match access {
        Access::Contiguous { offset } => *offset == 0 && points == row,
        Access::Strided(strided) => {
            let (low, high) = strided.shape[1..].iter().zip(&strided.strides[1..]).fold(
                (strided.offset as isize, strided.offset as isize),
                |(low, high), (&n, &stride)| {
                    let reach = (n as isize - 1) * stride;
                    (low + reach.min(0), high + reach.max(0))
                },
            );
            strided.shape[0] == n_rows && strided.strides[0] == row as isize && low >= 0 && high < row as isize
        }
        Access::Uniform { .. } | Access::Padded(_) => false,
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
