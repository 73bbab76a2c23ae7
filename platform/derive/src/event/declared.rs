//! A struct that declares an event type: what is stored of it, and how it is read.

use super::{add, named, said::Stored, serde_of, tags::TagField, upcasts::Upcasts};
use proc_macro2::TokenStream;
use syn::{
    Attribute, DeriveInput, Error, Field, Fields, Ident, Meta, Result, Token, ext::IdentExt,
    punctuated::Punctuated,
};

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
        refuse_hidden(fields)?;
        let serde = serde_of(&input.attrs);
        refuse_of_the_whole(&serde)?;
        let (payload, tags) = (Payload::read(input, fields)?, tags_of(fields)?);
        Ok(Self { ident: &input.ident, stored, payload, upcasts, tags, serde })
    }
}

/// The fields of `Recorded`, which go before those of the event in it.
const RECORDED: [&str; 7] = ["sequence", "stream", "version", "recorded_at", "id", "metadata", "event"];

/// Refuses a field that a handler could not name: it would get the field of `Recorded` without a word.
fn refuse_hidden(fields: &Fields) -> Result<()> {
    let mut errors = None;
    for name in fields.iter().filter_map(|field| field.ident.as_ref()) {
        let text = name.unraw().to_string();
        if RECORDED.contains(&text.as_str()) {
            let wrong = format!(
                "in a handler, the field `{text}` of `Recorded` hides this one; call it `order_{text}`, say, with #[serde(rename = \
                 \"{text}\")] so that what is stored keeps its name"
            );
            add(&mut errors, Error::new(name.span(), wrong));
        }
    }
    errors.map_or(Ok(()), Err)
}

/// What serde says of a struct as a whole and not of its fields: it would be said of the structs that are generated.
const OF_THE_WHOLE: [&str; 7] = ["default", "from", "try_from", "into", "transparent", "remote", "crate"];

fn refuse_of_the_whole(attributes: &[&Attribute]) -> Result<()> {
    let mut errors = None;
    for said in attributes
        .iter()
        .filter_map(|attribute| attribute.parse_args_with(Metas::parse_terminated).ok())
        .flatten()
    {
        let word = OF_THE_WHOLE.into_iter().find(|word| said.path().is_ident(word));
        if let Some(word) = word {
            let wrong = format!(
                "#[serde({word})] of the struct does not apply to an event; say it of its fields, or of a field's type"
            );
            add(&mut errors, Error::new_spanned(&said, wrong));
        }
    }
    errors.map_or(Ok(()), Err)
}

type Metas = Punctuated<Meta, Token![,]>;

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
