//! `dot`: the general product, a sum over paired axes with paired batch axes (`dot_general`).

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{Batch, Form, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose, index::operands},
    shape::{Aval, row_major},
    trace::{bind, bind1},
};
use dini_cpu::{
    dtype::DType,
    graph::{DotAxes, Op, Strided},
    scalar::ScalarOp,
};

/// `(a, b)`: the sum of products over the contracted axes. Axes of the result: batch, the free ones of a, the free ones
/// of b. Integers wrap; for `bool` it is `or` of `and`s; an empty sum is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dot {
    /// The paired axes.
    pub axes: DotAxes,
}

impl Primitive for Dot {
    const NAME: &'static str = "dot";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| infer(&p.axes, avals),
        lower: Lower::Loops(|p, cx, args, ins, outs| {
            if !p.axes.lhs_contract.is_empty() {
                return Ok(vec![cx.push1(Op::Dot(p.axes.clone()), args, &outs[0])]);
            }
            // No sum: an elementwise product, which fuses with what makes its operands and with what uses it.
            let (a, b) = spread_out(&p.axes, ins, &outs[0]);
            let factors = [cx.view(args[0], a, outs[0].dtype), cx.view(args[1], b, outs[0].dtype)];
            let times = if outs[0].dtype == DType::Bool { ScalarOp::And } else { ScalarOp::Mul };
            Ok(vec![cx.push1(Op::Map(times), &factors, &outs[0])])
        }),
        jvp: Jvp::By(|p, x, _, t| {
            // The product is bilinear: ẏ = ȧ b + a ḃ.
            let terms = [
                t[0].as_ref().map(|a_dot| dot(a_dot, &x[1], p.axes.clone())),
                t[1].as_ref().map(|b_dot| dot(&x[0], b_dot, p.axes.clone())),
            ];
            Ok(vec![terms.into_iter().flatten().reduce(|a, b| a + b)])
        }),
        transpose: Transpose::By(dot_transpose),
        batch: Batch::By(dot_batch),
        form: Form::First,
        samples: || {
            let axes = |lhs_batch: &[usize], rhs_batch: &[usize], lhs_contract: &[usize], rhs_contract: &[usize]| Dot {
                axes: DotAxes {
                    lhs_batch: lhs_batch.to_vec(),
                    rhs_batch: rhs_batch.to_vec(),
                    lhs_contract: lhs_contract.to_vec(),
                    rhs_contract: rhs_contract.to_vec(),
                },
            };
            vec![
                (axes(&[], &[], &[1], &[0]), "f64[2,3] f64[3,4]"),
                (axes(&[], &[], &[0], &[0]), "f64[3] f64[3]"),
                (axes(&[], &[], &[0], &[1]), "f32[3,2] f32[4,3]"),
                (axes(&[], &[], &[], &[]), "f64[2] f64[3]"),
                (axes(&[0], &[1], &[2], &[0]), "f64[2,3,4] f64[4,2,3]"),
                (axes(&[2, 0], &[0, 1], &[1], &[3]), "f64[2,3,4] f64[4,2,2,3]"),
                (axes(&[], &[], &[2, 0], &[0, 1]), "f64[2,3,4] f64[4,2,2]"),
                (axes(&[], &[], &[1], &[0]), "f64[2,0] f64[0,3]"),
                (axes(&[], &[], &[1], &[0]), "i32[2,3] i32[3,2]"),
                (axes(&[], &[], &[1], &[0]), "bool[2,3] bool[3,2]"),
            ]
        },
    };
}

pub(crate) fn dot(a: &Array, b: &Array, axes: DotAxes) -> Array {
    bind1(Dot { axes }, &[a.clone(), b.clone()])
}

/// The axes that are neither batch nor contracted, ascending.
fn free(n: usize, batch: &[usize], contract: &[usize]) -> Vec<usize> {
    (0..n).filter(|i| !batch.contains(i) && !contract.contains(i)).collect()
}

