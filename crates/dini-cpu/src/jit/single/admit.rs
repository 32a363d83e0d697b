//! Which steps are handled, and what they cost when each element is computed by itself.

use crate::{
    dtype::DType,
    explain::{Work, work},
    graph::Routine,
    jit::lanes::Kind,
    kernel::{Instruction, Kernel, Store},
    schedule::{KernelStep, Step},
};

/// Slots hold at most so many elements in values.
pub(super) const MAX_ELEMENTS: usize = 64;

/// A step of more instructions than this runs faster in vectors.
const MAX_STEP: usize = 512;

/// Launching a step costs about so many instructions.
const LAUNCH: usize = 64;

/// An elementary function is about so many instructions.
const FUNCTION: usize = 40;

/// The largest order of matrices that are factored and solved with element by element.
const MAX_ORDER: usize = 8;

/// Sums of fewer elements than this are formed one after the other.
const SEQUENTIAL: usize = 16;

/// Whether a step is handled.
pub(in crate::jit) fn admits(step: &Step<KernelStep>) -> bool {
    cost(step).is_some()
}

/// Whether code for single elements beats one launch after the other, and is not too long.
pub(in crate::jit) fn is_worthwhile(steps: &[Step<KernelStep>], most: usize) -> bool {
    let Some(total) = sum(steps) else { return false };
    let is_control =
        |step: &Step<KernelStep>| matches!(step, Step::While { .. } | Step::Scan { .. } | Step::Switch { .. });
    total <= most && (steps.iter().any(is_control) || total <= LAUNCH * steps.len() || steps.iter().all(is_single))
}

/// Whether a step computes one element of each result.
fn is_single(step: &Step<KernelStep>) -> bool {
    match step {
        Step::Kernel(KernelStep { kernel, .. }) => kernel.len == 1,
        Step::Copy { from, .. } => from.len == 1,
        _ => false,
    }
}

fn sum(steps: &[Step<KernelStep>]) -> Option<usize> {
    steps.iter().map(cost).try_fold(0usize, |sum, cost| Some(sum.saturating_add(cost?)))
}

