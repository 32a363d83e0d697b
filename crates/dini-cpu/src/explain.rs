//! What a graph becomes when it is compiled: its steps in order, what each one costs, and the memory of a run.
//!
//! Costs are counted, not measured: bytes as if every operand went through memory once per step, floating-point operations
//! one per addition, product, quotient, comparison or square root, and elementary functions by themselves, since one of them
//! is worth ten to fifty operations. Times are measured if asked for ([`Explanation::measured`]).

mod print;

use crate::{
    buffer::Buffer,
    executable::RunError,
    executor::Executor,
    graph::{Graph, TensorType},
    interp::{Program, Stopwatch, Unwatched, Watch},
    kernel::{Access, Gather, Instruction, Kernel, Store},
    scalar::ScalarOp,
    schedule::{self, KernelStep, Schedule, Slot, SlotId, Step, Tensor},
};
use std::{
    collections::{BTreeMap, HashSet},
    ops::{Add, AddAssign, Mul},
    sync::Arc,
    time::{Duration, Instant},
};

/// A compiled graph, described.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What runs, in order.
    pub steps: Vec<Explained>,
    /// Memory that a run needs beside inputs, constants and results, in bytes.
    pub temporary_bytes: usize,
    /// Memory of results that are not inputs or constants, in bytes.
    pub result_bytes: usize,
    /// What a whole run takes on average, if measured.
    pub time: Option<Duration>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What it does.
    pub what: String,
    /// What one run of it costs, without the steps inside.
    pub cost: Cost,
    /// How often the steps inside run for one run of this one.
    pub repeats: Repeats,
    /// The steps inside.
    pub inside: Vec<Explained>,
    /// What it takes, if measured. What is inside of a program over single elements is not measured.
    pub measured: Option<Measured>,
}

/// What a step takes in one run of the whole graph, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// From its beginning to its end by the clock, with the steps inside and whatever other threads do for it; in loops,
    /// all iterations together.
    pub time: Duration,
    /// How often it runs.
    pub times: f64,
    /// What runs it.
    pub code: StepCode,
}

/// What runs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepCode {
    /// Machine code made for it.
    Machine,
    /// Precompiled loops and library routines.
    Precompiled,
    /// A called function.
    Called,
    /// The schedule, over the steps inside.
    Schedule,
}

/// How often a nested step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// So many times.
    Times(u64),
    /// As often as values decide: totals count one time.
    Unknown,
    /// One branch of several runs: totals count the most expensive one.
    OneOf,
}

/// Counts of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Launches of kernels, built-in operations and calls.
    pub launches: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Floating-point operations.
    pub flops: u64,
    /// Elementary functions evaluated.
    pub functions: u64,
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            launches: self.launches + other.launches,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
            flops: self.flops + other.flops,
            functions: self.functions + other.functions,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        *self = *self + other;
    }
}

impl Mul<u64> for Cost {
    type Output = Cost;
    fn mul(self, n: u64) -> Cost {
        Cost {
            launches: self.launches.saturating_mul(n),
            bytes_read: self.bytes_read.saturating_mul(n),
            bytes_written: self.bytes_written.saturating_mul(n),
            flops: self.flops.saturating_mul(n),
            functions: self.functions.saturating_mul(n),
        }
    }
}

impl Explained {
    /// Steps that became one program over single elements.
    pub(crate) fn single_program(inside: Vec<Explained>) -> Explained {
        let what = "one program over single elements".into();
        Explained { what, cost: Cost::default(), repeats: Repeats::Times(1), inside, measured: None }
    }

    /// What one run costs, with the steps inside.
    pub fn total(&self) -> Cost {
        let inside = self.inside.iter().map(Explained::total);
        self.cost
            + match self.repeats {
                Repeats::Times(n) => inside.fold(Cost::default(), Cost::add) * n,
                Repeats::Unknown => inside.fold(Cost::default(), Cost::add),
                Repeats::OneOf => {
                    inside.max_by_key(|cost| (cost.flops + 20 * cost.functions, cost.launches)).unwrap_or_default()
                }
            }
    }
}

impl Explanation {
    /// What a graph becomes.
    pub fn new(graph: &Graph) -> Explanation {
        Explanation::of(&schedule::schedule(graph))
    }

