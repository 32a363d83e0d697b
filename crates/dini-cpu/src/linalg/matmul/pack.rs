//! Operands of a product in the order in which its innermost loop reads them: a *strip* of B is some columns, row by row,
//! and a *panel* of A is some rows, column by column.

use super::Matrix;
use crate::linalg::{
    real::Real,
    transpose::{LANES, Part, Vectors, tiles},
};

/// Rows of a panel.
pub(super) const PANEL: usize = LANES;

/// Columns of a strip: three of the widest vectors.
pub(super) const fn width<T>() -> usize {
    3 * 64 / size_of::<T>()
}

/// Copies so many rows and columns of B; columns that are left are zero.
///
/// # Safety
/// B has them.
#[inline(always)]
pub(super) unsafe fn pack_strip<T: Real>(b: Matrix<T>, depth: usize, n_columns: usize, strip: &mut [T]) {
    let width = width::<T>();
    let rows = strip[..depth * width].chunks_exact_mut(width);
    // SAFETY: promised by the caller.
    unsafe {
        match b.strides {
            (stride, 1) if n_columns == width => {
                for (k, row) in rows.enumerate() {
                    row.copy_from_slice(std::slice::from_raw_parts(b.start.add(k * stride), width));
                }
            }
            (1, stride) if n_columns == width => {
                for column in (0..width).step_by(LANES) {
                    let runs = std::array::from_fn(|l| b.start.add((column + l) * stride).cast_mut());
                    let vectors = Vectors { start: strip[column..].as_mut_ptr(), stride: width };
                    tiles::<T, true>(runs, vectors, depth, Part::All);
                }
            }
            strides => {
                for (k, row) in rows.enumerate() {
                    for (column, x) in row.iter_mut().enumerate() {
                        *x =
                            if column < n_columns { *b.start.add(k * strides.0 + column * strides.1) } else { T::ZERO };
                    }
                }
            }
        }
    }
}

/// Copies so many rows and columns of A; rows that are left repeat the last one.
///
/// # Safety
/// A has them.
#[inline(always)]
pub(super) unsafe fn pack_panel<T: Real>(a: Matrix<T>, n_rows: usize, depth: usize, panel: &mut [T]) {
    let panel = &mut panel[..depth * PANEL];
    // SAFETY: promised by the caller.
    unsafe {
        match a.strides {
            (1, stride) if n_rows == PANEL => {
                for (k, column) in panel.chunks_exact_mut(PANEL).enumerate() {
                    column.copy_from_slice(std::slice::from_raw_parts(a.start.add(k * stride), PANEL));
                }
            }
            (stride, 1) => {
                let runs = std::array::from_fn(|r| a.start.add(r.min(n_rows - 1) * stride).cast_mut());
                tiles::<T, true>(runs, Vectors { start: panel.as_mut_ptr(), stride: PANEL }, depth, Part::All);
            }
            strides => {
                for (k, column) in panel.chunks_exact_mut(PANEL).enumerate() {
                    for (r, x) in column.iter_mut().enumerate() {
                        *x = *a.start.add(r.min(n_rows - 1) * strides.0 + k * strides.1);
                    }
                }
            }
        }
    }
}
