//! The printed form of kernels, one instruction per line.

use crate::{
    graph::Strided,
    kernel::{Access, Gather, Instruction, Kernel, Padded, ReductionSpace, Reg, Store},
};
use std::fmt;

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// `[]` for the whole operand, `[@offset]` for one place, `[offset + shape:strides]` otherwise; where only some
/// coordinates are inside of the operand, these follow the axis.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Contiguous { offset: 0 } => f.write_str("[]"),
            Access::Contiguous { offset } => write!(f, "[{offset}..]"),
            Access::Uniform { offset } => write!(f, "[@{offset}]"),
            Access::Strided(strided) => {
                let Strided { shape, strides, offset } = &**strided;
                write!(f, "[{offset} +")?;
                for (n, stride) in shape.iter().zip(strides) {
                    write!(f, " {n}:{stride}")?;
                }
                f.write_str("]")
            }
            Access::Padded(padded) => {
                let Padded { shape, strides, offset, inside, fill: _ } = &**padded;
                write!(f, "[{offset} +")?;
                for ((n, stride), inside) in shape.iter().zip(strides).zip(inside) {
                    write!(f, " {n}:{stride}")?;
                    if *inside != (0..*n) {
                        write!(f, " in {}..{}", inside.start, inside.end)?;
                    }
                }
                f.write_str("]")
            }
        }
    }
}

impl Kernel {
    /// Prints the kernel with the caller's names for its operands.
    pub fn print(&self, f: &mut dyn fmt::Write, indent: &str, name: &dyn Fn(usize) -> String) -> fmt::Result {
        write!(f, "{indent}kernel {}", self.len)?;
        if let Some(ReductionSpace { outer, reduced, inner, backward }) = self.reduction {
            write!(f, " = {outer}×({reduced}{})×{inner}", if backward { " backward" } else { "" })?;
        }
        f.write_str("\n")?;
        for (i, instruction) in self.body.iter().enumerate() {
            write!(f, "{indent}  r{i}:{} = ", self.dtype(Reg(i as u32)))?;
            match instruction {
                Instruction::Load { operand, access } => writeln!(f, "{}{access}", name(operand.0 as usize))?,
                Instruction::Count { access, .. } => writeln!(f, "count{access}")?,
                Instruction::Gather(Gather { operand, part, index, outside }) => {
                    let clamped = if outside.is_none() { " clamped" } else { "" };
                    writeln!(f, "{}[{}..{} at {index}{clamped}]", name(operand.0 as usize), part.start, part.end)?;
                }
                Instruction::Map { op, args, .. } => {
                    write!(f, "{op:?}")?;
                    for arg in args {
                        write!(f, " {arg}")?;
                    }
                    f.write_str("\n")?;
                }
            }
        }
        for store in &self.stores {
            match store {
                Store::Write { from, to } => writeln!(f, "{indent}  {} = {from}", name(to.0 as usize))?,
                Store::Reduce { combine, from, to } => {
                    writeln!(f, "{indent}  {} = {combine:?} {from}", name(to.0 as usize))?;
                }
                Store::Cumulative { combine, from, to } => {
                    writeln!(f, "{indent}  {} = cumulative {combine:?} {from}", name(to.0 as usize))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, "", &|i| format!("#{i}"))
    }
}
