//! `triangular_solve`: linear systems with triangular matrices.

use super::{lower_triangle, matrix_shape, product, square_shape, transposed, upper_triangle};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose, index::operands, move_axis, to_front,
    },
    shape::Aval,
    trace::{bind, bind1},
};
use dini_cpu::graph::Routine;

/// `(a, b)`: X with A X = B, or Aᵀ X = B, for each matrix of a batch; A has shape `batch + [n, n]`, B and X
/// `batch + [n, k]`.
///
/// Only one triangle of A is read, and its diagonal only if it is not taken as ones. A zero on the diagonal gives
/// infinities and NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TriangularSolve {
    /// A's lower triangle is read instead of the upper one.
    pub lower: bool,
    /// Solve with Aᵀ (the triangle is still that of A).
    pub transpose: bool,
    /// A's diagonal is taken as ones.
    pub unit_diagonal: bool,
}

impl Primitive for TriangularSolve {
    const NAME: &'static str = "triangular_solve";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| infer(avals),
        lower: Lower::Routine(|&TriangularSolve { lower, transpose, unit_diagonal }| Routine::TriangularSolve {
            lower,
            transpose,
            unit_diagonal,
        }),
        jvp: Jvp::By(|p, x, y, t| Ok(vec![p.jvp(&x[0], &y[0], t)])),
        transpose: Transpose::By(triangular_solve_transpose),
        batch: Batch::By(triangular_solve_batch),
        form: Form::First,
        samples: || {
            let p =
                |lower: bool, transpose: bool, unit_diagonal: bool| TriangularSolve { lower, transpose, unit_diagonal };
            vec![
                (p(true, false, false), "f64[3,3]@0.5..2 f64[3,2]"),
                (p(false, false, false), "f64[3,3]@0.5..2 f64[3,1]"),
                (p(true, true, false), "f32[2,2]@0.5..2 f32[2,3]"),
                (p(false, true, true), "f64[3,3] f64[3,2]"),
                (p(true, false, true), "f64[2,3,3] f64[2,3,1]"),
                (p(true, false, false), "f64[2,1,2,2]@0.5..2 f64[2,1,2,2]"),
                (p(true, false, false), "f64[0,0] f64[0,2]"),
                (p(true, false, false), "f64[2,2]@0.5..2 f64[2,0]"),
            ]
        },
    };
}

pub(crate) fn triangular_solve(a: &Array, b: &Array, lower: bool, transpose: bool, unit_diagonal: bool) -> Array {
    bind1(TriangularSolve { lower, transpose, unit_diagonal }, &[a.clone(), b.clone()])
}

fn infer(avals: &[Aval]) -> Result<Vec<Aval>> {
    let [a, b] = operands(avals)?;
    let (batch, n) = square_shape(a)?;
    if a.dtype != b.dtype {
        return Err(Error::new(ErrorKind::DType, format!("operands have dtypes {} and {}", a.dtype, b.dtype))
            .help(format!("convert one with `.cast(DType::{:?})`", a.dtype)));
    }
    let (b_batch, rows, _) = matrix_shape(b)?;
    if (batch, n) != (b_batch, rows) {
        return Err(Error::new(
            ErrorKind::Shape,
            format!("right-hand sides {b} for matrices {a}: expected the same batch axes, and {n} rows"),
        ));
    }
    Ok(vec![b.clone()])
}

impl TriangularSolve {
    // A X = B gives Ȧ X + A Ẋ = Ḃ, so Ẋ = A⁻¹ (Ḃ − Ȧ X): one solve. Here A stands for the triangle that is read, so what
    // is not read drops out of Ȧ; with a unit diagonal that includes the diagonal. Transposed alike with Ȧᵀ.
    fn jvp(self, a: &Array, x: &Array, t: &[Option<Array>]) -> Option<Array> {
        let moved = t[0].as_ref().map(|a_dot| {
            let off = i64::from(self.unit_diagonal);
            let a_dot = if self.lower { lower_triangle(a_dot, -off) } else { upper_triangle(a_dot, off) };
            product(&if self.transpose { transposed(&a_dot) } else { a_dot }, x)
        });
        let side = match (&t[1], moved) {
            (Some(b_dot), Some(moved)) => b_dot - moved,
            (Some(b_dot), None) => b_dot.clone(),
            (None, Some(moved)) => -moved,
            (None, None) => return None,
        };
        Some(bind1(self, &[a.clone(), side]))
    }
}

// X = A⁻¹ B is linear in B, with B̄ = A⁻ᵀ X̄.
fn triangular_solve_transpose(p: &TriangularSolve, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let a = xs[0].known()?;
    let p = TriangularSolve { transpose: !p.transpose, ..*p };
    Ok(vec![None, ct[0].as_ref().map(|ct| bind1(p, &[a.clone(), ct.clone()]))])
}

// Lanes of B alone are more columns, so one solve of many right-hand sides; otherwise they are one more batch axis.
fn triangular_solve_batch(p: &TriangularSolve, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    let (a, b) = (&values[0], &values[1]);
    match (axes[0], axes[1]) {
        (None, None) => Ok((bind(*p, values)?, vec![None])),
        (None, Some(own)) => {
            let last = b.ndim() - 1;
            let b = move_axis(b, own, last);
            let mut columns = b.shape()[..last].to_vec();
            columns[last - 1] *= size;
            let x = bind1(*p, &[a.clone(), ops::reshape(&b, &columns)]);
            Ok((vec![ops::reshape(x.check()?, b.shape())], vec![Some(last)]))
        }
        (Some(_), _) => Ok((bind(*p, &[to_front(a, axes[0], size), to_front(b, axes[1], size)])?, vec![Some(0)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counters, jvp, vmap};

    #[test]
    fn many_right_hand_sides_are_one_solve() {
        let a = Array::from([[2.0, 0.0], [1.0, 4.0]]);
        let sides = Array::new(vec![2.0, 9.0, 4.0, 18.0, 6.0, 27.0], &[3, 2, 1]);
        let counters = Counters::start();
        let x = vmap(|b: Array| triangular_solve(&a, &b, true, false, false))(sides).unwrap();
        assert_eq!(counters.calls_of("triangular_solve"), 1);
        assert_eq!(x.to_vec::<f64>().unwrap(), [1.0, 2.0, 2.0, 4.0, 3.0, 6.0]);
    }

    #[test]
    fn a_tangent_is_one_more_solve() {
        let (a, b) = (Array::from([[2.0, 7.0], [1.0, 4.0]]), Array::from([[2.0], [9.0]]));
        let counters = Counters::start();
        let f = |(a, b): (Array, Array)| triangular_solve(&a, &b, true, false, false);
        jvp(f, (a.clone(), b.clone()), (a, b)).unwrap();
        assert_eq!(counters.calls_of("triangular_solve"), 2);
    }
}
