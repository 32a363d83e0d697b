//! The printed form of programs.

use super::{Program, Var};
use crate::error::Place;
use std::fmt;

impl Program {
    fn typed(&self, v: Var) -> String {
        format!("{v}:{}", self.aval(v))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let pad = " ".repeat(indent);
        let inputs: Vec<_> = self.inputs.iter().map(|&v| self.typed(v)).collect();
        writeln!(f, "{{ lambda {} .", inputs.join(" "))?;
        for eqn in &self.eqns {
            let outputs: Vec<_> = eqn.outputs.iter().map(|&v| self.typed(v)).collect();
            let operands: Vec<_> = eqn.inputs.iter().map(|a| a.to_string()).collect();
            write!(f, "{pad}    {} = {}{}", outputs.join(" "), eqn.prim.name(), eqn.prim.params())?;
            if !operands.is_empty() {
                write!(f, " {}", operands.join(" "))?;
            }
            writeln!(f)?;
            for (role, sub) in eqn.prim.subs() {
                write!(f, "{pad}      {role} ({}) = ", Place(sub.label.at))?;
                sub.write(f, indent + 6)?;
                writeln!(f)?;
            }
        }
        let outputs: Vec<_> = self.outputs.iter().map(|a| a.to_string()).collect();
        write!(f, "{pad}  in ({}) }}", outputs.join(", "))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
