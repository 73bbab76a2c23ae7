//! The statements that make, read and write one table. Identifiers were validated when the model was built, and are quoted;
//! everything else is bound.
//!
//! Rows are read and written in the order of their keys, which is the order of the table: each page of a batch is fetched once, and
//! goes into the WAL once, however much larger the table is than the page cache.

use crate::{
    cells::{Cells, bind, read_batch},
    failure::failure,
};
use annals_projection::{
    Column, ColumnKind, DatabaseError, SEQUENCE_COLUMN, TableSchema, Value,
    backend::{Batch, quoted},
};
use futures::join;
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};
use std::{collections::HashMap, sync::Arc};

/// How many rows a statement may have, the largest first. Few sizes, so that each is prepared once and kept.
const ROWS_A_STATEMENT: [usize; 5] = [512, 128, 32, 8, 1];
/// How many values one statement may bind (SQLite allows 32,766).
const BINDS_MAX: usize = 32_000;

/// The statements of the tables of a catalog, each made once.
#[derive(Debug, Default)]
pub(crate) struct Statements(Mutex<HashMap<TableSchema, Arc<TableStatements>>>);

impl Statements {
    pub(crate) fn of(&self, table: &TableSchema) -> Arc<TableStatements> {
        let mut known = self.0.lock();
        known.entry(*table).or_insert_with(|| Arc::new(TableStatements::new(table))).clone()
    }
}

/// One statement for each number of rows.
#[derive(Debug)]
struct Sized {
    columns: usize,
    statements: Vec<(usize, Arc<str>)>,
}

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct TableStatements {
    create: String,
    indexes: String,
    select: Sized,
    insert: Sized,
    upsert: Sized,
    delete: Sized,
    wanted: Vec<ColumnKind>,
    /// Where the key's columns are among all.
    keys: Vec<usize>,
}

impl TableStatements {
    fn new(schema: &TableSchema) -> Self {
        let keys = names(schema.keys().map(|column| column.name));
        let columns = names(schema.columns.iter().map(|column| column.name));
        let all = [columns.as_slice(), &[quoted(SEQUENCE_COLUMN)]].concat();
        let (table, key_list) = (quoted(schema.name), keys.join(", "));
        let wanted = |rows: usize| format!("({key_list}) IN (VALUES {})", tuples(rows, keys.len()));
        let insert = |rows: usize| {
            format!("INSERT INTO {table} ({}) VALUES {}", all.join(", "), tuples(rows, all.len()))
        };
        let set: Vec<_> = all.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let set = set.join(", ");
        Self {
            create: create(schema),
            indexes: indexes(schema),
            select: Sized::new(keys.len(), |rows| {
                format!("SELECT {} FROM {table} WHERE {}", columns.join(", "), wanted(rows))
            }),
            insert: Sized::new(all.len(), insert),
            upsert: Sized::new(all.len(), |rows| {
                format!("{} ON CONFLICT ({key_list}) DO UPDATE SET {set}", insert(rows))
            }),
            delete: Sized::new(keys.len(), |rows| format!("DELETE FROM {table} WHERE {}", wanted(rows))),
            wanted: schema.columns.iter().map(|column| column.kind).collect(),
            keys: (0..).zip(schema.columns).filter(|(_, column)| column.key).map(|(at, _)| at).collect(),
        }
    }

    /// The statement that makes the table.
    pub(crate) fn create(&self) -> &str {
        &self.create
    }
    /// The statements that make the indexes that are not there.
    pub(crate) fn indexes(&self) -> &str {
        &self.indexes
    }

    /// The rows with these keys.
    pub(crate) async fn select(
        &self,
        connection: &mut SqliteConnection,
        keys: Batch,
    ) -> Result<Batch, DatabaseError> {
        let mut found = Vec::new();
        let mut cells = self.key_cells(keys);
        let mut next = self.select.next(&mut cells)?;
        while let Some((statement, arguments)) = next {
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            let (rows, following) =
                join!(query.fetch_all(&mut *connection), async { self.select.next(&mut cells) });
            found.extend(rows.map_err(failure)?);
            next = following?;
        }
        read_batch(&found, &self.wanted)
    }

    /// The rows with these keys, in one statement. A statement for more keys is filled up with `NULL`, which equals no key, so that
    /// each is prepared once and kept.
    pub(crate) async fn select_at_once(
        &self,
        connection: &mut SqliteConnection,
        keys: Batch,
    ) -> Result<Batch, DatabaseError> {
        let fits = |(size, _): &&(usize, Arc<str>)| *size >= keys.rows();
        let Some((size, statement)) = self.select.statements.iter().rev().find(fits) else {
            return self.select(connection, keys).await;
        };
        let empty = size - keys.rows();
        let mut cells = Cells::as_they_come(keys);
        let mut arguments = cells.arguments(size - empty)?;
        for _ in 0..empty * self.select.columns {
            bind(&mut arguments, Value::Null)?;
        }
        let query = sqlx::query_with(AssertSqlSafe(statement.clone()), arguments);
        read_batch(&query.fetch_all(connection).await.map_err(failure)?, &self.wanted)
    }

