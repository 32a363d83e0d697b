//! Lowering of the operations that are not kernels; loops and branches become nested blocks.

use super::{
    Axis, Moving, Places, SlotId, Step, Tensor, Window,
    lower::{Block, By, Held, Need, Steps, Want},
    slots::{Slot, Slots},
};
use crate::{
    graph::{Graph, Node, Op, TensorType, Value},
    linalg::DotPlan,
};
use std::sync::Arc;

impl Block<'_> {
    /// Lowers one node.
    pub fn node(&mut self, position: usize) {
        let node = &self.graph.nodes[position];
        let out = node.first_out;
        let shape = |value: Value| &self.graph.type_of(value).shape;
        let is_special =
            matches!(node.op, Op::Const(_) | Op::Call(_) | Op::While { .. } | Op::Switch { .. } | Op::Scan { .. });
        if !is_special && self.bytes(out) == 0 {
            self.place(out, Need::Memory);
            return;
        }
        match &node.op {
            Op::Const(value) => {
                let slot = self.slots.constant(value);
                self.hold(out, Held { slot, by: By::Others });
            }
            Op::Call(call) => {
                let args =
                    node.args.iter().map(|&arg| (self.operand(arg).slot, self.graph.type_of(arg).clone())).collect();
                let outs = node.outs().map(|v| (self.place(v, Need::Own), self.graph.type_of(v).clone())).collect();
                let call = self.graph.needed(call, out);
                self.steps.push(Step::Call { call, origin: node.origin, args, outs });
            }
            Op::While { cond, body, n_cond_captures, n_body_captures } => {
                self.while_loop(node, cond, body, *n_cond_captures, *n_body_captures);
            }
            Op::Switch { branches } => self.switch(node, branches),
            Op::Scan { body, n_captures, n_carry, length, reverse } => {
                self.scan(node, body, *n_captures, *n_carry, *length, *reverse);
            }
            Op::ArgReduce { largest, axis } => {
                let from = self.operand(node.args[0]);
                let axis = Axis::new(shape(node.args[0]), *axis);
                let to = self.result(out);
                self.steps.push(Step::ArgReduce { from, to, axis, largest: *largest });
            }
            Op::Assemble { boxes } => {
                let fill = self.operand(node.args[0]).slot;
                let parts = node.args[1..].iter().zip(boxes).filter(|(_, strided)| !strided.is_empty());
                let parts = parts.map(|(&part, strided)| (self.operand(part).slot, strided.clone())).collect();
                let to = self.result(out);
                self.steps.push(Step::Assemble { fill, parts, to });
            }
            Op::DynamicSlice { n_batch, sizes } => {
                let (from, starts) = (self.operand(node.args[0]), self.operand(node.args[1]));
                let window = window(shape(node.args[0]), *n_batch, sizes);
                let to = self.place(out, Need::Memory);
                self.steps.push(Step::DynamicSlice { from, starts, to, window });
            }
            Op::DynamicUpdate { n_batch } => {
                let (update, starts) = (self.operand(node.args[1]), self.operand(node.args[2]));
                let window = window(shape(out), *n_batch, &shape(node.args[1])[*n_batch..]);
                let to = self.updated(node.args[0], out);
                if update.bytes() > 0 {
                    self.steps.push(Step::DynamicUpdate { update: update.slot, starts, to, window });
                }
            }
            Op::Gather { n_batch, mode } => {
                let (from, indices) = (self.operand(node.args[0]), self.operand(node.args[1]));
                let places = places(shape(node.args[0]), shape(node.args[1]), *n_batch);
                let to = self.place(out, Need::Memory);
                self.steps.push(Step::Gather { from, indices, to, places, mode: *mode, origin: node.origin });
            }
            Op::Scatter { n_batch, kind } => {
                let (indices, updates) = (self.operand(node.args[1]), self.operand(node.args[2]));
                let places = places(shape(out), shape(node.args[1]), *n_batch);
                let to = self.updated(node.args[0], out);
                if updates.bytes() > 0 {
                    self.steps.push(Step::Scatter {
                        indices,
                        updates: updates.slot,
                        to,
                        places,
                        kind: *kind,
                        origin: node.origin,
                    });
                }
            }
            Op::Dot(axes) => {
                let (a, b) = (self.operand(node.args[0]), self.operand(node.args[1]));
                let plan = DotPlan::new(shape(node.args[0]), shape(node.args[1]), axes);
                let to = self.result(out);
                self.steps.push(Step::Dot { a, b, plan, to, origin: node.origin });
            }
            Op::Map(_) | Op::View(_) | Op::Iota { .. } | Op::Reduce { .. } | Op::Cumulative { .. } => {
                unreachable!("{} is part of a kernel", node.op.name())
            }
        }
    }

    fn result(&mut self, out: Value) -> Tensor {
        let slot = self.place(out, Need::Memory);
        self.tensor(out, slot)
    }

    /// The slot of a result that starts as a copy of an operand: the operand's own, if it dies here.
    fn updated(&mut self, x: Value, out: Value) -> Tensor {
        let home = self.home(x);
        let may_take = match self.want(out) {
            Want::Anywhere | Want::Exclusive => true,
            // A slot of another carry would do as well, but leave that one without.
            Want::Carry(position) => self.is_in_carry(home, position),
            Want::Slot(_) | Want::Window(_) => false,
        };
        if may_take && self.dying(home, self.bytes(out)).is_some() {
            let slot = self.take_over(home, out);
            return self.tensor(out, slot);
        }
        let from = self.operand(x);
        let to = self.result(out);
        self.steps.push(Step::Copy { from, to: to.slot });
        to
    }

    /// The slots of operands that a nested graph only reads.
    fn lent(&self, args: &[Value]) -> Vec<Held> {
        args.iter().map(|&arg| Held { slot: self.operand(arg).slot, by: By::Others }).collect()
    }

    /// Slots for the state of a loop, filled with the first state.
    fn carries(&mut self, first: &[Value], outs: impl Iterator<Item = Value>) -> Vec<SlotId> {
        let mut carries = vec![];
        for (&arg, out) in first.iter().zip(outs) {
            let (home, bytes) = (self.home(arg), self.bytes(out));
            let is_free_to_choose = matches!(self.want(out), Want::Anywhere | Want::Exclusive);
            if bytes > 0 && is_free_to_choose && self.dying(home, bytes).is_some() {
                carries.push(self.take_over(home, out));
            } else {
                let from = self.operand(arg);
                let to = self.place(out, Need::Exact);
                if bytes > 0 {
                    self.steps.push(Step::Copy { from, to });
                }
                carries.push(to);
            }
        }
        carries.iter().for_each(|&slot| self.slots.fix(slot));
        carries
    }

    /// Lowers the body of a loop and closes it: copies and swaps that bring each output to the slot of its carry.
    /// Returns also where the outputs stand that are not carried.
    fn body(
        &mut self,
        body: &Graph,
        mut given: Vec<Held>,
        carries: &[SlotId],
        rows: Vec<Held>,
        windows: &[SlotId],
    ) -> (Steps, Vec<(SlotId, SlotId)>) {
        let in_loop = carries.iter().enumerate().map(|(i, &slot)| match &self.slots.all[slot.0 as usize] {
            Slot::Empty => Held { slot, by: By::Others },
            Slot::Input(_)
            | Slot::Donated { .. }
            | Slot::Constant(_)
            | Slot::Temporary { .. }
            | Slot::Result { .. }
            | Slot::Window => Held { slot, by: By::Loop(i) },
        });
        given.extend(in_loop);
        given.extend(rows);
        let mut wants: Vec<Want> = (0..carries.len()).map(Want::Carry).collect();
        wants.extend(windows.iter().map(|&slot| Want::Window(slot)));
        let (mut steps, outputs) = Block::lower(self.slots, body, given, carries.to_vec(), wants);
        let types: Vec<&TensorType> = body.output_types().collect();
        let tensor = |i: usize, slot| Tensor { slot, dtype: types[i].dtype, len: types[i].len() };
        // Rows first: they may read what the swaps move.
        for (i, (&window, held)) in windows.iter().zip(&outputs[carries.len()..]).enumerate() {
            let from = tensor(carries.len() + i, held.slot);
            if held.slot != window && from.bytes() > 0 {
                steps.push(Step::Copy { from, to: window });
            }
        }
        // The slot that holds each carry's next state: one that it can trade with, and no two carries the same.
        let mut next: Vec<SlotId> = vec![];
        for (i, (&carry, held)) in carries.iter().zip(&outputs).enumerate() {
            let from = tensor(i, held.slot);
            let is_tradable = held.by != By::Others && self.slots.bytes(held.slot) == from.bytes();
            if from.bytes() == 0 {
                next.push(carry);
            } else if is_tradable && !next.contains(&held.slot) {
                if !carries.contains(&held.slot) {
                    self.slots.fix(held.slot);
                }
                next.push(held.slot);
            } else {
                // Only read in the last steps of the body, so nothing else is in the way of a fresh slot but outputs.
                let to = self.slots.take_fixed(from.bytes());
                steps.push(Step::Copy { from, to });
                next.push(to);
            }
        }
        let swaps = swaps(carries, &next);
        // Everything that the body still holds is free after the loop.
        let mut left: Vec<SlotId> = outputs.iter().filter(|held| held.by == By::Block).map(|held| held.slot).collect();
        left.extend(next.iter().filter(|slot| !carries.contains(slot)));
        left.sort_unstable();
        left.dedup();
        left.into_iter().for_each(|slot| self.slots.release(slot));
        (steps, swaps)
    }

    fn while_loop(&mut self, node: &Node, cond: &Graph, body: &Graph, n_cond_captures: usize, n_body_captures: usize) {
        let (captures, first) = node.args.split_at(n_cond_captures + n_body_captures);
        let (mut for_cond, for_body) = (self.lent(captures), self.lent(&captures[n_cond_captures..]));
        for_cond.truncate(n_cond_captures);
        let carries = self.carries(first, node.outs());
        for_cond.extend(carries.iter().map(|&slot| Held { slot, by: By::Others }));
        let (cond, flag) = Block::lower(self.slots, cond, for_cond, vec![], vec![Want::Anywhere]);
        // Read right after `cond`, so the body may overwrite it.
        if flag[0].by == By::Block {
            self.slots.release(flag[0].slot);
        }
        let (body, swaps) = self.body(body, for_body, &carries, vec![], &[]);
        self.steps.push(Step::While { cond, flag: flag[0].slot, body, swaps, origin: node.origin });
    }

    fn scan(&mut self, node: &Node, body: &Graph, n_captures: usize, n_carry: usize, length: usize, reverse: bool) {
        let (captures, rest) = node.args.split_at(n_captures);
        let (first, stacked) = rest.split_at(n_carry);
        let given = self.lent(captures);
        let stacked: Vec<Tensor> = stacked.iter().map(|&arg| self.operand(arg)).collect();
        let outs: Vec<Value> = node.outs().collect();
        let carries = self.carries(first, outs[..n_carry].iter().copied());
        let stacked_outs: Vec<Tensor> = outs[n_carry..].iter().map(|&out| self.result(out)).collect();
        let mut windows = vec![];
        let mut window = |slots: &mut Slots, over: Tensor| {
            if over.bytes() == 0 {
                return slots.empty();
            }
            let window = slots.add(Slot::Window);
            windows.push(Moving { window, over: over.slot, row: over.bytes() / length });
            window
        };
        let rows: Vec<SlotId> = stacked.into_iter().map(|over| window(self.slots, over)).collect();
        let out_rows: Vec<SlotId> = stacked_outs.into_iter().map(|over| window(self.slots, over)).collect();
        let rows = rows.into_iter().map(|slot| Held { slot, by: By::Others }).collect();
        let (body, swaps) = self.body(body, given, &carries, rows, &out_rows);
        if length > 0 {
            self.steps.push(Step::Scan { length, reverse, windows, body, swaps, origin: node.origin });
        }
    }

    fn switch(&mut self, node: &Node, branches: &[Arc<Graph>]) {
        let index = self.operand(node.args[0]).slot;
        let given = self.lent(&node.args[1..]);
        let slots: Vec<SlotId> = node.outs().map(|out| self.place(out, Need::Exact)).collect();
        let lower = |branch: &Arc<Graph>| {
            let wants = slots.iter().map(|&slot| Want::Slot(slot)).collect();
            let (mut steps, outputs) = Block::lower(self.slots, branch, given.clone(), vec![], wants);
            for ((held, &to), t) in outputs.iter().zip(&slots).zip(branch.output_types()) {
                let from = Tensor { slot: held.slot, dtype: t.dtype, len: t.len() };
                if held.slot != to && from.bytes() > 0 {
                    steps.push(Step::Copy { from, to });
                }
            }
            let mut left: Vec<SlotId> =
                outputs.iter().filter(|held| held.by == By::Block).map(|held| held.slot).collect();
            left.sort_unstable();
            left.dedup();
            left.into_iter().for_each(|slot| self.slots.release(slot));
            steps
        };
        let branches = branches.iter().map(lower).collect();
        self.steps.push(Step::Switch { index, branches });
    }
}

