use crate::stored_name;
use syn::{Attribute, Error, Field, Fields, Ident, LitInt, LitStr, Result, meta::ParseNestedMeta};

/// A variant and what its attributes say.
pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) event_type: LitStr,
    pub(crate) version: u32,
    pub(crate) payload: Payload<'a>,
    /// Its `#[serde(...)]` attributes.
    pub(crate) serde: Vec<&'a Attribute>,
}

/// What a variant's payload is.
pub(crate) enum Payload<'a> {
    /// `{}`.
    Empty,
    /// The value of the single unnamed field.
    Value(&'a Field),
    /// An object of the named fields.
    Object(Vec<&'a Field>),
}

impl<'a> Variant<'a> {
    pub(crate) fn read(variant: &'a syn::Variant) -> Result<Self> {
        let (event_type, version) = read_attribute(variant)?;
        stored_name::check_event_type(&event_type)?;
        let (ident, payload, serde) =
            (&variant.ident, Payload::read(variant)?, serde_attributes(&variant.attrs));
        Ok(Self { ident, event_type, version, payload, serde })
    }
}

impl<'a> Payload<'a> {
    fn read(variant: &'a syn::Variant) -> Result<Self> {
        match &variant.fields {
            Fields::Unit => Ok(Self::Empty),
            Fields::Named(fields) if fields.named.is_empty() => Ok(Self::Empty),
            Fields::Named(fields) => Ok(Self::Object(fields.named.iter().collect())),
            Fields::Unnamed(fields) => match (fields.unnamed.first(), fields.unnamed.len()) {
                (Some(field), 1) => Ok(Self::Value(field)),
                _ => {
                    let wrong = format!(
                        "the fields of variant `{}` need names: they are the keys of the stored JSON object",
                        variant.ident
                    );
                    Err(Error::new_spanned(fields, wrong))
                }
            },
        }
    }
}

pub(crate) fn serde_attributes(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).collect()
}

#[derive(Default)]
struct Said {
    event_type: Option<LitStr>,
    version: Option<u32>,
}

fn read_attribute(variant: &syn::Variant) -> Result<(LitStr, u32)> {
    let mut said = Said::default();
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        attribute.parse_nested_meta(|meta| said.read(&meta))?;
    }
    let Said { event_type: Some(event_type), version: Some(version) } = said else {
        let name = &variant.ident;
        let wrong = format!(
            "variant `{name}` needs #[event(type = \"...\", version = 1)]: both are stored, so both must be given"
        );
        return Err(Error::new(name.span(), wrong));
    };
    Ok((event_type, version))
}

impl Said {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("type") {
            let twice = self.event_type.replace(meta.value()?.parse()?).is_some();
            refuse_twice(meta, twice)
        } else if meta.path.is_ident("version") {
            let twice = self.version.replace(version(&meta.value()?.parse()?)?).is_some();
            refuse_twice(meta, twice)
        } else {
            Err(meta.error("expected `type = \"...\"` or `version = 1`"))
        }
    }
}

fn refuse_twice(meta: &ParseNestedMeta<'_>, twice: bool) -> Result<()> {
    if twice { Err(meta.error("this is given twice")) } else { Ok(()) }
}

fn version(literal: &LitInt) -> Result<u32> {
    match literal.base10_parse()? {
        0 => Err(Error::new(literal.span(), "versions begin at 1")),
        version => Ok(version),
    }
}
