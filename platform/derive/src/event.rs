//! `#[derive(Event)]`: the enum is read into [`Variant`]s, from which the code is generated.

mod expand;
mod variant;

use crate::base::Base;
use proc_macro2::TokenStream;
use std::collections::HashMap;
use syn::{Data, DataEnum, DeriveInput, Error, Result};
use variant::Variant;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        let wrong = "events are an enum with one variant for each event type; put the struct into a variant";
        return Err(Error::new_spanned(&input.ident, wrong));
    };
    if !input.generics.params.is_empty() {
        let wrong = "events are stored, so the enum cannot have type parameters or lifetimes";
        return Err(Error::new_spanned(&input.generics, wrong));
    }
    let variants = variants_of(data)?;
    refuse_duplicates(&variants)?;
    Ok(expand::implementation(&input.ident, &base_of(input)?, &variants))
}

fn base_of(input: &DeriveInput) -> Result<Base> {
    let mut base = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        attribute.parse_nested_meta(|meta| {
            base = Some(Base::read(&meta)?.ok_or_else(|| meta.error("expected `crate = ...`"))?);
            Ok(())
        })?;
    }
    Ok(base.unwrap_or_default())
}

/// All variants, or the errors of all invalid ones.
fn variants_of(data: &DataEnum) -> Result<Vec<Variant<'_>>> {
    let mut variants = Vec::new();
    let mut errors: Option<Error> = None;
    for variant in data.variants.iter().map(Variant::read) {
        match (variant, &mut errors) {
            (Ok(variant), _) => variants.push(variant),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    errors.map_or(Ok(variants), Err)
}

fn refuse_duplicates(variants: &[Variant<'_>]) -> Result<()> {
    let mut seen = HashMap::new();
    for variant in variants {
        if let Some(first) = seen.insert(variant.event_type.value(), variant.ident) {
            let wrong = format!(
                "event type {:?} is variant `{first}` already; a type has one variant, of its newest version: older ones \
                 are upcast",
                variant.event_type.value()
            );
            return Err(Error::new(variant.event_type.span(), wrong));
        }
    }
    Ok(())
}
