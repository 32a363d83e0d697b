//! Elementwise functions: methods of [`Array`] and a few free functions.

use crate::{
    array::{Array, Scalar},
    error::{Error, Loc},
    prim::{
        Prim,
        control::taken::Taken,
        elementwise::{
            arithmetic::{Abs, Ceil, Floor, Max, Min, Round, Sign},
            exponential::{Exp, Exp2, Expm1, Log, Log1p, Log2, Logistic},
            hyperbolic::{Acosh, Asinh, Atanh, Cosh, Sinh, Tanh},
            logic::{Eq, Ge, Gt, IsFinite, Le, Lt, Ne},
            power::{Cbrt, Pow, Powi, Rsqrt, Sqrt},
            select::{Cast, Clamp, Select},
            special::{Digamma, Erf, ErfInv, Erfc, Lgamma, Polygamma},
            trigonometric::{Acos, Asin, Atan, Atan2, Cos, Sin, Tan},
        },
        suspend::StopGradient,
    },
    shape::{Shape, broadcast_shapes},
    trace::{bind1, here, with_location},
};
use dini_cpu::dtype::DType;
use smallvec::SmallVec;

/// Operands made to fit an elementwise primitive: one shape, or rank 0.
fn fit(prim: &Prim, xs: &[&Array], at: Loc) -> Result<SmallVec<[Array; 3]>, Error> {
    if have_one_shape(xs) {
        return Ok(xs.iter().copied().cloned().collect());
    }
    let mut shape = Shape::new();
    for x in xs {
        shape = broadcast_shapes(&shape, &x.try_aval()?.shape).map_err(|e| {
            let e = xs.iter().enumerate().fold(e, |e, (i, x)| e.operand(i, x.provenance()));
            e.op(prim.name()).at(at)
        })?;
    }
    let fit = |x: &Array| if x.ndim() == 0 || x.shape() == &shape[..] { x.clone() } else { x.broadcast_to(&shape) };
    Ok(with_location(at, || xs.iter().copied().map(fit).collect()))
}

/// Whether operands have one shape, or rank 0, as they are.
fn have_one_shape(xs: &[&Array]) -> bool {
    let mut one: &[usize] = &[];
    xs.iter().all(|x| {
        let Ok(aval) = x.try_aval() else { return false };
        if one.is_empty() {
            one = &aval.shape;
        }
        aval.ndim() == 0 || aval.shape[..] == *one
    })
}

/// An elementwise operation on operands that broadcast.
#[track_caller]
pub(crate) fn broadcasting(prim: impl Into<Prim>, xs: &[&Array]) -> Array {
    let (prim, at) = (prim.into(), here());
    match fit(&prim, xs, at) {
        Ok(xs) => bind1(prim, &xs),
        Err(e) => Array::poison(e),
    }
}

/// A binary elementwise operation on operands that broadcast.
#[track_caller]
pub(crate) fn binary(prim: impl Into<Prim>, x: &Array, y: &Array) -> Array {
    broadcasting(prim, &[x, y])
}

/// See [`crate::stop_gradient`], of one array.
#[track_caller]
pub(crate) fn stop_gradient(x: &Array) -> Array {
    match x.try_aval() {
        Ok(aval) if aval.dtype.is_inexact() => bind1(StopGradient, std::slice::from_ref(x)),
        Ok(_) | Err(_) => x.clone(),
    }
}

/// `x` in lanes (leading axis) where the mask holds, else `y`.
#[track_caller]
pub(crate) fn select_lanes(mask: &Array, x: &Array, y: &Array) -> Array {
    let shape = match x.try_aval() {
        Ok(aval) => aval.shape.clone(),
        Err(e) => return Array::poison(e),
    };
    if x.dtype() == DType::Float0 {
        return x.clone();
    }
    let mask = if shape.len() > 1 { super::broadcast_in_dim(mask, &shape, &[0]) } else { mask.clone() };
    bind1(Select, &[mask, x.clone(), y.clone()])
}

/// `x`, constant to derivatives in lanes (leading axis) where the mask does not hold.
#[track_caller]
pub(crate) fn taken_lanes(mask: &Array, x: &Array) -> Array {
    match x.try_aval() {
        Ok(aval) if aval.ndim() > 1 => bind1(Taken, &[super::broadcast_in_dim(mask, &aval.shape, &[0]), x.clone()]),
        Ok(_) => bind1(Taken, &[mask.clone(), x.clone()]),
        Err(e) => Array::poison(e),
    }
}

