//! The executor: runs schedules over precompiled loops, or over machine code where [`crate::jit`] makes some.
//!
//! Invariant: in the steady state a run allocates nothing but its results; all other memory is a [`Frame`] that goes
//! from run to run.

mod builtin;
mod call;
mod direct;
pub(crate) mod frame;
mod frames;
mod lanewise;
mod places;
mod reduce;
mod running;
mod scalar;
mod single;
mod strided;
mod tile;
mod watch;

use crate::{
    buffer::Buffer,
    element,
    executable::RunError,
    executor::Executor,
    graph::{OutOfBounds, ScatterKind},
    interrupt,
    jit::{self, Assembly},
    pool,
    schedule::{Effect, KernelStep, Moving, Needed, Schedule, Slot, SlotId, Step, Tensor},
};
use direct::DirectProgram;
use frame::{Frame, Needs};
use frames::Frames;
use lanewise::LanewiseProgram;
use scalar::ScalarProgram;
use single::SingleProgram;
use std::{cell::RefCell, sync::Arc};
use strided::with_bits;
use tile::{StripProgram, TileProgram};
pub(crate) use watch::{Stopwatch, Unwatched, Watch};

/// A kernel ready to run.
#[derive(Debug)]
enum Launch {
    /// Tile by tile.
    Tiles(TileProgram),
    /// Several kernels, strip by strip.
    Strips(StripProgram),
    /// Kernels over one point, and loops of such: so many steps as one program.
    Scalars { program: ScalarProgram, n_steps: usize, has_loops: bool },
    /// Steps over few elements, as machine code.
    Single { program: SingleProgram, n_steps: usize, has_loops: bool },
    /// A loop that every element runs by itself, as machine code.
    Lanewise(LanewiseProgram),
}

/// A schedule ready to run.
pub(crate) struct Program {
    slots: Vec<Slot>,
    steps: Vec<Step<Launch>>,
    outputs: Vec<Tensor>,
    /// The slots whose buffers leave with the results.
    results: Vec<SlotId>,
    needs: Needs,
    frames: Frames,
    /// How to run it without a frame, if it can.
    direct: Option<DirectProgram>,
    /// Whether a run may have to be stopped.
    takes_long: bool,
}

/// What compilation collects.
struct Compiler<'a> {
    slots: &'a [Slot],
    needs: Needs,
    assembly: Option<Assembly>,
}

