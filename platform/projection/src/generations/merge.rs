//! Reads one table of two databases side by side, in the order of its key. A few rows of each are in memory.

use super::{Difference, RowSample, sample::cells};
use crate::{GenerationError, SEQUENCE_COLUMN, Value, identifier::quoted, sqlite::read_cells};
use futures::{StreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, sqlite::SqliteRow};
use std::cmp::Ordering;

/// A table's columns as they are compared: those of the key first.
struct Shape {
    table: String,
    columns: Vec<String>,
    keys: usize,
}

/// A row's cells, those of the key first.
type Cells = Vec<Value>;

/// Compares one table, and adds what is found to `found`.
pub(super) async fn compare_table(
    table: &str,
    live: &mut SqliteConnection,
    candidate: &mut SqliteConnection,
    found: &mut Difference,
) -> Result<(), GenerationError> {
    let shape = Shape::read(table, candidate).await?;
    let mut rows = (Rows::read(&shape, live), Rows::read(&shape, candidate));
    let samples_max = Difference::SAMPLES_MAX.min(found.samples.len() + Difference::SAMPLES_OF_TABLE_MAX);
    let (mut old, mut new) = (rows.0.next().await?, rows.1.next().await?);
    loop {
        let sample = match shape.order(old.as_ref(), new.as_ref()) {
            None => return Ok(()),
            Some(Ordering::Less) => {
                found.removed += 1;
                let removed = std::mem::replace(&mut old, rows.0.next().await?);
                removed.map(|row| shape.sample(Some(&row), None))
            }
            Some(Ordering::Greater) => {
                found.added += 1;
                let added = std::mem::replace(&mut new, rows.1.next().await?);
                added.map(|row| shape.sample(None, Some(&row)))
            }
            Some(Ordering::Equal) => {
                let live = std::mem::replace(&mut old, rows.0.next().await?);
                let candidate = std::mem::replace(&mut new, rows.1.next().await?);
                let changed = live != candidate;
                *(if changed { &mut found.changed } else { &mut found.same }) += 1;
                changed.then(|| shape.sample(live.as_ref(), candidate.as_ref()))
            }
        };
        if found.samples.len() < samples_max {
            found.samples.extend(sample);
        }
    }
}

impl Shape {
    async fn read(table: &str, connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query("SELECT name, pk FROM pragma_table_info(?) ORDER BY pk = 0, pk, cid")
            .bind(table)
            .fetch_all(connection)
            .await?;
        let (mut columns, mut keys) = (Vec::new(), 0);
        for row in &rows {
            let name: String = row.try_get(0)?;
            if row.try_get::<i64, _>(1)? > 0 {
                keys += 1;
            }
            if name != SEQUENCE_COLUMN {
                columns.push(name);
            }
        }
        Ok(Self { table: table.to_owned(), columns, keys })
    }

    /// Which of two rows comes first; `None`: there are none.
    fn order(&self, live: Option<&Cells>, candidate: Option<&Cells>) -> Option<Ordering> {
        match (live, candidate) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some(live), Some(candidate)) => {
                let keys = live.iter().zip(candidate).take(self.keys);
                Some(keys.map(|(a, b)| order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
            }
        }
    }

    fn sample(&self, live: Option<&Cells>, candidate: Option<&Cells>) -> RowSample {
        let key = live.or(candidate).map(|row| self.named(row, 0..self.keys)).unwrap_or_default();
        let differs = |at: &usize| match (live, candidate) {
            (Some(live), Some(candidate)) => live.get(*at) != candidate.get(*at),
            _ => true,
        };
        let columns: Vec<_> = (self.keys..self.columns.len()).filter(differs).collect();
        let side = |row: Option<&Cells>| row.map(|row| self.named(row, columns.iter().copied()));
        RowSample { table: self.table.clone(), key, live: side(live), candidate: side(candidate) }
    }

    fn named(&self, row: &Cells, columns: impl IntoIterator<Item = usize>) -> String {
        let cell = |at: usize| Some((self.columns.get(at)?.as_str(), row.get(at)?));
        cells(columns.into_iter().filter_map(cell))
    }
}

/// The rows of a table in the order of its key.
struct Rows<'c> {
    stream: BoxStream<'c, Result<SqliteRow, sqlx::Error>>,
    columns: usize,
}

impl<'c> Rows<'c> {
    fn read(shape: &Shape, connection: &'c mut SqliteConnection) -> Self {
        let columns: Vec<_> = shape.columns.iter().map(|name| quoted(name)).collect();
        // Byte order whatever collation the column has, since that is how the cells are compared here.
        let order: Vec<_> =
            columns.iter().take(shape.keys).map(|name| format!("{name} COLLATE BINARY")).collect();
        let (table, columns, order) = (quoted(&shape.table), columns.join(", "), order.join(", "));
        let sql = format!("SELECT {columns} FROM {table} ORDER BY {order}");
        let stream = sqlx::query(AssertSqlSafe(sql)).fetch(connection).boxed();
        Self { stream, columns: shape.columns.len() }
    }

    async fn next(&mut self) -> Result<Option<Cells>, sqlx::Error> {
        let row = self.stream.next().await.transpose()?;
        row.map(|row| read_cells(&row, self.columns)).transpose()
    }
}

/// The order of SQLite: NULL, numbers, text, blobs; text and blobs by their bytes.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Integer(a), Value::Real(b)) => order_mixed(*a, *b),
        (Value::Real(a), Value::Integer(b)) => order_mixed(*b, *a).reverse(),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a key column of numbers of both kinds: nearest is near enough"
)]
fn order_mixed(integer: i64, real: f64) -> Ordering {
    (integer as f64).total_cmp(&real)
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}
