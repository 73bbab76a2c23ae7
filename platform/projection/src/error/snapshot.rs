use crate::sqlite::DatabaseError;
use std::io;

/// Why a snapshot could not be taken or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The snapshot is damaged, incomplete or not what it is needed for.
    #[error("snapshot {name} is not used: {reason}")]
    Refused {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        error: io::Error,
    },
    /// The database could not be copied.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
}

impl From<sqlx::Error> for SnapshotError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause.into())
    }
}
