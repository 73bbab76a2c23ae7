//! The statements that make, read and write one table. Identifiers were validated when the model was built, and are quoted;
//! everything else is bound.

use crate::{
    cells::{bind, read_batch},
    failure::failure,
};
use annals_projection::{
    Column, ColumnKind, DatabaseError, SEQUENCE_COLUMN, TableSchema, Value,
    backend::{Batch, quoted},
};
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};
use std::{collections::HashMap, sync::Arc, vec::IntoIter};

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
        for (statement, arguments) in self.select.chunks(keys)? {
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            found.extend(query.fetch_all(&mut *connection).await.map_err(failure)?);
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
        let mut cells = Cells::of(keys);
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
        execute(connection, self.insert.chunks(rows)?).await
    }

    /// Writes rows; the last cell of each is the sequence number.
    pub(crate) async fn upsert(
        &self,
        connection: &mut SqliteConnection,
        rows: Batch,
    ) -> Result<(), DatabaseError> {
        execute(connection, self.upsert.chunks(rows)?).await
    }

    /// Removes the rows with these keys.
    pub(crate) async fn delete(
        &self,
        connection: &mut SqliteConnection,
        keys: Batch,
    ) -> Result<(), DatabaseError> {
        execute(connection, self.delete.chunks(keys)?).await
    }
}

impl Sized {
    fn new(columns: usize, statement: impl Fn(usize) -> String) -> Self {
        let fits = |rows: &usize| *rows == 1 || rows.saturating_mul(columns) <= BINDS_MAX;
        let sizes = ROWS_A_STATEMENT.into_iter().filter(fits);
        Self { columns, statements: sizes.map(|rows| (rows, statement(rows).into())).collect() }
    }

    /// Spreads `rows` over as few statements as possible.
    fn chunks(&self, rows: Batch) -> Result<Vec<(Arc<str>, SqliteArguments)>, DatabaseError> {
        let (mut chunks, mut left) = (Vec::new(), rows.rows());
        let mut cells = Cells::of(rows);
        for (size, statement) in &self.statements {
            while left >= *size {
                chunks.push((statement.clone(), cells.arguments(*size)?));
                left -= size;
            }
        }
        Ok(chunks)
    }
}

/// The cells of a batch, row by row.
struct Cells(Vec<IntoIter<Value>>);

impl Cells {
    fn of(rows: Batch) -> Self {
        Self(rows.into_columns().into_iter().map(Vec::into_iter).collect())
    }

    /// Those of the next rows, as a statement's arguments.
    fn arguments(&mut self, rows: usize) -> Result<SqliteArguments, DatabaseError> {
        let mut arguments = SqliteArguments::default();
        for _ in 0..rows {
            for column in &mut self.0 {
                bind(&mut arguments, column.next().unwrap_or(Value::Null))?;
            }
        }
        Ok(arguments)
    }
}

async fn execute(
    connection: &mut SqliteConnection,
    chunks: Vec<(Arc<str>, SqliteArguments)>,
) -> Result<(), DatabaseError> {
    for (statement, arguments) in chunks {
        let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
        query.execute(&mut *connection).await.map_err(failure)?;
    }
    Ok(())
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