impl Compiler<'_> {
    /// Compiles steps; neighbours that compute single elements become one program. What is `needed` after them counts.
    fn steps(&mut self, steps: Vec<Step<KernelStep>>, mut needed: Needed) -> Vec<Step<Launch>> {
        // From the end, so that it is known what follows.
        let mut compiled = vec![];
        let mut steps = steps.into_iter().rev().peekable();
        while let Some(step) = steps.next() {
            let mut run = vec![step];
            if self.is_small(&run[0]) {
                while let Some(earlier) = steps.next_if(|step| self.is_small(step)) {
                    run.push(earlier);
                }
            }
            self.run(run, &mut needed, &mut compiled);
        }
        compiled.reverse();
        compiled
    }

    /// Whether a step may be a part of a program with its neighbours.
    fn is_small(&self, step: &Step<KernelStep>) -> bool {
        scalar::is_scalar(step, self.slots) || (self.assembly.is_some() && jit::is_small(step))
    }

    /// Compiles steps, given from the last to the first, and appends them in this order: as one program, or else as
    /// programs over single elements and what is left.
    fn run(&mut self, mut run: Vec<Step<KernelStep>>, needed: &mut Needed, compiled: &mut Vec<Step<Launch>>) {
        run.reverse();
        if let Some(launch) = self.single(&run, needed) {
            compiled.push(Step::Kernel(launch));
            return run.iter().rev().for_each(|step| needed.step_back(&Effect::of(step)));
        }
        while !run.is_empty() {
            let n_scalar = run.iter().rev().take_while(|step| scalar::is_scalar(step, self.slots)).count();
            let part = run.split_off(run.len() - n_scalar.max(1));
            let launch = if n_scalar > 0 { self.single(&part, needed).or_else(|| self.scalar(&part)) } else { None };
            match launch {
                Some(launch) => {
                    compiled.push(Step::Kernel(launch));
                    part.iter().rev().for_each(|step| needed.step_back(&Effect::of(step)));
                }
                None => {
                    for step in part.into_iter().rev() {
                        let effect = Effect::of(&step);
                        compiled.push(self.step(step, needed));
                        needed.step_back(&effect);
                    }
                }
            }
        }
    }

    /// Compiles small steps to machine code.
    fn single(&mut self, run: &[Step<KernelStep>], needed: &Needed) -> Option<Launch> {
        let program = SingleProgram::new(run, self.slots, needed, self.assembly.as_mut()?)?;
        self.needs = self.needs.and(program.needs());
        let has_loops = run.iter().any(Step::has_loops);
        Some(Launch::Single { program, n_steps: run.len(), has_loops })
    }

    /// Compiles steps that compute single elements to one program.
    fn scalar(&mut self, run: &[Step<KernelStep>]) -> Option<Launch> {
        let program = ScalarProgram::new(run, self.slots)?;
        self.needs = self.needs.and(program.needs());
        let has_loops = run.iter().any(Step::has_loops);
        Some(Launch::Scalars { program, n_steps: run.len(), has_loops })
    }

    fn step(&mut self, step: Step<KernelStep>, needed: &Needed) -> Step<Launch> {
        if let Some(assembly) = &mut self.assembly
            && let Some(program) = LanewiseProgram::new(&step, needed, assembly)
        {
            self.needs = self.needs.and(program.needs());
            return Step::Kernel(Launch::Lanewise(program));
        }
        if let Step::Strips { kernels, strips } = &step {
            let programs = kernels.iter().map(|step| TileProgram::new(step, self.assembly.as_mut())).collect();
            let program = StripProgram::new(programs, strips);
            self.needs = self.needs.and(program.needs());
            return Step::Kernel(Launch::Strips(program));
        }
        let inside = match step {
            Step::While { .. } | Step::Switch { .. } | Step::Scan { .. } => needed.inside(&step),
            _ => Needed::default(),
        };
        let compiler = RefCell::new(self);
        let mut kernel = |step| {
            let mut compiler = compiler.borrow_mut();
            let program = TileProgram::new(&step, compiler.assembly.as_mut());
            compiler.needs = compiler.needs.and(program.needs());
            Launch::Tiles(program)
        };
        let mut nested = |steps| compiler.borrow_mut().steps(steps, inside.clone());
        step.map(&mut kernel, &mut nested)
    }
}

impl Program {
    /// Prepares a schedule for the precompiled loops.
    pub fn over_loops(schedule: Schedule<KernelStep>) -> Program {
        Program::new(schedule, None).expect("without machine code nothing is denied")
    }

    /// Compiles a schedule to machine code as far as there is any, where the system lets it run.
    pub fn as_code_if_possible(schedule: Schedule<KernelStep>, executor: Executor) -> Program {
        let code = Assembly::begin(executor).and_then(|assembly| Program::new(schedule.clone(), Some(assembly)));
        code.unwrap_or_else(|| Program::over_loops(schedule))
    }

    fn new(schedule: Schedule<KernelStep>, assembly: Option<Assembly>) -> Option<Program> {
        let mut compiler = Compiler { slots: &schedule.slots, needs: Needs::default(), assembly };
        let steps = compiler.steps(schedule.steps, Needed::by_outputs(&schedule.outputs));
        let Compiler { needs, assembly, .. } = compiler;
        if let Some(assembly) = assembly {
            assembly.finish()?;
        }
        let is_result = |slot: &SlotId| matches!(schedule.slots[slot.0 as usize], Slot::Result { .. });
        let results = (0..schedule.slots.len() as u32).map(SlotId).filter(is_result).collect();
        let takes_long = steps.iter().any(takes_long);
        let direct = DirectProgram::new(&schedule.slots, &steps, &schedule.outputs);
        let Schedule { slots, outputs, .. } = schedule;
        Some(Program { slots, steps, outputs, results, needs, frames: Frames::default(), direct, takes_long })
    }

