//! Checks of derivatives and of values, for tests: yours and this library's own.
//!
//! [`check_grads`] compares the derivatives that transformations give with finite differences, to any order;
//! [`check_close`] compares two trees. Both return an error that names the leaf, the element and the two numbers.

pub(crate) mod difference;
pub(crate) mod random;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    shape::Aval,
    trace::{call_user, jvp_flat},
    transform::{Flat, FlatFn, concrete_tangent, linearize::linearize_flat, same_structure, sound},
    tree::{Outcome, Tree, flatten},
};
use difference::{Precision, compare, differences, inner, numbers};
use dini_cpu::{buffer::Buffer, graph::Graph};
use random::Random;
use std::{panic::Location, sync::Arc};

/// Which kinds of differentiation [`check_grads`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Modes {
    /// Forward mode ([`jvp`](crate::jvp)).
    Forward,
    /// Reverse mode ([`vjp`](crate::vjp)).
    Reverse,
    /// Each, and at higher orders every sequence of the two.
    Both,
}

impl Modes {
    fn forward(self) -> bool {
        match self {
            Modes::Forward | Modes::Both => true,
            Modes::Reverse => false,
        }
    }

    fn reverse(self) -> bool {
        match self {
            Modes::Reverse | Modes::Both => true,
            Modes::Forward => false,
        }
    }
}

/// Compares the derivatives of `f` at `x`, up to the given order, with finite differences along random directions.
///
/// Forward mode is checked on all leaves together, reverse mode on each leaf of `x` alone. Orders above the first check
/// the derivative as a function, of the point and of the direction, in the same way. Directions are the same in every
/// run. The step is 10⁻⁴ of a leaf's largest element (at least of 1), and numbers may differ by 10⁻⁶ of that size; if any
/// leaf of the argument or of the result is `f32`, 1/64 and 2·10⁻³. Discrete leaves are left alone.
///
/// `f` must be smooth around `x`, and as exact as its types: an iterative solver converged to 10⁻⁸ is too coarse.
/// Values must be concrete: it works outside of `jit` and `vmap`.
///
/// # Errors
/// A difference, with the mode, the order, the leaf, the element and both numbers; whatever `f` returns.
///
/// ```
/// use dini::prelude::*;
/// use dini::testing::{Modes, check_grads};
///
/// let loss = |(w, b): (Array, Array)| (w.sin() * &b).sum();
/// let at = (Array::from(vec![0.3, -1.2]), Array::from(2.0));
/// check_grads(loss, at, 2, Modes::Both)?;
///
/// let wrong = |x: Array| custom_jvp(|x: Array| x.sin(), |x: Array, t: Array| (x.sin(), x.sin() * t))(x);
/// let error = check_grads(wrong, Array::from(1.0), 1, Modes::Forward).unwrap_err();
/// assert!(error.to_string().contains("forward mode, order 1: the tangent of the result"));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn check_grads<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: In, order: usize, modes: Modes) -> Result<()> {
    let at = Location::caller();
    let (leaves, def) = flatten(&x);
    if !leaves.iter().any(|x| x.try_aval().is_ok_and(|aval| aval.dtype.is_inexact())) {
        return Err(fail("the argument has no floating-point leaf: there is nothing to check".into())
            .op("check_grads")
            .at(at));
    }
    let flat = Flat::new(&f, &def);
    let call = |xs: &[Array]| flat.call(xs);
    let arguments = def.leaf_paths().into_iter().map(|path| format!("the argument{path}")).collect();
    let results = || flat.out_def().leaf_paths().into_iter().map(|path| format!("the result{path}")).collect();
    check_flat(at, &call, &leaves, arguments, &results, order, modes).map_err(|e| e.op("check_grads").at(at))
}

