//! `checkpoint`: differentiation keeps only what a policy names and computes the rest of the residuals again.

use crate::{
    array::Array,
    error::Result,
    ir::{
        Atom, Program, Var,
        dce::{dce, keep},
    },
    lower::eval_erased,
    prim::{
        Batch, Form, Higher, Jvp, Lower, Operands, Prim, Primitive, Rules, Transpose,
        call::{batch_call, dce_call, infer_program, jvp_call, merge, split_call, transpose_call},
        effects::silent::silent_subs,
    },
    shape::Aval,
    trace::{PartialEval, bind, bind_at, recorder::read, stage_program, with_location},
    transform::derived::split_program,
};
use std::{collections::HashMap, sync::Arc};

/// Which values differentiation may keep from the forward pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Nothing but the arguments: everything else is computed again.
    #[default]
    Nothing,
    /// Everything: no checkpoint at all.
    Everything,
    /// Results of matrix products.
    Dots,
    /// Values marked by [`checkpoint_name`](crate::checkpoint_name) with one of these names.
    Names(Vec<String>),
}

/// A sub-program whose residuals are computed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The sub-program.
    pub program: Arc<Program>,
    /// What may be kept.
    pub policy: Policy,
}

impl Checkpoint {
    fn with(&self, program: Arc<Program>) -> Prim {
        Checkpoint { program, policy: self.policy.clone() }.into()
    }

    fn keeps(&self, prim: &Prim) -> bool {
        match (&self.policy, prim) {
            (Policy::Everything, _) => true,
            (Policy::Dots, Prim::Dot(_)) => true,
            (Policy::Names(names), Prim::Name(name)) => names.contains(&name.name),
            (Policy::Nothing | Policy::Dots | Policy::Names(_), _) => false,
        }
    }
}

impl Primitive for Checkpoint {
    const NAME: &'static str = "checkpoint";
    const RULES: Rules<Self> = Rules {
        infer: |p, avals| infer_program(&p.program, avals),
        lower: Lower::Schedule(|p, cx, args, _, _| cx.program(&p.program, args)),
        jvp: Jvp::Joint(|p, xs, ts| jvp_call(&p.program, xs, ts, |program| p.with(program))),
        transpose: Transpose::By(|p, cts, xs| transpose_call(&p.program, cts, xs)),
        batch: Batch::By(|p, size, xs, axes| batch_call(&p.program, size, xs, axes, |program| p.with(program))),
        form: Form::Higher(Higher {
            subs: |p| vec![("checkpointed", p.program.clone())],
            split,
            dce: |p, used| Some(dce_call(&p.program, used, |program| p.with(program))),
            erase: |p, xs| eval_erased(&p.program, xs),
        }),
        samples: Vec::new,
    };
}

/// Runs known results and kept values at once. The unknown part takes the known operands and the kept values, behind a
/// barrier, and computes again what it needs beyond them.
fn split(p: &Checkpoint, cx: &PartialEval<'_>, xs: &[Array]) -> Result<Option<Vec<Array>>> {
    if p.policy == Policy::Everything {
        return split_call(&p.program, cx, xs).map(Some);
    }
    let program = &p.program;
    let unknown: Vec<bool> = xs.iter().map(|x| cx.is_unknown(x)).collect();
    let kept = kept_values(p, &unknown);
    // Known part: the program with the kept values as further results, without the residuals.
    let n_out = program.outputs.len();
    let mut outputs = program.outputs.clone();
    outputs.extend(kept.iter().copied().map(Atom::Var));
    let widened = Arc::new(Program::new(
        program.avals.clone(),
        program.inputs.clone(),
        program.eqns.clone(),
        outputs,
        program.label,
    ));
    let halves = split_program(&widened, &unknown, &[])?;
    let n_known = halves.unknown_out.iter().filter(|u| !**u).count();
    let results: Vec<bool> = (0..halves.known.outputs.len()).map(|i| i < n_known).collect();
    let known_program = dce(&halves.known, &results, true).program;
    let known_mask: Vec<bool> = unknown.iter().map(|u| !u).collect();
    let known_operands = keep(xs, &known_mask);
    let mut known = bind(super::super::call::Call { program: known_program }, &known_operands)?;
    let unknown_out = &halves.unknown_out[..n_out];
    let n_results = unknown_out.iter().filter(|u| !**u).count();
    let values = known.split_off(n_results);
    // Unknown part: everything again, but for the kept values.
    let known_avals: Vec<Aval> = known_operands.iter().map(|x| x.aval().clone()).collect();
    let value_avals: Vec<Aval> = values.iter().map(|x| x.aval().clone()).collect();
    let unknown_avals: Vec<Aval> = keep(&program.in_avals(), &unknown);
    let n_saved = known_avals.len() + value_avals.len();
    let avals = [known_avals, value_avals, unknown_avals].concat();
    let again = stage_program(program.label, &avals, |args| {
        let saved = bind(Barrier, &args[..n_saved])?;
        let (knowns, values) = saved.split_at(known_operands.len());
        let given: HashMap<Var, Array> = kept.iter().copied().zip(values.iter().cloned()).collect();
        let inputs = merge(&unknown, knowns.to_vec(), args[n_saved..].to_vec());
        let outs = eval_given(program, &inputs, &given)?;
        Ok(keep(&outs, unknown_out))
    })?;
    let n = again.program.outputs.len();
    let again = dce(&again.program, &vec![true; n], true).program;
    let operands = [known_operands, values, keep(xs, &unknown)].concat();
    let recorded = cx.record(p.with(again), &operands)?;
    Ok(Some(merge(unknown_out, known, recorded)))
}