    /// Runs on inputs of the right types, and gives the outputs in order. Inputs that the graph says are donated are asked
    /// for by `donated`; they are copied if they are shared.
    pub fn run<'a>(
        &self,
        n_inputs: usize,
        input: impl Fn(usize) -> &'a Arc<Buffer>,
        mut donated: impl FnMut(usize) -> Arc<Buffer>,
        output: impl FnMut(Arc<Buffer>),
        watch: &mut impl Watch,
    ) -> Result<(), RunError> {
        let _run = self.takes_long.then(interrupt::Run::begin);
        if let (Some(direct), [Step::Kernel(Launch::Single { program, .. })]) = (&self.direct, &self.steps[..]) {
            // SAFETY: made for this code and these slots.
            return watch.step(0, 0, |_| unsafe { direct.run(program, &self.slots, input, output) });
        }
        let mut frame = match self.frames.take() {
            Some(frame) => frame,
            None => Box::new(Frame::new(&self.slots, &self.needs)?),
        };
        // Inputs are the first slots.
        for i in 0..n_inputs {
            let slot = SlotId(i as u32);
            match self.slots[i] {
                Slot::Donated { .. } => frame.give(slot, donated(i).unshared()?),
                _ => frame.lend(slot, input(i).as_ptr()),
            }
        }
        for &slot in &self.results {
            let Slot::Result { bytes } = self.slots[slot.0 as usize] else { continue };
            // SAFETY: the steps write all of a result before one of them or the caller reads it.
            frame.give(slot, unsafe { Buffer::for_result(bytes) }?);
        }
        // SAFETY: the slots hold what the schedule says: inputs of the types that it was made for, fresh results, and
        // the frame's own temporaries.
        let outcome = unsafe { run_steps(&self.steps, 0, &mut frame, watch) };
        crate::counters::add_kernels(std::mem::take(&mut frame.n_kernels));
        // If a called function panics this is not reached, and the frame is dropped.
        if outcome.is_ok() {
            self.collect(&mut frame, input, output);
        }
        // What was donated and did not leave.
        for slot in (0..n_inputs).filter(|&i| matches!(self.slots[i], Slot::Donated { .. })) {
            frame.take(SlotId(slot as u32));
        }
        self.frames.put(frame);
        outcome
    }

    fn collect<'a>(
        &self,
        frame: &mut Frame,
        input: impl Fn(usize) -> &'a Arc<Buffer>,
        mut output: impl FnMut(Arc<Buffer>),
    ) {
        // Results that leave more than once.
        let mut again: Vec<(SlotId, Arc<Buffer>)> = Vec::new();
        for (i, out) in self.outputs.iter().enumerate() {
            output(match &self.slots[out.slot.0 as usize] {
                Slot::Input(position) => input(*position).clone(),
                Slot::Constant(value) => value.clone(),
                Slot::Result { .. } | Slot::Donated { .. } => match frame.take(out.slot) {
                    Some(buffer) => {
                        let buffer = buffer.typed(out.dtype, out.len);
                        if self.outputs[i + 1..].iter().any(|later| later.slot == out.slot) {
                            again.push((out.slot, buffer.clone()));
                        }
                        buffer
                    }
                    None => {
                        let same = again.iter().find(|(slot, _)| *slot == out.slot);
                        same.expect("a result leaves once").1.clone()
                    }
                },
                Slot::Temporary { .. } | Slot::Window | Slot::Empty => Arc::new(Buffer::zeros(out.dtype, out.len)),
            });
        }
    }
}

/// Elements from which on an operation may take long, whatever it does.
const MANY_ELEMENTS: usize = 1 << 14;