    fn of(schedule: &Schedule<KernelStep>) -> Explanation {
        let bytes = |is: fn(&Slot) -> bool| schedule.slots.iter().filter(|slot| is(slot)).map(Slot::bytes).sum();
        Explanation {
            steps: explain(&schedule.steps),
            temporary_bytes: bytes(|slot| matches!(slot, Slot::Temporary { .. })),
            result_bytes: bytes(|slot| matches!(slot, Slot::Result { .. })),
            time: None,
        }
    }

    /// What a graph becomes, with the times of its steps on these inputs: averages over runs of a tenth of a second
    /// together, after one that does not count; over one run if the graph has side effects. Machine code is made first.
    ///
    /// Taking the time costs about 50 ns per step, so steps of less are shown too slow.
    ///
    /// # Errors
    /// What a run fails with.
    ///
    /// # Panics
    /// If the number, type or length of an input is wrong.
    pub fn measured(graph: &Graph, inputs: &[Arc<Buffer>], executor: Executor) -> Result<Explanation, RunError> {
        const ENOUGH: Duration = Duration::from_millis(100);
        const MAX_RUNS: u32 = 1000;
        let fits = |(t, input): (&TensorType, &Arc<Buffer>)| (t.dtype, t.len()) == (input.dtype(), input.len());
        let n_inputs = graph.input_types().len();
        assert!(n_inputs == inputs.len() && graph.input_types().iter().zip(inputs).all(fits), "inputs of other types");
        let schedule = schedule::schedule(graph);
        let explanation = Explanation::of(&schedule);
        let program = Program::as_code_if_possible(schedule, executor);
        fn run(program: &Program, inputs: &[Arc<Buffer>], watch: &mut impl Watch) -> Result<(), RunError> {
            program.run(inputs.len(), |i| &inputs[i], |i| inputs[i].clone(), drop, watch)
        }
        let runs_once = graph.nodes.iter().any(|node| node.op.has_effect());
        if !runs_once {
            run(&program, inputs, &mut Unwatched)?;
        }
        let (mut stopwatch, mut n_runs, start) = (Stopwatch::new(), 0, Instant::now());
        while n_runs == 0 || (!runs_once && n_runs < MAX_RUNS && start.elapsed() < ENOUGH) {
            run(&program, inputs, &mut stopwatch)?;
            n_runs += 1;
        }
        let time = Some(start.elapsed() / n_runs);
        let steps = stopwatch.describe(&program, explanation.steps, n_runs);
        Ok(Explanation { steps, time, ..explanation })
    }

    /// What a run costs. Loops whose length values decide count as one iteration.
    pub fn total(&self) -> Cost {
        self.steps.iter().map(Explained::total).fold(Cost::default(), Cost::add)
    }
}

fn explain(steps: &[Step<KernelStep>]) -> Vec<Explained> {
    steps.iter().map(explain_step).collect()
}

/// A step without others inside.
fn leaf(what: String, cost: Cost) -> Explained {
    Explained { what, cost, repeats: Repeats::Times(0), inside: Vec::new(), measured: None }
}

fn moved(read: usize, written: usize) -> Cost {
    Cost { launches: 1, bytes_read: read as u64, bytes_written: written as u64, ..Cost::default() }
}

