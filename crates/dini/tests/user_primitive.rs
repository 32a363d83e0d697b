//! Primitives that are defined outside of the library, through its public trait, take part in every transformation.

use dini::{
    Aval, DType, ErrorKind,
    prelude::*,
    primitive::{
        Batch, DynPrimitive, Form, Jvp, Lower, Operand, Operands, Primitive, Rules, ScalarOp, Transpose, bind,
        bind_one, rule_error,
    },
    testing::{Modes, check_close, check_grads},
};
use std::sync::Arc;

/// Differences of neighbours along the last axis, `f64` alone, by a Rust routine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Differences;

fn last(x: &Aval) -> Result<usize> {
    match x.shape.last() {
        Some(&n) if n > 0 => Ok(n),
        Some(_) | None => Err(rule_error(ErrorKind::Shape, format!("got {x}, expected a last axis with elements"))),
    }
}

impl Primitive for Differences {
    const NAME: &'static str = "differences";
    const RULES: Rules<Self> = Rules {
        infer: |_, operands| match operands {
            [x] if x.dtype == DType::F64 => {
                let mut shape = x.shape.clone();
                shape[x.ndim().saturating_sub(1)] = last(x)? - 1;
                Ok(vec![x.with_shape(&shape)])
            }
            [x] => Err(rule_error(ErrorKind::DType, format!("got {x}, expected f64"))),
            _ => Err(rule_error(ErrorKind::Structure, "takes one operand")),
        },
        lower: Lower::Call(|_| {
            Arc::new(|operands, results| {
                let n = operands[0].shape[operands[0].shape.len() - 1];
                let rows = operands[0].data.as_slice::<f64>().chunks_exact(n);
                let out = results[0].data.as_mut_slice::<f64>();
                for (row, out) in rows.zip(out.chunks_exact_mut((n - 1).max(1))) {
                    for (pair, out) in row.windows(2).zip(out) {
                        *out = pair[1] - pair[0];
                    }
                }
                Ok(())
            })
        }),
        jvp: Jvp::Linear(Operands::All),
        // (D x)ᵢ = xᵢ₊₁ − xᵢ, so (Dᵀ ȳ)ᵢ = ȳᵢ₋₁ − ȳᵢ, with zeros beyond the ends: −D of the padded ȳ.
        transpose: Transpose::By(|_, cts, operands| {
            let Operand::Linear(aval) = &operands[0] else { return Ok(vec![None]) };
            let mut widths = vec![(0, 0); aval.ndim()];
            widths[aval.ndim() - 1] = (1, 1);
            Ok(vec![cts[0].as_ref().map(|ct| -bind_one(Differences, &[ct.pad(&widths, 0.0)]))])
        }),
        // Lanes go first; the last axis stays the last.
        batch: Batch::By(|_, _, values, axes| {
            let lanes =
                axes[0].map_or(Ok(values[0].clone()), |axis| values[0].move_axis(axis as isize, 0).check().cloned())?;
            Ok((bind(Differences, &[lanes])?, vec![axes[0].map(|_| 0)]))
        }),
        form: Form::First,
        samples: || vec![(Differences, "f64[4]"), (Differences, "f64[2,3]")],
    };
}

/// sin(k x) for a whole parameter k: one scalar operation would do for k = 1, otherwise it is composed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Harmonic {
    k: u32,
}

impl Primitive for Harmonic {
    const NAME: &'static str = "harmonic";
    const RULES: Rules<Self> = Rules {
        infer: |_, operands| Ok(operands.to_vec()),
        lower: Lower::Compose(|p, x| Ok(vec![(&x[0] * f64::from(p.k)).sin()])),
        jvp: Jvp::Elementwise(&[Some(|p, x, _| (&x[0] * f64::from(p.k)).cos() * f64::from(p.k))]),
        transpose: Transpose::NotLinear,
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || vec![(Harmonic { k: 2 }, "f64[3]")],
    };
}

/// The engine's own scalar operation, with no other rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bare;

impl Primitive for Bare {
    const NAME: &'static str = "bare";
    const RULES: Rules<Self> = Rules {
        infer: |_, operands| Ok(operands.to_vec()),
        lower: Lower::Scalar(|_| ScalarOp::Cbrt),
        jvp: Jvp::Todo("nobody needed it yet"),
        transpose: Transpose::NotLinear,
        batch: Batch::Todo("nobody needed it yet"),
        form: Form::First,
        samples: Vec::new,
    };
}

fn differences(x: Array) -> Array {
    bind_one(Differences, &[x])
}

fn harmonic(k: u32) -> impl Fn(Array) -> Array {
    move |x| bind_one(Harmonic { k }, &[x])
}

fn both(x: Array) -> Array {
    differences(harmonic(3)(x)).powi(2).sum()
}

