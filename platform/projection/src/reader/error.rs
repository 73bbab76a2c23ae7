use crate::{GenerationError, TableError, backend::DatabaseError, query::QueryError};
use annals_event::Sequence;

/// Why there is no reader, or no answer from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// The read model's generations could not be looked at.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The database did not answer or refused the query.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
    /// The question cannot be asked as it is.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What the database found is not what was asked for.
    #[error("a row that was found cannot be read: {0}")]
    Row(TableError),
    /// The table is none of the read model's.
    #[error("read model {model:?} has no table {table:?}")]
    UnknownTable {
        /// The read model.
        model: String,
        /// The table.
        table: String,
    },
}

impl From<DatabaseError> for ReaderError {
    fn from(error: DatabaseError) -> Self {
        match GenerationError::from(error) {
            GenerationError::Database(error) => Self::Database(error),
            other => Self::Generation(other),
        }
    }
}

impl ReaderError {
    /// Whether the same may succeed later: also while the read model's folder is gone, and its projector builds it anew.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Generation(error) => {
                error.is_transient() || matches!(error, GenerationError::NoneLive { .. })
            }
            Self::Database(error) => error.is_transient(),
            Self::Query(_) | Self::Row(_) | Self::UnknownTable { .. } => false,
        }
    }

    /// Whether whoever asked gave a value that no question can have: a cursor of another query, a limit that is too high.
    pub fn is_invalid_input(&self) -> bool {
        matches!(self, Self::Query(error) if error.is_invalid_input())
    }
}

/// Why a read model does not contain a token yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is over.
    #[error("the read model is at sequence number {checkpoint}, {by} behind {token}; try again")]
    Behind {
        /// What was waited for.
        token: Sequence,
        /// How far the read model is.
        checkpoint: Sequence,
        /// The difference between the two.
        by: u64,
    },
    /// The time is over, and this process does not fold the read model. Trying again helps only if another process does.
    #[error(
        "the read model is at sequence number {checkpoint}, {by} behind {token}, and this process does not fold it: {reason}"
    )]
    NotFolded {
        /// What was waited for.
        token: Sequence,
        /// How far the read model is.
        checkpoint: Sequence,
        /// The difference between the two.
        by: u64,
        /// Why this process does not fold it.
        reason: String,
    },
    /// The log was restored from a backup, and what is live was folded from what it was before.
    #[error("{reason}")]
    OtherHistory {
        /// How they differ, and what to do.
        reason: String,
    },
    /// The read model could not be read.
    #[error(transparent)]
    Reader(#[from] ReaderError),
}
