//! Fusion: from a graph to kernels and the operations that are not kernels, in execution order.
//!
//! - Elementwise operations over the same number of points become one kernel wherever the order of execution allows
//!   it; reductions and cumulative operations join the kernel that computes their operand. Nothing is computed twice.
//! - Views never move data: a chain of views, and of paddings with constants, becomes the access of a load. A view is
//!   copied only if something other than a kernel reads it, or if two views do not compose to a strided box.
//! - Single elements at indices are read where they are used, by the kernel that computes the indices. (Few of them are
//!   left to programs over single elements.)
//! - A value that is read outside of the kernel that computes it is stored, all others stay in registers. Only values made
//!   of counts alone are computed again where they are read.
//!
//! Every kernel and every other operation has a time, and reads only what earlier ones wrote. An operation may join a
//! kernel if all that it reads is written before the kernel's time, or if the kernel can be put off until then.

mod build;
mod generated;
mod group;
#[cfg(test)]
mod tests;

use crate::{
    buffer::Buffer,
    dtype::DType,
    element,
    graph::{Combine, Graph, Node, Op, OutOfBounds, Strided, TensorType, Value, strided::row_major},
    kernel::{Access, Kernel, Padded, ReductionSpace},
    scalar::ScalarOp,
};
use generated::Recipe;
use group::{Groups, Member, MemberOp, Reads, Sink};
use rustc_hash::FxHashMap;
use smallvec::smallvec;

/// At least so many places make a gather a part of a kernel.
const MIN_GATHERED: usize = 65;

/// A graph divided into steps.
#[derive(Debug)]
pub(crate) struct Fused {
    /// The steps in execution order.
    pub items: Vec<Item>,
    /// For each value: the value whose storage holds it densely, if anything but a kernel reads it.
    homes: Vec<Option<Value>>,
}

/// One step.
#[derive(Debug)]
pub(crate) enum Item {
    /// A kernel, with the value behind each of its operands.
    Kernel { kernel: Kernel, operands: Vec<Value> },
    /// The node at this position.
    Node(usize),
}

impl Fused {
    /// The value whose storage holds an operand of a [`Item::Node`] or an output of the graph.
    pub fn home(&self, value: Value) -> Value {
        self.homes[value.0 as usize].expect("operands of nodes and outputs have a home")
    }
}

/// Where a value's elements stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Resolved {
    base: Base,
    access: Access,
}

/// What an access reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Base {
    /// The dense storage, or the register, of a value.
    Value(Value),
    /// The dense storage of a value, at places that a register names.
    Table(Value),
    /// The numbers 0, 1, 2, … of a type.
    Count(DType),
}

impl Resolved {
    /// The value that is read.
    fn value(&self) -> Option<Value> {
        match self.base {
            Base::Value(value) | Base::Table(value) => Some(value),
            Base::Count(_) => None,
        }
    }

    /// Whether each point reads the element of the same point.
    fn is_by_points(&self) -> bool {
        matches!(self.base, Base::Value(_)) && self.access == Access::IDENTITY
    }
}

struct Fuser<'g> {
    graph: &'g Graph,
    /// The elements of values that are constants of the graph.
    constants: Vec<Option<&'g Buffer>>,
    /// Per value.
    resolved: Vec<Resolved>,
    homes: Vec<Option<Value>>,
    /// The values that no group is to store so far.
    generated: FxHashMap<Value, Recipe>,
    groups: Groups,
}

