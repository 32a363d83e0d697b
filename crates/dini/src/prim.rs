//! Primitives: each is a type with one rule sheet, and [`Prim`] is the closed list of them.
//!
//! A rule sheet is a struct literal with no default and no `..`: leaving a rule out does not compile. Cells are small
//! enums, so that intent is data; `Todo` is the only hole, and `docs/coverage.md` shows every one.
//!
//! Invariant: this module and `prim/` are the rows of the architecture, `transform/` and `trace/` the columns. A new
//! primitive touches its own file and the list below.

mod batching;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod custom;
pub(crate) mod effects;
pub(crate) mod elementwise;
pub(crate) mod host;
pub(crate) mod index;
pub(crate) mod late_error;
pub(crate) mod linalg;
pub(crate) mod reduce;
pub(crate) mod structural;
pub(crate) mod suspend;

pub use batching::batch_elementwise;
pub(crate) use batching::{all_to_front, broadcast_lanes, move_axis, to_front};

use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    implicit::{implicit::Implicit, linear_solve::LinearSolve},
    ir::{Program, dce::CutEqn},
    lower::LowerCx,
    ops,
    prim::structural::check_extents,
    shape::Aval,
    trace::{PartialEval, bind, bind_at},
};
use dini_cpu::{
    graph::{Call, CallFn, Routine, Value},
    scalar::ScalarOp,
};
use smallvec::{SmallVec, smallvec};
use std::{any::Any, fmt, hash::Hash, sync::Arc};

/// A primitive operation: parameters, a name, and a sheet of rules.
pub trait Primitive: Clone + fmt::Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The printed name.
    const NAME: &'static str;
    /// How every transformation treats it.
    const RULES: Rules<Self>;
}

/// The rule sheet of a primitive.
pub struct Rules<P: 'static> {
    /// Result types from operand types; the error says what does not fit.
    pub infer: fn(&P, &[Aval]) -> Result<Vec<Aval>>,
    /// How it is computed.
    pub lower: Lower<P>,
    /// How tangents move through it.
    pub jvp: Jvp<P>,
    /// How cotangents move through it, where it is linear.
    pub transpose: Transpose<P>,
    /// How it acts on many lanes at once.
    pub batch: Batch<P>,
    /// Whether it has sub-programs or effects.
    pub form: Form<P>,
    /// Parameters with operand types that the laws are checked on, e.g. `"f64[3] f64[3]@0.1..2"`.
    pub samples: fn() -> Vec<(P, &'static str)>,
}

/// How a primitive is computed.
pub enum Lower<P: 'static> {
    /// One scalar operation, element by element.
    Scalar(fn(&P) -> ScalarOp),
    /// Tensor operations of the engine.
    Loops(fn(&P, &mut LowerCx, &[Value], &[Aval], &[Aval]) -> Result<Vec<Value>>),
    /// A safe Rust function over dense typed views.
    Call(fn(&P) -> Arc<CallFn>),
    /// A function of the engine's linear algebra, for each matrix of a batch.
    Routine(fn(&P) -> Routine),
    /// Sub-programs as loops, branches or in line.
    Schedule(fn(&P, &mut LowerCx, &[Value], &[Aval], &[Aval]) -> Result<Vec<Value>>),
    /// Other primitives.
    Compose(fn(&P, &[Array]) -> Result<Vec<Array>>),
    /// Missing, and why.
    Todo(&'static str),
}

/// Partial derivative of an elementwise primitive with respect to one operand, from the operands and the result.
pub type Partial<P> = fn(&P, &[Array], &Array) -> Array;

/// Tangents of the results from operands, results and the operands' tangents (`None`: zero).
pub type JvpRule<P> = fn(&P, &[Array], &[Array], &[Option<Array>]) -> Result<Vec<Option<Array>>>;

/// Results and their tangents together.
pub type Duals = (Vec<Array>, Vec<Option<Array>>);

