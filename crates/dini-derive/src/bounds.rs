//! The bounds of a derived implementation: what makes it valid, and what makes the compiler's errors good.

use crate::input::Variant;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    GenericArgument, Generics, Path, PathArguments, Token, Type, TypePath, WherePredicate, parse_quote,
    parse_quote_spanned, punctuated::Punctuated, spanned::Spanned,
};

/// `T: Tree` for each parameter in a tree field, `T: StaticField` for each in a static one, and the bounds that make for
/// good error messages ([`named_types`]).
///
/// The parameters are bounded rather than the field types, since `Vec<Node<T>>: Tree` in the clauses of `Node<T>` itself
/// would have no end.
pub fn inferred(
    ident: &Ident,
    generics: &Generics,
    variants: &[Variant],
    krate: &TokenStream,
) -> Punctuated<WherePredicate, Token![,]> {
    let mut bounds = Punctuated::new();
    let fields = || variants.iter().flat_map(|variant| &variant.fields);
    for param in generics.type_params().map(|param| &param.ident) {
        let occurs = |is_static: bool| {
            let mut fields = fields().filter(|field| field.is_static == is_static && !is_phantom(&field.ty));
            fields.any(|field| mentions(field.ty.to_token_stream(), param))
        };
        if occurs(false) {
            bounds.push(parse_quote!(#param: #krate::tree::Tree));
        }
        if occurs(true) {
            bounds.push(parse_quote!(#param: #krate::tree::StaticField));
        }
    }
    let is_known = |ty: &Path| {
        ty.get_ident().is_some_and(|name| name == ident || generics.type_params().any(|param| param.ident == *name))
    };
    let mut named = Vec::new();
    fields().filter(|field| !field.is_static).for_each(|field| named_types(&field.ty, false, &mut named));
    named.retain(|ty| !is_known(ty));
    bounds.extend(named.into_iter().map(|ty| -> WherePredicate {
        // The error for a bound covers all of its tokens, so each must stand where the type stands.
        let krate = respanned(krate, ty.span());
        parse_quote_spanned!(ty.span()=> #ty: #krate::tree::Tree)
    }));
    bounds
}

/// The types in a field's type that get a bound of their own although they depend on no parameter.
///
/// Such a bound changes nothing for a tree. For a type that is none, the compiler reports the bound, at the type, and
/// then takes it as given; without it there is one error for each use in the generated code, most of them without a place.
/// A type behind a `Vec`, `Option` or `Box` may contain the derived type again, which would make the bounds circular, so
/// there only types that cannot are bounded.
fn named_types(ty: &Type, is_behind: bool, named: &mut Vec<Path>) {
    match ty {
        Type::Path(TypePath { qself: None, path }) => {
            let Some(last) = path.segments.last() else { return };
            let last_is = |names: &[&str]| names.iter().any(|name| last.ident == name);
            match &last.arguments {
                PathArguments::None => {
                    let has_no_arguments = path.segments.iter().all(|segment| segment.arguments.is_none());
                    if has_no_arguments && !last_is(&["Array"]) && (!is_behind || last_is(PLAIN_DATA)) {
                        named.push(path.clone());
                    }
                }
                PathArguments::AngleBracketed(arguments) if last_is(&["Vec", "Option", "Box"]) => {
                    for argument in &arguments.args {
                        if let GenericArgument::Type(ty) = argument {
                            named_types(ty, true, named);
                        }
                    }
                }
                PathArguments::AngleBracketed(_) | PathArguments::Parenthesized(_) => {}
            }
        }
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| named_types(ty, is_behind, named)),
        Type::Array(array) => named_types(&array.elem, is_behind, named),
        Type::Paren(inner) => named_types(&inner.elem, is_behind, named),
        // What a macro has substituted for `$field:ty`.
        Type::Group(inner) => named_types(&inner.elem, is_behind, named),
        // A type of `syn`, which may grow: what is not listed only gets the longer message.
        _ => {}
    }
}

/// Types that contain no other types.
const PLAIN_DATA: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "String",
];

fn respanned(tokens: &TokenStream, span: Span) -> TokenStream {
    let move_token = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.clone().into_iter().map(move_token).collect()
}

fn is_phantom(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "PhantomData")
}

fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
