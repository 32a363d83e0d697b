//! Sums of products over paired axes of two tensors, as (batched) matrix products.
//!
//! The axes of an operand fall into three groups: batch, free and contracted. If a group's axes can be walked with one
//! stride they are one axis to the product; transposes are strides and move nothing. Otherwise the operand is copied to
//! the order batch, free, contracted first.

use super::{
    loops::{matmul_by_elements, matmul_by_rows, matvec_by_columns, matvec_by_rows},
    matmul::{Matmul, Matrix, Update},
    parts::Parts,
    real::{Real, Ring},
    small::product::{Order, Product, products},
};
use crate::{
    graph::DotAxes,
    interrupt,
    math::{Scalar, Slice, SliceMut},
    pool,
};

/// Products of at most so many multiplications run element by element.
const TINY: usize = 64;

/// So many small products of floats are computed in lanes.
const MANY: usize = 4;

/// Products of floats with more multiplications than this are computed by blocks in registers.
const LARGE: usize = 1024;

/// Sum of products over the contracted axes; result axes: batch, free of a, free of b. Operands and result are
/// row-major and of one dtype; integers wrap, `bool` is `or` of `and`s. An empty sum is zero.
///
/// Plans the product anew at each call; [`DotPlan`] does so once.
///
/// # Panics
/// If axes, shapes, lengths and types do not fit together.
///
/// ```
/// use dini_cpu::{graph::DotAxes, linalg::dot, math::{Slice, SliceMut}};
/// let axes = DotAxes { lhs_contract: vec![1], rhs_contract: vec![0], ..DotAxes::default() };
/// let mut out = [0.0; 2];
/// dot(Slice::F64(&[1.0, 2.0, 3.0, 4.0]), &[2, 2], Slice::F64(&[1.0, 10.0]), &[2], &axes, SliceMut::F64(&mut out));
/// assert_eq!(out, [21.0, 43.0]);
/// ```
pub fn dot(a: Slice<'_>, a_shape: &[usize], b: Slice<'_>, b_shape: &[usize], axes: &DotAxes, out: SliceMut<'_>) {
    DotPlan::new(a_shape, b_shape, axes).run(a, b, out);
}

/// A product of tensors of fixed shapes, ready to run.
#[derive(Clone, Debug)]
pub struct DotPlan {
    n_batch: usize,
    n_rows: usize,
    n_columns: usize,
    depth: usize,
    a: Operand,
    b: Operand,
}

/// Where the elements of an operand stand.
#[derive(Clone, Debug)]
struct Operand {
    len: usize,
    /// Strides of the three grouped axes, in the operand or in the copy.
    batch: usize,
    free: usize,
    contracted: usize,
    /// Extents and strides of the axes in the order of the copy, if there must be one.
    copy: Option<Vec<(usize, usize)>>,
}

/// An axis: its extent and stride.
type Axis = (usize, usize);

impl DotPlan {
    /// Floating-point operations: a product and a sum for each pair of elements that meet.
    pub fn flops(&self) -> u64 {
        2 * (self.n_batch * self.n_rows * self.n_columns * self.depth) as u64
    }

    /// Plans the product of tensors of these shapes.
    ///
    /// # Panics
    /// If an axis is out of range or named twice, or paired axes differ in extent.
    pub fn new(a_shape: &[usize], b_shape: &[usize], axes: &DotAxes) -> DotPlan {
        let a_free = free_axes(a_shape.len(), &axes.lhs_batch, &axes.lhs_contract);
        let b_free = free_axes(b_shape.len(), &axes.rhs_batch, &axes.rhs_contract);
        let (a_axes, b_axes) = (strided(a_shape), strided(b_shape));
        let pick = |of: &[Axis], which: &[usize]| which.iter().map(|&axis| of[axis]).collect::<Vec<_>>();
        let (a_batch, b_batch) = (pick(&a_axes, &axes.lhs_batch), pick(&b_axes, &axes.rhs_batch));
        let (a_free, b_free) = (pick(&a_axes, &a_free), pick(&b_axes, &b_free));
        // Contracted axes may be summed in any order: take the one, of a or of b, that saves copies.
        let plan = |sorted_by: &[usize]| {
            let mut order: Vec<usize> = (0..axes.lhs_contract.len()).collect();
            order.sort_by_key(|&pair| sorted_by[pair]);
            let reorder = |which: &[usize]| order.iter().map(|&pair| which[pair]).collect::<Vec<_>>();
            let a = pick(&a_axes, &reorder(&axes.lhs_contract));
            let b = pick(&b_axes, &reorder(&axes.rhs_contract));
            (Operand::new(&a_batch, &a_free, &a), Operand::new(&b_batch, &b_free, &b))
        };
        let by_a = plan(&axes.lhs_contract);
        let (a, b) = if by_a.0.copy.is_none() && by_a.1.copy.is_none() { by_a } else { plan(&axes.rhs_contract) };
        let contracted = pick(&a_axes, &axes.lhs_contract);
        assert!(
            extents(&a_batch).eq(extents(&b_batch))
                && extents(&contracted).eq(extents(&pick(&b_axes, &axes.rhs_contract))),
            "`dot` of shapes {a_shape:?} and {b_shape:?} pairs axes of different extent: {axes:?}"
        );
        DotPlan {
            n_batch: extents(&a_batch).product(),
            n_rows: extents(&a_free).product(),
            n_columns: extents(&b_free).product(),
            depth: extents(&contracted).product(),
            a,
            b,
        }
    }

