//! Products of large matrices: C = A B, or C −= A B in factorizations.
//!
//! The loops are those of Goto and van de Geijn (2008): a part of the sums, a block of B that stays in the second-level
//! cache, eight rows of A that stay in the first, and of these blocks of C in registers. What would not be found again in
//! the cache where it stands is copied first ([`pack`]).
//!
//! Invariant: each element of C is one sum, from its first product to its last ([`super::block`]). So no bit depends on
//! blocks, on other rows and columns, or on which thread computes what.

mod pack;

use super::{
    block::{add_products, load, store},
    real::Real,
    scratch::Scratch,
    vector::{Kernel, MAX_LEN, Vector, by_level},
};
use crate::{interrupt, pool};
use pack::{PANEL, pack_panel, pack_strip, width};
use std::ops::Range;

/// Products of a sum that are computed at a time.
const DEPTH: usize = 256;

/// A block of B of so many bytes stays in the second-level cache beside others.
const BLOCK: usize = 512 * 1024;

/// Less than so many bytes of B are read where they stand: all of it stays in the second-level cache. So is what is read
/// once.
const SMALL: usize = 1024 * 1024;

/// Less than so many bytes of A are read where they stand though its columns are contiguous: they stay in the first-level
/// cache. (Rows are read in order, eight of them side by side. Copying them takes longer than it saves: measured.)
const SMALL_COLUMNS: usize = 32 * 1024;

/// Rows for which blocks of B are copied once: copies of A's columns need no more than a few megabytes.
const ROWS_TOGETHER: usize = 2048;

/// About how long a product and a sum take, in nanoseconds for each byte of an element.
const NS_PER_BYTE: f64 = 0.0044;

/// Parts for each thread, so that all end at about the same time.
const PARTS_PER_THREAD: usize = 4;

/// What becomes of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// C = A B
    Replace,
    /// C −= A B
    Subtract,
}

/// A matrix in memory: where it starts, and elements from row to row and from column to column.
#[derive(Clone, Copy)]
pub(super) struct Matrix<T> {
    pub start: *const T,
    pub strides: (usize, usize),
}

impl<T> Matrix<T> {
    /// What begins at this row and column.
    #[inline(always)]
    pub fn at(self, row: usize, column: usize) -> Matrix<T> {
        let start = self.start.wrapping_add(row * self.strides.0 + column * self.strides.1);
        Matrix { start, strides: self.strides }
    }
}

/// A product to be computed, of any shape.
#[derive(Clone, Copy)]
pub(super) struct Matmul<T> {
    pub n_rows: usize,
    pub depth: usize,
    pub n_columns: usize,
    pub a: Matrix<T>,
    pub b: Matrix<T>,
    /// Rows of C are contiguous and so many elements apart.
    pub c: *mut T,
    pub c_stride: usize,
    pub update: Update,
}

// SAFETY: whoever runs it promises that nobody else uses C or changes A and B.
unsafe impl<T: Send + Sync> Sync for Matmul<T> {}

impl<T: Real> Matmul<T> {
    /// Computes it, on several threads where that pays.
    ///
    /// # Safety
    /// All elements of A and B, and of C, lie in memory that can be read, and written; nobody else uses C or changes A and
    /// B meanwhile, and C is apart from both.
    pub unsafe fn run(&self) {
        let n_products = self.n_rows as f64 * self.n_columns as f64 * self.depth as f64;
        let worth = n_products * size_of::<T>() as f64 * NS_PER_BYTE / pool::WORTHWHILE;
        let n_parts = (worth as usize).min(PARTS_PER_THREAD * pool::num_threads());
        if n_parts < 2 || pool::num_threads() == 1 {
            // SAFETY: promised by the caller.
            return unsafe { self.run_alone() };
        }
        // As square as can be: what is copied for a part grows with its sides.
        let n_row_parts = (n_parts as f64 * self.n_rows as f64 / self.n_columns as f64).sqrt() as usize;
        let rows = Cuts::new(self.n_rows, n_row_parts.clamp(1, n_parts), PANEL);
        let columns = Cuts::new(self.n_columns, n_parts.div_ceil(rows.n_parts), width::<T>());
        pool::for_each(rows.n_parts * columns.n_parts, &|part| {
            // SAFETY: promised by the caller; parts of C do not overlap.
            unsafe { self.part(rows.range(part / columns.n_parts), columns.range(part % columns.n_parts)) }
        });
    }

