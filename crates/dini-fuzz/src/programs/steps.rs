//! The steps that programs are made of: makers that choose operands and parameters.
//!
//! Invariant: results stay in bounds whatever the operands are (`sin` around all that may grow), and nothing is singular,
//! so that derivatives of every order are finite. Axes of extent 0 are fed to everything that is defined for them.

use super::program::{Draw, Run, Step};
use dini::{
    DotAxes, cholesky, cholesky_solve, concatenate, custom_linear_solve_with, det, dot_general, inv, outer, prelude::*,
    solve, triangular_solve,
};

/// Makes a step, or not if no value fits.
pub type Maker = fn(&mut Draw) -> Option<Step>;

/// Steps without a body.
pub const PLAIN: &[Maker] = &[
    unary,
    unary,
    binary,
    binary,
    choice,
    reduction,
    cumulative,
    movement,
    movement,
    slicing,
    padding,
    joining,
    product,
    dynamic_slice,
    dynamic_update,
    take,
    scatter,
    root,
    linear_solve,
    dense_solve,
];

/// Every step that differentiates in both modes; the frequent ones stand more than once.
pub const STEPS: &[Maker] = &[
    unary,
    unary,
    binary,
    binary,
    choice,
    reduction,
    cumulative,
    movement,
    movement,
    slicing,
    padding,
    joining,
    product,
    dynamic_slice,
    dynamic_update,
    take,
    scatter,
    root,
    linear_solve,
    dense_solve,
    scanned,
    repeated,
    branched,
    checkpointed,
];

/// Steps that differentiate in forward mode only.
pub const LOOPS: &[Maker] = &[while_loop_step];

fn step(text: String, shape: Vec<usize>, run: impl Fn(&[Array]) -> Result<Array> + 'static) -> Option<Step> {
    let run: Run = Box::new(run);
    Some(Step { text, shape, run })
}

/// A scalar that depends on a value, in bounds.
fn scalar(x: &Array) -> Array {
    x.sum().sin()
}

/// An integer that depends on a value: −3, …, 2.
fn integer(x: &Array) -> Array {
    (scalar(x) * 3.0).floor().cast(DType::I64)
}

fn unary(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array) -> Array)] = &[
        ("X.sin()", Array::sin),
        ("X.cos()", Array::cos),
        ("X.tanh()", Array::tanh),
        ("X.logistic()", Array::logistic),
        ("X.erf()", Array::erf),
        ("X.atan()", Array::atan),
        ("X.asinh()", Array::asinh),
        ("X.abs()", Array::abs),
        ("-&X", |x| -x),
        ("X.max(0.0)", |x| x.max(0.0)),
        ("X.clamp(-0.5, 0.5)", |x| x.clamp(-0.5, 0.5)),
        ("(-(&X * &X)).exp()", |x| (-(x * x)).exp()),
        ("(&X * &X).log1p()", |x| (x * x).log1p()),
        ("(&X * &X + 1.0).sqrt().sin()", |x| (x * x + 1.0).sqrt().sin()),
        ("X.powi(3).sin()", |x| x.powi(3).sin()),
        ("(&X * &X + 1.0).powi(-1)", |x| (x * x + 1.0).powi(-1)),
        ("&X + (&X * 2.0).floor() * 0.1", |x| x + (x * 2.0).floor() * 0.1),
    ];
    let (x, (name, f)) = (cx.any(), *cx.choices.pick(FUNCTIONS));
    step(name.replace('X', &format!("%{x}")), cx.shapes[x].clone(), move |v| Ok(f(&v[x])))
}

/// The shape of two operands together, by NumPy's rules.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let ndim = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(ndim).map_or(1, |i| shape[i]);
    (0..ndim)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (m, n) if m == n || n == 1 => Some(m),
            (1, n) => Some(n),
            _ => None,
        })
        .collect()
}

fn binary(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array, &Array) -> Array)] = &[
        ("(&X + &Y).sin()", |x, y| (x + y).sin()),
        ("(&X - &Y).sin()", |x, y| (x - y).sin()),
        ("(&X * &Y).sin()", |x, y| (x * y).sin()),
        ("(&X / (&Y * &Y + 1.0)).sin()", |x, y| (x / (y * y + 1.0)).sin()),
        ("(&X * &X + 0.5).pow(Y.tanh())", |x, y| (x * x + 0.5).pow(y.tanh())),
        ("X.atan2(&Y * &Y + 0.5)", |x, y| x.atan2(y * y + 0.5)),
        ("X.max(&Y)", |x, y| x.max(y)),
        ("X.min(&Y)", |x, y| x.min(y)),
    ];
    let x = cx.any();
    let shapes = cx.shapes;
    let y = cx.such_that(|shape| broadcast(&shapes[x], shape).is_some())?;
    let (name, f) = *cx.choices.pick(FUNCTIONS);
    let text = format!("({name}).tanh()").replace('X', &format!("%{x}")).replace('Y', &format!("%{y}"));
    step(text, broadcast(&shapes[x], &shapes[y])?, move |v| Ok(f(&v[x], &v[y]).tanh()))
}

