//! Composable function transformations and differentiable solvers.
//!
//! Write a numerical program as an ordinary Rust closure over [`Array`]s, then differentiate it ([`grad`], [`jvp`],
//! [`vjp`], [`hessian`]), vectorize it ([`vmap`]) and compile it ([`jit`]): in any order, to any depth. Solutions of
//! equations, computed by any algorithm, are differentiated by the implicit function theorem ([`custom_root`],
//! [`custom_linear_solve`], [`define_implicit_gradient`]).
//!
//! # A tour
//!
//! **Arrays.** [`Array`] is the one value type: dynamic shape and dtype, NumPy broadcasting, cheap to clone. Operators and
//! methods work on values and references; scalars adapt to the array's dtype.
//!
//! ```
//! use dini::prelude::*;
//! let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
//! let y = (&x * 2.0).sin().sum_axis(0);
//! assert_eq!(y.shape(), [2]);
//! # Ok::<(), Error>(())
//! ```
//!
//! **Functions** take and return trees: an array, tuples and vectors of trees, maps, and your own structs through
//! `#[derive(Tree)]`. They return a tree or a `Result` of one. Whatever else a function needs it captures.
//!
//! ```
//! use dini::prelude::*;
//! #[derive(Clone, Tree)]
//! struct Line { slope: Array, offset: Array }
//!
//! let x = Array::from(vec![0.0, 1.0, 2.0]);
//! let y = Array::from(vec![1.0, 3.0, 5.0]);
//! let loss = |l: Line| (&l.slope * &x + &l.offset - &y).powi(2).sum();
//! let g = grad(loss)(Line { slope: Array::from(2.0), offset: Array::from(0.0) })?;
//! assert_eq!(g.offset.item::<f64>()?, -6.0);
//! # Ok::<(), Error>(())
//! ```
//!
//! **Transformations** take a function and return a function, so they compose.
//!
//! ```
//! use dini::prelude::*;
//! let f = |x: Array| x.powi(3);
//! let second = jit(vmap(grad(grad(f))));
//! assert_eq!(second(Array::from(vec![1.0, 2.0]))?.to_vec::<f64>()?, [6.0, 12.0]);
//! # Ok::<(), Error>(())
//! ```
//!
//! **Differentiable solvers.** y with y² = x³, found by any means; its derivatives come from the equation.
//!
//! ```
//! use dini::prelude::*;
//! let sqrt_cubed = |x: Array| {
//!     custom_root(
//!         |y: Array| &y * &y - x.powi(3),                 // f closes over x, a traced value
//!         Array::from(1.0),
//!         |_f, _guess| x.powi(3).sqrt(),                  // any solver, never differentiated
//!         |g, b| Ok(b / g(Array::from(1.0))?),            // solves the linearized system
//!     )
//! };
//! let d = jit(vmap(grad(sqrt_cubed)))(Array::from(vec![4.0, 9.0]))?;
//! assert_eq!(d.to_vec::<f64>()?, [3.0, 4.5]);
//! # Ok::<(), Error>(())
//! ```
//!
//! **Control flow** on traced values: [`cond`], [`switch`], [`while_loop`], [`fori_loop`], [`scan`], [`map`]. Under plain
//! evaluation and differentiation ordinary Rust control flow works too, on values without a live tangent.
//!
//! **Errors.** Operators never fail: a mistake makes a *poisoned* array that carries the diagnostic, and whatever leaves the
//! library is a [`Result`]. The message names your line, the operands and the enclosing transformations.
//!
//! ```
//! use dini::prelude::*;
//! let f = jit(|x: Array| x + Array::from(vec![1.0, 2.0, 3.0]));
//! let error = f(Array::from(vec![1.0, 2.0])).unwrap_err();
//! assert!(error.to_string().contains("do not broadcast"));
//! ```
//!
//! **Looking inside.** [`program_of`] and [`compiled_program_of`] print what was traced and what will run, [`explain`] the
//! kernels that it becomes and what they cost, [`explain_with`] what they take; [`Counters`] counts traces, compilations, kernels and library calls.
//!
//! # Where things are
//!
//! | to | see |
//! | --- | --- |
//! | make, reshape, index arrays | methods of [`Array`] |
//! | differentiate | [`grad`] [`value_and_grad`] [`jvp`] [`vjp`] [`linearize`] [`jacfwd`] [`jacrev`] [`hessian`] [`hvp`] |
//! | vectorize, compile | [`vmap`] [`jit`] [`compile`] |
//! | loop and branch | [`while_loop`] [`fori_loop`] [`scan`] [`map`] [`cond`] [`switch`] |
//! | solve and differentiate | [`custom_root`] [`custom_linear_solve`] [`define_implicit_gradient`] |
//! | give your own derivative | [`custom_jvp`] [`custom_vjp`] [`stop_gradient`] [`without_gradients`] |
//! | save memory | [`checkpoint`] |
//! | call Rust from a compiled program | [`host_call`] [`host_call_batched`] [`inspect`] [`ensure`] |
#![forbid(unsafe_code)]

