//! Calls of the functions of [`crate::linalg`].

use super::{Call, CallFn, Graph, Node, Op, TensorMut, TensorRef, Value};
use crate::{
    dtype::{DType, Element},
    linalg::{self, Real},
};
use std::sync::Arc;

/// A function of [`crate::linalg`], for each matrix of a batch (leading axes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Routine {
    /// `a` to its lower factor: [`crate::linalg::cholesky`].
    Cholesky,
    /// `a` to packed factors, pivots and permutation: [`crate::linalg::lu`].
    Lu,
    /// `(a, b)` to the solution: [`crate::linalg::triangular_solve`].
    TriangularSolve {
        /// A's lower triangle is read instead of the upper one.
        lower: bool,
        /// Solve with Aᵀ.
        transpose: bool,
        /// A's diagonal is taken as ones.
        unit_diagonal: bool,
    },
}

impl Call {
    /// A call of a routine, which the engine may compute in its own way, to the same bits.
    pub fn routine(name: &'static str, routine: Routine) -> Call {
        let run = move |args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]| match args[0].data.dtype() {
            DType::F32 => run::<f32>(routine, args, outs),
            _ => run::<f64>(routine, args, outs),
        };
        Call { name, function: infallible(run), effect: false, routine: Some(routine) }
    }

    /// A call of `cholesky` where nothing reads what the factor holds above its diagonal: that is not cleared.
    fn without_zeros(&self) -> Call {
        let run = |args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]| match args[0].data.dtype() {
            DType::F32 => factor::<f32>(linalg::cholesky_lower, args, outs),
            _ => factor::<f64>(linalg::cholesky_lower, args, outs),
        };
        Call { function: infallible(run), ..self.clone() }
    }
}

fn infallible(run: impl Fn(&[TensorRef<'_>], &mut [TensorMut<'_>]) + Send + Sync + 'static) -> Arc<CallFn> {
    Arc::new(move |args, outs| {
        run(args, outs);
        Ok(())
    })
}

fn run<T: Real + Element>(routine: Routine, args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) {
    match routine {
        Routine::Cholesky => factor::<T>(linalg::cholesky, args, outs),
        Routine::Lu => {
            let (m, n) = order(&args[0]);
            let [lu, pivots, permutation] = outs else { unreachable!("`lu` has three results") };
            let (lu, pivots) = (lu.data.as_mut_slice::<T>(), pivots.data.as_mut_slice());
            linalg::lu(args[0].data.as_slice(), m, n, lu, pivots, permutation.data.as_mut_slice());
        }
        Routine::TriangularSolve { lower, transpose, unit_diagonal } => {
            let (n, n_rhs) = order(&args[1]);
            let (a, b) = (args[0].data.as_slice::<T>(), args[1].data.as_slice());
            linalg::triangular_solve(a, b, n, n_rhs, outs[0].data.as_mut_slice(), lower, transpose, unit_diagonal);
        }
    }
}

fn factor<T: Element>(function: fn(&[T], usize, &mut [T]), args: &[TensorRef<'_>], outs: &mut [TensorMut<'_>]) {
    function(args[0].data.as_slice(), order(&args[0]).1, outs[0].data.as_mut_slice());
}

/// Rows and columns.
fn order(matrices: &TensorRef<'_>) -> (usize, usize) {
    let [.., m, n] = matrices.shape else { unreachable!("matrices have two axes") };
    (*m, *n)
}

impl Graph {
    /// The call of a node that gives `out`, which need not compute what nothing reads.
    pub(crate) fn needed(&self, call: &Call, out: Value) -> Call {
        match call.routine {
            Some(Routine::Cholesky) if self.is_read_as_lower_triangle(out) => call.without_zeros(),
            _ => call.clone(),
        }
    }

