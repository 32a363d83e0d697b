//! Random graphs: any operation on any values, loops and branches among them.

mod control;
mod routines;
mod structural;

use super::{
    choices::Choices,
    elements::{Numbers, elements},
};
use crate::{
    buffer::Buffer,
    dtype::DType,
    graph::{Call, Combine, Graph, Op, Strided, TensorMut, TensorRef, TensorType, Value, strided::row_major},
    math,
    scalar::{OPS, ScalarOp},
};
use std::sync::Arc;

/// Larger tensors are not made.
const MAX_LEN: usize = 6000;

/// What graphs are like. Each has bugs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taste {
    /// Axes of any extent, 0 and 1 included, some with many elements.
    Mixed,
    /// Single elements only: such programs become one kernel.
    Single,
    /// A few elements each.
    Small,
    /// Many operations on long vectors of one shape.
    Long,
}

impl Taste {
    fn extent(self, choices: &mut Choices) -> usize {
        match self {
            Taste::Single => 1,
            Taste::Small => 1 + choices.below(4),
            Taste::Mixed | Taste::Long => match choices.below(30) {
                0..=3 => 1,
                4 => 0,
                5..=24 => 2 + choices.below(4),
                25..=28 => 10 + choices.below(60),
                _ => 500 + choices.below(800),
            },
        }
    }

    fn shape(self, choices: &mut Choices) -> Vec<usize> {
        let max_rank = match self {
            Taste::Mixed => 3,
            Taste::Single => 0,
            Taste::Small => 2,
            Taste::Long => 1,
        };
        loop {
            let rank = choices.below(max_rank + 1);
            let shape: Vec<usize> = (0..rank).map(|_| self.extent(choices)).collect();
            if shape.iter().product::<usize>() <= MAX_LEN {
                return shape;
            }
        }
    }
}

/// A graph in the making.
struct Maker<'c> {
    choices: &'c mut Choices,
    taste: Taste,
    numbers: Numbers,
    graph: Graph,
    /// How deep loops may still nest.
    depth: usize,
}

/// A graph that passes [`Graph::check`].
pub(super) fn random_graph(choices: &mut Choices, taste: Taste, numbers: Numbers) -> Graph {
    let depth = if taste == Taste::Mixed { 2 } else { 3 };
    let mut maker = Maker { choices, taste, numbers, graph: Graph::new(), depth };
    let n_inputs = 1 + if maker.choices.one_in(30) { maker.choices.below(300) } else { maker.choices.below(4) };
    for _ in 0..n_inputs {
        let t = maker.tensor_type();
        maker.graph.input(t);
    }
    let n_steps = 1 + if maker.choices.one_in(20) { maker.choices.below(300) } else { maker.choices.below(30) };
    (0..n_steps).for_each(|_| maker.step());
    maker.graph.outputs = (0..1 + maker.choices.below(5)).map(|_| maker.any()).collect();
    maker.graph.donated = (0..n_inputs as u32).map(Value).filter(|_| maker.choices.one_in(4)).collect();
    maker.graph
}

