//! What `#[derive(Table)]` makes of a struct.
#![allow(clippy::unwrap_used, reason = "tests")]

use annals::Table;
use annals::event::Sequence;
use annals_projection::{Column, Select, Table as _, TableError, Value};

#[derive(Clone, Debug, PartialEq, Table)]
#[table(name = "customer_value")]
struct CustomerValue {
    #[table(key)]
    customer_id: String,
    orders: u32,
    #[table(index)]
    revenue_cents: u64,
    #[table(column = "first_on")]
    first_purchase_on: Option<String>,
    last: Sequence,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(name = "stock")]
struct Stock {
    items: i64,
    #[table(key)]
    warehouse: String,
    #[table(key, column = "article_number")]
    article: u64,
}

fn row() -> CustomerValue {
    CustomerValue {
        customer_id: "c-1".into(),
        orders: 2,
        revenue_cents: 995,
        first_purchase_on: None,
        last: Sequence::new(9),
    }
}

#[test]
fn the_schema_is_what_the_source_says() {
    let schema = CustomerValue::SCHEMA;
    assert_eq!((schema.name, schema.indexes), ("customer_value", &["revenue_cents"][..]));
    let expected = [
        Column::key_of::<String>("customer_id"),
        Column::of::<u32>("orders"),
        Column::of::<u64>("revenue_cents"),
        Column::of::<Option<String>>("first_on"),
        Column::of::<Sequence>("last"),
    ];
    assert_eq!(schema.columns, expected);
    assert!(schema.columns.iter().find(|column| column.name == "first_on").unwrap().nullable);
}

#[test]
fn a_row_comes_back_as_it_was() {
    for row in [row(), CustomerValue { first_purchase_on: Some("1997-01-01".into()), ..row() }] {
        assert_eq!(CustomerValue::from_values(row.to_values().unwrap()), Ok(row));
    }
}

#[test]
fn values_stand_in_the_order_of_the_columns() {
    let values = row().to_values().unwrap();
    assert_eq!(values.first(), Some(&Value::Text("c-1".into())));
    assert_eq!(values.last(), Some(&Value::Integer(9)));
}

#[test]
fn one_key_field_is_the_key_and_several_are_a_tuple() {
    assert_eq!(row().key(), "c-1");
    let stock = Stock { items: 1, warehouse: "north".into(), article: 7 };
    assert_eq!(stock.key(), ("north".to_owned(), 7));
}

#[test]
fn an_index_makes_queries_named_after_its_field() {
    let debug = |select: Select<CustomerValue>| format!("{select:?}");
    let (from, value) = (CustomerValue::by_revenue_cents(5), CustomerValue::where_revenue_cents(5));
    assert_eq!(debug(from), debug(Select::by_index("revenue_cents", &5_u64)));
    assert_eq!(debug(value), debug(Select::where_index("revenue_cents", &5_u64)));
}

#[test]
fn a_cell_that_does_not_fit_is_named() {
    let too_much = CustomerValue { revenue_cents: u64::MAX, ..row() };
    assert!(
        matches!(too_much.to_values(), Err(TableError::Cell { column, .. }) if column == "revenue_cents")
    );
    let mut values = row().to_values().unwrap();
    values.pop();
    assert!(matches!(CustomerValue::from_values(values), Err(TableError::Count { .. })));
}
