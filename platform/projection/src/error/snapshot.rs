use crate::backend::DatabaseError;
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
    /// The generation could not be read or written.
    #[error("the read model's database: {0}")]
    Database(DatabaseError),
}

impl From<DatabaseError> for SnapshotError {
    fn from(cause: DatabaseError) -> Self {
        Self::Database(cause)
    }
}
