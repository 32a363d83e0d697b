//! Branches and loops, with random graphs inside.

use super::{MAX_LEN, Maker};
use crate::{
    dtype::DType,
    graph::{Combine, Graph, Op, Strided, TensorType, Value},
    scalar::ScalarOp,
};
use std::sync::Arc;

impl Maker<'_> {
    /// A graph of the given type with random contents; `finish` may change its outputs.
    fn sub(&mut self, inputs: &[TensorType], outputs: &[TensorType], finish: impl Fn(&mut Maker<'_>)) -> Arc<Graph> {
        let (taste, numbers, depth) = (self.taste, self.numbers, self.depth - 1);
        let mut maker = Maker { choices: self.choices, taste, numbers, graph: Graph::new(), depth };
        for t in inputs {
            maker.graph.input(t.clone());
        }
        let n_steps = 1 + maker.choices.below(8);
        (0..n_steps).for_each(|_| maker.step());
        let results: Vec<Value> = outputs.iter().map(|t| maker.of(t.dtype, &t.shape)).collect();
        // Whatever a loop hands on comes in again: what is not brought back would grow until sums are not exact.
        maker.graph.outputs = results.into_iter().map(|value| maker.tame(value)).collect();
        finish(&mut maker);
        Arc::new(maker.graph)
    }

    pub(super) fn control(&mut self) {
        if self.graph.types.is_empty() {
            return;
        }
        let captures: Vec<Value> = (0..self.choices.below(3)).map(|_| self.any()).collect();
        let n_carried = 1 + if self.choices.one_in(10) { self.choices.below(40) } else { self.choices.below(3) };
        let mut carry: Vec<Value> = (0..n_carried).map(|_| self.any()).collect();
        if self.choices.one_in(2) {
            carry.push(carry[0]);
        }
        match self.choices.below(4) {
            0 => self.switch(carry),
            1 => self.counted(captures, carry),
            2 => self.lanes(captures, carry[0]),
            _ => self.scan(captures, carry),
        }
    }

    fn switch(&mut self, operands: Vec<Value>) {
        let index = self.of(DType::I32, &[]);
        let types = self.types(&operands);
        let branches = (0..1 + self.choices.below(3)).map(|_| self.sub(&types, &types, |_| ())).collect();
        self.graph.push(Op::Switch { branches }, &[vec![index], operands].concat(), types, 0);
    }

    /// A limit of a few iterations.
    fn limit(&mut self, shape: &[usize]) -> Value {
        let (limit, few) = (self.of(DType::I32, shape), self.scalar(5i32));
        self.push(Op::Map(ScalarOp::Min), &[limit, few], DType::I32, shape)
    }

    /// A while loop whose first state counts; a state that is a `bool` may end it too.
    fn counted(&mut self, captures: Vec<Value>, mut carry: Vec<Value>) {
        carry.insert(0, self.scalar(0i32));
        let limit = self.limit(&[]);
        let (carry_types, captured) = (self.types(&carry), self.types(&captures));
        let truth = TensorType::scalar(DType::Bool);
        let mut cond = Graph::new();
        let limit_in = cond.input(TensorType::scalar(DType::I32));
        let ins: Vec<Value> = carry_types.iter().map(|t| cond.input(t.clone())).collect();
        let mut going = cond.push(Op::Map(ScalarOp::Lt), &[ins[0], limit_in], vec![truth.clone()], 0);
        if let Some(at) = carry_types.iter().position(|t| *t == truth)
            && self.choices.one_in(2)
        {
            going = cond.push(Op::Map(ScalarOp::And), &[going, ins[at]], vec![truth], 0);
        }
        cond.outputs = vec![going];
        let counter = Value(captured.len() as u32);
        let body = self.sub(&[captured, carry_types.clone()].concat(), &carry_types, |maker| {
            let one = maker.scalar(1i32);
            maker.graph.outputs[0] = maker.push(Op::Map(ScalarOp::Add), &[counter, one], DType::I32, &[]);
        });
        let op = Op::While { cond: Arc::new(cond), body, n_cond_captures: 1, n_body_captures: captures.len() };
        self.graph.push(op, &[vec![limit], captures, carry].concat(), carry_types, 0);
    }

    /// What vectorizing a while loop gives: it runs as long as any lane's count is below that lane's limit, and lanes that
    /// are done keep their state.
    fn lanes(&mut self, captures: Vec<Value>, state: Value) {
        let t = self.ty(state);
        let counts = TensorType::new(DType::I32, &t.shape);
        let truths = TensorType::new(DType::Bool, &t.shape);
        let limit = self.limit(&t.shape);
        let zero = self.scalar(0i32);
        let spread = Strided { shape: t.shape.to_vec(), strides: vec![0; t.shape.len()], offset: 0 };
        let zeros = self.push(Op::View(spread), &[zero], DType::I32, &t.shape);
        let carry_types = vec![counts.clone(), t.clone()];
        let mut cond = Graph::new();
        let (limit_in, count) = (cond.input(counts.clone()), cond.input(counts.clone()));
        cond.input(t.clone());
        let going = cond.push(Op::Map(ScalarOp::Lt), &[count, limit_in], vec![truths.clone()], 0);
        let any = Op::Reduce { combine: Combine::Or, axes: (0..t.shape.len()).collect() };
        cond.outputs = vec![cond.push(any, &[going], vec![TensorType::scalar(DType::Bool)], 0)];
        let captured = self.types(&captures);
        let (limit_in, count) = (Value(0), Value(captured.len() as u32 + 1));
        let inputs = [vec![counts], captured, carry_types.clone()].concat();
        let body = self.sub(&inputs, &carry_types, |maker| {
            let old = Value(count.0 + 1);
            let going = maker.push(Op::Map(ScalarOp::Lt), &[count, limit_in], DType::Bool, &truths.shape);
            let one = maker.scalar(1i32);
            let next = maker.push(Op::Map(ScalarOp::Add), &[count, one], DType::I32, &truths.shape);
            let new = [next, maker.graph.outputs[1]];
            for (out, (new, old)) in new.into_iter().zip([count, old]).enumerate() {
                let dtype = maker.ty(old).dtype;
                maker.graph.outputs[out] =
                    maker.push(Op::Map(ScalarOp::Select), &[going, new, old], dtype, &truths.shape);
            }
        });
        let op = Op::While { cond: Arc::new(cond), body, n_cond_captures: 1, n_body_captures: captures.len() + 1 };
        self.graph.push(op, &[vec![limit, limit], captures, vec![zeros, state]].concat(), carry_types, 0);
    }

    fn scan(&mut self, captures: Vec<Value>, carry: Vec<Value>) {
        let mut stacked: Vec<Value> = self.all().into_iter().rev().filter(|&v| !self.ty(v).shape.is_empty()).collect();
        let length = match stacked.is_empty() {
            true => self.choices.below(40),
            false => {
                let one = *self.choices.pick(&stacked);
                self.ty(one).shape[0]
            }
        };
        if length > 60 {
            return;
        }
        stacked.retain(|&v| self.ty(v).shape[0] == length);
        stacked.truncate(2);
        let rows: Vec<TensorType> =
            self.types(&stacked).into_iter().map(|t| TensorType::new(t.dtype, &t.shape[1..])).collect();
        let (carry_types, captured) = (self.types(&carry), self.types(&captures));
        let mut outs = rows.clone();
        outs.extend(carry_types.first().filter(|t| t.len() * length <= MAX_LEN).cloned());
        let inputs = [captured, carry_types.clone(), rows].concat();
        let body = self.sub(&inputs, &[&carry_types[..], &outs].concat(), |_| ());
        let (n_captures, n_carry, reverse) = (captures.len(), carry.len(), self.choices.one_in(2));
        let op = Op::Scan { body, n_captures, n_carry, length, reverse };
        let stack = |t: &TensorType| TensorType::new(t.dtype, &[&[length], &t.shape[..]].concat());
        let results = carry_types.iter().cloned().chain(outs.iter().map(stack));
        self.graph.push(op, &[captures, carry, stacked].concat(), results, 0);
    }
}
