//! Right-hand sides of linear systems, brought to one form: columns of matrices.

use super::{same_dtype, shape_error, spread, square};
use crate::{
    array::Array,
    error::Result,
    ops::{self, reshape},
    shape::{Aval, broadcast_shapes},
};

/// Right-hand sides as `batch + [n, k]`.
pub(super) struct Sides {
    /// The leading extents of the sides, which the matrices must be given too.
    pub batch: Vec<usize>,
    /// The sides.
    pub columns: Array,
    restore: Restore,
}

/// The way back from columns to the shape that the caller gave.
enum Restore {
    Unchanged,
    /// One vector.
    Vector,
    /// Many sides for one matrix, which became more of its columns: their shape with the rows in front.
    Folded(Vec<usize>),
}

impl Sides {
    /// Sides `[n]` or `[.., n, k]` for matrices `[.., n, n]`; leading axes broadcast.
    pub fn new(a: &Aval, b: &Array) -> Result<Sides> {
        let (batch, n) = square(a)?;
        let side = b.try_aval()?;
        same_dtype(a, side)?;
        if side.shape[side.ndim().saturating_sub(2)..].first() != Some(&n) {
            let error = shape_error(format!("got right-hand sides {side} for {a}: expected [{n}] or [.., {n}, k]"));
            return Err(match side.shape.last() {
                Some(&last) if last == n => error.help("give a batch of vectors a last axis of extent 1"),
                _ => error,
            });
        }
        if side.ndim() == 1 {
            let columns = ops::broadcast_in_dim(b, &[batch, &[n, 1]].concat(), &[batch.len()]);
            return Ok(Sides { batch: batch.to_vec(), columns, restore: Restore::Vector });
        }
        let (lead, k) = (&side.shape[..side.ndim() - 2], side.shape[side.ndim() - 1]);
        if batch.is_empty() && !lead.is_empty() {
            let forth: Vec<usize> = [lead.len()].into_iter().chain(0..lead.len()).chain([lead.len() + 1]).collect();
            let folded = ops::permute(b, &forth);
            let columns = reshape(&folded, &[n, lead.iter().product::<usize>() * k]);
            return Ok(Sides {
                batch: Vec::new(),
                columns,
                restore: Restore::Folded(folded.check()?.shape().to_vec()),
            });
        }
        let common = broadcast_shapes(batch, lead)?.to_vec();
        let columns = spread(b, &common, 2);
        Ok(Sides { batch: common, columns, restore: Restore::Unchanged })
    }

    /// A solution of the shape of the columns in the shape of the caller's sides.
    pub fn restore(&self, x: &Array) -> Array {
        match &self.restore {
            Restore::Unchanged => x.clone(),
            Restore::Vector => match x.try_shape() {
                Ok([shape @ .., _]) => reshape(x, shape),
                Ok([]) | Err(_) => x.clone(),
            },
            Restore::Folded(shape) => {
                let n_lead = shape.len() - 2;
                let back: Vec<usize> = (1..=n_lead).chain([0, n_lead + 1]).collect();
                ops::permute(&reshape(x, shape), &back)
            }
        }
    }
}