fn choice(cx: &mut Draw) -> Option<Step> {
    let x = cx.any();
    let own = cx.shapes[x].clone();
    let y = cx.such_that(|shape| shape == own)?;
    let text = format!("select(&%{x}.gt(0.1), &%{x}, &%{y}.cos())");
    step(text, own, move |v| Ok(select(&v[x].gt(0.1), &v[x], &v[y].cos())))
}

/// The text of a method's call along an axis.
fn along(x: usize, call: &str, axis: usize) -> String {
    format!("%{x}.{}", call.replace('A', &axis.to_string()))
}

fn reduction(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array, isize) -> Array)] = &[
        ("sum_axis(A).sin()", |x, axis| x.sum_axis(axis).sin()),
        ("prod_axis(A).sin()", |x, axis| x.prod_axis(axis).sin()),
        ("amax_axis(A)", |x, axis| x.amax_axis(axis)),
        ("amin_axis(A)", |x, axis| x.amin_axis(axis)),
    ];
    let (x, axis) = cx.axis()?;
    let mut shape = cx.shapes[x].clone();
    // Of no elements only the sum and the product are finite.
    let usable = if shape.remove(axis) == 0 { &FUNCTIONS[..2] } else { FUNCTIONS };
    let (name, f) = *cx.choices.pick(usable);
    step(along(x, name, axis), shape, move |v| Ok(f(&v[x], axis as isize)))
}

fn cumulative(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array, isize) -> Array)] = &[
        ("cumsum(A).sin()", |x, axis| x.cumsum(axis).sin()),
        ("cumsum_reverse(A).sin()", |x, axis| x.cumsum_reverse(axis).sin()),
        ("cumprod(A).sin()", |x, axis| x.cumprod(axis).sin()),
        ("cumprod_reverse(A).sin()", |x, axis| x.cumprod_reverse(axis).sin()),
        ("cummax(A)", Array::cummax),
        ("cummin_reverse(A)", Array::cummin_reverse),
    ];
    let ((x, axis), (name, f)) = (cx.axis()?, *cx.choices.pick(FUNCTIONS));
    step(along(x, name, axis), cx.shapes[x].clone(), move |v| Ok(f(&v[x], axis as isize)))
}

fn movement(cx: &mut Draw) -> Option<Step> {
    let x = cx.any();
    let own = cx.shapes[x].clone();
    match cx.choices.below(4) {
        0 => {
            let order = cx.choices.order(own.len());
            let shape = order.iter().map(|&axis| own[axis]).collect();
            let order: Vec<isize> = order.into_iter().map(|axis| axis as isize).collect();
            step(format!("%{x}.permute(&{order:?})"), shape, move |v| Ok(v[x].permute(&order)))
        }
        1 => {
            // The extents in another order hold as many elements.
            let shape: Vec<usize> = cx.choices.order(own.len()).iter().map(|&axis| own[axis]).collect();
            let to = shape.clone();
            step(format!("%{x}.reshape(&{to:?})"), shape, move |v| Ok(v[x].reshape(&to)))
        }
        2 => {
            let shape = [&[cx.choices.below(3)], &own[..]].concat();
            let to = shape.clone();
            step(format!("%{x}.broadcast_to(&{to:?})"), shape, move |v| Ok(v[x].broadcast_to(&to)))
        }
        _ => {
            let (x, axis) = cx.axis()?;
            step(format!("%{x}.flip({axis})"), cx.shapes[x].clone(), move |v| Ok(v[x].flip(axis as isize)))
        }
    }
}

fn slicing(cx: &mut Draw) -> Option<Step> {
    let (x, axis) = cx.axis()?;
    let mut shape = cx.shapes[x].clone();
    let start = cx.choices.below(shape[axis] + 1);
    let limit = start + cx.choices.below(shape[axis] - start + 1);
    let stride = 1 + cx.choices.below(2);
    shape[axis] = (limit - start).div_ceil(stride);
    let text = format!("%{x}.slice_in_dim({start}, {limit}, {stride}, {axis})");
    step(text, shape, move |v| Ok(v[x].slice_in_dim(start, limit, stride, axis as isize)))
}

