//! Factorizations and solves of small matrices, element by element: the operations of [`crate::linalg`] in its order,
//! with choices instead of branches.

use super::Lowering;
use crate::{
    graph::{Call, Routine, TensorType},
    jit::lanes::{Kind, Op, Predicate, Value},
    schedule::SlotId,
};

impl Lowering<'_> {
    pub(super) fn call(
        &mut self,
        call: &Call,
        args: &[(SlotId, TensorType)],
        outs: &[(SlotId, TensorType)],
    ) -> Option<()> {
        let operands = args.iter().map(|(slot, t)| self.elements(*slot, t.dtype, t.len()));
        let operands = operands.collect::<Option<Vec<Vec<Value>>>>()?;
        let matrix = &args[0].1;
        let n = *matrix.shape.last()?;
        let mut field = Field { kind: Kind::of(matrix.dtype), n, lowering: self };
        let mut results: Vec<Vec<Value>> = vec![vec![]; outs.len()];
        for (batch, a) in operands[0].chunks_exact(n * n).enumerate() {
            let all = match call.routine? {
                Routine::Cholesky => vec![field.cholesky(a)],
                Routine::Lu => field.lu(a),
                Routine::TriangularSolve { lower, transpose, unit_diagonal } => {
                    let n_rhs = *args[1].1.shape.last()?;
                    let b = &operands[1][batch * n * n_rhs..][..n * n_rhs];
                    vec![field.triangular_solve(a, b, n_rhs, lower, transpose, unit_diagonal)]
                }
            };
            results.iter_mut().zip(all).for_each(|(result, part)| result.extend(part));
        }
        let tally = self.tallies.iter().position(|name| *name == call.name).unwrap_or_else(|| {
            self.tallies.push(call.name);
            self.tallies.len() - 1
        });
        self.lanes.tally(tally as u32);
        outs.iter().zip(results).for_each(|((slot, t), values)| self.write(*slot, t.dtype, values));
        Some(())
    }
}

/// Arithmetic for matrices of order n.
struct Field<'a, 'b> {
    kind: Kind,
    n: usize,
    lowering: &'a mut Lowering<'b>,
}

impl Field<'_, '_> {
    fn push(&mut self, op: Op, x: Value, y: Value) -> Value {
        self.lowering.lanes.push(op, self.kind, &[x, y])
    }

    /// z − x y
    fn subtract_product(&mut self, z: Value, x: Value, y: Value) -> Value {
        let product = self.push(Op::Mul, x, y);
        self.push(Op::Sub, z, product)
    }

    fn select(&mut self, mask: Value, x: Value, y: Value) -> Value {
        self.lowering.lanes.select(self.kind, mask, x, y)
    }

    /// L[i][j] = (A[i][j] − Σₖ L[i][k] L[j][k]) / L[j][j] of the symmetric part, by reciprocals of the diagonal; NaN
    /// everywhere if a pivot is not positive or not finite.
    fn cholesky(&mut self, a: &[Value]) -> Vec<Value> {
        let n = self.n;
        let [zero, half, one, infinity, nan] =
            [0.0, 0.5, 1.0, f64::INFINITY, f64::NAN].map(|x| self.lowering.lanes.float(x, self.kind));
        let mut l = vec![zero; n * n];
        let mut reciprocals = vec![];
        let mut is_definite: Option<Value> = None;
        for i in 0..n {
            for j in 0..=i {
                let twice = self.push(Op::Add, a[i * n + j], a[j * n + i]);
                let mut rest = self.push(Op::Mul, twice, half);
                for k in 0..j {
                    rest = self.subtract_product(rest, l[i * n + k], l[j * n + k]);
                }
                l[i * n + j] = if j < i {
                    self.push(Op::Mul, rest, reciprocals[j])
                } else {
                    let mask = self.kind.mask();
                    let is_positive = self.lowering.lanes.compare(Predicate::Lt, self.kind, zero, rest);
                    let is_finite = self.lowering.lanes.compare(Predicate::Lt, self.kind, rest, infinity);
                    let is_pivot = self.lowering.lanes.bitwise(Op::And, mask, is_positive, is_finite);
                    is_definite = Some(match is_definite {
                        Some(others) => self.lowering.lanes.bitwise(Op::And, mask, others, is_pivot),
                        None => is_pivot,
                    });
                    let root = self.lowering.lanes.push(Op::Sqrt, self.kind, &[rest]);
                    if i + 1 < n {
                        reciprocals.push(self.push(Op::Div, one, root));
                    }
                    root
                };
            }
        }
        let Some(is_definite) = is_definite else { return l };
        l.into_iter().map(|x| self.select(is_definite, x, nan)).collect()
    }

