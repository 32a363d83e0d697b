//! The checker of graphs: scoping, types and shapes of every operation, through nested graphs.

use crate::{
    dtype::DType,
    graph::{Combine, DotAxes, Graph, Node, Op, ScatterKind, Strided, TensorType, Value},
    math,
    scalar::ScalarOp,
};

type Checked = Result<(), String>;

/// Fails with the formatted message unless the condition holds.
macro_rules! require {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

impl Graph {
    /// Verifies that every value is defined once and before its uses and that every operation's operands and results
    /// have fitting types, also in nested graphs.
    ///
    /// # Errors
    /// A description of the first node that is wrong.
    pub fn check(&self) -> Result<(), String> {
        require!(self.n_inputs <= self.types.len(), "{} inputs but {} values", self.n_inputs, self.types.len());
        let mut n_defined = self.n_inputs;
        for (position, node) in self.nodes.iter().enumerate() {
            let at = |message: String| format!("node {position} ({}): {message}", node.op.name());
            require!(
                node.first_out.0 as usize == n_defined,
                "node {position}: first result is %{}, expected %{n_defined}",
                node.first_out.0
            );
            for arg in &node.args {
                require!((arg.0 as usize) < n_defined, "node {position}: %{} is used before its definition", arg.0);
            }
            n_defined += node.n_outs;
            require!(n_defined <= self.types.len(), "node {position}: results without a type");
            let args: Vec<&TensorType> = node.args.iter().map(|&v| self.type_of(v)).collect();
            let outs: Vec<&TensorType> = node.outs().map(|v| self.type_of(v)).collect();
            check_node(node, &args, &outs).map_err(at)?;
        }
        require!(n_defined == self.types.len(), "{} values but {} types", n_defined, self.types.len());
        for &Value(out) in &self.outputs {
            require!((out as usize) < n_defined, "output %{out} is not defined");
        }
        Ok(())
    }
}

impl Op {
    /// The short name that printed graphs and errors use.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Const(_) => "const",
            Op::Map(_) => "map",
            Op::View(_) => "view",
            Op::Iota { .. } => "iota",
            Op::Reduce { .. } => "reduce",
            Op::ArgReduce { .. } => "arg_reduce",
            Op::Cumulative { .. } => "cumulative",
            Op::Assemble { .. } => "assemble",
            Op::DynamicSlice { .. } => "dynamic_slice",
            Op::DynamicUpdate { .. } => "dynamic_update",
            Op::Gather { .. } => "gather",
            Op::Scatter { .. } => "scatter",
            Op::Dot(_) => "dot",
            Op::Call(_) => "call",
            Op::While { .. } => "while",
            Op::Switch { .. } => "switch",
            Op::Scan { .. } => "scan",
        }
    }
}

impl Combine {
    /// The scalar operation that combines two elements.
    pub fn scalar_op(self) -> ScalarOp {
        match self {
            Combine::Add => ScalarOp::Add,
            Combine::Mul => ScalarOp::Mul,
            Combine::Max => ScalarOp::Max,
            Combine::Min => ScalarOp::Min,
            Combine::And => ScalarOp::And,
            Combine::Or => ScalarOp::Or,
        }
    }
}