fn padding(cx: &mut Draw) -> Option<Step> {
    let (x, axis) = cx.axis()?;
    let mut shape = cx.shapes[x].clone();
    let (before, behind, between) =
        (cx.choices.below(3) as isize - 1, cx.choices.below(2) as isize, cx.choices.below(2));
    let inner = shape[axis] + between * shape[axis].saturating_sub(1);
    shape[axis] = inner.checked_add_signed(before + behind)?;
    let mut config = vec![(0, 0, 0); shape.len()];
    config[axis] = (before, behind, between);
    let fill = cx.such_that(<[usize]>::is_empty)?;
    step(format!("%{x}.pad_interior(&{config:?}, &%{fill})"), shape, move |v| Ok(v[x].pad_interior(&config, &v[fill])))
}

fn joining(cx: &mut Draw) -> Option<Step> {
    let (x, axis) = cx.axis()?;
    let own = cx.shapes[x].clone();
    let y = cx.such_that(|shape| {
        shape.len() == own.len() && (0..own.len()).all(|other| other == axis || shape[other] == own[other])
    })?;
    let mut shape = own;
    shape[axis] += cx.shapes[y][axis];
    step(format!("concatenate(&[&%{x}, &%{y}], {axis})"), shape, move |v| {
        Ok(concatenate(&[&v[x], &v[y]], axis as isize))
    })
}

fn product(cx: &mut Draw) -> Option<Step> {
    let (x, axis) = cx.axis()?;
    let n = cx.shapes[x][axis];
    let y = cx.such_that(|shape| shape.contains(&n))?;
    let other = cx.shapes[y].iter().position(|&m| m == n)?;
    // Contracted, or one of the batch.
    let is_batch = cx.choices.below(3) == 0;
    let free = |shape: &[usize], axis: usize| [&shape[..axis], &shape[axis + 1..]].concat();
    let shape =
        [if is_batch { vec![n] } else { vec![] }, free(&cx.shapes[x], axis), free(&cx.shapes[y], other)].concat();
    let (batch, contract) = if is_batch { (vec![axis], vec![]) } else { (vec![], vec![axis]) };
    let pair = |of_x: &[usize]| of_x.iter().map(|_| other).collect::<Vec<usize>>();
    let axes =
        DotAxes { rhs_batch: pair(&batch), rhs_contract: pair(&contract), lhs_batch: batch, lhs_contract: contract };
    let text = format!("dot_general(&%{x}, &%{y}, {axes:?}).sin()").replace('[', "vec![");
    step(text, shape, move |v| Ok(dot_general(&v[x], &v[y], axes.clone()).sin()))
}

fn dynamic_slice(cx: &mut Draw) -> Option<Step> {
    let ((x, axis), at) = (cx.full_axis()?, cx.any());
    let mut shape = cx.shapes[x].clone();
    let size = cx.choices.below(shape[axis] + 1);
    shape[axis] = size;
    let text = format!("%{x}.dynamic_slice_in_dim(&integer(&%{at}), {size}, {axis})");
    step(text, shape, move |v| Ok(v[x].dynamic_slice_in_dim(&integer(&v[at]), size, axis as isize)))
}

fn dynamic_update(cx: &mut Draw) -> Option<Step> {
    let ((x, axis), at) = (cx.full_axis()?, cx.any());
    let shape = cx.shapes[x].clone();
    let update = format!("(%{x}.sum_axis({axis}) * scalar(&%{at})).sin()");
    let text = format!("%{x}.dynamic_update_index(&{update}, &integer(&%{at}), {axis})");
    step(text, shape, move |v| {
        let update = (v[x].sum_axis(axis as isize) * scalar(&v[at])).sin();
        Ok(v[x].dynamic_update_index(&update, &integer(&v[at]), axis as isize))
    })
}

/// Places along an axis of extent `n`, from its end too.
fn places(cx: &mut Draw, n: usize) -> Vec<i64> {
    (0..cx.choices.below(4)).map(|_| cx.choices.below(2 * n) as i64 - n as i64).collect()
}

fn take(cx: &mut Draw) -> Option<Step> {
    let (x, axis) = cx.full_axis()?;
    let mut shape = cx.shapes[x].clone();
    let places = places(cx, shape[axis]);
    shape[axis] = places.len();
    let text = format!("%{x}.take(&Array::from(vec!{places:?} as Vec<i64>), {axis})");
    step(text, shape, move |v| Ok(v[x].take(&Array::from(places.clone()), axis as isize)))
}

