//! `scatter`: updates of elements, or of whole sub-arrays, at a list of places that may repeat.
//!
//! Updates land in row-major order of the places, so a result is a function of its operands also where places repeat:
//! of several `set`s the last wins.

use super::{check_places, check_same_dtype, count_axes, gather::gather, index_dtype, iota, operands};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{
        Batch, Form, Jvp, Lanes, Lower, Operand, Primitive, Rules, Transpose, broadcast_lanes,
        elementwise::logic::{IsFinite, Not},
        instantiate, move_axis, to_front,
    },
    shape::Aval,
    trace::{bind, bind1},
};
use dini_cpu::{
    dtype::DType,
    graph::{self, Combine, Op, OutOfBounds},
};

/// How an update changes the element that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScatterKind {
    /// It replaces the element; the last update of an element wins.
    Set,
    /// It is added.
    Add,
    /// It is a factor.
    Mul,
    /// The smaller one stays; NaN wins.
    Min,
    /// The larger one stays; NaN wins.
    Max,
}

/// `(x, indices, updates)`: x of shape `batch + [n₁ … n_k] + rest` changed at each of the indices, of shape
/// `batch + places + [k]`, by the updates, of shape `batch + places + rest`. Updates outside of x are dropped; a negative
/// index is outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scatter {
    /// Number of leading batch axes.
    pub n_batch: usize,
    /// How updates land.
    pub kind: ScatterKind,
}

impl Primitive for Scatter {
    const NAME: &'static str = "scatter";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| {
            let [x, indices, updates] = operands(avals)?;
            check_same_dtype(x, updates, "the updates")?;
            if !(x.dtype.is_integer() || x.dtype.is_float() || x.dtype == DType::Bool) {
                return Err(Error::new(ErrorKind::DType, format!("got {}, expected a number or bool", x.dtype)));
            }
            let expected = check_places(x, indices, p.n_batch)?;
            if updates.shape[..] != expected[..] {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("the updates have type {updates}, expected shape {expected:?} for {x} and {indices}"),
                ));
            }
            Ok(vec![x.clone()])
        },
        lower: Lower::Loops(|p, cx, args, _, outs| {
            let kind = match p.kind {
                ScatterKind::Set => graph::ScatterKind::Set,
                ScatterKind::Add => graph::ScatterKind::Combine(Combine::Add),
                ScatterKind::Mul => graph::ScatterKind::Combine(Combine::Mul),
                ScatterKind::Min => graph::ScatterKind::Combine(Combine::Min),
                ScatterKind::Max => graph::ScatterKind::Combine(Combine::Max),
            };
            Ok(vec![cx.push1(Op::Scatter { n_batch: p.n_batch, kind }, args, &outs[0])])
        }),
        jvp: Jvp::By(|p, x, y, t| Ok(vec![scatter_jvp(p, x, &y[0], t)])),
        transpose: Transpose::By(scatter_transpose),
        batch: Batch::By(scatter_batch),
        form: Form::First,
        samples: || {
            let p = |n_batch: usize, kind: ScatterKind| Scatter { n_batch, kind };
            vec![
                (p(0, ScatterKind::Set), "f64[4] i32[3,1]@0..4 f64[3]"),
                (p(0, ScatterKind::Set), "f64[3,2] i64[5,1]@-1..5 f64[5,2]"),
                (p(1, ScatterKind::Set), "f32[2,3] u8[2,4,1]@0..4 f32[2,4]"),
                (p(0, ScatterKind::Set), "bool[3] i32[2,1] bool[2]"),
                (p(0, ScatterKind::Add), "f64[4] i32[6,1]@-1..5 f64[6]"),
                (p(0, ScatterKind::Add), "f64[2,3] i32[2,2,2]@0..3 f64[2,2]"),
                (p(1, ScatterKind::Add), "f32[2,3,2] u32[2,3,1]@0..4 f32[2,3,2]"),
                (p(0, ScatterKind::Add), "i32[0] i32[2,1] i32[2]"),
                (p(0, ScatterKind::Mul), "f64[3] i32[5,1]@0..4 f64[5]"),
                (p(1, ScatterKind::Mul), "f64[2,2,2] i32[2,3,1]@0..2 f64[2,3,2]@0.5..2"),
                (p(0, ScatterKind::Min), "f64[3] i32[5,1]@0..4 f64[5]"),
                (p(1, ScatterKind::Max), "f64[2,3,2] i32[2,4,1]@-1..4 f64[2,4,2]"),
                (p(0, ScatterKind::Max), "i64[3] i32[4,1] i64[4]"),
            ]
        },
    };
}

pub(crate) fn scatter(x: &Array, indices: &Array, updates: &Array, n_batch: usize, kind: ScatterKind) -> Array {
    bind1(Scatter { n_batch, kind }, &[x.clone(), indices.clone(), updates.clone()])
}