    /// Computes it on this thread.
    ///
    /// # Safety
    /// As for [`Matmul::run`].
    pub unsafe fn run_alone(&self) {
        // SAFETY: promised by the caller.
        unsafe { self.part(0..self.n_rows, 0..self.n_columns) }
    }

    /// Computes a part of C.
    ///
    /// # Safety
    /// As for [`Matmul::run`].
    unsafe fn part(&self, rows: Range<usize>, columns: Range<usize>) {
        if columns.is_empty() {
            return;
        }
        for first in rows.clone().step_by(ROWS_TOGETHER) {
            let part = Matmul {
                n_rows: ROWS_TOGETHER.min(rows.end - first),
                n_columns: columns.len(),
                a: self.a.at(first, 0),
                b: self.b.at(0, columns.start),
                c: self.c.wrapping_add(first * self.c_stride + columns.start),
                ..*self
            };
            match self.update {
                Update::Replace => by_level(Loops::<T, false>(part)),
                Update::Subtract => by_level(Loops::<T, true>(part)),
            }
        }
    }
}

/// A range in parts of about the same number of units, the last of which may not be whole.
struct Cuts {
    n: usize,
    n_parts: usize,
    unit: usize,
}

impl Cuts {
    fn new(n: usize, n_parts: usize, unit: usize) -> Cuts {
        Cuts { n, n_parts: n_parts.min(n.div_ceil(unit)), unit }
    }

    fn range(&self, part: usize) -> Range<usize> {
        let n_units = self.n.div_ceil(self.unit);
        let cut = |part: usize| self.n.min(part * n_units / self.n_parts * self.unit);
        cut(part)..cut(part + 1)
    }
}

/// The loops over one part.
struct Loops<T, const SUBTRACT: bool>(Matmul<T>);

impl<T: Real, const SUBTRACT: bool> Kernel<T> for Loops<T, SUBTRACT> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize>(self) {
        let Matmul { n_rows, depth: whole_depth, n_columns, a, b, c, c_stride, .. } = self.0;
        let (width, bytes) = (width::<T>(), size_of::<T>());
        assert!(PANEL.is_multiple_of(ROWS) && width.is_multiple_of(3 * V::LEN) && V::LEN <= MAX_LEN);
        // What is copied is filled up to whole strips and panels, and so is what could not be read in whole vectors and
        // blocks where it stands.
        let is_read_again = n_rows > PANEL && whole_depth * n_columns * bytes >= SMALL;
        let are_strips_packed = b.strides.1 != 1 || is_read_again || !n_columns.is_multiple_of(V::LEN);
        let are_panels_packed = a.strides.1 != 1 && n_rows * whole_depth * bytes >= SMALL_COLUMNS;
        let depth_together = whole_depth.min(DEPTH);
        let columns_together = n_columns.min(BLOCK / (DEPTH * width * bytes) * width);
        let (strip_len, panel_len) = (depth_together * width, depth_together * PANEL);
        let n_strips = if are_strips_packed { columns_together.div_ceil(width) } else { 0 };
        let n_panels = if are_panels_packed { n_rows.div_ceil(PANEL) } else { 1 };
        let (mut strips, mut panels) =
            (Scratch::<T>::new(n_strips * strip_len), Scratch::<T>::new(n_panels * panel_len));
        for first in (0..whole_depth).step_by(DEPTH) {
            let depth = DEPTH.min(whole_depth - first);
            let packed_from = if are_panels_packed { 0 } else { n_rows - n_rows % PANEL };
            for (row, panel) in (packed_from..n_rows).step_by(PANEL).zip(panels.chunks_exact_mut(panel_len)) {
                // SAFETY: so many rows and columns of A.
                unsafe { pack_panel(a.at(row, first), PANEL.min(n_rows - row), depth, panel) };
            }
            for first_column in (0..n_columns).step_by(columns_together) {
                let columns = first_column..n_columns.min(first_column + columns_together);
                let starts = columns.clone().step_by(width);
                for (column, strip) in starts.clone().zip(strips.chunks_exact_mut(strip_len)) {
                    // SAFETY: so many rows and columns of B.
                    unsafe { pack_strip(b.at(first, column), depth, width.min(columns.end - column), strip) };
                }
                let ns = (PANEL * columns.len() * depth * bytes) as f64 * NS_PER_BYTE;
                for row in (0..n_rows).step_by(PANEL) {
                    if interrupt::must_cut(ns as u32) {
                        return;
                    }
                    let a = match row.checked_sub(packed_from) {
                        Some(row) => Matrix { start: panels[row / PANEL * panel_len..].as_ptr(), strides: (1, PANEL) },
                        None => a.at(row, first),
                    };
                    for (idx, column) in starts.clone().enumerate() {
                        let b = match are_strips_packed {
                            true => (strips[idx * strip_len..].as_ptr(), width),
                            false => (b.at(first, column).start, b.strides.0),
                        };
                        let tiles = Tiles { depth, a, b, c_stride, is_first: first == 0 };
                        let shape = (PANEL.min(n_rows - row), width.min(columns.end - column));
                        // SAFETY: promised by the caller.
                        unsafe { tiles.run::<V, ROWS, SUBTRACT>(shape, c.wrapping_add(row * c_stride + column)) };
                    }
                }
            }
        }
    }
}

