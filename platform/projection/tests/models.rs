//! A read model that could not be folded is refused where it is put together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_event::Recorded;
use annals_projection::{
    ApplyError, Cells, Column, Fold, ModelError, ReadModel, SqlProjection, SqlTable, SqlTransaction, Table,
    TableError, TableSchema, Value, cell,
};
use async_trait::async_trait;
use support::{Accounts, Till};

/// A projection that has this table and does nothing.
struct With(&'static str);

#[async_trait]
impl SqlProjection for With {
    type Event = Till;

    fn tables(&self) -> Vec<SqlTable> {
        vec![SqlTable { name: "item", ddl: self.0 }]
    }
    async fn apply(&self, _: &Recorded<Till>, _: &mut SqlTransaction<'_>) -> Result<(), ApplyError> {
        Ok(())
    }
}

fn build(ddl: &'static str) -> Result<ReadModel, ModelError> {
    ReadModel::named("till").projection(Accounts::default()).sql(With(ddl)).build()
}

#[test]
fn a_table_without_a_primary_key_is_refused_by_name() {
    let error = build("CREATE TABLE item (name TEXT, annals_sequence INTEGER NOT NULL)").unwrap_err();
    assert_eq!(error, ModelError::NoPrimaryKey("item".to_owned()));
}

#[tokio::test]
async fn a_table_without_a_sequence_column_is_refused_also_within_a_runtime() {
    let error = build("CREATE TABLE item (name TEXT PRIMARY KEY)").unwrap_err();
    assert_eq!(error, ModelError::NoSequenceColumn("item".to_owned()));
}

#[test]
fn ddl_that_the_database_refuses_or_that_creates_another_table_is_refused() {
    for ddl in ["CREATE TABLE item (name TEXT", "CREATE TABLE items (name TEXT PRIMARY KEY)"] {
        let error = build(ddl).unwrap_err();
        assert!(matches!(&error, ModelError::Ddl { table, .. } if table == "item"), "{error}");
    }
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
