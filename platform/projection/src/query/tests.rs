#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Cursor, QueryError, Select, cursor::fingerprint, select::Plan, select_rows};
use crate::{Cells, Column, Table, TableError, TableSchema, Value, cell};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};

#[derive(Clone, Debug, PartialEq)]
struct Order {
    shop: String,
    number: i64,
    customer: Option<String>,
}

impl Table for Order {
    type Key = (String, i64);
    const SCHEMA: TableSchema = TableSchema {
        name: "order",
        columns: &[
            Column::key_of::<String>("shop"),
            Column::key_of::<i64>("number"),
            Column::of::<Option<String>>("customer"),
        ],
        indexes: &["customer"],
    };

    fn key(&self) -> (String, i64) {
        (self.shop.clone(), self.number)
    }
    fn to_values(&self) -> Result<Vec<Value>, TableError> {
        Ok(vec![cell("shop", &self.shop)?, cell("number", &self.number)?, cell("customer", &self.customer)?])
    }
    fn from_values(values: Vec<Value>) -> Result<Self, TableError> {
        let mut cells = Cells::new(values);
        Ok(Self {
            shop: cells.take("shop")?,
            number: cells.take("number")?,
            customer: cells.take("customer")?,
        })
    }
}

fn customer(name: Option<&str>) -> Option<String> {
    name.map(str::to_owned)
}

/// Every form of a query, with the cursor behind a row of it.
fn queries() -> Vec<(Select<Order>, Option<Cursor>)> {
    let mut queries = Vec::new();
    for name in [None, Some("ann")] {
        let customer = customer(name);
        let row = Order { shop: "north".into(), number: 7, customer: customer.clone() };
        for select in [
            Select::all(),
            Select::after_key(&row.key()),
            Select::by_index("customer", &customer),
            Select::where_index("customer", &customer),
        ] {
            for select in [select.clone(), select.descending()] {
                let cursor = select.plan().unwrap().order.cursor(&row).unwrap();
                queries.push((select.clone(), None));
                queries.push((select.clone().after(cursor.clone()), Some(cursor)));
            }
        }
    }
    queries
}

fn statements(plan: Plan) -> Vec<String> {
    let order = plan.order.sql();
    let statement = |range: super::keyset::Range| range.statement(&select_rows(&Order::SCHEMA), &order, 51).0;
    plan.ranges.into_iter().map(statement).collect()
}

/// The table as a database has it, with its index.
const DDL: [&str; 2] = [
    r#"CREATE TABLE "order" (shop TEXT NOT NULL, number INTEGER NOT NULL, customer TEXT, annals_sequence INTEGER NOT NULL,
        PRIMARY KEY (shop, number)) STRICT, WITHOUT ROWID"#,
    r#"CREATE INDEX order_by_customer ON "order" (customer)"#,
];

async fn database() -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    for statement in DDL {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection
}

#[tokio::test]
async fn every_range_of_a_page_is_searched_in_an_index_and_none_sorts() {
    let mut connection = database().await;
    for (select, _) in queries() {
        for sql in statements(select.plan().unwrap()) {
            let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let steps = plan.fetch_all(&mut connection).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            let whole = !sql.contains("WHERE") || sql.contains("IS NOT NULL");
            let searched = |step: &String| step.starts_with("SEARCH") || (whole && step.starts_with("SCAN"));
            assert!(steps.len() == 1 && steps.iter().all(searched), "{sql}: {steps:?}");
        }
    }
}

