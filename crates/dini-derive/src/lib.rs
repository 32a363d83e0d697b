//! `#[derive(Tree)]` for `dini`: trees of arrays out of structs and enums.
//!
//! `input` reads the type and its `#[tree(…)]` options, `bounds` finds the where clauses, `expand` writes the implementations. The documentation for users
//! stands at the trait `dini::tree::Tree`.
//!
//! Invariants: generated code refers to `dini` only through one path (`::dini`, or what `#[tree(crate = …)]` says) and to
//! its hidden module `tree::derive`, and to everything else through `::core` and `::std`; errors point at the tokens that
//! cause them.

mod bounds;
mod expand;
mod input;

use proc_macro::TokenStream;

/// Implements `dini::tree::Tree` for a struct or an enum, and declares the companion type that stands in Jacobians.
///
/// The options are described at the trait.
#[proc_macro_derive(Tree, attributes(tree))]
pub fn derive_tree(item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    let expanded = input::Input::new(item).map(|input| expand::expand(&input));
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
