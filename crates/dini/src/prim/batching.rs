//! What batching rules share: moving the lane axis and giving lanes to operands that have none.

use crate::{array::Array, error::Result, ops};

/// Moves one axis of `x`; the others keep their order.
pub(crate) fn move_axis(x: &Array, from: usize, to: usize) -> Array {
    if from == to {
        return x.clone();
    }
    let mut order: Vec<usize> = (0..x.ndim()).filter(|&i| i != from).collect();
    order.insert(to, from);
    ops::permute(x, &order)
}

/// Repeats an operand that has no lanes along a new axis.
pub(crate) fn broadcast_lanes(x: &Array, size: usize, axis: usize) -> Array {
    let shape = x.aval().batched(axis, size).shape;
    let dims: Vec<usize> = (0..shape.len()).filter(|&i| i != axis).collect();
    ops::broadcast_in_dim(x, &shape, &dims)
}

/// The operand with its lanes on the leading axis, repeated if it has none.
pub(crate) fn to_front(x: &Array, axis: Option<usize>, size: usize) -> Array {
    match axis {
        Some(axis) => move_axis(x, axis, 0),
        None => broadcast_lanes(x, size, 0),
    }
}

/// [`to_front`] for each of some operands.
pub(crate) fn all_to_front(xs: &[Array], axes: &[Option<usize>], size: usize) -> Vec<Array> {
    xs.iter().zip(axes).map(|(x, axis)| to_front(x, *axis, size)).collect()
}

/// Aligns the operands of an elementwise primitive, whose operands have one shape or rank 0: afterwards all lanes are on
/// the returned axis, and operands of rank 0 without lanes are left alone.
pub fn batch_elementwise(size: usize, values: &[Array], axes: &[Option<usize>]) -> Result<(Vec<Array>, usize)> {
    let logical = |x: &Array, axis: Option<usize>| x.ndim() - usize::from(axis.is_some());
    let pairs = || values.iter().zip(axes.iter().copied());
    let rank = pairs().map(|(x, axis)| logical(x, axis)).max().unwrap_or(0);
    let full = pairs().find(|&(x, axis)| axis.is_some() && logical(x, axis) == rank);
    let axis = full.and_then(|(_, axis)| axis).unwrap_or(0);
    // The shape of a result, lanes included: taken from any operand of full rank.
    let shape = pairs()
        .find(|&(x, axis)| logical(x, axis) == rank)
        .map(|(x, own)| match own {
            Some(own) => move_axis(x, own, axis).aval().shape.clone(),
            None => x.aval().batched(axis, size).shape,
        })
        .unwrap_or_default();
    let aligned = pairs()
        .map(|(x, own)| match own {
            Some(own) if logical(x, Some(own)) == rank => move_axis(x, own, axis),
            Some(_) => ops::broadcast_in_dim(x, &shape, &[axis]),
            None if x.ndim() == rank && rank > 0 => broadcast_lanes(x, size, axis),
            None => x.clone(),
        })
        .collect();
    Ok((aligned, axis))
}
