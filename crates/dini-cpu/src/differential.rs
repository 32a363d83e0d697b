//! Random graphs: the executor against the reference evaluator.
//!
//! Floats hold small whole numbers, and whatever multiplies or sums is brought back to that range, so that results do
//! not depend on the order of operations and must agree exactly.

mod routines;

use crate::{
    buffer::Buffer,
    dtype::DType,
    executable::Executable,
    graph::{
        Call, Combine, DotAxes, Graph, Op, OutOfBounds, ScatterKind, Strided, TensorType, Value, strided::row_major,
    },
    reference,
    scalar::ScalarOp,
};
use std::sync::Arc;

/// Larger tensors are not made.
const MAX_LEN: usize = 6000;

const DTYPES: [DType; 6] = [DType::F64, DType::F64, DType::F32, DType::I32, DType::U8, DType::Bool];

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random {
    state: u64,
    sizes: Sizes,
}

/// How large the tensors are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sizes {
    /// None to thousands of elements.
    Any,
    /// Few elements: whole programs become one kernel.
    Few,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn extent(&mut self) -> usize {
        if self.sizes == Sizes::Few {
            return self.pick(&[1, 1, 2, 3, 4]);
        }
        match self.below(30) {
            0 => 0,
            1..=4 => 1,
            5..=24 => 2 + self.below(4),
            25..=28 => 10 + self.below(60),
            _ => 500 + self.below(800),
        }
    }

    fn shape(&mut self) -> Vec<usize> {
        loop {
            let rank = if self.sizes == Sizes::Few { self.pick(&[0, 0, 0, 1, 2]) } else { self.below(4) };
            let shape: Vec<usize> = (0..rank).map(|_| self.extent()).collect();
            if shape.iter().product::<usize>() <= MAX_LEN {
                return shape;
            }
        }
    }

    fn tensor_type(&mut self) -> TensorType {
        TensorType { dtype: self.pick(&DTYPES), shape: self.shape() }
    }

    fn data(&mut self, t: &TensorType) -> Arc<Buffer> {
        let mut out = Buffer::zeros(t.dtype, t.len());
        match t.dtype {
            DType::Bool => out.as_mut_slice::<bool>().iter_mut().for_each(|x| *x = self.chance(2)),
            DType::U8 => out.as_mut_slice::<u8>().iter_mut().for_each(|x| *x = self.below(9) as u8),
            DType::I32 => out.as_mut_slice::<i32>().iter_mut().for_each(|x| *x = self.below(19) as i32 - 9),
            DType::F32 => out.as_mut_slice::<f32>().iter_mut().for_each(|x| *x = self.below(19) as f32 - 9.0),
            DType::F64 => out.as_mut_slice::<f64>().iter_mut().for_each(|x| *x = self.below(19) as f64 - 9.0),
            other => unreachable!("{other} is not generated"),
        }
        Arc::new(out)
    }
}

/// A graph in the making.
struct Maker<'r> {
    random: &'r mut Random,
    graph: Graph,
    /// How deep loops may still nest.
    depth: usize,
}