/// About how many instructions a step becomes; `None` if it is not handled.
fn cost(step: &Step<KernelStep>) -> Option<usize> {
    let are_few = |lens: &[usize]| lens.iter().all(|len| (1..=MAX_ELEMENTS).contains(len));
    let handled = |dtypes: &[DType], lens: &[usize], cost: usize| {
        let is_handled = dtypes.iter().all(|&dtype| Kind::holds(dtype)) && are_few(lens) && cost <= MAX_STEP;
        is_handled.then_some(cost)
    };
    match step {
        Step::Kernel(KernelStep { kernel, .. }) => of_kernel(kernel),
        // Rows that are worth sharing are not small.
        Step::Copy { from, to: _ } => handled(&[from.dtype], &[from.len], from.len),
        Step::Assemble { to, .. } => handled(&[to.dtype], &[to.len], to.len),
        Step::ArgReduce { from, to, .. } => handled(&[from.dtype], &[from.len, to.len], 6 * from.len),
        Step::DynamicSlice { from, starts, window, .. } => {
            let n_starts = window.max_starts.iter().map(|max| max + 1).product::<usize>();
            let cost = window.len().max(2).saturating_mul(n_starts);
            handled(&[from.dtype, starts.dtype], &[from.len, starts.len.max(1), window.len()], cost)
        }
        Step::DynamicUpdate { starts, to, window, .. } => {
            let n_starts = window.max_starts.iter().map(|max| max + 1).product::<usize>();
            let cost = window.len().max(2).saturating_mul(n_starts);
            handled(&[to.dtype, starts.dtype], &[to.len, starts.len.max(1), window.len()], cost)
        }
        Step::Gather { from, indices, places, .. } => {
            let n_rows = places.indexed.iter().product::<usize>();
            let cost = n_rows.saturating_mul(places.len() + 2 * indices.len);
            handled(&[from.dtype, indices.dtype], &[from.len, indices.len.max(1), places.len()], cost)
        }
        Step::Scatter { indices, to, places, .. } => {
            let n_rows = places.indexed.iter().product::<usize>();
            let cost = n_rows.saturating_mul(2 * places.len() + 2 * indices.len);
            handled(&[to.dtype, indices.dtype], &[to.len, indices.len.max(1), places.len()], cost)
        }
        Step::Dot { a, b, plan, to, origin: _ } => {
            // An empty sum has no terms.
            let cost = usize::try_from(plan.flops()).ok()?;
            let is_sequential = cost <= MAX_STEP && plan.terms().is_some();
            if is_sequential { handled(&[to.dtype], &[a.len, b.len, to.len], cost) } else { None }
        }
        Step::Call { call, args, .. } => {
            let (matrix, others) = args.split_first()?;
            let lens = others.iter().map(|(_, t)| t.len()).chain([matrix.1.len()]).collect::<Vec<usize>>();
            let [.., m, n] = matrix.1.shape[..] else { return None };
            let batch = matrix.1.len().checked_div(m * n)?;
            let is_float = matches!(matrix.1.dtype, DType::F32 | DType::F64);
            let cost = match call.routine? {
                Routine::Cholesky => n * n * n / 3 + 4 * n * n,
                Routine::Lu => 3 * n * n * n / 2 + 4 * n * n,
                Routine::TriangularSolve { .. } => others.first()?.1.shape.last()? * n * n,
            };
            let is_small = m == n && n <= MAX_ORDER && is_float && are_few(&lens);
            // Library calls cost more than launches.
            let cost = batch * cost;
            (is_small && cost <= 2 * MAX_STEP).then_some(cost)
        }
        Step::Strips { .. } => None,
        Step::While { cond, body, .. } => Some(sum(cond)?.saturating_add(sum(body)?)),
        Step::Switch { branches, .. } => {
            branches.iter().map(|branch| sum(branch)).try_fold(0usize, |all, cost| Some(all.saturating_add(cost?)))
        }
        Step::Scan { windows, body, .. } => {
            let is_near = windows.iter().all(|moving| i32::try_from(moving.row).is_ok());
            if is_near { sum(body) } else { None }
        }
    }
}

fn of_kernel(kernel: &Kernel) -> Option<usize> {
    let holds = kernel.operands.iter().all(|operand| Kind::holds(operand.dtype));
    let is_handled = |instruction: &Instruction| match instruction {
        Instruction::Count { dtype, .. } => *dtype != DType::Bool && Kind::holds(*dtype),
        Instruction::Gather(_) => false,
        Instruction::Load { .. } | Instruction::Map { .. } => true,
    };
    let is_sequential = |store: &Store| match (store, kernel.reduction) {
        (Store::Write { .. }, _) | (Store::Cumulative { .. }, Some(_)) => true,
        (Store::Reduce { .. }, Some(space)) => space.reduced > 0 && (space.inner > 1 || space.reduced < SEQUENTIAL),
        (Store::Reduce { .. } | Store::Cumulative { .. }, None) => false,
    };
    let of_instruction = |instruction: &Instruction| match instruction {
        Instruction::Map { op, .. } => match work(*op) {
            Work::None | Work::Flops(_) => 1,
            Work::Function => FUNCTION,
        },
        Instruction::Load { .. } | Instruction::Count { .. } | Instruction::Gather(_) => 1,
    };
    let cost = kernel.len.saturating_mul(kernel.body.iter().map(of_instruction).sum());
    let is_small = kernel.len == 1 || cost <= MAX_STEP;
    let are_few = (1..=MAX_ELEMENTS).contains(&kernel.len);
    let is_all = kernel.body.iter().all(is_handled) && kernel.stores.iter().all(is_sequential);
    (holds && is_small && are_few && is_all).then_some(cost)
}
