//! What is only there on SQLite.

use crate::failure::failure;
use annals_projection::{ApplyError, Database, Reader};
use sqlx::SqliteConnection;

/// SQLite, as the database of a [`SqlProjection`](annals_projection::SqlProjection).
#[derive(Clone, Copy, Debug)]
pub struct Sqlite;

impl Database for Sqlite {
    const KIND: &'static str = crate::backend::KIND;
    type Connection = SqliteConnection;
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

/// The connection of a view of a read model in SQLite, for questions that nothing else answers; `None`: the read model is in
/// another database. It is read-only and in a transaction, which must stay open. Code that uses it is bound to SQLite and to sqlx.
pub fn connection(reader: &mut Reader) -> Option<&mut SqliteConnection> {
    reader.native().downcast_mut()
}