impl Maker<'_> {
    fn all(&self) -> Vec<Value> {
        (0..self.graph.types.len() as u32).map(Value).collect()
    }

    fn push(&mut self, op: Op, args: &[Value], dtype: DType, shape: &[usize]) -> Value {
        let position = self.graph.nodes.len() as u32;
        self.graph.push(op, args, vec![TensorType::new(dtype, shape)], position)
    }

    fn ty(&self, value: Value) -> TensorType {
        self.graph.type_of(value).clone()
    }

    fn any(&mut self) -> Value {
        let all = self.all();
        // Recent values more often, so that chains grow.
        let from = if self.random.chance(2) { all.len().saturating_sub(4) } else { 0 };
        self.random.pick(&all[from..])
    }

    /// An existing value that fits, or a new one.
    fn of(&mut self, dtype: DType, shape: &[usize]) -> Value {
        let wanted = TensorType::new(dtype, shape);
        let fitting: Vec<Value> = self.all().into_iter().filter(|&v| *self.graph.type_of(v) == wanted).collect();
        if !fitting.is_empty() && !self.random.chance(8) {
            return self.random.pick(&fitting);
        }
        let data = self.random.data(&wanted);
        self.push(Op::Const(data), &[], dtype, shape)
    }

    /// Whole numbers again, after a factorization: sums of fractions depend on their order.
    fn whole(&mut self, value: Value) -> Value {
        let t = self.ty(value);
        if t.dtype.is_float() { self.push(Op::Map(ScalarOp::Floor), &[value], t.dtype, &t.shape) } else { value }
    }

    /// Brings numbers back to a small range.
    fn tame(&mut self, value: Value) -> Value {
        let t = self.ty(value);
        match t.dtype {
            DType::F32 | DType::F64 => {
                let mut bound = Buffer::zeros(t.dtype, 1);
                match t.dtype {
                    DType::F32 => bound.as_mut_slice::<f32>()[0] = 17.0,
                    _ => bound.as_mut_slice::<f64>()[0] = 17.0,
                }
                let bound = self.push(Op::Const(Arc::new(bound)), &[], t.dtype, &[]);
                self.push(Op::Map(ScalarOp::Rem), &[value, bound], t.dtype, &t.shape)
            }
            _ => value,
        }
    }

    fn map(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let is_bool = t.dtype == DType::Bool;
        let other = |maker: &mut Self, dtype| {
            if maker.random.chance(3) { maker.of(dtype, &[]) } else { maker.of(dtype, &t.shape) }
        };
        match self.random.below(6) {
            0 if t.dtype.is_float() => {
                let op = self.random.pick(&[ScalarOp::Neg, ScalarOp::Abs, ScalarOp::Sign, ScalarOp::Floor]);
                self.push(Op::Map(op), &[x], t.dtype, &t.shape);
            }
            1 => {
                let (p, y) = (other(self, DType::Bool), other(self, t.dtype));
                self.push(Op::Map(ScalarOp::Select), &[p, x, y], t.dtype, &t.shape);
            }
            2 => {
                let y = other(self, t.dtype);
                let op = self.random.pick(&[ScalarOp::Lt, ScalarOp::Ge, ScalarOp::Eq]);
                self.push(Op::Map(op), &[x, y], DType::Bool, &t.shape);
            }
            3 => {
                let to = self.random.pick(&DTYPES);
                self.push(Op::Map(ScalarOp::Cast(to)), &[x], to, &t.shape);
            }
            _ => {
                let y = other(self, t.dtype);
                let op = self.random.pick(&[ScalarOp::Add, ScalarOp::Mul, ScalarOp::Max, ScalarOp::Min]);
                let op = if is_bool && self.random.chance(2) { ScalarOp::Xor } else { op };
                let out = self.push(Op::Map(op), &[x, y], t.dtype, &t.shape);
                self.tame(out);
            }
        }
    }

    fn view(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let mut strided = Strided { shape: t.shape.clone(), strides: row_major(&t.shape), offset: 0 };
        match self.random.below(5) {
            // Transpose.
            0 => {
                for i in (1..t.shape.len()).rev() {
                    let j = self.random.below(i + 1);
                    strided.shape.swap(i, j);
                    strided.strides.swap(i, j);
                }
            }
            // Slice, with steps, and reverse.
            1 | 2 => {
                for axis in 0..t.shape.len() {
                    let n = strided.shape[axis];
                    let start = self.random.below(n.max(1));
                    let step = 1 + self.random.below(3);
                    let len = if n == 0 { 0 } else { 1 + self.random.below((n - start).div_ceil(step)) };
                    let stride = strided.strides[axis];
                    strided.offset += start * stride as usize;
                    strided.shape[axis] = len;
                    strided.strides[axis] *= step as isize;
                    if len > 0 && self.random.chance(3) {
                        strided.offset = strided.offset.wrapping_add_signed((len as isize - 1) * strided.strides[axis]);
                        strided.strides[axis] *= -1;
                    }
                }
                if strided.is_empty() {
                    strided.offset = 0;
                }
            }
            // Broadcast.
            3 => {
                let axis = self.random.below(t.shape.len() + 1);
                strided.shape.insert(axis, self.random.extent().min(MAX_LEN / t.len().max(1)));
                strided.strides.insert(axis, 0);
            }
            // Reshape.
            _ => {
                let n = t.len();
                let divisor = (1..=n.min(12)).rev().find(|d| n.is_multiple_of(*d)).unwrap_or(1);
                strided = Strided::dense(&[divisor, n / divisor.max(1)]);
            }
        }
        let shape = strided.shape.clone();
        self.push(Op::View(strided), &[x], t.dtype, &shape);
    }

    fn reduce(&mut self) {
        let mut x = self.any();
        let t = self.ty(x);
        let mut combines = vec![Combine::Add, Combine::Max, Combine::Min, Combine::Mul];
        if !t.dtype.is_float() {
            combines.extend([Combine::And, Combine::Or]);
        }
        let combine = self.random.pick(&combines);
        if combine == Combine::Mul && t.dtype.is_float() {
            x = self.push(Op::Map(ScalarOp::Sign), &[x], t.dtype, &t.shape);
        } else if combine == Combine::Add {
            x = self.whole(x);
        }
        let axes: Vec<usize> = (0..t.shape.len()).filter(|_| self.random.chance(2)).collect();
        let out = t.without_axes(&axes);
        match t.shape.len() {
            rank if rank > 0 && self.random.chance(3) => {
                let axis = self.random.below(rank);
                if self.random.chance(2) {
                    let op = Op::Cumulative { combine, axis, reverse: self.random.chance(2) };
                    let out = self.push(op, &[x], t.dtype, &t.shape);
                    self.tame(out);
                } else if t.shape[axis] > 0 {
                    let op = Op::ArgReduce { largest: self.random.chance(2), axis };
                    self.push(op, &[x], DType::I32, &t.without_axes(&[axis]).shape);
                }
            }
            _ => {
                let out = self.push(Op::Reduce { combine, axes }, &[x], t.dtype, &out.shape);
                self.tame(out);
            }
        }
    }

    fn structural(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let rank = t.shape.len();
        let n_batch = self.random.below(rank + 1);
        match self.random.below(8) {
            7 => self.pad(x),
            0 if rank > 0 && t.len() * 2 <= MAX_LEN => {
                let axis = self.random.below(rank);
                let y = self.of(t.dtype, &t.shape);
                let fill = self.of(t.dtype, &[]);
                let mut shape = t.shape.clone();
                // A gap of one between the two.
                shape[axis] = 2 * shape[axis] + 1;
                let strides = row_major(&shape);
                let box_at = |start: usize| Strided {
                    shape: t.shape.clone(),
                    strides: strides.clone(),
                    offset: if t.is_empty() { 0 } else { start * strides[axis] as usize },
                };
                let boxes = vec![box_at(0), box_at(t.shape[axis] + 1)];
                self.push(Op::Assemble { boxes }, &[fill, x, y], t.dtype, &shape);
            }
            1 | 2 => {
                let sizes: Vec<usize> = t.shape[n_batch..].iter().map(|&n| self.random.below(n + 1)).collect();
                let mut starts_shape = t.shape[..n_batch].to_vec();
                starts_shape.push(rank - n_batch);
                let starts = self.of(DType::I32, &starts_shape);
                let part = [&t.shape[..n_batch], &sizes[..]].concat();
                if self.random.chance(2) {
                    self.push(Op::DynamicSlice { n_batch, sizes }, &[x, starts], t.dtype, &part);
                } else {
                    let update = self.of(t.dtype, &part);
                    self.push(Op::DynamicUpdate { n_batch }, &[x, update, starts], t.dtype, &t.shape);
                }
            }
            3 | 4 => {
                let n_indexed = self.random.below(rank - n_batch + 1);
                let n_places = self.random.below(5);
                let rest = &t.shape[n_batch + n_indexed..];
                let indices_shape = [&t.shape[..n_batch], &[n_places, n_indexed]].concat();
                let picked = [&t.shape[..n_batch], &[n_places], rest].concat();
                let indices = self.of(DType::I32, &indices_shape);
                if self.random.chance(2) {
                    let mode = self.random.pick(&[OutOfBounds::Fill, OutOfBounds::Zero, OutOfBounds::Clip]);
                    let out = self.push(Op::Gather { n_batch, mode }, &[x, indices], t.dtype, &picked);
                    self.tame(out);
                } else {
                    let kinds =
                        [ScatterKind::Set, ScatterKind::Combine(Combine::Add), ScatterKind::Combine(Combine::Max)];
                    let kind = self.random.pick(&kinds);
                    let updates = self.of(t.dtype, &picked);
                    let op = Op::Scatter { n_batch, kind };
                    let out = self.push(op, &[x, indices, updates], t.dtype, &t.shape);
                    self.tame(out);
                }
            }
            5 if rank > 0 && t.shape[rank - 1] < 50 => {
                let n = 1 + self.random.below(3);
                let y = self.of(t.dtype, &[n, t.shape[rank - 1]]);
                let axes = DotAxes { lhs_contract: vec![rank - 1], rhs_contract: vec![1], ..DotAxes::default() };
                let shape = [&t.shape[..rank - 1], &[n]].concat();
                if shape.iter().product::<usize>() <= MAX_LEN {
                    let (x, y) = (self.whole(x), self.whole(y));
                    let out = self.push(Op::Dot(axes), &[x, y], t.dtype, &shape);
                    self.tame(out);
                }
            }
            _ => {
                let mut shape = self.random.shape();
                shape.push(self.random.extent().min(20));
                if shape.iter().product::<usize>() <= MAX_LEN {
                    let axis = self.random.below(shape.len());
                    let out = self.push(Op::Iota { axis }, &[], self.random_number_type(), &shape);
                    self.tame(out);
                }
            }
        }
    }

    /// Surrounds a tensor, with or without gaps between its elements.
    fn pad(&mut self, x: Value) {
        let t = self.ty(x);
        let gap = self.random.below(8) / 7;
        let (mut shape, mut starts) = (vec![], vec![]);
        for &n in &t.shape {
            starts.push(self.random.below(3));
            shape.push(starts[starts.len() - 1] + n + gap * n.saturating_sub(1) + self.random.below(3));
        }
        if shape.iter().product::<usize>() <= MAX_LEN {
            let fill = self.of(t.dtype, &[]);
            let steps = row_major(&shape);
            let offset = starts.iter().zip(&steps).map(|(start, step)| start * *step as usize).sum();
            let strides = steps.iter().map(|step| step * (1 + gap as isize)).collect();
            let is_empty = t.is_empty();
            let place = Strided { shape: t.shape, strides, offset: if is_empty { 0 } else { offset } };
            self.push(Op::Assemble { boxes: vec![place] }, &[fill, x], t.dtype, &shape);
        }
    }

    fn random_number_type(&self) -> DType {
        if self.graph.types.len().is_multiple_of(2) { DType::F64 } else { DType::I32 }
    }

    fn call(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let copy = |args: &[crate::graph::TensorRef<'_>], outs: &mut [crate::graph::TensorMut<'_>]| {
            *outs[0].data = args[0].data.clone();
            Ok(())
        };
        let call = Call { name: "copy", function: Arc::new(copy), effect: self.random.chance(2), routine: None };
        self.push(Op::Call(call), &[x], t.dtype, &t.shape);
    }

    /// A graph of the given type with random contents.
    fn sub(&mut self, inputs: &[TensorType], outputs: &[TensorType], finish: impl Fn(&mut Maker<'_>)) -> Arc<Graph> {
        let depth = self.depth - 1;
        let mut maker = Maker { random: self.random, graph: Graph::new(), depth };
        for t in inputs {
            maker.graph.input(t.clone());
        }
        let n_steps = 1 + maker.random.below(8);
        (0..n_steps).for_each(|_| maker.step());
        maker.graph.outputs = outputs.iter().map(|t| maker.of(t.dtype, &t.shape)).collect();
        finish(&mut maker);
        Arc::new(maker.graph)
    }

    fn control(&mut self) {
        let captures: Vec<Value> = (0..self.random.below(3)).map(|_| self.any()).collect();
        let mut carry: Vec<Value> = (0..1 + self.random.below(3)).map(|_| self.any()).collect();
        if self.random.chance(2) {
            carry.push(carry[0]);
        }
        let types = |maker: &Self, values: &[Value]| values.iter().map(|&v| maker.ty(v)).collect::<Vec<_>>();
        match self.random.below(3) {
            0 => {
                let index = self.of(DType::I32, &[]);
                let (inputs, outputs) = (types(self, &carry), types(self, &carry));
                let branches = (0..1 + self.random.below(3)).map(|_| self.sub(&inputs, &outputs, |_| ())).collect();
                self.graph.push(Op::Switch { branches }, &[vec![index], carry].concat(), outputs, 0);
            }
            1 => {
                // The first carry counts.
                let zero = Arc::new(Buffer::scalar(0i32));
                carry.insert(0, self.push(Op::Const(zero), &[], DType::I32, &[]));
                let (limit, few) = (self.of(DType::I32, &[]), Arc::new(Buffer::scalar(5i32)));
                let few = self.push(Op::Const(few), &[], DType::I32, &[]);
                let limit = self.push(Op::Map(ScalarOp::Min), &[limit, few], DType::I32, &[]);
                let (carry_types, captured) = (types(self, &carry), types(self, &captures));
                let mut cond = Graph::new();
                let limit_in = cond.input(TensorType::scalar(DType::I32));
                let ins: Vec<Value> = carry_types.iter().map(|t| cond.input(t.clone())).collect();
                let truth = vec![TensorType::scalar(DType::Bool)];
                cond.outputs = vec![cond.push(Op::Map(ScalarOp::Lt), &[ins[0], limit_in], truth, 0)];
                let counter = Value(captured.len() as u32);
                let body = self.sub(&[captured, carry_types.clone()].concat(), &carry_types, |maker| {
                    let one = maker.push(Op::Const(Arc::new(Buffer::scalar(1i32))), &[], DType::I32, &[]);
                    maker.graph.outputs[0] = maker.push(Op::Map(ScalarOp::Add), &[counter, one], DType::I32, &[]);
                });
                let n_body_captures = captures.len();
                let op = Op::While { cond: Arc::new(cond), body, n_cond_captures: 1, n_body_captures };
                self.graph.push(op, &[vec![limit], captures, carry].concat(), carry_types, 0);
            }
            _ => {
                let stacked: Vec<Value> = self.all().into_iter().filter(|&v| !self.ty(v).shape.is_empty()).collect();
                let length = match stacked.is_empty() {
                    true => self.random.below(4),
                    false => {
                        let one = self.random.pick(&stacked);
                        self.ty(one).shape[0]
                    }
                };
                if length > 60 {
                    return;
                }
                let stacked: Vec<Value> =
                    stacked.into_iter().filter(|&v| self.ty(v).shape[0] == length).take(2).collect();
                let rows: Vec<TensorType> =
                    types(self, &stacked).into_iter().map(|t| TensorType::new(t.dtype, &t.shape[1..])).collect();
                let (carry_types, captured) = (types(self, &carry), types(self, &captures));
                let mut outs = rows.clone();
                outs.extend(carry_types.first().filter(|t| t.len() * length <= MAX_LEN).cloned());
                let inputs = [captured, carry_types.clone(), rows].concat();
                let body = self.sub(&inputs, &[&carry_types[..], &outs].concat(), |_| ());
                let (n_captures, n_carry) = (captures.len(), carry.len());
                let op = Op::Scan { body, n_captures, n_carry, length, reverse: self.random.chance(2) };
                let stack = |t: &TensorType| TensorType::new(t.dtype, &[&[length], &t.shape[..]].concat());
                let results = carry_types.iter().cloned().chain(outs.iter().map(stack)).collect();
                self.graph.push(op, &[captures, carry, stacked].concat(), results, 0);
            }
        }
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..=4 => self.map(),
            5 | 6 => self.view(),
            7 => self.reduce(),
            8 | 9 => self.structural(),
            10 if self.depth > 0 => self.control(),
            10 => self.map(),
            _ if self.random.sizes == Sizes::Few => self.routine(),
            _ => self.call(),
        }
    }
}