fn scatter(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array, &Array, &Array) -> Array)] = &[
        ("scatter_set(ARGS)", Array::scatter_set),
        ("scatter_add(ARGS).sin()", |x, i, u| x.scatter_add(i, u).sin()),
        ("scatter_mul(ARGS).sin()", |x, i, u| x.scatter_mul(i, u).sin()),
        ("scatter_max(ARGS)", Array::scatter_max),
    ];
    let x = cx.such_that(|shape| shape.first().is_some_and(|&n| n > 0))?;
    let ((name, f), from) = (*cx.choices.pick(FUNCTIONS), cx.any());
    // One place is outside, and dropped; products of repeated places have no simple derivative, so places differ.
    let mut places = places(cx, cx.shapes[x][0]);
    if name.starts_with("scatter_mul") {
        places.truncate(1);
    }
    places.push(100);
    let rest: Vec<usize> = [&[places.len()], &cx.shapes[x][1..]].concat();
    let ramp = format!("Array::linspace(0.5, 1.5, {}).reshape(&{rest:?})", rest.iter().product::<usize>());
    let args = format!("&Array::from(vec!{places:?} as Vec<i64>), &({ramp} * scalar(&%{from}))");
    step(format!("%{x}.{}", name.replace("ARGS", &args)), cx.shapes[x].clone(), move |v| {
        let ramp = Array::linspace(0.5, 1.5, rest.iter().product()).reshape(&rest);
        Ok(f(&v[x], &Array::from(places.clone()), &(ramp * scalar(&v[from]))))
    })
}

fn scanned(cx: &mut Draw) -> Option<Step> {
    let ((x, _), from) = (cx.axis()?, cx.any());
    let reverse = cx.choices.below(2) == 0;
    let body = cx.body(&cx.shapes[x][1..], &cx.shapes[from]);
    let options = if reverse { "ScanOptions::new().reverse()" } else { "ScanOptions::new()" };
    let text = format!(
        "scan_with({options}, |c: Array, x: Array| -> Result<(Array, Array)> {{ let c = {}; Ok((c.clone(), c.cos())) }}, \
         %{x}.sum_axis(0).cos(), %{x}.clone())?.1",
        body.text("c + x", &format!("%{from}.clone()"))
    );
    step(text, cx.shapes[x].clone(), move |v| {
        let step = |c: Array, x: Array| -> Result<(Array, Array)> {
            let c = body.call(&(c + x), &v[from])?;
            Ok((c.clone(), c.cos()))
        };
        let options = if reverse { ScanOptions::new().reverse() } else { ScanOptions::new() };
        Ok(scan_with(options, step, v[x].sum_axis(0).cos(), v[x].clone())?.1)
    })
}

fn repeated(cx: &mut Draw) -> Option<Step> {
    let (x, from) = (cx.any(), cx.any());
    let body = cx.body(&cx.shapes[x], &cx.shapes[from]);
    let call = body.text("y + i.cast(DType::F64) * 0.1", &format!("%{from}.clone()"));
    let text = format!("fori_loop(0, 2, |i: Array, y: Array| -> Result<Array> {{ Ok({call}) }}, %{x}.clone())?");
    step(text, cx.shapes[x].clone(), move |v| {
        fori_loop(0, 2, |i: Array, y: Array| body.call(&(y + i.cast(DType::F64) * 0.1), &v[from]), v[x].clone())
    })
}

fn branched(cx: &mut Draw) -> Option<Step> {
    let (x, on) = (cx.any(), cx.any());
    let [if_true, if_false] = [(); 2].map(|()| cx.body(&cx.shapes[x], &cx.shapes[on]));
    let [yes, no] = [&if_true, &if_false]
        .map(|body| format!("|x: Array| -> Result<Array> {{ Ok({}) }}", body.text("x", &format!("%{on}.clone()"))));
    let text = format!("cond(&scalar(&%{on}).gt(0.1), {yes}, {no}, %{x}.clone())?");
    step(text, cx.shapes[x].clone(), move |v| {
        let [if_true, if_false] = [&if_true, &if_false].map(|body| |x: Array| body.call(&x, &v[on]));
        cond(&scalar(&v[on]).gt(0.1), if_true, if_false, v[x].clone())
    })
}

