//! What each kind of column is in PostgreSQL: the one place that says so.

use crate::connection::{Binds, Unknown};
use annals_projection::{Column, ColumnKind, SEQUENCE_COLUMN, Value, backend::DatabaseError};

/// The column that every table has after its own.
pub(crate) const SEQUENCE: Column =
    Column { name: SEQUENCE_COLUMN, kind: ColumnKind::Integer, nullable: false, key: false };

/// The type of a column and of parameters of this kind.
pub(super) const fn sql_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "bigint",
        ColumnKind::Real => "double precision",
        ColumnKind::Text => "text",
        ColumnKind::Blob => "bytea",
    }
}

/// What a column of this kind is in a table. Text is ordered by its bytes.
pub(super) const fn column_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "text COLLATE \"C\"",
        other => sql_type(other),
    }
}

/// One letter for the type with which a value is bound.
pub(crate) const fn kind_letter(value: &Value) -> char {
    match value.kind() {
        None => '-',
        Some(ColumnKind::Integer) => 'i',
        Some(ColumnKind::Real) => 'r',
        Some(ColumnKind::Text) => 't',
        Some(ColumnKind::Blob) => 'b',
    }
}

/// Binds one value.
pub(crate) fn push_value(binds: &mut Binds, value: &Value) -> Result<(), DatabaseError> {
    match value {
        Value::Null => binds.push(Unknown),
        Value::Integer(number) => binds.push(*number),
        Value::Real(number) => binds.push(*number),
        Value::Text(text) => binds.push(storable("a parameter", text)?),
        Value::Blob(bytes) => binds.push(bytes.as_slice()),
    }
    Ok(())
}

/// Binds the cells of one column as an array.
pub(crate) fn push_array(binds: &mut Binds, column: &Column, cells: &[Value]) -> Result<(), DatabaseError> {
    match column.kind {
        ColumnKind::Integer => binds.push(each(column, cells, |cell| match cell {
            Value::Integer(number) => Some(Ok(*number)),
            _ => None,
        })?),
        ColumnKind::Real => binds.push(each(column, cells, |cell| match cell {
            Value::Real(number) => Some(Ok(*number)),
            _ => None,
        })?),
        ColumnKind::Text => binds.push(each(column, cells, |cell| match cell {
            Value::Text(text) => Some(storable(column.name, text)),
            _ => None,
        })?),
        ColumnKind::Blob => binds.push(each(column, cells, |cell| match cell {
            Value::Blob(bytes) => Some(Ok(bytes.as_slice())),
            _ => None,
        })?),
    }
    Ok(())
}

/// `text`, unless PostgreSQL has none like it.
pub(super) fn storable<'t>(place: &str, text: &'t str) -> Result<&'t str, DatabaseError> {
    match text.contains('\0') {
        false => Ok(text),
        true => Err(DatabaseError::Data {
            reason: format!("{place}: the text has the character NUL, which PostgreSQL's text has not"),
        }),
    }
}

/// A cell that is not of its column's kind.
pub(super) fn misfit(column: &Column, cell: &Value) -> DatabaseError {
    DatabaseError::Data { reason: format!("{}: it is {} and not {cell}", column.name, sql_type(column.kind)) }
}

/// The cells of a column as values of one type. `None`: the cell is not one.
fn each<'v, T>(
    column: &Column,
    cells: &'v [Value],
    of: impl Fn(&'v Value) -> Option<Result<T, DatabaseError>>,
) -> Result<Vec<Option<T>>, DatabaseError> {
    let convert = |cell| match cell {
        &Value::Null => Ok(None),
        cell => of(cell).ok_or_else(|| misfit(column, cell))?.map(Some),
    };
    cells.iter().map(convert).collect()
}
