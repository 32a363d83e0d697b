//! Whole vectors and masks between registers, the stack and the pool.

use super::{Emitter, Group};
use crate::jit::{
    encode::{self as e, Isa, Length, Rm},
    lanes::{Kind, Value, vector_bytes},
    registers::{Place, scratch},
};

impl Emitter<'_> {
    /// The length of what moves between registers and slots.
    pub(super) fn whole(&self) -> Length {
        match self.group {
            Group::Single => Length::L128,
            Group::Whole | Group::Tail => Length::of(vector_bytes(self.isa())),
        }
    }

    /// Whether values of the kind stand in mask registers.
    pub(super) fn is_in_mask(&self, kind: Kind) -> bool {
        kind.is_mask() && self.isa() == Isa::Avx512
    }

    pub(super) fn copy(&mut self, value: Value, from: Place, to: Place) {
        if !self.is_in_mask(self.lanes.inst(value).result()) {
            return match (from, to) {
                (Place::Slot(_) | Place::Constant(_), Place::Slot(_)) => self.copy_through(from, to),
                (_, _) => self.copy_vector(from, to),
            };
        }
        match (from, to) {
            (Place::Register(from), Place::Register(to)) => self.assembler.mask_load(to, Rm::Register(from)),
            (Place::Slot(from), Place::Register(to)) => {
                let from = self.slot(from);
                self.assembler.mask_load(to, Rm::Memory(from));
            }
            (Place::Register(from), Place::Slot(to)) => {
                let to = self.slot(to);
                self.assembler.mask_store(from, to);
            }
            (Place::Slot(from), Place::Slot(to)) => {
                // Of the width that they were stored with; register 0 holds no value.
                let (from, to) = (self.slot(from), self.slot(to));
                self.assembler.mask_load(0, Rm::Memory(from));
                self.assembler.mask_store(0, to);
            }
            (from, to) => unreachable!("no way for a mask from {from:?} to {to:?}"),
        }
    }

    /// Copies from memory to memory.
    pub(super) fn copy_through(&mut self, from: Place, to: Place) {
        let through = Place::Register(scratch(self.isa()));
        self.copy_vector(from, through);
        self.copy_vector(through, to);
    }

    /// Copies a whole vector, whatever it holds.
    pub(super) fn copy_vector(&mut self, from: Place, to: Place) {
        let whole = self.whole();
        match (from, to) {
            (Place::Register(from), Place::Register(to)) => {
                self.vector(e::float(e::MOVE, false), whole, to, 0, Rm::Register(from), None);
            }
            (Place::Constant(constant), Place::Register(to)) => {
                let (memory, is_wide) = self.constant(constant);
                match self.isa() {
                    Isa::Avx2 => self.vector(e::float(e::LOAD, false), whole, to, 0, Rm::Memory(memory), None),
                    Isa::Avx512 => self.broadcast(is_wide, whole, to, Rm::Memory(memory)),
                }
            }
            (Place::Slot(from), Place::Register(to)) => {
                let from = Rm::Memory(self.slot(from));
                self.vector(e::float(e::LOAD, false), whole, to, 0, from, None);
            }
            (Place::Register(from), Place::Slot(to)) => {
                let to = Rm::Memory(self.slot(to));
                self.vector(e::float(e::STORE, false), whole, from, 0, to, None);
            }
            (from, to) => unreachable!("no way from {from:?} to {to:?}"),
        }
    }

    pub(super) fn broadcast(&mut self, is_wide: bool, length: Length, to: u8, from: Rm) {
        let form = if is_wide { e::BROADCAST_8 } else { e::BROADCAST_4 };
        // W is not free to choose with VEX.
        let form = if self.isa() == Isa::Avx2 { form.wide(false) } else { form };
        self.vector(form, length, to, 0, from, None);
    }
}
