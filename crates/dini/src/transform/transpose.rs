//! Transposition of linear programs: one pass backwards over the equations that a nonzero cotangent reaches.

use super::{Flat, FlatFn, concrete_tangents, derived::split_program, given_tangent, same_structure, sound};
use crate::{
    array::Array,
    error::{Error, ErrorKind, Loc, Result},
    ir::{Atom, Eqn, Program},
    prim::{Operand, Prim},
    shape::Aval,
    trace::{
        bind_at,
        calls::during,
        recorder::{eval_program, read},
        stage, with_location,
    },
    tree::{Outcome, Tree, flatten, unflatten},
};
use std::{panic::Location, sync::Arc};

/// An input of a program under transposition.
pub(crate) enum Input {
    Known(Array),
    Linear(Aval),
}

/// Cotangents of the linear inputs (`None`: zero, or the input is known) from those of the results.
///
/// An equation with sub-programs may hold a part that does not depend on the linear inputs, next to one that does. Such a
/// program is divided first, so that the pass sees linear equations only.
pub(crate) fn backward(p: &Arc<Program>, inputs: &[Input], cts: Vec<Option<Array>>) -> Result<Vec<Option<Array>>> {
    if p.eqns.iter().all(|e| e.prim.subs().is_empty()) {
        return backward_pass(p, inputs, cts);
    }
    let linear: Vec<bool> = inputs.iter().map(|x| matches!(x, Input::Linear(_))).collect();
    let split = split_program(p, &linear, &vec![true; p.outputs.len()])?;
    let known: Vec<Array> = inputs
        .iter()
        .filter_map(|x| match x {
            Input::Known(x) => Some(x.clone()),
            Input::Linear(_) => None,
        })
        .collect();
    let residuals = eval_program(&split.known, &known)?;
    let unknown = inputs.iter().filter_map(|x| match x {
        Input::Known(_) => None,
        Input::Linear(aval) => Some(Input::Linear(aval.clone())),
    });
    let inputs: Vec<Input> = residuals.into_iter().map(Input::Known).chain(unknown).collect();
    let mut back = backward_pass(&split.unknown, &inputs, cts)?.into_iter().skip(split.n_residuals);
    Ok(linear.iter().map(|l| if *l { back.next().flatten() } else { None }).collect())
}

