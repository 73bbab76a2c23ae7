use crate::{ReplayId, ReplayRefused};
use annals_aggregate::{ExecuteError, LoadError};
use annals_store::ReadError;

/// Why an operator's word had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The replay is not where that is possible.
    #[error("replay {id}: {reason}")]
    Refused {
        /// Which replay.
        id: ReplayId,
        /// Why.
        reason: ReplayRefused,
    },
    /// This release cannot read the replay: a newer one wrote to it, or its stream is damaged. It is left as it is.
    #[error(
        "replay {id} cannot be read by this release, which neither carries it out nor changes it; use a release that can read it: \
         {reason}"
    )]
    Unreadable {
        /// Which replay.
        id: ReplayId,
        /// Which of its events, and why not.
        reason: String,
    },
    /// The request names a read model that this process does not host, and there is a worker here, so that it is known.
    #[error("no read model {read_model:?} is hosted here; there are: {}", hosted.join(", "))]
    UnknownReadModel {
        /// What was asked for.
        read_model: String,
        /// What there is.
        hosted: Vec<String>,
    },
    /// The request makes no sense.
    #[error("bad input: {0}")]
    Invalid(String),
    /// The event store did not answer or did not take the event.
    #[error("replay {id}: {reason}")]
    Store {
        /// Which replay.
        id: ReplayId,
        /// What happened.
        reason: String,
    },
}

impl ReplayError {
    pub(crate) fn of(id: ReplayId, error: ExecuteError<ReplayRefused>) -> Self {
        match error {
            ExecuteError::Rejected(ReplayRefused::Unreadable { reason }) => Self::Unreadable { id, reason },
            ExecuteError::Rejected(reason) => Self::Refused { id, reason },
            ExecuteError::Load(error) if !passes_by_itself(&error) => {
                Self::Unreadable { id, reason: error.to_string() }
            }
            other => Self::Store { id, reason: other.to_string() },
        }
    }
}

/// Whether a replay that was not loaded may be loaded later.
pub(crate) fn passes_by_itself(error: &LoadError) -> bool {
    matches!(error, LoadError::Read { cause, .. } if cause.may_pass())
}

/// Why the replays are not followed any more. One replay alone is never the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The log cannot be read.
    #[error("the replays cannot be followed: {0}")]
    Follow(ReadError),
}

impl From<ReadError> for WorkerError {
    fn from(cause: ReadError) -> Self {
        Self::Follow(cause)
    }
}
