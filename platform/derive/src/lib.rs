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

/// Makes a struct an event type, or an enum the sum of several.
///
/// ```
/// # extern crate annals_event as annals;
/// # use annals::json::{Json, JsonError};
/// # use annals_derive::Event;
/// #[derive(Event)]
/// #[event(type = "order.placed", version = 3)]
/// #[upcast(1, rename(total = total_cents), default(currency = "USD"))]
/// #[upcast(2, with = cents_of_dollars)] // fn(Json) -> Result<Json, E>, where E: ToString
/// struct OrderPlaced {
///     #[event(tag)] // stored as the tag order_id:o-17
///     order_id: String,
///     #[event(tag = "customer")] // stored as the tag customer:0001
///     customer_id: String,
///     total_cents: u64,
///     currency: String,
/// }
///
/// #[derive(Event)]
/// enum OrderEvent {
///     Placed(OrderPlaced),
///     Cancelled(OrderCancelled),
/// }
/// # #[derive(Event)]
/// # #[event(type = "order.cancelled", version = 1)]
/// # struct OrderCancelled;
/// # fn cents_of_dollars(placed: Json) -> Result<Json, JsonError> { Ok(placed) }
/// # fn main() {}
/// ```
///
/// The payload is JSON: an object of the struct's fields, its one unnamed field, or `{}`. The `#[serde(...)]`
/// attributes of the struct and its fields apply, but for those that are about the struct as a whole, such as `default`, `from` and
/// `transparent`: these do not compile. Fields that the struct does not know are ignored when an event is
/// read, so another service may declare its own struct of the same type with the fields that it needs. The type of each
/// field needs `Serialize` and `Deserialize`; the struct itself does not.
///
/// A new field that may be missing needs `#[serde(default)]` and no new version. Raise the version when what is stored
/// would be misread: a field gets another name, type, unit or meaning, or a new one cannot be missing. Each older
/// version then needs one `#[upcast(version, ..)]`, whose changes are made in the order in which they stand; a gap does
/// not compile.
///
/// A handler sees the event's fields and those of `Recorded` side by side, so a field called `sequence`, `stream`, `version`,
/// `recorded_at`, `id`, `metadata` or `event` does not compile: call it `order_id`, with `#[serde(rename = "id")]` where it is
/// stored as `id`, and `#[event(tag = "id")]` where that is its tag.
///
/// A tag is written with the field's `Display`; an `Option` or a `Vec` gives a tag for each value in it. Key, colon and value
/// are at most 255 bytes without control characters, the value is not empty, and an event has at most 32 tags. An event with a
/// value that is no tag is not written: over HTTP that is a 422, and a reactor stops before its source event. So let `decide`
/// refuse such a text in its own words.
///
/// The variants of an enum hold one event each, or another such enum; it becomes `From` each of them.
#[proc_macro_derive(Event, attributes(event, upcast, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct a row of a read model's table.
///
/// ```
/// # extern crate annals_projection as annals;
/// # use annals_derive::Table;
/// #[derive(Clone, PartialEq, Table)]
/// #[table(name = "customer_value")]
/// struct CustomerValue {
///     #[table(key)]
///     customer_id: String,
///     #[table(index)]
///     revenue_cents: u64,
///     #[table(column = "first_on")]
///     first_purchase_on: Option<String>,
/// }
/// # fn main() {}
/// ```
///
/// Each field is a column, named after the field unless `column` says otherwise. The key is the `key` field's value,
/// or a tuple if there are several, in the order of the fields.
///
/// Each `index` field makes two queries, which are as visible as the field: here `CustomerValue::by_revenue_cents(from)`, the
/// rows from that value on in the order of it, and `CustomerValue::where_revenue_cents(value)`, the rows with that value.
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