fn random_graph(random: &mut Random) -> Graph {
    let depth = if random.sizes == Sizes::Few { 3 } else { 2 };
    let mut maker = Maker { random, graph: Graph::new(), depth };
    for _ in 0..1 + maker.random.below(4) {
        let t = maker.random.tensor_type();
        maker.graph.input(t);
    }
    for _ in 0..2 + maker.random.below(30) {
        maker.step();
    }
    maker.graph.outputs = (0..1 + maker.random.below(5)).map(|_| maker.any()).collect();
    maker.graph
}

/// Equal, where all NaNs are the same and zeros have no sign.
fn agree(a: &Buffer, b: &Buffer) -> bool {
    match a.dtype() {
        DType::F32 => {
            a.as_slice::<f32>().iter().zip(b.as_slice::<f32>()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
        }
        DType::F64 => {
            a.as_slice::<f64>().iter().zip(b.as_slice::<f64>()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
        }
        _ => a == b,
    }
}

fn check(seed: u64, sizes: Sizes, executor: &str) {
    let mut random = Random { state: seed, sizes };
    let graph = random_graph(&mut random);
    assert_eq!(graph.check(), Ok(()), "seed {seed}");
    let executable = Executable::compile(&graph);
    for run in 0..3 {
        let inputs: Vec<Arc<Buffer>> = graph.input_types().to_vec().iter().map(|t| random.data(t)).collect();
        let originals: Vec<Buffer> = inputs.iter().map(|input| (**input).clone()).collect();
        let expected = reference::evaluate(&graph, &inputs).expect("nothing fails");
        let got = executable.run(&inputs).expect("nothing fails");
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let fits = (got.dtype(), got.len()) == (expected.dtype(), expected.len());
            assert!(
                fits && agree(got, expected),
                "{executor}, seed {seed}, run {run}, output {i}: got {got:?}, expected {expected:?}\n{graph}\n{}",
                crate::schedule::schedule(&graph)
            );
        }
        assert!(inputs.iter().zip(&originals).all(|(a, b)| **a == *b), "seed {seed} changed an input");
    }
}

/// How many graphs the tests make.
fn n_graphs() -> u64 {
    std::env::var("DINI_RANDOM_GRAPHS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}

#[test]
fn random_graphs_agree() {
    crate::jit::with_each_executor(|executor| (0..n_graphs()).for_each(|seed| check(seed, Sizes::Any, executor)));
}

#[test]
fn random_small_graphs_agree() {
    crate::jit::with_each_executor(|executor| (0..n_graphs()).for_each(|seed| check(seed, Sizes::Few, executor)));
}