fn explain_step(step: &Step<KernelStep>) -> Explained {
    match step {
        Step::Kernel(KernelStep { kernel, slots, .. }) => explain_kernel(kernel, slots, &Cached::default()),
        Step::Strips { kernels, strips } => {
            let local = strips.local.iter().map(|(slot, _)| *slot).collect();
            let mut cached = Cached { touched: HashSet::new(), written: local };
            let explain = |KernelStep { kernel, slots, .. }: &KernelStep| {
                let explained = explain_kernel(kernel, slots, &cached);
                cached.touched.extend(slots);
                cached.written.extend(kernel.stores.iter().map(|store| slots[store.to().0 as usize]));
                explained
            };
            Explained {
                what: format!("strips of {} of {} rows through", strips.per_strip, strips.n_rows),
                cost: Cost::default(),
                repeats: Repeats::Times(1),
                inside: kernels.iter().map(explain).collect(),
                measured: None,
            }
        }
        Step::Copy { from, to: _ } => leaf(format!("copy {from}"), moved(from.bytes(), from.bytes())),
        Step::Assemble { parts, to, fill: _ } => {
            let read = parts.iter().map(|(_, strided)| strided.len() * to.dtype.size()).sum();
            leaf(format!("assemble {to} from {} parts", parts.len()), moved(read, to.bytes()))
        }
        Step::ArgReduce { from, to, largest, axis: _ } => {
            leaf(format!("arg{} of {from}", if *largest { "max" } else { "min" }), moved(from.bytes(), to.bytes()))
        }
        Step::DynamicSlice { from, starts, window, to: _ } => {
            let bytes = window.len() * from.dtype.size();
            leaf(format!("dynamic slice of {from}"), moved(bytes + starts.bytes(), bytes))
        }
        Step::DynamicUpdate { starts, to, window, update: _ } => {
            let bytes = window.len() * to.dtype.size();
            leaf(format!("dynamic update of {to}, in place"), moved(bytes + starts.bytes(), bytes))
        }
        Step::Gather { from, indices, places, to: _, mode: _, origin: _ } => {
            let bytes = places.len() * from.dtype.size();
            leaf(format!("gather {} of {from}", places.len()), moved(bytes + indices.bytes(), bytes))
        }
        Step::Scatter { indices, to, places, updates: _, kind, origin: _ } => {
            let bytes = places.len() * to.dtype.size();
            leaf(
                format!("scatter {} into {to}, in place: {kind:?}", places.len()),
                moved(2 * bytes + indices.bytes(), bytes),
            )
        }
        Step::Dot { a, b, plan, to, origin: _ } => {
            let cost = Cost { flops: plan.flops(), ..moved(a.bytes() + b.bytes(), to.bytes()) };
            leaf(format!("dot of {a} and {b}"), cost)
        }
        Step::Call { call, args, outs, origin: _ } => {
            let bytes = |of: &[(SlotId, TensorType)]| of.iter().map(|(_, t)| t.len() * t.dtype.size()).sum();
            let types: Vec<String> = args.iter().map(|(_, t)| t.to_string()).collect();
            leaf(format!("call `{}` of {}", call.name, types.join(", ")), moved(bytes(args), bytes(outs)))
        }
        Step::While { cond, body, flag: _, swaps: _, origin: _ } => Explained {
            what: "while".into(),
            cost: Cost::default(),
            repeats: Repeats::Unknown,
            inside: [explain(cond), explain(body)].concat(),
            measured: None,
        },
        Step::Switch { branches, index: _ } => {
            let branch = |(i, steps): (usize, &Vec<Step<KernelStep>>)| Explained {
                what: format!("case {i}"),
                cost: Cost::default(),
                repeats: Repeats::Times(1),
                inside: explain(steps),
                measured: None,
            };
            Explained {
                what: "switch".into(),
                cost: Cost::default(),
                repeats: Repeats::OneOf,
                inside: branches.iter().enumerate().map(branch).collect(),
                measured: None,
            }
        }
        Step::Scan { length, body, reverse: _, windows: _, swaps: _, origin: _ } => Explained {
            what: format!("{length} times"),
            cost: Cost::default(),
            repeats: Repeats::Times(*length as u64),
            inside: explain(body),
            measured: None,
        },
    }
}

/// What kernels that run strip by strip find in the cache.
#[derive(Default)]
struct Cached {
    /// What some kernel has read or written: it costs no more reads.
    touched: HashSet<SlotId>,
    /// What goes to memory once, or never if it is local: it costs no more writes.
    written: HashSet<SlotId>,
}