// Given the indices, `set` and `add` are jointly linear in x and the updates: the order of places is fixed, so the update
// that wins for the values wins for the tangents. The others have rules of their own below.
fn scatter_jvp(p: &Scatter, x: &[Array], y: &Array, t: &[Option<Array>]) -> Option<Array> {
    if t[0].is_none() && t[2].is_none() {
        return None;
    }
    Some(match p.kind {
        ScatterKind::Set | ScatterKind::Add => {
            let (x_dot, updates_dot) = (instantiate(t[0].as_ref(), &x[0]), instantiate(t[2].as_ref(), &x[2]));
            scatter(&x_dot, &x[1], &updates_dot, p.n_batch, p.kind)
        }
        ScatterKind::Mul => mul_jvp(p.n_batch, x, y, t),
        ScatterKind::Min | ScatterKind::Max => extremum_jvp(p.n_batch, x, y, t),
    })
}

// yᵢ = xᵢ ∏_{p: i(p) = i} u_p, so with the product of the *other* factors E_p = x_{i(p)} ∏_{q ≠ p, i(q) = i(p)} u_q
// ẏᵢ = ẋᵢ ∏_{p: i(p) = i} u_p + Σ_{p: i(p) = i} E_p u̇_p.
fn mul_jvp(n_batch: usize, x: &[Array], y: &Array, t: &[Option<Array>]) -> Array {
    let (x, indices, updates) = (&x[0], &x[1], &x[2]);
    let x_dot = match &t[0] {
        Some(x_dot) => scatter(x_dot, indices, updates, n_batch, ScatterKind::Mul),
        None => ops::zeros_of(x.aval()),
    };
    match &t[2] {
        Some(updates_dot) => {
            let terms = other_factors(n_batch, x, indices, updates, y, 2) * updates_dot;
            scatter(&x_dot, indices, &terms, n_batch, ScatterKind::Add)
        }
        None => x_dot,
    }
}

/// E_p of [`mul_jvp`].
///
/// Where u_p can be divided by, E_p = y_{i(p)} / u_p, and so are the derivatives of E_p. Else (zero, not finite), let w be
/// the last update of the same element that cannot be divided by, and E′ the product of the other factors with u_w
/// replaced by 1: E_p = E′_p if p is w, and u_w E′_p if not. `depth` such updates of one element are peeled off; further
/// ones multiply by zero. So with depth 2 the value and the first derivatives of E are exact whatever the zeros, and all
/// higher ones unless three factors of one element are zero.
fn other_factors(n_batch: usize, x: &Array, indices: &Array, updates: &Array, y: &Array, depth: usize) -> Array {
    let zero = ops::scalar_like(0.0, updates);
    let one = ops::scalar_like(1.0, updates);
    let is_infinite = bind1(Not, &[bind1(IsFinite, std::slice::from_ref(updates))]);
    let is_special = updates.eq(&zero) | is_infinite;
    let by_division = gather(y, indices, n_batch, OutOfBounds::Zero) / ops::select(&is_special, &one, updates);
    let otherwise = if depth == 0 {
        zero
    } else {
        let is_last = is_last_of(n_batch, x.aval(), indices, updates.shape(), Some(&is_special));
        let replaced = ops::select(&is_last, &one, updates);
        let y = scatter(x, indices, &replaced, n_batch, ScatterKind::Mul);
        let others = other_factors(n_batch, x, indices, &replaced, &y, depth - 1);
        let last = ops::select(&is_last, updates, &zero);
        let last = scatter(&ops::zeros_of(x.aval()), indices, &last, n_batch, ScatterKind::Add);
        let last = gather(&last, indices, n_batch, OutOfBounds::Zero);
        ops::select(&is_last, &others, &(last * &others))
    };
    ops::select(&is_special, &otherwise, &by_division)
}

/// Which updates are the last of their element, among those that the mask admits.
///
/// Each update offers its number; the largest one stays with the element and is read back.
fn is_last_of(n_batch: usize, x: &Aval, indices: &Array, updates: &[usize], mask: Option<&Array>) -> Array {
    let (_, n_places) = count_axes(indices.shape(), n_batch);
    let places = &updates[n_batch..n_batch + n_places];
    let n: usize = places.iter().product();
    let dtype = index_dtype(n);
    let dims: Vec<usize> = (n_batch..n_batch + n_places).collect();
    let numbers = ops::broadcast_in_dim(&ops::reshape(&iota(dtype, &[n], 0), places), updates, &dims);
    let none = ops::scalar_like(-1.0, &numbers);
    let offered = match mask {
        Some(mask) => ops::select(mask, &numbers, &none),
        None => numbers.clone(),
    };
    let owners = ops::broadcast_in_dim(&none, &x.shape, &[]);
    let owners = scatter(&owners, indices, &offered, n_batch, ScatterKind::Max);
    let is_last = gather(&owners, indices, n_batch, OutOfBounds::Fill).eq(&numbers);
    match mask {
        Some(mask) => is_last & mask,
        None => is_last,
    }
}

