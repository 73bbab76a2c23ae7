//! A struct that declares an event type: what is stored of it, and how it is read.

use super::{named, said::Stored, serde_of, tags::TagField, upcasts::Upcasts};
use proc_macro2::TokenStream;
use syn::{Attribute, DeriveInput, Error, Field, Fields, Ident, Result};

/// A struct and what its attributes say.
pub(crate) struct Declared<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) stored: Stored,
    pub(crate) payload: Payload<'a>,
    pub(crate) upcasts: Upcasts,
    pub(crate) tags: Vec<TagField<'a>>,
    /// Its `#[serde(...)]` attributes.
    pub(crate) serde: Vec<&'a Attribute>,
}

/// What the payload is.
pub(crate) enum Payload<'a> {
    /// `{}`.
    Empty,
    /// The value of the single unnamed field.
    Value(&'a Field),
    /// An object of the named fields.
    Object(Vec<&'a Field>),
}

impl<'a> Declared<'a> {
    pub(crate) fn read(input: &'a DeriveInput, fields: &'a Fields) -> Result<Self> {
        let stored = Stored::of(input)?;
        let upcasts = Upcasts::read(&input.attrs, stored.version, stored.event_type.span())?;
        let (payload, tags) = (Payload::read(input, fields)?, tags_of(fields)?);
        Ok(Self { ident: &input.ident, stored, payload, upcasts, tags, serde: serde_of(&input.attrs) })
    }
}

fn tags_of(fields: &Fields) -> Result<Vec<TagField<'_>>> {
    let read: Result<Vec<_>> = fields.iter().map(TagField::read).collect();
    Ok(read?.into_iter().flatten().collect())
}

impl<'a> Payload<'a> {
    fn read(input: &DeriveInput, fields: &'a Fields) -> Result<Self> {
        match fields {
            Fields::Unit => Ok(Self::Empty),
            Fields::Named(fields) if fields.named.is_empty() => Ok(Self::Empty),
            Fields::Named(fields) => Ok(Self::Object(fields.named.iter().collect())),
            Fields::Unnamed(fields) => match (fields.unnamed.first(), fields.unnamed.len()) {
                (Some(field), 1) => Ok(Self::Value(field)),
                _ => {
                    let name = &input.ident;
                    let wrong = format!(
                        "the fields of `{name}` need names: they are the keys of the stored JSON object"
                    );
                    Err(Error::new_spanned(fields, wrong))
                }
            },
        }
    }

    /// The named fields.
    pub(crate) fn names(&self) -> Vec<&'a Ident> {
        match self {
            Self::Object(fields) => fields.iter().filter_map(|field| named(field).ok()).collect(),
            _ => Vec::new(),
        }
    }
}

impl Declared<'_> {
    /// The implementation of `Event`.
    pub(crate) fn implementation(&self) -> TokenStream {
        super::expand::implementation(self)
    }
}
