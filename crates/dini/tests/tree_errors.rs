//! What the errors about structures say.

use dini::prelude::*;
use dini::tree::{self, TreeDef};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;

#[derive(Tree)]
struct Params {
    w: Array,
    layers: Vec<(Array, Array)>,
    #[tree(static)]
    n: usize,
}

fn x() -> Array {
    Array::from(1.0)
}

fn params(n_layers: usize, n: usize) -> Params {
    Params { w: x(), layers: (0..n_layers).map(|_| (x(), x())).collect(), n }
}

#[track_caller]
fn check_difference<A: Tree, B: Tree>(got: &A, wanted: &B, sentence: Expect) {
    let difference = tree::structure(got).first_difference(&tree::structure(wanted));
    sentence.assert_eq(&difference.unwrap_or_default());
}

#[test]
fn differences_name_the_path_and_both_sides() {
    check_difference(&params(1, 2), &params(1, 2), expect![""]);
    check_difference(&params(1, 2), &params(2, 2), expect!["at `.layers`: a list of 1, expected a list of 2"]);
    check_difference(
        &params(1, 2),
        &params(1, 3),
        expect!["at `.n`: the static value `2`, expected the static value `3`"],
    );
    check_difference(&x(), &params(1, 2), expect!["at the root: a leaf, expected `Params`"]);
    check_difference(&(vec![x()],), &(vec![(x(), x())],), expect!["at `.0[0]`: a leaf, expected a tuple of 2"]);
    check_difference(&[x()], &vec![x()], expect!["at the root: an array of 1, expected a list of 1"]);
    check_difference(&(Some(x()), ()), &(None::<Array>, ()), expect!["at `.0`: `Some`, expected `None`"]);
    check_difference(
        &BTreeMap::from([("a", x())]),
        &BTreeMap::from([("a", x()), ("b", x())]),
        expect![[r#"at the root: a map with the keys "a", expected a map with the keys "a", "b""#]],
    );
    check_difference(
        &BTreeMap::from([("a", (x(), x()))]),
        &BTreeMap::from([("a", ())]),
        expect![[r#"at `["a"]`: a tuple of 2, expected `()`"#]],
    );
    check_difference(
        &BTreeMap::from([(1_i32, x())]),
        &BTreeMap::from([(1_u32, x())]),
        expect!["at the root: a map with the keys 1, expected another type of that name"],
    );
}

#[test]
fn types_of_one_name_are_told_apart() {
    fn other() -> TreeDef {
        #[derive(Tree)]
        struct Params {
            v: Array,
        }
        tree::structure(&Params { v: x() })
    }
    let difference = other().first_difference(&tree::structure(&params(1, 1)));
    expect!["at the root: `Params` with the fields `v`, expected `Params` with the fields `w, layers, n`"]
        .assert_eq(&difference.unwrap_or_default());
}

#[track_caller]
fn check_error<T: Tree>(outcome: Result<T>, message: Expect) {
    message.assert_eq(&outcome.map_or_else(|error| error.to_string(), |_| "no error".to_owned()));
}

#[test]
fn unflatten_says_what_is_wrong() {
    let pair = tree::structure(&(x(), x()));
    check_error(
        tree::unflatten::<(Array, Array)>(&pair, vec![x()]),
        expect!["error[structure]: `unflatten`: the number of leaves is 1, expected 2 for the structure `(*, *)`"],
    );
    check_error(
        tree::unflatten::<Vec<Array>>(&pair, vec![x(), x()]),
        expect![[r#"
            error[structure]: `unflatten`: got a tuple of 2, expected a list
               = help: take the structure from a value of the type that is built"#]],
    );
    check_error(
        tree::unflatten::<(Array, Array, Array)>(&pair, vec![x(), x()]),
        expect![[r#"
            error[structure]: `unflatten`: got a tuple of 2, expected a tuple of 3
               = help: take the structure from a value of the type that is built"#]],
    );
    check_error(
        tree::unflatten::<(Array, Params)>(&pair, vec![x(), x()]),
        expect![[r#"
            error[structure]: `unflatten`: got a leaf, expected `Params`
               = help: take the structure from a value of the type that is built"#]],
    );
    check_error(
        tree::unflatten::<[Array; 3]>(&tree::structure(&[x(), x()]), vec![x(), x()]),
        expect![[r#"
            error[structure]: `unflatten`: got an array of 2, expected an array of 3
               = help: take the structure from a value of the type that is built"#]],
    );
    check_error(
        tree::unflatten::<BTreeMap<u8, Array>>(&tree::structure(&BTreeMap::from([("a", x())])), vec![x()]),
        expect![[r#"
            error[structure]: `unflatten`: got a map with the keys "a", expected a map with keys of the type `u8`
               = help: take the structure from a value of the type that is built"#]],
    );
}

#[test]
fn static_values_of_another_type() {
    fn other() -> TreeDef {
        #[derive(Tree)]
        struct Params {
            w: Array,
            layers: Vec<(Array, Array)>,
            #[tree(static)]
            n: i8,
        }
        tree::structure(&Params { w: x(), layers: vec![], n: 1 })
    }
    check_error(
        tree::unflatten::<Params>(&other(), vec![x()]),
        expect!["error[structure]: `unflatten`: the static value `1` in a structure of `Params` is not a `usize`"],
    );
}

#[test]
fn zip_names_the_place() {
    check_error(
        tree::zip(&params(1, 2), &params(2, 2), |a, _| a),
        expect![
            "error[structure]: `zip`: the second tree differs from the first at `.layers`: a list of 2, expected a list of 1"
        ],
    );
}