// yᵢ = max(xᵢ, max_{p: i(p) = i} u_p). The tangent is the mean of the tangents of xᵢ and of the updates that equal yᵢ:
// ties share equally. (The minimum alike.)
fn extremum_jvp(n_batch: usize, x: &[Array], y: &Array, t: &[Option<Array>]) -> Array {
    let (x, indices, updates) = (&x[0], &x[1], &x[2]);
    let (zero, one) = (ops::scalar_like(0.0, y), ops::scalar_like(1.0, y));
    let x_wins = x.eq(y);
    let update_wins = updates.eq(gather(y, indices, n_batch, OutOfBounds::Zero));
    let total = |x: &Array, updates: &Array| {
        let x = ops::broadcast_like(&ops::select(&x_wins, x, &zero), y);
        let updates = ops::broadcast_like(&ops::select(&update_wins, updates, &zero), &update_wins);
        scatter(&x, indices, &updates, n_batch, ScatterKind::Add)
    };
    let or_zero = |t: &Option<Array>| t.clone().unwrap_or_else(|| zero.clone());
    total(&or_zero(&t[0]), &or_zero(&t[2])) / total(&one, &one)
}

// add: yᵢ = xᵢ + Σ_{p: i(p) = i} u_p, so x̄ = ȳ and ū_p = ȳ_{i(p)} (0 if i(p) is outside).
// set: yᵢ = xᵢ where nothing hits, else u_p of the last p with i(p) = i; so x̄ = ȳ with zeros where something hits, and
// ū_p = ȳ_{i(p)} if p is the last of its element, else 0.
// mul, given the updates: yᵢ = xᵢ ∏ u_p, so x̄ᵢ = ȳᵢ ∏ u_p.
fn scatter_transpose(p: &Scatter, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let indices = xs[1].known()?;
    let Some(ct) = &ct[0] else { return Ok(vec![None; 3]) };
    let (n_batch, updates) = (p.n_batch, xs[2].aval());
    let picked = || gather(ct, indices, n_batch, OutOfBounds::Zero);
    let (x_bar, updates_bar): (Box<dyn Fn() -> Array>, Box<dyn Fn() -> Array>) = match p.kind {
        ScatterKind::Add => (Box::new(|| ct.clone()), Box::new(picked)),
        ScatterKind::Set => (
            Box::new(|| scatter(ct, indices, &ops::zeros_of(&updates), n_batch, ScatterKind::Set)),
            Box::new(|| {
                let (n_indexed, n_places) = count_axes(indices.shape(), n_batch);
                // All elements of a sub-array are hit together: one number for each place is enough.
                let x = ct.aval().with_shape(&ct.shape()[..n_batch + n_indexed]);
                let is_last = is_last_of(n_batch, &x, indices, &updates.shape[..n_batch + n_places], None);
                let dims: Vec<usize> = (0..n_batch + n_places).collect();
                let is_last = ops::broadcast_in_dim(&is_last, &updates.shape, &dims);
                ops::select(&is_last, &picked(), &ops::scalar_like(0.0, ct))
            }),
        ),
        ScatterKind::Mul => {
            let factors = xs[2].known()?;
            return Ok(vec![Some(scatter(ct, indices, factors, n_batch, ScatterKind::Mul)), None, None]);
        }
        ScatterKind::Min | ScatterKind::Max => {
            return Err(Error::new(ErrorKind::NotLinear, "not linear in its operands: it keeps extreme values"));
        }
    };
    Ok(vec![xs[0].is_linear().then(x_bar), None, xs[2].is_linear().then(updates_bar)])
}