/// Known variables of the program that the policy keeps.
fn kept_values(p: &Checkpoint, unknown: &[bool]) -> Vec<Var> {
    let program = &p.program;
    let mut is_unknown = vec![false; program.avals.len()];
    for (v, u) in program.inputs.iter().zip(unknown) {
        is_unknown[v.0 as usize] = *u;
    }
    let mut kept = Vec::new();
    for eqn in &program.eqns {
        let depends = eqn.inputs.iter().any(|a| matches!(a, Atom::Var(v) if is_unknown[v.0 as usize]));
        for v in &eqn.outputs {
            is_unknown[v.0 as usize] = depends;
        }
        if !depends && p.keeps(&eqn.prim) {
            kept.extend(eqn.outputs.iter().copied());
        }
    }
    kept
}

/// Runs a program again, of which some values are given, without its effects: they happened the first time.
fn eval_given(program: &Program, args: &[Array], given: &HashMap<Var, Array>) -> Result<Vec<Array>> {
    let mut env: Vec<Option<Array>> = vec![None; program.avals.len()];
    for (v, x) in program.inputs.iter().zip(args) {
        env[v.0 as usize] = Some(x.clone());
    }
    for eqn in &program.eqns {
        let known: Option<Vec<Array>> = eqn.outputs.iter().map(|v| given.get(v).cloned()).collect();
        let outs = match known {
            Some(outs) if !outs.is_empty() => outs,
            Some(_) | None => {
                let inputs: Vec<Array> = eqn.inputs.iter().map(|&a| read(&env, a, eqn.at)).collect();
                match &eqn.prim {
                    Prim::Ensure(_) => Vec::new(),
                    Prim::Inspect(_) => inputs,
                    prim => with_location(eqn.at, || bind_at(&silent_subs(prim), &inputs, eqn.at))?,
                }
            }
        };
        for (v, x) in eqn.outputs.iter().zip(outs) {
            env[v.0 as usize] = Some(x);
        }
    }
    Ok(program.outputs.iter().map(|&a| read(&env, a, program.label.at)).collect())
}

/// The identity on several values, opaque to common-subexpression removal: what is computed again from its results is not
/// merged with the first computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Barrier;

impl Primitive for Barrier {
    const NAME: &'static str = "barrier";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| Ok(avals.to_vec()),
        lower: Lower::Loops(|_, _, args, _, _| Ok(args.to_vec())),
        jvp: Jvp::By(|_, _, _, ts| Ok(ts.to_vec())),
        transpose: Transpose::By(|_, cts, xs| {
            Ok(cts.iter().zip(xs).map(|(ct, x)| ct.clone().filter(|_| x.is_linear())).collect())
        }),
        batch: Batch::By(|_, _, xs, axes| Ok((bind(Barrier, xs)?, axes.to_vec()))),
        form: Form::First,
        samples: || vec![(Barrier, "f64[3]"), (Barrier, "f64[3] i32[2]")],
    };
}

/// The identity, with a name for checkpoint policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name.
    pub name: String,
}

impl Primitive for Name {
    const NAME: &'static str = "name";
    const RULES: Rules<Self> = Rules {
        infer: |_, avals| Ok(avals.to_vec()),
        lower: Lower::Compose(|_, xs| Ok(xs.to_vec())),
        jvp: Jvp::Linear(Operands::All),
        transpose: Transpose::By(|_, cts, _| Ok(cts.to_vec())),
        batch: Batch::Elementwise,
        form: Form::First,
        samples: || vec![(Name { name: "x".into() }, "f64[3]")],
    };
}
