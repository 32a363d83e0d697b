//! Calls of the library's functions on small matrices, which machine code may stand in for.

use super::Maker;
use crate::{
    dtype::{DType, Element},
    graph::{Call, CallFn, Op, Routine, TensorMut, TensorRef, TensorType},
    linalg::{self, Real},
};
use std::sync::Arc;

/// The function of a routine, for each matrix of a batch.
fn function(routine: Routine) -> Arc<CallFn> {
    Arc::new(move |args, outs| {
        match args[0].data.dtype() {
            DType::F32 => run::<f32>(routine, args, outs),
            _ => run::<f64>(routine, args, outs),
        }
        Ok(())
    })
}

fn run<T: Real + Element>(routine: Routine, args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) {
    let n = args[0].shape[args[0].shape.len() - 1];
    let matrices = args[0].data.as_slice::<T>().chunks_exact((n * n).max(1));
    for (batch, a) in matrices.enumerate() {
        match routine {
            Routine::Cholesky => linalg::cholesky(a, n, &mut outs[0].data.as_mut_slice()[batch * n * n..][..n * n]),
            Routine::Lu => {
                let [lu, pivots, permutation] = outs else { unreachable!("three results") };
                let lu = &mut lu.data.as_mut_slice()[batch * n * n..][..n * n];
                let pivots = &mut pivots.data.as_mut_slice()[batch * n..][..n];
                linalg::lu(a, n, n, lu, pivots, &mut permutation.data.as_mut_slice()[batch * n..][..n]);
            }
            Routine::TriangularSolve { lower, transpose, unit_diagonal } => {
                let n_rhs = args[1].shape[args[1].shape.len() - 1];
                let b = &args[1].data.as_slice::<T>()[batch * n * n_rhs..][..n * n_rhs];
                let x = &mut outs[0].data.as_mut_slice::<T>()[batch * n * n_rhs..][..n * n_rhs];
                linalg::triangular_solve(a, b, n, n_rhs, x, lower, transpose, unit_diagonal);
            }
        }
    }
}

impl Maker<'_> {
    /// Calls a routine on matrices of order up to 5, or a little more now and then.
    pub(super) fn routine(&mut self) {
        let dtype = *self.choices.pick(&[DType::F64, DType::F64, DType::F32]);
        let n = if self.choices.one_in(10) { 9 } else { 1 + self.choices.below(5) };
        let batch = if self.choices.one_in(4) { vec![2] } else { vec![] };
        let square = [&batch[..], &[n, n]].concat();
        let a = self.of(dtype, &square);
        let call = |maker: &mut Self, name, routine, args: &[_], outs: Vec<TensorType>| {
            let call = Call { name, function: function(routine), effect: false, routine: Some(routine) };
            maker.graph.push(Op::Call(call), args, outs, 0);
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
