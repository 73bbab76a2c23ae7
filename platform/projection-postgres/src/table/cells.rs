//! Cells of rows that were found, as logical values.

use super::numeric::Numeric;
use annals_projection::{
    ColumnKind, Value,
    backend::{Batch, DatabaseError},
};
use sqlx::{
    Column as _, Row, TypeInfo, ValueRef,
    postgres::{PgRow, PgTypeInfo},
};

/// What stands in a cell, with the type that it has.
struct Found<'r> {
    column: &'r str,
    kind: PgTypeInfo,
    bytes: &'r [u8],
}

/// The cell of a column; `None`: it is `NULL`.
fn found(row: &PgRow, at: usize) -> Result<Option<Found<'_>>, DatabaseError> {
    let cell = row.try_get_raw(at).map_err(DatabaseError::denied)?;
    if cell.is_null() {
        return Ok(None);
    }
    let kind = cell.type_info().into_owned();
    let bytes = cell.as_bytes().map_err(DatabaseError::denied)?;
    let column = row.try_column(at).map_err(DatabaseError::denied)?.name();
    Ok(Some(Found { column, kind, bytes }))
}

/// Rows as a batch whose columns hold `wanted`, as far as they can.
pub(crate) fn batch(rows: &[PgRow], wanted: &[ColumnKind]) -> Result<Batch, DatabaseError> {
    let columns = rows.first().map_or(wanted.len(), Row::len);
    let mut batch = Batch::with_capacity(columns, rows.len());
    for row in rows {
        let value = |at| match found(row, at)? {
            Some(cell) => cell.value(wanted.get(at).copied()),
            None => Ok(Value::Null),
        };
        batch.push((0..columns).map(value).collect::<Result<Vec<_>, DatabaseError>>()?);
    }
    Ok(batch)
}

impl Found<'_> {
    /// The cell as a value of the kind that is wanted; if it cannot become one, as it is.
    fn value(&self, wanted: Option<ColumnKind>) -> Result<Value, DatabaseError> {
        let kinds = [ColumnKind::Integer, ColumnKind::Real, ColumnKind::Text, ColumnKind::Blob];
        let mut tried = wanted.into_iter().chain(kinds);
        tried.find_map(|kind| self.of(kind)).ok_or_else(|| {
            let (column, kind) = (self.column, self.kind.name().to_ascii_lowercase());
            DatabaseError::denied(format!(
                "column {column:?} holds {kind}, which no value can be; cast it to bigint, double precision, text or bytea"
            ))
        })
    }

    fn of(&self, kind: ColumnKind) -> Option<Value> {
        match kind {
            ColumnKind::Integer => self.integer().map(Value::Integer),
            ColumnKind::Real => self.real().map(Value::Real),
            ColumnKind::Text => self.text().map(|text| Value::Text(text.to_owned())),
            ColumnKind::Blob => (self.kind.name() == "BYTEA").then(|| Value::Blob(self.bytes.to_vec())),
        }
    }

    /// Whole numbers of every width, and a `numeric` that is whole: `sum(bigint)` is one.
    fn integer(&self) -> Option<i64> {
        match self.kind.name() {
            "INT8" => Some(i64::from_be_bytes(self.bytes.try_into().ok()?)),
            "INT4" => Some(i32::from_be_bytes(self.bytes.try_into().ok()?).into()),
            "INT2" => Some(i16::from_be_bytes(self.bytes.try_into().ok()?).into()),
            "OID" => Some(u32::from_be_bytes(self.bytes.try_into().ok()?).into()),
            "BOOL" => Some(self.bytes.first().is_some_and(|byte| *byte != 0).into()),
            "NUMERIC" => Numeric::read(self.bytes)?.integer(),
            _ => None,
        }
    }

    fn real(&self) -> Option<f64> {
        match self.kind.name() {
            "FLOAT8" => Some(f64::from_be_bytes(self.bytes.try_into().ok()?)),
            "FLOAT4" => Some(f32::from_be_bytes(self.bytes.try_into().ok()?).into()),
            "NUMERIC" => Numeric::read(self.bytes)?.real(),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self.kind.name() {
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => std::str::from_utf8(self.bytes).ok(),
            _ => None,
        }
    }
}