/// The results of a lowered operation: mostly one.
pub(crate) type Values = SmallVec<[Value; 4]>;

/// How tangents move through a primitive.
pub enum Jvp<P: 'static> {
    /// Jointly linear in the named operands; the others carry no tangents.
    Linear(Operands),
    /// The results do not vary.
    Zero,
    /// One result, elementwise: one partial derivative for each operand, `None` where there is no dependence.
    Elementwise(&'static [Option<Partial<P>>]),
    /// Tangents from operands, results and tangents.
    By(JvpRule<P>),
    /// Results and tangents computed together.
    Joint(fn(&P, &[Array], &[Option<Array>]) -> Result<Duals>),
    /// There is none, by nature, and why: an error if a derivative is needed.
    Undefined(&'static str),
    /// Missing, and why: an error if a derivative is needed.
    Todo(&'static str),
}

/// Some of a primitive's operands.
#[derive(Clone, Copy, Debug)]
pub enum Operands {
    /// Every operand.
    All,
    /// Those at these positions.
    Only(&'static [usize]),
}

impl Operands {
    fn contains(self, i: usize) -> bool {
        match self {
            Operands::All => true,
            Operands::Only(list) => list.contains(&i),
        }
    }
}

/// An operand under transposition.
#[derive(Clone, Debug)]
pub enum Operand {
    /// Its value is at hand.
    Known(Array),
    /// The map is linear in it; only its type is known.
    Linear(Aval),
}

impl Operand {
    /// The type, known or not.
    pub fn aval(&self) -> Aval {
        match self {
            Operand::Known(x) => x.aval().clone(),
            Operand::Linear(aval) => aval.clone(),
        }
    }

    /// Whether the map is linear in it.
    pub fn is_linear(&self) -> bool {
        match self {
            Operand::Linear(_) => true,
            Operand::Known(_) => false,
        }
    }

    /// The value, or the error that the map would not be linear.
    pub fn known(&self) -> Result<&Array> {
        match self {
            Operand::Known(x) => Ok(x),
            Operand::Linear(aval) => Err(Error::new(
                ErrorKind::NotLinear,
                format!("not linear: an operand of type {aval} depends on the input that it must be linear in"),
            )),
        }
    }
}

/// Cotangents of the operands (`None`: zero, or the operand is known) from those of the results.
pub type TransposeRule<P> = fn(&P, &[Option<Array>], &[Operand]) -> Result<Vec<Option<Array>>>;

/// How cotangents move through a primitive.
pub enum Transpose<P: 'static> {
    /// It is not linear.
    NotLinear,
    /// By this rule.
    By(TransposeRule<P>),
    /// Missing, and why: an error if a derivative needs it.
    Todo(&'static str),
}

/// Results, and for each the axis that holds its lanes (`None`: all lanes are equal).
pub type Lanes = (Vec<Array>, Vec<Option<usize>>);

/// How a primitive acts on many lanes at once.
pub enum Batch<P: 'static> {
    /// Element by element, so lanes are just more elements.
    Elementwise,
    /// From the number of lanes, the operands and the axis that holds each one's lanes.
    By(fn(&P, usize, &[Array], &[Option<usize>]) -> Result<Lanes>),
    /// Missing, and why.
    Todo(&'static str),
}

/// Sub-programs and effects of a primitive.
pub enum Form<P: 'static> {
    /// Neither.
    First,
    /// Runs exactly as often as the program says: never removed, merged or repeated.
    Effect,
    /// Has sub-programs.
    Higher(Higher<P>),
}

/// What only primitives with sub-programs need.
pub struct Higher<P: 'static> {
    /// The sub-programs, each with its role.
    pub subs: fn(&P) -> Vec<(&'static str, Arc<Program>)>,
    /// Divides it into a known part, run at once, and an unknown part, recorded; `None` records it whole.
    #[expect(private_interfaces, reason = "only primitives of this crate have sub-programs")]
    pub split: fn(&P, &PartialEval<'_>, &[Array]) -> Result<Option<Vec<Array>>>,
    /// Cuts it down to the results in use; `None` keeps it whole.
    #[expect(private_interfaces, reason = "only primitives of this crate have sub-programs")]
    pub dce: fn(&P, &[bool]) -> Option<CutEqn>,
    /// What execution runs instead, bound under the current trace once derivatives no longer matter: the sub-program
    /// in line, or itself with erased sub-programs.
    pub erase: fn(&P, &[Array]) -> Result<Vec<Array>>,
}

/// The object-safe face of [`Primitive`], implemented for every one.
pub trait DynPrimitive: fmt::Debug + Send + Sync + 'static {
    /// See [`Primitive::NAME`].
    fn name(&self) -> &'static str;
    /// Result types.
    fn infer(&self, avals: &[Aval]) -> Result<Vec<Aval>>;
    #[doc(hidden)]
    fn jvp(&self, primals: &[Array], tangents: &[Option<Array>], at: Loc) -> Result<Duals>;
    #[doc(hidden)]
    fn transpose(&self, cts: &[Option<Array>], operands: &[Operand], at: Loc) -> Result<Vec<Option<Array>>>;
    #[doc(hidden)]
    fn batch(&self, size: usize, values: &[Array], axes: &[Option<usize>], at: Loc) -> Result<Lanes>;
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "called by the transformations alone")]
    fn split(&self, cx: &PartialEval<'_>, inputs: &[Array]) -> Result<Option<Vec<Array>>>;
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "called by the passes alone")]
    fn dce(&self, used: &[bool]) -> Option<CutEqn>;
    /// Whether [`DynPrimitive::erase`] has nothing to say, whatever the operands.
    #[doc(hidden)]
    fn runs_as_it_is(&self) -> bool;
    /// What execution runs instead of it, if anything.
    #[doc(hidden)]
    fn erase(&self, inputs: &[Array]) -> Result<Option<Vec<Array>>>;
    #[doc(hidden)]
    fn lower(&self, cx: &mut LowerCx, args: &[Value], ins: &[Aval], outs: &[Aval]) -> Result<Values>;
    /// Sub-programs with their roles.
    fn subs(&self) -> Vec<(&'static str, Arc<Program>)>;
    /// Whether it must run exactly as often as the program says.
    fn has_effect(&self) -> bool;
    /// One word for each cell: lower, jvp, transpose, batch, form.
    fn coverage(&self) -> [String; 5];
    #[doc(hidden)]
    fn as_any(&self) -> &dyn Any;
    #[doc(hidden)]
    fn same(&self, other: &dyn DynPrimitive) -> bool;
    #[doc(hidden)]
    fn digest(&self, state: &mut dyn std::hash::Hasher);
}

