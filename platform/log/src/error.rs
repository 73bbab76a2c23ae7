//! What can go wrong: one enum per operation. Each message says what to do.

use annals_event::{Conflict, EventId, InvalidAppend, RequestId, Sequence, Timestamp};
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// Damage that a power cut cannot explain: durable bytes have changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at byte {offset}: {what}", file.display())]
pub struct Corruption {
    /// The damaged file.
    pub file: PathBuf,
    /// The byte at which the damage begins.
    pub offset: u64,
    /// What is wrong there.
    pub what: &'static str,
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the log open.
    #[error(
        "the log in {} is in use by another process; stop that process, or connect to it over the network",
        folder.display()
    )]
    InUse {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The folder contains files that do not belong to a log.
    #[error("{} is not a log: it contains {file:?}; choose an empty or a new folder", folder.display())]
    NotALog {
        /// The folder.
        folder: PathBuf,
        /// One of those files.
        file: String,
    },
    /// The log was written by a release with another format.
    #[error("{} has format {format}, but this release reads {known}; use the release that wrote it", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
        /// The format that this release reads.
        known: u32,
    },
    /// The folder is an incomplete backup. Nothing was changed.
    #[error("{} {what}; copy the whole backup again, or use another one", file.display())]
    NotWhole {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Making this backup was interrupted.
    #[error("{} is a backup that was never finished; use another one", folder.display())]
    UnfinishedBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no room for the free part of the last segment, which takes no space in a backup, and must be on the disk before
    /// anything is appended. A backup is one as before.
    #[error(
        "the log cannot be opened: {} needs up to {needed_bytes} bytes more of its disk ({cause}); make room there, or copy \
         the whole folder to a disk that has it",
        file.display()
    )]
    NoSpace {
        /// The last segment.
        file: PathBuf,
        /// How many bytes of it are not written yet.
        needed_bytes: u64,
        /// What the system says.
        cause: io::Error,
    },
    /// The log is too damaged even to be read. With lesser damage it opens read-only: see `Log::corruption`.
    #[error("{0}; restore the log from a backup")]
    Corrupted(Corruption),
    /// A file could not be read, written or synced.
    #[error("cannot use {}: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the log's threads: {0}")]
    Thread(io::Error),
}

/// Why an append was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The append can never be written as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// A stream or a mark is not where the append expected it. Nothing was written.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The request id was used for other content. Nothing was written.
    #[error(
        "request id {request_id} was used before for an append with other content; make a new id for a new request"
    )]
    RequestIdReused {
        /// The id.
        request_id: RequestId,
    },
    /// It is not known whether the append was done before: its request id is older than those that the log remembers, or
    /// carries no time, and no `Exact`, `NoStream` or mark keeps the append from being done twice. Nothing was written.
    #[error(
        "it is no longer known whether request {request_id} was done before, and no exact version or mark keeps it from being \
         done twice; look for its events, and append them with a new request id only if they are not there (one made after \
         {} µs since 1970 can be told apart from old ones)",
        judged_after.as_micros()
    )]
    RequestUnjudged {
        /// The id.
        request_id: RequestId,
        /// Ids (UUID v7) that were made after this time of the log can be judged.
        judged_after: Timestamp,
    },
    /// The request id (UUID v7) was made too far ahead of the log's time, so it would be impossible to say later whether
    /// it is new, and nothing else keeps the append from being done twice. Nothing was written.
    #[error(
        "request id {request_id} was made {} s ahead of the log's time; correct the clocks of client and server, or after a \
         jump of the server's clock wait until its log has caught up; then append again",
        ahead.as_secs()
    )]
    RequestAhead {
        /// The id.
        request_id: RequestId,
        /// How far ahead.
        ahead: Duration,
    },
    /// Under `Exact` or `NoStream`, the append's own event ids are already where it wants to put them, with other
    /// content. Nothing was written.
    #[error(
        "event id {event_id} was used before, at the same place, for an event with other content; use new event ids"
    )]
    EventIdReused {
        /// The id.
        event_id: EventId,
    },
    /// The append was done before, and retention dropped what it wrote, so its result cannot be given again. Nothing
    /// was written.
    #[error("request {request_id} was done before and the log no longer holds its result; do not repeat it")]
    OriginalDropped {
        /// The id.
        request_id: RequestId,
    },
    /// The append would use space that is reserved, or the process has run out of file handles. Nothing was written.
    /// Reads continue, and writes resume once there is room.
    #[error("no room for the append ({reason}); free disk space or file handles, then append again")]
    NoSpace {
        /// What the system says.
        reason: Arc<str>,
    },
    /// The log stopped writing: a write or sync failed, or its folder is no longer the one at its path. Whether this append
    /// survived is known only after the log is reopened.
    #[error("the log stopped writing: {reason}")]
    Poisoned {
        /// Why, and what to do.
        reason: Arc<str>,
    },
    /// The log is damaged, so it is read-only. Nothing was written.
    #[error("the log is damaged and read-only: {corruption}; restore it from a backup")]
    ReadOnly {
        /// The damage.
        corruption: Corruption,
    },
    /// The log was closed before it accepted the append. Nothing was written.
    #[error("the log is closed")]
    Closed,
    /// The append was done before, but its result cannot be read. Nothing was written.
    #[error("this append was done before, but its result cannot be read: {0}")]
    Original(Arc<ReadError>),
}

/// Why an append was not queued.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The queue is full: wait until an append is answered, then submit this one again.
    #[error("the log's queue is full; wait for answers, then submit again")]
    Full,
    /// Submitting it again will not help.
    #[error(transparent)]
    Refused(#[from] AppendError),
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Retention dropped what was requested.
    #[error("the log now begins at sequence number {first}; start reading there, or restore a snapshot")]
    BelowStart {
        /// The first sequence number that is still there.
        first: Sequence,
    },
    /// What was requested is damaged.
    #[error("{0}; what lies below the damage is still readable; restore the rest from a backup")]
    Corrupted(Corruption),
    /// A file could not be read.
    #[error("cannot read {}: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: Arc<io::Error>,
    },
}

/// Why the log could not be closed, checkpointed or prepared. The log's data is not affected.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot write {}: {cause}", file.display())]
pub struct MaintenanceError {
    /// The file.
    pub file: PathBuf,
    /// What the system says.
    pub cause: Arc<io::Error>,
}
