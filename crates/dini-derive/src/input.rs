//! What the derive is applied to: variants, fields, and options.
//!
//! Invariant: a field type here never says `Self`, so that it can be repeated in the companion type.

use crate::bounds;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericParam, Generics, LitStr, Member, Path, Result, Token,
    Type, Visibility, WherePredicate, ext::IdentExt, meta::ParseNestedMeta, parse2, punctuated::Punctuated,
    spanned::Spanned,
};

/// The type under the derive.
pub struct Input {
    pub vis: Visibility,
    pub ident: Ident,
    /// The name of the companion type.
    pub map_ident: Ident,
    /// The path of the crate `dini`.
    pub krate: TokenStream,
    /// Without defaults, and with the bounds that an implementation needs.
    pub generics: Generics,
    pub is_enum: bool,
    /// A struct is a single variant without a name.
    pub variants: Vec<Variant>,
}

/// One variant of an enum, or a struct.
pub struct Variant {
    pub ident: Option<Ident>,
    pub style: Style,
    pub fields: Vec<TreeField>,
    pub docs: Vec<Attribute>,
}

/// How fields are written.
#[derive(Clone, Copy)]
pub enum Style {
    Named,
    Tuple,
    Unit,
}

/// One field.
pub struct TreeField {
    pub vis: Visibility,
    pub member: Member,
    pub ty: Type,
    pub is_static: bool,
    pub docs: Vec<Attribute>,
}

#[derive(Default)]
struct TypeOptions {
    map_ident: Option<Ident>,
    krate: Option<Path>,
    bound: Option<Punctuated<WherePredicate, Token![,]>>,
}

impl Input {
    pub fn new(item: DeriveInput) -> Result<Input> {
        let options = TypeOptions::new(&item.attrs)?;
        let itself = itself(&item);
        let (is_enum, variants) = match &item.data {
            Data::Struct(data) => (false, vec![Variant::new(None, &data.fields, &item.attrs, &itself)?]),
            Data::Enum(data) => {
                let variants = data.variants.iter().map(|variant| {
                    refuse_options(&variant.attrs, "a variant")?;
                    Variant::new(Some(variant.ident.clone()), &variant.fields, &variant.attrs, &itself)
                });
                (true, variants.collect::<Result<_>>()?)
            }
            Data::Union(data) => {
                let message =
                    "`#[derive(Tree)]` needs a struct or an enum; which field of a union is valid is not known";
                return Err(Error::new(data.union_token.span, message));
            }
        };
        let krate = options.krate.map_or_else(|| quote!(::dini), ToTokens::into_token_stream);
        let mut generics = without_defaults(without_self(&item.generics, &itself)?);
        let bounds = options.bound.unwrap_or_else(|| bounds::inferred(&item.ident, &generics, &variants, &krate));
        generics.make_where_clause().predicates.extend(bounds);
        let map_ident = options.map_ident.unwrap_or_else(|| format_ident!("{}Map", item.ident));
        Ok(Input { vis: item.vis, ident: item.ident, map_ident, krate, generics, is_enum, variants })
    }

    /// Whether there is anything that a map could replace.
    pub fn has_tree_fields(&self) -> bool {
        self.variants.iter().any(|variant| variant.fields.iter().any(|field| !field.is_static))
    }
}

impl Variant {
    fn new(ident: Option<Ident>, fields: &Fields, attrs: &[Attribute], itself: &TokenStream) -> Result<Variant> {
        let style = match fields {
            Fields::Named(_) => Style::Named,
            Fields::Unnamed(_) => Style::Tuple,
            Fields::Unit => Style::Unit,
        };
        let fields = fields.members().zip(fields).map(|(member, field)| TreeField::new(member, field, itself));
        Ok(Variant { ident, style, fields: fields.collect::<Result<_>>()?, docs: docs(attrs) })
    }
}

impl TreeField {
    fn new(member: Member, field: &Field, itself: &TokenStream) -> Result<TreeField> {
        let mut is_static = false;
        for_each_option(&field.attrs, |option| {
            if !option.path.is_ident("static") {
                return Err(option.error("unknown option of a field, expected `static`"));
            }
            if is_static {
                return Err(option.error("`static` is given twice"));
            }
            is_static = true;
            Ok(())
        })?;
        let ty = parse2(replace_self(field.ty.to_token_stream(), itself))?;
        Ok(TreeField { vis: field.vis.clone(), member, ty, is_static, docs: docs(&field.attrs) })
    }

    /// Where errors about the field's type belong.
    pub fn span(&self) -> Span {
        self.ty.span()
    }

    /// The name as it is printed.
    pub fn name(&self) -> String {
        match &self.member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}

impl TypeOptions {
    fn new(attrs: &[Attribute]) -> Result<TypeOptions> {
        let mut options = TypeOptions::default();
        for_each_option(attrs, |option| {
            if option.path.is_ident("map") {
                set(&mut options.map_ident, option.value()?.parse()?, &option)
            } else if option.path.is_ident("crate") {
                set(&mut options.krate, option.value()?.call(Path::parse_mod_style)?, &option)
            } else if option.path.is_ident("bound") {
                let text: LitStr = option.value()?.parse()?;
                set(&mut options.bound, text.parse_with(Punctuated::parse_terminated)?, &option)
            } else if option.path.is_ident("static") {
                Err(option.error("`static` is an option of a field, not of a type"))
            } else {
                Err(option.error("unknown option of a type, expected `map = …`, `bound = \"…\"` or `crate = …`"))
            }
        })?;
        Ok(options)
    }
}

fn set<T>(slot: &mut Option<T>, value: T, option: &ParseNestedMeta) -> Result<()> {
    if slot.replace(value).is_some() { Err(option.error("this option is given twice")) } else { Ok(()) }
}

fn for_each_option(attrs: &[Attribute], mut f: impl FnMut(ParseNestedMeta) -> Result<()>) -> Result<()> {
    let mut tree_attrs = attrs.iter().filter(|attr| attr.path().is_ident("tree"));
    tree_attrs.try_for_each(|attr| attr.parse_nested_meta(&mut f))
}

fn refuse_options(attrs: &[Attribute], what: &str) -> Result<()> {
    for_each_option(attrs, |option| Err(option.error(format!("{what} takes no options"))))
}

fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect()
}

/// The type with its parameters, as one token: what `Self` means in a field's type.
fn itself(item: &DeriveInput) -> TokenStream {
    let ident = &item.ident;
    let (_, args, _) = item.generics.split_for_impl();
    let mut group = Group::new(Delimiter::None, quote!(#ident #args));
    group.set_span(Span::call_site());
    TokenTree::Group(group).into()
}

fn replace_self(tokens: TokenStream, itself: &TokenStream) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => itself.clone(),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), replace_self(group.stream(), itself));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => token.into(),
    });
    replaced.collect()
}

fn without_self(generics: &Generics, itself: &TokenStream) -> Result<Generics> {
    let mut replaced: Generics = parse2(replace_self(generics.to_token_stream(), itself))?;
    if let Some(clause) = &generics.where_clause {
        replaced.where_clause = Some(parse2(replace_self(clause.to_token_stream(), itself))?);
    }
    Ok(replaced)
}

fn without_defaults(mut generics: Generics) -> Generics {
    for param in &mut generics.params {
        match param {
            GenericParam::Type(param) => (param.eq_token, param.default) = (None, None),
            GenericParam::Const(param) => (param.eq_token, param.default) = (None, None),
            GenericParam::Lifetime(_) => {}
        }
    }
    generics
}