fn matrix() -> Array {
    Array::from([[0.1, -0.4, 0.9, 0.3], [0.7, 0.2, -0.6, 0.5]])
}

#[test]
fn values() -> Result<()> {
    let rows = differences(matrix());
    check_close(&rows, &Array::from([[-0.5, 1.3, -0.6], [-0.5, -0.8, 1.1]]), 1e-15)?;
    check_close(&harmonic(2)(matrix()), &(matrix() * 2.0).sin(), 0.0)?;
    assert_eq!(differences(Array::from([[1.0], [2.0]])).shape(), [2, 0]);
    check_close(&jit(both)(matrix())?, &both(matrix()), 0.0)
}

#[test]
fn derivatives() -> Result<()> {
    for x in [matrix(), matrix().reshape(&[8]), Array::from([[1.0], [2.0]])] {
        check_grads(differences, x.clone(), 3, Modes::Both)?;
        check_grads(harmonic(2), x.clone(), 3, Modes::Both)?;
        check_grads(both, x, 3, Modes::Both)?;
    }
    let by_hand = |x: Array| {
        let y = (x * 3.0).sin();
        (y.slice_in_dim(1, 4, 1, 1) - y.slice_in_dim(0, 3, 1, 1)).powi(2).sum()
    };
    check_close(&grad(both)(matrix())?, &grad(by_hand)(matrix())?, 1e-14)?;
    check_close(&hessian(both)(matrix())?, &hessian(by_hand)(matrix())?, 1e-13)
}

#[test]
fn lanes() -> Result<()> {
    let x = matrix();
    check_close(&vmap(differences)(x.clone())?, &differences(x.clone()), 0.0)?;
    let columns = vmap_with(Vmap::new().in_axes(1).out_axes(1), differences)(x.transpose())?;
    check_close(&columns, &differences(x.clone()).transpose(), 0.0)?;
    let rows = |i: usize| x.slice_in_dim(i, i + 1, 1, 0).reshape(&[4]);
    let each = jit(vmap(grad(both)))(x.clone())?;
    for (i, got) in each.split(2, 0).into_iter().enumerate() {
        check_close(&got.reshape(&[4]), &grad(both)(rows(i))?, 1e-14)?;
    }
    check_close(&vmap(jit(grad(both)))(x)?, &each, 1e-14)
}

#[test]
fn in_programs() -> Result<()> {
    let program = program_of(both, &matrix())?;
    assert_eq!(program.counts()["differences"], 1);
    assert!(program.to_string().contains("harmonic[k: 3]"), "{program}");
    let compiled = compiled_program_of(both, &matrix())?;
    assert!(!compiled.counts().contains_key("harmonic"), "what is composed is expanded");
    let summed = |x: Array| fori_loop(0, 3, |_, c: Array| harmonic(2)(c), x);
    check_grads(summed, matrix(), 2, Modes::Both)?;
    let solved = |a: Array| {
        custom_root(
            |y: Array| harmonic(1)(y.clone()) * 0.5 + y - &a,
            Array::from(0.0),
            |f, y| (0..200).try_fold(y, |y, _| Ok::<_, Error>(&y - f(y.clone())? * 0.6)),
            |g, b| Ok(b / g(Array::from(1.0))?),
        )
    };
    check_grads(solved, Array::from(0.8), 2, Modes::Both)
}

#[test]
fn errors_name_the_primitive_and_the_line() {
    let error = differences(Array::from(vec![1, 2])).check().unwrap_err().to_string();
    assert!(error.starts_with("error[dtype]: `differences`: got i32[2], expected f64"), "{error}");
    assert!(error.contains("operand 0: i32[2], made at"), "{error}");

    let line = line!() + 1;
    let bare = |x: Array| bind_one(Bare, &[x]);
    assert_eq!(bare(Array::from(8.0)).item::<f64>().unwrap(), 2.0);
    let error = grad(bare)(Array::from(8.0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRule);
    assert!(error.to_string().contains("`bare`: has no differentiation rule: nobody needed it yet"), "{error}");
    assert_eq!(error.location().unwrap().line(), line, "{error}");
    let error = vmap(bare)(Array::from(vec![8.0])).unwrap_err();
    assert!(error.to_string().contains("`bare`: has no batching rule: nobody needed it yet"), "{error}");
    assert_eq!(error.location().unwrap().line(), line, "{error}");
}

#[test]
fn coverage_shows_the_holes() {
    assert_eq!(Differences.coverage(), ["call", "linear", "rule", "rule", "first"]);
    assert_eq!(Bare.coverage(), ["scalar", "TODO: nobody needed it yet", "-", "TODO: nobody needed it yet", "first"]);
}

#[test]
fn a_missing_rule_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/primitive/*.rs");
}
