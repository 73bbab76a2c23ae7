use crate::value::Value;
use sqlx::{
    Row, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Adds `value` to the arguments of a statement.
pub(crate) fn bind(arguments: &mut SqliteArguments, value: Value) -> Result<(), sqlx::Error> {
    use sqlx::Arguments;
    match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Integer(number) => arguments.add(number),
        Value::Real(number) => arguments.add(number),
        Value::Text(text) => arguments.add(text),
        Value::Blob(bytes) => arguments.add(bytes),
    }
    .map_err(sqlx::Error::Encode)
}

/// The cell at `index` of a row.
pub(crate) fn read_cell(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
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

/// The first `count` cells of a row.
pub(crate) fn read_cells(row: &SqliteRow, count: usize) -> Result<Vec<Value>, sqlx::Error> {
    (0..count).map(|index| read_cell(row, index)).collect()
}
