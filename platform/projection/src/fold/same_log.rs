//! Whether the store holds the log that a generation was folded from.

use crate::{FoldError, GenerationId, GenerationStatus};
use annals_store::{EventStore, LogMismatch, SeenLog, check_same_log};

/// Checks that the store holds the log that the generation was folded from.
pub(crate) async fn check_log(
    store: &dyn EventStore,
    id: GenerationId,
    status: &GenerationStatus,
) -> Result<(), FoldError> {
    check_seen(store, id, &status.seen()).await
}

/// The same for what a fold of the generation has seen of the log since.
pub(crate) async fn check_seen(
    store: &dyn EventStore,
    id: GenerationId,
    seen: &SeenLog,
) -> Result<(), FoldError> {
    match check_same_log(store, seen).await {
        Ok(()) => Ok(()),
        Err(LogMismatch::Read(error)) => Err(error.into()),
        Err(mismatch) => Err(FoldError::OtherLog { generation: id.to_string(), mismatch }),
    }
}
