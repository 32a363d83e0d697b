//! The printed form of schedules: slots, then steps, one per line, nested steps indented.

use super::{KernelStep, Schedule, Slot, SlotId, Step, Tensor};
use std::fmt::{self, Write};

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}[{}]", self.slot, self.dtype, self.len)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Input(i) => write!(f, "input {i}"),
            Slot::Constant(value) => write!(f, "constant {value:?}"),
            Slot::Temporary { bytes } => write!(f, "temporary {bytes}"),
            Slot::Donated { input, bytes } => write!(f, "donated input {input} {bytes}"),
            Slot::Result { bytes } => write!(f, "result {bytes}"),
            Slot::Window => f.write_str("window"),
            Slot::Empty => f.write_str("empty"),
        }
    }
}

impl fmt::Display for Schedule<KernelStep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, slot) in self.slots.iter().enumerate() {
            writeln!(f, "s{i}: {slot}")?;
        }
        print_steps(&self.steps, f, 0)?;
        f.write_str("return")?;
        for output in &self.outputs {
            write!(f, " {output}")?;
        }
        f.write_str("\n")
    }
}

fn print_steps(steps: &[Step<KernelStep>], f: &mut dyn Write, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for step in steps {
        match step {
            Step::Kernel(KernelStep { kernel, slots, .. }) => kernel.print(f, &indent, &|i| slots[i].to_string())?,
            Step::Strips { kernels, strips } => {
                write!(f, "{indent}strips of {} of {} rows", strips.per_strip, strips.n_rows)?;
                for (slot, row_bytes) in &strips.local {
                    write!(f, " {slot}:{row_bytes}")?;
                }
                f.write_str("\n")?;
                for KernelStep { kernel, slots, .. } in kernels {
                    kernel.print(f, &format!("{indent}  "), &|i| slots[i].to_string())?;
                }
            }
            Step::Copy { from, to } => writeln!(f, "{indent}{to} = copy {from}")?,
            Step::Assemble { fill, parts, to } => {
                write!(f, "{indent}{to} = assemble {fill}")?;
                for (part, strided) in parts {
                    write!(f, " {part}@{}+{:?}:{:?}", strided.offset, strided.shape, strided.strides)?;
                }
                f.write_str("\n")?;
            }
            Step::ArgReduce { from, to, axis: _, largest } => {
                writeln!(f, "{indent}{to} = arg{} {from}", if *largest { "max" } else { "min" })?;
            }
            Step::DynamicSlice { from, starts, to, window } => {
                writeln!(f, "{indent}{to} = dynamic_slice {from} {starts} {:?}", window.sizes)?;
            }
            Step::DynamicUpdate { update, starts, to, window: _ } => {
                writeln!(f, "{indent}{to} = dynamic_update {} {update} {starts}", to.slot)?;
            }
            Step::Gather { from, indices, to, places: _, mode: _, origin: _ } => {
                writeln!(f, "{indent}{to} = gather {from} {indices}")?;
            }
            Step::Scatter { indices, updates, to, places: _, kind: _, origin: _ } => {
                writeln!(f, "{indent}{to} = scatter {} {indices} {updates}", to.slot)?;
            }
            Step::Dot { a, b, plan: _, to, origin: _ } => writeln!(f, "{indent}{to} = dot {a} {b}")?,
            Step::Call { call, origin: _, args, outs } => {
                writeln!(f, "{indent}{} = call {} {}", list(outs.iter()), call.name, list(args.iter()))?;
            }
            Step::While { cond, flag, body, swaps, origin: _ } => {
                writeln!(f, "{indent}while")?;
                print_steps(cond, f, depth + 1)?;
                writeln!(f, "{indent}{flag} do")?;
                print_steps(body, f, depth + 1)?;
                print_swaps(swaps, f, &indent)?;
            }
            Step::Switch { index, branches } => {
                for (i, branch) in branches.iter().enumerate() {
                    writeln!(f, "{indent}case {index} = {i}")?;
                    print_steps(branch, f, depth + 1)?;
                }
            }
            Step::Scan { length, reverse, windows, body, swaps, origin: _ } => {
                write!(f, "{indent}scan {length}{}", if *reverse { " reverse" } else { "" })?;
                for moving in windows {
                    write!(f, " {} over {}", moving.window, moving.over)?;
                }
                f.write_str("\n")?;
                print_steps(body, f, depth + 1)?;
                print_swaps(swaps, f, &indent)?;
            }
        }
    }
    Ok(())
}

fn print_swaps(swaps: &[(SlotId, SlotId)], f: &mut dyn Write, indent: &str) -> fmt::Result {
    for (a, b) in swaps {
        writeln!(f, "{indent}  swap {a} {b}")?;
    }
    Ok(())
}

fn list<'a>(slots: impl Iterator<Item = &'a (SlotId, crate::graph::TensorType)>) -> String {
    let names: Vec<String> = slots.map(|(slot, t)| format!("{slot}:{t}")).collect();
    names.join(" ")
}
