//! A read model that could not be folded is refused where it is put together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Recorded;
use annals_projection::{
    Cells, Column, Fold, ModelError, Projector, ReadModel, SqlProjection, SqlTable, Table, TableError,
    TableSchema, Value, cell,
};
use annals_projection_sqlite::{SqlError, Sqlite};
use async_trait::async_trait;
use sqlx::SqliteConnection;
use support::{Accounts, Till, World};

/// A projection that has this table and does nothing.
struct With(SqlTable);

#[async_trait]
impl SqlProjection for With {
    type Event = Till;
    type Database = Sqlite;

    fn tables(&self) -> Vec<SqlTable> {
        vec![self.0]
    }
    async fn apply(&self, _: &Recorded<Till>, _: &mut SqliteConnection) -> Result<(), SqlError> {
        Ok(())
    }
}

const ITEM: TableSchema =
    TableSchema { name: "item", columns: &[Column::key_of::<String>("name")], indexes: &[] };

fn build(table: SqlTable) -> Result<ReadModel, ModelError> {
    ReadModel::named("till").projection(Accounts::default()).sql(With(table)).build()
}

#[test]
fn a_table_of_an_sql_projection_without_a_key_is_refused_by_name() {
    const KEYLESS: &[Column] = &[Column::of::<String>("name")];
    let error = build(SqlTable::new(TableSchema { columns: KEYLESS, ..ITEM })).unwrap_err();
    assert_eq!(error, ModelError::NoKey("item".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_the_database_refuses_are_told_with_their_table() {
    let world = World::new();
    let model = build(SqlTable::new(ITEM).also("CREATE INDEX x ON other (name)")).unwrap();
    let error = Projector::open(world.options(&model).await).await.err().unwrap().to_string();
    assert!(
        error.contains(r#"the statements that follow table "item""#) && error.contains("other"),
        "{error}"
    );
    let good = build(SqlTable::new(ITEM).also("CREATE INDEX by_length ON item (length(name))")).unwrap();
    assert_ne!(good.schema_hash(), build(SqlTable::new(ITEM)).unwrap().schema_hash());
    Projector::open(world.options(&good).await).await.unwrap();
}

/// A row that is its key, with an index on it.
#[derive(Clone, PartialEq)]
struct Indexed(String);

impl Table for Indexed {
    type Key = String;
    const SCHEMA: TableSchema =
        TableSchema { name: "indexed", columns: &[Column::key_of::<String>("id")], indexes: &["id"] };

    fn key(&self) -> String {
        self.0.clone()
    }
    fn to_values(&self) -> Result<Vec<Value>, TableError> {
        Ok(vec![cell("id", &self.0)?])
    }
    fn from_values(values: Vec<Value>) -> Result<Self, TableError> {
        Ok(Self(Cells::new(values).take("id")?))
    }
}

#[test]
fn an_index_on_a_column_of_the_key_is_refused() {
    let fold = Fold::<Indexed>::new().delete(|_: &Recorded<Till>| String::new());
    let error = ReadModel::named("till").table(fold).build().unwrap_err();
    assert_eq!(error, ModelError::IndexedKey { table: "indexed".to_owned(), column: "id".to_owned() });
}
