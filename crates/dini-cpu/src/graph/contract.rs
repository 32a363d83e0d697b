//! Contraction: what is rounded twice and need not be.
//!
//! - A product that only a sum reads becomes one operation with it, rounded once.
//! - Constants that scale a value one after the other become one constant, and in a sum a constant divisor becomes a
//!   factor: x·a/b + y is x·(a/b) + y. The rounding of the constant takes the place of the one that is saved, so that
//!   the bound of the error stays what it was.

mod scale;
#[cfg(test)]
mod tests;

use super::{Graph, Node, Op, TensorType, Value};
use crate::{dtype::DType, scalar::ScalarOp};
use scale::Scale;

impl Graph {
    /// The graph with contractions wherever nothing else reads what is not computed any more, in the graphs of loops and
    /// branches too. Of two products that are added, the first is contracted.
    pub(crate) fn contracted(&self) -> Graph {
        let mut n_reads = vec![0_u32; self.types.len()];
        let args = self.nodes.iter().flat_map(|node| &node.args);
        args.chain(&self.outputs).for_each(|value| n_reads[value.0 as usize] += 1);
        let n = self.types.len();
        let mut contraction = Contraction { from: self, n_reads, products: vec![None; n], constants: vec![None; n] };
        self.rewritten(|to, node, args| contraction.append(to, node, args), Graph::contracted)
    }
}

/// A product that need not be computed, of values of the new graph.
#[derive(Clone, Copy, Debug)]
enum Product {
    Of(Value, Value),
    Scaled(Value, Scale),
}

struct Contraction<'a> {
    from: &'a Graph,
    n_reads: Vec<u32>,
    /// What may be contracted; it stays in the graph for now: what nothing reads is left out of the schedule.
    products: Vec<Option<Product>>,
    /// The values of one floating-point element that are known, as they are or as views.
    constants: Vec<Option<f64>>,
}

impl Contraction<'_> {
    /// Appends what becomes of a node with these operands, if it changes or may be contracted, and gives the result.
    fn append(&mut self, to: &mut Graph, node: &Node, args: &[Value]) -> Option<Value> {
        let out = node.first_out.0 as usize;
        let t = self.from.type_of(node.first_out);
        match &node.op {
            Op::Const(value) if value.len() == 1 => self.constants[out] = scale::constant(value),
            Op::View(_) => self.constants[out] = self.constants[node.args[0].0 as usize],
            Op::Map(ScalarOp::Mul | ScalarOp::Div) if t.dtype.is_float() => return Some(self.product(to, node, args)),
            Op::Map(ScalarOp::Add | ScalarOp::Sub) => {
                let of_product = |i: usize| self.products[node.args[i].0 as usize];
                if let Some((position, product)) = (0..2).find_map(|i| Some((i, of_product(i)?))) {
                    return Some(self.sum(to, node, args, position, product));
                }
            }
            _ => {}
        }
        None
    }

    /// Appends a product, or a quotient.
    fn product(&mut self, to: &mut Graph, node: &Node, args: &[Value]) -> Value {
        let t = self.from.type_of(node.first_out);
        let (x, y) = (args[0], args[1]);
        let product = match self.scaled(node, args, t.dtype) {
            Some((x, scale)) => Some(Product::Scaled(x, scale)),
            None if matches!(node.op, Op::Map(ScalarOp::Mul)) => Some(Product::Of(x, y)),
            None => None,
        };
        let is_read_once = self.n_reads[node.first_out.0 as usize] == 1;
        self.products[node.first_out.0 as usize] = product.filter(|_| is_read_once);
        match product {
            // Of several constants.
            Some(Product::Scaled(from, scale)) if from != x && from != y => {
                let factor = factor(to, scale, t.dtype, node.origin);
                to.push(Op::Map(ScalarOp::Mul), &[from, factor], vec![t.clone()], node.origin)
            }
            _ => to.push(node.op.clone(), &[x, y], vec![t.clone()], node.origin),
        }
    }

    /// What a product with a constant, or a quotient by one, scales by how much.
    fn scaled(&self, node: &Node, args: &[Value], dtype: DType) -> Option<(Value, Scale)> {
        let constant = |i: usize| self.constants[node.args[i].0 as usize];
        let (of, by) = match (&node.op, constant(0), constant(1)) {
            (Op::Map(ScalarOp::Div), None, Some(by)) => (0, Scale::over(by, dtype)?),
            (Op::Map(ScalarOp::Mul), None, Some(by)) => (0, Scale::times(by, dtype)?),
            (Op::Map(ScalarOp::Mul), Some(by), None) => (1, Scale::times(by, dtype)?),
            _ => return None,
        };
        let inner = match self.products[node.args[of].0 as usize] {
            Some(Product::Scaled(x, inner)) => inner.then(by, dtype).map(|scale| (x, scale)),
            _ => None,
        };
        Some(inner.unwrap_or((args[of], by)))
    }

    /// Appends a sum, or a difference, together with the operand that is a product.
    fn sum(&self, to: &mut Graph, node: &Node, args: &[Value], position: usize, product: Product) -> Value {
        let t = self.from.type_of(node.first_out);
        let mut rest = args[1 - position];
        // x·y − z = x·y + (−z), and z − x·y = (−x)·y + z.
        let [subtracts_rest, subtracts_product] =
            [0, 1].map(|i| matches!(node.op, Op::Map(ScalarOp::Sub)) && position == i);
        if subtracts_rest {
            rest = negative(to, rest, node.origin);
        }
        let [x, y] = match product {
            Product::Of(x, y) if subtracts_product => [negative(to, x, node.origin), y],
            Product::Of(x, y) => [x, y],
            Product::Scaled(x, scale) if subtracts_product => [x, factor(to, scale.negative(), t.dtype, node.origin)],
            Product::Scaled(x, scale) => [x, factor(to, scale, t.dtype, node.origin)],
        };
        to.push(Op::Map(ScalarOp::MulAdd), &[x, y, rest], vec![t.clone()], node.origin)
    }
}

fn negative(to: &mut Graph, x: Value, origin: u32) -> Value {
    let t = to.type_of(x).clone();
    to.push(Op::Map(ScalarOp::Neg), &[x], vec![t], origin)
}

fn factor(to: &mut Graph, scale: Scale, dtype: DType, origin: u32) -> Value {
    to.push(Op::Const(scale.factor(dtype)), &[], vec![TensorType::scalar(dtype)], origin)
}