/// A panel of A by a strip of B.
#[derive(Clone, Copy)]
struct Tiles<T> {
    depth: usize,
    a: Matrix<T>,
    /// Where it starts, and from row to row.
    b: (*const T, usize),
    c_stride: usize,
    /// Sums begin here.
    is_first: bool,
}

impl<T: Real> Tiles<T> {
    /// So many rows and columns of C.
    ///
    /// # Safety
    /// A has rows of whole blocks and B columns of whole vectors; C as many as there are. As for [`Vector`]. To be inlined
    /// always, here and below.
    #[inline(always)]
    unsafe fn run<V: Vector<Element = T>, const ROWS: usize, const SUBTRACT: bool>(
        self,
        (n_rows, n_columns): (usize, usize),
        c: *mut T,
    ) {
        for row in (0..n_rows).step_by(ROWS) {
            let mut column = 0;
            while column < n_columns {
                let tiles = Tiles { a: self.a.at(row, 0), b: (self.b.0.wrapping_add(column), self.b.1), ..self };
                let c = c.wrapping_add(row * self.c_stride + column);
                let (n_rows, n_left) = (n_rows - row, n_columns - column);
                let n_vectors = if n_rows < ROWS { 0 } else { n_left / V::LEN };
                // SAFETY: promised by the caller.
                unsafe {
                    match n_vectors {
                        0 => tiles.edge::<V, ROWS, SUBTRACT>((n_rows.min(ROWS), n_left.min(V::LEN)), c),
                        1 => tiles.tile::<V, ROWS, 1, SUBTRACT>(c),
                        2 => tiles.tile::<V, ROWS, 2, SUBTRACT>(c),
                        _ => tiles.tile::<V, ROWS, 3, SUBTRACT>(c),
                    }
                }
                column += n_vectors.clamp(1, 3) * V::LEN;
            }
        }
    }

