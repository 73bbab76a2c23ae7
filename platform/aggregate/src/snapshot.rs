//! Snapshots of aggregates: a cache beside the log.
//!
//! * A snapshot names the log, the stream and the last event that it contains. One that does not fit what the log has
//!   there is ignored, so that a log restored from an old backup, or another log, is not mixed with it.
//! * A snapshot names whose state it holds and in which form ([`SnapshotSchema`]); one of another aggregate or of
//!   another form is not found.
//! * Nothing is ever only in a snapshot: a store may lose them at any time.

mod cache;
mod file;
mod folder;
mod schema;

pub(crate) use cache::SnapshotCache;
pub use folder::FolderSnapshots;
pub use schema::SnapshotSchema;

use annals_event::{EventId, LogId, Sequence, StreamName, Version};
use async_trait::async_trait;
use bytes::Bytes;
use std::path::PathBuf;

/// An aggregate's state at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The log that the state was folded from.
    pub log_id: LogId,
    /// The aggregate's stream.
    pub stream: StreamName,
    /// The last folded event's version.
    pub version: Version,
    /// The last folded event's place in the log.
    pub sequence: Sequence,
    /// The last folded event.
    pub event_id: EventId,
    /// Whose state it is, and in which form.
    pub schema: SnapshotSchema,
    /// The state as JSON.
    pub state: Bytes,
}

/// Why a snapshot was not kept or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The place where snapshots are kept cannot be used.
    #[error("{place}: {reason}")]
    Unavailable {
        /// Which place.
        place: String,
        /// What happened.
        reason: String,
    },
    /// What is stored is not what was written.
    #[error("{path:?} is damaged: {reason}; it can be deleted")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Keeps the newest snapshot of each stream and schema.
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// The newest snapshot of the stream with exactly this schema.
    async fn load(
        &self,
        stream: &StreamName,
        schema: &SnapshotSchema,
    ) -> Result<Option<Snapshot>, SnapshotError>;

    /// Keeps the snapshot in place of the previous one. A concurrent reader sees one or the other.
    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError>;
}
