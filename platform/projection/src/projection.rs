//! What a service developer writes. A projection is deterministic: no clock, no randomness, no network, so
//! that a fold of the same events always ends in the same rows.

use crate::{sqlite::DatabaseError, table::Table};
use annals_event::{Event, Recorded};
use async_trait::async_trait;
use sqlx::SqliteConnection;

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

/// Folds events into tables of its own with SQL of its own.
#[async_trait]
pub trait SqlProjection: Send + Sync + 'static {
    /// The events that it understands.
    type Event: Event;

    /// Its tables. Each needs a primary key, so that two generations can be compared, and an INTEGER column
    /// `annals_sequence`, which `apply` sets to the event's sequence number in every row that it changes.
    fn tables(&self) -> Vec<SqlTable>;

    /// Applies one event. It runs in the transaction that also moves the checkpoint; it must not end it.
    async fn apply(
        &self,
        event: &Recorded<Self::Event>,
        transaction: &mut SqlTransaction<'_>,
    ) -> Result<(), ApplyError>;
}

/// A table of an [`SqlProjection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlTable {
    /// Its name: an SQL identifier.
    pub name: &'static str,
    /// The statements that create it, and its indexes.
    pub ddl: &'static str,
}

/// The open transaction of a batch.
#[derive(Debug)]
pub struct SqlTransaction<'c> {
    connection: &'c mut SqliteConnection,
}

impl<'c> SqlTransaction<'c> {
    pub(crate) fn new(connection: &'c mut SqliteConnection) -> Self {
        Self { connection }
    }

    /// The connection, for `sqlx::query(..).execute(transaction.connection())`.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        self.connection
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

impl From<sqlx::Error> for ApplyError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause.into())
    }
}

impl ApplyError {
    /// The event cannot be applied, for this reason.
    pub fn new(reason: impl ToString) -> Self {
        Self::Event { reason: reason.to_string() }
    }
}