/// The operands of a product that sums nothing, each in the shape of the result.
fn spread_out(axes: &DotAxes, ins: &[Aval], out: &Aval) -> (Strided, Strided) {
    let n_batch = axes.lhs_batch.len();
    let view = |x: &Aval, batch: &[usize], first_free: usize| {
        let from = row_major(&x.shape);
        let mut strides = vec![0; out.ndim()];
        for (i, &axis) in batch.iter().enumerate() {
            strides[i] = from[axis];
        }
        for (i, axis) in free(x.ndim(), batch, &[]).into_iter().enumerate() {
            strides[first_free + i] = from[axis];
        }
        Strided { shape: out.shape.to_vec(), strides, offset: 0 }
    };
    (view(&ins[0], &axes.lhs_batch, n_batch), view(&ins[1], &axes.rhs_batch, ins[0].ndim()))
}

fn infer(axes: &DotAxes, avals: &[Aval]) -> Result<Vec<Aval>> {
    let [a, b] = operands(avals)?;
    if a.dtype != b.dtype {
        return Err(Error::new(ErrorKind::DType, format!("operands have dtypes {} and {}", a.dtype, b.dtype))
            .help(format!("convert one with `.cast(DType::{:?})`", a.dtype)));
    }
    if !(a.dtype.is_integer() || a.dtype.is_float() || a.dtype == DType::Bool) {
        return Err(Error::new(ErrorKind::DType, format!("got {}, expected a number or bool", a.dtype)));
    }
    let pairs = [("batch", &axes.lhs_batch, &axes.rhs_batch), ("contracted", &axes.lhs_contract, &axes.rhs_contract)];
    for (what, of_a, of_b) in pairs {
        if of_a.len() != of_b.len() {
            return Err(Error::new(ErrorKind::Shape, format!("{what} axes {of_a:?} and {of_b:?} do not pair up")));
        }
    }
    for (x, batch, contract) in [(a, &axes.lhs_batch, &axes.lhs_contract), (b, &axes.rhs_batch, &axes.rhs_contract)] {
        let mut is_used = vec![false; x.ndim()];
        for &i in batch.iter().chain(contract) {
            match is_used.get_mut(i) {
                Some(used) if !*used => *used = true,
                Some(_) => return Err(Error::new(ErrorKind::Index, format!("axis {i} of {x} is named twice"))),
                None => return Err(Error::new(ErrorKind::Index, format!("axis {i} is out of range for {x}"))),
            }
        }
    }
    for (what, of_a, of_b) in pairs {
        if let Some((i, j)) = of_a.iter().zip(of_b).find(|&(&i, &j)| a.shape[i] != b.shape[j]) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!(
                    "{what} axes differ in extent: axis {i} of {a} has {}, axis {j} of {b} has {}",
                    a.shape[*i], b.shape[*j]
                ),
            ));
        }
    }
    let mut shape: Vec<usize> = axes.lhs_batch.iter().map(|&i| a.shape[i]).collect();
    shape.extend(free(a.ndim(), &axes.lhs_batch, &axes.lhs_contract).iter().map(|&i| a.shape[i]));
    shape.extend(free(b.ndim(), &axes.rhs_batch, &axes.rhs_contract).iter().map(|&i| b.shape[i]));
    Ok(vec![a.with_shape(&shape)])
}

/// The axes of a product, each being axis `labels[i]` of the wanted array, in that array's order.
fn arrange(x: &Array, labels: &[usize]) -> Array {
    let mut order = vec![0; labels.len()];
    for (i, &label) in labels.iter().enumerate() {
        order[label] = i;
    }
    if order.iter().enumerate().all(|(i, &o)| i == o) { x.clone() } else { ops::permute(x, &order) }
}

/// The contracted axes of one operand in the ascending order of those of the other, which they are paired with.
fn contracted_as(own: &[usize], other: &[usize]) -> Vec<usize> {
    let mut pairs: Vec<(usize, usize)> = other.iter().copied().zip(own.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, own)| own).collect()
}

