//! The printed form of lane IR and of its allocation, one instruction per line.

use super::{
    lanes::{Lanes, Value},
    registers::{Allocation, Place},
};
use std::fmt;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, {} lanes", self.isa, self.n_lanes)?;
        let mut events = self.events.iter().peekable();
        for (i, inst) in self.insts.iter().enumerate() {
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= i) {
                writeln!(f, "{event:?}")?;
            }
            write!(f, "  v{i} = {:?} {:?}", inst.op, inst.kind)?;
            inst.args().try_for_each(|arg| write!(f, " {arg}"))?;
            writeln!(f, "{}", if self.is_invariant[i] { " (invariant)" } else { "" })?;
        }
        for (_, event) in events {
            writeln!(f, "{event:?}")?;
        }
        for (i, l) in self.loops.iter().enumerate() {
            write!(f, "  loop {i} {:?}:", l.rounds)?;
            l.phis.iter().try_for_each(|phi| write!(f, " {} = {}, {}", phi.value, phi.init, phi.next))?;
            f.write_str("\n")?;
        }
        for (i, write) in self.writes.iter().enumerate() {
            writeln!(f, "  write {i}: {:?} = {}", self.elements[write.to as usize], write.from)?;
        }
        for store in &self.stores {
            let operand = self.operands[store.to as usize];
            writeln!(f, "  {}[{}] = {}", operand.dtype, operand.base, store.from)?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::None => f.write_str("-"),
            Place::Register(register) => write!(f, "r{register}"),
            Place::Slot(slot) => write!(f, "s{slot}"),
            Place::Constant(value) => write!(f, "#{value}"),
        }
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().enumerate().try_for_each(|(i, step)| writeln!(f, "{i}: {step:?}"))
    }
}
