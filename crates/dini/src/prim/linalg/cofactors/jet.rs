//! Jets: elements of R\[t₁, …, tₘ\]/(t₁², …, tₘ²), with matrices for coefficients.
//!
//! A product of some of the tᵢ is the set of their i, as bits of a number: products of two that meet are zero.

use crate::{array::Array, ops, shape::Aval};

/// The coefficient of each product of some of the tᵢ; `None` is zero.
#[derive(Clone)]
pub(super) struct Jet(Vec<Option<Array>>);

impl Jet {
    /// `constant` + Σ tᵢ `linear`ᵢ.
    pub fn new(constant: Option<Array>, linear: &[Array]) -> Jet {
        let mut coefficients = vec![None; 1 << linear.len()];
        coefficients[0] = constant;
        for (i, x) in linear.iter().enumerate() {
            coefficients[1 << i] = Some(x.clone());
        }
        Jet(coefficients)
    }

    /// A jet of as many tᵢ as this one, each coefficient from the set that it belongs to and the smaller ones.
    pub fn grown(&self, coefficient: impl Fn(usize, &Jet) -> Option<Array>) -> Jet {
        let mut jet = Jet(vec![None; self.0.len()]);
        for set in 0..self.0.len() {
            jet.0[set] = coefficient(set, &jet);
        }
        jet
    }

    pub fn map(&self, f: impl Fn(&Array) -> Array) -> Jet {
        Jet(self.0.iter().map(|x| x.as_ref().map(&f)).collect())
    }

    pub fn plus(&self, other: &Jet) -> Jet {
        let sum = |(x, y): (&Option<Array>, &Option<Array>)| match (x, y) {
            (Some(x), Some(y)) => Some(x + y),
            (x, y) => x.clone().or(y.clone()),
        };
        Jet(self.0.iter().zip(&other.0).map(sum).collect())
    }

    /// The product, of coefficients as `by` says.
    pub fn times(&self, other: &Jet, by: impl Fn(&Array, &Array) -> Array) -> Jet {
        self.grown(|set, _| self.coefficient_of_product(other, set, &by))
    }

    /// One coefficient of the product: of the set cut in two in every way.
    pub fn coefficient_of_product(
        &self,
        other: &Jet,
        set: usize,
        by: impl Fn(&Array, &Array) -> Array,
    ) -> Option<Array> {
        let part = |left: usize| Some(by(self.0[left].as_ref()?, other.0[set & !left].as_ref()?));
        (0..=set).filter(|left| left & !set == 0).filter_map(part).reduce(|sum, term| sum + term)
    }

    /// The coefficient of t₁⋯tₘ.
    pub fn last(&self, aval: &Aval) -> Array {
        self.0.last().cloned().flatten().unwrap_or_else(|| ops::zeros_of(aval))
    }
}
