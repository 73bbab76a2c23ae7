//! What `#[event(...)]` says of a struct or an enum.

use super::attributes_named;
use crate::{base::Base, stored_name};
use syn::{DeriveInput, Error, LitInt, LitStr, Result, meta::ParseNestedMeta};

/// The type and the version that a struct declares.
pub(crate) struct Stored {
    pub(crate) event_type: LitStr,
    pub(crate) version: u32,
    pub(crate) base: Base,
}

#[derive(Default)]
struct Said {
    event_type: Option<LitStr>,
    version: Option<u32>,
    base: Option<Base>,
}

impl Stored {
    pub(crate) fn of(input: &DeriveInput) -> Result<Self> {
        let mut said = Said::default();
        for attribute in attributes_named(&input.attrs, "event") {
            attribute.parse_nested_meta(|meta| said.read(&meta))?;
        }
        let Said { event_type: Some(event_type), version: Some(version), base } = said else {
            let name = &input.ident;
            let wrong = format!(
                "`{name}` needs #[event(type = \"...\", version = 1)]: both are stored, so both must be given"
            );
            return Err(Error::new(name.span(), wrong));
        };
        stored_name::check_event_type(&event_type)?;
        Ok(Self { event_type, version, base: base.unwrap_or_default() })
    }
}

impl Said {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let twice = if meta.path.is_ident("type") {
            self.event_type.replace(meta.value()?.parse()?).is_some()
        } else if meta.path.is_ident("version") {
            self.version.replace(version(&meta.value()?.parse()?)?).is_some()
        } else if let Some(base) = Base::read(meta)? {
            self.base.replace(base).is_some()
        } else {
            return Err(meta.error("expected `type = \"...\"` or `version = 1`"));
        };
        if twice { Err(meta.error("this is given twice")) } else { Ok(()) }
    }
}

/// A schema version; they begin at 1.
pub(crate) fn version(literal: &LitInt) -> Result<u32> {
    match literal.base10_parse()? {
        0 => Err(Error::new(literal.span(), "versions begin at 1")),
        version => Ok(version),
    }
}

/// What an enum says: at most where the generated code finds what it uses.
pub(crate) fn base_of(input: &DeriveInput) -> Result<Base> {
    let mut base = None;
    for attribute in attributes_named(&input.attrs, "event") {
        attribute.parse_nested_meta(|meta| {
            let said = Base::read(&meta)?.ok_or_else(|| {
                meta.error("an enum adds up events that structs declare; put #[event(type = ..., version = ...)] on them")
            })?;
            base = Some(said);
            Ok(())
        })?;
    }
    Ok(base.unwrap_or_default())
}