fn explain_kernel(kernel: &Kernel, slots: &[SlotId], cached: &Cached) -> Explained {
    let mut cost = Cost { launches: 1, ..Cost::default() };
    let uniform = kernel.uniform();
    let mut read = vec![0; kernel.operands.len()];
    let mut ops: BTreeMap<String, usize> = BTreeMap::new();
    for (i, instruction) in kernel.body.iter().enumerate() {
        match instruction {
            Instruction::Load { operand, access } => {
                let (k, operand) = (operand.0 as usize, kernel.operands[operand.0 as usize]);
                let n = if matches!(access, Access::Uniform { .. }) { 1 } else { kernel.len.min(operand.len) };
                read[k] = n.max(read[k]);
            }
            Instruction::Count { .. } => {}
            Instruction::Gather(Gather { operand, part, .. }) => {
                let k = operand.0 as usize;
                read[k] = part.len().min(kernel.len).max(read[k]);
                *ops.entry("gather".into()).or_default() += 1;
            }
            Instruction::Map { op, args, dtype } => {
                *ops.entry(name(*op)).or_default() += 1;
                let points = if uniform[i] { 1 } else { kernel.len as u64 };
                let is_real = dtype.is_inexact() || args.iter().any(|&arg| kernel.dtype(arg).is_inexact());
                match (is_real, work(*op)) {
                    (true, Work::Flops(n)) => cost.flops += n * points,
                    (true, Work::Function) => cost.functions += points,
                    (false, _) | (true, Work::None) => {}
                }
            }
        }
    }
    for store in &kernel.stores {
        let to = kernel.operands[store.to().0 as usize];
        if !cached.written.contains(&slots[store.to().0 as usize]) {
            cost.bytes_written += (to.len * to.dtype.size()) as u64;
        }
        let (kind, combine) = match store {
            Store::Write { .. } => continue,
            Store::Reduce { combine, .. } => ("reduce", combine),
            Store::Cumulative { combine, .. } => ("cumulative", combine),
        };
        *ops.entry(format!("{kind} {combine:?}").to_lowercase()).or_default() += 1;
        if to.dtype.is_inexact() {
            cost.flops += kernel.len as u64;
        }
    }
    let read = read.iter().zip(&kernel.operands).zip(slots).filter(|(_, slot)| !cached.touched.contains(slot));
    cost.bytes_read = read.map(|((n, operand), _)| (n * operand.dtype.size()) as u64).sum();
    let list: Vec<String> =
        ops.into_iter().map(|(name, n)| if n == 1 { name } else { format!("{n} {name}") }).collect();
    let outs: Vec<String> = kernel
        .stores
        .iter()
        .map(|store| {
            let to = kernel.operands[store.to().0 as usize];
            Tensor { slot: slots[store.to().0 as usize], dtype: to.dtype, len: to.len }.to_string()
        })
        .collect();
    let body = if list.is_empty() { "copy".into() } else { list.join(", ") };
    leaf(format!("kernel over {} points to {}: {body}", kernel.len, outs.join(", ")), cost)
}

/// The operation in lower case, without its parameter.
fn name(op: ScalarOp) -> String {
    let name = format!("{op:?}").to_lowercase();
    name.split('(').next().unwrap_or_default().to_owned()
}

/// What an operation on one element is.
pub(crate) enum Work {
    None,
    Flops(u64),
    Function,
}

