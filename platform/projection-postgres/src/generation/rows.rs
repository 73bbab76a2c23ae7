//! Rows of one table, in the transaction of a session.

use crate::{
    connection::{Binds, Session},
    table::{SEQUENCE, TableSql, batch, pieces, push_array},
};
use annals_projection::{
    Column, TableSchema, Value,
    backend::{Batch, DatabaseError},
};
use sqlx::PgConnection;
use std::ops::{DerefMut, Range};

/// The rows with these keys, without their sequence numbers.
pub(super) async fn load<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    place: &str,
    table: &TableSchema,
    keys: &Batch,
) -> Result<Batch, DatabaseError> {
    let select = TableSql::new(place, table).select();
    let kinds: Vec<_> = table.columns.iter().map(|column| column.kind).collect();
    let mut found = Batch::with_capacity(kinds.len(), keys.rows());
    for piece in pieces(keys.columns()) {
        let binds = arrays(key_columns(table), keys.columns(), piece)?;
        let rows = session.rows(select.clone(), binds).await?;
        batch(&rows, &kinds)?.into_rows().for_each(|row| found.push(row));
    }
    Ok(found)
}

/// Deletes the rows with some keys and writes other rows, whose last column is the sequence number.
pub(super) async fn write<C: DerefMut<Target = PgConnection> + Send>(
    session: &mut Session<C>,
    place: &str,
    table: &TableSchema,
    deletes: &Batch,
    upserts: &Batch,
) -> Result<(), DatabaseError> {
    let sql = TableSql::new(place, table);
    for piece in pieces(deletes.columns()) {
        session.execute(sql.delete(), arrays(key_columns(table), deletes.columns(), piece)?).await?;
    }
    for piece in pieces(upserts.columns()) {
        let columns = table.columns.iter().chain([&SEQUENCE]);
        session.execute(sql.upsert(), arrays(columns, upserts.columns(), piece)?).await?;
    }
    Ok(())
}

fn key_columns(table: &TableSchema) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.key)
}

/// Some rows of these columns, each column as an array.
fn arrays<'c>(
    columns: impl Iterator<Item = &'c Column>,
    cells: &[Vec<Value>],
    piece: Range<usize>,
) -> Result<Binds, DatabaseError> {
    let columns: Vec<_> = columns.collect();
    if columns.len() != cells.len() {
        let (found, due) = (cells.len(), columns.len());
        return Err(DatabaseError::denied(format!("the rows have {found} columns where {due} are expected")));
    }
    let mut binds = Binds::new();
    for (column, cells) in columns.into_iter().zip(cells) {
        push_array(&mut binds, column, cells.get(piece.clone()).unwrap_or_default())?;
    }
    Ok(binds)
}