    /// Whether a value is a matrix of which nothing reads more than the lower triangle.
    fn is_read_as_lower_triangle(&self, value: Value) -> bool {
        let reads_triangle = |node: &Node, position: usize| {
            let is_solve =
                matches!(&node.op, Op::Call(Call { routine: Some(Routine::TriangularSolve { lower: true, .. }), .. }));
            is_solve && position == 0
        };
        let reads_more =
            |node: &Node| (node.args.iter().enumerate()).any(|(i, &arg)| arg == value && !reads_triangle(node, i));
        !self.outputs.contains(&value) && !self.nodes.iter().any(reads_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{buffer::Buffer, executable::Executable, graph::TensorType};

    const SOLVE: Routine = Routine::TriangularSolve { lower: true, transpose: false, unit_diagonal: false };

    /// The factors of matrices of order n, and a solve.
    fn graph(n_matrices: usize, n: usize, solve: Routine) -> (Graph, Value, Value) {
        let mut graph = Graph::new();
        let t = TensorType::new(DType::F64, &[n_matrices, n, n]);
        let a = graph.input(t.clone());
        let mut call =
            |name, routine, args: &[Value]| graph.push(Op::Call(Call::routine(name, routine)), args, [t.clone()], 0);
        let factor = call("cholesky", Routine::Cholesky, &[a]);
        let x = call("triangular_solve", solve, &[factor, a]);
        graph.outputs = vec![x];
        (graph, factor, x)
    }

    #[test]
    fn only_solves_with_the_lower_triangle_leave_the_rest_unread() {
        let is_unread = |change: &dyn Fn(&mut Graph, Value, Value), solve: Routine| {
            let (mut graph, factor, x) = graph(1, 40, solve);
            change(&mut graph, factor, x);
            graph.is_read_as_lower_triangle(factor)
        };
        let solve = |transpose| Routine::TriangularSolve { lower: true, transpose, unit_diagonal: false };
        assert!(is_unread(&|_, _, _| {}, solve(false)));
        assert!(is_unread(&|_, _, _| {}, solve(true)));
        assert!(!is_unread(
            &|_, _, _| {},
            Routine::TriangularSolve { lower: false, transpose: true, unit_diagonal: false }
        ));
        assert!(!is_unread(&|graph, factor, _| graph.outputs.push(factor), SOLVE));
        let as_right_hand_side = |graph: &mut Graph, factor: Value, x: Value| {
            let t = graph.type_of(factor).clone();
            graph.push(Op::Call(Call::routine("triangular_solve", SOLVE)), &[x, factor], [t], 0);
        };
        assert!(!is_unread(&as_right_hand_side, SOLVE));
        let otherwise = |graph: &mut Graph, factor: Value, _: Value| {
            let t = graph.type_of(factor).clone();
            graph.push(Op::Map(crate::scalar::ScalarOp::Neg), &[factor], [t], 0);
        };
        assert!(!is_unread(&otherwise, SOLVE));
    }

    /// The same bits whether or not the factor is complete; and after other runs, whatever these left in its memory.
    #[test]
    fn what_is_not_cleared_changes_nothing() {
        for (n_matrices, n) in [(1, 40), (3, 40), (1, 300)] {
            let (graph, factor, _) = graph(n_matrices, n, SOLVE);
            let mut complete = graph.clone();
            complete.outputs.push(factor);
            let (partial, complete) = (Executable::compile(&graph), Executable::compile(&complete));
            let numbers: Vec<f64> = (0..n_matrices * n * n).map(|i| (i as f64 * 0.37).sin()).collect();
            let definite = |(i, x): (usize, &f64)| if i % (n * n) % (n + 1) == 0 { n as f64 } else { *x };
            let a = Arc::new(Buffer::from_vec(numbers.iter().enumerate().map(definite).collect::<Vec<f64>>()));
            let indefinite = Arc::new(Buffer::from_vec(numbers));
            let x = |executable: &Executable| {
                executable.run(std::slice::from_ref(&a)).expect("runs")[0].as_slice::<f64>().to_vec()
            };
            let expected = x(&complete);
            assert!(expected.iter().all(|x| x.is_finite()));
            for _ in 0..3 {
                assert_eq!(x(&partial), expected);
                let of_indefinite = partial.run(std::slice::from_ref(&indefinite)).expect("runs");
                assert!(of_indefinite[0].as_slice::<f64>().iter().all(|x| x.is_nan()));
            }
        }
    }
}
