//! Vectorization for users: axes per leaf from a prefix of the argument's tree, one size for all.

use super::{Flat, FlatFn, sound};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    implicit::at_path,
    prim::{broadcast_lanes, move_axis},
    shape::normalize_axis,
    trace::{call_user, vmap_flat, with_location},
    tree::{Axes, IntoAxes, Outcome, Tree, flatten, unflatten},
};
use std::panic::Location;

/// Options of [`vmap_with`].
///
/// ```
/// use dini::prelude::*;
/// let scaled = vmap_with(Vmap::new().in_axes((0, None)), |(x, s): (Array, Array)| x * s);
/// let y = scaled((Array::from(vec![1.0, 2.0]), Array::from(10.0)))?;
/// assert_eq!(y.to_vec::<f64>()?, [10.0, 20.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vmap {
    in_axes: Axes,
    out_axes: Axes,
    size: Option<usize>,
}

impl Default for Vmap {
    fn default() -> Vmap {
        Vmap::new()
    }
}

impl Vmap {
    /// Every leaf of the argument and of the result on axis 0.
    pub fn new() -> Vmap {
        Vmap { in_axes: 0.into_axes(), out_axes: 0.into_axes(), size: None }
    }

    /// The axis of each leaf of the argument that holds the lanes, as a prefix of its tree; `None`: the same for all
    /// lanes.
    pub fn in_axes(mut self, axes: impl IntoAxes) -> Vmap {
        self.in_axes = axes.into_axes();
        self
    }

    /// Where the lanes of each leaf of the result go; `None`: the result must not depend on the lane.
    pub fn out_axes(mut self, axes: impl IntoAxes) -> Vmap {
        self.out_axes = axes.into_axes();
        self
    }

    /// The number of lanes, needed only where no argument has any.
    pub fn axis_size(mut self, size: usize) -> Vmap {
        self.size = Some(size);
        self
    }
}

fn fail(kind: ErrorKind, at: Loc, message: String) -> Error {
    Error::new(kind, message).op("vmap").at(at)
}

/// Axes of the leaves and the number of lanes.
fn lanes(
    at: Loc,
    leaves: &[Array],
    paths: &[String],
    axes: &[Option<isize>],
    given: Option<usize>,
) -> Result<(Vec<Option<usize>>, usize)> {
    let mut sizes: Vec<(usize, String)> = Vec::new();
    let axes = leaves
        .iter()
        .zip(axes)
        .zip(paths)
        .map(|((x, axis), path)| {
            let aval = x.try_aval()?;
            let Some(axis) = *axis else { return Ok(None) };
            let axis = normalize_axis(axis, aval.ndim()).map_err(|_| {
                fail(
                    ErrorKind::Index,
                    at,
                    format!("the argument{} is {aval} and has no axis {axis} to be mapped over", at_path(path)),
                )
                .help("leave it unmapped with `None` in `in_axes`")
            })?;
            sizes.push((aval.shape[axis], format!("the argument{}: {aval}, axis {axis}", at_path(path))));
            Ok(Some(axis))
        })
        .collect::<Result<Vec<_>>>()?;
    let Some(size) = given.or(sizes.first().map(|s| s.0)) else {
        return Err(fail(ErrorKind::Value, at, "no argument has an axis to be mapped over".into())
            .help("map at least one, or give `Vmap::new().axis_size(n)`"));
    };
    if sizes.iter().any(|s| s.0 != size) {
        let given = given.map(|n| format!("`axis_size` is {n}, but a mapped axis has another size"));
        let mut e = fail(ErrorKind::Shape, at, given.unwrap_or("the mapped axes have different sizes".into()));
        for (n, what) in sizes {
            e = e.detail(format!("{what} has size {n}"));
        }
        return Err(e);
    }
    Ok((axes, size))
}

fn vmap_user(
    at: Loc,
    size: usize,
    leaves: &[Array],
    axes: &[Option<usize>],
    f: FlatFn<'_>,
) -> Result<(Vec<Array>, Vec<Option<usize>>)> {
    vmap_flat("vmap", at, size, leaves, axes, |xs| call_user("vmap", at, || sound(f(xs)?)))
}

/// Maps a function over axis 0 of every leaf of its argument: all lanes are computed at once.
///
/// # Errors
/// Leaves whose mapped axes have different sizes, or none; each is named.
///
/// ```
/// use dini::prelude::*;
/// let dots = vmap(|(a, b): (Array, Array)| (a * b).sum());
/// let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(dots((x.clone(), x))?.to_vec::<f64>()?, [5.0, 25.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn vmap<In: Tree, R: Outcome>(f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    vmap_with(Vmap::new(), f)
}

/// [`vmap`] over chosen axes.
#[track_caller]
pub fn vmap_with<In: Tree, R: Outcome>(options: Vmap, f: impl Fn(In) -> R) -> impl Fn(In) -> Result<R::Tree> {
    let at = Location::caller();
    move |x| {
        let (leaves, in_def) = flatten(&x);
        let axes = options.in_axes.broadcast(&in_def, "in_axes").map_err(|e| e.op("vmap").at(at))?;
        let (axes, size) = lanes(at, &leaves, &in_def.leaf_paths(), &axes, options.size)?;
        let flat = Flat::new(&f, &in_def);
        let (outs, out_axes) = vmap_user(at, size, &leaves, &axes, &|xs| flat.call(xs))?;
        let out_def = flat.out_def();
        let wanted = options.out_axes.broadcast(&out_def, "out_axes").map_err(|e| e.op("vmap").at(at))?;
        let outs = sound(outs)?
            .into_iter()
            .zip(out_axes)
            .zip(wanted)
            .zip(out_def.leaf_paths())
            .map(|(((y, has), wants), path)| match (has, wants) {
                (has, Some(wants)) => {
                    let ndim = y.ndim() + usize::from(has.is_none());
                    let to = normalize_axis(wants, ndim).map_err(|_| {
                        let message = format!(
                            "`out_axes` puts the lanes of the result{} on axis {wants}, but with them it has {ndim} axes",
                            at_path(&path)
                        );
                        fail(ErrorKind::Index, at, message)
                    })?;
                    Ok(with_location(at, || match has {
                        Some(from) => move_axis(&y, from, to),
                        None => broadcast_lanes(&y, size, to),
                    }))
                }
                (None, None) => Ok(y),
                (Some(_), None) => Err(fail(
                    ErrorKind::Value,
                    at,
                    format!("the result{} differs from lane to lane, but `out_axes` says `None`", at_path(&path)),
                )),
            })
            .collect::<Result<Vec<_>>>()?;
        unflatten(&out_def, sound(outs)?)
    }
}