impl Maker<'_> {
    fn step(&mut self) {
        let n_kinds = if self.taste == Taste::Long { 24 } else { 12 };
        match self.choices.below(n_kinds) {
            5 | 6 => self.view(),
            7 => self.reduce(),
            8 | 9 => self.structural(),
            10 if self.depth > 0 => self.control(),
            // What factorizations give is not exact.
            11 if self.taste == Taste::Small && self.numbers == Numbers::Any => self.routine(),
            11 => self.call(),
            _ => self.map(),
        }
    }

    fn tensor_type(&mut self) -> TensorType {
        let shape = match self.taste {
            // Of one length, so that operands fit.
            Taste::Long => vec![[1003, 4096, 17, 5999][self.graph.types.len().min(1) * self.choices.below(2)]],
            Taste::Mixed | Taste::Single | Taste::Small => self.taste.shape(self.choices),
        };
        TensorType::new(*self.choices.pick(self.numbers.dtypes()), &shape)
    }

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

    fn types(&self, values: &[Value]) -> Vec<TensorType> {
        values.iter().map(|&v| self.ty(v)).collect()
    }

    /// Any value, recent ones more often, so that chains grow.
    fn any(&mut self) -> Value {
        let n = self.graph.types.len();
        let among = if self.choices.one_in(2) { n } else { n.min(4) };
        Value((n - 1 - self.choices.below(among)) as u32)
    }

    /// An existing value that fits, or a new one.
    fn of(&mut self, dtype: DType, shape: &[usize]) -> Value {
        let wanted = TensorType::new(dtype, shape);
        let fitting: Vec<Value> = self.all().into_iter().rev().filter(|&v| *self.graph.type_of(v) == wanted).collect();
        if !fitting.is_empty() && !self.choices.one_in(8) {
            return *self.choices.pick(&fitting);
        }
        let data = elements(&wanted, self.numbers, self.choices);
        self.push(Op::Const(Arc::new(data)), &[], dtype, shape)
    }

    fn scalar<T: crate::dtype::Element>(&mut self, x: T) -> Value {
        self.push(Op::Const(Arc::new(Buffer::scalar(x))), &[], T::DTYPE, &[])
    }

    /// Brings numbers back to a small range, where that is wanted.
    fn tame(&mut self, value: Value) -> Value {
        let t = self.ty(value);
        let bound = match (self.numbers, t.dtype) {
            (Numbers::Whole, DType::F32) => self.scalar(17.0f32),
            (Numbers::Whole, DType::F64) => self.scalar(17.0f64),
            _ => return value,
        };
        self.push(Op::Map(ScalarOp::Rem), &[value, bound], t.dtype, &t.shape)
    }

    fn map(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let op = match self.numbers {
            Numbers::Whole => self.exact_op(t.dtype),
            Numbers::Any => *self.choices.pick(OPS),
        };
        let mut dtypes = vec![t.dtype; op.arity()];
        if op == ScalarOp::Select {
            dtypes[0] = DType::Bool;
        }
        if math::kernel(op, &dtypes).is_none() {
            return;
        }
        // The value itself is the last operand; any may be a single element for all.
        let mut args: Vec<Value> = Vec::new();
        for &dtype in &dtypes[1..] {
            let is_single = self.choices.one_in(3);
            args.push(self.of(dtype, if is_single { &[] } else { &t.shape }));
        }
        let at = if op == ScalarOp::Select { 1 } else { self.choices.below(args.len() + 1) };
        args.insert(at, x);
        if op == ScalarOp::Select {
            let is_single = self.choices.one_in(3);
            args[0] = self.of(DType::Bool, if is_single { &[] } else { &t.shape });
        }
        let out = self.push(Op::Map(op), &args, op.result(&dtypes), &t.shape);
        self.tame(out);
    }

    /// An operation whose result on small whole numbers is exact.
    fn exact_op(&mut self, dtype: DType) -> ScalarOp {
        use ScalarOp::*;
        match self.choices.below(6) {
            1 if dtype.is_float() => *self.choices.pick(&[Neg, Abs, Sign, Floor, MulAdd]),
            2 => Select,
            3 => *self.choices.pick(&[Lt, Ge, Eq]),
            4 => Cast(*self.choices.pick(self.numbers.dtypes())),
            5 if dtype == DType::Bool => Xor,
            _ => *self.choices.pick(&[Add, Mul, Max, Min]),
        }
    }

    fn view(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let mut strided = Strided { shape: t.shape.to_vec(), strides: row_major(&t.shape), offset: 0 };
        match self.choices.below(5) {
            // Transpose.
            0 => {
                for i in (1..t.shape.len()).rev() {
                    let j = self.choices.below(i + 1);
                    strided.shape.swap(i, j);
                    strided.strides.swap(i, j);
                }
            }
            // Slice, with steps, and reverse.
            1 | 2 => {
                for axis in 0..t.shape.len() {
                    let n = strided.shape[axis];
                    let start = self.choices.below(n.max(1));
                    let step = 1 + self.choices.below(3);
                    let len = if n == 0 { 0 } else { 1 + self.choices.below((n - start).div_ceil(step)) };
                    let stride = strided.strides[axis];
                    strided.offset += start * stride as usize;
                    strided.shape[axis] = len;
                    strided.strides[axis] *= step as isize;
                    if len > 0 && self.choices.one_in(3) {
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
                let axis = self.choices.below(t.shape.len() + 1);
                strided.shape.insert(axis, self.taste.extent(self.choices).min(MAX_LEN / t.len().max(1)));
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

    /// A long vector as a matrix, or the transpose of one, with what is left over in no row.
    fn matrix(&mut self, x: Value) -> Value {
        let t = self.ty(x);
        let [n] = t.shape[..] else { return x };
        if n < 500 || self.choices.one_in(3) {
            return x;
        }
        let n_rows = *self.choices.pick(&[1, 2, 3, 8, 16, 30]);
        let wide = n / n_rows;
        let (shape, strides) = match self.choices.below(4) {
            0 => ([wide, n_rows], [n_rows as isize, 1]),
            1 => ([wide, n_rows], [1, wide as isize]),
            _ => ([n_rows, wide], [wide as isize, 1]),
        };
        let strided = Strided { shape: shape.to_vec(), strides: strides.to_vec(), offset: n - n_rows * wide };
        self.push(Op::View(strided), &[x], t.dtype, &shape)
    }

    fn reduce(&mut self) {
        let x = self.any();
        let mut x = self.matrix(x);
        let t = self.ty(x);
        let all = [Combine::Add, Combine::Max, Combine::Min, Combine::Mul, Combine::And, Combine::Or];
        let admits = |combine: &Combine| math::kernel(combine.scalar_op(), &[t.dtype; 2]).is_some();
        let combines: Vec<Combine> = all.into_iter().filter(admits).collect();
        let combine = *self.choices.pick(&combines);
        if combine == Combine::Mul && t.dtype.is_float() && self.numbers == Numbers::Whole {
            x = self.push(Op::Map(ScalarOp::Sign), &[x], t.dtype, &t.shape);
        }
        let rank = t.shape.len();
        match self.choices.below(6) {
            4 if rank > 0 => {
                let axis = self.choices.below(rank);
                let op = Op::Cumulative { combine, axis, reverse: self.choices.one_in(2) };
                let out = self.push(op, &[x], t.dtype, &t.shape);
                self.tame(out);
            }
            5 if rank > 0 => {
                let axis = self.choices.below(rank);
                if t.shape[axis] > 0 {
                    let op = Op::ArgReduce { largest: self.choices.one_in(2), axis };
                    self.push(op, &[x], DType::I32, &t.without_axes(&[axis]).shape);
                }
            }
            _ => {
                let axes: Vec<usize> = (0..rank).filter(|_| !self.choices.one_in(2)).collect();
                let out = t.without_axes(&axes);
                let out = self.push(Op::Reduce { combine, axes }, &[x], t.dtype, &out.shape);
                self.tame(out);
            }
        }
    }

    fn call(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let copy = |args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]| {
            *outs[0].data = args[0].data.clone();
            Ok(())
        };
        let call = Call { name: "copy", function: Arc::new(copy), effect: self.choices.one_in(2), routine: None };
        self.push(Op::Call(call), &[x], t.dtype, &t.shape);
    }
}