/// One word for each cell of a rule sheet, a hole with its reason: lower, jvp, transpose, batch, form.
fn coverage_of<P: Primitive>() -> [String; 5] {
    let todo = |why: &str| format!("TODO: {why}");
    let lower = match P::RULES.lower {
        Lower::Scalar(_) => "scalar".into(),
        Lower::Loops(_) => "loops".into(),
        Lower::Call(_) | Lower::Routine(_) => "call".into(),
        Lower::Schedule(_) => "schedule".into(),
        Lower::Compose(_) => "compose".into(),
        Lower::Todo(why) => todo(why),
    };
    let jvp = match P::RULES.jvp {
        Jvp::Linear(_) => "linear".into(),
        Jvp::Zero => "zero".into(),
        Jvp::Elementwise(_) => "elementwise".into(),
        Jvp::By(_) => "rule".into(),
        Jvp::Joint(_) => "joint".into(),
        Jvp::Undefined(why) => format!("none: {why}"),
        Jvp::Todo(why) => todo(why),
    };
    let transpose = match P::RULES.transpose {
        Transpose::NotLinear => "-".into(),
        Transpose::By(_) => "rule".into(),
        Transpose::Todo(why) => todo(why),
    };
    let batch = match P::RULES.batch {
        Batch::Elementwise => "elementwise".into(),
        Batch::By(_) => "rule".into(),
        Batch::Todo(why) => todo(why),
    };
    let form = match P::RULES.form {
        Form::First => "first".into(),
        Form::Effect => "effect".into(),
        Form::Higher(_) => "higher".into(),
    };
    [lower, jvp, transpose, batch, form]
}