    /// Packed factors, pivots and permutation. The row of the largest pivot trades places with the one that is due by
    /// choices among all rows below.
    fn lu(&mut self, a: &[Value]) -> Vec<Vec<Value>> {
        let n = self.n;
        let mut a = a.to_vec();
        let number = |this: &mut Self, i: usize| this.lowering.lanes.constant(i as u64, Kind::I32);
        let mut permutation: Vec<Value> = (0..n).map(|i| number(self, i)).collect();
        let mut pivots = vec![];
        let zero = self.lowering.lanes.float(0.0, self.kind);
        for j in 0..n {
            let mut pivot = number(self, j);
            let mut largest = self.lowering.lanes.abs(self.kind, a[j * n + j]);
            for i in j + 1..n {
                let magnitude = self.lowering.lanes.abs(self.kind, a[i * n + j]);
                let is_larger = self.lowering.lanes.compare(Predicate::Lt, self.kind, largest, magnitude);
                largest = self.select(is_larger, magnitude, largest);
                let i = number(self, i);
                pivot = self.lowering.lanes.select(Kind::I32, is_larger, i, pivot);
            }
            pivots.push(pivot);
            let is_pivot: Vec<Value> = (j + 1..n)
                .map(|i| {
                    let i = number(self, i);
                    self.lowering.lanes.compare(Predicate::Eq, Kind::I32, pivot, i)
                })
                .collect();
            for column in 0..n {
                let places: Vec<usize> = (j..n).map(|i| i * n + column).collect();
                self.lowering.trade_with(self.kind, &mut a, &places, &is_pivot);
            }
            let places: Vec<usize> = (j..n).collect();
            self.lowering.trade_with(Kind::I32, &mut permutation, &places, &is_pivot);
            if j + 1 == n {
                break;
            }
            // A column of zeros is its own factor.
            let is_zero = self.lowering.lanes.compare(Predicate::Eq, self.kind, largest, zero);
            for i in j + 1..n {
                let quotient = self.push(Op::Div, a[i * n + j], a[j * n + j]);
                let factor = self.select(is_zero, a[i * n + j], quotient);
                a[i * n + j] = factor;
                for k in j + 1..n {
                    a[i * n + k] = self.subtract_product(a[i * n + k], factor, a[j * n + k]);
                }
            }
        }
        vec![a, pivots, permutation]
    }

    /// X with A X = B or Aᵀ X = B: from each unknown the multiples of those before, in the order of solving.
    fn triangular_solve(
        &mut self,
        a: &[Value],
        b: &[Value],
        n_rhs: usize,
        lower: bool,
        transpose: bool,
        unit_diagonal: bool,
    ) -> Vec<Value> {
        let n = self.n;
        let mut x = b.to_vec();
        let place = |i: usize| if lower == transpose { n - 1 - i } else { i };
        for i in 0..n {
            for column in 0..n_rhs {
                let at = place(i) * n_rhs + column;
                for k in 0..i {
                    let (row, other) = if transpose { (place(k), place(i)) } else { (place(i), place(k)) };
                    x[at] = self.subtract_product(x[at], a[row * n + other], x[place(k) * n_rhs + column]);
                }
                if !unit_diagonal {
                    x[at] = self.push(Op::Div, x[at], a[place(i) * (n + 1)]);
                }
            }
        }
        x
    }
}

impl Lowering<'_> {
    /// Trades the first of these elements with the other one whose mask holds, if any.
    fn trade_with(&mut self, kind: Kind, elements: &mut [Value], places: &[usize], masks: &[Value]) {
        let first = elements[places[0]];
        let mut chosen = first;
        for (&place, &mask) in places[1..].iter().zip(masks) {
            chosen = self.lanes.select(kind, mask, elements[place], chosen);
            elements[place] = self.lanes.select(kind, mask, first, elements[place]);
        }
        elements[places[0]] = chosen;
    }
}
