//! Rows of one's own SQL as rows of a table.

use annals::projection::{ColumnKind, Table, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The rows, which have all columns of the table.
pub(crate) fn rows_of<R: Table>(rows: &[SqliteRow]) -> Result<Vec<R>, sqlx::Error> {
    rows.iter().map(row_of).collect()
}

fn row_of<R: Table>(row: &SqliteRow) -> Result<R, sqlx::Error> {
    let columns = R::SCHEMA.columns.iter();
    let values = columns.map(|column| value(row, column.name, column.kind)).collect::<Result<_, _>>()?;
    R::from_values(values).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn value(row: &SqliteRow, column: &str, kind: ColumnKind) -> Result<Value, sqlx::Error> {
    let value = match kind {
        ColumnKind::Integer => row.try_get::<Option<_>, _>(column)?.map(Value::Integer),
        ColumnKind::Real => row.try_get::<Option<_>, _>(column)?.map(Value::Real),
        ColumnKind::Text => row.try_get::<Option<_>, _>(column)?.map(Value::Text),
        ColumnKind::Blob => row.try_get::<Option<_>, _>(column)?.map(Value::Blob),
    };
    Ok(value.unwrap_or(Value::Null))
}