/// [`backward`] of a program whose equations are linear in the linear inputs or do not depend on them. The latter are run
/// first, as far as linear ones need them.
pub(crate) fn backward_pass(p: &Program, inputs: &[Input], cts: Vec<Option<Array>>) -> Result<Vec<Option<Array>>> {
    let n = p.avals.len();
    let mut linear = vec![false; n];
    let mut env: Vec<Option<Array>> = vec![None; n];
    for (v, input) in p.inputs.iter().zip(inputs) {
        match input {
            Input::Known(x) => env[v.0 as usize] = Some(x.clone()),
            Input::Linear(_) => linear[v.0 as usize] = true,
        }
    }
    let is_linear = |a: &Atom, linear: &[bool]| match a {
        Atom::Var(v) => linear[v.0 as usize],
        Atom::Literal(_) => false,
    };
    for eqn in &p.eqns {
        if eqn.inputs.iter().any(|a| is_linear(a, &linear)) {
            for v in &eqn.outputs {
                linear[v.0 as usize] = true;
            }
        }
    }
    // Which known values linear equations need, so that nothing else is computed.
    let mut needed = vec![false; n];
    for eqn in p.eqns.iter().rev() {
        let own = eqn.outputs.iter().any(|v| linear[v.0 as usize]);
        if own || eqn.outputs.iter().any(|v| needed[v.0 as usize]) || eqn.prim.has_effect() {
            for a in &eqn.inputs {
                if let Atom::Var(v) = a {
                    needed[v.0 as usize] = true;
                }
            }
        }
    }
    for eqn in &p.eqns {
        let own = eqn.outputs.iter().any(|v| linear[v.0 as usize]);
        if !own && (eqn.outputs.iter().any(|v| needed[v.0 as usize]) || eqn.prim.has_effect()) {
            let args: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
            let outs = with_location(eqn.at, || match args.iter().find_map(|x| x.as_poison()) {
                Some(e) => Ok(vec![Array::poison(e.clone()); eqn.outputs.len()]),
                None => bind_at(&eqn.prim, &args, eqn.at),
            })?;
            for (v, x) in eqn.outputs.iter().zip(outs) {
                env[v.0 as usize] = Some(x);
            }
        }
    }

    let mut sums: Vec<Option<Array>> = vec![None; n];
    let add = |v: usize, ct: Array, sums: &mut Vec<Option<Array>>| {
        sums[v] = Some(match sums[v].take() {
            None => ct,
            Some(sum) => sum + ct,
        });
    };
    for (a, ct) in p.outputs.iter().zip(cts) {
        if let (Atom::Var(v), Some(ct)) = (a, ct)
            && linear[v.0 as usize]
        {
            with_location(p.label.at, || add(v.0 as usize, ct, &mut sums));
        }
    }
    for eqn in p.eqns.iter().rev() {
        if !eqn.outputs.iter().any(|v| linear[v.0 as usize]) {
            continue;
        }
        let cts: Vec<Option<Array>> = eqn.outputs.iter().map(|v| sums[v.0 as usize].take()).collect();
        if cts.iter().all(Option::is_none) {
            continue;
        }
        let operands: Vec<Operand> = eqn
            .inputs
            .iter()
            .map(|&a| match a {
                Atom::Var(v) if linear[v.0 as usize] => Operand::Linear(p.aval(v).clone()),
                Atom::Var(_) | Atom::Literal(_) => Operand::Known(read(&env, a, eqn.at)),
            })
            .collect();
        let poison = cts
            .iter()
            .flatten()
            .chain(operands.iter().filter_map(|o| match o {
                Operand::Known(x) => Some(x),
                Operand::Linear(_) => None,
            }))
            .find_map(|x| x.as_poison());
        with_location(eqn.at, || -> Result<()> {
            let back = match poison {
                Some(e) => operands.iter().map(|o| o.is_linear().then(|| Array::poison(e.clone()))).collect(),
                None => eqn.prim.transpose(&cts, &operands, eqn.at)?,
            };
            debug_assert_eq!(back.len(), operands.len(), "`{}`", eqn.prim.name());
            for (a, ct) in eqn.inputs.iter().zip(back) {
                if let (Atom::Var(v), Some(ct)) = (a, ct) {
                    if let Ok(aval) = ct.try_aval() {
                        debug_assert_eq!(aval, p.aval(*v), "cotangent from `{}`", eqn.prim.name());
                    }
                    add(v.0 as usize, ct, &mut sums);
                }
            }
            Ok(())
        })?;
    }
    Ok(p.inputs.iter().map(|v| if linear[v.0 as usize] { sums[v.0 as usize].take() } else { None }).collect())
}

/// The engine of [`linear_transpose`].
pub(crate) fn linear_transpose_flat(
    name: &'static str,
    at: Loc,
    avals: &[Aval],
    f: FlatFn<'_>,
    cts: &dyn Fn(&[Aval]) -> Result<Vec<Option<Array>>>,
) -> Result<Vec<Option<Array>>> {
    let staged = stage(name, at, avals, f)?;
    let inputs: Vec<Input> =
        staged.captures.iter().cloned().map(Input::Known).chain(avals.iter().cloned().map(Input::Linear)).collect();
    let n = staged.n_captures();
    let cts = cts(&staged.program.out_avals())?;
    check_linear(&staged.program, n).map_err(|e| e.op(name).inside(name, at))?;
    let cts = during(name, at, || backward(&staged.program, &inputs, cts))?;
    Ok(cts[n..].to_vec())
}

