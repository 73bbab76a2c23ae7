//! What the derives refuse, and with which words.

use crate::{event, table};
use proc_macro2::TokenStream;
use syn::DeriveInput;

type Derive = fn(&DeriveInput) -> syn::Result<TokenStream>;

/// A derive, what it is applied to, and all of its errors.
const REFUSED: [(Derive, &str, &[&str]); 14] = [
    (
        event::derive,
        "struct Placed { order_id: String }",
        &["events are an enum with one variant for each event type; put the struct into a variant"],
    ),
    (
        event::derive,
        "enum OrderEvent<T> { #[event(type = \"order.placed\", version = 1)] Placed(T) }",
        &["events are stored, so the enum cannot have type parameters or lifetimes"],
    ),
    (
        event::derive,
        r#"enum OrderEvent {
            #[event(type = "order.placed", version = 1)] PlacedOnce { order_id: String },
            #[event(type = "order.placed", version = 2)] Placed { order_id: String, currency: String },
        }"#,
        &[
            "event type \"order.placed\" is variant `PlacedOnce` already; a type has one variant, of its newest version: \
           older ones are upcast",
        ],
    ),
    (
        event::derive,
        r#"enum OrderEvent { #[event(type = "order.placed", version = 1)] Placed(String, u64) }"#,
        &["the fields of variant `Placed` need names: they are the keys of the stored JSON object"],
    ),
    (
        event::derive,
        r#"enum OrderEvent {
            #[event(type = "", version = 1)] Placed,
            #[event(type = "order.paid", version = 0)] Paid,
            #[event(name = "order.shipped", version = 1)] Shipped,
            #[event(type = "order.closed", version = 1, version = 2)] Closed,
        }"#,
        &[
            "an event type needs a name, e.g. \"order.placed\"",
            "versions begin at 1",
            "expected `type = \"...\"` or `version = 1`",
            "this is given twice",
        ],
    ),
    (
        event::derive,
        r#"enum OrderEvent {
            #[event(type = "order.placed", version = 1)] Placed { order_id: String },
            Paid,
            #[event(type = "order.shipped")] Shipped,
        }"#,
        &[
            "variant `Paid` needs #[event(type = \"...\", version = 1)]: both are stored, so both must be given",
            "variant `Shipped` needs #[event(type = \"...\", version = 1)]: both are stored, so both must be given",
        ],
    ),
    (
        event::derive,
        r#"#[event(name = "orders")] enum OrderEvent { #[event(type = "order.placed", version = 1)] Placed }"#,
        &["expected `crate = ...`"],
    ),
    (
        table::derive,
        "#[table(name = \"customer value; drop table\")] struct CustomerValue { #[table(key)] customer_id: String }",
        &["table \"customer value; drop table\" must consist of a-z, 0-9 and _, and not begin with a digit"],
    ),
    (
        table::derive,
        "#[table(name = \"sales\")] struct Sales { #[table(key)] day: String, annals_sequence: u64 }",
        &["column \"annals_sequence\" begins with \"annals_\", which is the platform's own"],
    ),
    (
        table::derive,
        r#"#[table(name = "stock")] struct Stock { #[table(key)] article: String, #[table(column = "article")] items: u64 }"#,
        &["column \"article\" appears twice in the table"],
    ),
    (
        table::derive,
        "#[table(name = \"sales\")] struct Sales { #[table(primary)] day: String }",
        &["expected `key`, `index` or `column = \"...\"`"],
    ),
    (
        table::derive,
        "#[table(name = \"stock\")] struct Stock { #[table(key, index)] article: String }",
        &["a column is a key or has an index, once; a key is indexed already"],
    ),
    (
        table::derive,
        "#[table(name = \"customer_value\")] struct CustomerValue { customer_id: String }",
        &["`CustomerValue` needs #[table(key)] on at least one field: it says which row an event is for"],
    ),
    (
        table::derive,
        "struct CustomerValue { #[table(key)] customer_id: String }",
        &["`CustomerValue` needs #[table(name = \"...\")]: the table's name is stored"],
    ),
];

#[test]
fn a_derive_that_is_used_wrongly_says_what_to_change() {
    for (derive, code, due) in REFUSED {
        let input: DeriveInput = syn::parse_str(code).unwrap_or_else(|error| panic!("{code}: {error}"));
        let said: Vec<String> = match derive(&input) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.to_string()).collect(),
        };
        assert_eq!(said, due, "{code}");
    }
}
