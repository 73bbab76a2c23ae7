//! `#[derive(Table)]`: the struct is read into a name and [`Column`]s, from which the code is generated.

mod column;
mod expand;

use crate::{base::Base, stored_name};
use column::Column;
use proc_macro2::TokenStream;
use std::collections::HashSet;
use syn::{Data, DataStruct, DeriveInput, Error, Fields, LitStr, Result};

/// `TableKey` is implemented for tuples of up to this many.
const KEY_COLUMNS_MAX: usize = 4;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "a row is a struct with named fields, each a column"));
    };
    if !input.generics.params.is_empty() {
        let wrong = "rows are stored, so the struct cannot have type parameters or lifetimes";
        return Err(Error::new_spanned(&input.generics, wrong));
    }
    let said = Said::of(input)?;
    let columns = fields.named.iter().map(Column::read).collect::<Result<Vec<_>>>()?;
    refuse_duplicates(&columns)?;
    check_key(input, &columns)?;
    Ok(expand::implementation(&input.ident, &said, &columns))
}

/// What the struct's own attribute says.
struct Said {
    base: Base,
    name: LitStr,
}

impl Said {
    fn of(input: &DeriveInput) -> Result<Self> {
        let (mut base, mut name) = (Base::default(), None);
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| {
                if let Some(said) = Base::read(&meta)? {
                    base = said;
                    return Ok(());
                }
                if !meta.path.is_ident("name") {
                    return Err(meta.error("expected `name = \"...\"`"));
                }
                match name.replace(meta.value()?.parse()?) {
                    Some(_) => Err(meta.error("this is given twice")),
                    None => Ok(()),
                }
            })?;
        }
        Ok(Self { base, name: checked_name(input, name)? })
    }
}

fn checked_name(input: &DeriveInput, name: Option<LitStr>) -> Result<LitStr> {
    let missing = || {
        let wrong = format!("`{}` needs #[table(name = \"...\")]: the table's name is stored", input.ident);
        Error::new(input.ident.span(), wrong)
    };
    let name = name.ok_or_else(missing)?;
    stored_name::check_identifier("table", &name)?;
    Ok(name)
}

fn refuse_duplicates(columns: &[Column<'_>]) -> Result<()> {
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.name.value())) {
        Some(column) => {
            let wrong = format!("column {:?} appears twice in the table", column.name.value());
            Err(Error::new(column.name.span(), wrong))
        }
        None => Ok(()),
    }
}

fn check_key(input: &DeriveInput, columns: &[Column<'_>]) -> Result<()> {
    let name = &input.ident;
    match columns.iter().filter(|column| column.is_key()).count() {
        0 => {
            let wrong = format!(
                "`{name}` needs #[table(key)] on at least one field: it says which row an event is for"
            );
            Err(Error::new(name.span(), wrong))
        }
        keys if keys > KEY_COLUMNS_MAX => {
            let wrong = format!("`{name}` has {keys} key columns; at most {KEY_COLUMNS_MAX} are allowed");
            Err(Error::new(name.span(), wrong))
        }
        _ => Ok(()),
    }
}
