//! What can go wrong, an enum per operation. Each message says what to do.

use annals_event::{Conflict, EventId, InvalidAppend, RequestId, Sequence, Timestamp};
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// Damage that no power cut explains: bytes that were durable are no longer what they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at byte {offset}: {what}", file.display())]
pub struct Corruption {
    /// The damaged file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong there.
    pub what: &'static str,
}

/// Why a log does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the log open.
    #[error("the log in {} is in use by another process; stop it, or go through its address", folder.display())]
    InUse {
        /// The log's folder.
        folder: PathBuf,
    },
    /// The folder has other files.
    #[error("{} is not a log: it holds {file:?}; name an empty or a new folder", folder.display())]
    NotALog {
        /// The folder.
        folder: PathBuf,
        /// One of the files in it.
        file: String,
    },
    /// Another release wrote the log.
    #[error("{} has format {format}, this release reads {known}; use the release that wrote it", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
        /// The format that this release knows.
        known: u32,
    },
    /// The folder is a backup without all that belongs to it. Nothing was changed.
    #[error("{} {what}; copy all of the backup again, or use another one", file.display())]
    NotWhole {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The folder is a backup whose maker did not come to its end.
    #[error("{} is a backup that was not finished; use another one", folder.display())]
    UnfinishedBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// So damaged that not even reading is possible. Lesser damage opens for reading: see `Log::corruption`.
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

/// Why an append was not made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// It can never be written.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// A stream or a mark is not where the append expected it. Nothing was written.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The request id belongs to another append. Nothing was written.
    #[error("request id {request_id} was used before for an append with other content; use a new id")]
    RequestIdReused {
        /// The id.
        request_id: RequestId,
    },
    /// Whether the append was made before cannot be said: its request id is older than those that the log remembers, or
    /// carries no time, and no `Exact`, `NoStream` or mark of the append keeps it from being made twice. Nothing was written.
    #[error(
        "whether request {request_id} was done before is no longer known, and no exact version or mark keeps it from being \
         done twice; look for its events, and only if they are not there append them with a new request id (one made after \
         {} µs since 1970 can be told from old ones)",
        judged_after.as_micros()
    )]
    RequestUnjudged {
        /// The id.
        request_id: RequestId,
        /// Ids (UUID v7) that were made after this time of the log can be judged.
        judged_after: Timestamp,
    },
    /// The request id (UUID v7) was made too far ahead of the log's time, so that later nobody could say whether it is
    /// new, and nothing else keeps the append from being made twice. Nothing was written.
    #[error(
        "request id {request_id} was made {} s ahead of the log's time; set the clocks of client and server right, or after a \
         jump of the server's clock wait until its log has caught up, then append again",
        ahead.as_secs()
    )]
    RequestAhead {
        /// The id.
        request_id: RequestId,
        /// How far ahead.
        ahead: Duration,
    },
    /// The append's own events stand where it wants them under `Exact` or `NoStream`, but with other content. Nothing was
    /// written.
    #[error(
        "event id {event_id} was used before, at this very place, for an event with other content; use new event ids"
    )]
    EventIdReused {
        /// The id.
        event_id: EventId,
    },
    /// The append was made before, and retention dropped what it wrote, so its result cannot be given again. Nothing
    /// was written.
    #[error("request {request_id} was done before and the log no longer holds its result; do not repeat it")]
    OriginalDropped {
        /// The id.
        request_id: RequestId,
    },
    /// The disk has no room for it beside what is kept free. Nothing was written; reads go on, and so do writes once
    /// there is room.
    #[error("no room for the append ({reason}); free space or handles, then append again")]
    NoSpace {
        /// What the system says.
        reason: Arc<str>,
    },
    /// The log stopped writing: a write or sync failed, or its folder is no longer the one at its path. Whether this append
    /// survives is known after reopening.
    #[error("the log stopped writing: {reason}")]
    Poisoned {
        /// Why, and what to do.
        reason: Arc<str>,
    },
    /// The log is damaged, so it is open for reading only. Nothing was written.
    #[error("the log is open for reading only: {corruption}; restore it from a backup")]
    ReadOnly {
        /// The damage.
        corruption: Corruption,
    },
    /// The log was closed before the append was taken. Nothing was written.
    #[error("the log is closed")]
    Closed,
    /// The append's original, whose result is asked for again, cannot be read. Nothing was written.
    #[error("the original of this repeated append cannot be read: {0}")]
    Original(Arc<ReadError>),
}

/// Why an append was not taken into the queue; it can be submitted again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As many appends are waiting as may: wait until one is answered, then submit again.
    #[error("the log's queue is full; wait for answers, then submit again")]
    Full,
    /// It will never be taken.
    #[error(transparent)]
    Refused(#[from] AppendError),
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Retention removed what is asked for.
    #[error("the log begins at {first}; start reading there, or restore a snapshot")]
    BelowStart {
        /// The first sequence number that is still there.
        first: Sequence,
    },
    /// What is asked for is damaged.
    #[error("{0}; what lies below can be read, restore the rest from a backup")]
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

/// Why closing, checkpointing or preparing did not work. The log's data is not affected.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot write {}: {cause}", file.display())]
pub struct MaintenanceError {
    /// The file.
    pub file: PathBuf,
    /// What the system says.
    pub cause: Arc<io::Error>,
}
