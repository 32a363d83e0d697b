//! Operations on small arrays that are no kernels: what a position decides is decided now, what an index decides becomes
//! a choice among all elements that it may name.

use super::Lowering;
use crate::{
    dtype::DType,
    element,
    graph::{OutOfBounds, ScatterKind},
    jit::lanes::{Kind, Op, Value},
    scalar::ScalarOp,
    schedule::{Axis, KernelStep, Places, Step, Tensor, Window},
};

impl Lowering<'_> {
    pub(super) fn array(&mut self, step: &Step<KernelStep>) -> Option<()> {
        match step {
            Step::Assemble { fill, parts, to } => {
                let mut values = vec![self.element(*fill, to.dtype, 0)?; to.len];
                for (part, strided) in parts {
                    let mut places = vec![];
                    strided.for_each_index(|place| places.push(place));
                    for (k, place) in places.into_iter().enumerate() {
                        values[place] = self.element(*part, to.dtype, k)?;
                    }
                }
                self.write(to.slot, to.dtype, values);
            }
            Step::ArgReduce { from, to, axis, largest } => {
                let x = self.tensor(*from)?;
                let mut values = vec![];
                for start in starts(*axis) {
                    let row: Vec<Value> = (0..axis.len).map(|k| x[start + k * axis.inner]).collect();
                    values.push(self.best(&row, from.dtype, *largest, to.dtype)?);
                }
                self.write(to.slot, to.dtype, values);
            }
            Step::DynamicSlice { from, starts, to, window } => {
                let (x, starts) = (self.tensor(*from)?, (self.tensor(*starts)?, starts.dtype));
                let mut values = vec![];
                for batch in 0..window.n_batches {
                    let boxes = self.boxes(window, &starts, batch)?;
                    for place in offsets(&window.sizes, &window.strides) {
                        let choices = boxes.iter().map(|&(mask, start)| (mask, x[start + place])).collect::<Vec<_>>();
                        values.push(self.choose(from.dtype, &choices));
                    }
                }
                self.write(*to, from.dtype, values);
            }
            Step::DynamicUpdate { update, starts, to, window } => {
                let update = self.tensor(Tensor { slot: *update, dtype: to.dtype, len: window.len() })?;
                let (mut values, starts) = (self.tensor(*to)?, (self.tensor(*starts)?, starts.dtype));
                let mut update = update.into_iter();
                for batch in 0..window.n_batches {
                    let boxes = self.boxes(window, &starts, batch)?;
                    for (place, new) in offsets(&window.sizes, &window.strides).into_iter().zip(&mut update) {
                        for &(mask, start) in &boxes {
                            let old = &mut values[start + place];
                            *old = mask.map_or(new, |mask| self.select(to.dtype, mask, new, *old));
                        }
                    }
                }
                self.write(to.slot, to.dtype, values);
            }
            Step::Gather { from, indices, to, places, mode, origin: _ } => {
                let (x, indices) = (self.tensor(*from)?, (self.tensor(*indices)?, indices.dtype));
                let is_clipped = *mode == OutOfBounds::Clip;
                let mut values = vec![];
                for place in 0..places.n_batches * places.n_places {
                    let rows = self.rows(places, &indices, place, is_clipped)?;
                    for k in 0..places.row_len {
                        let mut choices: Vec<(Option<Value>, Value)> = vec![];
                        if let Some(bytes) = element::outside(*mode, from.dtype) {
                            choices.push((None, self.of_bytes(from.dtype, bytes)?));
                        }
                        choices.extend(rows.iter().map(|&(mask, row)| (mask, x[row * places.row_len + k])));
                        values.push(self.choose(from.dtype, &choices));
                    }
                }
                self.write(*to, from.dtype, values);
            }
            Step::Scatter { indices, updates, to, places, kind, origin: _ } => {
                let updates = self.tensor(Tensor { slot: *updates, dtype: to.dtype, len: places.len() })?;
                let (mut values, indices) = (self.tensor(*to)?, (self.tensor(*indices)?, indices.dtype));
                for place in 0..places.n_batches * places.n_places {
                    for (mask, row) in self.rows(places, &indices, place, false)? {
                        for k in 0..places.row_len {
                            let (old, update) = (values[row * places.row_len + k], updates[place * places.row_len + k]);
                            let new = match kind {
                                ScatterKind::Set => update,
                                ScatterKind::Combine(combine) => self.combine(*combine, to.dtype, old, update),
                            };
                            values[row * places.row_len + k] =
                                mask.map_or(new, |mask| self.select(to.dtype, mask, new, old));
                        }
                    }
                }
                self.write(to.slot, to.dtype, values);
            }
            Step::Dot { a, b, plan, to, origin: _ } => {
                let (a, b) = (self.tensor(*a)?, self.tensor(*b)?);
                let mut values = vec![];
                for terms in plan.terms()? {
                    let mut sum = self.zero(to.dtype);
                    for (x, y) in terms {
                        let product = self.map(ScalarOp::Mul, to.dtype, &[a[x], b[y]]);
                        sum = self.map(ScalarOp::Add, to.dtype, &[sum, product]);
                    }
                    values.push(sum);
                }
                self.write(to.slot, to.dtype, values);
            }
            Step::Kernel(_)
            | Step::Strips { .. }
            | Step::Copy { .. }
            | Step::Call { .. }
            | Step::While { .. }
            | Step::Switch { .. }
            | Step::Scan { .. } => unreachable!("no operation on arrays"),
        }
        Some(())
    }

    fn tensor(&mut self, tensor: Tensor) -> Option<Vec<Value>> {
        self.elements(tensor.slot, tensor.dtype, tensor.len)
    }

    /// A fixed element.
    pub(super) fn of_bytes(&mut self, dtype: DType, bytes: element::ElementBytes) -> Option<Value> {
        if dtype == DType::Bool {
            let never = self.never();
            return Some(if bytes[0] == 0 { never } else { self.lanes.not(Kind::Mask32, never) });
        }
        Some(self.lanes.constant(u64::from_le_bytes(*bytes.first_chunk()?), Kind::of(dtype)))
    }

    /// The last choice whose mask holds, or has none.
    fn choose(&mut self, dtype: DType, choices: &[(Option<Value>, Value)]) -> Value {
        let mut chosen = choices[0].1;
        for &(mask, value) in &choices[1..] {
            chosen = mask.map_or(value, |mask| self.select(dtype, mask, value, chosen));
        }
        chosen
    }

    /// Index of the first best element; a NaN wins.
    fn best(&mut self, row: &[Value], dtype: DType, largest: bool, to: DType) -> Option<Value> {
        let (mut best, mut best_x) = (self.count(0, to)?, row[0]);
        let is_float = matches!(dtype, DType::F32 | DType::F64);
        for (k, &x) in row.iter().enumerate().skip(1) {
            let mut is_better = match largest {
                true => self.map(ScalarOp::Lt, dtype, &[best_x, x]),
                false => self.map(ScalarOp::Lt, dtype, &[x, best_x]),
            };
            if is_float {
                let is_nan = self.map(ScalarOp::Ne, dtype, &[x, x]);
                let is_number = self.map(ScalarOp::Eq, dtype, &[best_x, best_x]);
                let kind = self.lanes.inst(is_better).result();
                let is_either = self.lanes.bitwise(Op::Or, kind, is_better, is_nan);
                is_better = self.lanes.bitwise(Op::And, kind, is_either, is_number);
            }
            let k = self.count(k, to)?;
            best = self.select(to, is_better, k, best);
            best_x = self.select(dtype, is_better, x, best_x);
        }
        Some(best)
    }

    /// Whether an index is a whole number, or lies beyond it where the last one stands for all that are larger and the
    /// first one for all that are less.
    fn is_at(&mut self, index: Value, dtype: DType, n: usize, last: usize, is_clipped: bool) -> Option<Value> {
        let number = self.count(n, dtype)?;
        Some(match n {
            0 if is_clipped => self.map(ScalarOp::Le, dtype, &[index, number]),
            _ if is_clipped && n == last => self.map(ScalarOp::Le, dtype, &[number, index]),
            _ => self.map(ScalarOp::Eq, dtype, &[index, number]),
        })
    }

    fn both(&mut self, x: Option<Value>, y: Value) -> Value {
        match x {
            Some(x) => self.map(ScalarOp::And, DType::Bool, &[x, y]),
            None => y,
        }
    }

    /// Where the box of one batch may start, each with the mask that says so.
    fn boxes(
        &mut self,
        window: &Window,
        (starts, dtype): &(Vec<Value>, DType),
        batch: usize,
    ) -> Option<Vec<(Option<Value>, usize)>> {
        let rank = window.sizes.len();
        let mut boxes = vec![(None, batch * window.batch_len)];
        for axis in (0..rank).filter(|&axis| window.max_starts[axis] > 0) {
            let max = window.max_starts[axis];
            let mut next = vec![];
            for (mask, place) in boxes {
                for start in 0..=max {
                    let is_here = self.is_at(starts[batch * rank + axis], *dtype, start, max, true)?;
                    next.push((Some(self.both(mask, is_here)), place + start * window.strides[axis]));
                }
            }
            boxes = next;
        }
        Some(boxes)
    }

    /// The rows that the indices of one place may name, each with the mask that says so.
    fn rows(
        &mut self,
        places: &Places,
        (indices, dtype): &(Vec<Value>, DType),
        place: usize,
        is_clipped: bool,
    ) -> Option<Vec<(Option<Value>, usize)>> {
        let k = places.indexed.len();
        let mut rows = vec![(None, place / places.n_places)];
        for (axis, &n) in places.indexed.iter().enumerate() {
            let mut next = vec![];
            for (mask, row) in rows {
                if is_clipped && n == 1 {
                    next.push((mask, row));
                    continue;
                }
                for index in 0..n {
                    let is_here = self.is_at(indices[place * k + axis], *dtype, index, n - 1, is_clipped)?;
                    next.push((Some(self.both(mask, is_here)), row * n + index));
                }
            }
            rows = next;
        }
        Some(rows)
    }
}

/// The first places of the rows along an axis.
fn starts(axis: Axis) -> Vec<usize> {
    (0..axis.outer * axis.inner).map(|i| i / axis.inner * axis.len * axis.inner + i % axis.inner).collect()
}

/// Where the elements of a box stand from its start on.
fn offsets(sizes: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (&size, &stride) in sizes.iter().zip(strides) {
        places = places.iter().flat_map(|place| (0..size).map(move |i| place + i * stride)).collect();
    }
    places
}
