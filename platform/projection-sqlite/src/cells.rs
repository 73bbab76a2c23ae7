use crate::failure::failure;
use annals_projection::{ColumnKind, DatabaseError, Value, backend::Batch};
use sqlx::{
    Row, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Adds `value` to the arguments of a statement.
pub(crate) fn bind(arguments: &mut SqliteArguments, value: Value) -> Result<(), DatabaseError> {
    use sqlx::Arguments;
    match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Integer(number) => arguments.add(number),
        Value::Real(number) => arguments.add(number),
        Value::Text(text) => arguments.add(text),
        Value::Blob(bytes) => arguments.add(bytes),
    }
    .map_err(|error| DatabaseError::Data { reason: error.to_string() })
}

/// The cell at `index` of a row.
fn read_cell(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info();
    Ok(match kind.name() {
        "INTEGER" => Value::Integer(row.try_get_unchecked(index)?),
        "REAL" => Value::Real(row.try_get_unchecked(index)?),
        "TEXT" => Value::Text(row.try_get_unchecked(index)?),
        _ => Value::Blob(row.try_get_unchecked(index)?),
    })
}

/// The rows as a batch whose columns hold `wanted`, as far as they can.
pub(crate) fn read_batch(rows: &[SqliteRow], wanted: &[ColumnKind]) -> Result<Batch, DatabaseError> {
    let columns = rows.first().map_or(wanted.len(), |row| row.len());
    let mut batch = Batch::with_capacity(columns, rows.len());
    for row in rows {
        let cells = (0..columns).map(|at| Ok(converted(read_cell(row, at)?, wanted.get(at))));
        batch.push(cells.collect::<Result<Vec<_>, sqlx::Error>>().map_err(failure)?);
    }
    Ok(batch)
}

/// SQLite has the sum of no reals as an integer, for example.
#[expect(clippy::cast_precision_loss, reason = "checked: only a number that a real can be becomes one")]
fn converted(value: Value, wanted: Option<&ColumnKind>) -> Value {
    match (value, wanted) {
        (Value::Integer(number), Some(ColumnKind::Real)) if number.unsigned_abs() <= 1 << 53 => {
            Value::Real(number as f64)
        }
        (value, _) => value,
    }
}
