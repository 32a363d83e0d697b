//! `det` and `cofactors`: derivatives of determinants, of every order and at every rank.
//!
//! det A is a polynomial, so it has derivatives where A has no inverse. What is multilinear in them,
//!
//! Dᵐ⁺¹ det(A)[E₁, …, Eₘ, W] = ⟨C(A; E₁, …, Eₘ), W⟩,
//!
//! is symmetric in E₁, …, Eₘ, W. The matrices C are closed under all that is done with derivatives: the tangent of C along
//! Ȧ is C with Ȧ as one more E, along Ėᵢ it is C with Ėᵢ in the place of Eᵢ, and C is its own transpose in each Eᵢ. So one
//! primitive, [`Cofactors`], serves every order and every mode, and none of its rules divides.

use super::{cofactors::mixed_cofactors, square_shape};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    ops,
    prim::{Batch, Form, Jvp, Lanes, Lower, Operand, Prim, Primitive, Rules, Transpose, all_to_front, index::operands},
    trace::{bind, bind1},
};

/// `(a, factors, permutation, value)`, the second and third of `lu(a)`: the value, which is det A for each matrix of a
/// batch, as a function of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Det;

impl Primitive for Det {
    const NAME: &'static str = "det";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| {
            let [a, _, _, value] = operands(avals)?;
            square_shape(a)?;
            Ok(vec![value.clone()])
        },
        lower: Lower::Compose(|_, xs| Ok(vec![xs[3].clone()])),
        jvp: Jvp::By(|_, xs, _, t| Ok(vec![t[0].as_ref().map(|a_dot| det_jvp(&xs[..3], a_dot))])),
        transpose: Transpose::NotLinear,
        batch: Batch::By(|p, size, values, axes| batch(*p, size, values, axes)),
        form: Form::First,
        samples: Vec::new,
    };
}

// Jacobi: the derivative of det A along Ȧ is ⟨C, Ȧ⟩, with the matrix C of cofactors.
fn det_jvp(factored: &[Array], a_dot: &Array) -> Array {
    let n_batch = a_dot.ndim() - 2;
    ops::reduce_sum(&(bind1(Cofactors, factored) * a_dot), &[n_batch, n_batch + 1])
}

/// `(a, factors, permutation, e₁, …, eₘ)`, the second and third of `lu(a)`: C(A; E₁, …, Eₘ) for each matrix of a batch;
/// without E the matrix of cofactors. It has the shape of `a` and of each E, `batch + [n, n]`.
///
/// It is a function of A and the E: the factors only compute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cofactors;

/// Operands of [`Cofactors`] before the first E.
const N_FACTORED: usize = 3;

impl Primitive for Cofactors {
    const NAME: &'static str = "cofactors";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| {
            let [a, _, _, directions @ ..] = avals else {
                return Err(Error::new(
                    ErrorKind::Structure,
                    format!("takes 3 operands and more, got {}", avals.len()),
                ));
            };
            square_shape(a)?;
            match directions.iter().find(|e| *e != a) {
                None => Ok(vec![a.clone()]),
                Some(e) => Err(Error::new(ErrorKind::Shape, format!("got the direction {e}, expected {a}"))),
            }
        },
        lower: Lower::Compose(|_, xs| Ok(vec![mixed_cofactors(&xs[0], &xs[1], &xs[2], &xs[N_FACTORED..])?])),
        jvp: Jvp::By(|p, xs, _, t| Ok(vec![cofactors_jvp(*p, xs, t)])),
        transpose: Transpose::By(cofactors_transpose),
        batch: Batch::By(|p, size, values, axes| batch(*p, size, values, axes)),
        form: Form::First,
        samples: Vec::new,
    };
}

// C is a polynomial of degree n − 1 − m in A, and linear in each E.
fn cofactors_jvp(p: Cofactors, xs: &[Array], t: &[Option<Array>]) -> Option<Array> {
    let n = xs[0].shape()[xs[0].ndim() - 1];
    let n_directions = xs.len() - N_FACTORED;
    let along_a =
        t[0].as_ref().filter(|_| n_directions + 1 < n).map(|a_dot| [xs, std::slice::from_ref(a_dot)].concat());
    let along_directions = (N_FACTORED..xs.len()).filter_map(|i| t[i].as_ref().map(|e_dot| with(xs, i, e_dot)));
    along_a.into_iter().chain(along_directions).map(|xs| bind1(p, &xs)).reduce(|sum, term| sum + term)
}

/// The operands with another one at a place.
fn with(xs: &[Array], place: usize, x: &Array) -> Vec<Array> {
    xs.iter().enumerate().map(|(i, old)| if i == place { x.clone() } else { old.clone() }).collect()
}

// ⟨C(A; …, Eᵢ, …), W⟩ = ⟨C(A; …, W, …), Eᵢ⟩.
fn cofactors_transpose(p: &Cofactors, ct: &[Option<Array>], xs: &[Operand]) -> Result<Vec<Option<Array>>> {
    let Some(ct) = &ct[0] else { return Ok(vec![None; xs.len()]) };
    let place = xs.iter().skip(N_FACTORED).position(Operand::is_linear).map(|i| i + N_FACTORED);
    let known = |(i, x): (usize, &Operand)| if Some(i) == place { Ok(ct.clone()) } else { x.known().cloned() };
    let values = xs.iter().enumerate().map(known).collect::<Result<Vec<_>>>()?;
    let result = bind1(*p, &values);
    Ok((0..xs.len()).map(|i| (Some(i) == place).then(|| result.clone())).collect())
}

fn batch(p: impl Into<Prim>, size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<Lanes> {
    Ok((bind(p, &all_to_front(values, axes, size))?, vec![Some(0)]))
}