fn missing(name: &str, what: &str, why: &str, at: Loc) -> Error {
    Error::new(ErrorKind::MissingRule, format!("has no {what} rule: {why}")).op(name).at(at)
}

/// A symbolic zero as an array.
pub(crate) fn instantiate(tangent: Option<&Array>, like: &Array) -> Array {
    match tangent {
        Some(t) => t.clone(),
        None => ops::zeros_of(like.aval()),
    }
}

impl<P: Primitive> DynPrimitive for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn infer(&self, avals: &[Aval]) -> Result<Vec<Aval>> {
        let outs = (P::RULES.infer)(self, avals)?;
        outs.iter().try_for_each(|out| check_extents(&out.shape))?;
        Ok(outs)
    }

    fn jvp(&self, primals: &[Array], tangents: &[Option<Array>], at: Loc) -> Result<Duals> {
        let prim = || -> Prim { Prim::from_dyn(self) };
        if let Jvp::Joint(rule) = P::RULES.jvp {
            return rule(self, primals, tangents);
        }
        let outs = bind_at(&prim(), primals, at)?;
        let inexact = |y: &Array| y.aval().dtype.is_inexact();
        let tangents = match P::RULES.jvp {
            Jvp::Zero => vec![None; outs.len()],
            Jvp::Linear(which) => {
                if tangents.iter().enumerate().any(|(i, t)| t.is_some() && which.contains(i)) {
                    let operands: Vec<Array> = primals
                        .iter()
                        .zip(tangents)
                        .enumerate()
                        .map(|(i, (x, t))| if which.contains(i) { instantiate(t.as_ref(), x) } else { x.clone() })
                        .collect();
                    bind_at(&prim(), &operands, at)?.into_iter().map(Some).collect()
                } else {
                    vec![None; outs.len()]
                }
            }
            Jvp::Elementwise(partials) => {
                let y = &outs[0];
                let mut sum: Option<Array> = None;
                for (partial, t) in partials.iter().zip(tangents) {
                    if let (Some(partial), Some(t)) = (partial, t) {
                        let term = partial(self, primals, y) * t;
                        sum = Some(match sum {
                            Some(sum) => sum + term,
                            None => term,
                        });
                    }
                }
                vec![sum.filter(|_| inexact(y)).map(|t| ops::broadcast_like(&t, y))]
            }
            Jvp::By(rule) => rule(self, primals, &outs, tangents)?,
            Jvp::Undefined(why) | Jvp::Todo(why) => {
                let error = missing(P::NAME, "differentiation", why, at);
                let depends = late_error::tangents_and_values(tangents, primals);
                outs.iter()
                    .map(|y| inexact(y).then(|| late_error::late_error(error.clone(), y.aval(), &depends)))
                    .collect()
            }
            Jvp::Joint(_) => unreachable!("handled above"),
        };
        Ok((outs, tangents))
    }

    fn transpose(&self, cts: &[Option<Array>], operands: &[Operand], at: Loc) -> Result<Vec<Option<Array>>> {
        match P::RULES.transpose {
            Transpose::By(rule) => rule(self, cts, operands).map_err(|e| e.op(P::NAME).at(at)),
            Transpose::NotLinear => {
                Err(Error::new(ErrorKind::NotLinear, "not linear in its operands").op(P::NAME).at(at))
            }
            Transpose::Todo(why) => {
                let error = missing(P::NAME, "transposition", why, at);
                let depends = late_error::cotangents_and_values(cts, operands);
                Ok(operands
                    .iter()
                    .map(|o| o.is_linear().then(|| late_error::late_error(error.clone(), &o.aval(), &depends)))
                    .collect())
            }
        }
    }

    fn batch(&self, size: usize, values: &[Array], axes: &[Option<usize>], at: Loc) -> Result<Lanes> {
        match P::RULES.batch {
            Batch::Elementwise => {
                let (values, axis) = batch_elementwise(size, values, axes)?;
                Ok((bind(Prim::from_dyn(self), &values)?, vec![Some(axis)]))
            }
            Batch::By(rule) => rule(self, size, values, axes).map_err(|e| e.op(P::NAME).at(at)),
            Batch::Todo(why) => Err(missing(P::NAME, "batching", why, at)),
        }
    }

    #[expect(private_interfaces, reason = "called by the transformations alone")]
    fn split(&self, cx: &PartialEval<'_>, inputs: &[Array]) -> Result<Option<Vec<Array>>> {
        match P::RULES.form {
            Form::First | Form::Effect => Ok(None),
            Form::Higher(Higher { split, .. }) => split(self, cx, inputs),
        }
    }

    #[expect(private_interfaces, reason = "called by the passes alone")]
    fn dce(&self, used: &[bool]) -> Option<CutEqn> {
        match P::RULES.form {
            Form::First | Form::Effect => None,
            Form::Higher(Higher { dce, .. }) => dce(self, used),
        }
    }

    fn runs_as_it_is(&self) -> bool {
        !matches!((P::RULES.lower, P::RULES.form), (Lower::Compose(_), _) | (_, Form::Higher(_)))
    }

    fn erase(&self, inputs: &[Array]) -> Result<Option<Vec<Array>>> {
        match (P::RULES.lower, P::RULES.form) {
            (Lower::Compose(rule), _) => rule(self, inputs).map(Some),
            (_, Form::Higher(Higher { erase, .. })) => erase(self, inputs).map(Some),
            (_, Form::First | Form::Effect) => Ok(None),
        }
    }

    fn lower(&self, cx: &mut LowerCx, args: &[Value], ins: &[Aval], outs: &[Aval]) -> Result<Values> {
        match P::RULES.lower {
            Lower::Scalar(op) => Ok(smallvec![cx.map(op(self), args, &outs[0])]),
            Lower::Loops(rule) | Lower::Schedule(rule) => rule(self, cx, args, ins, outs).map(Values::from),
            Lower::Call(function) => {
                let (function, effect) = (function(self), self.has_effect());
                Ok(cx.call(Call { name: P::NAME, function, effect, routine: None }, args, outs).into())
            }
            Lower::Routine(routine) => Ok(cx.call(Call::routine(P::NAME, routine(self)), args, outs).into()),
            Lower::Compose(_) => Err(Error::new(ErrorKind::Internal, "is composed of others and was not expanded")),
            Lower::Todo(why) => {
                Err(Error::new(ErrorKind::MissingRule, format!("has no lowering rule: {why}")).op(P::NAME))
            }
        }
    }

    fn subs(&self) -> Vec<(&'static str, Arc<Program>)> {
        match P::RULES.form {
            Form::First | Form::Effect => Vec::new(),
            Form::Higher(Higher { subs, .. }) => subs(self),
        }
    }

    fn has_effect(&self) -> bool {
        match P::RULES.form {
            Form::First => false,
            Form::Effect => true,
            Form::Higher(Higher { subs, .. }) => subs(self).iter().any(|(_, p)| p.has_effect()),
        }
    }

    fn coverage(&self) -> [String; 5] {
        coverage_of::<P>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn DynPrimitive) -> bool {
        other.as_any().downcast_ref::<P>().is_some_and(|other| self == other)
    }

    fn digest(&self, mut state: &mut dyn std::hash::Hasher) {
        self.hash(&mut state);
    }
}

