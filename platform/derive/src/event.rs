//! `#[derive(Event)]`: a struct declares an event type, an enum adds up types that structs declare.

mod declared;
mod expand;
mod said;
mod sum;
mod tags;
mod upcasts;

use crate::base::Base;
use declared::Declared;
use proc_macro2::TokenStream;
use sum::Sum;
use syn::{Attribute, Data, DeriveInput, Error, Field, Result};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        let wrong = "events are stored, so they cannot have type parameters or lifetimes";
        return Err(Error::new_spanned(&input.generics, wrong));
    }
    match &input.data {
        Data::Struct(data) => Ok(Declared::read(input, &data.fields)?.implementation()),
        Data::Enum(data) => Ok(Sum::read(input, data)?.implementation()),
        Data::Union(_) => {
            Err(Error::new_spanned(&input.ident, "an event is a struct, or an enum of such structs"))
        }
    }
}

/// What the two kinds have in common: the traits' paths.
fn in_scope(base: &Base, items: &TokenStream) -> TokenStream {
    quote::quote! {
        const _: () = {
            use #base as __annals;
            #items
        };
    }
}

fn attributes_named<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
}

/// The `#[serde(...)]` attributes, which apply to what is stored.
fn serde_of(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes_named(attributes, "serde").collect()
}

fn named(field: &Field) -> Result<&syn::Ident> {
    let unnamed =
        || Error::new_spanned(field, "the field needs a name: it is a key of the stored JSON object");
    field.ident.as_ref().ok_or_else(unnamed)
}

/// Joins two errors, so that all are told at once.
fn add(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        none => *none = Some(error),
    }
}
