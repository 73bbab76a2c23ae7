//! What a service developer writes. A projection is deterministic: no clock, no randomness, no network, so
//! that a fold of the same events always ends in the same rows.

use crate::{
    backend::DatabaseError,
    table::{Table, TableSchema},
};
use annals_event::{Event, Recorded};
use async_trait::async_trait;

/// Folds events into the rows of one table, for generated or generic code; [`Fold`](crate::Fold) is the shorter way to say
/// the same.
///
/// The platform loads the rows that a batch touches in one query, folds in memory and writes them back in
/// bulk: N events on K rows cost K row writes.
pub trait TableProjection: Send + Sync + 'static {
    /// The events that it understands.
    type Event: Event;
    /// The table's rows.
    type Row: Table;

    /// The rows that the event changes; empty: none. A key that stands here twice counts once.
    fn keys(&self, event: &Recorded<Self::Event>) -> Vec<<Self::Row as Table>::Key>;

    /// Changes the row with this key. `None` is a row that does not exist: setting it creates the row, taking it
    /// deletes the row. A row that is left as it was keeps the sequence number of the event before.
    fn fold(
        &self,
        row: &mut Option<Self::Row>,
        key: &<Self::Row as Table>::Key,
        event: &Recorded<Self::Event>,
    ) -> Result<(), ApplyError>;
}

/// A database whose SQL a projection can speak. Each backend has a type that is one.
pub trait Database: 'static {
    /// What the backend is called.
    const KIND: &'static str;
    /// Its connection, with an open transaction.
    type Connection: Send + 'static;
    /// What its statements fail with; `?` makes it of both the database's errors and [`ApplyError`].
    type Error: Into<ApplyError> + Send;
}

/// Folds events into tables of its own with SQL of its own, which binds it to one database.
#[async_trait]
pub trait SqlProjection: Send + Sync + 'static {
    /// The events that it understands.
    type Event: Event;
    /// The database whose SQL it speaks.
    type Database: Database;

    /// Its tables.
    fn tables(&self) -> Vec<SqlTable>;

    /// Applies one event. It runs in the transaction that also moves the checkpoint; it must not end it. In every row that it
    /// changes it sets the column `annals_sequence` to the event's sequence number.
    async fn apply(
        &self,
        event: &Recorded<Self::Event>,
        connection: &mut <Self::Database as Database>::Connection,
    ) -> Result<(), <Self::Database as Database>::Error>;
}

/// A table of an [`SqlProjection`]. The platform makes it, on every database in the same way, with a column `annals_sequence`; so
/// generations can be compared, and snapshots taken and restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlTable {
    /// Its name, columns and indexes.
    pub schema: TableSchema,
    /// Statements in the database's own SQL that are run right after the table is made, while it is empty: indexes, constraints,
    /// triggers that keep a full-text index. Rows that they make elsewhere are not compared, and must follow from the table's.
    pub also: &'static str,
}

impl SqlTable {
    /// The table whose rows are `R`.
    pub const fn of<R: Table>() -> Self {
        Self::new(R::SCHEMA)
    }
    /// The table with this schema.
    pub const fn new(schema: TableSchema) -> Self {
        Self { schema, also: "" }
    }
    /// The same with further statements.
    #[must_use]
    pub const fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }
}

/// Why a projection did not apply an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The event cannot be applied, now or later: the projection's policy says what happens.
    #[error("{reason}")]
    Event {
        /// What is wrong with the event or with the row.
        reason: String,
    },
    /// The database did not answer or refused the statement.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
}

impl From<DatabaseError> for ApplyError {
    fn from(cause: DatabaseError) -> Self {
        Self::Database(cause)
    }
}

impl ApplyError {
    /// The event cannot be applied, for this reason.
    pub fn new(reason: impl ToString) -> Self {
        Self::Event { reason: reason.to_string() }
    }
}
