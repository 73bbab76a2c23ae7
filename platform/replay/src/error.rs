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
            ExecuteError::Rejected(reason) => Self::Refused { id, reason },
            other => Self::Store { id, reason: other.to_string() },
        }
    }
}

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The log cannot be read.
    #[error("the replays cannot be followed: {0}")]
    Follow(#[from] ReadError),
    /// An event of a replay cannot be read.
    #[error("an event of the replays cannot be read: {0}")]
    Event(String),
    /// A replay's stream cannot be folded.
    #[error(transparent)]
    Load(#[from] LoadError),
}