pub(crate) fn work(op: ScalarOp) -> Work {
    use ScalarOp::*;
    match op {
        Neg | Abs | Sign | Select | Cast(_) | IsFinite | Not | And | Or | Xor | Shl | Shr => Work::None,
        Floor | Ceil | Round | Sqrt | Add | Sub | Mul | Div | Max | Min | Eq | Ne | Lt | Le | Gt | Ge => Work::Flops(1),
        Rsqrt | Clamp | MulAdd => Work::Flops(2),
        Powi(n) => {
            let n = n.unsigned_abs();
            Work::Flops(u64::from(n.checked_ilog2().unwrap_or(0) + n.count_ones()).max(1) - 1)
        }
        Exp | Exp2 | Expm1 | Log | Log2 | Log1p | Sin | Cos | Tan | Asin | Acos | Atan | Sinh | Cosh | Tanh | Asinh
        | Acosh | Atanh | Cbrt | Logistic | Erf | Erfc | ErfInv | Lgamma | Digamma | Polygamma | Rem | Pow | Atan2 => {
            Work::Function
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dtype::DType,
        graph::{Combine, Op, TensorType},
    };
    use std::sync::Arc;

    #[test]
    fn a_fused_chain_is_one_kernel_with_its_bytes() {
        let mut g = Graph::new();
        let t = TensorType::new(DType::F64, &[1000]);
        let x = g.input(t.clone());
        let sin = g.push(Op::Map(ScalarOp::Sin), &[x], vec![t.clone()], 0);
        let y = g.push(Op::Map(ScalarOp::Mul), &[sin, x], vec![t.clone()], 0);
        let sum =
            g.push(Op::Reduce { combine: Combine::Add, axes: vec![0] }, &[y], vec![TensorType::scalar(DType::F64)], 0);
        g.outputs = vec![y, sum];
        let explained = Explanation::new(&g);
        let cost = Cost { launches: 1, bytes_read: 8000, bytes_written: 8008, flops: 2000, functions: 1000 };
        assert_eq!(explained.total(), cost, "{explained}");
        assert_eq!((explained.temporary_bytes, explained.result_bytes), (0, 8008));
        let text = explained.to_string();
        assert!(text.contains("kernel over 1000 points"), "{text}");
        assert!(text.contains("mul, reduce add, sin"), "{text}");
        assert!(text.ends_with("memory: 0 B of temporaries, 8.01 kB of results\n"), "{text}");
    }

    #[test]
    fn loops_count_as_often_as_they_run() {
        let t = TensorType::new(DType::F64, &[10]);
        let mut body = Graph::new();
        let x = body.input(t.clone());
        let y = body.push(Op::Map(ScalarOp::Exp), &[x], vec![t.clone()], 0);
        body.outputs = vec![y];
        let mut g = Graph::new();
        let x = g.input(t.clone());
        let op = Op::Scan { body: Arc::new(body), n_captures: 0, n_carry: 1, length: 7, reverse: false };
        let y = g.push(op, &[x], vec![t], 0);
        g.outputs = vec![y];
        let explained = Explanation::new(&g);
        assert_eq!(explained.total().functions, 70, "{explained}");
        assert!(explained.to_string().contains("7 times"), "{explained}");
    }

    /// A loop of vectors, around a branch: which step runs how often, and as what.
    #[test]
    fn measured_steps_are_those_that_run() {
        let (t, index) = (TensorType::new(DType::F64, &[1000]), TensorType::scalar(DType::I32));
        let branch = |op: ScalarOp| {
            let mut branch = Graph::new();
            let x = branch.input(t.clone());
            branch.outputs = vec![branch.push(Op::Map(op), &[x], vec![t.clone()], 0)];
            Arc::new(branch)
        };
        let mut body = Graph::new();
        let (i, x) = (body.input(index.clone()), body.input(t.clone()));
        let op = Op::Switch { branches: vec![branch(ScalarOp::Exp), branch(ScalarOp::Sin)] };
        body.outputs = vec![body.push(op, &[i, x], vec![t.clone()], 0)];
        let mut g = Graph::new();
        let (i, x) = (g.input(index), g.input(t.clone()));
        let op = Op::Scan { body: Arc::new(body), n_captures: 1, n_carry: 1, length: 7, reverse: false };
        g.outputs = vec![g.push(op, &[i, x], vec![t], 0)];
        let inputs = [Arc::new(Buffer::scalar(1i32)), Arc::new(Buffer::zeros(DType::F64, 1000))];
        for executor in Executor::available() {
            let explained = Explanation::measured(&g, &inputs, executor).expect("nothing fails");
            let text = explained.to_string();
            let find = |what: &str| {
                fn find<'a>(steps: &'a [Explained], what: &str) -> Option<&'a Explained> {
                    let here = steps.iter().find(|step| step.what.contains(what) && step.inside.is_empty());
                    here.or_else(|| steps.iter().find_map(|step| find(&step.inside, what)))
                }
                find(&explained.steps, what).and_then(|step| step.measured).unwrap_or_else(|| panic!("{what}: {text}"))
            };
            let code = if executor == Executor::Interpreter { StepCode::Precompiled } else { StepCode::Machine };
            let (sin, exp) = (find(": sin"), find(": exp"));
            assert_eq!((sin.times, sin.code), (7.0, code), "{text}");
            assert_eq!((exp.times, exp.time, exp.code), (0.0, Duration::ZERO, code), "{text}");
            assert!(explained.time.is_some_and(|time| time >= sin.time), "{text}");
            let without_times = Explanation::new(&g);
            assert_eq!(explained.total(), without_times.total());
        }
    }
}