// With indices of its own every lane writes elsewhere: one more batch axis. With common indices the lanes go with the
// rest of the sub-arrays.
fn scatter_batch(p: &Scatter, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    if axes[1].is_some() {
        let values: Vec<Array> = values.iter().zip(axes).map(|(x, &axis)| to_front(x, axis, size)).collect();
        return Ok((bind(Scatter { n_batch: p.n_batch + 1, ..p.clone() }, &values)?, vec![Some(0)]));
    }
    if axes[0].is_none() && axes[2].is_none() {
        return Ok((bind(p.clone(), values)?, vec![None]));
    }
    let (n_indexed, n_places) = count_axes(values[1].shape(), p.n_batch);
    // How far behind the first of the `rest` axes the lanes go: to where they are if they are there.
    let (x_rest, updates_rest) = (p.n_batch + n_indexed, p.n_batch + n_places);
    let behind = match (axes[0], axes[2]) {
        (Some(axis), _) => axis.saturating_sub(x_rest),
        (None, Some(axis)) => axis.saturating_sub(updates_rest),
        (None, None) => 0,
    };
    let aligned = |i: usize, to: usize| match axes[i] {
        Some(own) => move_axis(&values[i], own, to),
        None => broadcast_lanes(&values[i], size, to),
    };
    let operands = [aligned(0, x_rest + behind), values[1].clone(), aligned(2, updates_rest + behind)];
    Ok((bind(p.clone(), &operands)?, vec![Some(x_rest + behind)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Result, jvp};

    fn vector(x: &[f64]) -> Array {
        Array::new(x.to_vec(), &[x.len()])
    }

    /// Updates 0, 1, 2 hit element 0; 3 and 4 hit element 1; 5 is outside.
    fn multiplied((x, u): (Array, Array)) -> Array {
        scatter(&x, &Array::new(vec![0, 0, 0, 1, 1, 9], &[6, 1]), &u, 0, ScatterKind::Mul)
    }

    /// The mixed second derivative of a product along two directions, from all pairs of its factors.
    fn second(factors: &[f64], s: &[f64], t: &[f64]) -> f64 {
        let n = factors.len();
        let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let others = |i: usize, j: usize| (0..n).filter(|&k| k != i && k != j).map(|k| factors[k]).product::<f64>();
        pairs.map(|(i, j)| s[i] * t[j] * others(i, j)).sum()
    }

    #[track_caller]
    fn check_products(updates: [f64; 6]) {
        let (x, s, t) =
            ([1.5, -2.0], [0.3, 0.5, -0.7, 1.1, 0.2, 0.4, 9.0, 8.0], [1.0, -0.2, 0.6, 0.1, 2.0, 0.9, 7.0, 6.0]);
        let split = |v: &[f64]| (vector(&v[..2]), vector(&v[2..]));
        let point = split(&[&x[..], &updates].concat());
        let groups = |v: &[f64]| [vec![v[0], v[2], v[3], v[4]], vec![v[1], v[5], v[6]]];
        let all = [&x[..], &updates].concat();
        let along = |p: (Array, Array)| -> Result<Array> { Ok(jvp(multiplied, p, split(&s))?.1) };
        let (first, mixed) = jvp(along, point, split(&t)).unwrap();
        let (first, mixed) = (first.to_vec::<f64>().unwrap(), mixed.to_vec::<f64>().unwrap());
        for (k, (factors, (s, t))) in groups(&all).iter().zip(groups(&s).iter().zip(&groups(&t))).enumerate() {
            let others = |i: usize| (0..factors.len()).filter(|&j| j != i).map(|j| factors[j]).product::<f64>();
            let expected: f64 = (0..factors.len()).map(|i| s[i] * others(i)).sum();
            assert!((first[k] - expected).abs() < 1e-12, "first derivative {first:?}, element {k}: {expected}");
            let expected = second(factors, s, t);
            assert!((mixed[k] - expected).abs() < 1e-12, "second derivative {mixed:?}, element {k}: {expected}");
        }
    }

    #[test]
    fn products_of_repeated_factors_are_differentiated_twice_whatever_is_zero() {
        check_products([2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        check_products([0.0, 3.0, 4.0, 0.0, 0.0, 0.0]);
        check_products([0.0, 3.0, 0.0, 5.0, 0.0, 7.0]);
        check_products([0.0, 0.0, 0.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn the_last_update_of_an_element_wins_in_derivatives_too() {
        let f = |(x, u): (Array, Array)| {
            let y = scatter(&x, &Array::new(vec![1, 0, 1, 7], &[4, 1]), &u, 0, ScatterKind::Set);
            (y * vector(&[2.0, 3.0, 5.0])).sum()
        };
        let (x, u) = crate::grad(f)((vector(&[0.0; 3]), vector(&[0.0; 4]))).unwrap();
        assert_eq!(x.to_vec::<f64>().unwrap(), [0.0, 0.0, 5.0]);
        assert_eq!(u.to_vec::<f64>().unwrap(), [0.0, 2.0, 3.0, 0.0]);
    }

    #[test]
    fn ties_of_extremes_share_equally() {
        let f = |(x, u): (Array, Array)| scatter(&x, &Array::new(vec![0, 0], &[2, 1]), &u, 0, ScatterKind::Max).sum();
        let (x, u) = crate::grad(f)((vector(&[1.0]), vector(&[1.0, 0.0]))).unwrap();
        assert_eq!((x.to_vec::<f64>().unwrap(), u.to_vec::<f64>().unwrap()), (vec![0.5], vec![0.5, 0.0]));
    }
}
