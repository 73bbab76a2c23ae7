//! What the replay library refuses, as problem+json.

use crate::Problem;
use annals_replay::{ReplayError, ReplayId, ReplayRefused};

pub(super) fn unknown(id: ReplayId) -> Problem {
    Problem::not_found(format!("there is no replay {id}; GET /replays lists them"))
}

pub(super) fn refused(error: ReplayError) -> Problem {
    match &error {
        ReplayError::Refused { reason: ReplayRefused::Unknown, .. } => Problem::not_found(error),
        ReplayError::Refused { .. } | ReplayError::Unreadable { .. } => Problem::conflict(error),
        ReplayError::Invalid(_) | ReplayError::UnknownReadModel { .. } => Problem::rule(error),
        _ => Problem::unavailable(error),
    }
}
