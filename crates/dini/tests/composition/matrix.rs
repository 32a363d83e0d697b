//! The matrix itself: one test per base function, so that they run side by side.

use super::{
    bases::{self, Base},
    expected::fails,
    flat::{Flat, Outcome, agree, run},
    transforms::{ALL, CORE, Transform, apply, reference},
};
use dini::ErrorKind;
use std::collections::HashMap;

/// Checks one composition, innermost transformation first; says what is wrong.
fn check(base: &Base, chain: &[Transform], known: &mut HashMap<Vec<Transform>, Outcome>) -> Option<String> {
    let build = |f: &Flat, step: fn(Transform, Flat) -> Flat| chain.iter().fold(f.clone(), |f, t| step(*t, f));
    let got = run(&build(&base.f, apply));
    if fails(base.lacks, chain) {
        return match got {
            Outcome::Failed(ErrorKind::MissingRule, _) => None,
            Outcome::Failed(_, text) => Some(format!("{} {chain:?}: another error:\n{text}", base.name)),
            Outcome::Values(values) => Some(format!("{} {chain:?}: must fail, got {values:?}", base.name)),
        };
    }
    // Wrappers are the identity, so many chains have the same reference.
    let essential: Vec<Transform> = chain
        .iter()
        .copied()
        .filter(|t| {
            use Transform::*;
            match t {
                Grad | Vjp | Jacrev | Jvp | Linearize | Jacfwd | Vmap | VmapPartly => true,
                Jit | Checkpoint | CustomJvp | CustomVjp | Scan | Cond | Root | LinearSolve | Stopped => false,
            }
        })
        .collect();
    let want = known.entry(essential).or_insert_with(|| run(&build(&base.reference, reference))).clone();
    match (got, want) {
        (Outcome::Values(got), Outcome::Values(want)) if agree(&got, &want) => None,
        (got, want) => Some(format!("{} {chain:?}:\n  got  {got:?}\n  want {want:?}", base.name)),
    }
}

fn check_all(base: &Base, chains: impl Iterator<Item = Vec<Transform>>) {
    let mut known = HashMap::new();
    let mut n = 0;
    let wrong: Vec<String> = chains.inspect(|_| n += 1).filter_map(|chain| check(base, &chain, &mut known)).collect();
    let shown = wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {n} compositions of {} are wrong:\n{shown}", wrong.len(), base.name);
}

fn pairs(list: &'static [Transform]) -> impl Iterator<Item = Vec<Transform>> {
    list.iter().flat_map(|a| list.iter().map(|b| vec![*a, *b]))
}

fn triples(list: &'static [Transform]) -> impl Iterator<Item = Vec<Transform>> {
    pairs(list).flat_map(|ab| list.iter().map(move |c| [ab.clone(), vec![*c]].concat()))
}

fn up_to_triples(base: &Base) {
    check_all(base, std::iter::once(Vec::new()));
    check_all(base, ALL.iter().map(|t| vec![*t]));
    check_all(base, pairs(&ALL));
    check_all(base, triples(&CORE));
}

macro_rules! matrix {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                up_to_triples(&bases::$name());
            }
        )*

        fn every_base() -> Vec<Base> {
            vec![$(bases::$name()),*]
        }
    };
}

matrix! {
    while_counted while_lanes scanned fori_fixed branch switched mapped
    root_scalar root_tree root_nested root_of_loops root_in_scan root_on_host root_with_aux
    implicit_of_while
    solve_symmetric solve_transposable solve_forward_only
    checkpointed ruled_forward ruled_backward ruled_both compiled
}

/// Triples of all transformations: every 997th by default, all of them (about half an hour) with `DINI_ALL_TRIPLES=1`, after
/// a change to a transformation.
#[test]
fn triples_of_everything() {
    let step = if std::env::var_os("DINI_ALL_TRIPLES").is_some() { 1 } else { 997 };
    for base in every_base() {
        check_all(&base, triples(&ALL).step_by(step));
    }
}