/// An integer index clamped to 0 … n − 1, whatever its width.
#[track_caller]
pub(crate) fn clamp_index(index: &Array, n: usize) -> Array {
    let top = match index.try_aval() {
        Ok(aval) if aval.dtype == DType::U8 => (n - 1).min(usize::from(u8::MAX)),
        Ok(_) | Err(_) => n - 1,
    };
    index.clamp(0i64, top)
}

/// Where `mask` holds the element of `x`, else that of `y`. Shapes broadcast; `x` and `y` have one dtype.
///
/// Both are computed; the derivative of the one that is not taken is exactly 0 unless it is NaN or infinite there. To keep
/// those out too, make the argument harmless where it is not used, or use [`cond`](crate::cond) under `vmap`.
///
/// ```
/// use dini::prelude::*;
/// let x = Array::from(vec![-1.0, 2.0]);
/// let y = select(&x.gt(&Array::from(0.0)), &x, &Array::from(0.0));
/// assert_eq!(y.to_vec::<f64>()?, [0.0, 2.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn select(mask: &Array, x: &Array, y: &Array) -> Array {
    broadcasting(Select, &[mask, x, y])
}

/// The n-th derivative of the digamma function at `x`, for a whole n ≥ 0 of x's dtype. Shapes broadcast.
///
/// ```
/// use dini::prelude::*;
/// let trigamma = polygamma(&Array::from(1.0), &Array::from(1.0));
/// assert!((trigamma.item::<f64>()? - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn polygamma(n: &Array, x: &Array) -> Array {
    binary(Polygamma, n, x)
}

/// A second operand of a method: an array, or a scalar that adapts to the first operand's dtype.
pub trait IntoOperand {
    /// The operand for a method of `like`.
    #[doc(hidden)]
    fn operand(self, like: &Array, at: Loc) -> Array;
}

impl IntoOperand for Array {
    fn operand(self, _: &Array, _: Loc) -> Array {
        self
    }
}

impl IntoOperand for &Array {
    fn operand(self, _: &Array, _: Loc) -> Array {
        self.clone()
    }
}

macro_rules! scalar_operands {
    ($($t:ty),*) => { $(
        impl IntoOperand for $t {
            fn operand(self, like: &Array, at: Loc) -> Array {
                match like.try_aval() {
                    Ok(aval) => Scalar::from(self).array(aval.dtype, at),
                    Err(e) => Array::poison(e),
                }
            }
        }
    )* };
}
scalar_operands!(f64, f32, i32, i64, u8, u32, u64, usize, bool);

/// A scalar operand; one that the array's type cannot hold is an error that names the operation and the array.
pub(super) fn named(op: &str, array: &Array, scalar: Array) -> Array {
    match scalar.as_poison() {
        Some(e) if !e.is_named() => {
            Array::poison(e.clone().op(op).detail(format!("the array: {}", array.provenance())))
        }
        Some(_) | None => scalar,
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $method:ident => $prim:expr;)*) => {
        impl Array { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> Array {
                bind1($prim, std::slice::from_ref(self))
            }
        )* }
    };
}