macro_rules! primitives {
    ($($name:ident: $path:path),* $(,)?) => {
        /// Every primitive: the built-in ones, matched without wildcard arms, and the users'.
        #[derive(Clone, Debug)]
        pub enum Prim {
            $(#[doc = concat!("`", stringify!($name), "`")] $name($path),)*
            /// A user's own, see [`Primitive`].
            Custom(Arc<dyn DynPrimitive>),
        }

        impl std::ops::Deref for Prim {
            type Target = dyn DynPrimitive;
            fn deref(&self) -> &(dyn DynPrimitive + 'static) {
                match self {
                    $(Prim::$name(p) => p,)*
                    Prim::Custom(p) => &**p,
                }
            }
        }

        impl Prim {
            /// The primitive of that type among the built-in ones, else a user's.
            pub(crate) fn from_dyn<P: Primitive>(p: &P) -> Prim {
                let any: &dyn Any = p;
                $(if let Some(p) = any.downcast_ref::<$path>() {
                    return Prim::$name(p.clone());
                })*
                Prim::Custom(Arc::new(p.clone()))
            }
        }

        $(impl From<$path> for Prim {
            fn from(p: $path) -> Prim {
                Prim::$name(p)
            }
        })*

        /// The name and the coverage of every built-in primitive.
        #[cfg(test)]
        pub(crate) fn all_coverage() -> Vec<(&'static str, [String; 5])> {
            vec![$((<$path as Primitive>::NAME, coverage_of::<$path>())),*]
        }

        /// The samples of every built-in primitive.
        #[cfg(test)]
        pub(crate) fn all_samples() -> Vec<(&'static str, Vec<(Prim, &'static str)>)> {
            vec![$((
                <$path as Primitive>::NAME,
                (<$path as Primitive>::RULES.samples)().into_iter().map(|(p, s)| (Prim::$name(p), s)).collect(),
            )),*]
        }
    };
}

