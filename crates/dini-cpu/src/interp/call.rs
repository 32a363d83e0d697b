//! Calls of library and host functions: slots as buffers, for a moment.

use super::frame::Frame;
use crate::{
    buffer::Buffer,
    counters,
    dtype::DType,
    executable::RunError,
    graph::{Call, TensorMut, TensorRef, TensorType},
    schedule::SlotId,
};
use std::{mem::ManuallyDrop, sync::Arc};

/// Calls of at most this many operands and results allocate nothing.
const ON_STACK: usize = 8;

/// Runs a called function on operands in slots.
///
/// # Safety
/// The slots must hold operands of these types; results have buffers of their own that are large enough.
pub(super) unsafe fn run(
    call: &Call,
    origin: u32,
    args: &[(SlotId, TensorType)],
    outs: &[(SlotId, TensorType)],
    frame: &mut Frame,
) -> Result<(), RunError> {
    counters::add_calls(call.name, 1);
    let nothing = || Buffer::zeros(DType::U8, 0);
    // SAFETY: promised by the caller; the slots stay as they are during the call.
    let operand = |(slot, t): &(SlotId, TensorType)| unsafe { Buffer::view(frame.address(*slot), t.dtype, t.len()) };
    let outcome = if args.len() <= ON_STACK && outs.len() <= ON_STACK {
        let operands: [ManuallyDrop<Buffer>; ON_STACK] =
            std::array::from_fn(|i| args.get(i).map_or_else(|| ManuallyDrop::new(nothing()), operand));
        let mut results: [Option<Arc<Buffer>>; ON_STACK] =
            std::array::from_fn(|i| outs.get(i).map(|out| take(out, frame)));
        let mut unused: [Buffer; ON_STACK] = std::array::from_fn(|_| nothing());
        let mut refs = operands.each_ref().map(|data| TensorRef { shape: &[], data });
        let mut muts = unused.each_mut().map(|data| TensorMut { shape: &[], data });
        fill(args, outs, &mut refs, results.iter_mut().flatten(), &mut muts);
        let outcome = (call.function)(&refs[..args.len()], &mut muts[..outs.len()]);
        outs.iter().zip(results.into_iter().flatten()).for_each(|(out, result)| put_back(call, out, result, frame));
        outcome
    } else {
        let operands: Vec<ManuallyDrop<Buffer>> = args.iter().map(operand).collect();
        let mut results: Vec<Arc<Buffer>> = outs.iter().map(|out| take(out, frame)).collect();
        let mut unused: Vec<Buffer> = outs.iter().map(|_| nothing()).collect();
        let mut refs: Vec<TensorRef<'_>> = operands.iter().map(|data| TensorRef { shape: &[], data }).collect();
        let mut muts: Vec<TensorMut<'_>> = unused.iter_mut().map(|data| TensorMut { shape: &[], data }).collect();
        fill(args, outs, &mut refs, results.iter_mut(), &mut muts);
        let outcome = (call.function)(&refs, &mut muts);
        outs.iter().zip(results).for_each(|(out, result)| put_back(call, out, result, frame));
        outcome
    };
    outcome.map_err(|error| RunError::Call { origin, error })
}

/// Puts shapes and results in their places.
fn fill<'a>(
    args: &'a [(SlotId, TensorType)],
    outs: &'a [(SlotId, TensorType)],
    refs: &mut [TensorRef<'a>],
    results: impl Iterator<Item = &'a mut Arc<Buffer>>,
    muts: &mut [TensorMut<'a>],
) {
    for ((_, t), operand) in args.iter().zip(refs) {
        operand.shape = &t.shape;
    }
    for (((_, t), result), slot) in outs.iter().zip(results).zip(muts) {
        *slot = TensorMut { shape: &t.shape, data: unique(result) };
    }
}

fn unique(buffer: &mut Arc<Buffer>) -> &mut Buffer {
    Arc::get_mut(buffer).expect("the memory of a run is not shared")
}

/// Takes the buffer of a result out of its slot.
fn take((slot, t): &(SlotId, TensorType), frame: &mut Frame) -> Arc<Buffer> {
    let Some(mut buffer) = frame.take(*slot) else { return Arc::new(Buffer::zeros(t.dtype, t.len())) };
    unique(&mut buffer).set_type(t.dtype, t.len());
    if t.dtype == DType::Bool {
        // Other values may have left bytes that are no `bool`.
        unique(&mut buffer).as_mut_slice::<bool>().fill(false);
    }
    buffer
}

/// Puts the buffer of a result back.
fn put_back(call: &Call, (slot, t): &(SlotId, TensorType), result: Arc<Buffer>, frame: &mut Frame) {
    let fits = result.dtype() == t.dtype && result.len() == t.len();
    assert!(fits, "`{}` replaced a result of type {t} by a buffer of {} {}", call.name, result.len(), result.dtype());
    if result.as_ptr() == frame.address(*slot) {
        frame.give(*slot, result);
    } else if !result.bytes().is_empty() {
        // The function put another buffer in its place, which may be smaller than the slot.
        let capacity = frame.capacity(*slot);
        let mut buffer = Buffer::zeros(DType::U8, capacity);
        buffer.as_mut_slice::<u8>()[..result.bytes().len()].copy_from_slice(result.bytes());
        frame.give(*slot, Arc::new(buffer));
    }
}
