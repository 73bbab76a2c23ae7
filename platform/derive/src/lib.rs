//! Derive macros for events and tables. Use them through the crate `annals`, which has everything that generated code
//! needs.
//!
//! * A derive saves typing; it never decides what is stored. Types, versions and table names are in the source.
//! * Generated code uses only paths below `::annals::__private`, or below `__private` of the crate that
//!   `#[event(crate = ...)]` or `#[table(crate = ...)]` names: for crates that `annals` depends on.

mod base;
mod event;
mod stored_name;
mod table;

#[cfg(test)]
mod refusals;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes an enum the events of a service; each variant is an event type.
///
/// ```ignore
/// #[derive(annals::Event)]
/// enum OrderEvent {
///     #[event(type = "order.placed", version = 1)]
///     Placed { customer_id: String, total_cents: u64 },
///     #[event(type = "order.imported", version = 2)]
///     Imported(LegacyOrder),
///     #[event(type = "order.cancelled", version = 1)]
///     Cancelled,
/// }
/// ```
///
/// The payload is JSON: an object of the fields, the one value that the variant holds, or `{}`. The `#[serde(...)]`
/// attributes of fields and variants apply; fields that the enum does not know are ignored when an event is read. The
/// type of each field, or of the one value, needs `Serialize` and `Deserialize`; the enum itself does not.
///
/// A new field that may be missing needs `#[serde(default)]` and no new version. Raise the version, and add an upcaster,
/// when what is stored would be misread: a field gets another name, type, unit or meaning, or a new one cannot be missing.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct a row of a read model's table.
///
/// ```ignore
/// #[derive(Clone, PartialEq, annals::Table)]
/// #[table(name = "customer_value")]
/// struct CustomerValue {
///     #[table(key)]
///     customer_id: String,
///     #[table(index)]
///     revenue_cents: u64,
///     #[table(column = "first_on")]
///     first_purchase_on: Option<String>,
/// }
/// ```
///
/// Each field is a column, named after the field unless `column` says otherwise. The key is the `key` field's value,
/// or a tuple if there are several, in the order of the fields.
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