primitives! {
    Neg: elementwise::arithmetic::Neg, Abs: elementwise::arithmetic::Abs, Sign: elementwise::arithmetic::Sign,
    Floor: elementwise::arithmetic::Floor, Ceil: elementwise::arithmetic::Ceil,
    Round: elementwise::arithmetic::Round, Add: elementwise::arithmetic::Add, Sub: elementwise::arithmetic::Sub,
    Mul: elementwise::arithmetic::Mul, Div: elementwise::arithmetic::Div, Rem: elementwise::arithmetic::Rem,
    Max: elementwise::arithmetic::Max, Min: elementwise::arithmetic::Min, Powi: elementwise::power::Powi,
    Pow: elementwise::power::Pow, Sqrt: elementwise::power::Sqrt, Rsqrt: elementwise::power::Rsqrt,
    Cbrt: elementwise::power::Cbrt, Exp: elementwise::exponential::Exp, Exp2: elementwise::exponential::Exp2,
    Expm1: elementwise::exponential::Expm1, Log: elementwise::exponential::Log,
    Log2: elementwise::exponential::Log2, Log1p: elementwise::exponential::Log1p,
    Logistic: elementwise::exponential::Logistic, Sin: elementwise::trigonometric::Sin,
    Cos: elementwise::trigonometric::Cos, Tan: elementwise::trigonometric::Tan,
    Asin: elementwise::trigonometric::Asin, Acos: elementwise::trigonometric::Acos,
    Atan: elementwise::trigonometric::Atan, Atan2: elementwise::trigonometric::Atan2,
    Sinh: elementwise::hyperbolic::Sinh, Cosh: elementwise::hyperbolic::Cosh,
    Tanh: elementwise::hyperbolic::Tanh, Asinh: elementwise::hyperbolic::Asinh,
    Acosh: elementwise::hyperbolic::Acosh, Atanh: elementwise::hyperbolic::Atanh,
    Erf: elementwise::special::Erf, Erfc: elementwise::special::Erfc, ErfInv: elementwise::special::ErfInv,
    Lgamma: elementwise::special::Lgamma, Digamma: elementwise::special::Digamma,
    Polygamma: elementwise::special::Polygamma, IsFinite: elementwise::logic::IsFinite,
    And: elementwise::logic::And, Or: elementwise::logic::Or, Xor: elementwise::logic::Xor,
    Not: elementwise::logic::Not, Shl: elementwise::logic::Shl, Shr: elementwise::logic::Shr,
    Eq: elementwise::logic::Eq, Ne: elementwise::logic::Ne, Lt: elementwise::logic::Lt,
    Le: elementwise::logic::Le, Gt: elementwise::logic::Gt, Ge: elementwise::logic::Ge,
    Select: elementwise::select::Select, Clamp: elementwise::select::Clamp, Cast: elementwise::select::Cast,
    StopGradient: suspend::StopGradient, Suspend: suspend::Suspend,
    Iota: structural::iota::Iota, Broadcast: structural::broadcast::Broadcast,
    Reshape: structural::reshape::Reshape, Transpose: structural::permute::Transpose,
    Reverse: structural::reverse::Reverse, Pad: structural::pad::Pad,
    Concatenate: structural::concatenate::Concatenate, Slice: structural::slice::Slice,
    DynamicSlice: index::dynamic_slice::DynamicSlice,
    DynamicUpdateSlice: index::dynamic_update_slice::DynamicUpdateSlice, Gather: index::gather::Gather,
    Scatter: index::scatter::Scatter, ReduceSum: reduce::sum::ReduceSum, ReduceProd: reduce::prod::ReduceProd,
    ReduceMax: reduce::extremum::ReduceMax, ReduceMin: reduce::extremum::ReduceMin,
    ReduceAnd: reduce::logic::ReduceAnd, ReduceOr: reduce::logic::ReduceOr, ArgMax: reduce::arg::ArgMax,
    ArgMin: reduce::arg::ArgMin, CumSum: reduce::cumulative::CumSum, CumProd: reduce::cumulative::CumProd,
    CumMax: reduce::cumulative::CumMax, CumMin: reduce::cumulative::CumMin, Dot: linalg::dot::Dot,
    Cholesky: linalg::cholesky::Cholesky, Lu: linalg::lu::Lu, Ldu: linalg::ldu::Ldu, Det: linalg::det::Det,
    Cofactors: linalg::det::Cofactors,
    TriangularSolve: linalg::triangular_solve::TriangularSolve, LateError: late_error::LateError,
    Call: call::Call, Checkpoint: custom::checkpoint::Checkpoint, CustomJvp: custom::jvp::CustomJvp,
    CustomVjp: custom::vjp::CustomVjp, CustomVjpBackward: custom::vjp::CustomVjpBackward,
    Barrier: custom::checkpoint::Barrier,
    Name: custom::checkpoint::Name, Switch: control::switch::Switch, Taken: control::taken::Taken, While: control::while_loop::While,
    Scan: control::scan::Scan, HostCall: host::HostCall, Inspect: effects::Inspect, Ensure: effects::Ensure,
    Implicit: Implicit, LinearSolve: LinearSolve,
}

impl Prim {
    /// Parameters as they are printed behind the name: `[axes: [0]]`, or nothing.
    pub fn params(&self) -> String {
        let debug = match self {
            Prim::Custom(p) => format!("{p:?}"),
            other => {
                let text = format!("{other:?}");
                // `Variant(Type { … })`
                text.split_once('(').map(|(_, rest)| rest[..rest.len() - 1].to_string()).unwrap_or_default()
            }
        };
        match debug.split_once('{') {
            Some((_, fields)) => format!("[{}]", fields.trim().trim_end_matches('}').trim()),
            None => debug.split_once('(').map(|(_, v)| format!("[{}]", v.trim_end_matches(')'))).unwrap_or_default(),
        }
    }
}

impl PartialEq for Prim {
    fn eq(&self, other: &Prim) -> bool {
        (**self).same(&**other)
    }
}
impl Eq for Prim {}
impl Hash for Prim {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        self.digest(state);
    }
}