fn check_node(node: &Node, args: &[&TensorType], outs: &[&TensorType]) -> Checked {
    match &node.op {
        Op::Const(value) => {
            let (_, out) = arity(args, outs, 0)?;
            require!(
                value.dtype() == out.dtype && value.len() == out.len(),
                "{} elements of {} for {out}",
                value.len(),
                value.dtype()
            );
            Ok(())
        }
        Op::Map(op) => check_map(*op, args, outs),
        Op::View(strided) => {
            let (args, out) = arity(args, outs, 1)?;
            same_dtype(&[args[0], out])?;
            require!(strided.shape[..] == out.shape[..], "box of shape {:?} gives {out}", strided.shape);
            require!(strided.fits(args[0].len()), "{strided:?} leaves the operand's {} elements", args[0].len());
            Ok(())
        }
        Op::Iota { axis } => {
            let (_, out) = arity(args, outs, 0)?;
            require!(*axis < out.shape.len(), "axis {axis} of {out}");
            require!(out.dtype.is_integer() || out.dtype.is_float(), "counts cannot be {}", out.dtype);
            Ok(())
        }
        Op::Reduce { combine, axes } => {
            let (args, out) = arity(args, outs, 1)?;
            combinable(*combine, args[0].dtype)?;
            require!(axes.is_sorted_by(|a, b| a < b), "axes {axes:?} are not ascending");
            require!(axes.iter().all(|&a| a < args[0].shape.len()), "axes {axes:?} of {}", args[0]);
            same_type(&args[0].without_axes(axes), out)
        }
        Op::ArgReduce { largest: _, axis } => {
            let (args, out) = arity(args, outs, 1)?;
            require!(*axis < args[0].shape.len(), "axis {axis} of {}", args[0]);
            require!(args[0].shape[*axis] > 0 || out.is_empty(), "axis {axis} of {} is empty", args[0]);
            combinable(Combine::Max, args[0].dtype)?;
            is_index(out)?;
            same_shape(&args[0].without_axes(&[*axis]), out)
        }
        Op::Cumulative { combine, axis, reverse: _ } => {
            let (args, out) = arity(args, outs, 1)?;
            require!(*axis < out.shape.len(), "axis {axis} of {out}");
            combinable(*combine, out.dtype)?;
            same_type(args[0], out)
        }
        Op::Assemble { boxes } => check_assemble(boxes, args, outs),
        Op::DynamicSlice { n_batch, sizes } => {
            let (args, out) = arity(args, outs, 2)?;
            check_box(args[0], args[1], out, *n_batch)?;
            require!(out.shape[*n_batch..] == sizes[..], "box of sizes {sizes:?} gives {out}");
            Ok(())
        }
        Op::DynamicUpdate { n_batch } => {
            let (args, out) = arity(args, outs, 3)?;
            check_box(args[0], args[2], args[1], *n_batch)?;
            same_type(args[0], out)
        }
        Op::Gather { n_batch, mode: _ } => {
            let (args, out) = arity(args, outs, 2)?;
            check_places(args[0], args[1], out, *n_batch)
        }
        Op::Scatter { n_batch, kind } => {
            let (args, out) = arity(args, outs, 3)?;
            check_places(args[0], args[1], args[2], *n_batch)?;
            match kind {
                ScatterKind::Set => {}
                ScatterKind::Combine(combine) => combinable(*combine, out.dtype)?,
            }
            same_type(args[0], out)
        }
        Op::Dot(axes) => {
            let (args, out) = arity(args, outs, 2)?;
            check_dot(axes, args[0], args[1], out)
        }
        Op::Call(_) => Ok(()),
        Op::While { cond, body, n_cond_captures, n_body_captures } => {
            check_while(cond, body, *n_cond_captures, *n_body_captures, args, outs)
        }
        Op::Switch { branches } => {
            require!(!branches.is_empty(), "no branch");
            require!(!args.is_empty(), "no index");
            require!(*args[0] == TensorType::scalar(DType::I32), "index of type {}, expected i32[]", args[0]);
            for (i, branch) in branches.iter().enumerate() {
                check_sub(&format!("branch {i}"), branch, args[1..].iter().copied(), outs.iter().copied())?;
            }
            Ok(())
        }
        Op::Scan { body, n_captures, n_carry, length, reverse: _ } => {
            check_scan(body, *n_captures, *n_carry, *length, args, outs)
        }
    }
}

fn check_map(op: ScalarOp, args: &[&TensorType], outs: &[&TensorType]) -> Checked {
    let (args, out) = arity(args, outs, op.arity())?;
    let dtypes: Vec<DType> = args.iter().map(|t| t.dtype).collect();
    require!(math::kernel(op, &dtypes).is_some(), "{op:?} is not defined for {dtypes:?}");
    require!(op.result(&dtypes) == out.dtype, "{op:?} of {dtypes:?} gives {}", out.dtype);
    for arg in args {
        require!(arg.shape.is_empty() || arg.shape == out.shape, "operand {arg} for result {out}");
    }
    Ok(())
}