/// Compares two trees of the same structure, shapes and dtypes: |got − want| ≤ tolerance · (1 + |value|), for each
/// element. NaN agrees with NaN.
///
/// # Errors
/// The first difference: of structure, of type, or of an element, with its leaf and both numbers.
///
/// ```
/// use dini::prelude::*;
/// use dini::testing::check_close;
/// let third = Array::from(1.0) / 3.0;
/// check_close(&(&third * 3.0), &Array::from(1.0), 1e-15)?;
/// let error = check_close(&(third, ()), &(Array::from(0.5), ()), 1e-6).unwrap_err();
/// assert!(error.to_string().contains("leaf.0 is 0.333"));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn check_close<T: Tree>(got: &T, want: &T, tolerance: f64) -> Result<()> {
    const NAME: &str = "check_close";
    let at = Location::caller();
    let ((a, a_def), (b, b_def)) = (flatten(got), flatten(want));
    same_structure(NAME, at, "the first tree", &a_def, &b_def)?;
    let names: Vec<String> = a_def.leaf_paths().iter().map(|path| format!("leaf{path}")).collect();
    close(&names, &a, &b, "expected", tolerance).map_err(|e| e.op(NAME).at(at))
}

/// Compares leaf by leaf.
pub(crate) fn close(names: &[String], got: &[Array], want: &[Array], by: &str, tolerance: f64) -> Result<()> {
    if got.len() != want.len() {
        return Err(fail(format!("there are {} leaves, {by} {}", got.len(), want.len())));
    }
    for ((a, b), name) in got.iter().zip(want).zip(names) {
        let (aval, other) = (a.try_aval()?, b.try_aval()?);
        if aval != other {
            return Err(fail(format!("{name} is {aval}, {by} {other}")));
        }
        compare(name, &aval.shape, &numbers(a)?, by, &numbers(b)?, tolerance)?;
    }
    Ok(())
}

/// The engine's graph of what `jit` would run on `x`, and its inputs: for tests of the engine.
#[doc(hidden)]
#[track_caller]
pub fn lowered<In: Tree, R: Outcome>(f: impl Fn(In) -> R, x: &In) -> Result<(Graph, Vec<Arc<Buffer>>)> {
    crate::explain::lowered("lowered", f, x)
}

fn fail(message: String) -> Error {
    Error::new(ErrorKind::Value, message)
}

/// [`check_grads`] of a flat function; `results` gives the names of its results once it has run.
pub(crate) fn check_flat(
    at: Loc,
    f: FlatFn<'_>,
    xs: &[Array],
    arguments: Vec<String>,
    results: &dyn Fn() -> Vec<String>,
    order: usize,
    modes: Modes,
) -> Result<()> {
    let mut check = Check { at, modes, order, random: Random::new(order as u64) };
    check.run(f, xs, &arguments, results, 1, "")
}

struct Check {
    at: Loc,
    modes: Modes,
    order: usize,
    random: Random,
}

impl Check {
    /// Checks `f`, a derivative of order `level` − 1 of the user's function, which came about by `path`.
    fn run(
        &mut self,
        f: FlatFn<'_>,
        xs: &[Array],
        arguments: &[String],
        results: &dyn Fn() -> Vec<String>,
        level: usize,
        path: &str,
    ) -> Result<()> {
        if self.order < level {
            return Ok(());
        }
        let at = self.at;
        let f = |xs: &[Array]| call_user("check_grads", at, || f(xs));
        let ys = sound(f(xs)?)?;
        let results = results();
        let avals: Vec<Aval> = xs.iter().chain(&ys).map(|x| x.aval().clone()).collect();
        let probe =
            Probe { at, f: &f, xs, ys: &ys, arguments, results: &results, precision: Precision::of(&avals, level) };
        if self.modes.forward() {
            let mode = format!("forward mode{path}");
            let ts = probe.forward(&mut self.random, &format!("{mode}, order {level}"))?;
            let n = xs.len();
            let derivative = |args: &[Array]| {
                let mut given = args[n..].iter().cloned();
                let ts: Vec<Option<Array>> = ts.iter().map(|t| t.as_ref().and_then(|_| given.next())).collect();
                let (ys, ts) = jvp_flat("check_grads", at, &args[..n], &ts, f)?;
                let ys = sound(ys)?;
                let tangents = ys.iter().zip(ts).filter(|(y, _)| y.dtype().is_inexact());
                let tangents: Vec<Array> = tangents.map(|(y, t)| concrete_tangent(t, y.aval())).collect();
                Ok([ys, tangents].concat())
            };
            let args: Vec<Array> = xs.iter().chain(ts.iter().flatten()).cloned().collect();
            let arguments = with_derivatives("tangent", arguments, ts.iter().map(Option::is_some));
            let results = || with_derivatives("tangent", &results, ys.iter().map(|y| y.dtype().is_inexact()));
            self.run(&derivative, &args, &arguments, &results, level + 1, &format!(" of {mode}"))?;
        }
        if self.modes.reverse() {
            let mode = format!("reverse mode{path}");
            let cts = probe.reverse(&mut self.random, &format!("{mode}, order {level}"))?;
            let n = xs.len();
            let varies: Vec<bool> = xs.iter().map(|x| x.dtype().is_inexact()).collect();
            let derivative = |args: &[Array]| {
                let mut given = args[n..].iter().cloned();
                let cts: Vec<Option<Array>> = cts.iter().map(|t| t.as_ref().and_then(|_| given.next())).collect();
                let back = linearize_flat("check_grads", at, &args[..n], &varies, &f)?.transpose(&cts)?;
                let of_varying = back.into_iter().zip(xs).filter(|(_, x)| x.dtype().is_inexact());
                Ok(of_varying.map(|(ct, x)| concrete_tangent(ct, x.aval())).collect())
            };
            let args: Vec<Array> = xs.iter().chain(cts.iter().flatten()).cloned().collect();
            let names = with_derivatives("cotangent", &results, cts.iter().map(Option::is_some));
            let arguments = [arguments, &names[results.len()..]].concat();
            let back = with_derivatives("cotangent", probe.arguments, varies.iter().copied());
            let results = || back[n..].to_vec();
            self.run(&derivative, &args, &arguments, &results, level + 1, &format!(" of {mode}"))?;
        }
        Ok(())
    }
}

