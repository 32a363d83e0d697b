//! Primitives of your own: the same trait, rule sheet and tools that the built-in ones are made with.
//!
//! A primitive is a type with a rule for each transformation. Most functions need none: compose operations, and attach a
//! derivative with [`custom_jvp`](crate::custom_jvp) or [`custom_vjp`](crate::custom_vjp). A primitive is for an
//! operation that has to stay one: a routine in Rust over whole arrays, or one that transformations treat specially.
//!
//! ```
//! use dini::prelude::*;
//! use dini::primitive::{Batch, Form, Jvp, Lower, Primitive, Rules, ScalarOp, Transpose, bind_one};
//!
//! /// Arc tangent of each element, with a derivative of its own.
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Angle;
//!
//! impl Primitive for Angle {
//!     const NAME: &'static str = "angle";
//!     const RULES: Rules<Self> = Rules {
//!         infer: |_, operands| Ok(operands.to_vec()),
//!         lower: Lower::Scalar(|_| ScalarOp::Atan),
//!         jvp: Jvp::Elementwise(&[Some(|_, x, _| 1.0 / (&x[0] * &x[0] + 1.0))]),
//!         transpose: Transpose::NotLinear,
//!         batch: Batch::Elementwise,
//!         form: Form::First,
//!         samples: || vec![(Angle, "f64[3]")],
//!     };
//! }
//!
//! let angle = |x: Array| bind_one(Angle, &[x]);
//! let slope = jit(vmap(grad(angle)))(Array::from(vec![0.0, 1.0]))?;
//! assert_eq!(slope.to_vec::<f64>()?, [1.0, 0.5]);
//! # Ok::<(), Error>(())
//! ```
//!
//! `docs/adding-a-primitive.md` goes through each cell.

pub use crate::{
    lower::LowerCx,
    prim::{
        Batch, Duals, DynPrimitive, Form, Higher, Jvp, JvpRule, Lanes, Lower, Operand, Operands, Partial, Prim,
        Primitive, Rules, Transpose, TransposeRule, batch_elementwise,
    },
};
pub use dini_cpu::{
    buffer::Buffer,
    graph::{CallError, CallFn, Op, Routine, Strided, TensorMut, TensorRef, Value},
    scalar::ScalarOp,
};

use crate::{
    array::Array,
    error::{Error, ErrorKind, Result},
    trace::{apply, bind_at, here},
};

/// Runs an operation, or records it, as the current transformation wants. Every use of a primitive ends here.
///
/// # Errors
/// Operands that the primitive's `infer` rejects, the error of an operand, and what the rules of the transformations
/// under way return.
///
/// ```
/// use dini::prelude::*;
/// use dini::primitive::{Batch, Form, Jvp, Lower, Operands, Primitive, Rules, Transpose, bind};
///
/// /// Sum and difference of two arrays.
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Butterfly;
///
/// impl Primitive for Butterfly {
///     const NAME: &'static str = "butterfly";
///     const RULES: Rules<Self> = Rules {
///         infer: |_, operands| Ok(operands.to_vec()),
///         lower: Lower::Compose(|_, x| Ok(vec![&x[0] + &x[1], &x[0] - &x[1]])),
///         jvp: Jvp::Linear(Operands::All),
///         transpose: Transpose::Todo("reverse mode is not needed here"),
///         batch: Batch::Todo("nor is vmap"),
///         form: Form::First,
///         samples: Vec::new,
///     };
/// }
///
/// let outs = bind(Butterfly, &[Array::from(3.0), Array::from(1.0)])?;
/// assert_eq!((outs[0].item::<f64>()?, outs[1].item::<f64>()?), (4.0, 2.0));
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn bind<P: Primitive>(prim: P, operands: &[Array]) -> Result<Vec<Array>> {
    bind_at(&Prim::from_dyn(&prim), operands, here())
}

/// [`bind`] of a primitive with one result; a failure becomes the result's error, as for the operations of
/// [`Array`].
#[track_caller]
pub fn bind_one<P: Primitive>(prim: P, operands: &[Array]) -> Array {
    let at = here();
    let result = apply(&Prim::from_dyn(&prim), operands, at).and_then(|outs| match outs.len() {
        1 => Ok(outs),
        n => Err(Error::new(ErrorKind::Structure, format!("has {n} results, expected 1")).op(P::NAME).at(at)),
    });
    Array::one(result)
}

/// The error of a rule: what does not fit. The line and the operands are added by the library.
///
/// Messages are lower case, say what was got and what was expected, and do not name the primitive.
pub fn rule_error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, message)
}
