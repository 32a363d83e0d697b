//! Axes for the leaves of a tree: what can be written, and how it is spread over the leaves.

use dini::prelude::*;
use dini::tree::{self, Axes, IntoAxes};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;

#[derive(Tree)]
struct Params {
    w: Array,
    b: Option<(Array, Array)>,
    #[tree(static)]
    n: usize,
}

fn x() -> Array {
    Array::from(1.0)
}

/// One axis per leaf, `-` for none, or the error.
#[track_caller]
fn check(axes: impl IntoAxes, tree: &impl Tree, printed: Expect) {
    let spread = axes.into_axes().broadcast(&tree::structure(tree), "vmap");
    let text = |axis: &Option<isize>| axis.map_or("-".to_owned(), |axis| axis.to_string());
    let shown = spread.map(|axes| axes.iter().map(text).collect::<Vec<_>>().join(" "));
    printed.assert_eq(&shown.unwrap_or_else(|error| error.to_string()));
}

#[test]
fn literals_need_no_annotation() {
    let pair = (x(), (x(), x()));
    check(0, &pair, expect!["0 0 0"]);
    check(-1, &pair, expect!["-1 -1 -1"]);
    check(1_usize, &pair, expect!["1 1 1"]);
    check(1_isize, &pair, expect!["1 1 1"]);
    check(None, &pair, expect!["- - -"]);
    check(Some(2), &pair, expect!["2 2 2"]);
    check((0, None), &pair, expect!["0 - -"]);
    check((None, 0), &pair, expect!["- 0 0"]);
    check((Some(1), (0, None)), &pair, expect!["1 0 -"]);
    check([0, 1], &pair, expect!["0 1 1"]);
    check([Some(0), None], &pair, expect!["0 - -"]);
    check([None, None], &pair, expect!["- - -"]);
    check(vec![0, 1], &pair, expect!["0 1 1"]);
    check(Axes::All(Some(3)), &pair, expect!["3 3 3"]);
    check(vec![0.into_axes(), (None, 1).into_axes()], &pair, expect!["0 - 1"]);
    check((0, ()), &(x(), ()), expect!["0"]);
}

#[test]
fn parts_of_every_container() {
    let params = Params { w: x(), b: Some((x(), x())), n: 1 };
    check((0, 1), &params, expect!["0 1 1"]);
    check((0, (1, None)), &params, expect!["0 1 -"]);
    check((0, (1, None)), &Params { w: x(), b: None, n: 1 }, expect!["0"]);
    check((0, 1), &BTreeMap::from([("b", x()), ("a", x())]), expect!["0 1"]);
    check((0, 1, 2), &vec![x(), x(), x()], expect!["0 1 2"]);
    check((0,), &[x()], expect!["0"]);
}

#[test]
fn misfits_name_the_place() {
    check(
        (0, (1, None)),
        &(x(), x()),
        expect![[r#"
            error[structure]: `vmap`: axes at `.1`: got axes for 2 parts, expected axes for a leaf
               = help: a single array has a single axis: give a number, or `None` for an array that is not mapped"#]],
    );
    check(
        (0, 1, 2),
        &(x(), x()),
        expect![[r#"
            error[structure]: `vmap`: axes at the root: got axes for 3 parts, expected axes for a tuple of 2
               = help: give one entry per part, or a single one for all of them"#]],
    );
    check(
        [vec![0]],
        &[vec![x(), x()]],
        expect![[r#"
            error[structure]: `vmap`: axes at `[0]`: got axes for 1 part, expected axes for a list of 2
               = help: give one entry per part, or a single one for all of them"#]],
    );
}
