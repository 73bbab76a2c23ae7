use super::{
    Said,
    column::{Column, Role},
};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Index, ext::IdentExt};

pub(crate) fn implementation(row: &Ident, said: &Said, columns: &[Column<'_>]) -> TokenStream {
    let Said { base, name: table } = said;
    let ((key_type, key), has_key, check) = (key(columns), has_key(columns), check(columns));
    let schema = columns.iter().map(schema_column);
    let indexes = columns.iter().filter(|column| column.role == Role::Indexed).map(|column| &column.name);
    let to_cells =
        columns.iter().map(|Column { field, name, .. }| quote!(__annals::cell(#name, &self.#field)?));
    let selects = columns.iter().filter(|column| column.role == Role::Indexed).map(selects);
    let from_cells = columns.iter().map(|Column { field, name, .. }| quote!(#field: __cells.take(#name)?));
    quote! {
        const _: () = {
            use #base as __annals;

            #[automatically_derived]
            impl __annals::Table for #row {
                type Key = #key_type;
                const SCHEMA: __annals::TableSchema = __annals::TableSchema {
                    name: #table,
                    columns: &[#(#schema),*],
                    indexes: &[#(#indexes),*],
                };

                fn key(&self) -> Self::Key {
                    #key
                }
                #has_key
                fn to_values(
                    &self,
                ) -> __annals::Result<__annals::Vec<__annals::Value>, __annals::TableError> {
                    __annals::Result::Ok(__annals::Vec::from([#(#to_cells),*]))
                }
                #check
                fn from_values(
                    __values: __annals::Vec<__annals::Value>,
                ) -> __annals::Result<Self, __annals::TableError> {
                    let mut __cells = __annals::Cells::new(__values);
                    let __row = Self { #(#from_cells),* };
                    __cells.finish()?;
                    __annals::Result::Ok(__row)
                }
            }

            #[automatically_derived]
            #[allow(dead_code)]
            impl #row {
                #(#selects)*
            }
        };
    }
}

/// Whether the row has a key, without a copy of its own.
fn has_key(columns: &[Column<'_>]) -> TokenStream {
    let keys = columns.iter().filter(|column| column.is_key());
    let fields: Vec<_> = keys.map(|column| column.field).collect();
    let equal = match fields.as_slice() {
        [field] => quote!(self.#field == *__key),
        fields => {
            let fields = fields.iter().enumerate().map(|(at, field)| {
                let at = Index::from(at);
                quote!(self.#field == __key.#at)
            });
            quote!(#(#fields)&&*)
        }
    };
    quote! {
        fn has_key(&self, __key: &Self::Key) -> bool {
            #equal
        }
    }
}

/// Whether the row can be stored.
fn check(columns: &[Column<'_>]) -> TokenStream {
    let fits = columns.iter().map(|Column { field, name, .. }| quote!(__annals::fits(#name, &self.#field)?;));
    quote! {
        fn check(&self) -> __annals::Result<(), __annals::TableError> {
            #(#fits)*
            __annals::Result::Ok(())
        }
    }
}

/// The queries by an index. They are as visible as the field.
fn selects(column: &Column<'_>) -> TokenStream {
    let Column { field, visibility, ty, name, .. } = column;
    let (by, equal) = (format_ident!("by_{}", field.unraw()), format_ident!("where_{}", field.unraw()));
    let by_says =
        format!("The rows from the first with this `{field}` on, ordered by it, then by their keys.");
    let equal_says = format!("The rows with this `{field}`, in the order of their keys.");
    quote! {
        #[doc = #by_says]
        #visibility fn #by(from: #ty) -> __annals::Select<Self> {
            __annals::Select::by_index(#name, &from)
        }
        #[doc = #equal_says]
        #visibility fn #equal(value: #ty) -> __annals::Select<Self> {
            __annals::Select::where_index(#name, &value)
        }
    }
}

/// The key's type and its value.
fn key(columns: &[Column<'_>]) -> (TokenStream, TokenStream) {
    let keys = || columns.iter().filter(|column| column.is_key());
    let (types, fields) = (keys().map(|column| column.ty), keys().map(|column| column.field));
    let values = fields.map(|field| quote!(__annals::Clone::clone(&self.#field)));
    if keys().count() == 1 {
        (quote!(#(#types)*), quote!(#(#values)*))
    } else {
        (quote!((#(#types),*)), quote!((#(#values),*)))
    }
}

fn schema_column(column: &Column<'_>) -> TokenStream {
    let Column { ty, name, .. } = column;
    if column.is_key() {
        quote!(__annals::Column::key_of::<#ty>(#name))
    } else {
        quote!(__annals::Column::of::<#ty>(#name))
    }
}