extern crate self as dini;

mod array;
mod counters;
mod debug_nans;
mod error;
mod eval;
mod explain;
mod implicit;
pub mod interrupt;
mod ir;
#[cfg(test)]
mod laws;
mod lower;
mod ops;
mod prim;
pub mod primitive;
mod shape;
pub mod testing;
mod trace;
mod transform;
pub mod tree;

pub use array::{Array, Nested, Scalar};
pub use counters::Counters;
pub use dini_cpu::{
    dtype::{DType, Element},
    explain::{Cost, Explained, Explanation, Measured, Repeats, StepCode},
};
pub use dini_cpu::{num_threads, set_num_threads};
pub use error::{Error, ErrorKind, Loc, Result};
pub use explain::{Explain, compiled_program_of, explain, explain_with, program_of};
pub use implicit::{
    implicit::define_implicit_gradient,
    linear_solve::{
        LinearSolveOptions, custom_linear_solve, custom_linear_solve_transposable,
        custom_linear_solve_transposable_with_aux, custom_linear_solve_with, custom_linear_solve_with_aux,
    },
    root::{custom_root, custom_root_with_aux},
};
pub use ir::{Atom, Eqn, Label, Literal, Program, Var};
pub use ops::{
    control::{Bound, Branch, ScanOptions, cond, fori_loop, map, scan, scan_with, switch, while_loop},
    elementwise::{IntoOperand, polygamma, select},
    host::{ensure, host_call, host_call_batched, inspect},
    index::{OutOfBounds, ScatterKind, Starts, gather, gather_with, one_hot, scatter},
    linalg::{
        DotAxes, cholesky, cholesky_solve, det, dot_general, inv, lu, lu_solve, outer, slogdet, solve, triangular_solve,
    },
    structural::{Indices, NewAxis, Pick, broadcast_to, concatenate, full_like, ones_like, stack, zeros_like},
};
pub use prim::custom::checkpoint::Policy;
pub use shape::{Aval, Shape};
pub use transform::{
    checkpoint::{checkpoint, checkpoint_name, checkpoint_with},
    custom_jvp::custom_jvp,
    custom_vjp::{custom_vjp, custom_vjp_with_jvp},
    grad::{grad, grad_with_aux, value_and_grad, value_and_grad_with_aux, vjp, vjp_with_aux},
    jacobian::{hessian, hvp, jacfwd, jacrev},
    jit::{CompiledFn, Jit, compile, compile_with, jit, jit_with},
    jvp::{jvp, jvp_with_aux},
    linearize::linearize,
    stop_gradient::{stop_gradient, stop_gradient_fn, without_gradients},
    transpose::linear_transpose,
    vmap::{Vmap, vmap, vmap_with},
};
pub use tree::Tree;

/// Everything that most programs use: `use dini::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Array, Counters, DType, Error, Jit, LinearSolveOptions, NewAxis, Policy, Result, ScanOptions, Tree, Vmap,
        broadcast_to, checkpoint, checkpoint_name, checkpoint_with, cholesky, cholesky_solve, compile, compile_with,
        compiled_program_of, concatenate, cond, custom_jvp, custom_linear_solve, custom_linear_solve_transposable,
        custom_linear_solve_transposable_with_aux, custom_linear_solve_with, custom_linear_solve_with_aux, custom_root,
        custom_root_with_aux, custom_vjp, custom_vjp_with_jvp, define_implicit_gradient, det, dot_general, ensure,
        explain, fori_loop, full_like, grad, grad_with_aux, hessian, host_call, host_call_batched, hvp, inspect, inv,
        jacfwd, jacrev, jit, jit_with, jvp, jvp_with_aux, linear_transpose, linearize, lu, lu_solve, map, ones_like,
        outer, polygamma, program_of, scan, scan_with, select, slogdet, solve, stack, stop_gradient, stop_gradient_fn,
        switch, triangular_solve, value_and_grad, value_and_grad_with_aux, vjp, vjp_with_aux, vmap, vmap_with,
        while_loop, without_gradients, zeros_like,
    };
}
