use crate::identifier::InvalidIdentifier;
use annals_event::InvalidName;

/// Why a read model cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A name cannot be used.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// A category or an event type is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Two projections have a table of one name.
    #[error("table {0:?} appears twice in the read model; give each projection its own tables")]
    RepeatedTable(String),
    /// Two lookups have one name.
    #[error(
        "lookup {0:?} is made twice in the read model; make it once and pass it to each fold that asks it"
    )]
    RepeatedLookup(String),
    /// A fold without handlers.
    #[error("the fold of table {0:?} has no handler; add one for each event type that changes its rows")]
    NoHandler(String),
    /// A lookup that no event fills.
    #[error("lookup {0:?} remembers nothing; say with `remember` which events have its keys and values")]
    NothingRemembered(String),
    /// A table without a key.
    #[error("table {0:?} has no key column; mark at least one, so that an event can find its row")]
    NoKey(String),
    /// A key column that may be null.
    #[error("table {table:?}: key column {column:?} may be NULL; a key must have a value")]
    NullableKey {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table with one column twice.
    #[error("table {table:?}: column {column:?} appears twice")]
    RepeatedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// An index on a column that is not there.
    #[error("table {table:?}: an index names {column:?}, which is not a column of the table")]
    UnknownIndex {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// An index on a column of the key.
    #[error("table {table:?}: an index names {column:?}, which is part of the key and indexed already")]
    IndexedKey {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Nothing to fold.
    #[error("the read model has no projection; add one with `table`, `projection` or `sql`")]
    Empty,
}