    /// # Safety
    /// As for [`Tiles::run`].
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = T>, const ROWS: usize, const C: usize, const SUBTRACT: bool>(self, c: *mut T) {
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = if self.is_first && !SUBTRACT {
                [[V::splat(T::ZERO); C]; ROWS]
            } else {
                load::<V, ROWS, C>(c, self.c_stride)
            };
            add_products::<V, ROWS, C, SUBTRACT>(&mut sums, self.depth, (self.a.start, self.a.strides), self.b);
            store(&sums, c, self.c_stride);
        }
    }

    /// A block of which C has only some rows and columns: in memory of its own.
    ///
    /// # Safety
    /// As for [`Tiles::run`].
    #[inline(always)]
    unsafe fn edge<V: Vector<Element = T>, const ROWS: usize, const SUBTRACT: bool>(
        self,
        (n_rows, n_columns): (usize, usize),
        c: *mut T,
    ) {
        let mut block = [[T::ZERO; MAX_LEN]; PANEL];
        let place = |row: usize, column: usize| c.wrapping_add(row * self.c_stride + column);
        // SAFETY: promised by the caller; the block has as many rows and columns.
        unsafe {
            for (row, block) in block.iter_mut().enumerate().take(n_rows) {
                for (column, x) in block.iter_mut().enumerate().take(n_columns) {
                    *x = *place(row, column);
                }
            }
            let tiles = Tiles { c_stride: MAX_LEN, ..self };
            tiles.tile::<V, ROWS, 1, SUBTRACT>(block.as_mut_ptr().cast());
            for (row, block) in block.iter().enumerate().take(n_rows) {
                for (column, x) in block.iter().enumerate().take(n_columns) {
                    *place(row, column) = *x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::level::at_each_level;

    /// Around the edges of blocks, panels, strips and what is copied: rows, products of a sum, columns.
    const SHAPES: [(usize, usize, usize); 12] = [
        (1, 1, 1),
        (8, 8, 8),
        (7, 9, 11),
        (16, 16, 16),
        (65, 3, 47),
        (9, 257, 49),
        (33, 130, 64),
        (100, 300, 25),
        (3, 513, 24),
        (24, 520, 260),
        (0, 4, 4),
        (4, 4, 0),
    ];

    /// Row-major or column-major.
    fn stored<T: Real>(matrix: &[T], (n_rows, n_columns): (usize, usize), strides: (usize, usize)) -> Matrix<T> {
        assert!(strides == (n_columns, 1) || strides == (1, n_rows));
        Matrix { start: matrix.as_ptr(), strides }
    }

    #[track_caller]
    fn check<T: Real>(convert: impl Fn(f64) -> T, widen: impl Fn(T) -> f64, epsilon: f64) {
        let numbers = |n: usize, step: f64| (0..n).map(|i| convert((i as f64 * step).sin())).collect::<Vec<T>>();
        for (m, k, n) in SHAPES {
            let (a, b) = (numbers(m * k, 0.7), numbers(k * n, 1.3));
            for layout in 0..4 {
                let a_strides = if layout & 1 == 0 { (k, 1) } else { (1, m) };
                let b_strides = if layout & 2 == 0 { (n, 1) } else { (1, k) };
                for update in [Update::Replace, Update::Subtract] {
                    let mut whole = vec![T::ONE; m * n];
                    let mut product = Matmul {
                        n_rows: m,
                        depth: k,
                        n_columns: n,
                        a: stored(&a, (m, k), a_strides),
                        b: stored(&b, (k, n), b_strides),
                        c: whole.as_mut_ptr(),
                        c_stride: n,
                        update,
                    };
                    // SAFETY: vectors of these shapes.
                    unsafe { product.run_alone() };
                    let mut parts = vec![T::ONE; m * n];
                    product.c = parts.as_mut_ptr();
                    let (rows, columns) = (Cuts::new(m, 3, 1), Cuts::new(n, 5, 1));
                    for part in 0..rows.n_parts * columns.n_parts {
                        // SAFETY: as above.
                        unsafe {
                            product.part(rows.range(part / columns.n_parts), columns.range(part % columns.n_parts))
                        };
                    }
                    assert!(whole == parts, "{m} × {k} × {n} in parts, layout {layout}, {update:?}");
                    for (at, &got) in whole.iter().enumerate() {
                        let (i, j) = (at / n, at % n);
                        let factor = |p: usize| widen(a[i * a_strides.0 + p * a_strides.1]);
                        let sum: f64 = (0..k).map(|p| factor(p) * widen(b[p * b_strides.0 + j * b_strides.1])).sum();
                        let expected = if update == Update::Replace { sum } else { 1.0 - sum };
                        let bound = epsilon * (k + 1) as f64;
                        let difference = (widen(got) - expected).abs();
                        assert!(difference <= bound, "{m} × {k} × {n}, layout {layout}, {update:?}: {difference}");
                    }
                }
            }
        }
    }

    #[test]
    fn on_all_processors() {
        at_each_level(|| {
            check(|x| x, |x| x, f64::EPSILON);
            check(|x| x as f32, f64::from, f32::EPSILON.into());
        });
    }

    #[test]
    fn cuts_cover_all() {
        for (n, n_parts, unit) in [(0, 4, 8), (1, 4, 8), (100, 7, 24), (1000, 3, 8)] {
            let cuts = Cuts::new(n, n_parts, unit);
            let parts: Vec<Range<usize>> = (0..cuts.n_parts).map(|part| cuts.range(part)).collect();
            assert!(parts.iter().all(|part| part.start < part.end && part.start % unit == 0));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(parts.last().map_or(0, |part| part.end), n);
        }
    }
}