fn check_assemble(boxes: &[Strided], args: &[&TensorType], outs: &[&TensorType]) -> Checked {
    let (args, out) = arity(args, outs, 1 + boxes.len())?;
    require!(args[0].shape.is_empty(), "fill value of type {}", args[0]);
    for (arg, strided) in args[1..].iter().zip(boxes) {
        require!(arg.shape[..] == strided.shape[..], "operand {arg} for a box of shape {:?}", strided.shape);
        require!(strided.fits(out.len()), "{strided:?} leaves the result's {} elements", out.len());
        require!(strided.is_injective(), "{strided:?} overlaps itself");
    }
    same_dtype(args)?;
    same_dtype(&[args[0], out])
}

/// Checks x, starts and box of a dynamic slice or update.
fn check_box(x: &TensorType, starts: &TensorType, part: &TensorType, n_batch: usize) -> Checked {
    same_dtype(&[x, part])?;
    is_index(starts)?;
    let rank = x.shape.len();
    require!(n_batch <= rank && part.shape.len() == rank, "box {part} of {x} with {n_batch} batch axes");
    let mut expected = x.shape[..n_batch].to_vec();
    require!(part.shape[..n_batch] == expected[..], "batch axes of {part} differ from those of {x}");
    require!(part.shape.iter().zip(&x.shape).all(|(size, n)| size <= n), "box {part} is larger than {x}");
    expected.push(rank - n_batch);
    require!(starts.shape[..] == expected, "starts {starts}, expected shape {expected:?}");
    Ok(())
}

/// Checks x, indices and picked (or updating) elements of a gather or scatter.
fn check_places(x: &TensorType, indices: &TensorType, picked: &TensorType, n_batch: usize) -> Checked {
    same_dtype(&[x, picked])?;
    is_index(indices)?;
    require!(indices.shape.len() > n_batch, "indices {indices} with {n_batch} batch axes");
    let (&n_indexed, places) = indices.shape.split_last().expect("the rank was just checked");
    require!(n_batch + n_indexed <= x.shape.len(), "{n_indexed} indices into {x} with {n_batch} batch axes");
    require!(places[..n_batch] == x.shape[..n_batch], "batch axes of {indices} differ from those of {x}");
    let mut expected = places.to_vec();
    expected.extend_from_slice(&x.shape[n_batch + n_indexed..]);
    require!(picked.shape[..] == expected, "elements {picked}, expected shape {expected:?}");
    Ok(())
}

fn check_dot(axes: &DotAxes, a: &TensorType, b: &TensorType, out: &TensorType) -> Checked {
    same_dtype(&[a, b, out])?;
    combinable(Combine::Add, a.dtype)?;
    let pairs = [(&axes.lhs_batch, &axes.rhs_batch), (&axes.lhs_contract, &axes.rhs_contract)];
    for (of_a, of_b) in pairs {
        require!(of_a.len() == of_b.len(), "axes {of_a:?} and {of_b:?} do not pair up");
        for (&i, &j) in of_a.iter().zip(of_b) {
            require!(i < a.shape.len() && j < b.shape.len(), "axes {i} of {a} and {j} of {b}");
            require!(a.shape[i] == b.shape[j], "axis {i} of {a} differs from axis {j} of {b}");
        }
    }
    let mut expected: Vec<usize> = axes.lhs_batch.iter().map(|&i| a.shape[i]).collect();
    for (t, batch, contract) in [(a, &axes.lhs_batch, &axes.lhs_contract), (b, &axes.rhs_batch, &axes.rhs_contract)] {
        let mut used = vec![false; t.shape.len()];
        for &i in batch.iter().chain(contract) {
            require!(!std::mem::replace(&mut used[i], true), "axis {i} of {t} is named twice");
        }
        expected.extend((0..t.shape.len()).filter(|&i| !used[i]).map(|i| t.shape[i]));
    }
    require!(out.shape[..] == expected, "result {out}, expected shape {expected:?}");
    Ok(())
}

