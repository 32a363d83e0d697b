//! Trees of every container: round trips, printed structures, paths, composition.

use dini::prelude::*;
use dini::tree::{self, TreeDef};
use expect_test::{Expect, expect};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    marker::PhantomData,
};

#[derive(Tree)]
struct Layer {
    w: Array,
    b: Option<Array>,
    #[tree(static)]
    name: &'static str,
}

#[derive(Tree)]
struct Model {
    layers: Vec<Layer>,
    scale: Scale,
}

#[derive(Tree)]
struct Scale(Array, #[tree(static)] u32);

#[derive(Tree)]
enum Shape {
    Circle(Array),
    Box {
        low: [Array; 2],
        #[tree(static)]
        closed: bool,
    },
    Empty,
}

/// A leaf that can be told from the others.
fn x(value: f64) -> Array {
    Array::from(value)
}

fn layer(name: &'static str, with_bias: bool) -> Layer {
    Layer { w: x(1.0), b: with_bias.then(|| x(2.0)), name }
}

fn model() -> Model {
    Model { layers: vec![layer("in", true), layer("out", false)], scale: Scale(x(3.0), 7) }
}

fn values(leaves: &[Array]) -> Vec<f64> {
    leaves.iter().map(|leaf| leaf.item::<f64>().unwrap()).collect()
}

/// Flattens, compares the print and the paths, rebuilds, and compares again.
#[track_caller]
fn check<T: Tree>(value: &T, printed: Expect, paths: Expect) {
    let (leaves, def) = tree::flatten(value);
    printed.assert_eq(&def.to_string());
    paths.assert_eq(&def.leaf_paths().join(" "));
    assert_eq!(leaves.len(), def.n_leaves());
    let rebuilt: T = tree::unflatten(&def, leaves.clone()).unwrap();
    let (leaves_again, def_again) = tree::flatten(&rebuilt);
    assert_eq!(def, def_again);
    assert_eq!(values(&leaves), values(&leaves_again));
    assert_eq!(HashSet::from([def.clone(), def_again]).len(), 1, "equal structures must hash alike");

    // The map over a composed structure, leaf for leaf: what a Jacobian does.
    let pair = tree::structure(&(x(0.0), [x(0.0)]));
    let composed = def.compose(&pair);
    let many: Vec<Array> = (0..composed.n_leaves()).map(|idx| x(idx as f64)).collect();
    let mapped: T::Map<(Array, [Array; 1])> = tree::unflatten(&composed, many.clone()).unwrap();
    let (mapped_leaves, mapped_def) = tree::flatten(&mapped);
    assert_eq!(mapped_def, composed);
    assert_eq!(values(&mapped_leaves), values(&many));

    // One leaf too few, one too many.
    let mut more = leaves.clone();
    more.push(x(0.0));
    assert!(tree::unflatten::<T>(&def, more).is_err());
    if !leaves.is_empty() {
        assert!(tree::unflatten::<T>(&def, leaves[1..].to_vec()).is_err());
        assert!(T::unflatten_from(&def, &mut leaves[1..].iter().cloned()).is_err());
    }
}

#[test]
fn standard_containers() {
    check(&x(1.0), expect!["*"], expect![""]);
    check(&(), expect!["()"], expect![""]);
    check(&PhantomData::<fn(str)>, expect!["()"], expect![""]);
    check(&(x(1.0),), expect!["(*,)"], expect![".0"]);
    check(&(x(1.0), (x(2.0), ()), x(3.0)), expect!["(*, (*, ()), *)"], expect![".0 .1.0 .2"]);
    check(&vec![x(1.0), x(2.0)], expect!["[*, *]"], expect!["[0] [1]"]);
    check(&Vec::<Array>::new(), expect!["[]"], expect![""]);
    check(&[x(1.0), x(2.0)], expect!["[*, *; 2]"], expect!["[0] [1]"]);
    check(&[(); 3], expect!["[(), (), (); 3]"], expect![""]);
    check(&(Some(x(1.0)), None::<Array>), expect!["(Some(*), None)"], expect![".0"]);
    check(&Some(Some(x(1.0))), expect!["Some(Some(*))"], expect![""]);
    check(&Box::new((x(1.0), x(2.0))), expect!["(*, *)"], expect![".0 .1"]);
    let twelve = (x(0.0), x(1.0), x(2.0), x(3.0), x(4.0), x(5.0), x(6.0), x(7.0), x(8.0), x(9.0), x(10.0), x(11.0));
    check(&twelve, expect!["(*, *, *, *, *, *, *, *, *, *, *, *)"], expect![".0 .1 .2 .3 .4 .5 .6 .7 .8 .9 .10 .11"]);
}

#[test]
fn maps_go_by_sorted_key() {
    let ordered = BTreeMap::from([("b", x(2.0)), ("a", x(1.0))]);
    check(&ordered, expect![[r#"{"a": *, "b": *}"#]], expect![[r#"["a"] ["b"]"#]]);
    let hashed: HashMap<&str, Array> = (0..20).map(|idx| (["b", "a"][idx % 2], x((2 - idx % 2) as f64))).collect();
    check(&hashed, expect![[r#"{"a": *, "b": *}"#]], expect![[r#"["a"] ["b"]"#]]);
    assert_eq!(tree::structure(&ordered), tree::structure(&hashed));
    assert_eq!(values(&tree::flatten(&hashed).0), [1.0, 2.0]);

    check(&BTreeMap::from([(10_u8, x(1.0)), (9, x(2.0))]), expect!["{9: *, 10: *}"], expect!["[9] [10]"]);
    check(&BTreeMap::<char, Array>::new(), expect!["{}"], expect![""]);
    let signed = tree::structure(&BTreeMap::from([(1_i32, x(1.0))]));
    let unsigned = tree::structure(&BTreeMap::from([(1_u32, x(1.0))]));
    assert_ne!(signed, unsigned, "keys of different types are different keys");
}

#[test]
fn derived_types() {
    check(
        &model(),
        expect![[
            r#"Model { layers: [Layer { w: *, b: Some(*), name: "in" }, Layer { w: *, b: None, name: "out" }], scale: Scale(*, 7) }"#
        ]],
        expect![".layers[0].w .layers[0].b .layers[1].w .scale.0"],
    );
    check(&Shape::Circle(x(1.0)), expect!["Shape::Circle(*)"], expect![".0"]);
    let corners = Shape::Box { low: [x(1.0), x(2.0)], closed: true };
    check(&corners, expect!["Shape::Box { low: [*, *; 2], closed: true }"], expect![".low[0] .low[1]"]);
    check(&Shape::Empty, expect!["Shape::Empty"], expect![""]);
}

#[test]
fn maps_compose() {
    // The map of a map is the map of the mapped leaf: `hessian` relies on it.
    type Twice = <<Model as Tree>::Map<(Array, Array)> as Tree>::Map<Vec<Array>>;
    let def = tree::structure(&model());
    let list = tree::structure(&vec![x(0.0), x(0.0)]);
    let composed = def.compose(&TreeDef::tuple(vec![TreeDef::leaf(); 2])).compose(&list);
    let leaves: Vec<Array> = (0..composed.n_leaves()).map(|idx| x(idx as f64)).collect();
    let twice: Twice = tree::unflatten(&composed, leaves).unwrap();
    assert_eq!(twice.layers[1].w.1[0].item::<f64>().unwrap(), 10.0);
    assert_eq!(twice.scale.1, 7);
}

#[test]
fn structures_are_told_apart() {
    let structures = [
        TreeDef::leaf(),
        tree::structure(&()),
        tree::structure(&(x(0.0),)),
        tree::structure(&vec![x(0.0)]),
        tree::structure(&[x(0.0)]),
        tree::structure(&Some(x(0.0))),
        tree::structure(&None::<Array>),
        tree::structure(&BTreeMap::from([("a", x(0.0))])),
        tree::structure(&BTreeMap::from([("b", x(0.0))])),
        tree::structure(&layer("a", false)),
        tree::structure(&layer("b", false)),
        tree::structure(&layer("a", true)),
        tree::structure(&Shape::Circle(x(0.0))),
        tree::structure(&Shape::Empty),
        tree::structure(&Shape::Box { low: [x(0.0), x(0.0)], closed: true }),
        tree::structure(&Shape::Box { low: [x(0.0), x(0.0)], closed: false }),
    ];
    for (i, a) in structures.iter().enumerate() {
        for (j, b) in structures.iter().enumerate() {
            assert_eq!(a == b, i == j, "{a} and {b}");
            assert_eq!(a.first_difference(b).is_none(), i == j, "{a} and {b}");
        }
    }
    let distinct: HashSet<&TreeDef> = structures.iter().collect();
    assert_eq!(distinct.len(), structures.len());
}

#[test]
fn children_and_their_keys() {
    let def = tree::structure(&model());
    assert_eq!(def.child_keys(), [".layers", ".scale"]);
    assert_eq!(def.children()[0].child_keys(), ["[0]", "[1]"]);
    assert_eq!(def.children()[1].child_keys(), [".0"]);
    assert_eq!(TreeDef::leaf().child_keys(), [""; 0]);
    assert_eq!(format!("{:?}", def.children()[1]), "TreeDef(Scale(*, 7))");
}

#[test]
fn map_and_zip() {
    let doubled = tree::map(&model(), |leaf| leaf * 2.0).unwrap();
    assert_eq!(values(&tree::flatten(&doubled).0), [2.0, 4.0, 2.0, 6.0]);
    assert_eq!(doubled.layers[0].name, "in");
    let sum = tree::zip(&model(), &doubled, |a, b| a + b).unwrap();
    assert_eq!(values(&tree::flatten(&sum).0), [3.0, 6.0, 3.0, 9.0]);
}

fn threads<T: Send + Sync + Clone>() {}

#[test]
fn structures_cross_threads() {
    threads::<TreeDef>();
}

/// A tree without leaves goes through everything that takes a tree.
#[test]
fn trees_without_leaves() -> Result<()> {
    let one = || Array::from(1.0);
    let none: [(&str, fn() -> Result<()>); 14] = [
        ("jit", || jit(|(): ()| ())(())),
        ("grad", || grad(|(): ()| Array::from(1.0))(())),
        ("vmap", || vmap_with(Vmap::new().axis_size(2), |(): ()| ())(())),
        ("linearize", || linearize(|(): ()| (), ()).and_then(|((), df)| df(()))),
        ("vjp", || vjp(|(): ()| (), ()).and_then(|((), back)| back(()))),
        ("linear_transpose", || linear_transpose(|(): ()| (), ())(())),
        ("checkpoint", || checkpoint(|(): ()| ())(())),
        ("while_loop", || while_loop(|(): ()| Array::from(false), |(): ()| (), ())),
        ("fori_loop", || fori_loop(0, 3, |_, (): ()| (), ())),
        ("cond", || cond(&Array::from(true), |(): ()| (), |(): ()| (), ())),
        ("host_call", || host_call(|(): ()| (), &(), ())),
        ("custom_root", || custom_root(|(): ()| (), (), |_, ()| (), |_, ()| ())),
        ("define_implicit_gradient", || define_implicit_gradient(|(): ()| (), (), |_, ()| ())),
        ("custom_linear_solve", || custom_linear_solve(|(): ()| (), (), |_, ()| ())),
    ];
    for (what, run) in none {
        run().unwrap_or_else(|e| panic!("{what}: {e}"));
        jit(|(): ()| run())(()).unwrap_or_else(|e| panic!("jit of {what}: {e}"));
        let slope = grad(|x: Array| run().map(|()| &x * &x))(one());
        assert_eq!(slope?.item::<f64>()?, 2.0, "beside {what}");
        let lanes = vmap(|x: Array| run().map(|()| x * 2.0))(Array::from(vec![1.0, 2.0]));
        assert_eq!(lanes?.to_vec::<f64>()?, [2.0, 4.0], "beside {what}");
    }
    let (y, t) = jvp(|(): ()| one(), (), ())?;
    assert_eq!((y.item::<f64>()?, t.item::<f64>()?), (1.0, 0.0));
    jacfwd(|(): ()| one())(())?;
    jacrev(|_: Array| ())(one())?;
    hessian(|(): ()| one())(())?;
    Ok(())
}
