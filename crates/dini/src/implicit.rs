//! Implicit differentiation: solutions computed by any algorithm, derivatives from the implicit function theorem.
//!
//! With f(x, c) = 0, f's derivative in x called A and in c called B, the solution x(c) satisfies A ẋ + B ċ = 0. So
//! ẋ = −A⁻¹ B ċ, whatever computed x. [`implicit::Implicit`] is the identity on x with that derivative;
//! [`linear_solve::LinearSolve`] is A⁻¹ itself, linear in its right-hand side and with its own transpose. A solver runs
//! inside a `suspend`, whose results are constants to differentiation, so its iterations are never differentiated.

#[expect(clippy::module_inception, reason = "the primitive `implicit` lives in the file of its name")]
pub(crate) mod implicit;
pub(crate) mod linear_solve;
pub(crate) mod root;

use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    shape::Aval,
    transform::all_inexact,
    tree::TreeDef,
};

/// Types of the leaves of an unknown, in which a derivative is taken: a number that cannot vary is none.
fn avals_of_unknown(
    name: &str,
    at: Loc,
    what: &str,
    leaves: &[Array],
    def: &TreeDef,
    whose: &str,
) -> Result<Vec<Aval>> {
    let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
    all_inexact(name, at, what, &avals, def, whose)
        .map_err(|e| e.help("convert with `.cast(DType::F64)`; what is no unknown can be captured"))?;
    Ok(avals)
}

/// Checks what a callable returned against what it must return; the message names the callable.
pub(crate) fn expect_like(
    name: &str,
    callable: &str,
    at: Loc,
    got: (&[Array], &TreeDef),
    want: (&[Aval], &TreeDef),
    like: &str,
) -> Result<()> {
    expect_as(name, &format!("`{callable}` returned"), at, got, want, like)
}

/// [`expect_like`] of what a callable did, in words.
fn expect_as(
    name: &str,
    did: &str,
    at: Loc,
    got: (&[Array], &TreeDef),
    want: (&[Aval], &TreeDef),
    like: &str,
) -> Result<()> {
    if let Some(difference) = got.1.first_difference(want.1) {
        return Err(Error::new(
            ErrorKind::Structure,
            format!("{did} the structure {}, expected that of {like}, {}; {difference}", got.1, want.1),
        )
        .op(name)
        .at(at));
    }
    for ((x, aval), path) in got.0.iter().zip(want.0).zip(want.1.leaf_paths()) {
        let own = x.try_aval()?;
        if own != aval {
            return Err(Error::new(
                if own.dtype == aval.dtype { ErrorKind::Shape } else { ErrorKind::DType },
                format!("{did} {own}{}, expected {aval} as in {like}", at_path(&path)),
            )
            .op(name)
            .at(at)
            .detail(format!("the value: {}", x.provenance())));
        }
    }
    Ok(())
}

/// ` at `.1`` for a path that is not the root's.
pub(crate) fn at_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" at `{path}`") }
}
