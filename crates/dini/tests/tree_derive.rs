//! `#[derive(Tree)]` on every kind of type, and its options.

use dini::prelude::*;
use dini::tree::{self, MapKey, TreeDef};
use expect_test::expect;
use std::{collections::BTreeMap, marker::PhantomData};

fn x(value: f64) -> Array {
    Array::from(value)
}

/// The map of `value` whose leaves are pairs of consecutive numbers.
fn pairs<T: Tree>(value: &T) -> T::Map<(Array, Array)> {
    let composed = tree::structure(value).compose(&TreeDef::tuple(vec![TreeDef::leaf(); 2]));
    let leaves = (0..composed.n_leaves()).map(|idx| x(idx as f64)).collect();
    tree::unflatten(&composed, leaves).unwrap()
}

fn item(array: &Array) -> f64 {
    array.item::<f64>().unwrap()
}

mod visibility {
    use super::{Array, Tree};

    /// Everything but `secret` can be read from outside.
    #[derive(Tree)]
    pub struct Params {
        /// Weights.
        pub w: Array,
        pub(super) b: Array,
        secret: Array,
    }

    impl Params {
        pub fn new(value: &Array) -> Params {
            Params { w: value.clone(), b: value.clone(), secret: value.clone() }
        }
    }

    pub fn secret<L: Tree + Clone>(map: &ParamsMap<L>) -> L {
        map.secret.clone()
    }
}

#[test]
fn companion_keeps_names_and_visibility() {
    let map: visibility::ParamsMap<(Array, Array)> = pairs(&visibility::Params::new(&x(0.0)));
    assert_eq!([item(&map.w.0), item(&map.b.1), item(&visibility::secret(&map).0)], [0.0, 3.0, 4.0]);
}

#[derive(Tree)]
struct Pair<A, B> {
    a: A,
    b: B,
}

#[test]
fn generic_parameters_become_trees() {
    let pair = Pair { a: x(0.0), b: vec![Pair { a: x(0.0), b: () }] };
    let map = pairs(&pair);
    assert_eq!(item(&map.a.1), 1.0);
    assert_eq!(item(&map.b[0].a.0), 2.0);
    expect!["Pair { a: *, b: [Pair { a: *, b: () }] }"].assert_eq(&tree::structure(&pair).to_string());
}

fn gradient_step<A: Tree, B: Tree>(pair: &Pair<A, B>) -> Pair<A, B> {
    tree::map(pair, |leaf| leaf * 0.5).unwrap()
}

#[test]
fn derived_types_work_in_generic_functions() {
    assert_eq!(item(&gradient_step(&Pair { a: x(1.0), b: () }).a), 0.5);
}

/// Every kind of parameter at once.
#[derive(Tree)]
struct Everything<'a, T: Clone, S, Unit, const N: usize = 2>
where
    S: Copy,
{
    values: [T; N],
    extra: Array,
    #[tree(static)]
    setting: S,
    unit: PhantomData<&'a Unit>,
}

#[test]
fn all_kinds_of_parameters() {
    struct Metre;
    let value = Everything::<_, _, Metre> { values: [x(0.0), x(0.0)], extra: x(0.0), setting: 'a', unit: PhantomData };
    let map = pairs(&value);
    assert_eq!((item(&map.values[1].0), item(&map.extra.1), map.setting), (2.0, 5.0, 'a'));
    let PhantomData = map.unit;
    expect!["Everything { values: [*, *; 2], extra: *, setting: 'a', unit: () }"]
        .assert_eq(&tree::structure(&value).to_string());
}

#[derive(Tree)]
struct Node {
    value: Array,
    children: Vec<Self>,
    next: Option<Box<Node>>,
}

#[derive(Tree)]
enum List<T> {
    Nil,
    Cons(T, Box<List<T>>),
}

