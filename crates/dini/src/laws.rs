//! Laws: what must hold for every primitive and every transformation, checked on each primitive's samples.
//!
//! A [`Case`] is a function on flat lists of arrays, with operand types and ranges; a first-order primitive's cases come
//! from its rule sheet, those of primitives with sub-programs from [`programs`], where public functions make them. Each law
//! is one function on a case, and one test that runs it on all cases and lists every failure by primitive, sample and
//! law.
//!
//! Invariant: no law knows a primitive. What a primitive cannot do (no reverse mode) is a property of its case.

mod compiled;
mod coverage;
mod derivatives;
mod lanes;
mod programs;
mod sample;
mod transposition;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    prim::{Prim, all_samples},
    shape::Aval,
    testing::{Modes, random::Random},
    trace::bind_at,
    transform::{FlatFn, sound},
};
use sample::Spec;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    sync::Arc,
};

/// A function that every law is checked on.
pub(crate) struct Case {
    /// The primitive that it stands for.
    name: &'static str,
    /// Parameters and operands, for messages.
    sample: String,
    operands: Vec<Spec>,
    function: Arc<dyn Fn(&[Array]) -> Result<Vec<Array>>>,
    /// What the function binds, if that is all that it does.
    prim: Option<Prim>,
    /// Which kinds of differentiation it has.
    modes: Modes,
    /// How often it can be differentiated, as far as laws ask.
    order: usize,
}

impl Case {
    /// Random operands; different seeds give different values of the same types.
    fn operands(&self, seed: u64) -> Vec<Array> {
        let mut random = Random::new(seed);
        self.operands.iter().map(|s| s.array(&mut random)).collect()
    }

    fn call(&self, xs: &[Array]) -> Result<Vec<Array>> {
        sound((self.function)(xs)?)
    }

    fn f(&self) -> FlatFn<'_> {
        &*self.function
    }

    fn has_reverse(&self) -> bool {
        match self.modes {
            Modes::Forward => false,
            Modes::Reverse | Modes::Both => true,
        }
    }

    fn has_forward(&self) -> bool {
        match self.modes {
            Modes::Reverse => false,
            Modes::Forward | Modes::Both => true,
        }
    }

    /// Whether finite differences give its derivatives.
    fn is_differentiable(&self) -> bool {
        !DERIVATIVE_BY_DEFINITION.contains(&self.name)
    }

    /// Which operands vary: all together, then each alone.
    fn varying(&self) -> Vec<Vec<bool>> {
        subsets(&self.operands.iter().map(|s| s.aval.dtype.is_inexact()).collect::<Vec<_>>())
    }

    /// The same function on operands without elements: each extent in turn becomes 0 wherever it occurs, and the laws
    /// apply if the primitive admits that.
    fn emptied(&self) -> Vec<Case> {
        let mut extents: Vec<usize> = self.operands.iter().flat_map(|s| s.aval.shape.iter().copied()).collect();
        extents.sort_unstable();
        extents.dedup();
        let mut cases = Vec::new();
        for extent in extents.into_iter().filter(|&n| n > 0) {
            let operands: Vec<Spec> = self.operands.iter().map(|s| s.emptied(extent)).collect();
            let avals: Vec<Aval> = operands.iter().map(|s| s.aval.clone()).collect();
            if self.prim.as_ref().is_some_and(|p| p.infer(&avals).is_ok()) {
                cases.push(Case {
                    name: self.name,
                    sample: format!("{}, with extent {extent} now 0", self.sample),
                    operands,
                    function: self.function.clone(),
                    prim: self.prim.clone(),
                    modes: self.modes,
                    order: self.order,
                });
            }
        }
        cases
    }
}

/// All marked places together, then each of them alone.
fn subsets(marked: &[bool]) -> Vec<Vec<bool>> {
    let places: Vec<usize> = (0..marked.len()).filter(|&i| marked[i]).collect();
    let mut subsets = Vec::new();
    if places.len() > 1 {
        subsets.push(marked.to_vec());
    }
    subsets.extend(places.iter().map(|&place| (0..marked.len()).map(|i| i == place).collect()));
    subsets
}

/// Directions for the marked arrays.
fn directions(xs: &[Array], marked: &[bool], random: &mut Random) -> Vec<Option<Array>> {
    xs.iter().zip(marked).map(|(x, m)| if *m { random.direction(x.aval(), 1.0) } else { None }).collect()
}

/// The failure of a law.
fn broken(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// Relative rounding error that is admitted where two ways of computing the same thing are compared.
fn rounding(avals: impl IntoIterator<Item = Aval>) -> f64 {
    if avals.into_iter().any(|a| a.dtype == dini_cpu::dtype::DType::F32) { 1e-4 } else { 1e-9 }
}

fn avals_of(xs: &[Array]) -> Vec<Aval> {
    xs.iter().map(|x| x.aval().clone()).collect()
}

/// Primitives without a case of their own, and why.
const WITHOUT_SAMPLES: &[(&str, &str)] = &[
    ("late_error", "stands for a value that does not exist; tests of errors run it"),
    ("ldu", "computes what `cofactors` is composed of, whose cases run it"),
    ("custom_vjp_backward", "made by differentiating `custom_vjp`, whose cases run it"),
];

/// Primitives whose derivative is not that of their values, by definition.
const DERIVATIVE_BY_DEFINITION: &[&str] = &["stop_gradient", "taken"];

fn first_order() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, samples) in all_samples() {
        for (prim, text) in samples {
            let params = prim.params();
            let bound = prim.clone();
            let at = Location::caller();
            cases.push(Case {
                name,
                sample: format!("{params} {text:?}"),
                operands: sample::parse(text),
                function: Arc::new(move |xs: &[Array]| bind_at(&bound, xs, at)),
                prim: Some(prim),
                modes: Modes::Both,
                order: 2,
            });
        }
    }
    cases
}

