//! What happened to a replay. Only transitions are events; progress is in the candidate's control row.
//!
//! An event is read as a whole or not at all: a type, a version, a mode or a field that this release does not know, and a
//! payload of another type, are errors. What is found and planned ([`Plan`], [`Difference`]) may have facts besides.

use crate::{Difference, Failure, Plan, ReplayMode};
use annals_event::{CodecError, Event, json};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// An event of one replay, on its stream `$replay-<id>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ReplayEvent {
    /// Somebody asked for it.
    Requested {
        /// Which read model is to be rebuilt.
        read_model: String,
        /// From which sequence number on events are folded anew; 1: all of them.
        from: u64,
        /// How far it goes by itself.
        mode: ReplayMode,
    },
    /// A worker that hosts the read model said what it would do.
    Planned {
        /// What it would do.
        plan: Plan,
    },
    /// The candidate generation is being made.
    RestoringBegun {
        /// The candidate.
        generation: String,
        /// The sequence number of the snapshot it is made from; `None`: it begins empty.
        snapshot: Option<u64>,
    },
    /// The candidate is being folded from its snapshot to where the log ended when it was planned.
    FoldingBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate is being folded to the place of the live generation.
    CatchingUpBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate is being checked against the log and against the live generation.
    VerifyingBegun {
        /// The last sequence number that was in the candidate.
        checkpoint: u64,
    },
    /// The candidate was checked and can be promoted.
    Verified {
        /// What the candidate would change.
        difference: Difference,
    },
    /// Somebody, or the replay's mode, decided for the candidate.
    PromotionRequested {},
    /// The candidate is live.
    Promoted {
        /// The candidate.
        generation: String,
        /// What was live before it; `None`: it was given up meanwhile.
        replaced: Option<String>,
        /// The last sequence number in it when it became live.
        checkpoint: u64,
    },
    /// Somebody decided against the promoted generation.
    RollbackRequested {},
    /// What was live before is live again.
    RolledBack {
        /// The generation that is live again.
        generation: String,
        /// How many sequence numbers it was behind the log.
        behind: u64,
    },
    /// What was live before cannot be made live again. The promoted generation stays.
    RollbackFailed {
        /// Why.
        reason: String,
    },
    /// Nobody wants what was replaced any more: it is being removed, and there is no way back to it.
    Retired {
        /// The generation that is gone.
        generation: String,
    },
    /// Somebody stopped it before it was promoted.
    Cancelled {},
    /// A newer candidate of the same read model is ready: this one is not wanted any more.
    Superseded {
        /// The replay whose candidate that is.
        by: String,
    },
    /// A generation that nobody needs any more was given up: nothing can be done with it, and its files are gone or
    /// go when the last that may still read them is done.
    Discarded {
        /// The generation.
        generation: String,
    },
    /// A generation that nobody needs any more could not be given up. It is still there.
    DiscardFailed {
        /// The generation.
        generation: String,
        /// Why.
        reason: String,
    },
    /// It cannot be done. The live generation is untouched.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl ReplayEvent {
    const REQUESTED: &str = "replay.requested";
    const PLANNED: &str = "replay.planned";
    const RESTORING_BEGUN: &str = "replay.restoring_begun";
    const FOLDING_BEGUN: &str = "replay.folding_begun";
    const CATCHING_UP_BEGUN: &str = "replay.catching_up_begun";
    const VERIFYING_BEGUN: &str = "replay.verifying_begun";
    const VERIFIED: &str = "replay.verified";
    const PROMOTION_REQUESTED: &str = "replay.promotion_requested";
    const PROMOTED: &str = "replay.promoted";
    const ROLLBACK_REQUESTED: &str = "replay.rollback_requested";
    const ROLLED_BACK: &str = "replay.rolled_back";
    const ROLLBACK_FAILED: &str = "replay.rollback_failed";
    const RETIRED: &str = "replay.retired";
    const CANCELLED: &str = "replay.cancelled";
    const SUPERSEDED: &str = "replay.superseded";
    const DISCARDED: &str = "replay.discarded";
    const DISCARD_FAILED: &str = "replay.discard_failed";
    const FAILED: &str = "replay.failed";
}

/// The payload is the variant in serde's outer form, `{"planned": {…}}`, so that it stands alone; the type
/// repeats it for filters. Written by hand: a platform crate cannot use the derive, which names the facade.
impl Event for ReplayEvent {
    const TYPES: &'static [(&'static str, u32)] = &[
        (Self::REQUESTED, 1),
        (Self::PLANNED, 1),
        (Self::RESTORING_BEGUN, 1),
        (Self::FOLDING_BEGUN, 1),
        (Self::CATCHING_UP_BEGUN, 1),
        (Self::VERIFYING_BEGUN, 1),
        (Self::VERIFIED, 1),
        (Self::PROMOTION_REQUESTED, 1),
        (Self::PROMOTED, 1),
        (Self::ROLLBACK_REQUESTED, 1),
        (Self::ROLLED_BACK, 1),
        (Self::ROLLBACK_FAILED, 1),
        (Self::RETIRED, 1),
        (Self::CANCELLED, 1),
        (Self::SUPERSEDED, 1),
        (Self::DISCARDED, 1),
        (Self::DISCARD_FAILED, 1),
        (Self::FAILED, 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Requested { .. } => Self::REQUESTED,
            Self::Planned { .. } => Self::PLANNED,
            Self::RestoringBegun { .. } => Self::RESTORING_BEGUN,
            Self::FoldingBegun { .. } => Self::FOLDING_BEGUN,
            Self::CatchingUpBegun { .. } => Self::CATCHING_UP_BEGUN,
            Self::VerifyingBegun { .. } => Self::VERIFYING_BEGUN,
            Self::Verified { .. } => Self::VERIFIED,
            Self::PromotionRequested {} => Self::PROMOTION_REQUESTED,
            Self::Promoted { .. } => Self::PROMOTED,
            Self::RollbackRequested {} => Self::ROLLBACK_REQUESTED,
            Self::RolledBack { .. } => Self::ROLLED_BACK,
            Self::RollbackFailed { .. } => Self::ROLLBACK_FAILED,
            Self::Retired { .. } => Self::RETIRED,
            Self::Cancelled {} => Self::CANCELLED,
            Self::Superseded { .. } => Self::SUPERSEDED,
            Self::Discarded { .. } => Self::DISCARDED,
            Self::DiscardFailed { .. } => Self::DISCARD_FAILED,
            Self::Failed { .. } => Self::FAILED,
        }
    }

    fn schema_version(&self) -> u32 {
        1
    }

    fn encode(&self) -> Result<Bytes, CodecError> {
        let json = json::to_vec(self).map_err(|error| CodecError::new(self.event_type(), error))?;
        Ok(json.into())
    }

    fn decode(event_type: &str, payload: &[u8]) -> Result<Option<Self>, CodecError> {
        if !Self::knows(event_type) {
            return Ok(None);
        }
        let decoded: Self = json::from_slice(payload).map_err(|error| CodecError::new(event_type, error))?;
        if decoded.event_type() != event_type {
            let reason = format!("its payload is that of a {:?}", decoded.event_type());
            return Err(CodecError::new(event_type, reason));
        }
        Ok(Some(decoded))
    }
}