/// Trades after which slot `carries[i]` holds what `next[i]` held. The slots in `next` are distinct.
fn swaps(carries: &[SlotId], next: &[SlotId]) -> Vec<(SlotId, SlotId)> {
    let mut next = next.to_vec();
    let mut swaps = vec![];
    for i in 0..carries.len() {
        let (carry, from) = (carries[i], next[i]);
        if carry != from {
            swaps.push((carry, from));
            // What `carry` held stands in `from` now.
            next[i + 1..].iter_mut().filter(|slot| **slot == carry).for_each(|slot| *slot = from);
        }
    }
    swaps
}

fn window(shape: &[usize], n_batch: usize, sizes: &[usize]) -> Window {
    let (batch, rest) = shape.split_at(n_batch);
    let strides = (0..rest.len()).map(|axis| rest[axis + 1..].iter().product()).collect();
    Window {
        n_batches: batch.iter().product(),
        batch_len: rest.iter().product(),
        sizes: sizes.to_vec(),
        strides,
        max_starts: rest.iter().zip(sizes).map(|(n, size)| n - size).collect(),
    }
}

fn places(shape: &[usize], indices: &[usize], n_batch: usize) -> Places {
    let n_indexed = indices[indices.len() - 1];
    Places {
        n_batches: shape[..n_batch].iter().product(),
        n_places: indices[n_batch..indices.len() - 1].iter().product(),
        indexed: shape[n_batch..n_batch + n_indexed].to_vec(),
        row_len: shape[n_batch + n_indexed..].iter().product(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the trades to slots numbered as their content.
    #[track_caller]
    fn check(carries: &[u32], next: &[u32], n_swaps: usize) {
        let ids = |slots: &[u32]| slots.iter().map(|&slot| SlotId(slot)).collect::<Vec<_>>();
        let swaps = swaps(&ids(carries), &ids(next));
        let mut content: Vec<u32> = (0..10).collect();
        for (a, b) in &swaps {
            content.swap(a.0 as usize, b.0 as usize);
        }
        let got: Vec<u32> = carries.iter().map(|&slot| content[slot as usize]).collect();
        assert_eq!(got, next);
        assert_eq!(swaps.len(), n_swaps);
    }

    #[test]
    fn swaps_bring_the_next_state() {
        check(&[0, 1], &[0, 1], 0);
        check(&[0, 1], &[1, 0], 1);
        check(&[0, 1, 2], &[1, 2, 0], 2);
        check(&[0, 1], &[5, 0], 2);
        check(&[0, 1], &[5, 6], 2);
    }
}