/// Divides a graph into steps. Operations that nothing depends on are left out.
pub(crate) fn fuse(graph: &Graph) -> Fused {
    let in_place = |i: usize| Resolved { base: Base::Value(Value(i as u32)), access: Access::IDENTITY };
    let n_values = graph.types.len();
    let mut fuser = Fuser {
        graph,
        resolved: (0..n_values).map(in_place).collect(),
        homes: vec![None; n_values],
        constants: vec![None; n_values],
        generated: FxHashMap::default(),
        groups: Groups::new(n_values),
    };
    let live = live_nodes(graph);
    for (position, node) in graph.nodes.iter().enumerate().filter(|(position, _)| live[*position]) {
        let out = node.first_out;
        match &node.op {
            Op::Map(op) => fuser.map(node, *op),
            Op::View(strided) => fuser.view(out, node.args[0], strided),
            Op::Iota { axis } => {
                let TensorType { dtype, shape } = graph.type_of(out);
                let mut strides = vec![0; shape.len()];
                strides[*axis] = 1;
                let access = Access::new(&Strided { shape: shape.to_vec(), strides, offset: 0 });
                fuser.resolved[out.0 as usize] = Resolved { base: Base::Count(*dtype), access };
            }
            Op::Reduce { combine, axes } => fuser.sink(node, *combine, axes, None),
            Op::Cumulative { combine, axis, reverse } => fuser.sink(node, *combine, &[*axis], Some(*reverse)),
            Op::Assemble { boxes } => fuser.assemble(position, boxes),
            Op::Gather { n_batch, mode } => fuser.gather(position, *n_batch, *mode),
            Op::Const(value) => {
                fuser.constants[out.0 as usize] = Some(value);
                fuser.groups.add_constant(position, out);
            }
            Op::ArgReduce { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdate { .. }
            | Op::Scatter { .. }
            | Op::Dot(_)
            | Op::Call(_)
            | Op::While { .. }
            | Op::Switch { .. }
            | Op::Scan { .. } => fuser.node(position),
        }
    }
    for &output in &graph.outputs {
        fuser.at_home(output);
    }
    fuser.build()
}

/// Which nodes an output or an effect depends on.
fn live_nodes(graph: &Graph) -> Vec<bool> {
    let mut is_used = vec![false; graph.types.len()];
    graph.outputs.iter().for_each(|v| is_used[v.0 as usize] = true);
    let mut live = vec![false; graph.nodes.len()];
    for (position, node) in graph.nodes.iter().enumerate().rev() {
        live[position] = node.op.has_effect() || node.outs().any(|v| is_used[v.0 as usize]);
        if live[position] {
            node.args.iter().for_each(|v| is_used[v.0 as usize] = true);
        }
    }
    live
}

impl Fuser<'_> {
    fn len(&self, value: Value) -> usize {
        self.graph.type_of(value).len()
    }

    fn resolved(&self, value: Value) -> &Resolved {
        &self.resolved[value.0 as usize]
    }

    /// Where the elements of an operand of an elementwise operation over `len` points stand: an operand of one element
    /// is read at every point.
    fn operand(&self, value: Value, len: usize) -> Resolved {
        let resolved = self.resolved(value).clone();
        match resolved.access {
            Access::Contiguous { offset } if len > 1 && self.len(value) == 1 => {
                Resolved { access: Access::Uniform { offset }, ..resolved }
            }
            Access::Contiguous { .. } | Access::Uniform { .. } | Access::Strided(_) | Access::Padded(_) => resolved,
        }
    }

    fn map(&mut self, node: &Node, op: ScalarOp) {
        let len = self.len(node.first_out);
        let reads: Reads = node.args.iter().map(|&arg| self.operand(arg, len)).collect();
        if let Some(recipe) = self.recipe(node, op, &reads) {
            self.generated.insert(node.first_out, recipe);
            return;
        }
        let group = self.place(len, &reads, None);
        self.groups.add_member(group, Member { value: node.first_out, op: MemberOp::Map(op), reads });
    }

    fn view(&mut self, out: Value, arg: Value, strided: &Strided) {
        let access = self.resolved(arg).access.compose(strided);
        let access = access.unwrap_or_else(|| {
            self.copy(arg);
            Access::new(strided)
        });
        self.resolved[out.0 as usize] = Resolved { base: self.resolved(arg).base, access };
    }

    /// Results that combine along axes; with `reverse` the cumulative ones, which may begin at the end.
    fn sink(&mut self, node: &Node, combine: Combine, axes: &[usize], reverse: Option<bool>) {
        let (out, arg) = (node.first_out, node.args[0]);
        let shape = &self.graph.type_of(arg).shape;
        if axes.iter().all(|&axis| shape[axis] == 1) {
            // Nothing combines: the same elements, perhaps with fewer axes.
            self.resolved[out.0 as usize] = self.resolved(arg).clone();
            return;
        }
        let (order, space) = reduction_order(shape, axes);
        let space = ReductionSpace { backward: reverse == Some(true), ..space };
        let read = if order.is_sorted() { self.resolved(arg).clone() } else { self.in_order(arg, &order) };
        let group = self.place(self.len(arg), std::slice::from_ref(&read), Some(space));
        self.groups.add_sink(group, Sink { out, combine, read, is_cumulative: reverse.is_some() });
    }

    /// Where a value's elements stand, with its axes in another order.
    fn in_order(&mut self, value: Value, order: &[usize]) -> Resolved {
        let shape = &self.graph.type_of(value).shape;
        let strides = row_major(shape);
        let ordered = Strided {
            shape: order.iter().map(|&axis| shape[axis]).collect(),
            strides: order.iter().map(|&axis| strides[axis]).collect(),
            offset: 0,
        };
        let access = self.resolved(value).access.compose(&ordered).unwrap_or_else(|| {
            self.copy(value);
            Access::new(&ordered)
        });
        Resolved { base: self.resolved(value).base, access }
    }

    /// Single elements by one index each are read by the kernel that has the indices; whatever else is gathered is an
    /// operation of its own.
    fn gather(&mut self, position: usize, n_batch: usize, mode: OutOfBounds) {
        let node = &self.graph.nodes[position];
        let ([x, indices], out) = ([node.args[0], node.args[1]], node.first_out);
        let (n, t) = (self.len(out), self.graph.type_of(x));
        let has_one_axis = t.shape[n_batch..].len() == 1 && self.graph.type_of(indices).shape.last() == Some(&1);
        let is_one_batch = t.shape[..n_batch].iter().all(|&n| n == 1);
        if n < MIN_GATHERED || t.len() * t.dtype.size() == 0 || !has_one_axis || !is_one_batch {
            return self.node(position);
        }
        let (home, offset) = match self.resolved(x) {
            Resolved { base: Base::Value(home), access: Access::Contiguous { offset } } => (*home, *offset),
            _ => {
                self.copy(x);
                (x, 0)
            }
        };
        let table = Resolved { base: Base::Table(home), access: Access::Contiguous { offset } };
        let reads: Reads = smallvec![self.operand(indices, n), table];
        let op = MemberOp::Gather { n: t.len(), outside: element::outside(mode, t.dtype) };
        let group = self.place(n, &reads, None);
        self.groups.add_member(group, Member { value: out, op, reads });
    }

    /// Padding with a constant is an access; whatever else puts parts together is an operation of its own.
    fn assemble(&mut self, position: usize, boxes: &[Strided]) {
        match self.padded(position, boxes) {
            Some(resolved) => self.resolved[self.graph.nodes[position].first_out.0 as usize] = resolved,
            None => self.node(position),
        }
    }

    fn padded(&self, position: usize, boxes: &[Strided]) -> Option<Resolved> {
        let node = &self.graph.nodes[position];
        let [fill, part] = node.args[..] else { return None };
        let fill = self.constants[fill.0 as usize].as_ref()?;
        let Resolved { base: base @ Base::Value(_), access } = self.resolved(part) else { return None };
        let (part_shape, shape) = (&self.graph.type_of(part).shape, &self.graph.type_of(node.first_out).shape);
        let mut bytes = [0; 16];
        bytes.get_mut(..fill.bytes().len())?.copy_from_slice(fill.bytes());
        let padded = Padded::new(access, part_shape, &boxes[0], shape, bytes)?;
        Some(Resolved { base: *base, access: padded.simplified()? })
    }

    /// An operation that is not part of a kernel.
    fn node(&mut self, position: usize) {
        let node = &self.graph.nodes[position];
        for &arg in &node.args {
            self.at_home(arg);
        }
        let homes: Vec<Value> = node.args.iter().filter_map(|arg| self.homes[arg.0 as usize]).collect();
        self.groups.add_node(position, &homes, node.outs());
    }

    /// Sees to it that some value's storage holds the value densely.
    fn at_home(&mut self, value: Value) {
        let full = |r: &Resolved| match (r.base, &r.access) {
            (Base::Value(home), access) if *access == Access::IDENTITY && self.len(home) == self.len(value) => {
                Some(home)
            }
            (_, _) => None,
        };
        let home = full(self.resolved(value)).unwrap_or_else(|| {
            self.copy(value);
            value
        });
        self.settle(home);
        self.homes[value.0 as usize] = Some(home);
        self.groups.demand(home);
    }

    /// Computes a view into storage of its own, unless it has that already.
    fn copy(&mut self, value: Value) {
        let own = Resolved { base: Base::Value(value), access: Access::IDENTITY };
        let source = std::mem::replace(&mut self.resolved[value.0 as usize], own.clone());
        if source == own {
            return;
        }
        let group = self.place(self.len(value), std::slice::from_ref(&source), None);
        self.groups.add_member(group, Member { value, op: MemberOp::Copy, reads: smallvec![source] });
    }
}

/// The order of axes in which a reduction walks its operand, and the space it spans. The last kept axes stay innermost,
/// so that neighbours stay neighbours; reduced axes come next, all other kept axes are outermost.
fn reduction_order(shape: &[usize], axes: &[usize]) -> (Vec<usize>, ReductionSpace) {
    let is_reduced = |axis: &usize| axes.contains(axis);
    let n_inner = (0..shape.len()).rev().take_while(|axis| !is_reduced(axis) || shape[*axis] == 1).count();
    let n_front = shape.len() - n_inner;
    let (reduced, outer): (Vec<usize>, Vec<usize>) = (0..n_front).partition(is_reduced);
    let inner: Vec<usize> = (n_front..shape.len()).collect();
    let extent = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product();
    let [outer_len, reduced_len, inner_len] = [&outer, &reduced, &inner].map(|axes| extent(axes));
    let space = ReductionSpace { outer: outer_len, reduced: reduced_len, inner: inner_len, backward: false };
    ([outer, reduced, inner].concat(), space)
}