    /// For each element of the result, the places in both operands of the factors in the order of summation from zero on;
    /// `None` where another order is faster.
    #[allow(dead_code, reason = "only a compiler asks, which not every machine has")]
    pub(crate) fn terms(&self) -> Option<Vec<Vec<(usize, usize)>>> {
        let size = self.n_products();
        if size > TINY && (size > LARGE || self.n_rows == 1 || self.n_columns == 1) {
            return None;
        }
        let mut terms = vec![];
        for batch in 0..self.n_batch {
            for row in 0..self.n_rows {
                for column in 0..self.n_columns {
                    let term = |k: usize| (self.a.place(batch, row, k), self.b.place(batch, column, k));
                    terms.push((0..self.depth).map(term).collect());
                }
            }
        }
        Some(terms)
    }

    /// Computes the product.
    ///
    /// # Panics
    /// If the operands' types differ or the lengths are not those of the planned shapes.
    pub fn run(&self, a: Slice<'_>, b: Slice<'_>, out: SliceMut<'_>) {
        match a {
            Slice::Bool(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::U8(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::U32(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::U64(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::I32(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::I64(a) => self.run_typed(a, b.typed(), out.typed(), None),
            Slice::F32(a) => self.run_typed(a, b.typed(), out.typed(), Floats::ALL),
            Slice::F64(a) => self.run_typed(a, b.typed(), out.typed(), Floats::ALL),
        }
    }

    fn run_typed<T: Ring>(&self, a: &[T], b: &[T], out: &mut [T], floats: Option<Floats<T>>) {
        let out_len = self.n_batch * self.n_rows * self.n_columns;
        assert!(
            a.len() == self.a.len && b.len() == self.b.len && out.len() == out_len,
            "`dot` of {} and {} elements into {}, planned for {}, {} and {out_len}",
            a.len(),
            b.len(),
            out.len(),
            self.a.len,
            self.b.len,
        );
        if out_len == 0 {
            return;
        }
        if self.depth == 0 {
            return out.fill(T::ZERO);
        }
        let (mut a_copy, mut b_copy) = (Vec::new(), Vec::new());
        let a = self.a.view(a, &mut a_copy);
        let b = self.b.view(b, &mut b_copy);
        if let Some(Floats { many, .. }) = floats
            && self.n_batch >= MANY
            && let Some((product, is_swapped)) = self.small()
        {
            return if is_swapped { many(b, a, &product, out) } else { many(a, b, &product, out) };
        }
        let large = floats.map(|floats| floats.large);
        let size = self.n_rows * self.n_columns;
        let results = Parts::new(out, size);
        let ns = self.n_products() as f64 * NS_PER_PRODUCT;
        pool::for_ranges(self.n_batch, 1, ns, &|first, end| {
            // SAFETY: ranges do not overlap.
            let out = unsafe { results.take(first..end) };
            let mut scratch = Vec::new();
            for (batch_idx, out) in (first..end).zip(out.chunks_exact_mut(size)) {
                let (a, b) = (&a[batch_idx * self.a.batch..], &b[batch_idx * self.b.batch..]);
                self.product(a, b, out, large, &mut scratch);
            }
        });
    }

    /// Multiplications of all products of matrices.
    pub(crate) fn n_all_products(&self) -> usize {
        self.n_batch.saturating_mul(self.n_products())
    }

    /// Multiplications of one product of matrices.
    fn n_products(&self) -> usize {
        self.n_rows.saturating_mul(self.n_columns).saturating_mul(self.depth)
    }

    /// The products as small ones whose elements are summed as [`DotPlan::product`] does it, if they are small and each
    /// operand is in one piece; and whether the operands change places.
    fn small(&self) -> Option<(Product, bool)> {
        let (n_rows, n_columns, depth) = (self.n_rows, self.n_columns, self.depth);
        let (a_strides, b_strides) = ((self.a.free, self.a.contracted), (self.b.contracted, self.b.free));
        let is_swapped = n_rows == 1 && n_columns != 1;
        let (n_rows, n_columns) = if is_swapped { (n_columns, n_rows) } else { (n_rows, n_columns) };
        let (a_strides, b_strides) =
            if is_swapped { ((b_strides.1, b_strides.0), (a_strides.1, a_strides.0)) } else { (a_strides, b_strides) };
        let size = self.n_products();
        let order = match () {
            () if size <= TINY || n_columns > 1 => Order::InTurn,
            () if a_strides.1 == 1 => Order::ByEights,
            () => Order::ByFours,
        };
        let product = Product { n_rows, depth, n_columns, a_strides, b_strides, order };
        let are_apart = self.a.batch == self.n_rows * depth && self.b.batch == self.n_columns * depth;
        (size <= LARGE && are_apart && product.is_small()).then_some((product, is_swapped))
    }

    /// One matrix product.
    fn product<T: Ring>(&self, a: &[T], b: &[T], out: &mut [T], large: Option<Large<T>>, scratch: &mut Vec<T>) {
        let (a_strides, b_strides) = ((self.a.free, self.a.contracted), (self.b.contracted, self.b.free));
        let (n_rows, n_columns, depth) = (self.n_rows, self.n_columns, self.depth);
        let size = self.n_products();
        if size <= TINY {
            return matmul_by_elements(a, a_strides, b, b_strides, depth, n_columns, out);
        }
        if n_columns == 1 {
            return matvec(a, a_strides, b, b_strides.0, depth, out, scratch);
        }
        if n_rows == 1 {
            return matvec(b, (b_strides.1, b_strides.0), a, a_strides.1, depth, out, scratch);
        }
        if let Some(large) = large
            && size > LARGE
        {
            return large((a, a_strides), (b, b_strides), (n_rows, depth, n_columns), out);
        }
        if b_strides.1 == 1 {
            return self.by_rows(a, a_strides, b, b_strides.0, out);
        }
        gather(b, &[(depth, b_strides.0), (n_columns, b_strides.1)], scratch);
        self.by_rows(a, a_strides, scratch, n_columns, out);
    }

    /// One matrix product, some rows after the other.
    fn by_rows<T: Ring>(&self, a: &[T], a_strides: (usize, usize), b: &[T], b_row_stride: usize, out: &mut [T]) {
        let ns_per_row = (self.depth * self.n_columns) as f64 * NS_PER_PRODUCT;
        let n_together = (NS_TOGETHER / ns_per_row) as usize + 1;
        for (idx, out) in out.chunks_mut(n_together * self.n_columns).enumerate() {
            if interrupt::must_cut((ns_per_row * n_together as f64) as u32) {
                return;
            }
            let a = &a[idx * n_together * a_strides.0..];
            matmul_by_rows(a, a_strides, b, b_row_stride, self.depth, self.n_columns, out);
        }
    }
}

/// Elements and how far apart rows, and columns, of a matrix are among them.
type Strided<'a, T> = (&'a [T], (usize, usize));

/// A product that pays off for large matrices: of so many rows, products in a sum and columns.
type Large<T> = fn(Strided<'_, T>, Strided<'_, T>, (usize, usize, usize), &mut [T]);

/// What only products of floats have.
#[derive(Clone, Copy)]
struct Floats<T> {
    large: Large<T>,
    /// Many small products: operands one after another.
    many: fn(&[T], &[T], &Product, &mut [T]),
}

impl<T: Real> Floats<T> {
    const ALL: Option<Floats<T>> = Some(Floats { large: matmul, many: products });
}

fn matmul<T: Real>(a: Strided<'_, T>, b: Strided<'_, T>, shape: (usize, usize, usize), out: &mut [T]) {
    let (n_rows, depth, n_columns) = shape;
    let matrix = |(data, strides): Strided<'_, T>, n_rows: usize, n_columns: usize| {
        let last = (n_rows - 1) * strides.0 + (n_columns - 1) * strides.1;
        assert!(last < data.len(), "matrix reaches to {last} in {} elements", data.len());
        Matrix { start: data.as_ptr(), strides }
    };
    let (a, b) = (matrix(a, n_rows, depth), matrix(b, depth, n_columns));
    assert!(out.len() == n_rows * n_columns, "{} elements for {n_rows} × {n_columns}", out.len());
    let (c, c_stride) = (out.as_mut_ptr(), n_columns);
    // SAFETY: the farthest elements were just checked; the slices are borrowed, the result exclusively.
    unsafe { Matmul { n_rows, depth, n_columns, a, b, c, c_stride, update: Update::Replace }.run() }
}

/// How long a product and a sum take at least, on one thread, in nanoseconds.
const NS_PER_PRODUCT: f64 = 0.03;

/// Rows that together take about so many nanoseconds are computed without a question whether to go on.
const NS_TOGETHER: f64 = 50_000.0;

/// out = A x, `out.len()` rows, the strides being those of A's rows and columns and of x.
fn matvec<T: Ring>(
    a: &[T],
    a_strides: (usize, usize),
    x: &[T],
    x_stride: usize,
    depth: usize,
    out: &mut [T],
    scratch: &mut Vec<T>,
) {
    let n_rows = out.len();
    if a_strides.1 == 1 && x_stride == 1 {
        matvec_by_rows(a, a_strides.0, &x[..depth], out);
    } else if a_strides.1 == 1 {
        gather(x, &[(depth, x_stride)], scratch);
        matvec_by_rows(a, a_strides.0, scratch, out);
    } else if a_strides.0 == 1 {
        matvec_by_columns(a, a_strides.1, x, x_stride, depth, out);
    } else {
        gather(a, &[(depth, a_strides.1), (n_rows, a_strides.0)], scratch);
        matvec_by_columns(scratch, n_rows, x, x_stride, depth, out);
    }
}

impl Operand {
    fn new(batch: &[Axis], free: &[Axis], contracted: &[Axis]) -> Operand {
        let len = |axes: &[Axis]| extents(axes).product::<usize>();
        let (n_batch, n_free, n_contracted) = (len(batch), len(free), len(contracted));
        let len = n_batch * n_free * n_contracted;
        match (merged_stride(batch), merged_stride(free), merged_stride(contracted)) {
            (Some(batch), Some(free), Some(contracted)) => Operand { len, batch, free, contracted, copy: None },
            _ => Operand {
                len,
                batch: n_free * n_contracted,
                free: n_contracted,
                contracted: 1,
                copy: Some([batch, free, contracted].concat()),
            },
        }
    }

    /// Where an element stands in the operand itself.
    fn place(&self, batch: usize, free: usize, contracted: usize) -> usize {
        let at = batch * self.batch + free * self.free + contracted * self.contracted;
        let Some(axes) = &self.copy else { return at };
        let (mut rest, mut place) = (at, 0);
        for (extent, stride) in axes.iter().rev() {
            place += rest % extent * stride;
            rest /= extent;
        }
        place
    }

    fn view<'a, T: Scalar>(&self, data: &'a [T], copy: &'a mut Vec<T>) -> &'a [T] {
        match &self.copy {
            None => data,
            Some(axes) => {
                gather(data, axes, copy);
                copy
            }
        }
    }
}

fn extents(axes: &[Axis]) -> impl Iterator<Item = usize> {
    axes.iter().map(|&(extent, _)| extent)
}

/// The axes of a row-major tensor.
fn strided(shape: &[usize]) -> Vec<Axis> {
    let mut stride = 1;
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    for &extent in shape.iter().rev() {
        axes.push((extent, stride));
        stride *= extent;
    }
    axes.reverse();
    axes
}

/// The axes that are in neither list, ascending.
fn free_axes(rank: usize, batch: &[usize], contracted: &[usize]) -> Vec<usize> {
    let mut is_free = vec![true; rank];
    for &axis in batch.iter().chain(contracted) {
        assert!(
            axis < rank && is_free[axis],
            "`dot` axis {axis} of a tensor of rank {rank} is out of range or repeated"
        );
        is_free[axis] = false;
    }
    (0..rank).filter(|&axis| is_free[axis]).collect()
}

/// The one stride that walks the axes in order, if there is one. For a single element any would do.
fn merged_stride(axes: &[Axis]) -> Option<usize> {
    let mut merged: Option<Axis> = None;
    for &(extent, stride) in axes.iter().filter(|(extent, _)| *extent != 1) {
        match merged {
            Some((_, outer)) if outer != stride * extent => return None,
            Some(_) | None => merged = Some((extent, stride)),
        }
    }
    Some(merged.map_or(1, |(_, stride)| stride))
}

/// Copies the elements that the axes visit, the last one fastest.
fn gather<T: Copy>(data: &[T], axes: &[Axis], out: &mut Vec<T>) {
    out.clear();
    out.reserve(extents(axes).product());
    gather_axes(data, axes, out);
}

fn gather_axes<T: Copy>(data: &[T], axes: &[Axis], out: &mut Vec<T>) {
    match axes {
        [] => out.push(data[0]),
        [(extent, 1)] => out.extend_from_slice(&data[..*extent]),
        [(extent, stride)] => out.extend((0..*extent).map(|i| data[i * stride])),
        [(extent, stride), rest @ ..] => {
            for i in 0..*extent {
                gather_axes(&data[i * stride..], rest, out);
            }
        }
    }
}