#[test]
fn recursive_types() {
    let leaf = || Node { value: x(0.0), children: vec![], next: None };
    let node = Node { value: x(0.0), children: vec![leaf(), leaf()], next: Some(Box::new(leaf())) };
    let map = pairs(&node);
    assert_eq!(item(&map.children[1].value.0), 4.0);
    assert_eq!(item(&map.next.unwrap().value.0), 6.0);

    let list = List::Cons(x(0.0), Box::new(List::Cons(x(0.0), Box::new(List::Nil))));
    let ListMap::Cons(head, rest) = pairs(&list) else { panic!("the variant is kept") };
    let ListMap::Cons(second, end) = *rest else { panic!("the variant is kept") };
    assert_eq!((item(&head.0), item(&second.0)), (0.0, 2.0));
    assert!(matches!(*end, ListMap::Nil));
}

/// `Forest` and `Trunk` contain each other, one of them directly.
#[derive(Tree)]
struct Forest {
    first: Trunk,
}

#[derive(Tree)]
struct Trunk {
    girth: Array,
    around: Vec<Forest>,
}

#[derive(Tree)]
struct Wrapped<T>(Pair<T, Array>, #[tree(static)] bool)
where
    T: Clone;

macro_rules! declare {
    ($name:ident, $field:ty) => {
        #[derive(Tree)]
        struct $name {
            field: $field,
        }
    };
}

declare!(Declared, (Array, Trunk));

#[test]
fn nested_types() {
    let trunk = |around| Trunk { girth: x(0.0), around };
    let forest = Forest { first: trunk(vec![Forest { first: trunk(vec![]) }]) };
    assert_eq!(item(&pairs(&forest).first.around[0].first.girth.0), 2.0);

    let wrapped = Wrapped(Pair { a: vec![x(0.0)], b: x(0.0) }, true);
    let map = pairs(&wrapped);
    assert_eq!((item(&map.0.a[0].1), item(&map.0.b.0), map.1), (1.0, 2.0, true));

    assert_eq!(item(&pairs(&Declared { field: (x(0.0), trunk(vec![])) }).field.1.girth.1), 3.0);
}

#[derive(Tree)]
enum Never {}

#[derive(Tree)]
struct Nothing;

#[derive(Debug, PartialEq, Tree)]
struct Settings {
    #[tree(static)]
    n: usize,
}

#[derive(Tree)]
struct Marked(PhantomData<u8>);

#[test]
fn types_without_tree_fields_are_their_own_map() {
    assert_eq!(pairs(&Settings { n: 3 }), Settings { n: 3 });
    let Nothing = pairs(&Nothing);
    let MarkedMap(PhantomData) = pairs(&Marked(PhantomData));
    assert!(tree::unflatten::<Never>(&TreeDef::leaf(), vec![x(0.0)]).is_err());
}

#[derive(Tree)]
#[tree(map = PerTerm)]
struct Renamed {
    r#type: Array,
}

#[derive(Tree)]
#[tree(bound = "K: MapKey, T: Tree", crate = dini)]
struct Table<K, T> {
    rows: BTreeMap<K, T>,
}

#[test]
fn options_of_the_type() {
    let map: PerTerm<(Array, Array)> = pairs(&Renamed { r#type: x(0.0) });
    assert_eq!(item(&map.r#type.1), 1.0);
    expect!["Renamed { type: * }"].assert_eq(&tree::structure(&Renamed { r#type: x(0.0) }).to_string());

    let table = Table { rows: BTreeMap::from([(3, x(0.0)), (1, x(0.0))]) };
    assert_eq!(item(&pairs(&table).rows[&3].1), 3.0);
}

#[test]
fn companions_clone_and_print() {
    struct Opaque;
    let value =
        Everything::<_, _, Opaque, 1> { values: [Some(x(0.0))], extra: x(0.0), setting: 1_u8, unit: PhantomData };
    let map = pairs(&value);
    let clone = map.clone();
    assert_eq!(item(&clone.extra.0), item(&map.extra.0));
    let leaf = format!("{:?}", x(3.0));
    let printed = format!("{clone:?}");
    assert!(printed.starts_with("Everything { values: [Some(("), "{printed}");
    assert!(printed.ends_with(&format!("{leaf}), setting: 1, unit: () }}")), "{printed}");
}

#[test]
fn types_inside_of_functions() {
    #[derive(Tree)]
    struct Local {
        w: Array,
    }
    assert_eq!(item(&pairs(&Local { w: x(0.0) }).w.1), 1.0);
}