/// y with y + 0.3 sin y = x.
fn root(cx: &mut Draw) -> Option<Step> {
    let x = cx.any();
    let text = format!(
        "custom_root(|y: Array| &y + y.sin() * 0.3 - &%{x}, zeros_like(&%{x}), \
         |_, guess| fori_loop(0, 40, |_, y: Array| &%{x} - y.sin() * 0.3, guess), \
         |g, b| -> Result<Array> {{ Ok(&b / g(ones_like(&b))?) }})?"
    );
    step(text, cx.shapes[x].clone(), move |v| {
        custom_root(
            |y: Array| &y + y.sin() * 0.3 - &v[x],
            zeros_like(&v[x]),
            |_, guess| fori_loop(0, 40, |_, y: Array| &v[x] - y.sin() * 0.3, guess),
            |g, b| -> Result<Array> { Ok(&b / g(ones_like(&b))?) },
        )
    })
}

/// y with (1.5 + sin x) y = cos x.
fn linear_solve(cx: &mut Draw) -> Option<Step> {
    let x = cx.any();
    let text = format!(
        "custom_linear_solve_with(LinearSolveOptions::new().symmetric(), |y: Array| (%{x}.sin() + 1.5) * y, %{x}.cos(), \
         |_, b: Array| b / (%{x}.sin() + 1.5))?"
    );
    step(text, cx.shapes[x].clone(), move |v| {
        let diagonal = v[x].sin() + 1.5;
        let options = LinearSolveOptions::new().symmetric();
        custom_linear_solve_with(options, |y: Array| &diagonal * y, v[x].cos(), |_, b: Array| b / &diagonal)
    })
}

/// A solve by a matrix made of a vector, of a kind that every factorization can take.
fn dense_solve(cx: &mut Draw) -> Option<Step> {
    const FUNCTIONS: &[(&str, fn(&Array, &Array) -> Array)] = &[
        ("solve(&A, &X)", |a, x| solve(a, x)),
        ("cholesky_solve(&cholesky(&A), &X)", |a, x| cholesky_solve(&cholesky(a), x)),
        ("inv(&A).matmul(&X)", |a, x| inv(a).matmul(x)),
        ("(&X * det(&A)).sin()", |a, x| (x * det(a)).sin()),
        ("triangular_solve(&A, &X, true, false, false)", |a, x| triangular_solve(a, x, true, false, false)),
        ("triangular_solve(&A, &X, false, true, false)", |a, x| triangular_solve(a, x, false, true, false)),
    ];
    let x = cx.such_that(|shape| shape.len() == 1 && (1..=9).contains(&shape[0]))?;
    let (n, (name, f)) = (cx.shapes[x][0], *cx.choices.pick(FUNCTIONS));
    // Symmetric, and the diagonal outweighs the rest.
    let a = format!("(outer(&%{x}.sin(), &%{x}.sin()) / {n}.0 + Array::eye({n}, DType::F64))");
    let text = name.replace('X', &format!("%{x}")).replace('A', &a);
    step(text, vec![n], move |v| {
        let u = v[x].sin();
        Ok(f(&(outer(&u, &u) / n as f64 + Array::eye(n, DType::F64)), &v[x]))
    })
}

fn checkpointed(cx: &mut Draw) -> Option<Step> {
    let (x, from) = (cx.any(), cx.any());
    let body = cx.body(&cx.shapes[x], &cx.shapes[from]);
    let call = body.text("x", &format!("%{from}.clone()"));
    let text = format!("checkpoint(|x: Array| -> Result<Array> {{ Ok({call}) }})(%{x}.clone())?");
    step(text, cx.shapes[x].clone(), move |v| checkpoint(|x: Array| body.call(&x, &v[from]))(v[x].clone()))
}

/// As many trips as a value says, 3 at most.
fn while_loop_step(cx: &mut Draw) -> Option<Step> {
    let (x, limit) = (cx.any(), cx.any());
    let body = cx.body(&cx.shapes[x], &cx.shapes[limit]);
    let text = format!(
        "while_loop(|(i, _): (Array, Array)| i.lt(&integer(&%{limit}).abs()), \
         |(i, y): (Array, Array)| -> Result<(Array, Array)> {{ Ok((i + 1, {})) }}, (Array::from(0i64), %{x}.clone()))?.1",
        body.text("y", &format!("%{limit}.clone()"))
    );
    step(text, cx.shapes[x].clone(), move |v| {
        let n = integer(&v[limit]).abs();
        let body = |(i, y): (Array, Array)| -> Result<(Array, Array)> { Ok((i + 1, body.call(&y, &v[limit])?)) };
        while_loop(|(i, _): (Array, Array)| i.lt(&n), body, (Array::from(0i64), v[x].clone())).map(|(_, y)| y)
    })
}