// y[β, φ, ψ] = Σ_κ a[β, φ, κ] b[β, ψ, κ] with batch axes β, free axes φ of a and ψ of b, contracted axes κ. So
// ā[β, φ, κ] = Σ_ψ ȳ[β, φ, ψ] b[β, ψ, κ]   and   b̄[β, κ, ψ] = Σ_φ a[β, φ, κ] ȳ[β, φ, ψ].
// Both are products again. In the first the axes come out as β in a's pairing, φ ascending, then κ in the ascending
// order of *b's* contracted axes; in the second β, κ in the ascending order of *a's*, ψ. A permutation puts them in place.
fn dot_transpose(p: &Dot, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let axes = &p.axes;
    let n_batch = axes.lhs_batch.len();
    let a_free = free(xs[0].aval().ndim(), &axes.lhs_batch, &axes.lhs_contract);
    let b_free = free(xs[1].aval().ndim(), &axes.rhs_batch, &axes.rhs_contract);
    let ct_batch: Vec<usize> = (0..n_batch).collect();
    let ct_a_free: Vec<usize> = (n_batch..n_batch + a_free.len()).collect();
    let ct_b_free: Vec<usize> = (n_batch + a_free.len()..n_batch + a_free.len() + b_free.len()).collect();
    if xs[0].is_linear() {
        let b = xs[1].known()?;
        let Some(ct) = &ct[0] else { return Ok(vec![None, None]) };
        let labels = [&axes.lhs_batch[..], &a_free, &contracted_as(&axes.lhs_contract, &axes.rhs_contract)].concat();
        let product = dot(
            ct,
            b,
            DotAxes {
                lhs_batch: ct_batch,
                rhs_batch: axes.rhs_batch.clone(),
                lhs_contract: ct_b_free,
                rhs_contract: b_free,
            },
        );
        Ok(vec![Some(arrange(&product, &labels)), None])
    } else {
        let a = xs[0].known()?;
        let Some(ct) = &ct[0] else { return Ok(vec![None, None]) };
        let labels = [&axes.rhs_batch[..], &contracted_as(&axes.rhs_contract, &axes.lhs_contract), &b_free].concat();
        let product = dot(
            a,
            ct,
            DotAxes {
                lhs_batch: axes.lhs_batch.clone(),
                rhs_batch: ct_batch,
                lhs_contract: a_free,
                rhs_contract: ct_a_free,
            },
        );
        Ok(vec![None, Some(arrange(&product, &labels))])
    }
}

/// The axes as they are numbered with one more axis at `lane`.
fn shifted(axes: &[usize], lane: usize) -> Vec<usize> {
    axes.iter().map(|&i| i + usize::from(i >= lane)).collect()
}

// Lanes of both operands are one more batch axis, the first. Lanes of one operand are one more free axis of it: the other
// operand is not repeated, and nothing moves.
fn dot_batch(p: &Dot, _: usize, values: &[Array], lanes: &[Option<usize>]) -> Result<Lanes> {
    let mut axes = p.axes.clone();
    if let Some(lane) = lanes[0] {
        (axes.lhs_batch, axes.lhs_contract) = (shifted(&axes.lhs_batch, lane), shifted(&axes.lhs_contract, lane));
    }
    if let Some(lane) = lanes[1] {
        (axes.rhs_batch, axes.rhs_contract) = (shifted(&axes.rhs_batch, lane), shifted(&axes.rhs_contract, lane));
    }
    let n_batch = axes.lhs_batch.len();
    let position = |free: &[usize], lane: usize| free.iter().filter(|&&i| i < lane).count();
    let a_free = free(values[0].ndim(), &axes.lhs_batch, &axes.lhs_contract);
    let b_free = free(values[1].ndim(), &axes.rhs_batch, &axes.rhs_contract);
    let out = match (lanes[0], lanes[1]) {
        (None, None) => None,
        (Some(a_lane), Some(b_lane)) => {
            axes.lhs_batch.insert(0, a_lane);
            axes.rhs_batch.insert(0, b_lane);
            Some(0)
        }
        (Some(a_lane), None) => Some(n_batch + position(&a_free, a_lane)),
        (None, Some(b_lane)) => Some(n_batch + a_free.len() + position(&b_free, b_lane)),
    };
    Ok((bind(Dot { axes }, values)?, vec![out]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Vmap, program_of, vmap_with};

    #[test]
    fn lanes_of_one_operand_repeat_nothing() {
        let matmul = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
        let mapped =
            vmap_with(Vmap::new().in_axes((Some(1), None)), |(a, b): (Array, Array)| dot(&a, &b, matmul.clone()));
        let (a, b) = (Array::new(vec![1.0; 24], &[2, 4, 3]), Array::new(vec![1.0; 6], &[3, 2]));
        let counts = program_of(mapped, &(a, b)).unwrap().counts();
        assert_eq!((counts.get("dot"), counts.get("broadcast")), (Some(&1), None));
    }
}
