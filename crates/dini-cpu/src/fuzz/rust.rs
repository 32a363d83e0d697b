//! Graphs as Rust code, to be pasted into a test.

use crate::{
    buffer::Buffer,
    dtype::DType,
    graph::{Graph, Op, Strided, TensorType, Value},
};
use std::{fmt::Write, sync::Arc};

/// Code that builds the graph and its inputs, given the names of this crate's `graph`, `DType::*` and `ScalarOp::*`.
pub(super) fn code(graph: &Graph, runs: &[Vec<Arc<Buffer>>]) -> String {
    let mut text = String::new();
    build(graph, 0, &mut text);
    for (i, inputs) in runs.iter().enumerate() {
        let inputs: Vec<String> = inputs.iter().map(|input| buffer(input)).collect();
        _ = writeln!(text, "let inputs_{i} = [{}];", inputs.join(", "));
    }
    text
}

/// Statements that leave a graph in `g{depth}`.
fn build(graph: &Graph, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    let name = |v: &Value| format!("v{depth}_{}", v.0);
    let list = |values: &mut dyn Iterator<Item = Value>| values.map(|v| name(&v)).collect::<Vec<_>>().join(", ");
    _ = writeln!(text, "{indent}let mut g{depth} = Graph::new();");
    for (i, t) in graph.input_types().iter().enumerate() {
        _ = writeln!(text, "{indent}let {} = g{depth}.input({});", name(&Value(i as u32)), ty(t));
    }
    for node in &graph.nodes {
        let op = operation(&node.op, depth, text);
        let (first, args) = (name(&node.first_out), list(&mut node.args.iter().copied()));
        let types: Vec<String> = node.outs().map(|v| ty(graph.type_of(v))).collect();
        _ = writeln!(text, "{indent}let {first} = g{depth}.push({op}, &[{args}], vec![{}], 0);", types.join(", "));
        for (k, out) in node.outs().enumerate().skip(1) {
            _ = writeln!(text, "{indent}let {} = Value({first}.0 + {k});", name(&out));
        }
    }
    if !graph.donated.is_empty() {
        _ = writeln!(text, "{indent}g{depth}.donated = vec![{}];", list(&mut graph.donated.iter().copied()));
    }
    _ = writeln!(text, "{indent}g{depth}.outputs = vec![{}];", list(&mut graph.outputs.iter().copied()));
}

/// An expression for the operation; graphs inside become variables before it.
fn operation(op: &Op, depth: usize, text: &mut String) -> String {
    let indent = "    ".repeat(depth);
    let mut sub = |graph: &Graph, role: &str| {
        _ = writeln!(text, "{indent}let {role} = {{");
        build(graph, depth + 1, text);
        _ = writeln!(text, "{indent}    Arc::new(g{})\n{indent}}};", depth + 1);
    };
    match op {
        Op::Const(value) => format!("Op::Const({})", buffer(value)),
        Op::View(s) => format!("Op::View({})", strided(s)),
        Op::Assemble { boxes } => {
            format!("Op::Assemble {{ boxes: vec![{}] }}", boxes.iter().map(strided).collect::<Vec<_>>().join(", "))
        }
        Op::Call(call) => match call.routine {
            Some(routine) => format!("Op::Call(Call::routine({:?}, Routine::{routine:?}))", call.name),
            None => format!("Op::Call(copying({}))", call.effect),
        },
        Op::While { cond, body, n_cond_captures, n_body_captures } => {
            sub(cond, "cond");
            sub(body, "body");
            format!(
                "Op::While {{ cond, body, n_cond_captures: {n_cond_captures}, n_body_captures: {n_body_captures} }}"
            )
        }
        Op::Switch { branches } => {
            let names: Vec<String> = (0..branches.len()).map(|i| format!("branch_{i}")).collect();
            branches.iter().zip(&names).for_each(|(branch, name)| sub(branch, name));
            format!("Op::Switch {{ branches: vec![{}] }}", names.join(", "))
        }
        Op::Scan { body, n_captures, n_carry, length, reverse } => {
            sub(body, "body");
            format!(
                "Op::Scan {{ body, n_captures: {n_captures}, n_carry: {n_carry}, length: {length}, reverse: {reverse} }}"
            )
        }
        // Lists of these are `Vec`s.
        Op::Reduce { .. } | Op::DynamicSlice { .. } | Op::Dot(_) => format!("Op::{op:?}").replace('[', "vec!["),
        Op::Map(_)
        | Op::Iota { .. }
        | Op::ArgReduce { .. }
        | Op::Cumulative { .. }
        | Op::DynamicUpdate { .. }
        | Op::Gather { .. }
        | Op::Scatter { .. } => format!("Op::{op:?}"),
    }
}

fn ty(t: &TensorType) -> String {
    format!("TensorType::new({:?}, &{:?})", t.dtype, t.shape)
}

fn strided(s: &Strided) -> String {
    format!("Strided {{ shape: vec!{:?}, strides: vec!{:?}, offset: {} }}", s.shape, s.strides, s.offset)
}

fn buffer(buffer: &Buffer) -> String {
    let (rust_type, all) = (buffer.dtype().name(), elements(buffer));
    let is_periodic = |period: &usize| (*period..all.len()).all(|i| all[i] == all[i - period]);
    // The simplest elements repeat.
    let list = match (1..=9).find(is_periodic) {
        Some(period) if all.len() > 2 * period => {
            format!("[{}].into_iter().cycle().take({}).collect()", all[..period].join(", "), all.len())
        }
        _ => format!("vec![{}]", all.join(", ")),
    };
    format!("Arc::new(Buffer::from_vec::<{rust_type}>({list}))")
}

/// Each element as Rust code.
pub(super) fn elements(buffer: &Buffer) -> Vec<String> {
    fn list<T: std::fmt::Debug>(elements: &[T]) -> Vec<String> {
        elements.iter().map(|x| format!("{x:?}")).collect()
    }
    let floats = |texts: Vec<String>| {
        let name = buffer.dtype().name();
        let special = |text: String| match text.as_str() {
            "NaN" => format!("{name}::NAN"),
            "inf" => format!("{name}::INFINITY"),
            "-inf" => format!("{name}::NEG_INFINITY"),
            _ => text,
        };
        texts.into_iter().map(special).collect()
    };
    match buffer.dtype() {
        DType::Bool => list(buffer.as_slice::<bool>()),
        DType::U8 => list(buffer.as_slice::<u8>()),
        DType::U32 => list(buffer.as_slice::<u32>()),
        DType::U64 => list(buffer.as_slice::<u64>()),
        DType::I32 => list(buffer.as_slice::<i32>()),
        DType::I64 => list(buffer.as_slice::<i64>()),
        DType::F32 => floats(list(buffer.as_slice::<f32>())),
        DType::F64 => floats(list(buffer.as_slice::<f64>())),
        DType::C64 | DType::C128 | DType::Float0 => Vec::new(),
    }
}
