//! What the derives refuse, and with which words.

use crate::{event, table};
use proc_macro2::TokenStream;
use syn::DeriveInput;

type Derive = fn(&DeriveInput) -> syn::Result<TokenStream>;

/// A derive, what it is applied to, and all of its errors.
const REFUSED: [(Derive, &str, &[&str]); 22] = [
    (
        event::derive,
        "#[event(type = \"order.placed\", version = 1)] struct Placed<T> { order: T }",
        &["events are stored, so they cannot have type parameters or lifetimes"],
    ),
    (
        event::derive,
        "#[event(type = \"order.placed\", version = 1)] struct Placed(String, u64);",
        &["the fields of `Placed` need names: they are the keys of the stored JSON object"],
    ),
    (
        event::derive,
        "#[event(type = \"\", version = 1)] struct Placed;",
        &["an event type needs a name, e.g. \"order.placed\""],
    ),
    (event::derive, "#[event(type = \"order.paid\", version = 0)] struct Paid;", &["versions begin at 1"]),
    (
        event::derive,
        "#[event(name = \"order.shipped\", version = 1)] struct Shipped;",
        &["expected `type = \"...\"` or `version = 1`"],
    ),
    (
        event::derive,
        "#[event(type = \"order.closed\", version = 1, version = 2)] struct Closed;",
        &["this is given twice"],
    ),
    (
        event::derive,
        "struct Placed { order_id: String }",
        &["`Placed` needs #[event(type = \"...\", version = 1)]: both are stored, so both must be given"],
    ),
    (
        event::derive,
        r#"#[event(type = "order.placed", version = 4)]
        #[upcast(2, default(currency = "USD"))]
        struct Placed { currency: String }"#,
        &[
            "version 4 is the newest, but nothing says how version 1 becomes 2; add #[upcast(1, rename(old = new))], #[upcast(1, \
             default(field = \"value\"))] or #[upcast(1, with = function)]",
            "version 4 is the newest, but nothing says how version 3 becomes 4; add #[upcast(3, rename(old = new))], #[upcast(3, \
             default(field = \"value\"))] or #[upcast(3, with = function)]",
        ],
    ),
    (
        event::derive,
        r#"#[event(type = "order.placed", version = 2)]
        #[upcast(1, with = a)] #[upcast(1, with = b)] #[upcast(2, with = c)] #[upcast(1)] #[upcast(1, drop(d))]
        struct Placed {}"#,
        &[
            "version 1 is upcast twice",
            "2 is the newest version; upcasts are from the versions below it",
            "say what changes: rename(old = new), default(field = \"value\") or with = function",
            "expected rename(old = new), default(field = \"value\") or with = function",
        ],
    ),
    (
        event::derive,
        r#"#[event(type = "order.placed", version = 1)] struct Placed { #[event(tag = "a:b")] order_id: String }"#,
        &["the key of a tag is a word without colons and blanks, e.g. \"customer\""],
    ),
    (
        event::derive,
        r#"#[event(type = "member.joined", version = 1)] struct Joined { r#id: String, name: String, version: u32 }"#,
        &[
            "in a handler, the field `id` of `Recorded` hides this one; call it `order_id`, say, with #[serde(rename = \"id\")] so \
             that what is stored keeps its name",
            "in a handler, the field `version` of `Recorded` hides this one; call it `order_version`, say, with #[serde(rename = \
             \"version\")] so that what is stored keeps its name",
        ],
    ),
    (
        event::derive,
        r#"#[event(type = "member.joined", version = 1)] #[serde(default, rename_all = "camelCase", from = "Old")] struct Joined {}"#,
        &[
            "#[serde(default)] of the struct does not apply to an event; say it of its fields, or of a field's type",
            "#[serde(from)] of the struct does not apply to an event; say it of its fields, or of a field's type",
        ],
    ),
    (
        event::derive,
        r#"#[event(type = "member.joined", version = 1)] #[serde(transparent)] struct Joined(String);"#,
        &[
            "#[serde(transparent)] of the struct does not apply to an event; say it of its fields, or of a field's type",
        ],
    ),
    (
        event::derive,
        "enum OrderEvent { Placed(Placed), #[event(type = \"order.paid\", version = 1)] Paid(Amount), Shipped { id: u32 } }",
        &[
            "variant `Paid` holds one event and says nothing of it: declare #[derive(Event)] #[event(type = \"...\", version = 1)] \
             struct Paid { .. }, and write Paid(Paid) here",
            "variant `Shipped` holds one event and says nothing of it: declare #[derive(Event)] #[event(type = \"...\", version = \
             1)] struct Shipped { .. }, and write Shipped(Shipped) here",
        ],
    ),
    (
        event::derive,
        r#"#[event(type = "orders", version = 1)] enum OrderEvent { Placed(Placed) }"#,
        &["an enum adds up events that structs declare; put #[event(type = ..., version = ...)] on them"],
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