unary! {
    /// Absolute value, of any number. Derivative 1 at 0.
    abs => Abs;
    /// −1, 0 or 1. Derivative 0.
    sign => Sign;
    /// Largest whole number not above. Floats; derivative 0.
    floor => Floor;
    /// Smallest whole number not below. Floats; derivative 0.
    ceil => Ceil;
    /// Nearest whole number, ties to even. Floats; derivative 0.
    round => Round;
    /// eˣ, of floats.
    exp => Exp;
    /// 2ˣ, of floats.
    exp2 => Exp2;
    /// eˣ − 1, accurate near 0. Floats.
    expm1 => Expm1;
    /// Natural logarithm, of floats; NaN below 0, −∞ at 0.
    log => Log;
    /// Logarithm to base 2, of floats.
    log2 => Log2;
    /// ln(1 + x), accurate near 0. Floats.
    log1p => Log1p;
    /// Sine of radians, of floats.
    sin => Sin;
    /// Cosine of radians, of floats.
    cos => Cos;
    /// Tangent of radians, of floats.
    tan => Tan;
    /// Inverse sine in radians, of floats; NaN outside [−1, 1].
    asin => Asin;
    /// Inverse cosine in radians, of floats; NaN outside [−1, 1].
    acos => Acos;
    /// Inverse tangent in radians, of floats.
    atan => Atan;
    /// Hyperbolic sine, of floats.
    sinh => Sinh;
    /// Hyperbolic cosine, of floats.
    cosh => Cosh;
    /// Hyperbolic tangent, of floats.
    tanh => Tanh;
    /// Inverse hyperbolic sine, of floats.
    asinh => Asinh;
    /// Inverse hyperbolic cosine, of floats; NaN below 1.
    acosh => Acosh;
    /// Inverse hyperbolic tangent, of floats; NaN outside [−1, 1].
    atanh => Atanh;
    /// Square root, of floats; NaN below 0. Derivative +∞ at 0.
    sqrt => Sqrt;
    /// 1/√x, of floats.
    rsqrt => Rsqrt;
    /// Real cube root, of floats.
    cbrt => Cbrt;
    /// 1/(1 + e⁻ˣ), of floats.
    logistic => Logistic;
    /// Error function, of floats.
    erf => Erf;
    /// 1 − erf x, accurate for large x. Floats.
    erfc => Erfc;
    /// Inverse of the error function, of floats in [−1, 1].
    erf_inv => ErfInv;
    /// ln |Γ(x)|, of floats.
    lgamma => Lgamma;
    /// ψ(x) = d/dx ln Γ(x), of floats.
    digamma => Digamma;
    /// Whether each element is neither infinite nor NaN; `bool` from floats.
    is_finite => IsFinite;
}

macro_rules! pairwise {
    ($($(#[$doc:meta])* $method:ident => $prim:expr;)*) => {
        impl Array { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self, other: impl IntoOperand) -> Array {
                let other = named(stringify!($method), self, other.operand(self, here()));
                binary($prim, self, &other)
            }
        )* }
    };
}

pairwise! {
    /// Elementwise larger one, NaN if either is. At ties each gets half of the derivative.
    max => Max;
    /// Elementwise smaller one, NaN if either is. At ties each gets half of the derivative.
    min => Min;
    /// xʸ, of floats.
    pow => Pow;
    /// The angle in radians of the point (other, self), of floats: `y.atan2(&x)`.
    atan2 => Atan2;
    /// Elementwise `==`, as `bool`.
    eq => Eq;
    /// Elementwise `!=`, as `bool`.
    ne => Ne;
    /// Elementwise `<`, as `bool`.
    lt => Lt;
    /// Elementwise `<=`, as `bool`.
    le => Le;
    /// Elementwise `>`, as `bool`.
    gt => Gt;
    /// Elementwise `>=`, as `bool`.
    ge => Ge;
}

impl Array {
    /// xⁿ for a fixed whole n; floats, or any number if n ≥ 0.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from(2.0).powi(-2).item::<f64>()?, 0.25);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn powi(&self, n: i32) -> Array {
        bind1(Powi { n }, std::slice::from_ref(self))
    }

    /// Converted to another element type: floats to integers truncate and saturate, integers wrap, to `bool` is `!= 0`.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from(2.7).cast(DType::I32).item::<i32>()?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn cast(&self, to: DType) -> Array {
        match self.try_aval() {
            Ok(aval) if aval.dtype == to => self.clone(),
            Ok(_) | Err(_) => bind1(Cast { to }, std::slice::from_ref(self)),
        }
    }

    /// min(max(x, lo), hi). The derivative passes strictly inside the bounds.
    ///
    /// ```
    /// use dini::prelude::*;
    /// assert_eq!(Array::from(vec![-2.0, 0.5]).clamp(0.0, 1.0).to_vec::<f64>()?, [0.0, 0.5]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn clamp(&self, lo: impl IntoOperand, hi: impl IntoOperand) -> Array {
        let at = here();
        let bound = |x: Array| named("clamp", self, x);
        broadcasting(Clamp, &[&bound(lo.operand(self, at)), self, &bound(hi.operand(self, at))])
    }

    /// Whether each element is NaN; `bool` from floats.
    #[track_caller]
    pub fn is_nan(&self) -> Array {
        bind1(Ne, &[self.clone(), self.clone()])
    }
}