/// What adds a value that does not depend on the inputs, or returns one, unless it is known to be zero, is affine at best.
/// What depends on the inputs and is not linear is found by transposing.
pub(crate) fn check_linear(p: &Program, n_captures: usize) -> Result<()> {
    let mut linear = vec![false; p.avals.len()];
    let mut zero = vec![false; p.avals.len()];
    for v in &p.inputs[n_captures..] {
        linear[v.0 as usize] = true;
    }
    let depends = |a: &Atom, linear: &[bool]| matches!(a, Atom::Var(v) if linear[v.0 as usize]);
    let is_zero = |a: &Atom, zero: &[bool]| match a {
        Atom::Var(v) => zero[v.0 as usize],
        Atom::Literal(l) => l.value() == Some(0.0),
    };
    let fail = |message: &str| Error::new(ErrorKind::NotLinear, message);
    for eqn in &p.eqns {
        if let (Prim::Add(_) | Prim::Sub(_), [a, b]) = (&eqn.prim, &eqn.inputs[..])
            && depends(a, &linear) != depends(b, &linear)
            && !is_zero(if depends(a, &linear) { b } else { a }, &zero)
        {
            return Err(fail("not linear: it adds a value that does not depend on the input")
                .op(eqn.prim.name())
                .at(eqn.at));
        }
        let varies = eqn.inputs.iter().any(|a| depends(a, &linear));
        let known = vanishes(eqn, |a| is_zero(a, &zero));
        for v in &eqn.outputs {
            linear[v.0 as usize] = varies;
            zero[v.0 as usize] = known;
        }
    }
    match p.outputs.iter().position(|a| !depends(a, &linear) && !is_zero(a, &zero)) {
        None => Ok(()),
        Some(i) => {
            let which = if p.outputs.len() == 1 { "the result".to_string() } else { format!("result {i}") };
            Err(fail(&format!("not linear: {which} does not depend on the input")).at(p.label.at))
        }
    }
}

/// Whether an equation's results are zero where those operands are that are known to be.
fn vanishes(eqn: &Eqn, is_zero: impl Fn(&Atom) -> bool) -> bool {
    let keeps_zero = matches!(
        eqn.prim,
        Prim::Neg(_)
            | Prim::Add(_)
            | Prim::Sub(_)
            | Prim::Broadcast(_)
            | Prim::Reshape(_)
            | Prim::Transpose(_)
            | Prim::Reverse(_)
            | Prim::Slice(_)
            | Prim::Concatenate(_)
            | Prim::Pad(_)
            | Prim::ReduceSum(_)
            | Prim::Cast(_)
    );
    keeps_zero && eqn.inputs.iter().all(&is_zero) || matches!(eqn.prim, Prim::Mul(_)) && eqn.inputs.iter().any(&is_zero)
}

/// The transpose of a linear function: from cotangents of its result to cotangents of its argument.
///
/// `example` gives the structure, shapes and dtypes of the argument; its values are not used.
///
/// # Errors
/// An operation that is not linear is named with its line.
///
/// ```
/// use dini::prelude::*;
/// let double = |x: Array| x * 2.0;
/// let transposed = linear_transpose(double, Array::from(vec![0.0, 0.0]));
/// assert_eq!(transposed(Array::from(vec![1.0, 3.0]))?.to_vec::<f64>()?, [2.0, 6.0]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn linear_transpose<In: Tree, R: Outcome>(f: impl Fn(In) -> R, example: In) -> impl Fn(R::Tree) -> Result<In> {
    let at = Location::caller();
    let (leaves, in_def) = flatten(&example);
    move |ct| {
        let avals = leaves.iter().map(|x| x.try_aval().cloned()).collect::<Result<Vec<_>>>()?;
        let flat = Flat::new(&f, &in_def);
        let (ct_leaves, ct_def) = flatten(&ct);
        let given = |outs: &[Aval]| {
            same_structure("linear_transpose", at, "the cotangent", &ct_def, &flat.out_def())?;
            ct_leaves
                .iter()
                .zip(outs)
                .zip(ct_def.leaf_paths())
                .map(|((ct, out), path)| given_tangent("linear_transpose", at, "the cotangent", &path, ct, out))
                .collect()
        };
        let cts = linear_transpose_flat("linear_transpose", at, &avals, &|xs| flat.call(xs), &given)?;
        let outs = concrete_tangents(at, cts, &avals);
        unflatten(&in_def, sound(outs).map_err(|e| e.inside("linear_transpose", at))?)
    }
}
