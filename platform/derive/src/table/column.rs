use crate::stored_name;
use syn::{Error, Field, Ident, LitStr, Result, Type, Visibility, ext::IdentExt, meta::ParseNestedMeta};

/// A field and what its attribute says.
pub(crate) struct Column<'a> {
    pub(crate) field: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) ty: &'a Type,
    pub(crate) name: LitStr,
    pub(crate) role: Role,
}

/// What a column is for, besides its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Key,
    Indexed,
}

impl<'a> Column<'a> {
    pub(crate) fn read(field: &'a Field) -> Result<Self> {
        let ident =
            field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "the field needs a name"))?;
        let (mut role, mut name) = (Role::Plain, None);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| read_one(&meta, &mut role, &mut name))?;
        }
        let name = name.unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span()));
        stored_name::check_identifier("column", &name)?;
        if role == Role::Key && is_option(&field.ty) {
            let wrong = "a key cannot be NULL: two rows without it could not be told apart; take a type without Option";
            return Err(Error::new_spanned(&field.ty, wrong));
        }
        Ok(Self { field: ident, visibility: &field.vis, ty: &field.ty, name, role })
    }

    pub(crate) fn is_key(&self) -> bool {
        self.role == Role::Key
    }
}

/// Judged by the name alone, for a better message than the compiler's.
fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Option")
}

fn read_one(meta: &ParseNestedMeta<'_>, role: &mut Role, name: &mut Option<LitStr>) -> Result<()> {
    let said = if meta.path.is_ident("key") {
        Role::Key
    } else if meta.path.is_ident("index") {
        Role::Indexed
    } else if meta.path.is_ident("column") {
        return match name.replace(meta.value()?.parse()?) {
            Some(_) => Err(meta.error("this is given twice")),
            None => Ok(()),
        };
    } else {
        return Err(meta.error("expected `key`, `index` or `column = \"...\"`"));
    };
    if *role != Role::Plain {
        return Err(meta.error("a column is a key or has an index, once; a key is indexed already"));
    }
    *role = said;
    Ok(())
}
