//! `#[event(tag)]` and `#[event(tag = "key")]`: the fields whose values are stored as tags.

use super::{attributes_named, named};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Field, Ident, LitStr, Result, Type, ext::IdentExt};

/// A field that is a tag.
pub(crate) struct TagField<'a> {
    field: &'a Ident,
    key: String,
    /// An `Option` or a `Vec`: a tag for each value in it.
    each: bool,
}

impl<'a> TagField<'a> {
    /// `None`: the field is not a tag.
    pub(crate) fn read(field: &'a Field) -> Result<Option<Self>> {
        let mut tag = None;
        for attribute in attributes_named(&field.attrs, "event") {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("tag") {
                    return Err(meta.error("expected `tag` or `tag = \"key\"`"));
                }
                let name = named(field)?;
                let key = if meta.input.peek(syn::Token![=]) {
                    checked_key(&meta.value()?.parse()?)?
                } else {
                    name.unraw().to_string()
                };
                let of = Self { field: name, key, each: holds_many(&field.ty) };
                if tag.replace(of).is_some() { Err(meta.error("this is given twice")) } else { Ok(()) }
            })?;
        }
        Ok(tag)
    }

    /// Pushes the field's tags to `__tags`.
    pub(crate) fn push(&self) -> TokenStream {
        let Self { field, key, each } = self;
        if *each {
            quote!(for __value in self.#field.iter() { __tags.push(#key, __value)?; })
        } else {
            quote!(__tags.push(#key, &self.#field)?;)
        }
    }
}

fn checked_key(key: &LitStr) -> Result<String> {
    let text = key.value();
    let bad = |c: char| c == ':' || c.is_control() || c.is_whitespace();
    if text.is_empty() || text.contains(bad) {
        let wrong = "the key of a tag is a word without colons and blanks, e.g. \"customer\"";
        return Err(Error::new(key.span(), wrong));
    }
    Ok(text)
}

fn holds_many(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Option" || last.ident == "Vec")
}
