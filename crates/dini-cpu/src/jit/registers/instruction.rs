//! The registers of one instruction: of its arguments, and of its result.

use super::{Allocator, FREE, MASK, NONE, Place, Saved, Step, VECTOR, is_commutative, memory_argument};
use crate::jit::lanes::{Inst, Op, Value};

impl Allocator<'_> {
    pub(super) fn inst(&mut self, value: Value) {
        self.free_slots.append(&mut self.slots_to_free);
        let mut inst = *self.lanes.inst(value);
        if matches!(inst.op, Op::Phi(_)) {
            return;
        }
        if is_commutative(&inst) && !inst.kind.is_mask() {
            let in_register = |arg: Value| self.register[arg.index()] != NONE;
            if !in_register(inst.args[0]) && in_register(inst.args[1]) {
                inst.args.swap(0, 1);
            }
        }
        match inst.op {
            Op::Fma { .. } => self.fma(value, inst),
            Op::Call(_) | Op::Rare(_) => self.call(value, inst),
            Op::Gather(_) => self.gather(value, inst),
            _ => {
                let in_memory = memory_argument(self.lanes.isa, &inst);
                let mut places = [Place::None; 4];
                let mut locked = [NONE; 4];
                // Those that are in registers must not leave while others are loaded.
                for (k, arg) in inst.args().enumerate() {
                    if let Place::Register(register) = self.place(arg) {
                        self.lock(&mut locked, k, arg, register);
                    }
                }
                for (k, arg) in inst.args().enumerate() {
                    places[k] = match self.place(arg) {
                        place if Some(k) == in_memory => place,
                        _ => {
                            let register = self.in_register(arg, &locked);
                            self.lock(&mut locked, k, arg, register);
                            Place::Register(register)
                        }
                    };
                }
                self.use_all(&inst);
                let replaced = self.replaced_register(value);
                let to = replaced.unwrap_or_else(|| self.free_register(self.class(value), &[]));
                self.steps.push(Step::Inst { value, to, args: places });
                match replaced {
                    Some(register) => self.replace(value, register),
                    None => self.assign(value, to),
                }
            }
        }
        if self.first_use[value.index()] == self.first_use[value.index() + 1] {
            self.release(value);
        }
    }

    /// Notes the register of an argument as one to keep. Masks do not compete with vectors.
    fn lock(&self, locked: &mut [u8; 4], k: usize, arg: Value, register: u8) {
        if self.class(arg) == VECTOR {
            locked[k] = register;
        }
    }

    /// Notes the uses of an instruction's arguments.
    fn use_all(&mut self, inst: &Inst) {
        inst.args().for_each(|arg| self.use_value(arg));
    }

    /// A fused product replaces one of its arguments: one that is over, else a copy of the addend.
    fn fma(&mut self, value: Value, mut inst: Inst) {
        let mut locked = [NONE; 4];
        for (k, arg) in inst.args().enumerate() {
            if let Place::Register(register) = self.place(arg) {
                locked[k] = register;
            }
        }
        // A factor that stays comes second.
        let is_free = |this: &Self, k: usize| {
            let arg = inst.args[k];
            let is_alone = (0..3).all(|other| other == k || inst.args[other] != arg);
            let v = arg.index();
            let is_last = this.first_use[v] + this.n_past[v] + 1 == this.first_use[v + 1]
                && this.last_use[v] <= this.position
                && !this.is_pinned[v];
            is_alone && is_last && this.register[v] != NONE
        };
        let replaced = [2, 0, 1].into_iter().find(|&k| is_free(self, k));
        if replaced == Some(1) {
            inst.args.swap(0, 1);
            locked.swap(0, 1);
        }
        let replaced = replaced.map(|k| if k == 1 { 0 } else { k });
        // All but one of the arguments that stay need a register.
        let mut places = [Place::None; 4];
        let mut has_memory = false;
        for k in (0..3).rev() {
            let arg = inst.args[k];
            places[k] = match self.place(arg) {
                Place::Register(register) => Place::Register(register),
                place if !has_memory && replaced.is_some() && replaced != Some(k) => {
                    has_memory = true;
                    place
                }
                // The addend is copied anyway.
                place if replaced.is_none() && k == 2 => place,
                place if replaced.is_none() && !has_memory => {
                    has_memory = true;
                    place
                }
                _ => {
                    let register = self.in_register(arg, &locked);
                    locked[k] = register;
                    Place::Register(register)
                }
            };
        }
        let to = match replaced {
            Some(k) => {
                let Place::Register(register) = places[k] else { unreachable!("it stands in a register") };
                self.use_all(&inst);
                register
            }
            None => {
                let to = self.free_register(VECTOR, &locked);
                self.steps.push(Step::Copy { value: inst.args[2], from: places[2], to: Place::Register(to) });
                places[2] = Place::Register(to);
                self.use_all(&inst);
                to
            }
        };
        self.steps.push(Step::Inst { value, to, args: places });
        self.assign(value, to);
    }

    /// A gather replaces what it reads elsewhere, in a register apart from those of the mask and the indices.
    fn gather(&mut self, value: Value, inst: Inst) {
        let [mask, elsewhere, index, _] = inst.args;
        let mut locked = [NONE; 4];
        let mut places = [Place::None; 4];
        for (k, arg) in [(0, mask), (2, index)] {
            let register = self.in_register(arg, &locked);
            self.lock(&mut locked, k, arg, register);
            places[k] = Place::Register(register);
        }
        let to = self.free_register(VECTOR, &locked);
        self.steps.push(Step::Copy { value: elsewhere, from: self.place(elsewhere), to: Place::Register(to) });
        places[1] = Place::Register(to);
        self.use_all(&inst);
        self.steps.push(Step::Inst { value, to, args: places });
        self.assign(value, to);
    }

    /// A call, or code that may have to call: other registers that are in use must be saved.
    fn call(&mut self, value: Value, inst: Inst) {
        self.has_calls = true;
        let mut places = [Place::None; 4];
        let mut locked = [NONE; 4];
        for (k, arg) in inst.args().enumerate() {
            places[k] = Place::Register(self.in_register(arg, &locked));
            if let (Place::Register(register), VECTOR) = (places[k], self.class(arg)) {
                locked[k] = register;
            }
        }
        let to = if matches!(inst.op, Op::Rare(_)) {
            // The usual result becomes the result.
            let to = self.free_register(VECTOR, &locked);
            self.steps.push(Step::Copy { value: inst.args[1], from: places[1], to: Place::Register(to) });
            places[1] = Place::Register(to);
            self.use_all(&inst);
            to
        } else {
            self.use_all(&inst);
            self.free_register(self.class(value), &locked)
        };
        let saved = self.saved();
        self.steps.push(Step::Save(saved));
        self.steps.push(Step::Inst { value, to, args: places });
        self.assign(value, to);
    }

    /// The registers in use.
    fn saved(&self) -> Saved {
        let is_used = |class: usize, r: usize| {
            let owner = self.owners[class][r];
            owner != FREE && owner.index() < self.register.len()
        };
        let vectors = (0..self.owners[VECTOR].len()).filter(|&r| is_used(VECTOR, r)).map(|r| 1 << r).sum();
        let masks = (0..self.owners[MASK].len()).filter(|&r| is_used(MASK, r)).map(|r| 1 << r).sum();
        Saved { vectors, masks }
    }
}
