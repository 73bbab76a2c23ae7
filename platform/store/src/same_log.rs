//! Whether a store still holds the log that a consumer came from.

use crate::{EventStore, ReadError};
use annals_event::{Fingerprint, LogId, Sequence};

/// Why a consumer must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogMismatch {
    /// The store holds another log.
    #[error(
        "this was built from log {built_from}, the store holds log {found}; rebuild it, or connect to the other"
    )]
    OtherLog {
        /// Where the consumer came from.
        built_from: LogId,
        /// What is there.
        found: LogId,
    },
    /// The log ends before the consumer's place: it was restored from a backup that is older.
    #[error(
        "this has seen the log up to {seen}, which ends at {last} now: it was restored from an older backup; rebuild this"
    )]
    Ahead {
        /// Where the consumer is.
        seen: Sequence,
        /// Where the log ends.
        last: Sequence,
    },
    /// The log has other events up to the consumer's place: it was restored, and others went on from there.
    #[error(
        "the log up to {seen} is not the one that this has seen: it was restored from a backup; rebuild this"
    )]
    Diverged {
        /// Where the consumer is.
        seen: Sequence,
    },
    /// It cannot be told.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Whether a consumer that has seen the log up to `seen` may go on with what is in `store`. Where the log's own
/// fingerprint is gone with what retention dropped, or the store keeps none, id and length must do.
pub async fn check_same_log(store: &dyn EventStore, seen: &Fingerprint) -> Result<(), LogMismatch> {
    let head = store.head().await?;
    if head.log_id != seen.log_id {
        return Err(LogMismatch::OtherLog { built_from: seen.log_id, found: head.log_id });
    }
    if head.last < seen.sequence {
        return Err(LogMismatch::Ahead { seen: seen.sequence, last: head.last });
    }
    match store.fingerprint(seen.sequence).await {
        Ok(Some(found)) if found != *seen => Err(LogMismatch::Diverged { seen: seen.sequence }),
        Ok(_) | Err(ReadError::BelowStart { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
