//! Calls of precompiled functions, for operations without a vector form and for rare arguments.

use super::{BUFFER_BYTES, CALLER_SAVED, Emitter, Group};
use crate::{
    interp::frame,
    jit::{
        encode::{self as e, Gpr, Isa, Rm},
        lanes::{Function, Op, Value, vector_bytes},
        registers::{Place, Saved, TAIL_MASK},
    },
};
use std::sync::Arc;

impl Emitter<'_> {
    /// Runs a precompiled function on lanes.
    pub(super) fn call(&mut self, value: Value, to: u8, args: &[Place], saved: Saved) {
        let (Op::Call(index) | Op::Rare(index)) = self.lanes.inst(value).op else { unreachable!("calls nothing") };
        let lanes = self.lanes;
        let function = &self.functions[index as usize];
        let skipped = if matches!(lanes.inst(value).op, Op::Rare(_)) { 2 } else { 0 };
        let address: *const Function = Arc::as_ptr(function);
        let (whole, width) = (self.whole(), vector_bytes(self.isa()));
        let (load, store) = (e::float(e::LOAD, false), e::float(e::STORE, false));
        let masks = saved.masks | if self.group == Group::Tail { 1 << TAIL_MASK } else { 0 };
        let has_masks = self.isa() == Isa::Avx512;
        for r in (0..32u8).filter(|r| saved.vectors >> r & 1 == 1) {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(store, whole, r, 0, place, None);
        }
        for r in (0..8u8).filter(|r| has_masks && masks >> r & 1 == 1) {
            let place = self.stack(self.frame.masks + r as usize * 8);
            self.assembler.mask_store(r, place);
        }
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            let place = self.stack(self.frame.gprs + 8 * k);
            self.assembler.store(gpr, place);
        }
        let group = if self.group == Group::Single { Group::Single } else { Group::Whole };
        for (k, place) in args.iter().enumerate().filter(|(_, place)| **place != Place::None) {
            let Place::Register(register) = *place else { unreachable!("arguments of calls stand in registers") };
            let kind = lanes.inst(lanes.inst(value).args[k + skipped]).result();
            let buffer = self.stack(self.frame.buffers + (k + 1) * BUFFER_BYTES);
            self.store(function.args[k], kind, register, buffer, group);
        }
        self.assembler.constant(Gpr::Rdi, address as u64);
        self.assembler.address(Gpr::Rsi, self.stack(self.frame.buffers));
        self.assembler.constant(Gpr::Rdx, if group == Group::Single { 1 } else { lanes.n_lanes as u64 });
        self.assembler.constant(Gpr::Rax, call_function as *const () as u64);
        self.assembler.zero_upper();
        self.assembler.call(Gpr::Rax);
        for (k, gpr) in CALLER_SAVED.into_iter().enumerate() {
            let place = self.stack(self.frame.gprs + 8 * k);
            self.assembler.load(gpr, place);
        }
        for r in (0..8u8).filter(|r| has_masks && masks >> r & 1 == 1) {
            let place = self.stack(self.frame.masks + r as usize * 8);
            self.assembler.mask_load(r, Rm::Memory(place));
        }
        for r in (0..32u8).filter(|r| saved.vectors >> r & 1 == 1) {
            let place = Rm::Memory(self.stack(self.frame.vectors + r as usize * width));
            self.vector(load, whole, r, 0, place, None);
        }
        let result = self.stack(self.frame.buffers);
        let kind = lanes.inst(value).result();
        match group {
            Group::Single => self.uniform(function.to, to, result),
            _ => self.load(function.to, kind, to, result, Group::Whole),
        }
    }
}

/// Called by the code: runs a function on lanes in memory, behind the place for its result.
///
/// # Safety
/// The buffers must hold that many elements of the function's operand types.
unsafe extern "sysv64" fn call_function(function: &Function, buffers: *mut u8, n_lanes: usize) {
    // SAFETY: promised by the caller; buffers do not overlap and are aligned to all element types.
    unsafe {
        let arg = |k: usize| frame::elements(buffers.add((k + 1) * BUFFER_BYTES), function.args[k], n_lanes);
        let to = frame::elements_mut(buffers, function.to, n_lanes);
        match function.args.len() {
            1 => function.kernel.run(&[arg(0)], to),
            2 => function.kernel.run(&[arg(0), arg(1)], to),
            _ => function.kernel.run(&[arg(0), arg(1), arg(2)], to),
        }
    }
}
