use crate::failure::failure;
use annals_projection::{ColumnKind, DatabaseError, Value, backend::Batch};
use sqlx::{
    Row, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteRow},
};
use std::{cmp::Ordering, mem, vec::IntoIter};

/// The cells of a batch, row by row.
pub(crate) struct Cells {
    columns: Vec<Vec<Value>>,
    /// The rows that are left.
    rows: IntoIter<usize>,
}

impl Cells {
    /// The rows in the order that they have.
    pub(crate) fn as_they_come(rows: Batch) -> Self {
        let order: Vec<_> = (0..rows.rows()).collect();
        Self { columns: rows.into_columns(), rows: order.into_iter() }
    }

    /// The rows in the order of their keys, which are in these columns.
    pub(crate) fn by_key(rows: Batch, keys: &[usize]) -> Self {
        let mut order: Vec<_> = (0..rows.rows()).collect();
        let columns = rows.into_columns();
        let keys: Vec<_> = keys.iter().filter_map(|key| columns.get(*key)).collect();
        order.sort_unstable_by(|a, b| {
            let mut cells = keys.iter().map(|column| compare(column.get(*a), column.get(*b)));
            cells.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        Self { columns, rows: order.into_iter() }
    }

    /// How many rows are left.
    pub(crate) fn rows_left(&self) -> usize {
        self.rows.len()
    }

    /// The cells of the next rows, as a statement's arguments.
    pub(crate) fn arguments(&mut self, rows: usize) -> Result<SqliteArguments, DatabaseError> {
        let mut arguments = SqliteArguments::default();
        for row in self.rows.by_ref().take(rows) {
            for column in &mut self.columns {
                let cell = column.get_mut(row).map_or(Value::Null, |cell| mem::replace(cell, Value::Null));
                bind(&mut arguments, cell)?;
            }
        }
        Ok(arguments)
    }
}

/// The order of two cells of a key column. Cells of two kinds, which no column has, are equal.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Integer(a)), Some(Value::Integer(b))) => a.cmp(b),
        (Some(Value::Real(a)), Some(Value::Real(b))) => a.total_cmp(b),
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.cmp(b),
        (Some(Value::Blob(a)), Some(Value::Blob(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the rows, in the order in which their cells are taken.
    fn order(batch: Batch, keys: &[usize]) -> Vec<usize> {
        let cells = Cells::by_key(batch, keys);
        assert_eq!(cells.rows_left(), cells.rows.len());
        cells.rows.collect()
    }

    #[test]
    fn rows_are_taken_in_the_order_of_their_keys_as_sqlite_has_it() {
        let text = |text: &str| Value::Text(text.into());
        let texts = ["b", "é", "B", "", "a"].map(|name| vec![Value::Null, text(name)]);
        assert_eq!(order(Batch::of(2, texts.into()), &[1]), [3, 2, 4, 0, 1]);
        let pairs =
            [(2, "a"), (-1, "b"), (2, ""), (-1, "a")].map(|(n, name)| vec![Value::Integer(n), text(name)]);
        assert_eq!(order(Batch::of(2, pairs.to_vec()), &[0, 1]), [3, 1, 2, 0]);
        assert_eq!(order(Batch::of(2, pairs.to_vec()), &[1, 0]), [2, 3, 0, 1]);
        let blobs = [vec![1_u8, 0], vec![0, 255], vec![1]].map(|bytes| vec![Value::Blob(bytes)]);
        assert_eq!(order(Batch::of(1, blobs.into()), &[0]), [1, 2, 0]);
    }
}
