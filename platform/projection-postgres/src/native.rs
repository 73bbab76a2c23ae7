//! What is only there on PostgreSQL.

use crate::connection::failure;
use annals_projection::{ApplyError, Database, Reader};
use sqlx::PgConnection;

/// PostgreSQL, as the database of a [`SqlProjection`](annals_projection::SqlProjection).
#[derive(Clone, Copy, Debug)]
pub struct Postgres;

impl Database for Postgres {
    const KIND: &'static str = crate::backend::KIND;
    type Connection = PgConnection;
    type Error = SqlError;
}

/// Why an SQL projection did not apply an event: `?` makes it of what a statement fails with, and of an [`ApplyError`].
#[derive(Debug)]
pub struct SqlError(ApplyError);

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self(failure(error).into())
    }
}

impl From<ApplyError> for SqlError {
    fn from(error: ApplyError) -> Self {
        Self(error)
    }
}

impl From<SqlError> for ApplyError {
    fn from(SqlError(error): SqlError) -> Self {
        error
    }
}

/// The connection of a view of a read model in PostgreSQL, for questions that nothing else answers; `None`: the read model is in
/// another database. It is in a transaction that only reads, which must stay open, and plain names are those of the read model's
/// tables. Code that uses it is bound to PostgreSQL and to sqlx.
pub fn connection(reader: &mut Reader) -> Option<&mut PgConnection> {
    reader.native().downcast_mut()
}
