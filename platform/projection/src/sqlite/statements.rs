//! The statements of a table projection. Identifiers were validated when the model was built, and are quoted;
//! everything else is bound.

use crate::{
    identifier::{quoted, sequence_column},
    sqlite::bind,
    table::TableSchema,
    value::Value,
};
use sqlx::{
    AssertSqlSafe, SqliteConnection,
    sqlite::{SqliteArguments, SqliteRow},
};
use std::sync::Arc;

/// How many rows a statement may have, the largest first. Few sizes, so that each is prepared once and kept.
const ROWS_A_STATEMENT: [usize; 5] = [512, 128, 32, 8, 1];
/// How many values one statement may bind (SQLite allows 32,766).
const BINDS_MAX: usize = 32_000;

/// One statement for each number of rows.
#[derive(Debug)]
struct Sized {
    binds_a_row: usize,
    statements: Vec<(usize, Arc<str>)>,
}

/// The statements that create, read and write one table.
#[derive(Debug)]
pub(crate) struct TableStatements {
    create: String,
    select: Sized,
    upsert: Sized,
    delete: Sized,
}

impl TableStatements {
    pub(crate) fn new(schema: &TableSchema) -> Self {
        let keys = names(schema.columns.iter().filter(|column| column.key).map(|column| column.name));
        let columns = names(schema.columns.iter().map(|column| column.name));
        let (table, key_list) = (quoted(schema.name), keys.join(", "));
        let wanted = |rows: usize| format!("({key_list}) IN (VALUES {})", tuples(rows, keys.len()));
        Self {
            create: create(schema),
            select: Sized::new(keys.len(), |rows| {
                format!("SELECT {} FROM {table} WHERE {}", columns.join(", "), wanted(rows))
            }),
            upsert: Sized::new(columns.len() + 1, |rows| upsert(&table, &columns, &key_list, rows)),
            delete: Sized::new(keys.len(), |rows| format!("DELETE FROM {table} WHERE {}", wanted(rows))),
        }
    }

    /// The statements that create the table and its indexes.
    pub(crate) fn create(&self) -> &str {
        &self.create
    }

    /// The rows with these keys.
    pub(crate) async fn select(
        &self,
        connection: &mut SqliteConnection,
        keys: Vec<Vec<Value>>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut found = Vec::new();
        for (statement, arguments) in self.select.chunks(keys)? {
            let query = sqlx::query_with(AssertSqlSafe(statement), arguments);
            found.extend(query.fetch_all(&mut *connection).await?);
        }
        Ok(found)
    }

    /// Writes these rows; the last cell of each is the sequence number.
    pub(crate) async fn upsert(
        &self,
        connection: &mut SqliteConnection,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), sqlx::Error> {
        execute(connection, self.upsert.chunks(rows)?).await
    }

    /// Removes the rows with these keys.
    pub(crate) async fn delete(
        &self,
        connection: &mut SqliteConnection,
        keys: Vec<Vec<Value>>,
    ) -> Result<(), sqlx::Error> {
        execute(connection, self.delete.chunks(keys)?).await
    }
}

impl Sized {
    fn new(binds_a_row: usize, statement: impl Fn(usize) -> String) -> Self {
        let fits = |rows: &usize| *rows == 1 || rows.saturating_mul(binds_a_row) <= BINDS_MAX;
        let sizes = ROWS_A_STATEMENT.into_iter().filter(fits);
        Self { binds_a_row, statements: sizes.map(|rows| (rows, statement(rows).into())).collect() }
    }

    /// Spreads `rows` over as few statements as possible.
    fn chunks(&self, rows: Vec<Vec<Value>>) -> Result<Vec<(Arc<str>, SqliteArguments)>, sqlx::Error> {
        let mut chunks = Vec::new();
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        for (size, statement) in &self.statements {
            while left >= *size {
                chunks.push((statement.clone(), self.arguments(rows.by_ref().take(*size))?));
                left -= size;
            }
        }
        Ok(chunks)
    }

    fn arguments(&self, rows: impl Iterator<Item = Vec<Value>>) -> Result<SqliteArguments, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        for row in rows {
            debug_assert_eq!(row.len(), self.binds_a_row);
            for value in row {
                bind(&mut arguments, value)?;
            }
        }
        Ok(arguments)
    }
}

async fn execute(
    connection: &mut SqliteConnection,
    chunks: Vec<(Arc<str>, SqliteArguments)>,
) -> Result<(), sqlx::Error> {
    for (statement, arguments) in chunks {
        sqlx::query_with(AssertSqlSafe(statement), arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Runs statements that bind nothing.
pub(crate) async fn run_script(connection: &mut SqliteConnection, script: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(connection).await.map(|_| ())
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(quoted).collect()
}

/// `(?,?),(?,?)`
fn tuples(rows: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(","));
    vec![row; rows].join(",")
}

fn upsert(table: &str, columns: &[String], key_list: &str, rows: usize) -> String {
    let all = [columns, &[sequence_column()]].concat();
    let set: Vec<_> = all.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO {table} ({}) VALUES {} ON CONFLICT ({key_list}) DO UPDATE SET {}",
        all.join(", "),
        tuples(rows, all.len()),
        set.join(", ")
    )
}

/// A table that checks the types of its cells and stands in the order of its key.
fn create(schema: &TableSchema) -> String {
    let column = |name: &str, kind: &str, null: &str| format!("    {} {kind}{null}", quoted(name));
    let mut lines: Vec<_> = schema
        .columns
        .iter()
        .map(|c| column(c.name, c.kind.sql(), if c.nullable { "" } else { " NOT NULL" }))
        .collect();
    lines.push(format!("    {} INTEGER NOT NULL", sequence_column()));
    let keys = names(schema.columns.iter().filter(|column| column.key).map(|column| column.name));
    lines.push(format!("    PRIMARY KEY ({})", keys.join(", ")));
    let table = quoted(schema.name);
    let mut script = format!("CREATE TABLE {table} (\n{}\n) STRICT, WITHOUT ROWID;\n", lines.join(",\n"));
    for index in schema.indexes {
        let name = quoted(&format!("{}_by_{index}", schema.name));
        script.push_str(&format!("CREATE INDEX {name} ON {table} ({});\n", quoted(index)));
    }
    script
}