/// The names, and those of the tangents or cotangents of the marked ones.
fn with_derivatives(what: &str, names: &[String], marked: impl Iterator<Item = bool>) -> Vec<String> {
    let derivatives = names.iter().zip(marked).filter(|(_, m)| *m).map(|(name, _)| format!("the {what} of {name}"));
    names.iter().cloned().chain(derivatives).collect()
}

/// A function at a point, to be compared with its finite differences.
pub(crate) struct Probe<'a> {
    pub at: Loc,
    pub f: FlatFn<'a>,
    pub xs: &'a [Array],
    pub ys: &'a [Array],
    pub arguments: &'a [String],
    pub results: &'a [String],
    pub precision: Precision,
}

const DIFFERENCES: &str = "finite differences give";

impl Probe<'_> {
    /// A direction for each leaf that varies, of the leaf's size.
    fn directions(&self, random: &mut Random) -> Result<Vec<Option<Array>>> {
        let size = |x: &Array| -> Result<f64> {
            let largest = numbers(x)?.into_iter().filter(|x| x.is_finite()).map(f64::abs).fold(1.0, f64::max);
            Ok(largest)
        };
        self.xs
            .iter()
            .map(|x| if x.dtype().is_inexact() { Ok(random.direction(x.aval(), size(x)?)) } else { Ok(None) })
            .collect()
    }

    /// Checks tangents along a random direction, and returns the direction.
    fn forward(&self, random: &mut Random, mode: &str) -> Result<Vec<Option<Array>>> {
        let ts = self.directions(random)?;
        self.forward_along(&ts, mode)?;
        Ok(ts)
    }

    /// Checks tangents along `ts`.
    pub fn forward_along(&self, ts: &[Option<Array>], mode: &str) -> Result<()> {
        let Precision { step, tolerance } = self.precision;
        let (ys, tangents) = jvp_flat("check_grads", self.at, self.xs, ts, self.f)?;
        let names: Vec<String> = self.results.iter().map(|name| format!("{mode}: {name}")).collect();
        close(&names, &sound(ys)?, self.ys, "without differentiation", tolerance)?;
        let want = differences(self.f, self.xs, ts, step)?;
        for (((t, y), want), name) in tangents.into_iter().zip(self.ys).zip(want).zip(self.results) {
            if let Some(want) = want {
                let got = numbers(&concrete_tangent(t, y.aval()))?;
                let what = format!("{mode}: the tangent of {name}");
                compare(&what, y.shape(), &got, DIFFERENCES, &want, tolerance)?;
            }
        }
        Ok(())
    }

    /// Checks cotangents from a random cotangent of the results, and returns the latter.
    fn reverse(&self, random: &mut Random, mode: &str) -> Result<Vec<Option<Array>>> {
        let Precision { step, tolerance } = self.precision;
        let cts: Vec<Option<Array>> = self.ys.iter().map(|y| random.direction(y.aval(), 1.0)).collect();
        let varies: Vec<bool> = self.xs.iter().map(|x| x.dtype().is_inexact()).collect();
        let back = linearize_flat("check_grads", self.at, self.xs, &varies, self.f)?.transpose(&cts)?;
        let directions = self.directions(random)?;
        for (i, (direction, name)) in directions.iter().zip(self.arguments).enumerate() {
            if direction.is_none() {
                continue;
            }
            // ⟨x̄, ẋ⟩ = ⟨ȳ, ẏ⟩, with ẏ by finite differences along this leaf alone.
            let mut alone = vec![None; self.xs.len()];
            alone[i] = direction.clone();
            let (got, _) = inner(&back[i..=i], &alone[i..=i])?;
            let mut want = 0.0;
            for (ct, difference) in cts.iter().zip(differences(self.f, self.xs, &alone, step)?) {
                if let (Some(ct), Some(difference)) = (ct, difference) {
                    want += numbers(ct)?.iter().zip(difference).map(|(ct, d)| ct * d).sum::<f64>();
                }
            }
            let what = format!("{mode}: the cotangent of {name} along a direction");
            compare(&what, &[], &[got], DIFFERENCES, &[want], tolerance)?;
        }
        Ok(cts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, custom_vjp, select};

    fn wrong_for_b((a, b): (Array, Array)) -> Result<(Array, Array)> {
        custom_vjp(
            |(a, b): (Array, Array)| (a.sin() * &b, a),
            |(a, b): (Array, Array)| ((a.sin() * &b, a.clone()), (a, b)),
            |(a, b): (Array, Array), (y, z): (Array, Array)| (a.cos() * &b * &y + z, a.cos() * y),
        )((a, b))
    }

    #[test]
    fn a_wrong_cotangent_is_named() {
        let at = (Array::from(vec![0.3, 0.7]), Array::from(vec![1.5, -2.0]));
        let error = check_grads(wrong_for_b, at, 1, Modes::Reverse).unwrap_err().to_string();
        assert!(
            error.contains("reverse mode, order 1: the cotangent of the argument.1 along a direction is"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_second_derivative_is_named() {
        // The derivative is right, its derivative is not.
        let f = |x: Array| {
            crate::custom_jvp(|x: Array| x.sin(), |x: Array, t: Array| (x.sin(), crate::stop_gradient(&x.cos()) * t))(x)
        };
        check_grads(f, Array::from(0.4), 1, Modes::Both).unwrap();
        let error = check_grads(f, Array::from(0.4), 2, Modes::Both).unwrap_err().to_string();
        assert!(error.contains("forward mode of forward mode, order 2: the tangent of the tangent of"), "{error}");
    }

    #[test]
    fn discrete_leaves_and_single_precision() {
        let f = |(x, mask): (Array, Array)| (select(&mask, &x.exp(), &x), mask);
        let x = Array::from(vec![0.5f32, -1.0]);
        check_grads(f, (x, Array::from(vec![true, false])), 2, Modes::Both).unwrap();
        check_grads(|x: Array| x.cast(DType::F32).sin(), Array::from(0.5), 2, Modes::Both).unwrap();
        let nothing = check_grads(|x: Array| x, Array::from(3), 2, Modes::Both).unwrap_err();
        assert!(nothing.to_string().contains("nothing to check"), "{nothing}");
        check_grads(|x: Array| x.sin(), Array::zeros(&[0, 2], DType::F64), 2, Modes::Both).unwrap();
    }

    #[test]
    fn errors_of_the_function_come_through() {
        let f = |x: Array| -> Result<Array> { x.item::<f64>().map(Array::from) };
        assert_eq!(check_grads(f, Array::from(1.0), 1, Modes::Forward).unwrap_err().kind(), ErrorKind::Concretization);
    }
}