#[test]
fn a_position_is_a_range_of_columns_and_key() {
    let cursor = |select: &Select<Order>| {
        let row = Order { shop: "north".into(), number: 7, customer: customer(Some("ann")) };
        select.plan().unwrap().order.cursor(&row).unwrap()
    };
    let by_customer = Select::<Order>::by_index("customer", &customer(None));
    let down = by_customer.clone().descending();
    let [ascending] = &statements(by_customer.clone().after(cursor(&by_customer)).plan().unwrap())[..] else {
        panic!("one range");
    };
    let [values, nulls] = &statements(down.clone().after(cursor(&down)).plan().unwrap())[..] else {
        panic!("two ranges");
    };
    let all = r#"SELECT "order"."shop", "order"."number", "order"."customer" FROM "order""#;
    assert_eq!(
        *ascending,
        format!(
            r#"{all} WHERE ("customer", "shop", "number") > ($1, $2, $3) ORDER BY "customer" ASC, "shop" ASC, "number" ASC LIMIT $4"#
        )
    );
    let descending = r#"ORDER BY "customer" DESC, "shop" DESC, "number" DESC"#;
    assert_eq!(
        *values,
        format!(r#"{all} WHERE ("customer", "shop", "number") < ($1, $2, $3) {descending} LIMIT $4"#)
    );
    assert_eq!(*nulls, format!(r#"{all} WHERE "customer" IS NULL {descending} LIMIT $1"#));
}

#[test]
fn a_cursor_fits_the_query_that_gave_it_and_no_other() {
    let all = queries();
    let order = |select: &Select<Order>| select.plan().unwrap().order;
    for (select, _) in &all {
        for (_, cursor) in &all {
            let Some(cursor) = cursor else { continue };
            let same = all.iter().any(|(of, given)| {
                given.as_ref() == Some(cursor) && order(of).to_string() == order(select).to_string()
            });
            let planned = select.clone().after(cursor.clone()).plan().map(|_| ());
            let query = order(select).to_string();
            assert_eq!(planned, if same { Ok(()) } else { Err(QueryError::OtherCursor { query }) });
        }
    }
}

#[test]
fn cursors_that_were_given_out_keep_fitting_their_queries() {
    let given = [
        "AQF0J08AAwVub3J0aAEOvF1tvg",
        "AQF0J08DA2FubgMFbm9ydGgBDixgSmU",
        "AR0klgIDBW5vcnRoAQ6FLc8c",
        "AR0r7r0DBW5vcnRoAQ4u1Il9",
        "AZWrfpEDBW5vcnRoAQ4kbjXj",
        "Abb51UoAAwVub3J0aAEOUmGyTw",
        "Abb51UoDA2FubgMFbm9ydGgBDh4aaaA",
        "AdHJtEgDBW5vcnRoAQ6RZoFq",
        "AdaI-MUDBW5vcnRoAQ4WCGx4",
        "Aff3BFIDBW5vcnRoAQ45XCQI",
    ];
    let mut found: Vec<_> =
        queries().into_iter().filter_map(|(_, cursor)| Some(cursor?.to_string())).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, given);
}

#[test]
fn a_forged_cursor_is_refused_where_its_cells_are_no_position() {
    let query = fingerprint(b"order ASC, customer TEXT NULL, shop TEXT, number INTEGER");
    let good = vec![Value::Null, Value::Text("north".into()), Value::Integer(7)];
    let planned = |position: Vec<Value>| {
        let select = Select::<Order>::by_index("customer", &customer(None));
        select.after(Cursor::new(query, position)).plan().map(|_| ())
    };
    assert_eq!(planned(good.clone()), Ok(()));
    let short = good.get(..2).unwrap().to_vec();
    let long = [good.clone(), vec![Value::Null]].concat();
    let null_key = [short.clone(), vec![Value::Null]].concat();
    let other_kind = [vec![Value::Integer(1)], good.get(1..).unwrap().to_vec()].concat();
    for bad in [vec![], short, long, null_key, other_kind] {
        assert!(matches!(planned(bad.clone()), Err(QueryError::OtherCursor { .. })), "{bad:?}");
    }
}

#[test]
fn a_column_without_an_index_is_no_order() {
    for column in ["number", "weather"] {
        let plan = Select::<Order>::by_index(column, &1_i64).plan().map(|_| ());
        assert_eq!(plan, Err(QueryError::NotIndexed { table: "order", column }));
        let plan = Select::<Order>::where_index(column, &1_i64).plan().map(|_| ());
        assert_eq!(plan, Err(QueryError::NotIndexed { table: "order", column }));
    }
}