    /// Writes rows with keys that are not there; the last cell of each is the sequence number.
    pub(crate) async fn insert(
        &self,
        connection: &mut SqliteConnection,
        rows: Batch,
    ) -> Result<(), DatabaseError> {
        self.insert.execute(connection, Cells::as_they_come(rows)).await
    }

    /// Writes rows; the last cell of each is the sequence number.
    pub(crate) async fn upsert(
        &self,
        connection: &mut SqliteConnection,
        rows: Batch,
    ) -> Result<(), DatabaseError> {
        self.upsert.execute(connection, Cells::by_key(rows, &self.keys)).await
    }

    /// Removes the rows with these keys.
    pub(crate) async fn delete(
        &self,
        connection: &mut SqliteConnection,
        keys: Batch,
    ) -> Result<(), DatabaseError> {
        self.delete.execute(connection, self.key_cells(keys)).await
    }

    /// The cells of keys, in their order.
    fn key_cells(&self, keys: Batch) -> Cells {
        let columns: Vec<_> = (0..self.keys.len()).collect();
        Cells::by_key(keys, &columns)
    }
}

impl Sized {
    fn new(columns: usize, statement: impl Fn(usize) -> String) -> Self {
        let fits = |rows: &usize| *rows == 1 || rows.saturating_mul(columns) <= BINDS_MAX;
        let sizes = ROWS_A_STATEMENT.into_iter().filter(fits);
        Self { columns, statements: sizes.map(|rows| (rows, statement(rows).into())).collect() }
    }

    /// The next statement for these cells, with its arguments: as few as possible; `None`: none is left.
    fn next(&self, cells: &mut Cells) -> Result<Option<(Arc<str>, SqliteArguments)>, DatabaseError> {
        let left = cells.rows_left();
        let Some((size, statement)) = self.statements.iter().find(|(size, _)| *size <= left && left > 0)
        else {
            return Ok(None);
        };
        Ok(Some((statement.clone(), cells.arguments(*size)?)))
    }

    /// Runs a statement for all of these cells, or several. While the database's thread runs one, the arguments of the next are made.
    async fn execute(
        &self,
        connection: &mut SqliteConnection,
        mut cells: Cells,
    ) -> Result<(), DatabaseError> {
        let mut next = self.next(&mut cells)?;
        while let Some((statement, arguments)) = next {
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            let (done, following) = join!(query.execute(&mut *connection), async { self.next(&mut cells) });
            done.map_err(failure)?;
            next = following?;
        }
        Ok(())
    }
}

/// Runs statements that bind nothing.
pub(crate) async fn run_script(connection: &mut SqliteConnection, script: &str) -> Result<(), DatabaseError> {
    sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(connection).await.map(|_| ()).map_err(failure)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(quoted).collect()
}

/// `(?,?),(?,?)`
fn tuples(rows: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(","));
    vec![row; rows].join(",")
}

/// A table that checks the types of its cells and stands in the order of its key.
fn create(schema: &TableSchema) -> String {
    let column = |name: &str, kind: &str, null: &str| format!("    {} {kind}{null}", quoted(name));
    let of = |c: &Column| column(c.name, sql(c.kind), if c.nullable { "" } else { " NOT NULL" });
    let mut lines: Vec<_> = schema.columns.iter().map(of).collect();
    lines.push(column(SEQUENCE_COLUMN, "INTEGER", " NOT NULL"));
    lines.push(format!("    PRIMARY KEY ({})", names(schema.keys().map(|column| column.name)).join(", ")));
    format!("CREATE TABLE {} (\n{}\n) STRICT, WITHOUT ROWID;\n", quoted(schema.name), lines.join(",\n"))
}

fn indexes(schema: &TableSchema) -> String {
    let table = quoted(schema.name);
    let index = |column: &&str| {
        let name = quoted(&format!("{}_by_{column}", schema.name));
        format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({});\n", quoted(column))
    };
    schema.indexes.iter().map(index).collect()
}

/// What a column is declared as.
const fn sql(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "INTEGER",
        ColumnKind::Real => "REAL",
        ColumnKind::Text => "TEXT",
        ColumnKind::Blob => "BLOB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: TableSchema = TableSchema {
        name: "thing",
        columns: &[Column::key_of::<i64>("id"), Column::of::<Option<String>>("name")],
        indexes: &[],
    };

    #[test]
    fn the_rows_of_one_large_event_take_few_statements() {
        let made = TableStatements::new(&SCHEMA);
        let keys = (0..100_000).map(|id| vec![Value::Integer(id)]).collect();
        let (mut cells, mut statements) = (made.key_cells(Batch::of(1, keys)), 0);
        while made.select.next(&mut cells).unwrap().is_some() {
            statements += 1;
        }
        // 195 of 512 rows, one of 128 and one of 32.
        assert_eq!((statements, cells.rows_left()), (197, 0));
        assert!(made.select.next(&mut Cells::as_they_come(Batch::default())).unwrap().is_none());
    }
}
