use annals_event::{Conflict, DecodeError, EventId, InvalidAppend, LogId, RequestId, Sequence, Timestamp};
use std::{fmt, time::Duration};

/// Where stored bytes are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, or the part of a remote store.
    pub place: String,
    /// The byte at which the damage begins, if known.
    pub offset: Option<u64>,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} at byte {offset}: {}", self.place, self.reason),
            None => write!(f, "{}: {}", self.place, self.reason),
        }
    }
}

/// Why an append was not done, or is not known to have been done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A stream or a mark is not where the append expected it, or the log was reopened. Nothing was written: read
    /// again and decide again.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The append can never be written as it is.
    #[error("bad input: {0}")]
    Invalid(InvalidAppend),
    /// The request id was used for other content.
    #[error(
        "request id {request_id} was used before for an append with other content; make a new id for a new request"
    )]
    RequestIdReused {
        /// The id.
        request_id: RequestId,
    },
    /// It is not known whether the append was done before: its request id is older than those that the store
    /// remembers, or carries no time, and no `Exact`, `NoStream` or mark keeps the append from being done twice.
    /// Nothing was written this time. Repeating it will not help: look for its events, and append them with a new
    /// request id only if they are not there.
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
    /// The store cannot be reached, is full or has failed. The append may or may not have been done: repeat it
    /// with the same request id.
    #[error("the event store is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The store holds another log than the one that the handle belongs to. Nothing was written.
    #[error("{}", other_log(*wanted, *found))]
    OtherLog {
        /// The one that the handle belongs to.
        wanted: LogId,
        /// The one that is there.
        found: LogId,
    },
    /// The log is damaged and accepts no writes.
    #[error("the log is damaged and read-only: {0}")]
    Corrupted(Damage),
}

impl From<InvalidAppend> for AppendError {
    fn from(cause: InvalidAppend) -> Self {
        Self::Invalid(cause)
    }
}

/// Why a read was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Retention dropped what was requested.
    #[error("{} is no longer in the log, which now begins at sequence number {first}", dropped(*requested))]
    BelowStart {
        /// What was requested; `ZERO`: events of a stream.
        requested: Sequence,
        /// The first sequence number that is still there.
        first: Sequence,
    },
    /// The request makes no sense.
    #[error("bad input: {reason}")]
    Invalid {
        /// What to change.
        reason: String,
    },
    /// The store cannot be reached or has failed; try again.
    #[error("the event store is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The store holds another log than the one that the handle belongs to: positions mean nothing in it.
    #[error("{}", other_log(*wanted, *found))]
    OtherLog {
        /// The one that the handle belongs to.
        wanted: LogId,
        /// The one that is there.
        found: LogId,
    },
    /// The log is damaged where the read was to begin or go on; what lies below is still readable.
    #[error("the log is damaged: {0}")]
    Corrupted(Damage),
}

fn other_log(wanted: LogId, found: LogId) -> String {
    format!(
        "the event store holds log {found}, but this is for log {wanted}; put that one back, or restart the service to use \
         {found}"
    )
}

fn dropped(requested: Sequence) -> String {
    match requested {
        Sequence::ZERO => "an event of the stream".into(),
        requested => format!("sequence number {requested}"),
    }
}

impl From<DecodeError> for ReadError {
    fn from(error: DecodeError) -> Self {
        Self::Corrupted(Damage { place: "event record".into(), offset: None, reason: error.to_string() })
    }
}

impl AppendError {
    /// Whether the same append may succeed, or be found done, when it is repeated unchanged.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The same for a caller that waits as long as it takes: see [`ReadError::may_pass`].
    pub fn may_pass(&self) -> bool {
        self.is_retryable() || matches!(self, Self::OtherLog { .. })
    }
}

impl ReadError {
    /// Whether the same read may succeed when it is repeated.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The same for a caller that waits as long as it takes, as a consumer does: somebody may put the right log back.
    /// It is of no use to a call that a user is waiting for.
    pub fn may_pass(&self) -> bool {
        self.is_retryable() || matches!(self, Self::OtherLog { .. })
    }
}