fn cases() -> Vec<Case> {
    let mut cases = first_order();
    cases.extend(programs::cases());
    cases
}

/// Checks a law on cases, and fails with the list of all that break it.
fn check_on(law: &str, cases: &[Case], check: impl Fn(&Case) -> Result<()>) {
    let mut failures = Vec::new();
    for case in cases {
        let failure = match catch_unwind(AssertUnwindSafe(|| check(case))) {
            Ok(Ok(())) => continue,
            Ok(Err(e)) => e.to_string(),
            Err(payload) => match payload.downcast::<String>() {
                Ok(message) => format!("panicked: {message}"),
                Err(payload) => format!("panicked: {}", payload.downcast_ref::<&str>().unwrap_or(&"…")),
            },
        };
        failures.push(format!("`{}` {}: {law}:\n    {}", case.name, case.sample, failure.replace('\n', "\n    ")));
    }
    if !failures.is_empty() {
        panic!("{} of {} cases break the law\n{}", failures.len(), cases.len(), failures.join("\n"));
    }
}

fn check(law: &str, law_on_case: impl Fn(&Case) -> Result<()>) {
    check_on(law, &cases(), law_on_case);
}

#[test]
fn every_primitive_has_a_sample() {
    let programs = programs::cases();
    for (name, samples) in all_samples() {
        let known = !samples.is_empty() || programs.iter().any(|c| c.name == name);
        let excused = WITHOUT_SAMPLES.iter().any(|(other, _)| *other == name);
        assert!(known != excused, "`{name}` needs a sample, or a reason in `WITHOUT_SAMPLES` (and not both)");
    }
}

#[test]
fn inferred_types_are_the_actual_ones() {
    check("the inferred types are the actual ones", compiled::inferred_types);
}

#[test]
fn compiled_is_eager_bit_for_bit() {
    check("compiled = eager, bit for bit", compiled::compiled_is_eager);
}

#[test]
fn compiled_derivatives_are_eager_ones() {
    check("compiled derivatives = eager ones", compiled::compiled_derivatives);
}

#[test]
fn tangents_are_finite_differences() {
    check("tangent = finite difference", derivatives::tangents);
}

#[test]
fn second_derivatives_are_finite_differences() {
    check("second derivative = finite difference of the first", derivatives::second_order);
}

#[test]
fn orders_of_differentiation_commute() {
    check("reverse over forward = forward over reverse", derivatives::mixed_orders);
}

#[test]
fn cotangents_are_adjoint_to_tangents() {
    check("⟨ẏ, ȳ⟩ = ⟨ẋ, Jᵀȳ⟩", transposition::adjoint);
}

#[test]
fn transposition_rules_are_adjoint_in_each_operand() {
    check("⟨A ẋ, ȳ⟩ = ⟨ẋ, Aᵀ ȳ⟩ in each linear operand", |case| {
        transposition::own_rule(case).map(|_| ())
    });
    let mut applies: BTreeMap<&str, bool> = BTreeMap::new();
    for case in first_order().iter().filter(|case| transposition::has_own_rule(case)) {
        *applies.entry(case.name).or_default() |= transposition::own_rule(case).is_ok_and(|applies| applies);
    }
    let idle: Vec<_> = applies.into_iter().filter(|(_, applies)| !applies).collect();
    assert!(idle.is_empty(), "transposition rules that no sample uses: {idle:?}");
}

#[test]
fn lanes_are_computed_as_if_alone() {
    check("vmap = stacked loop", lanes::each_axis);
}

#[test]
fn nested_lanes_are_computed_as_if_alone() {
    check("vmap of vmap = stacked loops", lanes::nested);
}

#[test]
fn lanes_compose_with_differentiation_and_compilation() {
    check("vmap of jvp = jvp of vmap; compiled alike", lanes::composed);
}

#[test]
fn arrays_without_elements_obey_the_laws() {
    let empty: Vec<Case> = cases().iter().flat_map(Case::emptied).collect();
    assert!(empty.len() > 100, "only {} cases admit arrays without elements", empty.len());
    check_on("types, without elements", &empty, compiled::inferred_types);
    check_on("compiled = eager, without elements", &empty, compiled::compiled_is_eager);
    check_on("⟨ẏ, ȳ⟩ = ⟨ẋ, Jᵀȳ⟩, without elements", &empty, transposition::adjoint);
    check_on("transposition rule, without elements", &empty, |case| transposition::own_rule(case).map(|_| ()));
    check_on("vmap = stacked loop, without elements", &empty, lanes::each_axis);
}

#[test]
fn no_lanes_are_no_lanes() {
    check("vmap over no lanes gives no lanes", lanes::none);
}
