//! `#[upcast(1, rename(old = new), default(field = "value"))]` and `#[upcast(2, with = function)]`: the steps from each
//! older version to the next one.

use super::{add, attributes_named, said};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeMap;
use syn::{
    Attribute, Error, Expr, Ident, LitInt, Path, Result, Token, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// The steps of one event type, from version 1 to the newest.
pub(crate) struct Upcasts(Vec<Step>);

struct Step {
    from: u32,
    span: Span,
    changes: Vec<Change>,
}

enum Change {
    Rename { old: String, new: String },
    Default { field: String, value: Expr },
    With(Path),
}

impl Upcasts {
    /// Each step from 1 to below `newest` once, or errors that say what to add.
    pub(crate) fn read(attributes: &[Attribute], newest: u32, span: Span) -> Result<Self> {
        let (mut steps, mut errors) = (BTreeMap::new(), None);
        for attribute in attributes_named(attributes, "upcast") {
            match attribute.parse_args::<Step>() {
                Ok(step) if step.from >= newest => add(&mut errors, beyond(&step, newest)),
                Ok(step) => {
                    if let Some(Step { from, span, .. }) = steps.insert(step.from, step) {
                        add(&mut errors, Error::new(span, format!("version {from} is upcast twice")));
                    }
                }
                Err(error) => add(&mut errors, error),
            }
        }
        if errors.is_none() {
            for from in (1..newest).filter(|from| !steps.contains_key(from)) {
                add(&mut errors, missing(from, newest, span));
            }
        }
        errors.map_or_else(|| Ok(Self(steps.into_values().collect())), Err)
    }

    /// The arms of a match on the version.
    pub(crate) fn arms(&self) -> impl Iterator<Item = TokenStream> {
        self.0.iter().map(|Step { from, changes, .. }| quote!(#from => { #(#changes)* }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn beyond(step: &Step, newest: u32) -> Error {
    let wrong = format!("{newest} is the newest version; upcasts are from the versions below it");
    Error::new(step.span, wrong)
}

fn missing(from: u32, newest: u32, span: Span) -> Error {
    let to = from.saturating_add(1);
    let wrong = format!(
        "version {newest} is the newest, but nothing says how version {from} becomes {to}; add #[upcast({from}, rename(old = \
         new))], #[upcast({from}, default(field = \"value\"))] or #[upcast({from}, with = function)]"
    );
    Error::new(span, wrong)
}

impl Parse for Step {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let from: LitInt = input.parse()?;
        let mut changes = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if !input.is_empty() {
                Change::read(input, &mut changes)?;
            }
        }
        if changes.is_empty() {
            let wrong = "say what changes: rename(old = new), default(field = \"value\") or with = function";
            return Err(Error::new(from.span(), wrong));
        }
        Ok(Self { from: said::version(&from)?, span: from.span(), changes })
    }
}

impl Change {
    fn read(input: ParseStream<'_>, changes: &mut Vec<Self>) -> Result<()> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "rename" => changes.extend(pairs::<Ident>(input)?.map(|(old, new)| {
                let new = unraw(&new);
                Self::Rename { old, new }
            })),
            "default" => {
                changes.extend(pairs::<Expr>(input)?.map(|(field, value)| Self::Default { field, value }));
            }
            "with" => {
                input.parse::<Token![=]>()?;
                changes.push(Self::With(input.parse()?));
            }
            _ => {
                let wrong = "expected rename(old = new), default(field = \"value\") or with = function";
                return Err(Error::new(word.span(), wrong));
            }
        }
        Ok(())
    }
}

/// `(name = value, ...)`.
fn pairs<V: Parse>(input: ParseStream<'_>) -> Result<impl Iterator<Item = (String, V)>> {
    let content;
    parenthesized!(content in input);
    let pairs = Punctuated::<Pair<V>, Token![,]>::parse_terminated(&content)?;
    Ok(pairs.into_iter().map(|Pair(name, value)| (unraw(&name), value)))
}

struct Pair<V>(Ident, V);

impl<V: Parse> Parse for Pair<V> {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self(name, input.parse()?))
    }
}

fn unraw(name: &Ident) -> String {
    syn::ext::IdentExt::unraw(name).to_string()
}

impl quote::ToTokens for Change {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Rename { old, new } => quote!(__upcast.rename(#old, #new)?;),
            Self::Default { field, value } => quote!(__upcast.default(#field, #value)?;),
            Self::With(function) => quote!(__upcast.with(#function)?;),
        });
    }
}