fn check_while(
    cond: &Graph,
    body: &Graph,
    n_cond_captures: usize,
    n_body_captures: usize,
    args: &[&TensorType],
    outs: &[&TensorType],
) -> Checked {
    require!(n_cond_captures + n_body_captures <= args.len(), "{} operands are too few", args.len());
    let (cond_captures, rest) = args.split_at(n_cond_captures);
    let (body_captures, carry) = rest.split_at(n_body_captures);
    require!(carry == outs, "carry {} but results {}", list(carry), list(outs));
    let truth = TensorType::scalar(DType::Bool);
    check_sub("cond", cond, cond_captures.iter().chain(carry).copied(), [&truth].into_iter())?;
    check_sub("body", body, body_captures.iter().chain(carry).copied(), carry.iter().copied())
}

fn check_scan(
    body: &Graph,
    n_captures: usize,
    n_carry: usize,
    length: usize,
    args: &[&TensorType],
    outs: &[&TensorType],
) -> Checked {
    require!(n_captures + n_carry <= args.len() && n_carry <= outs.len(), "operands or results are too few");
    let (kept, stacked) = args.split_at(n_captures + n_carry);
    let (carry, stacked_outs) = outs.split_at(n_carry);
    let step = |t: &&TensorType| match t.shape.split_first() {
        Some((&n, rest)) if n == length => Ok(TensorType::new(t.dtype, rest)),
        Some(_) | None => Err(format!("{t} has no leading axis of length {length}")),
    };
    let steps: Vec<TensorType> = stacked.iter().map(step).collect::<Result<_, _>>()?;
    let out_steps: Vec<TensorType> = stacked_outs.iter().map(step).collect::<Result<_, _>>()?;
    require!(kept[n_captures..] == *carry, "carry {} but results {}", list(&kept[n_captures..]), list(carry));
    check_sub("body", body, kept.iter().copied().chain(&steps), carry.iter().copied().chain(&out_steps))
}

fn check_sub<'a>(
    role: &str,
    graph: &'a Graph,
    inputs: impl Iterator<Item = &'a TensorType>,
    outputs: impl Iterator<Item = &'a TensorType>,
) -> Checked {
    graph.check().map_err(|message| format!("{role}: {message}"))?;
    let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
    let (own_inputs, own_outputs): (Vec<_>, Vec<_>) =
        (graph.input_types().iter().collect(), graph.output_types().collect());
    require!(inputs == own_inputs, "{role} takes {}, given {}", list(&own_inputs), list(&inputs));
    require!(outputs == own_outputs, "{role} gives {}, expected {}", list(&own_outputs), list(&outputs));
    Ok(())
}

fn list(types: &[&TensorType]) -> String {
    let names: Vec<String> = types.iter().map(|t| t.to_string()).collect();
    format!("({})", names.join(", "))
}

/// The operands and the only result.
fn arity<'a, 'b>(
    args: &'b [&'a TensorType],
    outs: &[&'a TensorType],
    n: usize,
) -> Result<(&'b [&'a TensorType], &'a TensorType), String> {
    require!(args.len() == n, "{} operands, expected {n}", args.len());
    require!(outs.len() == 1, "{} results, expected 1", outs.len());
    Ok((args, outs[0]))
}

fn same_dtype(types: &[&TensorType]) -> Checked {
    require!(types.windows(2).all(|w| w[0].dtype == w[1].dtype), "element types of {} differ", list(types));
    Ok(())
}

fn same_shape(expected: &TensorType, got: &TensorType) -> Checked {
    require!(expected.shape == got.shape, "result {got}, expected shape {:?}", expected.shape);
    Ok(())
}

fn same_type(expected: &TensorType, got: &TensorType) -> Checked {
    require!(expected == got, "result {got}, expected {expected}");
    Ok(())
}

fn is_index(t: &TensorType) -> Checked {
    require!(t.dtype.is_integer(), "indices {t} are not integers");
    Ok(())
}

fn combinable(combine: Combine, dtype: DType) -> Checked {
    let admissible = math::kernel(combine.scalar_op(), &[dtype, dtype]).is_some();
    require!(admissible, "{combine:?} is not defined for {dtype}");
    Ok(())
}
