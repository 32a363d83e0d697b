//! Calls of the library's functions on small matrices, which machine code may stand in for.

use super::Maker;
use crate::{
    dtype::DType,
    graph::{Call, Op, Routine, TensorType},
};

impl Maker<'_> {
    /// Calls a routine on matrices of order up to 5, or a little more now and then.
    pub(super) fn routine(&mut self) {
        let dtype = *self.choices.pick(&[DType::F64, DType::F64, DType::F32]);
        let n = if self.choices.one_in(10) { 9 } else { 1 + self.choices.below(5) };
        let batch = if self.choices.one_in(4) { vec![2] } else { vec![] };
        let square = [&batch[..], &[n, n]].concat();
        let a = self.of(dtype, &square);
        let call = |maker: &mut Self, name, routine, args: &[_], outs: Vec<TensorType>| {
            maker.graph.push(Op::Call(Call::routine(name, routine)), args, outs, 0);
        };
        match self.choices.below(4) {
            0 => call(self, "cholesky", Routine::Cholesky, &[a], vec![TensorType::new(dtype, &square)]),
            1 => {
                let integers = TensorType::new(DType::I32, &[&batch[..], &[n]].concat());
                let outs = vec![TensorType::new(dtype, &square), integers.clone(), integers];
                call(self, "lu", Routine::Lu, &[a], outs);
            }
            _ => {
                let n_rhs = *self.choices.pick(&[1, 1, 2, 3]);
                let shape = [&batch[..], &[n, n_rhs]].concat();
                let b = self.of(dtype, &shape);
                let routine = Routine::TriangularSolve {
                    lower: self.choices.one_in(2),
                    transpose: self.choices.one_in(2),
                    unit_diagonal: self.choices.one_in(2),
                };
                call(self, "triangular_solve", routine, &[a, b], vec![TensorType::new(dtype, &shape)]);
            }
        }
    }
}
