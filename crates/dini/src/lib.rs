//! Composable function transformations and differentiable solvers.
//!
//! Write a numerical program as an ordinary Rust closure over [`Array`]s, then differentiate it ([`grad`], [`jvp`],
//! [`vjp`], [`hessian`]), vectorize it ([`vmap`]) and compile it ([`jit`]): in any order, to any depth. Solutions of
//! equations, computed by any algorithm, are differentiated by the implicit function theorem ([`custom_root`],
//! [`custom_linear_solve`], [`define_implicit_gradient`]).
//!
//! ```
//! use dini::prelude::*;
//!
//! let f = |x: Array| (&x * 2.0).sin() / &x;
//! let y = f(Array::from(1.0)).item::<f64>()?;                       // runs now
//! let df = grad(f)(Array::from(1.0))?;                              // its derivative
//! let many = jit(vmap(grad(f)))(Array::from(vec![1.0, 2.0, 3.0]))?; // at many points, compiled
//! assert_eq!(many.shape(), [3]);
//! # let _ = (y, df);
//! # Ok::<(), Error>(())
//! ```
#![forbid(unsafe_code)]

extern crate self as dini;

mod array;
mod counters;
mod error;
mod eval;
mod implicit;
mod ir;
mod lower;
mod ops;
mod prim;
mod shape;
mod trace;
mod transform;
pub mod tree;

pub use array::{Array, Nested, Scalar};
pub use counters::Counters;
pub use dini_cpu::dtype::{DType, Element};
pub use error::{Error, ErrorKind, Loc, Result};
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
    host::{ensure, host_call, inspect},
};
pub use prim::custom::checkpoint::Policy;
pub use shape::{Aval, Shape};
pub use transform::{
    checkpoint::{checkpoint, checkpoint_name, checkpoint_with},
    custom_jvp::custom_jvp,
    custom_vjp::{custom_vjp, custom_vjp_with_jvp},
    grad::{grad, grad_with_aux, value_and_grad, value_and_grad_with_aux, vjp, vjp_with_aux},
    jacobian::{hessian, hvp, jacfwd, jacrev},
    jit::{CompiledFn, Jit, compile, compiled_program_of, jit, jit_with, program_of},
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
        Array, Counters, DType, Error, Jit, LinearSolveOptions, Policy, Result, ScanOptions, Tree, Vmap, checkpoint,
        checkpoint_name, checkpoint_with, compile, compiled_program_of, cond, custom_jvp, custom_linear_solve,
        custom_linear_solve_transposable, custom_linear_solve_transposable_with_aux, custom_linear_solve_with,
        custom_linear_solve_with_aux, custom_root, custom_root_with_aux, custom_vjp, custom_vjp_with_jvp,
        define_implicit_gradient, ensure, fori_loop, grad, grad_with_aux, hessian, host_call, hvp, inspect, jacfwd,
        jacrev, jit, jit_with, jvp, jvp_with_aux, linear_transpose, linearize, map, polygamma, program_of, scan,
        scan_with, select, stop_gradient, stop_gradient_fn, switch, value_and_grad, value_and_grad_with_aux, vjp,
        vjp_with_aux, vmap, vmap_with, while_loop, without_gradients,
    };
}
