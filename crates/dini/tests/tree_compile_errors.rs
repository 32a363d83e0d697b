//! What the compiler says about a `#[derive(Tree)]` that cannot work: each file in `ui/tree` with its `.stderr`.

#[test]
fn derive_errors() {
    trybuild::TestCases::new().compile_fail("tests/ui/tree/*.rs");
}