/// Whether a step may last so long that it should be possible to stop it.
fn takes_long(step: &Step<Launch>) -> bool {
    match step {
        Step::Kernel(Launch::Tiles(program)) => program.ns() >= pool::WORTHWHILE,
        Step::Kernel(Launch::Strips(program)) => program.ns() >= pool::WORTHWHILE,
        // Of few elements, unless there are loops.
        Step::Kernel(Launch::Scalars { has_loops, .. } | Launch::Single { has_loops, .. }) => *has_loops,
        Step::Kernel(Launch::Lanewise(_)) | Step::While { .. } | Step::Scan { .. } => true,
        Step::Strips { .. } => unreachable!("compiled to one launch"),
        Step::Copy { .. }
        | Step::Assemble { .. }
        | Step::ArgReduce { .. }
        | Step::DynamicSlice { .. }
        | Step::DynamicUpdate { .. } => false,
        Step::Gather { places, .. } | Step::Scatter { places, .. } => places.len() >= MANY_ELEMENTS,
        Step::Dot { plan, .. } => plan.n_all_products() >= MANY_ELEMENTS,
        Step::Call { args, outs, .. } => args.iter().chain(outs).map(|(_, t)| t.len()).sum::<usize>() >= MANY_ELEMENTS,
        Step::Switch { branches, .. } => branches.iter().flatten().any(takes_long),
    }
}

/// # Safety
/// The slots must hold what the schedule says at this step.
unsafe fn run_steps(
    steps: &[Step<Launch>],
    list: usize,
    frame: &mut Frame,
    watch: &mut impl Watch,
) -> Result<(), RunError> {
    for (i, step) in steps.iter().enumerate() {
        // SAFETY: promised by the caller; each step leaves what the next expects.
        watch.step(list, i, |watch| unsafe { run_step(step, frame, watch) })?;
    }
    Ok(())
}

/// # Safety
/// As for [`run_steps`].
unsafe fn run_step(step: &Step<Launch>, frame: &mut Frame, watch: &mut impl Watch) -> Result<(), RunError> {
    // SAFETY: the schedule placed the operands in their slots, and results in slots that no operand shares.
    unsafe {
        match step {
            Step::Kernel(Launch::Tiles(program)) => program.run(frame)?,
            Step::Kernel(Launch::Strips(program)) => program.run(frame)?,
            Step::Kernel(Launch::Scalars { program, .. }) => program.run(frame)?,
            Step::Kernel(Launch::Single { program, .. }) => program.run(frame)?,
            Step::Kernel(Launch::Lanewise(program)) => program.run(frame)?,
            Step::Copy { from, to } => {
                frame.address(*to).copy_from_nonoverlapping(frame.address(from.slot), from.bytes());
            }
            Step::While { cond, flag, body, swaps, origin } => {
                let mut rounds_left = interrupt::limit();
                loop {
                    run_steps(cond, 0, frame, watch)?;
                    if *frame.address(*flag) == 0 {
                        break;
                    }
                    run_steps(body, 1, frame, watch)?;
                    swaps.iter().for_each(|&(a, b)| frame.swap(a, b));
                    rounds_left -= 1;
                    if rounds_left == 0 || interrupt::must_stop() {
                        return Err(interrupt::stopped(*origin));
                    }
                }
            }
            Step::Switch { index, branches } => {
                let index = *frame.address(*index).cast::<i32>();
                let chosen = index.max(0).unsigned_abs() as usize;
                let chosen = chosen.min(branches.len() - 1);
                run_steps(&branches[chosen], chosen, frame, watch)?;
            }
            Step::Scan { length, reverse, windows, body, swaps, origin } => {
                for step in 0..*length {
                    let row = if *reverse { length - 1 - step } else { step };
                    for &Moving { window, over, row: bytes } in windows {
                        let address = frame.address(over).add(row * bytes);
                        frame.lend(window, address);
                    }
                    run_steps(body, 0, frame, watch)?;
                    swaps.iter().for_each(|&(a, b)| frame.swap(a, b));
                    if interrupt::must_stop() {
                        return Err(interrupt::stopped(*origin));
                    }
                }
            }
            Step::Call { call, origin, args, outs } => {
                let outcome = call::run(call, *origin, args, outs, frame);
                interrupt::finish(*origin)?;
                outcome?;
            }
            Step::Strips { .. } => unreachable!("compiled to one launch"),
            Step::Assemble { .. } | Step::ArgReduce { .. } | Step::DynamicSlice { .. } | Step::DynamicUpdate { .. } => {
                frame.n_kernels += 1;
                run_builtin(step, frame);
            }
            Step::Gather { origin, .. } | Step::Scatter { origin, .. } | Step::Dot { origin, .. } => {
                frame.n_kernels += 1;
                run_builtin(step, frame);
                interrupt::finish(*origin)?;
            }
        }
    }
    Ok(())
}

