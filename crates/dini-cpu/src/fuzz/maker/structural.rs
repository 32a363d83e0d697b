//! Operations that move elements: joins, slices, gathers, scatters, products, counts.

use super::{MAX_LEN, Maker, Taste};
use crate::{
    dtype::DType,
    fuzz::elements::Numbers,
    graph::{Combine, DotAxes, Op, OutOfBounds, ScatterKind, Strided, TensorType, Value, strided::row_major},
    math,
};

impl Maker<'_> {
    pub(super) fn structural(&mut self) {
        let x = self.any();
        let t = self.ty(x);
        let rank = t.shape.len();
        let n_batch = self.choices.below(rank + 1);
        match self.choices.below(9) {
            1 | 2 => self.window(x, &t, n_batch),
            3 | 4 => self.places(x, &t, n_batch),
            5 if rank > 0 && t.shape[rank - 1] < 50 && t.dtype != DType::Bool => self.product(x, &t),
            6 if rank > 0 && t.len() * 2 <= MAX_LEN => self.assemble(x, &t),
            7 => self.pad(x, &t),
            8 if self.taste == Taste::Mixed || self.taste == Taste::Long => self.elements_at(x, &t),
            _ => {
                let mut shape = self.taste.shape(self.choices);
                shape.push(self.taste.extent(self.choices).min(20));
                if shape.iter().product::<usize>() <= MAX_LEN {
                    let axis = self.choices.below(shape.len());
                    let dtype = match self.numbers {
                        Numbers::Whole => *self.choices.pick(&[DType::F64, DType::I32]),
                        Numbers::Any => {
                            *self.choices.pick(&[DType::F64, DType::I32, DType::F32, DType::I64, DType::U8])
                        }
                    };
                    let out = self.push(Op::Iota { axis }, &[], dtype, &shape);
                    self.tame(out);
                }
            }
        }
    }

    fn index_type(&mut self) -> DType {
        match self.numbers {
            Numbers::Whole => DType::I32,
            Numbers::Any => *self.choices.pick(&[DType::I32, DType::I64, DType::U8, DType::U32, DType::U64]),
        }
    }

    /// Two of the same shape, with a gap of one between them.
    fn assemble(&mut self, x: Value, t: &TensorType) {
        let axis = self.choices.below(t.shape.len());
        let (y, fill) = (self.of(t.dtype, &t.shape), self.of(t.dtype, &[]));
        let mut shape = t.shape.clone();
        shape[axis] = 2 * shape[axis] + 1;
        let strides = row_major(&shape);
        let box_at = |start: usize| Strided {
            shape: t.shape.to_vec(),
            strides: strides.clone(),
            offset: if t.is_empty() { 0 } else { start * strides[axis] as usize },
        };
        let boxes = vec![box_at(0), box_at(t.shape[axis] + 1)];
        self.push(Op::Assemble { boxes }, &[fill, x, y], t.dtype, &shape);
    }

    /// Surrounds a tensor, with or without gaps between its elements.
    fn pad(&mut self, x: Value, t: &TensorType) {
        let gap = usize::from(self.choices.one_in(8));
        let (mut shape, mut starts) = (vec![], vec![]);
        for &n in &t.shape {
            let start = self.choices.below(3);
            starts.push(start);
            shape.push(start + n + gap * n.saturating_sub(1) + self.choices.below(3));
        }
        if shape.iter().product::<usize>() <= MAX_LEN {
            let fill = self.of(t.dtype, &[]);
            let steps = row_major(&shape);
            let offset = starts.iter().zip(&steps).map(|(start, step)| start * *step as usize).sum();
            let strides = steps.iter().map(|step| step * (1 + gap as isize)).collect();
            let offset = if t.is_empty() { 0 } else { offset };
            let place = Strided { shape: t.shape.to_vec(), strides, offset };
            self.push(Op::Assemble { boxes: vec![place] }, &[fill, x], t.dtype, &shape);
        }
    }

    /// A slice or an update at places that values decide.
    fn window(&mut self, x: Value, t: &TensorType, n_batch: usize) {
        let (batch, rest) = t.shape.split_at(n_batch);
        let sizes: Vec<usize> = rest.iter().map(|&n| self.choices.below(n + 1)).collect();
        let index_type = self.index_type();
        let starts = self.of(index_type, &[batch, &[rest.len()]].concat());
        let part = [batch, &sizes[..]].concat();
        if self.choices.one_in(2) {
            let update = self.of(t.dtype, &part);
            self.push(Op::DynamicUpdate { n_batch }, &[x, update, starts], t.dtype, &t.shape);
        } else {
            self.push(Op::DynamicSlice { n_batch, sizes }, &[x, starts], t.dtype, &part);
        }
    }

    /// A gather or a scatter.
    fn places(&mut self, x: Value, t: &TensorType, n_batch: usize) {
        let (batch, rest) = t.shape.split_at(n_batch);
        let n_indexed = self.choices.below(rest.len() + 1);
        let n_places = self.choices.below(5);
        let picked = [batch, &[n_places], &rest[n_indexed..]].concat();
        let index_type = self.index_type();
        let indices = self.of(index_type, &[batch, &[n_places, n_indexed]].concat());
        if self.choices.one_in(2) {
            let mut combines = vec![Combine::Add, Combine::Max];
            if self.numbers == Numbers::Any {
                combines.extend([Combine::Mul, Combine::Min]);
            }
            combines.retain(|combine| math::kernel(combine.scalar_op(), &[t.dtype; 2]).is_some());
            let kind = match self.choices.below(3) {
                0 => ScatterKind::Set,
                _ => ScatterKind::Combine(*self.choices.pick(&combines)),
            };
            let updates = self.of(t.dtype, &picked);
            let out = self.push(Op::Scatter { n_batch, kind }, &[x, indices, updates], t.dtype, &t.shape);
            self.tame(out);
        } else {
            let mode = *self.choices.pick(&[OutOfBounds::Zero, OutOfBounds::Fill, OutOfBounds::Clip]);
            let out = self.push(Op::Gather { n_batch, mode }, &[x, indices], t.dtype, &picked);
            self.tame(out);
        }
    }

    /// Single elements of a tensor at many places, that what was computed before decides.
    fn elements_at(&mut self, x: Value, t: &TensorType) {
        let is_index = |value: &Value| {
            let t = self.graph.type_of(*value);
            t.dtype.is_integer() && t.len() > 64
        };
        let known: Vec<Value> = self.all().into_iter().rev().filter(is_index).collect();
        let indices = if known.is_empty() || self.choices.one_in(4) {
            let (dtype, n) = (self.index_type(), 65 + self.choices.below(200));
            self.of(dtype, &[n])
        } else {
            *self.choices.pick(&known)
        };
        let of = self.ty(indices);
        let flat = self.push(Op::View(Strided::dense(&[t.len()])), &[x], t.dtype, &[t.len()]);
        let column = self.push(Op::View(Strided::dense(&[of.len(), 1])), &[indices], of.dtype, &[of.len(), 1]);
        let mode = *self.choices.pick(&[OutOfBounds::Zero, OutOfBounds::Fill, OutOfBounds::Clip]);
        let out = self.push(Op::Gather { n_batch: 0, mode }, &[flat, column], t.dtype, &[of.len()]);
        self.tame(out);
    }

    /// A product with a matrix of a few rows.
    fn product(&mut self, x: Value, t: &TensorType) {
        let (last, free) = t.shape.split_last().expect("there is an axis");
        let n = 1 + self.choices.below(3);
        let shape = [free, &[n]].concat();
        if shape.iter().product::<usize>() <= MAX_LEN {
            let y = self.of(t.dtype, &[n, *last]);
            let axes = DotAxes { lhs_contract: vec![free.len()], rhs_contract: vec![1], ..DotAxes::default() };
            let out = self.push(Op::Dot(axes), &[x, y], t.dtype, &shape);
            self.tame(out);
        }
    }
}
