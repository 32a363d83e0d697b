//! The generated code: `Tree` for the type, the companion type, and `Tree`, `Clone` and `Debug` for the companion.
//!
//! For `struct P { w: Array, #[tree(static)] n: usize }` this is, in short:
//!
//! ```text
//! impl Tree for P { type Map<M> = PMap<M>; … }
//! struct PMap<L> { w: <Array as Tree>::Map<L>, n: usize }
//! impl<L> Tree for PMap<L> { type Map<M> = PMap<L::Map<M>>; … }
//! ```
//!
//! Both implementations produce the same structure (name, fields, static values), so that a structure of `P` with each
//! leaf replaced by a structure of `L` unflattens to a `PMap<L>`.

use crate::input::{Input, Style, TreeField, Variant};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{GenericParam, Generics, Member, Type, ext::IdentExt, parse_quote, parse_quote_spanned};

/// Everything that the derive adds next to the type.
pub fn expand(input: &Input) -> TokenStream {
    let Input { ident, map_ident, krate, generics, .. } = input;
    let own_types = |field: &TreeField| field.ty.clone();
    if !input.has_tree_fields() {
        return implementation(input, ident, generics, &quote!(Self), own_types);
    }

    let map_type = |leaf: TokenStream| {
        let args = companion_args(generics, &leaf);
        quote!(#map_ident #args)
    };
    let own = implementation(input, ident, generics, &map_type(quote!(__M)), own_types);

    let companion_generics = companion_generics(generics, krate);
    let mapped_leaf = quote!(<__L as #krate::tree::Tree>::Map<__M>);
    let types = |field: &TreeField| companion_field_type(field, krate);
    let declaration = declaration(input, &companion_generics);
    let companion = implementation(input, map_ident, &companion_generics, &map_type(mapped_leaf), types);
    let conveniences = conveniences(input, &companion_generics);
    quote!(#own #declaration #companion #conveniences)
}

/// `impl Tree for #ident`, where the fields have the types that `field_type` says.
fn implementation(
    input: &Input,
    ident: &Ident,
    generics: &Generics,
    map_type: &TokenStream,
    field_type: impl Fn(&TreeField) -> Type,
) -> TokenStream {
    let krate = &input.krate;
    let derive = quote!(#krate::tree::derive);
    let (impl_generics, args, clauses) = generics.split_for_impl();
    let layouts = input.variants.iter().enumerate().map(|(idx, variant)| layout(input, idx, variant));
    let flatten_arms =
        input.variants.iter().enumerate().map(|(idx, variant)| flatten_arm(krate, idx, variant, &field_type));
    let unflatten_steps =
        input.variants.iter().enumerate().map(|(idx, variant)| unflatten_step(krate, idx, variant, &field_type));
    // An enum without variants: a reference to it always counts as inhabited, the place behind it does not.
    let scrutinee = if input.variants.is_empty() { quote!(*self) } else { quote!(self) };
    let type_name = type_name(input);
    quote! {
        const _: () = {
            #(#layouts)*

            #[automatically_derived]
            #[allow(trivial_bounds, unused_qualifications, clippy::all)]
            impl #impl_generics #krate::tree::Tree for #ident #args #clauses {
                type Map<__M: #krate::tree::Tree> = #map_type;

                fn flatten_into(
                    &self,
                    __leaves: &mut ::std::vec::Vec<#derive::Array>,
                ) -> #krate::tree::TreeDef {
                    match #scrutinee { #(#flatten_arms)* }
                }

                fn unflatten_from(
                    __def: &#krate::tree::TreeDef,
                    __leaves: &mut dyn ::core::iter::Iterator<Item = #derive::Array>,
                ) -> #derive::Result<Self> {
                    #(#unflatten_steps)*
                    ::core::result::Result::Err(#derive::mismatch(__def, #type_name))
                }
            }
        };
    }
}

fn type_name(input: &Input) -> String {
    input.ident.unraw().to_string()
}

fn layout_ident(idx: usize) -> Ident {
    format_ident!("__LAYOUT_{idx}")
}

fn layout(input: &Input, idx: usize, variant: &Variant) -> TokenStream {
    let krate = &input.krate;
    let derive = quote!(#krate::tree::derive);
    let ident = layout_ident(idx);
    let type_name = type_name(input);
    let variant_name = match &variant.ident {
        Some(ident) => {
            let name = ident.unraw().to_string();
            quote!(::core::option::Option::Some(#name))
        }
        None => quote!(::core::option::Option::None),
    };
    let style = match variant.style {
        Style::Named => quote!(Named),
        Style::Tuple => quote!(Tuple),
        Style::Unit => quote!(Unit),
    };
    let fields = variant.fields.iter().map(|field| {
        let name = field.name();
        let role = if field.is_static { quote!(Static) } else { quote!(Tree) };
        quote!(#derive::Field { name: #name, role: #derive::Role::#role })
    });
    quote! {
        static #ident: #derive::Layout = #derive::Layout {
            type_name: #type_name,
            variant: #variant_name,
            style: #derive::Style::#style,
            fields: &[#(#fields),*],
        };
    }
}

/// `Self`, or `Self::Variant`.
fn constructor(variant: &Variant) -> TokenStream {
    variant.ident.as_ref().map_or_else(|| quote!(Self), |ident| quote!(Self::#ident))
}

fn flatten_arm(
    krate: &TokenStream,
    idx: usize,
    variant: &Variant,
    field_type: &impl Fn(&TreeField) -> Type,
) -> TokenStream {
    let derive = quote!(#krate::tree::derive);
    let layout = layout_ident(idx);
    let constructor = constructor(variant);
    let bindings: Vec<Ident> = (0..variant.fields.len()).map(|idx| format_ident!("__field_{idx}")).collect();
    let members = variant.fields.iter().map(|field| &field.member);
    let bound = || variant.fields.iter().zip(&bindings);
    let statics = bound().filter(|(field, _)| field.is_static).map(|(field, binding)| {
        let ty = field_type(field);
        quote_spanned!(field.span()=> #derive::StaticValue::new::<#ty>(::core::clone::Clone::clone(#binding)))
    });
    let children = bound().filter(|(field, _)| !field.is_static).map(|(field, binding)| {
        let ty = field_type(field);
        quote_spanned!(field.span()=> <#ty as #krate::tree::Tree>::flatten_into(#binding, __leaves))
    });
    quote! {
        #constructor { #(#members: #bindings),* } => #derive::record(
            &#layout,
            ::std::vec::Vec::from([#(#statics),*]),
            ::std::vec::Vec::from([#(#children),*]),
        ),
    }
}

fn unflatten_step(
    krate: &TokenStream,
    idx: usize,
    variant: &Variant,
    field_type: &impl Fn(&TreeField) -> Type,
) -> TokenStream {
    let derive = quote!(#krate::tree::derive);
    let layout = layout_ident(idx);
    let constructor = constructor(variant);
    let (mut n_static, mut n_tree) = (0_usize, 0_usize);
    let fields = variant.fields.iter().map(|field| {
        let member = &field.member;
        let ty = field_type(field);
        let count = if field.is_static { &mut n_static } else { &mut n_tree };
        let idx = *count;
        *count += 1;
        if field.is_static {
            quote_spanned!(field.span()=> #member: __parts.value::<#ty>(#idx)?)
        } else {
            quote_spanned! {field.span()=>
                #member: <#ty as #krate::tree::Tree>::unflatten_from(__parts.child(#idx), __leaves)?
            }
        }
    });
    quote! {
        if let ::core::option::Option::Some(__parts) = #derive::parts(__def, &#layout) {
            return ::core::result::Result::Ok(#constructor { #(#fields),* });
        }
    }
}

/// `<FieldType as Tree>::Map<L>`; a static field keeps its type.
fn companion_field_type(field: &TreeField, krate: &TokenStream) -> Type {
    let ty = &field.ty;
    if field.is_static {
        ty.clone()
    } else {
        parse_quote_spanned!(field.span()=> <#ty as #krate::tree::Tree>::Map<__L>)
    }
}

/// The parameters of the companion: lifetimes, the leaf type, and the rest.
fn companion_generics(generics: &Generics, krate: &TokenStream) -> Generics {
    let mut companion = generics.clone();
    let n_lifetimes = companion.lifetimes().count();
    companion.params.insert(n_lifetimes, parse_quote!(__L: #krate::tree::Tree));
    companion
}

/// The arguments in the order of [`companion_generics`].
fn companion_args(generics: &Generics, leaf: &TokenStream) -> TokenStream {
    let lifetimes = generics.lifetimes().map(|param| &param.lifetime);
    let rest = generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    });
    quote!(<#(#lifetimes,)* #leaf #(, #rest)*>)
}

fn declaration(input: &Input, generics: &Generics) -> TokenStream {
    let Input { vis, ident, map_ident, krate, .. } = input;
    let (impl_generics, _, clauses) = generics.split_for_impl();
    let bodies: Vec<TokenStream> = input.variants.iter().map(|variant| body(variant, krate)).collect();
    let doc =
        format!("[`{ident}`] with every array replaced by an `L`: what a Jacobian with respect to it consists of.");
    let head = quote! {
        #[doc = #doc]
        #[doc(hidden)]
        #[allow(dead_code, private_bounds, trivial_bounds, unused_qualifications, clippy::all)]
    };
    if input.is_enum {
        let variants = input.variants.iter().zip(bodies).map(|(variant, body)| {
            let Variant { ident, docs, .. } = variant;
            quote!(#(#docs)* #ident #body)
        });
        return quote!(#head #vis enum #map_ident #impl_generics #clauses { #(#variants),* });
    }
    input
        .variants
        .iter()
        .zip(bodies)
        .map(|(variant, body)| match variant.style {
            Style::Named | Style::Unit => quote!(#head #vis struct #map_ident #impl_generics #clauses #body),
            Style::Tuple => quote!(#head #vis struct #map_ident #impl_generics #body #clauses;),
        })
        .collect()
}

/// The fields of the companion, in their braces or parentheses.
fn body(variant: &Variant, krate: &TokenStream) -> TokenStream {
    let fields = variant.fields.iter().map(|field| {
        let TreeField { vis, member, docs, .. } = field;
        let ty = companion_field_type(field, krate);
        match member {
            Member::Named(name) => quote!(#(#docs)* #vis #name: #ty),
            Member::Unnamed(_) => quote!(#(#docs)* #vis #ty),
        }
    });
    match variant.style {
        Style::Named => quote!({ #(#fields),* }),
        Style::Tuple => quote!((#(#fields),*)),
        Style::Unit => TokenStream::new(),
    }
}

/// `Clone` and `Debug` of the companion, which need no more than that it is a tree.
fn conveniences(input: &Input, generics: &Generics) -> TokenStream {
    let Input { map_ident, krate, .. } = input;
    let (impl_generics, args, clauses) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(trivial_bounds, unused_qualifications, clippy::all)]
        impl #impl_generics ::core::clone::Clone for #map_ident #args #clauses {
            fn clone(&self) -> Self {
                #krate::tree::derive::duplicate(self)
            }
        }

        #[automatically_derived]
        #[allow(trivial_bounds, unused_qualifications, clippy::all)]
        impl #impl_generics ::core::fmt::Debug for #map_ident #args #clauses {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #krate::tree::derive::debug(self, __f)
            }
        }
    }
}