/// Steps without nested steps that are not kernels.
///
/// # Safety
/// As for [`run_steps`].
unsafe fn run_builtin(step: &Step<Launch>, frame: &Frame) {
    // SAFETY: as in `run_step`.
    unsafe {
        match step {
            Step::Assemble { fill, parts, to } => with_bits!(to.dtype, Bits => {
                let out = frame.write_bits::<Bits>(to.slot, to.len);
                let fill = frame.read_bits::<Bits>(*fill, 1)[0];
                let parts = parts.iter().map(|(slot, strided)| (frame.read_bits(*slot, strided.len()), strided));
                builtin::assemble(fill, parts, out);
            }),
            Step::ArgReduce { from, to, axis, largest } => {
                builtin::arg_reduce(frame.read(*from), *axis, *largest, frame.write(*to));
            }
            Step::DynamicSlice { from, starts, to, window } => with_bits!(from.dtype, Bits => {
                let out = frame.write_bits::<Bits>(*to, window.len());
                builtin::dynamic_slice(frame.read_bits(from.slot, from.len), frame.read(*starts), window, out);
            }),
            Step::DynamicUpdate { update, starts, to, window } => with_bits!(to.dtype, Bits => {
                let out = frame.write_bits::<Bits>(to.slot, to.len);
                builtin::dynamic_update(frame.read_bits(*update, window.len()), frame.read(*starts), window, out);
            }),
            Step::Gather { from, indices, to, places, mode, origin: _ } => with_bits!(from.dtype, Bits => {
                let out = frame.write_bits::<Bits>(*to, places.len());
                let outside = element::outside(*mode, from.dtype).unwrap_or_default();
                let outside = Bits::from_ne_bytes(*outside.first_chunk().expect("no element is larger"));
                let clip = *mode == OutOfBounds::Clip;
                places::gather(frame.read_bits(from.slot, from.len), frame.read(*indices), places, clip, outside, out);
            }),
            Step::Scatter { indices, updates, to, places, kind, origin: _ } => match kind {
                ScatterKind::Set => with_bits!(to.dtype, Bits => {
                    let out = frame.write_bits::<Bits>(to.slot, to.len);
                    places::scatter_set(frame.read(*indices), frame.read_bits(*updates, places.len()), places, out);
                }),
                ScatterKind::Combine(combine) => {
                    let updates = frame.read(Tensor { slot: *updates, dtype: to.dtype, len: places.len() });
                    let folds = reduce::folds(*combine, to.dtype);
                    (folds.scatter)(frame.read(*indices), updates, places, frame.write(*to));
                }
            },
            Step::Dot { a, b, plan, to, origin: _ } => {
                plan.run(frame.read(*a), frame.read(*b), frame.write(*to));
            }
            Step::Kernel(_)
            | Step::Strips { .. }
            | Step::Copy { .. }
            | Step::Call { .. }
            | Step::While { .. }
            | Step::Switch { .. }
            | Step::Scan { .. } => unreachable!("not a built-in operation"),
        }
    }
}
